//! When an emission image was acquired, and to which moment its values are corrected.

use crate::dicom::object::{self, Object};
use crate::doubts::{date, date_time, time};
use dicom_core::Tag;
use dicom_dictionary_std::tags;
use jiff::civil::DateTime;

/// To which moment the values of an image of activity are corrected for decay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecayCorrection {
    /// To the start of the acquisition (START).
    Start,
    /// To the moment the radiopharmaceutical was given (ADMIN).
    Administration,
    /// To a moment that the file names.
    Moment(DateTime),
    /// Not at all (NONE): every bed as it was when it was acquired.
    None,
    /// The file does not say.
    Unsaid,
}

/// What the header of an emission image says of time and activity. Moments are local to the site: DICOM
/// has no zone unless a vendor adds one.
#[derive(Debug, Clone, PartialEq)]
pub struct Acquisition {
    /// Whether it is PET.
    pub pet: bool,
    /// When it began: the earliest acquisition of any slice.
    pub start: Option<DateTime>,
    /// Whether slices were acquired at different moments (several beds).
    pub beds: bool,
    /// How long one bed took.
    pub duration_s: Option<f64>,
    /// Moment of the values.
    pub decay: DecayCorrection,
    /// Name of the nuclide, if it is named.
    pub nuclide: Option<String>,
    /// Half-life that the scanner corrected with.
    pub half_life_s: Option<f64>,
    /// When the radiopharmaceutical was given.
    pub given: Option<DateTime>,
}

impl Acquisition {
    /// Of the files of one series.
    pub(crate) fn of(objects: &[Object]) -> Option<Self> {
        let first = objects.first()?;
        let starts: Vec<DateTime> = objects.iter().filter_map(began).collect();
        let start = starts.iter().min().copied();
        let drug = first.items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE).first();
        let of_drug = |tag: Tag| drug.and_then(|d| object::text(d, tag));
        let nuclide = drug.and_then(|d| {
            let code = object::items(d, tags::RADIONUCLIDE_CODE_SEQUENCE).first()?;
            object::text(code, tags::CODE_MEANING)
        });
        let given = of_drug(tags::RADIOPHARMACEUTICAL_START_DATE_TIME)
            .as_deref()
            .and_then(date_time)
            .or_else(|| {
                // A time without a day is of the day of the scan, or of one before: not told apart.
                let at = time(&of_drug(tags::RADIOPHARMACEUTICAL_START_TIME)?)?;
                let same_day = start?.date().to_datetime(at);
                (same_day <= start?).then_some(same_day)
            });
        let half_life = of_drug(tags::RADIONUCLIDE_HALF_LIFE).and_then(|t| t.parse::<f64>().ok());
        let milliseconds = first.number(tags::ACTUAL_FRAME_DURATION);
        Some(Self {
            pet: first.text(tags::MODALITY).as_deref() == Some("PT"),
            start,
            beds: starts.iter().any(|s| Some(*s) != start),
            duration_s: milliseconds.filter(|ms| ms.is_finite() && *ms > 0.0).map(|ms| ms / 1000.0),
            decay: decay(first, start),
            nuclide: nuclide.or_else(|| of_drug(tags::RADIOPHARMACEUTICAL)),
            half_life_s: half_life.filter(|s| s.is_finite() && *s > 0.0),
            given,
        })
    }
}

/// When the acquisition of an object began.
fn began(o: &Object) -> Option<DateTime> {
    if let Some(at) = o.text(tags::ACQUISITION_DATE_TIME).as_deref().and_then(date_time) {
        return Some(at);
    }
    let day = [tags::ACQUISITION_DATE, tags::SERIES_DATE, tags::STUDY_DATE]
        .into_iter()
        .find_map(|tag| date(&o.text(tag)?))?;
    let at =
        [tags::ACQUISITION_TIME, tags::SERIES_TIME].into_iter().find_map(|t| time(&o.text(t)?))?;
    Some(day.to_datetime(at))
}

fn decay(o: &Object, start: Option<DateTime>) -> DecayCorrection {
    match o.text(tags::DECAY_CORRECTION).as_deref() {
        Some("START") => {
            // Some systems write the moment of reconstruction as series time: then the acquisition is
            // the start.
            let day = o.text(tags::SERIES_DATE).as_deref().and_then(date);
            let at = o.text(tags::SERIES_TIME).as_deref().and_then(time);
            let series = day.zip(at).map(|(day, at)| day.to_datetime(at));
            match (series, start) {
                (Some(series), Some(start)) if series < start => DecayCorrection::Moment(series),
                _ => DecayCorrection::Start,
            }
        }
        Some("ADMIN") => DecayCorrection::Administration,
        Some("NONE") => DecayCorrection::None,
        Some(_) => DecayCorrection::Unsaid,
        None => match o.text(tags::DECAY_CORRECTED).as_deref() {
            // Enhanced PET says yes or no, and the moment.
            Some("YES") => o
                .text(tags::DECAY_CORRECTION_DATE_TIME)
                .as_deref()
                .and_then(date_time)
                .map_or(DecayCorrection::Unsaid, DecayCorrection::Moment),
            Some("NO") => DecayCorrection::None,
            _ => DecayCorrection::Unsaid,
        },
    }
}
