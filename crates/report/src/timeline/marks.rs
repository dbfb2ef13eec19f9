//! Procedures, gates and toxicities as marks whose shape says how they stand, and the legend.

use super::axis::short;
use super::canvas::{
    Anchor, Canvas, FAINT, INK, NAME, PAPER, RULE, Rows, SMALL, SOFT, Style, fitted, through, width,
};
use super::doses::Day;
use super::{Figure, GUTTER, LEFT, RIGHT};
use hepatica_regimen::course::plus;
use hepatica_regimen::evidence::Known;
use hepatica_regimen::gate::{Gate, Status as GateStatus, Truth};
use hepatica_regimen::next::{Kind, Obligation, Status};
use hepatica_regimen::state::ProcedureStatus;
use jiff::civil::Date;
use std::collections::BTreeMap;

/// Height of a row of marks.
const ROW: f64 = 18.0;
/// Half of a mark.
const R: f64 = 5.6;
/// Fills of grades 1 to 5, darker with the grade.
pub const GRADES: [&str; 5] = ["#f7f0e2", "#eedcb9", "#dfbd83", "#c8924a", "#8f5a1f"];

/// First and last day of a toxicity, and its grade.
type Episode = (Date, Date, u8);

/// How a gate is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Pass,
    Overridden,
    /// It cannot be told yet: values are still to come.
    Open,
    Hold,
    Fail,
}

impl Mark {
    fn of(gate: &Gate, day: Date, today: Date) -> Self {
        match gate.status {
            GateStatus::Pass => Self::Pass,
            GateStatus::Overridden => Self::Overridden,
            GateStatus::Fail => Self::Fail,
            GateStatus::Hold => {
                let open = |c: &hepatica_regimen::gate::Criterion| {
                    c.status.passes() || c.truth == Truth::CannotTell
                };
                if day >= today && gate.criteria.iter().all(open) { Self::Open } else { Self::Hold }
            }
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Overridden => "overridden",
            Self::Open => "open",
            Self::Hold => "hold",
            Self::Fail => "fail",
        }
    }

