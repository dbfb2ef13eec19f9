//! The log-rank test and its weighted relatives (Mantel 1966; Harrington and Fleming 1982).

use super::data::{Survival, compress};
use crate::ChiSquared;
use crate::distribution::normal;
use crate::error::{Error, Result, length, not_negative};
use nalgebra::{DMatrix, DVector};

/// Weight and strata of a log-rank test.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LogRankOptions<'a> {
    /// Weight `S(t-)^rho` of the pooled Kaplan-Meier curve (of the stratum): 0 is the log-rank
    /// test, 1 that of Peto and Peto in the form of Prentice, which looks at early differences.
    pub rho: f64,
    /// Stratum of each row; only subjects of one stratum are compared.
    pub strata: Option<&'a [usize]>,
}

/// Observed and expected events by group, and the test that groups do not differ.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRank {
    /// The groups' labels, ascending; what follows is in this order.
    pub groups: Vec<usize>,
    /// Subjects.
    pub subjects: Vec<usize>,
    /// Weighted events.
    pub observed: Vec<f64>,
    /// Weighted events expected if all groups had the pooled hazard.
    pub expected: Vec<f64>,
    /// Hypergeometric covariance of observed less expected, a row for each group.
    pub variance: Vec<Vec<f64>>,
    /// The test, with a degree of freedom less than there are groups that were at risk.
    pub test: ChiSquared,
}

impl LogRank {
    /// Two-sided p-value.
    #[must_use]
    pub fn p(&self) -> f64 {
        self.test.p()
    }

    /// For two groups: signed root of the statistic, negative when the first group had fewer
    /// events than expected. `None` for more groups.
    #[must_use]
    pub fn z(&self) -> Option<f64> {
        if self.groups.len() != 2 {
            return None;
        }
        Some((self.observed[0] - self.expected[0]) / self.variance[0][0].sqrt())
    }
}

/// Compares groups: `O - E` summed over event times, with its hypergeometric variance.
///
/// `group` has a label for each row; labels are any numbers.
///
/// # Errors
/// When lists differ in length, nobody had the event, or fewer than two groups were ever at risk
/// at an event together with others.
pub fn log_rank(data: &Survival, group: &[usize], options: &LogRankOptions) -> Result<LogRank> {
    let n = data.len();
    length("the list of groups", n, group.len())?;
    not_negative("rho", options.rho)?;
    if data.events() == 0 {
        return Err(Error::NoEvents { what: "events" });
    }
    let (code, groups) = compress(group);
    let k = groups.len();
    let mut subjects = vec![0; k];
    for &g in &code {
        subjects[g] += 1;
    }
    let (stratum, strata) = match options.strata {
        Some(labels) => {
            length("the list of strata", n, labels.len())?;
            compress(labels)
        }
        None => (vec![0; n], vec![0]),
    };
    let mut sums = Sums::new(k);
    let mut rows = Vec::with_capacity(n);
    for s in 0..strata.len() {
        rows.clear();
        rows.extend(data.order().iter().copied().filter(|row| stratum[*row] == s));
        sums.add_stratum(data, &rows, &code, options.rho);
    }
    let test = sums.test()?;
    Ok(LogRank {
        groups,
        subjects,
        observed: sums.observed,
        expected: sums.expected,
        variance: (0..k).map(|i| sums.variance.row(i).iter().copied().collect()).collect(),
        test,
    })
}

struct Sums {
    observed: Vec<f64>,
    expected: Vec<f64>,
    variance: DMatrix<f64>,
}

impl Sums {
    fn new(k: usize) -> Self {
        Self { observed: vec![0.0; k], expected: vec![0.0; k], variance: DMatrix::zeros(k, k) }
    }

    /// `rows` are those of a stratum, by time with events first.
    fn add_stratum(&mut self, data: &Survival, rows: &[usize], code: &[usize], rho: f64) {
        let k = self.observed.len();
        let mut at_risk = vec![0_usize; k];
        for row in rows {
            at_risk[code[*row]] += 1;
        }
        let (time, event) = (data.times(), data.event_flags());
        let mut survival: f64 = 1.0;
        let mut left = rows.len();
        let mut first = 0;
        while first < rows.len() {
            let now = time[rows[first]];
            let mut end = first;
            let mut deaths = 0_usize;
            // The curve just before now is the weight: it does not know what happens now.
            let weight = if rho == 0.0 { 1.0 } else { survival.powf(rho) };
            while end < rows.len() && time[rows[end]] == now {
                if event[rows[end]] {
                    deaths += 1;
                    self.observed[code[rows[end]]] += weight;
                }
                end += 1;
            }
            if deaths > 0 {
                let (n, d) = (left as f64, deaths as f64);
                // With one subject left nothing is random.
                let spread = if left > 1 { d * (n - d) / (n - 1.0) } else { 0.0 };
                for i in 0..k {
                    let share = at_risk[i] as f64 / n;
                    self.expected[i] += weight * d * share;
                    let base = weight * weight * spread * share;
                    self.variance[(i, i)] += base;
                    for (j, here) in at_risk.iter().enumerate() {
                        self.variance[(i, j)] -= base * *here as f64 / n;
                    }
                }
                survival *= (n - d) / n;
            }
            for row in &rows[first..end] {
                at_risk[code[*row]] -= 1;
            }
            left -= end - first;
            first = end;
        }
    }

