//! A PET series in Bq/mL: a slice a file, or enhanced PET of many frames.
//!
//! Units other than Bq/mL are refused, for what turns them into activity is in no standard place; but
//! Philips writes it into its own elements, and that is taken.

use super::object::{self, Dataset, Object};
use super::stack::{SeriesOf, Slice, Stack, one_of_each};
use super::{Patient, SpacingPolicy, enhanced, pixels};
use crate::acquisition::Acquisition;
use crate::doubts;
use crate::emission::{Emission, EmissionUnit};
use crate::error::ReadError;
use crate::image::Image;
use dicom_core::Tag;
use dicom_dictionary_std::tags;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Philips, "Activity Concentration Scale Factor": Bq/mL for one count as rescaled.
const PHILIPS_BQ_PER_ML: Tag = Tag(0x7053, 0x1009);
/// Who owns that element.
const PHILIPS_OWNER: Tag = Tag(0x7053, 0x0010);

/// Reads the files of one PET series, in any order; every slice has its own rescale slope.
///
/// # Errors
/// When a file cannot be read, is no PET, is not in Bq/mL, or the slices do not stack.
pub fn read(files: &[PathBuf]) -> Result<Emission, ReadError> {
    let objects: Vec<Object> =
        files.par_iter().map(|f| Object::open(f)).collect::<Result<_, _>>()?;
    one_of_each(&objects.iter().collect::<Vec<_>>())?;
    let Some(first) = objects.first() else {
        let expected = "the slices of a PET series";
        return Err(ReadError::format(Path::new("."), "no files", expected, "give the files"));
    };
    let read: Vec<(Vec<Slice>, Vec<f32>)> =
        objects.par_iter().map(of_object).collect::<Result<_, _>>()?;
    let (slices, values): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    let (slices, values) = (slices.concat(), values.concat());
    let stack = Stack::new(&slices, SpacingPolicy::Refuse)?;
    let [nx, ny, _] = stack.grid.size();
    let ordered: Vec<&[f32]> =
        stack.order.iter().map(|n| &values[n * nx * ny..][..nx * ny]).collect();
    let mut notes = stack.notes.clone();
    let counts = first.text(tags::UNITS).as_deref() == Some("CNTS");
    if counts {
        notes
            .push("PET is in counts, brought to Bq/mL by the factor that Philips wrote".to_owned());
    }
    notes.push(decay(first));
    // Counts with their factor are activity: only the rest is doubtful.
    notes.extend(doubts::of_pet(first).into_iter().filter(|d| !(counts && d.contains("CNTS"))));
    let text = |tag| first.text(tag).unwrap_or_default();
    let (study_uid, series_uid) = (text(tags::STUDY_INSTANCE_UID), text(tags::SERIES_INSTANCE_UID));
    let sop_class = text(tags::SOP_CLASS_UID);
    let of = SeriesOf { study_uid: &study_uid, series_uid: &series_uid, sop_class: &sop_class };
    let reference = Some(stack.reference(&slices, of));
    let data = stack.arrange(ordered.concat(), |v| v as f32, 0.0);
    Ok(Emission {
        image: Image::new(stack.grid, data),
        unit: EmissionUnit::BqPerMl,
        frame_of_reference: first.text(tags::FRAME_OF_REFERENCE_UID),
        patient: Patient::of(first),
        study_uid: first.text(tags::STUDY_INSTANCE_UID),
        reference,
        acquisition: Acquisition::of(&objects),
        notes,
    })
}

/// To which moment the counts are corrected.
fn decay(o: &Object) -> String {
    let correction = o.text(tags::DECAY_CORRECTION).or_else(|| {
        // Enhanced PET says yes or no, and the moment.
        let corrected = o.text(tags::DECAY_CORRECTED)?;
        let at = o.text(tags::DECAY_CORRECTION_DATE_TIME);
        Some(if corrected == "YES" { at.unwrap_or_default() } else { "NONE".to_owned() })
    });
    match correction.as_deref() {
        Some("START") => "PET is decay-corrected to the start of the series".to_owned(),
        Some("ADMIN") => "PET is decay-corrected to the administration".to_owned(),
        Some("NONE") => {
            "PET is not decay-corrected: beds acquired later count too little".to_owned()
        }
        Some(at) if at.len() >= 8 && at.as_bytes()[..8].iter().all(u8::is_ascii_digit) => {
            format!("PET is decay-corrected to {at}")
        }
        _ => "PET does not say whether it is decay-corrected".to_owned(),
    }
}

