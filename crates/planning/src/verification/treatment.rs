//! What was given: `treatment.toml`, assays and residuals at their moments, and what follows for the moment
//! of the instillation.

use crate::strict::{self, TomlError};
use hepatica_physics::{Activity, TimeSpan, nuclide::decay_factor};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{ToSpan, ZonedDateTime};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The version of the format this program reads.
const SCHEMA: u32 = 1;
/// A longer file is no record of a treatment.
const MAX_BYTES: u64 = 1 << 18;
/// Relative standard uncertainty of an activity in a dose calibrator.
pub const ASSAY_UNCERTAINTY: (f64, &str) = (0.05, "calibrator 3-5 % (facts 9)");
/// Relative standard uncertainty of a residual by survey meter.
const SURVEY_UNCERTAINTY: f64 = 0.3;
/// Measurements farther from the instillation than this are of something else.
const MOST_DAYS: i64 = 21;

/// What a person says of a treatment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct TreatmentFile {
    schema: u32,
    /// Session of the plan.
    session: u32,
    /// Moment of the instillation, local time of the site: `2027-01-05 13:00`.
    instant: String,
    /// Time zone; the plan's when left out.
    time_zone: Option<String>,
    /// Vials before.
    #[serde(default)]
    assay: Vec<Measured>,
    /// Vials, lines and waste after.
    #[serde(default)]
    residual: Vec<Measured>,
    /// Readings of a survey meter around the vial's jar, in place of residual activities.
    survey: Option<Survey>,
}

/// An activity at a moment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Measured {
    activity_gbq: f64,
    /// Local time.
    instant: String,
    /// Relative standard uncertainty in percent.
    uncertainty_percent: Option<f64>,
}

/// Readings on the sides of the jar, before and after.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Survey {
    before: Vec<f64>,
    before_instant: String,
    after: Vec<f64>,
    after_instant: String,
}

/// Why what was given is not known.
#[derive(Debug, Error)]
pub enum TreatmentError {
    /// It cannot be read.
    #[error("{}: cannot be read ({source}); write what was given into treatment.toml (docs/verify.md), or name it with --treatment", .path.display())]
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
    #[error("{}: {key} = {found}, expected {expected}", .path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key, dotted.
        key: String,
        /// What it says.
        found: String,
        /// What would do.
        expected: String,
    },
    /// More left than there was.
    #[error("{}: the residual ({residual:.3} GBq at the instillation) is larger than the assay ({assay:.3} GBq), expected less; check both activities, their units and their times", .path.display())]
    ResidualLarger {
        /// The file.
        path: PathBuf,
        /// Left.
        residual: f64,
        /// Before.
        assay: f64,
    },
}

/// What was given, at the moment of the instillation.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// Session of the plan.
    pub session: u32,
    /// Moment of the instillation.
    pub instant: ZonedDateTime,
    /// Activity of all vials.
    pub assayed: Activity,
    /// What stayed.
    pub residual: Activity,
    /// `activity` or `survey`.
    pub residual_by: &'static str,
    /// Standard uncertainty of what reached the patient.
    pub uncertainty: Activity,
}

impl Given {
    /// What reached the patient.
    #[must_use]
    pub fn delivered(&self) -> Activity {
        self.assayed - self.residual
    }

    /// Reads the record of a treatment. `zone` is the site's; `half_life` the nuclide's.
    ///
    /// # Errors
    /// When it cannot be read, says something that cannot be, or more was left than there was.
    pub fn read(path: &Path, zone: &str, half_life: TimeSpan) -> Result<Self, TreatmentError> {
        let io = |source| TreatmentError::Read { path: path.to_owned(), source };
        let length = std::fs::metadata(path).map_err(io)?.len();
        if length > MAX_BYTES {
            let found = format!("{length} bytes");
            return Err(wrong(path, "the file", found, "a record of a treatment, at most 256 KiB"));
        }
        let text = std::fs::read_to_string(path).map_err(io)?;
        Self::parse(&text, path, zone, half_life)
    }

