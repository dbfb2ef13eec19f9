//! Dose-volume histograms: exact, from sorted samples, without bins.
//!
//! Two kinds of samples: [`Dvh::new`] takes every voxel as a sample of the volume that the structure has of
//! it; [`Dvh::interpolated`] looks into voxels, which small structures in steep doses need.

use crate::sort;
use hepatica_imaging::{Grid, Image, Mask, Structure};
use hepatica_physics::Volume;
use nalgebra::Point3;
use rayon::prelude::*;

/// Samples within voxels are no closer than this, mm.
const FINEST_MM: f64 = 0.25;
/// About so many samples of a structure are enough: D2 and D98 are the means of thousands.
const SAMPLES: f64 = 400_000.0;
/// A small structure is laid on voxels of this part of its size, at most of this size in mm.
const ACROSS: f64 = 12.0;
const COARSEST_MM: f64 = 3.0;
/// A voxel is divided into no more than so many parts along an axis.
const MOST_PARTS: usize = 12;

/// The doses in a structure, each with the volume that receives it, sorted.
///
/// Doses are in whatever the map was in: Gy, or Gy per GBq. Dose is linear in activity, so
/// [`Dvh::scaled`] turns one into the other.
///
/// # Rule
/// Samples of the same dose are one. Sorted by dose from the coldest, sample `i` of volume `w_i` stands at the cumulative mid-point
/// `c_i = (w_1 + ... + w_i - w_i / 2) / W`. `D_x` is the dose at `c = 1 - x / 100`, by linear
/// interpolation between mid-points; below the first and above the last mid-point it is the
/// coldest and the hottest sample. `V(d)` counts samples of at least `d`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dvh {
    /// Dose and volume in mL, coldest first.
    samples: Vec<(f64, f64)>,
    /// Volume of the samples before each and half its own.
    mid: Vec<f64>,
    total_ml: f64,
}

impl Dvh {
    /// The histogram of `dose` in `mask`; `None` if the mask is empty or on another grid.
    #[must_use]
    pub fn new(dose: &Image<f32>, mask: &Mask) -> Option<Self> {
        if mask.is_empty() || !dose.grid().matches(mask.grid()) {
            return None;
        }
        let data = dose.data();
        let samples = mask.voxels().map(|(n, f)| (data[n], f)).collect();
        Self::of_voxels(samples, dose.grid().voxel_volume().ml())
    }

