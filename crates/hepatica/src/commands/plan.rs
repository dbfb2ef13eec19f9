//! `hepatica plan CASE --out OUT`

use super::CommandError;
use crate::archive;
use crate::output::{self, OutputFolder};
use crate::progress::Progress;
use crate::term;
use clap::ValueHint;
use hepatica_imaging::dicom::write::Context;
use hepatica_imaging::dicom::write::rtdose::{self, DoseInfo, DoseType};
use hepatica_imaging::nifti;
use hepatica_planning::inputs::Knowingly;
use hepatica_planning::plan::{Explanation, Plan};
use hepatica_planning::{Histories, Options, Planned, Status, Until, plan_case};
use hepatica_report::Report;
use std::path::{Path, PathBuf};

/// Names a plan has at its top: what may be replaced.
const OURS: [&str; 9] = [
    "plan.json",
    "report.pdf",
    "dose.dcm",
    "dose_per_gbq.nii.gz",
    "proposed.nii.gz",
    "dvh.csv",
    "figures",
    "calendar.ics",
    archive::FOLDER,
];

/// A criterion that is met but may not be with this probability is worth a line.
const WORTH_SAYING: f64 = 0.01;

/// Part of the work after which the numbers are there and files are written.
const COMPUTED: f64 = 0.7;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica plan CASE --out OUT
  hepatica plan CASE --out OUT --device resin --c1d1 2026-12-02
  hepatica plan CASE --out OUT --engine kernel --grid ct
  hepatica plan CASE --out OUT --engine monte-carlo --precision 2%
  hepatica plan CASE --out OUT --optimise               (the best activities of all sessions at once)
  hepatica plan CASE --out OUT --optimise=least-dosed
  hepatica plan CASE --out OUT --course P001.course
  hepatica plan CASE --out OUT --delivered VERIFIED/verify.json   (the next session, knowing what was given)
  hepatica plan CASE --json | jq .lung_shunt.fraction
  hepatica plan CASE --explain lung_dose      (or OUT in place of CASE: no new computation)

CASE is a folder of DICOM files, or one with case.toml (docs/case.md). OUT gets plan.json,
report.pdf, dose.dcm, dose_per_gbq.nii.gz, dvh.csv, figures/, calendar.ics and, for an archive of images,
dicom/ with segments, contours, report and measures; where structures are proposed because nobody drew
them, also proposed.nii.gz.

Exit codes: 0 planned and the gate passes, 1 error, 2 planned but a gate holds or fails.")]
pub struct Args {
    /// Case folder; with --explain also the folder of a plan
    #[arg(value_hint = ValueHint::DirPath)]
    case: PathBuf,
    /// Folder to write the plan to
    #[arg(long, value_hint = ValueHint::DirPath, required_unless_present_any = ["json", "explain"])]
    out: Option<PathBuf>,
    /// Print plan.json to standard output instead of a summary
    #[arg(long)]
    json: bool,
    /// Print how a number came to be: formula, inputs, source
    #[arg(long, value_name = "MEASURE", conflicts_with = "json")]
    explain: Option<String>,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    choices: Choices,
}

