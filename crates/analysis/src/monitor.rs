//! The trial as it stands: accrual, feasibility, toxicity, the stopping rule, response, who is due.

use crate::accrual::{Accrual, Plan, accrual};
use crate::data::{Subject, Trial};
use crate::due::{Dues, dues};
use crate::feasibility::{Feasibility, feasibility};
use crate::response::{Responses, all_responses};
use crate::settings::{Setting, Settings};
use crate::stopping::{Given, Standing, Stopping, stopping};
use crate::toxicity::{Lengths, Toxicities, toxicities};
use crate::{AnalysisError, NOTICE};
use hepatica_regimen::Protocol;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

/// What a person may say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wishes {
    /// Of enrolment.
    pub plan: Plan,
    /// Of the stopping rule.
    pub stopping: Given,
    /// Days after a session that are put down to it.
    pub session_days: Option<u32>,
    /// Level of intervals.
    pub level: Option<f64>,
    /// Where the protocol is from: `given`, `data`, or `assumed`.
    pub protocol_from: &'static str,
}

/// The trial as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Monitor {
    /// `hepatica-monitor/1`.
    pub schema: String,
    /// What this may be used for.
    pub notice: String,
    /// The study, where the data name one.
    pub study: Option<String>,
    /// The protocol and its version.
    pub protocol: String,
    /// Where the data are from.
    pub source: String,
    /// The day the data were cut.
    #[schemars(with = "String")]
    pub cutoff: Date,
    /// What was reckoned with, and where it is from.
    pub settings: Vec<Setting>,
    /// What a reader must know of the data.
    pub notes: Vec<String>,
    /// Patients by month and centre.
    pub accrual: Accrual,
    /// Who got how far.
    pub feasibility: Feasibility,
    /// Toxicities by grade and window.
    pub toxicity: Toxicities,
    /// The stopping rule.
    pub stopping: Stopping,
    /// Responses so far, all arms together; empty without ADRS.
    pub response: Vec<Responses>,
    /// Who is due, and what was missed.
    pub due: Dues,
}

impl Monitor {
    /// Whether no boundary is crossed, for sure.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        matches!(self.stopping.standing, Standing::GoOn | Standing::NoLookYet)
    }
}

/// Settings that monitoring and analysis share.
pub(crate) fn common(
    trial: &Trial,
    protocol: &Protocol,
    protocol_from: &'static str,
    (level, session_days): (Option<f64>, Option<u32>),
    settings: &mut Settings,
) -> Result<(f64, Lengths), AnalysisError> {
    let named = format!("{} version {}", protocol.id, protocol.version);
    match protocol_from {
        "given" | "data" => settings.note("protocol", named, protocol_from),
        _ => settings.assume("protocol", &named, "none was named (--protocol)"),
    }
    settings.note("data cut", format!("{} ({})", trial.cutoff, trial.cutoff_from), "data");
    let level = settings.choose("level of intervals", level, 0.95, "usual");
    if !(level > 0.5 && level < 1.0) {
        return Err(AnalysisError::Level { found: level });
    }
    let because = "radioembolization-induced liver disease appears within 2 weeks to 4 months";
    let session_days =
        settings.choose("days after a session that are put down to it", session_days, 90, because);
    let cycle_days = i64::from(protocol.cycle.days);
    settings.note("days of a cycle", cycle_days, "protocol");
    Ok((level, Lengths { cycle_days, session_days: i64::from(session_days) }))
}

/// The trial as it stands.
///
/// # Errors
/// When what was wished for cannot be.
pub fn monitor(
    trial: &Trial,
    protocol: &Protocol,
    wishes: &Wishes,
) -> Result<Monitor, AnalysisError> {
    let mut settings = Settings::default();
    let (level, lengths) = common(
        trial,
        protocol,
        wishes.protocol_from,
        (wishes.level, wishes.session_days),
        &mut settings,
    )?;
    let two_cycles = 2 * protocol.cycle.days;
    let stopping = stopping(trial, &wishes.stopping, two_cycles, &mut settings, level)?;
    let mut notes = trial.notes.clone();
    if !trial.tables[4] {
        notes.push(
            "without ADAE the stopping rule sees only laboratory values, or nothing: its answer says nothing of toxicity"
                .to_owned(),
        );
    }
    let arms = trial.arms();
    if arms.len() > 1 {
        notes.push(format!("{} arms are counted together here", arms.len()));
    }
    let everyone: Vec<&Subject> = trial.subjects.iter().collect();
    let response = if trial.tables[2] { all_responses(&everyone, level)? } else { Vec::new() };
    Ok(Monitor {
        schema: "hepatica-monitor/1".to_owned(),
        notice: NOTICE.to_owned(),
        study: trial.study.clone(),
        protocol: format!("{} version {}", protocol.id, protocol.version),
        source: trial.source.clone(),
        cutoff: trial.cutoff,
        accrual: accrual(trial, wishes.plan, &mut settings),
        feasibility: feasibility(trial, level)?,
        toxicity: toxicities(trial, &|_| true, lengths, level)?,
        stopping,
        response,
        due: dues(trial, protocol),
        settings: settings.0,
        notes,
    })
}
