//! A site: on which days a hospital can do what. `docs/site.md` describes the file.

use crate::calendar::Calendar;
use crate::strict::{self, TomlError};
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{ToSpan, ZonedDateTime};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The version of the format this program reads.
pub const SCHEMA: u32 = 1;
/// Most bytes a site file may have.
const MAX_BYTES: u64 = 1 << 20;
/// Most holidays, and most days of one.
const MOST_HOLIDAYS: usize = 1000;
/// Most days from an order to a delivery, and that a vial waits.
const MOST_DAYS: u32 = 60;
/// The site that comes with the program.
const EXAMPLE: &str = include_str!("../../../sites/example.toml");

/// A site.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Version of the format.
    pub schema: u32,
    /// Short identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// IANA zone of all hours.
    pub time_zone: String,
    /// What a reader must know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// On which weekdays what can be done.
    pub weekdays: WeekdaysOf,
    /// At which hour.
    pub hours: Hours,
    /// How spheres come.
    pub spheres: Supply,
    /// When nothing is done.
    pub holidays: Holidays,
}

/// Days of the week; in a file their English names in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<String>")]
#[schemars(with = "Vec<String>")]
pub struct Weekdays(Vec<Weekday>);

impl Weekdays {
    /// Whether a day of the week is among them.
    #[must_use]
    pub fn contains(&self, weekday: Weekday) -> bool {
        self.0.contains(&weekday)
    }
}

impl TryFrom<Vec<String>> for Weekdays {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        let mut days = Vec::new();
        for name in names {
            let day = WEEK.iter().find(|(_, n)| n.to_lowercase() == name).map(|(day, _)| *day);
            let Some(day) = day else {
                return Err(format!("`{name}` is no day of the week, expected monday to sunday"));
            };
            if days.contains(&day) {
                return Err(format!("{name} is there twice"));
            }
            days.push(day);
        }
        if days.is_empty() {
            return Err("no day of the week, expected at least one of monday to sunday".to_owned());
        }
        Ok(Self(days))
    }
}

const WEEK: [(Weekday, &str); 7] = [
    (Weekday::Monday, "Monday"),
    (Weekday::Tuesday, "Tuesday"),
    (Weekday::Wednesday, "Wednesday"),
    (Weekday::Thursday, "Thursday"),
    (Weekday::Friday, "Friday"),
    (Weekday::Saturday, "Saturday"),
    (Weekday::Sunday, "Sunday"),
];

/// A date with its day of the week, as in `Sunday 2027-01-10`.
#[must_use]
pub fn named_date(date: Date) -> String {
    let name = WEEK.iter().find(|(day, _)| *day == date.weekday()).map_or("", |(_, name)| name);
    format!("{name} {date}")
}

/// On which weekdays what can be done.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeekdaysOf {
    /// A catheter room for simulation.
    pub simulation: Weekdays,
    /// A catheter room for radioembolization.
    pub radioembolization: Weekdays,
    /// Patients are seen and blood is drawn.
    pub visit: Weekdays,
    /// A patient may start the drugs.
    pub drug_start: Weekdays,
    /// Plans are made and orders placed.
    pub office: Weekdays,
}

/// At which hour, local.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Of a simulation.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "String")]
    pub simulation: Time,
    /// Of a radioembolization.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "String")]
    pub radioembolization: Time,
}

/// How spheres come to the site.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Supply {
    /// A device that comes with the program, or a path.
    pub device: String,
    /// Working days from the simulation to a plan with which spheres can be ordered.
    pub plan_working_days: u32,
    /// Working days from the order to the delivery.
    pub order_lead_working_days: u32,
    /// Weekdays on which spheres arrive.
    pub delivery_weekdays: Weekdays,
    /// How many days a vial may wait at the site.
    pub keep_days: u32,
    /// Whether a vial that arrives on the day of treatment is in time.
    pub same_day: bool,
}