/// What overrides the case file.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Choices (they override case.toml)")]
struct Choices {
    /// Dose engine: `local` (every decay's energy stays in its voxel), `kernel`, or `monte-carlo`
    /// (betas followed through the tissues of the CT)
    #[arg(long, default_value = "local")]
    engine: hepatica_planning::EngineChoice,
    /// Grid of the dose: that of the emission image, or of the CT
    #[arg(long, default_value = "spect")]
    grid: hepatica_planning::GridChoice,
    /// What the energy is divided by: `uniform` (liver density everywhere; what local and kernel take
    /// when nothing is said), `ct`, or `tissue` (liver density in the liver, from CT around it; what
    /// monte-carlo takes)
    #[arg(long)]
    density: Option<hepatica_planning::DensityChoice>,
    /// Monte Carlo: go on until the median standard error of the tumours' voxels is this (usually 2%)
    #[arg(long, value_name = "PERCENT", value_parser = percent, conflicts_with = "histories")]
    precision: Option<f64>,
    /// Monte Carlo: follow so many betas
    #[arg(long, value_name = "N")]
    histories: Option<u64>,
    /// Monte Carlo: what names the random numbers (1 when nothing is said)
    #[arg(long)]
    seed: Option<u64>,
    /// Monte Carlo: on Ctrl-C plan with the betas followed so far, marked as stopped, instead of leaving
    /// nothing; a second Ctrl-C ends all the same
    #[arg(long)]
    keep_on_interrupt: bool,
    /// Device: glass, resin, holmium, or a device file
    #[arg(long, value_name = "NAME|FILE")]
    device: Option<String>,
    /// First day of the first cycle
    #[arg(long, value_name = "YYYY-MM-DD")]
    c1d1: Option<String>,
    /// Protocol: a shipped name (`hepatica protocol list`) or a protocol file
    #[arg(long, value_name = "NAME|FILE")]
    protocol: Option<String>,
    /// Time zone of the site, as in America/New_York
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Local time of the instillation
    #[arg(long, value_name = "HH:MM")]
    treatment_time: Option<String>,
    /// Which lung shunt the plan uses: spect, planar or stated
    #[arg(long, value_name = "METHOD")]
    shunt: Option<String>,
    /// Model of the prescription: mird, bsa, partition or voxel
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Prescribe the best activities within the limits, all sessions at once: the most probable response of
    /// all lesions, or the highest dose of the least-dosed one; what counts is said under `optimise` in case.toml
    #[arg(
        long,
        value_name = "response|least-dosed",
        num_args = 0..=1,
        require_equals = true,
        conflicts_with = "model"
    )]
    optimise: Option<Option<hepatica_planning::optimise::Aim>>,
    /// Members of the ensemble behind the intervals (1000 when nothing is said)
    #[arg(long, value_name = "N")]
    members: Option<usize>,
    /// Course file that dates, protocol and laboratory values are taken from
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    course: Option<PathBuf>,
    /// The course is of this patient although its identifier differs
    #[arg(long, requires = "course")]
    same_patient: bool,
    /// What `hepatica verify` wrote of a session that was given: it is planned no more, and its lung dose and
    /// normal-liver BED count; may be given several times
    #[arg(long, value_name = "VERIFY.JSON", value_hint = ValueHint::FilePath)]
    delivered: Vec<PathBuf>,
    /// The images are in register although their frames of reference differ
    #[arg(long)]
    assume_aligned: bool,
    /// Interpolate a CT with missing, uneven or tilted slices instead of refusing it
    #[arg(long)]
    resample_ct: bool,
    /// Structures that nobody drew were looked at and are accepted (liver, lungs and tumours)
    #[arg(long)]
    accept_proposed: bool,
}

/// `2%` or `0.5 %` as a fraction.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').map(str::trim_end);
    match number.map(str::parse::<f64>) {
        Some(Ok(p)) if p > 0.0 && p < 100.0 => Ok(p / 100.0),
        _ => Err("expected a percentage above 0% and below 100%, as in 2%".to_owned()),
    }
}

impl Choices {
    fn histories(&self) -> Histories {
        let mut wanted = self.precision.map_or_else(Histories::default, Histories::to_precision);
        if let Some(n) = self.histories {
            wanted.until = Until::Histories(n);
        }
        wanted.seed = self.seed.unwrap_or(wanted.seed);
        if self.keep_on_interrupt {
            wanted.stop = output::stop_on_interrupt();
        }
        wanted
    }

