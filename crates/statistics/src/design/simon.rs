//! Two stages with a stop for futility (Simon 1989): optimal, minimax and admissible designs.

use super::{hypotheses, size};
use crate::distribution::binomial;
use crate::error::{Error, Result};

/// Largest sample that is searched.
pub const LARGEST: u32 = 400;

/// Enrol `n1`; stop when at most `r1` respond; else enrol up to `n`, and the treatment is
/// promising when more than `r` responded in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TwoStage {
    /// Most responders of the first stage with which the trial stops.
    pub r1: u32,
    /// Subjects of the first stage.
    pub n1: u32,
    /// Most responders in all with which the null stands.
    pub r: u32,
    /// Subjects in all.
    pub n: u32,
}

/// What a two-stage design does at a true response rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoStageAt {
    /// Probability that the null is rejected: the size at p0, the power at p1.
    pub reject: f64,
    /// Probability of early termination.
    pub stop_early: f64,
    /// Expected number of subjects.
    pub expected_n: f64,
}

impl TwoStage {
    /// Checks that the counts make a design.
    ///
    /// # Errors
    /// When `r1 < n1 < n <= 5000` or `r1 <= r < n` does not hold.
    pub fn new(r1: u32, n1: u32, r: u32, n: u32) -> Result<Self> {
        size("n", n, 2, 5_000)?;
        size("n1", n1, 1, n - 1)?;
        size("r1", r1, 0, n1 - 1)?;
        size("r", r, r1, n - 1)?;
        Ok(Self { r1, n1, r, n })
    }

    /// Exact operating characteristics at the response rate `p` (in [0, 1]; NaN otherwise).
    #[must_use]
    pub fn at(&self, p: f64) -> TwoStageAt {
        let first = binomial::row(self.n1, p);
        let second = tails(&binomial::row(self.n - self.n1, p));
        let stop_early: f64 = first[..=self.r1 as usize].iter().sum();
        let reject = crossing(&first, &second, self.r1 as usize, self.r as usize);
        let expected_n = f64::from(self.n1) + (1.0 - stop_early) * f64::from(self.n - self.n1);
        TwoStageAt { reject, stop_early, expected_n }
    }
}

/// A design with its properties under both hypotheses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The design.
    pub design: TwoStage,
    /// At p0.
    pub null: TwoStageAt,
    /// At p1.
    pub alternative: TwoStageAt,
}

/// An admissible design (Jung et al. 2004) and the weights for which it is best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Admissible {
    /// The design.
    pub candidate: Candidate,
    /// It minimises `w n + (1 - w) EN0` for w from here
    pub weight_from: f64,
    /// to here.
    pub weight_to: f64,
}

/// All that a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// For each n that has a design, the one with the smallest expected size at p0.
    pub by_size: Vec<Candidate>,
}

impl Search {
    /// Smallest largest size, and among those the smallest expected size at p0.
    #[must_use]
    pub fn minimax(&self) -> Candidate {
        self.by_size[0]
    }

    /// Smallest expected size at p0.
    #[must_use]
    pub fn optimal(&self) -> Candidate {
        let mut best = self.by_size[0];
        for candidate in &self.by_size[1..] {
            if candidate.null.expected_n < best.null.expected_n {
                best = *candidate;
            }
        }
        best
    }

