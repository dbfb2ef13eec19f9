//! `hepatica trial monitor`

use super::{CommandError, Source};
use crate::progress::Progress;
use crate::term;
use clap::ValueHint;
use hepatica_analysis::accrual::Plan;
use hepatica_analysis::monitor::{Monitor, Wishes, monitor};
use hepatica_analysis::share::{Share, Spread};
use hepatica_analysis::stopping::{Given, Standing, State};
use hepatica_regimen::Calendar;
use hepatica_regimen::gate::Status;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Months that are shown; `--json` has all.
const MONTHS: usize = 12;
/// Terms that are shown of a table.
const TERMS: usize = 15;
/// Things due that are shown.
const DUE: usize = 25;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica trial monitor DATA --protocol captemy90
  hepatica trial monitor courses/ --plan-patients 50 --plan-months 36
  hepatica trial monitor DATA --limit 0.3 --prior 0.3,0.7 --certainty 0.9 --figure boundary.svg
  hepatica trial monitor DATA --json | jq .stopping.sentence

Everything that was assumed is listed first. The stopping rule: exact Bayesian, Beta prior; the trial stops
when the posterior probability that the rate of events is above the limit exceeds the certainty.

Exit codes: 0 go on, 2 a boundary is crossed (or would be, if what cannot be told were an event), 1 error.")]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Print everything as JSON (schema: docs/schema/monitor.schema.json)
    #[arg(long)]
    json: bool,
    /// Draw the boundary and where the trial stands, .svg or .png
    #[arg(long, value_hint = ValueHint::FilePath)]
    figure: Option<PathBuf>,
    /// Patients planned
    #[arg(long, value_name = "N", requires = "plan_months", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    plan_patients: Option<u32>,
    /// Months in which they were to be enrolled, evenly
    #[arg(long, value_name = "MONTHS", requires = "plan_patients")]
    plan_months: Option<f64>,
    /// From which day on [default: the first enrolment]
    #[arg(long, value_name = "YYYY-MM-DD", requires = "plan_patients")]
    plan_from: Option<String>,
    /// Rate of events that is too high [default: 0.3]
    #[arg(long, value_name = "FRACTION")]
    limit: Option<f64>,
    /// Prior Beta(A, B) [default: the limit and 1 less it, worth one patient]
    #[arg(long, value_name = "A,B", value_parser = pair)]
    prior: Option<(f64, f64)>,
    /// Posterior probability above which the trial stops [default: 0.9]
    #[arg(long, value_name = "FRACTION")]
    certainty: Option<f64>,
    /// Patients evaluable at the first look [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    first_look: Option<u32>,
    /// Patients evaluable at the last look [default: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=900))]
    last_look: Option<u32>,
    /// Days from the first of treatment within which an event counts [default: two cycles]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    event_days: Option<u32>,
    /// Least grade that is an event, not of the blood [default: 3]
    #[arg(long, value_name = "1-5", value_parser = clap::value_parser!(u8).range(1..=5))]
    event_grade: Option<u8>,
    /// Least grade that is an event, of the blood [default: 4]
    #[arg(long, value_name = "1-5", value_parser = clap::value_parser!(u8).range(1..=5))]
    event_grade_blood: Option<u8>,
    /// CTCAE term that is no event; may be given several times
    #[arg(long, value_name = "TERM")]
    not_counted: Vec<String>,
    /// Only what is put down to the treatment is an event
    #[arg(long)]
    related_only: bool,
}

