//! A page of SVG in layers: shapes, and labels that know how much room they take.

use crate::world;
use std::fmt::Write;

/// Text.
pub const INK: &str = "#1c2b33";
/// Text of second rank.
pub const SOFT: &str = "#5d6b73";
/// Rules.
pub const RULE: &str = "#c9d2d6";
/// Behind what is hatched, and behind labels.
pub const PAPER: &str = "#ffffff";

/// Where a label is anchored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its left end.
    Start,
    /// Its middle.
    Middle,
    /// Its right end.
    End,
}

impl Anchor {
    const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// How a label looks.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Height of the type.
    pub size: f64,
    /// Semibold.
    pub bold: bool,
    /// Colour.
    pub fill: &'static str,
}

/// Small type for what stands inside the lanes.
pub const SMALL: Style = Style { size: 10.5, bold: false, fill: INK };
/// The same of second rank.
pub const FAINT: Style = Style { size: 10.5, bold: false, fill: SOFT };
/// Names of lanes.
pub const NAME: Style = Style { size: 12.5, bold: true, fill: INK };

/// A rectangle: left, top, right, bottom.
pub type Box4 = [f64; 4];

/// Three layers: what lies behind, guides, and what is read.
#[derive(Debug, Default)]
pub struct Canvas {
    /// Bands and frames.
    pub back: String,
    /// Lines from the top to the bottom.
    pub guides: String,
    /// Bars, curves, labels.
    pub front: String,
    /// Room taken by labels, with their text; the laws of the figure look at them.
    pub labels: Vec<(Box4, String)>,
}

