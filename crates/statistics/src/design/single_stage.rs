//! One stage: enrol n, and reject the null when more than r respond (exact binomial).

use super::{hypotheses, size};
use crate::distribution::binomial;
use crate::error::{Error, Result};

/// Largest sample that is searched.
pub const LARGEST: u32 = 5_000;

/// Enrol `n`; the treatment is promising when more than `r` respond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SingleStage {
    /// Subjects.
    pub n: u32,
    /// Most responders with which the null stands.
    pub r: u32,
    /// Probability of rejecting the null at p0.
    pub alpha: f64,
    /// Probability of keeping it at p1.
    pub beta: f64,
}

/// The smallest `n` with an `r` such that `P(X > r | p0) <= alpha` and `P(X <= r | p1) <= beta`.
///
/// # Errors
/// When p0 is not below p1, a rate is outside (0, 1), or no n up to `n_max` is enough.
pub fn search(p0: f64, p1: f64, alpha: f64, beta: f64, n_max: u32) -> Result<SingleStage> {
    hypotheses(p0, p1, alpha, beta)?;
    size("the largest sample", n_max, 1, LARGEST)?;
    let (mut null, mut alternative) = (Vec::new(), Vec::new());
    for n in 1..=n_max {
        binomial::row_into(n, p0, &mut null);
        // Up from the top until the tail beyond r is too heavy.
        let mut tail = 0.0;
        let mut r = n;
        while r > 0 && tail + null[r as usize] <= alpha {
            tail += null[r as usize];
            r -= 1;
        }
        binomial::row_into(n, p1, &mut alternative);
        let missed: f64 = alternative[..=r as usize].iter().sum();
        if missed <= beta {
            return Ok(SingleStage { n, r, alpha: tail, beta: missed });
        }
    }
    Err(Error::NoDesign { what: "single-stage design", n_max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hern_2001() {
        // A'Hern 2001, Statistics in Medicine 20, 859, table 1: (r + 1)/n.
        for (p0, p1, alpha, beta, n, reject) in [
            (0.05, 0.20, 0.05, 0.20, 27, 4),
            (0.05, 0.25, 0.05, 0.20, 16, 3),
            (0.10, 0.25, 0.05, 0.20, 40, 8),
            (0.20, 0.40, 0.05, 0.20, 35, 12),
        ] {
            let d = search(p0, p1, alpha, beta, 100).expect("found");
            assert_eq!((d.n, d.r + 1), (n, reject), "{p0} {p1}");
            assert!(d.alpha <= alpha && d.beta <= beta);
        }
    }

    #[test]
    fn what_cannot_be_met_is_refused() {
        assert!(matches!(search(0.3, 0.3, 0.05, 0.2, 50), Err(Error::NotBelow { .. })));
        assert!(matches!(search(0.3, 0.31, 0.05, 0.2, 50), Err(Error::NoDesign { n_max: 50, .. })));
        assert!(search(0.1, 0.3, 0.0, 0.2, 50).is_err());
        assert!(search(0.1, 0.3, 0.05, 1.0, 50).is_err());
        assert!(search(0.1, 0.3, 0.05, 0.2, 0).is_err());
    }
}