    /// The histogram of `dose` in `mask`, within voxels: the dose between voxel centres is linear along each
    /// axis, and of a voxel that the structure cuts, the part on the structure's side is taken (where the
    /// fractions of its neighbours, interpolated alike, are highest). The voxels of both may differ; the
    /// mask's are divided until samples are 0.25 mm apart, or coarser, so that there are about 400,000; a
    /// structure of more voxels than that is not divided.
    ///
    /// Voxels outside `support` take no part in the interpolation: a map that is zero outside a territory is
    /// not dimmed at its border. `None` if the mask is empty or no sample is inside the dose.
    #[must_use]
    pub fn interpolated(dose: &Image<f32>, mask: &Mask, support: Option<&Mask>) -> Option<Self> {
        let grid = mask.grid();
        let spacing = grid.spacing_mm();
        let apart = (mask.volume().mm3() / SAMPLES).cbrt().max(FINEST_MM);
        let parts = spacing.map(|s| ((s / apart).round() as usize).clamp(1, MOST_PARTS));
        let field = Field::new(dose, support);
        let shares = parts.iter().product::<usize>();
        let bounds = mask.bounds();
        let rows: Vec<[usize; 2]> = (bounds.start[2]..bounds.end[2])
            .flat_map(|k| (bounds.start[1]..bounds.end[1]).map(move |j| [j, k]))
            .collect();
        // Index of the dose for an index of the mask: affine.
        let zero = field.index(grid.world([0.0; 3]));
        let step: [[f64; 3]; 3] = std::array::from_fn(|a| {
            let mut one = [0.0; 3];
            one[a] = 1.0;
            let there = field.index(grid.world(one));
            std::array::from_fn(|b| there[b] - zero[b])
        });
        let samples: Vec<(f32, f32)> = rows
            .par_iter()
            .map_init(Vec::new, |inside: &mut Vec<(f32, usize)>, [j, k]| {
                let mut row = Vec::new();
                for i in bounds.start[0]..bounds.end[0] {
                    let f = mask.at([i, *j, *k]);
                    if f <= 0.0 {
                        continue;
                    }
                    let place = |n: usize| -> [f64; 3] {
                        let at = [n % parts[0], n / parts[0] % parts[1], n / (parts[0] * parts[1])];
                        std::array::from_fn(|a| (at[a] as f64 + 0.5) / parts[a] as f64 - 0.5)
                    };
                    let mut put = |n: usize, volume: f32| {
                        let off = place(n);
                        let own = [i as f64 + off[0], *j as f64 + off[1], *k as f64 + off[2]];
                        let at = std::array::from_fn(|b| {
                            zero[b] + (0..3).map(|a| own[a] * step[a][b]).sum::<f64>()
                        });
                        if let Some(d) = field.at(at) {
                            row.push((d, volume));
                        }
                    };
                    let each = 1.0 / shares as f32;
                    if f >= 1.0 - 1e-4 || shares == 1 {
                        (0..shares).for_each(|n| put(n, f * each));
                        continue;
                    }
                    let around = Around::new(mask, [i, *j, *k]);
                    inside.clear();
                    inside.extend((0..shares).map(|n| (around.at(place(n)), n)));
                    inside.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                    let mut left = f;
                    for (_, n) in inside.iter() {
                        let take = left.min(each);
                        if take <= 0.0 {
                            break;
                        }
                        put(*n, take);
                        left -= take;
                    }
                }
                row
            })
            .flatten_iter()
            .collect();
        Self::of_voxels(samples, grid.voxel_volume().ml())
    }

    /// The histogram of `dose` in a structure, within voxels: as [`Dvh::interpolated`], with the structure
    /// laid on voxels fine enough for its shape. `None` if it is empty or outside the dose.
    #[must_use]
    pub fn of_structure(dose: &Image<f32>, structure: &Structure) -> Option<Self> {
        let grid = dose.grid();
        let bounds = structure.on(grid).bounds();
        if bounds.is_empty() {
            return None;
        }
        let wanted = (structure.volume().mm3().cbrt() / ACROSS).clamp(FINEST_MM, COARSEST_MM);
        let around = bounds.grown([1; 3], &grid.bounds());
        let parts = grid.spacing_mm().map(|s| (s / wanted).ceil().clamp(1.0, 16.0));
        let size = std::array::from_fn(|a| around.size()[a] * parts[a] as usize);
        let spacing = std::array::from_fn(|a| grid.spacing_mm()[a] / parts[a]);
        let first =
            grid.world(std::array::from_fn(|a| around.start[a] as f64 - 0.5 + 0.5 / parts[a]));
        let fine = Grid::new(size, spacing, [first.x, first.y, first.z], *grid.axes()).ok()?;
        Self::interpolated(dose, &structure.on(&fine), None)
    }

    /// From doses and fractions of voxels.
    fn of_voxels(samples: Vec<(f32, f32)>, voxel_ml: f64) -> Option<Self> {
        if samples.is_empty() || samples.iter().any(|s| !s.0.is_finite() || !s.1.is_finite()) {
            return None;
        }
        Self::sorted(
            sort::by_dose(samples)
                .into_iter()
                .map(|(d, f)| (f64::from(d), f64::from(f) * voxel_ml)),
        )
    }

    /// The histogram of doses with their volumes in mL; `None` if there is no volume or a dose is
    /// not finite.
    #[must_use]
    pub fn from_samples(mut samples: Vec<(f64, f64)>) -> Option<Self> {
        samples.retain(|s| s.1 > 0.0);
        if samples.is_empty() || samples.iter().any(|s| !s.0.is_finite() || !s.1.is_finite()) {
            return None;
        }
        // Ties in any order would give the same answers, but not the same rounding.
        samples.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        Self::sorted(samples.into_iter())
    }