fn pair(text: &str) -> Result<(f64, f64), String> {
    let parts: Vec<f64> = text.split(',').filter_map(|p| p.trim().parse().ok()).collect();
    match parts[..] {
        [a, b] if a > 0.0 && b > 0.0 && a < 1e6 && b < 1e6 => Ok((a, b)),
        _ => Err("expected two numbers above 0, as in 0.3,0.7".to_owned()),
    }
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let progress = Progress::new(args.source.quiet);
    if args.plan_months.is_some_and(|m| !(m > 0.0 && m <= 1200.0)) {
        let found = args.plan_months.unwrap_or_default();
        return Err(CommandError::Usage(format!(
            "--plan-months {found}, expected above 0 to 1200"
        )));
    }
    let not_counted = args.not_counted.iter().map(|t| term_name(t)).collect::<Result<_, _>>()?;
    let wishes = Wishes {
        plan: Plan {
            patients: args.plan_patients,
            months: args.plan_months,
            start: args.plan_from.as_deref().map(Calendar::parse_date).transpose()?,
        },
        stopping: Given {
            limit: args.limit,
            prior: args.prior,
            certainty: args.certainty,
            first: args.first_look,
            last: args.last_look,
            days: args.event_days,
            grade: args.event_grade,
            grade_blood: args.event_grade_blood,
            not_counted,
            related_only: args.related_only,
        },
        session_days: args.source.session_days,
        level: args.source.level,
        protocol_from: "",
    };
    let (trial, protocol, protocol_from) = args.source.load(&progress)?;
    let wishes = Wishes { protocol_from, ..wishes };
    progress.at("reckoning", 0.7);
    let m = monitor(&trial, &protocol, &wishes)?;
    let figure = match &args.figure {
        None => None,
        Some(path) => {
            progress.at("drawing", 0.9);
            let figure = hepatica_report::analysis::stopping(&m);
            let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
            let bytes = match extension.as_deref() {
                Some("svg") => figure.svg.into_bytes(),
                Some("png") => figure.png()?,
                _ => {
                    return Err(CommandError::Usage(format!(
                        "--figure {}: expected a file that ends in .svg or .png",
                        path.display()
                    )));
                }
            };
            Some((path, bytes))
        }
    };
    drop(progress);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&m)?);
    } else {
        show(&m);
    }
    if let Some((path, bytes)) = figure {
        crate::output::write_file(path, &bytes)?;
        if !args.json {
            anstream::println!("{}written{} {}", term::DIM, term::RESET, path.display());
        }
    }
    Ok(m.goes_on())
}

/// The term as CTCAE writes it in the version that data may have; a slip is an error.
fn term_name(name: &str) -> Result<String, CommandError> {
    let term = hepatica_regimen::ctcae::Term::find(name)?;
    Ok(term.name(hepatica_regimen::ctcae::Version::V5).to_owned())
}

fn head(text: &str) {
    anstream::println!("\n{}{text}{}", term::HEAD, term::RESET);
}

fn share(s: &Option<Share>) -> String {
    s.map_or_else(|| "not told by the data".to_owned(), |s| s.words())
}

fn spread(s: &Option<Spread>, places: usize) -> String {
    s.map_or_else(
        || "not told by the data".to_owned(),
        |s| {
            format!(
                "median {:.places$} ({:.places$} to {:.places$}), n = {}",
                s.median, s.least, s.most, s.n
            )
        },
    )
}

fn rows(all: &[Vec<String>]) {
    for (n, line) in term::table(all).into_iter().enumerate() {
        let style = if n == 0 { term::DIM } else { anstyle::Style::new() };
        anstream::println!("  {style}{line}{}", term::RESET);
    }
}

fn cells(row: &[&str]) -> Vec<String> {
    row.iter().map(|c| (*c).to_owned()).collect()
}

fn show(m: &Monitor) {
    let study = m.study.as_deref().unwrap_or("trial");
    anstream::println!(
        "{}{study}{}  protocol {}  data cut {}  {}{}{}",
        term::HEAD,
        term::RESET,
        m.protocol,
        m.cutoff,
        term::DIM,
        m.source,
        term::RESET
    );
    head("With what it was reckoned");
    for s in &m.settings {
        let why = s.because.map_or(String::new(), |b| format!(": {b}"));
        let style = if s.from == "assumed" { term::of(Status::Hold) } else { term::DIM };
        let (name, value) = (&s.name, &s.value);
        anstream::println!("  {name}: {value}  {style}{}{}{why}", s.from, term::RESET);
    }
    for n in &m.notes {
        anstream::println!("  {}note{} {n}", term::DIM, term::RESET);
    }
    stopping(m);
    accrual(m);
    feasibility(m);
    toxicity(m);
    response(m);
    due(m);
    anstream::println!("\n{}{}{}", term::DIM, m.notice, term::RESET);
}

