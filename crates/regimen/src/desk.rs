//! What a person says of a course, checked at the door: an impossible date or value, an unknown drug,
//! term or procedure is refused with one sentence, what is unlikely is asked back. The command line
//! and the workbench both ask here.

use crate::calendar::Calendar;
use crate::course::{days_between, plus};
use crate::ctcae::{GradeError, Term, Version};
use crate::event::EventId;
use crate::measure::{Measure, MeasureError};
use crate::protocol::ProcedureKind;
use crate::response::{Lesion, NonTarget, NonTargetState, Scan};
use crate::{Course, Event, Fact, Log, Protocol};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// Most words of one kind in what is said at once.
const MAX_WORDS: usize = 200;
/// Longest word, in bytes.
const MAX_LENGTH: usize = 200;

/// Why something is not recorded: one sentence.
#[derive(Debug, Error)]
pub enum DeskError {
    /// It cannot be.
    #[error("{0}")]
    Refused(String),
    /// It is unlikely; it is recorded when a person says that it is right.
    #[error("{0}")]
    Unlikely(String),
    /// A measure or its value.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// A term or its grade.
    #[error(transparent)]
    Grade(#[from] GradeError),
    /// A date.
    #[error(transparent)]
    Calendar(#[from] crate::calendar::CalendarError),
}

/// What a person says happened, in the words of the command line: `KEY=VALUE`, units and all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Said {
    /// What is known of the patient on entry: `birth=`, `variant=`, and any measure.
    Enrolment {
        /// `KEY=VALUE`.
        values: Vec<String>,
    },
    /// Values measured: `MEASURE=VALUE`, with or without its unit.
    Labs {
        /// `MEASURE=VALUE`.
        values: Vec<String>,
    },
    /// The laboratory's limits of normal: `MEASURE=LOW-HIGH`, `LOW-` or `-HIGH`.
    Normal {
        /// `MEASURE=LOW-HIGH`.
        values: Vec<String>,
    },
    /// Drugs taken or not: `DRUG=taken`, `DRUG=missed`, `DRUG=1500mg`.
    Doses {
        /// `DRUG=HOW`.
        values: Vec<String>,
        /// Last day, if it was more than one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        until: Option<Date>,
    },
    /// Toxicities: `TERM=GRADE`, grade 0 when it is over.
    Toxicity {
        /// `TERM=GRADE`.
        values: Vec<String>,
        /// Version of CTCAE; the protocol's if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ctcae: Option<u8>,
        /// What it is put down to.
        #[serde(default)]
        related: Vec<String>,
    },
    /// A radioembolization that was given.
    Session {
        /// The protocol's procedure; the next one that was not done if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        procedure: Option<String>,
        /// Activity that left the vial, with its unit: `1.8GBq`.
        activity: String,
        /// Activity that stayed in vial and lines.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        residual: Option<String>,
        /// What was treated.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        territory: Option<String>,
        /// The device.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<String>,
    },
    /// A procedure of another kind.
    Procedure {
        /// The protocol's procedure.
        procedure: String,
    },
    /// A scan: `SITE/LESION=MM`, `=MM:VIABLE_MM` or `=ne`, `non-target/SITE=cr|non-cr|pd|ne`, `new/SITE=yes`.
    Scan {
        /// `WHAT=HOW`, or `nothing`.
        values: Vec<String>,
    },
    /// A treatment that the protocol does not know.
    Therapy {
        /// What.
        name: String,
        /// It was directed at the liver.
        #[serde(default)]
        liver: bool,
    },
    /// Drugs are held by decision; none named: all.
    Hold {
        /// Which.
        #[serde(default)]
        drugs: Vec<String>,
    },
    /// Drugs are taken again; none named: all.
    Resume {
        /// Which.
        #[serde(default)]
        drugs: Vec<String>,
    },
    /// A criterion of a gate is waived.
    Override {
        /// The gate; `dose` for a value that a dose would need.
        gate: String,
        /// The criterion, or the measure a dose would need.
        criterion: String,
        /// Last day it holds; that day only if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        until: Option<Date>,
    },
    /// The patient leaves the treatment.
    Withdrawal {},
    /// The patient died.
    Death {},
}

fn refused(text: impl Into<String>) -> DeskError {
    DeskError::Refused(text.into())
}

/// Checks what is brought in against the protocol and what is known.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    /// The protocol of the course.
    pub protocol: &'a Protocol,
    /// The course so far.
    pub course: &'a Course<'a>,
    /// The clock's day.
    pub today: Date,
}

