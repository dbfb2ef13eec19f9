//! Estimates with intervals, a row each.

use super::plot::{LEFT, Page, RIGHT, STRONG, TEXT, TICK, round_step, stroke};
use super::{Cell, Figure, Rows, t};
use crate::canvas::{self, Anchor, INK, RULE, SOFT, through};

const HIGH: f64 = 25.0;

/// Rows of estimates.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Forest {
    /// Name for files.
    pub name: String,
    /// Title.
    pub title: String,
    /// What stands under the title.
    pub notes: Vec<String>,
    /// What is estimated, with its unit, for the axis.
    pub x_label: String,
    /// Whether fractions are shown as percentages.
    pub percent: bool,
    /// Whether the axis is logarithmic, for ratios.
    pub logarithmic: bool,
    /// From where to where; left out: what the intervals need.
    pub range: Option<[f64; 2]>,
    /// The value that says `no difference`.
    pub reference: Option<f64>,
    /// Rows from the top.
    pub entries: Vec<Entry>,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entry {
    /// What it is of; a row without an estimate is a heading.
    pub label: String,
    /// Beside it: `14 of 19`.
    pub detail: String,
    /// The estimate.
    pub estimate: Option<f64>,
    /// Its interval.
    pub interval: Option<[f64; 2]>,
}

impl Forest {
    fn scale(&self) -> ([f64; 2], f64) {
        let all = self
            .entries
            .iter()
            .flat_map(|e| e.interval.into_iter().flatten().chain(e.estimate).collect::<Vec<_>>());
        let all: Vec<f64> = all
            .chain(self.reference)
            .filter(|v| v.is_finite() && (!self.logarithmic || *v > 0.0))
            .collect();
        let low = all.iter().copied().fold(f64::INFINITY, f64::min);
        let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if self.logarithmic {
            // An interval from nearly nothing to nearly everything says no more than its arrow.
            let (low, high) =
                if low <= high { (low.max(0.02), high.min(50.0)) } else { (0.5, 2.0) };
            let range = self.range.unwrap_or([(low / 1.2).min(0.5), (high * 1.2).max(2.0)]);
            return (range, 0.0);
        }
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let [low, high] =
            self.range.unwrap_or(if low < high { [low, high] } else { [low - 0.5, low + 0.5] });
        let step = round_step(high - low, 6.0);
        let ends = [(low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step];
        (self.range.unwrap_or(ends), step)
    }

    fn shown(&self, value: f64) -> String {
        let number = if self.percent { 100.0 * value } else { value };
        let text = if self.percent {
            format!("{number:.0}")
        } else if self.logarithmic || number.abs() < 10.0 {
            format!("{number:.2}")
        } else {
            format!("{number:.1}")
        };
        text.replace('-', "−")
    }
}

/// Rows of estimates with their intervals in words.
#[must_use]
pub fn forest(f: &Forest) -> Figure {
    let mut page = Page::new(&f.title, &f.notes);
    let words = |e: &Entry| match (e.estimate, e.interval) {
        (Some(m), Some([a, b])) => {
            let unit = if f.percent { " %" } else { "" };
            format!("{}{unit} ({} to {})", f.shown(m), f.shown(a), f.shown(b))
        }
        (Some(m), None) => format!("{} (no interval)", f.shown(m)),
        _ => String::new(),
    };
    let widest = |of: &dyn Fn(&Entry) -> String, style, most: f64| {
        f.entries.iter().map(|e| canvas::width(&of(e), style)).fold(0.0, f64::max).min(most)
    };
    let labels = widest(&|e| e.label.clone(), TEXT, 250.0) + 10.0;
    let details = widest(&|e| e.detail.clone(), TICK, 110.0) + 14.0;
    let texts = widest(&words, TEXT, 170.0) + 12.0;
    let (x0, x1) = (LEFT + labels + details, RIGHT - texts);
    let ([a, b], step) = f.scale();
    let part = |v: f64| {
        let p =
            if f.logarithmic { (v.max(1e-12) / a).ln() / (b / a).ln() } else { (v - a) / (b - a) };
        x0 + (x1 - x0) * p.clamp(0.0, 1.0)
    };
    let top = page.y + 10.0;
    let bottom = top + HIGH * f.entries.len().max(1) as f64;
    let ticks: Vec<f64> = if f.logarithmic {
        let all = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0];
        all.into_iter().filter(|v| (a..=b).contains(v)).collect()
    } else {
        let count = ((b - a) / step).round().clamp(1.0, 50.0) as usize;
        (0..=count).map(|k| a + step * k as f64).collect()
    };
    for v in ticks {
        let at = part(v);
        page.canvas.back.push_str(&canvas::line([at, top], [at, bottom], &stroke(RULE, 0.8, "")));
        let text = if f.logarithmic {
            v.to_string()
        } else {
            f.shown(v).trim_end_matches(".0").trim_end_matches(".00").to_owned()
        };
        page.canvas.label(&text, [at, bottom + 17.0], Anchor::Middle, TICK);
    }
    page.canvas.line([x0, bottom], [x1, bottom], &stroke(SOFT, 1.0, ""));
    if let Some(r) = f.reference.filter(|r| (a..=b).contains(r)) {
        page.canvas.line([part(r), top], [part(r), bottom], &stroke(SOFT, 1.3, "5 3"));
    }
    for (k, e) in f.entries.iter().enumerate() {
        let mid = top + HIGH * (k as f64 + 0.5);
        let heading = e.estimate.is_none() && e.detail.is_empty();
        let style = if heading { STRONG } else { TEXT };
        let most = if heading { RIGHT - LEFT } else { 250.0 };
        let label = canvas::fitted(&e.label, style, most);
        page.canvas.label(&label, [LEFT, mid + 4.3], Anchor::Start, style);
        let detail = canvas::fitted(&e.detail, TICK, 110.0);
        page.canvas.label(&detail, [LEFT + labels, mid + 4.3], Anchor::Start, TICK);
        page.canvas.label(&words(e), [RIGHT, mid + 4.3], Anchor::End, TEXT);
        if let Some([low, high]) = e.interval {
            let look = stroke(INK, 1.6, "");
            page.canvas.line([part(low), mid], [part(high), mid], &look);
            // An end that is off the axis is an arrow.
            for (end, off, sign) in [(low, low < a, -1.0), (high, high > b, 1.0)] {
                let at = part(end);
                if off {
                    let tip =
                        [[at - 7.0 * sign, mid - 4.0], [at, mid], [at - 7.0 * sign, mid + 4.0]];
                    page.canvas.path(&through(&tip), &look);
                } else {
                    page.canvas.line([at, mid - 4.0], [at, mid + 4.0], &look);
                }
            }
        }
        if let Some(m) = e.estimate {
            let at = part(m);
            page.canvas.rect([at - 4.5, mid - 4.5, at + 4.5, mid + 4.5], r##"fill="#0072b2""##);
        }
    }
    page.y = bottom + 35.0;
    let label = canvas::fitted(&f.x_label, TEXT, (x1 - x0).max(300.0));
    page.canvas.label(&label, [(x0 + x1) / 2.0, page.y], Anchor::Middle, TEXT);
    let mut rows = Rows::new(&["row", "detail", "estimate", "lower", "upper"]);
    for e in &f.entries {
        let side = |n: usize| Cell::Number(e.interval.map(|i| i[n]));
        rows.push([t(&e.label), t(&e.detail), Cell::Number(e.estimate), side(0), side(1)]);
    }
    Figure { name: f.name.clone(), title: f.title.clone(), svg: page.finish(), csv: rows.0 }
}
