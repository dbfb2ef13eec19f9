//! Nuclear medicine: reconstructed SPECT and planar views.
//!
//! Position and orientation of an NM volume are in the detector's item, not at the top; slices are
//! stacked along the normal by SpacingBetweenSlices, which may be negative: then they run against
//! it. Values are activity per volume if a real-world value mapping in Bq/mL says so, else stored
//! values times a rescale slope if there is one, else counts.

use super::object::{self, Dataset, Object};
use super::stack::{pixel_spacing, unit_axes};
use super::write::{SeriesReference, SliceReference};
use super::{Patient, pixels};
use crate::acquisition::Acquisition;
use crate::doubts;
use crate::emission::{Emission, EmissionUnit, Planar, PlanarView};
use crate::error::ReadError;
use crate::geometry::Grid;
use crate::image::Image;
use dicom_core::Tag;
use dicom_dictionary_std::tags;
use nalgebra::{Matrix3, Vector3};
use std::path::Path;

/// The photopeak of 99mTc in keV; the window of a planar view that holds it is the one taken.
const TC99M_KEV: f64 = 140.5;

/// Reads reconstructed SPECT of one multi-frame file.
///
/// # Errors
/// When the file cannot be read, is no reconstructed NM, has several energy windows or an unusable
/// geometry.
pub fn read_spect(path: &Path) -> Result<Emission, ReadError> {
    let o = Object::open(path)?;
    need_nm(&o)?;
    let kind = o.text(tags::IMAGE_TYPE).unwrap_or_default();
    if !kind.contains("RECON") {
        let expected = "RECON TOMO: a reconstructed volume";
        return Err(o.wrong(tags::IMAGE_TYPE, kind, expected));
    }
    let size = o.size()?;
    let [columns, rows, frames] = size;
    let order = slice_order(&o, frames)?;
    let grid = spect_grid(&o, size)?;
    let stored = pixels::stored(&o, size)?;
    let scale = Scale::of(&o)?;
    let plane = columns * rows;
    let mut data = vec![0.0_f32; stored.len()];
    for (frame, values) in stored.chunks_exact(plane).enumerate() {
        let to = &mut data[order[frame] * plane..][..plane];
        for (t, v) in to.iter_mut().zip(values) {
            *t = scale.of_stored(*v);
        }
    }
    let mut notes = scale.notes.clone();
    notes.extend(doubts::of_spect(&o));
    notes.extend(doubts::saturated(&o, &stored, "SPECT"));
    if o.number(tags::SPACING_BETWEEN_SLICES).is_some_and(|s| s < 0.0) {
        notes.push(
            "SPECT slices run against their normal (negative SpacingBetweenSlices)".to_owned(),
        );
    }
    let text = |tag| o.text(tag).unwrap_or_default();
    let reference = Some(SeriesReference {
        study_uid: text(tags::STUDY_INSTANCE_UID),
        series_uid: text(tags::SERIES_INSTANCE_UID),
        sop_class: text(tags::SOP_CLASS_UID),
        normal: grid.axes().column(2).into(),
        slices: (0..frames)
            .map(|k| SliceReference {
                instance_uid: text(tags::SOP_INSTANCE_UID),
                frame: order.iter().position(|slice| *slice == k).map(|frame| frame + 1),
                position: grid.world([0.0, 0.0, k as f64]),
            })
            .collect(),
    });
    Ok(Emission {
        image: Image::new(grid, data),
        unit: scale.unit,
        frame_of_reference: o.text(tags::FRAME_OF_REFERENCE_UID),
        patient: Patient::of(&o),
        study_uid: o.text(tags::STUDY_INSTANCE_UID),
        reference,
        acquisition: Acquisition::of(std::slice::from_ref(&o)),
        notes,
    })
}

fn need_nm(o: &Object) -> Result<(), ReadError> {
    match o.text(tags::MODALITY).as_deref() {
        Some("NM") => Ok(()),
        found => Err(o.wrong(tags::MODALITY, found.unwrap_or("missing").to_owned(), "NM")),
    }
}

