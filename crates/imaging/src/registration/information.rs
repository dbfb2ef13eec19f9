//! How much one image says of another: the joint histogram of their values at the same places.

use crate::geometry::Grid;
use crate::image::Image;
use crate::resample::box_average;
use nalgebra::{Matrix3, Point3, Vector3};
use rayon::prelude::*;

/// Bins of either image.
const BINS: usize = 40;
/// Points a thread takes at a time. Sums are made block by block in order, so that the threads do not
/// change a digit.
const BLOCK: usize = 4096;

/// Values in bins: what is at or below `low` is in the first, at or above `high` in the last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Value of the first bin.
    pub low: f64,
    /// Value of the last bin.
    pub high: f64,
}

impl Window {
    fn bin(self, value: f64) -> f32 {
        let part = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        (part * (BINS - 1) as f64) as f32
    }
}

/// An affine map of places in the fixed image to places in the moving one, in mm.
#[derive(Debug, Clone, Copy)]
pub struct Map {
    pub linear: Matrix3<f64>,
    pub translation: Vector3<f64>,
}

/// What a map is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worth {
    /// Normalised mutual information `(H(F) + H(M)) / H(F, M)` (Studholme 1999): 1 for images that say
    /// nothing of each other, 2 for images that say all.
    pub information: f64,
    /// Share of the points of the fixed image that meet the moving one.
    pub overlap: f64,
}

/// Points of the fixed image, with their values, and the moving image, all at one resolution.
pub struct Scene {
    points: Vec<([f32; 3], f32)>,
    moving: Image<f32>,
}

/// An image at a resolution: means over voxels of about `spacing_mm`, along its own axes, in bins.
pub fn coarse(image: &Image<i16>, spacing_mm: f64, window: Window) -> Image<f32> {
    let own = image.grid();
    let fine = own.spacing_mm();
    let last = own.size().map(|n| (n - 1) as f64);
    let spacing = fine.map(|d| d.max(spacing_mm));
    let size: [usize; 3] =
        std::array::from_fn(|a| (last[a] * fine[a] / spacing[a]).floor() as usize + 1);
    // Centred on the image.
    let start = std::array::from_fn(|a| {
        0.5 * (last[a] * fine[a] - (size[a] - 1) as f64 * spacing[a]) / fine[a]
    });
    let origin = own.world(start);
    match Grid::new(size, spacing, origin.into(), *own.axes()) {
        Ok(grid) => box_average(image, &grid, window.low as f32).map(|v| window.bin(f64::from(*v))),
        Err(_) => image.map(|v| window.bin(f64::from(*v))),
    }
}

impl Scene {
    /// The fixed image at `places` (in mm; those outside it are left out) and the moving image.
    pub fn new(fixed: &Image<f32>, places: &[Point3<f64>], moving: Image<f32>) -> Self {
        let points = places
            .par_iter()
            .filter_map(|p| {
                let value = fixed.interpolate(fixed.grid().index(*p))?;
                Some((p.coords.map(|x| x as f32).into(), value as f32))
            })
            .collect();
        Self { points, moving }
    }

    /// Every n-th point of this scene, beginning with the k-th.
    pub fn part(&self, k: usize, n: usize) -> Self {
        let points = self.points.iter().copied().skip(k).step_by(n).collect();
        Self { points, moving: self.moving.clone() }
    }

    /// What a map is worth.
    pub fn worth(&self, map: &Map) -> Worth {
        let grid = self.moving.grid();
        // From mm of the fixed image to indices of the moving one at once.
        let to_index = Matrix3::from_diagonal(&Vector3::from(grid.spacing_mm()).map(|d| 1.0 / d))
            * grid.axes().transpose();
        let linear = (to_index * map.linear).map(|x| x as f32);
        let start = (to_index * (map.translation - grid.origin_mm().coords)).map(|x| x as f32);
        let blocks: Vec<(Vec<f32>, usize)> = self
            .points
            .par_chunks(BLOCK)
            .map(|block| {
                let mut joint = vec![0.0_f32; BINS * BINS];
                let mut hits = 0;
                for (p, fixed) in block {
                    let index = linear * Vector3::from(*p) + start;
                    if let Some(moving) = sample(&self.moving, index) {
                        hits += 1;
                        spread(&mut joint, *fixed, moving);
                    }
                }
                (joint, hits)
            })
            .collect();
        let mut joint = vec![0.0_f64; BINS * BINS];
        let mut hits = 0;
        for (block, n) in &blocks {
            joint.iter_mut().zip(block).for_each(|(sum, v)| *sum += f64::from(*v));
            hits += n;
        }
        let overlap =
            if self.points.is_empty() { 0.0 } else { hits as f64 / self.points.len() as f64 };
        Worth { information: information(&joint), overlap }
    }
}