/// A coordinate: hundredths are finer than any printer.
pub fn n(x: f64) -> String {
    let text = format!("{x:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A distance between ticks that is easy to read, no smaller than `rough`.
pub fn step(rough: f64) -> f64 {
    let rough = rough.max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    let fits = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|m| m * power >= rough);
    fits.unwrap_or(10.0) * power
}

/// Text of a user as text of XML. What XML cannot hold becomes the replacement character.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\t' | '\n' | '\r' => safe.push(' '),
            '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// Text no wider than `most`, with an ellipsis where it was longer.
pub fn fitted(text: &str, style: Style, most: f64) -> String {
    if width(text, style) <= most {
        return text.to_owned();
    }
    let mut short: Vec<char> = text.chars().take(400).collect();
    while !short.is_empty() {
        short.pop();
        let candidate = short.iter().collect::<String>().trim_end().to_owned() + "…";
        if width(&candidate, style) <= most {
            return candidate;
        }
    }
    String::new()
}

/// Width of a label.
pub fn width(text: &str, style: Style) -> f64 {
    world::text_width(text, style.size, style.bold)
}

impl Canvas {
    /// A label on a baseline, with a rim of paper that keeps lines behind from running through its
    /// letters.
    pub fn label(&mut self, text: &str, at: [f64; 2], anchor: Anchor, style: Style) {
        let rim = format!(
            r#" stroke="{PAPER}" stroke-width="3.6" stroke-linejoin="round" paint-order="stroke""#
        );
        self.letters(text, at, anchor, style, &rim);
    }

    /// A label in the middle of a fill.
    pub fn label_on_fill(&mut self, text: &str, at: [f64; 2], style: Style) {
        self.letters(text, at, Anchor::Middle, style, "");
    }

    /// A label along a line upwards, its middle at a place.
    pub fn turned(&mut self, text: &str, [x, y]: [f64; 2], anchor: Anchor, style: Style) {
        let (wide, word) = (width(text, style), anchor.word());
        let below = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => wide / 2.0,
            Anchor::End => wide,
        };
        let taken = [x - 0.68 * style.size, y + below - wide, x + 0.2 * style.size, y + below];
        self.labels.push((taken, text.to_owned()));
        let weight = if style.bold { r#" font-weight="600""# } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(
            self.front,
            r#"<text transform="translate({} {}) rotate(-90)" font-size="{}" text-anchor="{word}"{weight} fill="{}">{}</text>"#,
            n(x),
            n(y),
            n(style.size),
            style.fill,
            escaped(text)
        );
    }

    fn letters(&mut self, text: &str, [x, y]: [f64; 2], anchor: Anchor, style: Style, rim: &str) {
        if text.is_empty() {
            return;
        }
        let wide = width(text, style);
        let left = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - wide / 2.0,
            Anchor::End => x - wide,
        };
        let word = anchor.word();
        let taken = [left, y - 0.68 * style.size, left + wide, y + 0.2 * style.size];
        self.labels.push((taken, text.to_owned()));
        let weight = if style.bold { r#" font-weight="600""# } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(
            self.front,
            r#"<text x="{}" y="{}" font-size="{}" text-anchor="{word}"{weight} fill="{}"{rim}>{}</text>"#,
            n(x),
            n(y),
            n(style.size),
            style.fill,
            escaped(text)
        );
    }

    /// A rectangle in front; `look` is its attributes.
    pub fn rect(&mut self, b: Box4, look: &str) {
        self.front.push_str(&rect(b, look));
    }

    /// A straight line in front.
    pub fn line(&mut self, from: [f64; 2], to: [f64; 2], look: &str) {
        self.front.push_str(&line(from, to, look));
    }

    /// A shape by its path in front.
    pub fn path(&mut self, d: &str, look: &str) {
        let _ = write!(self.front, r#"<path d="{d}" {look}/>"#);
    }

    /// A circle in front.
    pub fn circle(&mut self, [x, y]: [f64; 2], r: f64, look: &str) {
        let _ = write!(self.front, r#"<circle cx="{}" cy="{}" r="{}" {look}/>"#, n(x), n(y), n(r));
    }
}

/// A rectangle.
pub fn rect([x0, y0, x1, y1]: Box4, look: &str) -> String {
    format!(
        r#"<rect x="{}" y="{}" width="{}" height="{}" {look}/>"#,
        n(x0),
        n(y0),
        n((x1 - x0).max(0.0)),
        n((y1 - y0).max(0.0))
    )
}

/// A straight line.
pub fn line([x0, y0]: [f64; 2], [x1, y1]: [f64; 2], look: &str) -> String {
    format!(r#"<line x1="{}" y1="{}" x2="{}" y2="{}" {look}/>"#, n(x0), n(y0), n(x1), n(y1))
}

/// Points of a path with straight lines.
pub fn through(points: &[[f64; 2]]) -> String {
    let mut d = String::new();
    for (k, [x, y]) in points.iter().enumerate() {
        let _ = write!(d, "{}{} {}", if k == 0 { 'M' } else { 'L' }, n(*x), n(*y));
    }
    d
}

/// Rows in which nothing overlaps.
#[derive(Debug, Default)]
pub struct Rows(Vec<Vec<[f64; 2]>>);

/// Least room between two things in a row.
const GAP: f64 = 6.0;

impl Rows {
    /// The first row with room from `x0` to `x1`, which is then taken.
    pub fn place(&mut self, x0: f64, x1: f64) -> usize {
        let free = |row: &Vec<[f64; 2]>| row.iter().all(|[a, b]| x1 + GAP <= *a || *b + GAP <= x0);
        let row = self.0.iter().position(free).unwrap_or_else(|| {
            self.0.push(Vec::new());
            self.0.len() - 1
        });
        self.0[row].push([x0, x1]);
        row
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_users_stays_text() {
        let mut canvas = Canvas::default();
        let evil = "</text><script>alert('1')</script>&\u{0}\"";
        canvas.label(evil, [0.0, 0.0], Anchor::Start, SMALL);
        assert!(!canvas.front.contains("<script"), "{}", canvas.front);
        assert!(canvas.front.contains("&lt;script&gt;alert(&#39;1&#39;)"), "{}", canvas.front);
        assert!(canvas.front.contains("&amp;\u{fffd}&quot;</text>"), "{}", canvas.front);
    }

    #[test]
    fn what_overlaps_goes_into_another_row() {
        let mut rows = Rows::default();
        assert_eq!(rows.place(0.0, 10.0), 0);
        assert_eq!(rows.place(5.0, 20.0), 1);
        assert_eq!(rows.place(20.0, 30.0), 0);
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn a_long_text_is_cut_to_its_room() {
        let short = fitted(&"wide ".repeat(1000), SMALL, 80.0);
        assert!(short.ends_with('…') && width(&short, SMALL) <= 80.0, "{short}");
        assert_eq!(fitted("ok", SMALL, 80.0), "ok");
    }
}
