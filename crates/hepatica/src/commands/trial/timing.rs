//! `hepatica trial timing`: which day for the spheres?

use super::options::{OnCluster, Who, arm};
use super::shown;
use super::work::{How, compute};
use crate::commands::CommandError;
use crate::output::OutputFolder;
use crate::progress::Progress;
use crate::term;
use clap::ValueHint;
use hepatica_physics::{Nuclide, TimeSpan};
use hepatica_report::simulation::{self, TimingSeries};
use hepatica_trial::Estimate;
use hepatica_trial::estimate::Counts;
use hepatica_trial::results::{self, Number, Unit};
use hepatica_trial::tally::{Group, Tally, field};
use hepatica_trial::timing::{Overlap, overlap};
use serde::Serialize;
use std::path::PathBuf;

/// Half-life of the effect of temozolomide after its last dose in the table of shares, days.
const TAIL_D: f64 = 2.0;
/// What is compared between days.
const MEASURES: [&str; 5] =
    ["response_liver", "hepatic_pfs_3y", "median_hepatic_pfs", "liver_toxicity", ON_TIME];
/// Share that had the first session in the cycle asked for.
const ON_TIME: &str = "session_cycle_2";

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica trial timing captemy90 --days 1..14 --out timing/
  hepatica trial timing captemy90 --days 7,10,22 --cycle 3 --nuclide 166Ho --json

Each day is simulated in the same patients under four beliefs: no sensitiser, capecitabine, temozolomide, both.
Differences are from the reference day, within patients.")]
pub struct Args {
    /// Protocol with a session; NAME@VARIANT chooses its doses
    protocol: String,
    /// Days of the cycle: 1..14, or 7,10,22
    #[arg(long, default_value = "1..14", value_name = "DAYS")]
    days: String,
    /// Cycle of the first session
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=12))]
    cycle: u16,
    /// Day that the others are compared with
    #[arg(long, default_value_t = 7, value_name = "DAY")]
    reference: u16,
    #[command(flatten)]
    who: Who,
    /// Folder to write
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
    #[command(flatten)]
    cluster: OnCluster,
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
}

/// A day under a belief.
#[derive(Debug, Clone, Serialize)]
pub struct DayRow {
    day: u16,
    belief: &'static str,
    sensitisers: [f64; 2],
    overlap: Overlap,
    /// Mean weight of the dose by the sensitisers.
    multiplier: f64,
    numbers: Vec<Measured>,
}

#[derive(Debug, Clone, Serialize)]
struct Measured {
    id: &'static str,
    name: &'static str,
    unit: Unit,
    #[serde(flatten)]
    estimate: Estimate,
    /// Less that of the reference day, in the same patients.
    difference: Estimate,
}

const BELIEFS: [(&str, [f64; 2]); 4] = [
    ("no sensitiser", [0.0, 0.0]),
    ("capecitabine 1.3", [0.3, 0.0]),
    ("temozolomide 1.3", [0.0, 0.3]),
    ("both 1.2", [0.2, 0.2]),
];