/// Trilinear interpolation; `None` outside the outermost voxel centres.
fn sample(image: &Image<f32>, index: Vector3<f32>) -> Option<f32> {
    let [nx, ny, nz] = image.grid().size();
    let mut low = [0_usize; 3];
    let mut part = [0.0_f32; 3];
    for (a, n) in [nx, ny, nz].into_iter().enumerate() {
        if !(index[a] >= 0.0 && index[a] <= (n - 1) as f32) {
            return None;
        }
        low[a] = (index[a] as usize).min(n.saturating_sub(2));
        part[a] = index[a] - low[a] as f32;
    }
    let next = |a: usize, n: usize, stride: usize| if low[a] + 1 < n { stride } else { 0 };
    let (dx, dy, dz) = (next(0, nx, 1), next(1, ny, nx), next(2, nz, nx * ny));
    let data = &image.data()[low[0] + nx * (low[1] + ny * low[2])..];
    let [x, y, z] = part;
    let along = |from: usize| data[from] + x * (data[from + dx] - data[from]);
    let plane = |from: usize| {
        let first = along(from);
        first + y * (along(from + dy) - first)
    };
    let first = plane(0);
    Some(first + z * (plane(dz) - first))
}

/// A pair of values, spread linearly over the four bins around it (a Parzen window of first order).
fn spread(joint: &mut [f32], fixed: f32, moving: f32) {
    let (i, j) = ((fixed as usize).min(BINS - 2), (moving as usize).min(BINS - 2));
    let (u, v) = (fixed - i as f32, moving - j as f32);
    let at = i * BINS + j;
    joint[at] += (1.0 - u) * (1.0 - v);
    joint[at + 1] += (1.0 - u) * v;
    joint[at + BINS] += u * (1.0 - v);
    joint[at + BINS + 1] += u * v;
}

/// Normalised mutual information of a joint histogram; 1 of an empty one or of a single value.
fn information(joint: &[f64]) -> f64 {
    let total: f64 = joint.iter().sum();
    if !(total > 0.0) {
        return 1.0;
    }
    let (mut rows, mut columns) = ([0.0; BINS], [0.0; BINS]);
    for (n, v) in joint.iter().enumerate() {
        rows[n / BINS] += v;
        columns[n % BINS] += v;
    }
    let entropy = |counts: &[f64]| -> f64 {
        counts.iter().filter(|c| **c > 0.0).map(|c| -(c / total) * (c / total).ln()).sum()
    };
    let both = entropy(joint);
    if both > 0.0 { (entropy(&rows) + entropy(&columns)) / both } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn independent_values_say_nothing_and_equal_values_all() {
        let mut joint = vec![0.0; BINS * BINS];
        for i in 0..8 {
            for j in 0..8 {
                joint[i * BINS + j] = ((i + 1) * (j + 2)) as f64;
            }
        }
        assert!((information(&joint) - 1.0).abs() < 1e-12);
        let mut joint = vec![0.0; BINS * BINS];
        for i in 0..8 {
            // Also when the values of one image are those of the other turned around.
            joint[i * BINS + (20 - i)] = (i + 1) as f64;
        }
        assert!((information(&joint) - 2.0).abs() < 1e-12);
        assert_eq!(information(&vec![0.0; BINS * BINS]), 1.0);
    }

    #[test]
    fn a_value_is_shared_by_the_bins_around_it() {
        let mut joint = vec![0.0; BINS * BINS];
        spread(&mut joint, 3.25, (BINS - 1) as f32);
        assert!((joint[3 * BINS + BINS - 1] - 0.75).abs() < 1e-6);
        assert!((joint[4 * BINS + BINS - 1] - 0.25).abs() < 1e-6);
        assert!((joint.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_quick_interpolation_is_that_of_the_image() {
        let grid = Grid::axial([5, 4, 3], [1.0; 3], [0.0; 3]).expect("valid");
        let data = (0..60).map(|n| ((n * 7919) % 101) as f32).collect();
        let image = Image::new(grid, data);
        for index in [[0.0, 0.0, 0.0], [4.0, 3.0, 2.0], [1.3, 2.7, 0.4], [3.99, 0.01, 1.5]] {
            let slow = image.interpolate(index).expect("inside");
            let quick = sample(&image, Vector3::from(index).map(|x| x as f32)).expect("inside");
            assert!((slow - f64::from(quick)).abs() < 1e-3, "{slow} {quick}");
        }
        assert_eq!(sample(&image, Vector3::new(4.01, 0.0, 0.0)), None);
    }
}