    /// Designs that are best for some weight between largest and expected size, from the minimax
    /// (w = 1) to the optimal (w = 0): the corners of the lower convex hull.
    #[must_use]
    pub fn admissible(&self) -> Vec<Admissible> {
        let optimal = self.optimal().design.n;
        let mut hull: Vec<Candidate> = Vec::new();
        for c in self.by_size.iter().take_while(|c| c.design.n <= optimal) {
            // How much expected size a subject more buys must fall along the hull.
            let gain = |a: &Candidate, b: &Candidate| {
                (a.null.expected_n - b.null.expected_n) / f64::from(b.design.n - a.design.n)
            };
            while let [.., a, b] = hull[..]
                && gain(&a, &b) <= gain(&b, c)
            {
                hull.pop();
            }
            hull.push(*c);
        }
        // A design that needs more of both is none of them.
        let mut kept: Vec<Candidate> = Vec::new();
        for c in hull {
            if kept.last().is_none_or(|k: &Candidate| c.null.expected_n < k.null.expected_n) {
                kept.push(c);
            }
        }
        // Two neighbours are equally good where w (n_b - n_a) = (1 - w) (EN_a - EN_b).
        let turn = |a: &Candidate, b: &Candidate| {
            let gain = a.null.expected_n - b.null.expected_n;
            gain / (gain + f64::from(b.design.n - a.design.n))
        };
        (0..kept.len())
            .map(|i| Admissible {
                candidate: kept[i],
                weight_from: kept.get(i + 1).map_or(0.0, |next| turn(&kept[i], next)),
                weight_to: if i == 0 { 1.0 } else { turn(&kept[i - 1], &kept[i]) },
            })
            .collect()
    }
}

/// Upper tails `P(X >= k)` of a row of probabilities, for k from 0 to n + 1.
fn tails(row: &[f64]) -> Vec<f64> {
    let mut tails = vec![0.0; row.len() + 1];
    for k in (0..row.len()).rev() {
        tails[k] = tails[k + 1] + row[k];
    }
    tails
}

/// `P(X1 > r1, X1 + X2 > r)`.
fn crossing(first: &[f64], second: &[f64], r1: usize, r: usize) -> f64 {
    let mut sum = 0.0;
    for (x1, mass) in first.iter().enumerate().skip(r1 + 1) {
        let needed = (r + 1).saturating_sub(x1);
        sum += mass * second.get(needed).copied().unwrap_or(0.0);
    }
    sum
}

/// Probabilities for every sample size: rows, and their upper tails.
struct Tables {
    rows: Vec<Vec<f64>>,
    tails: Vec<Vec<f64>>,
}

impl Tables {
    fn new(n_max: u32, p: f64) -> Self {
        let rows: Vec<_> = (0..=n_max).map(|n| binomial::row(n, p)).collect();
        let tails = rows.iter().map(|row| tails(row)).collect();
        Self { rows, tails }
    }
}