impl Desk<'_> {
    /// A day on which something can have been true; `what` names it in the sentence.
    ///
    /// # Errors
    /// When it is before birth, still to come, or a hundred years away.
    pub fn check_day(&self, on: Date, what: &str) -> Result<(), DeskError> {
        let today = self.today;
        if let Some(birth) = self.course.birth.filter(|b| on < *b) {
            return Err(refused(format!("{what} {on} is before the patient was born ({birth})")));
        }
        if on < plus(self.course.c1d1, -36_525) {
            return Err(refused(format!("{what} {on} is a hundred years before the course")));
        }
        // Before the first day everything is a rehearsal anyhow.
        if on > today && self.course.c1d1 <= today {
            return Err(refused(format!(
                "{what} {on} is still to come (today is {today}): record what has happened"
            )));
        }
        if on > plus(self.course.c1d1.max(today), 36_525) {
            return Err(refused(format!("{what} {on} is a hundred years away")));
        }
        Ok(())
    }

    /// The facts that are said; `confirm`: what is unlikely is right.
    ///
    /// # Errors
    /// One sentence on what cannot be, or is unlikely.
    pub fn facts(
        &self,
        said: &Said,
        on: Date,
        confirm: bool,
        why: Option<&str>,
    ) -> Result<Vec<Fact>, DeskError> {
        self.bounded(said)?;
        Ok(match said {
            Said::Enrolment { values } => vec![self.enrolment(values, on, confirm)?],
            Said::Labs { values } => vec![Fact::Labs { values: Self::values(values, confirm)? }],
            Said::Normal { values } => vec![Self::normal(values)?],
            Said::Doses { values, until } => self.doses(values, *until, on)?,
            Said::Toxicity { values, ctcae, related } => {
                self.toxicities(values, *ctcae, related)?
            }
            Said::Session { procedure, activity, residual, territory, device } => {
                let gbq = named_activity("activity", activity)?;
                let residual =
                    residual.as_deref().map(|t| named_activity("residual", t)).transpose()?;
                let (procedure, activity_gbq) = (self.session(procedure.as_deref())?, gbq);
                if residual.is_some_and(|r| r > activity_gbq) {
                    return Err(refused("the residual is more than the activity"));
                }
                vec![Fact::Session {
                    procedure,
                    territory: territory.clone(),
                    activity_gbq,
                    residual_gbq: residual,
                    device: device.clone(),
                }]
            }
            Said::Procedure { procedure } => {
                self.procedure(procedure)?;
                vec![Fact::Procedure { procedure: procedure.clone() }]
            }
            Said::Scan { values } => vec![scan(values, self.course)?],
            Said::Therapy { name, liver } => {
                if name.trim().is_empty() {
                    return Err(refused("a treatment has a name"));
                }
                vec![Fact::Therapy { name: name.clone(), liver: *liver }]
            }
            Said::Hold { drugs } => {
                self.all_drugs(drugs)?;
                vec![Fact::Hold { drugs: drugs.clone() }]
            }
            Said::Resume { drugs } => {
                self.all_drugs(drugs)?;
                vec![Fact::Resume { drugs: drugs.clone() }]
            }
            Said::Override { gate, criterion, until } => {
                vec![self.waiver(gate, criterion, *until, on, why)?]
            }
            Said::Withdrawal {} => vec![Fact::Withdrawal {}],
            Said::Death {} => vec![Fact::Death {}],
        })
    }

    /// A correction of an event: what is true instead, or nothing: it never was.
    ///
    /// # Errors
    /// Without a reason, or when what is said is more than one thing or cannot be.
    pub fn correction(
        &self,
        of: &EventId,
        said: Option<&Said>,
        on: Date,
        confirm: bool,
        why: Option<&str>,
    ) -> Result<Fact, DeskError> {
        if why.is_none_or(|w| w.trim().is_empty()) {
            return Err(refused("a correction says why"));
        }
        let fact = match said {
            Some(said) => {
                let mut facts = self.facts(said, on, confirm, why)?;
                if facts.len() != 1 {
                    return Err(refused("a correction says one thing: give one value of its kind"));
                }
                facts.pop().map(Box::new)
            }
            None => None,
        };
        Ok(Fact::Correction { of: of.clone(), fact })
    }

    /// The same said before, if it was: a person who records twice is told so.
    ///
    /// # Errors
    /// When an event of the same day says the same.
    pub fn check_new(log: &Log, event: &Event) -> Result<(), DeskError> {
        let same = log.events().iter().find(|e| {
            (e.on, e.at, &e.fact) == (event.on, event.at, &event.fact)
                && !matches!(e.fact, Fact::Correction { .. })
        });
        match same {
            None => Ok(()),
            Some(same) => Err(refused(format!(
                "{} {} of {} is recorded already (on {} by {}): nothing was written",
                event.fact.kind(),
                event.fact.summary(),
                event.on,
                same.recorded.strftime("%Y-%m-%d"),
                same.by
            ))),
        }
    }

    fn bounded(&self, said: &Said) -> Result<(), DeskError> {
        let words: &[String] = match said {
            Said::Enrolment { values }
            | Said::Labs { values }
            | Said::Normal { values }
            | Said::Doses { values, .. }
            | Said::Scan { values }
            | Said::Toxicity { values, .. } => {
                if values.is_empty() {
                    return Err(refused("nothing is said: expected KEY=VALUE, as in platelets=92"));
                }
                values
            }
            Said::Hold { drugs } | Said::Resume { drugs } => drugs,
            _ => &[],
        };
        if words.len() > MAX_WORDS || words.iter().any(|w| w.len() > MAX_LENGTH) {
            return Err(refused(format!(
                "too much at once: at most {MAX_WORDS} values of {MAX_LENGTH} letters"
            )));
        }
        Ok(())
    }

    fn enrolment(&self, list: &[String], on: Date, confirm: bool) -> Result<Fact, DeskError> {
        let (mut birth, mut variant, mut rest) = (None, None, Vec::new());
        for item in list {
            match pair(item)? {
                ("birth" | "born", text) => {
                    let date = Calendar::parse_date(text)?;
                    let years = (days_between(date, on) as f64) / 365.25;
                    if !(0.0..=120.0).contains(&years) {
                        return Err(refused(format!(
                            "birth={text}: {years:.0} years old on {on}, expected 0 to 120"
                        )));
                    }
                    birth = Some(date);
                }
                ("variant", text) => {
                    let known: Vec<_> =
                        self.protocol.variant.iter().map(|v| v.id.as_str()).collect();
                    if !known.contains(&text) {
                        return Err(refused(format!(
                            "variant={text}: {} has {}{}",
                            self.protocol.id,
                            known.join(", "),
                            near(text, known.iter().copied())
                        )));
                    }
                    variant = Some(text.to_owned());
                }
                _ => rest.push(item.clone()),
            }
        }
        Ok(Fact::Enrolment { birth, variant, values: Self::values(&rest, confirm)? })
    }

    fn values(list: &[String], confirm: bool) -> Result<BTreeMap<String, f64>, DeskError> {
        let mut values = BTreeMap::new();
        for item in list {
            let (name, text) = pair(item)?;
            let measure = Measure::find(name)?;
            let reading = measure.read(text)?;
            if let Some(doubt) = reading.doubt.filter(|_| !confirm) {
                return Err(DeskError::Unlikely(doubt));
            }
            if values.insert(measure.id.clone(), reading.value).is_some() {
                return Err(refused(format!("{} is given twice", measure.name)));
            }
        }
        Ok(values)
    }

    fn normal(list: &[String]) -> Result<Fact, DeskError> {
        let (mut lln, mut uln) = (BTreeMap::new(), BTreeMap::new());
        for item in list {
            let (name, text) = pair(item)?;
            let measure = Measure::find(name)?;
            let range = || {
                refused(format!("{item}: expected {name}=LOW-HIGH, {name}=LOW- or {name}=-HIGH"))
            };
            let (low, high) = text.split_once('-').ok_or_else(range)?;
            let read = |t: &str| -> Result<Option<f64>, DeskError> {
                if t.trim().is_empty() { Ok(None) } else { Ok(Some(measure.read(t)?.value)) }
            };
            let (low, high) = (read(low)?, read(high)?);
            if low.is_none() && high.is_none() || low.zip(high).is_some_and(|(l, h)| l >= h) {
                return Err(range());
            }
            lln.extend(low.map(|v| (measure.id.clone(), v)));
            uln.extend(high.map(|v| (measure.id.clone(), v)));
        }
        Ok(Fact::Normal { lln, uln })
    }

    fn drug(&self, id: &str) -> Result<(), DeskError> {
        if self.protocol.drug(id).is_some() {
            return Ok(());
        }
        let known = self.protocol.drug.iter().map(|d| d.id.as_str());
        let list: Vec<_> = known.clone().collect();
        Err(refused(format!(
            "{} has no drug `{id}`{}; it has {}",
            self.protocol.id,
            near(id, known),
            if list.is_empty() { "none".to_owned() } else { list.join(", ") }
        )))
    }

    fn all_drugs(&self, ids: &[String]) -> Result<(), DeskError> {
        ids.iter().try_for_each(|id| self.drug(id))
    }

    fn procedure(&self, id: &str) -> Result<(), DeskError> {
        if self.protocol.procedure.iter().any(|p| p.id == id) {
            return Ok(());
        }
        let known: Vec<_> = self.protocol.procedure.iter().map(|p| p.id.as_str()).collect();
        Err(refused(format!(
            "{} has no procedure `{id}`{}; it has {}",
            self.protocol.id,
            near(id, known.iter().copied()),
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        )))
    }

    fn doses(
        &self,
        values: &[String],
        until: Option<Date>,
        on: Date,
    ) -> Result<Vec<Fact>, DeskError> {
        if let Some(until) = until {
            self.check_day(until, "until")?;
            if until < on {
                return Err(refused(format!("until {until} is before {on}")));
            }
            if days_between(on, until) >= i64::from(self.protocol.cycle.days) {
                return Err(refused(format!(
                    "{on} to {until} is longer than a cycle of {} days: record each cycle by itself",
                    self.protocol.cycle.days
                )));
            }
        }
        let one = |item: &String| {
            let (drug, how) = pair(item)?;
            self.drug(drug)?;
            let (taken, mg_per_intake) = match how {
                "taken" | "yes" => (true, None),
                "missed" | "no" | "not-taken" => (false, None),
                text => {
                    let mg = text.strip_suffix("mg").and_then(|t| t.trim().parse::<f64>().ok());
                    let mg = mg.filter(|mg| *mg > 0.0 && *mg <= 20_000.0);
                    (
                        true,
                        Some(mg.ok_or_else(|| {
                            refused(format!(
                                "{item}: expected {drug}=taken, {drug}=missed or {drug}=1500mg"
                            ))
                        })?),
                    )
                }
            };
            Ok(Fact::Doses { drug: drug.to_owned(), taken, until, mg_per_intake })
        };
        values.iter().map(one).collect()
    }

    fn toxicities(
        &self,
        values: &[String],
        ctcae: Option<u8>,
        related: &[String],
    ) -> Result<Vec<Fact>, DeskError> {
        let ctcae = ctcae.unwrap_or(self.protocol.ctcae);
        let version = Version::try_from(ctcae)?;
        let one = |item: &String| {
            let (name, text) = pair(item)?;
            let term = Term::find(name)?;
            let grade: u8 = text
                .parse()
                .map_err(|_| refused(format!("{item}: expected a grade, 0 (over) to 5")))?;
            if grade > 0 {
                term.by_person(version, grade)?;
            }
            let related = related.to_vec();
            Ok(Fact::Toxicity { term: term.id().to_owned(), grade, ctcae, related })
        };
        values.iter().map(one).collect()
    }

    fn session(&self, procedure: Option<&str>) -> Result<String, DeskError> {
        let done = |id: &str| self.course.sessions.iter().any(|s| s.procedure == id);
        let mut all = self.protocol.procedures(ProcedureKind::Radioembolization);
        let procedure = match procedure {
            Some(id) => {
                self.procedure(id)?;
                id.to_owned()
            }
            None => all.find(|p| !done(&p.id)).map(|p| p.id.clone()).ok_or_else(|| {
                refused(format!("{} has no session that was not given yet", self.protocol.id))
            })?,
        };
        if done(&procedure) {
            return Err(refused(format!(
                "{procedure} was given already; correct that event if it was wrong"
            )));
        }
        Ok(procedure)
    }

    fn waiver(
        &self,
        gate: &str,
        criterion: &str,
        until: Option<Date>,
        on: Date,
        why: Option<&str>,
    ) -> Result<Fact, DeskError> {
        if why.is_none_or(|w| w.trim().is_empty()) {
            return Err(refused("a criterion is waived for a reason: say why"));
        }
        if let Some(until) = until.filter(|u| *u < on) {
            return Err(refused(format!("until {until} is before {on}")));
        }
        let (gate, criterion) = (gate.to_owned(), criterion.to_owned());
        let known: Vec<String> = if gate == "dose" {
            let tables = self.protocol.drug.iter().flat_map(|d| &d.adjustment);
            tables.map(|t| t.measure.clone()).collect()
        } else {
            let gates: Vec<_> = self.protocol.gate.iter().map(|g| g.id.as_str()).collect();
            let Some(rule) = self.protocol.gate.iter().find(|g| g.id == gate) else {
                return Err(refused(format!(
                    "{} has no gate `{gate}`{}; it has {}",
                    self.protocol.id,
                    near(&gate, gates.iter().copied()),
                    gates.join(", ")
                )));
            };
            rule.criterion.iter().map(|c| c.id.clone()).collect()
        };
        if !known.contains(&criterion) {
            return Err(refused(format!(
                "{gate} has no criterion `{criterion}`{}; it has {}",
                near(&criterion, known.iter().map(String::as_str)),
                known.join(", ")
            )));
        }
        Ok(Fact::Override { gate, criterion, until })
    }
}

