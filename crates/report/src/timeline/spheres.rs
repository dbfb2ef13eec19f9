//! The dose rate of the spheres, and how much of the dose each drug overlaps.

use super::axis::short;
use super::canvas::{Anchor, FAINT, RULE, Rows, SMALL, Style, fitted, line, n, through, width};
use super::doses::{DoseDay, days};
use super::{Figure, LEFT, RIGHT};
use hepatica_physics::{Nuclide, TimeSpan};
use hepatica_planning::device::Device;
use hepatica_regimen::course::{days_between, plus};
use hepatica_regimen::exposure::delivered;
use hepatica_regimen::next::{Kind, Status};
use hepatica_regimen::protocol::ProcedureKind;
use hepatica_regimen::{Fact, State};
use jiff::civil::Date;
use std::collections::BTreeMap;

/// Height of a curve.
const HIGH: f64 = 58.0;
/// Half-lives that are drawn: what is left is a thousandth.
const HALF_LIVES: f64 = 10.0;
/// Hour of a session where none is recorded.
const HOUR: f64 = 12.0;
/// Fills by how many drugs are taken, the darkest for most.
const FILLS: [&str; 3] = ["#f0e4e1", "#d99c8e", "#a4462f"];
const CURVE: &str = "#7c2a17";

/// A session that was given or is planned.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Its name.
    pub name: String,
    /// The day.
    pub on: Date,
    /// Hours after the beginning of that day.
    pub hour: f64,
    /// Activity that stayed in the patient, GBq, if it was given.
    pub activity_gbq: Option<f64>,
    /// Whether it was given.
    pub done: bool,
    /// What decays.
    pub half_life: TimeSpan,
}

impl Session {
    /// Time from the instillation to the beginning of a day.
    pub fn until(&self, day: Date) -> TimeSpan {
        TimeSpan::from_h(24.0 * days_between(self.on, day) as f64 - self.hour)
    }

    /// Dose rate on an instant as a share of that at the instillation.
    pub fn rate(&self, after: TimeSpan) -> f64 {
        if after < TimeSpan::ZERO { 0.0 } else { (-(after / self.half_life)).exp2() }
    }

    /// Fraction of the dose that is delivered on those days from `from` to before `to` on which a
    /// drug is taken. In one cycle with nothing held or missed it is what
    /// [`hepatica_regimen::exposure::overlap`] says.
    pub fn overlap(&self, days: &BTreeMap<Date, DoseDay>, [from, to]: [Date; 2]) -> f64 {
        let within = days.range(from..to).filter(|(_, d)| d.day.counts());
        let one = |d: Date| delivered(self.half_life, self.until(d), self.until(plus(d, 1)));
        within.map(|(date, _)| one(*date)).sum()
    }
}

/// The days of which it is known whether drugs are taken: from the first day of a session's cycle
/// to the end of the last cycle that has begun, and to the end of its own in any case.
fn known_days(state: &State<'_>, cycle_days: u32, day: Date) -> [Date; 2] {
    let Some((cycle, _)) = state.cycle_day(day) else { return [day, plus(day, 1)] };
    let later = state.cycles.iter().find(|c| c.number > cycle.number && !c.has_begun());
    let last = state.cycles.last().map_or(day, |c| plus(c.start, i64::from(cycle_days)));
    [cycle.start, later.map_or(last, |c| c.start)]
}

impl Figure<'_, '_> {
    /// Nuclide of a device; the text says what was assumed.
    fn nuclide(&self, device: Option<&str>) -> Result<(Nuclide, Option<String>), String> {
        let Some(id) = device else {
            let note = "No device is recorded: the dose rate is drawn for 90Y.".to_owned();
            return Ok((Nuclide::Y90, Some(note)));
        };
        // A name, never a path: a figure opens no files.
        let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let device = plain.then(|| Device::named(id).ok()).flatten();
        let unknown =
            || format!("The half-life of device {id} is not known: its dose rate is not drawn.");
        device.map(|d| (d.nuclide(), None)).ok_or_else(unknown)
    }