    fn draw(self, canvas: &mut Canvas, [x, y]: [f64; 2]) {
        let white = format!(
            r#"fill="none" stroke="{PAPER}" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round""#
        );
        match self {
            Self::Pass => {
                canvas.circle([x, y], R, r##"fill="#1b6b45""##);
                let check = [[x - 2.7, y + 0.1], [x - 0.8, y + 2.2], [x + 2.8, y - 2.1]];
                canvas.path(&through(&check), &white);
            }
            Self::Overridden => {
                let look = format!(r##"fill="{PAPER}" stroke="#2a63a8" stroke-width="1.8""##);
                canvas.circle([x, y], R - 0.6, &look);
                let ink = r##"fill="none" stroke="#2a63a8" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round""##;
                let check = [[x - 2.5, y + 0.1], [x - 0.8, y + 2.0], [x + 2.6, y - 2.0]];
                canvas.path(&through(&check), ink);
            }
            Self::Open => {
                let look = format!(
                    r#"fill="{PAPER}" stroke="{SOFT}" stroke-width="1.3" stroke-dasharray="2 1.6""#
                );
                canvas.circle([x, y], R - 0.6, &look);
            }
            Self::Hold => {
                let look = format!(r##"fill="#f3c976" stroke="{INK}" stroke-width="0.9""##);
                canvas.rect([x - R, y - R, x + R, y + R], &look);
                let bar = format!(r#"stroke="{INK}" stroke-width="2""#);
                canvas.line([x - 1.9, y - 3.0], [x - 1.9, y + 3.0], &bar);
                canvas.line([x + 1.9, y - 3.0], [x + 1.9, y + 3.0], &bar);
            }
            Self::Fail => {
                let points =
                    [[x, y - R - 1.2], [x + R + 1.2, y], [x, y + R + 1.2], [x - R - 1.2, y]];
                canvas.path(&(through(&points) + "Z"), r##"fill="#8f1d16""##);
                canvas.line([x - 2.2, y - 2.2], [x + 2.2, y + 2.2], &white);
                canvas.line([x - 2.2, y + 2.2], [x + 2.2, y - 2.2], &white);
            }
        }
    }
}

/// A mark that is placed: its day, its room, and what is written beside it.
struct Placed {
    row: usize,
    x: f64,
    label: Option<([f64; 1], Anchor)>,
    text: String,
}

/// Puts a mark at `x` and its text to the right, or to the left where there is no room, into a row
/// that has room for both and for what reaches from `reach[0]` to `reach[1]`.
fn place(rows: &mut Rows, x: f64, reach: [f64; 2], text: String, style: Style) -> Placed {
    let [mut x0, mut x1] = [reach[0].min(x - R - 1.0), reach[1].max(x + R + 1.0)];
    let mut label = None;
    if !text.is_empty() {
        let wide = width(&text, style);
        if x1 + 5.0 + wide <= RIGHT {
            label = Some(([x1 + 4.0], Anchor::Start));
            x1 += 4.0 + wide;
        } else {
            label = Some(([x0 - 4.0], Anchor::End));
            x0 -= 4.0 + wide;
        }
    }
    Placed { row: rows.place(x0, x1), x, label, text }
}

impl Figure<'_, '_> {
    // ---- procedures ------------------------------------------------------------------------------

    /// Procedures with their windows. Gives the bottom.
    pub(super) fn procedures(&mut self, y: f64) -> f64 {
        if self.protocol.procedure.is_empty() {
            return y;
        }
        let shown = |o: &&Obligation| {
            o.kind == Kind::Procedure && !matches!(o.status, Status::NotNeeded | Status::Cancelled)
        };
        let mut rows = Rows::default();
        let mut placed = Vec::new();
        for o in self.agenda.obligations.iter().filter(shown) {
            let on = o.done.unwrap_or(o.target);
            if !self.axis.holds(on) {
                continue;
            }
            let window = [self.axis.begin(o.earliest), self.axis.end(o.latest)];
            let text = match o.status {
                Status::Done => format!("{}, {}", o.name, short(on)),
                Status::Missed => format!("{} missed", o.name),
                Status::Held => format!("{}, {}, held", o.name, short(on)),
                Status::Undecided => format!("{}, {}, if needed", o.name, short(on)),
                _ => format!("{}, {}", o.name, short(on)),
            };
            let text = fitted(&text, SMALL, 330.0);
            let p = place(&mut rows, self.axis.middle(on), window, text, SMALL);
            placed.push((p, window, o.status));
        }
        let none = placed.is_empty();
        for (p, window, status) in placed {
            let at = [p.x, y + 9.0 + ROW * p.row as f64];
            let thin = format!(r#"stroke="{SOFT}" stroke-width="1.1""#);
            if window[1] - window[0] > 2.0 * R + 2.0 {
                self.canvas.line([window[0], at[1]], [window[1], at[1]], &thin);
                for x in window {
                    self.canvas.line([x, at[1] - 3.5], [x, at[1] + 3.5], &thin);
                }
            }
            self.procedure(at, status);
            if let Some(([x], anchor)) = p.label {
                let style = if status == Status::Done { SMALL } else { FAINT };
                self.canvas.label(&p.text, [x, at[1] + 3.6], anchor, style);
            }
        }
        let left_out = self
            .protocol
            .procedure
            .iter()
            .zip(&self.state.procedures)
            .filter(|(_, s)| s.status == ProcedureStatus::NotNeeded)
            .map(|(p, _)| format!("{}: not needed", p.name))
            .collect::<Vec<_>>()
            .join(", ");
        let below = if none { "none planned" } else { left_out.as_str() };
        self.lane(y + 12.0, "Procedures", below);
        let rows = rows.len().max(if below.is_empty() { 1 } else { 2 });
        y + ROW * rows as f64 + 6.0
    }

    fn procedure(&mut self, [x, y]: [f64; 2], status: Status) {
        let diamond = |r: f64| through(&[[x, y - r], [x + r, y], [x, y + r], [x - r, y]]) + "Z";
        let r = R + 1.0;
        match status {
            Status::Done => self.canvas.path(&diamond(r), &format!(r#"fill="{INK}""#)),
            Status::Missed => {
                let look = format!(r#"fill="{PAPER}" stroke="{SOFT}" stroke-width="1.2""#);
                self.canvas.path(&diamond(r), &look);
                let cross = format!(r#"stroke="{INK}" stroke-width="1.6""#);
                self.canvas.line([x - 4.5, y - 4.5], [x + 4.5, y + 4.5], &cross);
                self.canvas.line([x - 4.5, y + 4.5], [x + 4.5, y - 4.5], &cross);
            }
            Status::Held => {
                let look = format!(r#"fill="url(#held)" stroke="{INK}" stroke-width="1.3""#);
                self.canvas.path(&diamond(r), &look);
            }
            Status::Undecided => {
                let look = format!(
                    r#"fill="{PAPER}" stroke="{INK}" stroke-width="1.2" stroke-dasharray="2 1.6""#
                );
                self.canvas.path(&diamond(r), &look);
            }
            _ => {
                let look = format!(r#"fill="{PAPER}" stroke="{INK}" stroke-width="1.5""#);
                self.canvas.path(&diamond(r), &look);
            }
        }
    }

    // ---- gates -----------------------------------------------------------------------------------

    /// Gates on the days they were asked and will be, several of one day as their worst. Gives the
    /// bottom.
    pub(super) fn gates(&mut self, y: f64) -> f64 {
        let asked = self.asked();
        if asked.is_empty() {
            return y;
        }
        self.separate(y);
        let mut marks = Rows::default();
        let mut placed = Vec::new();
        for ((day, what), gates) in &asked {
            let today = self.state.today;
            let worst = gates.iter().map(|g| Mark::of(g, *day, today)).max().unwrap_or(Mark::Open);
            let text = match worst {
                Mark::Pass | Mark::Open => String::new(),
                _ => {
                    let about = |g: &&Gate| Mark::of(g, *day, today) == worst;
                    let criteria = gates.iter().filter(about).flat_map(|g| &g.criteria);
                    let mut names: Vec<&str> = Vec::new();
                    for c in criteria.filter(|c| c.status != GateStatus::Pass) {
                        let wanted = match worst {
                            Mark::Overridden => c.status == GateStatus::Overridden,
                            Mark::Fail => c.status == GateStatus::Fail,
                            _ => !c.status.passes(),
                        };
                        if wanted && !names.contains(&c.name.as_str()) {
                            names.push(&c.name);
                        }
                    }
                    let more = names.len().saturating_sub(2);
                    names.truncate(2);
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    format!("{what} {}: {}{more}", worst.word(), names.join(", "))
                }
            };
            let text = fitted(&text, SMALL, 330.0);
            let x = self.axis.middle(*day);
            placed.push((marks.place(x - R - 1.0, x + R + 1.0), x, worst, text));
        }
        // Texts below the marks, from the right to the left: so no line from a mark to its text
        // runs through another text.
        let below = y + ROW * marks.len() as f64 + 3.0;
        let mut rows = Rows::default();
        for (row, x, mark, text) in placed.iter().rev() {
            let at = [*x, y + 11.0 + ROW * *row as f64];
            if !text.is_empty() {
                let wide = width(text, SMALL);
                let left = (x - R).min(RIGHT - wide);
                let down = below + 9.5 + 14.0 * rows.place(left, left + wide) as f64;
                let look = format!(r#"stroke="{SOFT}" stroke-width="0.8""#);
                let leader = super::canvas::line(at, [*x, down - 8.5], &look);
                self.canvas.guides.push_str(&leader);
                self.canvas.label(text, [left, down], Anchor::Start, SMALL);
            }
            mark.draw(&mut self.canvas, at);
        }
        self.lane(y + 15.0, "Gates", "");
        below + 14.0 * rows.len() as f64 + 5.0
    }

    /// Gates by day and what they stand before.
    fn asked(&self) -> BTreeMap<(Date, String), Vec<Gate>> {
        let mut asked: BTreeMap<(Date, String), Vec<Gate>> = BTreeMap::new();
        let starts = self.state.starts();
        let today = self.state.today;
        let mut ask = |before: &str, what: String, day: Date, starts: &[Date]| {
            let (protocol, course) = (self.protocol, self.course);
            let known =
                Known { protocol, course, cycle_starts: starts, day, until: day.min(today) };
            for rule in self.protocol.gates(before) {
                asked.entry((day, what.clone())).or_default().push(rule.evaluate(&known));
            }
        };
        let wait = self.protocol.gates("cycle").find_map(|g| g.wait.as_ref());
        for (k, c) in self.state.cycles.iter().enumerate().skip(1) {
            // What held the cycle is asked with the cycles before it, as it was then.
            for times in 0..c.waits {
                let days = wait.map_or(0, |w| i64::from(w.days));
                let day = plus(c.planned, days * i64::from(times));
                if day < c.start && day <= today {
                    ask("cycle", format!("C{}", c.number), day, &starts[..k]);
                }
            }
            if c.has_begun() {
                ask("cycle", format!("C{}", c.number), c.start, &starts[..k]);
            }
        }
        for (p, s) in self.protocol.procedure.iter().zip(&self.state.procedures) {
            if let ProcedureStatus::Done(on) = s.status {
                ask(&p.id, p.name.clone(), on, &starts);
            }
        }
        for g in &self.agenda.gates {
            let what = match g.before.as_str() {
                "start" => "Start".to_owned(),
                "cycle" => {
                    let next = self.state.cycles.iter().skip(1).find(|c| !c.has_begun());
                    next.map_or_else(|| g.what.clone(), |c| format!("C{}", c.number))
                }
                _ => g.what.clone(),
            };
            asked.entry((g.day, what)).or_default().push(g.gate.clone());
        }
        asked.retain(|(day, _), _| self.axis.holds(*day));
        asked
    }

    // ---- toxicities ------------------------------------------------------------------------------

    /// Toxicities from grade 1 on, a row a term. Gives the bottom.
    pub(super) fn toxicities(&mut self, y: f64) -> f64 {
        let today = self.state.today;
        let mut terms: Vec<(&str, Vec<Episode>)> = Vec::new();
        for t in self.course.toxicities.iter().filter(|t| t.on <= today) {
            let row = match terms.iter().position(|(term, _)| *term == t.term) {
                Some(row) => row,
                None => {
                    terms.push((t.term, Vec::new()));
                    terms.len() - 1
                }
            };
            let spans = &mut terms[row].1;
            if let Some(last) = spans.last_mut() {
                last.1 = last.1.min(plus(t.on, -1)).max(last.0);
            }
            let end = self.state.ended.map_or(today, |(on, _)| on.max(t.on));
            spans.push((t.on, end.max(t.on), t.grade));
        }
        terms.retain(|(_, spans)| {
            spans
                .iter()
                .any(|(from, to, g)| *g > 0 && *to >= self.axis.from && *from <= self.axis.to)
        });
        if terms.is_empty() {
            return y;
        }
        self.separate(y);
        let style = Style { bold: true, ..SMALL };
        for (k, (term, spans)) in terms.iter().enumerate() {
            let base = y + 20.0 + 17.0 * k as f64;
            let mut rows = Rows::default();
            for (from, to, grade) in spans.iter().filter(|s| s.2 > 0) {
                let [x0, x1] = [self.axis.begin(*from), self.axis.end(*to)];
                let fill = GRADES[usize::from(*grade).clamp(1, 5) - 1];
                let look = format!(r#"fill="{fill}" stroke="{SOFT}" stroke-width="0.6""#);
                self.canvas.rect([x0, base, x1, base + 13.0], &look);
                let text = grade.to_string();
                let wide = width(&text, style);
                let at = (x0 + x1) / 2.0;
                let fits = x1 - x0 > wide + 1.0;
                if fits && rows.place(at - wide / 2.0, at + wide / 2.0) == 0 {
                    let ink = if *grade >= 5 { PAPER } else { INK };
                    let style = Style { fill: ink, ..style };
                    self.canvas.label_on_fill(&text, [at, base + 10.2], style);
                }
            }
            let name = fitted(term, FAINT, LEFT - GUTTER - 12.0);
            self.canvas.label(&name, [GUTTER, base + 10.2], Anchor::Start, FAINT);
        }
        self.canvas.label("Toxicity", [GUTTER, y + 15.0], Anchor::Start, NAME);
        y + 20.0 + 17.0 * terms.len() as f64 + 4.0
    }

    // ---- legend ----------------------------------------------------------------------------------

    /// What the marks mean. Gives the bottom.
    pub(super) fn legend(&mut self, y: f64) -> f64 {
        self.separate(y - 14.0);
        let mut at = [GUTTER, y];
        let has = |f: &Self, id: Kind| f.agenda.obligations.iter().any(|o| o.kind == id);
        if has(self, Kind::Drug) {
            self.group(&mut at, "Drugs, height by level");
            for (day, word) in [
                (Day::Taken, "taken"),
                (Day::Presumed, "past, not recorded"),
                (Day::Planned, "planned"),
                (Day::Held, "held"),
                (Day::Missed, "not taken"),
            ] {
                self.entry(&mut at, word, 16.0, |canvas, [x, y]| {
                    let look = match day {
                        Day::Taken => format!(r#"fill="{SOFT}""#),
                        Day::Presumed => format!(
                            r#"fill="{SOFT}" fill-opacity="0.55" stroke="{SOFT}" stroke-width="0.7""#
                        ),
                        Day::Planned => format!(
                            r#"fill="{SOFT}" fill-opacity="0.13" stroke="{SOFT}" stroke-width="1" stroke-dasharray="3 2""#
                        ),
                        Day::Held => {
                            format!(r#"fill="url(#held)" stroke="{SOFT}" stroke-width="0.8""#)
                        }
                        Day::Missed => format!(r#"fill="{PAPER}" stroke="{SOFT}" stroke-width="0.9""#),
                    };
                    canvas.rect([x, y - 8.0, x + 16.0, y + 1.0], &look);
                    if day == Day::Missed {
                        let cross = format!(r#"stroke="{SOFT}" stroke-width="0.9""#);
                        canvas.line([x, y - 8.0], [x + 16.0, y + 1.0], &cross);
                        canvas.line([x, y + 1.0], [x + 16.0, y - 8.0], &cross);
                    }
                });
            }
        }
        if has(self, Kind::Procedure) {
            self.group(&mut at, "Procedures in their windows");
            for (status, word) in [
                (Status::Done, "done"),
                (Status::Upcoming, "planned"),
                (Status::Undecided, "if needed"),
                (Status::Held, "held"),
                (Status::Missed, "missed"),
            ] {
                let [x, y] = self.room(&mut at, word, 14.0);
                self.procedure([x + 7.0, y - 3.6], status);
                self.canvas.label(word, [x + 19.0, y], Anchor::Start, FAINT);
            }
        }
        if !self.protocol.gate.is_empty() {
            self.group(&mut at, "Gates");
            for mark in [Mark::Pass, Mark::Overridden, Mark::Open, Mark::Hold, Mark::Fail] {
                let word = if mark == Mark::Open { "values to come" } else { mark.word() };
                self.entry(&mut at, word, 14.0, |canvas, [x, y]| {
                    mark.draw(canvas, [x + 7.0, y - 3.6]);
                });
            }
        }
        if !self.protocol.drug.is_empty() && !self.sessions().0.is_empty() {
            self.group(&mut at, "Dose while taken");
            for (word, fill) in Self::fills() {
                self.entry(&mut at, word, 16.0, |canvas, [x, y]| {
                    let look = format!(r#"fill="{fill}" stroke="{RULE}" stroke-width="0.6""#);
                    canvas.rect([x, y - 8.0, x + 16.0, y + 1.0], &look);
                });
            }
        }
        let graded = self
            .course
            .series
            .keys()
            .any(|m| hepatica_regimen::ctcae::Laboratory::of_measure(m).is_some());
        if graded || !self.course.toxicities.is_empty() {
            self.group(&mut at, &format!("CTCAE v{} grade", self.protocol.ctcae));
            for (k, fill) in GRADES.iter().enumerate() {
                let word = (k + 1).to_string();
                self.entry(&mut at, &word, 16.0, |canvas, [x, y]| {
                    let look = format!(r#"fill="{fill}" stroke="{SOFT}" stroke-width="0.5""#);
                    canvas.rect([x, y - 8.0, x + 16.0, y + 1.0], &look);
                });
            }
            if graded {
                self.entry(&mut at, "limit of a gate or a dose rule", 16.0, |canvas, [x, y]| {
                    let look =
                        format!(r#"stroke="{INK}" stroke-width="1.1" stroke-dasharray="5 2.5""#);
                    canvas.line([x, y - 3.5], [x + 16.0, y - 3.5], &look);
                });
            }
        }
        at[1] + 10.0
    }

    /// Begins a group where there is room for a good part of it.
    fn group(&mut self, at: &mut [f64; 2], name: &str) {
        let style = Style { bold: true, ..SMALL };
        if at[0] > GUTTER {
            at[0] += 14.0;
        }
        if at[0] + width(name, style) + 150.0 > RIGHT {
            *at = [GUTTER, at[1] + 17.0];
        }
        self.canvas.label(name, *at, Anchor::Start, style);
        at[0] += width(name, style) + 9.0;
    }

    fn entry(
        &mut self,
        at: &mut [f64; 2],
        word: &str,
        wide: f64,
        draw: impl FnOnce(&mut Canvas, [f64; 2]),
    ) {
        let [x, y] = self.room(at, word, wide);
        draw(&mut self.canvas, [x, y]);
        self.canvas.label(word, [x + wide + 4.0, y], Anchor::Start, FAINT);
    }

    fn room(&mut self, at: &mut [f64; 2], word: &str, wide: f64) -> [f64; 2] {
        let all = wide + 5.0 + width(word, FAINT) + 10.0;
        if at[0] + all > RIGHT {
            *at = [GUTTER, at[1] + 17.0];
        }
        let here = *at;
        at[0] += all;
        here
    }
}
