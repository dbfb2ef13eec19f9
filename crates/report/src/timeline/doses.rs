//! What was taken of each drug and what is planned, day by day, as bars.

use super::axis::short;
use super::canvas::{Anchor, INK, PAPER, RULE, Rows, SMALL, SOFT, Style, line, width};
use super::{Figure, LEFT, RIGHT};
use hepatica_regimen::course::plus;
use hepatica_regimen::next::DosePeriod;
use hepatica_regimen::protocol::Drug;
use hepatica_regimen::state::HoldCause;
use hepatica_regimen::{Agenda, Course, State};
use jiff::civil::Date;
use std::collections::BTreeMap;

/// Colours of drugs, dark enough for white letters; lanes tell drugs apart in grey print.
const COLOURS: [&str; 6] = ["#24578f", "#a35a00", "#0a6f59", "#7d3f83", "#4d5a20", "#7a2f2f"];
/// Height of a bar of the starting level.
const BAR: f64 = 24.0;

/// How a day of a drug stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// Recorded as taken.
    Taken,
    /// Past, and nothing is recorded.
    Presumed,
    /// To come.
    Planned,
    /// Recorded as not taken.
    Missed,
    /// Held.
    Held,
}

impl Day {
    /// Whether the drug is in the body, as far as is known or planned.
    pub fn counts(self) -> bool {
        matches!(self, Self::Taken | Self::Presumed | Self::Planned)
    }
}

/// A day of a drug and the dose of its level as a share of the starting one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DoseDay {
    /// How it stands.
    pub day: Day,
    /// Share of the starting dose; none where no variant is chosen.
    pub share: Option<f64>,
}

/// The days of a drug. What is recorded wins over what was planned.
pub fn days(
    drug: &Drug,
    course: &Course<'_>,
    state: &State<'_>,
    agenda: &Agenda,
) -> BTreeMap<Date, DoseDay> {
    let mut days = BTreeMap::new();
    let mut share = None;
    for p in periods(agenda, &drug.id) {
        if p.dose.stopped || state.ended.is_some_and(|(on, _)| on < p.from) {
            continue;
        }
        share = p.share_of_start.or(share);
        let begun = state.cycle(p.cycle).is_some_and(|c| c.has_begun());
        let mut date = p.from;
        while date <= p.to {
            let day = if p.dose.held.is_some() {
                Day::Held
            } else if begun && date < state.today {
                Day::Presumed
            } else {
                Day::Planned
            };
            days.insert(date, DoseDay { day, share: p.share_of_start });
            date = plus(date, 1);
        }
    }
    for r in course.doses.iter().filter(|r| r.drug == drug.id) {
        // Nobody records more days than a course has.
        let last = r.to.min(state.today).min(plus(r.from, 400));
        let mut date = r.from;
        while date <= last {
            let day = if r.taken { Day::Taken } else { Day::Missed };
            let known = days.get(&date).copied();
            if r.taken || known.is_some_and(|d| d.day != Day::Held) {
                let share = known.map_or(share, |d| d.share);
                days.insert(date, DoseDay { day, share });
            }
            date = plus(date, 1);
        }
    }
    days
}

/// Stretches of days that are alike.
pub fn runs(days: &BTreeMap<Date, DoseDay>) -> Vec<(Date, Date, DoseDay)> {
    let mut runs: Vec<(Date, Date, DoseDay)> = Vec::new();
    for (date, day) in days {
        match runs.last_mut() {
            Some((_, to, last)) if last == day && plus(*to, 1) == *date => *to = *date,
            _ => runs.push((*date, *date, *day)),
        }
    }
    runs
}

fn periods<'a>(agenda: &'a Agenda, drug: &str) -> impl Iterator<Item = &'a DosePeriod> {
    agenda.periods.iter().filter(move |p| p.dose.drug == drug)
}

impl Figure<'_, '_> {
    /// A lane for every drug. Gives the bottom.
    pub(super) fn drugs(&mut self, y: f64) -> f64 {
        let mut y = y;
        for (k, drug) in self.protocol.drug.iter().enumerate() {
            self.separate(y);
            y = self.drug(k, drug, y);
        }
        y
    }

