//! The patient's calendar as PDF: how to take each drug, then a page a month, in large type that
//! prints in black and white. A number of tablets is shown only where the dose is known; where it
//! is not, or the cycle waits, the day says to ask the team. There is no name in it, only the
//! identifier.

use crate::ReportError;
use crate::texts::{Texts, filled};
use crate::world::{Files, World};
use hepatica_regimen::course::plus;
use hepatica_regimen::dose::Piece;
use hepatica_regimen::next::{DosePeriod, Kind, Obligation, Status};
use hepatica_regimen::protocol::{AssessmentKind, Drug};
use hepatica_regimen::state::{Begun, Cycle};
use hepatica_regimen::{Agenda, Course, ProcedureKind, Protocol, State};
use jiff::civil::Date;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use typst::foundations::Bytes;

const CALENDAR: &str = include_str!("../templates/calendar.typ");
/// Most months: beyond three years nothing is laid out.
const MOST_MONTHS: usize = 36;

/// The calendar of so many months, from the month of what comes next, with a blank line for whom
/// to call.
///
/// # Errors
/// When the texts lack an instruction that the protocol asks for, or the typesetter refuses.
pub fn pdf(
    protocol: &Protocol,
    course: &Course<'_>,
    state: &State<'_>,
    agenda: &Agenda,
    texts: &Texts,
    months: usize,
) -> Result<Vec<u8>, ReportError> {
    pdf_with_call(protocol, course, state, agenda, texts, months, None)
}

/// [`pdf`] with whom to call: names and numbers, line by line.
///
/// # Errors
/// As [`pdf`].
pub fn pdf_with_call(
    protocol: &Protocol,
    course: &Course<'_>,
    state: &State<'_>,
    agenda: &Agenda,
    texts: &Texts,
    months: usize,
    call: Option<&str>,
) -> Result<Vec<u8>, ReportError> {
    let pages = Pages { protocol, course, state, agenda, texts };
    let data = pages.data(months, call)?;
    let mut files = Files::new();
    files.insert("data.json".to_owned(), Bytes::new(serde_json::to_vec(&data)?));
    let ident = format!("hepatica calendar {} {}", course.patient, state.today);
    World::new(CALENDAR, files).pdf(&ident)
}

/// What the pages are made from.
struct Pages<'a, 'e> {
    protocol: &'a Protocol,
    course: &'a Course<'e>,
    state: &'a State<'e>,
    agenda: &'a Agenda,
    texts: &'a Texts,
}

/// A time of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    Morning,
    Midday,
    Evening,
}

impl Time {
    fn id(self) -> &'static str {
        match self {
            Self::Morning => "morning",
            Self::Midday => "midday",
            Self::Evening => "evening",
        }
    }
}

/// When a drug is taken; empty where only how often is known. What the protocol says of the time
/// of the day counts only for what is taken once: twice a day is morning and evening.
fn times(drug: &Drug, times_a_day: u32) -> Vec<Time> {
    let says = |key: &str| drug.instructions.iter().any(|k| k == key);
    match times_a_day {
        1 if says("morning") => vec![Time::Morning],
        1 if says("evening") => vec![Time::Evening],
        2 => vec![Time::Morning, Time::Evening],
        3 => vec![Time::Morning, Time::Midday, Time::Evening],
        _ => Vec::new(),
    }
}

impl Pages<'_, '_> {
    fn data(&self, months: usize, call: Option<&str>) -> Result<Value, ReportError> {
        let t = self.texts;
        let first = self.first_month();
        let mut pages = Vec::new();
        let mut month = first;
        for _ in 0..months.clamp(1, MOST_MONTHS) {
            pages.push(self.month(month));
            month = plus(month, 32).first_of_month();
        }
        let patient = filled(&t.patient, &[("id", self.course.patient)]);
        let ended = self.state.ended.map(|(on, _)| filled(&t.ended, &[("date", &t.date(on))]));
        let call: Vec<&str> = call.map_or(Vec::new(), |c| c.lines().collect());
        Ok(json!({
            "language": t.language,
            "title": t.title,
            "patient": patient,
            "protocol": self.protocol.name,
            "made": t.date(self.state.today),
            "rehearsal": (self.course.told_ahead().count() > 0).then_some(&t.rehearsal),
            "ended": ended,
            "texts": t,
            "weekdays": t.weekdays,
            "drugs": self.instructions()?,
            "call": call,
            "months": pages,
        }))
    }

    /// The month of the first thing to come; that of today where nothing is.
    fn first_month(&self) -> Date {
        let today = self.state.today;
        let open = |o: &&Obligation| {
            o.latest >= today
                && !matches!(o.status, Status::Done | Status::NotNeeded | Status::Cancelled)
        };
        let next = self.agenda.obligations.iter().filter(open).map(|o| o.target.max(today)).min();
        next.unwrap_or(today).first_of_month()
    }

