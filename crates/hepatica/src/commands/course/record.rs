//! `hepatica course record`
//!
//! What cannot be true is refused at the door with one sentence: an impossible date or value, an
//! unknown drug, term or procedure, a plan of another patient. What is unlikely is asked back
//! (`--confirm`). What contradicts an earlier value is kept beside it and said.

mod simulation;

use super::{CommandError, Opened, recorder};
use crate::term;
use clap::{Subcommand, ValueHint};
use hepatica_regimen::desk::{Desk, DeskError, Said};
use hepatica_regimen::event::EventId;
use hepatica_regimen::log::Lock;
use hepatica_regimen::next::Agenda;
use hepatica_regimen::{Calendar, Event, Fact};
use jiff::civil::{Date, Time};
use jiff::{Timestamp, ZonedDateTime};
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
    Scan(Scan),
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
#[command(after_help = "\
Examples:
  ... scan --date 2026-11-20 liver/T1=34 liver/T2=22 node/N1=18       the baseline
  ... scan --date 2027-02-24 liver/T1=24 liver/T2=ne non-target/bone=non-cr new/lung=yes
  ... scan --date 2027-02-24 liver/T1=24:11                            11 mm of it enhancing

A node is measured by its short axis. `ne`: not evaluable. What begins with `node` is a node.")]
struct Scan {
    /// SITE/LESION=MM or =MM:VIABLE_MM or =ne, non-target/SITE=cr|non-cr|pd|ne, new/SITE=yes, or `nothing`
    #[arg(required = true, value_name = "WHAT=HOW")]
    values: Vec<String>,
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
    let today = ZonedDateTime::now().date();
    let desk = Desk { protocol: &opened.protocol, course: &course, today };
    let (common, inner, of) = match &args.what {
        What::Fact(fact) => (fact.common(), fact.common(), None),
        What::Correction(c) => {
            let inner = c.fact.as_ref().map_or(&c.common, FactArgs::common);
            (&c.common, inner, Some(event_named(&opened, &c.event)?))
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
        What::Fact(fact) => facts(&desk, fact, on, confirm, why.as_deref())?,
        What::Correction(c) => {
            if why.is_none() {
                return Err(usage("a correction says why: --why TEXT"));
            }
            let (id, _) = of.as_ref().ok_or_else(|| usage("which event?"))?;
            vec![correction(&desk, c, id, on, confirm, why.as_deref())?]
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
        Desk::check_new(&log, &event)?;
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

fn event_named<'o>(opened: &'o Opened, text: &str) -> Result<(EventId, &'o Event), CommandError> {
    let begins: Vec<_> = opened.log.entries().filter(|(id, _)| id.0.starts_with(text)).collect();
    match begins[..] {
        [(id, event)] if text.len() >= 4 => Ok((id.clone(), event)),
        [] => Err(usage(format!(
            "no event {text} in this course; `hepatica course history` lists them"
        ))),
        _ => Err(usage(format!("{text}: more than one event begins so; give more of it"))),
    }
}

/// What is said, as the desk takes it; none for a plan, which is a file.
fn said(args: &FactArgs) -> Result<Option<Said>, CommandError> {
    let date = |text: &Option<String>| text.as_deref().map(Calendar::parse_date).transpose();
    Ok(Some(match args {
        FactArgs::Enrolment(a) => Said::Enrolment { values: a.values.clone() },
        FactArgs::Labs(a) => Said::Labs { values: a.values.clone() },
        FactArgs::Normal(a) => Said::Normal { values: a.values.clone() },
        FactArgs::Doses(a) => Said::Doses { values: a.values.clone(), until: date(&a.until)? },
        FactArgs::Toxicity(a) => {
            Said::Toxicity { values: a.values.clone(), ctcae: a.ctcae, related: a.related.clone() }
        }
        FactArgs::Simulation(_) => return Ok(None),
        FactArgs::Session(a) => Said::Session {
            procedure: a.procedure.clone(),
            activity: a.activity.clone(),
            residual: a.residual.clone(),
            territory: a.territory.clone(),
            device: a.device.clone(),
        },
        FactArgs::Procedure(a) => Said::Procedure { procedure: a.procedure.clone() },
        FactArgs::Scan(a) => Said::Scan { values: a.values.clone() },
        FactArgs::Therapy(a) => Said::Therapy { name: a.name.clone(), liver: a.liver },
        FactArgs::Hold(a) => Said::Hold { drugs: a.drugs.clone() },
        FactArgs::Resume(a) => Said::Resume { drugs: a.drugs.clone() },
        FactArgs::Override(a) => Said::Override {
            gate: a.gate.clone(),
            criterion: a.criterion.clone(),
            until: date(&a.until)?,
        },
        FactArgs::Withdrawal(_) => Said::Withdrawal {},
        FactArgs::Death(_) => Said::Death {},
    }))
}

/// The flag that helps, where one does.
fn with_flag(error: DeskError) -> CommandError {
    match error {
        DeskError::Unlikely(doubt) => usage(format!("{doubt} (--confirm)")),
        other => other.into(),
    }
}

fn facts(
    desk: &Desk<'_>,
    args: &FactArgs,
    on: Date,
    confirm: bool,
    why: Option<&str>,
) -> Result<Vec<Fact>, CommandError> {
    match (args, said(args)?) {
        (_, Some(said)) => desk.facts(&said, on, confirm, why).map_err(with_flag),
        (FactArgs::Simulation(a), _) => Ok(vec![simulation::fact(a, desk.course)?]),
        (_, None) => Ok(Vec::new()),
    }
}

fn correction(
    desk: &Desk<'_>,
    args: &CorrectionArgs,
    of: &EventId,
    on: Date,
    confirm: bool,
    why: Option<&str>,
) -> Result<Fact, CommandError> {
    match (&args.fact, args.never) {
        (Some(_), true) => Err(usage("either what is true instead, or --never: not both")),
        (None, false) => Err(usage("what is true instead? give it as for a new event, or --never")),
        (Some(FactArgs::Simulation(a)), false) => {
            let fact = Some(Box::new(simulation::fact(a, desk.course)?));
            Ok(Fact::Correction { of: of.clone(), fact })
        }
        (fact, _) => {
            let said = fact.as_ref().map(said).transpose()?.flatten();
            desk.correction(of, said.as_ref(), on, confirm, why).map_err(with_flag)
        }
    }
}

fn parse_time(text: &str) -> Result<Time, CommandError> {
    let shape = text.len() == 5 && text.as_bytes()[2] == b':';
    let time = if shape { text.parse().ok() } else { None };
    time.ok_or_else(|| usage(format!("--time {text}: expected HH:MM, as in 13:05")))
}
