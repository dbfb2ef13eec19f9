//! A voxel grid in the patient: one affine type, millimetres, LPS.

use hepatica_physics::Volume;
use nalgebra::{Matrix3, Point3, Vector3};
use thiserror::Error;

/// Most voxels a grid may have: 2^31, eight gigabytes of `f32`. A file that claims more is refused
/// before anything is allocated.
pub const MAX_VOXELS: usize = 1 << 31;

/// Why a grid cannot be.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum GridError {
    /// A size of zero, or more voxels than we are willing to hold.
    #[error("grid size {0:?} is empty or larger than {MAX_VOXELS} voxels")]
    Size([usize; 3]),
    /// Zero, negative, infinite or NaN spacing.
    #[error("voxel spacing {0:?} mm must be finite and above zero on every axis")]
    Spacing([f64; 3]),
    /// The axes are not perpendicular unit vectors (tolerance 1e-3).
    #[error("image axes are not perpendicular unit vectors (off by {0:.2e})")]
    Axes(f64),
    /// The origin is infinite or NaN.
    #[error("image origin {0:?} mm is not finite")]
    Origin([f64; 3]),
}

/// A regular grid of voxels: how many, how far apart, which way, from where.
///
/// Voxel `(i, j, k)` has its *centre* at `origin + axes * (spacing ∘ (i, j, k))`. In memory `i`
/// runs fastest, then `j`, then `k`: for an axial CT `i` is the column (to the patient's left),
/// `j` the row (to posterior), `k` the slice.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    size: [usize; 3],
    spacing: Vector3<f64>,
    origin: Point3<f64>,
    axes: Matrix3<f64>,
}

impl Grid {
    /// A grid of `size` voxels (i, j, k), `spacing` mm apart, with the centre of voxel (0, 0, 0) at
    /// `origin` mm and the columns of `axes` the unit directions of i, j and k in LPS.
    ///
    /// # Errors
    /// When the size is zero or too large, the spacing not positive, a number not finite, or the
    /// axes not perpendicular unit vectors. Left-handed axes are allowed: files have them.
    pub fn new(
        size: [usize; 3],
        spacing: [f64; 3],
        origin: [f64; 3],
        axes: Matrix3<f64>,
    ) -> Result<Self, GridError> {
        let voxels = size.iter().try_fold(1_usize, |n, &s| n.checked_mul(s));
        if !voxels.is_some_and(|n| n > 0 && n <= MAX_VOXELS) {
            return Err(GridError::Size(size));
        }
        if !spacing.iter().all(|s| s.is_finite() && *s > 0.0) {
            return Err(GridError::Spacing(spacing));
        }
        if !origin.iter().all(|x| x.is_finite()) {
            return Err(GridError::Origin(origin));
        }
        let off = (axes.transpose() * axes - Matrix3::identity()).abs().max();
        if !off.is_finite() || off > 1e-3 {
            return Err(GridError::Axes(off));
        }
        Ok(Self { size, spacing: spacing.into(), origin: origin.into(), axes })
    }

    /// A grid along the patient's axes: i to the left, j to posterior, k to superior.
    ///
    /// # Errors
    /// As [`Grid::new`].
    pub fn axial(size: [usize; 3], spacing: [f64; 3], origin: [f64; 3]) -> Result<Self, GridError> {
        Self::new(size, spacing, origin, Matrix3::identity())
    }

