//! The report of a verification: two pages, figures, curves as a table.

use crate::curves::{self, COLOURS};
use crate::world::{Files, World};
use crate::{FIGURE_SCALE, ReportError, fused, plain};
use hepatica_planning::verification::Verified;
use hepatica_planning::views::{DvhCurve, FusedView};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::fmt::Write;
use typst::foundations::Bytes;

const REPORT: &str = include_str!("../templates/verify.typ");
const FIGURE: &str = include_str!("../templates/verify_figure.typ");

/// Cells of the scatter plot along each axis.
const CELLS: usize = 64;
/// Share of the voxels that the scatter plot holds.
const SHOWN: f64 = 0.998;

/// A verification, the numbers behind its figures, and its pictures.
#[derive(Debug)]
pub struct VerificationReport<'a> {
    verified: &'a Verified,
    lesions: Vec<String>,
    files: Files,
}

impl<'a> VerificationReport<'a> {
    /// Draws the pictures, which figures and PDF share.
    ///
    /// # Errors
    /// When a picture cannot be encoded; a fault of the program, not of the scan.
    pub fn new(verified: &'a Verified) -> Result<Self, ReportError> {
        let mut lesions: Vec<String> = Vec::new();
        for v in &verified.planned_views {
            if !lesions.contains(&v.lesion) {
                lesions.push(v.lesion.clone());
            }
        }
        // One scale for both, so that colours can be compared.
        let both = [&verified.planned_views, &verified.delivered_views];
        let top = both.map(|views| fused::top_dose(views)).into_iter().fold(0.0, f64::max);
        let named: Vec<(String, &FusedView)> = ["planned", "delivered"]
            .into_iter()
            .zip(both)
            .flat_map(|(kind, views)| {
                views.iter().enumerate().map(move |(n, v)| (format!("{kind}{n}"), v))
            })
            .collect();
        let drawn = named
            .into_par_iter()
            .map(|(name, view)| fused::files(view, top, &name))
            .collect::<Result<Vec<_>, ReportError>>()?;
        let mut files: Files = drawn.into_iter().flatten().collect();
        let (dvh, legend) = dvh(&verified.planned_curves, &verified.delivered_curves);
        for (name, svg) in [
            ("dvh.svg", dvh),
            ("scatter.svg", scatter(&verified.scatter)),
            ("qvh.svg", qvh(&verified.verification.voxels.quality.curve)),
        ] {
            files.insert(name.to_owned(), Bytes::from_string(svg));
        }
        let views: Vec<_> = verified
            .planned_views
            .iter()
            .enumerate()
            .map(|(n, v)| {
                json!({
                    "planned": format!("planned{n}"),
                    "delivered": format!("delivered{n}"),
                    "title": v.title,
                    "lesion": v.lesion,
                    "width_px": v.columns * fused::ZOOM,
                    "width_mm": v.columns as f64 * v.pixel_mm,
                    "height_mm": v.rows as f64 * v.pixel_mm,
                })
            })
            .collect();
        let data = json!({
            "v": verified.verification,
            "views": views,
            "lesions": lesions,
            "pixels_per_pt": FIGURE_SCALE,
            "scale": {
                "top_gy": top,
                "levels_gy": fused::levels(top),
                "colours": fused::colour_stops(),
            },
            "legend": legend,
        });
        files.insert("data.json".to_owned(), Bytes::new(serde_json::to_vec(&data)?));
        Ok(Self { verified, lesions, files })
    }

    /// The report as PDF.
    ///
    /// # Errors
    /// When the typesetter refuses; a fault of the program, not of the scan.
    pub fn pdf(&self) -> Result<Vec<u8>, ReportError> {
        let v = &self.verified.verification;
        let ident = format!("hepatica verify {} {}", v.patient, v.session.id);
        World::new(REPORT, self.files.clone()).pdf(&ident)
    }

    /// The figures as PNG: name and bytes.
    ///
    /// # Errors
    /// As [`VerificationReport::pdf`].
    pub fn figures(&self) -> Result<Vec<(String, Vec<u8>)>, ReportError> {
        let lesions = self.lesions.iter().map(|l| format!("dose_{}", plain(l)));
        let names = ["dvh", "scatter", "qvh"].map(str::to_owned).into_iter().chain(lesions);
        let pages = World::new(FIGURE, self.files.clone()).png(FIGURE_SCALE)?;
        Ok(names.map(|n| format!("{n}.png")).zip(pages).collect())
    }

    /// All curves as a table: those planned, then those delivered.
    #[must_use]
    pub fn dvh_csv(&self) -> String {
        let mut text = String::from("kind,session,compartment,role,dose_gy,volume_fraction\n");
        for (kind, list) in [
            ("planned", &self.verified.planned_curves),
            ("delivered", &self.verified.delivered_curves),
        ] {
            // The first line is the head of the plan's own table.
            for line in curves::csv(list).lines().skip(1) {
                let _ = writeln!(text, "{kind},{line}");
            }
        }
        text
    }
}

