//! From one grid to another.

use crate::geometry::Grid;
use crate::image::Image;
use rayon::prelude::*;

/// Linear interpolation at the centres of `onto`; `outside` beyond the image.
#[must_use]
pub fn trilinear<T>(image: &Image<T>, onto: &Grid, outside: f32) -> Image<f32>
where
    T: Copy + Into<f64> + Sync,
{
    mean_of_samples(image, onto, [1; 3], outside)
}

/// The mean of the image over each voxel of `onto`, from interpolated samples no farther apart than
/// the image's own voxels; `outside` where no sample meets the image. Going to a coarser grid this
/// is what a mean needs; going to a finer one it is [`trilinear`].
#[must_use]
pub fn box_average<T>(image: &Image<T>, onto: &Grid, outside: f32) -> Image<f32>
where
    T: Copy + Into<f64> + Sync,
{
    let (coarse, fine) = (onto.spacing_mm(), image.grid().spacing_mm());
    let finest = fine.iter().fold(f64::INFINITY, |a, b| a.min(*b));
    // Sideways the finest voxel decides only if the grids are turned against each other.
    let turned = onto.axes().transpose() * image.grid().axes();
    let step = |a: usize| {
        let along = (0..3).find(|b| turned[(a, *b)].abs() > 0.999);
        along.map_or(finest, |b| fine[b])
    };
    let count = std::array::from_fn(|a| (coarse[a] / step(a)).round().clamp(1.0, 16.0) as usize);
    mean_of_samples(image, onto, count, outside)
}

/// The mean of `count` evenly spread samples in each voxel of `onto`, of those that meet the image.
fn mean_of_samples<T>(image: &Image<T>, onto: &Grid, count: [usize; 3], outside: f32) -> Image<f32>
where
    T: Copy + Into<f64> + Sync,
{
    // Nearly all pairs of grids that meet are parallel, and then the sum over a voxel's samples is a
    // product of three sums, each over few of the image's rows: it reads the image about once.
    match Axis::all(image.grid(), onto, count) {
        Some(axes) => along_axes(image, onto, &axes, outside),
        None => sample_by_sample(image, onto, count, outside),
    }
}

/// Where the samples lie in a voxel, in voxels from its centre.
fn offsets(count: usize) -> impl Iterator<Item = f64> {
    (0..count).map(move |n| (n as f64 + 0.5) / count as f64 - 0.5)
}

/// What the samples of each voxel of the new grid take of the image, along one axis.
struct Axis {
    /// Of each new voxel: the first voxel of the image that counts, and the weights from there on,
    /// of sum one. No weight where no sample meets the image.
    weights: Vec<(usize, Vec<f64>)>,
}

impl Axis {
    /// The three axes, if the grids run parallel; turned by so little that no voxel of either grid
    /// notices (a thousandth of a voxel) counts as parallel.
    fn all(from: &Grid, onto: &Grid, count: [usize; 3]) -> Option<[Self; 3]> {
        let start = from.index(onto.world([0.0; 3]));
        let last = onto.size().map(|n| (n - 1) as f64);
        let mut axes = Vec::with_capacity(3);
        for a in 0..3 {
            let unit = std::array::from_fn(|b| if a == b { 1.0 } else { 0.0 });
            let next = from.index(onto.world(unit));
            let step: [f64; 3] = std::array::from_fn(|b| next[b] - start[b]);
            let strays = (0..3).any(|b| b != a && (step[b] * last[a].max(1.0)).abs() > 1e-3);
            if strays {
                return None;
            }
            axes.push(Self::new(from.size()[a], onto.size()[a], start[a], step[a], count[a]));
        }
        axes.try_into().ok()
    }

    fn new(size: usize, onto: usize, start: f64, step: f64, count: usize) -> Self {
        let last = (size - 1) as f64;
        let weights = (0..onto).map(|n| {
            let at = offsets(count).map(|o| start + (n as f64 + o) * step);
            // A position on the border is inside even when rounding puts it a hair outside.
            let hits: Vec<f64> = at
                .filter(|x| (-1e-6..=last + 1e-6).contains(x))
                .map(|x| x.clamp(0.0, last))
                .collect();
            let low = hits.iter().copied().fold(f64::INFINITY, f64::min);
            let high = hits.iter().copied().fold(0.0, f64::max);
            if hits.is_empty() {
                return (0, Vec::new());
            }
            let first = low as usize;
            let mut weights = vec![0.0; (high.ceil() as usize).max(first) - first + 1];
            for x in &hits {
                let (below, part) = (*x as usize - first, x.fract());
                weights[below] += (1.0 - part) / hits.len() as f64;
                if part > 0.0 {
                    weights[below + 1] += part / hits.len() as f64;
                }
            }
            (first, weights)
        });
        Self { weights: weights.collect() }
    }

    /// The voxels of the image that any new voxel asks for.
    fn range(&self) -> std::ops::Range<usize> {
        let used = || self.weights.iter().filter(|(_, w)| !w.is_empty());
        let start = used().map(|(first, _)| *first).min().unwrap_or(0);
        let end = used().map(|(first, w)| first + w.len()).max().unwrap_or(0);
        start..end
    }
}

