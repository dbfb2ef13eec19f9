//! The liver after radioembolization: who is harmed, when, and what the blood shows.

use crate::ntcp;
use hepatica_physics::Dose;

/// First and last day after a session on which radioembolization-induced liver disease appears: two
/// weeks to four months (definition of the Utrecht group, read in a thesis) (seen).
pub const REILD_DAYS: [u32; 2] = [14, 120];

/// Dose to the normal liver and the risk it brings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Mean dose at which half are harmed.
    pub td50: Dose,
    /// Slope of Lyman's model.
    pub slope: f64,
    /// A drug on board makes the dose count for so much more.
    pub dose_modifying_factor: f64,
}

impl Tolerance {
    /// Probability of liver toxicity at a mean dose to the whole normal liver.
    #[must_use]
    pub fn probability(&self, dose: Dose, with_drug: bool) -> f64 {
        let factor = if with_drug { self.dose_modifying_factor } else { 1.0 };
        ntcp::lkb(self.td50, self.slope, 1.0, dose * factor, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drug_on_board_never_protects() {
        let t = Tolerance { td50: Dose::from_gy(52.0), slope: 0.28, dose_modifying_factor: 1.05 };
        for gy in 1..100 {
            let dose = Dose::from_gy(f64::from(gy));
            assert!(t.probability(dose, true) >= t.probability(dose, false));
        }
        assert!((t.probability(Dose::from_gy(30.0), false) - 0.0654).abs() < 1e-3);
    }
}