/// To which slice each frame belongs, from 0.
fn slice_order(o: &Object, frames: usize) -> Result<Vec<usize>, ReadError> {
    let pointers = pointers(o);
    if pointers.contains(&tags::ENERGY_WINDOW_VECTOR) {
        let windows = o.numbers(tags::ENERGY_WINDOW_VECTOR).unwrap_or_default();
        if windows.iter().any(|w| Some(w) != windows.first()) {
            let found = format!("{} windows", windows.iter().fold(0.0_f64, |a, b| a.max(*b)));
            let expected = "one energy window (export the photopeak alone)";
            return Err(o.wrong(tags::ENERGY_WINDOW_VECTOR, found, expected));
        }
    }
    // Frames of a gated or dynamic volume are many volumes.
    for (tag, what) in [
        (tags::TIME_SLOT_VECTOR, "time slots of a gated volume"),
        (tags::RR_INTERVAL_VECTOR, "intervals of a gated volume"),
        (tags::TIME_SLICE_VECTOR, "time slices"),
        (tags::PHASE_VECTOR, "phases"),
    ] {
        let numbers = o.numbers(tag).unwrap_or_default();
        if numbers.iter().any(|n| Some(n) != numbers.first()) {
            let found = format!("{} {what}", numbers.iter().fold(0.0_f64, |a, b| a.max(*b)));
            return Err(o.wrong(tag, found, "one volume (export their sum)"));
        }
    }
    let Some(vector) = o.numbers(tags::SLICE_VECTOR) else { return Ok((0..frames).collect()) };
    let mut seen = vec![false; frames];
    let good = vector.len() == frames
        && vector.iter().all(|v| {
            let n = *v as usize;
            v.fract() == 0.0
                && (1..=frames).contains(&n)
                && !std::mem::replace(&mut seen[n - 1], true)
        });
    if good {
        Ok(vector.iter().map(|v| *v as usize - 1).collect())
    } else {
        let found = format!("{} numbers", vector.len());
        let expected = format!("each of 1 to {frames} once");
        Err(o.wrong(tags::SLICE_VECTOR, found, &expected))
    }
}

fn pointers(o: &Object) -> Vec<Tag> {
    o.dataset()
        .get(tags::FRAME_INCREMENT_POINTER)
        .and_then(|e| e.value().primitive())
        .map(|p| match p {
            dicom_core::PrimitiveValue::Tags(t) => t.to_vec(),
            _ => Vec::new(),
        })
        .unwrap_or_default()
}

fn spect_grid(o: &Object, size: [usize; 3]) -> Result<Grid, ReadError> {
    let detector = o.items(tags::DETECTOR_INFORMATION_SEQUENCE).first();
    // The standard's place first; some vendors write them at the top.
    let place = |tag| -> Option<&Dataset> {
        detector
            .filter(|d| d.get(tag).is_some())
            .or_else(|| o.dataset().get(tag).map(|_| o.dataset()))
    };
    let missing = |tag| o.missing(tag, "in the detector's item of an NM volume");
    let at =
        place(tags::IMAGE_POSITION_PATIENT).ok_or_else(|| missing(tags::IMAGE_POSITION_PATIENT))?;
    let p: [f64; 3] = object::need_numbers(o.path(), at, tags::IMAGE_POSITION_PATIENT)?;
    let at = place(tags::IMAGE_ORIENTATION_PATIENT)
        .ok_or_else(|| missing(tags::IMAGE_ORIENTATION_PATIENT))?;
    let a: [f64; 6] = object::need_numbers(o.path(), at, tags::IMAGE_ORIENTATION_PATIENT)?;
    let [row, column] = unit_axes(o, a)?;
    let [between_rows, between_columns] = pixel_spacing(o)?;
    let step = match o.number(tags::SPACING_BETWEEN_SLICES) {
        Some(step) => step,
        None => o.need_number(tags::SLICE_THICKNESS)?,
    };
    if !(step.is_finite() && step != 0.0) {
        let expected = "a distance in mm that is not zero";
        return Err(o.wrong(tags::SPACING_BETWEEN_SLICES, step.to_string(), expected));
    }
    let along: Vector3<f64> = row.cross(&column) * step.signum();
    let axes = Matrix3::from_columns(&[row, column, along]);
    Grid::new(size, [between_columns, between_rows, step.abs()], p, axes).map_err(|e| {
        let remedy = "export the series again";
        ReadError::format(o.path(), e.to_string(), "a grid of voxels", remedy)
    })
}

