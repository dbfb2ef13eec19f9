//! The lesions of a patient, day by day.
//!
//! A lesion is sensitive cells `S`, cells resistant to temozolomide `R`, doomed cells `X` that wait to
//! be cleared, and stroma `q` that stays, all as shares of its volume at baseline:
//!
//! ```text
//! S <- S e^g c_S f     R <- R e^g c_R f     X <- X e^-kx + what was killed     V = S + R + X + q
//! ```
//!
//! `c` is what the day's drugs leave, `f` what the day's dose leaves. Doomed cells that wait give the
//! slow shrinkage of neuroendocrine tumours (Simeoni's delay); stroma keeps every response from being
//! complete; resistant cells give Stein's second exponential. Dose inside a lesion is uneven
//! ([`crate::irradiation::DoseSpread`]).

use crate::lanes;

/// Most lesions of a patient; lanes of one that is absent are zero.
pub const LESIONS: usize = 16;

/// A number of each lesion.
pub type Each = [f32; LESIONS];

/// The lesions of one patient.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesions {
    /// Sensitive cells.
    pub sensitive: Each,
    /// Cells resistant to temozolomide.
    pub resistant: Each,
    /// Doomed cells.
    pub doomed: Each,
    /// Stroma.
    pub inert: Each,
    /// Growth of a day, a factor.
    pub growth: Each,
    /// Effect `alpha BED` of the whole dose of the session that reaches the lesion.
    pub effect: Each,
    /// Square of the coefficient of variation of the dose inside the lesion; above zero.
    pub spread: Each,
    /// One where session 1 (or 2) reaches the lesion, else zero.
    pub reached: [Each; 2],
    /// Effect delivered so far.
    exposure: Each,
    /// Natural logarithm of the share of cells that it left.
    left: Each,
}

/// What a day does to lesions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Day {
    /// Share of sensitive cells that the drugs leave.
    pub sensitive_left: f32,
    /// Share of resistant cells that they leave.
    pub resistant_left: f32,
    /// Share of doomed cells that is not cleared.
    pub doomed_left: f32,
    /// Share of the dose of each session that is delivered, weighted by sensitisers.
    pub delivered: [f32; 2],
}

impl Lesions {
    /// No lesion at all.
    pub const NONE: Self = {
        let zero = [0.0; LESIONS];
        Self {
            sensitive: zero,
            resistant: zero,
            doomed: zero,
            inert: zero,
            growth: [1.0; LESIONS],
            effect: zero,
            spread: [1.0; LESIONS],
            reached: [zero; 2],
            exposure: zero,
            left: zero,
        }
    };

    /// A day on which no dose is delivered.
    #[inline(always)]
    pub fn unirradiated(&mut self, day: &Day) {
        for l in 0..LESIONS {
            let (s, r) = (self.sensitive[l] * self.growth[l], self.resistant[l] * self.growth[l]);
            self.sensitive[l] = s * day.sensitive_left;
            self.resistant[l] = r * day.resistant_left;
            let killed = (s - self.sensitive[l]) + (r - self.resistant[l]);
            self.doomed[l] = self.doomed[l] * day.doomed_left + killed;
        }
    }

    /// Many days alike on which no dose is delivered, in closed form.
    ///
    /// With `a = e^g c` and `k` what is not cleared, `S <- S a^n` and
    /// `X <- X k^n + S e^g (1 - c) (a^n - k^n) / (a - k)`.
    #[inline(always)]
    pub fn many(&mut self, days: u16, day: &Day) {
        let n = f32::from(days);
        let clear = lanes::ln(day.doomed_left);
        let cleared = lanes::exp(n * clear);
        let [left_s, left_r] = [day.sensitive_left, day.resistant_left];
        let [ln_s, ln_r] = [lanes::ln(left_s), lanes::ln(left_r)];
        for l in 0..LESIONS {
            let g = lanes::ln(self.growth[l]);
            let mut doomed = self.doomed[l] * cleared;
            let grown = |cells: f32, left: f32, ln_left: f32| {
                let rate = g + ln_left;
                let factor = lanes::exp(n * rate);
                let apart = self.growth[l] * left - day.doomed_left;
                // Where both rates are alike the quotient is the derivative.
                let sum = if apart.abs() > 1e-4 {
                    (factor - cleared) / apart
                } else {
                    n * cleared / day.doomed_left
                };
                (cells * factor, cells * self.growth[l] * (1.0 - left) * sum)
            };
            let (s, killed_s) = grown(self.sensitive[l], left_s, ln_s);
            let (r, killed_r) = grown(self.resistant[l], left_r, ln_r);
            doomed += killed_s + killed_r;
            self.sensitive[l] = s;
            self.resistant[l] = r;
            self.doomed[l] = doomed;
        }
    }

