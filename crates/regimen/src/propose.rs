//! First days of the first cycle on which a regimen can start at a site, best first, with reasons.
//!
//! Every first day of a range is tried: each appointment is placed within its window on the day
//! nearest to its target that the site can do; a session also needs spheres that can be ordered,
//! after the simulation. `docs/site.md` says what a first day is marked down for.

use crate::protocol::{ProcedureKind, Protocol};
use crate::site::{Closed, DayFor, Orderable, Site, named_date};
use jiff::ToSpan;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;
use std::cell::RefCell;
use std::collections::BTreeMap;
use thiserror::Error;

/// Most first days of a range: two years.
const MOST_DAYS: i32 = 731;
/// Most appointments, and most alternatives of one.
const MOST_APPOINTMENTS: usize = 200;
/// Farthest from the first day that an appointment may be, in days.
const FARTHEST: i32 = 3650;
/// Longest window in days.
const LONGEST: i32 = 366;
/// Points for an appointment in whose year holidays are not known.
const UNKNOWN_HOLIDAYS: u32 = 5;
/// Points for each choice passed over.
const ALTERNATIVE: u32 = 15;
/// Points for an appointment without a day that may be left out.
const LEFT_OUT: u32 = 100;
/// Points for one that may not.
const IMPOSSIBLE: u32 = 1000;

/// What an appointment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AppointmentKind {
    /// A simulation procedure.
    Simulation,
    /// A radioembolization.
    Session,
    /// A visit, a blood count.
    Visit,
    /// The first day of a drug in a cycle.
    DrugStart,
}

impl AppointmentKind {
    fn day_for(self) -> DayFor {
        match self {
            Self::Simulation => DayFor::Simulation,
            Self::Session => DayFor::Session,
            Self::Visit => DayFor::Visit,
            Self::DrugStart => DayFor::DrugStart,
        }
    }

    /// Points for each day off the target.
    fn points_a_day(self) -> u32 {
        match self {
            Self::Session => 10,
            Self::DrugStart => 5,
            Self::Visit => 2,
            Self::Simulation => 1,
        }
    }
}

/// Days on which an appointment may be, counted from the first day of the first cycle, which is 0
/// (study day 1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Days {
    /// The target's name, as in `C2D7`.
    pub label: String,
    /// First day allowed.
    pub earliest: i32,
    /// Day aimed at.
    pub target: i32,
    /// Last day allowed.
    pub latest: i32,
}

/// Something that must be on some day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Appointment {
    /// For people, as in `Radioembolization 1`.
    pub name: String,
    /// What it is.
    pub kind: AppointmentKind,
    /// When, the first choice first.
    pub days: Vec<Days>,
    /// Whether a first day without a day for it cannot be.
    pub required: bool,
}

/// A first day and what it makes of the appointments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Proposal {
    /// First day of the first cycle.
    #[schemars(with = "String")]
    pub c1d1: Date,
    /// Whether every required appointment has a day.
    pub possible: bool,
    /// What it is marked down for, in points: 0 is best.
    pub penalty: u32,
    /// Appointments in the order they were given.
    pub placed: Vec<Placed>,
    /// For and against.
    pub reasons: Vec<Reason>,
}

/// An appointment on its day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Placed {
    /// Name of the appointment.
    pub name: String,
    /// What it is.
    pub kind: AppointmentKind,
    /// Name of the target of the choice taken (of the first, if none could be).
    pub label: String,
    /// The day, if there is one.
    #[schemars(with = "Option<String>")]
    pub date: Option<Date>,
    /// Days after the target; before it if negative.
    pub shift_days: i32,
    /// Which choice was taken, the first being 0.
    pub choice: usize,
    /// For a session: until when spheres must be ordered.
    #[schemars(with = "Option<String>")]
    pub order_by: Option<Date>,
}

/// On which side a reason is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Speaks for the first day.
    For,
    /// Speaks against it.
    Against,
    /// To be known either way.
    Note,
}

/// Something that speaks for or against a first day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reason {
    /// Which of them.
    pub side: Side,
    /// In words.
    pub text: String,
}

