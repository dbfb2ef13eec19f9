//! The best activities within limits: all territories and sessions at once.
//!
//! Doses are linear in the activities, so every limit is a straight border. Two aims:
//!
//! * `response`: the weighted sum of the logarithms of the lesions' control probabilities; with equal weights
//!   the most probable that all respond. The logarithm of a log-logistic curve is concave in dose.
//! * `least-dosed`: the highest dose that the least-dosed lesion can be given (over its goal, where it has one).
//!
//! Both are concave, so that there is one best point; `barrier` finds it to 1e-9.

mod barrier;

use crate::plan::{Optimisation, OptimisedLimit, OptimisedSession, TradeOff};
use barrier::{Concave, Line, maximise};
use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Points of the trade-off curve.
const CURVE: usize = 25;
/// A limit with less room than this part of it binds.
const BINDS: f64 = 1e-4;

/// What is made best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aim {
    /// The probability that lesions respond.
    #[default]
    Response,
    /// The dose of the least-dosed lesion.
    LeastDosed,
}

impl Aim {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::LeastDosed => "least-dosed",
        }
    }
}

impl std::str::FromStr for Aim {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        [Self::Response, Self::LeastDosed]
            .into_iter()
            .find(|a| a.word() == s)
            .ok_or_else(|| "expected one of: response, least-dosed".to_owned())
    }
}

/// `[optimise]` of a case.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimiseEntry {
    /// What is made best, when nobody says otherwise.
    pub aim: Option<Aim>,
    /// Limit of the mean dose of the whole normal liver over all sessions, in Gy.
    pub whole_normal_liver_limit_gy: Option<f64>,
    /// How much lesions count, and their goals.
    #[serde(default)]
    pub lesion: Vec<LesionEntry>,
}

/// `[[optimise.lesion]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LesionEntry {
    /// Name of the structure.
    pub name: String,
    /// How much it counts; 1 when left out.
    pub weight: Option<f64>,
    /// Mean dose that is aimed at, in Gy: the least-dosed lesion is the one that is furthest from its goal.
    pub goal_gy: Option<f64>,
}

/// A lesion.
#[derive(Debug, Clone)]
pub(crate) struct Lesion {
    pub(crate) name: String,
    /// Mean dose per GBq of every session.
    pub(crate) gy_per_gbq: Vec<f64>,
    /// What earlier sessions gave it.
    pub(crate) before_gy: f64,
    pub(crate) weight: f64,
    pub(crate) goal_gy: f64,
}

/// A limit: `sum of per_gbq A <= limit`.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    pub(crate) id: &'static str,
    /// The session it is of; none for all.
    pub(crate) session: Option<u32>,
    pub(crate) per_gbq: Vec<f64>,
    pub(crate) limit: f64,
    pub(crate) unit: &'static str,
    pub(crate) source: String,
}

/// Everything the best activities follow from.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) aim: Aim,
    /// Numbers of the sessions.
    pub(crate) sessions: Vec<u32>,
    pub(crate) lesions: Vec<Lesion>,
    pub(crate) limits: Vec<Limit>,
    /// Mean dose of the whole normal liver per GBq of every session, and before.
    pub(crate) whole_normal: Vec<f64>,
    pub(crate) whole_normal_before_gy: f64,
    /// D50 in Gy and slope `4 gamma50` of the lesions' control.
    pub(crate) control: Option<(f64, f64)>,
}

/// Why there are no best activities.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OptimiseError {
    /// No lesion to treat.
    #[error(
        "--optimise: no tumour lies in the territories still to be treated, expected one at least; leave it out"
    )]
    NoLesion,
    /// No parameter set.
    #[error(
        "--optimise response: no control parameters are known for this device, expected a set; say --optimise least-dosed"
    )]
    NoControl,
    /// No limit holds a session's activity down.
    #[error("--optimise: nothing limits the activity of session {0}; state a limit (docs/case.md)")]
    NoLimit(u32),
    /// Nothing is left of a limit.
    #[error("--optimise: nothing is left of the limit {0}: no activity can be given")]
    NoRoom(String),
    /// A lesion that is not there.
    #[error(
        "[[optimise.lesion]] name = \"{name}\" is no tumour of a territory still to be treated; there are: {known}"
    )]
    UnknownLesion {
        /// As written.
        name: String,
        /// Those there are.
        known: String,
    },
    /// A number that cannot be.
    #[error("[optimise] {what} = {found}, expected above 0")]
    Number {
        /// Which.
        what: String,
        /// As written.
        found: f64,
    },
    /// The best was not found: a fault of ours.
    #[error("--optimise: no best point was found; state the activities ([[session]] activity_gbq)")]
    NotFound,
}

