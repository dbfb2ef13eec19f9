//! Where activity was seen: SPECT, PET, planar views.

use crate::acquisition::Acquisition;
use crate::dicom::object::Object;
use crate::dicom::write::SeriesReference;
use crate::dicom::{Patient, nm, pet};
use crate::error::ReadError;
use crate::image::{FrameOfReference, Image};
use crate::nifti;
use dicom_dictionary_std::tags;
use std::path::{Path, PathBuf};

/// A volume of SPECT or PET.
#[derive(Debug)]
pub struct Emission {
    /// Values in [`Emission::unit`].
    pub image: Image<f32>,
    /// What they are.
    pub unit: EmissionUnit,
    /// Frame of Reference UID, if the file says.
    pub frame_of_reference: FrameOfReference,
    /// Who was imaged.
    pub patient: Patient,
    /// Study Instance UID.
    pub study_uid: Option<String>,
    /// Its slices, for what is drawn on them to refer to; `None` of NIfTI.
    pub reference: Option<SeriesReference>,
    /// When it was acquired; `None` of NIfTI.
    pub acquisition: Option<Acquisition>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// What the values of an emission image are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmissionUnit {
    /// In proportion to activity; the factor is not known.
    Counts,
    /// Activity concentration.
    BqPerMl,
}

/// An anterior and a posterior view.
#[derive(Debug, Clone, PartialEq)]
pub struct Planar {
    /// Seen from the front: the patient's right on the left.
    pub anterior: PlanarView,
    /// As acquired, seen from behind: the patient's left on the left.
    pub posterior: PlanarView,
    /// Who was imaged.
    pub patient: Patient,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// A view of a planar acquisition.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanarView {
    /// Pixels across.
    pub columns: usize,
    /// Pixels down.
    pub rows: usize,
    /// Distance between pixel centres across and down.
    pub pixel_mm: [f64; 2],
    /// Counts, row by row from the top.
    pub counts: Vec<f32>,
    /// How long it took.
    pub duration_s: Option<f64>,
}

/// Reads an emission volume: one NM file, the files of a PET series, or a NIfTI file.
///
/// # Errors
/// Those of the reader that the content asks for.
pub fn read_emission(files: &[PathBuf]) -> Result<Emission, ReadError> {
    let Some(first) = files.first() else {
        let expected = "an emission image";
        return Err(ReadError::format(Path::new("."), "no files", expected, "give the files"));
    };
    if nifti::is_nifti(first) {
        // A value that is none is for the plan to refuse: counts outside are zero, not unknown.
        return Ok(Emission {
            image: nifti::read(first)?,
            unit: EmissionUnit::Counts,
            frame_of_reference: None,
            patient: Patient::default(),
            study_uid: None,
            reference: None,
            acquisition: None,
            notes: vec!["the NIfTI emission image is taken as proportional to activity".to_owned()],
        });
    }
    let o = Object::open_header(first)?;
    match o.text(tags::MODALITY).as_deref() {
        Some("NM") if files.len() == 1 => nm::read_spect(first),
        Some("PT") => pet::read(files),
        found => {
            let found = format!("{} in {} file(s)", found.unwrap_or("missing"), files.len());
            Err(o.wrong(tags::MODALITY, found, "NM in one file, or PT"))
        }
    }
}