    /// Sessions given and planned, by day, and what a reader must know of them.
    pub(super) fn sessions(&self) -> (Vec<Session>, Vec<String>) {
        let (mut sessions, mut notes) = (Vec::new(), Vec::new());
        let mut put =
            |name: &str, on: Date, hour: f64, gbq: Option<f64>, device: Option<&str>| match self
                .nuclide(device)
            {
                Ok((nuclide, note)) => {
                    notes.extend(note);
                    let (name, done) = (name.to_owned(), gbq.is_some());
                    let half_life = nuclide.half_life;
                    sessions.push(Session { name, on, hour, activity_gbq: gbq, done, half_life });
                }
                Err(note) => notes.push(note),
            };
        let name = |id: &str| {
            self.protocol
                .procedure
                .iter()
                .find(|p| p.id == id)
                .map_or(id.to_owned(), |p| p.name.clone())
        };
        let mut hourless = false;
        for e in self.course.entries.iter().filter(|e| e.on <= self.state.today) {
            let Fact::Session { procedure, activity_gbq, residual_gbq, device, .. } = e.fact else {
                continue;
            };
            let hour = e.at.map(|t| f64::from(t.hour()) + f64::from(t.minute()) / 60.0);
            hourless |= hour.is_none();
            let gbq = activity_gbq - residual_gbq.unwrap_or(0.0);
            let device = device.as_deref().or(self.course.device);
            put(&name(procedure), e.on, hour.unwrap_or(HOUR), Some(gbq), device);
        }
        let planned = [Status::Upcoming, Status::Due, Status::Held, Status::Undecided];
        for o in &self.agenda.obligations {
            let session =
                self.protocol.procedures(ProcedureKind::Radioembolization).any(|p| p.id == o.what);
            if o.kind == Kind::Procedure && session && planned.contains(&o.status) {
                hourless = true;
                put(&o.name, o.target.max(self.state.today), HOUR, None, self.course.device);
            }
        }
        sessions.retain(|s| self.axis.holds(s.on));
        sessions.sort_by_key(|s| s.on);
        if hourless && !sessions.is_empty() {
            notes.push("Sessions without a recorded hour are put at noon.".to_owned());
        }
        notes.sort();
        notes.dedup();
        (sessions, notes)
    }

