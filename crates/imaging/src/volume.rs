//! The values of any series, read by the reader that its role asks for: what `inspect --values` shows,
//! and what other readers are compared with.

use crate::dicom::{SpacingPolicy, ct, frames, rtdose};
use crate::emission::{EmissionUnit, read_emission};
use crate::error::ReadError;
use crate::image::Image;
use crate::inventory::{Role, Series};
use crate::nifti;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::Path;

/// A volume of values.
#[derive(Debug)]
pub struct Volume {
    /// The values.
    pub image: Image<f32>,
    /// What they are: `HU`, `Bq/mL`, `counts`, `Gy`, or `value` where the file does not say.
    pub unit: &'static str,
    /// Whether the file says where the voxels are.
    pub placed: bool,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// Reads the values of a series.
///
/// # Errors
/// Those of the reader that its role asks for; contours and segments are no values.
pub fn read(series: &Series, policy: SpacingPolicy) -> Result<Volume, ReadError> {
    let Some(first) = series.files.first() else {
        let expected = "the files of a series";
        return Err(ReadError::format(Path::new("."), "no files", expected, "give the files"));
    };
    let lone = series.files.len() == 1 && !series.many_frames;
    match series.role {
        Role::Nifti => {
            let header = nifti::read_header(first)?;
            let (placed, image) = (header.form != "none", nifti::read(first)?);
            Ok(Volume { image, unit: "value", placed, notes: Vec::new() })
        }
        Role::Ct if !lone => {
            let ct = ct::read(&series.files, policy)?;
            let image = ct.image.map(|hu| f32::from(*hu));
            Ok(Volume { image, unit: "HU", placed: true, notes: ct.notes })
        }
        Role::Spect => emission(series),
        Role::Pet if !lone => emission(series),
        Role::RtDose => {
            let dose = rtdose::read(first)?;
            Ok(Volume { image: dose.image, unit: "Gy", placed: true, notes: Vec::new() })
        }
        Role::RtStruct | Role::Seg => {
            let found = format!("{} (structures)", series.role);
            let (expected, remedy) = ("an image", "see `hepatica inspect` for what it holds");
            Err(ReadError::format(first, found, expected, remedy))
        }
        Role::Ct | Role::Pet | Role::Planar | Role::Other => {
            let read = frames::read(&series.files, policy)?;
            let frames::Frames { image, placed, notes } = read;
            Ok(Volume { image, unit: "value", placed, notes })
        }
    }
}

fn emission(series: &Series) -> Result<Volume, ReadError> {
    let read = read_emission(&series.files)?;
    let unit = match read.unit {
        EmissionUnit::Counts => "counts",
        EmissionUnit::BqPerMl => "Bq/mL",
    };
    Ok(Volume { image: read.image, unit, placed: true, notes: read.notes })
}

/// What can be compared of a volume.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Voxels along i, j and k.
    pub size: [usize; 3],
    /// From (i, j, k, 1) to LPS millimetres, three rows of four.
    pub affine: [[f64; 4]; 3],
    /// Whether the file says where the voxels are.
    pub placed: bool,
    /// What the values are.
    pub unit: String,
    /// Smallest value that is a number.
    pub min: f64,
    /// Largest value that is a number.
    pub max: f64,
    /// Sum of the values that are numbers.
    pub sum: f64,
    /// Voxels that are no numbers (NaN, infinite).
    pub no_numbers: usize,
    /// SHA-256 of the values as 32-bit floats, the low byte first, i fastest.
    pub sha256: String,
    /// What a reader must know.
    pub notes: Vec<String>,
}

impl Summary {
    /// That of a volume.
    #[must_use]
    pub fn of(volume: &Volume) -> Self {
        let (image, grid) = (&volume.image, volume.image.grid());
        let mut hash = Sha256::new();
        let mut bytes = Vec::new();
        for part in image.data().chunks(1 << 16) {
            bytes.clear();
            bytes.extend(part.iter().flat_map(|v| v.to_le_bytes()));
            hash.update(&bytes);
        }
        let numbers = || image.data().iter().filter(|v| v.is_finite()).map(|v| f64::from(*v));
        let (spacing, origin) = (grid.spacing_mm(), grid.origin_mm());
        let row = |r: usize| {
            let along = |c: usize| grid.axes()[(r, c)] * spacing[c];
            [along(0), along(1), along(2), origin[r]]
        };
        Self {
            size: grid.size(),
            affine: [row(0), row(1), row(2)],
            placed: volume.placed,
            unit: volume.unit.to_owned(),
            min: numbers().fold(f64::INFINITY, f64::min),
            max: numbers().fold(f64::NEG_INFINITY, f64::max),
            sum: numbers().sum(),
            no_numbers: image.data().iter().filter(|v| !v.is_finite()).count(),
            sha256: hash.finalize().iter().map(|b| format!("{b:02x}")).collect(),
            notes: volume.notes.clone(),
        }
    }
}
