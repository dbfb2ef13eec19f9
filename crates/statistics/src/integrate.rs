//! Integrals: smooth ones by Gauss-Legendre panels, others by the double exponential rule.

/// `int_a^b f` for `f` analytic inside; it may be singular (but integrable) at the ends.
///
/// The double exponential substitution (Takahasi and Mori 1974) with a fixed step: about 14
/// digits for what this crate integrates. `f` is given the point.
pub(crate) fn double_exponential(f: impl Fn(f64) -> f64, a: f64, b: f64) -> f64 {
    use std::f64::consts::PI;
    const STEP: f64 = 1.0 / 24.0;
    if !(b > a) {
        return 0.0;
    }
    let mut sum = 0.0;
    for i in -96..=96 {
        let t = f64::from(i) * STEP;
        let s = PI * t.sinh();
        // Shares of the way from either end, each to full relative accuracy.
        let (left, right) = (1.0 / (1.0 + (-s).exp()), 1.0 / (1.0 + s.exp()));
        let x = if i < 0 { a + (b - a) * left } else { b - (b - a) * right };
        let weight = PI * t.cosh() * left * right;
        if weight > 0.0 && x > a && x < b {
            sum += weight * f(x);
        }
    }
    sum * STEP * (b - a)
}

/// Nodes and weights of the 16-point Gauss-Legendre rule on [-1, 1], by Newton's method on the
/// Legendre polynomial.
pub(crate) fn gauss_legendre() -> [(f64, f64); 16] {
    const N: usize = 16;
    std::array::from_fn(|i| {
        let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (N as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..20 {
            let (mut below, mut here) = (1.0, x);
            for k in 2..=N {
                let k = k as f64;
                (below, here) = (here, ((2.0 * k - 1.0) * x * here - (k - 1.0) * below) / k);
            }
            slope = N as f64 * (x * here - below) / (x * x - 1.0);
            let step = here / slope;
            x -= step;
            if step.abs() < 1e-15 {
                break;
            }
        }
        (x, 2.0 / ((1.0 - x * x) * slope * slope))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_integrals() {
        let near = |got: f64, want: f64| assert!((got / want - 1.0).abs() < 1e-13, "{got} {want}");
        near(double_exponential(|x| (-x).exp(), 0.0, 3.0), 1.0 - (-3.0_f64).exp());
        near(double_exponential(|x| x.powf(-0.3), 0.0, 2.0), 2.0_f64.powf(0.7) / 0.7);
        near(double_exponential(|x| x.sqrt() * x, 1.0, 4.0), 0.4 * 31.0);
        assert_eq!(double_exponential(|x| x, 2.0, 2.0), 0.0);
        let rule = gauss_legendre();
        near(rule.iter().map(|(_, w)| w).sum(), 2.0);
        near(rule.iter().map(|(x, w)| w * x.powi(30)).sum(), 2.0 / 31.0);
    }
}
