//! Lines and steps with bands.

use super::plot::{
    Axis, LEFT, Page, RIGHT, Reference, STRONG, Scale, Swatch, TEXT, TICK, colour, dashes, stroke,
};
use super::{Cell, Figure, Rows, t, x};
use crate::canvas::{self, Anchor, through};

/// Left end of the axis of x.
const FROM: f64 = 74.0;
/// Height of the plot.
const HIGH: f64 = 205.0;

/// Curves in one plot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curves {
    /// Name for files.
    pub name: String,
    /// Title.
    pub title: String,
    /// What stands under the title.
    pub notes: Vec<String>,
    /// Axis of x.
    pub x: Axis,
    /// Axis of y.
    pub y: Axis,
    /// The curves.
    pub series: Vec<Series>,
    /// Heights that they are read against.
    pub references: Vec<Reference>,
    /// Places of x at which the series' numbers at risk are given.
    pub risk_at: Vec<f64>,
}

/// A curve.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// Name.
    pub name: String,
    /// Points by x.
    pub points: Vec<[f64; 2]>,
    /// Band by x: x, lower, upper.
    pub band: Vec<[f64; 3]>,
    /// Ticks on the curve: censored patients.
    pub marks: Vec<[f64; 2]>,
    /// Whether each value holds until the next x.
    pub steps: bool,
    /// Numbers at risk at `risk_at`.
    pub risk: Vec<u64>,
}

/// Points with corners where values hold until the next.
fn corners(points: &[[f64; 2]], steps: bool) -> Vec<[f64; 2]> {
    let mut path: Vec<[f64; 2]> = Vec::with_capacity(2 * points.len());
    for p in points {
        if let (true, Some(last)) = (steps, path.last().copied()) {
            path.push([p[0], last[1]]);
        }
        path.push(*p);
    }
    path
}

/// Curves with their bands. Series without a point are named in the legend all the same.
#[must_use]
pub fn curves(c: &Curves) -> Figure {
    let mut page = Page::new(&c.title, &c.notes);
    let several = c.series.len() > 1 || c.series.iter().any(|s| !s.name.is_empty());
    let names = c.series.iter().enumerate().filter(|_| several);
    let mut legend: Vec<_> =
        names.map(|(k, s)| (Swatch::Line(colour(k), dashes(k)), s.name.clone())).collect();
    if c.series.iter().any(|s| !s.band.is_empty()) && !several {
        legend.push((Swatch::Line(colour(0), dashes(0)), "estimate with its interval".to_owned()));
    }
    page.legend(&legend);
    let top = page.y + 14.0;
    let points = || c.series.iter().flat_map(|s| &s.points);
    let bands = || c.series.iter().flat_map(|s| &s.band);
    let across = points().map(|p| p[0]).chain(bands().map(|b| b[0]));
    let sx = Scale::over(&c.x, across, [FROM, RIGHT - 10.0], 10.0);
    let heights = points().map(|p| p[1]).chain(bands().flat_map(|b| [b[1], b[2]]));
    let heights = heights.chain(c.references.iter().map(|r| r.at));
    let sy = Scale::over(&c.y, heights, [top + HIGH, top], 6.0);
    page.axes(&sx, &sy, [&c.x.label, &c.y.label]);
    for r in &c.references {
        page.across(&sx, &sy, r, false);
    }
    for (k, s) in c.series.iter().enumerate() {
        let seen = |x: f64| x >= sx.range[0] && x <= sx.range[1];
        let side = |n: usize| -> Vec<[f64; 2]> {
            let mut band: Vec<[f64; 2]> = Vec::new();
            for b in s.band.iter().filter(|b| seen(b[0])) {
                if b[1].is_finite() && b[2].is_finite() {
                    band.push([b[0], b[n]]);
                } else if let (true, Some(last)) = (s.steps, band.last().copied()) {
                    // Where limits end, those before hold until then.
                    band.push([b[0], last[1]]);
                    break;
                }
            }
            corners(&band, s.steps).into_iter().map(|[a, b]| [sx.at(a), sy.at(b)]).collect()
        };
        let (low, mut high) = (side(1), side(2));
        high.reverse();
        let outline: Vec<_> = low.into_iter().chain(high).collect();
        if outline.len() > 2 {
            let look = format!(r#"fill="{}" fill-opacity="0.16" stroke="none""#, colour(k));
            page.canvas.path(&(through(&outline) + "Z"), &look);
        }
    }
    for (k, s) in c.series.iter().enumerate() {
        let seen = s.points.iter().filter(|p| sx.holds(p[0]) && p[1].is_finite());
        let line: Vec<_> = seen.copied().collect();
        let line: Vec<_> =
            corners(&line, s.steps).into_iter().map(|[a, b]| [sx.at(a), sy.at(b)]).collect();
        page.canvas.path(&through(&line), &stroke(colour(k), 2.0, dashes(k)));
        for [a, b] in s.marks.iter().filter(|m| sx.holds(m[0])) {
            let (a, b) = (sx.at(*a), sy.at(*b));
            page.canvas.line([a, b - 4.5], [a, b + 4.5], &stroke(colour(k), 1.4, ""));
        }
    }
    at_risk(&mut page, c, &sx, several);
    Figure { name: c.name.clone(), title: c.title.clone(), svg: page.finish(), csv: csv(c) }
}

/// Numbers at risk under the axis, a row a series.
fn at_risk(page: &mut Page, c: &Curves, sx: &Scale, several: bool) {
    if c.risk_at.is_empty() || c.series.iter().all(|s| s.risk.is_empty()) {
        return;
    }
    page.y += 18.0;
    page.canvas.label("At risk", [LEFT, page.y], Anchor::Start, STRONG);
    for (k, s) in c.series.iter().enumerate() {
        // A name needs a line of its own: the numbers begin at the left end of the axis.
        if several {
            page.y += 17.0;
            let look = stroke(colour(k), 2.0, dashes(k));
            page.canvas.line([LEFT, page.y - 4.0], [LEFT + 22.0, page.y - 4.0], &look);
            let name = canvas::fitted(&s.name, TICK, RIGHT - LEFT - 30.0);
            page.canvas.label(&name, [LEFT + 28.0, page.y], Anchor::Start, TICK);
            page.y += 16.0;
        }
        let mut last = f64::NEG_INFINITY;
        for (at, n) in c.risk_at.iter().zip(&s.risk).filter(|(at, _)| sx.holds(**at)) {
            let text = n.to_string();
            let (middle, half) = (sx.at(*at), canvas::width(&text, TEXT) / 2.0);
            if middle - half > last + 4.0 {
                page.canvas.label(&text, [middle, page.y], Anchor::Middle, TEXT);
                last = middle + half;
            }
        }
    }
    page.y += 4.0;
}

fn csv(c: &Curves) -> String {
    let mut rows = Rows::new(&["series", "kind", "x", "y", "lower", "upper"]);
    const NONE: Cell<'static> = Cell::Number(None);
    for s in &c.series {
        for p in &s.points {
            rows.push([t(&s.name), t("estimate"), x(p[0]), x(p[1]), NONE, NONE]);
        }
        for b in s.band.iter().filter(|b| b[1].is_finite() && b[2].is_finite()) {
            rows.push([t(&s.name), t("interval"), x(b[0]), NONE, x(b[1]), x(b[2])]);
        }
        for m in &s.marks {
            rows.push([t(&s.name), t("censored"), x(m[0]), x(m[1]), NONE, NONE]);
        }
        for (at, n) in c.risk_at.iter().zip(&s.risk) {
            rows.push([t(&s.name), t("at risk"), x(*at), x(*n as f64), NONE, NONE]);
        }
    }
    rows.0
}

/// Survival by group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KaplanMeier {
    /// Name for files.
    pub name: String,
    /// Title.
    pub title: String,
    /// What stands under the title: medians, tests, kind of band.
    pub notes: Vec<String>,
    /// Axis of time.
    pub x: Axis,
    /// What is shown, as `Free of hepatic progression (%)`.
    pub y_label: String,
    /// Groups.
    pub groups: Vec<Group>,
    /// Times at which the groups' numbers at risk are given.
    pub risk_at: Vec<f64>,
}

