//! What makes an image of activity doubtful, as far as its own file says: no attenuation correction, too
//! late after the injection, counts cut off at the largest number, units that are no activity. Each is
//! a sentence with its reason.

use crate::dicom::object::{self, Dataset, Object};
use dicom_core::Tag;
use dicom_dictionary_std::tags;
use jiff::civil::{Date, DateTime, Time};

/// Aggregates of albumin break up and free pertechnetate appears: images are wanted within this
/// (`facts/clinical.md`, recalled).
const MAA_WITHIN_MIN: i64 = 60;
/// Fewer voxels of the largest value are the maximum of a scaled image, not a cut.
const SATURATED_VOXELS: usize = 8;
/// The photopeak of 99mTc in keV.
const TC99M_KEV: f64 = 140.5;

/// Doubts about reconstructed SPECT.
pub(crate) fn of_spect(o: &Object) -> Vec<String> {
    [attenuation(o, "SPECT"), late(o, "SPECT")].into_iter().flatten().collect()
}

/// Doubts about planar views.
pub(crate) fn of_planar(o: &Object) -> Vec<String> {
    late(o, "the planar views").into_iter().collect()
}

/// Doubts about PET.
pub(crate) fn of_pet(o: &Object) -> Vec<String> {
    let unit = o.text(tags::UNITS).filter(|u| u != "BQML").map(|unit| {
        let what = match unit.as_str() {
            "CNTS" => "counts",
            "GML" => "standardized uptake (g/mL)",
            _ => "another unit than Bq/mL",
        };
        format!("PET is in {what} (Units {unit}): activity, and so dose, cannot be told from it")
    });
    [unit, attenuation(o, "PET")].into_iter().flatten().collect()
}

/// Whether counts were corrected for attenuation, as Corrected Image and names say.
fn attenuation(o: &Object, what: &str) -> Option<String> {
    const REASON: &str =
        "counts from deep in the body are too few, so that liver and lungs cannot be compared";
    let names = [tags::SERIES_DESCRIPTION, tags::IMAGE_TYPE, tags::IMAGE_COMMENTS];
    let names: Vec<String> = names.iter().filter_map(|tag| o.text(*tag)).collect();
    let name = names.join(" ").to_uppercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let uncorrected = ["NAC", "NOAC", "NONAC", "UNCORRECTED", "NATT"];
    if words.iter().any(|w| uncorrected.contains(w)) || name.contains("NO AC") {
        return Some(format!("{what} is named as not corrected for attenuation: {REASON}"));
    }
    if let Some(corrected) = o.text(tags::CORRECTED_IMAGE) {
        let corrected = corrected.split('\\').any(|c| c.trim() == "ATTN");
        return (!corrected).then(|| {
            format!(
                "{what} is not corrected for attenuation (Corrected Image has no ATTN): {REASON}"
            )
        });
    }
    let said = o.text(tags::ATTENUATION_CORRECTION_METHOD).is_some()
        || words.iter().any(|w| ["AC", "ACSC", "CTAC", "IRAC", "IRACSC", "IRACRR"].contains(w));
    (!said).then(|| {
        format!("{what} does not say that it is corrected for attenuation; if it is not, {REASON}")
    })
}

/// Whether an image of 99mTc was begun too long after the injection.
fn late(o: &Object, what: &str) -> Option<String> {
    let drug = o.items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE).first()?;
    if !is_tc99m(o, drug) {
        return None;
    }
    let minutes = minutes_after_injection(o, drug)?;
    let (hours, rest) = (minutes / 60, minutes % 60);
    (minutes > MAA_WITHIN_MIN).then(|| {
        format!(
            "{what} was begun {hours} h {rest:02} min after the injection, expected within {MAA_WITHIN_MIN} min of 99mTc-MAA: free pertechnetate and broken aggregates make the lung shunt look larger"
        )
    })
}

fn is_tc99m(o: &Object, drug: &Dataset) -> bool {
    let codes = object::items(drug, tags::RADIONUCLIDE_CODE_SEQUENCE);
    let code = |c: &Dataset, tag| object::text(c, tag).unwrap_or_default().to_lowercase();
    let nuclide = codes.iter().any(|c| {
        ["72454006", "c-163a8"].contains(&code(c, tags::CODE_VALUE).as_str())
            || code(c, tags::CODE_MEANING).contains("technetium")
            || code(c, tags::CODE_MEANING).contains("tc")
    });
    let name = object::text(drug, tags::RADIOPHARMACEUTICAL).unwrap_or_default().to_lowercase();
    let named = ["maa", "tc-99m", "tc99m", "99mtc", "99m-tc", "macroaggregat"];
    let unsaid = codes.is_empty() && name.is_empty();
    nuclide || named.iter().any(|n| name.contains(n)) || unsaid && window_of_tc99m(o)
}

