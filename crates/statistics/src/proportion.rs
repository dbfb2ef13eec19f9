//! A proportion: `x` of `n` responded.
//!
//! | interval | coverage | source |
//! |---|---|---|
//! | [`clopper_pearson`] | never below the level, often above | Clopper and Pearson 1934 |
//! | [`wilson`] | near the level on average | Wilson 1927 |
//! | [`jeffreys`] | near the level; equal tails of Beta(x + 1/2, n - x + 1/2) | Brown, Cai, DasGupta 2001 |
//! | [`mid_p`] | near the level; exact test with half the probability of what was seen | Lancaster 1961 |

use crate::Interval;
use crate::distribution::{beta, binomial, invert, normal};
use crate::error::{Error, Result, open_unit};

fn checked(x: u64, n: u64, level: f64) -> Result<f64> {
    counted(x, n)?;
    Ok(0.5 * (1.0 - open_unit("the confidence level", level)?))
}

fn counted(x: u64, n: u64) -> Result<()> {
    if n == 0 {
        return Err(Error::Empty { what: "the sample" });
    }
    if x > n {
        return Err(Error::Count { what: "responders", found: x, lowest: 0, highest: n });
    }
    Ok(())
}

/// Exact limits: the proportions that one-sided exact tests of size `(1 - level)/2` do not reject.
///
/// `lower` is the quantile of Beta(x, n - x + 1), `upper` that of Beta(x + 1, n - x); 0 at x = 0
/// and 1 at x = n.
///
/// # Errors
/// On `x > n`, `n = 0`, or a level outside (0, 1).
pub fn clopper_pearson(x: u64, n: u64, level: f64) -> Result<Interval> {
    let tail = checked(x, n, level)?;
    let (xf, rest) = (x as f64, (n - x) as f64);
    Ok(Interval {
        lower: if x == 0 { 0.0 } else { beta::quantile(tail, xf, rest + 1.0) },
        upper: if x == n { 1.0 } else { beta::quantile(1.0 - tail, xf + 1.0, rest) },
    })
}

/// Score limits: the proportions `p` with `|x/n - p| <= z sqrt(p (1 - p)/n)`.
///
/// # Errors
/// As [`clopper_pearson`].
pub fn wilson(x: u64, n: u64, level: f64) -> Result<Interval> {
    let tail = checked(x, n, level)?;
    let (xf, nf) = (x as f64, n as f64);
    let z = normal::quantile(1.0 - tail);
    let share = xf / nf;
    let square = z * z / nf;
    let half = z * (share * (1.0 - share) / nf + 0.25 * square / nf).sqrt();
    let centre = share + 0.5 * square;
    Ok(Interval {
        // At the ends the limit is 0 or 1 exactly; the difference would leave rounding.
        lower: if x == 0 { 0.0 } else { ((centre - half) / (1.0 + square)).max(0.0) },
        upper: if x == n { 1.0 } else { ((centre + half) / (1.0 + square)).min(1.0) },
    })
}

/// Equal-tailed credible limits under the prior Beta(1/2, 1/2), with 0 at x = 0 and 1 at x = n.
///
/// # Errors
/// As [`clopper_pearson`].
pub fn jeffreys(x: u64, n: u64, level: f64) -> Result<Interval> {
    let tail = checked(x, n, level)?;
    let (a, b) = (x as f64 + 0.5, (n - x) as f64 + 0.5);
    Ok(Interval {
        lower: if x == 0 { 0.0 } else { beta::quantile(tail, a, b) },
        upper: if x == n { 1.0 } else { beta::quantile(1.0 - tail, a, b) },
    })
}

/// Mid-p limits: `P(X > x) + P(X = x)/2` and its mirror equal to `(1 - level)/2`.
///
/// # Errors
/// As [`clopper_pearson`].
pub fn mid_p(x: u64, n: u64, level: f64) -> Result<Interval> {
    let tail = checked(x, n, level)?;
    let (xf, nf) = (x as f64, n as f64);
    let share = xf / nf;
    // Probability above x and half of x itself, as a function of p, and its slope.
    let above = |p: f64| binomial::at_least(x + 1, n, p) + 0.5 * binomial::pmf(x, n, p);
    let below = |p: f64| binomial::cdf(x, n, p) - 0.5 * binomial::pmf(x, n, p);
    let slope = |p: f64| {
        let mass = binomial::pmf(x, n, p);
        let cut = if x == n { 0.0 } else { (nf - xf) * mass / (1.0 - p) };
        cut + 0.5 * mass * (xf / p - (nf - xf) / (1.0 - p))
    };
    let lower =
        if x == 0 { 0.0 } else { invert(|p| above(p) - tail, slope, 0.5 * share, 0.0, 1.0) };
    let upper = if x == n {
        1.0
    } else {
        invert(|p| tail - below(p), slope, 0.5 * (1.0 + share), 0.0, 1.0)
    };
    Ok(Interval { lower, upper })
}

