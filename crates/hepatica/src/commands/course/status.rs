//! `hepatica course status`

use super::{CommandError, Seen, View};
use crate::term;
use hepatica_regimen::ctcae::Graded;
use hepatica_regimen::gate::{Criterion, Status as GateStatus, Truth};
use hepatica_regimen::next::{Agenda, GateBefore, Kind, Status};
use hepatica_regimen::response::Scope;
use hepatica_regimen::site::named_date;

/// Missing values that are named before the rest is counted.
const FEW: usize = 4;
/// Days ahead that are shown.
const AHEAD_DAYS: i64 = 35;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica course status P001.course
  hepatica course status P001.course --on 2027-01-05
  hepatica course status P001.course --json | jq '.gates[] | {what, status: .gate.status}'
  hepatica course status P001.course --check && echo 'nothing is held'

Exit codes: 0; with --check 2 if anything that is due is held, or values contradict each other.")]
pub struct Args {
    #[command(flatten)]
    view: View,
    /// Print JSON (schema: docs/schema/agenda.schema.json)
    #[arg(long)]
    json: bool,
    /// Show every criterion of every gate, and how each dose came to be
    #[arg(long)]
    why: bool,
    /// Exit with 2 if anything that is due is held
    #[arg(long)]
    check: bool,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let opened = args.view.open()?;
    let seen = opened.seen(0)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&seen.agenda)?);
    } else {
        show(&seen, args.why);
    }
    let held = seen.agenda.obligations.iter().any(|o| o.status == Status::Held);
    Ok(!(args.check && (held || !seen.agenda.conflicts.is_empty())))
}

fn head(text: &str) {
    anstream::println!("\n{}{text}{}", term::HEAD, term::RESET);
}

fn show(seen: &Seen<'_>, why: bool) {
    let a = &seen.agenda;
    let day = match (a.ended, a.cycle, a.cycle_day) {
        (Some(e), ..) => format!("ended on {} ({})", e.on, e.because),
        (None, Some(c), Some(d)) => format!("cycle {c}, day {d}"),
        _ => {
            let days = hepatica_regimen::course::days_between(a.today, seen.course.c1d1);
            format!("{days} days before cycle 1")
        }
    };
    let variant = a.variant.as_deref().map_or(String::new(), |v| format!(", {v}"));
    anstream::println!(
        "{}{}{}  {} version {}{variant}  {}  {}{day}{}",
        term::HEAD,
        a.patient,
        term::RESET,
        a.protocol,
        a.protocol_version,
        named_date(a.today),
        term::HEAD,
        term::RESET
    );
    for c in &a.conflicts {
        anstream::println!("{}conflict{}  {c}", term::ERROR, term::RESET);
    }
    doses(a, why);
    due(a);
    gates(a, why);
    values(a);
    outcomes(a);
    for (title, list) in [("Deviations", &a.deviations), ("Notes", &a.warnings)] {
        if !list.is_empty() {
            head(title);
            for line in list {
                anstream::println!("  {line}");
            }
        }
    }
    anstream::println!(
        "\n{}Research use only. A qualified person must check every number.{}",
        term::DIM,
        term::RESET
    );
}

fn doses(a: &Agenda, why: bool) {
    if a.doses.is_empty() || a.ended.is_some() {
        return;
    }
    head("Doses");
    for d in &a.doses {
        let today = match (&d.held, d.stopped, d.due) {
            (_, true, _) => "stopped for good".to_owned(),
            (Some(why), ..) => why.clone(),
            (None, false, true) => "taken today".to_owned(),
            (None, false, false) => "not one of its days".to_owned(),
        };
        let dose = match (&d.words, d.stopped) {
            (_, true) => String::new(),
            (Some(words), _) => words.clone(),
            (None, _) => "dose cannot be told".to_owned(),
        };
        let mg = d.mg_per_intake.map_or(String::new(), |mg| format!(" ({mg} mg an intake)"));
        let level = if d.stopped { String::new() } else { format!("level {}", d.level) };
        anstream::println!(
            "  {:<14} {level:<9} {dose}{mg}  {}{today}{}",
            d.name,
            term::DIM,
            term::RESET
        );
        if !d.needs.is_empty() && !d.stopped {
            let yellow = term::of(GateStatus::Hold);
            anstream::println!("  {:<14} {yellow}needs{} {}", "", term::RESET, d.needs.join(", "));
        }
        for line in &d.because {
            anstream::println!("  {:<14} because {line}", "");
        }
        if why {
            for l in &d.lines {
                let value = (l.value * 100.0).round() / 100.0;
                anstream::println!(
                    "  {:<14}   {}: {value} {} ({}) [{}]",
                    "",
                    l.what,
                    l.unit,
                    l.because,
                    l.source
                );
            }
        }
    }
}