    // ---- how to take -----------------------------------------------------------------------------

    fn instructions(&self) -> Result<Vec<Value>, ReportError> {
        let t = self.texts;
        let mut cards = Vec::new();
        for drug in &self.protocol.drug {
            let times_a_day = drug.times_a_day(self.course.variant);
            let times = times(drug, times_a_day);
            let mut lines = Vec::new();
            for key in &drug.instructions {
                // Twice a day is never `in the evening`.
                let fits = match key.as_str() {
                    "morning" => times == [Time::Morning],
                    "evening" => times == [Time::Evening],
                    "morning-and-evening" => times.len() == 2,
                    _ => true,
                };
                // Asked for in any case: a key that is not there is an error on every day.
                let line = t.instruction(key, &drug.id, self.protocol)?;
                if fits {
                    lines.push(line);
                }
            }
            let key = "morning-and-evening";
            if times.len() == 2
                && drug.form.is_some()
                && !drug.instructions.iter().any(|k| k == key)
            {
                lines.push(t.instruction(key, &drug.id, self.protocol)?);
            }
            let stopped = self.agenda.doses.iter().any(|a| a.drug == drug.id && a.stopped);
            cards.push(json!({
                "name": drug.name,
                "infusion": drug.form.is_none(),
                "times": times.iter().map(|x| x.id()).collect::<Vec<_>>(),
                "often": self.often(times_a_day, &times),
                "lines": lines,
                "stopped": stopped,
            }));
        }
        Ok(cards)
    }

    fn often(&self, times_a_day: u32, times: &[Time]) -> String {
        let t = self.texts;
        let word = |time: &Time| match time {
            Time::Morning => t.morning.as_str(),
            Time::Midday => t.midday.as_str(),
            Time::Evening => t.evening.as_str(),
        };
        if !times.is_empty() {
            return times.iter().map(word).collect::<Vec<_>>().join(", ");
        }
        match times_a_day {
            1 => t.once_a_day.clone(),
            n => filled(&t.times_a_day, &[("count", &n.to_string())]),
        }
    }

    // ---- months ----------------------------------------------------------------------------------

    fn month(&self, first: Date) -> Value {
        let mut weeks: Vec<Vec<Value>> = Vec::new();
        let blank = i64::from(first.weekday().to_monday_zero_offset());
        let mut date = plus(first, -blank);
        let last = first.last_of_month();
        while date <= last {
            let week = (0..7).map(|n| plus(date, n)).map(|d| {
                let inside = (first..=last).contains(&d);
                if inside { self.day(d) } else { Value::Null }
            });
            weeks.push(week.collect());
            date = plus(date, 7);
        }
        json!({ "name": self.texts.month(first), "weeks": weeks })
    }

    fn day(&self, date: Date) -> Value {
        let t = self.texts;
        let over = self.state.ended.is_some_and(|(on, _)| on < date);
        let cycle = self.state.cycles.iter().find(|c| c.start == date && !over).map(|c| {
            let text = if c.has_begun() { &t.cycle_begins } else { &t.cycle_may_begin };
            filled(text, &[("number", &c.number.to_string())])
        });
        let drugs: Vec<Value> = if over {
            Vec::new()
        } else {
            self.agenda.periods.iter().filter_map(|p| self.drug(p, date)).collect()
        };
        json!({
            "day": date.day(),
            "past": date < self.state.today,
            "today": date == self.state.today,
            "cycle": cycle,
            "beyond": (!over && self.is_beyond(date)).then_some(&t.not_planned),
            "drugs": drugs,
            "appointments": self.appointments(date),
        })
    }

    /// Whether nothing is laid out for a day: it is not a day off.
    fn is_beyond(&self, date: Date) -> bool {
        let Some(last) = self.state.cycles.last() else { return true };
        let complete = Some(last.number) == self.protocol.cycle.at_most;
        let end = plus(last.start, i64::from(self.protocol.cycle.days));
        date >= end && (!complete || last.begun == Begun::Exhausted)
    }

    /// Whether a cycle's days are not to be counted on: it waits, or one before it does.
    fn waits(&self, number: u32) -> bool {
        let waiting = |c: &&Cycle| matches!(c.begun, Begun::Waiting | Begun::Exhausted);
        self.state.cycles.iter().filter(waiting).any(|c| c.number <= number)
    }