impl OptimiseEntry {
    /// Weight and goal of a lesion; one and one where nothing is said.
    pub(crate) fn of(&self, name: &str) -> (f64, f64) {
        let entry = self.lesion.iter().find(|l| l.name == name);
        let said = |f: fn(&LesionEntry) -> Option<f64>| entry.and_then(f).unwrap_or(1.0);
        (said(|l| l.weight), said(|l| l.goal_gy))
    }

    pub(crate) fn check(&self, lesions: &[String]) -> Result<(), OptimiseError> {
        let number = |what: String, value: Option<f64>| match value {
            Some(found) if !(found > 0.0 && found.is_finite()) => {
                Err(OptimiseError::Number { what, found })
            }
            _ => Ok(()),
        };
        number("whole_normal_liver_limit_gy".to_owned(), self.whole_normal_liver_limit_gy)?;
        for l in &self.lesion {
            if !lesions.contains(&l.name) {
                let (name, known) = (l.name.clone(), lesions.join(", "));
                return Err(OptimiseError::UnknownLesion { name, known });
            }
            number(format!("lesion {}: weight", l.name), l.weight)?;
            number(format!("lesion {}: goal_gy", l.name), l.goal_gy)?;
        }
        Ok(())
    }
}

/// The sum of weighted logarithms of control.
struct Response<'a> {
    problem: &'a Problem,
    control: (f64, f64),
}

impl Concave for Response<'_> {
    fn at(&self, x: &DVector<f64>) -> Option<(f64, DVector<f64>, DMatrix<f64>)> {
        let n = x.len();
        let (d50, k) = self.control;
        let mut value = 0.0;
        let mut gradient = DVector::zeros(n);
        let mut hessian = DMatrix::zeros(n, n);
        for l in &self.problem.lesions {
            let d = l.dose(x.as_slice());
            if !(d > 0.0) {
                return None;
            }
            // ln TCP = -ln(1 + (D50 / D)^k)
            let q = (d50 / d).powf(k);
            value -= l.weight * q.ln_1p();
            let first = k / d * q / (1.0 + q);
            let second = -first / d * (1.0 + k / (1.0 + q));
            let a = DVector::from_column_slice(&l.gy_per_gbq);
            gradient += l.weight * first * &a;
            hessian += l.weight * second * &a * a.transpose();
        }
        Some((value, gradient, hessian))
    }
}

/// The last variable: what every lesion has at least of its goal.
struct Last;

impl Concave for Last {
    fn at(&self, x: &DVector<f64>) -> Option<(f64, DVector<f64>, DMatrix<f64>)> {
        let n = x.len();
        let mut gradient = DVector::zeros(n);
        gradient[n - 1] = 1.0;
        Some((x[n - 1], gradient, DMatrix::zeros(n, n)))
    }
}

impl Lesion {
    fn dose(&self, gbq: &[f64]) -> f64 {
        self.before_gy + self.gy_per_gbq.iter().zip(gbq).map(|(d, a)| d * a).sum::<f64>()
    }
}

impl Problem {
    /// The best activities, which limits hold them, and what each Gy of normal liver buys.
    pub(crate) fn solve(&self) -> Result<Optimisation, OptimiseError> {
        if self.lesions.is_empty() {
            return Err(OptimiseError::NoLesion);
        }
        let best = self.best(&self.limits)?;
        let (gbq, prices) = (&best.0, &best.1);
        let whole = self.whole_normal_gy(gbq);
        let limits = self.limits.iter().zip(prices).map(|(l, price)| {
            let value: f64 = l.per_gbq.iter().zip(gbq).map(|(p, a)| p * a).sum();
            OptimisedLimit {
                id: l.id.to_owned(),
                session: l.session,
                value,
                limit: l.limit,
                unit: l.unit.to_owned(),
                binds: value > (1.0 - BINDS) * l.limit,
                price: *price,
                source: l.source.clone(),
            }
        });
        let sessions = self.sessions.iter().zip(gbq);
        Ok(Optimisation {
            aim: self.aim.word().to_owned(),
            sessions: sessions
                .map(|(session, a)| OptimisedSession { session: *session, activity_gbq: *a })
                .collect(),
            limits: limits.collect(),
            least_dosed: self.least(gbq).0.to_owned(),
            trade_off: self.trade_off(whole),
        })
    }

    fn whole_normal_gy(&self, gbq: &[f64]) -> f64 {
        let sum: f64 = self.whole_normal.iter().zip(gbq).map(|(d, a)| d * a).sum();
        self.whole_normal_before_gy + sum
    }

