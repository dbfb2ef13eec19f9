//! Dose-volume curves as SVG and as a table.

use hepatica_planning::views::DvhCurve;
use serde_json::{Value, json};
use std::fmt::Write;

/// Colours that the colour-blind tell apart (Okabe and Ito), each with the dashes it begins with.
pub(crate) const COLOURS: [(&str, usize); 8] = [
    ("#d55e00", 0),
    ("#0072b2", 0),
    ("#009e73", 0),
    ("#cc79a7", 0),
    ("#e69f00", 1),
    ("#56b4e9", 1),
    ("#000000", 2),
    ("#7a7a7a", 1),
];
/// Dashes, for grey print and for the ninth curve on: lengths of line and gap.
const DASHES: [&[u8]; 4] = [&[], &[7, 3], &[2, 3], &[9, 3, 2, 3]];

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 250.0;
/// Room for axes: left, top, right, bottom.
const ROOM: [f64; 4] = [46.0, 8.0, 10.0, 36.0];

/// The curves that are drawn: of every session the tumours and the perfused normal liver.
fn drawn(curves: &[DvhCurve]) -> Vec<&DvhCurve> {
    let wanted = ["tumour", "perfused_normal_liver"];
    curves.iter().filter(|c| c.session.is_some() && wanted.contains(&c.role.as_str())).collect()
}

/// No two of 32 curves are alike.
fn style(n: usize) -> (&'static str, &'static [u8]) {
    let (colour, dashes) = COLOURS[n % COLOURS.len()];
    (colour, DASHES[(dashes + n / COLOURS.len()) % DASHES.len()])
}

/// Names and styles of the curves that are drawn, for a legend.
#[must_use]
pub fn legend(curves: &[DvhCurve]) -> Vec<Value> {
    drawn(curves)
        .iter()
        .enumerate()
        .map(|(n, c)| {
            let (colour, dashes) = style(n);
            json!({
                "name": c.name,
                "session": c.session,
                "colour": colour,
                "dashes": dashes,
                "heavy": c.role != "tumour",
            })
        })
        .collect()
}

/// The curves as SVG, without names: those are the legend's.
#[must_use]
pub fn svg(curves: &[DvhCurve]) -> String {
    let curves = drawn(curves);
    let top = curves
        .iter()
        .map(|c| c.points.iter().filter(|p| p[1] > 0.01).map(|p| p[0]).fold(0.0, f64::max))
        .fold(0.0, f64::max)
        .max(1.0);
    let step = [5.0, 10.0, 20.0, 25.0, 50.0, 100.0, 200.0, 500.0, 1000.0]
        .into_iter()
        .find(|s| top / s <= 9.0)
        .unwrap_or(top / 8.0);
    let top = (top / step).ceil() * step;
    let [left, above, right, below] = ROOM;
    let x = |gy: f64| left + (WIDTH - left - right) * (gy / top).min(1.0);
    let y = |part: f64| above + (HEIGHT - above - below) * (1.0 - part);
    let mut s = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="Libertinus Serif" font-size="12">"#
    );
    // Writing to a string cannot fail.
    for n in 0..=5 {
        let part = f64::from(n) / 5.0;
        let _ = write!(
            s,
            r##"<line x1="{left}" x2="{}" y1="{1:.1}" y2="{1:.1}" stroke="#d8d8d8" stroke-width="0.7"/><text x="{2}" y="{3:.1}" text-anchor="end">{4}</text>"##,
            WIDTH - right,
            y(part),
            left - 6.0,
            y(part) + 4.0,
            20 * n
        );
    }
    let mut gy = 0.0;
    while gy <= top + 1e-6 {
        let _ = write!(
            s,
            r##"<line x1="{0:.1}" x2="{0:.1}" y1="{above}" y2="{1}" stroke="#d8d8d8" stroke-width="0.7"/><text x="{0:.1}" y="{2}" text-anchor="middle">{gy}</text>"##,
            x(gy),
            HEIGHT - below,
            HEIGHT - below + 14.0
        );
        gy += step;
    }
    let _ = write!(
        s,
        r#"<text x="{:.1}" y="{}" text-anchor="middle">Dose (Gy)</text><text transform="translate(12 {:.1}) rotate(-90)" text-anchor="middle">Volume (%)</text>"#,
        (left + WIDTH - right) / 2.0,
        HEIGHT - 6.0,
        (above + HEIGHT - below) / 2.0
    );
    for (n, c) in curves.iter().enumerate() {
        let (colour, dashes) = style(n);
        let dashes: Vec<String> = dashes.iter().map(u8::to_string).collect();
        let points: Vec<String> = c
            .points
            .iter()
            .filter(|p| p[0] <= top)
            .map(|p| format!("{:.1},{:.1}", x(p[0]), y(p[1])))
            .collect();
        let width = if c.role == "tumour" { 1.5 } else { 2.6 };
        let _ = write!(
            s,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-dasharray="{}"/>"#,
            points.join(" "),
            dashes.join(" ")
        );
    }
    s + "</svg>"
}

/// All curves, a row a point.
#[must_use]
pub fn csv(curves: &[DvhCurve]) -> String {
    let mut text = String::from("session,compartment,role,dose_gy,volume_fraction\n");
    for c in curves {
        let session = c.session.map_or("all".to_owned(), |s| s.to_string());
        for [dose, part] in &c.points {
            let _ = writeln!(text, "{session},{},{},{dose:.4},{part:.6}", quoted(&c.name), c.role);
        }
    }
    text
}

/// A field with quotes where it needs them (RFC 4180). A first character that a spreadsheet would
/// take for a formula is kept from being one.
pub(crate) fn quoted(field: &str) -> String {
    let guarded = if field.starts_with(['=', '+', '-', '@']) {
        format!("'{field}")
    } else {
        field.to_owned()
    };
    if guarded.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(name: &str) -> DvhCurve {
        DvhCurve {
            session: Some(1),
            name: name.to_owned(),
            role: "tumour".to_owned(),
            points: vec![[0.0, 1.0], [50.0, 0.5], [100.0, 0.0]],
        }
    }

    #[test]
    fn no_two_curves_look_alike() {
        let styles: std::collections::BTreeSet<_> = (0..32).map(style).collect();
        assert_eq!(styles.len(), 32);
    }

    #[test]
    fn a_table_that_spreadsheets_read_and_do_not_run() {
        let text = csv(&[curve("=SUM(A1), \"T1\"")]);
        assert_eq!(text.lines().nth(1), Some("1,\"'=SUM(A1), \"\"T1\"\"\",tumour,0.0000,1.000000"));
    }

    #[test]
    fn names_are_not_in_the_picture() {
        assert!(!svg(&[curve("<script>")]).contains("script"));
    }
}
