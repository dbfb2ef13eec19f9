//! `hepatica trial design`: how many patients, and what else would also win.

use super::options::{Who, arm};
use super::shown;
use crate::commands::CommandError;
use crate::output::OutputFolder;
use crate::progress::Progress;
use crate::term;
use clap::ValueHint;
use hepatica_statistics::design::choice::{self, Choice, Question, Rule};
use hepatica_statistics::design::one_sample_log_rank::Conduct;
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

impl Args {
    fn question(&self) -> Question {
        let values = [self.null, self.alternative];
        let endpoint = match self.endpoint {
            Endpoint::Response => choice::Endpoint::Response(values),
            Endpoint::HepaticPfs | Endpoint::Pfs => choice::Endpoint::Survival(
                values,
                Conduct {
                    accrual: self.accrual,
                    follow_up: self.follow_up,
                    loss_hazard: self.loss,
                },
            ),
        };
        Question { endpoint, alpha: self.alpha, power: self.power, at_most: self.at_most }
    }

    /// A design as it is run on virtual patients.
    fn design(&self, rule: Rule) -> Design {
        match rule {
            Rule::SingleStage { n, r } => Design::SingleStage { n, r },
            Rule::TwoStage(d) => Design::TwoStage(d),
            Rule::OneSampleLogRank { n, .. } => Design::OneSampleLogRank {
                n,
                null_months: self.null,
                alpha: self.alpha,
                accrual_months: self.accrual,
                follow_up_months: self.follow_up,
                hepatic: self.endpoint == Endpoint::HepaticPfs,
            },
        }
    }

    fn json_of(&self, c: &Choice) -> serde_json::Value {
        match c.rule {
            Rule::SingleStage { n, r } => {
                serde_json::json!({ "n": n, "r": r, "alpha": c.alpha, "power": c.power })
            }
            Rule::TwoStage(d) => serde_json::json!({
                "r1": d.r1, "n1": d.n1, "r": d.r, "n": d.n,
                "alpha": c.alpha, "power": c.power,
                "expected_n_null": c.expected_n_null, "stop_early_null": c.stop_early_null,
            }),
            Rule::OneSampleLogRank { n, events } => serde_json::json!({
                "n": n, "events_alternative": events, "power": c.power,
                "accrual_months": self.accrual, "follow_up_months": self.follow_up,
            }),
        }
    }
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let planned = choice::choices(&args.question())?;
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
            let found = characteristics(&job, &args.design(p.rule), args.trials, |done| {
                progress.at(p.name, (n as f64 + done) / planned.len() as f64);
                ControlFlow::Continue(())
            });
            rows.extend(found.map(|f| (p.name.to_owned(), f)));
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
            .map(|p| serde_json::json!({ "name": p.name, "design": args.json_of(p) }))
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
