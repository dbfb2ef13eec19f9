//! Times to events by arm: Kaplan-Meier with log-log limits, medians, comparison of two arms,
//! and hepatic progression against its competitors.

use crate::AnalysisError;
use crate::data::{End, Subject, Time, Trial};
use hepatica_regimen::course::days_between;
use hepatica_regimen::response::{Response, Scope};
use hepatica_statistics::Error as StatisticsError;
use hepatica_statistics::survival::{
    AalenJohansen, CompetingRisks, IntervalCensored, KaplanMeier, LogRankOptions, Scale, Survival,
    Turnbull, cox, log_rank,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Times at which curves are told: half years to five years.
pub const LANDMARKS_DAYS: [f64; 7] = [183.0, 365.0, 548.0, 731.0, 1096.0, 1461.0, 1826.0];

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Endpoint {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// By arm.
    pub arms: Vec<ArmTimes>,
    /// Two arms or more held against each other; none where there is one.
    pub comparison: Option<Comparison>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// Times of an arm.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ArmTimes {
    /// The arm; none where there is one.
    pub arm: Option<String>,
    /// Patients.
    pub n: u64,
    /// Events.
    pub events: u64,
    /// Of them deaths; none where the data do not tell.
    pub deaths: Option<u64>,
    /// Time by which half had the event.
    pub median_days: Estimate,
    /// Time by which half were followed (censoring and event exchanged).
    pub median_follow_up_days: Option<f64>,
    /// The curve at some times.
    pub at: Vec<At>,
    /// The whole curve.
    pub curve: Vec<At>,
    /// Days on which patients are censored.
    pub censored_days: Vec<f64>,
    /// Days until which patients are at risk, by day.
    pub at_risk_days: Vec<f64>,
}

/// An estimate with its limits; what is not reached is none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Estimate {
    /// The estimate.
    pub estimate: Option<f64>,
    /// Lower limit.
    pub lower: Option<f64>,
    /// Upper limit.
    pub upper: Option<f64>,
}

/// A curve at a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct At {
    /// The time.
    pub days: f64,
    /// Patients at risk just before it.
    pub at_risk: u64,
    /// The fraction: free of events, or with the event.
    pub fraction: f64,
    /// Its limits; none where there are none: before the first event, and after the last patient.
    pub interval: Option<[f64; 2]>,
}

/// Arms held against each other.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Comparison {
    /// Which arms; the first is what the second is held against.
    pub arms: Vec<String>,
    /// Log-rank statistic.
    pub log_rank: Option<f64>,
    /// Its two-sided p-value.
    pub p: Option<f64>,
    /// Hazard ratio of the second arm to the first (Cox, ties by Efron); for two arms only.
    pub hazard_ratio: Option<Estimate>,
    /// Why something is missing.
    pub note: Option<String>,
}

fn fit(times: &[(f64, bool)]) -> Result<Survival, StatisticsError> {
    Survival::new(times.iter().map(|t| t.0).collect(), times.iter().map(|t| t.1).collect())
}

/// The times of some patients, sorted: the order of rows in a file must not matter to a digit.
fn sorted<'t>(times: impl Iterator<Item = &'t Time>) -> Vec<(f64, bool)> {
    let mut all: Vec<(f64, bool)> = times.map(|t| (t.days as f64, t.end.is_event())).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
    all
}

pub(crate) fn endpoint(
    trial: &Trial,
    code: &str,
    arms: &[Option<String>],
    level: f64,
) -> Result<Option<Endpoint>, AnalysisError> {
    let mut notes = Vec::new();
    let mut told = Vec::new();
    for arm in arms {
        let of = |s: &&Subject| arms.len() == 1 || s.arm == *arm;
        let here: Vec<&Subject> = trial.subjects.iter().filter(of).collect();
        let times: Vec<&Time> = here.iter().filter_map(|s| s.times.get(code)).collect();
        let missing = here.len() - times.len();
        if missing > 0 {
            notes.push(format!(
                "{}{missing} of {} patients have no row of {code} and are not in it",
                arm.as_ref().filter(|_| arms.len() > 1).map_or(String::new(), |a| format!("{a}: ")),
                here.len()
            ));
        }
        if !times.is_empty() {
            told.push((arm.clone(), times));
        }
    }
    if told.is_empty() {
        return Ok(None);
    }
    let competing: usize =
        told.iter().flat_map(|t| &t.1).filter(|t| t.end == End::CompetingDeath).count();
    if competing > 0 {
        notes.push(format!(
            "{competing} deaths are no event of it: the curve counts them as censored, which makes it too good"
        ));
    }
    let of_arms = told
        .iter()
        .map(|(arm, times)| arm_times(trial, arm.clone().filter(|_| arms.len() > 1), times, level))
        .collect::<Result<Vec<_>, _>>()?;
    let comparison = (arms.len() > 1).then(|| compare(&told, level)).transpose()?;
    let name = trial.endpoints.get(code).cloned().unwrap_or_else(|| code.to_owned());
    Ok(Some(Endpoint { code: code.to_owned(), name, arms: of_arms, comparison, notes }))
}

