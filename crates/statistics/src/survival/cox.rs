//! Proportional hazards (Cox 1972): `hazard(t | x) = hazard_0(t) exp(x beta)`.
//!
//! The partial likelihood is maximised by Newton's method with halved steps on covariates that are
//! centred and scaled. Every risk set is visited once an iteration, from the last time to the
//! first, so that sums over those at risk only grow.

use super::data::{Survival, compress};
use super::kaplan_meier::KaplanMeier;
use super::regression::{Covariates, Likelihood, Moments, dependent, invert, maximise, weights};
use crate::distribution::{ln_gamma, normal};
use crate::error::{Error, Result, length, open_unit};
use crate::{ChiSquared, Interval};
use nalgebra::{DMatrix, DVector};

/// What to do with events at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ties {
    /// Efron (1977): those who die leave the risk set by equal parts. Good for few and many ties.
    #[default]
    Efron,
    /// Breslow (1974): those who die stay in the risk set; biased towards zero with many ties.
    Breslow,
    /// The exact partial likelihood of discrete times (Cox 1972): the chance that of all sets of
    /// as many subjects at risk this one died. Cost grows with ties times those at risk.
    Exact,
}

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoxOptions<'a> {
    /// Treatment of ties.
    pub ties: Ties,
    /// Stratum of each row: each has its own baseline hazard.
    pub strata: Option<&'a [usize]>,
    /// Newton steps before giving up.
    pub max_iterations: usize,
}

impl Default for CoxOptions<'_> {
    fn default() -> Self {
        Self { ties: Ties::Efron, strata: None, max_iterations: 50 }
    }
}

/// A fitted model.
#[derive(Debug, Clone)]
pub struct Cox {
    /// Log hazard ratio of each term.
    pub coefficients: Vec<f64>,
    /// Inverse of the observed information, a row for each term.
    pub covariance: Vec<Vec<f64>>,
    /// Log partial likelihood with all coefficients zero.
    pub log_likelihood_null: f64,
    /// Log partial likelihood at the coefficients.
    pub log_likelihood: f64,
    /// Twice the difference of the two.
    pub likelihood_ratio: ChiSquared,
    /// `beta' I beta`.
    pub wald: ChiSquared,
    /// `U(0)' I(0)^-1 U(0)`; without ties and with one group as the term, the log-rank test.
    pub score: ChiSquared,
    /// Newton steps taken.
    pub iterations: usize,
    /// Subjects.
    pub subjects: usize,
    /// Events.
    pub events: usize,
    model: Model,
}

/// Data in the order in which the likelihood is summed.
#[derive(Debug, Clone)]
struct Model {
    ties: Ties,
    covariates: Covariates,
    time: Vec<f64>,
    event: Vec<bool>,
    /// Row of each position.
    row: Vec<usize>,
    /// First position of each stratum, and one past the last.
    bounds: Vec<usize>,
    /// Kaplan-Meier curve of all, for the test of proportional hazards.
    curve: KaplanMeier,
}

/// What one time of events contributes.
struct Contribution<'a> {
    time: f64,
    deaths: usize,
    /// Sum over deaths of the covariates less their mean in the risk set.
    score: &'a [f64],
    /// Their variance, summed likewise.
    information: &'a DMatrix<f64>,
}

/// Fits a model; `covariates` has a list for each term with a value for each row.
///
/// # Errors
/// When lists differ in length or hold what is not finite, nobody had the event, a term does not
/// vary or is a combination of others, or the likelihood has no finite maximum.
pub fn fit(data: &Survival, covariates: &[&[f64]], options: &CoxOptions) -> Result<Cox> {
    let model = Model::new(data, covariates, options)?;
    let p = covariates.len();
    let found =
        maximise("the Cox model", p, options.max_iterations, |beta| model.likelihood(beta))?;
    let scale = &model.covariates.scale;
    let chi = |statistic| ChiSquared { statistic, df: p };
    let beta = &found.beta;
    Ok(Cox {
        coefficients: (0..p).map(|j| beta[j] / scale[j]).collect(),
        covariance: (0..p)
            .map(|i| (0..p).map(|j| found.inverse[(i, j)] / (scale[i] * scale[j])).collect())
            .collect(),
        log_likelihood_null: found.null,
        log_likelihood: found.at.value,
        likelihood_ratio: chi(2.0 * (found.at.value - found.null)),
        wald: chi((beta.transpose() * &found.at.information * beta)[0]),
        score: chi(found.score_test),
        iterations: found.iterations,
        subjects: data.len(),
        events: data.events(),
        model,
    })
}

