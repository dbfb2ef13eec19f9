//! Which source of doubt matters for what: bars from the lower to the upper limit that each source alone
//! gives, the widest first, about what the plan says.

use crate::canvas::{self, INK, RULE, SOFT, escaped, n};
use hepatica_planning::plan::{Plan, Tornado, Uncertainty};
use std::fmt::Write;

const WIDTH: f64 = 520.0;
/// Panels beside one another.
const COLUMNS: usize = 2;
/// Most panels.
const MOST: usize = 6;
/// Sources of a panel that are shown.
const BARS: usize = 6;
const BAR: f64 = 12.0;
/// Above the bars of a panel (its name), below (its axis), and for the names of the sources.
const ROOM: [f64; 3] = [30.0, 34.0, 112.0];
const GAP: f64 = 14.0;
const ALL: &str = "#7a7a7a";
const ONE: &str = "#0072b2";

/// What the figure shows: the lungs, the normal liver of each session, and the tumours with the least dose.
fn chosen(doubt: &Uncertainty) -> Vec<&Tornado> {
    let is_tumour = |t: &&Tornado| t.session.is_some() && !t.of.starts_with("normal liver");
    let mut shown: Vec<&Tornado> = doubt
        .tornado
        .iter()
        .filter(|t| t.measure == "lung_dose_gy" || t.of.starts_with("normal liver"))
        .collect();
    let mut tumours: Vec<&Tornado> = doubt.tornado.iter().filter(is_tumour).collect();
    tumours.sort_by(|a, b| a.median.total_cmp(&b.median));
    shown.extend(tumours);
    shown.truncate(MOST);
    shown
}

/// The figure; `None` for a plan of an earlier version.
#[must_use]
pub fn svg(plan: &Plan) -> Option<String> {
    let doubt = plan.uncertainty.as_ref()?;
    let panels = chosen(doubt);
    let bars = panels.iter().map(|t| t.swings.len().min(BARS)).max().unwrap_or(0) as f64;
    let high = ROOM[0] + (bars + 1.0) * BAR + ROOM[1];
    let wide = (WIDTH - GAP) / COLUMNS as f64;
    let rows = panels.len().div_ceil(COLUMNS).max(1) as f64;
    let mut s = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {}" font-family="Libertinus Serif" font-size="10" fill="{INK}">"#,
        n(rows * high)
    );
    for (place, tornado) in panels.into_iter().enumerate() {
        let (column, row) = (place % COLUMNS, place / COLUMNS);
        let corner = [column as f64 * (wide + GAP), row as f64 * high];
        panel(&mut s, corner, wide, tornado, doubt);
    }
    Some(s + "</svg>")
}

fn panel(s: &mut String, [x0, y0]: [f64; 2], wide: f64, t: &Tornado, doubt: &Uncertainty) {
    let swings = &t.swings[..t.swings.len().min(BARS)];
    let reach = |f: fn(f64, f64) -> f64, of: fn(&[f64; 2]) -> f64, start: f64| {
        let ends = swings.iter().map(|w| [w.low, w.high]).chain([t.interval]);
        ends.map(|e| of(&e)).fold(start, f)
    };
    let least = reach(f64::min, |e| e[0], t.planned.min(t.median));
    let most = reach(f64::max, |e| e[1], t.planned.max(t.median));
    let step = canvas::step((most - least) / 5.0);
    let (from, to) = ((least / step).floor() * step, (most / step).ceil() * step);
    let left = x0 + ROOM[2];
    let right = x0 + wide - 12.0;
    let x = |v: f64| left + (right - left) * (v - from) / (to - from).max(1e-12);
    let top = y0 + ROOM[0];
    let foot = top + (swings.len() + 1) as f64 * BAR;
    // Writing to a string cannot fail.
    let _ = write!(
        s,
        r#"<text x="{}" y="{}" font-weight="600" font-size="11">{}</text><text x="{}" y="{}" text-anchor="end" fill="{SOFT}">{} {}, median {}</text>"#,
        n(x0),
        n(y0 + 12.0),
        escaped(&sentence(&t.of)),
        n(right),
        n(y0 + 12.0),
        short(t.planned),
        t.unit,
        short(t.median)
    );
    let mut at = from;
    while at <= to + 1e-9 * step {
        let _ = write!(
            s,
            r#"<line x1="{0}" x2="{0}" y1="{1}" y2="{2}" stroke="{RULE}" stroke-width="0.6"/><text x="{0}" y="{3}" text-anchor="middle" font-size="9" fill="{SOFT}">{4}</text>"#,
            n(x(at)),
            n(top - 4.0),
            n(foot + 2.0),
            n(foot + 12.0),
            short(at)
        );
        at += step;
    }
    let name = |id: &str| {
        let source = doubt.sources.iter().find(|s| s.id == id);
        source.map_or(id, |s| s.name.as_str()).to_owned()
    };
    let all = std::iter::once(("All together".to_owned(), t.interval, ALL));
    let bars = all.chain(swings.iter().map(|w| (name(&w.source), [w.low, w.high], ONE)));
    for (row, (name, [low, high], colour)) in bars.enumerate() {
        let y = top + row as f64 * BAR;
        let _ = write!(
            s,
            r#"<text x="{}" y="{}" text-anchor="end" font-size="8.6">{}</text><rect x="{}" y="{}" width="{}" height="{}" fill="{colour}"/>"#,
            n(left - 5.0),
            n(y + 8.0),
            escaped(&clipped(&name)),
            n(x(low)),
            n(y + 2.0),
            n((x(high) - x(low)).max(0.6)),
            n(BAR - 4.0)
        );
    }
    let _ = write!(
        s,
        r#"<line x1="{0}" x2="{0}" y1="{1}" y2="{2}" stroke="{INK}" stroke-width="1.1"/>"#,
        n(x(t.planned)),
        n(top - 4.0),
        n(foot + 2.0)
    );
}

fn short(v: f64) -> String {
    let text = if v.abs() >= 99.5 { format!("{v:.0}") } else { format!("{v:.1}") };
    text.trim_end_matches(".0").to_owned()
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// What fits beside the bars.
fn clipped(name: &str) -> String {
    const FITS: usize = 27;
    if name.chars().count() <= FITS {
        return name.to_owned();
    }
    name.chars().take(FITS - 1).chain(['…']).collect()
}
