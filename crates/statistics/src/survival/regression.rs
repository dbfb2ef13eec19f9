//! What the regressions share: covariates on one scale, and Newton's method with halved steps.

use crate::error::{Error, Result, length};
use nalgebra::{DMatrix, DVector};

/// Covariates less their mean, over their standard deviation, a block of `terms` for each row.
#[derive(Debug, Clone)]
pub(super) struct Covariates {
    pub terms: usize,
    pub x: Vec<f64>,
    pub centre: Vec<f64>,
    pub scale: Vec<f64>,
}

impl Covariates {
    /// Rows in the given order; `columns` has a list for each term.
    pub fn new(columns: &[&[f64]], rows: &[usize]) -> Result<Self> {
        let (n, terms) = (rows.len(), columns.len());
        let (mut centre, mut scale) = (Vec::with_capacity(terms), Vec::with_capacity(terms));
        for (term, column) in columns.iter().enumerate() {
            length("a covariate", n, column.len())?;
            if let Some(row) = column.iter().position(|x| !x.is_finite()) {
                let expected = "a finite number (leave out rows with missing values)";
                return Err(Error::Value {
                    what: "a covariate",
                    row,
                    value: column[row],
                    expected,
                });
            }
            let mean = column.iter().sum::<f64>() / n as f64;
            let square = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
            let largest = column.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
            // A constant differs from its mean by rounding only.
            if !(square.sqrt() > 1e-12 * largest) {
                return Err(Error::Collinear { term });
            }
            centre.push(mean);
            scale.push(square.sqrt());
        }
        let value = |row: usize, j: usize| (columns[j][row] - centre[j]) / scale[j];
        let x = rows.iter().flat_map(|row| (0..terms).map(move |j| (*row, j)));
        let x = x.map(|(row, j)| value(row, j)).collect();
        Ok(Self { terms, x, centre, scale })
    }

    pub fn row(&self, position: usize) -> &[f64] {
        &self.x[position * self.terms..(position + 1) * self.terms]
    }

    pub fn predictor(&self, beta: &DVector<f64>) -> Vec<f64> {
        self.x
            .chunks_exact(self.terms)
            .map(|x| x.iter().zip(beta.iter()).map(|(x, b)| x * b).sum())
            .collect()
    }
}

/// Weights `exp(eta - max eta)` and the maximum: only ratios matter, so nothing overflows.
pub(super) fn weights(eta: &[f64]) -> (Vec<f64>, f64) {
    let top = eta.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (eta.iter().map(|e| (e - top).exp()).collect(), top)
}

/// Log likelihood, score and information at some coefficients.
pub(super) struct Likelihood {
    pub value: f64,
    pub score: DVector<f64>,
    pub information: DMatrix<f64>,
}

/// Where a likelihood has its maximum, and what it was at zero.
pub(super) struct Maximum {
    pub beta: DVector<f64>,
    pub at: Likelihood,
    pub inverse: DMatrix<f64>,
    pub null: f64,
    /// `U(0)' I(0)^-1 U(0)`.
    pub score_test: f64,
    pub iterations: usize,
}

/// A Newton decrement (twice the expected rise of the likelihood) from which one more step, being
/// quadratic, is at rounding.
const DECREMENT: f64 = 1e-10;

/// Standard error of the coefficient of a covariate of unit spread that no data with a maximum
/// give: where the likelihood rises for ever, information falls towards zero.
const RUNAWAY: f64 = 1e3;

/// Maximises a partial likelihood from zero.
pub(super) fn maximise(
    what: &'static str,
    terms: usize,
    max_iterations: usize,
    likelihood: impl Fn(&DVector<f64>) -> Likelihood,
) -> Result<Maximum> {
    let mut beta = DVector::zeros(terms);
    let mut here = likelihood(&beta);
    let null = here.value;
    let mut step = newton_step(&here)?;
    let score_test = here.score.dot(&step);
    let mut iterations = 0;
    loop {
        let gap = here.score.dot(&step);
        if iterations >= max_iterations {
            return Err(Error::NotConverged { what, iterations, gap });
        }
        iterations += 1;
        // A full step, halved until the likelihood does not fall.
        let mut size = 1.0;
        let next = loop {
            let trial = &beta + size * &step;
            let there = likelihood(&trial);
            if there.value >= here.value - 1e-12 * here.value.abs() {
                beta = trial;
                break there;
            }
            size *= 0.5;
            if size < 1e-10 {
                return Err(Error::NotConverged { what, iterations, gap });
            }
        };
        let last = gap < DECREMENT;
        here = next;
        let least = 1.0 / (RUNAWAY * RUNAWAY);
        if let Some(term) = (0..terms).find(|j| !(here.information[(*j, *j)] > least)) {
            return Err(Error::NoFiniteMaximum { term });
        }
        if last {
            break;
        }
        step = newton_step(&here)?;
    }
    let inverse = invert(&here.information)?;
    Ok(Maximum { beta, at: here, inverse, null, score_test, iterations })
}

/// Inverse of an information matrix.
pub(super) fn invert(information: &DMatrix<f64>) -> Result<DMatrix<f64>> {
    if let Some(term) = dependent(information) {
        return Err(Error::Collinear { term });
    }
    let factor = information.clone().cholesky();
    let last = information.nrows() - 1;
    factor.map(|c| c.inverse()).ok_or(Error::Collinear { term: last })
}

fn newton_step(at: &Likelihood) -> Result<DVector<f64>> {
    if let Some(term) = dependent(&at.information) {
        return Err(Error::Collinear { term });
    }
    let factor = at.information.clone().cholesky();
    factor.map(|c| c.solve(&at.score)).ok_or(Error::Collinear { term: at.score.len() - 1 })
}

/// The first term whose variance, given the terms before it, is nil against its own.
pub(super) fn dependent(information: &DMatrix<f64>) -> Option<usize> {
    let p = information.nrows();
    let mut l = DMatrix::<f64>::zeros(p, p);
    for j in 0..p {
        let mut pivot = information[(j, j)];
        for k in 0..j {
            pivot -= l[(j, k)] * l[(j, k)];
        }
        if !(information[(j, j)] > 0.0 && pivot > 1e-10 * information[(j, j)]) {
            return Some(j);
        }
        l[(j, j)] = pivot.sqrt();
        for i in j + 1..p {
            let mut sum = information[(i, j)];
            for k in 0..j {
                sum -= l[(i, k)] * l[(j, k)];
            }
            l[(i, j)] = sum / l[(j, j)];
        }
    }
    None
}

/// Weighted sums of 1, x and x x' (lower triangle) over a set of subjects.
pub(super) struct Moments {
    pub sum: f64,
    pub first: Vec<f64>,
    pub second: Vec<f64>,
}

impl Moments {
    pub fn new(p: usize) -> Self {
        Self { sum: 0.0, first: vec![0.0; p], second: vec![0.0; p * p] }
    }

    pub fn clear(&mut self) {
        self.sum = 0.0;
        self.first.fill(0.0);
        self.second.fill(0.0);
    }

    pub fn add(&mut self, weight: f64, x: &[f64]) {
        let p = x.len();
        self.sum += weight;
        for j in 0..p {
            self.first[j] += weight * x[j];
            for k in 0..=j {
                self.second[j * p + k] += weight * x[j] * x[k];
            }
        }
    }
}
