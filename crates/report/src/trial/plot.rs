//! What all figures share: a page that grows downwards, axes, a legend.

use crate::canvas::{
    self, Anchor, Canvas, INK, PAPER, RULE, SOFT, Style, escaped, line, n, rect, width,
};
use crate::world::FACE;

/// Width of a figure.
pub(super) const WIDTH: f64 = 720.0;
/// Ends of a line of text.
pub(super) const LEFT: f64 = 18.0;
pub(super) const RIGHT: f64 = 706.0;

/// Colours that the colour-blind tell apart (Okabe and Ito), the strongest first.
const COLOURS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#1c2b33", "#8c979d"];
/// Dashes of lines.
const DASHES: [&str; 4] = ["", "8 3", "3 3", "10 3 3 3"];

pub(super) const TITLE: Style = Style { size: 16.0, bold: true, fill: INK };
pub(super) const TEXT: Style = Style { size: 13.0, bold: false, fill: INK };
pub(super) const STRONG: Style = Style { size: 13.0, bold: true, fill: INK };
pub(super) const TICK: Style = Style { size: 12.5, bold: false, fill: SOFT };

/// Colour of the n-th of some.
pub(super) const fn colour(k: usize) -> &'static str {
    COLOURS[k % COLOURS.len()]
}

/// Dashes of the n-th of some lines: no two of 32 are alike.
pub(super) const fn dashes(k: usize) -> &'static str {
    // The first four differ in both.
    DASHES[(k + k / COLOURS.len()) % DASHES.len()]
}

/// An axis.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// From where to where; left out: what the data need.
    pub range: Option<[f64; 2]>,
    /// Steps between its marks; left out: a round number.
    pub step: Option<f64>,
    /// Whether fractions are shown as percentages.
    pub percent: bool,
}

impl Axis {
    /// An axis over all data.
    #[must_use]
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// The same from here to there.
    #[must_use]
    pub fn from_to(self, from: f64, to: f64) -> Self {
        Self { range: Some([from, to]), ..self }
    }

    /// The same with fractions as percentages.
    #[must_use]
    pub fn in_percent(self) -> Self {
        Self { percent: true, ..self }
    }

    /// The same with so much between its marks.
    #[must_use]
    pub fn every(self, step: f64) -> Self {
        Self { step: Some(step), ..self }
    }
}

/// A line that data are read against.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Where.
    pub at: f64,
    /// What it is.
    pub label: String,
}

/// An axis with its place on the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// Values at its ends.
    pub range: [f64; 2],
    /// Places of its ends.
    place: [f64; 2],
    /// Between marks.
    pub step: f64,
    percent: bool,
}

impl Scale {
    /// Over data, to round ends where the axis does not say otherwise.
    pub fn over(axis: &Axis, data: impl Iterator<Item = f64>, place: [f64; 2], most: f64) -> Self {
        let data: Vec<f64> = data.filter(|x| x.is_finite()).collect();
        let low = data.iter().copied().fold(f64::INFINITY, f64::min);
        let high = data.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let wanted = axis.range.filter(|[a, b]| a.is_finite() && b.is_finite() && a < b);
        let [low, high] =
            wanted.unwrap_or(if low < high { [low, high] } else { [low - 0.5, low + 0.5] });
        let step = axis.step.filter(|s| *s > 0.0).unwrap_or_else(|| round_step(high - low, most));
        let range = match wanted {
            Some(range) => range,
            None => [(low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step],
        };
        Self { range, place, step, percent: axis.percent }
    }

    /// The place of a value; what is beyond an end is at that end.
    pub fn at(&self, value: f64) -> f64 {
        let [a, b] = self.range;
        let part = ((value - a) / (b - a)).clamp(0.0, 1.0);
        self.place[0] + (self.place[1] - self.place[0]) * part
    }

    /// Whether a value is on it.
    pub fn holds(&self, value: f64) -> bool {
        (self.range[0]..=self.range[1]).contains(&value)
    }

    /// Its marks, with their texts.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        let [a, b] = self.range;
        let first = (a / self.step - 1e-9).ceil();
        // No figure has more; a step too small for its range would fill memory.
        let count = (((b / self.step + 1e-9).floor() - first).max(0.0) as usize).min(200);
        let shown = if self.percent { 100.0 * self.step } else { self.step };
        let places = (-shown.log10().floor()).clamp(0.0, 6.0) as usize;
        let places =
            if (shown * 10_f64.powi(places as i32)).fract() > 1e-6 { places + 1 } else { places };
        (0..=count)
            .map(|k| {
                let value = (first + k as f64) * self.step;
                let number = if self.percent { 100.0 * value } else { value };
                let text = format!("{number:.places$}");
                let text = if text.trim_start_matches(['-', '0', '.']).is_empty() {
                    "0".to_owned()
                } else {
                    text.replace('-', "−")
                };
                (value, text)
            })
            .collect()
    }
}

