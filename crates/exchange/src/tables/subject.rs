//! A course on the day the data are cut, with what every table asks of it.

use hepatica_regimen::course::{Course, Sample, days_between, plus};
use hepatica_regimen::ctcae::{Graded, Laboratory, Limits, Version};
use hepatica_regimen::evidence::Known;
use hepatica_regimen::measure::Measure;
use hepatica_regimen::protocol::Protocol;
use hepatica_regimen::state::State;
use hepatica_regimen::{Agenda, next};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

/// A course on a day: nothing after it is looked at.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The protocol.
    pub protocol: &'a Protocol,
    /// The course.
    pub course: &'a Course<'a>,
    /// Where it stood.
    pub state: State<'a>,
    /// What followed from that.
    pub agenda: Agenda,
    /// The site, if there are several.
    pub site: Option<&'a str>,
    /// The day.
    pub cutoff: Date,
}

/// Days of one cycle on which a drug was taken in the same dose.
#[derive(Debug, Clone, PartialEq)]
pub struct Exposure<'a> {
    /// The drug.
    pub drug: &'a str,
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// Each intake in mg; none where neither record nor prescription says it.
    pub mg_per_intake: Option<f64>,
    /// Whether the dose is the prescribed one, because the record gives none.
    pub prescribed: bool,
}

/// A value with what it is compared with, in the base unit of its measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// Lower limit of normal.
    pub lln: Option<f64>,
    /// Upper limit of normal.
    pub uln: Option<f64>,
    /// Whether a limit is a textbook value, because the site gave none.
    pub textbook: bool,
    /// The grade.
    pub graded: Option<Graded>,
}

impl Judged {
    /// `LOW`, `NORMAL` or `HIGH`; none without limits.
    #[must_use]
    pub fn indicator(&self, value: f64) -> Option<&'static str> {
        match (self.lln, self.uln) {
            (None, None) => None,
            (Some(lln), _) if value < lln => Some("LOW"),
            (_, Some(uln)) if value > uln => Some("HIGH"),
            _ => Some("NORMAL"),
        }
    }
}

impl<'a> Subject<'a> {
    /// A course as it stood on a day.
    #[must_use]
    pub fn of(protocol: &'a Protocol, course: &'a Course<'a>, cutoff: Date) -> Self {
        let state = State::of(protocol, course, cutoff, 1);
        let agenda = next(protocol, course, &state);
        Self { protocol, course, state, agenda, site: None, cutoff }
    }

    /// The same at a site.
    #[must_use]
    pub fn at(self, site: &'a str) -> Self {
        Self { site: Some(site), ..self }
    }