    /// From samples in order of dose.
    fn sorted(ordered: impl ExactSizeIterator<Item = (f64, f64)>) -> Option<Self> {
        let mut samples: Vec<(f64, f64)> = Vec::with_capacity(ordered.len());
        for (dose, volume) in ordered {
            match samples.last_mut() {
                Some(last) if last.0 == dose => last.1 += volume,
                _ => samples.push((dose, volume)),
            }
        }
        let mut before = 0.0;
        let mid = samples
            .iter()
            .map(|s| {
                before += s.1;
                before - 0.5 * s.1
            })
            .collect();
        (before > 0.0).then_some(Self { samples, mid, total_ml: before })
    }

    /// Volume of the structure.
    #[must_use]
    pub fn volume(&self) -> Volume {
        Volume::from_ml(self.total_ml)
    }

    /// Volume mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.samples.iter().map(|(d, w)| d * w).sum::<f64>() / self.total_ml
    }

    /// Coldest sample.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.samples.first().map_or(0.0, |s| s.0)
    }

    /// Hottest sample.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.samples.last().map_or(0.0, |s| s.0)
    }

    /// `D_x`: what the hottest `percent` of the volume receive at least. 0 is the maximum, 100 the
    /// minimum.
    #[must_use]
    pub fn d(&self, percent: f64) -> f64 {
        let at = (1.0 - percent.clamp(0.0, 100.0) / 100.0) * self.total_ml;
        let above = self.mid.partition_point(|m| *m < at);
        if above == 0 {
            return self.min();
        }
        if above == self.mid.len() {
            return self.max();
        }
        let (low, high) = (self.mid[above - 1], self.mid[above]);
        let (cold, hot) = (self.samples[above - 1].0, self.samples[above].0);
        cold + (hot - cold) * (at - low) / (high - low)
    }

    /// Fraction of the volume that receives at least `dose`.
    #[must_use]
    pub fn v(&self, dose: f64) -> f64 {
        let from = self.samples.partition_point(|s| s.0 < dose);
        self.samples[from..].iter().map(|s| s.1).sum::<f64>() / self.total_ml
    }

    /// Mean dose of the hottest `volume` (of all, if there is less).
    #[must_use]
    pub fn hottest(&self, volume: Volume) -> f64 {
        let mut left = volume.ml().min(self.total_ml);
        let whole = left;
        if !(whole > 0.0) {
            return self.max();
        }
        let mut sum = 0.0;
        for (d, w) in self.samples.iter().rev() {
            let take = w.min(left);
            sum += d * take;
            left -= take;
            if left <= 0.0 {
                break;
            }
        }
        sum / whole
    }

    /// The same with every dose times `factor` (an activity, of at least zero).
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let samples = self.samples.iter().map(|(d, w)| (d * factor, *w)).collect();
        Self { samples, mid: self.mid.clone(), total_ml: self.total_ml }
    }

    /// Doses with their volumes in mL, coldest first.
    pub fn samples(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.samples.iter().copied()
    }

    /// The volume mean of a function of the dose, such as BED.
    #[must_use]
    pub fn mean_of(&self, f: impl Fn(f64) -> f64) -> f64 {
        self.samples.iter().map(|(d, w)| f(*d) * w).sum::<f64>() / self.total_ml
    }

    /// The cumulative curve for a plot: at most `points` pairs of dose and fraction of the volume
    /// that receives at least that dose, from no dose to beyond the maximum.
    #[must_use]
    pub fn curve(&self, points: usize) -> Vec<[f64; 2]> {
        let steps = points.max(2) - 1;
        let top = self.max();
        let mut from = 0;
        let mut below_ml = 0.0;
        (0..=steps)
            .map(|n| {
                let dose = top * n as f64 / steps as f64;
                while from < self.samples.len() && self.samples[from].0 < dose {
                    below_ml += self.samples[from].1;
                    from += 1;
                }
                [dose, ((self.total_ml - below_ml) / self.total_ml).clamp(0.0, 1.0)]
            })
            .collect()
    }
}

