//! Accelerated failure times: `ln T = intercept + x beta + sigma W` with W of a known kind, from
//! exact, censored and interval-censored times.

use super::data::Survival;
use super::interval::IntervalCensored;
use super::regression::{Covariates, dependent};
use crate::distribution::normal;
use crate::error::{Error, Result, length, open_unit};
use nalgebra::{DMatrix, DVector};

/// The distribution of T, by that of W.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// W of least extremes and sigma 1: constant hazard.
    Exponential,
    /// W of least extremes: shape `1/sigma`, scale `exp(intercept + x beta)`.
    Weibull,
    /// W normal.
    LogNormal,
    /// W logistic.
    LogLogistic,
}

/// What is known of a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Observed {
    /// It is this.
    Exactly(f64),
    /// It is later.
    After(f64),
    /// It is not later.
    Before(f64),
    /// It is later than the first and not later than the second.
    Between(f64, f64),
}

impl Observed {
    /// Rows of right-censored data.
    #[must_use]
    pub fn rows(data: &Survival) -> Vec<Self> {
        let rows = data.times().iter().zip(data.event_flags());
        rows.map(|(&t, &event)| if event { Self::Exactly(t) } else { Self::After(t) }).collect()
    }

    /// Rows of interval-censored data.
    #[must_use]
    pub fn intervals(data: &IntervalCensored) -> Vec<Self> {
        let rows = data.left().iter().zip(data.right());
        rows.map(|(&l, &r)| match (l, r) {
            (l, r) if l == r => Self::Exactly(l),
            (l, f64::INFINITY) => Self::After(l),
            (0.0, r) => Self::Before(r),
            (l, r) => Self::Between(l, r),
        })
        .collect()
    }
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Parametric {
    /// The family.
    pub family: Family,
    /// Mean of ln T - sigma W where all covariates are zero.
    pub intercept: f64,
    /// One for each term.
    pub coefficients: Vec<f64>,
    /// Scale of W (1 for the exponential).
    pub sigma: f64,
    /// Inverse of the observed information of intercept, coefficients and (not for the
    /// exponential) ln sigma.
    pub covariance: Vec<Vec<f64>>,
    /// Log likelihood of the times (not of their logarithms).
    pub log_likelihood: f64,
    /// Newton steps taken.
    pub iterations: usize,
}

impl Parametric {
    /// Standard errors in the order of the covariance.
    #[must_use]
    pub fn std_errors(&self) -> Vec<f64> {
        (0..self.covariance.len()).map(|j| self.covariance[j][j].sqrt()).collect()
    }

    fn location(&self, x: &[f64]) -> Result<f64> {
        length("the covariates", self.coefficients.len(), x.len())?;
        Ok(self.intercept + x.iter().zip(&self.coefficients).map(|(x, b)| x * b).sum::<f64>())
    }

    /// Share free of the event at `time`, with covariates `x`.
    ///
    /// # Errors
    /// When x has another number of terms.
    pub fn survival(&self, time: f64, x: &[f64]) -> Result<f64> {
        let location = self.location(x)?;
        if time <= 0.0 {
            return Ok(1.0);
        }
        Ok(self.family.tails((time.ln() - location) / self.sigma).1)
    }

    /// Time by which a share `probability` has had the event, with covariates `x`.
    ///
    /// # Errors
    /// When x has another number of terms, or on a probability outside (0, 1).
    pub fn quantile(&self, probability: f64, x: &[f64]) -> Result<f64> {
        let p = open_unit("the probability of a quantile", probability)?;
        let w = match self.family {
            Family::Exponential | Family::Weibull => (-(-p).ln_1p()).ln(),
            Family::LogNormal => normal::quantile(p),
            Family::LogLogistic => (p / (1.0 - p)).ln(),
        };
        Ok((self.location(x)? + self.sigma * w).exp())
    }
}

/// Log likelihood of a row as a function of its place z, with two derivatives.
struct Place {
    value: f64,
    first: f64,
    second: f64,
}

impl Family {
    /// Probability below and above z.
    fn tails(self, z: f64) -> (f64, f64) {
        match self {
            Self::Exponential | Self::Weibull => {
                let hazard = z.exp();
                (-(-hazard).exp_m1(), (-hazard).exp())
            }
            Self::LogNormal => (normal::cdf(z), normal::sf(z)),
            Self::LogLogistic => (1.0 / (1.0 + (-z).exp()), 1.0 / (1.0 + z.exp())),
        }
    }

