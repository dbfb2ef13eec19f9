//! `hepatica verify CASE --scan SCAN --plan OUT --out OUT2`

use super::CommandError;
use crate::output::OutputFolder;
use crate::progress::Progress;
use crate::term;
use clap::ValueHint;
use hepatica_dosimetry::gamma::Criterion;
use hepatica_imaging::dicom::write::rtdose::{self, DoseInfo, DoseType};
use hepatica_imaging::dicom::write::{Context, pdf, reg};
use hepatica_imaging::nifti;
use hepatica_planning::verification::{Calibration, Engine, Options};
use hepatica_planning::{Status, Verification, Verified, verify_case};
use hepatica_report::verification::VerificationReport;
use std::path::{Path, PathBuf};

/// Names a verification has at its top: what may be replaced.
const OURS: [&str; 7] =
    ["verify.json", "report.pdf", "dose.dcm", "dose.nii.gz", "dvh.csv", "figures", "dicom"];

/// Part of the work after which the numbers are there and files are written.
const COMPUTED: f64 = 0.75;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica verify CASE --scan SCAN --plan OUT --out OUT2
  hepatica verify CASE --scan SCAN --plan OUT --out OUT2 --calibration relative
  hepatica verify CASE --scan SCAN --plan OUT --out OUT2 --gamma 3%/3mm --gamma 10%/5mm,local
  hepatica verify CASE --scan SCAN --plan OUT --json | jq .voxels.concordance
  hepatica plan CASE --out OUT3 --delivered OUT2/verify.json     (the second session, knowing the first)

SCAN is a folder with the PET/CT or bremsstrahlung SPECT/CT after treatment and treatment.toml, which says
what was given (docs/verify.md). OUT2 gets verify.json, report.pdf, dose.dcm (dose delivered, on the plan's grid),
dose.nii.gz, dvh.csv, figures/ and dicom/ with the registration and the report.

Exit codes: 0 verified, 1 error, 2 verified but something is beyond its limit.")]
pub struct Args {
    /// Case folder, as it was planned
    #[arg(value_hint = ValueHint::DirPath)]
    case: PathBuf,
    /// Folder of the scan after treatment, with treatment.toml
    #[arg(long, value_hint = ValueHint::AnyPath)]
    scan: PathBuf,
    /// Folder of the plan
    #[arg(long, value_hint = ValueHint::DirPath)]
    plan: PathBuf,
    /// Folder to write to
    #[arg(long, value_hint = ValueHint::DirPath, required_unless_present = "json")]
    out: Option<PathBuf>,
    /// Print verify.json to standard output instead of a summary
    #[arg(long)]
    json: bool,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
    /// What was given: another file than treatment.toml in SCAN
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    treatment: Option<PathBuf>,
    /// Spatial registration (DICOM REG) of planning CT and scan, instead of registering their CTs
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "assume_aligned")]
    registration: Option<PathBuf>,
    /// The scan is in register although its frame of reference differs
    #[arg(long)]
    assume_aligned: bool,
    /// `absolute` (the scan's Bq/mL; what PET takes when nothing is said) or `relative` (its proportions,
    /// scaled to the activity delivered; what counts take)
    #[arg(long, value_name = "HOW")]
    calibration: Option<Calibration>,
    /// Dose engine: `local` or `kernel`; the plan's when nothing is said
    #[arg(long)]
    engine: Option<Engine>,
    /// Criterion of gamma, as in 3%/3mm or 5%/5mm,local; may be given several times
    #[arg(long, value_name = "DOSE/DISTANCE", value_parser = criterion)]
    gamma: Vec<Criterion>,
}

