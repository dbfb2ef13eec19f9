//! Trials of virtual patients: how often a design succeeds, and what else would also win.
//!
//! A design that a statistician made on a null and an alternative is run on virtual patients of every arm:
//! the combination with sensitisers, without, and either therapy alone. A success that a rival truth
//! would reach as well shows nothing of the hypothesis.

use crate::estimate::{Estimate, summarise};
use crate::job::Job;
use crate::model::{MONTH_D, Model};
use crate::outcome::Outcome;
use crate::recist::Best;
use crate::ward::{self, Run};
use hepatica_physics::random::Keyed;
use hepatica_statistics::design::simon::TwoStage;
use hepatica_statistics::distribution::normal;
use rayon::prelude::*;
use std::ops::ControlFlow;

/// Purpose of the random numbers of enrolment.
const ENROLMENT: u32 = 5000;

/// A design and its rule of success.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Design {
    /// Fewer events than under the null by the one-sample log-rank test (Wu 2015).
    OneSampleLogRank {
        /// Patients.
        n: u32,
        /// Median under the null, months.
        null_months: f64,
        /// One-sided size.
        alpha: f64,
        /// Patients come evenly over so many months.
        accrual_months: f64,
        /// Follow-up after the last has come, months.
        follow_up_months: f64,
        /// Hepatic PFS, else PFS.
        hepatic: bool,
    },
    /// More than `r` responses of the liver among `n`.
    SingleStage {
        /// Patients.
        n: u32,
        /// Most responses that are no success.
        r: u32,
    },
    /// Simon's two stages, responses of the liver.
    TwoStage(TwoStage),
}

impl Design {
    /// Patients at most.
    #[must_use]
    pub fn patients(&self) -> u32 {
        match self {
            Self::OneSampleLogRank { n, .. } | Self::SingleStage { n, .. } => *n,
            Self::TwoStage(t) => t.n,
        }
    }

    /// Whether a trial of these patients succeeds; `trial` keys when they come.
    #[must_use]
    pub fn succeeds(&self, patients: &[Outcome], trial: Keyed) -> bool {
        let responses =
            |all: &[Outcome]| all.iter().filter(|o| o.best[0] == Best::Response).count() as u32;
        match *self {
            Self::SingleStage { r, .. } => responses(patients) > r,
            Self::TwoStage(t) => {
                let first = responses(&patients[..t.n1 as usize]);
                first > t.r1 && responses(patients) > t.r
            }
            Self::OneSampleLogRank {
                null_months,
                alpha,
                accrual_months,
                follow_up_months,
                hepatic,
                ..
            } => {
                let hazard = std::f64::consts::LN_2 / null_months;
                let (mut observed, mut expected) = (0.0, 0.0);
                for (n, o) in patients.iter().enumerate() {
                    let came = trial.uniform(ENROLMENT, n as u32)[0] * accrual_months;
                    let followed = accrual_months + follow_up_months - came;
                    let endpoint = if hepatic { o.hepatic_pfs } else { o.pfs };
                    let at = f64::from(endpoint.day) / MONTH_D;
                    observed += f64::from(u8::from(endpoint.event && at <= followed));
                    expected += hazard * at.min(followed);
                }
                let scale = (0.5 * (observed + expected)).sqrt();
                scale > 0.0 && (observed - expected) / scale < normal::quantile(alpha)
            }
        }
    }
}

/// How often a design succeeds if an arm is the truth.
#[derive(Debug, Clone, PartialEq)]
pub struct Characteristic {
    /// Name of the arm.
    pub truth: String,
    /// Probability of success.
    pub success: Estimate,
}

