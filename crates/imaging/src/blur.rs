//! What a camera of finite resolution makes of a volume: a Gaussian along each axis.

use crate::{Grid, IndexBox};
use rayon::prelude::*;

/// Full width at half maximum over standard deviation, `2 sqrt(2 ln 2)`.
pub const FWHM_TO_SIGMA: f64 = 2.354_820_045;
/// Standard deviations after which a Gaussian ends.
const REACH: f64 = 4.0;
/// A Gaussian narrower than this, in voxels, does nothing.
const NARROWEST: f64 = 0.05;

/// Standard deviations in voxels of `grid` of a Gaussian of that full width at half maximum.
#[must_use]
pub fn sigma_in_voxels(grid: &Grid, fwhm_mm: f64) -> [f64; 3] {
    grid.spacing_mm().map(|d| fwhm_mm / FWHM_TO_SIGMA / d)
}

/// What a Gaussian of that full width at half maximum can reach from a box, within a grid.
#[must_use]
pub fn reached(grid: &Grid, from: IndexBox, fwhm_mm: f64) -> IndexBox {
    let reach = sigma_in_voxels(grid, fwhm_mm).map(|s| (REACH * s).ceil() as usize);
    from.grown(reach, &grid.bounds())
}

/// Gaussian blur of a volume of `size` voxels, standard deviations in voxels; what would leave it stays at
/// the border (mirrored), so that the sum is kept. The same digits with any number of threads.
pub fn gaussian(data: &mut Vec<f32>, size: [usize; 3], sigma: [f64; 3]) {
    let mut run = 1;
    for a in 0..3 {
        if sigma[a] >= NARROWEST && size[a] > 1 {
            *data = along(data, run, size[a], sigma[a]);
        }
        run *= size[a];
    }
}

/// Along one axis: `count` runs of `run` voxels each lie behind one another.
fn along(data: &[f32], run: usize, count: usize, sigma: f64) -> Vec<f32> {
    let reach = (REACH * sigma).ceil() as i64;
    let weights: Vec<f64> =
        (-reach..=reach).map(|n| (-0.5 * (n as f64 / sigma).powi(2)).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut out = vec![0.0_f32; data.len()];
    if run == 1 {
        // Lines lie as they are in memory: each is mirrored at its ends once.
        out.par_chunks_mut(count).zip(data.par_chunks(count)).for_each_init(
            || (vec![0.0; count + 2 * reach as usize], vec![0.0; count]),
            |(padded, sums), (to, from)| {
                for (p, n) in padded.iter_mut().zip(-reach..) {
                    *p = f64::from(from[mirrored(n, count)]);
                }
                sums.fill(0.0);
                for (n, w) in weights.iter().enumerate() {
                    for (sum, v) in sums.iter_mut().zip(&padded[n..]) {
                        *sum += w * v;
                    }
                }
                for (to, sum) in to.iter_mut().zip(&*sums) {
                    *to = (sum / total) as f32;
                }
            },
        );
        return out;
    }
    out.par_chunks_mut(run).enumerate().for_each_init(
        || vec![0.0; run],
        |sums, (r, to)| {
            let (block, at) = (r / count * count, (r % count) as i64);
            sums.fill(0.0);
            for (w, n) in weights.iter().zip(at - reach..) {
                let from = &data[(block + mirrored(n, count)) * run..][..run];
                for (sum, v) in sums.iter_mut().zip(from) {
                    *sum += w * f64::from(*v);
                }
            }
            for (to, sum) in to.iter_mut().zip(&*sums) {
                *to = (sum / total) as f32;
            }
        },
    );
    out
}

fn mirrored(mut at: i64, count: usize) -> usize {
    let last = count as i64 - 1;
    while at < 0 || at > last {
        at = if at < 0 { -1 - at } else { 2 * last + 1 - at };
    }
    at as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_kept_and_the_width_is_that_asked_for() {
        let size = [41, 41, 41];
        let mut data = vec![0.0_f32; 41 * 41 * 41];
        data[20 + 41 * (20 + 41 * 20)] = 1000.0;
        gaussian(&mut data, size, [2.0, 3.0, 1.0]);
        let sum: f64 = data.iter().map(|v| f64::from(*v)).sum();
        assert!((sum - 1000.0).abs() < 0.1);
        let along = [1, 41, 41 * 41];
        for (a, sigma) in [2.0, 3.0, 1.0_f64].into_iter().enumerate() {
            let from_middle = |n: usize| (n / along[a] % 41) as f64 - 20.0;
            let squares =
                data.iter().enumerate().map(|(n, v)| f64::from(*v) * from_middle(n).powi(2));
            let variance = squares.sum::<f64>() / sum;
            assert!((variance - sigma * sigma).abs() < 0.01 * sigma * sigma, "{a}: {variance}");
        }
    }

    #[test]
    fn nothing_leaves_at_the_border() {
        let mut data = vec![0.0_f32; 5 * 4 * 3];
        data[0] = 1.0;
        gaussian(&mut data, [5, 4, 3], [3.0, 3.0, 3.0]);
        let sum: f64 = data.iter().map(|v| f64::from(*v)).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    }
}
