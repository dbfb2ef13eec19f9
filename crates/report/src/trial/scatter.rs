//! Points with intervals.

use super::plot::{Axis, Page, RIGHT, Reference, Scale, Swatch, colour, shape, stroke};
use super::{Cell, Figure, Rows, t, x};

const FROM: f64 = 74.0;
const HIGH: f64 = 225.0;

/// Points in a plot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scatter {
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
    /// Points.
    pub points: Vec<Point>,
    /// Names of the classes, which are told apart by colour and shape.
    pub classes: Vec<String>,
    /// Heights that they are read against.
    pub references: Vec<Reference>,
}

/// A point.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Point {
    /// What it is of.
    pub label: String,
    /// Where.
    pub at: [f64; 2],
    /// Interval of x.
    pub x_interval: Option<[f64; 2]>,
    /// Interval of y.
    pub y_interval: Option<[f64; 2]>,
    /// Class.
    pub class: usize,
}

/// Points, each with its intervals.
#[must_use]
pub fn scatter(s: &Scatter) -> Figure {
    let mut page = Page::new(&s.title, &s.notes);
    let classes = s.classes.iter().enumerate();
    let classes = classes.filter(|(k, _)| s.points.iter().any(|p| p.class == *k));
    let legend: Vec<_> = classes.map(|(k, name)| (Swatch::Shape(k), name.clone())).collect();
    page.legend(&legend);
    let top = page.y + 14.0;
    let side = |p: &Point, n: usize| {
        let interval = if n == 0 { p.x_interval } else { p.y_interval };
        interval.into_iter().flatten().chain([p.at[n]]).collect::<Vec<_>>()
    };
    let across = s.points.iter().flat_map(|p| side(p, 0)).chain([0.0]);
    let sx = Scale::over(&s.x, across, [FROM, RIGHT - 10.0], 10.0);
    let heights = s.points.iter().flat_map(|p| side(p, 1)).chain(s.references.iter().map(|r| r.at));
    let sy = Scale::over(&s.y, heights, [top + HIGH, top], 7.0);
    page.axes(&sx, &sy, [&s.x.label, &s.y.label]);
    for r in &s.references {
        page.across(&sx, &sy, r, false);
    }
    for p in &s.points {
        let at = [sx.at(p.at[0]), sy.at(p.at[1])];
        let look = format!(r#"{} stroke-opacity="0.55""#, stroke(colour(p.class), 1.2, ""));
        if let Some([low, high]) = p.x_interval {
            page.canvas.line([sx.at(low), at[1]], [sx.at(high), at[1]], &look);
        }
        if let Some([low, high]) = p.y_interval {
            page.canvas.line([at[0], sy.at(low)], [at[0], sy.at(high)], &look);
        }
    }
    for p in &s.points {
        shape(&mut page.canvas, p.class, [sx.at(p.at[0]), sy.at(p.at[1])], 4.5);
    }
    let mut rows =
        Rows::new(&["point", "class", "x", "x_lower", "x_upper", "y", "y_lower", "y_upper"]);
    for p in &s.points {
        let class = s.classes.get(p.class).map_or("", String::as_str);
        let side = |i: Option<[f64; 2]>, n: usize| Cell::Number(i.map(|i| i[n]));
        let (xi, yi) = (p.x_interval, p.y_interval);
        rows.push([
            t(&p.label),
            t(class),
            x(p.at[0]),
            side(xi, 0),
            side(xi, 1),
            x(p.at[1]),
            side(yi, 0),
            side(yi, 1),
        ]);
    }
    Figure { name: s.name.clone(), title: s.title.clone(), svg: page.finish(), csv: rows.0 }
}