    /// Number of voxels along i, j and k.
    #[must_use]
    pub fn size(&self) -> [usize; 3] {
        self.size
    }
    /// Number of voxels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.size.iter().product()
    }
    /// Never: a grid has at least one voxel. Here because [`Grid::len`] is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }
    /// Distance in millimetres between voxel centres along i, j and k.
    #[must_use]
    pub fn spacing_mm(&self) -> [f64; 3] {
        self.spacing.into()
    }
    /// Position in millimetres (LPS) of the centre of voxel (0, 0, 0).
    #[must_use]
    pub fn origin_mm(&self) -> Point3<f64> {
        self.origin
    }
    /// Unit directions of i, j and k as columns, in LPS.
    #[must_use]
    pub fn axes(&self) -> &Matrix3<f64> {
        &self.axes
    }
    /// Volume of one voxel.
    #[must_use]
    pub fn voxel_volume(&self) -> Volume {
        Volume::from_mm3(self.spacing.product())
    }
    /// Place of voxel (i, j, k) in the data: i runs fastest.
    #[must_use]
    pub fn offset(&self, [i, j, k]: [usize; 3]) -> usize {
        i + self.size[0] * (j + self.size[1] * k)
    }
    /// Position in millimetres of a (fractional) index; whole numbers are voxel centres.
    #[must_use]
    pub fn world(&self, index: [f64; 3]) -> Point3<f64> {
        self.origin + self.axes * self.spacing.component_mul(&Vector3::from(index))
    }
    /// Fractional index of a position in millimetres.
    #[must_use]
    pub fn index(&self, world: Point3<f64>) -> [f64; 3] {
        (self.axes.transpose() * (world - self.origin)).component_div(&self.spacing).into()
    }
    /// The voxels of `bounds` as a grid of their own.
    #[must_use]
    pub fn crop(&self, bounds: IndexBox) -> Self {
        let from = bounds.start.map(|v| v as f64);
        Self {
            size: bounds.size(),
            spacing: self.spacing,
            origin: self.world(from),
            axes: self.axes,
        }
    }
    /// `size` voxels of another `spacing` in mm along the same axes; the corner of the first voxel stays
    /// where it is.
    ///
    /// # Errors
    /// As [`Grid::new`].
    pub fn with_voxels(&self, size: [usize; 3], spacing: [f64; 3]) -> Result<Self, GridError> {
        let own = self.spacing_mm();
        let first = std::array::from_fn(|a| 0.5 * spacing[a] / own[a] - 0.5);
        Self::new(size, spacing, self.world(first).into(), self.axes)
    }
    /// Whether two grids have the same voxels in the same places, to a thousandth of a voxel.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        let last = self.size.map(|n| (n - 1) as f64);
        self.size == other.size
            && [[0.0; 3], last, [last[0], 0.0, 0.0], [0.0, last[1], 0.0]].iter().all(|&corner| {
                let gap = self.world(corner) - other.world(corner);
                gap.norm() < 1e-3 * self.spacing.min()
            })
    }
    /// Every voxel of the grid.
    #[must_use]
    pub fn bounds(&self) -> IndexBox {
        IndexBox { start: [0; 3], end: self.size }
    }
}

/// A box of voxel indices, half open: `start` is in, `end` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexBox {
    /// First voxel on each axis.
    pub start: [usize; 3],
    /// One past the last voxel on each axis.
    pub end: [usize; 3],
}

impl IndexBox {
    /// Voxels along each axis.
    #[must_use]
    pub fn size(&self) -> [usize; 3] {
        std::array::from_fn(|a| self.end[a].saturating_sub(self.start[a]))
    }
    /// Number of voxels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.size().iter().product()
    }
    /// Holds no voxel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The voxels both boxes hold.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let start = std::array::from_fn(|a| self.start[a].max(other.start[a]));
        let end = std::array::from_fn(|a| self.end[a].min(other.end[a]).max(start[a]));
        Self { start, end }
    }
    /// The smallest box that holds both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if self.is_empty() {
            return *other;
        }
        if other.is_empty() {
            return *self;
        }
        Self {
            start: std::array::from_fn(|a| self.start[a].min(other.start[a])),
            end: std::array::from_fn(|a| self.end[a].max(other.end[a])),
        }
    }
    /// Grown by `margin` voxels each way, but not beyond `limit`.
    #[must_use]
    pub fn grown(&self, margin: [usize; 3], limit: &Self) -> Self {
        Self {
            start: std::array::from_fn(|a| self.start[a].saturating_sub(margin[a])),
            end: std::array::from_fn(|a| self.end[a].saturating_add(margin[a])),
        }
        .intersection(limit)
    }
    /// Whether a voxel is in the box.
    #[must_use]
    pub fn contains(&self, index: [usize; 3]) -> bool {
        (0..3).all(|a| (self.start[a]..self.end[a]).contains(&index[a]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_and_world_are_inverse_on_an_oblique_grid() {
        let turn = nalgebra::Rotation3::from_euler_angles(0.3, -0.2, 0.5);
        let grid = Grid::new([10, 20, 30], [1.0, 2.0, 3.0], [5.0, -7.0, 11.0], *turn.matrix())
            .expect("a rotation is a valid set of axes");
        let index = [3.25, 17.5, -2.0];
        for (back, sent) in grid.index(grid.world(index)).iter().zip(index) {
            assert!((back - sent).abs() < 1e-12);
        }
    }

    #[test]
    fn what_cannot_be_a_grid_is_refused() {
        let ok = [1.0; 3];
        assert!(matches!(Grid::axial([0, 1, 1], ok, ok), Err(GridError::Size(_))));
        assert!(matches!(Grid::axial([usize::MAX, 2, 1], ok, ok), Err(GridError::Size(_))));
        assert!(matches!(Grid::axial([1; 3], [1.0, 0.0, 1.0], ok), Err(GridError::Spacing(_))));
        assert!(matches!(Grid::axial([1; 3], ok, [f64::NAN; 3]), Err(GridError::Origin(_))));
        let skewed = Matrix3::new(1.0, 0.1, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0);
        assert!(matches!(Grid::new([1; 3], ok, ok, skewed), Err(GridError::Axes(_))));
    }
}