    fn options(&self) -> Options {
        Options {
            engine: self.engine,
            grid: self.grid,
            density: self.density,
            histories: self.histories(),
            device: self.device.clone(),
            c1d1: self.c1d1.clone(),
            protocol: self.protocol.clone(),
            time_zone: self.time_zone.clone(),
            treatment_time: self.treatment_time.clone(),
            shunt: self.shunt.clone(),
            model: self.model.clone(),
            optimise: self.optimise,
            members: self.members,
            course: self.course.clone(),
            same_patient: self.same_patient,
            delivered: self.delivered.clone(),
            knowingly: Knowingly {
                assume_aligned: self.assume_aligned,
                resample_ct: self.resample_ct,
                accept_proposed: self.accept_proposed,
            },
        }
    }
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let earlier = args.case.join("plan.json");
    if let (Some(measure), true) = (&args.explain, earlier.is_file()) {
        return explain(&read_plan(&earlier)?, measure);
    }
    let progress = Progress::new(args.quiet);
    // An output that cannot be written is said before the work, not after it.
    let folder = args.out.as_deref().map(begin).transpose()?;
    let planned = plan_case(&args.case, &args.choices.options(), &|what, done| {
        progress.at(what, COMPUTED * done);
    })?;
    let place = folder.map(|folder| write_all(folder, &planned, &progress)).transpose()?;
    drop(progress);
    if let Some(measure) = &args.explain {
        return explain(&planned.plan, measure);
    }
    if args.json {
        println!("{}", json(&planned.plan)?);
    } else if !args.quiet {
        summarise(&planned.plan);
        if let Some(place) = place {
            let report = place.join("report.pdf");
            anstream::println!("{}report{}  {}", term::DIM, term::RESET, report.display());
        }
    }
    Ok(passes(&planned.plan))
}

/// Plans a case as it stands and writes everything; `span` is the part of the whole bar.
pub fn make(
    case: &Path,
    out: &Path,
    progress: &Progress,
    span: [f64; 2],
) -> Result<Plan, CommandError> {
    let folder = begin(out)?;
    let [from, to] = span;
    let planned = plan_case(case, &Choices::default().options(), &|what, done| {
        progress.at(what, from + (to - from) * COMPUTED * done);
    })?;
    write_all(folder, &planned, progress)?;
    Ok(planned.plan)
}

/// Whether no gate holds or fails.
pub fn passes(plan: &Plan) -> bool {
    plan.decision.status <= Status::Overridden
}

fn begin(out: &Path) -> Result<OutputFolder, CommandError> {
    Ok(OutputFolder::begin(out, &|name| OURS.contains(&name))?)
}

fn write_all(
    folder: OutputFolder,
    planned: &Planned,
    progress: &Progress,
) -> Result<PathBuf, CommandError> {
    progress.at("drawing, setting and writing", COMPUTED);
    let (printed, images) = rayon::join(|| print(planned), || write_images(&folder, planned));
    let Printed { report, figures, pdf } = printed?;
    let context = images?;
    for (name, png) in figures {
        folder.write(&format!("figures/{name}"), &png)?;
    }
    folder.write("report.pdf", &pdf)?;
    archive::write_report(&folder.path().join(archive::FOLDER), &pdf, &context)?;
    folder.write("dvh.csv", report.dvh_csv().as_bytes())?;
    folder.write("calendar.ics", report.calendar_ics().as_bytes())?;
    folder.write("plan.json", json(&planned.plan)?.as_bytes())?;
    Ok(folder.finish()?)
}

/// What a person reads.
struct Printed<'a> {
    report: Report<'a>,
    figures: Vec<(String, Vec<u8>)>,
    pdf: Vec<u8>,
}

fn print(planned: &Planned) -> Result<Printed<'_>, CommandError> {
    let report = Report::new(&planned.plan, &planned.views, &planned.curves)?;
    let (pdf, figures) = rayon::join(|| report.pdf(), || report.figures());
    let (pdf, figures) = (pdf?, figures?);
    Ok(Printed { report, figures, pdf })
}

/// What lies beside the images: dose, segments, contours, measures.
fn write_images(folder: &OutputFolder, planned: &Planned) -> Result<Context, CommandError> {
    let context = context(planned)?;
    let place = folder.folder(archive::FOLDER)?;
    let (dose, rest) = rayon::join(
        || write_dose(folder.path(), planned, &context),
        || archive::write(&place, planned, &context),
    );
    dose?;
    rest?;
    Ok(context)
}