/// Why nothing can be proposed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProposeError {
    /// A range of first days that cannot be.
    #[error("first days {from} to {to}: expected a range of 1 to {MOST_DAYS} days")]
    Range {
        /// First.
        from: Date,
        /// Last.
        to: Date,
    },
    /// Too many appointments.
    #[error("{found} appointments, expected at most {MOST_APPOINTMENTS}")]
    Many {
        /// How many.
        found: usize,
    },
    /// A window that cannot be.
    #[error(
        "{name}, {label}: days {earliest}, {target}, {latest}, expected earliest, target and latest in order, within {LONGEST} days of each other and {FARTHEST} of the first day"
    )]
    Window {
        /// The appointment.
        name: String,
        /// The window.
        label: String,
        /// First day.
        earliest: i32,
        /// Day aimed at.
        target: i32,
        /// Last day.
        latest: i32,
    },
    /// An appointment without any window.
    #[error("{name}: no window, expected at least one and at most {MOST_APPOINTMENTS}")]
    NoWindow {
        /// The appointment.
        name: String,
    },
}

/// First days of a range, best first: possible ones by penalty and date, then the others.
///
/// `orderable` says whether spheres can be had for a day, as [`Site::spheres`] does with the
/// device's calibrations; it must give the same answer each time and is asked once for a day. A
/// session is placed first and a simulation before the order of the first required session that
/// follows it; a session is not moved within its window for the simulation's sake.
///
/// # Errors
/// A range or a window that cannot be.
pub fn propose(
    appointments: &[Appointment],
    site: &Site,
    first_days: std::ops::RangeInclusive<Date>,
    orderable: &dyn Fn(Date) -> Orderable,
) -> Result<Vec<Proposal>, ProposeError> {
    check(appointments)?;
    let (from, to) = (*first_days.start(), *first_days.end());
    let days = from.until(to).map_or(-1, |span| span.get_days());
    if !(0..MOST_DAYS).contains(&days) {
        return Err(ProposeError::Range { from, to });
    }
    let known: RefCell<BTreeMap<Date, Orderable>> = RefCell::default();
    let spheres =
        |date: Date| known.borrow_mut().entry(date).or_insert_with(|| orderable(date)).clone();
    let search = Search { appointments, site, spheres: &spheres, from };
    let mut found: Vec<Proposal> = (0..=days)
        .filter_map(|n| from.checked_add(i64::from(n).days()).ok())
        .map(|c1d1| search.at(c1d1))
        .collect();
    found.sort_by_key(|p| (!p.possible, p.penalty, p.c1d1));
    Ok(found)
}

fn check(appointments: &[Appointment]) -> Result<(), ProposeError> {
    if appointments.len() > MOST_APPOINTMENTS {
        return Err(ProposeError::Many { found: appointments.len() });
    }
    for Appointment { name, days, .. } in appointments {
        if days.is_empty() || days.len() > MOST_APPOINTMENTS {
            return Err(ProposeError::NoWindow { name: name.clone() });
        }
        for Days { label, earliest, target, latest } in days {
            let near = |d: &i32| (-FARTHEST..=FARTHEST).contains(d);
            let ordered = earliest <= target && target <= latest;
            if !(near(earliest) && near(latest) && ordered && latest - earliest <= LONGEST) {
                return Err(ProposeError::Window {
                    name: name.clone(),
                    label: label.clone(),
                    earliest: *earliest,
                    target: *target,
                    latest: *latest,
                });
            }
        }
    }
    Ok(())
}

/// What every first day is tried with.
struct Search<'a> {
    appointments: &'a [Appointment],
    site: &'a Site,
    spheres: &'a dyn Fn(Date) -> Orderable,
    /// First of the range: nothing is ordered before it.
    from: Date,
}

/// A day that would do.
struct Found {
    date: Date,
    shift: i32,
    order: Option<(Date, String)>,
}

