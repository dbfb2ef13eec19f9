//! A line a patient.

use super::plot::{Axis, Page, RIGHT, Reference, Scale, Swatch, colour, stroke};
use super::{Figure, Rows, t, x};
use crate::canvas::through;

const FROM: f64 = 74.0;
const HIGH: f64 = 215.0;

/// Lines of patients.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spider {
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
    /// Lines.
    pub strands: Vec<Strand>,
    /// Names of the classes, which are told apart by colour.
    pub classes: Vec<String>,
    /// Heights that they are read against.
    pub references: Vec<Reference>,
}

/// The line of a patient.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Strand {
    /// Who.
    pub label: String,
    /// Class.
    pub class: usize,
    /// Points by x.
    pub points: Vec<[f64; 2]>,
}

/// Lines of patients, with a point where something was measured.
#[must_use]
pub fn spider(s: &Spider) -> Figure {
    let mut page = Page::new(&s.title, &s.notes);
    let classes = s.classes.iter().enumerate();
    let classes = classes.filter(|(k, _)| s.strands.iter().any(|l| l.class == *k));
    let legend: Vec<_> =
        classes.map(|(k, name)| (Swatch::Line(colour(k), ""), name.clone())).collect();
    page.legend(&legend);
    let top = page.y + 14.0;
    let points = || s.strands.iter().flat_map(|l| &l.points);
    let sx = Scale::over(&s.x, points().map(|p| p[0]).chain([0.0]), [FROM, RIGHT - 10.0], 10.0);
    let heights = points().map(|p| p[1]).chain([0.0]).chain(s.references.iter().map(|r| r.at));
    let sy = Scale::over(&s.y, heights, [top + HIGH, top], 7.0);
    page.axes(&sx, &sy, [&s.x.label, &s.y.label]);
    for r in &s.references {
        page.across(&sx, &sy, r, false);
    }
    for l in &s.strands {
        let places: Vec<_> = l.points.iter().map(|[a, b]| [sx.at(*a), sy.at(*b)]).collect();
        let look = format!(r#"{} stroke-opacity="0.75""#, stroke(colour(l.class), 1.5, ""));
        page.canvas.path(&through(&places), &look);
        for place in places.iter().skip(1) {
            page.canvas.circle(*place, 2.4, &format!(r#"fill="{}""#, colour(l.class)));
        }
    }
    let mut rows = Rows::new(&["patient", "class", "x", "y"]);
    for l in &s.strands {
        let class = s.classes.get(l.class).map_or("", String::as_str);
        for p in &l.points {
            rows.push([t(&l.label), t(class), x(p[0]), x(p[1])]);
        }
    }
    Figure { name: s.name.clone(), title: s.title.clone(), svg: page.finish(), csv: rows.0 }
}
