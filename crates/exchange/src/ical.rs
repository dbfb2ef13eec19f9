//! A course as iCalendar (RFC 5545): what a patient's or a ward's calendar shows.
//!
//! Nothing in it says who the patient is: summaries and descriptions are made of the protocol's
//! words, days and doses only, never of what a person typed, and identifiers are hashes.

use crate::ids;
use crate::stamp::Stamp;
use hepatica_regimen::course::days_between;
use hepatica_regimen::next::{DosePeriod, Kind, Obligation, Status};
use hepatica_regimen::protocol::{AssessmentKind, Protocol};
use hepatica_regimen::{Agenda, Course, State};
use icalendar::{
    Alarm, Calendar, Class, Component, Event, EventLike, EventStatus, Property, Trigger,
};
use jiff::civil::{Date, date};

/// What every description begins with.
const NOTICE: &str = "Research use only.";
/// When blood counts, scans and procedures are announced: at 9 on the day before.
const ALARM: &str = "PT15H";
/// Days are counted from here in the sequence.
const EPOCH: Date = date(2000, 1, 1);

/// The obligations of a course as events of whole days.
///
/// * A drug is one event for each stretch of days with the same dose, repeated daily.
/// * An identifier stays with its obligation. A procedure keeps it when it moves to another cycle.
/// * The sequence is the number of events in the log plus the days from 2000-01-01 to the day asked
///   for. A date changes only when one of the two has grown, and neither ever falls.
/// * The stamp is the time the last event was recorded: the same log and day give the same bytes.
#[must_use]
pub fn course(
    protocol: &Protocol,
    course: &Course<'_>,
    state: &State<'_>,
    agenda: &Agenda,
    stamp: Stamp,
) -> String {
    let writer = Writer {
        protocol,
        state,
        course: ids::course(course),
        stamp: stamp.recorded.strftime("%Y%m%dT%H%M%SZ").to_string(),
        sequence: sequence(stamp, agenda.today),
    };
    let mut calendar = Calendar::empty();
    for (key, value) in [
        ("VERSION", "2.0"),
        ("PRODID", "-//Hepatica//Course//EN"),
        ("CALSCALE", "GREGORIAN"),
        ("METHOD", "PUBLISH"),
    ] {
        calendar.append_property((key, value));
    }
    calendar.name(&text(&protocol.name));
    for o in &agenda.obligations {
        let event = match o.kind {
            // A cycle begins with its drugs; only without them it needs a line of its own.
            Kind::Cycle if !protocol.drug.is_empty() => None,
            Kind::Drug => agenda
                .periods
                .iter()
                .find(|p| p.dose.drug == o.what && p.from == o.earliest)
                .map(|p| writer.drug(o, p)),
            Kind::Procedure => writer.procedure(o, agenda),
            Kind::Cycle | Kind::Assessment => Some(writer.one_day(o, &o.id)),
        };
        calendar.extend(event);
    }
    fold(&calendar.done().to_string())
}

fn sequence(stamp: Stamp, today: Date) -> i64 {
    stamp.events as i64 + days_between(EPOCH, today).max(0)
}

/// What every event has in common.
struct Writer<'a> {
    protocol: &'a Protocol,
    state: &'a State<'a>,
    course: String,
    stamp: String,
    sequence: i64,
}

