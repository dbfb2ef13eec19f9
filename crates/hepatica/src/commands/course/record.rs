//! `hepatica course record`
//!
//! What cannot be true is refused at the door with one sentence: an impossible date or value, an
//! unknown drug, term or procedure, a plan of another patient. What is unlikely is asked back
//! (`--confirm`). What contradicts an earlier value is kept beside it and said.

mod scan;
mod simulation;

use super::{CommandError, Opened, recorder};
use crate::term;
use clap::{Subcommand, ValueHint};
use hepatica_regimen::ctcae::{Term, Version};
use hepatica_regimen::event::EventId;
use hepatica_regimen::log::Lock;
use hepatica_regimen::measure::Measure;
use hepatica_regimen::next::Agenda;
use hepatica_regimen::{Calendar, Course, Event, Fact, Protocol};
use jiff::civil::{Date, Time};
use jiff::{Timestamp, ZonedDateTime};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica course record P001.course enrolment --date 2026-11-20 birth=1961-03-09 sex=female \\
      height=168cm weight=71kg variant=g3-2024 consent=yes
  hepatica course record P001.course normal --date 2026-11-20 alt=7-40 ast=8-40 bilirubin=0.2-1.2
  hepatica course record P001.course labs --date 2027-01-04 platelets=92 anc=1.8 bilirubin=15umol/L
  hepatica course record P001.course doses --date 2026-12-02 --until 2026-12-15 capecitabine=taken
  hepatica course record P001.course toxicity --date 2026-12-12 hand-foot=2 --related capecitabine
  hepatica course record P001.course simulation OUT/plan.json --date 2026-12-16
  hepatica course record P001.course session --date 2027-01-05 --procedure session-1 --activity 1.8GBq
  hepatica course record P001.course scan --date 2027-02-24 liver/T1=28 liver/T2=17 non-target/bone=non-cr
  hepatica course record P001.course correction 3f2a91bc7d10 --why 'read the wrong line' \\
      labs platelets=192")]
pub struct Args {
    /// The course file
    #[arg(value_hint = ValueHint::FilePath)]
    course: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    #[command(flatten)]
    Fact(FactArgs),
    /// Correct an earlier event: it stays in the log, and what is said here stands in its place
    Correction(CorrectionArgs),
}