/// A group of patients.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Group {
    /// Name; empty where there is one group.
    pub name: String,
    /// Steps by time, those after time 0.
    pub steps: Vec<Step>,
    /// Times at which patients are censored.
    pub censored: Vec<f64>,
    /// The last time anybody was followed to.
    pub until: f64,
    /// Numbers at risk.
    pub risk: Vec<u64>,
}

/// Survival from a time on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Step {
    /// From when.
    pub time: f64,
    /// Fraction without an event.
    pub survival: f64,
    /// Lower limit.
    pub lower: f64,
    /// Upper limit.
    pub upper: f64,
}

/// Survival by group, each with its band.
#[must_use]
pub fn kaplan_meier(k: &KaplanMeier) -> Figure {
    let series = k.groups.iter().map(|g| {
        let first = [0.0, 1.0];
        let mut points: Vec<_> =
            std::iter::once(first).chain(g.steps.iter().map(|s| [s.time, s.survival])).collect();
        // Before the first event there is no interval.
        let mut band: Vec<_> = g.steps.iter().map(|s| [s.time, s.lower, s.upper]).collect();
        // A step at time 0 takes the place of the start.
        if g.steps.first().is_some_and(|s| s.time <= 0.0) {
            points.remove(0);
        }
        if let (Some(p), Some(b)) = (points.last().copied(), band.last().copied())
            && g.until > p[0]
        {
            points.push([g.until, p[1]]);
            band.push([g.until, b[1], b[2]]);
        }
        let at = |time: f64| g.steps.iter().rfind(|s| s.time <= time).map_or(1.0, |s| s.survival);
        let marks = g.censored.iter().map(|time| [*time, at(*time)]).collect();
        Series { name: g.name.clone(), points, band, marks, steps: true, risk: g.risk.clone() }
    });
    curves(&Curves {
        name: k.name.clone(),
        title: k.title.clone(),
        notes: k.notes.clone(),
        x: k.x.clone(),
        y: Axis::new(k.y_label.clone()).from_to(0.0, 1.0).in_percent(),
        series: series.collect(),
        references: Vec::new(),
        risk_at: k.risk_at.clone(),
    })
}
