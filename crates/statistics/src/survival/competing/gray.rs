//! Gray's test (1988): do groups differ in the cumulative incidence of a cause?

use super::super::data::compress;
use super::{CompetingRisks, cause_of_interest};
use crate::ChiSquared;
use crate::error::{Error, Result, length};
use nalgebra::{DMatrix, DVector};

/// Observed and expected events of the cause by group, and the test.
#[derive(Debug, Clone, PartialEq)]
pub struct GrayTest {
    /// The groups' labels, ascending; what follows is in this order.
    pub groups: Vec<usize>,
    /// Events of the cause.
    pub observed: Vec<f64>,
    /// Events expected if all groups had one subdistribution hazard.
    pub expected: Vec<f64>,
    /// The test, with a degree of freedom less than there are groups at risk.
    pub test: ChiSquared,
}

impl GrayTest {
    /// Two-sided p-value.
    #[must_use]
    pub fn p(&self) -> f64 {
        self.test.p()
    }
}

/// One group at one time of any event.
#[derive(Clone, Copy, Default)]
struct Cell {
    at_risk: f64,
    events: f64,
    others: f64,
    /// Event-free share before and after.
    before: f64,
    after: f64,
    /// `Y/S(t-)`: who would be at risk had nothing but censoring taken anybody away.
    h: f64,
    /// `h (1 - F(t-))`: at risk for the subdistribution.
    r: f64,
}

/// Compares the subdistribution hazards of a cause between groups, weight rho = 0.
///
/// The score of group k is `sum [dN_k - R_k/R dN]` with `R_k = Y_k (1 - F_k(t-))/S_k(t-)`. Its
/// variance follows the paper (p. 1146), with `h_r = Y_r/S_r(t-)`, the pooled incidence
/// `F0 = sum dN/h`, `c_kr` the integral of `(1{k=r} - h_k/h) h_r dF0/(1 - F0(t-))`, and, for r
/// over groups,
/// `sum [(1{k=r} - h_k/h) h_r + (1 - (1-F0)/S_r) (c_kr(end) - c_kr)]^2 dF0/h_r` of the cause plus
/// `sum [(1-F0)/S_r (c_kr(end) - c_kr)]^2 dN_2r/h_r^2` of others. Ties take hypergeometric factors:
/// `(n - d)/(n - 1)`, n being those at risk in the group for others, and `h S_r(t-)` for the cause.
///
/// # Errors
/// When the lists differ in length, the cause is 0 or never happened, or fewer than two groups
/// were at risk when it did.
pub fn gray_test(data: &CompetingRisks, group: &[usize], cause: u32) -> Result<GrayTest> {
    length("the list of groups", data.len(), group.len())?;
    cause_of_interest(cause)?;
    if data.events(cause) == 0 {
        return Err(Error::NoEvents { what: "events of the cause" });
    }
    let (code, groups) = compress(group);
    let k = groups.len();
    let table = cells(data, &code, k, cause);

    let (mut observed, mut expected) = (vec![0.0; k], vec![0.0; k]);
    // What all groups share at each time: h summed, and F0 with its increment.
    let mut pooled = Vec::with_capacity(table.len());
    let mut incidence = 0.0;
    for row in &table {
        let (deaths, r): (f64, f64) =
            row.iter().fold((0.0, 0.0), |(d, r), c| (d + c.events, r + c.r));
        let h: f64 = row.iter().map(|c| c.h).sum();
        let rise = if deaths > 0.0 { deaths / h } else { 0.0 };
        pooled.push((h, deaths, rise, incidence));
        incidence += rise;
        if deaths > 0.0 {
            for (i, c) in row.iter().enumerate() {
                observed[i] += c.events;
                expected[i] += deaths * c.r / r;
            }
        }
    }

    let mut variance = DMatrix::<f64>::zeros(k, k);
    let lead = |i: usize, r: usize, row: &[Cell], h: f64| {
        (f64::from(u8::from(i == r)) - row[i].h / h) * row[r].h
    };
    for r in 0..k {
        // What is left of c_kr after each time, from the end.
        let mut left = vec![0.0; k];
        let mut coefficient = vec![0.0; k];
        for (row, &(h, deaths, rise, f0)) in table.iter().zip(&pooled).rev() {
            let cell = row[r];
            if cell.at_risk > 0.0 {
                let after = f0 + rise;
                let q = if cell.after > 0.0 { (1.0 - after) / cell.after } else { 0.0 };
                if deaths > 0.0 {
                    let n = h * cell.before;
                    let tied = tie_factor(n, deaths);
                    let weight = rise / cell.h * tied;
                    for i in 0..k {
                        coefficient[i] = lead(i, r, row, h) + (1.0 - q) * left[i];
                    }
                    add(&mut variance, &coefficient, weight);
                }
                if cell.others > 0.0 {
                    let (n, o) = (cell.at_risk, cell.others);
                    let tied = tie_factor(n, o);
                    let weight = o / (cell.h * cell.h) * tied;
                    for i in 0..k {
                        coefficient[i] = q * left[i];
                    }
                    add(&mut variance, &coefficient, weight);
                }
                if rise > 0.0 && f0 < 1.0 {
                    for (i, left) in left.iter_mut().enumerate() {
                        *left += lead(i, r, row, h) * rise / (1.0 - f0);
                    }
                }
            }
        }
    }
    let known: Vec<usize> = (0..k).filter(|i| variance[(*i, *i)] > 0.0).collect();
    if known.len() < 2 {
        return Err(Error::TooFewGroups { found: known.len() });
    }
    let df = known.len() - 1;
    let u = DVector::from_fn(df, |i, _| observed[known[i]] - expected[known[i]]);
    let v = DMatrix::from_fn(df, df, |i, j| variance[(known[i], known[j])]);
    let solved = v.cholesky().ok_or(Error::TooFewGroups { found: 1 })?.solve(&u);
    Ok(GrayTest { groups, observed, expected, test: ChiSquared { statistic: u.dot(&solved), df } })
}