impl Model {
    fn new(data: &Survival, covariates: &[&[f64]], options: &CoxOptions) -> Result<Self> {
        let n = data.len();
        if covariates.is_empty() {
            return Err(Error::Empty { what: "the list of terms" });
        }
        if data.events() == 0 {
            return Err(Error::NoEvents { what: "events" });
        }
        let (stratum, strata) = match options.strata {
            Some(labels) => {
                length("the list of strata", n, labels.len())?;
                compress(labels)
            }
            None => (vec![0; n], vec![0]),
        };
        let mut row = Vec::with_capacity(n);
        let mut bounds = vec![0];
        for s in 0..strata.len() {
            row.extend(data.order().iter().copied().filter(|r| stratum[*r] == s));
            bounds.push(row.len());
        }
        Ok(Self {
            ties: options.ties,
            covariates: Covariates::new(covariates, &row)?,
            time: row.iter().map(|r| data.times()[*r]).collect(),
            event: row.iter().map(|r| data.event_flags()[*r]).collect(),
            row,
            bounds,
            curve: KaplanMeier::fit(data),
        })
    }

    fn likelihood(&self, beta: &DVector<f64>) -> Likelihood {
        let p = self.covariates.terms;
        let mut score = DVector::zeros(p);
        let mut information = DMatrix::zeros(p, p);
        let value = self.visit(beta, |part| {
            for (total, u) in score.iter_mut().zip(part.score) {
                *total += u;
            }
            information += part.information;
        });
        Likelihood { value, score, information }
    }

    /// Log likelihood; `see` is given each time of events, the last of a stratum first.
    fn visit(&self, beta: &DVector<f64>, mut see: impl FnMut(&Contribution)) -> f64 {
        let p = self.covariates.terms;
        let eta = self.covariates.predictor(beta);
        let (weight, top) = weights(&eta);
        let mut value = 0.0;
        let mut risk = Moments::new(p);
        let mut dying = Moments::new(p);
        let mut score = vec![0.0; p];
        let mut information = DMatrix::zeros(p, p);
        for bounds in self.bounds.windows(2) {
            risk.clear();
            let mut end = bounds[1];
            while end > bounds[0] {
                let time = self.time[end - 1];
                let mut first = end;
                dying.clear();
                let mut deaths = 0;
                while first > bounds[0] && self.time[first - 1] == time {
                    first -= 1;
                    risk.add(weight[first], self.covariates.row(first));
                    if self.event[first] {
                        deaths += 1;
                        dying.add(weight[first], self.covariates.row(first));
                        value += eta[first] - top;
                    }
                }
                if deaths > 0 {
                    score.fill(0.0);
                    information.fill(0.0);
                    // Events are first among equal times.
                    for position in first..first + deaths {
                        for (u, x) in score.iter_mut().zip(self.covariates.row(position)) {
                            *u += x;
                        }
                    }
                    if self.ties == Ties::Exact && deaths > 1 {
                        let sets = self.subsets(first..bounds[1], &weight, deaths);
                        value -= sets.ln;
                        for (u, mean) in score.iter_mut().zip(&sets.mean) {
                            *u -= mean;
                        }
                        information += sets.variance;
                    } else {
                        for l in 0..deaths {
                            let part = match self.ties {
                                Ties::Efron => l as f64 / deaths as f64,
                                _ => 0.0,
                            };
                            let total = risk.sum - part * dying.sum;
                            value -= total.ln();
                            for j in 0..p {
                                let mean_j = (risk.first[j] - part * dying.first[j]) / total;
                                score[j] -= mean_j;
                                for k in 0..=j {
                                    let mean_k = (risk.first[k] - part * dying.first[k]) / total;
                                    let second = (risk.second[j * p + k]
                                        - part * dying.second[j * p + k])
                                        / total;
                                    information[(j, k)] += second - mean_j * mean_k;
                                }
                            }
                        }
                        for j in 0..p {
                            for k in 0..j {
                                information[(k, j)] = information[(j, k)];
                            }
                        }
                    }
                    see(&Contribution { time, deaths, score: &score, information: &information });
                }
                end = first;
            }
        }
        if value.is_nan() { f64::NEG_INFINITY } else { value }
    }

