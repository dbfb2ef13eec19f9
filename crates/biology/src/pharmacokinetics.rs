//! How much of a drug there is: one compartment, taken up and eliminated at first order.

use hepatica_physics::{Mass, TimeSpan};

/// One compartment with first-order absorption (Bateman's function). Doses that overlap add up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneCompartment {
    /// Apparent clearance, L/h.
    pub clearance_l_per_h: f64,
    /// Apparent volume of distribution, L.
    pub volume_l: f64,
    /// Absorption rate, 1/h; not equal to clearance over volume.
    pub absorption_per_h: f64,
}

impl OneCompartment {
    /// Temozolomide in an adult of 2.0 m2: clearance of Jen 2000 (Pharm Res 17:1284) (seen); volume
    /// and absorption of Ostermann 2004 (Clin Cancer Res 10:3728) (recalled).
    pub const TEMOZOLOMIDE: Self =
        Self { clearance_l_per_h: 11.2, volume_l: 30.3, absorption_per_h: 5.8 };

    fn elimination_per_h(&self) -> f64 {
        self.clearance_l_per_h / self.volume_l
    }

    /// Concentration after a dose, mg/L.
    #[must_use]
    pub fn concentration_mg_per_l(&self, dose: Mass, after: TimeSpan) -> f64 {
        let (ka, ke, t) = (self.absorption_per_h, self.elimination_per_h(), after.h());
        if t <= 0.0 {
            return 0.0;
        }
        let scale = dose.g() * 1e3 * ka / (self.volume_l * (ka - ke));
        scale * ((-ke * t).exp() - (-ka * t).exp())
    }

    /// Area under the curve of a dose to infinity, mg h/L: dose over clearance.
    #[must_use]
    pub fn area_mg_h_per_l(&self, dose: Mass) -> f64 {
        dose.g() * 1e3 / self.clearance_l_per_h
    }

    /// When the concentration is highest.
    #[must_use]
    pub fn peak(&self) -> TimeSpan {
        let (ka, ke) = (self.absorption_per_h, self.elimination_per_h());
        TimeSpan::from_h((ka / ke).ln() / (ka - ke))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temozolomide_at_200_mg_per_m2_is_as_the_label_says() {
        // Swiss label: area 35 mg h/L, peak 13 mg/L after 0.5 to 1.5 h, half-life 1.8 h.
        let pk = OneCompartment::TEMOZOLOMIDE;
        let dose = Mass::from_g(0.400);
        assert!((pk.area_mg_h_per_l(dose) - 35.0).abs() < 1.0);
        let peak = pk.concentration_mg_per_l(dose, pk.peak());
        assert!((9.0..14.0).contains(&peak), "{peak}");
        assert!((0.3..1.5).contains(&pk.peak().h()));
    }
}