    /// Density and its derivative.
    fn density(self, z: f64) -> (f64, f64) {
        if z.is_infinite() {
            return (0.0, 0.0);
        }
        let f = match self {
            Self::Exponential | Self::Weibull => (z - z.exp()).exp(),
            Self::LogNormal => normal::pdf(z),
            Self::LogLogistic => {
                let (below, above) = self.tails(z);
                below * above
            }
        };
        let slope = match self {
            Self::Exponential | Self::Weibull => 1.0 - z.exp(),
            Self::LogNormal => -z,
            Self::LogLogistic => {
                let (below, above) = self.tails(z);
                above - below
            }
        };
        (f, if f == 0.0 { 0.0 } else { f * slope })
    }

    /// ln f(z).
    fn exactly(self, z: f64) -> Place {
        match self {
            Self::Exponential | Self::Weibull => {
                let hazard = z.exp();
                Place { value: z - hazard, first: 1.0 - hazard, second: -hazard }
            }
            Self::LogNormal => {
                let norm = 0.5 * (2.0 * std::f64::consts::PI).ln();
                Place { value: -0.5 * z * z - norm, first: -z, second: -1.0 }
            }
            Self::LogLogistic => {
                let (below, above) = self.tails(z);
                let value = below.ln() + above.ln();
                Place { value, first: above - below, second: -2.0 * below * above }
            }
        }
    }

    /// ln S(z).
    fn after(self, z: f64) -> Place {
        match self {
            Self::Exponential | Self::Weibull => {
                let hazard = z.exp();
                Place { value: -hazard, first: -hazard, second: -hazard }
            }
            Self::LogNormal => {
                let above = normal::sf(z);
                let r = normal::pdf(z) / above;
                Place { value: above.ln(), first: -r, second: r * (z - r) }
            }
            Self::LogLogistic => {
                let (below, above) = self.tails(z);
                Place { value: above.ln(), first: -below, second: -below * above }
            }
        }
    }

