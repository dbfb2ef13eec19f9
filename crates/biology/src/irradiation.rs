//! Dose that comes while a source decays, and drugs that make it count for more.
//!
//! Spheres stay where they lodge: a share `e^-l a - e^-l b` of the dose is delivered from `a` to `b`
//! after the instillation. With a sensitiser the share is weighted by `s(t) = 1 + (SER - 1) w(t)`.

use hepatica_physics::TimeSpan;
use std::f64::consts::LN_2;

/// Share of the dose of full decay delivered between two times after instillation.
#[must_use]
pub fn delivered(half_life: TimeSpan, from: TimeSpan, to: TimeSpan) -> f64 {
    let left = |t: TimeSpan| (-LN_2 * (t.max(TimeSpan::ZERO) / half_life)).exp();
    (left(from) - left(to)).max(0.0)
}

/// Share of the dose that is delivered under a drug whose effect is full from `from` to `to` (times after
/// instillation, before it if negative) and then halves every `tail`.
#[must_use]
pub fn under(half_life: TimeSpan, from: TimeSpan, to: TimeSpan, tail: TimeSpan) -> f64 {
    let (l, k) = (LN_2 / half_life.d(), LN_2 / tail.d());
    // The tail begins where the drug ends; of one that ended before the spheres came, part is over.
    let start = to.max(TimeSpan::ZERO);
    let after = if tail > TimeSpan::ZERO {
        l / (l + k) * (-l * start.d() - k * (start.d() - to.d())).exp()
    } else {
        0.0
    };
    delivered(half_life, from, to) + after
}

/// What decides how many cells a dose leaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DoseSpread {
    /// Square of the coefficient of variation of the dose inside a lesion.
    pub variance: f64,
}

impl DoseSpread {
    /// Share of cells left at a mean exposure `e = alpha BED`, the dose inside the lesion following a
    /// gamma distribution: `(1 + v e)^(-1/v)`, which is the mean of `e^-x` over it. Without a spread it
    /// is `e^-e`.
    #[must_use]
    pub fn survival(&self, e: f64) -> f64 {
        if self.variance > 0.0 {
            (-(self.variance * e).ln_1p() / self.variance).exp()
        } else {
            (-e).exp()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_the_dose_add_up() {
        let half_life = TimeSpan::from_h(64.05);
        let day = |d: f64| TimeSpan::from_d(d);
        let parts: f64 = [(0.0, 2.5), (2.5, 7.5), (7.5, 1e4)]
            .map(|(a, b)| delivered(half_life, day(a), day(b)))
            .iter()
            .sum();
        assert!((parts - 1.0).abs() < 1e-12);
    }

    #[test]
    fn an_uneven_dose_spares_more() {
        // Against the mean of e^-x over a gamma distribution, by brute force.
        let (e, variance) = (3.0, 0.64);
        let (shape, scale) = (1.0 / variance, e * variance);
        let density = |x: f64| x.powf(shape - 1.0) * (-x / scale).exp();
        let (mut sum, mut norm) = (0.0, 0.0);
        for i in 0..400_000 {
            let x = (f64::from(i) + 0.5) * 2e-4;
            sum += density(x) * (-x).exp();
            norm += density(x);
        }
        let spread = DoseSpread { variance };
        assert!((spread.survival(e) / (sum / norm) - 1.0).abs() < 1e-4);
        assert!(spread.survival(e) > (-e).exp());
        assert!((DoseSpread { variance: 0.0 }.survival(e) - (-e).exp()).abs() < 1e-15);
    }
}