/// `3%/3mm`, with `,local` if the difference is of the dose at each place.
fn criterion(text: &str) -> Result<Criterion, String> {
    let expected = "expected a dose difference and a distance, as in 3%/3mm or 5%/5mm,local";
    let (numbers, local) = match text.split_once(',') {
        None => (text, false),
        Some((numbers, "local")) => (numbers, true),
        Some((numbers, "global")) => (numbers, false),
        Some(_) => return Err(expected.to_owned()),
    };
    let parse = |part: &str, unit: &str| -> Option<f64> {
        part.trim().strip_suffix(unit)?.trim_end().parse().ok()
    };
    let (dose, distance) = numbers.split_once('/').ok_or(expected)?;
    let dose = parse(dose, "%").filter(|d| (0.1..=50.0).contains(d));
    let distance = parse(distance, "mm").filter(|d| (0.1..=50.0).contains(d));
    let (Some(dose), Some(distance)) = (dose, distance) else {
        return Err(format!("{expected}; 0.1 to 50 each"));
    };
    Ok(Criterion { local, ..Criterion::global(dose, distance) })
}

impl Args {
    fn options(&self) -> Options {
        Options {
            scan: self.scan.clone(),
            plan: self.plan.clone(),
            treatment: self.treatment.clone(),
            registration: self.registration.clone(),
            assume_aligned: self.assume_aligned,
            calibration: self.calibration,
            engine: self.engine,
            gamma: self.gamma.clone(),
        }
    }
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let progress = Progress::new(args.quiet);
    let begin = |out: &Path| OutputFolder::begin(out, &|name| OURS.contains(&name));
    let folder = args.out.as_deref().map(begin).transpose()?;
    let verified = verify_case(&args.case, &args.options(), &|what, done| {
        progress.at(what, COMPUTED * done);
    })?;
    let place = folder.map(|folder| write_all(folder, &verified, &progress)).transpose()?;
    drop(progress);
    let v = &verified.verification;
    if args.json {
        println!("{}", serde_json::to_string_pretty(v)?);
    } else if !args.quiet {
        summarise(v);
        if let Some(place) = place {
            let report = place.join("report.pdf");
            anstream::println!("{}report{}  {}", term::DIM, term::RESET, report.display());
        }
    }
    Ok(passes(v))
}

/// Whether nothing is beyond its limit.
fn passes(v: &Verification) -> bool {
    v.decision.status <= Status::Overridden
}

fn write_all(
    folder: OutputFolder,
    verified: &Verified,
    progress: &Progress,
) -> Result<PathBuf, CommandError> {
    progress.at("drawing and writing the dose", COMPUTED);
    let v = &verified.verification;
    let json = serde_json::to_string_pretty(v)? + "\n";
    let context = context(&json, verified);
    let report = VerificationReport::new(verified)?;
    write_images(&folder, verified, &context)?;
    progress.at("setting the report", 0.9);
    let (figures, document) = rayon::join(|| report.figures(), || report.pdf());
    for (name, png) in figures? {
        folder.write(&format!("figures/{name}"), &png)?;
    }
    let document = document?;
    folder.write("report.pdf", &document)?;
    let encapsulated = folder.folder("dicom")?.join("report.dcm");
    pdf::write(&encapsulated, &document, "Radioembolization verified", &context)?;
    folder.write("dvh.csv", report.dvh_csv().as_bytes())?;
    folder.write("verify.json", json.as_bytes())?;
    Ok(folder.finish()?)
}

/// The study and frame of reference of the planning images.
fn context(seed: &str, verified: &Verified) -> Context {
    let at = verified.instant.datetime();
    let mut context =
        Context::new(seed, verified.patient.clone(), at, "Radioembolization, dose delivered");
    if let Some(uid) = &verified.study_uid {
        context.study_uid.clone_from(uid);
    }
    if let Some(uid) = &verified.frame_of_reference {
        context.frame_of_reference.clone_from(uid);
    }
    context
}

