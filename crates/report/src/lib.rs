//! What a person reads of a plan and of a course: figures, PDF, tables, calendar files.
//!
//! | module | holds |
//! |---|---|
//! | [`world`] | the typesetter, with its fonts and only the files it is given |
//! | [`fused`] | dose on CT as pixels |
//! | [`curves`] | dose-volume curves as SVG and as a table |
//! | [`tradeoff`] | what each Gy of normal liver buys, as SVG |
//! | [`tornado`] | which source of doubt matters, as SVG |
//! | [`calendar`] | the plan's dates as iCalendar |
//! | [`timeline`] | a course on one date axis, SVG and PNG |
//! | [`analysis`] | the report of a trial: figures, PDF |
//! | [`simulation`] | reports of virtual patients |
//! | [`trial`] | figures of trials: curves with bands, Kaplan-Meier, waterfall, forest, ... |
//! | [`verification`] | the report of what was given |
//! | [`patient_calendar`], [`texts`] | the patient's calendar, a page a month, in the patient's language |
//!
//! Text of a plan reaches the typesetter as data, never as markup. The same plan gives the same
//! bytes. Knows nothing of how numbers are made.

pub mod analysis;
pub mod calendar;
mod canvas;
pub mod curves;
pub mod fused;
pub mod patient_calendar;
pub mod simulation;
pub mod texts;
pub mod timeline;
pub mod tornado;
pub mod tradeoff;
pub mod trial;
pub mod verification;
pub mod world;

#[cfg(test)]
mod samples;

use hepatica_planning::Plan;
use hepatica_planning::views::{DvhCurve, FusedView};
use rayon::prelude::*;
use serde_json::json;
use thiserror::Error;
use typst::foundations::Bytes;
use world::{Files, World};

const REPORT: &str = include_str!("../templates/report.typ");
const FIGURE: &str = include_str!("../templates/figure.typ");
/// Pixels per point of the figures.
const FIGURE_SCALE: f32 = 2.0;

/// Why a report cannot be made.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The typesetter.
    #[error("the report cannot be set ({0})")]
    Typesetting(String),
    /// A picture.
    #[error("the picture `{name}` cannot be drawn ({why})")]
    Picture {
        /// Its name.
        name: String,
        /// Why.
        why: String,
    },
    /// The plan as data.
    #[error("the plan cannot be handed over ({0})")]
    Data(#[from] serde_json::Error),
    /// What is written for patients.
    #[error(transparent)]
    Texts(#[from] texts::TextsError),
}

/// A plan, the numbers behind its figures, and its pictures.
#[derive(Debug)]
pub struct Report<'a> {
    plan: &'a Plan,
    curves: &'a [DvhCurve],
    /// Lesions in the order of their views.
    lesions: Vec<String>,
    /// What the templates read: pictures and `data.json`.
    files: Files,
}

impl<'a> Report<'a> {
    /// Draws the pictures, which figures and PDF share. `views` are planes through the lesions.
    ///
    /// # Errors
    /// When a picture cannot be encoded; a fault of the program, not of the plan.
    pub fn new(
        plan: &'a Plan,
        views: &'a [FusedView],
        curves: &'a [DvhCurve],
    ) -> Result<Self, ReportError> {
        let mut lesions: Vec<String> = Vec::new();
        for v in views {
            if !lesions.contains(&v.lesion) {
                lesions.push(v.lesion.clone());
            }
        }
        let top = fused::top_dose(views);
        let drawn = views
            .par_iter()
            .enumerate()
            .map(|(n, view)| fused::files(view, top, &format!("view{n}")))
            .collect::<Result<Vec<_>, ReportError>>()?;
        let mut files: Files = drawn.into_iter().flatten().collect();
        files.insert("dvh.svg".to_owned(), Bytes::from_string(curves::svg(curves)));
        for (name, svg) in [("tornado", tornado::svg(plan)), ("tradeoff", tradeoff::svg(plan))] {
            if let Some(svg) = svg {
                files.insert(format!("{name}.svg"), Bytes::from_string(svg));
            }
        }
        let data = data(plan, views, curves, &lesions, top, &files);
        files.insert("data.json".to_owned(), Bytes::new(serde_json::to_vec(&data)?));
        Ok(Self { plan, curves, lesions, files })
    }

    /// The report as PDF.
    ///
    /// # Errors
    /// When the typesetter refuses; a fault of the program, not of the plan.
    pub fn pdf(&self) -> Result<Vec<u8>, ReportError> {
        let ident = format!("hepatica {} {}", self.plan.patient.id, self.plan.schedule.c1d1);
        World::new(REPORT, self.files.clone()).pdf(&ident)
    }

    /// The figures as PNG: name and bytes.
    ///
    /// # Errors
    /// As [`Report::pdf`].
    pub fn figures(&self) -> Result<Vec<(String, Vec<u8>)>, ReportError> {
        let lesions = self.lesions.iter().map(|l| format!("dose_{}", plain(l)));
        let drawn = ["dvh", "tornado", "tradeoff"].into_iter();
        let drawn = drawn.filter(|f| self.files.contains_key(&format!("{f}.svg")));
        let names = drawn.map(str::to_owned).chain(lesions);
        let pages = World::new(FIGURE, self.files.clone()).png(FIGURE_SCALE)?;
        Ok(names.map(|n| format!("{n}.png")).zip(pages).collect())
    }

    /// All curves as a table.
    #[must_use]
    pub fn dvh_csv(&self) -> String {
        curves::csv(self.curves)
    }

    /// The dates as iCalendar.
    #[must_use]
    pub fn calendar_ics(&self) -> String {
        calendar::ics(self.plan)
    }
}

/// What the templates know.
fn data(
    plan: &Plan,
    views: &[FusedView],
    curves: &[DvhCurve],
    lesions: &[String],
    top_gy: f64,
    files: &Files,
) -> serde_json::Value {
    let drawings = ["tornado", "tradeoff"].into_iter();
    let drawings: Vec<_> = drawings.filter(|f| files.contains_key(&format!("{f}.svg"))).collect();
    let views: Vec<_> = views
        .iter()
        .enumerate()
        .map(|(n, v)| {
            json!({
                "file": format!("view{n}"),
                "title": v.title,
                "lesion": v.lesion,
                "width_px": v.columns * fused::ZOOM,
                "width_mm": v.columns as f64 * v.pixel_mm,
                "height_mm": v.rows as f64 * v.pixel_mm,
            })
        })
        .collect();
    json!({
        "plan": plan,
        "views": views,
        "lesions": lesions,
        "drawings": drawings,
        "pixels_per_pt": FIGURE_SCALE,
        "scale": {
            "top_gy": top_gy,
            "levels_gy": fused::levels(top_gy),
            "colours": fused::colour_stops(),
        },
        "legend": curves::legend(curves),
    })
}

/// A name for a file: letters, digits, dash; everything else an underscore.
fn plain(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    name.chars().map(safe).take(60).collect()
}