    /// The lesion that is furthest from its goal, and its dose.
    fn least(&self, gbq: &[f64]) -> (&str, f64) {
        let all = self.lesions.iter().map(|l| (l, l.dose(gbq)));
        let least = all.min_by(|(a, x), (b, y)| (x / a.goal_gy).total_cmp(&(y / b.goal_gy)));
        least.map_or(("", 0.0), |(l, gy)| (l.name.as_str(), gy))
    }

    /// Probability that every lesion responds.
    fn response(&self, gbq: &[f64]) -> Option<f64> {
        let (d50, k) = self.control?;
        let each = self.lesions.iter().map(|l| 1.0 / (1.0 + (d50 / l.dose(gbq)).powf(k)));
        Some(each.product())
    }

    /// Activities and the prices of the limits.
    fn best(&self, limits: &[Limit]) -> Result<(Vec<f64>, Vec<f64>), OptimiseError> {
        let n = self.sessions.len();
        for (s, session) in self.sessions.iter().enumerate() {
            if !limits.iter().any(|l| l.per_gbq[s] > 0.0) {
                return Err(OptimiseError::NoLimit(*session));
            }
        }
        if let Some(l) = limits.iter().find(|l| !(l.limit > 0.0)) {
            return Err(OptimiseError::NoRoom(l.id.replace('_', " ")));
        }
        // A small activity of every session is inside all limits.
        let most = |s: usize| {
            let each = limits.iter().filter(|l| l.per_gbq[s] > 0.0);
            each.map(|l| l.limit / l.per_gbq[s]).fold(f64::INFINITY, f64::min)
        };
        let start: Vec<f64> = (0..n).map(|s| 0.1 / n as f64 * most(s)).collect();
        let unit = |s: usize, extra: usize| {
            let mut a = vec![0.0; n + extra];
            a[s] = -1.0;
            Line { a, h: 0.0 }
        };
        let rows = |extra: usize| -> Vec<Line> {
            let limit = |l: &Limit| {
                let mut a = l.per_gbq.clone();
                a.resize(n + extra, 0.0);
                Line { a, h: l.limit }
            };
            limits.iter().map(limit).chain((0..n).map(|s| unit(s, extra))).collect()
        };
        let found = match (self.aim, self.control) {
            (Aim::Response, None) => return Err(OptimiseError::NoControl),
            (Aim::Response, Some(control)) => {
                maximise(&Response { problem: self, control }, &rows(0), start)
            }
            (Aim::LeastDosed, _) => {
                let mut lines = rows(1);
                for l in &self.lesions {
                    let mut a: Vec<f64> = l.gy_per_gbq.iter().map(|d| -d / l.goal_gy).collect();
                    a.push(1.0);
                    lines.push(Line { a, h: l.before_gy / l.goal_gy });
                }
                let least = self.lesions.iter().map(|l| l.dose(&start) / l.goal_gy);
                let below = 0.5 * least.fold(f64::INFINITY, f64::min);
                let mut inside = start;
                inside.push(below);
                maximise(&Last, &lines, inside)
            }
        };
        let found = found.ok_or(OptimiseError::NotFound)?;
        let gbq = found.x[..n].to_vec();
        Ok((gbq, found.prices[..limits.len()].to_vec()))
    }