    fn drug(&self, p: &DosePeriod, date: Date) -> Option<Value> {
        let (t, dose) = (self.texts, &p.dose);
        if dose.stopped || !(p.from..=p.to).contains(&date) {
            return None;
        }
        let drug = self.protocol.drug(&dose.drug)?;
        let ask = || json!({ "name": dose.name, "state": "ask", "text": t.ask_your_team });
        if dose.held.is_some() {
            return Some(json!({ "name": dose.name, "state": "hold", "text": t.on_hold }));
        }
        if self.waits(p.cycle) || !dose.needs.is_empty() {
            return Some(ask());
        }
        let Some(form) = &drug.form else {
            return Some(json!({ "name": dose.name, "state": "infusion", "text": t.infusion }));
        };
        // Nothing is needed and yet nothing is known: no number either.
        let Some(intake) = dose.intake.as_ref().filter(|i| i.pieces() > 0) else {
            return Some(ask());
        };
        let mut strengths = form.tablets_mg.clone();
        strengths.sort_by(|a, b| b.total_cmp(a));
        let pieces: Vec<Value> = intake
            .counts
            .iter()
            .map(|c| {
                let [one, many] = match intake.piece {
                    Piece::Tablet => &t.tablet,
                    Piece::Capsule => &t.capsule,
                };
                let strength = t.number(c.strength_mg);
                let count = c.count.to_string();
                let piece = if c.count == 1 { one } else { many };
                let words = [("count", count.as_str()), ("piece", piece), ("strength", &strength)];
                json!({
                    "count": c.count,
                    "strength": strength,
                    "rank": strengths.iter().position(|s| *s == c.strength_mg).unwrap_or(0),
                    "capsule": intake.piece == Piece::Capsule,
                    "words": filled(&t.pieces, &words),
                })
            })
            .collect();
        let times = times(drug, dose.times_a_day);
        Some(json!({
            "name": dose.name,
            "state": "take",
            "times": times.iter().map(|x| x.id()).collect::<Vec<_>>(),
            "often": times.is_empty().then(|| self.often(dose.times_a_day, &times)),
            "each": (dose.times_a_day > 1).then_some(&t.each_time),
            "pieces": pieces,
        }))
    }

    // ---- appointments ----------------------------------------------------------------------------

    fn appointments(&self, date: Date) -> Vec<Value> {
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for o in &self.agenda.obligations {
            if o.done.unwrap_or(o.target.max(self.late(o))) != date {
                continue;
            }
            let Some((kind, what)) = self.appointment(o) else { continue };
            let text = match o.status {
                Status::NotNeeded | Status::Cancelled | Status::Missed => continue,
                Status::Undecided => filled(&self.texts.if_needed, &[("what", &what)]),
                Status::Held => filled(&self.texts.if_confirmed, &[("what", &what)]),
                _ => what,
            };
            if seen.insert(text.clone()) {
                all.push(json!({ "kind": kind, "text": text }));
            }
        }
        all
    }

    /// What should be done and is not yet is put on today at the earliest.
    fn late(&self, o: &Obligation) -> Date {
        let open = matches!(o.status, Status::Due | Status::Overdue | Status::Held);
        if open { self.state.today } else { Date::MIN }
    }

