//! A motion that keeps every distance: turned, then moved.

use crate::geometry::Grid;
use nalgebra::{Matrix3, Point3, Rotation3, Vector3};
use thiserror::Error;

/// A matrix may differ from a rotation by this (rounded decimal strings) and still be taken for one.
const ROUNDED: f64 = 1e-3;

/// Why a matrix is no rigid motion.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NotRigid {
    /// A number that is none.
    #[error("its elements are not all finite")]
    NotFinite,
    /// The last row says that it is no affine map.
    #[error("its last row is {0:?}, not 0, 0, 0, 1")]
    LastRow([f64; 4]),
    /// It stretches or shears.
    #[error("it changes lengths or angles (its axes are off by {0:.1e})")]
    Stretches(f64),
    /// It turns left into right.
    #[error("it is a mirror: left becomes right")]
    Mirrors,
}

/// `y = R x + t`, in millimetres, LPS on both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rigid {
    rotation: Rotation3<f64>,
    translation: Vector3<f64>,
}

impl Rigid {
    /// No motion.
    #[must_use]
    pub fn identity() -> Self {
        Self { rotation: Rotation3::identity(), translation: Vector3::zeros() }
    }

    /// Turned about `centre` by the rotation vector `turn` (its direction is the axis, its length the
    /// angle in radians), then moved by `shift` mm.
    #[must_use]
    pub fn about(centre: Point3<f64>, turn: [f64; 3], shift: [f64; 3]) -> Self {
        let rotation = Rotation3::new(Vector3::from(turn));
        let translation = centre.coords + Vector3::from(shift) - rotation * centre.coords;
        Self { rotation, translation }
    }

    /// A homogeneous matrix, row by row as DICOM has it.
    ///
    /// # Errors
    /// When it is no rigid motion.
    pub fn from_rows(m: &[f64; 16]) -> Result<Self, NotRigid> {
        if m.iter().any(|x| !x.is_finite()) {
            return Err(NotRigid::NotFinite);
        }
        let last = [m[12], m[13], m[14], m[15]];
        if last.iter().zip([0.0, 0.0, 0.0, 1.0]).any(|(a, b)| (a - b).abs() > 1e-6) {
            return Err(NotRigid::LastRow(last));
        }
        let linear = Matrix3::new(m[0], m[1], m[2], m[4], m[5], m[6], m[8], m[9], m[10]);
        let off = (linear.transpose() * linear - Matrix3::identity()).abs().max();
        if off > ROUNDED {
            return Err(NotRigid::Stretches(off));
        }
        if linear.determinant() < 0.0 {
            return Err(NotRigid::Mirrors);
        }
        let rotation = Rotation3::from_matrix(&linear);
        Ok(Self { rotation, translation: Vector3::new(m[3], m[7], m[11]) })
    }

