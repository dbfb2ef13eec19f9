//! `hepatica course record COURSE simulation plan.json`

use super::{CommandError, Common, usage};
use clap::ValueHint;
use hepatica_planning::plan::Plan;
use hepatica_planning::simulation;
use hepatica_regimen::{Course, Fact};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ... simulation OUT/plan.json --date 2026-12-16")]
pub struct Args {
    /// The plan that was made of it: plan.json, or the folder it is in
    #[arg(value_hint = ValueHint::AnyPath)]
    plan: PathBuf,
    /// The plan is of this patient although its identifier differs
    #[arg(long)]
    same_patient: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) fn fact(args: &Args, course: &Course<'_>) -> Result<Fact, CommandError> {
    let path = if args.plan.is_dir() { args.plan.join("plan.json") } else { args.plan.clone() };
    let shown = path.display();
    let bytes =
        std::fs::read(&path).map_err(|e| usage(format!("{shown}: cannot be read ({e})")))?;
    let plan: Plan = serde_json::from_slice(&bytes)
        .map_err(|e| usage(format!("{shown}: no plan of hepatica ({e})")))?;
    if plan.patient.id != course.patient && !args.same_patient {
        return Err(usage(format!(
            "{shown}: a plan of patient {}, but this is the course of {}; say --same-patient if they are one",
            plan.patient.id, course.patient
        )));
    }
    Ok(Fact::Simulation(simulation::fact(&plan, &bytes)))
}
