//! One patient's course on one date axis, as SVG and PNG: cycles, procedures, gates, drugs with
//! their levels, the dose rate of the spheres under them, toxicities, laboratory values on their
//! grades, scans with the sum of diameters. `docs/timeline.md` says how to read it.
//!
//! | module | holds |
//! |---|---|
//! | `axis` | dates to places |
//! | `doses` | what was taken and is planned, day by day |
//! | `spheres` | dose rate, and how much of the dose each drug overlaps |
//! | `marks` | procedures, gates, toxicities |
//! | `labs`, `scans` | what was measured |

mod axis;
mod doses;
mod labs;
mod marks;
mod scans;
mod spheres;
#[cfg(test)]
mod tests;

use crate::ReportError;
use crate::canvas::{
    self, Anchor, Canvas, FAINT, INK, NAME, PAPER, RULE, SMALL, SOFT, Style, line, n, rect,
};
use crate::world::{FACE, Files, World};
use axis::{Axis, long, short};
use hepatica_regimen::course::{days_between, plus};
use hepatica_regimen::protocol::End;
use hepatica_regimen::state::Cycle;
use hepatica_regimen::{Agenda, Course, Protocol, State};
use jiff::civil::Date;
use typst::foundations::Bytes;

/// Width of the page.
const WIDTH: f64 = 1200.0;
/// Ends of the axis.
const LEFT: f64 = 178.0;
const RIGHT: f64 = 1170.0;
/// Where names of lanes begin.
const GUTTER: f64 = 28.0;
/// Most days before the first day that are shown: what is older would press the rest together.
const DAYS_BEFORE: i64 = 56;
/// Days shown after the last thing there is.
const DAYS_AFTER: i64 = 10;
/// Pixels per point of the picture: 2400 across.
const SCALE: f32 = 2.0;

const PAGE: &str = r##"#let data = json("data.json")
#set document(title: data.title, date: none)
#set page(width: 1200pt, height: auto, margin: 0pt)
#image("timeline.svg", width: 100%)
"##;

/// What is drawn, and where so far.
struct Figure<'a, 'e> {
    protocol: &'a Protocol,
    course: &'a Course<'e>,
    state: &'a State<'e>,
    agenda: &'a Agenda,
    axis: Axis,
    canvas: Canvas,
    /// What a reader must know, at the foot.
    notes: Vec<String>,
}

/// The timeline of a course as SVG. The same course gives the same bytes.
#[must_use]
pub fn svg(protocol: &Protocol, course: &Course<'_>, state: &State<'_>, agenda: &Agenda) -> String {
    Figure::new(protocol, course, state, agenda).draw().0
}

/// The timeline of a course as PNG, 2400 pixels wide.
///
/// # Errors
/// When the typesetter refuses; a fault of the program, not of the course.
pub fn png(
    protocol: &Protocol,
    course: &Course<'_>,
    state: &State<'_>,
    agenda: &Agenda,
) -> Result<Vec<u8>, ReportError> {
    let mut files = Files::new();
    let svg = svg(protocol, course, state, agenda);
    files.insert("timeline.svg".to_owned(), Bytes::from_string(svg));
    let data = serde_json::json!({ "title": format!("Timeline of {}", course.patient) });
    files.insert("data.json".to_owned(), Bytes::new(serde_json::to_vec(&data)?));
    let mut pages = World::new(PAGE, files).png(SCALE)?;
    if pages.len() == 1 {
        return Ok(pages.swap_remove(0));
    }
    Err(ReportError::Typesetting(format!("the timeline took {} pages", pages.len())))
}

impl<'a, 'e> Figure<'a, 'e> {
    fn new(
        protocol: &'a Protocol,
        course: &'a Course<'e>,
        state: &'a State<'e>,
        agenda: &'a Agenda,
    ) -> Self {
        let (axis, notes) = range(protocol, course, state);
        Self { protocol, course, state, agenda, axis, canvas: Canvas::default(), notes }
    }

