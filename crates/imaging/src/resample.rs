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
    sampled(onto, |p| image.interpolate(image.grid().index(p)).map_or(outside, |v| v as f32))
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
    let count: [usize; 3] =
        std::array::from_fn(|a| (coarse[a] / step(a)).round().clamp(1.0, 16.0) as usize);
    if count == [1; 3] {
        return trilinear(image, onto, outside);
    }
    let offsets = |a: usize| -> Vec<f64> {
        (0..count[a]).map(|n| (n as f64 + 0.5) / count[a] as f64 - 0.5).collect()
    };
    let offsets = [offsets(0), offsets(1), offsets(2)];
    let [nx, ny, nz] = onto.size();
    let mut data = vec![outside; onto.len()];
    data.par_chunks_mut(nx).enumerate().for_each(|(row, to)| {
        let (j, k) = (row % ny, row / ny);
        debug_assert!(k < nz);
        for (i, to) in to.iter_mut().enumerate() {
            let (mut sum, mut hits) = (0.0, 0_u32);
            for dz in &offsets[2] {
                for dy in &offsets[1] {
                    for dx in &offsets[0] {
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

fn sampled(onto: &Grid, at: impl Fn(nalgebra::Point3<f64>) -> f32 + Sync) -> Image<f32> {
    let [nx, ny, _] = onto.size();
    let mut data = vec![0.0; onto.len()];
    data.par_chunks_mut(nx).enumerate().for_each(|(row, to)| {
        let (j, k) = (row % ny, row / ny);
        for (i, to) in to.iter_mut().enumerate() {
            *to = at(onto.world([i as f64, j as f64, k as f64]));
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
}