    /// As [`Given::read`], of the text; `path` is for messages.
    ///
    /// # Errors
    /// As [`Given::read`], but for the reading.
    pub fn parse(
        text: &str,
        path: &Path,
        zone: &str,
        half_life: TimeSpan,
    ) -> Result<Self, TreatmentError> {
        let file: TreatmentFile = strict::parse(text, &path.display().to_string())?;
        if file.schema != SCHEMA {
            return Err(wrong(path, "schema", file.schema.to_string(), "1, this program's format"));
        }
        let name = file.time_zone.as_deref().unwrap_or(zone);
        let zone = TimeZone::get(name).map_err(|_| {
            wrong(path, "time_zone", name.to_owned(), "an IANA name such as America/New_York")
        })?;
        let moments = Moments { path, zone, half_life };
        let instant = moments.moment("instant", &file.instant)?;
        if file.assay.is_empty() {
            let expected = "[[assay]] activity_gbq and instant of every vial before the treatment";
            return Err(wrong(path, "assay", "nothing".to_owned(), expected));
        }
        let (assayed, assay_variance) = moments.sum("assay", &file.assay, &instant)?;
        let (residual, residual_by, residual_variance) = match (
            &file.survey,
            file.residual.as_slice(),
        ) {
            (Some(_), [_, ..]) => {
                let found = "beside [[residual]]".to_owned();
                return Err(wrong(path, "survey", found, "one of both"));
            }
            (Some(survey), []) => {
                let left = moments.survey(survey)? * assayed;
                (left, "survey", (SURVEY_UNCERTAINTY * left.gbq()).powi(2))
            }
            (None, []) => {
                let expected = "[[residual]] activity_gbq and instant of what stayed in vial and lines (0 if nothing), or [survey]";
                return Err(wrong(path, "residual", "nothing".to_owned(), expected));
            }
            (None, some) => {
                let (sum, variance) = moments.sum("residual", some, &instant)?;
                (sum, "activity", variance)
            }
        };
        if !(residual < assayed) {
            return Err(TreatmentError::ResidualLarger {
                path: path.to_owned(),
                residual: residual.gbq(),
                assay: assayed.gbq(),
            });
        }
        Ok(Self {
            session: file.session,
            instant,
            assayed,
            residual,
            residual_by,
            uncertainty: Activity::from_gbq((assay_variance + residual_variance).sqrt()),
        })
    }
}

struct Moments<'a> {
    path: &'a Path,
    zone: TimeZone,
    half_life: TimeSpan,
}

impl Moments<'_> {
    fn moment(&self, key: &str, text: &str) -> Result<ZonedDateTime, TreatmentError> {
        let expected = "a local date and time, as in 2027-01-05 13:00";
        let bad = || wrong(self.path, key, text.to_owned(), expected);
        let civil: DateTime = text.trim().parse().map_err(|_| bad())?;
        if !text.contains(':') {
            return Err(bad());
        }
        civil.to_zoned_datetime(self.zone.clone()).map_err(|_| bad())
    }

    /// Activities and their variance in GBq², brought to one moment.
    fn sum(
        &self,
        key: &str,
        list: &[Measured],
        to: &ZonedDateTime,
    ) -> Result<(Activity, f64), TreatmentError> {
        let (mut sum, mut variance) = (Activity::ZERO, 0.0);
        for m in list {
            let key = |name: &str| format!("{key}.{name}");
            let least = if key("").starts_with("assay") { 1e-3 } else { 0.0 };
            if !(least..=200.0).contains(&m.activity_gbq) {
                let expected = format!("{least} to 200 GBq (not MBq)");
                let found = m.activity_gbq.to_string();
                return Err(wrong(self.path, &key("activity_gbq"), found, &expected));
            }
            let percent = m.uncertainty_percent.unwrap_or(100.0 * ASSAY_UNCERTAINTY.0);
            if !(0.0..=100.0).contains(&percent) {
                let expected = "0 to 100 percent";
                return Err(wrong(
                    self.path,
                    &key("uncertainty_percent"),
                    percent.to_string(),
                    expected,
                ));
            }
            let at = self.moment(&key("instant"), &m.instant)?;
            if at < to.clone() - MOST_DAYS.days() || at > to.clone() + MOST_DAYS.days() {
                let expected = format!("within {MOST_DAYS} days of the instillation");
                return Err(wrong(self.path, &key("instant"), m.instant.clone(), &expected));
            }
            let there =
                Activity::from_gbq(m.activity_gbq) * decay_factor(self.half_life, between(&at, to));
            variance += (0.01 * percent * there.gbq()).powi(2);
            sum += there;
        }
        Ok((sum, variance))
    }

    /// Share that stayed: mean of the readings after over mean before, the time between taken out.
    fn survey(&self, s: &Survey) -> Result<f64, TreatmentError> {
        let mean = |key: &str, list: &[f64]| {
            let good =
                (1..=32).contains(&list.len()) && list.iter().all(|r| r.is_finite() && *r >= 0.0);
            let sum: f64 = list.iter().sum();
            if !good || key.ends_with("before") && !(sum > 0.0) {
                let expected = "1 to 32 readings of zero or above (above zero before)";
                return Err(wrong(self.path, key, format!("{list:?}"), expected));
            }
            Ok(sum / list.len() as f64)
        };
        let (before, after) = (mean("survey.before", &s.before)?, mean("survey.after", &s.after)?);
        let from = self.moment("survey.before_instant", &s.before_instant)?;
        let to = self.moment("survey.after_instant", &s.after_instant)?;
        Ok(after / before / decay_factor(self.half_life, between(&from, &to)))
    }
}