/// When nothing is done.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Holidays {
    /// Last date for which the list is complete.
    #[serde(deserialize_with = "date")]
    #[schemars(with = "String")]
    pub known_until: Date,
    /// The list.
    #[serde(default)]
    pub day: Vec<Holiday>,
}

/// A holiday of one or more days.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// For people.
    pub name: String,
    /// First day.
    #[serde(deserialize_with = "date")]
    #[schemars(with = "String")]
    pub first: Date,
    /// Last day, if there are more than one.
    #[serde(default, deserialize_with = "optional_date")]
    #[schemars(with = "Option<String>")]
    pub last: Option<Date>,
}

impl Holiday {
    /// Last day.
    #[must_use]
    pub fn last(&self) -> Date {
        self.last.unwrap_or(self.first)
    }
}

fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let text = String::deserialize(deserializer)?;
    Calendar::parse_date(&text).map_err(|_| {
        serde::de::Error::custom(format!("`{text}` is no date, expected YYYY-MM-DD in quotes"))
    })
}

fn optional_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    date(deserializer).map(Some)
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || serde::de::Error::custom(format!("`{text}` is no time, expected HH:MM"));
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let digits = |t: &str| t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return Err(wrong());
    }
    let parse = |t: &str| t.parse::<i8>().map_err(|_| wrong());
    Time::new(parse(hour)?, parse(minute)?, 0, 0).map_err(|_| wrong())
}

/// What somebody comes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DayFor {
    /// A simulation procedure.
    Simulation,
    /// A radioembolization.
    Session,
    /// A visit, or blood drawn.
    Visit,
    /// The first day of a drug.
    DrugStart,
    /// Planning and orders.
    Office,
}

/// Why a day is not possible.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Closed {
    /// Not on this day of the week.
    #[error("{}", no(*.0))]
    Weekday(DayFor),
    /// A holiday, by name.
    #[error("holiday ({0})")]
    Holiday(String),
}

fn no(what: DayFor) -> &'static str {
    match what {
        DayFor::Simulation | DayFor::Session => "no catheter room",
        DayFor::Visit => "no visits",
        DayFor::DrugStart => "no drug is started",
        DayFor::Office => "no working day",
    }
}

/// Whether spheres can be had for a day, and until when they must be ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Orderable {
    /// They can.
    Yes {
        /// Last day of the order.
        order_by: Date,
        /// When they are calibrated and delivered, in words.
        because: String,
    },
    /// They cannot.
    No {
        /// Why, in words.
        because: String,
    },
}

/// Why a site cannot be used.
#[derive(Debug, Error)]
pub enum SiteError {
    /// It is neither the shipped one nor a file.
    #[error("no site is named `{name}` and there is no such file; there is: example")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The file cannot be read.
    #[error("{}: cannot be read ({source})", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text.
    #[error(transparent)]
    Toml(#[from] TomlError),
    /// A value that cannot be.
    #[error("{file}: {key} = {found}, expected {expected}")]
    Value {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// What it says.
        found: String,
        /// What would do.
        expected: String,
    },
    /// An hour that cannot be told on a date.
    #[error("{site}: {date} has no instant in {zone}")]
    Instant {
        /// The site.
        site: String,
        /// The date.
        date: Date,
        /// The zone.
        zone: String,
    },
}

impl Site {
    /// The site that comes with the program (`example`), or that of a file.
    ///
    /// # Errors
    /// When there is none, or it cannot be used.
    pub fn named(name: &str) -> Result<Self, SiteError> {
        if name == "example" {
            return Self::parse(EXAMPLE, "sites/example.toml");
        }
        let path = Path::new(name);
        if path.is_file() {
            return Self::read(path);
        }
        Err(SiteError::Unknown { name: name.to_owned() })
    }

