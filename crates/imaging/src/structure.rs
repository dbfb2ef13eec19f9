//! Structures: named volumes, drawn as contours or given as voxels.

use crate::contour::{Contour, aligned};
use crate::dicom::object::Object;
use crate::dicom::{Patient, rtstruct, seg};
use crate::error::ReadError;
use crate::geometry::{Grid, IndexBox};
use crate::image::FrameOfReference;
use crate::label_names;
use crate::mask::Mask;
use crate::nifti;
use crate::solid::Solid;
use dicom_dictionary_std::tags;
use hepatica_physics::Volume;
use std::collections::BTreeMap;
use std::path::Path;

/// Structures of one file.
#[derive(Debug)]
pub struct StructureSet {
    /// In the order of the file.
    pub structures: Vec<Structure>,
    /// Frame of Reference UID, if the file says.
    pub frame_of_reference: FrameOfReference,
    /// Who they were drawn on.
    pub patient: Patient,
    /// What a reader must know: contours left out, thresholds.
    pub notes: Vec<String>,
}

/// A named volume.
#[derive(Debug, Clone)]
pub struct Structure {
    /// Its name in the file.
    pub name: String,
    /// Its number in the file (ROI number, segment number, label).
    pub number: u32,
    shape: Shape,
}

#[derive(Debug, Clone)]
enum Shape {
    Contours(Solid),
    Voxels(Mask),
    Parts(Vec<Structure>),
}

impl Structure {
    /// A structure of contours; `slice_mm` is the usual distance of planes in the structure set (see
    /// [`Solid::new`]).
    #[must_use]
    pub fn of_contours(name: &str, number: u32, contours: &[Contour], slice_mm: f64) -> Self {
        let shape = Shape::Contours(Solid::new(contours, slice_mm));
        Self { name: name.to_owned(), number, shape }
    }

    /// A structure of voxels.
    #[must_use]
    pub fn of_voxels(name: &str, number: u32, mask: Mask) -> Self {
        Self { name: name.to_owned(), number, shape: Shape::Voxels(mask) }
    }

    /// A structure of parts that share nothing, such as the lobes of a liver.
    #[must_use]
    pub fn of_parts(name: &str, number: u32, parts: Vec<Self>) -> Self {
        Self { name: name.to_owned(), number, shape: Shape::Parts(parts) }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.shape {
            Shape::Contours(solid) => solid.is_empty(),
            Shape::Voxels(mask) => mask.is_empty(),
            Shape::Parts(parts) => parts.iter().all(Self::is_empty),
        }
    }

    /// Its own voxels; `None` when it was drawn as contours.
    #[must_use]
    pub fn voxels(&self) -> Option<&Mask> {
        match &self.shape {
            Shape::Contours(_) | Shape::Parts(_) => None,
            Shape::Voxels(mask) => Some(mask),
        }
    }

    /// Its volume, wherever it lies.
    #[must_use]
    pub fn volume(&self) -> Volume {
        match &self.shape {
            Shape::Contours(solid) => Volume::from_mm3(solid.volume_mm3()),
            Shape::Voxels(mask) => mask.volume(),
            Shape::Parts(parts) => {
                parts.iter().map(Self::volume).fold(Volume::from_ml(0.0), |a, b| a + b)
            }
        }
    }

    /// The fraction of every voxel of `grid` that is inside. Exact for grids along the patient's
    /// axes; on turned grids by 27 to 512 points a voxel.
    #[must_use]
    pub fn on(&self, grid: &Grid) -> Mask {
        match &self.shape {
            Shape::Contours(solid) if aligned(grid).is_some() => solid.on(grid),
            Shape::Contours(solid) => {
                let Some([low, high]) = solid.bounds_mm() else {
                    return Mask::empty(grid.clone());
                };
                // Finer than the target, so that sampling it costs nothing but time; but no more
                // voxels than memory has room for.
                let extent = [0, 1, 2].map(|a| high[a] - low[a]);
                let wanted = grid.spacing_mm().iter().fold(f64::INFINITY, |a, b| a.min(*b)) / 2.0;
                let step = wanted.max((extent.iter().product::<f64>() / MOST_FINE).cbrt());
                let size = extent.map(|e| (e / step).ceil() as usize + 2);
                match Grid::axial(size, [step; 3], low) {
                    Ok(fine) => sampled(&solid.on(&fine), grid),
                    Err(_) => Mask::empty(grid.clone()),
                }
            }
            Shape::Parts(parts) => {
                let empty = Mask::empty(grid.clone());
                parts.iter().fold(empty, |sum, part| sum.plus(&part.on(grid)))
            }
            Shape::Voxels(mask) if mask.grid().matches(grid) => mask.clone(),
            Shape::Voxels(mask) => match (aligned(mask.grid()), aligned(grid)) {
                (Some(from), Some(to)) => overlapped(mask, from, grid, to),
                _ => sampled(mask, grid),
            },
        }
    }
}

