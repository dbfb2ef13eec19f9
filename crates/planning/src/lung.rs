//! Lung shunt and lung mass.

use crate::case::{PlanarRoiEntry, Polygon};
use crate::perfusion;
use crate::plan::{PlanarShunt, SpectShunt};
use crate::tissue::ratio;
use hepatica_imaging::{Image, IndexBox, Mask, Planar, PlanarView, distance};
use hepatica_physics::Mass;
use rayon::prelude::*;
use thiserror::Error;

/// Why a shunt cannot be found.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShuntError {
    /// No counts in a region.
    #[error(
        "planar lung shunt: no counts above background in the {0} region; check [planar_roi] in case.toml"
    )]
    NoCounts(&'static str),
    /// Views that cannot be compared.
    #[error(
        "planar lung shunt: the anterior view has {0} pixels, the posterior {1}; expected the same"
    )]
    Views(usize, usize),
    /// Views of different length.
    #[error(
        "planar lung shunt: the anterior view took {0} s, the posterior {1} s; expected the same"
    )]
    Duration(String, String),
}

/// Geometric mean of both views, lungs over lungs and liver: `L = G_lung / (G_lung + G_liver)`,
/// `G = sqrt(anterior posterior)`. No attenuation correction, as in the standard: biased high.
///
/// # Errors
/// When the views differ, or a region has no counts.
pub fn planar(planar: &Planar, roi: &PlanarRoiEntry) -> Result<PlanarShunt, ShuntError> {
    let (front, back) = (&planar.anterior, &planar.posterior);
    if (front.columns, front.rows) != (back.columns, back.rows) {
        return Err(ShuntError::Views(front.counts.len(), back.counts.len()));
    }
    if let (Some(a), Some(b)) = (front.duration_s, back.duration_s)
        && (a - b).abs() > 0.01 * a
    {
        return Err(ShuntError::Duration(a.to_string(), b.to_string()));
    }
    let geometric_mean = |regions: &[Polygon], name| {
        let both = [(front, false), (back, true)].map(|(view, mirrored)| {
            let (counts, pixels) = in_regions(view, regions, mirrored);
            let (around, around_pixels) = in_regions(view, &roi.background, mirrored);
            counts - ratio(around, around_pixels) * pixels
        });
        if both.iter().all(|c| *c > 0.0) {
            Ok((both[0] * both[1]).sqrt())
        } else {
            Err(ShuntError::NoCounts(name))
        }
    };
    let lung_counts = geometric_mean(&roi.lungs, "lungs")?;
    let liver_counts = geometric_mean(&roi.liver, "liver")?;
    let fraction = planar_fraction(lung_counts, liver_counts);
    Ok(PlanarShunt { fraction, lung_counts, liver_counts })
}

/// Lungs over lungs and liver.
#[must_use]
pub fn planar_fraction(lungs: f64, liver: f64) -> f64 {
    ratio(lungs, lungs + liver)
}

/// Counts and pixels whose centre is in one of the regions; the posterior view is mirrored.
fn in_regions(view: &PlanarView, regions: &[Polygon], mirrored: bool) -> (f64, f64) {
    let mut sum = (0.0, 0.0);
    for row in 0..view.rows {
        for column in 0..view.columns {
            let shown = if mirrored { view.columns - 1 - column } else { column };
            if regions.iter().any(|r| holds(r, [shown as f64, row as f64])) {
                sum.0 += f64::from(view.counts[row * view.columns + column]);
                sum.1 += 1.0;
            }
        }
    }
    sum
}

fn holds(polygon: &Polygon, [x, y]: [f64; 2]) -> bool {
    let next = polygon.iter().cycle().skip(1);
    let crossings = polygon.iter().zip(next).filter(|(a, b)| {
        (a[1] > y) != (b[1] > y) && x < a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
    });
    crossings.count() % 2 == 1
}