/// Searches all two-stage designs up to `n_max` with size at most `alpha` at p0 and power at
/// least `1 - beta` at p1. Exhaustive: only what provably cannot be better is passed over.
///
/// # Errors
/// When p0 is not below p1, a rate is outside (0, 1), or no design up to `n_max` is enough.
pub fn search(p0: f64, p1: f64, alpha: f64, beta: f64, n_max: u32) -> Result<Search> {
    hypotheses(p0, p1, alpha, beta)?;
    size("the largest sample", n_max, 2, LARGEST)?;
    let (null, alternative) = (Tables::new(n_max, p0), Tables::new(n_max, p1));
    let mut by_size = Vec::new();
    for n in 2..=n_max as usize {
        let mut best: Option<(f64, TwoStage)> = None;
        for n1 in 1..n {
            let least = best.map_or(f64::INFINITY, |(en, _)| en);
            // The expected size is above that of the first stage.
            if n1 as f64 >= least {
                break;
            }
            let n2 = n - n1;
            let (first0, second0) = (&null.rows[n1], &null.tails[n2]);
            let (first1, second1) = (&alternative.rows[n1], &alternative.tails[n2]);
            // The larger r1, the smaller the expected size: from the largest that does not itself
            // lose more than beta.
            let mut lost = 0.0;
            let mut r1 = 0;
            while r1 < n1 && lost + first1[r1] <= beta {
                lost += first1[r1];
                r1 += 1;
            }
            // r grows as r1 falls, for the size grows: it need never be searched again.
            let mut r = r1.saturating_sub(1);
            while r1 > 0 {
                r1 -= 1;
                let stop: f64 = first0[..=r1].iter().sum();
                let expected = n1 as f64 + (1.0 - stop) * n2 as f64;
                if expected >= best.map_or(f64::INFINITY, |(en, _)| en) {
                    break;
                }
                while r < n && crossing(first0, second0, r1, r) > alpha {
                    r += 1;
                }
                if crossing(first1, second1, r1, r) >= 1.0 - beta {
                    let [r1, n1, r, n] = [r1, n1, r, n].map(|k| k as u32);
                    best = Some((expected, TwoStage { r1, n1, r, n }));
                    break;
                }
            }
        }
        if let Some((_, design)) = best {
            let (at0, at1) = (design.at(p0), design.at(p1));
            by_size.push(Candidate { design, null: at0, alternative: at1 });
        }
    }
    if by_size.is_empty() {
        return Err(Error::NoDesign { what: "two-stage design", n_max });
    }
    Ok(Search { by_size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simon_1989_tables() {
        // Controlled Clinical Trials 10, 1: tables 1 and 2, alpha 0.05, beta 0.20.
        let tuple = |d: TwoStage| (d.r1, d.n1, d.r, d.n);
        for (p0, p1, optimal, en, pet, minimax) in [
            (0.05, 0.25, (0, 9, 2, 17), 12.0, 0.63, (0, 12, 2, 16)),
            (0.10, 0.30, (1, 10, 5, 29), 15.0, 0.74, (1, 15, 5, 25)),
            (0.20, 0.40, (3, 13, 12, 43), 20.6, 0.75, (4, 18, 10, 33)),
            (0.30, 0.50, (5, 15, 18, 46), 23.6, 0.72, (6, 19, 16, 39)),
            (0.40, 0.60, (7, 16, 23, 46), 24.5, 0.72, (17, 34, 20, 39)),
        ] {
            let s = search(p0, p1, 0.05, 0.20, 60).expect("found");
            assert_eq!(tuple(s.optimal().design), optimal);
            assert_eq!(tuple(s.minimax().design), minimax);
            assert!((s.optimal().null.expected_n - en).abs() < 0.05);
            assert!((s.optimal().null.stop_early - pet).abs() < 0.005);
        }
    }

    #[test]
    fn admissible_designs_of_jung_2004() {
        // Jung, Lee, Kim and George 2004: the corners of the hull, of which minimax and optimal are two.
        let s = search(0.1, 0.3, 0.05, 0.2, 60).expect("found");
        let admissible = s.admissible();
        assert_eq!(admissible[0].candidate, s.minimax());
        assert_eq!(admissible.last().map(|a| a.candidate), Some(s.optimal()));
        assert_eq!(
            (admissible[0].weight_to, admissible.last().map(|a| a.weight_from)),
            (1.0, Some(0.0))
        );
        // Each is best at the middle of its weights, among all found.
        for a in &admissible {
            let w = 0.5 * (a.weight_from + a.weight_to);
            let risk = |c: &Candidate| w * f64::from(c.design.n) + (1.0 - w) * c.null.expected_n;
            for other in &s.by_size {
                assert!(risk(&a.candidate) <= risk(other) + 1e-12);
            }
        }
    }

    #[test]
    fn what_cannot_be_met_is_refused() {
        assert!(matches!(search(0.3, 0.1, 0.05, 0.2, 50), Err(Error::NotBelow { .. })));
        let e = search(0.3, 0.35, 0.05, 0.2, 40);
        assert!(matches!(e, Err(Error::NoDesign { n_max: 40, .. })));
        assert!(search(0.1, 0.3, 1.0, 0.2, 50).is_err());
        assert!(search(0.1, f64::NAN, 0.05, 0.2, 50).is_err());
        assert!(search(0.1, 0.3, 0.05, 0.2, LARGEST + 1).is_err());
        assert!(TwoStage::new(1, 10, 5, 29).is_ok());
        for (r1, n1, r, n) in [(10, 10, 12, 29), (1, 29, 5, 29), (3, 10, 2, 29), (1, 10, 29, 29)] {
            assert!(TwoStage::new(r1, n1, r, n).is_err());
        }
    }
}