    /// ln F(z).
    fn before(self, z: f64) -> Place {
        let (below, _) = self.tails(z);
        let (f, slope) = self.density(z);
        let r = f / below;
        Place { value: below.ln(), first: r, second: slope / below - r * r }
    }
}

/// The likelihood over intercept, scaled coefficients and ln sigma.
struct Model {
    family: Family,
    rows: Vec<Observed>,
    covariates: Covariates,
}

struct Evaluation {
    value: f64,
    score: DVector<f64>,
    information: DMatrix<f64>,
}

/// Newton steps before giving up.
const ITERATIONS: usize = 200;

/// Fits a family; `covariates` has a list for each term (it may be empty), the intercept is
/// always in the model.
///
/// # Errors
/// When lists differ in length or hold what is not finite, a time is not positive where its
/// logarithm is needed, nothing but lower limits is known, a term does not vary, or the
/// likelihood has no finite maximum (all events at one time, say).
pub fn fit(rows: &[Observed], covariates: &[&[f64]], family: Family) -> Result<Parametric> {
    check(rows)?;
    let order: Vec<usize> = (0..rows.len()).collect();
    let covariates = Covariates::new(covariates, &order)?;
    let model = Model { family, rows: rows.to_vec(), covariates };
    let p = model.covariates.terms;
    let free_scale = family != Family::Exponential;
    let size = 1 + p + usize::from(free_scale);

    // Begin at the mean and spread of the logarithms, as far as they are known.
    let known: Vec<f64> = rows
        .iter()
        .filter_map(|row| match *row {
            Observed::Exactly(t) | Observed::Before(t) => Some(t.ln()),
            Observed::After(t) => (t > 0.0).then(|| t.ln()),
            Observed::Between(l, r) => Some(if l > 0.0 { 0.5 * (l.ln() + r.ln()) } else { r.ln() }),
        })
        .collect();
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    let spread = known.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / known.len() as f64;
    let sigma = if spread > 1e-12 { spread.sqrt() } else { 1.0 };
    let mut theta = DVector::zeros(size);
    theta[0] = mean;
    if free_scale {
        theta[size - 1] = sigma.ln();
    }
    let mut here = model.evaluate(&theta);
    let what = "the accelerated failure time model";
    for iterations in 1..=ITERATIONS {
        // Far from the maximum the information may not be positive: then the way of steepest
        // ascent is mixed in until it is.
        let mut ridge = 0.0;
        let step = loop {
            let mut matrix = here.information.clone();
            for j in 0..size {
                matrix[(j, j)] += ridge;
            }
            if let Some(factor) = matrix.cholesky() {
                break factor.solve(&here.score);
            }
            ridge = if ridge == 0.0 { 1e-3 * rows.len() as f64 } else { 4.0 * ridge };
            if !(ridge < 1e12) {
                return Err(Error::NotConverged { what, iterations, gap: f64::INFINITY });
            }
        };
        let gap = here.score.dot(&step);
        let mut length = 1.0;
        loop {
            let trial = &theta + length * &step;
            let there = model.evaluate(&trial);
            if there.value >= here.value - 1e-12 * here.value.abs() {
                (theta, here) = (trial, there);
                break;
            }
            length *= 0.5;
            if length < 1e-12 {
                return Err(Error::NotConverged { what, iterations, gap });
            }
        }
        // A scale that shrinks to nothing: the likelihood has no maximum.
        if free_scale && theta[size - 1] < sigma.ln() - 15.0 {
            return Err(Error::NoFiniteMaximum { term: p });
        }
        if gap < 1e-12 && ridge == 0.0 {
            return model.finish(&theta, &here, iterations);
        }
    }
    Err(Error::NotConverged { what, iterations: ITERATIONS, gap: here.score.norm() })
}

fn check(rows: &[Observed]) -> Result<()> {
    if rows.is_empty() {
        return Err(Error::Empty { what: "the list of times" });
    }
    let mut informative = false;
    for (row, observed) in rows.iter().enumerate() {
        let (value, good, expected) = match *observed {
            Observed::Exactly(t) | Observed::Before(t) => {
                informative = true;
                (t, t > 0.0 && t.is_finite(), "a finite time after 0")
            }
            Observed::After(t) => (t, t >= 0.0 && t.is_finite(), "a finite time, 0 or later"),
            Observed::Between(l, r) => {
                informative = true;
                let good = l >= 0.0 && r > l && r.is_finite();
                (l, good, "a time of 0 or later and a finite one after it")
            }
        };
        if !good {
            return Err(Error::Value { what: "time", row, value, expected });
        }
    }
    if informative { Ok(()) } else { Err(Error::NoEvents { what: "events" }) }
}

impl Model {
    fn evaluate(&self, theta: &DVector<f64>) -> Evaluation {
        let p = self.covariates.terms;
        let size = theta.len();
        let free_scale = size > p + 1;
        let sigma = if free_scale { theta[size - 1].exp() } else { 1.0 };
        let mut value = 0.0;
        let mut score = DVector::<f64>::zeros(size);
        let mut information = DMatrix::<f64>::zeros(size, size);
        let mut design = vec![1.0; p + 1];
        for (i, row) in self.rows.iter().enumerate() {
            design[1..].copy_from_slice(self.covariates.row(i));
            let eta: f64 = design.iter().zip(theta.iter()).map(|(x, b)| x * b).sum();
            let place = |t: f64| (t.ln() - eta) / sigma;
            // Derivatives by eta and s = ln sigma; of a place z they are -1/sigma and -z.
            let at = |z: f64, l: Place| {
                let mixed = (z * l.second + l.first) / sigma;
                let by_s = z * z * l.second + z * l.first;
                [l.value, -l.first / sigma, -z * l.first, l.second / sigma.powi(2), mixed, by_s]
            };
            let [l, by_eta, by_s, eta_eta, eta_s, s_s] = match *row {
                Observed::Exactly(t) => {
                    let z = place(t);
                    let mut parts = at(z, self.family.exactly(z));
                    parts[0] -= sigma.ln() + t.ln();
                    parts[2] -= 1.0;
                    parts
                }
                Observed::After(0.0) => continue,
                Observed::After(t) => at(place(t), self.family.after(place(t))),
                Observed::Between(0.0, t) | Observed::Before(t) => {
                    at(place(t), self.family.before(place(t)))
                }
                Observed::Between(from, to) => self.between(place(from), place(to), sigma),
            };
            value += l;
            for j in 0..=p {
                score[j] += by_eta * design[j];
                for k in 0..=j {
                    information[(j, k)] -= eta_eta * design[j] * design[k];
                }
            }
            if free_scale {
                score[size - 1] += by_s;
                for k in 0..=p {
                    information[(size - 1, k)] -= eta_s * design[k];
                }
                information[(size - 1, size - 1)] -= s_s;
            }
        }
        for j in 0..size {
            for k in 0..j {
                information[(k, j)] = information[(j, k)];
            }
        }
        if value.is_nan() || score.iter().chain(information.iter()).any(|x| !x.is_finite()) {
            value = f64::NEG_INFINITY;
        }
        Evaluation { value, score, information }
    }