/// The study and frame of reference of the images.
fn context(planned: &Planned) -> Result<Context, CommandError> {
    // Identifiers follow from the plan: another plan is another dose.
    let seed = serde_json::to_string(&planned.plan)?;
    let at = planned.first_treatment.datetime();
    let mut context = Context::new(&seed, planned.patient.clone(), at, "Radioembolization plan");
    if let Some(uid) = &planned.study_uid {
        context.study_uid.clone_from(uid);
    }
    if let Some(uid) = &planned.frame_of_reference {
        context.frame_of_reference.clone_from(uid);
    }
    Ok(context)
}

/// Dose per GBq of every session, and the dose of all prescribed activities.
fn write_dose(folder: &Path, planned: &Planned, context: &Context) -> Result<(), CommandError> {
    let per_gbq: Vec<_> = planned.dose_per_gbq.iter().collect();
    let path = folder.join("dose_per_gbq.nii.gz");
    nifti::write(&path, &per_gbq, "Gy per GBq administered, a volume a session")?;
    if let Some((map, labels)) = &planned.proposed {
        nifti::write(&folder.join("proposed.nii.gz"), &[map], labels)?;
    }
    let plan = &planned.plan;
    let activities: Vec<_> = plan
        .sessions
        .iter()
        .map(|s| format!("{} {:.2} GBq", s.territory, s.prescription.activity_gbq))
        .collect();
    let info = DoseInfo {
        series_number: 40,
        description: "Radioembolization, planned dose",
        dose_type: DoseType::Physical,
        comment: &activities.join(", "),
        heterogeneity: plan.method.density != "uniform",
    };
    Ok(rtdose::write(&folder.join("dose.dcm"), &planned.dose, &info, context)?)
}

fn json(plan: &Plan) -> Result<String, CommandError> {
    Ok(serde_json::to_string_pretty(plan)? + "\n")
}

pub(super) fn read_plan(path: &Path) -> Result<Plan, CommandError> {
    let wrong = |why: String| CommandError::Usage(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| wrong(format!("is no plan of this version ({e})")))
}

// ---- what a person reads -----------------------------------------------------------------------

fn explain(plan: &Plan, measure: &str) -> Result<bool, CommandError> {
    let Some(e) = plan.explanations.get(measure) else {
        let known: Vec<_> = plan.explanations.keys().map(String::as_str).collect();
        return Err(CommandError::Usage(format!(
            "no measure is named `{measure}`; there are: {}",
            known.join(", ")
        )));
    };
    let Explanation { title, value, unit, formula, inputs, source } = e;
    anstream::println!("{}{title}{}", term::HEAD, term::RESET);
    anstream::println!("  {formula}");
    let rows: Vec<_> = inputs
        .iter()
        .map(|i| {
            vec![i.name.clone(), format!("= {} {}", number(i.value), i.unit), i.source.clone()]
        })
        .collect();
    for line in term::table(&rows) {
        anstream::println!("    {line}");
    }
    anstream::println!("  = {}{} {unit}{}", term::HEAD, number(*value), term::RESET);
    anstream::println!("  {}source: {source}{}", term::DIM, term::RESET);
    Ok(true)
}