/// From stored to real values.
struct Scale {
    slope: f64,
    intercept: f64,
    unit: EmissionUnit,
    notes: Vec<String>,
}

impl Scale {
    fn of(o: &Object) -> Result<Self, ReadError> {
        let mappings = o.items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE);
        let code = |m: &Dataset| {
            object::items(m, tags::MEASUREMENT_UNITS_CODE_SEQUENCE)
                .first()
                .and_then(|c| object::text(c, tags::CODE_VALUE))
                .unwrap_or_default()
        };
        let number = |m: &Dataset, tag| object::numbers(m, tag).and_then(|n| n.first().copied());
        let concentration = |m: &&Dataset| code(m).eq_ignore_ascii_case("bq/ml");
        if let Some(mapping) = mappings.iter().find(concentration) {
            let slope = number(mapping, tags::REAL_WORLD_VALUE_SLOPE);
            let intercept = number(mapping, tags::REAL_WORLD_VALUE_INTERCEPT).unwrap_or(0.0);
            return match slope {
                Some(slope) if slope.is_finite() && slope > 0.0 && intercept.is_finite() => {
                    Ok(Self {
                        slope,
                        intercept,
                        unit: EmissionUnit::BqPerMl,
                        notes: vec!["SPECT is in Bq/mL by its real-world value mapping".to_owned()],
                    })
                }
                found => {
                    let found = found.map_or("missing".to_owned(), |s| s.to_string());
                    let expected = "a number above zero (the mapping is not linear)";
                    Err(o.wrong(tags::REAL_WORLD_VALUE_SLOPE, found, expected))
                }
            };
        }
        // Any constant factor leaves ratios of counts as they are; an intercept would not.
        let slope = o.maybe_number(tags::RESCALE_SLOPE)?.unwrap_or(1.0);
        let intercept = o.maybe_number(tags::RESCALE_INTERCEPT)?.unwrap_or(0.0);
        if !(slope.is_finite() && slope > 0.0 && intercept.is_finite()) {
            let found = format!("{slope} with intercept {intercept}");
            return Err(o.wrong(tags::RESCALE_SLOPE, found, "a number above zero"));
        }
        let mut notes = Vec::new();
        if slope != 1.0 || intercept != 0.0 {
            notes.push(format!(
                "SPECT is rescaled by {slope} with intercept {intercept}; its unit is not declared"
            ));
        }
        Ok(Self { slope, intercept, unit: EmissionUnit::Counts, notes })
    }

    fn of_stored(&self, v: i32) -> f32 {
        (f64::from(v) * self.slope + self.intercept) as f32
    }
}

