//! Proportional hazards of the subdistribution (Fine and Gray 1999): covariates and the cumulative
//! incidence of a cause.
//!
//! Those who had another event stay in the risk set, with the weight `G(t-)/G(T_i-)` that they
//! would still be under observation, G the Kaplan-Meier curve of censoring. Ties as Breslow.

use super::super::regression::{Covariates, Likelihood, Moments, invert, maximise, weights};
use super::{CompetingRisks, cause_of_interest};
use crate::Interval;
use crate::distribution::normal;
use crate::error::{Error, Result, open_unit};
use nalgebra::{DMatrix, DVector};

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct FineGray {
    /// Log subdistribution hazard ratio of each term.
    pub coefficients: Vec<f64>,
    /// Robust covariance that counts the estimation of G (their equations 7 and 8).
    pub covariance: Vec<Vec<f64>>,
    /// Log pseudo likelihood with all coefficients zero.
    pub log_likelihood_null: f64,
    /// Log pseudo likelihood at the coefficients.
    pub log_likelihood: f64,
    /// Newton steps taken.
    pub iterations: usize,
    /// Subjects.
    pub subjects: usize,
    /// Events of the cause.
    pub events: usize,
}

impl FineGray {
    /// Robust standard error of each coefficient.
    #[must_use]
    pub fn std_errors(&self) -> Vec<f64> {
        (0..self.coefficients.len()).map(|j| self.covariance[j][j].sqrt()).collect()
    }

    /// Subdistribution hazard ratio of each term with Wald limits.
    ///
    /// # Errors
    /// On a level outside (0, 1).
    pub fn hazard_ratios(&self, level: f64) -> Result<Vec<(f64, Interval)>> {
        let z = normal::quantile(0.5 + 0.5 * open_unit("the confidence level", level)?);
        let ratio = |(b, se): (&f64, f64)| {
            let limits = Interval { lower: (b - z * se).exp(), upper: (b + z * se).exp() };
            (b.exp(), limits)
        };
        Ok(self.coefficients.iter().zip(self.std_errors()).map(ratio).collect())
    }
}

/// Data by time, events before censoring.
struct Model {
    covariates: Covariates,
    cause: u32,
    causes: Vec<u32>,
    times: Vec<Time>,
    /// G before the time of each position.
    censoring: Vec<f64>,
}

/// A distinct time: its positions, and what happened.
struct Time {
    first: usize,
    end: usize,
    events: usize,
    censored: usize,
    /// G before it.
    g: f64,
}

/// Newton steps before giving up.
const ITERATIONS: usize = 50;

/// Fits a model for one cause; `covariates` has a list for each term with a value for each row.
///
/// # Errors
/// When lists differ in length or hold what is not finite, the cause is 0 or never happened, a
/// term does not vary or is a combination of others, or there is no finite maximum.
pub fn fit(data: &CompetingRisks, cause: u32, covariates: &[&[f64]]) -> Result<FineGray> {
    cause_of_interest(cause)?;
    if covariates.is_empty() {
        return Err(Error::Empty { what: "the list of terms" });
    }
    let events = data.events(cause);
    if events == 0 {
        return Err(Error::NoEvents { what: "events of the cause" });
    }
    let model = Model::new(data, cause, covariates)?;
    let p = covariates.len();
    let found = maximise("the Fine-Gray model", p, ITERATIONS, |beta| model.likelihood(beta))?;
    let bread = invert(&found.at.information)?;
    let robust = &bread * model.meat(&found.beta) * &bread;
    let scale = &model.covariates.scale;
    Ok(FineGray {
        coefficients: (0..p).map(|j| found.beta[j] / scale[j]).collect(),
        covariance: (0..p)
            .map(|i| (0..p).map(|j| robust[(i, j)] / (scale[i] * scale[j])).collect())
            .collect(),
        log_likelihood_null: found.null,
        log_likelihood: found.at.value,
        iterations: found.iterations,
        subjects: data.len(),
        events,
    })
}