    /// What a patient knows it as: the kind, not the protocol's words for those who treat.
    fn appointment(&self, o: &Obligation) -> Option<(&'static str, String)> {
        let (t, p) = (self.texts, self.protocol);
        match o.kind {
            Kind::Cycle | Kind::Drug => None,
            Kind::Assessment => {
                let a = p.assessment.iter().find(|a| a.id == o.what)?;
                Some(match a.kind {
                    AssessmentKind::Laboratory => ("blood", t.blood.clone()),
                    AssessmentKind::Imaging => ("scan", t.scan.clone()),
                    AssessmentKind::Visit => ("visit", t.visit.clone()),
                })
            }
            Kind::Procedure => {
                let procedure = p.procedure.iter().find(|x| x.id == o.what)?;
                Some(match procedure.kind {
                    ProcedureKind::Simulation => ("procedure", t.simulation.clone()),
                    ProcedureKind::Radioembolization => ("procedure", t.radioembolization.clone()),
                    ProcedureKind::Other => ("procedure", procedure.name.clone()),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{self, Sample};

    fn data(sample: &Sample, language: &str, months: usize) -> Value {
        let texts = Texts::named(language).expect("shipped");
        sample.look(|p, c, s, a| {
            let pages = Pages { protocol: p, course: c, state: s, agenda: a, texts: &texts };
            pages.data(months, None).expect("it has all instructions")
        })
    }

    /// Day `n` of month `m`, both from 0 and 1.
    fn day(data: &Value, m: usize, n: u64) -> &Value {
        let weeks = data["months"][m]["weeks"].as_array().expect("weeks");
        let mut days = weeks.iter().flat_map(|w| w.as_array().expect("days"));
        days.find(|d| d["day"].as_u64() == Some(n)).expect("a day of the month")
    }

    fn known() -> Sample {
        let mut s = samples::fresh();
        s.enrol(jiff::civil::date(2026, 11, 23));
        s
    }

    #[test]
    fn a_dose_that_is_not_known_shows_no_number() {
        // Neither height nor weight, then no variant.
        for sample in [samples::fresh(), samples::undecided()] {
            let data = data(&sample, "en", 4);
            let text = data["months"].to_string();
            assert!(text.contains("Ask your team"), "{}", sample.name);
            assert!(!text.contains("\"pieces\""), "{}", sample.name);
        }
    }

    #[test]
    fn tablets_of_a_known_dose_by_time_of_the_day() {
        let data = data(&known(), "de", 2);
        let drugs = day(&data, 1, 11)["drugs"].as_array().expect("drugs").clone();
        assert_eq!(drugs.len(), 2);
        let [c, t] = [&drugs[0], &drugs[1]];
        assert_eq!(
            (c["times"].to_string().as_str(), c["each"].as_str()),
            (r#"["morning","evening"]"#, Some("jedes Mal"))
        );
        assert_eq!((t["times"].to_string().as_str(), t["each"].as_str()), (r#"["evening"]"#, None));
        // 172 cm and 71 kg are 1.84 m2: 1381 mg, that is 2 x 500 + 3 x 150 or near it.
        let mg: f64 = c["pieces"]
            .as_array()
            .expect("pieces")
            .iter()
            .map(|p| {
                p["count"].as_f64().unwrap()
                    * p["strength"].as_str().unwrap().parse::<f64>().unwrap()
            })
            .sum();
        assert!((mg - 1381.0).abs() < 0.1 * 1381.0, "{mg}");
        assert!(c["pieces"].to_string().contains("Tabletten zu"));
    }

    #[test]
    fn held_days_say_so() {
        let mut s = known();
        let hold = hepatica_regimen::Fact::Hold { drugs: vec!["capecitabine".to_owned()] };
        s.today = jiff::civil::date(2026, 12, 6);
        s.add(jiff::civil::date(2026, 12, 5), None, hold);
        let data = data(&s, "en", 1);
        assert_eq!(day(&data, 0, 4)["drugs"][0]["state"], "take");
        let held = &day(&data, 0, 7)["drugs"][0];
        assert_eq!((held["state"].as_str(), held.get("pieces")), (Some("hold"), None));
    }

    #[test]
    fn days_off_are_empty_and_days_not_laid_out_are_not() {
        let data = data(&known(), "en", 8);
        let off = day(&data, 1, 20);
        assert!(off["drugs"].as_array().expect("a list").is_empty());
        assert_eq!(off["beyond"], Value::Null);
        assert_eq!(day(&data, 7, 20)["beyond"], "not planned yet");
    }

    #[test]
    fn a_cycle_that_waits_shows_no_number_of_tablets() {
        let mut s = samples::delayed();
        // The third cycle is asked on the 27th of January and its platelets are too low.
        s.today = jiff::civil::date(2027, 1, 28);
        let data = data(&s, "en", 4);
        let from_today = data["months"].as_array().expect("months")[1..].iter();
        let text: String = from_today.map(Value::to_string).collect();
        assert!(text.contains("Ask your team") && !text.contains("\"pieces\""), "{text}");
    }

    #[test]
    fn twice_a_day_is_not_called_in_the_evening() {
        let mut s = samples::long();
        s.today = jiff::civil::date(2025, 2, 3);
        let data = data(&s, "en", 1);
        let card = &data["drugs"][1];
        assert_eq!(card["times"].to_string(), r#"["morning","evening"]"#);
        let lines = card["lines"].to_string();
        assert!(!lines.contains("before you go to bed") && lines.contains("12 hours"), "{lines}");
    }

    #[test]
    fn an_instruction_that_the_texts_lack_is_an_error_that_names_it() {
        let mut s = known();
        s.protocol.drug[0].instructions.push("fastng".to_owned());
        let texts = Texts::named("en").expect("shipped");
        let error = s.look(|p, c, s, a| pdf(p, c, s, a, &texts, 1)).unwrap_err().to_string();
        assert!(error.contains("did you mean `fasting`?"), "{error}");
    }

    #[test]
    fn the_same_course_gives_the_same_pages() {
        let texts = Texts::named("en").expect("shipped");
        let make = || known().look(|p, c, s, a| pdf(p, c, s, a, &texts, 2)).expect("it is set");
        let bytes = make();
        assert!(bytes.starts_with(b"%PDF"));
        assert_eq!(bytes, make());
    }
}
