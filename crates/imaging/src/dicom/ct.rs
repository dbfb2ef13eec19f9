//! A CT series.

use super::object::Object;
use super::stack::{Slice, Stack, one_of_each};
use super::{Patient, SpacingPolicy, pixels};
use crate::error::ReadError;
use crate::image::{FrameOfReference, Image};
use dicom_dictionary_std::tags;
use rayon::prelude::*;
use std::path::PathBuf;

/// What pixels outside the reconstruction circle are taken for.
const AIR_HU: i16 = -1000;

/// A CT series, its slices stacked along their normal.
#[derive(Debug)]
pub struct CtSeries {
    /// CT numbers in HU.
    pub image: Image<i16>,
    /// Frame of Reference UID.
    pub frame_of_reference: FrameOfReference,
    /// Who was imaged.
    pub patient: Patient,
    /// Study Instance UID.
    pub study_uid: String,
    /// Series Instance UID.
    pub series_uid: String,
    /// What a reader must know: copies left out, slices interpolated.
    pub notes: Vec<String>,
}

/// Reads the files of one CT series, in any order.
///
/// # Errors
/// When a file cannot be read, is no CT, is of another series; when slices are missing, uneven or
/// tilted and the policy is to refuse that.
pub fn read(files: &[PathBuf], policy: SpacingPolicy) -> Result<CtSeries, ReadError> {
    let read: Vec<(Header, Slice, Vec<i16>)> =
        files.par_iter().map(|f| slice(f)).collect::<Result<_, _>>()?;
    let Some((first, ..)) = read.first() else {
        return Err(ReadError::format(
            std::path::Path::new("."),
            "no files",
            "the slices of a CT series",
            "give the files",
        ));
    };
    for (header, slice, _) in &read {
        header.same_as(first, slice)?;
    }
    let first = first.clone();
    let (slices, mut data): (Vec<Slice>, Vec<Vec<i16>>) =
        read.into_iter().map(|(_, slice, data)| (slice, data)).unzip();
    let stack = Stack::new(&slices, policy)?;
    let ordered = stack.order.iter().map(|n| std::mem::take(&mut data[*n])).collect();
    let image = stack.arrange(ordered, |v| v.round() as i16, AIR_HU);
    Ok(CtSeries {
        image: Image::new(stack.grid, image),
        frame_of_reference: first.frame_of_reference,
        patient: first.patient,
        study_uid: first.study_uid,
        series_uid: first.series_uid,
        notes: stack.notes,
    })
}

#[derive(Debug, Clone)]
struct Header {
    patient: Patient,
    study_uid: String,
    series_uid: String,
    frame_of_reference: FrameOfReference,
}

impl Header {
    fn same_as(&self, first: &Self, slice: &Slice) -> Result<(), ReadError> {
        let none = || "missing".to_owned();
        let pairs = [
            ("Patient ID", self.patient.id.clone(), first.patient.id.clone()),
            ("Series Instance UID", Some(self.series_uid.clone()), Some(first.series_uid.clone())),
            (
                "Frame of Reference UID",
                self.frame_of_reference.clone(),
                first.frame_of_reference.clone(),
            ),
        ];
        match pairs.into_iter().find(|(_, a, b)| a != b) {
            Some((element, found, expected)) => Err(ReadError::element(
                &slice.path,
                element,
                found.unwrap_or_else(none),
                &format!("{} as in the other slices", expected.unwrap_or_else(none)),
                "keep each patient and each series in a folder of its own",
            )),
            None => Ok(()),
        }
    }
}

fn slice(path: &std::path::Path) -> Result<(Header, Slice, Vec<i16>), ReadError> {
    let o = Object::open(path)?;
    let modality = o.text(tags::MODALITY).unwrap_or_else(|| "missing".to_owned());
    if modality != "CT" {
        return Err(o.wrong(tags::MODALITY, modality, "CT"));
    }
    one_of_each(&[&o])?;
    let slice = Slice::of(&o)?;
    let slope = o.number(tags::RESCALE_SLOPE).unwrap_or(1.0);
    let intercept = o.number(tags::RESCALE_INTERCEPT).unwrap_or(0.0);
    if !slope.is_finite() || slope == 0.0 || !intercept.is_finite() {
        let found = format!("{slope} with intercept {intercept}");
        return Err(o.wrong(tags::RESCALE_SLOPE, found, "a finite slope that is not zero"));
    }
    let padding = o.number(tags::PIXEL_PADDING_VALUE).map(|p| p as i32);
    let stored = pixels::stored(&o, [slice.size[0], slice.size[1], 1])?;
    let rescaled = |v: i32| {
        if Some(v) == padding {
            return AIR_HU;
        }
        let hu = f64::from(v) * slope + intercept;
        hu.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
    };
    // A scanner's values are few: each is rescaled once, not a quarter of a million times.
    let (low, high) = (stored.iter().min().copied(), stored.iter().max().copied());
    let hu = match (low, high) {
        (Some(low), Some(high)) if high.abs_diff(low) < 1 << 16 => {
            let table: Vec<i16> = (low..=high).map(rescaled).collect();
            stored.into_iter().map(|v| table[v.abs_diff(low) as usize]).collect()
        }
        _ => stored.into_iter().map(rescaled).collect(),
    };
    let header = Header {
        patient: Patient::of(&o),
        study_uid: o.text(tags::STUDY_INSTANCE_UID).unwrap_or_default(),
        series_uid: o.need_text(tags::SERIES_INSTANCE_UID)?,
        frame_of_reference: o.text(tags::FRAME_OF_REFERENCE_UID),
    };
    Ok((header, slice, hu))
}
