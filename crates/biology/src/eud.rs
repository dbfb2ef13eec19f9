//! Doses that, given evenly, would do the same as an uneven one. Distributions are pairs of a value
//! and a weight (a volume in any unit).

use crate::bed::BedModel;
use hepatica_physics::{Bed, Dose, TimeSpan};

/// Generalised equivalent uniform dose `(sum v d^a)^(1/a)`: `a` below zero for tumours (the cold
/// parts decide), above one for organs (the hot parts do).
#[must_use]
pub fn geud(distribution: impl Iterator<Item = (f64, f64)>, a: f64) -> Option<Dose> {
    let (mut sum, mut weight) = (0.0, 0.0);
    for (dose, w) in distribution {
        sum += w * dose.powf(a);
        weight += w;
    }
    (weight > 0.0).then(|| Dose::from_gy((sum / weight).powf(1.0 / a)))
}

/// Equivalent uniform BED `-1/alpha ln sum v exp(-alpha BED)`: the even BED with as many survivors.
#[must_use]
pub fn eubed(distribution: impl Iterator<Item = (Bed, f64)>, alpha_per_gy: f64) -> Option<Bed> {
    let (mut sum, mut weight) = (0.0, 0.0);
    for (bed, w) in distribution {
        sum += w * (-alpha_per_gy * bed.gy()).exp();
        weight += w;
    }
    let mean = sum / weight;
    (weight > 0.0 && mean > 0.0).then(|| Bed::from_gy(-mean.ln() / alpha_per_gy))
}

/// The even dose of full decay with an equivalent uniform BED.
#[must_use]
pub fn eud(eubed: Bed, model: &BedModel, half_life: TimeSpan) -> Dose {
    model.dose(eubed, half_life)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_dose_is_its_own_equivalent() {
        for a in [-10.0, 1.0, 8.0] {
            let eud = geud([(40.0, 0.3), (40.0, 0.7)].into_iter(), a).unwrap();
            assert!((eud.gy() - 40.0).abs() < 1e-9);
        }
        assert_eq!(geud(std::iter::empty(), 1.0), None);
    }
}