    fn draw(mut self) -> (String, Canvas) {
        self.header();
        let top = 92.0;
        let mut y = self.dates(top);
        y = self.procedures(y + 8.0);
        y = self.gates(y);
        y = self.drugs(y + 4.0);
        y = self.spheres(y);
        y = self.toxicities(y + 4.0);
        y = self.laboratory(y + 6.0);
        y = self.scans(y + 4.0);
        let bottom = y + 4.0;
        self.guides(top, bottom);
        y = self.months(bottom);
        y = self.legend(y + 22.0);
        y = self.foot(y + 6.0);
        let height = n(y.ceil());
        let Canvas { back, guides, front, .. } = &self.canvas;
        let title = canvas::escaped(&format!(
            "Timeline of {}, {}",
            self.course.patient, self.protocol.name
        ));
        let svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="'{FACE}', Georgia, serif" role="img"><title>{title}</title>{}<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/><g>{back}</g><g>{guides}</g><g>{front}</g></svg>"#,
            patterns()
        );
        (svg, self.canvas)
    }

    /// The name of a lane with a scale, for which the right end of the gutter is kept.
    fn lane(&mut self, y: f64, name: &str, below: &str) {
        self.named(y, name, below, LEFT - GUTTER - 42.0);
    }

    /// The name of a lane, no wider than `most`.
    fn named(&mut self, y: f64, name: &str, below: &str, most: f64) {
        let name = canvas::fitted(name, NAME, most);
        self.canvas.label(&name, [GUTTER, y], Anchor::Start, NAME);
        let below = canvas::fitted(below, FAINT, most);
        self.canvas.label(&below, [GUTTER, y + 13.0], Anchor::Start, FAINT);
    }

    fn separate(&mut self, y: f64) {
        let look = format!(r#"stroke="{RULE}" stroke-width="0.7""#);
        self.canvas.back.push_str(&line([GUTTER, y], [RIGHT, y], &look));
    }

    // ---- head ------------------------------------------------------------------------------------

    fn header(&mut self) {
        let (p, today) = (self.protocol, self.state.today);
        let big = Style { size: 25.0, bold: true, fill: INK };
        let mid = Style { size: 13.0, bold: false, fill: SOFT };
        let place = match (self.agenda.ended, self.agenda.cycle, self.agenda.cycle_day) {
            (Some(end), ..) => format!("Ended {}: {}", long(end.on), ended(end.because)),
            (_, Some(c), Some(d)) => format!("C{c}D{d}"),
            _ if today < self.course.c1d1 => "Before the first cycle".to_owned(),
            _ => match self.state.cycles.iter().find(|c| !c.has_begun()) {
                Some(c) => format!("Cycle {} waits", c.number),
                None => "No cycle runs".to_owned(),
            },
        };
        let place = canvas::fitted(&place, Style { size: 19.0, ..big }, 420.0);
        let style = Style { size: 19.0, ..big };
        self.canvas.label(&place, [RIGHT, 40.0], Anchor::End, style);
        let today = format!("as of {}", long(today));
        self.canvas.label(&today, [RIGHT, 60.0], Anchor::End, mid);
        let room = RIGHT - GUTTER - canvas::width(&place, style) - 40.0;
        let patient = canvas::fitted(self.course.patient, big, room * 0.6);
        self.canvas.label(&patient, [GUTTER, 40.0], Anchor::Start, big);
        let x = GUTTER + canvas::width(&patient, big) + 14.0;
        let name = canvas::fitted(&p.name, Style { bold: false, ..big }, room + GUTTER - x);
        self.canvas.label(&name, [x, 40.0], Anchor::Start, Style { bold: false, ..big });
        let mut about = vec![format!("protocol {} version {}", p.id, p.version)];
        about.extend(p.registry.clone());
        match self.course.variant.and_then(|id| p.variant.iter().find(|v| v.id == id)) {
            Some(v) => about.push(v.name.clone()),
            None if p.variant.len() > 1 => about.push("no dose variant is chosen".to_owned()),
            None => {}
        }
        let about = canvas::fitted(&about.join(" · "), mid, RIGHT - GUTTER - 180.0);
        self.canvas.label(&about, [GUTTER, 60.0], Anchor::Start, mid);
    }

    // ---- dates -----------------------------------------------------------------------------------

    /// Months, then cycles with their first days. Gives the bottom.
    fn dates(&mut self, y: f64) -> f64 {
        let y = self.months(y) + 3.0;
        let high = 19.0;
        let cycles = self.state.cycles.clone();
        let after = i64::from(self.protocol.cycle.days);
        let (mut numbers, mut days) = (canvas::Rows::default(), canvas::Rows::default());
        let bold = Style { bold: true, ..SMALL };
        // In narrow cycles only every so many have their date.
        let wide = canvas::width("30 May", SMALL) + 8.0;
        let every = (wide / (self.axis.day() * after as f64)).ceil().max(1.0) as u32;
        for (k, c) in cycles.iter().enumerate() {
            if self.ended_before(c.start) || !self.axis.holds(c.start) {
                continue;
            }
            // A cycle ends where the next was planned; what lies between is the wait.
            let end = cycles.get(k + 1).map_or(plus(c.start, after), |n| n.planned.min(n.start));
            let mut x1 = self.axis.begin(end);
            if let Some((on, _)) = self.state.ended {
                x1 = x1.min(self.axis.end(on));
            }
            let x0 = self.axis.begin(c.start);
            let look = if c.has_begun() {
                format!(r##"fill="#e3e9ec" stroke="{PAPER}" stroke-width="1""##)
            } else {
                format!(r#"fill="{PAPER}" stroke="{RULE}" stroke-width="1" stroke-dasharray="3 2""#)
            };
            self.canvas.rect([x0, y, x1, y + high], &look);
            let late = days_between(c.planned, c.start);
            if late > 0 && c.number > 1 {
                let from = self.axis.begin(c.planned);
                let look = format!(r#"fill="url(#wait)" stroke="{SOFT}" stroke-width="0.6""#);
                self.canvas.rect([from, y, x0, y + high], &look);
            }
            let style = Style { fill: if c.has_begun() { INK } else { SOFT }, ..bold };
            let number = format!("C{}", c.number);
            let wide = canvas::width(&number, bold);
            let at = (x0 + x1) / 2.0;
            if numbers.place(at - wide / 2.0, at + wide / 2.0) == 0 {
                self.canvas.label_on_fill(&number, [at, y + 13.5], style);
            }
            let delayed = late > 0 && c.number > 1;
            let mut day = short(c.start);
            if delayed {
                day += &format!(" (+{late} d)");
            }
            let wide = canvas::width(&day, SMALL);
            let x = x0.min(RIGHT - wide);
            let named = delayed || (c.number - 1).is_multiple_of(every);
            if named && days.place(x, x + wide) == 0 {
                let style = Style { bold: delayed, ..if c.has_begun() { SMALL } else { FAINT } };
                self.canvas.label(&day, [x, y + high + 12.0], Anchor::Start, style);
            }
        }
        self.lane(y + 13.5, "Cycles", &format!("{} days each", self.protocol.cycle.days));
        y + high + 18.0
    }

    /// The names of months over a rule. Gives the bottom.
    fn months(&mut self, y: f64) -> f64 {
        let style = Style { size: 11.5, ..FAINT };
        let months = self.axis.months();
        let mut rows = canvas::Rows::default();
        let mut year = None;
        let tick = format!(r#"stroke="{SOFT}" stroke-width="0.8""#);
        self.canvas.line([LEFT, y + 17.0], [RIGHT, y + 17.0], &tick);
        for (k, month) in months.iter().enumerate() {
            let x0 = self.axis.begin(*month);
            let x1 = months.get(k + 1).map_or(RIGHT, |m| self.axis.begin(*m));
            if k > 0 {
                self.canvas.line([x0, y + 12.0], [x0, y + 17.0], &tick);
            }
            let name = axis::MONTHS[month.month() as usize - 1];
            let named = if year == Some(month.year()) {
                name.to_owned()
            } else {
                format!("{name} {}", month.year())
            };
            let wide = canvas::width(&named, style);
            let at = ((x0 + x1) / 2.0).clamp(LEFT + wide / 2.0, RIGHT - wide / 2.0);
            let narrow = x1 - x0 < wide * 0.7;
            if !narrow && rows.place(at - wide / 2.0, at + wide / 2.0) == 0 {
                year = Some(month.year());
                self.canvas.label(&named, [at, y + 11.0], Anchor::Middle, style);
            }
        }
        y + 20.0
    }

    /// Lines from top to bottom: cycles, today, the end.
    fn guides(&mut self, top: f64, bottom: f64) {
        let cycles: Vec<Cycle> = self.state.cycles.clone();
        for c in &cycles {
            if self.ended_before(c.start) || !self.axis.holds(c.start) {
                continue;
            }
            let x = self.axis.begin(c.start);
            let look = if c.has_begun() {
                format!(r#"stroke="{RULE}" stroke-width="0.9""#)
            } else {
                format!(r#"stroke="{RULE}" stroke-width="0.9" stroke-dasharray="2 3""#)
            };
            self.canvas.guides.push_str(&line([x, top + 23.0], [x, bottom], &look));
        }
        let mut flags = canvas::Rows::default();
        let mut flag = |canvas: &mut Canvas, x: f64, text: &str, look: &str| {
            canvas.guides.push_str(&line([x, top + 17.0], [x, bottom], look));
            let style = Style { size: 11.5, bold: true, fill: INK };
            let wide = canvas::width(text, style);
            let left = (x - wide / 2.0).clamp(LEFT, RIGHT - wide);
            // Two rows at most: there are two flags.
            let row = flags.place(left, left + wide);
            let y = top - 8.0 - 12.0 * row as f64;
            canvas.label(text, [left, y], Anchor::Start, style);
        };
        let today = self.state.today;
        if let Some((on, why)) = self.state.ended {
            let x = self.axis.end(on);
            let veil = format!(r#"fill="{PAPER}" opacity="0.75""#);
            self.canvas.back.push_str(&rect([x, top + 20.0, RIGHT, bottom], &veil));
            let look = format!(r#"stroke="{INK}" stroke-width="2.2""#);
            let text = format!("ended {}: {}", short(on), ended(why));
            flag(&mut self.canvas, x, &text, &look);
        }
        if self.axis.holds(today) {
            let look = format!(r#"stroke="{INK}" stroke-width="1.1" stroke-dasharray="7 3""#);
            let text = format!("today {}", short(today));
            flag(&mut self.canvas, self.axis.middle(today), &text, &look);
        }
    }

    fn ended_before(&self, day: Date) -> bool {
        self.state.ended.is_some_and(|(on, _)| on < day)
    }

    // ---- foot ------------------------------------------------------------------------------------

    fn foot(&mut self, y: f64) -> f64 {
        let mut y = y;
        let notes = std::mem::take(&mut self.notes);
        for note in &notes {
            for row in wrapped(note, FAINT, RIGHT - GUTTER) {
                self.canvas.label(&row, [GUTTER, y + 10.0], Anchor::Start, FAINT);
                y += 13.5;
            }
        }
        y += 8.0;
        self.separate(y);
        y += 17.0;
        let bold = Style { bold: true, ..SMALL };
        self.canvas.label("Research use only.", [GUTTER, y], Anchor::Start, bold);
        let about = "Not a medical device. Days are civil days; what is to come is a plan.";
        let x = GUTTER + canvas::width("Research use only.", bold) + 6.0;
        self.canvas.label(about, [x, y], Anchor::Start, FAINT);
        let made = concat!("Hepatica ", env!("CARGO_PKG_VERSION"));
        self.canvas.label(made, [RIGHT, y], Anchor::End, FAINT);
        y + 16.0
    }
}

/// Lines no wider than `most`.
fn wrapped(text: &str, style: Style, most: f64) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let longer = rows.last().map(|r| format!("{r} {word}"));
        match longer.filter(|l| canvas::width(l, style) <= most) {
            Some(l) => *rows.last_mut().expect("there is one") = l,
            None => rows.push(canvas::fitted(word, style, most)),
        }
    }
    rows
}

fn ended(why: End) -> &'static str {
    match why {
        End::Progression => "progression",
        End::Intolerance => "intolerance",
        End::Withdrawal => "withdrawal",
        End::Death => "death",
        End::Complete => "all cycles given",
    }
}

/// The days that are shown, and what that leaves out.
fn range(protocol: &Protocol, course: &Course<'_>, state: &State<'_>) -> (Axis, Vec<String>) {
    let first = state.cycles.first().map_or(course.c1d1, |c| c.start);
    let ahead = days_between(first, state.today) < 0;
    let facts = course.entries.iter().filter(|e| seen(e.fact)).map(|e| e.on);
    let facts: Vec<Date> = facts.filter(|d| *d <= state.today).collect();
    let oldest = plus(first, -DAYS_BEFORE);
    let earliest = facts.iter().copied().filter(|d| *d >= oldest).min().unwrap_or(first);
    let earliest = if ahead { earliest.min(state.today).max(oldest) } else { earliest };
    let from = plus(earliest.min(first), -4);
    let older = facts.iter().filter(|d| **d < oldest).count();
    let mut notes = Vec::new();
    if older > 0 {
        notes.push(format!("Not shown: {older} facts from before {}.", long(from)));
    }
    let cycle = i64::from(protocol.cycle.days);
    let planned = state.cycles.last().map_or(first, |c| plus(c.start, cycle - 1));
    let last = facts.iter().copied().max().unwrap_or(first);
    let to = match state.ended {
        Some((on, _)) => plus(last.max(on), DAYS_AFTER),
        None => planned.max(state.today).max(last),
    };
    (Axis { from, to: to.max(plus(from, 27)), left: LEFT, right: RIGHT }, notes)
}

/// Whether a fact has a place in the figure.
fn seen(fact: &hepatica_regimen::Fact) -> bool {
    use hepatica_regimen::Fact;
    matches!(
        fact,
        Fact::Labs { .. }
            | Fact::Doses { .. }
            | Fact::Toxicity { .. }
            | Fact::Simulation(_)
            | Fact::Session { .. }
            | Fact::Procedure { .. }
            | Fact::Scan { .. }
            | Fact::Withdrawal {}
            | Fact::Death {}
    )
}

/// Fills that stay apart in grey print.
fn patterns() -> String {
    let hatch = |id: &str, step: f64, angle: f64, ink: &str, paper: &str, thick: f64| {
        format!(
            r#"<pattern id="{id}" width="{step}" height="{step}" patternUnits="userSpaceOnUse" patternTransform="rotate({angle})"><rect width="{step}" height="{step}" fill="{paper}"/><line x1="0" y1="0" x2="0" y2="{step}" stroke="{ink}" stroke-width="{thick}"/></pattern>"#
        )
    };
    format!(
        "<defs>{}{}</defs>",
        hatch("held", 5.0, 45.0, "#7b8890", PAPER, 2.2),
        hatch("wait", 4.0, -45.0, "#aab4b9", PAPER, 1.2)
    )
}
