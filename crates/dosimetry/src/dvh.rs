//! Dose-volume histograms: exact, from sorted samples, without bins.

use hepatica_imaging::{Image, Mask};
use hepatica_physics::Volume;

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
        let voxel_ml = dose.grid().voxel_volume().ml();
        let data = dose.data();
        Self::from_samples(
            mask.voxels().map(|(n, f)| (f64::from(data[n]), f64::from(f) * voxel_ml)).collect(),
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
        samples.dedup_by(|next, kept| {
            let tie = next.0 == kept.0;
            if tie {
                kept.1 += next.1;
            }
            tie
        });
        let mut before = 0.0;
        let mid = samples
            .iter()
            .map(|s| {
                before += s.1;
                before - 0.5 * s.1
            })
            .collect();
        Some(Self { samples, mid, total_ml: before })
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

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_imaging::Grid;
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