    /// Sum over all subsets of `size` of those at risk of the product of their weights, as a
    /// logarithm, and the mean and variance of the subset's covariate sum under it.
    ///
    /// The recursion adds one subject at a time and keeps means over subsets instead of sums, so
    /// that nothing overflows: `b(r, k) = (r - k)/r b(r - 1, k) + k/r w b(r - 1, k - 1)`
    /// (Gail, Lubin and Rubinstein 1981, up to that scaling).
    fn subsets(&self, at_risk: std::ops::Range<usize>, weight: &[f64], size: usize) -> Subsets {
        let p = self.covariates.terms;
        let pairs = p * (p + 1) / 2;
        let width = 1 + p + pairs;
        // For each k: the mean product, then its first and second derivatives.
        let mut table = vec![0.0; (size + 1) * width];
        table[0] = 1.0;
        // Weights relative to the largest at risk, to stay away from underflow.
        let top = weight[at_risk.clone()].iter().copied().fold(0.0, f64::max);
        let count = at_risk.len();
        for (done, position) in at_risk.enumerate() {
            let r = (done + 1) as f64;
            let w = weight[position] / top;
            let x = self.covariates.row(position);
            for k in (1..=size.min(done + 1)).rev() {
                let (keep, take) = ((r - k as f64).max(0.0) / r, k as f64 / r * w);
                let (before, from) = table.split_at_mut(k * width);
                let (below, here) = (&before[(k - 1) * width..], &mut from[..width]);
                let mut index = 1 + p;
                for i in 0..p {
                    for j in 0..=i {
                        let product = below[index]
                            + below[1 + i] * x[j]
                            + below[1 + j] * x[i]
                            + below[0] * x[i] * x[j];
                        here[index] = keep * here[index] + take * product;
                        index += 1;
                    }
                }
                for i in 0..p {
                    let product = below[1 + i] + below[0] * x[i];
                    here[1 + i] = keep * here[1 + i] + take * product;
                }
                here[0] = keep * here[0] + take * below[0];
            }
        }
        let end = &table[size * width..];
        let mean: Vec<f64> = (0..p).map(|i| end[1 + i] / end[0]).collect();
        let mut variance = DMatrix::zeros(p, p);
        let mut index = 1 + p;
        for i in 0..p {
            for j in 0..=i {
                let value = end[index] / end[0] - mean[i] * mean[j];
                variance[(i, j)] = value;
                variance[(j, i)] = value;
                index += 1;
            }
        }
        let (n, k) = (count as f64, size as f64);
        let ways = ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
        Subsets { ln: ways + end[0].ln() + k * top.ln(), mean, variance }
    }
}

struct Subsets {
    ln: f64,
    mean: Vec<f64>,
    variance: DMatrix<f64>,
}

/// How time enters the test of proportional hazards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeTransform {
    /// `1 - S(t-)` of the Kaplan-Meier curve of all: not swayed by a few late events.
    #[default]
    KaplanMeier,
    /// Time itself.
    Identity,
    /// Its logarithm.
    Log,
    /// Rank among the times of events.
    Rank,
}

