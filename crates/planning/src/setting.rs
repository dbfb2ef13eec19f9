//! What a plan is made with, apart from images: protocol, device, gate, dates, limits. The case file
//! says it, the command line may override it, and what neither says is asked for by name.

use crate::case::Case;
use crate::course::CourseInput;
use crate::device::{Device, DeviceError, Sourced};
use crate::pipeline::Options;
use crate::strict::TomlError;
use hepatica_regimen::calendar::CalendarError;
use hepatica_regimen::gate::{GateFile, GateRule};
use hepatica_regimen::{Calendar, CycleDay, ProcedureKind, Protocol, ProtocolError, Window};
use jiff::ZonedDateTime;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why there is no setting.
#[derive(Debug, Error)]
pub enum SettingError {
    /// Things nobody said.
    #[error("{}: cannot plan without {}", .case.display(), .missing.join("; "))]
    Missing {
        /// The case.
        case: PathBuf,
        /// What, and where to say it.
        missing: Vec<String>,
    },
    /// The protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// A date.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The gate.
    #[error(transparent)]
    Gate(#[from] TomlError),
    /// A value that cannot be.
    #[error("{key} = {found}, expected {expected}")]
    Value {
        /// Key of the case file or flag.
        key: String,
        /// What it says.
        found: String,
        /// What would do.
        expected: String,
    },
}

/// What a plan is made with, apart from images.
#[derive(Debug)]
pub struct Setting {
    /// The regimen.
    pub protocol: Protocol,
    /// On real dates.
    pub calendar: Calendar,
    /// The device, with the case's goals and limits in place of its own.
    pub device: Device,
    /// Zone of the site.
    pub zone: TimeZone,
    /// Its name.
    pub zone_name: String,
    /// Local time of the instillation.
    pub treatment_time: Time,
    /// Windows left for the sessions, where a course says so.
    course_windows: Vec<Option<Window>>,
}

/// What the gate also asks of a plan on structures that nobody drew.
const PROPOSED: &str = include_str!("../../../gates/proposed.toml");

/// The gate of radioembolization: the protocol's own where it has one, else the shipped one; with what it
/// also asks where structures are `proposed`.
pub(crate) fn gate_of(protocol: &Protocol, proposed: bool) -> Result<GateRule, TomlError> {
    const SHIPPED: &str = "radioembolization";
    let mut gate = match protocol.gate.iter().find(|g| g.include.iter().any(|i| i == SHIPPED)) {
        Some(own) => own.clone(),
        None => GateFile::shipped(SHIPPED)?.into(),
    };
    if proposed {
        gate.criterion.extend(GateFile::parse(PROPOSED, "gates/proposed.toml")?.criterion);
    }
    Ok(gate)
}

impl Setting {
    /// Gathers the setting of a case.
    ///
    /// # Errors
    /// When something is missing or cannot be; everything missing is said at once.
    pub fn of(
        case: &Case,
        options: &Options,
        folder: &Path,
        course: Option<&CourseInput>,
    ) -> Result<Self, SettingError> {
        let pick = |flag: &Option<String>, entry: &Option<String>| flag.clone().or(entry.clone());
        let device = pick(&options.device, &case.device.name);
        let mut c1d1 = pick(&options.c1d1, &case.protocol.c1d1);
        let mut protocol = pick(&options.protocol, &case.protocol.name);
        if let Some(course) = course {
            for (flag, given) in [("--c1d1", &options.c1d1), ("--protocol", &options.protocol)] {
                if let Some(found) = given {
                    return Err(SettingError::Value {
                        key: flag.to_owned(),
                        found: found.clone(),
                        expected: "nothing: the course says so".to_owned(),
                    });
                }
            }
            c1d1 = Some(course.calendar.c1d1().to_string());
            protocol = Some(course.protocol.id.clone());
        }
        let zone = pick(&options.time_zone, &case.site.time_zone);
        let time = pick(&options.treatment_time, &case.site.treatment_time);
        let missing: Vec<String> = [
            (&protocol, "a protocol ([protocol] name, or --protocol captemy90)"),
            (&c1d1, "the first day of cycle 1 ([protocol] c1d1, or --c1d1 YYYY-MM-DD)"),
            (&device, "a device ([device] name, or --device glass)"),
            (&zone, "the site's time zone ([site] time_zone, or --time-zone America/New_York)"),
            (&time, "the time of treatment ([site] treatment_time, or --treatment-time HH:MM)"),
        ]
        .into_iter()
        .filter(|(value, _)| value.is_none())
        .map(|(_, what)| what.to_owned())
        .collect();
        let (Some(device), Some(c1d1), Some(protocol), Some(zone_name), Some(time)) =
            (device, c1d1, protocol, zone, time)
        else {
            return Err(SettingError::Missing { case: folder.to_owned(), missing });
        };
        let wrong = |key: &str, found: &str, expected: &str| SettingError::Value {
            key: key.to_owned(),
            found: found.to_owned(),
            expected: expected.to_owned(),
        };
        let (protocol, calendar, course_windows) = match course {
            Some(c) => (c.protocol.clone(), c.calendar.clone(), c.windows.clone()),
            None => {
                let protocol = Protocol::named(&inside(folder, &protocol))?;
                let calendar = Calendar::new(&protocol, Calendar::parse_date(&c1d1)?);
                (protocol, calendar, Vec::new())
            }
        };
        let mut device = Device::named(&inside(folder, &device))?;
        let p = &case.prescription;
        let state = |place: &mut Sourced, value: Option<f64>| {
            if let Some(v) = value {
                *place = Sourced::stated(v);
            }
        };
        state(&mut device.limit.lung_session_gy, p.lung_session_limit_gy);
        state(&mut device.limit.lung_cumulative_gy, p.lung_cumulative_limit_gy);
        state(&mut device.limit.normal_liver_gy, p.normal_liver_limit_gy);
        let stated = |v: Option<f64>| v.map(Sourced::stated);
        device.goal.perfused_gy = stated(p.perfused_goal_gy).or(device.goal.perfused_gy);
        device.goal.tumour_gy = stated(p.tumour_goal_gy).or(device.goal.tumour_gy);
        let zone = TimeZone::get(&zone_name)
            .map_err(|_| wrong("time zone", &zone_name, "an IANA name such as America/New_York"))?;
        let treatment_time = parse_time(&time)
            .ok_or_else(|| wrong("treatment time", &time, "HH:MM, as in 13:00"))?;
        Ok(Self { protocol, calendar, device, zone, zone_name, treatment_time, course_windows })
    }