/// Most voxels of the grid that contours are laid on for a turned target.
const MOST_FINE: f64 = (1 << 27) as f64;

/// Mean of the mask over every voxel of `grid`, exact: the overlap of boxes along each axis.
fn overlapped(mask: &Mask, from_sign: [f64; 3], grid: &Grid, to_sign: [f64; 3]) -> Mask {
    let own = mask.bounds();
    let source = mask.grid();
    // For every target index along an axis: source indices (in the mask's box) and weights.
    let weights = |a: usize| -> (usize, Vec<Vec<(usize, f32)>>) {
        let (ds, dt) = (source.spacing_mm()[a], grid.spacing_mm()[a]);
        // Place of a source border in continuous target indices, voxel n from n to n + 1.
        let place = |n: f64| {
            let mm = source.origin_mm()[a] + from_sign[a] * (n - 0.5) * ds;
            (mm - grid.origin_mm()[a]) * to_sign[a] / dt + 0.5
        };
        let (p, q) = (place(own.start[a] as f64), place(own.end[a] as f64));
        let size = grid.size()[a] as f64;
        let first = p.min(q).floor().clamp(0.0, size) as usize;
        let last = p.max(q).ceil().clamp(0.0, size) as usize;
        let mut lists = vec![Vec::new(); last - first];
        for n in own.start[a]..own.end[a] {
            let (p, q) = (place(n as f64), place(n as f64 + 1.0));
            let (low, high) = (p.min(q), p.max(q));
            let begin = low.floor().max(first as f64) as usize;
            for t in begin..(high.ceil().min(last as f64).max(0.0) as usize) {
                let overlap = (high.min(t as f64 + 1.0) - low.max(t as f64)).max(0.0);
                // Rounding of decimal strings leaves dust in the neighbours.
                if overlap > 1e-6 {
                    lists[t - first].push((n - own.start[a], overlap as f32));
                }
            }
        }
        (first, lists)
    };
    let axes = [weights(0), weights(1), weights(2)];
    let size: [usize; 3] = std::array::from_fn(|a| axes[a].1.len());
    if size.contains(&0) {
        return Mask::empty(grid.clone());
    }
    let mut data = mask.fractions().to_vec();
    let mut shape = own.size();
    // One axis after the other.
    for a in 0..3 {
        let stride: usize = shape[..a].iter().product();
        let outer: usize = shape[a + 1..].iter().product();
        let mut next = vec![0.0_f32; stride * size[a] * outer];
        for o in 0..outer {
            for (t, list) in axes[a].1.iter().enumerate() {
                let to = (o * size[a] + t) * stride;
                for (n, w) in list {
                    let from = (o * shape[a] + n) * stride;
                    for s in 0..stride {
                        next[to + s] += w * data[from + s];
                    }
                }
            }
        }
        data = next;
        shape[a] = size[a];
    }
    for f in &mut data {
        *f = if *f < 1e-5 { 0.0 } else { f.min(1.0) };
    }
    let start: [usize; 3] = std::array::from_fn(|a| axes[a].0);
    let end = std::array::from_fn(|a| start[a] + size[a]);
    Mask::new(grid.clone(), IndexBox { start, end }, data)
}

/// Mean of the mask at points within every voxel of `grid`: 3 to 8 along each axis, at least one a
/// source voxel where those allow.
fn sampled(mask: &Mask, grid: &Grid) -> Mask {
    let (bounds, source) = (mask.bounds(), mask.grid());
    let finest = source.spacing_mm().iter().fold(f64::INFINITY, |a, b| a.min(*b));
    let points = grid.spacing_mm().map(|s| (s / finest).ceil().clamp(3.0, 8.0) as usize);
    let share = 1.0 / points.iter().product::<usize>() as f32;
    // How far a voxel reaches, in source voxels.
    let reach = grid.spacing_mm().iter().sum::<f64>() / finest;
    Mask::from_fn(grid.clone(), |ijk| {
        let centre = source.index(grid.world(ijk.map(|n| n as f64)));
        let near = (0..3).all(|a| {
            centre[a] > bounds.start[a] as f64 - reach && centre[a] < bounds.end[a] as f64 + reach
        });
        if !near {
            return 0.0;
        }
        let mut sum = 0.0;
        for n in 0..points.iter().product() {
            let at = [n % points[0], n / points[0] % points[1], n / (points[0] * points[1])];
            let p = std::array::from_fn(|a| {
                ijk[a] as f64 + (at[a] as f64 + 0.5) / points[a] as f64 - 0.5
            });
            // Negative indices become huge ones, and are outside.
            let index = source.index(grid.world(p)).map(|x| x.round() as i64 as usize);
            sum += mask.at(index);
        }
        sum * share
    })
}

