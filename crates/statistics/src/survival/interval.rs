//! Interval-censored times: the event is known to lie between two looks (scans), as of progression.

use super::data::check_times;
use crate::error::{Error, Result, length, open_unit};

/// For each subject the last time at which it had not happened and the first at which it had.
///
/// The event lies in `(left, right]`; `right` is infinite when it was never seen, and equal to
/// `left` when the time is known exactly.
#[derive(Debug, Clone, PartialEq)]
pub struct IntervalCensored {
    left: Vec<f64>,
    right: Vec<f64>,
}

impl IntervalCensored {
    /// Checks.
    ///
    /// # Errors
    /// When there is no row, the lists differ in length, a left end is negative or not finite, or
    /// a right end is missing or before the left.
    pub fn new(left: Vec<f64>, right: Vec<f64>) -> Result<Self> {
        if left.is_empty() {
            return Err(Error::Empty { what: "the list of intervals" });
        }
        length("the list of right ends", left.len(), right.len())?;
        check_times(&left)?;
        for (row, (l, r)) in left.iter().zip(&right).enumerate() {
            if !(r >= l) {
                let expected = "the left end or later (infinite when not seen)";
                return Err(Error::Value { what: "right end", row, value: *r, expected });
            }
        }
        Ok(Self { left, right })
    }

    /// Number of subjects, at least one.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.left.len()
    }

    /// Left ends.
    #[must_use]
    pub fn left(&self) -> &[f64] {
        &self.left
    }

    /// Right ends.
    #[must_use]
    pub fn right(&self) -> &[f64] {
        &self.right
    }
}

/// A piece of the time axis that holds probability; where within it is not known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// Its beginning, not included (included when the end is the same).
    pub left: f64,
    /// Its end, included.
    pub right: f64,
    /// The probability.
    pub mass: f64,
}

/// The nonparametric maximum likelihood estimate (Peto 1973; Turnbull 1976).
#[derive(Debug, Clone, PartialEq)]
pub struct Turnbull {
    /// Innermost intervals in ascending order, those without mass left out.
    pub pieces: Vec<Piece>,
    /// Log likelihood.
    pub log_likelihood: f64,
    /// No distribution has a log likelihood higher by more than this: the certificate, subjects
    /// times the greatest derivative towards one piece (Gentleman and Geyer 1994).
    pub gap: f64,
    /// Steps of the EM algorithm.
    pub iterations: usize,
}

/// Least and greatest value that agree with the estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Least.
    pub lower: f64,
    /// Greatest.
    pub upper: f64,
}

/// EM steps before giving up.
const ITERATIONS: usize = 200_000;

/// Certificate at which the iteration ends, per subject.
const TOLERANCE: f64 = 1e-10;

impl Turnbull {
    /// The estimate, by the EM algorithm with squared extrapolation (Varadhan and Roland 2008),
    /// until the certificate says that nothing better exists.
    ///
    /// # Errors
    /// When the certificate is not reached.
    pub fn fit(data: &IntervalCensored) -> Result<Self> {
        let innermost = innermost(data);
        let problem = Problem::new(data, &innermost);
        let k = innermost.len();
        let mut mass = vec![1.0 / k as f64; k];
        let (mut first, mut second) = (vec![0.0; k], vec![0.0; k]);
        let mut iterations = 0;
        loop {
            let gap = problem.em(&mass, &mut first);
            if gap <= TOLERANCE {
                break;
            }
            if iterations >= ITERATIONS {
                let what = "the estimate from intervals";
                return Err(Error::NotConverged { what, iterations, gap });
            }
            problem.em(&first, &mut second);
            iterations += 2;
            let (mut r2, mut v2) = (0.0, 0.0);
            for j in 0..k {
                let r = first[j] - mass[j];
                let v = second[j] - first[j] - r;
                r2 += r * r;
                v2 += v * v;
            }
            let mut next = second.clone();
            if v2 > 0.0 {
                let step = -(r2 / v2).sqrt();
                if step < -1.0 {
                    let far: Vec<f64> = (0..k)
                        .map(|j| {
                            let r = first[j] - mass[j];
                            let v = second[j] - first[j] - r;
                            // A mass that would go below zero stays where EM puts it.
                            let far = mass[j] - 2.0 * step * r + step * step * v;
                            if far > 0.0 { far } else { second[j] }
                        })
                        .collect();
                    let total: f64 = far.iter().sum();
                    let far: Vec<f64> = far.iter().map(|p| p / total).collect();
                    // Extrapolation may overshoot; EM never falls.
                    if problem.log_likelihood(&far) >= problem.log_likelihood(&second) {
                        next = far;
                    }
                }
            }
            mass = next;
        }
        let gap = data.len() as f64 * problem.em(&mass, &mut first).max(0.0);
        let pieces = innermost.iter().zip(&mass);
        let pieces = pieces.map(|(&(left, right), &mass)| Piece { left, right, mass });
        Ok(Self {
            // Below this a mass is what is left of one that EM only halves.
            pieces: pieces.filter(|piece| piece.mass > 1e-12).collect(),
            log_likelihood: problem.log_likelihood(&mass),
            gap,
            iterations,
        })
    }

    /// Share free of the event at a time; a range inside a piece.
    #[must_use]
    pub fn at(&self, time: f64) -> Bounds {
        let (mut certain, mut possible) = (0.0, 0.0);
        for piece in &self.pieces {
            if piece.right <= time {
                certain += piece.mass;
            }
            if piece.left < time || piece.right <= time {
                possible += piece.mass;
            }
        }
        let clean = |f: f64| (1.0 - f).clamp(0.0, 1.0);
        Bounds { lower: clean(possible), upper: clean(certain) }
    }