/// The dose delivered, and what carries the scan to the planning CT.
fn write_images(
    folder: &OutputFolder,
    verified: &Verified,
    context: &Context,
) -> Result<(), CommandError> {
    let v = &verified.verification;
    let comment = format!(
        "{} {:.2} GBq delivered, {} by {}",
        v.session.territory, v.delivery.delivered_gbq, v.activity.calibration, v.scan.modality
    );
    let info = DoseInfo {
        series_number: 42,
        description: "Radioembolization, dose delivered",
        dose_type: DoseType::Physical,
        comment: &comment,
        heterogeneity: false,
    };
    rtdose::write(&folder.path().join("dose.dcm"), &verified.dose, &info, context)?;
    let path = folder.path().join("dose.nii.gz");
    nifti::write(&path, &[&verified.dose], "Gy delivered in the liver")?;
    let dicom = folder.folder("dicom")?;
    if let (Some(from), Some(to)) =
        (&verified.scan_frame_of_reference, &verified.frame_of_reference)
        && from != to
    {
        reg::write(&dicom.join("registration.dcm"), from, &verified.motion.inverse(), context)?;
    }
    Ok(())
}

/// The verification on one screen.
fn summarise(v: &Verification) {
    let colour = term::of(v.decision.status);
    let word = if passes(v) { "WITHIN LIMITS" } else { "LOOK" };
    anstream::println!("{colour}{word}{}  {}", term::RESET, v.decision.sentence);
    anstream::println!();
    let r = &v.registration;
    let residual =
        r.residual_mm.map_or(String::new(), |mm| format!(", repeats itself within {mm:.1} mm"));
    anstream::println!(
        "scan to planning CT by {}: liver moved by {:.1}, {:.1}, {:.1} mm{residual}",
        r.by.replace('_', " "),
        r.shift_mm[0],
        r.shift_mm[1],
        r.shift_mm[2]
    );
    anstream::println!();
    let mut rows = vec![
        [
            "compartment",
            "mL",
            "planned Gy",
            "delivered Gy",
            "difference",
            "ratio",
            "BED planned",
            "BED",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    let text =
        |x: Option<f64>, places: usize| x.map_or("-".to_owned(), |x| format!("{x:.places$}"));
    for c in &v.compartments {
        rows.push(vec![
            c.name.clone(),
            format!("{:.1}", c.volume_ml),
            text(c.planned.as_ref().map(|p| p.mean), 1),
            format!("{:.1}", c.delivered.mean),
            text(c.difference_gy, 1),
            text(c.ratio, 2),
            text(c.planned.as_ref().map(|p| p.bed_mean), 1),
            format!("{:.1}", c.delivered.bed_mean),
        ]);
    }
    rows.push(vec![
        "lungs".to_owned(),
        "-".to_owned(),
        format!("{:.1}", v.lungs.planned_gy),
        format!("{:.1}", v.lungs.delivered_gy),
        format!("{:.1}", v.lungs.delivered_gy - v.lungs.planned_gy),
        text((v.lungs.planned_gy > 0.0).then(|| v.lungs.delivered_gy / v.lungs.planned_gy), 2),
        "-".to_owned(),
        "-".to_owned(),
    ]);
    term::print_table(&rows);
    anstream::println!();
    let x = &v.voxels;
    let gammas: Vec<_> = x
        .gamma
        .iter()
        .map(|g| {
            let kind = if g.kind == "local" { " local" } else { "" };
            format!(
                "{:.0} %/{:.0} mm{kind} {:.1} %",
                g.dose_percent,
                g.distance_mm,
                100.0 * g.pass_rate
            )
        })
        .collect();
    anstream::println!(
        "{} voxels: Lin's concordance {:.3}, gamma {}, Q factor {:.3}",
        x.count,
        x.concordance,
        gammas.join(", "),
        x.quality.factor
    );
    for warning in &v.warnings {
        anstream::println!("{}note{}  {warning}", term::DIM, term::RESET);
    }
    anstream::println!("{}{}{}", term::DIM, v.notice, term::RESET);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_criterion_is_said_as_physicists_say_it() {
        let c = criterion("5%/4mm,local").expect("good");
        assert!(c.local && (c.dose - 0.05).abs() < 1e-12 && c.distance_mm == 4.0);
        assert!(!criterion("3 %/3 mm").expect("good").local);
        for bad in ["3/3", "3%", "3mm/3%", "0%/3mm", "3%/99mm", "3%/3mm,both"] {
            assert!(criterion(bad).is_err(), "{bad}");
        }
    }
}