/// Test that coefficients do not change with time.
#[derive(Debug, Clone, PartialEq)]
pub struct ProportionalHazards {
    /// One for each term.
    pub terms: Vec<ChiSquared>,
    /// All terms together.
    pub global: ChiSquared,
}

impl Cox {
    /// Standard error of each coefficient.
    #[must_use]
    pub fn std_errors(&self) -> Vec<f64> {
        (0..self.coefficients.len()).map(|j| self.covariance[j][j].sqrt()).collect()
    }

    /// Hazard ratio of each term with Wald limits `exp(beta +- z se)`.
    ///
    /// # Errors
    /// On a level outside (0, 1).
    pub fn hazard_ratios(&self, level: f64) -> Result<Vec<(f64, Interval)>> {
        let z = normal::quantile(0.5 + 0.5 * open_unit("the confidence level", level)?);
        let limits = |(beta, se): (&f64, f64)| {
            let half = z * se;
            (beta.exp(), Interval { lower: (beta - half).exp(), upper: (beta + half).exp() })
        };
        Ok(self.coefficients.iter().zip(self.std_errors()).map(limits).collect())
    }

    fn scaled(&self) -> DVector<f64> {
        DVector::from_fn(self.coefficients.len(), |j, _| {
            self.coefficients[j] * self.model.covariates.scale[j]
        })
    }

    /// Test of proportional hazards: the score test of adding `x g(t)` to the model, the form in
    /// which Grambsch and Therneau (1994) is exact and does not assume the variance of the
    /// covariates to be constant in time.
    ///
    /// With the transform [`TimeTransform::KaplanMeier`] the curve is that of all subjects,
    /// strata or not.
    ///
    /// # Errors
    /// When the logarithm of an event at time zero is asked for, or events have a single time.
    pub fn proportional_hazards(&self, transform: TimeTransform) -> Result<ProportionalHazards> {
        let p = self.coefficients.len();
        // Visited twice, because g is centred at its mean over events first.
        let mut events: Vec<f64> = Vec::new();
        let beta = self.scaled();
        self.model.visit(&beta, |part| events.extend(std::iter::repeat_n(part.time, part.deaths)));
        events.sort_by(f64::total_cmp);
        if transform == TimeTransform::Log && events[0] <= 0.0 {
            let expected = "an event after time 0 (the logarithm is asked for)";
            return Err(Error::Parameter { name: "the first event", value: events[0], expected });
        }
        let g = |time: f64| match transform {
            TimeTransform::KaplanMeier => 1.0 - self.model.curve.at(time.next_down()).survival,
            TimeTransform::Identity => time,
            TimeTransform::Log => time.ln(),
            // The mean of the ranks that equal times share.
            TimeTransform::Rank => {
                let below = events.partition_point(|t| *t < time);
                let until = events.partition_point(|t| *t <= time);
                0.5 * (below + until + 1) as f64
            }
        };
        let centre = events.iter().map(|t| g(*t)).sum::<f64>() / events.len() as f64;
        let mut u = DVector::zeros(p);
        let mut parts = [DMatrix::zeros(p, p), DMatrix::zeros(p, p), DMatrix::zeros(p, p)];
        self.model.visit(&beta, |part| {
            let g = g(part.time) - centre;
            for (total, s) in u.iter_mut().zip(part.score) {
                *total += g * s;
            }
            let [plain, once, twice] = &mut parts;
            *plain += part.information;
            *once += g * part.information;
            *twice += g * g * part.information;
        });
        let [plain, once, twice] = parts;
        let variance = twice - &once * invert(&plain)? * &once;
        if let Some(term) = dependent(&variance) {
            return Err(Error::Collinear { term });
        }
        let terms = (0..p)
            .map(|j| ChiSquared { statistic: u[j] * u[j] / variance[(j, j)], df: 1 })
            .collect();
        let solved = variance.cholesky().ok_or(Error::Collinear { term: p - 1 })?.solve(&u);
        Ok(ProportionalHazards { terms, global: ChiSquared { statistic: u.dot(&solved), df: p } })
    }