    /// The best for less and less normal liver.
    fn trade_off(&self, whole: f64) -> Vec<TradeOff> {
        let room = whole - self.whole_normal_before_gy;
        (1..=CURVE)
            .into_par_iter()
            .filter_map(|n| {
                let part = n as f64 / CURVE as f64;
                let mut limits = self.limits.clone();
                limits.push(Limit {
                    id: "whole_normal_liver_dose",
                    session: None,
                    per_gbq: self.whole_normal.clone(),
                    // A hair more, so that the last point is the best itself.
                    limit: part * room * (1.0 + 1e-9),
                    unit: "Gy",
                    source: String::new(),
                });
                let (gbq, _) = self.best(&limits).ok()?;
                let (least, gy) = self.least(&gbq);
                Some(TradeOff {
                    whole_normal_liver_gy: self.whole_normal_gy(&gbq),
                    activity_gbq: gbq.clone(),
                    least_dosed: least.to_owned(),
                    least_dosed_gy: gy,
                    all_respond: self.response(&gbq),
                    tumour_gy: self
                        .lesions
                        .iter()
                        .map(|l| (l.name.clone(), l.dose(&gbq)))
                        .collect::<BTreeMap<_, _>>(),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limit(id: &'static str, per_gbq: Vec<f64>, limit: f64) -> Limit {
        Limit { id, session: None, per_gbq, limit, unit: "Gy", source: String::new() }
    }

    fn lesion(name: &str, gy_per_gbq: Vec<f64>) -> Lesion {
        let name = name.to_owned();
        Lesion { name, gy_per_gbq, before_gy: 0.0, weight: 1.0, goal_gy: 1.0 }
    }

    /// Two lobes, each with a lesion; the lungs are shared.
    fn two_lobes(aim: Aim, lungs: f64) -> Problem {
        Problem {
            aim,
            sessions: vec![1, 2],
            lesions: vec![lesion("T1", vec![100.0, 0.0]), lesion("T2", vec![0.0, 50.0])],
            limits: vec![
                limit("right", vec![25.0, 0.0], 75.0),
                limit("left", vec![0.0, 25.0], 75.0),
                limit("lungs", vec![3.0, 3.0], lungs),
            ],
            whole_normal: vec![15.0, 8.0],
            whole_normal_before_gy: 0.0,
            control: Some((200.0, 4.0)),
        }
    }

    fn activities(o: &Optimisation) -> Vec<f64> {
        o.sessions.iter().map(|s| s.activity_gbq).collect()
    }

    #[test]
    fn each_lobe_goes_to_its_own_limit_when_nothing_is_shared() {
        for aim in [Aim::Response, Aim::LeastDosed] {
            let found = two_lobes(aim, 1000.0).solve().expect("a best");
            let gbq = activities(&found);
            assert!((gbq[1] - 3.0).abs() < 1e-5, "{aim:?} {gbq:?}");
            if aim == Aim::Response {
                assert!((gbq[0] - 3.0).abs() < 1e-5, "{gbq:?}");
            }
            let binding: Vec<_> =
                found.limits.iter().filter(|l| l.binds).map(|l| l.id.as_str()).collect();
            assert!(binding.contains(&"left"), "{binding:?}");
        }
    }

    #[test]
    fn the_least_dosed_lesions_become_equal_where_lungs_are_shared() {
        // 100 a = 50 b and a + b = 3: a = 1, b = 2.
        let found = two_lobes(Aim::LeastDosed, 9.0).solve().expect("a best");
        let gbq = activities(&found);
        assert!((gbq[0] - 1.0).abs() < 1e-6 && (gbq[1] - 2.0).abs() < 1e-6, "{gbq:?}");
        let lungs = &found.limits[2];
        // One Gy more to the lungs is a third of a GBq, two ninths of it to the left: 100 / 9 Gy.
        assert!(lungs.binds && (lungs.price - 100.0 / 9.0).abs() < 1e-3, "{lungs:?}");
        let last = found.trade_off.last().expect("a curve");
        assert!((last.least_dosed_gy - 100.0).abs() < 1e-3, "{last:?}");
    }

    #[test]
    fn what_cannot_be_solved_is_said() {
        let mut none = two_lobes(Aim::Response, 9.0);
        none.lesions.clear();
        assert_eq!(none.solve(), Err(OptimiseError::NoLesion));
        let mut free = two_lobes(Aim::Response, 9.0);
        free.limits = vec![limit("right", vec![25.0, 0.0], 75.0)];
        assert_eq!(free.solve(), Err(OptimiseError::NoLimit(2)));
        let mut full = two_lobes(Aim::Response, 0.0);
        full.limits[2].limit = 0.0;
        assert_eq!(full.solve(), Err(OptimiseError::NoRoom("lungs".to_owned())));
        let mut unknown = two_lobes(Aim::Response, 9.0);
        unknown.control = None;
        assert_eq!(unknown.solve(), Err(OptimiseError::NoControl));
    }

    proptest! {
        #[test]
        fn no_other_point_within_the_limits_is_better(
            d in proptest::array::uniform4(10.0_f64..200.0),
            n in proptest::array::uniform2(5.0_f64..40.0),
            lungs in 2.0_f64..30.0,
            at in proptest::collection::vec((0.0_f64..1.0, 0.0_f64..1.0), 60),
        ) {
            let mut p = two_lobes(Aim::Response, lungs);
            p.lesions = vec![lesion("T1", vec![d[0], 0.1 * d[1]]), lesion("T2", vec![0.1 * d[2], d[3]])];
            p.limits[0].per_gbq[0] = n[0];
            p.limits[1].per_gbq[1] = n[1];
            let best = activities(&p.solve().expect("a best"));
            let reached = p.response(&best).expect("known");
            for l in &p.limits {
                let value: f64 = l.per_gbq.iter().zip(&best).map(|(p, a)| p * a).sum();
                prop_assert!(value <= l.limit * (1.0 + 1e-9));
            }
            for (x, y) in at {
                let gbq = [x * 75.0 / n[0], y * 75.0 / n[1]];
                let allowed = 3.0 * (gbq[0] + gbq[1]) <= lungs;
                if allowed && gbq[0] > 0.0 && gbq[1] > 0.0 {
                    prop_assert!(p.response(&gbq).expect("known") <= reached * (1.0 + 1e-6));
                }
            }
        }
    }
}