    /// Reads a site file.
    ///
    /// # Errors
    /// When it cannot be read, is longer than 1 MiB, or cannot be used.
    pub fn read(path: &Path) -> Result<Self, SiteError> {
        let io = |source| SiteError::Read { path: path.to_owned(), source };
        let length = std::fs::metadata(path).map_err(io)?.len();
        let file = path.display().to_string();
        if length > MAX_BYTES {
            let (key, found) = ("length".to_owned(), format!("{length} bytes"));
            let expected = format!("at most {MAX_BYTES}");
            return Err(SiteError::Value { file, key, found, expected });
        }
        Self::parse(&std::fs::read_to_string(path).map_err(io)?, &file)
    }

    /// Reads and checks the text of a site file; `file` is for messages.
    ///
    /// # Errors
    /// When it is no TOML of this format, or a value cannot be.
    pub fn parse(text: &str, file: &str) -> Result<Self, SiteError> {
        let site: Self = strict::parse(text, file)?;
        site.check(file)?;
        Ok(site)
    }

    fn check(&self, file: &str) -> Result<(), SiteError> {
        let wrong = |key: &str, found: String, expected: String| {
            Err(SiteError::Value { file: file.to_owned(), key: key.to_owned(), found, expected })
        };
        if self.schema != SCHEMA {
            return wrong("schema", self.schema.to_string(), SCHEMA.to_string());
        }
        for (key, text) in [("id", &self.id), ("name", &self.name)] {
            if text.trim().is_empty() {
                return wrong(key, "nothing".to_owned(), "a name".to_owned());
            }
        }
        if TimeZone::get(&self.time_zone).is_err() {
            let expected = "an IANA time zone, as in America/New_York".to_owned();
            return wrong("time_zone", format!("`{}`", self.time_zone), expected);
        }
        let s = &self.spheres;
        for (key, days) in [
            ("spheres.plan_working_days", s.plan_working_days),
            ("spheres.order_lead_working_days", s.order_lead_working_days),
            ("spheres.keep_days", s.keep_days),
        ] {
            if days > MOST_DAYS {
                return wrong(key, days.to_string(), format!("0 to {MOST_DAYS}"));
            }
        }
        if s.keep_days == 0 && !s.same_day {
            let expected = "true where keep_days = 0".to_owned();
            return wrong("spheres.same_day", "false".to_owned(), expected);
        }
        let h = &self.holidays;
        if h.day.len() > MOST_HOLIDAYS {
            let expected = format!("at most {MOST_HOLIDAYS}");
            return wrong("holidays.day", h.day.len().to_string(), expected);
        }
        for Holiday { name, first, last } in &h.day {
            let key = format!("holidays.day {name}");
            let last = last.unwrap_or(*first);
            let days = first.until(last).map_or(-1, |span| i64::from(span.get_days()));
            if !(0..=366).contains(&days) {
                let expected = "a last day from the first to a year after".to_owned();
                return wrong(&key, format!("{first} to {last}"), expected);
            }
            if last > h.known_until {
                let expected = format!("dates up to known_until = {}", h.known_until);
                return wrong(&key, last.to_string(), expected);
            }
        }
        Ok(())
    }

    /// Whether something can be done on a date.
    ///
    /// # Errors
    /// [`Closed`]: a holiday, or not on this day of the week.
    pub fn open(&self, what: DayFor, date: Date) -> Result<(), Closed> {
        if let Some(holiday) = self.holiday(date) {
            return Err(Closed::Holiday(holiday.name.clone()));
        }
        let w = &self.weekdays;
        let days = match what {
            DayFor::Simulation => &w.simulation,
            DayFor::Session => &w.radioembolization,
            DayFor::Visit => &w.visit,
            DayFor::DrugStart => &w.drug_start,
            DayFor::Office => &w.office,
        };
        if days.contains(date.weekday()) { Ok(()) } else { Err(Closed::Weekday(what)) }
    }

    /// The holiday of a date, if it is one.
    #[must_use]
    pub fn holiday(&self, date: Date) -> Option<&Holiday> {
        self.holidays.day.iter().find(|h| (h.first..=h.last()).contains(&date))
    }