/// Reads the structures of an RTSTRUCT, a SEG or a NIfTI label file, whichever it is. A fractional
/// SEG is refused here: thresholds are for [`seg::read`] to be told.
///
/// # Errors
/// Those of the reader that the content asks for.
pub fn read(path: &Path) -> Result<StructureSet, ReadError> {
    if nifti::is_nifti(path) {
        return read_nifti(path);
    }
    let o = Object::open(path)?;
    match o.text(tags::MODALITY).as_deref() {
        Some("RTSTRUCT") => rtstruct::from_object(&o),
        Some("SEG") => seg::from_object(&o, seg::FractionalPolicy::Refuse),
        found => {
            let found = found.unwrap_or("missing").to_owned();
            Err(o.wrong(tags::MODALITY, found, "RTSTRUCT or SEG"))
        }
    }
}

/// A label map: a structure a label, named as the file's table of labels says, else by its number; of a
/// single label without a name, by the file.
fn read_nifti(path: &Path) -> Result<StructureSet, ReadError> {
    let labels = nifti::read_labels(path)?;
    let names = label_names::of(path);
    let grid = labels.grid().clone();
    let mut boxes: BTreeMap<u16, IndexBox> = BTreeMap::new();
    let [nx, ny, _] = grid.size();
    for (n, label) in labels.data().iter().enumerate().filter(|(_, l)| **l != 0) {
        let at = [n % nx, n / nx % ny, n / (nx * ny)];
        let b = boxes.entry(*label).or_insert(IndexBox { start: at, end: at.map(|x| x + 1) });
        *b = b.union(&IndexBox { start: at, end: at.map(|x| x + 1) });
    }
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = file.trim_end_matches(".gz").trim_end_matches(".nii").to_owned();
    let single = boxes.len() <= 1;
    let mut structures: Vec<_> = boxes
        .into_iter()
        .map(|(label, bounds)| {
            let own = labels.crop(bounds);
            let fraction = own.data().iter().map(|l| if *l == label { 1.0 } else { 0.0 }).collect();
            let mask = Mask::new(grid.clone(), bounds, fraction);
            let name = match names.get(&label) {
                Some(name) => name.clone(),
                None if single => stem.clone(),
                None => label.to_string(),
            };
            Structure::of_voxels(&name, label.into(), mask)
        })
        .collect();
    if structures.is_empty() {
        structures.push(Structure::of_voxels(&stem, 1, Mask::empty(grid)));
    }
    Ok(StructureSet {
        structures,
        frame_of_reference: None,
        patient: Patient::default(),
        notes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{Matrix3, Rotation3};

    fn ball(grid: &Grid) -> Mask {
        let own = grid.clone();
        Mask::from_fn(grid.clone(), move |ijk| {
            let p = own.world(ijk.map(|n| n as f64));
            if p.coords.norm() < 20.0 { 1.0 } else { 0.0 }
        })
    }

    #[test]
    fn voxels_keep_their_volume_on_other_grids() {
        let fine = Grid::axial([60; 3], [1.0; 3], [-29.5; 3]).expect("valid");
        let structure = Structure::of_voxels("ball", 1, ball(&fine));
        let whole = structure.volume().ml();
        let coarse = Grid::axial([20; 3], [4.42; 3], [-40.3; 3]).expect("valid");
        let flipped = Grid::new([20; 3], [4.0; 3], [38.0; 3], -Matrix3::identity()).expect("valid");
        for grid in [coarse, flipped] {
            assert!((structure.on(&grid).volume().ml() / whole - 1.0).abs() < 1e-4);
        }
        let axes = *Rotation3::from_euler_angles(0.2, -0.1, 0.3).matrix();
        let turned =
            Grid::new([40; 3], [2.5; 3], (axes * nalgebra::Vector3::repeat(-48.75)).into(), axes)
                .expect("valid");
        assert!((structure.on(&turned).volume().ml() / whole - 1.0).abs() < 5e-3);
    }

    #[test]
    fn contours_on_a_turned_grid_keep_their_volume() {
        let fine = Grid::axial([60; 3], [1.0; 3], [-29.5; 3]).expect("valid");
        let contours = crate::contour::trace(&ball(&fine));
        let structure = Structure::of_contours("ball", 1, &contours, 1.0);
        let axes = *Rotation3::from_euler_angles(0.0, 0.0, 0.4).matrix();
        let turned =
            Grid::new([40; 3], [2.5; 3], (axes * nalgebra::Vector3::repeat(-48.75)).into(), axes)
                .expect("valid");
        let ratio = structure.on(&turned).volume().ml() / structure.volume().ml();
        assert!((ratio - 1.0).abs() < 0.02, "{ratio}");
    }
}