/// The round step (1, 2 or 5 times a power of ten) that makes at most so many marks.
pub(super) fn round_step(range: f64, most: f64) -> f64 {
    let rough = (range / most).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|m| m * power >= rough * (1.0 - 1e-9));
    step.unwrap_or(10.0) * power
}

/// A page of a figure.
pub(super) struct Page {
    pub canvas: Canvas,
    /// How far it is filled.
    pub y: f64,
    title: String,
}

/// What stands before an entry of a legend.
pub(super) enum Swatch {
    /// A line with dashes and a band of its colour.
    Line(&'static str, &'static str),
    /// A filled square.
    Square(&'static str),
    /// A shape.
    Shape(usize),
}

impl Page {
    pub fn new(title: &str, notes: &[String]) -> Self {
        let mut page = Self { canvas: Canvas::default(), y: 26.0, title: title.to_owned() };
        let shown = canvas::fitted(title, TITLE, RIGHT - LEFT);
        page.canvas.label(&shown, [LEFT, page.y], Anchor::Start, TITLE);
        page.y += 8.0;
        for note in notes {
            page.paragraph(note, TICK);
        }
        page
    }

    /// Words over as many lines as they need.
    pub fn paragraph(&mut self, text: &str, style: Style) {
        let mut row = String::new();
        let flush = |page: &mut Self, row: &str| {
            page.y += style.size + 2.5;
            let row = canvas::fitted(row, style, RIGHT - LEFT);
            page.canvas.label(&row, [LEFT, page.y], Anchor::Start, style);
        };
        for word in text.split_whitespace() {
            let longer = if row.is_empty() { word.to_owned() } else { format!("{row} {word}") };
            if width(&longer, style) > RIGHT - LEFT && !row.is_empty() {
                flush(self, &row);
                row = word.to_owned();
            } else {
                row = longer;
            }
        }
        if !row.is_empty() {
            flush(self, &row);
        }
    }