impl Model {
    fn new(data: &CompetingRisks, cause: u32, columns: &[&[f64]]) -> Result<Self> {
        let order = data.order();
        let n = order.len();
        let causes: Vec<u32> = order.iter().map(|row| data.causes()[*row]).collect();
        let mut times: Vec<Time> = Vec::new();
        let mut censoring = Vec::with_capacity(n);
        let mut g = 1.0;
        let mut first = 0;
        while first < n {
            let time = data.times()[order[first]];
            let mut end = first;
            while end < n && data.times()[order[end]] == time {
                censoring.push(g);
                end += 1;
            }
            let here = &causes[first..end];
            let events = here.iter().filter(|c| **c == cause).count();
            let censored = here.iter().filter(|c| **c == 0).count();
            times.push(Time { first, end, events, censored, g });
            g *= 1.0 - censored as f64 / (n - first) as f64;
            first = end;
        }
        Ok(Self { covariates: Covariates::new(columns, order)?, cause, causes, times, censoring })
    }

    /// Whether an event of another cause ended the observation of a position.
    fn other(&self, position: usize) -> bool {
        self.causes[position] != 0 && self.causes[position] != self.cause
    }

    /// Risk-set sums at each time with events: those under observation, and with weight G those
    /// who had another event before.
    fn visit(&self, weight: &[f64], mut see: impl FnMut(usize, &Moments)) {
        let p = self.covariates.terms;
        // Others before each time grow forwards, those at risk backwards; both only grow.
        let mut gone = Vec::with_capacity(self.times.len());
        let mut before = Moments::new(p);
        for time in &self.times {
            gone.push((before.sum, before.first.clone(), before.second.clone()));
            for position in (time.first..time.end).filter(|i| self.other(*i)) {
                let weight = weight[position] / self.censoring[position];
                before.add(weight, self.covariates.row(position));
            }
        }
        let mut at_risk = Moments::new(p);
        let mut all = Moments::new(p);
        for (i, time) in self.times.iter().enumerate().rev() {
            for (i, weight) in weight[time.first..time.end].iter().enumerate() {
                at_risk.add(*weight, self.covariates.row(time.first + i));
            }
            if time.events > 0 {
                let (sum, first, second) = &gone[i];
                all.sum = at_risk.sum + time.g * sum;
                for (a, (r, g)) in all.first.iter_mut().zip(at_risk.first.iter().zip(first)) {
                    *a = r + time.g * g;
                }
                for (a, (r, g)) in all.second.iter_mut().zip(at_risk.second.iter().zip(second)) {
                    *a = r + time.g * g;
                }
                see(i, &all);
            }
        }
    }

    fn likelihood(&self, beta: &DVector<f64>) -> Likelihood {
        let p = self.covariates.terms;
        let eta = self.covariates.predictor(beta);
        let (weight, top) = weights(&eta);
        let mut score = DVector::zeros(p);
        let mut information = DMatrix::zeros(p, p);
        let mut value = 0.0;
        for position in (0..eta.len()).filter(|i| self.causes[*i] == self.cause) {
            value += eta[position] - top;
            for (u, x) in score.iter_mut().zip(self.covariates.row(position)) {
                *u += x;
            }
        }
        self.visit(&weight, |i, all| {
            let d = self.times[i].events as f64;
            value -= d * all.sum.ln();
            for j in 0..p {
                let mean = all.first[j] / all.sum;
                score[j] -= d * mean;
                for k in 0..=j {
                    let second = all.second[j * p + k] / all.sum;
                    information[(j, k)] += d * (second - mean * all.first[k] / all.sum);
                }
            }
        });
        for j in 0..p {
            for k in 0..j {
                information[(k, j)] = information[(j, k)];
            }
        }
        if value.is_nan() {
            value = f64::NEG_INFINITY;
        }
        Likelihood { value, score, information }
    }

