//! Biologically effective dose (BED) of a source that stays and decays.
//!
//! `BED = D (1 + G D / (alpha/beta))`. Damage is repaired while dose is still coming, so the
//! quadratic term is reduced by the Lea-Catcheside factor G, for full decay
//! `G = lambda / (lambda + mu) = T_rep / (T_rep + T_phys)`.

use hepatica_physics::{Bed, Dose, TimeSpan};
use std::f64::consts::LN_2;

/// What BED needs to know of a tissue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BedModel {
    /// alpha over beta.
    pub alpha_beta: Dose,
    /// Half-time of repair.
    pub repair_half_time: TimeSpan,
}

impl BedModel {
    /// The Lea-Catcheside factor of full decay.
    #[must_use]
    pub fn g(&self, half_life: TimeSpan) -> f64 {
        self.repair_half_time / (self.repair_half_time + half_life)
    }

    /// The Lea-Catcheside factor of decay cut off at a time.
    #[must_use]
    pub fn g_until(&self, half_life: TimeSpan, end: TimeSpan) -> f64 {
        let t = end.h();
        let (l, m) = (LN_2 / half_life.h(), LN_2 / self.repair_half_time.h());
        let decayed = 1.0 - (-l * t).exp();
        2.0 * l * l / (decayed * decayed * (m - l))
            * ((1.0 - (-2.0 * l * t).exp()) / (2.0 * l) - (1.0 - (-(l + m) * t).exp()) / (l + m))
    }

    /// BED of a dose of full decay.
    #[must_use]
    pub fn bed(&self, dose: Dose, half_life: TimeSpan) -> Bed {
        self.bed_with(dose, self.g(half_life))
    }

    /// BED of a dose with a given factor.
    #[must_use]
    pub fn bed_with(&self, dose: Dose, g: f64) -> Bed {
        Bed::from_gy(dose.gy() * (1.0 + g * dose / self.alpha_beta))
    }

    /// The dose of full decay that has a BED: the inverse of [`BedModel::bed`].
    #[must_use]
    pub fn dose(&self, bed: Bed, half_life: TimeSpan) -> Dose {
        let c = self.g(half_life) / self.alpha_beta.gy();
        Dose::from_gy(((1.0 + 4.0 * c * bed.gy()).sqrt() - 1.0) / (2.0 * c))
    }

    /// The dose in fractions of 2 Gy that has a BED.
    #[must_use]
    pub fn eqd2(&self, bed: Bed) -> Dose {
        Dose::from_gy(bed.gy() / (1.0 + 2.0 / self.alpha_beta.gy()))
    }
}

/// Regrowth of a tumour against a falling dose rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Repopulation {
    /// alpha per Gy.
    pub alpha_per_gy: f64,
    /// Doubling time of the clonogens.
    pub doubling_time: TimeSpan,
}

/// BED up to the time when the dose rate no longer outpaces regrowth, less what regrew.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RepopulatedBed {
    /// That time; zero if the dose rate never does.
    pub until: TimeSpan,
    /// Dose until then.
    pub dose: Dose,
    /// Lea-Catcheside factor until then.
    pub g: f64,
    /// BED less regrowth.
    pub bed: Bed,
}

impl Repopulation {
    /// Effective BED of a dose of full decay: `T = -1/lambda ln(ln 2 / (alpha lambda D T_d))`,
    /// neglecting the quadratic term in T.
    #[must_use]
    pub fn bed(&self, model: &BedModel, dose: Dose, half_life: TimeSpan) -> RepopulatedBed {
        let l = LN_2 / half_life.h();
        let td = self.doubling_time.h();
        let ratio = LN_2 / (self.alpha_per_gy * l * dose.gy() * td);
        if !(ratio < 1.0) {
            let (until, dose, bed) = (TimeSpan::ZERO, Dose::ZERO, Bed::ZERO);
            return RepopulatedBed { until, dose, g: 1.0, bed };
        }
        let until = TimeSpan::from_h(-ratio.ln() / l);
        let g = model.g_until(half_life, until);
        let given = dose * (1.0 - (-l * until.h()).exp());
        let regrown = Bed::from_gy(LN_2 * until.h() / (self.alpha_per_gy * td));
        RepopulatedBed { until, dose: given, g, bed: model.bed_with(given, g) - regrown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_physics::Nuclide;
    use proptest::prelude::*;

    fn model(alpha_beta: f64, repair_h: f64) -> BedModel {
        BedModel {
            alpha_beta: Dose::from_gy(alpha_beta),
            repair_half_time: TimeSpan::from_h(repair_h),
        }
    }

    #[test]
    fn liver_of_40_gy() {
        let m = model(2.5, 2.5);
        let bed = m.bed(Dose::from_gy(40.0), Nuclide::Y90.half_life);
        assert!((bed.gy() - 64.0240).abs() < 1e-3);
        assert!((m.eqd2(bed).gy() - 35.5689).abs() < 1e-3);
    }

    proptest! {
        #[test]
        fn bed_grows_with_dose_and_can_be_inverted(d in 0.1_f64..500.0, ab in 1.0_f64..20.0) {
            let (m, t) = (model(ab, 1.5), Nuclide::Y90.half_life);
            let bed = m.bed(Dose::from_gy(d), t);
            prop_assert!(bed.gy() >= d);
            prop_assert!((m.dose(bed, t).gy() / d - 1.0).abs() < 1e-9);
        }

        #[test]
        fn a_long_time_is_full_decay(rep in 0.2_f64..10.0) {
            let (m, t) = (model(10.0, rep), Nuclide::Y90.half_life);
            prop_assert!((m.g_until(t, TimeSpan::from_h(5000.0)) - m.g(t)).abs() < 1e-9);
        }
    }
}
