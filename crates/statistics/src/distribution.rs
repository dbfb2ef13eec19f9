//! Distribution functions with tails that keep their digits.
//!
//! `sf` is the upper tail, computed as itself and never as `1 - cdf`; a p-value of 1e-20 has as
//! many digits as one of 0.3. The incomplete beta and gamma functions are those of `statrs`,
//! checked here against 60-digit arithmetic; what it does not do to 1e-12 (the error function,
//! whose relative error is 1e-10, quantiles, binomial rows) is done here.
//!
//! The functions are total for the arguments their documentation allows and return NaN for
//! others, as functions of the standard library do; those that take data check before they call.

use statrs::function::{beta as incomplete_beta, erf, gamma as incomplete_gamma};

/// The standard normal distribution.
pub mod normal {
    use super::erf;
    use std::f64::consts::{PI, SQRT_2};

    /// Density `phi(x)`.
    #[must_use]
    pub fn pdf(x: f64) -> f64 {
        (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
    }

    /// `P(Z <= x)`.
    #[must_use]
    pub fn cdf(x: f64) -> f64 {
        0.5 * super::erfc(-x / SQRT_2)
    }

    /// `P(Z > x)`.
    #[must_use]
    pub fn sf(x: f64) -> f64 {
        0.5 * super::erfc(x / SQRT_2)
    }

    /// The `x` with `P(Z <= x) = p`; infinite at 0 and 1, NaN outside.
    #[must_use]
    pub fn quantile(p: f64) -> f64 {
        if !(0.0..=1.0).contains(&p) {
            return f64::NAN;
        }
        if p == 0.0 || p == 1.0 {
            return if p == 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
        }
        let tail = p.min(1.0 - p);
        let mut x = SQRT_2 * erf::erfc_inv(2.0 * tail);
        // One Halley step on the tail takes what is left of the inverse's error.
        let density = pdf(x);
        if density > 0.0 {
            let error = (sf(x) - tail) / density;
            x += error / (1.0 - 0.5 * x * error);
        }
        if p <= 0.5 { -x } else { x }
    }
}

/// The chi-square distribution.
pub mod chi_squared {
    use super::{incomplete_gamma, invert, normal};

    /// `P(X <= x)` with `df > 0` degrees of freedom (not necessarily whole).
    #[must_use]
    pub fn cdf(x: f64, df: f64) -> f64 {
        if x <= 0.0 {
            return if df > 0.0 && x <= 0.0 { 0.0 } else { f64::NAN };
        }
        if df == 1.0 {
            return 1.0 - sf(x, df);
        }
        incomplete_gamma::checked_gamma_lr(0.5 * df, 0.5 * x).unwrap_or(f64::NAN)
    }

    /// `P(X > x)`.
    #[must_use]
    pub fn sf(x: f64, df: f64) -> f64 {
        if x <= 0.0 {
            return if df > 0.0 && x <= 0.0 { 1.0 } else { f64::NAN };
        }
        // Closed forms where most p-values of this crate come from.
        if df == 1.0 {
            return 2.0 * normal::sf(x.sqrt());
        }
        if df == 2.0 {
            return (-0.5 * x).exp();
        }
        incomplete_gamma::checked_gamma_ur(0.5 * df, 0.5 * x).unwrap_or(f64::NAN)
    }

    /// The `x` with `P(X <= x) = p`.
    #[must_use]
    pub fn quantile(p: f64, df: f64) -> f64 {
        if !((0.0..=1.0).contains(&p) && df > 0.0 && df.is_finite()) {
            return f64::NAN;
        }
        if p == 0.0 || p == 1.0 {
            return if p == 0.0 { 0.0 } else { f64::INFINITY };
        }
        // Wilson and Hilferty (1931) to begin with.
        let spread = 2.0 / (9.0 * df);
        let cube = 1.0 - spread + normal::quantile(p) * spread.sqrt();
        let start = (df * cube.powi(3)).max(1e-3 * df);
        let ln_norm = -(0.5 * df) * std::f64::consts::LN_2 - super::ln_gamma(0.5 * df);
        let density = |x: f64| (ln_norm + (0.5 * df - 1.0) * x.ln() - 0.5 * x).exp();
        let upper = p > 0.5;
        let error = |x: f64| if upper { (1.0 - p) - sf(x, df) } else { cdf(x, df) - p };
        invert(error, density, start, 0.0, f64::INFINITY)
    }
}

/// The beta distribution.
pub mod beta {
    use super::{incomplete_beta, invert, ln_gamma};

    /// `P(X <= x)` for shapes `a, b > 0`.
    #[must_use]
    pub fn cdf(x: f64, a: f64, b: f64) -> f64 {
        if !(a > 0.0 && b > 0.0) || x.is_nan() {
            return f64::NAN;
        }
        if x <= 0.0 || x >= 1.0 {
            return if x <= 0.0 { 0.0 } else { 1.0 };
        }
        incomplete_beta::checked_beta_reg(a, b, x).unwrap_or(f64::NAN)
    }