    /// The study: its registry number, else the protocol's identifier.
    #[must_use]
    pub fn study(&self) -> &'a str {
        self.protocol.registry.as_deref().unwrap_or(&self.protocol.id)
    }

    /// What is unique across studies: study, site and patient.
    #[must_use]
    pub fn key(&self) -> String {
        let parts = [Some(self.study()), self.site, Some(self.course.patient)];
        parts.into_iter().flatten().collect::<Vec<_>>().join("-")
    }

    /// Whether a day is one of those looked at.
    #[must_use]
    pub fn until(&self, day: Date) -> bool {
        day <= self.cutoff
    }

    /// First day of cycle 1.
    #[must_use]
    pub fn start(&self) -> Date {
        self.state.cycles.first().map_or(self.course.c1d1, |c| c.start)
    }

    /// Day of the study: 1 is the first day of cycle 1, -1 the day before; there is no 0.
    #[must_use]
    pub fn day(&self, date: Date) -> i64 {
        let days = days_between(self.start(), date);
        if days >= 0 { days + 1 } else { days }
    }

    /// Cycle and its day; none before the first cycle.
    #[must_use]
    pub fn cycle_day(&self, date: Date) -> Option<(u32, u32)> {
        self.state.cycle_day(date).map(|(c, day)| (c.number, day))
    }

    /// `C2D7`, or `SCREENING`.
    #[must_use]
    pub fn visit(&self, date: Date) -> String {
        match self.cycle_day(date) {
            Some((cycle, day)) => format!("C{cycle}D{day}"),
            None => "SCREENING".to_owned(),
        }
    }

    /// `SCREENING`, `TREATMENT`, or `FOLLOW-UP` after the end.
    #[must_use]
    pub fn epoch(&self, date: Date) -> &'static str {
        match self.state.ended {
            _ if date < self.start() => "SCREENING",
            Some((end, _)) if date > end => "FOLLOW-UP",
            _ => "TREATMENT",
        }
    }

    /// Values of a measure that are looked at.
    #[must_use]
    pub fn samples(&self, measure: &str) -> &'a [Sample] {
        self.course.samples_until(measure, self.cutoff)
    }

    /// The last value up to the first day of cycle 1.
    #[must_use]
    pub fn baseline(&self, measure: &str) -> Option<f64> {
        let samples = self.course.samples_until(measure, self.cutoff.min(self.start()));
        samples.last().map(|s| s.value)
    }

    /// Whether the patient is a man; none where nobody said.
    #[must_use]
    pub fn is_male(&self) -> Option<bool> {
        self.samples("sex").last().map(|s| s.value == 0.0)
    }

    /// Age in whole years on the first day of cycle 1.
    #[must_use]
    pub fn age(&self) -> Option<f64> {
        let starts = self.state.starts();
        let (protocol, course, day) = (self.protocol, self.course, self.start());
        let known = Known { protocol, course, cycle_starts: &starts, day, until: self.cutoff };
        known.age_years().or_else(|| known.latest("age").map(|s| s.value.floor()))
    }

    /// Limits and grade of a value: the rules of [`mod@hepatica_regimen::next`].
    #[must_use]
    pub fn judge(&self, measure: &Measure, value: f64) -> Judged {
        let id = measure.id.as_str();
        let usual = measure.usual_limits(self.is_male());
        let (lln, uln) = (self.course.lln.get(id).copied(), self.course.uln.get(id).copied());
        let textbook =
            (lln.is_none() && usual.lln.is_some()) || (uln.is_none() && usual.uln.is_some());
        let (lln, uln) = (lln.or(usual.lln), uln.or(usual.uln));
        let limits = Limits { lln, uln, baseline: self.baseline(id), anticoagulated: false };
        let version = Version::try_from(self.protocol.ctcae).ok();
        let term = Laboratory::of_measure(id);
        let graded = version.zip(term).and_then(|(v, t)| t.grade(v, value, &limits).ok());
        Judged { lln, uln, textbook, graded }
    }

    /// What was taken of every drug, by drug and day. Of two records of a day the later one counts.
    #[must_use]
    pub fn exposures(&self) -> Vec<Exposure<'a>> {
        let records = || self.course.doses.iter().filter(|r| self.until(r.from));
        let foreign = records().map(|r| r.drug);
        let mut drugs: Vec<&'a str> = self.protocol.drug.iter().map(|d| d.id.as_str()).collect();
        let known: BTreeSet<_> = drugs.iter().copied().collect();
        drugs.extend(foreign.filter(|d| !known.contains(d)).collect::<BTreeSet<_>>());
        let mut all: Vec<Exposure<'a>> = Vec::new();
        for drug in drugs {
            let mut taken = Stretches::default();
            for r in records().filter(|r| r.drug == drug) {
                let to = r.to.min(self.cutoff);
                taken.cut(r.from, to);
                if r.taken {
                    taken.0.insert(r.from, (to, r.mg_per_intake));
                }
            }
            let first = all.len();
            for (from, (to, mg)) in &taken.0 {
                for (from, to) in self.pieces(drug, *from, *to) {
                    let dose = mg.or_else(|| self.prescribed(drug, from));
                    let piece =
                        Exposure { drug, from, to, mg_per_intake: dose, prescribed: mg.is_none() };
                    match all[first..].last_mut() {
                        Some(last) if self.continues(last, &piece) => last.to = piece.to,
                        _ => all.push(piece),
                    }
                }
            }
        }
        all
    }

    fn continues(&self, last: &Exposure<'_>, next: &Exposure<'_>) -> bool {
        plus(last.to, 1) == next.from
            && (last.mg_per_intake, last.prescribed) == (next.mg_per_intake, next.prescribed)
            && self.cycle_day(last.from).map(|c| c.0) == self.cycle_day(next.from).map(|c| c.0)
    }

    /// What was prescribed of a drug on a day, in mg an intake.
    fn prescribed(&self, drug: &str, day: Date) -> Option<f64> {
        let mut periods = self.agenda.periods.iter().filter(|p| p.dose.drug == drug);
        periods.find(|p| (p.from..=p.to).contains(&day))?.dose.mg_per_intake
    }

    /// Days cut where a cycle begins or the prescription changes.
    fn pieces(&self, drug: &str, from: Date, to: Date) -> Vec<(Date, Date)> {
        let periods = self.agenda.periods.iter().filter(|p| p.dose.drug == drug);
        let ends = periods.flat_map(|p| [p.from, plus(p.to, 1)]);
        let starts = self.state.cycles.iter().map(|c| c.start).chain(ends);
        let cuts: BTreeSet<Date> = starts.filter(|d| from < *d && *d <= to).collect();
        let firsts: Vec<Date> = std::iter::once(from).chain(cuts).collect();
        let lasts = firsts.iter().skip(1).map(|d| plus(*d, -1)).chain([to]);
        firsts.iter().copied().zip(lasts).collect()
    }

    /// First and last day on which a drug was taken or microspheres were given.
    #[must_use]
    pub fn treated(&self, exposures: &[Exposure<'_>]) -> Option<(Date, Date)> {
        let sessions = self.course.sessions.iter().map(|s| s.on).filter(|d| self.until(*d));
        let first = exposures.iter().map(|e| e.from).chain(sessions.clone()).min()?;
        let last = exposures.iter().map(|e| e.to).chain(sessions).max()?;
        Some((first, last))
    }

    /// The last day of which anything is recorded.
    #[must_use]
    pub fn last_known(&self) -> Option<Date> {
        self.course.entries.iter().map(|e| e.on).filter(|d| self.until(*d)).max()
    }
}