/// Reads an anterior and a posterior view of one file.
///
/// # Errors
/// When the file cannot be read, is no planar NM, or does not say which view is which.
pub fn read_planar(path: &Path) -> Result<Planar, ReadError> {
    let o = Object::open(path)?;
    need_nm(&o)?;
    let size = o.size()?;
    let [columns, rows, frames] = size;
    let mut notes = Vec::new();
    let window = peak_window(&o, &mut notes);
    let ones = || vec![1.0; frames];
    let windows = o.numbers(tags::ENERGY_WINDOW_VECTOR).unwrap_or_else(ones);
    let counting = || (1..=frames).map(|n| n as f64).collect();
    let detectors = o.numbers(tags::DETECTOR_VECTOR).unwrap_or_else(counting);
    if windows.len() != frames || detectors.len() != frames {
        let found = format!("{} and {} entries", windows.len(), detectors.len());
        return Err(o.wrong(tags::DETECTOR_VECTOR, found, &format!("one a frame ({frames})")));
    }
    let information = o.items(tags::DETECTOR_INFORMATION_SEQUENCE);
    let view = |frame: usize| -> Option<View> {
        View::of(information.get(detectors[frame] as usize - 1)?)
    };
    let mut found = [None, None];
    for frame in (0..frames).filter(|f| windows[*f] == window && detectors[*f] >= 1.0) {
        let place = match view(frame) {
            Some(View::Anterior) => &mut found[0],
            Some(View::Posterior) => &mut found[1],
            None => continue,
        };
        if place.replace(frame).is_some() {
            let expected = "one anterior and one posterior frame in the photopeak";
            return Err(o.wrong(tags::DETECTOR_VECTOR, "two frames of one view".into(), expected));
        }
    }
    let [Some(anterior), Some(posterior)] = found else {
        let missing = if found[0].is_none() { "no anterior view" } else { "no posterior view" };
        let expected = "an anterior and a posterior view, by view code or start angle";
        return Err(o.wrong(tags::DETECTOR_INFORMATION_SEQUENCE, missing.into(), expected));
    };
    let [between_rows, between_columns] = pixel_spacing(&o)?;
    let stored = pixels::stored(&o, size)?;
    notes.extend(doubts::of_planar(&o));
    notes.extend(doubts::saturated(&o, &stored, "the planar views"));
    let slope = o.maybe_number(tags::RESCALE_SLOPE)?.unwrap_or(1.0);
    if slope <= 0.0 {
        return Err(o.wrong(tags::RESCALE_SLOPE, slope.to_string(), "a number above zero"));
    }
    let duration_s = o.number(tags::ACTUAL_FRAME_DURATION).map(|ms| ms * 1e-3);
    let plane = columns * rows;
    let frame = |n: usize| PlanarView {
        columns,
        rows,
        pixel_mm: [between_columns, between_rows],
        counts: stored[n * plane..][..plane]
            .iter()
            .map(|v| (f64::from(*v) * slope) as f32)
            .collect(),
        duration_s,
    };
    Ok(Planar {
        anterior: frame(anterior),
        posterior: frame(posterior),
        patient: Patient::of(&o),
        notes,
    })
}

/// Number of the energy window that holds the photopeak of 99mTc, from 1.
fn peak_window(o: &Object, notes: &mut Vec<String>) -> f64 {
    let windows = o.items(tags::ENERGY_WINDOW_INFORMATION_SEQUENCE);
    let limits = |w: &Dataset| {
        let range = object::items(w, tags::ENERGY_WINDOW_RANGE_SEQUENCE).first()?;
        let limit = |tag| object::numbers(range, tag).and_then(|n| n.first().copied());
        Some([limit(tags::ENERGY_WINDOW_LOWER_LIMIT)?, limit(tags::ENERGY_WINDOW_UPPER_LIMIT)?])
    };
    let holds = |w: &Dataset| limits(w).is_some_and(|[a, b]| (a..=b).contains(&TC99M_KEV));
    match windows.iter().position(holds) {
        Some(n) => (n + 1) as f64,
        None => {
            notes.push(
                "no energy window of the planar views holds 140 keV: the first is taken".to_owned(),
            );
            1.0
        }
    }
}

enum View {
    Anterior,
    Posterior,
}

impl View {
    fn of(detector: &Dataset) -> Option<Self> {
        let code = object::items(detector, tags::VIEW_CODE_SEQUENCE).first();
        let meaning = code.and_then(|c| object::text(c, tags::CODE_MEANING));
        let meaning = meaning.unwrap_or_default().to_lowercase();
        if meaning.contains("anterior") {
            return Some(Self::Anterior);
        }
        if meaning.contains("posterior") {
            return Some(Self::Posterior);
        }
        let angle = object::numbers(detector, tags::START_ANGLE)?.first()?.rem_euclid(360.0);
        match angle {
            a if !(45.0..=315.0).contains(&a) => Some(Self::Anterior),
            a if (135.0..=225.0).contains(&a) => Some(Self::Posterior),
            _ => None,
        }
    }
}