/// A frame with axes; places of values in it.
struct Axes {
    size: [f64; 2],
    top: [f64; 2],
}

/// Room for axes: left, top, right, bottom.
const ROOM: [f64; 4] = [46.0, 8.0, 12.0, 36.0];

impl Axes {
    fn x(&self, v: f64) -> f64 {
        ROOM[0] + (self.size[0] - ROOM[0] - ROOM[2]) * (v / self.top[0]).clamp(0.0, 1.0)
    }

    fn y(&self, v: f64) -> f64 {
        ROOM[1] + (self.size[1] - ROOM[1] - ROOM[3]) * (1.0 - (v / self.top[1]).clamp(0.0, 1.0))
    }

    /// The frame with lines every `step`, and names of the axes.
    fn svg(&self, step: [f64; 2], names: [&str; 2]) -> String {
        let [w, h] = self.size;
        let mut s = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" font-family="Libertinus Serif" font-size="12">"#
        );
        let grid = r##"stroke="#d8d8d8" stroke-width="0.7""##;
        let count = |a: usize| (self.top[a] / step[a] + 1e-9).floor() as usize;
        for n in 0..=count(1) {
            let v = n as f64 * step[1];
            let _ = write!(
                s,
                r#"<line x1="{}" x2="{}" y1="{2:.1}" y2="{2:.1}" {grid}/><text x="{3}" y="{4:.1}" text-anchor="end">{5}</text>"#,
                ROOM[0],
                w - ROOM[2],
                self.y(v),
                ROOM[0] - 6.0,
                self.y(v) + 4.0,
                round(v)
            );
        }
        for n in 0..=count(0) {
            let v = n as f64 * step[0];
            let _ = write!(
                s,
                r#"<line x1="{0:.1}" x2="{0:.1}" y1="{1}" y2="{2}" {grid}/><text x="{0:.1}" y="{3}" text-anchor="middle">{4}</text>"#,
                self.x(v),
                ROOM[1],
                h - ROOM[3],
                h - ROOM[3] + 14.0,
                round(v)
            );
        }
        let _ = write!(
            s,
            r#"<text x="{:.1}" y="{}" text-anchor="middle">{}</text><text transform="translate(12 {:.1}) rotate(-90)" text-anchor="middle">{}</text>"#,
            (ROOM[0] + w - ROOM[2]) / 2.0,
            h - 6.0,
            names[0],
            (ROOM[1] + h - ROOM[3]) / 2.0,
            names[1]
        );
        s
    }
}

