//! Partial volume: how much of a ball's activity an image of some resolution leaves inside it.

use hepatica_physics::Length;

/// Steps of the integral.
const STEPS: usize = 4000;

/// Mean recovery inside a uniform ball that is blurred by a Gaussian, without background.
///
/// Two points of which one is anywhere in the ball and the other at the Gaussian's distance: the
/// second is in the ball with probability `1 - 3 s / (4 R) + s^3 / (16 R^3)` at distance s, so the
/// recovery is that integrated over the Gaussian's distances.
#[must_use]
pub fn recovery(diameter: Length, fwhm: Length) -> f64 {
    let sigma = fwhm.mm() / (8.0 * std::f64::consts::LN_2).sqrt();
    let of_distance = |s: f64| {
        let x = s / sigma;
        (2.0 / std::f64::consts::PI).sqrt() * x * x * (-0.5 * x * x).exp() / sigma
    };
    absorbed_fraction(diameter.mm() / 2.0, of_distance)
}

/// The part that stays in a ball of radius R when everything moves by a random distance of density
/// `of_distance` (per mm) in a random direction.
pub fn absorbed_fraction(radius_mm: f64, of_distance: impl Fn(f64) -> f64) -> f64 {
    let step = 2.0 * radius_mm / STEPS as f64;
    (0..STEPS)
        .map(|n| {
            let s = (n as f64 + 0.5) * step;
            let x = s / radius_mm;
            of_distance(s) * (1.0 - 0.75 * x + x * x * x / 16.0) * step
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_balls_are_recovered_and_small_ones_are_not() {
        let r = |d, w| recovery(Length::from_mm(d), Length::from_mm(w));
        assert!((r(37.0, 6.0) - 0.836).abs() < 2e-3);
        assert!((r(10.0, 15.0) - 0.091).abs() < 1e-3);
        assert!(r(2000.0, 1.0) > 0.995);
    }
}