fn due(a: &Agenda) {
    let soon = hepatica_regimen::course::plus(a.today, AHEAD_DAYS);
    let mut rows = Vec::new();
    for o in &a.obligations {
        let open = match o.status {
            Status::Due | Status::Overdue | Status::Held => true,
            Status::Upcoming | Status::Undecided => o.earliest <= soon,
            Status::Missed => {
                o.kind != Kind::Assessment
                    || hepatica_regimen::course::days_between(o.latest, a.today) <= 28
            }
            _ => false,
        };
        if !open || (o.kind == Kind::Drug && o.status == Status::Due) {
            continue;
        }
        let window = if o.earliest == o.latest {
            o.target.to_string()
        } else {
            format!(
                "{} ({} to {})",
                o.target,
                o.earliest.strftime("%m-%d"),
                o.latest.strftime("%m-%d")
            )
        };
        rows.push((
            o.status,
            vec![o.status.to_string(), window, o.name.clone()],
            o.because.clone(),
        ));
    }
    if rows.is_empty() {
        return;
    }
    head("What is due");
    let cells: Vec<_> = rows.iter().map(|r| r.1.clone()).collect();
    for (line, (status, _, because)) in term::table(&cells).into_iter().zip(&rows) {
        let colour = match status {
            Status::Due => term::of(GateStatus::Pass),
            Status::Held | Status::Undecided => term::of(GateStatus::Hold),
            Status::Overdue | Status::Missed => term::of(GateStatus::Fail),
            _ => term::DIM,
        };
        anstream::println!("  {colour}{line}{}", term::RESET);
        for why in because {
            anstream::println!("      {why}");
        }
    }
}

fn gates(a: &Agenda, why: bool) {
    // Whether somebody was eligible is asked before the course begins.
    let over = |g: &GateBefore| g.before == "start" && a.cycle.is_some();
    let shown: Vec<_> = a.gates.iter().filter(|g| why || !over(g)).collect();
    if shown.is_empty() {
        return;
    }
    head("Gates");
    for g in shown {
        let (colour, dim, reset) = (term::of(g.gate.status), term::DIM, term::RESET);
        let (status, name, what) = (g.gate.status, &g.gate.name, &g.what);
        anstream::println!("  {colour}{status:<10}{reset} {name}  {dim}{what}, {}{reset}", g.day);
        let unknown = |c: &Criterion| c.status == GateStatus::Hold && c.truth == Truth::CannotTell;
        for c in &g.gate.criteria {
            if !why && (c.status == GateStatus::Pass || unknown(c)) {
                continue;
            }
            let word = if unknown(c) { "cannot tell".to_owned() } else { c.status.to_string() };
            anstream::println!("    {}{word:<11}{reset} {}", term::of(c.status), c.reason);
            if let Some(needs) = &c.needs {
                anstream::println!("    {:<11} needs {needs}", "");
            }
            if why {
                anstream::println!("    {:<11} {dim}{}{reset}", "", c.source);
            }
        }
        let missing: Vec<_> = g.gate.criteria.iter().filter(|c| unknown(c)).collect();
        if !why && !missing.is_empty() {
            let names: Vec<_> = missing.iter().map(|c| c.reason.as_str()).collect();
            let (yellow, many) = (term::of(GateStatus::Hold), names.len());
            // A line that a person reads; --why has them all.
            let few = names.iter().take(FEW).copied().collect::<Vec<_>>().join("; ");
            let more = if many > FEW {
                format!("; and {} more (--why)", many - FEW)
            } else {
                String::new()
            };
            anstream::println!("    {yellow}cannot tell{reset} {few}{more}");
        }
    }
}

fn values(a: &Agenda) {
    if a.values.is_empty() {
        return;
    }
    head("Last values");
    let rows: Vec<_> = a
        .values
        .iter()
        .map(|v| {
            let value = (v.value * 100.0).round() / 100.0;
            vec![
                v.name.clone(),
                format!("{value} {}", v.unit),
                v.on.to_string(),
                v.grade.as_ref().map_or(String::new(), grade),
                v.note.clone().unwrap_or_default(),
            ]
        })
        .collect();
    for line in term::table(&rows) {
        anstream::println!("  {line}");
    }
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::All => "all disease",
        Scope::Liver => "liver",
        Scope::OutsideLiver => "outside the liver",
    }
}

/// A grade in words; what is missing, where it cannot be told.
pub(super) fn grade(graded: &Graded) -> String {
    match graded {
        Graded::Grade(g) if g.grade == 0 => format!("normal ({})", g.version),
        Graded::Grade(g) => g.to_string(),
        Graded::CannotTell { version, needs, lowest, highest } => {
            format!("grade {lowest} to {highest} ({version}), needs {needs}")
        }
    }
}

fn outcomes(a: &Agenda) {
    let o = &a.outcomes;
    if o.responses.is_empty() && o.endpoints.is_empty() {
        return;
    }
    head("Response and endpoints");
    for r in &o.responses {
        let Some(last) = r.points.last() else { continue };
        let change =
            last.change_percent.map_or(String::new(), |c| format!(", {c:+.0} % from baseline"));
        let confirmed =
            r.best_confirmed.map_or(String::new(), |b| format!(", confirmed {}", b.as_str()));
        anstream::println!(
            "  {:<18} {} on {}{change}; best {}{confirmed}",
            scope(r.scope),
            last.overall.as_str(),
            last.date,
            r.best.as_str()
        );
        for problem in r.problems.iter().chain(&last.problems) {
            anstream::println!("  {:<18} {}problem{} {problem}", "", term::ERROR, term::RESET);
        }
    }
    for e in &o.endpoints {
        anstream::println!("  {:<18} {} days from {}: {}", e.endpoint, e.days, e.from, e.because);
    }
}