    /// Martingale residuals in the order of the rows: event less expected events. They sum to
    /// zero in each stratum. With [`Ties::Exact`] the hazard is Breslow's.
    #[must_use]
    pub fn martingale_residuals(&self) -> Vec<f64> {
        let model = &self.model;
        let (weight, _) = weights(&model.covariates.predictor(&self.scaled()));
        let mut residuals = vec![0.0; model.row.len()];
        for bounds in model.bounds.windows(2) {
            // Sums over those still at risk, by position.
            let mut at_risk = vec![0.0; bounds[1] - bounds[0] + 1];
            for position in (bounds[0]..bounds[1]).rev() {
                let i = position - bounds[0];
                at_risk[i] = at_risk[i + 1] + weight[position];
            }
            let mut hazard = 0.0;
            let mut first = bounds[0];
            while first < bounds[1] {
                let time = model.time[first];
                let same = |i: &usize| model.time[*i] == time;
                let end = (first..bounds[1]).take_while(same).last().map_or(first, |i| i) + 1;
                let deaths = (first..end).filter(|i| model.event[*i]).count();
                let dying: f64 = (first..end).filter(|i| model.event[*i]).map(|i| weight[i]).sum();
                let total = at_risk[first - bounds[0]];
                let (mut jump, mut jump_of_dying) = (0.0, 0.0);
                for l in 0..deaths {
                    let part = match model.ties {
                        Ties::Efron => l as f64 / deaths as f64,
                        _ => 0.0,
                    };
                    jump += 1.0 / (total - part * dying);
                    jump_of_dying += (1.0 - part) / (total - part * dying);
                }
                for position in first..end {
                    let event = model.event[position];
                    let here = hazard + if event { jump_of_dying } else { jump };
                    residuals[model.row[position]] =
                        f64::from(u8::from(event)) - weight[position] * here;
                }
                hazard += jump;
                first = end;
            }
        }
        residuals
    }

    /// Harrell's C: of pairs whose order of events is known, the share in which the one with the
    /// greater hazard had the event first; equal predictions count half. `None` without a pair.
    ///
    /// Pairs are within strata; two events at the same time make no pair.
    #[must_use]
    pub fn concordance(&self) -> Option<f64> {
        let model = &self.model;
        let eta = model.covariates.predictor(&self.scaled());
        let mut sorted = eta.clone();
        sorted.sort_by(f64::total_cmp);
        // Predictions that differ by rounding only are equal.
        let same = |a: f64, b: f64| (a - b).abs() <= 1e-12 * (1.0 + a.abs());
        let mut levels: Vec<f64> = Vec::new();
        for value in sorted {
            if levels.last().is_none_or(|last| !same(*last, value)) {
                levels.push(value);
            }
        }
        let rank = |value: f64| {
            let i = levels.partition_point(|level| *level < value);
            if i < levels.len() && same(levels[i], value) { i } else { i - 1 }
        };
        let (mut good, mut pairs) = (0.0, 0.0);
        for bounds in model.bounds.windows(2) {
            let mut later = Counts::new(levels.len());
            let mut end = bounds[1];
            while end > bounds[0] {
                let time = model.time[end - 1];
                let mut first = end;
                while first > bounds[0] && model.time[first - 1] == time {
                    first -= 1;
                }
                let deaths = (first..end).take_while(|i| model.event[*i]).count();
                // Censored at the time of an event: had it later.
                for value in &eta[first + deaths..end] {
                    later.add(rank(*value));
                }
                for value in &eta[first..first + deaths] {
                    let r = rank(*value);
                    let (below, until) = (later.below(r), later.below(r + 1));
                    good += below as f64 + 0.5 * (until - below) as f64;
                    pairs += later.total as f64;
                }
                for value in &eta[first..first + deaths] {
                    later.add(rank(*value));
                }
                end = first;
            }
        }
        (pairs > 0.0).then(|| good / pairs)
    }
}

