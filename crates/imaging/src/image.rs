//! Voxel values on a grid.

use crate::geometry::{Grid, IndexBox};

/// DICOM frame of reference UID: two images that share it share the patient's position. `None` when
/// the file has none (NIfTI, planar images).
pub type FrameOfReference = Option<String>;

/// Values on a grid: `data[grid.offset([i, j, k])]`, i fastest.
#[derive(Debug, Clone, PartialEq)]
pub struct Image<T> {
    grid: Grid,
    data: Vec<T>,
}

impl<T> Image<T> {
    /// An image of `data` on `grid`.
    ///
    /// # Panics
    /// When the data are not as many as the grid's voxels: that is a mistake in our code. Readers
    /// check what a file claims before they come here.
    #[must_use]
    pub fn new(grid: Grid, data: Vec<T>) -> Self {
        assert_eq!(grid.len(), data.len(), "voxels and values must be equally many");
        Self { grid, data }
    }
    /// Where the voxels are.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.grid
    }
    /// All values, i fastest.
    #[must_use]
    pub fn data(&self) -> &[T] {
        &self.data
    }
    /// All values, to change.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }
    /// The values alone.
    #[must_use]
    pub fn into_data(self) -> Vec<T> {
        self.data
    }
    /// The value of voxel (i, j, k).
    ///
    /// # Panics
    /// When the voxel is not in the grid.
    #[must_use]
    pub fn at(&self, index: [usize; 3]) -> &T {
        &self.data[self.grid.offset(index)]
    }
    /// The same grid with each value turned into another.
    #[must_use]
    pub fn map<U>(&self, f: impl FnMut(&T) -> U) -> Image<U> {
        Image { grid: self.grid.clone(), data: self.data.iter().map(f).collect() }
    }
}

impl<T: Clone> Image<T> {
    /// An image of one value everywhere.
    #[must_use]
    pub fn filled(grid: Grid, value: T) -> Self {
        let data = vec![value; grid.len()];
        Self { grid, data }
    }
    /// The part of the image in `bounds`, which must lie in the grid.
    #[must_use]
    pub fn crop(&self, bounds: IndexBox) -> Self {
        let mut data = Vec::with_capacity(bounds.len());
        for k in bounds.start[2]..bounds.end[2] {
            for j in bounds.start[1]..bounds.end[1] {
                let row = self.grid.offset([bounds.start[0], j, k]);
                data.extend_from_slice(&self.data[row..row + bounds.size()[0]]);
            }
        }
        Self { grid: self.grid.crop(bounds), data }
    }
}

impl<T: Copy + Into<f64>> Image<T> {
    /// Trilinear interpolation at a fractional index; `None` outside the outermost voxel centres.
    #[must_use]
    pub fn interpolate(&self, index: [f64; 3]) -> Option<f64> {
        let size = self.grid.size();
        let mut low = [0_usize; 3];
        let mut part = [0.0; 3];
        for a in 0..3 {
            let last = (size[a] - 1) as f64;
            // A position on the border is inside even when rounding puts it a hair outside.
            if !(-1e-6..=last + 1e-6).contains(&index[a]) {
                return None;
            }
            let at = index[a].clamp(0.0, last);
            low[a] = (at as usize).min(size[a].saturating_sub(2));
            part[a] = at - low[a] as f64;
        }
        let first = self.grid.offset(low);
        let stride = [1, size[0], size[0] * size[1]];
        let weights = part.map(|p| [1.0 - p, p]);
        let mut sum = 0.0;
        for corner in 0..8_usize {
            let [x, y, z] = [0, 1, 2].map(|a| corner >> a & 1);
            let weight = weights[0][x] * weights[1][y] * weights[2][z];
            // A voxel of no weight may be outside.
            if weight > 0.0 {
                sum += weight * self.data[first + x + y * stride[1] + z * stride[2]].into();
            }
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolation_is_exact_for_a_linear_field_and_none_outside() {
        let grid = Grid::axial([4, 5, 6], [1.0; 3], [0.0; 3]).expect("valid");
        let mut data = Vec::new();
        for k in 0..6 {
            for j in 0..5 {
                for i in 0..4 {
                    data.push((i + 10 * j + 100 * k) as f32);
                }
            }
        }
        let image = Image::new(grid, data);
        let value = image.interpolate([1.5, 2.25, 4.75]).expect("inside");
        assert!((value - (1.5 + 22.5 + 475.0)).abs() < 1e-4);
        assert_eq!(image.interpolate([3.0, 4.0, 5.0]), Some(543.0));
        assert_eq!(image.interpolate([3.1, 4.0, 5.0]), None);
        assert_eq!(image.interpolate([0.0, -0.1, 0.0]), None);
    }
}