    /// The windows of session `n` (the first being 1), the protocol's first choice first; those of
    /// the last session for any later one.
    #[must_use]
    pub fn windows(&self, n: u32) -> &[Window] {
        let sessions: Vec<_> = self.protocol.procedures(ProcedureKind::Radioembolization).collect();
        let index = (n.max(1) as usize - 1).min(sessions.len().saturating_sub(1));
        sessions.get(index).map_or(&[], |p| p.window.as_slice())
    }

    /// The window of session `n`: the protocol's first, or that of the cycle asked for.
    ///
    /// # Errors
    /// When the protocol has no such session, or does not allow that cycle.
    pub fn window(&self, n: u32, cycle: Option<u32>) -> Result<Window, SettingError> {
        let windows = self.windows(n);
        let found = match cycle {
            Some(c) => windows.iter().find(|w| w.cycle == c),
            None => {
                let course = self.course_windows.get(n.max(1) as usize - 1);
                course.and_then(Option::as_ref).or(windows.first())
            }
        };
        found.copied().ok_or_else(|| SettingError::Value {
            key: format!("session {n} cycle"),
            found: cycle.map_or("none".to_owned(), |c| c.to_string()),
            expected: match windows {
                [] => format!("a protocol with radioembolization; {} has none", self.protocol.id),
                some => {
                    let cycles: Vec<_> = some.iter().map(|w| w.cycle.to_string()).collect();
                    format!("a cycle that {} allows: {}", self.protocol.id, cycles.join(" or "))
                }
            },
        })
    }

    /// The date aimed at in a window.
    ///
    /// # Errors
    /// When it is beyond the calendar.
    pub fn date(&self, w: Window) -> Result<Date, SettingError> {
        Ok(self.calendar.date(CycleDay { cycle: w.cycle, day: w.target })?)
    }

    /// The moment of treatment on a date. A local time that clocks skip is taken as they do: later.
    ///
    /// # Errors
    /// When the instant is beyond the calendar.
    pub fn instant(&self, date: Date) -> Result<ZonedDateTime, SettingError> {
        date.to_datetime(self.treatment_time).to_zoned_datetime(self.zone.clone()).map_err(|e| {
            SettingError::Value {
                key: "treatment time".to_owned(),
                found: format!("{date} {}", self.treatment_time),
                expected: format!("an instant ({e})"),
            }
        })
    }
}

/// A file named in a case is relative to it; a shipped name stays what it is.
fn inside(folder: &Path, name: &str) -> String {
    let there = folder.join(name);
    if there.is_file() { there.to_string_lossy().into_owned() } else { name.to_owned() }
}

fn parse_time(text: &str) -> Option<Time> {
    let shape = text.len() == 5 && text.as_bytes()[2] == b':';
    if shape { text.parse().ok() } else { None }
}