    fn test(&self) -> Result<ChiSquared> {
        // A group never at risk at an event says nothing.
        let known: Vec<usize> =
            (0..self.observed.len()).filter(|i| self.variance[(*i, *i)] > 0.0).collect();
        if known.len() < 2 {
            return Err(Error::TooFewGroups { found: known.len() });
        }
        // The differences sum to zero: the last group is given by the others.
        let df = known.len() - 1;
        let u = DVector::from_fn(df, |i, _| self.observed[known[i]] - self.expected[known[i]]);
        let v = DMatrix::from_fn(df, df, |i, j| self.variance[(known[i], known[j])]);
        // Groups that were never at risk together leave the matrix singular.
        let solved = v.cholesky().ok_or(Error::TooFewGroups { found: 1 })?.solve(&u);
        Ok(ChiSquared { statistic: u.dot(&solved), df })
    }
}

/// Log-rank test of two groups from a simulation's own rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoSample {
    /// Events in the second group.
    pub observed: f64,
    /// Events expected there.
    pub expected: f64,
    /// Variance of the difference.
    pub variance: f64,
}

impl TwoSample {
    /// `(O - E)/sqrt(V)` of the second group, negative when it had fewer events than expected;
    /// `None` when the variance is zero (no event, or never both groups at risk).
    #[must_use]
    pub fn z(&self) -> Option<f64> {
        (self.variance > 0.0).then(|| (self.observed - self.expected) / self.variance.sqrt())
    }

    /// Two-sided p-value.
    #[must_use]
    pub fn p(&self) -> Option<f64> {
        self.z().map(|z| 2.0 * normal::sf(z.abs()))
    }
}

/// Log-rank sums of rows `(time, event, in the second group)`, which are sorted in place and
/// nothing else is stored: for simulations. The times must be numbers.
pub fn two_sample_in_place(rows: &mut [(f64, bool, bool)]) -> TwoSample {
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut second = rows.iter().filter(|row| row.2).count();
    let mut sums = TwoSample { observed: 0.0, expected: 0.0, variance: 0.0 };
    let n = rows.len();
    let mut first = 0;
    while first < n {
        let now = rows[first].0;
        let (mut end, mut deaths, mut there, mut leaving) = (first, 0_usize, 0_usize, 0_usize);
        while end < n && rows[end].0 == now {
            let (_, event, in_second) = rows[end];
            deaths += usize::from(event);
            there += usize::from(event && in_second);
            leaving += usize::from(in_second);
            end += 1;
        }
        if deaths > 0 {
            let (at_risk, d) = ((n - first) as f64, deaths as f64);
            let share = second as f64 / at_risk;
            sums.observed += there as f64;
            sums.expected += d * share;
            if n - first > 1 {
                sums.variance += d * share * (1.0 - share) * (at_risk - d) / (at_risk - 1.0);
            }
        }
        second -= leaving;
        first = end;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Freireich 1963: 6-mercaptopurine against placebo, 21 pairs.
    pub(super) fn freireich() -> (Survival, Vec<usize>) {
        let treated = [
            6., 6., 6., 6., 7., 9., 10., 10., 11., 13., 16., 17., 19., 20., 22., 23., 25., 32.,
            32., 34., 35.,
        ];
        let relapse = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0];
        let placebo = [
            1., 1., 2., 2., 3., 4., 4., 5., 5., 8., 8., 8., 8., 11., 11., 12., 12., 15., 17., 22.,
            23.,
        ];
        let time = treated.iter().chain(&placebo).copied().collect();
        let event = relapse.iter().map(|e| *e == 1).chain([true; 21]).collect();
        let group = [1; 21].into_iter().chain([0; 21]).collect();
        (Survival::new(time, event).expect("valid"), group)
    }

    #[test]
    fn freireich_1963() {
        // O 9 and 21, E 19.25 and 10.75, chi-square 16.79: Kleinbaum and Klein, and others.
        let (data, group) = freireich();
        let test = log_rank(&data, &group, &LogRankOptions::default()).expect("two groups");
        assert_eq!(test.observed, [21.0, 9.0]);
        assert!((test.expected[1] - 19.25).abs() < 0.005);
        assert!((test.test.statistic - 16.79).abs() < 0.005);
        assert_eq!(test.test.df, 1);
        let mut rows: Vec<_> =
            (0..42).map(|i| (data.times()[i], data.event_flags()[i], group[i] == 1)).collect();
        let fast = two_sample_in_place(&mut rows);
        assert!((fast.z().expect("events").powi(2) - test.test.statistic).abs() < 1e-10);
        assert!((fast.z().expect("events") + test.z().expect("two groups")).abs() < 1e-10);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let data = Survival::new(vec![1.0, 2.0], vec![false, false]).expect("valid");
        let options = LogRankOptions::default();
        assert!(matches!(log_rank(&data, &[0, 1], &options), Err(Error::NoEvents { .. })));
        let data = Survival::new(vec![1.0, 2.0], vec![true, true]).expect("valid");
        assert!(matches!(log_rank(&data, &[3, 3], &options), Err(Error::TooFewGroups { .. })));
        assert!(matches!(log_rank(&data, &[3], &options), Err(Error::Length { .. })));
        // The first group is gone before the only event.
        let data = Survival::new(vec![1.0, 2.0, 3.0], vec![false, true, false]).expect("valid");
        let e = log_rank(&data, &[0, 1, 1], &options);
        assert!(matches!(e, Err(Error::TooFewGroups { .. })), "{e:?}");
        let none = two_sample_in_place(&mut []);
        assert_eq!((none.z(), none.p()), (None, None));
    }
}