    /// A day on which dose is delivered too.
    #[inline(always)]
    pub fn irradiated(&mut self, day: &Day) {
        for l in 0..LESIONS {
            let share =
                self.reached[0][l] * day.delivered[0] + self.reached[1][l] * day.delivered[1];
            let exposure = self.exposure[l] + self.effect[l] * share;
            let left = -lanes::ln(1.0 + self.spread[l] * exposure) / self.spread[l];
            let survive = lanes::exp(left - self.left[l]);
            self.exposure[l] = exposure;
            self.left[l] = left;
            let (s, r) = (self.sensitive[l] * self.growth[l], self.resistant[l] * self.growth[l]);
            self.sensitive[l] = s * day.sensitive_left * survive;
            self.resistant[l] = r * day.resistant_left * survive;
            let killed = (s - self.sensitive[l]) + (r - self.resistant[l]);
            self.doomed[l] = self.doomed[l] * day.doomed_left + killed;
        }
    }

    /// Living cells of all lesions, each weighted.
    #[inline(always)]
    #[must_use]
    pub fn viable(&self, weight: &Each) -> f32 {
        let part: Each =
            std::array::from_fn(|l| weight[l] * (self.sensitive[l] + self.resistant[l]));
        // A fixed tree: the same sum on every machine.
        let eight: [f32; 8] = std::array::from_fn(|l| part[l] + part[l + 8]);
        let four: [f32; 4] = std::array::from_fn(|l| eight[l] + eight[l + 4]);
        (four[0] + four[2]) + (four[1] + four[3])
    }

    /// Diameters relative to baseline: cube roots of the volumes.
    #[inline(always)]
    #[must_use]
    pub fn diameters(&self) -> Each {
        self.volumes().map(|v| lanes::exp(lanes::ln(v.max(1e-9)) / 3.0))
    }

    /// Volumes relative to baseline.
    #[inline(always)]
    #[must_use]
    pub fn volumes(&self) -> Each {
        std::array::from_fn(|l| {
            self.sensitive[l] + self.resistant[l] + self.doomed[l] + self.inert[l]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::irradiation::DoseSpread;
    use proptest::prelude::*;

    fn one(sensitive: f32, effect: f32) -> Lesions {
        let mut lesions = Lesions::NONE;
        lesions.sensitive[0] = sensitive;
        lesions.inert[0] = 1.0 - sensitive;
        lesions.effect[0] = effect;
        lesions.spread[0] = 0.64;
        lesions.reached[0][0] = 1.0;
        lesions
    }

    const QUIET: Day =
        Day { sensitive_left: 1.0, resistant_left: 1.0, doomed_left: 1.0, delivered: [0.0; 2] };

    proptest! {
        /// However the dose is spread over days, what is left at its end is the closed form.
        #[test]
        fn survival_depends_on_the_dose_alone(
            effect in 0.01_f32..8.0,
            shares in prop::collection::vec(0.01_f32..1.0, 1..40),
        ) {
            let total: f32 = shares.iter().sum();
            let mut lesions = one(0.8, effect);
            for share in shares {
                lesions.irradiated(&Day { delivered: [share / total, 0.0], ..QUIET });
            }
            let left = DoseSpread { variance: 0.64 }.survival(f64::from(effect));
            let found = f64::from(lesions.sensitive[0]) / 0.8;
            prop_assert!((found / left - 1.0).abs() < 1e-3, "{found} {left}");
        }

        /// The closed form is many days one by one.
        #[test]
        fn many_days_are_days(
            left in 0.9_f32..=1.0, spared in 0.95_f32..=1.0, growth in 1.0_f32..1.01,
            kept in 0.95_f32..0.999, days in 1_u16..90,
        ) {
            let mut one_by_one = one(0.7, 0.0);
            one_by_one.growth[0] = growth;
            one_by_one.resistant[0] = 0.1;
            one_by_one.doomed[0] = 0.2;
            let mut at_once = one_by_one.clone();
            let day =
                Day { sensitive_left: left, resistant_left: spared, doomed_left: kept, ..QUIET };
            for _ in 0..days {
                one_by_one.unirradiated(&day);
            }
            at_once.many(days, &day);
            for (a, b) in [
                (at_once.sensitive[0], one_by_one.sensitive[0]),
                (at_once.resistant[0], one_by_one.resistant[0]),
                (at_once.doomed[0], one_by_one.doomed[0]),
            ] {
                prop_assert!((a - b).abs() < 2e-3 * b.max(0.02), "{a} {b}");
            }
        }

        /// Cells are killed or not: nothing is lost but what is cleared.
        #[test]
        fn cells_are_conserved(
            drug in 0.5_f32..1.0, effect in 0.0_f32..5.0, days in 1_usize..100,
        ) {
            let mut lesions = one(0.7, effect);
            for _ in 0..days {
                let day = Day { sensitive_left: drug, delivered: [0.05, 0.0], ..QUIET };
                lesions.irradiated(&day);
            }
            prop_assert!((lesions.volumes()[0] - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn what_is_not_reached_does_not_feel_the_dose() {
        let mut lesions = one(0.8, 5.0);
        lesions.reached = [[0.0; LESIONS]; 2];
        let before = lesions.clone();
        lesions.irradiated(&Day { delivered: [1.0, 1.0], ..QUIET });
        assert_eq!(lesions.sensitive, before.sensitive);
        assert_eq!(lesions.viable(&[1.0; LESIONS]), 0.8);
    }
}
