//! Interval-censored times: the event is known to lie between two looks (scans), as of progression.

use super::data::check_times;
use crate::error::{Error, Result, length, open_unit};
use nalgebra::{DMatrix, DVector};

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
    /// Steps of the EM algorithm, not counting Newton's.
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

/// Changes between EM and Newton's method before giving up.
const ROUNDS: usize = 500;

/// Certificate at which the iteration ends, per subject.
const TOLERANCE: f64 = 1e-10;

/// Most innermost intervals for Newton's method, whose matrix has a row for each.
const NEWTON: usize = 400;

impl Turnbull {
    /// The estimate: the EM algorithm with squared extrapolation (Varadhan and Roland 2008) until
    /// near, Newton's method on the masses above zero to the end, and again until the certificate
    /// says that nothing better exists.
    ///
    /// # Errors
    /// When the certificate is not reached.
    pub fn fit(data: &IntervalCensored) -> Result<Self> {
        let innermost = innermost(data);
        let problem = Problem::new(data, &innermost);
        let k = innermost.len();
        let mut mass = vec![1.0 / k as f64; k];
        let mut spare = vec![0.0; k];
        let (mut iterations, mut rounds) = (0, 0);
        // EM alone ends it, slowly, where Newton's method would be too large.
        let mut near = if k <= NEWTON { 1e-4 } else { TOLERANCE };
        let excess = loop {
            iterations += problem.climb(&mut mass, near, ITERATIONS - iterations);
            if k <= NEWTON {
                problem.polish(&mut mass);
            }
            let (excess, best) = problem.em(&mass, &mut spare);
            if excess <= TOLERANCE {
                break excess;
            }
            rounds += 1;
            if iterations >= ITERATIONS || rounds >= ROUNDS {
                let what = "the estimate from intervals";
                return Err(Error::NotConverged { what, iterations, gap: excess });
            }
            // EM cannot bring back a mass of zero.
            if mass[best] == 0.0 {
                mass.iter_mut().for_each(|p| *p *= 1.0 - 1e-3);
                mass[best] = 1e-3;
            }
            near = (0.1 * near).max(TOLERANCE);
        };
        let pieces = innermost.iter().zip(&mass);
        let pieces = pieces.map(|(&(left, right), &mass)| Piece { left, right, mass });
        Ok(Self {
            // Below this a mass is what is left of one that EM only makes smaller.
            pieces: pieces.filter(|piece| piece.mass > 1e-12).collect(),
            log_likelihood: problem.log_likelihood(&mass),
            gap: data.len() as f64 * excess.max(0.0),
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

    /// One step of EM. Returns the greatest derivative of the mean log likelihood towards one
    /// piece, less one, and that piece.
    fn em(&self, mass: &[f64], next: &mut [f64]) -> (f64, usize) {
        let sums = Self::sums(mass);
        let mut change = vec![0.0; mass.len() + 1];
        for &(from, to) in &self.ranges {
            let inverse = 1.0 / (sums[to] - sums[from]);
            change[from] += inverse;
            change[to] -= inverse;
        }
        let n = self.ranges.len() as f64;
        let (mut derivative, mut greatest, mut best) = (0.0, f64::NEG_INFINITY, 0);
        for (j, next) in next.iter_mut().enumerate() {
            derivative += change[j];
            if derivative > greatest {
                (greatest, best) = (derivative, j);
            }
            *next = mass[j] * derivative / n;
        }
        (greatest / n - 1.0, best)
    }

    /// EM with extrapolation until the derivative is within a tolerance; returns the steps.
    fn climb(&self, mass: &mut [f64], tolerance: f64, most: usize) -> usize {
        let k = mass.len();
        let (mut first, mut second) = (vec![0.0; k], vec![0.0; k]);
        let mut steps = 0;
        while steps < most && self.em(mass, &mut first).0 > tolerance {
            self.em(&first, &mut second);
            steps += 2;
            let (mut r2, mut v2) = (0.0, 0.0);
            for j in 0..k {
                let r = first[j] - mass[j];
                let v = second[j] - first[j] - r;
                r2 += r * r;
                v2 += v * v;
            }
            let length = if v2 > 0.0 { -(r2 / v2).sqrt() } else { -1.0 };
            if length < -1.0 {
                for j in 0..k {
                    let r = first[j] - mass[j];
                    let v = second[j] - first[j] - r;
                    // A mass that would go below zero stays where EM puts it.
                    let far = mass[j] - 2.0 * length * r + length * length * v;
                    mass[j] = if far > 0.0 { far } else { second[j] };
                }
                let total: f64 = mass.iter().sum();
                mass.iter_mut().for_each(|p| *p /= total);
                // Extrapolation may overshoot; EM never falls.
                if self.log_likelihood(mass) >= self.log_likelihood(&second) {
                    continue;
                }
            }
            mass.copy_from_slice(&second);
        }
        steps
    }

    /// Newton's method on the masses above zero, which sum to one; one that would fall below zero
    /// is set to it and left there.
    fn polish(&self, mass: &mut [f64]) {
        let mut active: Vec<usize> = (0..mass.len()).filter(|j| mass[*j] > 0.0).collect();
        let n = self.ranges.len() as f64;
        for _ in 0..200 {
            let m = active.len();
            let sums = Self::sums(mass);
            // The curvature with a border for the sum, and the slope.
            let mut matrix = DMatrix::<f64>::zeros(m + 1, m + 1);
            let mut slope = DVector::<f64>::zeros(m + 1);
            for &(from, to) in &self.ranges {
                let inverse = 1.0 / (sums[to] - sums[from]);
                let first = active.partition_point(|j| *j < from);
                let end = active.partition_point(|j| *j < to);
                for a in first..end {
                    slope[a] += inverse / n;
                    for b in first..end {
                        matrix[(a, b)] += inverse * inverse / n;
                    }
                }
            }
            let ridge = 1e-12 * (0..m).map(|a| matrix[(a, a)]).fold(0.0, f64::max);
            for a in 0..m {
                // Masses that the data cannot tell apart leave it singular.
                matrix[(a, a)] += ridge;
                matrix[(a, m)] = 1.0;
                matrix[(m, a)] = 1.0;
            }
            let Some(step) = matrix.lu().solve(&slope) else { return };
            let largest = (0..m).map(|a| step[a].abs()).fold(0.0, f64::max);
            if !(largest > 1e-15) {
                return;
            }
            let (mut length, mut blocked) = (1.0, None);
            for a in 0..m {
                let room = mass[active[a]] / -step[a];
                if step[a] < 0.0 && room < length {
                    (length, blocked) = (room, Some(a));
                }
            }
            let here = self.log_likelihood(mass);
            let mut halvings = 0;
            let next = loop {
                let mut trial = mass.to_vec();
                for a in 0..m {
                    trial[active[a]] = (trial[active[a]] + length * step[a]).max(0.0);
                }
                if let Some(a) = blocked {
                    trial[active[a]] = 0.0;
                }
                if self.log_likelihood(&trial) >= here - 1e-13 * here.abs() {
                    break trial;
                }
                halvings += 1;
                if halvings > 30 {
                    return;
                }
                blocked = None;
                length *= 0.5;
            };
            mass.copy_from_slice(&next);
            if let Some(a) = blocked {
                active.remove(a);
            } else if largest < 1e-9 {
                return;
            }
        }
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
