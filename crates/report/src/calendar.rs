//! The plan's dates as iCalendar: days of the regimen as whole days, sessions with their hour.

use hepatica_planning::Plan;
use icalendar::{Calendar, Component, Event, Property};
use jiff::ZonedDateTime;
use jiff::civil::Date;

/// How long a session is put down for.
const SESSION_MINUTES: i64 = 90;

/// The dates of a plan. Stamps are the first day of the first cycle, not the clock: the same plan
/// gives the same bytes.
#[must_use]
pub fn ics(plan: &Plan) -> String {
    let mut calendar = Calendar::new();
    calendar.name(&format!("{} {}", plan.schedule.protocol, plan.patient.id));
    let stamp = plan.schedule.c1d1.replace('-', "") + "T000000Z";
    for (n, day) in plan.schedule.days.iter().enumerate() {
        let Ok(date) = day.date.parse::<Date>() else { continue };
        let session = plan
            .sessions
            .iter()
            .find(|s| s.date == day.date && day.what.starts_with("Radioembolization"));
        let mut event = Event::new();
        event.summary(&format!("{} (C{}D{})", day.what, day.cycle, day.cycle_day));
        event.uid(&format!("{n}-{}-{}@hepatica", plan.schedule.c1d1, plan.patient.id));
        event.add_property("DTSTAMP", &stamp);
        event.description(&plan.notice);
        match session
            .and_then(|s| s.order.as_ref())
            .map(|o| o.treatment_instant.parse::<ZonedDateTime>())
        {
            Some(Ok(start)) => {
                let utc = |z: &ZonedDateTime| z.timestamp().strftime("%Y%m%dT%H%M%SZ").to_string();
                let end = start.timestamp().as_second() + 60 * SESSION_MINUTES;
                event.add_property("DTSTART", utc(&start));
                if let Ok(end) = jiff::Timestamp::from_second(end) {
                    event.add_property("DTEND", end.strftime("%Y%m%dT%H%M%SZ").to_string());
                }
            }
            _ => {
                let mut start = Property::new("DTSTART", date.strftime("%Y%m%d").to_string());
                start.add_parameter("VALUE", "DATE");
                event.append_property(start);
            }
        }
        calendar.push(event.done());
    }
    calendar.done().to_string()
}