/// A dose between the centres of its voxels.
struct Field<'a> {
    dose: &'a Image<f32>,
    support: Option<&'a Mask>,
}

impl<'a> Field<'a> {
    fn new(dose: &'a Image<f32>, support: Option<&'a Mask>) -> Self {
        Self { dose, support: support.filter(|s| s.grid().matches(dose.grid())) }
    }

    fn index(&self, world: Point3<f64>) -> [f64; 3] {
        self.dose.grid().index(world)
    }

    /// Linear along each axis between the voxels that take part; half a voxel beyond the outermost centres
    /// these go on. `None` farther out, or where no voxel takes part.
    fn at(&self, index: [f64; 3]) -> Option<f32> {
        let size = self.dose.grid().size();
        let mut low = [0_usize; 3];
        let mut part = [0.0_f32; 3];
        for a in 0..3 {
            let last = (size[a] - 1) as f64;
            if !(index[a] > -0.5 - 1e-6 && index[a] < last + 0.5 + 1e-6) {
                return None;
            }
            let x = index[a].clamp(0.0, last);
            low[a] = (x.floor() as usize).min(size[a].saturating_sub(2));
            part[a] = (x - low[a] as f64) as f32;
        }
        let [nx, ny, _] = size;
        let data = self.dose.data();
        let (mut sum, mut weights) = (0.0_f32, 0.0_f32);
        for corner in 0..8_usize {
            let up = [corner & 1, corner >> 1 & 1, corner >> 2];
            let w =
                (0..3).map(|a| if up[a] == 1 { part[a] } else { 1.0 - part[a] }).product::<f32>();
            if w <= 0.0 {
                continue;
            }
            let at: [usize; 3] = std::array::from_fn(|a| low[a] + up[a]);
            if self.support.is_none_or(|s| s.at(at) > 0.0) {
                sum += w * data[at[0] + nx * (at[1] + ny * at[2])];
                weights += w;
            }
        }
        (weights > 1e-6).then(|| sum / weights)
    }
}

/// The fractions of a voxel and its neighbours.
struct Around {
    fraction: [f32; 27],
}

impl Around {
    fn new(mask: &Mask, at: [usize; 3]) -> Self {
        let size = mask.grid().size();
        let fraction = std::array::from_fn(|n| {
            let off = [n % 3, n / 3 % 3, n / 9];
            // At the border of the grid the voxel stands for its missing neighbour.
            let there = std::array::from_fn(|a| {
                let i = at[a] + off[a];
                if i == 0 { 0 } else { (i - 1).min(size[a] - 1) }
            });
            mask.at(there)
        });
        Self { fraction }
    }

