//! A lane a patient.

use super::plot::{Axis, LEFT, Page, RIGHT, Scale, Swatch, TEXT, TICK, colour, shape, stroke};
use super::{Cell, Figure, Rows, t, x};
use crate::canvas::{self, Anchor, RULE, SOFT, through};

/// Widest name of a patient.
const NAME: f64 = 110.0;
/// Room for all lanes: where they are many they are lower.
const ROOM: f64 = 780.0;

/// Lanes of patients.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Swimmer {
    /// Name for files.
    pub name: String,
    /// Title.
    pub title: String,
    /// What stands under the title.
    pub notes: Vec<String>,
    /// Axis of x.
    pub x: Axis,
    /// Lanes, the first at the top.
    pub lanes: Vec<Lane>,
    /// Names of the classes, which are told apart by colour.
    pub classes: Vec<String>,
    /// Names of the marks, which are told apart by shape.
    pub marks: Vec<String>,
}

/// The lane of a patient.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lane {
    /// Who.
    pub label: String,
    /// Class.
    pub class: usize,
    /// End of the treatment.
    pub treated: f64,
    /// End of the observation, from the end of treatment on.
    pub followed: f64,
    /// Whether the treatment goes on.
    pub ongoing: bool,
    /// What happened.
    pub marks: Vec<Mark>,
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// When.
    pub at: f64,
    /// Which of the figure's marks.
    pub kind: usize,
}

/// Lanes in the order given.
#[must_use]
pub fn swimmer(s: &Swimmer) -> Figure {
    let mut page = Page::new(&s.title, &s.notes);
    let used = |k: usize| s.lanes.iter().any(|l| l.marks.iter().any(|m| m.kind == k));
    let classes =
        s.classes.iter().enumerate().filter(|(k, _)| s.lanes.iter().any(|l| l.class == *k));
    let mut legend: Vec<_> =
        classes.map(|(k, name)| (Swatch::Square(tint(k)), name.clone())).collect();
    let marks = s.marks.iter().enumerate().filter(|(k, _)| used(*k));
    legend.extend(marks.map(|(k, name)| (Swatch::Shape(k), name.clone())));
    page.legend(&legend);
    let high = (ROOM / s.lanes.len().max(1) as f64).clamp(5.0, 22.0);
    let named = high >= 11.0;
    let style = if high >= 14.0 { TICK } else { canvas::Style { size: high - 1.5, ..TICK } };
    let widest = s.lanes.iter().map(|l| canvas::width(&l.label, style)).fold(0.0, f64::max);
    let from = LEFT + if named { widest.min(NAME) + 10.0 } else { 4.0 };
    let ends = s.lanes.iter().flat_map(|l| {
        l.marks.iter().map(|m| m.at).chain([l.treated, l.followed]).collect::<Vec<_>>()
    });
    let x_scale = Scale::over(&s.x, ends.chain([0.0]), [from, RIGHT - 18.0], 10.0);
    let top = page.y + 10.0;
    let bottom = top + high * s.lanes.len().max(1) as f64;
    for (value, text) in x_scale.ticks() {
        let at = x_scale.at(value);
        page.canvas.back.push_str(&canvas::line([at, top], [at, bottom], &stroke(RULE, 0.8, "")));
        page.canvas.label(&text, [at, bottom + 17.0], Anchor::Middle, TICK);
    }
    page.canvas.line([from, bottom], [RIGHT - 18.0, bottom], &stroke(SOFT, 1.0, ""));
    for (k, l) in s.lanes.iter().enumerate() {
        let mid = top + high * (k as f64 + 0.5);
        let half = (high * 0.34).min(7.0);
        let (start, end) = (x_scale.at(0.0), x_scale.at(l.treated));
        let look = format!(r#"fill="{}""#, tint(l.class));
        page.canvas.rect([start, mid - half, end.max(start + 1.0), mid + half], &look);
        if l.followed > l.treated {
            let last = x_scale.at(l.followed);
            page.canvas.line([end, mid], [last, mid], &stroke(SOFT, 1.3, ""));
            page.canvas.line([last, mid - 3.0], [last, mid + 3.0], &stroke(SOFT, 1.3, ""));
        }
        if l.ongoing {
            let tip = end + 9.0;
            let arrow = [[end + 1.0, mid - 4.5], [tip, mid], [end + 1.0, mid + 4.5]];
            page.canvas.path(&(through(&arrow) + "Z"), &format!(r#"fill="{SOFT}""#));
        }
        // Of marks on one day the later ones are beside the first.
        let mut taken: Vec<f64> = Vec::new();
        for m in &l.marks {
            let mut at = x_scale.at(m.at);
            while taken.iter().any(|t| (t - at).abs() < 7.0) {
                at += 7.0;
            }
            taken.push(at);
            shape(&mut page.canvas, m.kind, [at, mid], (high * 0.34).clamp(2.6, 4.8));
        }
        if named {
            let name = canvas::fitted(&l.label, style, NAME);
            page.canvas.label(&name, [from - 8.0, mid + 0.33 * style.size], Anchor::End, style);
        }
    }
    page.y = bottom + 36.0;
    let label = canvas::fitted(&s.x.label, TEXT, RIGHT - from);
    page.canvas.label(&label, [(from + RIGHT) / 2.0, page.y], Anchor::Middle, TEXT);
    let mut rows = Rows::new(&["patient", "class", "what", "x", "ongoing"]);
    for l in &s.lanes {
        let class = s.classes.get(l.class).map_or("", String::as_str);
        let none = Cell::Number(None);
        let ongoing = t(if l.ongoing { "Y" } else { "N" });
        rows.push([t(&l.label), t(class), t("treated until"), x(l.treated), ongoing]);
        rows.push([t(&l.label), t(class), t("followed until"), x(l.followed), none]);
        for m in &l.marks {
            let what = s.marks.get(m.kind).map_or("", String::as_str);
            rows.push([t(&l.label), t(class), t(what), x(m.at), none]);
        }
    }
    Figure { name: s.name.clone(), title: s.title.clone(), svg: page.finish(), csv: rows.0 }
}

/// Light colours, on which marks are seen.
const fn tint(k: usize) -> &'static str {
    const TINTS: [&str; 8] =
        ["#a9cbe0", "#f0c39f", "#a3d4c3", "#e6c4d6", "#d8cb96", "#cfe6f5", "#b9c0c4", "#dfe3e5"];
    let _ = colour(k);
    TINTS[k % TINTS.len()]
}