    /// A legend over as many rows as it needs.
    pub fn legend(&mut self, entries: &[(Swatch, String)]) {
        if entries.is_empty() {
            return;
        }
        self.y += 20.0;
        let mut x = LEFT;
        for (swatch, name) in entries {
            let wide = 30.0;
            let name = canvas::fitted(name, TEXT, RIGHT - LEFT - wide);
            let end = x + wide + width(&name, TEXT);
            if end > RIGHT && x > LEFT {
                x = LEFT;
                self.y += 18.0;
            }
            let (mid, c) = (self.y - 4.0, &mut self.canvas);
            match swatch {
                Swatch::Line(colour, dashes) => {
                    let look = format!(r#"fill="{colour}" fill-opacity="0.16""#);
                    c.rect([x, mid - 6.0, x + 24.0, mid + 6.0], &look);
                    c.line([x, mid], [x + 24.0, mid], &stroke(colour, 2.0, dashes));
                }
                Swatch::Square(colour) => {
                    c.rect(
                        [x + 6.0, mid - 6.0, x + 20.0, mid + 6.0],
                        &format!(r#"fill="{colour}""#),
                    );
                }
                Swatch::Shape(k) => shape(c, *k, [x + 14.0, mid], 5.0),
            }
            self.canvas.label(&name, [x + wide, self.y], Anchor::Start, TEXT);
            x += wide + width(&name, TEXT) + 20.0;
        }
        self.y += 4.0;
    }

    /// The frame of a plot: rules at the marks of y, marks of x, labels. Gives the scales' page room.
    pub fn axes(&mut self, x: &Scale, y: &Scale, labels: [&str; 2]) {
        let ([x0, x1], [bottom, top]) = (x.place, y.place);
        for (value, text) in y.ticks() {
            let at = y.at(value);
            self.canvas.back.push_str(&line([x0, at], [x1, at], &stroke(RULE, 0.8, "")));
            self.canvas.label(&text, [x0 - 7.0, at + 4.3], Anchor::End, TICK);
        }
        let mut last = f64::NEG_INFINITY;
        for (value, text) in x.ticks() {
            let (at, half) = (x.at(value), width(&text, TICK) / 2.0);
            self.canvas.line([at, bottom], [at, bottom + 4.0], &stroke(SOFT, 0.9, ""));
            if at - half > last + 6.0 {
                self.canvas.label(&text, [at, bottom + 17.0], Anchor::Middle, TICK);
                last = at + half;
            }
        }
        self.canvas.line([x0, bottom], [x1, bottom], &stroke(SOFT, 1.0, ""));
        let label = canvas::fitted(labels[0], TEXT, x1 - x0);
        self.canvas.label(&label, [(x0 + x1) / 2.0, bottom + 35.0], Anchor::Middle, TEXT);
        let label = canvas::fitted(labels[1], TEXT, bottom - top + 30.0);
        self.canvas.turned(&label, [LEFT + 4.0, (bottom + top) / 2.0], Anchor::Middle, TEXT);
        self.y = bottom + 40.0;
    }

    /// A dashed line across at a height, with its name above one of its ends: bars that fall from
    /// the left leave room for names below zero there, and at the right for those above.
    pub fn across(&mut self, x: &Scale, y: &Scale, reference: &Reference, left: bool) {
        if !y.holds(reference.at) {
            return;
        }
        let at = y.at(reference.at);
        self.canvas.line([x.place[0], at], [x.place[1], at], &stroke(SOFT, 1.1, "5 3"));
        let name = canvas::fitted(&reference.label, TICK, x.place[1] - x.place[0]);
        let (end, anchor) =
            if left { (x.place[0] + 3.0, Anchor::Start) } else { (x.place[1] - 2.0, Anchor::End) };
        self.canvas.label(&name, [end, at - 4.0], anchor, TICK);
    }

    /// The picture.
    pub fn finish(self) -> String {
        let height = n((self.y + 10.0).ceil());
        let Canvas { back, guides, front, .. } = &self.canvas;
        let title = escaped(&self.title);
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="'{FACE}', Georgia, serif" role="img"><title>{title}</title>{}<g>{back}</g><g>{guides}</g><g>{front}</g></svg>"#,
            rect([0.0, 0.0, WIDTH, self.y + 10.0], &format!(r#"fill="{PAPER}""#))
        )
    }
}

/// Attributes of a line.
pub(super) fn stroke(colour: &str, wide: f64, dashes: &str) -> String {
    let dashes =
        if dashes.is_empty() { String::new() } else { format!(r#" stroke-dasharray="{dashes}""#) };
    format!(r#"fill="none" stroke="{colour}" stroke-width="{}"{dashes}"#, n(wide))
}

/// One of some shapes that differ in grey too.
pub(super) fn shape(canvas: &mut Canvas, k: usize, [x, y]: [f64; 2], r: f64) {
    let fill = colour(k);
    let look = format!(r#"fill="{fill}" stroke="{PAPER}" stroke-width="0.8""#);
    let hollow = format!(r#"fill="{PAPER}" stroke="{fill}" stroke-width="1.8""#);
    let corners = |points: &[[f64; 2]]| {
        let moved: Vec<[f64; 2]> = points.iter().map(|[a, b]| [x + r * a, y + r * b]).collect();
        canvas::through(&moved) + "Z"
    };
    match k % 8 {
        0 => canvas.circle([x, y], r, &look),
        1 => canvas.path(&corners(&[[0.0, -1.2], [1.2, 1.0], [-1.2, 1.0]]), &look),
        2 => canvas.rect([x - 0.9 * r, y - 0.9 * r, x + 0.9 * r, y + 0.9 * r], &look),
        3 => canvas.path(&corners(&[[0.0, -1.3], [1.3, 0.0], [0.0, 1.3], [-1.3, 0.0]]), &look),
        4 => canvas.path(&corners(&[[0.0, 1.2], [1.2, -1.0], [-1.2, -1.0]]), &look),
        5 => canvas.circle([x, y], r - 0.6, &hollow),
        6 => {
            let cross = stroke(fill, 2.2, "");
            canvas.line([x - r, y - r], [x + r, y + r], &cross);
            canvas.line([x - r, y + r], [x + r, y - r], &cross);
        }
        _ => {
            let q = 0.8 * r;
            canvas.rect([x - q, y - q, x + q, y + q], &hollow);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_numbers() {
        let ticks = |axis: &Axis, data: &[f64]| {
            let scale = Scale::over(axis, data.iter().copied(), [0.0, 100.0], 6.0);
            scale.ticks().into_iter().map(|t| t.1).collect::<Vec<_>>()
        };
        let axis = Axis::new("x");
        assert_eq!(ticks(&axis, &[-61.0, 37.0]), ["−80", "−60", "−40", "−20", "0", "20", "40"]);
        assert_eq!(ticks(&axis, &[0.02, 0.06]), ["0.02", "0.03", "0.04", "0.05", "0.06"]);
        let percent = Axis::new("x").from_to(0.0, 1.0).in_percent();
        assert_eq!(ticks(&percent, &[]), ["0", "20", "40", "60", "80", "100"]);
        // One value or none: an axis all the same, with a handful of marks.
        assert!((5..=7).contains(&ticks(&axis, &[3.0]).len()));
        assert!((5..=7).contains(&ticks(&axis, &[f64::NAN]).len()));
    }

    #[test]
    fn no_two_of_many_lines_are_alike() {
        let all: std::collections::BTreeSet<_> = (0..32).map(|k| (colour(k), dashes(k))).collect();
        assert_eq!(all.len(), 32);
    }
}