fn days(text: &str, cycle_days: i32) -> Result<Vec<u16>, CommandError> {
    let wrong = |found: &str| {
        CommandError::Usage(format!(
            "--days {found}: expected days of the cycle, 1 to {cycle_days}, as 1..14 or 7,10,22"
        ))
    };
    let number = |s: &str| s.trim().parse::<u16>().map_err(|_| wrong(text));
    let all: Vec<u16> = match text.split_once("..") {
        Some((a, b)) => (number(a)?..=number(b.trim_start_matches('='))?).collect(),
        None => text.split(',').map(number).collect::<Result<_, _>>()?,
    };
    let good = |d: &u16| (1..=cycle_days).contains(&i32::from(*d));
    if all.is_empty() || !all.iter().all(good) {
        return Err(wrong(text));
    }
    Ok(all)
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    if args.out.is_none() && !args.json {
        return Err(CommandError::Usage(
            "nowhere to write: give --out FOLDER, or --json for standard output".to_owned(),
        ));
    }
    if args.who.sensitisers.is_some() {
        return Err(CommandError::Usage(
            "--sensitisers: timing runs four beliefs of its own; leave it out".to_owned(),
        ));
    }
    let chosen = arm(&args.protocol, None)?;
    let probe = args.who.scenario(vec![chosen.arm.clone()], None)?.job()?;
    let program = &probe.arms[0].program;
    if program.sessions.is_empty() {
        return Err(CommandError::Usage(format!(
            "{}: has no radioembolization, so there is no day to choose",
            args.protocol
        )));
    }
    let mut wanted = days(&args.days, program.cycle_days)?;
    if !wanted.contains(&args.reference) {
        wanted.push(args.reference);
    }
    wanted.sort_unstable();
    wanted.dedup();
    let mut rows = Vec::new();
    let progress = Progress::new(args.who.quiet);
    for (n, (belief, sensitisers)) in BELIEFS.into_iter().enumerate() {
        let arms = wanted
            .iter()
            .map(|day| {
                let mut arm = chosen.arm.clone();
                arm.name = format!("day {day}");
                arm.session = Some([args.cycle, *day]);
                arm.sensitisers = Some(sensitisers);
                arm
            })
            .collect();
        let scenario = args.who.scenario(arms, None)?;
        let out = args.out.as_ref().map(|o| {
            let name = o.file_name().unwrap_or_default().to_string_lossy();
            o.with_file_name(format!("{name}.belief-{n}"))
        });
        let part = [n as f64, n as f64 + 1.0].map(|x| 0.95 * x / BELIEFS.len() as f64);
        let how = How {
            out: out.as_deref(),
            rows: false,
            cluster: args.cluster.url(),
            progress: &progress,
            span: part,
        };
        let done = compute(&scenario, &how)?;
        let counts = Counts::new(&done.drawn);
        let reference = wanted.iter().position(|d| *d == args.reference).unwrap_or(0);
        for (place, day) in wanted.iter().enumerate() {
            let job = &done.job;
            let program = &job.arms[place].program;
            let share = overlap(program, &job.nuclide, *day, TimeSpan::from_d(TAIL_D));
            let numbers = MEASURES
                .iter()
                .filter_map(|id| Number::find(id))
                .map(|mut number| {
                    let every = program.scan_every;
                    if number.id == ON_TIME {
                        number.name = "Had session 1 in the cycle asked for";
                    }
                    let of = |t: &Tally| {
                        if number.id == ON_TIME {
                            t.share(Group::All, field::session_cycle, usize::from(args.cycle))
                        } else {
                            number.of(t, every)
                        }
                    };
                    Measured {
                        id: number.id,
                        name: number.name,
                        unit: number.unit,
                        estimate: counts.of_arm(place, of),
                        difference: counts.estimate(|c| {
                            Some(of(&c.tallies[place])? - of(&c.tallies[reference])?)
                        }),
                    }
                })
                .collect();
            rows.push(DayRow {
                day: *day,
                belief,
                sensitisers,
                overlap: share,
                multiplier: 1.0
                    + sensitisers[0] * share.capecitabine
                    + sensitisers[1] * share.temozolomide_tail,
                numbers,
            });
        }
        drop(counts);
        done.finished();
    }
    let holmium = Nuclide::by_name("166Ho").map(|n| {
        wanted
            .iter()
            .map(|d| overlap(program, &n, *d, TimeSpan::from_d(TAIL_D)))
            .collect::<Vec<_>>()
    });
    let sentence = sentence(&rows, args.reference);
    let grounds = results::grounds(&probe.population, &probe.parameters);
    let json = serde_json::json!({
        "schema": 1,
        "software": format!("hepatica {}", env!("CARGO_PKG_VERSION")),
        "protocol": args.protocol,
        "variant": chosen.arm.variant,
        "said": chosen.said,
        "cycle": args.cycle,
        "reference_day": args.reference,
        "patients": args.who.patients,
        "draws": args.who.draws,
        "seed": args.who.seed,
        "nuclide": args.who.nuclide,
        "grounds": grounds,
        "days": rows,
        "overlap_166ho": holmium,
        "conclusion": sentence,
    });
    if let Some(out) = &args.out {
        let folder = OutputFolder::begin(out, &|name| super::OURS.contains(&name))?;
        folder.write("timing.json", &serde_json::to_vec_pretty(&json)?)?;
        folder.write("timing.csv", csv(&rows).as_bytes())?;
        let title = format!("Which day for the spheres? {}", args.protocol);
        let sheet = simulation::timing(&title, &rows_for_picture(&rows), &sentence, &grounds);
        super::write_sheet(&folder, &sheet)?;
        folder.finish()?;
    }
    drop(progress);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&json)?);
        return Ok(true);
    }
    shown::print_grounds(&grounds);
    if let Some(said) = &chosen.said {
        anstream::println!("{said}");
    }
    let mut table = vec![
        [
            "day",
            "under cape",
            "under TMZ",
            "TMZ + tail",
            "belief",
            "liver response",
            "less day's reference",
            "3-y hepatic PFS",
            "platelets < 150",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for row in &rows {
        let of = |id: &str| row.numbers.iter().find(|m| m.id == id);
        let show =
            |id: &str| of(id).map_or(String::new(), |m| shown::estimate(&m.estimate, m.unit));
        table.push(vec![
            row.day.to_string(),
            format!("{:.3}", row.overlap.capecitabine),
            format!("{:.3}", row.overlap.temozolomide),
            format!("{:.3}", row.overlap.temozolomide_tail),
            row.belief.to_owned(),
            show("response_liver"),
            of("response_liver").map_or(String::new(), |m| shown::estimate(&m.difference, m.unit)),
            show("hepatic_pfs_3y"),
            show(ON_TIME),
        ]);
    }
    anstream::println!();
    for line in term::table(&table) {
        anstream::println!("{line}");
    }
    anstream::println!("\n{sentence}");
    Ok(true)
}

fn rows_for_picture(rows: &[DayRow]) -> Vec<TimingSeries> {
    BELIEFS
        .iter()
        .map(|(belief, _)| TimingSeries {
            belief: (*belief).to_owned(),
            points: rows
                .iter()
                .filter(|r| r.belief == *belief)
                .filter_map(|r| {
                    let m = r.numbers.iter().find(|m| m.id == "response_liver")?;
                    let d = &m.difference;
                    let (value, [low, high]) = (d.value?, d.interval.or(d.value.map(|v| [v, v]))?);
                    Some([f64::from(r.day), value, low, high])
                })
                .collect(),
            overlap: rows
                .iter()
                .filter(|r| r.belief == *belief)
                .map(|r| {
                    let o = r.overlap;
                    [f64::from(r.day), o.capecitabine, o.temozolomide, o.temozolomide_tail]
                })
                .collect(),
        })
        .collect()
}

fn csv(rows: &[DayRow]) -> String {
    let mut text = String::from(
        "day,belief,under_capecitabine,under_temozolomide,under_temozolomide_tail,multiplier,measure,value,low,high,difference,difference_low,difference_high\n",
    );
    let number = |x: Option<f64>| x.map_or(String::new(), |v| format!("{v:.5}"));
    for r in rows {
        for m in &r.numbers {
            let (e, d) = (&m.estimate, &m.difference);
            text.push_str(&format!(
                "{},{},{:.5},{:.5},{:.5},{:.5},{},{},{},{},{},{},{}\n",
                r.day,
                r.belief,
                r.overlap.capecitabine,
                r.overlap.temozolomide,
                r.overlap.temozolomide_tail,
                r.multiplier,
                m.id,
                number(e.value),
                number(e.interval.map(|i| i[0])),
                number(e.interval.map(|i| i[1])),
                number(d.value),
                number(d.interval.map(|i| i[0])),
                number(d.interval.map(|i| i[1])),
            ));
        }
    }
    text
}

/// What the day buys, and what it does not.
fn sentence(rows: &[DayRow], reference: u16) -> String {
    let response = |r: &DayRow| {
        r.numbers.iter().find(|m| m.id == "response_liver").and_then(|m| m.estimate.value)
    };
    let (mut widest, mut plain) = (0.0_f64, 0.0);
    let mut best = Vec::new();
    for (belief, sensitisers) in BELIEFS {
        let of: Vec<(u16, f64)> = rows
            .iter()
            .filter(|r| r.belief == belief)
            .filter_map(|r| Some((r.day, response(r)?)))
            .collect();
        let Some(top) = of.iter().max_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
        let lowest = of.iter().map(|x| x.1).fold(f64::MAX, f64::min);
        widest = widest.max(top.1 - lowest);
        if sensitisers == [0.0; 2] {
            plain = top.1 - lowest;
        }
        best.push(format!("day {} if {belief}", top.0));
    }
    format!(
        "Between the days asked for, response of the liver differs by at most {:.1} points under any belief, and by {:.1} points without any sensitiser, because spheres come earlier and blood counts at the nadir hold fewer sessions (best: {}). The optimum is nearly flat: what a sensitiser adds to it is {:.1} points at most. Day {reference} is a matter of weekdays, blood counts and travel more than of effect.",
        100.0 * widest,
        100.0 * plain,
        best.join(", "),
        100.0 * (widest - plain).max(0.0)
    )
}
