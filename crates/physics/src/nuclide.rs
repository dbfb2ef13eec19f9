//! Radionuclides and their decay.

use crate::constants::JOULE_PER_MEV;
use crate::quantity::{Activity, Energy, EnergyPerActivity, TimeSpan};

/// A radionuclide: half-life and energy that stays near the decay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nuclide {
    /// Conventional name, mass number first: `90Y`.
    pub name: &'static str,
    /// Physical half-life.
    pub half_life: TimeSpan,
    /// Mean energy per decay of beta particles, conversion and Auger electrons.
    pub electron_energy: Energy,
    /// Where the numbers are from.
    pub source: &'static str,
}

impl Nuclide {
    /// Yttrium-90. The half-life is the one both device labels use; the energy is the mean of the
    /// unique first-forbidden spectrum ([`crate::spectrum`]) that the kernels are made with.
    pub const Y90: Self = Self {
        name: "90Y",
        half_life: TimeSpan::from_h(64.1),
        electron_energy: Energy::from_mev(0.93292),
        source: "half-life: ICRP 107 and device labels; energy: unique first-forbidden shape, Q 2278.5 keV",
    };
    /// Technetium-99m, whose macroaggregated albumin maps the arteries.
    pub const TC99M: Self = Self {
        name: "99mTc",
        half_life: TimeSpan::from_h(6.015),
        electron_energy: Energy::from_mev(0.0162),
        source: "ICRP 107",
    };
    /// Holmium-166.
    pub const HO166: Self = Self {
        name: "166Ho",
        half_life: TimeSpan::from_h(26.8),
        electron_energy: Energy::from_mev(0.6963),
        source: "ICRP 107",
    };
    /// Lutetium-177.
    pub const LU177: Self = Self {
        name: "177Lu",
        half_life: TimeSpan::from_d(6.647),
        electron_energy: Energy::from_mev(0.1479),
        source: "ICRP 107",
    };

    /// All nuclides we know.
    pub const ALL: [Self; 4] = [Self::Y90, Self::TC99M, Self::HO166, Self::LU177];

    /// The nuclide of that name (`90Y`, also `Y-90`, any case), if we know it.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let wanted = canonical(name);
        Self::ALL.into_iter().find(|n| canonical(n.name) == wanted)
    }

    /// Decay constant per second.
    #[must_use]
    pub fn decay_constant_per_s(&self) -> f64 {
        std::f64::consts::LN_2 / self.half_life.s()
    }

    /// Fraction of an activity left after `elapsed`; above one for a time before the reference.
    #[must_use]
    pub fn decay_factor(&self, elapsed: TimeSpan) -> f64 {
        decay_factor(self.half_life, elapsed)
    }

    /// What `activity` becomes after `elapsed`.
    #[must_use]
    pub fn decayed(&self, activity: Activity, elapsed: TimeSpan) -> Activity {
        activity * self.decay_factor(elapsed)
    }

    /// Energy of all electrons of full decay per initial activity.
    #[must_use]
    pub fn energy_per_activity(&self) -> EnergyPerActivity {
        energy_per_activity(self.electron_energy, self.half_life)
    }
}

/// `2^(-elapsed / half_life)`.
#[must_use]
pub fn decay_factor(half_life: TimeSpan, elapsed: TimeSpan) -> f64 {
    (-(elapsed / half_life)).exp2()
}

/// The dose constant `k = E T / ln 2` for energy `E` a decay and half-life `T`.
#[must_use]
pub fn energy_per_activity(energy: Energy, half_life: TimeSpan) -> EnergyPerActivity {
    EnergyPerActivity::from_j_per_gbq(
        energy.mev() * JOULE_PER_MEV * 1e9 * half_life.s() / std::f64::consts::LN_2,
    )
}

/// `Y-90`, `90Y`, `y90` alike: digits first, then letters in lower case.
fn canonical(name: &str) -> String {
    let digits = name.chars().filter(char::is_ascii_digit);
    let letters = name.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase());
    // The metastable `m` follows the mass number in one spelling and ends the other: sort it out.
    let mut letters: Vec<char> = letters.collect();
    letters.sort_unstable();
    digits.chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_spelling() {
        for name in ["90Y", "Y-90", "y90", "Y90"] {
            assert_eq!(Nuclide::by_name(name), Some(Nuclide::Y90));
        }
        for name in ["99mTc", "Tc-99m", "TC99M"] {
            assert_eq!(Nuclide::by_name(name), Some(Nuclide::TC99M));
        }
        assert_eq!(Nuclide::by_name("18F"), None);
    }

    #[test]
    fn a_half_life_halves() {
        let left = Nuclide::Y90.decayed(Activity::from_gbq(3.0), TimeSpan::from_h(64.1));
        assert!((left.gbq() - 1.5).abs() < 1e-12);
    }
}