    /// Sum of the squares of what each subject contributes to the score, the estimation of G
    /// included.
    fn meat(&self, beta: &DVector<f64>) -> DMatrix<f64> {
        let p = self.covariates.terms;
        let (weight, _) = weights(&self.covariates.predictor(beta));
        let m = self.times.len();
        // At each time the jump of the baseline hazard, and the mean covariates times it.
        let mut jump = vec![0.0; m];
        let mut mean_jump = vec![vec![0.0; p]; m];
        self.visit(&weight, |i, all| {
            jump[i] = self.times[i].events as f64 / all.sum;
            for (to, sum) in mean_jump[i].iter_mut().zip(&all.first) {
                *to = jump[i] * sum / all.sum;
            }
        });
        // Sums over times up to each, plain; and from each to the end, times G.
        let mut so_far = (0.0, vec![0.0; p]);
        let mut to_come = vec![(0.0, vec![0.0; p]); m + 1];
        for i in (0..m).rev() {
            let g = self.times[i].g;
            let (sum, first) = to_come[i + 1].clone();
            let first = first.iter().zip(&mean_jump[i]).map(|(a, b)| a + g * b).collect();
            to_come[i] = (sum + g * jump[i], first);
        }
        // Others before each time, weighted by 1/G at their own.
        let mut gone = (0.0, vec![0.0; p]);
        let mut censoring_so_far = vec![0.0; p];
        let n = weight.len();
        let mut meat = DMatrix::zeros(p, p);
        let mut part = vec![0.0; p];
        for (i, time) in self.times.iter().enumerate() {
            so_far.0 += jump[i];
            for (sum, more) in so_far.1.iter_mut().zip(&mean_jump[i]) {
                *sum += more;
            }
            // What a censoring at this time changes, per subject at risk.
            let at_risk = (n - time.first) as f64;
            let (later, later_mean) = &to_come[i];
            let q: Vec<f64> =
                (0..p).map(|j| (gone.1[j] * later - gone.0 * later_mean[j]) / at_risk).collect();
            let hazard = time.censored as f64 / at_risk;
            for (sum, q) in censoring_so_far.iter_mut().zip(&q) {
                *sum += q * hazard;
            }
            for (within, &own) in weight[time.first..time.end].iter().enumerate() {
                let position = time.first + within;
                let x = self.covariates.row(position);
                for j in 0..p {
                    part[j] = -own * (x[j] * so_far.0 - so_far.1[j]) - censoring_so_far[j];
                    if self.causes[position] == self.cause {
                        part[j] += x[j] - mean_jump[i][j] / jump[i];
                    } else if self.causes[position] == 0 {
                        part[j] += q[j];
                    } else {
                        let (sum, first) = &to_come[i + 1];
                        let w = own / self.censoring[position];
                        part[j] -= w * (x[j] * sum - first[j]);
                    }
                }
                for j in 0..p {
                    for k in 0..p {
                        meat[(j, k)] += part[j] * part[k];
                    }
                }
            }
            for position in (time.first..time.end).filter(|i| self.other(*i)) {
                let w = weight[position] / self.censoring[position];
                gone.0 += w;
                for (sum, x) in gone.1.iter_mut().zip(self.covariates.row(position)) {
                    *sum += w * x;
                }
            }
        }
        meat
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::cox::{self, CoxOptions, Ties};
    use super::super::super::data::Survival;
    use super::*;

    #[test]
    fn without_other_causes_it_is_the_cox_model() {
        let time: Vec<f64> = (0..40).map(|i| f64::from((i * 17) % 23 + 1)).collect();
        let event: Vec<bool> = (0..40).map(|i| i % 4 != 0).collect();
        let x: Vec<f64> = (0..40).map(|i| f64::from((i * 7) % 11)).collect();
        let cause = event.iter().map(|e| u32::from(*e)).collect();
        let risks = CompetingRisks::new(time.clone(), cause).expect("valid");
        let ours = fit(&risks, 1, &[&x]).expect("fits");
        let data = Survival::new(time, event).expect("valid");
        let options = CoxOptions { ties: Ties::Breslow, ..CoxOptions::default() };
        let cox = cox::fit(&data, &[&x], &options).expect("fits");
        assert!((ours.coefficients[0] - cox.coefficients[0]).abs() < 1e-9);
        assert!((ours.log_likelihood - cox.log_likelihood).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let data = CompetingRisks::new(vec![1.0, 2.0, 3.0], vec![2, 2, 0]).expect("valid");
        let x = [1.0, 2.0, 0.5];
        assert!(matches!(fit(&data, 1, &[&x]), Err(Error::NoEvents { .. })));
        assert!(matches!(fit(&data, 0, &[&x]), Err(Error::Parameter { .. })));
        assert!(matches!(fit(&data, 2, &[]), Err(Error::Empty { .. })));
        assert!(matches!(fit(&data, 2, &[&[1.0; 3]]), Err(Error::Collinear { term: 0 })));
    }
}
