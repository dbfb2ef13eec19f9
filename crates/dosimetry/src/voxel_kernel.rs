//! Voxel kernels: what fraction of the energy of a uniformly active voxel goes to each of its
//! neighbours, for voxels of any size, computed from the point kernel; no table of sizes.
//!
//! Two points, one anywhere in the source voxel and one anywhere in a target voxel, differ by a
//! vector whose components have triangular distributions. So the energy that is carried by a
//! displacement goes to the eight voxel offsets around it with the weights of trilinear
//! interpolation, exactly; what is left is an integral over the point kernel's radius (its shells)
//! and over directions.

use crate::point_kernel::PointKernel;
use hepatica_physics::Density;

/// Directions in an octant: rings of equal height, turned to each of the three axes in turn, as many
/// as make the result smooth to a thousandth.
const RINGS: usize = 36;
const PER_RING: usize = 36;
/// Voxels per axis at most, on each side: reach over the smallest spacing that is allowed.
const MAX_REACH: usize = 200;

/// A kernel for one voxel size and density: fractions of the energy, symmetric in every axis.
#[derive(Debug, Clone, PartialEq)]
pub struct VoxelKernel {
    /// Farthest offset with energy along each axis.
    reach: [usize; 3],
    /// Fractions of offsets of at least zero, x fastest.
    octant: Vec<f64>,
}

impl VoxelKernel {
    /// The kernel for voxels of a spacing in tissue of a density; `None` for voxels that are too
    /// small for the kernel to be held (below 0.06 mm in unit density), or not above zero.
    #[must_use]
    pub fn new(point: &PointKernel, spacing_mm: [f64; 3], density: Density) -> Option<Self> {
        let scale = 1.0 / density.g_per_ml();
        if !(scale > 0.0 && scale.is_finite() && spacing_mm.iter().all(|d| *d > 0.0)) {
            return None;
        }
        let far = point.reach_mm() * scale;
        let reach = spacing_mm.map(|d| (far / d).floor() as usize + 1);
        if reach.iter().any(|n| *n > MAX_REACH) {
            return None;
        }
        let [nx, ny, nz] = reach.map(|n| n + 1);
        let mut octant = vec![0.0; nx * ny * nz];
        let directions = directions();
        let weight = 1.0 / directions.len() as f64;
        for (r, fraction) in point.shells().filter(|(_, f)| *f > 0.0) {
            for d in &directions {
                let at: [f64; 3] = std::array::from_fn(|a| d[a] * r * scale / spacing_mm[a]);
                let n = at.map(|x| x as usize);
                let f: [f64; 3] = std::array::from_fn(|a| at[a] - n[a] as f64);
                for corner in 0..8 {
                    let mut w = fraction * weight;
                    let mut index = n;
                    for a in 0..3 {
                        if corner >> a & 1 == 1 {
                            w *= f[a];
                            index[a] += 1;
                        } else {
                            w *= 1.0 - f[a];
                        }
                    }
                    octant[index[0] + nx * (index[1] + ny * index[2])] += w;
                }
            }
        }
        // What was counted in the octant belongs to all mirror images of an offset.
        for k in 0..nz {
            for j in 0..ny {
                for i in 0..nx {
                    let images = [i, j, k].iter().filter(|n| **n > 0).count() as i32;
                    octant[i + nx * (j + ny * k)] *= 0.5_f64.powi(images);
                }
            }
        }
        Some(Self { reach, octant })
    }

    /// Farthest offset with energy along each axis.
    #[must_use]
    pub fn reach(&self) -> [usize; 3] {
        self.reach
    }

    /// Fraction of the energy of a voxel that goes to the voxel at an offset.
    #[must_use]
    pub fn at(&self, offset: [i64; 3]) -> f64 {
        let n = offset.map(i64::unsigned_abs).map(|n| n as usize);
        if (0..3).any(|a| n[a] > self.reach[a]) {
            return 0.0;
        }
        let [nx, ny, _] = self.reach.map(|r| r + 1);
        self.octant[n[0] + nx * (n[1] + ny * n[2])]
    }

    /// Sum over all offsets: one.
    #[must_use]
    pub fn sum(&self) -> f64 {
        let [nx, ny, nz] = self.reach.map(|r| r + 1);
        let mut sum = 0.0;
        for k in 0..nz {
            for j in 0..ny {
                for i in 0..nx {
                    let images = [i, j, k].iter().filter(|n| **n > 0).count() as i32;
                    sum += self.octant[i + nx * (j + ny * k)] * 2.0_f64.powi(images);
                }
            }
        }
        sum
    }
}

/// Directions of equal solid angle in the octant where all components are positive.
fn directions() -> Vec<[f64; 3]> {
    let mut list = Vec::with_capacity(3 * RINGS * PER_RING);
    for ring in 0..RINGS {
        let z = (ring as f64 + 0.5) / RINGS as f64;
        let across = (1.0 - z * z).sqrt();
        for n in 0..PER_RING {
            // Rings are turned against each other, so that no axis is favoured.
            let shift = (ring as f64 * 0.618_034).fract();
            let angle = std::f64::consts::FRAC_PI_2 * (n as f64 + shift) / PER_RING as f64;
            let [x, y] = [across * angle.cos(), across * angle.sin()];
            // Every axis in turn is the pole: cubic voxels get a kernel that is alike in all axes.
            list.extend([[x, y, z], [z, x, y], [y, z, x]]);
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_physics::Nuclide;
    use proptest::prelude::*;

    fn y90() -> PointKernel {
        PointKernel::in_water(&Nuclide::Y90).expect("shipped")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn energy_is_conserved_for_any_voxel(x in 0.8_f64..6.0, y in 0.8_f64..6.0, z in 0.8_f64..9.0) {
            let k = VoxelKernel::new(&y90(), [x, y, z], Density::from_g_per_ml(1.05)).unwrap();
            prop_assert!((k.sum() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn the_axes_are_alike_in_cubic_voxels() {
        let k = VoxelKernel::new(&y90(), [3.0; 3], Density::from_g_per_ml(1.0)).unwrap();
        for (a, b) in [([1, 0, 0], [0, 0, 1]), ([2, 0, 0], [0, 0, 2]), ([1, 1, 0], [0, 1, 1])] {
            assert!((k.at(a) / k.at(b) - 1.0).abs() < 2e-3, "{a:?} {b:?} {} {}", k.at(a), k.at(b));
        }
    }

    #[test]
    fn voxels_that_are_nothing_have_no_kernel() {
        let water = Density::from_g_per_ml(1.0);
        assert_eq!(VoxelKernel::new(&y90(), [0.0, 1.0, 1.0], water), None);
        assert_eq!(VoxelKernel::new(&y90(), [0.01; 3], water), None);
    }
}