fn round(v: f64) -> String {
    let text = format!("{v:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A round step that cuts `top` into at most eight.
fn step_of(top: f64) -> f64 {
    [1.0, 2.0, 5.0, 10.0, 20.0, 25.0, 50.0, 100.0, 200.0, 500.0, 1000.0]
        .into_iter()
        .find(|s| top / s <= 8.0)
        .unwrap_or(top / 8.0)
}

/// Curves of tumours and normal liver: delivered full, planned dashed, a colour a compartment; and the legend.
fn dvh(planned: &[DvhCurve], delivered: &[DvhCurve]) -> (String, Vec<Value>) {
    let wanted = |c: &&DvhCurve| ["tumour", "perfused_normal_liver"].contains(&c.role.as_str());
    let shown: Vec<&DvhCurve> = delivered.iter().filter(wanted).take(COLOURS.len()).collect();
    let end =
        |c: &DvhCurve| c.points.iter().filter(|p| p[1] > 0.01).map(|p| p[0]).fold(0.0, f64::max);
    let highest = shown.iter().map(|c| end(c)).chain(planned.iter().filter(wanted).map(end));
    let top = highest.fold(1.0, f64::max);
    let step = step_of(top);
    let axes = Axes { size: [520.0, 230.0], top: [(top / step).ceil() * step, 100.0] };
    let mut s = axes.svg([step, 20.0], ["Dose (Gy)", "Volume (%)"]);
    let mut line = |c: &DvhCurve, colour: &str, dashes: &str| {
        let points = c.points.iter().filter(|p| p[0] <= axes.top[0]);
        let points: Vec<String> =
            points.map(|p| format!("{:.1},{:.1}", axes.x(p[0]), axes.y(100.0 * p[1]))).collect();
        let width = if c.role == "tumour" { 1.5 } else { 2.6 };
        let _ = write!(
            s,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dashes}"/>"#,
            points.join(" ")
        );
    };
    let mut legend = Vec::new();
    for (c, (colour, _)) in shown.iter().zip(COLOURS) {
        if let Some(before) = planned.iter().find(|p| p.name == c.name && p.role == c.role) {
            line(before, colour, "5 3");
        }
        line(c, colour, "");
        legend.push(json!({ "name": c.name, "colour": colour, "heavy": c.role != "tumour" }));
    }
    (s + "</svg>", legend)
}

/// Delivered against planned dose: how many voxels are in every cell, darker for more.
fn scatter(pairs: &[[f32; 2]]) -> String {
    let mut all: Vec<f64> = pairs.iter().map(|p| f64::from(p[0].max(p[1]))).collect();
    all.sort_by(f64::total_cmp);
    let place = ((all.len().max(1) - 1) as f64 * SHOWN) as usize;
    let top = all.get(place).copied().unwrap_or(1.0).max(1.0);
    let step = step_of(top);
    let top = (top / step).ceil() * step;
    let axes = Axes { size: [250.0, 236.0], top: [top; 2] };
    let mut s = axes.svg([step; 2], ["Planned (Gy)", "Delivered (Gy)"]);
    let mut cells = vec![0_u32; CELLS * CELLS];
    for p in pairs {
        // What is at the end of an axis belongs to its last cell.
        if p.iter().all(|v| (0.0..=top).contains(&f64::from(*v))) {
            let at = p.map(|v| ((f64::from(v) / top * CELLS as f64) as usize).min(CELLS - 1));
            cells[at[0] + CELLS * at[1]] += 1;
        }
    }
    let most = f64::from(cells.iter().copied().max().unwrap_or(1).max(1)).ln_1p();
    let side = top / CELLS as f64;
    for (n, count) in cells.iter().enumerate().filter(|(_, c)| **c > 0) {
        let (i, j) = ((n % CELLS) as f64, (n / CELLS) as f64);
        let (x, y) = (axes.x(i * side), axes.y((j + 1.0) * side));
        let dark = 0.25 + 0.75 * f64::from(*count).ln_1p() / most;
        let _ = write!(
            s,
            r##"<rect x="{x:.2}" y="{y:.2}" width="{:.2}" height="{:.2}" fill="#0072b2" fill-opacity="{dark:.2}"/>"##,
            axes.x(side) - axes.x(0.0),
            axes.y(0.0) - axes.y(side)
        );
    }
    let _ = write!(
        s,
        r##"<line x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" stroke="#d55e00" stroke-width="1.2"/>"##,
        axes.x(0.0),
        axes.y(0.0),
        axes.x(top),
        axes.y(top)
    );
    s + "</svg>"
}

/// Share of the volume with at least so much of the planned dose.
fn qvh(curve: &[[f64; 2]]) -> String {
    let axes = Axes { size: [250.0, 236.0], top: [2.5, 100.0] };
    let mut s = axes.svg([0.5, 20.0], ["Delivered over planned (Q)", "Volume (%)"]);
    let one = axes.x(1.0);
    let _ = write!(
        s,
        r##"<line x1="{one:.1}" x2="{one:.1}" y1="{}" y2="{}" stroke="#d55e00" stroke-width="1.2"/>"##,
        axes.y(100.0),
        axes.y(0.0)
    );
    let points: Vec<String> = curve
        .iter()
        .filter(|p| p[0] <= axes.top[0])
        .map(|p| format!("{:.1},{:.1}", axes.x(p[0]), axes.y(100.0 * p[1])))
        .collect();
    let _ = write!(
        s,
        r##"<polyline points="{}" fill="none" stroke="#0072b2" stroke-width="2"/>"##,
        points.join(" ")
    );
    s + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_identity_is_where_equal_doses_are() {
        let axes = Axes { size: [250.0, 236.0], top: [100.0, 100.0] };
        let part = |v: f64| (axes.x(v) - axes.x(0.0)) / (axes.x(100.0) - axes.x(0.0));
        let up = |v: f64| (axes.y(0.0) - axes.y(v)) / (axes.y(0.0) - axes.y(100.0));
        assert!((part(30.0) - up(30.0)).abs() < 1e-12);
        let svg = scatter(&[[50.0, 50.0], [50.0, 50.0], [10.0, 30.0]]);
        assert_eq!(svg.matches("<rect").count(), 2, "two cells");
    }

    #[test]
    fn names_are_not_in_the_picture() {
        let curve = DvhCurve {
            session: Some(1),
            name: "<script>".to_owned(),
            role: "tumour".to_owned(),
            points: vec![[0.0, 1.0], [50.0, 0.5]],
        };
        let (svg, legend) = dvh(std::slice::from_ref(&curve), std::slice::from_ref(&curve));
        assert!(!svg.contains("script") && svg.matches("<polyline").count() == 2);
        assert_eq!(legend[0]["name"], "<script>");
    }
}