/// Which departures from the null count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alternative {
    /// More than under the null.
    Greater,
    /// Less than under the null.
    Less,
    /// Either; what is as improbable as the observation or more counts (as in R's `binom.test`).
    TwoSided,
}

/// p-value of the exact binomial test of the proportion `p0`.
///
/// # Errors
/// On `x > n`, `n = 0`, or `p0` outside (0, 1).
pub fn exact_test(x: u64, n: u64, p0: f64, alternative: Alternative) -> Result<f64> {
    counted(x, n)?;
    open_unit("p0", p0)?;
    Ok(match alternative {
        Alternative::Greater => binomial::at_least(x, n, p0),
        Alternative::Less => binomial::cdf(x, n, p0),
        Alternative::TwoSided => {
            // Counts on the other side that are no more probable; equal ones must not fall out by
            // rounding.
            let limit = binomial::pmf(x, n, p0) * (1.0 + 1e-7);
            let mean = n as f64 * p0;
            let xf = x as f64;
            if xf == mean {
                return Ok(1.0);
            }
            let total = if xf < mean {
                let from =
                    first((mean.ceil() as u64).max(x), n, |y| binomial::pmf(y, n, p0) <= limit);
                binomial::cdf(x, n, p0) + from.map_or(0.0, |y| binomial::at_least(y, n, p0))
            } else {
                let until = first(0, mean.floor() as u64, |k| {
                    binomial::pmf(mean.floor() as u64 - k, n, p0) <= limit
                });
                let until = until.map(|k| mean.floor() as u64 - k);
                binomial::at_least(x, n, p0) + until.map_or(0.0, |y| binomial::cdf(y, n, p0))
            };
            total.min(1.0)
        }
    })
}

/// First whole number from `low` to `high` where a condition that stays true begins.
fn first(low: u64, high: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut low, mut end) = (low, high + 1);
    while low < end {
        let middle = low + (end - low) / 2;
        if holds(middle) {
            end = middle;
        } else {
            low = middle + 1;
        }
    }
    (low <= high).then_some(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64, tolerance: f64) {
        assert!((got - want).abs() <= tolerance, "{got} is not {want}");
    }

    #[test]
    fn ends_are_zero_and_one_exactly() {
        for interval in [clopper_pearson, wilson, jeffreys, mid_p] {
            assert_eq!(interval(0, 7, 0.95).map(|i| i.lower), Ok(0.0));
            assert_eq!(interval(7, 7, 0.95).map(|i| i.upper), Ok(1.0));
        }
        // With no responder the exact upper limit is 1 - (alpha/2)^(1/n).
        let upper = clopper_pearson(0, 10, 0.95).expect("valid").upper;
        near(upper, 1.0 - 0.025_f64.powf(0.1), 1e-15);
    }

    #[test]
    fn newcombe_1998_table() {
        // Newcombe 1998, Statistics in Medicine 17, 857: 81 of 263 and 15 of 148.
        let i = wilson(81, 263, 0.95).expect("valid");
        near(i.lower, 0.2553, 5e-5);
        near(i.upper, 0.3662, 5e-5);
        let i = clopper_pearson(81, 263, 0.95).expect("valid");
        near(i.lower, 0.2527, 5e-5);
        near(i.upper, 0.3676, 5e-5);
        let i = mid_p(81, 263, 0.95).expect("valid");
        near(i.lower, 0.2544, 5e-5);
        near(i.upper, 0.3658, 5e-5);
        let i = wilson(15, 148, 0.95).expect("valid");
        near(i.lower, 0.0624, 5e-5);
        near(i.upper, 0.1605, 5e-5);
        let i = mid_p(15, 148, 0.95).expect("valid");
        near(i.lower, 0.0601, 5e-5);
        near(i.upper, 0.1581, 5e-5);
    }

    #[test]
    fn two_sided_test_counts_what_is_no_more_probable() {
        let brute = |x: u64, n: u64, p0: f64| -> f64 {
            let row = binomial::row(n as u32, p0);
            let limit = row[x as usize] * (1.0 + 1e-7);
            row.iter().filter(|p| **p <= limit).sum()
        };
        for n in [1, 5, 20, 33] {
            for p0 in [0.1, 0.25, 0.5, 0.8] {
                for x in 0..=n {
                    let p = exact_test(x, n, p0, Alternative::TwoSided).expect("valid");
                    near(p, brute(x, n, p0).min(1.0), 1e-12);
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(matches!(clopper_pearson(3, 2, 0.95), Err(Error::Count { found: 3, .. })));
        assert!(matches!(wilson(0, 0, 0.95), Err(Error::Empty { .. })));
        for level in [0.0, 1.0, -1.0, f64::NAN] {
            assert!(matches!(jeffreys(1, 2, level), Err(Error::Parameter { .. })));
        }
        assert!(exact_test(1, 2, 1.0, Alternative::Greater).is_err());
    }
}