/// The lungs as the emission image shows them.
#[derive(Debug)]
pub struct LungView<'a> {
    /// Counts on the emission image's own grid.
    pub counts: &'a Image<f32>,
    /// The liver on that grid.
    pub liver: &'a Mask,
    /// The lungs on that grid, without the liver.
    pub lungs: &'a Mask,
    /// Density in g/mL on that grid; without it volume stands for mass.
    pub density: Option<&'a Image<f32>>,
    /// Mass of the whole lungs, also outside the field of view; without it the lungs seen are
    /// taken as all.
    pub whole_mass: Option<Mass>,
}

/// Shunt on SPECT/CT: counts of the lungs over counts of lungs and liver. The strip of lung within
/// `dome_strip_mm` of the liver is left out (breathing and blur carry liver counts there), and the
/// counts of what is left are extrapolated to the whole lungs by mass.
#[must_use]
pub fn spect(view: &LungView<'_>, dome_strip_mm: f64) -> Option<SpectShunt> {
    let kept = if dome_strip_mm > 0.0 {
        away_from(view.lungs, view.liver, dome_strip_mm)
    } else {
        view.lungs.clone()
    };
    let liver_counts = perfusion::sum(view.counts, view.liver);
    let measured = perfusion::sum(view.counts, view.lungs);
    if kept.is_empty() || !(liver_counts > 0.0) {
        return None;
    }
    let mass_of = |mask: &Mask| -> f64 {
        let voxel = mask.grid().voxel_volume().ml();
        mask.voxels()
            .map(|(n, f)| {
                f64::from(f) * voxel * view.density.map_or(1.0, |d| f64::from(d.data()[n]))
            })
            .sum()
    };
    let kept_mass = mass_of(&kept);
    let seen_mass = mass_of(view.lungs);
    // Where densities are known the whole mass is known from CT in the same unit.
    let whole_mass = match (view.density, view.whole_mass) {
        (Some(_), Some(mass)) => mass.g().max(seen_mass),
        _ => seen_mass,
    };
    let lung_counts = perfusion::sum(view.counts, &kept) * ratio(whole_mass, kept_mass);
    Some(SpectShunt {
        fraction: ratio(lung_counts, lung_counts + liver_counts),
        fraction_as_measured: ratio(measured, measured + liver_counts),
        lung_counts,
        liver_counts,
        dome_strip_mm,
        lung_mass_seen_fraction: ratio(kept_mass, whole_mass),
    })
}

/// The part of a mask farther than a distance from another, voxel centre to voxel centre.
#[must_use]
pub fn away_from(mask: &Mask, other: &Mask, distance_mm: f64) -> Mask {
    let grid = mask.grid().clone();
    let reach = grid.spacing_mm().map(|step| (distance_mm / step).floor() as usize);
    let near = other.bounds().grown(reach, &grid.bounds()).intersection(&mask.bounds());
    if near.is_empty() {
        return mask.clone();
    }
    // Only what is near enough to be reached is looked at, and only what reaches there counts.
    let from = near.grown(reach, &grid.bounds());
    let squared = distance::squared_within(other, from, reach);
    let [nx, ny, _] = from.size();
    let limit = distance_mm * distance_mm;
    Mask::from_fn(grid, |ijk| {
        let close = near.contains(ijk) && {
            let [i, j, k]: [usize; 3] = std::array::from_fn(|a| ijk[a] - from.start[a]);
            squared[i + nx * (j + ny * k)] <= limit
        };
        if close { 0.0 } else { mask.at(ijk) }
    })
}