fn stopping(m: &Monitor) {
    head("Stopping for toxicity");
    let s = &m.stopping;
    let colour = match s.standing {
        Standing::GoOn | Standing::NoLookYet => term::of(Status::Pass),
        Standing::PerhapsCrossed => term::of(Status::Hold),
        Standing::Crossed => term::of(Status::Fail),
    };
    anstream::println!("  {colour}{}{}", s.sentence, term::RESET);
    anstream::println!("  event: {}", s.event);
    anstream::println!(
        "  events {}; P(rate above the limit) = {:.3}",
        s.events.words(),
        s.posterior_above_limit
    );
    let looks: Vec<String> = s
        .next
        .iter()
        .map(|l| match l.stop_at {
            Some(x) => format!("{x} of {}", l.evaluable),
            None => format!("none of {}", l.evaluable),
        })
        .collect();
    if !looks.is_empty() {
        anstream::println!("  next looks stop at {}", looks.join(", "));
    }
    if let Some(k) = s.events_in_a_row_until_stop {
        anstream::println!("  {k} next patients with an event in a row would stop the trial");
    }
    let rates: Vec<String> = s
        .operating
        .iter()
        .map(|o| format!("{:.0} % at a rate of {:.3}", 100.0 * o.probability_stop, o.rate))
        .collect();
    anstream::println!("  the rule stops the whole trial in {}", rates.join(", "));
    let listed = |state: State, word: &str| {
        for p in s.patients.iter().filter(|p| p.state == state) {
            anstream::println!("  {word} {}: {}", p.subject, p.because);
        }
    };
    listed(State::Event, "event");
    listed(State::Perhaps, "perhaps");
    listed(State::NotEvaluable, "not evaluable");
    let pending = s.patients.iter().filter(|p| p.state == State::Pending).count();
    if pending > 0 {
        anstream::println!("  {pending} patients are within their window");
    }
}

fn accrual(m: &Monitor) {
    head("Accrual");
    let a = &m.accrual;
    let rate = a.per_month.map_or(String::new(), |r| format!(", {r:.1} a month"));
    anstream::println!("  {} patients{rate}", a.enrolled);
    if let Some(p) = &a.plan {
        let end = p
            .last_patient_at_this_rate
            .map_or(String::new(), |d| format!("; at this rate the last on {d}"));
        anstream::println!(
            "  planned until the cut {:.1} of {} ({:+.1}){end}",
            p.planned_until_cut,
            p.patients,
            p.difference
        );
    }
    let mut table = vec![cells(&["month", "enrolled", "total", "planned"])];
    let skipped = a.months.len().saturating_sub(MONTHS);
    for x in &a.months[skipped..] {
        let planned = x.planned.map_or(String::new(), |p| format!("{p:.1}"));
        table.push(vec![x.month.clone(), x.enrolled.to_string(), x.total.to_string(), planned]);
    }
    if a.months.iter().all(|x| x.planned.is_none()) {
        table.iter_mut().for_each(|row| row.truncate(3));
    }
    if table.len() > 1 {
        rows(&table);
    }
    if a.centres.len() > 1 || a.centres.iter().any(|c| c.centre.is_some()) {
        let mut table = vec![cells(&["centre", "enrolled", "last"])];
        for c in &a.centres {
            let name = c.centre.clone().unwrap_or_else(|| "not said".to_owned());
            let last = c.last.map_or(String::new(), |d| d.to_string());
            table.push(vec![name, c.enrolled.to_string(), last]);
        }
        rows(&table);
    }
}

fn feasibility(m: &Monitor) {
    head("Feasibility");
    let f = &m.feasibility;
    let line = |what: &str, value: String| anstream::println!("  {what:<28}{value}");
    line("treatment began", f.treated.words());
    line("drugs and a session", share(&f.both));
    if !f.undecided.is_empty() {
        line("not decided yet", f.undecided.len().to_string());
    }
    line("a second session", share(&f.second_session));
    line("ended in cycle 1", share(&f.stopped_in_cycle_1));
    for s in &f.stopped {
        let on = s.on.as_ref().map_or(String::new(), |d| format!(" on {d}"));
        anstream::println!("    {}{on}: {}", s.subject, s.reason.to_lowercase());
    }
    let list = |map: &std::collections::BTreeMap<String, u64>| {
        map.iter().map(|(k, n)| format!("{} {n}", k.to_lowercase())).collect::<Vec<_>>().join(", ")
    };
    if !f.reasons.is_empty() {
        line("treatment ended early", list(&f.reasons));
    }
    if !f.session_1_days.is_empty() {
        line("first sessions on", list(&f.session_1_days).to_uppercase());
    }
    line("days to session 1", spread(&f.to_session_1_days, 0));
    line("activity (GBq)", spread(&f.activity_gbq, 2));
    line("cycles", spread(&f.cycles, 0));
}