/// Stretches of days that do not overlap, by their first days, each with its last day and dose.
#[derive(Debug, Default)]
struct Stretches(BTreeMap<Date, (Date, Option<f64>)>);

impl Stretches {
    /// Takes days out.
    fn cut(&mut self, from: Date, to: Date) {
        let before = self.0.range(..from).next_back().map(|(f, v)| (*f, *v));
        if let Some((first, (last, mg))) = before.filter(|(_, (last, _))| *last >= from) {
            self.0.insert(first, (plus(from, -1), mg));
            if last > to {
                self.0.insert(plus(to, 1), (last, mg));
            }
        }
        let inside: Vec<Date> = self.0.range(from..=to).map(|(f, _)| *f).collect();
        for first in inside {
            if let Some((last, mg)) = self.0.remove(&first)
                && last > to
            {
                self.0.insert(plus(to, 1), (last, mg));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: i8) -> Date {
        jiff::civil::date(2027, 1, n)
    }

    #[test]
    fn stretches_are_cut() {
        let mut s = Stretches::default();
        s.0.insert(day(1), (day(10), Some(1.0)));
        s.cut(day(4), day(5));
        s.cut(day(9), day(12));
        let left: Vec<_> = s.0.iter().map(|(f, (t, _))| (f.day(), t.day())).collect();
        assert_eq!(left, [(1, 3), (6, 8)]);
        s.cut(day(1), day(1));
        assert_eq!(s.0.keys().map(|d| d.day()).collect::<Vec<_>>(), [2, 6]);
    }
}
