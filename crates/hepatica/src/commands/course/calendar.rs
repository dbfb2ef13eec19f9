//! `hepatica course calendar`

use super::{CommandError, Seen, View, beside, write};
use crate::term;
use clap::ValueHint;
use hepatica_regimen::next::Status;
use hepatica_report::patient_calendar;
use hepatica_report::texts::Texts;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hepatica course calendar P001.course                    what is due, as a table
  hepatica course calendar P001.course --pdf --ics        P001.pdf for the patient, P001.ics
  hepatica course calendar P001.course --pdf=kalender.pdf --language de --months 4

The PDF is for the patient: a page a month, tablets in words and pictures. Neither file holds a name.")]
pub struct Args {
    #[command(flatten)]
    view: View,
    /// Write the patient's calendar; beside the course file if no path is given
    #[arg(long, value_name = "PATH", num_args = 0..=1, require_equals = true, value_hint = ValueHint::FilePath)]
    pdf: Option<Option<PathBuf>>,
    /// Write an iCalendar file; beside the course file if no path is given
    #[arg(long, value_name = "PATH", num_args = 0..=1, require_equals = true, value_hint = ValueHint::FilePath)]
    ics: Option<Option<PathBuf>>,
    /// Language of the PDF: en, de, es, or a file of texts
    #[arg(long, value_name = "NAME|FILE", default_value = "en")]
    language: String,
    /// Months of the PDF, from the one of the day in question or of the first day
    #[arg(long, default_value = "3")]
    months: usize,
    /// Cycles to list at least
    #[arg(long, default_value = "4")]
    cycles: usize,
    /// Also list what is done, and what is not needed
    #[arg(long)]
    all: bool,
    /// Print JSON: every obligation
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<bool, CommandError> {
    let opened = args.view.open()?;
    let seen = opened.seen(args.cycles)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&seen.agenda.obligations)?);
        return Ok(true);
    }
    if let Some(path) = &args.pdf {
        let texts = Texts::named(&args.language)?;
        let pdf = patient_calendar::pdf(
            &opened.protocol,
            &seen.course,
            &seen.state,
            &seen.agenda,
            &texts,
            args.months.clamp(1, 24),
        )?;
        write(path.as_ref().unwrap_or(&beside(&args.view.course, "pdf")), &pdf)?;
    }
    if let Some(path) = &args.ics {
        let ics = hepatica_exchange::ical::course(
            &opened.protocol,
            &seen.course,
            &seen.state,
            &seen.agenda,
            opened.stamp(),
        );
        write(path.as_ref().unwrap_or(&beside(&args.view.course, "ics")), ics.as_bytes())?;
    }
    if args.pdf.is_none() && args.ics.is_none() {
        list(&seen, args.all);
    }
    Ok(true)
}

fn list(seen: &Seen<'_>, all: bool) {
    let mut rows = vec![["day", "window", "cycle", "what", "", "why"].map(str::to_owned).to_vec()];
    let over =
        |s| matches!(s, Status::Done | Status::NotNeeded | Status::Cancelled | Status::Missed);
    for o in &seen.agenda.obligations {
        if !all && over(o.status) {
            continue;
        }
        let window = if o.earliest == o.latest {
            String::new()
        } else {
            format!("{} to {}", o.earliest.strftime("%m-%d"), o.latest.strftime("%m-%d"))
        };
        rows.push(vec![
            o.target.strftime("%a %Y-%m-%d").to_string(),
            window,
            o.cycle.map_or(String::new(), |c| format!("C{c}")),
            o.name.clone(),
            o.status.to_string(),
            o.because.first().cloned().unwrap_or_default(),
        ]);
    }
    term::print_table(&rows);
}
