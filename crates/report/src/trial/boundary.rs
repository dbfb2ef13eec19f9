//! Where events stand against a boundary.

use super::plot::{Axis, Page, RIGHT, Scale, Swatch, TEXT, colour, stroke};
use super::{Cell, Figure, Rows, x};
use crate::canvas::{Anchor, PAPER, through};

const FROM: f64 = 74.0;
const HIGH: f64 = 260.0;

/// A boundary on counts, and the trial's way.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Boundary {
    /// Name for files.
    pub name: String,
    /// Title.
    pub title: String,
    /// What stands under the title.
    pub notes: Vec<String>,
    /// Axis of x: patients.
    pub x_label: String,
    /// Axis of y: events.
    pub y_label: String,
    /// For 1, 2, ... patients the least number of events at which one stops; `None`: none.
    pub stop_at: Vec<Option<u64>>,
    /// Patients and events so far, in the order in which they became known.
    pub path: Vec<[u64; 2]>,
}

/// The boundary and the way so far.
#[must_use]
pub fn boundary(b: &Boundary) -> Figure {
    let mut page = Page::new(&b.title, &b.notes);
    page.legend(&[
        (Swatch::Square("#f3c9a8"), "stop".to_owned()),
        (Swatch::Line(colour(0), ""), "patients so far".to_owned()),
    ]);
    let top = page.y + 14.0;
    let most = b.stop_at.len().max(b.path.iter().map(|p| p[0] as usize).max().unwrap_or(0)).max(1);
    let highest = b.stop_at.iter().flatten().copied().chain(b.path.iter().map(|p| p[1])).max();
    let highest = highest.unwrap_or(0).max(3) + 2;
    let whole = |label: &str, to: usize, marks: f64| {
        let step = super::plot::round_step(to as f64, marks).max(1.0);
        Axis::new(label).from_to(0.0, to as f64).every(step)
    };
    let (ax, ay) = (whole(&b.x_label, most, 12.0), whole(&b.y_label, highest as usize, 8.0));
    let sx = Scale::over(&ax, std::iter::empty(), [FROM, RIGHT - 10.0], 10.0);
    let sy = Scale::over(&ay, std::iter::empty(), [top + HIGH, top], 8.0);
    // The region in which one stops: each number of patients has its column.
    let half = 0.5;
    for (k, stop) in b.stop_at.iter().enumerate() {
        let (n, Some(stop)) = ((k + 1) as f64, stop) else { continue };
        let (left, right) = (sx.at(n - half), sx.at((n + half).min(most as f64)));
        let low = sy.at(*stop as f64 - half);
        page.canvas.rect([left, top, right + 0.3, low], r##"fill="#f3c9a8""##);
    }
    page.axes(&sx, &sy, [&b.x_label, &b.y_label]);
    let mut places = vec![[sx.at(0.0), sy.at(0.0)]];
    for [n, events] in &b.path {
        places.push([sx.at(*n as f64), sy.at(*events as f64)]);
    }
    page.canvas.path(&through(&places), &stroke(colour(0), 2.2, ""));
    if let (Some(at), Some([n, events])) = (places.last(), b.path.last()) {
        let look = format!(r#"fill="{}" stroke="{PAPER}" stroke-width="1.2""#, colour(0));
        page.canvas.circle(*at, 6.0, &look);
        let text = format!("{events} of {n}");
        let (shift, anchor) =
            if at[0] > 600.0 { (-11.0, Anchor::End) } else { (11.0, Anchor::Start) };
        page.canvas.label(&text, [at[0] + shift, at[1] + 4.5], anchor, super::plot::STRONG);
    } else {
        page.canvas.label(
            "no patient evaluable yet",
            [FROM + 12.0, top + HIGH - 12.0],
            Anchor::Start,
            TEXT,
        );
    }
    let mut rows = Rows::new(&["patients", "stop_at_events", "events_so_far"]);
    for n in 1..=most {
        let stop = b.stop_at.get(n - 1).copied().flatten().map(|s| s as f64);
        let events = b.path.iter().find(|p| p[0] as usize == n).map(|p| p[1] as f64);
        rows.push([x(n as f64), Cell::Number(stop), Cell::Number(events)]);
    }
    Figure { name: b.name.clone(), title: b.title.clone(), svg: page.finish(), csv: rows.0 }
}