/// Mass of the lungs from CT: `sum V (1 + HU / 1000)` over HU in [-1000, 0). Vessels at 0 HU and
/// above are part of the mass, too, at their density of about 1 g/mL.
#[must_use]
pub fn mass_from_ct(ct: &Image<i16>, lungs: &Mask) -> Mass {
    let IndexBox { start, end } = lungs.bounds();
    let width = lungs.bounds().size()[0].max(1);
    let mean = |hu: i16| (1.0 + f64::from(hu.max(-1000)) / 1000.0).min(1.06);
    // A sum for each slice: the same digits with any number of threads.
    let slices: Vec<f64> = (start[2]..end[2])
        .into_par_iter()
        .map(|k| {
            let rows = lungs.slice(k).chunks(width).zip(start[1]..).flat_map(|(row, j)| {
                row.iter().zip(&ct.data()[ct.grid().offset([start[0], j, k])..])
            });
            rows.map(|(f, hu)| f64::from(*f) * mean(*hu)).sum()
        })
        .collect();
    Mass::from_g(slices.iter().sum::<f64>() * ct.grid().voxel_volume().ml())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_imaging::Grid;
    use hepatica_imaging::dicom::Patient;

    fn view(counts: Vec<f32>) -> PlanarView {
        PlanarView { columns: 4, rows: 2, pixel_mm: [2.0; 2], counts, duration_s: Some(300.0) }
    }

    fn region(c0: f64, r0: f64, c1: f64, r1: f64) -> Polygon {
        vec![[c0, r0], [c1, r0], [c1, r1], [c0, r1]]
    }

    #[test]
    fn the_posterior_view_is_mirrored_and_background_is_by_area() {
        // Lungs above on the left, liver below on the left, background 1 a pixel everywhere.
        let anterior = view(vec![13.0, 1.0, 1.0, 1.0, 101.0, 1.0, 1.0, 1.0]);
        let posterior = view(vec![1.0, 1.0, 1.0, 4.0, 1.0, 1.0, 1.0, 26.0]);
        let both = Planar { anterior, posterior, patient: Patient::default(), notes: vec![] };
        let roi = PlanarRoiEntry {
            lungs: vec![region(-0.5, -0.5, 0.5, 0.5)],
            liver: vec![region(-0.5, 0.5, 0.5, 1.5)],
            background: vec![region(1.5, -0.5, 2.5, 1.5)],
        };
        let shunt = planar(&both, &roi).unwrap();
        assert!((shunt.lung_counts - 6.0).abs() < 1e-9);
        assert!((shunt.liver_counts - 50.0).abs() < 1e-9);
    }

    #[test]
    fn a_strip_next_to_the_liver_is_left_out() {
        let grid = Grid::axial([3, 3, 20], [4.0, 4.0, 5.0], [0.0; 3]).expect("valid");
        let part = |from, to| {
            Mask::from_fn(grid.clone(), |ijk| if (from..to).contains(&ijk[2]) { 1.0 } else { 0.0 })
        };
        let kept = away_from(&part(10, 20), &part(0, 10), 20.0);
        // Planes 10 to 13 are 5 to 20 mm from plane 9.
        assert_eq!(kept.bounds().start[2], 14);
        assert_eq!(kept.voxels().count(), 6 * 9);
    }

    #[test]
    fn what_the_field_of_view_cuts_off_is_extrapolated_by_mass() {
        let grid = Grid::axial([2, 2, 10], [10.0; 3], [0.0; 3]).expect("valid");
        let part = |from, to| {
            Mask::from_fn(grid.clone(), |ijk| if (from..to).contains(&ijk[2]) { 1.0 } else { 0.0 })
        };
        let mut counts = Image::filled(grid.clone(), 9.5_f32);
        for (n, f) in part(5, 10).voxels() {
            counts.data_mut()[n] = 0.25 * f;
        }
        let density = Image::filled(grid.clone(), 0.25_f32);
        let view = LungView {
            counts: &counts,
            liver: &part(0, 5),
            lungs: &part(5, 10),
            density: Some(&density),
            // Twice the 20 voxels of 1 mL and 0.25 g that are seen.
            whole_mass: Some(Mass::from_g(10.0)),
        };
        let shunt = spect(&view, 0.0).unwrap();
        assert!((shunt.lung_mass_seen_fraction - 0.5).abs() < 1e-6);
        assert!((shunt.lung_counts - 10.0).abs() < 1e-5);
        assert!((shunt.fraction - 10.0 / 200.0).abs() < 1e-6);
        assert!((shunt.fraction_as_measured - 5.0 / 195.0).abs() < 1e-6);
    }
}
