//! Where the activity is.

use crate::engine::EngineError;
use hepatica_imaging::{Image, IndexBox, Mask};

/// Where the activity is, for one GBq administered to one territory.
///
/// The activity of a voxel is `concentration * support fraction * voxel volume`: a voxel that the
/// tissue fills by half holds half of what its concentration would suggest. Outside the support
/// the concentration is not read.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityMap {
    /// GBq per mL per GBq administered, that is 1/mL, on the grid of the dose.
    pub concentration: Image<f32>,
    /// The tissue the activity is in, on the same grid.
    pub support: Mask,
}

impl ActivityMap {
    /// A map of checked parts: one grid, and a finite concentration of at least zero wherever there
    /// is support.
    ///
    /// # Errors
    /// [`EngineError::GridMismatch`] or [`EngineError::Concentration`].
    pub fn new(concentration: Image<f32>, support: Mask) -> Result<Self, EngineError> {
        let map = Self { concentration, support };
        map.check()?;
        Ok(map)
    }

    /// What [`ActivityMap::new`] checks; engines call it, because the fields are open.
    ///
    /// # Errors
    /// As [`ActivityMap::new`].
    pub fn check(&self) -> Result<(), EngineError> {
        if !self.concentration.grid().matches(self.support.grid()) {
            return Err(EngineError::GridMismatch {
                what: "the tissue that holds the activity",
                found: self.support.grid().size(),
                expected: self.concentration.grid().size(),
            });
        }
        let data = self.concentration.data();
        match self.support.voxels().find(|&(n, _)| !(data[n] >= 0.0 && data[n].is_finite())) {
            Some((n, _)) => Err(EngineError::Concentration { voxel: n, found: data[n] }),
            None => Ok(()),
        }
    }

    /// Activity of every voxel with support, in order of the data: the voxel's place in the data,
    /// and GBq in it per GBq administered.
    pub fn voxels(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let volume = self.concentration.grid().voxel_volume().ml();
        let data = self.concentration.data();
        self.support.voxels().map(move |(n, f)| (n, f64::from(data[n]) * f64::from(f) * volume))
    }

    /// GBq in the map per GBq administered: at most one, less by what went elsewhere (lung shunt,
    /// residual).
    #[must_use]
    pub fn total(&self) -> f64 {
        self.voxels().map(|(_, a)| a).sum()
    }

    /// The same activity on the smallest grid that holds the support and `margin_mm` around it
    /// (within the present grid). A dose on a fine CT grid needs little memory this way. `None`
    /// when there is no support.
    #[must_use]
    pub fn cropped(&self, margin_mm: f64) -> Option<Self> {
        let bounds = self.bounds_with_margin(margin_mm)?;
        let concentration = self.concentration.crop(bounds);
        let own = self.support.bounds();
        let shifted = IndexBox {
            start: std::array::from_fn(|a| own.start[a] - bounds.start[a]),
            end: std::array::from_fn(|a| own.end[a] - bounds.start[a]),
        };
        let grid = concentration.grid().clone();
        let support = Mask::new(grid, shifted, self.support.fractions().to_vec());
        Some(Self { concentration, support })
    }

    /// The box of voxels that holds the support and `margin_mm` around it, within the grid.
    #[must_use]
    pub fn bounds_with_margin(&self, margin_mm: f64) -> Option<IndexBox> {
        let own = self.support.bounds();
        if own.is_empty() {
            return None;
        }
        let spacing = self.concentration.grid().spacing_mm();
        let margin = spacing.map(|d| (margin_mm.max(0.0) / d).ceil() as usize);
        Some(own.grown(margin, &self.concentration.grid().bounds()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_imaging::Grid;

    fn sample() -> ActivityMap {
        let grid = Grid::axial([8, 9, 10], [2.0, 2.0, 2.5], [1.0, 2.0, 3.0]).expect("valid");
        let support = Mask::from_fn(grid.clone(), |[i, j, k]| match (i, j, k) {
            (3, 4, 5) => 1.0,
            (4, 4, 5) => 0.5,
            _ => 0.0,
        });
        ActivityMap::new(Image::filled(grid, 0.25), support).expect("valid")
    }

    #[test]
    fn a_half_filled_voxel_holds_half() {
        // 0.01 mL a voxel, 0.25 per mL, one voxel and a half.
        assert!((sample().total() - 0.25 * 0.01 * 1.5).abs() < 1e-12);
    }

    #[test]
    fn cropping_keeps_activity_and_place() {
        let map = sample();
        let small = map.cropped(4.0).expect("support");
        assert_eq!(small.concentration.grid().size(), [6, 5, 5]);
        assert!((small.total() - map.total()).abs() < 1e-15);
        let world = |m: &ActivityMap| {
            let (n, _) = m.voxels().next().expect("a voxel");
            let [nx, ny, _] = m.concentration.grid().size();
            let index = [n % nx, n / nx % ny, n / (nx * ny)].map(|v| v as f64);
            m.concentration.grid().world(index)
        };
        assert!((world(&map) - world(&small)).norm() < 1e-12);
    }

    #[test]
    fn what_is_no_activity_is_refused() {
        for bad in [f32::NAN, -1.0, f32::INFINITY] {
            let mut map = sample();
            let at = map.concentration.grid().offset([3, 4, 5]);
            map.concentration.data_mut()[at] = bad;
            assert!(matches!(map.check(), Err(EngineError::Concentration { .. })));
        }
        let other = Grid::axial([8, 9, 11], [2.0, 2.0, 2.5], [1.0, 2.0, 3.0]).expect("valid");
        let odd = ActivityMap::new(sample().concentration, Mask::empty(other));
        assert!(matches!(odd, Err(EngineError::GridMismatch { .. })));
    }
}
