//! Probability of a complication: Lyman, Kutcher, Burman.

use hepatica_physics::Dose;

/// `Phi((D - TD50(v)) / (m TD50(v)))`, `TD50(v) = TD50 v^-n` for an even dose to a fraction `v` of
/// the organ.
#[must_use]
pub fn lkb(td50: Dose, m: f64, n: f64, dose: Dose, v: f64) -> f64 {
    let partial = td50.gy() * v.powf(-n);
    normal((dose.gy() - partial) / (m * partial))
}

/// Cumulative normal distribution, by the complementary error function (Numerical Recipes'
/// Chebyshev fit, relative error below 1.2e-7).
fn normal(t: f64) -> f64 {
    0.5 * erfc(-t / std::f64::consts::SQRT_2)
}

fn erfc(x: f64) -> f64 {
    let z = x.abs();
    let t = 2.0 / (2.0 + z);
    let c = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let series = c.iter().rev().fold(0.0, |sum, c| sum * t + c);
    let tail = t * (-z * z + series).exp();
    if x >= 0.0 { tail } else { 2.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_points() {
        let gy = Dose::from_gy;
        for (td50, m, n, d, v, p) in [
            (52.0, 0.28, 1.0, 30.0, 1.0, 0.0654),
            (40.0, 0.15, 0.32, 35.0, 1.0, 0.2023),
            (45.8, 0.12, 0.97, 40.0, 0.66, 0.00026),
        ] {
            assert!((lkb(gy(td50), m, n, gy(d), v) - p).abs() < 1e-4);
        }
        assert!((lkb(gy(52.0), 0.28, 1.0, gy(52.0), 1.0) - 0.5).abs() < 1e-7);
    }
}