/// From one moment to another; negative when that is before.
pub(super) fn between(from: &ZonedDateTime, to: &ZonedDateTime) -> TimeSpan {
    TimeSpan::from_s(to.timestamp().duration_since(from.timestamp()).as_secs_f64())
}

fn wrong(path: &Path, key: &str, found: String, expected: &str) -> TreatmentError {
    TreatmentError::Value {
        path: path.to_owned(),
        key: key.to_owned(),
        found,
        expected: expected.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_physics::Nuclide;

    fn given(text: &str) -> Result<Given, String> {
        let half_life = Nuclide::Y90.half_life;
        Given::parse(text, Path::new("t.toml"), "America/New_York", half_life)
            .map_err(|e| e.to_string())
    }

    const GOOD: &str = "schema = 1\nsession = 1\ninstant = \"2027-01-05 13:00\"\n\
        [[assay]]\nactivity_gbq = 3.0\ninstant = \"2027-01-05 12:00\"\n\
        [[residual]]\nactivity_gbq = 0.1\ninstant = \"2027-01-05 17:00\"\n";

    #[test]
    fn everything_is_brought_to_the_moment_of_the_instillation() {
        let g = given(GOOD).expect("given");
        // Factors of facts 2.8: one hour .98924, four hours .95767.
        assert!((g.assayed.gbq() - 3.0 * 0.98924).abs() < 1e-4);
        assert!((g.residual.gbq() - 0.1 / 0.95767).abs() < 1e-5);
        assert!((g.delivered().gbq() - (3.0 * 0.98924 - 0.1 / 0.95767)).abs() < 1e-4);
        assert!((g.uncertainty.gbq() / (0.05 * 3.0 * 0.98924) - 1.0).abs() < 1e-2);
    }

    #[test]
    fn clocks_that_change_in_between_do_not_change_the_decay() {
        // Clocks go forward at 2:00 on 14 March 2027: from noon to noon are 23 hours.
        let text = GOOD
            .replace("2027-01-05 12:00", "2027-03-13 12:00")
            .replace("2027-01-05", "2027-03-14");
        let text = text.replace("2027-03-14 13:00", "2027-03-14 12:00");
        let g = given(&text).expect("given");
        let expected = 3.0 * Nuclide::Y90.decay_factor(TimeSpan::from_h(23.0));
        assert!((g.assayed.gbq() - expected).abs() < 1e-9, "{}", g.assayed.gbq());
    }

    #[test]
    fn a_survey_gives_the_share_that_stayed() {
        let survey = "[survey]\nbefore = [200.0, 220.0, 180.0, 200.0]\nbefore_instant = \"2027-01-05 12:00\"\n\
            after = [3.0, 5.0, 4.0, 4.0]\nafter_instant = \"2027-01-05 16:00\"\n";
        let text = GOOD.split("[[residual]]").next().expect("before").to_owned() + survey;
        let g = given(&text).expect("given");
        assert!((g.residual / g.assayed - 0.02 / 0.95767).abs() < 1e-5);
        assert_eq!(g.residual_by, "survey");
    }

    #[test]
    fn slips_are_said_in_one_sentence() {
        for (from, to, said) in [
            ("activity_gbq = 0.1", "activity_gbq = 3.4", "is larger than the assay"),
            ("activity_gbq = 3.0", "activity_gbq = 3000", "expected 0.001 to 200 GBq (not MBq)"),
            (
                "2027-01-05 13:00",
                "2027-01-05",
                "instant = 2027-01-05, expected a local date and time",
            ),
            ("2027-01-05 17:00", "2027-03-05 17:00", "within 21 days of the instillation"),
            ("[[residual]]", "[[rest]]", "unknown key `rest`"),
            ("schema = 1", "schema = 9", "schema = 9"),
        ] {
            let found = given(&GOOD.replacen(from, to, 1)).expect_err(said);
            assert!(found.contains(said) && found.lines().count() == 1, "{found}");
        }
        let none = GOOD.split("[[residual]]").next().expect("before");
        assert!(given(none).expect_err("no residual").contains("residual = nothing"));
    }
}