    /// The dose rate under the drugs, with what each overlaps. Gives the bottom.
    pub(super) fn spheres(&mut self, y: f64) -> f64 {
        let wanted = self.protocol.procedures(ProcedureKind::Radioembolization).next().is_some();
        let (sessions, notes) = self.sessions();
        self.notes.extend(notes);
        if !wanted && sessions.is_empty() {
            return y;
        }
        self.separate(y);
        if sessions.is_empty() {
            self.lane(y + 18.0, "Dose rate", "no session planned");
            return y + 38.0;
        }
        let by_drug: Vec<BTreeMap<Date, DoseDay>> = self
            .protocol
            .drug
            .iter()
            .map(|d| days(d, self.course, self.state, self.agenda))
            .collect();
        let mut rows = Rows::default();
        let bold = Style { bold: true, ..SMALL };
        let blocks: Vec<_> = sessions
            .iter()
            .map(|s| {
                let known = known_days(self.state, self.protocol.cycle.days, s.on);
                let mut head = format!("{}, {}", s.name, short(s.on));
                match s.activity_gbq {
                    Some(gbq) => head += &format!(", {gbq:.2} GBq"),
                    None => head += ", planned",
                }
                let mut text = vec![fitted(&head, bold, 260.0)];
                for (drug, days) in self.protocol.drug.iter().zip(&by_drug) {
                    let share = 100.0 * s.overlap(days, known);
                    text.push(fitted(&format!("{share:.1} % with {}", drug.name), SMALL, 260.0));
                }
                let wide = text.iter().map(|t| width(t, bold)).fold(0.0, f64::max);
                let x = self.axis.at(self.axis.days(s.on) + s.hour / 24.0);
                let left = (x + 5.0).min(RIGHT - wide);
                (rows.place(left.min(x), left + wide), left, x, text)
            })
            .collect();
        let tall = 13.0 * (1 + self.protocol.drug.len()) as f64 + 5.0;
        let base = y + 6.0 + tall * rows.len() as f64 + HIGH;
        let line_look = format!(r#"stroke="{RULE}" stroke-width="0.8""#);
        self.canvas.back.push_str(&line([LEFT, base], [RIGHT, base], &line_look));
        for (s, (row, left, x, text)) in sessions.iter().zip(&blocks) {
            self.curve(s, &by_drug, base);
            let top = y + 6.0 + tall * *row as f64;
            let dash = if s.done { "" } else { r#" stroke-dasharray="4 3""# };
            let look = format!(r#"stroke="{CURVE}" stroke-width="1.4"{dash}"#);
            self.canvas.guides.push_str(&line([*x, top + 2.0], [*x, base], &look));
            for (k, t) in text.iter().enumerate() {
                let style = if k == 0 { bold } else { SMALL };
                let at = [*left, top + 10.0 + 13.0 * k as f64];
                self.canvas.label(t, at, Anchor::Start, style);
            }
        }
        for (share, text) in [(1.0, "100 %"), (0.5, "50")] {
            let up = base - HIGH * share;
            self.canvas.line([LEFT - 4.0, up], [LEFT, up], &line_look);
            self.canvas.label(text, [LEFT - 6.0, up + 3.5], Anchor::End, FAINT);
        }
        let half_lives: Vec<String> = {
            let mut all: Vec<f64> = sessions.iter().map(|s| s.half_life.h()).collect();
            all.sort_by(f64::total_cmp);
            all.dedup();
            all.iter().map(|h| n(*h)).collect()
        };
        self.lane(base - 26.0, "Dose rate", &format!("half-life {} h", half_lives.join(" and ")));
        base + 8.0
    }

    /// One session's curve, filled by how many drugs are taken meanwhile.
    fn curve(&mut self, s: &Session, by_drug: &[BTreeMap<Date, DoseDay>], base: f64) {
        let days = HALF_LIVES * s.half_life.d();
        let start = self.axis.days(s.on) + s.hour / 24.0;
        let point = |t: f64| {
            let share = s.rate(TimeSpan::from_d(t));
            [self.axis.at(start + t), base - HIGH * share]
        };
        // Day by day: the fill changes at midnights only.
        let mut areas: Vec<(usize, f64, f64)> = Vec::new();
        let (mut t, mut date) = (0.0, s.on);
        let last = days.min(self.axis.days(self.axis.to) + 1.0 - start);
        while t < last {
            let end = s.until(plus(date, 1)).d().min(last);
            let taken = by_drug.iter().filter(|d| d.get(&date).is_some_and(|d| d.day.counts()));
            let count = taken.count().min(FILLS.len() - 1);
            match areas.last_mut() {
                Some((c, _, to)) if *c == count => *to = end,
                _ => areas.push((count, t, end)),
            }
            (t, date) = (end, plus(date, 1));
        }
        let steps = |from: f64, to: f64| {
            let n = ((to - from) / 0.1).ceil().max(1.0) as usize;
            (0..=n).map(move |k| from + (to - from) * k as f64 / n as f64)
        };
        for (count, from, to) in areas {
            let mut points: Vec<[f64; 2]> = steps(from, to).map(point).collect();
            points.push([point(to)[0], base]);
            points.push([point(from)[0], base]);
            let soft = if s.done { "" } else { r#" fill-opacity="0.55""# };
            let look = format!(r#"fill="{}"{soft}"#, FILLS[count]);
            self.canvas.path(&(through(&points) + "Z"), &look);
        }
        let points: Vec<[f64; 2]> = steps(0.0, last).map(point).collect();
        let dash = if s.done { "" } else { r#" stroke-dasharray="4 3""# };
        let look = format!(r#"fill="none" stroke="{CURVE}" stroke-width="1.6"{dash}"#);
        self.canvas.path(&through(&points), &look);
    }

    /// Fills for the legend.
    pub(super) fn fills() -> [(&'static str, &'static str); 3] {
        [("no drug", FILLS[0]), ("one drug", FILLS[1]), ("two or more", FILLS[2])]
    }
}
