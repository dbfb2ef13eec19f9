//! What a two-stage trial says when it is over. Its result is a total and the stage at which it
//! ended; the naive share is biased towards nothing, for bad beginnings end early.

use super::simon::TwoStage;
use super::size;
use crate::Interval;
use crate::distribution::binomial;
use crate::error::{Result, open_unit};

/// Estimates after a two-stage trial with `x` responders in all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoStageResult {
    /// Subjects treated: n1 when the trial stopped early.
    pub treated: u32,
    /// Responders over subjects, the maximum likelihood estimate.
    pub naive: f64,
    /// Uniformly minimum variance unbiased estimate (Jung and Kim 2004).
    pub umvue: f64,
    /// Probability at p0 of this result or a better one: of at least `x` in all after going on,
    /// or of at least `x` of the first stage when the trial stopped there.
    pub p_value: f64,
    /// The rate at which this result or a better one has probability 1/2.
    pub median_unbiased: f64,
    /// Exact limits, each one-sided with error `tail`: at `lower` this result or a better one has
    /// probability `tail`, at `upper` this result or a worse one. They cover at least
    /// `1 - 2 tail`.
    pub exact: Interval,
    /// Limits of Koyama and Chen (2008): as `exact`, but at `upper` this result or a better one
    /// has probability `1 - tail`. Shorter; what was seen does not count against the upper limit,
    /// so that one covers less than it says.
    pub koyama_chen: Interval,
}

/// Inference when `x` responded in all. The trial stopped early exactly when `x <= r1`.
///
/// # Errors
/// When `x > n`, p0 is outside (0, 1) or `tail` is outside (0, 1/2).
pub fn inference(design: TwoStage, x: u32, p0: f64, tail: f64) -> Result<TwoStageResult> {
    let design = TwoStage::new(design.r1, design.n1, design.r, design.n)?;
    size("responders", x, 0, design.n)?;
    open_unit("p0", p0)?;
    open_unit("twice the tail of the interval", 2.0 * tail)?;
    let TwoStage { r1, n1, n, .. } = design;
    let early = x <= r1;
    let treated = if early { n1 } else { n };
    let better = |p: f64| at_least(design, x, p);
    let worse = |p: f64| at_most(design, x, p);
    let (lower, upper_shorter) = (rising(better, tail), rising(better, 1.0 - tail));
    let upper = if early || x < n { rising(|p| -worse(p), -tail) } else { 1.0 };
    Ok(TwoStageResult {
        treated,
        naive: f64::from(x) / f64::from(treated),
        umvue: umvue(design, x),
        p_value: at_least(design, x, p0),
        median_unbiased: if x == 0 { 0.0 } else { rising(better, 0.5) },
        exact: Interval { lower: if x == 0 { 0.0 } else { lower }, upper },
        koyama_chen: Interval {
            lower: if x == 0 { 0.0 } else { lower },
            upper: if x == 0 { 0.0 } else { upper_shorter },
        },
    })
}

/// Unbiased estimate: among paths with this result, the share whose first subject responded.
fn umvue(design: TwoStage, x: u32) -> f64 {
    let TwoStage { r1, n1, n, .. } = design;
    if x <= r1 {
        return f64::from(x) / f64::from(n1);
    }
    let n2 = n - n1;
    // Paths are C(n1, k) C(n2, x - k), and of them k/n1 begin with a response; binomial rows at
    // 1/2 are those numbers up to a factor that cancels.
    let (first, second) = (binomial::row(n1, 0.5), binomial::row(n2, 0.5));
    let (mut paths, mut responding) = (0.0, 0.0);
    for k in (r1 + 1).max(x.saturating_sub(n2))..=x.min(n1) {
        let path = first[k as usize] * second[(x - k) as usize];
        paths += path;
        responding += path * f64::from(k) / f64::from(n1);
    }
    responding / paths
}

/// Probability of this result or a better one.
fn at_least(design: TwoStage, x: u32, p: f64) -> f64 {
    let TwoStage { r1, n1, n, .. } = design;
    if x == 0 {
        return 1.0;
    }
    let first = binomial::row(n1, p);
    if x <= r1 {
        return first[x as usize..].iter().sum();
    }
    let second = binomial::row(n - n1, p);
    (r1 + 1..=n1)
        .map(|k| {
            let needed = x.saturating_sub(k) as usize;
            first[k as usize] * second.get(needed..).map_or(0.0, |tail| tail.iter().sum())
        })
        .sum()
}

/// Probability of this result or a worse one.
fn at_most(design: TwoStage, x: u32, p: f64) -> f64 {
    let TwoStage { r1, n1, n, .. } = design;
    let first = binomial::row(n1, p);
    if x <= r1 {
        return first[..=x as usize].iter().sum();
    }
    let second = binomial::row(n - n1, p);
    let stopped: f64 = first[..=r1 as usize].iter().sum();
    let went_on: f64 = (r1 + 1..=n1.min(x))
        .map(|k| {
            let until = ((x - k) as usize + 1).min(second.len());
            first[k as usize] * second[..until].iter().sum::<f64>()
        })
        .sum();
    stopped + went_on
}

/// Where a rising function of a rate reaches a value.
fn rising(f: impl Fn(f64) -> f64, value: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // Fifty-odd halvings leave no bit of a rate.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if f(middle) < value {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_umvue_is_unbiased() {
        let d = TwoStage::new(1, 10, 5, 29).expect("a design");
        for p in [0.05_f64, 0.1, 0.3, 0.6] {
            let mean: f64 = (0..=29)
                .map(|x| {
                    let mass = at_least(d, x, p)
                        - match x {
                            // What is better than the last result of a stage.
                            1 => 1.0 - at_most(d, 1, p),
                            29 => 0.0,
                            _ => at_least(d, x + 1, p),
                        };
                    mass * umvue(d, x)
                })
                .sum();
            assert!((mean - p).abs() < 1e-12, "{p} {mean}");
        }
    }

    #[test]
    fn exact_limits_cover() {
        let d = TwoStage::new(1, 10, 5, 29).expect("a design");
        let limits: Vec<_> =
            (0..=29).map(|x| inference(d, x, 0.1, 0.05).expect("valid").exact).collect();
        for p in [0.03, 0.1, 0.21, 0.3, 0.5, 0.9] {
            let mut below = 0.0;
            let mut above = 0.0;
            for x in 0..=29 {
                let mass = at_most(d, x, p) - if x == 0 { 0.0 } else { at_most(d, x - 1, p) };
                let limits = &limits[x as usize];
                below += if p < limits.lower { mass } else { 0.0 };
                above += if p > limits.upper { mass } else { 0.0 };
            }
            assert!(below <= 0.05 + 1e-12 && above <= 0.05 + 1e-12, "{p}: {below} {above}");
        }
    }

    #[test]
    fn the_ends_have_answers() {
        let d = TwoStage::new(1, 10, 5, 29).expect("a design");
        let none = inference(d, 0, 0.1, 0.05).expect("valid");
        assert_eq!((none.treated, none.naive, none.umvue, none.p_value), (10, 0.0, 0.0, 1.0));
        assert_eq!(none.exact.lower, 0.0);
        let all = inference(d, 29, 0.1, 0.05).expect("valid");
        assert_eq!((all.treated, all.naive, all.exact.upper), (29, 1.0, 1.0));
        assert!((all.umvue - 1.0).abs() < 1e-12);
        assert!(inference(d, 30, 0.1, 0.05).is_err());
        assert!(inference(d, 3, 0.1, 0.5).is_err());
        assert!(inference(d, 3, 0.0, 0.05).is_err());
    }
}