/// How many of each rank (a Fenwick tree).
struct Counts {
    tree: Vec<usize>,
    total: usize,
}

impl Counts {
    fn new(levels: usize) -> Self {
        Self { tree: vec![0; levels + 1], total: 0 }
    }

    fn add(&mut self, rank: usize) {
        self.total += 1;
        let mut i = rank + 1;
        while i < self.tree.len() {
            self.tree[i] += 1;
            i += i & i.wrapping_neg();
        }
    }

    /// How many have a rank below this one.
    fn below(&self, rank: usize) -> usize {
        let (mut i, mut sum) = (rank, 0);
        while i > 0 {
            sum += self.tree[i];
            i -= i & i.wrapping_neg();
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freireich_1963() {
        // Hazard ratio of placebo 4.52 (Breslow), 4.82 (Efron), 5.09 (exact): Kalbfleisch and
        // Prentice give 1.509 for Breslow, Collett and others the rest.
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
        let data = Survival::new(time, event).expect("valid");
        let x: Vec<f64> = (0..42).map(|i| f64::from(u8::from(i >= 21))).collect();
        for (ties, beta) in [(Ties::Breslow, 1.509), (Ties::Efron, 1.572), (Ties::Exact, 1.628)] {
            let options = CoxOptions { ties, ..CoxOptions::default() };
            let model = fit(&data, &[&x], &options).expect("fits");
            assert!((model.coefficients[0] - beta).abs() < 5e-4, "{ties:?} {model:?}");
            let sum: f64 = model.martingale_residuals().iter().sum();
            assert!(sum.abs() < 1e-9, "{ties:?} {sum}");
        }
    }

    #[test]
    fn separation_is_named() {
        // All events are at the high end: the likelihood rises for ever.
        let data = Survival::new(
            vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            vec![true, true, true, false, false, false],
        );
        let data = data.expect("valid");
        let x = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0];
        let noise = [0.3, -0.2, 0.9, 0.1, 0.4, -0.7];
        for ties in [Ties::Efron, Ties::Breslow, Ties::Exact] {
            let options = CoxOptions { ties, ..CoxOptions::default() };
            let e = fit(&data, &[&x], &options).map(|m| m.coefficients);
            assert_eq!(e, Err(Error::NoFiniteMaximum { term: 0 }));
            let e = fit(&data, &[&noise, &x], &options).map(|m| m.coefficients);
            assert!(matches!(e, Err(Error::NoFiniteMaximum { .. })), "{e:?}");
        }
    }

    #[test]
    fn terms_that_say_nothing_are_named() {
        let data = Survival::new(vec![1.0, 2.0, 3.0, 4.0], vec![true; 4]).expect("valid");
        let options = CoxOptions::default();
        let a = [1.0, 5.0, 2.0, 3.0];
        let twice = a.map(|x| 2.0 * x + 7.0);
        let error = |x: &[&[f64]]| fit(&data, x, &options).map(|m| m.iterations);
        assert_eq!(error(&[&[2.0; 4]]), Err(Error::Collinear { term: 0 }));
        assert_eq!(error(&[&a, &twice]), Err(Error::Collinear { term: 1 }));
        assert!(matches!(error(&[]), Err(Error::Empty { .. })));
        assert!(matches!(error(&[&[1.0]]), Err(Error::Length { .. })));
        assert!(matches!(error(&[&[1.0, f64::NAN, 0.0, 0.0]]), Err(Error::Value { row: 1, .. })));
        let none = Survival::new(vec![1.0, 2.0], vec![false; 2]).expect("valid");
        let e = fit(&none, &[&[0.0, 1.0]], &options).map(|m| m.iterations);
        assert!(matches!(e, Err(Error::NoEvents { .. })));
    }
}