/// What every event has.
#[derive(Debug, clap::Args)]
struct Common {
    /// The day it is true of; a correction keeps that of what it corrects
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<String>,
    /// The local time, where it matters
    #[arg(long, value_name = "HH:MM")]
    time: Option<String>,
    /// Who records this; the user of the machine if left out
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Why, in words
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// A value that is unlikely is right
    #[arg(long)]
    confirm: bool,
    /// Only say what would be recorded
    #[arg(long)]
    dry_run: bool,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum FactArgs {
    /// What is known of the patient on entry: birth=, variant=, sex=, height=, weight=, consent=, ...
    Enrolment(Values),
    /// Values measured: MEASURE=VALUE with or without its unit (`hepatica protocol measures` lists them)
    Labs(Values),
    /// The laboratory's limits of normal: MEASURE=LOW-HIGH, LOW- or -HIGH
    Normal(Values),
    /// Drugs taken or not: DRUG=taken, DRUG=missed, or DRUG=1500mg an intake
    Doses(Doses),
    /// Toxicities: TERM=GRADE, grade 0 when it is over
    Toxicity(Toxicity),
    /// The simulation procedure, from its plan
    Simulation(simulation::Args),
    /// A radioembolization that was given
    Session(Session),
    /// A procedure of another kind
    Procedure(Named),
    /// A scan: SITE/LESION=MM, non-target/SITE=cr|non-cr|pd|ne, new/SITE=yes
    Scan(scan::Args),
    /// A treatment that the protocol does not know
    Therapy(Therapy),
    /// Hold drugs by decision; none named: all
    Hold(Drugs),
    /// Take drugs again; none named: all
    Resume(Drugs),
    /// Waive a criterion of a gate, with the reason (--why)
    Override(Override),
    /// The patient leaves the treatment
    Withdrawal(Bare),
    /// The patient died
    Death(Bare),
}

#[derive(Debug, clap::Args)]
struct Values {
    /// KEY=VALUE, as many as there are
    #[arg(required = true, value_name = "KEY=VALUE")]
    values: Vec<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Doses {
    /// DRUG=taken, DRUG=missed, or DRUG=1500mg
    #[arg(required = true, value_name = "DRUG=HOW")]
    values: Vec<String>,
    /// Last day, if it was more than one
    #[arg(long, value_name = "YYYY-MM-DD")]
    until: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Toxicity {
    /// TERM=GRADE
    #[arg(required = true, value_name = "TERM=GRADE")]
    values: Vec<String>,
    /// Version of CTCAE, if not the protocol's
    #[arg(long, value_name = "5|6")]
    ctcae: Option<u8>,
    /// What it is put down to: drugs or procedures; may be given again
    #[arg(long, value_name = "CAUSE")]
    related: Vec<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Session {
    /// The protocol's procedure; the next one that was not done if left out
    #[arg(long, value_name = "ID")]
    procedure: Option<String>,
    /// Activity that left the vial, as in 1.8GBq
    #[arg(long, value_name = "ACTIVITY")]
    activity: String,
    /// Activity that stayed in vial and lines
    #[arg(long, value_name = "ACTIVITY")]
    residual: Option<String>,
    /// What was treated
    #[arg(long)]
    territory: Option<String>,
    /// The device
    #[arg(long)]
    device: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The protocol's procedure
    procedure: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Therapy {
    /// What
    name: String,
    /// It was directed at the liver
    #[arg(long)]
    liver: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Drugs {
    /// Which drugs
    drugs: Vec<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Override {
    /// The gate; `dose` for a value that a dose would need
    gate: String,
    /// The criterion, or the measure a dose would need
    criterion: String,
    /// Last day it holds; that day only if left out
    #[arg(long, value_name = "YYYY-MM-DD")]
    until: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Bare {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct CorrectionArgs {
    /// The event that was wrong (`hepatica course history`)
    event: String,
    /// It never was
    #[arg(long)]
    never: bool,
    #[command(flatten)]
    common: Common,
    /// What is true instead
    #[command(subcommand)]
    fact: Option<FactArgs>,
}

impl FactArgs {
    fn common(&self) -> &Common {
        match self {
            Self::Enrolment(a) | Self::Labs(a) | Self::Normal(a) => &a.common,
            Self::Doses(a) => &a.common,
            Self::Toxicity(a) => &a.common,
            Self::Simulation(a) => &a.common,
            Self::Session(a) => &a.common,
            Self::Procedure(a) => &a.common,
            Self::Scan(a) => &a.common,
            Self::Therapy(a) => &a.common,
            Self::Hold(a) | Self::Resume(a) => &a.common,
            Self::Override(a) => &a.common,
            Self::Withdrawal(a) | Self::Death(a) => &a.common,
        }
    }
}

fn usage(text: impl Into<String>) -> CommandError {
    CommandError::Usage(text.into())
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let _lock = Lock::take(&args.course)?;
    let opened = Opened::read(&args.course, None, None)?;
    let course = opened.course()?;
    let desk = Desk { protocol: &opened.protocol, course: &course };
    let (common, inner, of) = match &args.what {
        What::Fact(fact) => (fact.common(), fact.common(), None),
        What::Correction(c) => {
            let inner = c.fact.as_ref().map_or(&c.common, FactArgs::common);
            (&c.common, inner, Some(desk.event_named(&opened, &c.event)?))
        }
    };
    let said = common.date.as_ref().or(inner.date.as_ref());
    let on = match (said, &of) {
        (Some(text), _) => Calendar::parse_date(text)?,
        (None, Some((_, original))) => original.on,
        (None, None) => {
            return Err(usage("which day is it true of? say it with --date YYYY-MM-DD"));
        }
    };
    desk.check_day(on, "--date")?;
    let at = match common.time.as_ref().or(inner.time.as_ref()) {
        Some(text) => Some(parse_time(text)?),
        None => of.as_ref().and_then(|(_, e)| e.at),
    };
    let why = common.why.clone().or_else(|| inner.why.clone());
    let confirm = common.confirm || inner.confirm;
    let facts = match &args.what {
        What::Fact(fact) => desk.facts(fact, on, confirm, why.as_deref())?,
        What::Correction(c) => {
            if why.is_none() {
                return Err(usage("a correction says why: --why TEXT"));
            }
            let (id, _) = of.as_ref().ok_or_else(|| usage("which event?"))?;
            vec![desk.correction(c, id, on, confirm, why.as_deref())?]
        }
    };
    let by = recorder(common.by.clone().or_else(|| inner.by.clone()))?;
    // What is told ahead is shown as of its day.
    let opened = Opened { today: opened.today.max(on), ..opened };
    let course = opened.course()?;
    let before = opened.seen(0)?.agenda;
    let mut log = opened.log.clone();
    let mut recorded = Vec::new();
    for fact in facts {
        let event = Event {
            patient: course.patient.to_owned(),
            on,
            at,
            recorded: Timestamp::now(),
            by: by.clone(),
            why: why.clone(),
            fact,
        };
        if let Some(same) = log.events().iter().find(|e| {
            (e.on, e.at, &e.fact) == (event.on, event.at, &event.fact)
                && !matches!(e.fact, Fact::Correction { .. })
        }) {
            return Err(usage(format!(
                "{} {} of {on} is recorded already (on {} by {}): nothing was written",
                event.fact.kind(),
                event.fact.summary(),
                same.recorded.strftime("%Y-%m-%d"),
                same.by
            )));
        }
        let id = log.append(event.clone())?;
        recorded.push((id, event));
    }
    let dry = common.dry_run || inner.dry_run;
    if !dry {
        log.write()?;
    }
    if common.quiet || inner.quiet {
        return Ok(true);
    }
    let verb = if dry { "would record" } else { "recorded" };
    for (id, e) in &recorded {
        let (dim, reset) = (term::DIM, term::RESET);
        anstream::println!(
            "{dim}{verb}{reset} {id}  {} of {on}: {}",
            e.fact.kind(),
            e.fact.summary()
        );
    }
    let after = Opened { log, protocol: opened.protocol.clone(), ..opened };
    say_what_changed(&before, &after.seen(0)?.agenda, &recorded);
    Ok(true)
}

/// Grades of what was recorded, contradictions, and what the protocol makes of it.
fn say_what_changed(before: &Agenda, after: &Agenda, recorded: &[(EventId, Event)]) {
    for (_, e) in recorded {
        if e.is_ahead() {
            anstream::println!(
                "{}note{} {} is still to come: kept as a rehearsal, treat nobody by it",
                term::HEAD,
                term::RESET,
                e.on
            );
        }
        if let Fact::Labs { values } | Fact::Enrolment { values, .. } = &e.fact {
            for v in after.values.iter().filter(|v| values.contains_key(&v.measure) && v.on == e.on)
            {
                if let Some(grade) = &v.grade {
                    anstream::println!(
                        "  {} {} {}: {}",
                        v.name,
                        v.value,
                        v.unit,
                        super::status::grade(grade)
                    );
                }
            }
        }
    }
    let new = |now: &[String], then: &[String]| {
        now.iter().filter(|l| !then.contains(l)).cloned().collect::<Vec<_>>()
    };
    for line in new(&after.conflicts, &before.conflicts) {
        anstream::println!("{}conflict{} {line}", term::ERROR, term::RESET);
    }
    for line in new(&after.deviations, &before.deviations) {
        anstream::println!("{}deviation{} {line}", term::HEAD, term::RESET);
    }
    for g in &after.gates {
        let then = before.gates.iter().find(|b| b.before == g.before && b.gate.id == g.gate.id);
        if then.is_none_or(|b| b.gate.status != g.gate.status || b.gate.reason != g.gate.reason) {
            let (colour, reset) = (term::of(g.gate.status), term::RESET);
            anstream::println!(
                "{colour}{:<10}{reset} {} ({}, {}): {}",
                g.gate.status,
                g.gate.name,
                g.what,
                g.day,
                g.gate.reason
            );
        }
    }
}

/// Checks what is brought in against the protocol and what is known.
struct Desk<'a> {
    protocol: &'a Protocol,
    course: &'a Course<'a>,
}

impl Desk<'_> {
    /// A day on which something can have been true.
    fn check_day(&self, on: Date, flag: &str) -> Result<(), CommandError> {
        let today = ZonedDateTime::now().date();
        if let Some(birth) = self.course.birth.filter(|b| on < *b) {
            return Err(usage(format!("{flag} {on} is before the patient was born ({birth})")));
        }
        if on < hepatica_regimen::course::plus(self.course.c1d1, -36_525) {
            return Err(usage(format!("{flag} {on} is a hundred years before the course")));
        }
        // Before the first day everything is a rehearsal anyhow.
        if on > today && self.course.c1d1 <= today {
            return Err(usage(format!(
                "{flag} {on} is still to come (today is {today}): record what has happened"
            )));
        }
        if on > hepatica_regimen::course::plus(self.course.c1d1.max(today), 36_525) {
            return Err(usage(format!("{flag} {on} is a hundred years away")));
        }
        Ok(())
    }

    fn event_named<'o>(
        &self,
        opened: &'o Opened,
        text: &str,
    ) -> Result<(EventId, &'o Event), CommandError> {
        let begins: Vec<_> =
            opened.log.entries().filter(|(id, _)| id.0.starts_with(text)).collect();
        match begins[..] {
            [(id, event)] if text.len() >= 4 => Ok((id.clone(), event)),
            [] => Err(usage(format!(
                "no event {text} in this course; `hepatica course history` lists them"
            ))),
            _ => Err(usage(format!("{text}: more than one event begins so; give more of it"))),
        }
    }

    fn correction(
        &self,
        args: &CorrectionArgs,
        of: &EventId,
        on: Date,
        confirm: bool,
        why: Option<&str>,
    ) -> Result<Fact, CommandError> {
        let fact = match (&args.fact, args.never) {
            (Some(_), true) => {
                return Err(usage("either what is true instead, or --never: not both"));
            }
            (Some(fact), false) => {
                let mut facts = self.facts(fact, on, confirm, why)?;
                if facts.len() != 1 {
                    return Err(usage("a correction says one thing: give one value of its kind"));
                }
                facts.pop().map(Box::new)
            }
            (None, true) => None,
            (None, false) => {
                return Err(usage("what is true instead? give it as for a new event, or --never"));
            }
        };
        Ok(Fact::Correction { of: of.clone(), fact })
    }

    fn facts(
        &self,
        args: &FactArgs,
        on: Date,
        confirm: bool,
        why: Option<&str>,
    ) -> Result<Vec<Fact>, CommandError> {
        Ok(match args {
            FactArgs::Enrolment(a) => vec![self.enrolment(&a.values, on, confirm)?],
            FactArgs::Labs(a) => vec![Fact::Labs { values: self.values(&a.values, confirm)? }],
            FactArgs::Normal(a) => vec![self.normal(&a.values)?],
            FactArgs::Doses(a) => self.doses(a, on)?,
            FactArgs::Toxicity(a) => self.toxicities(a)?,
            FactArgs::Simulation(a) => vec![simulation::fact(a, self.course)?],
            FactArgs::Session(a) => vec![self.session(a)?],
            FactArgs::Procedure(a) => {
                self.procedure(&a.procedure)?;
                vec![Fact::Procedure { procedure: a.procedure.clone() }]
            }
            FactArgs::Scan(a) => vec![scan::fact(a, self.course)?],
            FactArgs::Therapy(a) => {
                vec![Fact::Therapy { name: a.name.clone(), liver: a.liver }]
            }
            FactArgs::Hold(a) => {
                self.all_drugs(&a.drugs)?;
                vec![Fact::Hold { drugs: a.drugs.clone() }]
            }
            FactArgs::Resume(a) => {
                self.all_drugs(&a.drugs)?;
                vec![Fact::Resume { drugs: a.drugs.clone() }]
            }
            FactArgs::Override(a) => vec![self.waiver(a, on, why)?],
            FactArgs::Withdrawal(_) => vec![Fact::Withdrawal {}],
            FactArgs::Death(_) => vec![Fact::Death {}],
        })
    }

    fn enrolment(&self, list: &[String], on: Date, confirm: bool) -> Result<Fact, CommandError> {
        let (mut birth, mut variant, mut rest) = (None, None, Vec::new());
        for item in list {
            match pair(item)? {
                ("birth" | "born", text) => {
                    let date = Calendar::parse_date(text)?;
                    let years = (hepatica_regimen::course::days_between(date, on) as f64) / 365.25;
                    if !(0.0..=120.0).contains(&years) {
                        return Err(usage(format!(
                            "birth={text}: {years:.0} years old on {on}, expected 0 to 120"
                        )));
                    }
                    birth = Some(date);
                }
                ("variant", text) => {
                    let known: Vec<_> =
                        self.protocol.variant.iter().map(|v| v.id.as_str()).collect();
                    if !known.contains(&text) {
                        return Err(usage(format!(
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
        Ok(Fact::Enrolment { birth, variant, values: self.values(&rest, confirm)? })
    }

    fn values(
        &self,
        list: &[String],
        confirm: bool,
    ) -> Result<BTreeMap<String, f64>, CommandError> {
        let mut values = BTreeMap::new();
        for item in list {
            let (name, text) = pair(item)?;
            let measure = Measure::find(name)?;
            let reading = measure.read(text)?;
            if let Some(doubt) = reading.doubt.filter(|_| !confirm) {
                return Err(usage(format!("{doubt} (--confirm)")));
            }
            if values.insert(measure.id.clone(), reading.value).is_some() {
                return Err(usage(format!("{} is given twice", measure.name)));
            }
        }
        Ok(values)
    }

    fn normal(&self, list: &[String]) -> Result<Fact, CommandError> {
        let (mut lln, mut uln) = (BTreeMap::new(), BTreeMap::new());
        for item in list {
            let (name, text) = pair(item)?;
            let measure = Measure::find(name)?;
            let range =
                || usage(format!("{item}: expected {name}=LOW-HIGH, {name}=LOW- or {name}=-HIGH"));
            let (low, high) = text.split_once('-').ok_or_else(range)?;
            let read = |t: &str| -> Result<Option<f64>, CommandError> {
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

    fn drug(&self, id: &str) -> Result<(), CommandError> {
        if self.protocol.drug(id).is_some() {
            return Ok(());
        }
        let known = self.protocol.drug.iter().map(|d| d.id.as_str());
        let list: Vec<_> = known.clone().collect();
        Err(usage(format!(
            "{} has no drug `{id}`{}; it has {}",
            self.protocol.id,
            near(id, known),
            if list.is_empty() { "none".to_owned() } else { list.join(", ") }
        )))
    }

    fn all_drugs(&self, ids: &[String]) -> Result<(), CommandError> {
        ids.iter().try_for_each(|id| self.drug(id))
    }

    fn procedure(&self, id: &str) -> Result<(), CommandError> {
        if self.protocol.procedure.iter().any(|p| p.id == id) {
            return Ok(());
        }
        let known: Vec<_> = self.protocol.procedure.iter().map(|p| p.id.as_str()).collect();
        Err(usage(format!(
            "{} has no procedure `{id}`{}; it has {}",
            self.protocol.id,
            near(id, known.iter().copied()),
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        )))
    }

    fn doses(&self, args: &Doses, on: Date) -> Result<Vec<Fact>, CommandError> {
        let until = args.until.as_deref().map(Calendar::parse_date).transpose()?;
        if let Some(until) = until {
            self.check_day(until, "--until")?;
            if until < on {
                return Err(usage(format!("--until {until} is before --date {on}")));
            }
            if hepatica_regimen::course::days_between(on, until)
                >= i64::from(self.protocol.cycle.days)
            {
                return Err(usage(format!(
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
                            usage(format!(
                                "{item}: expected {drug}=taken, {drug}=missed or {drug}=1500mg"
                            ))
                        })?),
                    )
                }
            };
            Ok(Fact::Doses { drug: drug.to_owned(), taken, until, mg_per_intake })
        };
        args.values.iter().map(one).collect()
    }

    fn toxicities(&self, args: &Toxicity) -> Result<Vec<Fact>, CommandError> {
        let ctcae = args.ctcae.unwrap_or(self.protocol.ctcae);
        let version = Version::try_from(ctcae)?;
        let one = |item: &String| {
            let (name, text) = pair(item)?;
            let term = Term::find(name)?;
            let grade: u8 = text
                .parse()
                .map_err(|_| usage(format!("{item}: expected a grade, 0 (over) to 5")))?;
            if grade > 0 {
                term.by_person(version, grade)?;
            }
            let related = args.related.clone();
            Ok(Fact::Toxicity { term: term.id().to_owned(), grade, ctcae, related })
        };
        args.values.iter().map(one).collect()
    }

    fn session(&self, args: &Session) -> Result<Fact, CommandError> {
        use hepatica_regimen::ProcedureKind;
        let done = |id: &str| self.course.sessions.iter().any(|s| s.procedure == id);
        let mut open = self.protocol.procedures(ProcedureKind::Radioembolization);
        let procedure = match &args.procedure {
            Some(id) => {
                self.procedure(id)?;
                id.clone()
            }
            None => open.find(|p| !done(&p.id)).map(|p| p.id.clone()).ok_or_else(|| {
                usage(format!("{} has no session that was not given yet", self.protocol.id))
            })?,
        };
        if done(&procedure) {
            return Err(usage(format!(
                "{procedure} was given already; correct that event if it was wrong"
            )));
        }
        let activity_gbq = activity("--activity", &args.activity)?;
        let residual_gbq =
            args.residual.as_deref().map(|t| activity("--residual", t)).transpose()?;
        if residual_gbq.is_some_and(|r| r > activity_gbq) {
            return Err(usage("--residual is more than --activity"));
        }
        Ok(Fact::Session {
            procedure,
            territory: args.territory.clone(),
            activity_gbq,
            residual_gbq,
            device: args.device.clone(),
        })
    }

    fn waiver(&self, args: &Override, on: Date, why: Option<&str>) -> Result<Fact, CommandError> {
        if why.is_none() {
            return Err(usage("a criterion is waived for a reason: --why TEXT"));
        }
        let until = args.until.as_deref().map(Calendar::parse_date).transpose()?;
        if until.is_some_and(|u| u < on) {
            return Err(usage("--until is before --date"));
        }
        let (gate, criterion) = (args.gate.clone(), args.criterion.clone());
        let known: Vec<String> = if gate == "dose" {
            let tables = self.protocol.drug.iter().flat_map(|d| &d.adjustment);
            tables.map(|t| t.measure.clone()).collect()
        } else {
            let gates: Vec<_> = self.protocol.gate.iter().map(|g| g.id.as_str()).collect();
            let Some(rule) = self.protocol.gate.iter().find(|g| g.id == gate) else {
                return Err(usage(format!(
                    "{} has no gate `{gate}`{}; it has {}",
                    self.protocol.id,
                    near(&gate, gates.iter().copied()),
                    gates.join(", ")
                )));
            };
            rule.criterion.iter().map(|c| c.id.clone()).collect()
        };
        if !known.contains(&criterion) {
            return Err(usage(format!(
                "{gate} has no criterion `{criterion}`{}; it has {}",
                near(&criterion, known.iter().map(String::as_str)),
                known.join(", ")
            )));
        }
        Ok(Fact::Override { gate, criterion, until })
    }
}

/// `key=value`
fn pair(item: &str) -> Result<(&str, &str), CommandError> {
    item.split_once('=')
        .map(|(k, v)| (k.trim(), v.trim()))
        .filter(|(k, v)| !k.is_empty() && !v.is_empty())
        .ok_or_else(|| usage(format!("{item}: expected KEY=VALUE, as in platelets=92")))
}

/// The known word that looks most like one.
fn near<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    hepatica_regimen::strict::nearest(word, known)
        .map_or(String::new(), |n| format!("; did you mean `{n}`?"))
}

fn activity(flag: &str, text: &str) -> Result<f64, CommandError> {
    let lower = text.to_lowercase();
    let number =
        |suffix: &str| lower.strip_suffix(suffix).and_then(|t| t.trim().parse::<f64>().ok());
    let gbq = number("gbq")
        .or_else(|| number("mbq").map(|v| v / 1000.0))
        .or_else(|| number("mci").map(|v| v * 0.037));
    gbq.filter(|v| *v >= 0.0 && *v <= 100.0).ok_or_else(|| {
        usage(format!(
            "{flag} {text}: expected an activity with its unit, as in 1.8GBq (or MBq, mCi)"
        ))
    })
}

fn parse_time(text: &str) -> Result<Time, CommandError> {
    let shape = text.len() == 5 && text.as_bytes()[2] == b':';
    let time = if shape { text.parse().ok() } else { None };
    time.ok_or_else(|| usage(format!("--time {text}: expected HH:MM, as in 13:05")))
}
