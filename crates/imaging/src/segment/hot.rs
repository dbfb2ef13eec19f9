//! Hot spots of an emission image within the liver.

use super::volume::Volume;
use crate::image::Image;
use crate::mask::Mask;

/// A spot is at least this many times as hot as the middle of the liver.
const HOT: f32 = 2.0;
/// And has at least this volume, mL.
const LEAST_ML: f64 = 1.0;
/// Where a spot ends: half-way from the liver around to its hottest place.
const EDGE: f32 = 0.5;
/// Most spots.
const MOST: usize = 20;

/// Spots of at least twice the median of the liver, each down to half of its height above that median,
/// largest first. `liver` is on the image's grid.
///
/// # Panics
/// When the liver is on another grid.
#[must_use]
pub fn hot_spots(counts: &Image<f32>, liver: &Mask) -> Vec<Mask> {
    let grid = counts.grid();
    assert!(grid.matches(liver.grid()), "the liver must be on the image's grid");
    let mut inside = Volume::none(grid);
    liver.voxels().filter(|(_, f)| *f >= 0.5).for_each(|(n, _)| inside.inside[n] = true);
    let values = counts.data();
    let mut own: Vec<f32> =
        (0..grid.len()).filter(|n| inside.inside[*n]).map(|n| values[n]).collect();
    if own.is_empty() {
        return Vec::new();
    }
    let middle = own.len() / 2;
    let median = *own.select_nth_unstable_by(middle, f32::total_cmp).1;
    if !(median > 0.0) {
        return Vec::new();
    }
    // The hottest places first; each takes what is around it.
    let mut seeds: Vec<usize> = (0..grid.len())
        .filter(|n| inside.inside[*n] && values[*n] >= HOT * median && values[*n].is_finite())
        .collect();
    seeds.sort_by(|a, b| values[*b].total_cmp(&values[*a]).then(a.cmp(b)));
    let mut taken = Volume::none(grid);
    let mut spots: Vec<Volume> = Vec::new();
    for seed in seeds {
        if spots.len() == MOST {
            break;
        }
        if taken.inside[seed] {
            continue;
        }
        let limit = (median + EDGE * (values[seed] - median)).max(1.5 * median);
        let hot = (0..grid.len()).map(|n| inside.inside[n] && values[n] >= limit).collect();
        let spot = Volume::new(grid, hot).part_with(seed);
        // What runs into a hotter spot is its rim. The rim of this one is not asked again.
        let rim = spot.dilated(2.0 * grid.spacing_mm().iter().fold(0.0, |a: f64, b| a.max(*b)));
        let meets = !spot.and(&taken).is_empty();
        taken = taken.or(&rim);
        if !meets && spot.ml() >= LEAST_ML {
            spots.push(spot);
        }
    }
    spots.sort_by_key(|s| std::cmp::Reverse(s.count()));
    spots.into_iter().map(|s| s.mask(grid)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Grid;

    #[test]
    fn two_spots_and_an_even_liver() {
        let grid = Grid::axial([40; 3], [4.0; 3], [-78.0; 3]).expect("valid");
        let near = |at: [usize; 3], c: [f64; 3], r: f64| {
            let p = grid.world(at.map(|n| n as f64));
            (0..3).map(|a| (p[a] - c[a]).powi(2)).sum::<f64>() < r * r
        };
        let liver = Mask::from_fn(grid.clone(), |at| f32::from(u8::from(near(at, [0.0; 3], 70.0))));
        let image = |hot: bool| {
            let data = (0..grid.len())
                .map(|n| [n % 40, n / 40 % 40, n / 1600])
                .map(|at| match at {
                    _ if hot && near(at, [20.0, 0.0, 0.0], 16.0) => 6.0,
                    _ if hot && near(at, [-30.0, 10.0, 0.0], 10.0) => 3.0,
                    _ if near(at, [0.0; 3], 70.0) => 1.0,
                    _ => 9.0,
                })
                .collect();
            Image::new(grid.clone(), data)
        };
        let spots = hot_spots(&image(true), &liver);
        let ml: Vec<f64> = spots.iter().map(|s| s.volume().ml()).collect();
        assert_eq!(ml.len(), 2, "{ml:?}");
        assert!((ml[0] / 17.2 - 1.0).abs() < 0.1 && (ml[1] / 4.2 - 1.0).abs() < 0.15, "{ml:?}");
        assert!(hot_spots(&image(false), &liver).is_empty());
    }
}