    /// The piece in which a share `probability` has had the event; its end may be infinite.
    ///
    /// # Errors
    /// On a probability outside (0, 1).
    pub fn quantile(&self, probability: f64) -> Result<Piece> {
        open_unit("the probability of a quantile", probability)?;
        let mut sum = 0.0;
        let mut found = None;
        for piece in &self.pieces {
            sum += piece.mass;
            found = Some(*piece);
            if sum >= probability - 1e-9 {
                break;
            }
        }
        found.ok_or(Error::Empty { what: "the estimate" })
    }
}

/// The likelihood depends on the masses of the innermost intervals only: those that begin with a
/// left end and end with the next end, which is a right one.
fn innermost(data: &IntervalCensored) -> Vec<(f64, f64)> {
    // At one time: left ends of exact times, then right ends (included), then others (not).
    let mut ends: Vec<(f64, u8)> = Vec::with_capacity(2 * data.len());
    for (&l, &r) in data.left.iter().zip(&data.right) {
        ends.push((l, if l == r { 0 } else { 2 }));
        ends.push((r, 1));
    }
    ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    ends.dedup();
    ends.windows(2).filter(|w| w[0].1 != 1 && w[1].1 == 1).map(|w| (w[0].0, w[1].0)).collect()
}

/// For each subject the range of innermost intervals within its own.
struct Problem {
    ranges: Vec<(usize, usize)>,
}

impl Problem {
    fn new(data: &IntervalCensored, innermost: &[(f64, f64)]) -> Self {
        let range = |(&l, &r): (&f64, &f64)| {
            let from = if l == r {
                innermost.partition_point(|piece| piece.1 < l)
            } else {
                // An exact time at the left end is outside.
                innermost.partition_point(|piece| piece.0 < l || piece.1 <= l)
            };
            (from, innermost.partition_point(|piece| piece.1 <= r))
        };
        Self { ranges: data.left.iter().zip(&data.right).map(range).collect() }
    }

    fn sums(mass: &[f64]) -> Vec<f64> {
        let mut sums = Vec::with_capacity(mass.len() + 1);
        let mut sum = 0.0;
        sums.push(sum);
        for p in mass {
            sum += p;
            sums.push(sum);
        }
        sums
    }

    /// One step of EM; returns the greatest derivative of the mean log likelihood towards one
    /// piece, less one.
    fn em(&self, mass: &[f64], next: &mut [f64]) -> f64 {
        let sums = Self::sums(mass);
        let mut change = vec![0.0; mass.len() + 1];
        for &(from, to) in &self.ranges {
            let inverse = 1.0 / (sums[to] - sums[from]);
            change[from] += inverse;
            change[to] -= inverse;
        }
        let n = self.ranges.len() as f64;
        let (mut derivative, mut greatest) = (0.0, f64::NEG_INFINITY);
        for (j, next) in next.iter_mut().enumerate() {
            derivative += change[j];
            greatest = greatest.max(derivative / n);
            *next = mass[j] * derivative / n;
        }
        greatest - 1.0
    }

    fn log_likelihood(&self, mass: &[f64]) -> f64 {
        let sums = Self::sums(mass);
        self.ranges.iter().map(|(from, to)| (sums[*to] - sums[*from]).ln()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::data::Survival;
    use super::super::kaplan_meier::KaplanMeier;
    use super::*;

    #[test]
    fn peto_1973_small_case() {
        // Two overlap in (1, 2]; the third stands alone.
        let data = IntervalCensored::new(vec![0.0, 1.0, 4.0], vec![2.0, 3.0, 5.0]).expect("valid");
        let fit = Turnbull::fit(&data).expect("converges");
        let pieces: Vec<_> = fit.pieces.iter().map(|p| (p.left, p.right)).collect();
        assert_eq!(pieces, [(1.0, 2.0), (4.0, 5.0)]);
        assert!((fit.pieces[0].mass - 2.0 / 3.0).abs() < 1e-9);
        let at = fit.at(1.5);
        assert!((at.lower - 1.0 / 3.0).abs() < 1e-9 && at.upper == 1.0);
        assert_eq!(fit.quantile(0.5).map(|p| (p.left, p.right)), Ok((1.0, 2.0)));
    }

    #[test]
    fn exact_and_right_censored_times_give_kaplan_meier() {
        let time = [2.0, 3.0, 3.0, 5.0, 6.0, 8.0, 9.0];
        let event = [true, true, false, true, false, true, false];
        let right = (0..7).map(|i| if event[i] { time[i] } else { f64::INFINITY }).collect();
        let data = IntervalCensored::new(time.to_vec(), right).expect("valid");
        let fit = Turnbull::fit(&data).expect("converges");
        let km = KaplanMeier::fit(&Survival::new(time.to_vec(), event.to_vec()).expect("valid"));
        for t in [1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 8.0, 9.0] {
            let (ours, want) = (fit.at(t), km.at(t).survival);
            assert!((ours.upper - want).abs() < 1e-8 && (ours.lower - want).abs() < 1e-8, "{t}");
        }
        assert_eq!(fit.quantile(0.9).map(|p| p.right), Ok(f64::INFINITY));
    }

    #[test]
    fn what_is_no_interval_is_refused() {
        assert!(matches!(IntervalCensored::new(vec![], vec![]), Err(Error::Empty { .. })));
        for (l, r) in [(2.0, 1.0), (-1.0, 1.0), (0.0, f64::NAN), (f64::INFINITY, f64::INFINITY)] {
            assert!(IntervalCensored::new(vec![l], vec![r]).is_err(), "{l} {r}");
        }
    }
}