fn arm_times(
    trial: &Trial,
    arm: Option<String>,
    times: &[&Time],
    level: f64,
) -> Result<ArmTimes, AnalysisError> {
    let sample = sorted(times.iter().copied());
    let data = fit(&sample)?;
    let curve = KaplanMeier::fit(&data);
    let at = |days: f64| -> Result<At, AnalysisError> {
        let at = curve.at(days);
        let limits = at.limits(Scale::LogLog, level)?;
        Ok(At {
            days,
            at_risk: at.at_risk as u64,
            fraction: at.survival,
            // Before the first event the estimated variance is zero, which is no certainty.
            interval: limits.filter(|_| at.survival < 1.0).map(|l| [l.lower, l.upper]),
        })
    };
    let last = curve.last_time();
    let median = curve.quantile(0.5, Scale::LogLog, level)?;
    // Who was not seen to have the event was followed until then.
    let turned: Vec<(f64, bool)> = {
        let mut all: Vec<_> = sample.iter().map(|(t, event)| (*t, !event)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        all
    };
    let steps: Vec<f64> =
        curve.steps().filter(|(set, _)| set.events > 0).map(|(set, _)| set.time).collect();
    let deaths = times.iter().filter(|t| t.end == End::Death).count() as u64;
    let unknown = times.iter().any(|t| t.end == End::Event) || !trial.has.causes;
    Ok(ArmTimes {
        arm,
        n: curve.subjects() as u64,
        events: curve.events() as u64,
        deaths: (!unknown).then_some(deaths),
        median_days: Estimate {
            estimate: median.estimate,
            lower: median.lower,
            upper: median.upper,
        },
        median_follow_up_days: KaplanMeier::fit(&fit(&turned)?).median(),
        at: LANDMARKS_DAYS.into_iter().filter(|d| *d <= last).map(at).collect::<Result<_, _>>()?,
        curve: std::iter::once(0.0)
            .chain(steps.into_iter().filter(|d| *d > 0.0))
            .chain(std::iter::once(last))
            .map(at)
            .collect::<Result<_, _>>()?,
        censored_days: sample.iter().filter(|t| !t.1).map(|t| t.0).collect(),
        at_risk_days: sample.iter().map(|t| t.0).collect(),
    })
}

fn compare(arms: &[(Option<String>, Vec<&Time>)], level: f64) -> Result<Comparison, AnalysisError> {
    let name = |arm: &Option<String>| arm.clone().unwrap_or_else(|| "no arm".to_owned());
    let names: Vec<String> = arms.iter().map(|(arm, _)| name(arm)).collect();
    let mut rows: Vec<(f64, bool, usize)> = Vec::new();
    for (k, (_, times)) in arms.iter().enumerate() {
        rows.extend(times.iter().map(|t| (t.days as f64, t.end.is_event(), k)));
    }
    rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)));
    let mut comparison =
        Comparison { arms: names, log_rank: None, p: None, hazard_ratio: None, note: None };
    if arms.len() < 2 {
        comparison.note = Some("only one arm has this endpoint".to_owned());
        return Ok(comparison);
    }
    let data = fit(&rows.iter().map(|r| (r.0, r.1)).collect::<Vec<_>>())?;
    let group: Vec<usize> = rows.iter().map(|r| r.2).collect();
    // What cannot be reckoned (no events, all in one arm) is said, and is no error of the data.
    match log_rank(&data, &group, &LogRankOptions::default()) {
        Ok(test) => {
            comparison.log_rank = Some(test.test.statistic);
            comparison.p = Some(test.p());
        }
        Err(why) => comparison.note = Some(format!("no log-rank test: {why}")),
    }
    if arms.len() == 2 {
        let second: Vec<f64> = group.iter().map(|g| *g as f64).collect();
        let ratio = cox::fit(&data, &[&second], &cox::CoxOptions::default())
            .and_then(|model| model.hazard_ratios(level));
        match ratio {
            Ok(all) => {
                comparison.hazard_ratio = all.first().map(|(hr, limits)| Estimate {
                    estimate: Some(*hr),
                    lower: Some(limits.lower),
                    upper: Some(limits.upper),
                });
            }
            Err(why) => {
                let before = comparison.note.map_or(String::new(), |n| n + "; ");
                comparison.note = Some(format!("{before}no hazard ratio: {why}"));
            }
        }
    }
    Ok(comparison)
}