impl Search<'_> {
    fn at(&self, c1d1: Date) -> Proposal {
        let mut notes = Notes::default();
        let mut penalty = 0_u32;
        let mut possible = true;
        let first = |d: &Days| (d.earliest, d.latest) == (0, 0);
        let asked = |a: &Appointment| {
            a.required && a.kind == AppointmentKind::DrugStart && a.days.iter().all(first)
        };
        // Where no appointment asks for it, the first day itself must be one all the same.
        let closed = self.site.open(DayFor::DrugStart, c1d1).err();
        if let Some(closed) = closed.filter(|_| !self.appointments.iter().any(asked)) {
            notes.against(format!("C1D1 falls on {}: {closed}", named_date(c1d1)));
            (penalty, possible) = (penalty + IMPOSSIBLE, false);
        }
        // Sessions first: a simulation must leave time to order those that follow it.
        let mut placed = BTreeMap::new();
        let mut orders: Vec<(Date, Date)> = Vec::new();
        let numbered = || self.appointments.iter().enumerate();
        let simulation = |a: &Appointment| a.kind == AppointmentKind::Simulation;
        let others = numbered().filter(|(_, a)| !simulation(a));
        for (n, appointment) in others.chain(numbered().filter(|(_, a)| simulation(a))) {
            let earliest = appointment.days.iter().map(|d| d.earliest).min();
            let earliest = earliest.and_then(|n| offset(c1d1, n));
            let follow =
                orders.iter().filter(|(session, _)| earliest.is_some_and(|e| *session > e));
            let before = follow.map(|(_, order)| *order).min().filter(|_| simulation(appointment));
            let (place, points) = self.place(c1d1, appointment, before, &mut notes);
            penalty = penalty.saturating_add(points);
            possible &= place.date.is_some() || !appointment.required;
            // A session that may be left out does not rule the simulation.
            orders.extend(place.date.zip(place.order_by).filter(|_| appointment.required));
            placed.insert(n, place);
        }
        let placed: Vec<Placed> = placed.into_values().collect();
        self.meetings(&placed, &mut notes);
        if possible && penalty == 0 {
            notes.add(Side::For, "every appointment falls on its day".to_owned());
        }
        Proposal { c1d1, possible, penalty, placed, reasons: notes.0 }
    }

    /// The day of an appointment and the points for it.
    fn place(
        &self,
        c1d1: Date,
        appointment: &Appointment,
        order_by: Option<Date>,
        notes: &mut Notes,
    ) -> (Placed, u32) {
        let Appointment { name, kind, days, required } = appointment;
        let mut refused = Vec::new();
        for (choice, window) in days.iter().enumerate() {
            let found = match self.day(c1d1, *kind, window, order_by) {
                Ok(found) => found,
                Err(why) => {
                    refused.push(why);
                    continue;
                }
            };
            let Found { date, shift, order } = found;
            let off = shift.unsigned_abs();
            let mut points = off * kind.points_a_day() + ALTERNATIVE * choice as u32;
            for why in refused {
                notes.against(format!("{name}: {why}"));
            }
            if choice > 0 {
                let text = format!("{name} is on {} ({})", window.label, named_date(date));
                notes.add(Side::Note, text);
            }
            if off > 0 {
                let target = offset(c1d1, window.target);
                let why = target.and_then(|t| self.closed(*kind, t, order_by));
                let when = if shift > 0 { "after" } else { "before" };
                notes.against(format!(
                    "{name} is on {}, {off} {} {when} {}{}",
                    named_date(date),
                    if off == 1 { "day" } else { "days" },
                    window.label,
                    why.map(|w| format!(": {w}")).unwrap_or_default()
                ));
            } else if *kind == AppointmentKind::Session {
                let text =
                    format!("{} falls on {}: a catheter room", window.label, named_date(date));
                notes.add(Side::For, text);
            }
            if let Some((_, because)) = &order {
                notes.add(Side::For, format!("{name}: {because}"));
            }
            if date > self.site.holidays.known_until {
                points += UNKNOWN_HOLIDAYS;
                notes.against(format!(
                    "{name} is on {}: holidays are not known after {}",
                    named_date(date),
                    self.site.holidays.known_until
                ));
            }
            let place = Placed {
                name: name.clone(),
                kind: *kind,
                label: window.label.clone(),
                date: Some(date),
                shift_days: shift,
                choice,
                order_by: order.map(|(day, _)| day),
            };
            return (place, points);
        }
        for why in refused {
            notes.against(if *required {
                format!("{name}: {why}")
            } else {
                format!("{name}, if it is needed: {why}")
            });
        }
        let place = Placed {
            name: name.clone(),
            kind: *kind,
            label: days.first().map_or_else(String::new, |d| d.label.clone()),
            date: None,
            shift_days: 0,
            choice: 0,
            order_by: None,
        };
        (place, if *required { IMPOSSIBLE } else { LEFT_OUT })
    }

    /// The day of a window nearest to its target that would do, or why there is none.
    fn day(
        &self,
        c1d1: Date,
        kind: AppointmentKind,
        window: &Days,
        order_by: Option<Date>,
    ) -> Result<Found, String> {
        let beyond = || format!("{} is beyond the calendar", window.label);
        let mut offsets: Vec<i32> = (window.earliest..=window.latest).collect();
        offsets.sort_by_key(|o| ((o - window.target).abs(), *o));
        for at in &offsets {
            let date = offset(c1d1, *at).ok_or_else(beyond)?;
            if self.closed(kind, date, order_by).is_some() {
                continue;
            }
            let order = match kind {
                AppointmentKind::Session => match (self.spheres)(date) {
                    Orderable::Yes { order_by, because } => Some((order_by, because)),
                    Orderable::No { .. } => continue,
                },
                _ => None,
            };
            return Ok(Found { date, shift: at - window.target, order });
        }
        let target = offset(c1d1, window.target).ok_or_else(beyond)?;
        let why = self.closed(kind, target, order_by).unwrap_or_default();
        let mut text = format!("{} falls on {}: {why}", window.label, named_date(target));
        if offsets.len() > 1 {
            let days = [window.earliest, window.latest].map(|o| offset(c1d1, o));
            if let [Some(first), Some(last)] = days {
                text.push_str(&format!("; nor can another day from {first} to {last} be"));
            }
        }
        Err(text)
    }

    /// Why a day cannot be, in words.
    fn closed(&self, kind: AppointmentKind, date: Date, order_by: Option<Date>) -> Option<String> {
        if let Err(closed) = self.site.open(kind.day_for(), date) {
            return Some(match closed {
                Closed::Holiday(name) => format!("holiday ({name})"),
                weekday @ Closed::Weekday(_) => weekday.to_string(),
            });
        }
        if kind == AppointmentKind::Session {
            return match (self.spheres)(date) {
                Orderable::No { because } => Some(because),
                Orderable::Yes { order_by, .. } if order_by < self.from => Some(format!(
                    "spheres would have to be ordered by {}, before {}",
                    named_date(order_by),
                    self.from
                )),
                Orderable::Yes { .. } => None,
            };
        }
        // A simulation leaves time for a plan before the order.
        let order_by = order_by?;
        let plan = self.site.spheres.plan_working_days;
        let ready = self.site.working_days_before(order_by, plan).filter(|last| date <= *last);
        ready.is_none().then(|| {
            format!(
                "{plan} working days after it spheres must be ordered by {}",
                named_date(order_by)
            )
        })
    }

    /// What falls on the day of a session.
    fn meetings(&self, placed: &[Placed], notes: &mut Notes) {
        for session in placed.iter().filter(|p| p.kind == AppointmentKind::Session) {
            let Some(date) = session.date else { continue };
            for other in placed.iter().filter(|p| p.date == Some(date)) {
                if other.kind == AppointmentKind::Visit {
                    notes.add(
                        Side::Note,
                        format!(
                            "{} falls on the day of {} ({})",
                            other.name,
                            session.name,
                            named_date(date)
                        ),
                    );
                }
            }
        }
    }
}