    /// The working day that is `days` working days before a date; for 0 the date itself or, if it is
    /// none, the working day before it. `None` if holidays leave none within three years.
    #[must_use]
    pub fn working_days_before(&self, date: Date, days: u32) -> Option<Date> {
        let mut left = days;
        let mut at = date;
        for n in 0..3 * 366 {
            if self.open(DayFor::Office, at).is_ok() && (n > 0 || days == 0) {
                if left <= 1 {
                    return Some(at);
                }
                left -= 1;
            }
            at = at.yesterday().ok()?;
        }
        None
    }

    /// The instant of a radioembolization on a date.
    ///
    /// # Errors
    /// [`SiteError::Instant`] at the ends of the calendar.
    pub fn treatment(&self, date: Date) -> Result<ZonedDateTime, SiteError> {
        let instant =
            || SiteError::Instant { site: self.id.clone(), date, zone: self.time_zone.clone() };
        let zone = TimeZone::get(&self.time_zone).map_err(|_| instant())?;
        let at = date.to_datetime(self.hours.radioembolization);
        at.to_zoned_datetime(zone).map_err(|_| instant())
    }

    /// Whether spheres can be had for a treatment day, given the calibration instants that serve it
    /// (from the device's file, `hepatica_planning::order::calibrations_serving`). The latest
    /// delivery that is in time is taken: it leaves most time to order.
    #[must_use]
    pub fn spheres(&self, treatment: Date, calibrations: &[ZonedDateTime]) -> Orderable {
        let s = &self.spheres;
        let no = |because: String| Orderable::No { because };
        let (Some(first), Some(last)) = (calibrations.first(), calibrations.last()) else {
            return no(format!(
                "no {} spheres are calibrated for use on {}",
                s.device,
                named_date(treatment)
            ));
        };
        let arrives = (u32::from(!s.same_day)..=s.keep_days)
            .filter_map(|n| treatment.checked_sub(i64::from(n).days()).ok())
            .find(|d| s.delivery_weekdays.contains(d.weekday()) && self.holiday(*d).is_none());
        let Some(arrives) = arrives else {
            return no(format!(
                "no delivery of {} spheres is in time for {}",
                s.device,
                named_date(treatment)
            ));
        };
        let Some(order_by) = self.working_days_before(arrives, s.order_lead_working_days) else {
            return no(format!("no working day to order for {}", named_date(treatment)));
        };
        let at = |instant: &ZonedDateTime| instant.strftime("%Y-%m-%d %H:%M %Z").to_string();
        let calibrated = match calibrations.len() {
            1 => at(first),
            n => format!("on one of {n} days from {} to {}", at(first), at(last)),
        };
        Orderable::Yes {
            order_by,
            because: format!(
                "{} spheres, calibrated {calibrated}, arrive {}; order by {}",
                s.device,
                named_date(arrives),
                named_date(order_by)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> Date {
        Calendar::parse_date(text).expect("a date")
    }

    fn example() -> Site {
        Site::named("example").expect("shipped")
    }

    fn refused(from: &str, to: &str) -> String {
        assert!(EXAMPLE.contains(from), "{from}");
        Site::parse(&EXAMPLE.replacen(from, to, 1), "s.toml").unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_is_one_sentence() {
        assert_eq!(
            refused("time_zone = \"America/New_York\"", "time_zone = \"America/Philly\""),
            "s.toml: time_zone = `America/Philly`, expected an IANA time zone, as in America/New_York"
        );
        let error = refused("\"wednesday\"", "\"wensday\"");
        assert!(
            error.starts_with("s.toml, line") && error.contains("`wensday` is no day of the week"),
            "{error}"
        );
        assert!(refused("keep_days", "keep_day").contains("did you mean `keep_days`?"));
        assert!(refused("2027-05-31", "2027-02-30").contains("`2027-02-30` is no date"));
        assert!(refused("last = \"2026-11-27\"", "last = \"2026-11-25\"").contains("Thanksgiving"));
        assert!(
            refused("known_until = \"2027-12-31\"", "known_until = \"2027-12-30\"")
                .contains("expected dates up to known_until")
        );
        assert!(refused("08:00", "24:00").contains("`24:00` is no time, expected HH:MM"));
        assert!(refused("keep_days = 1", "keep_days = 900").contains("expected 0 to 60"));
        assert!(refused("keep_days = 1", "keep_days = -1").starts_with("s.toml, line"));
        assert!(refused("schema = 1", "schema = 2").contains("schema = 2, expected 1"));
        let error = Site::named("nowhere").unwrap_err().to_string();
        assert!(error.ends_with("there is: example"), "{error}");
    }

    #[test]
    fn weekends_and_holidays_are_closed() {
        let site = example();
        let closed = |what, d| site.open(what, day(d)).unwrap_err().to_string();
        assert_eq!(closed(DayFor::Session, "2027-01-10"), "no catheter room");
        assert_eq!(closed(DayFor::Visit, "2026-12-25"), "holiday (Christmas)");
        assert_eq!(closed(DayFor::Simulation, "2026-11-27"), "holiday (Thanksgiving)");
        assert!(site.open(DayFor::Session, day("2027-01-11")).is_ok());
        assert_eq!(named_date(day("2027-01-10")), "Sunday 2027-01-10");
    }

    #[test]
    fn working_days_pass_over_weekends_and_holidays() {
        let site = example();
        let before = |d, n| site.working_days_before(day(d), n).unwrap().to_string();
        assert_eq!(before("2027-01-05", 0), "2027-01-05");
        assert_eq!(before("2027-01-05", 1), "2027-01-04");
        // Over a weekend and New Year's Friday.
        assert_eq!(before("2027-01-05", 2), "2026-12-31");
        assert_eq!(before("2027-01-03", 0), "2026-12-31");
        assert_eq!(before("2027-01-03", 1), "2026-12-31");
    }

    #[test]
    fn spheres_need_a_calibration_a_delivery_and_an_order() {
        let site = example();
        let treatment = day("2027-01-05");
        let at = site.treatment(treatment).unwrap();
        assert_eq!(at.to_string(), "2027-01-05T11:00:00-05:00[America/New_York]");
        let Orderable::Yes { order_by, because } =
            site.spheres(treatment, std::slice::from_ref(&at))
        else {
            panic!("orderable");
        };
        assert_eq!(order_by, day("2026-12-30"));
        assert_eq!(
            because,
            "resin spheres, calibrated 2027-01-05 11:00 EST, arrive Tuesday 2027-01-05; order by Wednesday 2026-12-30"
        );
        let Orderable::No { because } = site.spheres(treatment, &[]) else { panic!("not") };
        assert_eq!(because, "no resin spheres are calibrated for use on Tuesday 2027-01-05");
        let mut late = example();
        late.spheres.same_day = false;
        let Orderable::No { because } = late.spheres(day("2027-01-04"), &[at]) else {
            panic!("not")
        };
        assert_eq!(because, "no delivery of resin spheres is in time for Monday 2027-01-04");
    }

    proptest! {
        #[test]
        fn no_text_makes_a_reader_panic(text in ".{0,200}", at in 0_usize..2000) {
            let _ = Site::parse(&text, "s.toml");
            let cut = (0..=at.min(EXAMPLE.len())).rev().find(|n| EXAMPLE.is_char_boundary(*n));
            let mut damaged = EXAMPLE[..cut.unwrap_or(0)].to_owned();
            damaged.push_str(&text);
            let _ = Site::parse(&damaged, "s.toml");
        }

        #[test]
        fn a_longer_lead_is_no_later(offset in 0_i64..700, days in 0_u32..20) {
            let site = example();
            let date = day("2026-12-01").checked_add(offset.days()).unwrap();
            let (a, b) = (site.working_days_before(date, days), site.working_days_before(date, days + 1));
            prop_assert!(b.unwrap() <= a.unwrap());
            prop_assert!(site.open(DayFor::Office, b.unwrap()).is_ok());
        }
    }
}
