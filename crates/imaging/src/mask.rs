//! How much of each voxel belongs to a structure.

use crate::blur;
use crate::geometry::{Grid, IndexBox};
use hepatica_physics::Volume;
use rayon::prelude::*;

/// A structure on a grid: the fraction (0 to 1) of each voxel that lies inside it.
///
/// Only the box that holds the structure is stored; outside it the fraction is zero. A structure
/// that misses the grid has an empty box.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    grid: Grid,
    bounds: IndexBox,
    fraction: Vec<f32>,
}

impl Mask {
    /// A mask on `grid` whose `fraction` (i fastest) fills the voxels of `bounds`.
    ///
    /// # Panics
    /// When `bounds` leaves the grid or the fractions are not as many as its voxels: a mistake in
    /// our code.
    #[must_use]
    pub fn new(grid: Grid, bounds: IndexBox, fraction: Vec<f32>) -> Self {
        assert!(bounds.is_empty() || bounds.union(&grid.bounds()) == grid.bounds());
        assert_eq!(bounds.len(), fraction.len(), "voxels and fractions must be equally many");
        Self { grid, bounds, fraction }
    }
    /// The mask of nothing.
    #[must_use]
    pub fn empty(grid: Grid) -> Self {
        Self { grid, bounds: IndexBox { start: [0; 3], end: [0; 3] }, fraction: Vec::new() }
    }
    /// A mask from a function of the voxel; the box is shrunk to what is inside.
    #[must_use]
    pub fn from_fn(grid: Grid, mut inside: impl FnMut([usize; 3]) -> f32) -> Self {
        let [nx, ny, nz] = grid.size();
        let mut all = Vec::with_capacity(grid.len());
        for k in 0..nz {
            for j in 0..ny {
                for i in 0..nx {
                    all.push(inside([i, j, k]));
                }
            }
        }
        let bounds = grid.bounds();
        Self { grid, bounds, fraction: all }.shrunk()
    }
    /// The grid the mask is on.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.grid
    }
    /// The box that holds the structure.
    #[must_use]
    pub fn bounds(&self) -> IndexBox {
        self.bounds
    }
    /// The fractions of the voxels in [`Mask::bounds`], i fastest.
    #[must_use]
    pub fn fractions(&self) -> &[f32] {
        &self.fraction
    }
    /// The fraction of voxel (i, j, k) inside the structure.
    #[must_use]
    pub fn at(&self, index: [usize; 3]) -> f32 {
        if !self.bounds.contains(index) {
            return 0.0;
        }
        let [nx, ny, _] = self.bounds.size();
        let [i, j, k]: [usize; 3] = std::array::from_fn(|a| index[a] - self.bounds.start[a]);
        self.fraction[i + nx * (j + ny * k)]
    }
    /// The fractions of slice k in the columns and rows of [`Mask::bounds`]; none where the box is not.
    #[must_use]
    pub fn slice(&self, k: usize) -> &[f32] {
        let ([nx, ny, _], IndexBox { start, end }) = (self.bounds.size(), self.bounds);
        if !(start[2]..end[2]).contains(&k) {
            return &[];
        }
        &self.fraction[nx * ny * (k - start[2])..][..nx * ny]
    }
    /// Every voxel with a fraction above zero, in order: its offset in the grid, and the fraction.
    pub fn voxels(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        let [nx, ny, _] = self.bounds.size();
        let [i0, j0, k0] = self.bounds.start;
        self.fraction.chunks(nx.max(1)).enumerate().flat_map(move |(row, fractions)| {
            let start = self.grid.offset([i0, j0 + row % ny, k0 + row / ny]);
            let inside = fractions.iter().enumerate().filter(|(_, f)| **f > 0.0);
            inside.map(move |(i, &f)| (start + i, f))
        })
    }
    /// Nothing is inside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fraction.iter().all(|f| *f <= 0.0)
    }
    /// Volume inside: the sum of the fractions, times the voxel.
    #[must_use]
    pub fn volume(&self) -> Volume {
        let voxels: f64 = self.fraction.iter().map(|f| f64::from(*f)).sum();
        self.grid.voxel_volume() * voxels
    }
    /// Volume that both fill, in voxels: the sum over the products of their fractions.
    ///
    /// # Panics
    /// When the masks are on different grids.
    #[must_use]
    pub fn overlap(&self, other: &Self) -> f64 {
        assert_eq!(self.grid.size(), other.grid.size(), "masks on different grids");
        let shared = self.bounds.intersection(&other.bounds);
        if shared.is_empty() {
            return 0.0;
        }
        let IndexBox { start, end } = shared;
        let row = |mask: &Self, j: usize, k: usize| {
            let [nx, ny, _] = mask.bounds.size();
            let [i0, j0, k0] = mask.bounds.start;
            start[0] - i0 + nx * (j - j0 + ny * (k - k0))
        };
        let mut sum = 0.0;
        for k in start[2]..end[2] {
            for j in start[1]..end[1] {
                let width = end[0] - start[0];
                let ours = &self.fraction[row(self, j, k)..][..width];
                let theirs = &other.fraction[row(other, j, k)..][..width];
                sum += ours
                    .iter()
                    .zip(theirs)
                    .map(|(a, b)| f64::from(*a) * f64::from(*b))
                    .sum::<f64>();
            }
        }
        sum
    }
    /// What a camera with a Gaussian of that full width at half maximum makes of the mask.
    #[must_use]
    pub fn blurred(&self, fwhm_mm: f64) -> Self {
        if self.bounds.is_empty() {
            return self.clone();
        }
        let bounds = blur::reached(&self.grid, self.bounds, fwhm_mm);
        let [nx, ny, _] = bounds.size();
        let mut fraction = vec![0.0; bounds.len()];
        let own = self.bounds.size();
        let rows = self.fraction.chunks(own[0]).enumerate();
        for (row, from) in rows {
            let at: [usize; 3] = [0, row % own[1], row / own[1]];
            let [i, j, k]: [usize; 3] =
                std::array::from_fn(|a| at[a] + self.bounds.start[a] - bounds.start[a]);
            fraction[i + nx * (j + ny * k)..][..own[0]].copy_from_slice(from);
        }
        blur::gaussian(&mut fraction, bounds.size(), blur::sigma_in_voxels(&self.grid, fwhm_mm));
        Self { grid: self.grid.clone(), bounds, fraction }
    }
    /// Voxel by voxel `f(self, other)` over the union of both boxes.
    ///
    /// # Panics
    /// When the masks are on different grids.
    #[must_use]
    fn combine(&self, other: &Self, f: impl Fn(f32, f32) -> f32) -> Self {
        assert!(self.grid.matches(&other.grid), "masks must share a grid");
        let bounds = self.bounds.union(&other.bounds);
        let mut fraction = Vec::with_capacity(bounds.len());
        let mut rows = [vec![0.0; bounds.size()[0]], vec![0.0; bounds.size()[0]]];
        for k in bounds.start[2]..bounds.end[2] {
            for j in bounds.start[1]..bounds.end[1] {
                for (mask, row) in [self, other].into_iter().zip(&mut rows) {
                    mask.put_row(j, k, bounds.start[0], row);
                }
                fraction.extend(rows[0].iter().zip(&rows[1]).map(|(a, b)| f(*a, *b)));
            }
        }
        Self { grid: self.grid.clone(), bounds, fraction }.shrunk()
    }
    /// The fractions of row (j, k) from voxel `from` on; `row` holds all of the box.
    fn put_row(&self, j: usize, k: usize, from: usize, row: &mut [f32]) {
        let IndexBox { start, end } = self.bounds;
        row.fill(0.0);
        if (start[1]..end[1]).contains(&j) && (start[2]..end[2]).contains(&k) {
            let [nx, ny, _] = self.bounds.size();
            let own = &self.fraction[nx * (j - start[1] + ny * (k - start[2]))..][..nx];
            row[start[0] - from..][..nx].copy_from_slice(own);
        }
    }
    /// In both. Exact where either voxel is whole or empty; the lesser of the two where both are cut.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        self.combine(other, f32::min)
    }
    /// In either: the larger of the two fractions.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        self.combine(other, f32::max)
    }
    /// In any: the largest of the fractions.
    ///
    /// # Panics
    /// When a mask is on another grid.
    #[must_use]
    pub fn union<'a>(grid: &Grid, masks: impl IntoIterator<Item = &'a Self>) -> Self {
        let masks: Vec<&Self> = masks.into_iter().filter(|m| !m.bounds.is_empty()).collect();
        assert!(masks.iter().all(|m| m.grid.matches(grid)), "masks must share a grid");
        if let [only] = masks[..] {
            return Self { grid: grid.clone(), ..only.clone() }.shrunk();
        }
        let Some(bounds) = masks.iter().map(|m| m.bounds).reduce(|a, b| a.union(&b)) else {
            return Self::empty(grid.clone());
        };
        let [nx, ny, _] = bounds.size();
        let mut fraction = vec![0.0_f32; bounds.len()];
        fraction.par_chunks_mut(nx * ny).enumerate().for_each(|(n, slice)| {
            let k = bounds.start[2] + n;
            for mask in &masks {
                let (own, [width, height, _]) = (mask.bounds, mask.bounds.size());
                if !(own.start[2]..own.end[2]).contains(&k) {
                    continue;
                }
                let rows = mask.fraction[width * height * (k - own.start[2])..].chunks(width);
                let first = nx * (own.start[1] - bounds.start[1]) + own.start[0] - bounds.start[0];
                for (row, to) in rows.take(height).zip(slice[first..].chunks_mut(nx)) {
                    to.iter_mut().zip(row).for_each(|(to, f)| *to = to.max(*f));
                }
            }
        });
        Self { grid: grid.clone(), bounds, fraction }.shrunk()
    }
    /// Both together, where they share nothing: the sum of the fractions, at most all.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.combine(other, |a, b| (a + b).min(1.0))
    }
    /// In this and not in the other: what is left when the other's fraction is taken away.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.combine(other, |a, b| (a - b).max(0.0))
    }
    /// The same mask in the smallest box.
    fn shrunk(self) -> Self {
        let [nx, ny, nz] = self.bounds.size();
        let mut start = [usize::MAX; 3];
        let mut end = [0; 3];
        for k in 0..nz {
            for j in 0..ny {
                let row = &self.fraction[nx * (j + ny * k)..][..nx];
                let Some(first) = row.iter().position(|f| *f > 0.0) else { continue };
                let last = nx - row.iter().rev().position(|f| *f > 0.0).unwrap_or(0);
                for (a, (lo, hi)) in [(first, last), (j, j + 1), (k, k + 1)].into_iter().enumerate()
                {
                    start[a] = start[a].min(lo);
                    end[a] = end[a].max(hi);
                }
            }
        }
        if end == [0; 3] {
            return Self::empty(self.grid);
        }
        if (start, end) == ([0; 3], self.bounds.size()) {
            return self;
        }
        let mut fraction = Vec::new();
        for k in start[2]..end[2] {
            for j in start[1]..end[1] {
                fraction.extend_from_slice(&self.fraction[nx * (j + ny * k)..][start[0]..end[0]]);
            }
        }
        let from = self.bounds.start;
        let bounds = IndexBox {
            start: std::array::from_fn(|a| from[a] + start[a]),
            end: std::array::from_fn(|a| from[a] + end[a]),
        };
        Self { grid: self.grid, bounds, fraction }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(range: std::ops::Range<usize>) -> Mask {
        let grid = Grid::axial([10, 10, 10], [2.0; 3], [0.0; 3]).expect("valid");
        Mask::from_fn(grid, |ijk| if ijk.iter().all(|n| range.contains(n)) { 1.0 } else { 0.0 })
    }

    #[test]
    fn volume_and_box() {
        let mask = block(2..5);
        assert_eq!(mask.volume().mm3(), 27.0 * 8.0);
        assert_eq!(mask.bounds(), IndexBox { start: [2; 3], end: [5; 3] });
        assert_eq!(mask.voxels().count(), 27);
        assert_eq!(mask.voxels().next(), Some((mask.grid().offset([2, 2, 2]), 1.0)));
    }

    #[test]
    fn what_two_masks_share_is_counted_and_what_lies_apart_shares_nothing() {
        let (a, b) = (block(1..4), block(2..6));
        let shared: f64 = a
            .voxels()
            .map(|(n, f)| f64::from(f * if b.voxels().any(|(m, _)| m == n) { 1.0 } else { 0.0 }))
            .sum();
        assert!(shared > 0.0 && (a.overlap(&b) - shared).abs() < 1e-9);
        assert_eq!(block(0..2).overlap(&block(4..6)), 0.0);
    }

    #[test]
    fn algebra_of_sets() {
        let (a, b) = (block(0..6), block(3..9));
        let both = a.and(&b).volume();
        assert_eq!(both, block(3..6).volume());
        let twice = (a.or(&b).volume() + both).ml();
        assert!((twice - (a.volume() + b.volume()).ml()).abs() < 1e-9);
        assert_eq!(a.minus(&b).volume(), a.volume() - both);
        assert!(a.minus(&a).is_empty());
        assert_eq!(block(0..2).and(&block(5..7)).bounds().len(), 0);
        let c = block(8..10);
        assert_eq!(Mask::union(a.grid(), [&a, &b, &c]), a.or(&b).or(&c));
        assert_eq!(Mask::union(a.grid(), [&c]), c);
        assert_eq!(Mask::union(a.grid(), []), Mask::empty(a.grid().clone()));
    }
}
