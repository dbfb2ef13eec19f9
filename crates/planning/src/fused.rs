//! Planes through the lesions: CT, dose and outlines on the same pixels.

use crate::inputs::Roles;
use crate::views::{FusedView, Outline, Plane};
use hepatica_imaging::isoline::isolines;
use hepatica_imaging::{Grid, Image, IndexBox, Mask, Structure};
use rayon::prelude::*;

/// Side of a pixel. Finer than a CT voxel shows nothing more.
const PIXEL_MM: f64 = 1.0;
/// What is shown around the liver.
const MARGIN_MM: f64 = 30.0;
/// Side of a picture at most: a hostile grid could ask for more.
const MAX_PIXELS: usize = 1024;
/// What is outside the CT.
const AIR_HU: i16 = -1000;

/// Three planes through the centre of every lesion. `dose_gy` may be on any grid.
pub fn views(
    ct: &Image<i16>,
    dose_gy: &Image<f32>,
    roles: &Roles,
    liver: &Mask,
    lesions: &[(String, [f64; 3])],
) -> Vec<FusedView> {
    let Some(window) = Window::around(liver) else { return Vec::new() };
    let planes = [Plane::Axial, Plane::Coronal, Plane::Sagittal];
    let wanted: Vec<_> =
        lesions.iter().flat_map(|lesion| planes.map(|plane| (lesion, plane))).collect();
    wanted
        .par_iter()
        .filter_map(|((name, centre), plane)| {
            window.view(*plane, *centre, name, ct, dose_gy, roles)
        })
        .collect()
}

/// The box that is shown, in mm.
struct Window {
    low: [f64; 3],
    high: [f64; 3],
}

impl Window {
    fn around(liver: &Mask) -> Option<Self> {
        let IndexBox { start, end } = liver.bounds();
        if liver.is_empty() {
            return None;
        }
        let mut low = [f64::INFINITY; 3];
        let mut high = [f64::NEG_INFINITY; 3];
        for corner in 0..8 {
            let index = std::array::from_fn(
                |a| if corner >> a & 1 == 0 { start[a] } else { end[a] } as f64,
            );
            let p = liver.grid().world(index);
            for a in 0..3 {
                low[a] = low[a].min(p[a] - MARGIN_MM);
                high[a] = high[a].max(p[a] + MARGIN_MM);
            }
        }
        Some(Self { low, high })
    }

    /// The grid of a plane: one voxel thick along its normal, axes as the patient's.
    fn grid(&self, plane: Plane, at: [f64; 3]) -> Option<Grid> {
        let normal = normal(plane);
        let pixels = |a: usize| ((self.high[a] - self.low[a]) / PIXEL_MM).ceil() as usize;
        let size: [usize; 3] =
            std::array::from_fn(|a| if a == normal { 1 } else { pixels(a).clamp(1, MAX_PIXELS) });
        let origin = std::array::from_fn(|a| if a == normal { at[a] } else { self.low[a] });
        Grid::axial(size, [PIXEL_MM; 3], origin).ok()
    }

    fn view(
        &self,
        plane: Plane,
        centre: [f64; 3],
        lesion: &str,
        ct: &Image<i16>,
        dose: &Image<f32>,
        roles: &Roles,
    ) -> Option<FusedView> {
        let grid = self.grid(plane, centre)?;
        let screen = Screen::of(plane, grid.size());
        let (mut hu, mut dose_gy) = (Vec::new(), Vec::new());
        for row in 0..screen.rows {
            for column in 0..screen.columns {
                let p = grid.world(screen.voxel(column, row).map(|n| n as f64));
                let value = ct.interpolate(ct.grid().index(p));
                hu.push(value.map_or(AIR_HU, |v| v.round() as i16));
                let value = dose.interpolate(dose.grid().index(p));
                dose_gy.push(value.map_or(0.0, |v| v as f32));
            }
        }
        let one = |s: &Structure, role: &str| screen.outline(s, role, &grid);
        let territories = roles.territories.iter().filter_map(|(_, s)| s.as_ref());
        let outlines = std::iter::once(one(&roles.liver, "liver"))
            .chain(territories.map(|s| one(s, "territory")))
            .chain(roles.tumours.iter().map(|s| one(s, "tumour")))
            .chain(roles.cold.iter().map(|s| one(s, "cold")))
            .filter(|o| !o.lines.is_empty())
            .collect();
        Some(FusedView {
            title: format!("{lesion}, {}{}", word(plane), proposed(roles)),
            lesion: lesion.to_owned(),
            plane,
            position_mm: centre[normal(plane)],
            columns: screen.columns,
            rows: screen.rows,
            pixel_mm: PIXEL_MM,
            hu,
            dose_gy,
            outlines,
        })
    }
}

/// What a picture says of outlines that nobody drew.
fn proposed(roles: &Roles) -> String {
    let open = roles.proposed.iter().filter(|p| !p.accepted && p.role != "lungs");
    let mut which: Vec<_> = open.map(|p| p.role.as_str()).collect();
    which.dedup();
    if which.is_empty() {
        return String::new();
    }
    format!(" (outlines of {} proposed, not drawn)", which.join(" and "))
}

fn normal(plane: Plane) -> usize {
    match plane {
        Plane::Axial => 2,
        Plane::Coronal => 1,
        Plane::Sagittal => 0,
    }
}

fn word(plane: Plane) -> &'static str {
    match plane {
        Plane::Axial => "axial",
        Plane::Coronal => "coronal",
        Plane::Sagittal => "sagittal",
    }
}

/// Which way a plane is hung on the screen: x to the right, posterior down in an axial view; head
/// up in the others, anterior on the left in a sagittal one.
struct Screen {
    plane: Plane,
    columns: usize,
    rows: usize,
}

impl Screen {
    fn of(plane: Plane, [nx, ny, nz]: [usize; 3]) -> Self {
        let (columns, rows) = match plane {
            Plane::Axial => (nx, ny),
            Plane::Coronal => (nx, nz),
            Plane::Sagittal => (ny, nz),
        };
        Self { plane, columns, rows }
    }

    fn voxel(&self, column: usize, row: usize) -> [usize; 3] {
        let up = self.rows - 1 - row;
        match self.plane {
            Plane::Axial => [column, row, 0],
            Plane::Coronal => [column, 0, up],
            Plane::Sagittal => [0, column, up],
        }
    }

    fn outline(&self, structure: &Structure, role: &str, grid: &Grid) -> Outline {
        let mask = structure.on(grid);
        let lines = if mask.is_empty() {
            Vec::new()
        } else {
            let values: Vec<f32> = (0..self.rows * self.columns)
                .map(|n| mask.at(self.voxel(n % self.columns, n / self.columns)))
                .collect();
            isolines(&values, self.columns, self.rows, 0.5)
        };
        Outline { name: structure.name.clone(), role: role.to_owned(), lines }
    }
}
