//! Bars with intervals; the waterfall is bars sorted.

use super::plot::{Axis, Page, RIGHT, Reference, Scale, Swatch, TICK, colour, stroke};
use super::{Cell, Figure, Rows, t, x};
use crate::canvas::{self, Anchor, INK, SOFT};

/// Left end of the axis of x.
const FROM: f64 = 74.0;
/// Height of the plot.
const HIGH: f64 = 205.0;
/// Least width of a bar whose name is written under it.
const NAMED: f64 = 12.5;

/// Bars side by side.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bars {
    /// Name for files.
    pub name: String,
    /// Title.
    pub title: String,
    /// What stands under the title.
    pub notes: Vec<String>,
    /// What the bars are, for the axis of x.
    pub x_label: String,
    /// Axis of y.
    pub y: Axis,
    /// Bars from the left.
    pub bars: Vec<Bar>,
    /// Names of the classes, which are told apart by colour.
    pub classes: Vec<String>,
    /// Heights that they are read against.
    pub references: Vec<Reference>,
}

/// A bar.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bar {
    /// Name.
    pub label: String,
    /// Its height.
    pub value: f64,
    /// Interval.
    pub interval: Option<[f64; 2]>,
    /// Its class.
    pub class: usize,
}

/// Bars in the order given.
#[must_use]
pub fn bars(b: &Bars) -> Figure {
    let mut page = Page::new(&b.title, &b.notes);
    let classes = b.classes.iter().enumerate();
    let classes = classes.filter(|(k, _)| b.bars.iter().any(|bar| bar.class == *k));
    let legend: Vec<_> =
        classes.map(|(k, name)| (Swatch::Square(colour(k)), name.clone())).collect();
    page.legend(&legend);
    let top = page.y + 14.0;
    let values = b
        .bars
        .iter()
        .flat_map(|bar| [Some(bar.value), bar.interval.map(|i| i[0]), bar.interval.map(|i| i[1])]);
    let values = values.flatten().chain([0.0]).chain(b.references.iter().map(|r| r.at));
    let y = Scale::over(&b.y, values, [top + HIGH, top], 7.0);
    let count = b.bars.len().max(1) as f64;
    let each = (RIGHT - 10.0 - FROM) / count;
    let each = each.min(90.0);
    let (x0, x1) = (FROM, FROM + each * count);
    let x1 = x1.max(x0 + 240.0);
    // The axis of x is names, not numbers.
    let axis = Axis::new("").from_to(0.0, 1.0).every(10.0);
    let sx = Scale::over(&axis, std::iter::empty(), [x0, x1], 5.0);
    for (value, text) in y.ticks() {
        let at = y.at(value);
        let look = stroke(crate::canvas::RULE, 0.8, "");
        page.canvas.back.push_str(&canvas::line([x0, at], [x1, at], &look));
        page.canvas.label(&text, [x0 - 7.0, at + 4.3], Anchor::End, TICK);
    }
    let style = super::plot::TEXT;
    let label = canvas::fitted(&b.y.label, style, HIGH + 30.0);
    page.canvas.turned(&label, [super::plot::LEFT + 4.0, top + HIGH / 2.0], Anchor::Middle, style);
    let zero = y.at(0.0);
    let gap = (each * 0.12).clamp(0.4, 6.0);
    for (k, bar) in b.bars.iter().enumerate() {
        let (left, right) = (x0 + each * k as f64 + gap, x0 + each * (k + 1) as f64 - gap);
        let at = y.at(bar.value);
        // A bar of no height is still a patient.
        let (high, low) = if (at - zero).abs() < 1.0 {
            (zero - 1.0, zero + 1.0)
        } else {
            (at.min(zero), at.max(zero))
        };
        page.canvas.rect([left, high, right, low], &format!(r#"fill="{}""#, colour(bar.class)));
        if let Some([low, high]) = bar.interval {
            let (mid, look) = ((left + right) / 2.0, stroke(INK, 1.4, ""));
            let cap = ((right - left) / 4.0).min(6.0);
            page.canvas.line([mid, y.at(low)], [mid, y.at(high)], &look);
            for end in [low, high] {
                page.canvas.line([mid - cap, y.at(end)], [mid + cap, y.at(end)], &look);
            }
        }
    }
    page.canvas.line([x0, zero], [x1, zero], &stroke(SOFT, 1.2, ""));
    for r in &b.references {
        page.across(&sx, &y, r, r.at < 0.0);
    }
    page.y = top + HIGH;
    names(&mut page, b, x0, each);
    let label = canvas::fitted(&b.x_label, style, x1 - x0);
    page.y += 19.0;
    page.canvas.label(&label, [(x0 + x1) / 2.0, page.y], Anchor::Middle, style);
    let mut rows = Rows::new(&["bar", "class", "value", "lower", "upper"]);
    for bar in &b.bars {
        let class = b.classes.get(bar.class).map_or("", String::as_str);
        let side = |n: usize| Cell::Number(bar.interval.map(|i| i[n]));
        rows.push([t(&bar.label), t(class), x(bar.value), side(0), side(1)]);
    }
    Figure { name: b.name.clone(), title: b.title.clone(), svg: page.finish(), csv: rows.0 }
}

/// Names under the bars: across where all have room, upwards where that is enough, else none.
fn names(page: &mut Page, b: &Bars, x0: f64, each: f64) {
    let widest = b.bars.iter().map(|bar| canvas::width(&bar.label, TICK)).fold(0.0, f64::max);
    let middle = |k: usize| x0 + each * (k as f64 + 0.5);
    if widest + 6.0 <= each {
        for (k, bar) in b.bars.iter().enumerate() {
            page.canvas.label(&bar.label, [middle(k), page.y + 16.0], Anchor::Middle, TICK);
        }
        page.y += 18.0;
    } else if each >= NAMED {
        let most = 90.0;
        for (k, bar) in b.bars.iter().enumerate() {
            let name = canvas::fitted(&bar.label, TICK, most);
            page.canvas.turned(&name, [middle(k) + 4.3, page.y + 6.0], Anchor::End, TICK);
        }
        page.y += widest.min(most) + 6.0;
    }
}

/// Best change of each patient, the largest growth first, with the lines of progression and
/// response: bars without names where there are too many.
#[must_use]
pub fn waterfall(b: &Bars) -> Figure {
    let mut sorted = b.clone();
    sorted.bars.sort_by(|p, q| q.value.total_cmp(&p.value).then_with(|| p.label.cmp(&q.label)));
    bars(&sorted)
}