fn toxicity(m: &Monitor) {
    let t = &m.toxicity;
    let Some(version) = t.ctcae else {
        head("Toxicity");
        anstream::println!("  no graded toxicity in the data");
        return;
    };
    head(&format!("Toxicity, worst grade by patient (CTCAE v{version})"));
    anstream::println!("  grade 3 or more  {}", t.all.grade_3_or_more.words());
    if t.all.perhaps_grade_3_or_more > 0 {
        anstream::println!(
            "  perhaps {} more: values whose grade cannot be told",
            t.all.perhaps_grade_3_or_more
        );
    }
    let mut table = vec![cells(&["when it began", "patients", "any", "grade 3+", "interval (%)"])];
    for w in &t.windows {
        let s = &w.table.grade_3_or_more;
        let interval = s
            .interval
            .map_or(String::new(), |[a, b]| format!("{:.0} to {:.0}", 100.0 * a, 100.0 * b));
        table.push(vec![
            w.name.clone(),
            w.table.patients.to_string(),
            w.table.any.count.to_string(),
            s.count.to_string(),
            interval,
        ]);
    }
    rows(&table);
    let mut table = vec![cells(&["term", "G1", "G2", "G3", "G4", "G5", "any (%)"])];
    for r in t.all.terms.iter().take(TERMS) {
        let mut row = vec![r.term.clone()];
        row.extend(r.worst_grade.iter().map(u64::to_string));
        row.push(r.any.words());
        table.push(row);
    }
    if table.len() > 1 {
        rows(&table);
    }
    let more = t.all.terms.len().saturating_sub(TERMS);
    if more > 0 {
        anstream::println!("  and {more} more terms");
    }
}

fn response(m: &Monitor) {
    if m.response.is_empty() {
        return;
    }
    head("Response so far (treated patients; exact intervals)");
    let mut table = vec![cells(&["region", "CR", "PR", "SD", "PD", "NE", "no scan", "response"])];
    for r in &m.response {
        let mut row = vec![r.name.clone()];
        let counts =
            [r.complete, r.partial, r.stable, r.progression, r.not_evaluable, r.not_scanned];
        row.extend(counts.iter().map(u64::to_string));
        row.push(r.response.words());
        table.push(row);
    }
    rows(&table);
    for r in m.response.iter().filter(|r| r.without_row > 0) {
        anstream::println!(
            "  {}: {} patients have no row of it and count as not scanned",
            r.name,
            r.without_row
        );
    }
}

fn due(m: &Monitor) {
    if m.due.items.is_empty() {
        return;
    }
    head(&format!("Due and missed (by {})", m.due.from));
    let mut table = vec![cells(&["patient", "status", "from", "to", "what"])];
    let (missed, open): (Vec<_>, Vec<_>) = m.due.items.iter().partition(|d| d.status == "missed");
    for d in open.iter().take(DUE) {
        table.push(vec![
            d.subject.clone(),
            d.status.clone(),
            d.earliest.to_string(),
            d.latest.to_string(),
            d.what.clone(),
        ]);
    }
    if open.is_empty() {
        anstream::println!("  nothing is due today");
    } else {
        rows(&table);
    }
    let more = open.len().saturating_sub(DUE);
    if more > 0 {
        anstream::println!("  and {more} more (--json)");
    }
    let mut counts = std::collections::BTreeMap::<&str, (usize, BTreeSet<&str>)>::new();
    for d in &missed {
        let entry = counts.entry(&d.what).or_default();
        entry.0 += 1;
        entry.1.insert(&d.subject);
    }
    if !counts.is_empty() {
        let mut table = vec![cells(&["missed", "times", "patients"])];
        for (what, (times, patients)) in counts {
            table.push(vec![what.to_owned(), times.to_string(), patients.len().to_string()]);
        }
        rows(&table);
    }
    if !m.due.not_told.is_empty() {
        anstream::println!(
            "  {}not told by tables: {}{}",
            term::DIM,
            m.due.not_told.join(", "),
            term::RESET
        );
    }
}