/// Hypergeometric factor of `d` events at once among `n`; `n` need not be whole, and where groups
/// are very unlike it may be no more than `d`.
fn tie_factor(n: f64, d: f64) -> f64 {
    if d <= 1.0 || n <= 1.0 { 1.0 } else { ((n - d) / (n - 1.0)).max(0.0) }
}

fn add(variance: &mut DMatrix<f64>, coefficient: &[f64], weight: f64) {
    for (i, a) in coefficient.iter().enumerate() {
        for (j, b) in coefficient.iter().enumerate() {
            variance[(i, j)] += weight * a * b;
        }
    }
}

/// The groups at each time of any event.
fn cells(data: &CompetingRisks, code: &[usize], k: usize, cause: u32) -> Vec<Vec<Cell>> {
    let mut at_risk = vec![0_usize; k];
    for g in code {
        at_risk[*g] += 1;
    }
    let (mut survival, mut incidence) = (vec![1.0; k], vec![0.0; k]);
    let mut table = Vec::new();
    let order = data.order();
    let mut first = 0;
    while first < order.len() {
        let time = data.times()[order[first]];
        let mut row = vec![Cell::default(); k];
        let mut leaving = vec![0; k];
        let mut any = false;
        let mut end = first;
        while end < order.len() && data.times()[order[end]] == time {
            let g = code[order[end]];
            leaving[g] += 1;
            match data.causes()[order[end]] {
                0 => {}
                c => {
                    any = true;
                    let count = if c == cause { &mut row[g].events } else { &mut row[g].others };
                    *count += 1.0;
                }
            }
            end += 1;
        }
        for (g, cell) in row.iter_mut().enumerate().filter(|(g, _)| at_risk[*g] > 0) {
            cell.at_risk = at_risk[g] as f64;
            cell.before = survival[g];
            cell.h = cell.at_risk / survival[g];
            cell.r = cell.h * (1.0 - incidence[g]);
            incidence[g] += survival[g] * cell.events / cell.at_risk;
            survival[g] *= (cell.at_risk - cell.events - cell.others) / cell.at_risk;
            cell.after = survival[g];
        }
        if any {
            table.push(row);
        }
        for (n, out) in at_risk.iter_mut().zip(leaving) {
            *n -= out;
        }
        first = end;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_with_the_same_rows_do_not_differ() {
        let time: Vec<f64> = (0..24).map(|i| f64::from(1 + i / 2)).collect();
        let cause: Vec<u32> = (0..24).map(|i| (i / 2) % 3).collect();
        let group: Vec<usize> = (0..24).map(|i| i % 2).collect();
        let data = CompetingRisks::new(time, cause).expect("valid");
        let test = gray_test(&data, &group, 1).expect("groups");
        assert!(test.test.statistic.abs() < 1e-20 && (test.p() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn labels_and_their_order_do_not_matter() {
        let time: Vec<f64> = (0..30).map(|i| f64::from((i * 7) % 19)).collect();
        let cause: Vec<u32> = (0..30).map(|i| (i * 5 + i / 7) % 3).collect();
        let data = CompetingRisks::new(time, cause).expect("valid");
        let test = |labels: [usize; 3]| {
            let group: Vec<usize> = (0..30).map(|i| labels[(i * i) % 3]).collect();
            gray_test(&data, &group, 2).map(|t| t.test.statistic)
        };
        let first = test([0, 1, 2]).expect("groups");
        for labels in [[2, 0, 1], [7, 100, 3]] {
            assert!((test(labels).expect("groups") - first).abs() < 1e-9);
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let data = CompetingRisks::new(vec![1.0, 2.0, 3.0], vec![0, 2, 0]).expect("valid");
        assert!(matches!(gray_test(&data, &[0, 1, 1], 1), Err(Error::NoEvents { .. })));
        assert!(matches!(gray_test(&data, &[0, 0, 0], 2), Err(Error::TooFewGroups { .. })));
        assert!(matches!(gray_test(&data, &[0, 1], 2), Err(Error::Length { .. })));
        assert!(matches!(gray_test(&data, &[0, 1, 1], 0), Err(Error::Parameter { .. })));
    }
}