    /// As a homogeneous matrix, row by row as DICOM has it.
    #[must_use]
    pub fn rows(&self) -> [f64; 16] {
        let (r, t) = (self.rotation.matrix(), self.translation);
        let row = |i: usize| [r[(i, 0)], r[(i, 1)], r[(i, 2)], t[i]];
        let rows = [row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]];
        std::array::from_fn(|n| rows[n / 4][n % 4])
    }

    /// Where a point goes.
    #[must_use]
    pub fn apply(&self, p: Point3<f64>) -> Point3<f64> {
        self.rotation * p + self.translation
    }

    /// The way back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let rotation = self.rotation.inverse();
        Self { rotation, translation: -(rotation * self.translation) }
    }

    /// This first, then `next`.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        Self {
            rotation: next.rotation * self.rotation,
            translation: next.rotation * self.translation + next.translation,
        }
    }

    /// The motion half way between this and another: half the turn, and `centre` half way.
    #[must_use]
    pub fn half_way_to(&self, other: &Self, centre: Point3<f64>) -> Self {
        let turn = self.rotation.inverse() * other.rotation;
        let rotation = self.rotation * Rotation3::new(0.5 * turn.scaled_axis());
        let middle = nalgebra::center(&self.apply(centre), &other.apply(centre));
        Self { rotation, translation: middle - rotation * centre }
    }

    /// How far it turns, in degrees.
    #[must_use]
    pub fn angle_degrees(&self) -> f64 {
        self.rotation.angle().to_degrees()
    }

    /// The rotation vector in degrees: about x, y and z for small angles.
    #[must_use]
    pub fn turn_degrees(&self) -> [f64; 3] {
        self.rotation.scaled_axis().map(f64::to_degrees).into()
    }

    /// By how many mm a point moves.
    #[must_use]
    pub fn shift_of(&self, p: Point3<f64>) -> [f64; 3] {
        (self.apply(p) - p).into()
    }

    /// The root mean square distance in mm between where this and another motion take the corners of
    /// a box (its low and its high corner).
    #[must_use]
    pub fn distance(&self, other: &Self, [low, high]: [[f64; 3]; 2]) -> f64 {
        let sum: f64 = (0..8)
            .map(|n| {
                let corner =
                    std::array::from_fn(|a| if n >> a & 1 == 0 { low[a] } else { high[a] });
                let p = Point3::from(corner);
                (self.apply(p) - other.apply(p)).norm_squared()
            })
            .sum();
        (sum / 8.0).sqrt()
    }

    /// A grid carried along: the same voxels, elsewhere. Nothing is interpolated.
    #[must_use]
    pub fn grid(&self, grid: &Grid) -> Grid {
        let axes = self.rotation.matrix() * grid.axes();
        let origin = self.apply(grid.origin_mm());
        // A rotation keeps what makes a grid a grid; only a motion beyond all numbers would not.
        Grid::new(grid.size(), grid.spacing_mm(), origin.into(), axes)
            .unwrap_or_else(|_| grid.clone())
    }

    /// Its linear part.
    pub(super) fn linear(&self) -> Matrix3<f64> {
        *self.rotation.matrix()
    }

    /// Its translation.
    pub(super) fn translation(&self) -> Vector3<f64> {
        self.translation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Rigid {
        Rigid::about(Point3::new(10.0, -20.0, 150.0), [0.05, -0.1, 0.2], [12.0, -8.0, 15.0])
    }

    #[test]
    fn there_and_back_is_where_one_was() {
        let p = Point3::new(-40.0, 33.0, 210.0);
        assert!((some().inverse().apply(some().apply(p)) - p).norm() < 1e-10);
        assert!((some().then(&some().inverse()).apply(p) - p).norm() < 1e-10);
        let centre = Point3::new(10.0, -20.0, 150.0);
        assert!((some().apply(centre) - centre - Vector3::new(12.0, -8.0, 15.0)).norm() < 1e-10);
        assert!(some().distance(&some(), [[0.0; 3], [100.0; 3]]) < 1e-12);
    }

    #[test]
    fn half_way_is_as_far_from_both() {
        let centre = Point3::new(10.0, -20.0, 150.0);
        let half = some().half_way_to(&Rigid::identity(), centre);
        let expected = Rigid::about(centre, [0.025, -0.05, 0.1], [6.0, -4.0, 7.5]);
        assert!(half.distance(&expected, [[0.0; 3], [300.0; 3]]) < 1e-9);
    }

    #[test]
    fn a_matrix_is_read_with_care() {
        let rows = some().rows();
        let back = Rigid::from_rows(&rows).expect("rigid");
        assert!(back.distance(&some(), [[0.0; 3], [300.0; 3]]) < 1e-9);
        let with = |n: usize, v: f64| {
            let mut m = rows;
            m[n] = v;
            Rigid::from_rows(&m)
        };
        assert!(matches!(with(0, 1.2), Err(NotRigid::Stretches(_))));
        assert!(matches!(with(14, 0.5), Err(NotRigid::LastRow(_))));
        assert!(matches!(with(3, f64::NAN), Err(NotRigid::NotFinite)));
        let mut mirror = Rigid::identity().rows();
        mirror[0] = -1.0;
        assert_eq!(Rigid::from_rows(&mirror), Err(NotRigid::Mirrors));
    }

    #[test]
    fn a_grid_is_carried_as_a_whole() {
        let grid = Grid::axial([4, 5, 6], [2.0, 3.0, 4.0], [1.0, 2.0, 3.0]).expect("valid");
        let moved = some().grid(&grid);
        let index = [1.5, 4.0, 0.25];
        assert!((moved.world(index) - some().apply(grid.world(index))).norm() < 1e-10);
    }
}