/// Six significant digits, without the zeros that say nothing.
fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let places = (5 - value.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{value:.places$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// The plan on one screen.
pub fn summarise(plan: &Plan) {
    let status = plan.decision.status;
    let colour = term::of(status);
    anstream::println!(
        "{colour}{}{}  {}",
        term::word(status).to_uppercase(),
        term::RESET,
        plan.decision.sentence
    );
    anstream::println!();
    let shunt = &plan.lung_shunt;
    let level = plan.uncertainty.as_ref().map_or(95.0, |u| 100.0 * u.level);
    let interval = format!("{level} % interval");
    anstream::println!(
        "lung shunt {:.1} % ({}, {level} % interval {:.1} to {:.1} %), lungs {:.2} kg, lung dose of all sessions {:.1} Gy",
        100.0 * shunt.fraction,
        shunt.used,
        100.0 * shunt.interval[0],
        100.0 * shunt.interval[1],
        shunt.lung_mass_kg,
        plan.cumulative.lung_dose_gy
    );
    for d in &plan.delivered {
        anstream::println!(
            "given before: session {}, {:.2} GBq to the {} on {}; lungs {:.1} Gy, whole normal liver {:.1} Gy (BED {:.1} Gy)",
            d.session,
            d.activity_gbq,
            d.territory_name.to_lowercase(),
            d.instant.get(..10).unwrap_or(&d.instant),
            d.lung_dose_gy,
            d.whole_normal_liver_dose_gy,
            d.whole_normal_liver_bed_gy
        );
    }
    anstream::println!();
    let mut rows = vec![
        ["session", "date", "day", "territory", "GBq", "by", "order"].map(str::to_owned).to_vec(),
    ];
    for s in &plan.sessions {
        let order = s.order.as_ref().map_or("no vial serves".to_owned(), |o| {
            let p = &o.proposed;
            format!(
                "{} x {} GBq, calibrated {}",
                p.vials,
                p.vial_gbq,
                short(&p.calibration_instant)
            )
        });
        rows.push(vec![
            s.id.to_string(),
            s.date.clone(),
            format!("C{}D{}", s.cycle, s.cycle_day),
            s.territory_name.clone(),
            format!("{:.2}", s.prescription.activity_gbq),
            format!("{} ({})", s.prescription.model, s.prescription.bound_by),
            order,
        ]);
    }
    term::print_table(&rows);
    anstream::println!();
    let mut rows = vec![
        ["session", "compartment", "mL", "mean Gy", interval.as_str(), "D70", "BED"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for s in &plan.sessions {
        for c in &s.compartments {
            let [low, high] = c.dose_gy.mean_interval;
            rows.push(vec![
                s.id.to_string(),
                c.name.clone(),
                format!("{:.1}", c.volume_ml),
                format!("{:.1}", c.dose_gy.mean),
                format!("{low:.0} to {high:.0}"),
                format!("{:.1}", c.dose_gy.d70),
                format!("{:.1}", c.bed_gy.mean),
            ]);
        }
    }
    term::print_table(&rows);
    anstream::println!();
    for gate in &plan.gates {
        for c in gate.criteria.iter().filter(|c| c.status != Status::Pass) {
            let colour = term::of(c.status);
            anstream::println!("{colour}{}{}  {}", term::word(c.status), term::RESET, c.reason);
        }
    }
    let gates = plan.gates.iter().flat_map(|g| &g.criteria);
    for c in gates.filter(|c| c.status == Status::Pass) {
        if let Some(p) = c.probability_unmet.filter(|p| *p >= WORTH_SAYING) {
            let limit = c.limit.as_f64().unwrap_or(f64::NAN);
            anstream::println!(
                "{}doubt{}  {}: beyond the limit of {limit} {} with {:.0} %",
                term::DIM,
                term::RESET,
                c.name.to_lowercase(),
                c.unit,
                100.0 * p
            );
        }
    }
    if let Some(best) = &plan.optimisation {
        let aim = match best.aim.as_str() {
            "response" => "the most probable response of all lesions",
            _ => "the highest dose of the least-dosed lesion",
        };
        anstream::println!(
            "{}best{}  {aim}; least dosed is {}",
            term::DIM,
            term::RESET,
            best.least_dosed
        );
    }
    for warning in &plan.warnings {
        anstream::println!("{}note{}  {warning}", term::DIM, term::RESET);
    }
    anstream::println!("{}{}{}", term::DIM, plan.notice, term::RESET);
}

/// `2027-01-03T12:00` of an RFC 3339 instant.
fn short(instant: &str) -> &str {
    instant.get(..16).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_with_the_digits_that_say_something() {
        let said: Vec<_> =
            [49.67, 0.0612345678, 3.0, 1234567.0, 0.0].into_iter().map(number).collect();
        assert_eq!(said, ["49.67", "0.0612346", "3", "1234567", "0"]);
    }
}