    /// ln (F(b) - F(a)) and its derivatives.
    fn between(&self, a: f64, b: f64, sigma: f64) -> [f64; 6] {
        let ((below_a, above_a), (below_b, above_b)) = (self.family.tails(a), self.family.tails(b));
        // From the smaller tails, whose difference keeps its digits.
        let mass = if a > 0.0 { above_a - above_b } else { below_b - below_a };
        let ((fa, da), (fb, db)) = (self.family.density(a), self.family.density(b));
        let by_eta = -(fb - fa) / (sigma * mass);
        let by_s = -(b * fb - a * fa) / mass;
        let eta_eta = (db - da) / (sigma * sigma * mass) - by_eta * by_eta;
        let eta_s = ((b * db - a * da) + (fb - fa)) / (sigma * mass) - by_eta * by_s;
        let s_s = ((b * b * db + b * fb) - (a * a * da + a * fa)) / mass - by_s * by_s;
        [mass.ln(), by_eta, by_s, eta_eta, eta_s, s_s]
    }

    /// Back from scaled covariates.
    fn finish(
        &self,
        theta: &DVector<f64>,
        at: &Evaluation,
        iterations: usize,
    ) -> Result<Parametric> {
        let p = self.covariates.terms;
        let size = theta.len();
        if let Some(term) = dependent(&at.information) {
            // The intercept is the first; a term that makes it singular comes after it.
            return Err(Error::Collinear { term: term.saturating_sub(1) });
        }
        let factor = at.information.clone().cholesky();
        let inverse = factor.map(|c| c.inverse()).ok_or(Error::Collinear { term: p })?;
        let mut back = DMatrix::<f64>::identity(size, size);
        for j in 0..p {
            let scale = self.covariates.scale[j];
            back[(1 + j, 1 + j)] = 1.0 / scale;
            back[(0, 1 + j)] = -self.covariates.centre[j] / scale;
        }
        let covariance = &back * inverse * back.transpose();
        let plain = &back * theta;
        Ok(Parametric {
            family: self.family,
            intercept: plain[0],
            coefficients: plain.iter().skip(1).take(p).copied().collect(),
            sigma: if size > p + 1 { theta[size - 1].exp() } else { 1.0 },
            covariance: covariance.row_iter().map(|r| r.iter().copied().collect()).collect(),
            log_likelihood: at.value,
            iterations,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Family; 4] =
        [Family::Exponential, Family::Weibull, Family::LogNormal, Family::LogLogistic];

    #[test]
    fn the_exponential_has_a_closed_form() {
        let rows = [
            Observed::Exactly(2.0),
            Observed::After(5.0),
            Observed::Exactly(3.0),
            Observed::After(0.0),
        ];
        let fit = fit(&rows, &[], Family::Exponential).expect("fits");
        assert!((fit.intercept - 5.0_f64.ln()).abs() < 1e-12);
        assert!((fit.log_likelihood - (-2.0 * 5.0_f64.ln() - 2.0)).abs() < 1e-12);
        assert!((fit.covariance[0][0] - 0.5).abs() < 1e-12);
        assert!((fit.quantile(0.5, &[]).expect("a share") - 5.0 * 2.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn derivatives_are_those_of_the_likelihood() {
        let rows = vec![
            Observed::Exactly(2.0),
            Observed::After(1.5),
            Observed::Before(4.0),
            Observed::Between(0.0, 2.5),
            Observed::Between(1.0, 6.0),
            Observed::Between(7.0, 9.0),
        ];
        let x = [0.2, -1.0, 3.0, 0.7, 1.0, 0.0];
        let order: Vec<usize> = (0..6).collect();
        for family in ALL {
            let covariates = Covariates::new(&[&x], &order).expect("varies");
            let model = Model { family, rows: rows.clone(), covariates };
            let size = if family == Family::Exponential { 2 } else { 3 };
            let theta = DVector::from_fn(size, |i, _| [0.9, 0.3, -0.4][i]);
            let here = model.evaluate(&theta);
            for j in 0..size {
                let moved = |h: f64| {
                    let mut theta = theta.clone();
                    theta[j] += h;
                    model.evaluate(&theta)
                };
                let (up, down) = (moved(1e-5), moved(-1e-5));
                let slope = (up.value - down.value) / 2e-5;
                assert!((slope - here.score[j]).abs() < 1e-8, "{family:?} {j}");
                for k in 0..size {
                    let second = -(up.score[k] - down.score[k]) / 2e-5;
                    assert!((second - here.information[(j, k)]).abs() < 1e-8, "{family:?} {j} {k}");
                }
            }
        }
    }

    #[test]
    fn quantiles_and_survival_are_inverse() {
        let rows: Vec<_> = (1..20).map(|i| Observed::Exactly(f64::from(i * i % 17 + 1))).collect();
        let x: Vec<f64> = (1..20).map(|i| f64::from(i % 5)).collect();
        for family in ALL {
            let fit = fit(&rows, &[&x], family).expect("fits");
            for p in [0.01, 0.5, 0.97] {
                let t = fit.quantile(p, &[2.0]).expect("a share");
                assert!((fit.survival(t, &[2.0]).expect("one term") - (1.0 - p)).abs() < 1e-12);
            }
            assert!(fit.survival(1.0, &[]).is_err() && fit.quantile(1.0, &[2.0]).is_err());
        }
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        use Observed::{After, Between, Exactly};
        let e = |rows: &[Observed]| fit(rows, &[], Family::Weibull).map(|f| f.sigma);
        assert!(matches!(e(&[]), Err(Error::Empty { .. })));
        assert!(matches!(e(&[After(1.0), After(2.0)]), Err(Error::NoEvents { .. })));
        assert!(matches!(e(&[Exactly(0.0)]), Err(Error::Value { row: 0, .. })));
        assert!(matches!(e(&[Exactly(1.0), Between(2.0, 1.0)]), Err(Error::Value { row: 1, .. })));
        // All at one time: any smaller scale is better.
        let e = e(&[Exactly(3.0), Exactly(3.0), Exactly(3.0)]);
        assert!(
            matches!(e, Err(Error::NoFiniteMaximum { .. } | Error::NotConverged { .. })),
            "{e:?}"
        );
    }
}
