//! What a person reads of a plan: figures, PDF, tables, calendar files.
//!
//! | module | holds |
//! |---|---|
//! | [`world`] | the typesetter, with its fonts and only the files it is given |
//! | [`fused`] | dose on CT as pixels |
//! | [`curves`] | dose-volume curves as SVG and as a table |
//! | [`calendar`] | the plan's dates as iCalendar |
//!
//! Text of a plan reaches the typesetter as data, never as markup. The same plan gives the same
//! bytes. Knows nothing of how numbers are made.

pub mod calendar;
pub mod curves;
pub mod fused;
pub mod world;

use hepatica_planning::Plan;
use hepatica_planning::views::{DvhCurve, FusedView};
use serde_json::json;
use std::collections::BTreeMap;
use thiserror::Error;
use world::World;

const REPORT: &str = include_str!("../templates/report.typ");
const FIGURE: &str = include_str!("../templates/figure.typ");
/// Pixels per point of the figures.
const FIGURE_SCALE: f32 = 2.5;

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
}

/// A plan and the numbers behind its figures.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Planes through the lesions.
    pub views: &'a [FusedView],
    /// Dose-volume curves.
    pub curves: &'a [DvhCurve],
}

impl Report<'_> {
    /// The report as PDF.
    ///
    /// # Errors
    /// When the typesetter refuses; a fault of the program, not of the plan.
    pub fn pdf(&self) -> Result<Vec<u8>, ReportError> {
        let mut files = self.pictures()?;
        files.insert("data.json".to_owned(), serde_json::to_vec(&self.data())?);
        World::new(REPORT, files)
            .pdf(&format!("hepatica {} {}", self.plan.patient.id, self.plan.schedule.c1d1))
    }

    /// The figures as PNG: name and bytes.
    ///
    /// # Errors
    /// As [`Report::pdf`].
    pub fn figures(&self) -> Result<Vec<(String, Vec<u8>)>, ReportError> {
        let mut files = self.pictures()?;
        files.insert("data.json".to_owned(), serde_json::to_vec(&self.data())?);
        let names = std::iter::once("dvh".to_owned())
            .chain(self.lesions().into_iter().map(|l| format!("dose_{}", plain(&l))));
        let pages = World::new(FIGURE, files).png(FIGURE_SCALE)?;
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

    fn lesions(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for v in self.views {
            if !names.contains(&v.lesion) {
                names.push(v.lesion.clone());
            }
        }
        names
    }

    fn pictures(&self) -> Result<BTreeMap<String, Vec<u8>>, ReportError> {
        let top = fused::top_dose(self.views);
        let mut files = BTreeMap::new();
        for (n, view) in self.views.iter().enumerate() {
            let png = fused::png(view, top)
                .map_err(|why| ReportError::Picture { name: view.title.clone(), why })?;
            files.insert(format!("view{n}.png"), png);
        }
        files.insert("dvh.svg".to_owned(), curves::svg(self.curves).into_bytes());
        Ok(files)
    }

    fn data(&self) -> serde_json::Value {
        let views: Vec<_> = self
            .views
            .iter()
            .enumerate()
            .map(|(n, v)| {
                json!({
                    "file": format!("view{n}.png"),
                    "title": v.title,
                    "lesion": v.lesion,
                    "width_mm": v.columns as f64 * v.pixel_mm,
                    "height_mm": v.rows as f64 * v.pixel_mm,
                })
            })
            .collect();
        let top = fused::top_dose(self.views);
        json!({
            "plan": self.plan,
            "views": views,
            "lesions": self.lesions(),
            "scale": {
                "top_gy": top,
                "levels_gy": fused::levels(top),
                "colours": fused::colour_stops(),
            },
            "legend": curves::legend(self.curves),
        })
    }
}

/// A name for a file: letters, digits, dash; everything else an underscore.
fn plain(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    name.chars().map(safe).take(60).collect()
}