/// What came first: progression in the liver, progression outside it, death.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Competing {
    /// The arm; none where there is one.
    pub arm: Option<String>,
    /// Patients.
    pub n: u64,
    /// By cause.
    pub causes: Vec<Cause>,
}

/// A cause.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Cause {
    /// Which.
    pub name: String,
    /// Patients of whom it came first.
    pub events: u64,
    /// Cumulative incidence at some times.
    pub at: Vec<At>,
    /// The whole curve.
    pub curve: Vec<At>,
}

/// Names of the causes 1, 2, 3.
pub const CAUSES: [&str; 3] =
    ["progression in the liver", "progression outside the liver", "death without progression"];

/// The first of the causes by day; 0: none so far. `None`: the data do not tell.
fn first_cause(t: &Time) -> Option<(f64, u32)> {
    let end = match t.end {
        End::Progression => 1,
        End::Death | End::CompetingDeath => 3,
        End::Censored => 0,
        End::Event => return None,
    };
    // On one day progression in the liver counts, as it does for hepatic progression-free survival.
    let outside = t.competing_days.filter(|d| *d < t.days || (*d == t.days && end != 1));
    Some(outside.map_or((t.days as f64, end), |d| (d as f64, 2)))
}

pub(crate) fn competing(
    trial: &Trial,
    arms: &[Option<String>],
    level: f64,
) -> Result<Option<Vec<Competing>>, AnalysisError> {
    let mut all = Vec::new();
    for arm in arms {
        let of = |s: &&Subject| arms.len() == 1 || s.arm == *arm;
        let times = trial.subjects.iter().filter(of).filter_map(|s| s.times.get("HPFS"));
        let Some(mut rows) = times.map(first_cause).collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        if rows.is_empty() {
            continue;
        }
        rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let data = CompetingRisks::new(
            rows.iter().map(|r| r.0).collect(),
            rows.iter().map(|r| r.1).collect(),
        )?;
        let last = rows.last().map_or(0.0, |r| r.0);
        let mut causes = Vec::new();
        for (k, name) in CAUSES.iter().enumerate() {
            let cause = k as u32 + 1;
            let events = data.events(cause);
            let curve = AalenJohansen::fit(&data, cause)?;
            let at = |days: f64| -> Result<At, AnalysisError> {
                let at = curve.at(days);
                let limits = at.limits(level)?.filter(|_| at.incidence > 0.0);
                let interval = limits.map(|l| [l.lower, l.upper]);
                Ok(At { days, at_risk: at.at_risk as u64, fraction: at.incidence, interval })
            };
            let days = rows.iter().filter(|r| r.1 == cause && r.0 > 0.0).map(|r| r.0);
            let mut days: Vec<f64> = std::iter::once(0.0).chain(days).chain([last]).collect();
            days.dedup();
            causes.push(Cause {
                name: (*name).to_owned(),
                events: events as u64,
                at: LANDMARKS_DAYS
                    .into_iter()
                    .filter(|d| *d <= last)
                    .map(at)
                    .collect::<Result<_, _>>()?,
                curve: days.into_iter().map(at).collect::<Result<_, _>>()?,
            });
        }
        let arm = arm.clone().filter(|_| arms.len() > 1);
        all.push(Competing { arm, n: rows.len() as u64, causes });
    }
    Ok((!all.is_empty()).then_some(all))
}

