//! How far a voxel is from a structure.

use crate::{IndexBox, Mask};
use rayon::prelude::*;

/// Squared distance in mm² of every voxel of a box to the nearest voxel of a mask (of at least one half)
/// in it, infinite farther than `reach` voxels along an axis: one axis after the other, each the lower
/// envelope over the axis.
#[must_use]
pub fn squared_within(mask: &Mask, within: IndexBox, reach: [usize; 3]) -> Vec<f64> {
    let size = within.size();
    let spacing = mask.grid().spacing_mm();
    let mut squared = Vec::with_capacity(within.len());
    for k in within.start[2]..within.end[2] {
        for j in within.start[1]..within.end[1] {
            squared.extend(
                (within.start[0]..within.end[0])
                    .map(|i| if mask.at([i, j, k]) >= 0.5 { 0.0 } else { f64::INFINITY }),
            );
        }
    }
    let mut stride = 1;
    for a in 0..3 {
        // Lines along the axis lie side by side: a run of numbers at one place of the axis hears from
        // the run at another.
        let (count, run) = (size[a], stride);
        let mut nearest = vec![f64::INFINITY; squared.len()];
        nearest.par_chunks_mut(run * count).zip(squared.par_chunks(run * count)).for_each(
            |(to, from)| {
                for (at, to) in to.chunks_exact_mut(run).enumerate() {
                    for other in at.saturating_sub(reach[a])..(at + reach[a] + 1).min(count) {
                        let d = (other as f64 - at as f64) * spacing[a];
                        for (to, from) in to.iter_mut().zip(&from[other * run..][..run]) {
                            *to = to.min(from + d * d);
                        }
                    }
                }
            },
        );
        squared = nearest;
        stride *= count;
    }
    squared
}

/// Distance in mm of every voxel centre of a box to the border of a mask, where its fraction is one half:
/// negative inside, infinite farther than `reach` voxels along an axis. Half a voxel stands for the way
/// from the last centre inside to the border, so that it is right to a fraction of a voxel.
#[must_use]
pub fn signed_within(mask: &Mask, within: IndexBox, reach: [usize; 3]) -> Vec<f64> {
    let outside = Mask::new(
        mask.grid().clone(),
        within,
        voxels_of(within).map(|ijk| 1.0 - mask.at(ijk)).collect(),
    );
    let half = 0.5 * mask.grid().spacing_mm().iter().copied().fold(f64::INFINITY, f64::min);
    let to_inside = squared_within(mask, within, reach);
    let to_outside = squared_within(&outside, within, reach);
    to_inside
        .into_iter()
        .zip(to_outside)
        .map(
            |(inside, outside)| {
                if inside > 0.0 { inside.sqrt() - half } else { half - outside.sqrt() }
            },
        )
        .collect()
}

fn voxels_of(bounds: IndexBox) -> impl Iterator<Item = [usize; 3]> {
    let IndexBox { start, end } = bounds;
    (start[2]..end[2]).flat_map(move |k| {
        (start[1]..end[1]).flat_map(move |j| (start[0]..end[0]).map(move |i| [i, j, k]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Grid;

    #[test]
    fn a_ball_is_its_radius_deep_and_grows_by_what_it_is_shifted() {
        let grid = Grid::axial([41; 3], [1.0; 3], [-20.0; 3]).expect("valid");
        let radius =
            |ijk: [usize; 3]| ijk.iter().map(|n| (*n as f64 - 20.0).powi(2)).sum::<f64>().sqrt();
        let ball = Mask::from_fn(grid.clone(), |ijk| (10.5 - radius(ijk)).clamp(0.0, 1.0) as f32);
        let signed = signed_within(&ball, grid.bounds(), [12; 3]);
        for (n, d) in signed.iter().enumerate().filter(|(_, d)| d.abs() < 6.0) {
            let r = radius([n % 41, n / 41 % 41, n / (41 * 41)]);
            assert!((d - (r - 10.0)).abs() < 0.6, "{r}: {d}");
        }
    }
}
