//! Which day for the spheres? The share of the dose under each drug needs no simulation; what it does to
//! response does.

use crate::program::{DrugKind, Program};
use hepatica_biology::irradiation::{delivered, under};
use hepatica_physics::{Nuclide, TimeSpan};
use serde::Serialize;

/// Shares of the dose of a session at noon of a day of a cycle, cycles following each other on time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Overlap {
    /// Day of the cycle.
    pub day: u16,
    /// Delivered on days of capecitabine.
    pub capecitabine: f64,
    /// Delivered on days of temozolomide.
    pub temozolomide: f64,
    /// The same with an effect that halves every two days after the last dose.
    pub temozolomide_tail: f64,
    /// Delivered before the first temozolomide of the cycle.
    pub before_temozolomide: f64,
}

/// The shares for a session on a day.
#[must_use]
pub fn overlap(program: &Program, nuclide: &Nuclide, day: u16, tail: TimeSpan) -> Overlap {
    let cycle = f64::from(program.cycle_days);
    let instilled = f64::from(day) - 0.5;
    let at = |d: f64| TimeSpan::from_d(d - instilled);
    // The cycle of the session and the next: what is left after that is nothing.
    let over = |kind: DrugKind, f: &dyn Fn(TimeSpan, TimeSpan) -> f64| -> f64 {
        let Some(p) = program.drug(kind) else { return 0.0 };
        let (first, last) = (f64::from(p.first_day - 1), f64::from(p.last_day));
        (0..3).map(|c| f(at(first + cycle * f64::from(c)), at(last + cycle * f64::from(c)))).sum()
    };
    let plain = |a: TimeSpan, b: TimeSpan| delivered(nuclide.half_life, a, b);
    let first = program.drug(DrugKind::Temozolomide).map_or(0.0, |p| f64::from(p.first_day - 1));
    Overlap {
        day,
        capecitabine: over(DrugKind::Capecitabine, &plain),
        temozolomide: over(DrugKind::Temozolomide, &plain),
        temozolomide_tail: over(DrugKind::Temozolomide, &|a, b| {
            under(nuclide.half_life, a, b, tail)
        }),
        before_temozolomide: delivered(nuclide.half_life, TimeSpan::ZERO, at(first)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_regimen::Protocol;

    /// `trial.md` 4.7, to the digits it gives.
    #[test]
    fn the_published_table() {
        let protocol = Protocol::named("captemy90").expect("shipped");
        let program = Program::compile(&protocol, Some("pilot-2018")).expect("a program");
        for (day, capecitabine, temozolomide, tail) in [
            (1, 0.970, 0.080, 0.093),
            (5, 0.915, 0.226, 0.262),
            (7, 0.857, 0.380, 0.441),
            (9, 0.760, 0.639, 0.741),
            (10, 0.689, 0.689, 0.822),
            (12, 0.478, 0.478, 0.701),
            (14, 0.122, 0.122, 0.498),
        ] {
            let found = overlap(&program, &Nuclide::Y90, day, TimeSpan::from_d(2.0));
            // The next cycle adds up to 0.5 %.
            assert!((found.capecitabine - capecitabine).abs() < 0.03, "{found:?}");
            assert!((found.temozolomide - temozolomide).abs() < 0.002, "{found:?}");
            assert!((found.temozolomide_tail - tail).abs() < 0.002, "{found:?}");
        }
    }
}