/// Hepatic progression-free survival when progression is known to lie between two scans: the
/// estimate of Peto and Turnbull. It is a range wherever the data do not say more.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BetweenScans {
    /// The arm; none where there is one.
    pub arm: Option<String>,
    /// Patients.
    pub n: u64,
    /// Progressions, each between two scans.
    pub between_scans: u64,
    /// Deaths, whose day is known.
    pub deaths: u64,
    /// Pieces of time that hold probability; an end of none is beyond what was seen.
    pub pieces: Vec<Piece>,
    /// The piece in which the median lies; none where it was not reached.
    pub median_days: Option<[f64; 2]>,
    /// The fraction without an event at some times: least and greatest that agree with the estimate.
    pub at: Vec<Range>,
    /// The same over the whole time.
    pub curve: Vec<Range>,
}

/// A piece of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Piece {
    /// Its beginning.
    pub from_days: f64,
    /// Its end; none: beyond what was seen.
    pub to_days: Option<f64>,
    /// Its probability.
    pub probability: f64,
}

/// A range of estimates at a time; no confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Range {
    /// The time.
    pub days: f64,
    /// Least and greatest.
    pub fraction: [f64; 2],
}

/// Left and right end of what is known of a patient; `None`: the data do not tell.
fn between(s: &Subject, t: &Time, offset: i64) -> Option<(f64, f64)> {
    let days = t.days as f64;
    match t.end {
        End::Censored | End::CompetingDeath => Some((days, f64::INFINITY)),
        End::Death => Some((days, days)),
        End::Event => None,
        End::Progression => {
            let from = t.from?;
            let scans = s.region(Scope::Liver)?.scans.iter();
            let adequate = scans.filter(|(_, (r, _))| *r != Response::Ne).map(|(on, _)| on);
            let before = adequate.map(|on| days_between(from, *on) + offset);
            let last = before.filter(|d| *d < t.days && *d >= 0).max().unwrap_or(0);
            Some((last as f64, days))
        }
    }
}

pub(crate) fn between_scans(
    trial: &Trial,
    arms: &[Option<String>],
) -> Result<Option<Vec<BetweenScans>>, AnalysisError> {
    // Without the scans nobody knows between which of them.
    if !trial.has.causes || !trial.tables[2] {
        return Ok(None);
    }
    let mut all = Vec::new();
    for arm in arms {
        let of = |s: &&Subject| arms.len() == 1 || s.arm == *arm;
        let here: Vec<(&Subject, &Time)> = trial
            .subjects
            .iter()
            .filter(of)
            .filter_map(|s| Some((s, s.times.get("HPFS")?)))
            .collect();
        let known = here.iter().map(|(s, t)| between(s, t, trial.offset_days));
        let Some(mut known) = known.collect::<Option<Vec<_>>>() else { return Ok(None) };
        if known.is_empty() {
            continue;
        }
        known.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let (left, right): (Vec<f64>, Vec<f64>) = known.iter().copied().unzip();
        let last = here.iter().map(|(_, t)| t.days as f64).fold(0.0, f64::max);
        let estimate = Turnbull::fit(&IntervalCensored::new(left, right)?)?;
        let range = |days: f64| {
            let at = estimate.at(days);
            Range { days, fraction: [at.lower, at.upper] }
        };
        let mut days: Vec<f64> = vec![0.0, last];
        // Just after its beginning a piece may have begun to count.
        days.extend(estimate.pieces.iter().flat_map(|p| [p.left, p.left + 1e-6, p.right]));
        days.retain(|d| (0.0..=last).contains(d));
        days.sort_by(f64::total_cmp);
        days.dedup();
        let median = estimate.quantile(0.5)?;
        let pieces = estimate.pieces.iter().map(|p| Piece {
            from_days: p.left,
            to_days: p.right.is_finite().then_some(p.right),
            probability: p.mass,
        });
        all.push(BetweenScans {
            arm: arm.clone().filter(|_| arms.len() > 1),
            n: known.len() as u64,
            between_scans: known.iter().filter(|(l, r)| l < r && r.is_finite()).count() as u64,
            deaths: known.iter().filter(|(l, r)| l == r).count() as u64,
            pieces: pieces.collect(),
            median_days: median.right.is_finite().then_some([median.left, median.right]),
            at: LANDMARKS_DAYS.into_iter().filter(|d| *d <= last).map(range).collect(),
            curve: days.into_iter().map(range).collect(),
        });
    }
    Ok((!all.is_empty()).then_some(all))
}