    /// `P(X > x)`.
    #[must_use]
    pub fn sf(x: f64, a: f64, b: f64) -> f64 {
        if !(a > 0.0 && b > 0.0) || x.is_nan() {
            return f64::NAN;
        }
        if x <= 0.0 || x >= 1.0 {
            return if x <= 0.0 { 1.0 } else { 0.0 };
        }
        incomplete_beta::checked_beta_reg(b, a, 1.0 - x).unwrap_or(f64::NAN)
    }

    /// The `x` with `P(X <= x) = p`.
    #[must_use]
    pub fn quantile(p: f64, a: f64, b: f64) -> f64 {
        if !((0.0..=1.0).contains(&p) && a > 0.0 && b > 0.0) {
            return f64::NAN;
        }
        if p == 0.0 || p == 1.0 {
            return p;
        }
        let mean = a / (a + b);
        let ln_norm = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
        let density = |x: f64| (ln_norm + (a - 1.0) * x.ln() + (b - 1.0) * (-x).ln_1p()).exp();
        let upper = p > 0.5;
        let error = |x: f64| if upper { (1.0 - p) - sf(x, a, b) } else { cdf(x, a, b) - p };
        invert(error, density, mean, 0.0, 1.0)
    }
}

/// The binomial distribution.
pub mod binomial {
    use super::beta;

    /// All probabilities `P(X = 0..=n)`, good to the last few bits.
    ///
    /// Ratios of neighbours outwards from the mode, then scaled to sum to one: no logarithm of a
    /// factorial loses digits.
    #[must_use]
    pub fn row(n: u32, p: f64) -> Vec<f64> {
        let mut out = Vec::new();
        row_into(n, p, &mut out);
        out
    }

    /// As [`row`], into a buffer that is kept between calls.
    pub fn row_into(n: u32, p: f64, out: &mut Vec<f64>) {
        let size = n as usize;
        out.clear();
        out.resize(size + 1, 0.0);
        if !(0.0..=1.0).contains(&p) {
            out.fill(f64::NAN);
            return;
        }
        if p == 0.0 || p == 1.0 {
            out[if p == 0.0 { 0 } else { size }] = 1.0;
            return;
        }
        let mode = (((f64::from(n) + 1.0) * p) as usize).min(size);
        let odds = p / (1.0 - p);
        out[mode] = 1.0;
        for x in mode..size {
            out[x + 1] = out[x] * odds * (size - x) as f64 / (x + 1) as f64;
        }
        for x in (1..=mode).rev() {
            out[x - 1] = out[x] * x as f64 / ((size - x + 1) as f64 * odds);
        }
        let total: f64 = out.iter().sum();
        for value in out.iter_mut() {
            *value /= total;
        }
    }

    /// `P(X <= x)` by the incomplete beta function.
    #[must_use]
    pub fn cdf(x: u64, n: u64, p: f64) -> f64 {
        if !(0.0..=1.0).contains(&p) {
            return f64::NAN;
        }
        if x >= n { 1.0 } else { beta::sf(p, x as f64 + 1.0, (n - x) as f64) }
    }

    /// `P(X >= x)`, the p-value of the exact one-sided test.
    #[must_use]
    pub fn at_least(x: u64, n: u64, p: f64) -> f64 {
        if !(0.0..=1.0).contains(&p) {
            return f64::NAN;
        }
        if x == 0 {
            1.0
        } else if x > n {
            0.0
        } else {
            beta::cdf(p, x as f64, (n - x) as f64 + 1.0)
        }
    }

    /// `P(X = x)`, by the saddle-point form of Loader (2000): the Stirling remainders and two
    /// deviances, which do not cancel.
    #[must_use]
    pub fn pmf(x: u64, n: u64, p: f64) -> f64 {
        if !(0.0..=1.0).contains(&p) {
            return f64::NAN;
        }
        if x > n {
            return 0.0;
        }
        if p == 0.0 || p == 1.0 {
            return f64::from(x == if p == 0.0 { 0 } else { n });
        }
        let q = 1.0 - p;
        if x == 0 {
            return (n as f64 * (-p).ln_1p()).exp();
        }
        if x == n {
            return (n as f64 * p.ln()).exp();
        }
        let (xf, nf) = (x as f64, n as f64);
        let rest = nf - xf;
        let ln = super::stirling_remainder(nf)
            - super::stirling_remainder(xf)
            - super::stirling_remainder(rest)
            - deviance(xf, nf * p)
            - deviance(rest, nf * q);
        ln.exp() * (nf / (2.0 * std::f64::consts::PI * xf * rest)).sqrt()
    }