fn along_axes<T>(image: &Image<T>, onto: &Grid, axes: &[Axis; 3], outside: f32) -> Image<f32>
where
    T: Copy + Into<f64> + Sync,
{
    let [nx, ny, _] = onto.size();
    let [columns, rows, _] = image.grid().size();
    let [x_axis, y_axis, z_axis] = axes;
    let (xs, ys) = (x_axis.range(), y_axis.range());
    let mut data = vec![outside; onto.len()];
    data.par_chunks_mut(nx * ny).zip(&z_axis.weights).for_each_init(
        || (vec![0.0; xs.len() * ys.len()], vec![0.0; xs.len()]),
        |(plane, row), (to, (slice, weights))| {
            if weights.is_empty() {
                return;
            }
            plane.fill(0.0);
            for (n, w) in weights.iter().enumerate() {
                let from = &image.data()[(slice + n) * columns * rows..][..columns * rows];
                for (y, sum) in ys.clone().zip(plane.chunks_exact_mut(xs.len().max(1))) {
                    add(sum, *w, &from[y * columns..][xs.clone()]);
                }
            }
            for (to, (first, weights)) in to.chunks_exact_mut(nx).zip(&y_axis.weights) {
                if weights.is_empty() {
                    continue;
                }
                row.fill(0.0);
                for (n, w) in weights.iter().enumerate() {
                    add(row, *w, &plane[(first + n - ys.start) * xs.len()..][..xs.len()]);
                }
                for (to, (first, weights)) in to.iter_mut().zip(&x_axis.weights) {
                    if !weights.is_empty() {
                        let from = &row[first - xs.start..];
                        *to = weights.iter().zip(from).map(|(w, v)| w * v).sum::<f64>() as f32;
                    }
                }
            }
        },
    );
    Image::new(onto.clone(), data)
}

fn add<T: Copy + Into<f64>>(sum: &mut [f64], weight: f64, values: &[T]) {
    for (s, v) in sum.iter_mut().zip(values) {
        *s += weight * (*v).into();
    }
}

fn sample_by_sample<T>(image: &Image<T>, onto: &Grid, count: [usize; 3], outside: f32) -> Image<f32>
where
    T: Copy + Into<f64> + Sync,
{
    let [dxs, dys, dzs] = count.map(|n| offsets(n).collect::<Vec<_>>());
    let [nx, ny, _] = onto.size();
    let mut data = vec![outside; onto.len()];
    data.par_chunks_mut(nx).enumerate().for_each(|(row, to)| {
        let (j, k) = (row % ny, row / ny);
        for (i, to) in to.iter_mut().enumerate() {
            let (mut sum, mut hits) = (0.0, 0_u32);
            for dz in &dzs {
                for dy in &dys {
                    for dx in &dxs {
                        let p = onto.world([i as f64 + dx, j as f64 + dy, k as f64 + dz]);
                        if let Some(v) = image.interpolate(image.grid().index(p)) {
                            sum += v;
                            hits += 1;
                        }
                    }
                }
            }
            if hits > 0 {
                *to = (sum / f64::from(hits)) as f32;
            }
        }
    });
    Image::new(onto.clone(), data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_image_stays_linear_and_a_mean_stays_a_mean() {
        let fine = Grid::axial([40, 40, 20], [1.0, 1.0, 2.0], [0.0; 3]).expect("valid");
        let data = (0..fine.len()).map(|n| (n % 40) as f32).collect();
        let image = Image::new(fine, data);
        let coarse = Grid::axial([7, 7, 7], [4.0; 3], [6.0; 3]).expect("valid");
        for made in [trilinear(&image, &coarse, -1.0), box_average(&image, &coarse, -1.0)] {
            for i in 0..7 {
                assert!((made.at([i, 3, 3]) - (6.0 + 4.0 * i as f32)).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn a_spike_is_averaged_not_missed() {
        let fine = Grid::axial([12, 12, 12], [1.0; 3], [0.0; 3]).expect("valid");
        let mut image = Image::filled(fine.clone(), 0.0_f32);
        let n = fine.offset([5, 5, 5]);
        image.data_mut()[n] = 64.0;
        let coarse = Grid::axial([3, 3, 3], [4.0; 3], [1.5; 3]).expect("valid");
        let made = box_average(&image, &coarse, 0.0);
        assert!((made.at([1, 1, 1]) - 1.0).abs() < 1e-4, "{}", made.at([1, 1, 1]));
    }

    #[test]
    fn both_ways_to_the_mean_agree_also_beyond_the_border() {
        let turned = |axes, origin| Grid::new([9, 8, 7], [3.1, 2.7, 4.9], origin, axes);
        let flipped = nalgebra::Matrix3::from_diagonal(&[-1.0, 1.0, -1.0].into());
        let fine = Grid::axial([21, 17, 14], [1.3, 1.1, 2.0], [-3.0, 2.0, 1.0]).expect("valid");
        let data = (0..fine.len()).map(|n| ((n * 7919) % 1000) as f32).collect();
        let image = Image::new(fine, data);
        for onto in [
            turned(nalgebra::Matrix3::identity(), [-4.0, 1.0, -3.0]).expect("valid"),
            turned(flipped, [26.0, 3.0, 28.0]).expect("valid"),
        ] {
            for count in [[1; 3], [2, 3, 2]] {
                let axes = Axis::all(image.grid(), &onto, count).expect("parallel");
                let fast = along_axes(&image, &onto, &axes, -5.0);
                let plain = sample_by_sample(&image, &onto, count, -5.0);
                for (a, b) in fast.data().iter().zip(plain.data()) {
                    assert!((a - b).abs() < 1e-3, "{a} {b}");
                }
            }
        }
    }

    #[test]
    fn a_turned_grid_is_not_taken_for_a_parallel_one() {
        let turn = *nalgebra::Rotation3::from_euler_angles(0.0, 0.0, 0.02).matrix();
        let straight = Grid::axial([9; 3], [1.0; 3], [0.0; 3]).expect("valid");
        let turned = Grid::new([9; 3], [1.0; 3], [0.0; 3], turn).expect("valid");
        assert!(Axis::all(&straight, &turned, [1; 3]).is_none());
    }
}