fn window_of_tc99m(o: &Object) -> bool {
    let windows = o.items(tags::ENERGY_WINDOW_INFORMATION_SEQUENCE);
    let ranges = windows.iter().flat_map(|w| object::items(w, tags::ENERGY_WINDOW_RANGE_SEQUENCE));
    let limit = |r: &Dataset, tag| object::numbers(r, tag).and_then(|n| n.first().copied());
    let holds = |r: &Dataset| {
        let low = limit(r, tags::ENERGY_WINDOW_LOWER_LIMIT);
        let high = limit(r, tags::ENERGY_WINDOW_UPPER_LIMIT);
        low.is_some_and(|l| l <= TC99M_KEV) && high.is_some_and(|h| h >= TC99M_KEV)
    };
    ranges.into_iter().any(holds)
}

fn minutes_after_injection(o: &Object, drug: &Dataset) -> Option<i64> {
    let moment = |text: Option<String>| text.as_deref().and_then(date_time);
    let day = |tag: Tag| o.text(tag).as_deref().and_then(date);
    let hour = |text: Option<String>| text.as_deref().and_then(time);
    let began = moment(o.text(tags::ACQUISITION_DATE_TIME)).or_else(|| {
        let day = day(tags::ACQUISITION_DATE).or_else(|| day(tags::SERIES_DATE))?;
        Some(day.to_datetime(hour(o.text(tags::ACQUISITION_TIME))?))
    })?;
    let injected = object::text(drug, tags::RADIOPHARMACEUTICAL_START_DATE_TIME);
    let minutes = match moment(injected) {
        Some(injected) => minutes_between(injected, began),
        None => {
            // A time without a day: the last such time before.
            let at = hour(object::text(drug, tags::RADIOPHARMACEUTICAL_START_TIME))?;
            minutes_between(began.date().to_datetime(at), began).rem_euclid(24 * 60)
        }
    };
    (minutes >= 0).then_some(minutes)
}

fn minutes_between(from: DateTime, to: DateTime) -> i64 {
    to.duration_since(from).as_secs() / 60
}

/// `YYYYMMDD`.
pub(crate) fn date(text: &str) -> Option<Date> {
    Date::strptime("%Y%m%d", text.get(..8)?).ok()
}

/// `HHMMSS` with or without seconds and parts of them.
pub(crate) fn time(text: &str) -> Option<Time> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let part = |at: usize| digits.get(at..at + 2).and_then(|d| d.parse::<i8>().ok());
    Time::new(part(0)?, part(2).unwrap_or(0), part(4).unwrap_or(0).min(59), 0).ok()
}

/// `YYYYMMDDHHMMSS`; a zone is not looked at.
pub(crate) fn date_time(text: &str) -> Option<DateTime> {
    Some(date(text)?.to_datetime(time(text.get(8..)?)?))
}

/// Whether counts were cut off at the largest number that the stored bits hold.
pub(crate) fn saturated(o: &Object, stored: &[i32], what: &str) -> Option<String> {
    let bits = o.number(tags::BITS_STORED).or_else(|| o.number(tags::BITS_ALLOCATED))?;
    let bits = bits.clamp(1.0, 32.0) as u32;
    let highest = stored.iter().copied().max().filter(|v| *v > 0)?;
    // Some systems count up to 15 bits in words of 16.
    let tops = [(1_u64 << bits) - 1, (1 << (bits - 1)) - 1];
    if !tops.contains(&(highest as u64)) {
        return None;
    }
    let count = stored.iter().filter(|v| **v == highest).count();
    (count >= SATURATED_VOXELS).then(|| {
        format!(
            "{what}: {count} voxels are at {highest}, the largest number the file holds: counts are cut off there and hot spots read too low; export it with a rescale or in more bits"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_dicom_writes_them() {
        let at = |h, m, s| Time::new(h, m, s, 0).ok();
        assert_eq!(time("0930"), at(9, 30, 0));
        assert_eq!(time("093015.123000"), at(9, 30, 15));
        assert_eq!(time("09:30:15"), at(9, 30, 15));
        assert_eq!(time("ab"), None);
        assert_eq!(date("20260230"), None);
        let moment = date_time("20260105091500.0000+0100").expect("a moment");
        assert_eq!(moment, jiff::civil::date(2026, 1, 5).at(9, 15, 0, 0));
        assert_eq!(minutes_between(moment, moment.date().at(10, 45, 0, 0)), 90);
    }
}