/// Reasons, each once.
#[derive(Default)]
struct Notes(Vec<Reason>);

impl Notes {
    fn add(&mut self, side: Side, text: String) {
        let reason = Reason { side, text };
        if !self.0.contains(&reason) {
            self.0.push(reason);
        }
    }

    fn against(&mut self, text: String) {
        self.add(Side::Against, text);
    }
}

fn offset(c1d1: Date, days: i32) -> Option<Date> {
    c1d1.checked_add(i64::from(days).days()).ok()
}

/// What a protocol asks of a site: day 1 of cycle 1, its procedures, and the blood counts that fall
/// on days reckoned from cycles. What follows a procedure follows wherever that is put.
#[must_use]
pub fn appointments(protocol: &Protocol) -> Vec<Appointment> {
    let offset = |cycle: u32, day: u32| {
        let days = (i64::from(cycle) - 1) * i64::from(protocol.cycle.days) + i64::from(day) - 1;
        i32::try_from(days).unwrap_or(FARTHEST)
    };
    let mut all = vec![Appointment {
        name: "Cycle 1 begins".to_owned(),
        kind: AppointmentKind::DrugStart,
        days: vec![Days { label: "C1D1".to_owned(), earliest: 0, target: 0, latest: 0 }],
        required: true,
    }];
    for p in &protocol.procedure {
        let days = |w: &crate::protocol::Window| Days {
            label: format!("C{}D{}", w.cycle, w.target),
            earliest: offset(w.cycle, w.earliest),
            target: offset(w.cycle, w.target),
            latest: offset(w.cycle, w.latest),
        };
        all.push(Appointment {
            name: p.name.clone(),
            kind: match p.kind {
                ProcedureKind::Simulation => AppointmentKind::Simulation,
                ProcedureKind::Radioembolization => AppointmentKind::Session,
                ProcedureKind::Other => AppointmentKind::Visit,
            },
            days: p.window.iter().map(days).collect(),
            // What is done only if it is needed may be left out.
            required: p.only_if.is_none(),
        });
    }
    for a in &protocol.assessment {
        for t in a.when.iter().filter(|t| t.every_days.is_none()) {
            // What is looked at just before or after a procedure is placed where its first choice is.
            let near = |id: &String| {
                let p = protocol.procedure.iter().find(|p| p.id == *id)?;
                let w = p.window.first().filter(|_| t.target.abs() <= 7)?;
                Some((w.cycle, i32::try_from(w.target).ok()?))
            };
            let (cycle, shift) = match (&t.after, t.cycle.or(t.from_cycle)) {
                (Some(id), _) => match near(id) {
                    Some((cycle, day)) => (cycle, day),
                    None => continue,
                },
                (None, Some(cycle)) if cycle <= 3 => (cycle, 0),
                _ => continue,
            };
            let start = offset(cycle, 1);
            let on = |day: i32| start.saturating_add(day).saturating_add(shift).saturating_sub(1);
            all.push(Appointment {
                name: a.name.clone(),
                kind: AppointmentKind::Visit,
                days: vec![Days {
                    label: format!("C{cycle}D{}", t.target + shift),
                    earliest: on(t.earliest),
                    target: on(t.target),
                    latest: on(t.latest),
                }],
                required: true,
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Calendar;
    use proptest::prelude::*;

    fn day(text: &str) -> Date {
        Calendar::parse_date(text).expect("a date")
    }

    fn site() -> Site {
        Site::named("example").expect("shipped")
    }

    fn days(label: &str, earliest: i32, target: i32, latest: i32) -> Days {
        Days { label: label.to_owned(), earliest, target, latest }
    }

    fn appointment(name: &str, kind: AppointmentKind, days: Vec<Days>) -> Appointment {
        Appointment { name: name.to_owned(), kind, days, required: true }
    }

    /// As in CapTemY90: cycles of 28 days, sessions on day 7 of cycles 2 and 3 or 4.
    fn captemy90() -> Vec<Appointment> {
        use AppointmentKind::*;
        let mut second = appointment(
            "Radioembolization 2",
            Session,
            vec![days("C3D7", 62, 62, 62), days("C4D7", 90, 90, 90)],
        );
        second.required = false;
        vec![
            appointment("Cycle 1", DrugStart, vec![days("C1D1", 0, 0, 0)]),
            appointment("Simulation", Simulation, vec![days("C1D15", 0, 14, 27)]),
            appointment("Radioembolization 1", Session, vec![days("C2D7", 34, 34, 34)]),
            second,
            appointment(
                "blood count for the platelet nadir of temozolomide",
                Visit,
                vec![days("C2D7", 33, 34, 36)],
            ),
        ]
    }

    /// Spheres as the example site gets them, calibrated on the treatment day.
    fn proposals(from: &str, to: &str, appointments: &[Appointment]) -> Vec<Proposal> {
        let site = site();
        let orderable = |date| match site.treatment(date) {
            Ok(at) => site.spheres(date, &[at]),
            Err(e) => Orderable::No { because: e.to_string() },
        };
        propose(appointments, &site, day(from)..=day(to), &orderable).expect("a range")
    }

    fn texts(p: &Proposal, side: Side) -> Vec<&str> {
        p.reasons.iter().filter(|r| r.side == side).map(|r| r.text.as_str()).collect()
    }

    #[test]
    fn a_start_on_monday_puts_the_session_on_a_sunday() {
        let p = &proposals("2026-12-07", "2026-12-07", &captemy90())[0];
        assert!(!p.possible);
        assert_eq!(p.placed[2].date, None);
        let against = texts(p, Side::Against);
        assert!(
            against.contains(
                &"Radioembolization 1: C2D7 falls on Sunday 2027-01-10: no catheter room"
            ),
            "{against:?}"
        );
        assert!(against.contains(
            &"Radioembolization 2, if it is needed: C3D7 falls on Sunday 2027-02-07: no catheter room"
        ));
    }

    #[test]
    fn starts_that_can_be_are_from_tuesday_on() {
        // Saturday would do for the session, but drugs are not started then at the example site.
        let all = proposals("2027-02-02", "2027-03-01", &captemy90());
        let mut possible: Vec<_> =
            all.iter().filter(|p| p.possible).map(|p| p.c1d1.weekday()).collect();
        possible.sort_by_key(|w| w.to_monday_zero_offset());
        possible.dedup();
        use jiff::civil::Weekday::*;
        assert_eq!(possible, [Tuesday, Wednesday, Thursday, Friday]);
        assert_eq!(all.len(), 28);
        assert!(
            all.windows(2)
                .all(|w| { (!w[0].possible, w[0].penalty) <= (!w[1].possible, w[1].penalty) })
        );
    }

    #[test]
    fn a_good_start_says_what_speaks_for_it() {
        let p = &proposals("2027-02-02", "2027-02-02", &captemy90())[0];
        assert!(p.possible && p.penalty == 0, "{p:?}");
        assert_eq!(p.placed[1].date, Some(day("2027-02-16")));
        assert_eq!(p.placed[2].date, Some(day("2027-03-08")));
        assert_eq!(p.placed[2].order_by, Some(day("2027-03-03")));
        let for_it = texts(p, Side::For);
        assert!(for_it.contains(&"C2D7 falls on Monday 2027-03-08: a catheter room"), "{for_it:?}");
        assert!(for_it.iter().any(|t| t.contains("order by Wednesday 2027-03-03")));
        assert!(for_it.contains(&"every appointment falls on its day"));
        assert_eq!(
            texts(p, Side::Note),
            [
                "blood count for the platelet nadir of temozolomide falls on the day of Radioembolization 1 (Monday 2027-03-08)"
            ]
        );
    }

    #[test]
    fn a_holiday_moves_what_can_be_moved() {
        // Simulation 14 days after 2026-12-11 falls on Christmas.
        let p = &proposals("2026-12-11", "2026-12-11", &captemy90())[0];
        assert_eq!((p.placed[1].date, p.placed[1].shift_days), (Some(day("2026-12-23")), -2));
        let against = texts(p, Side::Against);
        assert_eq!(
            against,
            ["Simulation is on Wednesday 2026-12-23, 2 days before C1D15: holiday (Christmas)"]
        );
        assert!(p.possible);
        // C2D7 on Martin Luther King Day cannot be moved.
        let p = &proposals("2026-12-15", "2026-12-15", &captemy90())[0];
        assert!(!p.possible);
        assert!(texts(p, Side::Against)[0].contains("holiday (Martin Luther King Day)"));
        // The first day itself.
        let p = &proposals("2026-12-25", "2026-12-25", &[])[0];
        assert!(!p.possible);
        assert_eq!(
            texts(p, Side::Against),
            ["C1D1 falls on Friday 2026-12-25: holiday (Christmas)"]
        );
    }

    #[test]
    fn the_second_choice_is_taken_where_the_first_cannot_be() {
        // C3D7 of 2026-12-16 is Tuesday 16 February; of 2026-12-15 Presidents' Day.
        let appointments = &captemy90()[3..4];
        let p = &proposals("2026-12-15", "2026-12-15", appointments)[0];
        assert_eq!((p.placed[0].choice, p.placed[0].date), (1, Some(day("2027-03-15"))));
        assert_eq!(p.penalty, ALTERNATIVE);
        assert!(texts(p, Side::Against)[0].contains("holiday (Presidents' Day)"));
        assert_eq!(texts(p, Side::Note), ["Radioembolization 2 is on C4D7 (Monday 2027-03-15)"]);
    }

    #[test]
    fn the_simulation_leaves_time_to_order() {
        let mut appointments = captemy90();
        appointments[1].days = vec![days("C1D28", 26, 27, 30)];
        // Treatment Monday 8 March, order by 3 March, a plan two working days before: 1 March.
        let p = &proposals("2027-02-02", "2027-02-02", &appointments)[0];
        assert_eq!(p.placed[1].date, Some(day("2027-03-01")));
        appointments[1].days = vec![days("C1D29", 28, 28, 30)];
        let p = &proposals("2027-02-02", "2027-02-02", &appointments)[0];
        assert!(!p.possible);
        assert_eq!(
            texts(p, Side::Against),
            [
                "Simulation: C1D29 falls on Tuesday 2027-03-02: 2 working days after it spheres must be ordered by Wednesday 2027-03-03; nor can another day from 2027-03-02 to 2027-03-04 be"
            ]
        );
    }

    #[test]
    fn spheres_that_cannot_be_had_and_holidays_that_are_not_known_are_said() {
        let site = site();
        let none = |_: Date| Orderable::No { because: "the factory is closed".to_owned() };
        let range = day("2027-02-02")..=day("2027-02-02");
        let p = propose(&captemy90(), &site, range, &none).unwrap();
        assert!(!p[0].possible);
        assert!(texts(&p[0], Side::Against)[0].ends_with("the factory is closed"));
        let p = &proposals("2028-02-01", "2028-02-01", &captemy90())[0];
        assert!(p.possible && p.penalty > 0);
        assert!(texts(p, Side::Against)[0].contains("holidays are not known after 2027-12-31"));
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        let site = site();
        let yes = |d| Orderable::Yes { order_by: d, because: String::new() };
        let ask = |a: &[Appointment], from: &str, to: &str| {
            propose(a, &site, day(from)..=day(to), &yes).unwrap_err().to_string()
        };
        let error = ask(&[], "2027-01-02", "2027-01-01");
        assert_eq!(error, "first days 2027-01-02 to 2027-01-01: expected a range of 1 to 731 days");
        assert!(ask(&[], "2027-01-02", "2037-01-01").contains("731"));
        let wrong = |d| [appointment("X", AppointmentKind::Visit, d)];
        assert!(ask(&wrong(vec![]), "2027-01-01", "2027-01-01").starts_with("X: no window"));
        for (e, t, l) in [(2, 1, 3), (0, 0, i32::MAX), (i32::MIN, 0, 0), (0, 5, 4)] {
            let a = wrong(vec![days("C1", e, t, l)]);
            assert!(ask(&a, "2027-01-01", "2027-01-01").starts_with("X, C1: days"));
        }
        // The end of the calendar is a reason, no panic.
        let a = wrong(vec![days("C9D1", 0, 300, 300)]);
        let p = propose(&a, &site, day("9999-12-01")..=day("9999-12-31"), &yes).unwrap();
        assert!(p.iter().all(|p| !p.possible));
    }

    proptest! {
        #[test]
        fn never_on_a_closed_day_and_always_the_same(
            offset in 0_i64..600,
            length in 0_i64..10,
            windows in prop::collection::vec((0_i32..120, 0_i32..5, 0_i32..5, 0_u8..4), 1..5),
        ) {
            use AppointmentKind::*;
            let site = site();
            let appointments: Vec<_> = windows
                .iter()
                .map(|(target, before, after, kind)| {
                    let kind = [Simulation, Session, Visit, DrugStart][usize::from(*kind)];
                    let window = days("X", target - before, *target, target + after);
                    appointment("X", kind, vec![window])
                })
                .collect();
            let from = day("2026-12-01").checked_add(offset.days()).unwrap();
            let range = from..=from.checked_add(length.days()).unwrap();
            let orderable = |date| match site.treatment(date) {
                Ok(at) => site.spheres(date, &[at]),
                Err(e) => Orderable::No { because: e.to_string() },
            };
            let ask = || propose(&appointments, &site, range.clone(), &orderable).unwrap();
            let found = ask();
            prop_assert_eq!(&found, &ask());
            for p in &found {
                prop_assert_eq!(p.possible, p.penalty < IMPOSSIBLE);
                if p.possible {
                    prop_assert!(site.open(DayFor::DrugStart, p.c1d1).is_ok());
                }
                for (place, asked) in p.placed.iter().zip(&appointments) {
                    prop_assert_eq!(place.kind, asked.kind);
                    let Some(date) = place.date else { continue };
                    prop_assert!(site.open(place.kind.day_for(), date).is_ok());
                    prop_assert!(site.holiday(date).is_none());
                    let at = p.c1d1.until(date).unwrap().get_days();
                    prop_assert!((asked.days[0].earliest..=asked.days[0].latest).contains(&at));
                }
            }
        }
    }
}