/// Slices of an object and their values in Bq/mL, in the order of its frames.
fn of_object(o: &Object) -> Result<(Vec<Slice>, Vec<f32>), ReadError> {
    match o.text(tags::MODALITY).as_deref() {
        Some("PT") => {}
        found => return Err(o.wrong(tags::MODALITY, found.unwrap_or("missing").into(), "PT")),
    }
    let slices = Slice::all_of(o)?;
    let size = [slices[0].size[0], slices[0].size[1], slices.len()];
    let scales: Vec<[f64; 2]> = if enhanced::is(o) {
        (0..slices.len()).map(|n| of_frame(o, n)).collect::<Result<_, _>>()?
    } else {
        let unit = bq_per_ml(o)?;
        let slope = o.need_number(tags::RESCALE_SLOPE)?;
        let intercept = o.maybe_number(tags::RESCALE_INTERCEPT)?.unwrap_or(0.0);
        vec![[slope * unit, intercept * unit]]
    };
    let stored = pixels::stored(o, size)?;
    let mut values = Vec::with_capacity(stored.len());
    for (frame, [slope, intercept]) in stored.chunks_exact(size[0] * size[1]).zip(scales) {
        values.extend(frame.iter().map(|v| (f64::from(*v) * slope + intercept) as f32));
    }
    Ok((slices, values))
}

/// Bq/mL in a rescaled value of a slice.
fn bq_per_ml(o: &Object) -> Result<f64, ReadError> {
    let units = o.need_text(tags::UNITS)?;
    if units == "BQML" {
        return Ok(1.0);
    }
    let philips = o.text(PHILIPS_OWNER).is_some_and(|owner| owner.starts_with("Philips PET"));
    let factor = o.number(PHILIPS_BQ_PER_ML).filter(|f| f.is_finite() && *f > 0.0);
    match (units.as_str(), factor) {
        ("CNTS", Some(factor)) if philips => Ok(factor),
        _ => {
            let expected = "BQML, activity concentration (counts or SUV say nothing of activity: reconstruct or export it in Bq/mL)";
            Err(o.wrong(tags::UNITS, units, expected))
        }
    }
}

/// Slope and intercept to Bq/mL of a frame of enhanced PET: its real-world value mapping, or its pixel
/// value transformation if that says so.
fn of_frame(o: &Object, frame: usize) -> Result<[f64; 2], ReadError> {
    let number = |part: &Dataset, tag| object::need_numbers::<1>(o.path(), part, tag);
    let unit = |part: &Dataset| {
        let codes = object::items(part, tags::MEASUREMENT_UNITS_CODE_SEQUENCE);
        codes.first().and_then(|c| object::text(c, tags::CODE_VALUE)).unwrap_or_default()
    };
    let mut said = Vec::new();
    for mapping in enhanced::all(o, frame, tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE) {
        let unit = unit(mapping);
        if unit.eq_ignore_ascii_case("Bq/ml") {
            let [slope] = number(mapping, tags::REAL_WORLD_VALUE_SLOPE)?;
            let [intercept] = number(mapping, tags::REAL_WORLD_VALUE_INTERCEPT)?;
            return Ok([slope, intercept]);
        }
        said.push(unit);
    }
    let values = enhanced::need(o, frame, tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE)?;
    let kind = object::text(values, tags::RESCALE_TYPE).or_else(|| o.text(tags::UNITS));
    match kind.as_deref() {
        Some("BQML") => {
            let [slope] = number(values, tags::RESCALE_SLOPE)?;
            let [intercept] = number(values, tags::RESCALE_INTERCEPT)?;
            Ok([slope, intercept])
        }
        kind => {
            said.extend(kind.map(str::to_owned));
            let found = if said.is_empty() { "missing".to_owned() } else { said.join(", ") };
            let expected = "Bq/mL, activity concentration (reconstruct or export it so)";
            Err(o.wrong(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, found, expected))
        }
    }
}