/// Runs trials of every arm of a job: so many of each draw. `see` is told how much is done and may break
/// off, which returns `None`.
pub fn characteristics(
    job: &Job,
    design: &Design,
    trials: u32,
    mut see: impl FnMut(f64) -> ControlFlow<()>,
) -> Option<Vec<Characteristic>> {
    let n = u64::from(design.patients());
    let mut rows = Vec::new();
    for (place, arm) in job.arms.iter().enumerate() {
        let mut draws: Vec<(Option<f64>, [Option<f64>; 2])> = Vec::new();
        let step = 2 * rayon::current_num_threads().max(1) as u64;
        let mut from = 0;
        while from < job.draws {
            let to = (from + step).min(job.draws);
            let batch: Vec<[f64; 2]> = (from..to)
                .into_par_iter()
                .map(|draw| {
                    let mut model =
                        Model::new(job.theta(arm, draw), job.setting.clone(), &job.nuclide);
                    model.lesion_doses.clone_from(&job.lesion_doses);
                    model.with_marrow = job.with_marrow;
                    let run = Run {
                        model: &model,
                        program: &arm.program,
                        seed: job.seed,
                        horizon: job.horizon,
                    };
                    let first = draw * u64::from(trials) * n;
                    let all = ward::run(&run, first..first + u64::from(trials) * n);
                    let mut won = [0_u32; 2];
                    for (k, patients) in all.chunks(n as usize).enumerate() {
                        let trial = Keyed::new(job.seed, first + k as u64);
                        won[k % 2] += u32::from(design.succeeds(patients, trial));
                    }
                    [0, 1].map(|h| {
                        f64::from(won[h]) / f64::from((trials + 1 - h as u32) / 2).max(1.0)
                    })
                })
                .collect();
            draws.extend(batch.iter().map(|[a, b]| (Some(0.5 * (a + b)), [Some(*a), Some(*b)])));
            from = to;
            let done = (place as f64 + from as f64 / job.draws as f64) / job.arms.len() as f64;
            if see(done).is_break() {
                return None;
            }
        }
        let mean = draws.iter().filter_map(|d| d.0).sum::<f64>() / draws.len().max(1) as f64;
        rows.push(Characteristic {
            truth: arm.name.clone(),
            success: summarise(Some(mean), &draws),
        });
    }
    Some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Endpoint;

    /// Patients with exponential times: the test keeps its size and has the power it was planned with.
    #[test]
    fn the_log_rank_design_has_its_size_and_power() {
        use hepatica_statistics::design::one_sample_log_rank::{Conduct, design};
        use hepatica_statistics::survival::Weibull;
        let median = |m: f64| Weibull::exponential(m).expect("a median");
        let conduct = Conduct { accrual: 36.0, follow_up: 24.0, loss_hazard: 0.0 };
        let planned = design(median(12.2), median(18.0), conduct, 0.05).expect("a design");
        let n = planned.subjects(0.2).expect("subjects");
        let rule = Design::OneSampleLogRank {
            n,
            null_months: 12.2,
            alpha: 0.05,
            accrual_months: 36.0,
            follow_up_months: 24.0,
            hepatic: true,
        };
        let template = crate::patient::tests::anybody();
        let won = |months: f64| {
            let trials = 4000;
            let wins = (0..trials)
                .filter(|t| {
                    let all: Vec<Outcome> = (0..n)
                        .map(|i| {
                            let e = Keyed::new(9, *t).exponential(1, i)[0];
                            let day = (e * months / std::f64::consts::LN_2 * MONTH_D).min(60_000.0);
                            let hepatic_pfs = Endpoint { day: day as u16, event: true };
                            Outcome { hepatic_pfs, ..template }
                        })
                        .collect();
                    rule.succeeds(&all, Keyed::new(10, *t))
                })
                .count();
            wins as f64 / trials as f64
        };
        let (size, power) = (won(12.2), won(18.0));
        assert!((0.03..0.07).contains(&size), "{size}");
        let planned = planned.power(n).expect("a power");
        assert!((power - planned).abs() < 0.03, "{power} for {planned}");
    }

    #[test]
    fn stages_are_counted() {
        let template = crate::patient::tests::anybody();
        let of = |responses: &[bool]| -> Vec<Outcome> {
            responses
                .iter()
                .map(|r| {
                    let mut o = template;
                    o.best[0] = if *r { Best::Response } else { Best::Stable };
                    o
                })
                .collect()
        };
        let two = Design::TwoStage(TwoStage::new(1, 3, 2, 5).expect("a design"));
        let key = Keyed::new(1, 1);
        assert!(two.succeeds(&of(&[true, true, false, true, false]), key));
        assert!(
            !two.succeeds(&of(&[true, false, false, true, true]), key),
            "stopped after stage 1"
        );
        assert!(!two.succeeds(&of(&[true, true, false, false, false]), key));
        assert!(Design::SingleStage { n: 2, r: 1 }.succeeds(&of(&[true, true]), key));
    }
}