    /// `x ln(x / m) + m - x`, without cancellation where `x` is near `m`.
    fn deviance(x: f64, m: f64) -> f64 {
        let d = x - m;
        if d.abs() < 0.1 * (x + m) {
            // With v = (x - m)/(x + m): d v + 2 x sum v^(2j+1)/(2j+1).
            let v = d / (x + m);
            let mut sum = d * v;
            let mut term = 2.0 * x * v;
            for j in 1..200 {
                term *= v * v;
                let next = sum + term / f64::from(2 * j + 1);
                if next == sum {
                    break;
                }
                sum = next;
            }
            return sum;
        }
        x * (x / m).ln() + m - x
    }
}

/// The complementary error function, relative error below 3e-13 wherever it is not subnormal.
///
/// Up to 2 by the series of positive terms `erf(x) = 2/sqrt(pi) exp(-x^2) sum 2^k x^(2k+1) /
/// (2k+1)!!` (Abramowitz and Stegun 7.1.6), beyond by the continued fraction 7.1.14.
#[must_use]
pub fn erfc(x: f64) -> f64 {
    use std::f64::consts::PI;
    if x.is_nan() {
        return x;
    }
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    let square = x * x;
    if x < 2.0 {
        let (mut term, mut sum, mut odd) = (x, x, 1.0);
        while term > 1e-17 * sum {
            odd += 2.0;
            term *= 2.0 * square / odd;
            sum += term;
        }
        return 1.0 - 2.0 / PI.sqrt() * (-square).exp() * sum;
    }
    if x > 27.3 {
        return 0.0;
    }
    // 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + ...)))) from the far end.
    let terms = (20.0 + 300.0 / square) as u32;
    let mut tail = x;
    for k in (1..=terms).rev() {
        tail = x + 0.5 * f64::from(k) / tail;
    }
    (-square).exp() / (PI.sqrt() * tail)
}

/// `ln Gamma(x)` for `x > 0`.
#[must_use]
pub fn ln_gamma(x: f64) -> f64 {
    incomplete_gamma::ln_gamma(x)
}

/// `ln n! - (n ln n - n + ln(2 pi n)/2)` for `n >= 1`.
fn stirling_remainder(n: f64) -> f64 {
    if n < 16.0 {
        // ln n! of a small whole number from the product itself.
        let product: f64 = (2..=n as u64).map(|k| k as f64).product();
        return product.ln() - (n * n.ln() - n + 0.5 * (2.0 * std::f64::consts::PI * n).ln());
    }
    let s = 1.0 / (n * n);
    (1.0 / 12.0 - s * (1.0 / 360.0 - s * (1.0 / 1260.0 - s * (1.0 / 1680.0 - s / 1188.0)))) / n
}

/// The zero of an increasing `error` by Newton steps that never leave the bracket known so far.
pub(crate) fn invert(
    error: impl Fn(f64) -> f64,
    slope: impl Fn(f64) -> f64,
    start: f64,
    lower: f64,
    upper: f64,
) -> f64 {
    let (mut low, mut high, mut x) = (lower, upper, start);
    for _ in 0..400 {
        let e = error(x);
        if e.is_nan() {
            return f64::NAN;
        }
        if e == 0.0 {
            return x;
        }
        if e > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let mut next = x - e / slope(x);
        if !(next > low && next < high) {
            next = match (low.is_finite(), high.is_finite()) {
                // Towards zero by factors, so that tiny quantiles are found to relative accuracy.
                (true, true) if low == 0.0 && high < 0.5 => 0.1 * high,
                (true, true) if low > 0.0 && high > 4.0 * low => (low * high).sqrt(),
                (true, true) => 0.5 * (low + high),
                (true, false) => 2.0 * low.abs().max(0.5),
                (false, _) => -2.0 * high.abs().max(0.5),
            };
        }
        if next == x || (next - x).abs() <= 4.0 * f64::EPSILON * x.abs() {
            return next;
        }
        let narrow = high.is_finite() && high - low <= 2.0 * f64::EPSILON * high.abs();
        if narrow || (low == 0.0 && next < f64::MIN_POSITIVE) {
            return next;
        }
        x = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64, tolerance: f64) {
        assert!(((got - want) / want).abs() <= tolerance, "{got:e} is not {want:e}");
    }

    // Expected values: arithmetic of 80 digits on the very arguments.

    #[test]
    fn normal_tail() {
        for (x, want) in [
            (0.3, 0.3820885778110474),
            (1.0, 0.15865525393145705),
            (2.0, 0.02275013194817921),
            (2.83, 0.002327400206731554),
            (-1.0, 0.8413447460685429),
            (4.0, 3.1671241833119924e-5),
            (8.0, 6.220960574271784e-16),
            (20.0, 2.7536241186062337e-89),
            (37.0, 5.725571222524577e-300),
        ] {
            near(normal::sf(x), want, 3e-13);
            near(normal::cdf(-x), want, 3e-13);
        }
        for p in [1e-300, 1e-20, 1e-5, 0.025, 0.3, 0.5, 0.9, 0.975, 1.0 - 1e-9] {
            near(normal::cdf(normal::quantile(p)), p, 1e-12);
        }
        assert_eq!(normal::quantile(1.0), f64::INFINITY);
        assert!(normal::quantile(-0.1).is_nan() && normal::quantile(f64::NAN).is_nan());
        assert_eq!(normal::sf(40.0), 0.0);
    }

    #[test]
    fn chi_squared_tail() {
        for (x, df, want) in [
            (0.01, 1.0, 0.920344325445942),
            (10.33, 1.0, 0.00130885206134917),
            (11.3, 3.0, 0.010209496433133649),
            (300.0, 5.0, 1.0015302305957845e-62),
            (40.0, 10.0, 1.6944743930067385e-5),
            (300.0, 60.0, 1.283509040715906e-33),
            (280.0, 330.0, 0.9787182330346816),
            (2000.0, 1900.0, 0.05420667388901861),
            (600.0, 330.0, 6.061463201934592e-18),
        ] {
            near(chi_squared::sf(x, df), want, 1e-12);
            if want > 1e-12 && want < 0.99 {
                near(chi_squared::quantile(1.0 - want, df), x, 1e-9);
            }
        }
        assert_eq!((chi_squared::cdf(0.0, 3.0), chi_squared::sf(-1.0, 3.0)), (0.0, 1.0));
        assert!(chi_squared::quantile(0.5, 0.0).is_nan());
    }

    #[test]
    fn beta_both_tails() {
        for (x, a, b, want) in [
            (0.01, 0.3, 0.7, 0.21576857250318626),
            (0.9, 0.5, 0.5, 0.7951672353008665),
            (0.1, 15.0, 6.0, 9.481303720000008e-12),
            (0.3, 4.2, 6.8, 0.3027953023760232),
            (0.2, 34.0, 67.0, 0.0007368836015456021),
            (0.5, 122.0, 123.0, 0.5255135082152212),
            (1e-6, 3.0, 998.0, 1.6604279811381866e-10),
            (0.3, 500.0, 600.0, 2.2934081636777785e-27),
            (0.99, 2000.0, 9.0, 0.0019105511427079931),
        ] {
            near(beta::cdf(x, a, b), want, 2e-11);
            near(beta::sf(1.0 - x, b, a), want, 2e-11 + 4e-16 * (a + b) / x.min(1.0 - x));
            if want > 1e-15 && want < 0.9999 {
                near(beta::quantile(want, a, b), x, 1e-11);
            }
        }
        assert!(beta::cdf(0.5, 0.0, 1.0).is_nan());
        assert_eq!((beta::quantile(0.0, 2.0, 3.0), beta::quantile(1.0, 2.0, 3.0)), (0.0, 1.0));
    }

    #[test]
    fn binomial_probabilities() {
        for (x, n, p, want) in [
            (0, 10, 0.3, 0.028247524900000005),
            (3, 10, 0.3, 0.266827932),
            (14, 19, 0.4, 0.0024271753542893584),
            (50, 100, 0.5, 0.07958923738717877),
            (90, 100, 0.5, 1.3655426387463099e-17),
            (1, 1000, 0.003, 0.14913665844480106),
            (400, 1000, 0.3, 4.011150660289923e-12),
            (122, 244, 0.5, 0.051027016430442385),
            (30000, 100000, 0.3, 0.002752954648397428),
        ] {
            near(binomial::pmf(x, n, p), want, 1e-12);
        }
        for n in [0, 1, 7, 60, 500] {
            for p in [1e-4, 0.1, 0.5, 0.93] {
                let row = binomial::row(n, p);
                let mut below = 0.0;
                for (x, mass) in row.iter().enumerate() {
                    let (x, n) = (x as u64, u64::from(n));
                    below += mass;
                    if *mass > 1e-290 {
                        near(binomial::pmf(x, n, p), *mass, 1e-11);
                    }
                    assert!((binomial::cdf(x, n, p) - below).abs() < 1e-12);
                    let above = 1.0 - below + mass;
                    assert!((binomial::at_least(x, n, p) - above).abs() < 1e-12);
                }
            }
        }
        assert_eq!(binomial::row(2, 0.0), [1.0, 0.0, 0.0]);
        assert_eq!(binomial::row(2, 1.0), [0.0, 0.0, 1.0]);
        assert!(binomial::row(2, f64::NAN)[0].is_nan());
    }
}