impl Writer<'_> {
    fn event(&self, o: &Obligation, key: &str, day: Date, lines: Vec<String>) -> Event {
        let mut event = Event::new();
        let cycle = o.cycle.map_or(String::new(), |c| format!(" (cycle {c})"));
        let summary = if o.kind == Kind::Cycle { o.name.clone() } else { o.name.clone() + &cycle };
        event.summary(&text(&summary));
        event.uid(&format!("{}@hepatica", ids::uuid(&["ical", &self.course, key])));
        event.add_property("DTSTAMP", &self.stamp);
        event.add_property("SEQUENCE", self.sequence.to_string());
        let mut start = Property::new("DTSTART", day.strftime("%Y%m%d").to_string());
        start.add_parameter("VALUE", "DATE");
        event.append_property(start);
        event.status(self.status(o));
        event.class(Class::Private);
        // Only what somebody must come for takes time of the day.
        let comes = self.comes(o);
        event.add_property("TRANSP", if comes { "OPAQUE" } else { "TRANSPARENT" });
        let of = format!("{}, version {}.", self.protocol.name, self.protocol.version);
        let all: Vec<_> = [NOTICE.to_owned(), of].into_iter().chain(lines).collect();
        event.description(&text(&all.join("\n")));
        let to_come = matches!(o.status, Status::Due | Status::Upcoming | Status::Held);
        if comes && (to_come || o.status == Status::Undecided) {
            // Never an error: it is always the same text. What it reads has no sign.
            let before = Trigger::try_from(&Property::new("TRIGGER", ALARM));
            if let Some(before) = before.ok().and_then(|t| t.as_duration().copied()) {
                let trigger = Trigger::before_start(before);
                let mut alarm = Alarm::display(&text(&o.name), trigger);
                // Without these the clock and chance would have a part in the file.
                alarm.add_property("DTSTAMP", &self.stamp);
                alarm.add_property("UID", ids::uuid(&["ical alarm", &self.course, key]));
                event.alarm(alarm.done());
            }
        }
        event.done()
    }

    /// Whether the patient must be somewhere for it.
    fn comes(&self, o: &Obligation) -> bool {
        match o.kind {
            Kind::Procedure | Kind::Assessment => true,
            Kind::Cycle => false,
            Kind::Drug => self.protocol.drug(&o.what).is_some_and(|d| d.form.is_none()),
        }
    }

    /// What is done or foreseen in a cycle that runs is certain; what is further ahead may move.
    fn status(&self, o: &Obligation) -> EventStatus {
        let runs = o.cycle.and_then(|c| self.state.cycle(c)).is_some_and(|c| c.has_begun());
        match o.status {
            // Days on which a drug is not taken are no appointment.
            Status::Held if o.kind == Kind::Drug => EventStatus::Cancelled,
            Status::Done | Status::Due | Status::Overdue => EventStatus::Confirmed,
            Status::Upcoming if runs && o.kind != Kind::Procedure => EventStatus::Confirmed,
            Status::Upcoming | Status::Held | Status::Undecided => EventStatus::Tentative,
            Status::Missed | Status::NotNeeded | Status::Cancelled => EventStatus::Cancelled,
        }
    }

    fn one_day(&self, o: &Obligation, key: &str) -> Event {
        let day = o.done.unwrap_or(o.target);
        let mut lines = vec![format!("Due: {}.", o.reference)];
        if o.earliest < o.latest {
            lines.push(format!("Possible from {} to {}.", o.earliest, o.latest));
        }
        if o.kind == Kind::Assessment
            && let Some(a) = self.protocol.assessment.iter().find(|a| a.id == o.what)
            && a.kind != AssessmentKind::Imaging
        {
            let names = a.measures.iter().map(|m| crate::measure_name(m));
            lines.push(format!("For: {}.", names.collect::<Vec<_>>().join(", ")));
        }
        lines.push(self.stands(o));
        self.event(o, key, day, lines)
    }

    fn stands(&self, o: &Obligation) -> String {
        match o.status {
            Status::Held => "Held: ask the treating team.".to_owned(),
            Status::Undecided => "Not known yet whether it is needed.".to_owned(),
            status => format!("Status: {status}."),
        }
    }

    fn drug(&self, o: &Obligation, p: &DosePeriod) -> Event {
        let days = days_between(p.from, p.to) + 1;
        let last = i64::from(p.from_day) + days - 1;
        let mut lines = vec![format!("Days {} to {last} of cycle {}.", p.from_day, p.cycle)];
        lines.push(match (&p.dose.words, p.dose.held.is_some() || p.dose.stopped) {
            (_, true) => "Not to be taken on these days.".to_owned(),
            (Some(words), false) => format!("Dose: {words}."),
            (None, false) => "The dose is not known yet: ask the treating team.".to_owned(),
        });
        lines.push(self.stands(o));
        let mut event = self.event(o, &o.id, p.from, lines);
        if days > 1 {
            event.add_property("RRULE", format!("FREQ=DAILY;COUNT={days}"));
        }
        event
    }

    /// A procedure is one event, wherever it goes; windows it has left behind are not shown.
    fn procedure(&self, o: &Obligation, agenda: &Agenda) -> Option<Event> {
        let mut same = agenda.obligations.iter().filter(|b| b.kind == o.kind && b.what == o.what);
        let current = same.clone().find(|b| b.status != Status::Missed).or(same.next_back())?;
        (current.id == o.id).then(|| self.one_day(o, &format!("procedure/{}", o.what)))
    }
}

/// Text without what would end a line or is no character of a text; the crate escapes the rest.
fn text(raw: &str) -> String {
    raw.chars().filter(|c| *c == '\n' || *c == '\t' || !c.is_control()).collect()
}

/// Lines of at most 75 octets; the crate's last part of a folded line may have 76.
fn fold(calendar: &str) -> String {
    let mut all = String::with_capacity(calendar.len() + calendar.len() / 64);
    for line in calendar.replace("\r\n ", "").split_terminator("\r\n") {
        let mut octets = 0;
        for c in line.chars() {
            if octets + c.len_utf8() > 75 {
                all += "\r\n ";
                octets = 1;
            }
            all.push(c);
            octets += c.len_utf8();
        }
        all += "\r\n";
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_folded_between_characters_and_reads_back() {
        let text = format!("DESCRIPTION:{}\r\nUID:1\r\n", "\u{e9} ".repeat(100));
        let folded = fold(&text);
        assert!(folded.split("\r\n").all(|l| l.len() <= 75), "{folded}");
        assert_eq!(folded.replace("\r\n ", ""), text);
    }

    #[test]
    fn what_ends_a_line_does_not_get_into_a_text() {
        assert_eq!(text("a\r\nBEGIN:VEVENT\u{7}"), "a\nBEGIN:VEVENT");
    }
}