/// `key=value`
fn pair(item: &str) -> Result<(&str, &str), DeskError> {
    item.split_once('=')
        .map(|(k, v)| (k.trim(), v.trim()))
        .filter(|(k, v)| !k.is_empty() && !v.is_empty())
        .ok_or_else(|| refused(format!("{item}: expected KEY=VALUE, as in platelets=92")))
}

/// The known word that looks most like one.
fn near<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    crate::strict::nearest(word, known).map_or(String::new(), |n| format!("; did you mean `{n}`?"))
}

fn named_activity(name: &str, text: &str) -> Result<f64, DeskError> {
    let lower = text.to_lowercase();
    let number =
        |suffix: &str| lower.strip_suffix(suffix).and_then(|t| t.trim().parse::<f64>().ok());
    let gbq = number("gbq")
        .or_else(|| number("mbq").map(|v| v / 1000.0))
        .or_else(|| number("mci").map(|v| v * 0.037));
    gbq.filter(|v| *v >= 0.0 && *v <= 100.0).ok_or_else(|| {
        refused(format!(
            "{name} {text}: expected an activity with its unit, as in 1.8GBq (or MBq, mCi)"
        ))
    })
}

fn scan(values: &[String], course: &Course<'_>) -> Result<Fact, DeskError> {
    let mut scan = Scan { lesions: Vec::new(), non_target: Vec::new(), new_lesions: Vec::new() };
    for item in values.iter().filter(|i| *i != "nothing") {
        let (what, how) = pair(item)?;
        let (site, name) =
            what.split_once('/').filter(|(s, n)| !s.is_empty() && !n.is_empty()).ok_or_else(
                || refused(format!("{item}: expected SITE/LESION=MM, as in liver/T1=28")),
            )?;
        match site {
            "non-target" => scan.non_target.push(NonTarget {
                site: name.to_owned(),
                state: match how {
                    "cr" => NonTargetState::Cr,
                    "non-cr" | "non-cr-non-pd" => NonTargetState::NonCrNonPd,
                    "pd" => NonTargetState::Pd,
                    "ne" => NonTargetState::Ne,
                    _ => {
                        return Err(refused(format!("{item}: expected cr, non-cr, pd or ne")));
                    }
                },
            }),
            "new" => match how {
                "yes" => scan.new_lesions.push(name.to_owned()),
                "no" => {}
                _ => return Err(refused(format!("{item}: expected yes or no"))),
            },
            _ => scan.lesions.push(lesion(item, site, name, how)?),
        }
    }
    // A target of another name than at baseline would be taken for another lesion.
    if let Some((on, baseline)) = course.scans.first() {
        for l in &scan.lesions {
            if !baseline.lesions.iter().any(|b| b.id == l.id) {
                let known: Vec<_> = baseline.lesions.iter().map(|b| b.id.as_str()).collect();
                return Err(refused(format!(
                    "{} is no target of the baseline of {on} ({}); a new lesion is new/{}=yes",
                    l.id,
                    known.join(", "),
                    l.site
                )));
            }
        }
    }
    Ok(Fact::Scan { reading: scan })
}

fn lesion(item: &str, site: &str, name: &str, how: &str) -> Result<Lesion, DeskError> {
    let mm = |text: &str| {
        let text = text.strip_suffix("mm").unwrap_or(text);
        let value = text.trim().parse::<f64>().ok().filter(|v| (0.0..=500.0).contains(v));
        value.ok_or_else(|| refused(format!("{item}: expected millimetres, 0 to 500, or ne")))
    };
    let (diameter, viable) = match how.split_once(':') {
        Some((whole, part)) => (Some(mm(whole)?), Some(mm(part)?)),
        None if how == "ne" => (None, None),
        None => (Some(mm(how)?), None),
    };
    if diameter.zip(viable).is_some_and(|(d, v)| v > d) {
        return Err(refused(format!("{item}: the viable part is longer than the lesion")));
    }
    Ok(Lesion {
        id: name.to_owned(),
        site: site.to_owned(),
        node: site.to_lowercase().starts_with("node"),
        diameter_mm: diameter,
        viable_mm: viable,
    })
}
