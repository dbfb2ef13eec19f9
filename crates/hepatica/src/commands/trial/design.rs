//! `hepatica trial design`: how many patients, and what else would also win.

use super::options::{Who, arm};
use super::shown;
use crate::commands::CommandError;
use crate::output::OutputFolder;
use crate::progress::Progress;
use crate::term;
use clap::ValueHint;
use hepatica_statistics::design::{one_sample_log_rank, simon, single_stage};
use hepatica_statistics::survival::Weibull;
use hepatica_trial::design::{Characteristic, Design, characteristics};
use hepatica_trial::results::{self, Unit};
use std::ops::ControlFlow;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica trial design --endpoint hepatic-pfs --null 12.2 --alternative 18 --alpha 0.05 --power 0.8
  hepatica trial design --endpoint response --null 0.5 --alternative 0.7
  hepatica trial design --endpoint pfs --null 13 --alternative 20 --accrual 24 --follow-up 18 --json

Medians are in months, responses are shares. The design is then run on virtual patients: the combination with
and without sensitisers, and either therapy alone. A success that these would reach too shows nothing of the
hypothesis.")]
pub struct Args {
    /// What decides
    #[arg(long, value_enum)]
    endpoint: Endpoint,
    /// The null: a median in months, or a share
    #[arg(long, value_name = "VALUE")]
    null: f64,
    /// The alternative
    #[arg(long, value_name = "VALUE")]
    alternative: f64,
    /// One-sided size
    #[arg(long, default_value_t = 0.05, value_name = "SHARE")]
    alpha: f64,
    /// Power
    #[arg(long, default_value_t = 0.8, value_name = "SHARE")]
    power: f64,
    /// Months in which patients come
    #[arg(long, default_value_t = 36.0, value_name = "MONTHS")]
    accrual: f64,
    /// Months of follow-up after the last
    #[arg(long, default_value_t = 24.0, value_name = "MONTHS")]
    follow_up: f64,
    /// Patients lost a month, a hazard
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    loss: f64,
    /// Most patients that are thinkable
    #[arg(long, default_value_t = 200, value_name = "N")]
    at_most: u32,
    /// Trials of virtual patients of each draw; 0: none
    #[arg(long, default_value_t = 20, value_name = "N")]
    trials: u32,
    /// Either therapy alone and their combination
    #[arg(long, num_args = 3, default_values = ["captem", "tare", "captemy90"], value_names = ["ALONE", "ALONE", "COMBINATION"])]
    protocols: Vec<String>,
    #[command(flatten)]
    who: Who,
    /// Folder to write
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Endpoint {
    /// Hepatic progression-free survival, one-sample log-rank test
    HepaticPfs,
    /// Progression-free survival, one-sample log-rank test
    Pfs,
    /// Response of the liver, exact tests in one and two stages
    Response,
}

/// A design with what it says of itself.
struct Planned {
    name: String,
    says: String,
    design: Design,
    json: serde_json::Value,
}

fn plan(args: &Args) -> Result<Vec<Planned>, CommandError> {
    let beta = 1.0 - args.power;
    if args.endpoint == Endpoint::Response {
        let two = simon::search(args.null, args.alternative, args.alpha, beta, args.at_most)?;
        let one =
            single_stage::search(args.null, args.alternative, args.alpha, beta, args.at_most)?;
        let mut all = vec![Planned {
            name: "one stage".to_owned(),
            says: format!(
                "{} patients, success with more than {} responses; size {:.4}, power {:.4}",
                one.n,
                one.r,
                one.alpha,
                1.0 - one.beta
            ),
            design: Design::SingleStage { n: one.n, r: one.r },
            json: serde_json::json!({ "n": one.n, "r": one.r, "alpha": one.alpha, "power": 1.0 - one.beta }),
        }];
        let mut add = |name: &str, c: simon::Candidate| {
            let d = c.design;
            all.push(Planned {
                name: name.to_owned(),
                says: format!(
                    "{} patients, then {} if more than {} respond; success with more than {}; size {:.4}, power {:.4}, {:.1} patients expected under the null",
                    d.n1, d.n, d.r1, d.r, c.null.reject, c.alternative.reject, c.null.expected_n
                ),
                design: Design::TwoStage(d),
                json: serde_json::json!({
                    "r1": d.r1, "n1": d.n1, "r": d.r, "n": d.n,
                    "alpha": c.null.reject, "power": c.alternative.reject,
                    "expected_n_null": c.null.expected_n, "stop_early_null": c.null.stop_early,
                }),
            });
        };
        add("Simon, fewest expected", two.optimal());
        add("Simon, smallest", two.minimax());
        for a in two.admissible() {
            if a.candidate.design != two.optimal().design
                && a.candidate.design != two.minimax().design
            {
                add("Simon, between", a.candidate);
            }
        }
        return Ok(all);
    }
    let conduct = one_sample_log_rank::Conduct {
        accrual: args.accrual,
        follow_up: args.follow_up,
        loss_hazard: args.loss,
    };
    let (null, alternative) =
        (Weibull::exponential(args.null)?, Weibull::exponential(args.alternative)?);
    let design = one_sample_log_rank::design(null, alternative, conduct, args.alpha)?;
    let n = design.subjects(beta)?;
    if n > args.at_most {
        return Err(CommandError::Usage(format!(
            "the design needs {n} patients, at most {} are thinkable: raise --at-most, or look for a larger difference",
            args.at_most
        )));
    }
    let power = design.power(n)?;
    let events = f64::from(n) * design.event_probability;
    let z = hepatica_statistics::distribution::normal::quantile(args.alpha);
    // The observed hazard over the null's at which the test just succeeds, at the expected events.
    let ratio = {
        let expected = f64::from(n) * design.expected_per_subject;
        (1.0 + z / expected.sqrt()).max(0.0)
    };
    Ok(vec![Planned {
        name: "one-sample log-rank".to_owned(),
        says: format!(
            "{n} patients in {} months, {} months after the last: {events:.1} events expected under the alternative; power {power:.3} (Wu 2015); success needs about {ratio:.2} of the events that the null expects",
            args.accrual, args.follow_up
        ),
        design: Design::OneSampleLogRank {
            n,
            null_months: args.null,
            alpha: args.alpha,
            accrual_months: args.accrual,
            follow_up_months: args.follow_up,
            hepatic: args.endpoint == Endpoint::HepaticPfs,
        },
        json: serde_json::json!({
            "n": n, "events_alternative": events, "power": power,
            "accrual_months": args.accrual, "follow_up_months": args.follow_up,
        }),
    }])
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let planned = plan(args)?;
    let mut said = Vec::new();
    let mut arms = Vec::new();
    for name in &args.protocols {
        let chosen = arm(name, None)?;
        said.extend(chosen.said);
        arms.push(chosen.arm);
    }
    let [a, b, both] = &arms[..] else { return Ok(true) };
    let with = both.clone();
    let mut without = both.clone();
    without.name = format!("{}, no sensitiser", both.name);
    without.sensitisers = Some([0.0; 2]);
    let truths = vec![with, without, a.clone(), b.clone()];
    let scenario = args.who.scenario(truths, None)?;
    let job = scenario.job()?;
    let progress = Progress::new(args.who.quiet);
    let mut rows: Vec<(String, Vec<Characteristic>)> = Vec::new();
    if args.trials > 0 {
        for (n, p) in planned.iter().enumerate() {
            let found = characteristics(&job, &p.design, args.trials, |done| {
                progress.at(&p.name, (n as f64 + done) / planned.len() as f64);
                ControlFlow::Continue(())
            });
            rows.extend(found.map(|f| (p.name.clone(), f)));
        }
    }
    drop(progress);
    let grounds = results::grounds(&job.population, &job.parameters);
    let json = serde_json::json!({
        "schema": 1,
        "software": format!("hepatica {}", env!("CARGO_PKG_VERSION")),
        "endpoint": format!("{:?}", args.endpoint),
        "null": args.null,
        "alternative": args.alternative,
        "alpha": args.alpha,
        "power": args.power,
        "said": said,
        "designs": planned
            .iter()
            .map(|p| serde_json::json!({ "name": p.name, "design": p.json }))
            .collect::<Vec<_>>(),
        "what_else_would_win": rows
            .iter()
            .map(|(name, found)| serde_json::json!({
                "design": name,
                "trials": u64::from(args.trials) * job.draws,
                "truths": found
                    .iter()
                    .map(|c| serde_json::json!({ "truth": c.truth, "success": c.success }))
                    .collect::<Vec<_>>(),
            }))
            .collect::<Vec<_>>(),
        "grounds": grounds,
    });
    if let Some(out) = &args.out {
        let folder = OutputFolder::begin(out, &|name| super::OURS.contains(&name))?;
        folder.write("design.json", &serde_json::to_vec_pretty(&json)?)?;
        folder.finish()?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&json)?);
        return Ok(true);
    }
    for p in &planned {
        anstream::println!("{}{}{}: {}", term::HEAD, p.name, term::RESET, p.says);
    }
    if rows.is_empty() {
        return Ok(true);
    }
    anstream::println!("\n{}What else would also win{}", term::HEAD, term::RESET);
    shown::print_grounds(&grounds);
    for line in &said {
        anstream::println!("{line}");
    }
    let mut table = vec![
        ["if this is the truth", "design", "probability of success", "simulation error"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for (name, found) in &rows {
        for c in found {
            table.push(vec![
                c.truth.clone(),
                name.clone(),
                shown::estimate(&c.success, Unit::Share),
                c.success
                    .monte_carlo_se
                    .map_or(String::new(), |se| format!("{:.1} points", 100.0 * se)),
            ]);
        }
    }
    for line in term::table(&table) {
        anstream::println!("{line}");
    }
    let rival = rows.iter().flat_map(|(_, f)| f).filter(|c| c.truth != args.protocols[2]);
    let worst =
        rival.filter_map(|c| Some((c.success.value?, &c.truth))).max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((p, truth)) = worst {
        anstream::println!(
            "A success would not show that one therapy helps the other: {truth} would succeed in {:.0} % of such trials.",
            100.0 * p
        );
    }
    Ok(true)
}