    /// By how much a place in the voxel (-0.5 to 0.5 along each axis) is inside, by linear interpolation.
    fn at(&self, off: [f64; 3]) -> f32 {
        let mut sum = 0.0;
        for corner in 0..8_usize {
            let up = [corner & 1, corner >> 1 & 1, corner >> 2];
            let mut weight = 1.0;
            let mut n = 0;
            for (a, stride) in [1, 3, 9].into_iter().enumerate() {
                let x = off[a] as f32;
                let toward = if x < 0.0 { 0 } else { 2 };
                weight *= if up[a] == 1 { x.abs() } else { 1.0 - x.abs() };
                n += stride * if up[a] == 1 { toward } else { 1 };
            }
            sum += weight * self.fraction[n];
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Fraction of a 1 mm voxel inside a shape, by 5 x 5 x 5 points.
    fn sampled(n: usize, inside: impl Fn([f64; 3]) -> bool) -> Mask {
        let grid = Grid::axial([n; 3], [1.0; 3], [0.0; 3]).expect("valid");
        Mask::from_fn(grid, |ijk| {
            let hits = (0..125)
                .filter(|p| {
                    let at = [p % 5, p / 5 % 5, p / 25];
                    inside(std::array::from_fn(|a| ijk[a] as f64 + (at[a] as f64 - 2.0) / 5.0))
                })
                .count();
            hits as f32 / 125.0
        })
    }

    fn gradient(mask: &Mask, dose: impl Fn([f64; 3]) -> f64) -> Dvh {
        let grid = mask.grid().clone();
        let [nx, ny, nz] = grid.size();
        let data = (0..nx * ny * nz)
            .map(|n| dose([(n % nx) as f64, (n / nx % ny) as f64, (n / (nx * ny)) as f64]) as f32)
            .collect();
        Dvh::new(&Image::new(grid, data), mask).expect("not empty")
    }

    #[test]
    fn a_sphere_in_a_linear_gradient() {
        // Facts page 7.3: R 20 mm, 50 + 1 Gy/mm x.
        let c = 24.0;
        let mask = sampled(49, |p| p.iter().map(|x| (x - c) * (x - c)).sum::<f64>() <= 400.0);
        let dvh = gradient(&mask, |p| 50.0 + p[0] - c);
        assert!((dvh.volume().ml() / 33.510 - 1.0).abs() < 2e-3);
        for (x, d) in [(2.0, 66.638), (5.0, 64.586), (30.0, 55.470), (50.0, 50.0), (95.0, 35.414)] {
            assert!((dvh.d(x) - d).abs() < 0.15, "D{x} {}", dvh.d(x));
        }
        // A step of 1 Gy a voxel: V between two planes of voxels.
        assert!((dvh.v(54.5) + dvh.v(55.5) - 2.0 * 0.316406).abs() < 0.02);
    }

    #[test]
    fn a_cone_along_its_axis() {
        // Apex cold: D_x at (1 - x)^(1/3) of the height.
        let (h, c) = (40.0, 24.0);
        let mask = sampled(49, |p| {
            let z = p[2] - 4.0;
            (0.0..=h).contains(&z) && (p[0] - c).hypot(p[1] - c) <= z / h * 20.0
        });
        let dvh = gradient(&mask, |p| (p[2] - 4.0) / h);
        for (x, d) in [(95.0, 0.3684), (70.0, 0.6694), (50.0, 0.7937), (5.0, 0.9830)] {
            assert!((dvh.d(x) - d).abs() < 0.012, "D{x} {}", dvh.d(x));
        }
    }

    #[test]
    fn a_cylinder_across_its_axis_is_uniform() {
        let c = 24.0;
        let mask = sampled(49, |p| (p[2] - c).abs() <= 15.0 && (p[0] - c).hypot(p[1] - c) <= 10.0);
        let dvh = gradient(&mask, |p| p[2] - c + 15.0);
        for x in [10.0, 25.0, 50.0, 75.0, 90.0] {
            assert!((dvh.d(x) - 30.0 * (1.0 - x / 100.0)).abs() < 0.3, "D{x} {}", dvh.d(x));
        }
    }

    /// A mask of fractions by 8000 points a voxel, more of them along one axis where a face lies across it.
    fn exact(spacing: [f64; 3], reach: f64, inside: impl Fn([f64; 3]) -> bool) -> Mask {
        by_points(spacing, reach, [20; 3], inside)
    }

    fn by_points(
        spacing: [f64; 3],
        reach: f64,
        points: [usize; 3],
        inside: impl Fn([f64; 3]) -> bool,
    ) -> Mask {
        let size = spacing.map(|s| 2 * (reach / s) as usize + 3);
        let origin =
            std::array::from_fn(|a| -((size[a] / 2) as f64) * spacing[a] + 0.21 * spacing[a]);
        let grid = Grid::axial(size, spacing, origin).expect("valid");
        let own = grid.clone();
        Mask::from_fn(grid, |ijk| {
            let hits = (0..8000_usize)
                .filter(|p| {
                    let [n, m, _] = points;
                    let at = [p % n, p / n % m, p / (n * m)];
                    let q = own.world(std::array::from_fn(|a| {
                        ijk[a] as f64 + (at[a] as f64 + 0.5) / points[a] as f64 - 0.5
                    }));
                    inside([q.x, q.y, q.z])
                })
                .count();
            hits as f32 / 8000.0
        })
    }

    fn map(mask: &Mask, dose: impl Fn([f64; 3]) -> f64) -> Image<f32> {
        let grid = mask.grid().clone();
        let [nx, ny, nz] = grid.size();
        let data = (0..nx * ny * nz)
            .map(|n| {
                let p = grid.world([(n % nx) as f64, (n / nx % ny) as f64, (n / (nx * ny)) as f64]);
                dose([p.x, p.y, p.z]) as f32
            })
            .collect();
        Image::new(grid, data)
    }

    #[test]
    fn small_balls_in_linear_doses_on_coarse_voxels() {
        // D_x of a ball of radius R in 100 + g x Gy is 100 + g u, with u = R (3 s - s^3)/... inverted by
        // bisection of the cap: V(u)/V = (2 - 3 u/R + (u/R)^3)/4.
        let cap = |x: f64| {
            let (mut low, mut high) = (-1.0_f64, 1.0_f64);
            for _ in 0..60 {
                let u = 0.5 * (low + high);
                if (2.0 - 3.0 * u + u * u * u) / 4.0 > x { low = u } else { high = u }
            }
            0.5 * (low + high)
        };
        for (r, spacing, bar) in [
            (7.05, [0.977, 0.977, 2.5], 0.008),
            (9.96, [0.977, 0.977, 2.5], 0.008),
            (7.05, [2.0; 3], 0.008),
            (9.96, [3.0; 3], 0.008),
        ] {
            let ball = exact(spacing, r, |p| p.iter().map(|x| x * x).sum::<f64>() < r * r);
            for axis in 0..3 {
                // 5 Gy/mm: from 65 to 135 Gy across the ball of 1.5 mL.
                let dose = map(&ball, |p| 100.0 + 5.0 * p[axis]);
                let dvh = Dvh::interpolated(&dose, &ball, None).expect("not empty");
                for x in [2.0, 50.0, 95.0, 98.0] {
                    let truth = 100.0 + 5.0 * r * cap(x / 100.0);
                    let off = dvh.d(x) / truth - 1.0;
                    assert!(
                        off.abs() < bar,
                        "r {r} on {spacing:?} along {axis}: D{x} off by {off}"
                    );
                }
            }
        }
    }

    #[test]
    fn cylinder_and_cone_and_a_gaussian_on_a_dose_grid_of_3_mm() {
        // Nelms 2015: shapes of 24 mm, steep gradients, coarse grids.
        let along = [8, 8, 125];
        let cylinder =
            by_points([3.0; 3], 16.0, along, |p| p[2].abs() < 12.0 && p[0].hypot(p[1]) < 12.0);
        let dose = map(&cylinder, |p| 24.0 + p[2]);
        let dvh = Dvh::interpolated(&dose, &cylinder, None).expect("not empty");
        for x in [1.0, 5.0, 50.0, 95.0, 99.0] {
            assert!((dvh.d(x) - (36.0 - 0.24 * x)).abs() < 0.15, "cylinder D{x} {}", dvh.d(x));
        }
        let cone = by_points([3.0; 3], 16.0, along, |p| {
            let z = p[2] + 12.0;
            (0.0..24.0).contains(&z) && p[0].hypot(p[1]) < z / 2.0
        });
        let dose = map(&cone, |p| (p[2] + 12.0) / 24.0);
        let dvh = Dvh::interpolated(&dose, &cone, None).expect("not empty");
        for (x, d) in [(95.0, 0.3684), (70.0, 0.6694), (50.0, 0.7937), (5.0, 0.9830)] {
            assert!((dvh.d(x) - d).abs() < 0.006, "cone D{x} {}", dvh.d(x));
        }
        // Concentric with a Gaussian of 20 mm: D_x at the radius (1 - x)^(1/3) from outside in.
        let r = 12.0_f64;
        let ball = exact([3.0; 3], 16.0, |p| p.iter().map(|x| x * x).sum::<f64>() < r * r);
        let dose = map(&ball, |p| 100.0 * (-p.iter().map(|x| x * x).sum::<f64>() / 800.0).exp());
        let dvh = Dvh::interpolated(&dose, &ball, None).expect("not empty");
        for x in [5.0, 50.0, 95.0, 98.0] {
            let at = r * (x / 100.0_f64).cbrt();
            let truth = 100.0 * (-at * at / 800.0).exp();
            assert!((dvh.d(x) / truth - 1.0).abs() < 0.01, "Gaussian D{x} {} of {truth}", dvh.d(x));
        }
    }

    #[test]
    fn a_map_that_ends_at_a_border_is_not_dimmed_there() {
        let ball = exact([3.0; 3], 14.0, |p| p.iter().map(|x| x * x).sum::<f64>() < 144.0);
        let dose =
            map(&ball, |p| f64::from(u8::from(p.iter().map(|x| x * x).sum::<f64>() < 400.0)));
        let cut = Image::new(
            dose.grid().clone(),
            (0..dose.data().len())
                .map(|n| {
                    let [nx, ny, _] = dose.grid().size();
                    f32::from(u8::from(ball.at([n % nx, n / nx % ny, n / (nx * ny)]) > 0.0))
                })
                .collect(),
        );
        let dvh = Dvh::interpolated(&cut, &ball, Some(&ball)).expect("not empty");
        assert!((dvh.min() - 1.0).abs() < 1e-6 && (dvh.max() - 1.0).abs() < 1e-6);
        assert!(Dvh::interpolated(&cut, &ball, None).expect("not empty").min() < 0.9);
    }

    #[test]
    fn nothing_has_no_histogram() {
        assert_eq!(Dvh::from_samples(vec![]), None);
        assert_eq!(Dvh::from_samples(vec![(1.0, 0.0)]), None);
        assert_eq!(Dvh::from_samples(vec![(f64::NAN, 1.0)]), None);
    }

    fn some_samples() -> impl Strategy<Value = Vec<(f64, f64)>> {
        prop::collection::vec((0.0_f64..300.0, 0.01_f64..2.0), 1..60)
    }

    proptest! {
        #[test]
        fn d_and_v_fall_and_stay_between_the_extremes(
            samples in some_samples(), a in 0.0_f64..100.0, b in 0.0_f64..100.0,
        ) {
            let dvh = Dvh::from_samples(samples).unwrap();
            let (lo, hi) = (a.min(b), a.max(b));
            prop_assert!(dvh.d(lo) >= dvh.d(hi));
            prop_assert!(dvh.v(lo) >= dvh.v(hi));
            prop_assert!(dvh.d(0.0) <= dvh.max() && dvh.d(100.0) >= dvh.min());
            prop_assert!((dvh.v(0.0) - 1.0).abs() < 1e-12);
        }

        #[test]
        fn everything_is_linear_in_dose(samples in some_samples(), f in 0.1_f64..10.0) {
            let dvh = Dvh::from_samples(samples).unwrap();
            let more = dvh.scaled(f);
            prop_assert!((more.mean() - f * dvh.mean()).abs() < 1e-9 * more.max().max(1.0));
            prop_assert!((more.d(70.0) - f * dvh.d(70.0)).abs() < 1e-9 * more.max().max(1.0));
        }

        #[test]
        fn the_mean_is_the_area_under_the_curve(samples in some_samples()) {
            let dvh = Dvh::from_samples(samples).unwrap();
            let curve = dvh.curve(20_001);
            let area: f64 = curve.windows(2)
                .map(|w| (w[1][0] - w[0][0]) * 0.5 * (w[0][1] + w[1][1])).sum();
            prop_assert!((area - dvh.mean()).abs() < 1e-3 * dvh.max().max(1.0));
        }
    }
}