    fn drug(&mut self, k: usize, drug: &Drug, y: f64) -> f64 {
        let days = days(drug, self.course, self.state, self.agenda);
        let highest = days.values().filter_map(|d| d.share).fold(1.0, f64::max);
        let labels = self.dose_labels(k, drug);
        let mut rows = Rows::default();
        let placed: Vec<_> = labels
            .iter()
            .map(|(at, text, style)| {
                let wide = width(text, *style);
                let left = at.min(RIGHT - wide);
                (rows.place(left, left + wide), left, text, *style)
            })
            .collect();
        let above = 5.0 + 13.0 * rows.len() as f64;
        let base = y + above + BAR * highest + 3.0;
        for (row, left, text, style) in placed {
            let up = base - BAR * highest - 5.0 - 13.0 * row as f64;
            self.canvas.label(text, [left, up], Anchor::Start, style);
        }
        let colour = COLOURS[k % COLOURS.len()];
        let rule = format!(r#"stroke="{RULE}" stroke-width="0.8""#);
        self.canvas.back.push_str(&line([LEFT, base], [RIGHT, base], &rule));
        if days.values().any(|d| d.share.is_some_and(|s| s != 1.0)) {
            let dots = format!(r#"stroke="{SOFT}" stroke-width="0.7" stroke-dasharray="1 3""#);
            let full = base - BAR;
            self.canvas.back.push_str(&line([LEFT, full], [RIGHT, full], &dots));
        }
        for (from, to, d) in runs(&days) {
            if to < self.axis.from || from > self.axis.to {
                continue;
            }
            let top = base - BAR * d.share.unwrap_or(1.0);
            let bar = [self.axis.begin(from), top, self.axis.end(to), base];
            let look = match d.day {
                Day::Taken => format!(r#"fill="{colour}""#),
                Day::Presumed => {
                    format!(
                        r#"fill="{colour}" fill-opacity="0.55" stroke="{colour}" stroke-width="0.7""#
                    )
                }
                Day::Planned => {
                    format!(
                        r#"fill="{colour}" fill-opacity="0.13" stroke="{colour}" stroke-width="1" stroke-dasharray="3 2""#
                    )
                }
                Day::Missed => format!(r#"fill="{PAPER}" stroke="{colour}" stroke-width="0.9""#),
                Day::Held => format!(r#"fill="url(#held)" stroke="{SOFT}" stroke-width="0.8""#),
            };
            self.canvas.rect(bar, &look);
            if d.day == Day::Missed {
                let cross = format!(r#"stroke="{colour}" stroke-width="0.9""#);
                self.canvas.line([bar[0], bar[1]], [bar[2], bar[3]], &cross);
                self.canvas.line([bar[0], bar[3]], [bar[2], bar[1]], &cross);
            }
        }
        self.stop_mark(k, base);
        let today = self.agenda.doses.iter().find(|a| a.drug == drug.id);
        let dose = today.map_or_else(String::new, |a| match (a.stopped, a.mg_per_intake) {
            (true, _) => "stopped".to_owned(),
            (_, None) => "dose not known".to_owned(),
            (_, Some(mg)) => format!("{mg} mg {}", times(a.times_a_day)),
        });
        self.named(base - 12.0, &drug.name, &dose, LEFT - super::GUTTER - 8.0);
        base + 6.0
    }

    /// What is written over the bars: the dose where it begins and where it changes, holds, the
    /// stop.
    fn dose_labels(&self, k: usize, drug: &Drug) -> Vec<(f64, String, Style)> {
        let mut labels = Vec::new();
        let bold = Style { bold: true, ..SMALL };
        let mut before: Option<(String, Option<f64>)> = None;
        for p in periods(self.agenda, &drug.id) {
            if p.dose.stopped || p.dose.held.is_some() || self.ended_before(p.from) {
                continue;
            }
            let now = (p.dose.level.clone(), p.dose.mg_per_intake);
            if before.as_ref() == Some(&now) {
                continue;
            }
            let changed = before.as_ref().is_some_and(|b| b.0 != now.0);
            let level = p.dose.level.replace('-', "−");
            let dose =
                p.dose.mg_per_intake.map(|mg| format!("{mg} mg {}", times(p.dose.times_a_day)));
            let share = p.share_of_start.filter(|s| *s != 1.0);
            let share = share.map(|s| format!(" ({:.0} %)", 100.0 * s)).unwrap_or_default();
            let text = match (&before, dose) {
                (None, Some(d)) if level == "0" => d,
                (_, Some(d)) if changed || before.is_none() => format!("level {level}{share}: {d}"),
                (_, Some(d)) => d,
                (_, None) if self.course.variant.is_some() || self.protocol.variant.len() == 1 => {
                    format!("level {level}{share}")
                }
                (_, None) => "dose not known".to_owned(),
            };
            before = Some(now);
            let style = if changed { bold } else { SMALL };
            if self.axis.holds(p.from) {
                labels.push((self.axis.begin(p.from), text, style));
            }
        }
        let Some(state) = self.state.drugs.get(k) else { return labels };
        for h in state.holds.iter().filter(|h| self.axis.holds(h.from)) {
            let why = match h.because {
                HoldCause::Toxicity { term, grade, .. } => format!("held: {term} {grade}"),
                HoldCause::Decision { .. } => "held by decision".to_owned(),
            };
            let why = super::canvas::fitted(&why, SMALL, 220.0);
            labels.push((self.axis.begin(h.from), why, SMALL));
        }
        if let Some(on) = state.stopped().filter(|on| self.axis.holds(*on)) {
            labels.push((self.axis.begin(on), format!("stopped {}", short(on)), bold));
        }
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        labels
    }

    fn stop_mark(&mut self, k: usize, base: f64) {
        let stopped = self.state.drugs.get(k).and_then(|d| d.stopped());
        if let Some(on) = stopped.filter(|on| self.axis.holds(*on)) {
            let x = self.axis.begin(on);
            let look = format!(r#"stroke="{INK}" stroke-width="2""#);
            self.canvas.line([x, base - BAR], [x, base + 2.0], &look);
        }
    }
}

/// `twice a day`.
fn times(n: u32) -> String {
    match n {
        1 => "once a day".to_owned(),
        2 => "twice a day".to_owned(),
        n => format!("{n} times a day"),
    }
}
