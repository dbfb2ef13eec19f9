//! The best point of a region with straight borders, for what rises ever more slowly.
//!
//! Maximises a concave function over `G x <= h` by Newton's method with a logarithmic barrier (Boyd and
//! Vandenberghe 2004, section 11.3), made so sharp that the answer is within 1e-9 of the best: with few
//! variables that is as good as exact. What the barrier leaves are the prices of the limits.

use nalgebra::{DMatrix, DVector};

/// How far the answer may be from the best, relative to it.
const GAP: f64 = 1e-9;
/// How much sharper the barrier becomes.
const SHARPER: f64 = 10.0;
const NEWTON_STEPS: usize = 60;

/// A function of the variables with gradient and Hessian.
pub(crate) trait Concave {
    /// Value, gradient, Hessian; `None` where it has none.
    fn at(&self, x: &DVector<f64>) -> Option<(f64, DVector<f64>, DMatrix<f64>)>;
}

/// `sum a x <= h`.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) a: Vec<f64>,
    pub(crate) h: f64,
}

/// What was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) x: Vec<f64>,
    /// How much better the answer would be for each unit a limit were higher.
    pub(crate) prices: Vec<f64>,
}

/// Maximises `f` within the lines, from a point inside them.
pub(crate) fn maximise(f: &dyn Concave, lines: &[Line], inside: Vec<f64>) -> Option<Found> {
    let n = inside.len();
    let mut x = DVector::from_vec(inside);
    let slack = |x: &DVector<f64>, l: &Line| l.h - (0..n).map(|i| l.a[i] * x[i]).sum::<f64>();
    if lines.iter().any(|l| !(slack(&x, l) > 0.0)) {
        return None;
    }
    // What is made small: minus f sharpened, and the barrier.
    let cost = |x: &DVector<f64>, sharp: f64| -> Option<f64> {
        let (value, ..) = f.at(x)?;
        let mut sum = -sharp * value;
        for l in lines {
            let s = slack(x, l);
            if !(s > 0.0) {
                return None;
            }
            sum -= s.ln();
        }
        sum.is_finite().then_some(sum)
    };
    let scale = f.at(&x)?.0.abs().max(1e-3);
    let mut sharp = 1.0 / scale;
    loop {
        for _ in 0..NEWTON_STEPS {
            let (_, gradient, hessian) = f.at(&x)?;
            let mut g = -sharp * gradient;
            let mut h = -sharp * hessian;
            for l in lines {
                let s = slack(&x, l);
                let a = DVector::from_column_slice(&l.a);
                g += &a / s;
                h += &a * a.transpose() / (s * s);
            }
            let step = h.cholesky().map_or_else(|| -&g, |c| -c.solve(&g));
            let slope = g.dot(&step);
            if -slope < 1e-12 {
                break;
            }
            let now = cost(&x, sharp)?;
            let mut length = 1.0;
            let next = loop {
                let next = &x + length * &step;
                if cost(&next, sharp).is_some_and(|c| c <= now + 0.1 * length * slope) {
                    break Some(next);
                }
                length *= 0.5;
                if length < 1e-14 {
                    break None;
                }
            };
            match next {
                Some(next) => x = next,
                None => break,
            }
        }
        if lines.len() as f64 / sharp < GAP * scale {
            break;
        }
        sharp *= SHARPER;
    }
    let prices = lines.iter().map(|l| 1.0 / (sharp * slack(&x, l))).collect();
    Some(Found { x: x.as_slice().to_vec(), prices })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sum of w ln x`.
    struct Logs(Vec<f64>);

    impl Concave for Logs {
        fn at(&self, x: &DVector<f64>) -> Option<(f64, DVector<f64>, DMatrix<f64>)> {
            if x.iter().any(|v| !(*v > 0.0)) {
                return None;
            }
            let w = DVector::from_column_slice(&self.0);
            let value = w.iter().zip(x.iter()).map(|(w, x)| w * x.ln()).sum();
            let gradient = w.component_div(x);
            let hessian = DMatrix::from_diagonal(&-w.component_div(&x.component_mul(x)));
            Some((value, gradient, hessian))
        }
    }

    #[test]
    fn a_shared_limit_is_shared_by_weight_and_has_its_price() {
        // Most of 2 ln x + ln y with x + y <= 3: x = 2, y = 1, and one more unit is worth 1.
        let lines = [
            Line { a: vec![1.0, 1.0], h: 3.0 },
            Line { a: vec![-1.0, 0.0], h: 0.0 },
            Line { a: vec![0.0, -1.0], h: 0.0 },
            Line { a: vec![1.0, 0.0], h: 50.0 },
        ];
        let found = maximise(&Logs(vec![2.0, 1.0]), &lines, vec![0.1, 0.1]).expect("inside");
        assert!((found.x[0] - 2.0).abs() < 1e-6 && (found.x[1] - 1.0).abs() < 1e-6);
        assert!((found.prices[0] - 1.0).abs() < 1e-5, "{:?}", found.prices);
        assert!(found.prices[3] < 1e-6);
    }

    #[test]
    fn from_outside_there_is_no_answer() {
        let lines = [Line { a: vec![1.0], h: 1.0 }];
        assert!(maximise(&Logs(vec![1.0]), &lines, vec![2.0]).is_none());
    }
}
