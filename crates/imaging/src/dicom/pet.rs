//! A PET series in Bq/mL.

use super::object::Object;
use super::stack::{Slice, Stack, one_of_each};
use super::{Patient, SpacingPolicy, pixels};
use crate::emission::{Emission, EmissionUnit};
use crate::error::ReadError;
use crate::image::Image;
use dicom_dictionary_std::tags;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

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
    let units = first.need_text(tags::UNITS)?;
    if units != "BQML" {
        let expected = "BQML: activity concentration";
        return Err(first.wrong(tags::UNITS, units, expected));
    }
    let slices: Vec<Slice> = objects.iter().map(Slice::of).collect::<Result<_, _>>()?;
    let stack = Stack::new(&slices, SpacingPolicy::Refuse)?;
    let ordered: Vec<Vec<f32>> = stack
        .order
        .par_iter()
        .map(|n| {
            let o = &objects[*n];
            let slope = o.need_number(tags::RESCALE_SLOPE)?;
            let intercept = o.number(tags::RESCALE_INTERCEPT).unwrap_or(0.0);
            let stored = pixels::stored(o, [slices[*n].size[0], slices[*n].size[1], 1])?;
            Ok(stored.into_iter().map(|v| (f64::from(v) * slope + intercept) as f32).collect())
        })
        .collect::<Result<_, ReadError>>()?;
    let mut notes = stack.notes.clone();
    let correction = first.text(tags::DECAY_CORRECTION);
    notes.push(match correction.as_deref() {
        Some("START") => "PET is decay-corrected to the start of the series".to_owned(),
        Some("ADMIN") => "PET is decay-corrected to the administration".to_owned(),
        Some("NONE") => {
            "PET is not decay-corrected: beds acquired later count too little".to_owned()
        }
        _ => "PET does not say whether it is decay-corrected".to_owned(),
    });
    let data = stack.arrange(ordered.concat(), |v| v as f32, 0.0);
    Ok(Emission {
        image: Image::new(stack.grid, data),
        unit: EmissionUnit::BqPerMl,
        frame_of_reference: first.text(tags::FRAME_OF_REFERENCE_UID),
        patient: Patient::of(first),
        study_uid: first.text(tags::STUDY_INSTANCE_UID),
        notes,
    })
}
