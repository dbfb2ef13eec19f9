//! Where the scan is in the planning CT: the same frame, a registration made by somebody else, or images
//! registered here.

use super::VerifyError;
use super::record::Registration;
use super::scan::Scan;
use crate::inputs::Inputs;
use hepatica_imaging::dicom::reg;
use hepatica_imaging::registration::{self, Bounds, Quality, Rigid};
use hepatica_imaging::{FrameOfReference, Grid};
use nalgebra::Point3;
use std::path::Path;

/// What is shown to the registration around the liver.
const MARGIN_MM: f64 = 30.0;
/// A registration that is no better than this is worth a word.
const RESIDUAL_EXPECTED_MM: f64 = 3.0;

/// From points of the planning CT to the scan, and how it was found.
pub(super) struct Placed {
    pub(super) motion: Rigid,
    pub(super) record: Registration,
    pub(super) warnings: Vec<String>,
}

/// What a person says of it.
pub(super) struct Said<'a> {
    pub(super) scan: &'a Path,
    pub(super) file: Option<&'a Path>,
    pub(super) assume_aligned: bool,
}

/// Finds it.
pub(super) fn place(inputs: &Inputs, scan: &Scan, said: &Said<'_>) -> Result<Placed, VerifyError> {
    let planning = planning_frame(inputs);
    let own = &scan.emission.frame_of_reference;
    let region = region(inputs);
    let mut warnings = Vec::new();
    let wrong = |what: String| VerifyError::Scan { scan: said.scan.to_owned(), what };
    let done = |by: &str, motion: Rigid, quality: Option<Quality>, warnings| {
        let middle = Point3::from(std::array::from_fn(|a| 0.5 * (region[0][a] + region[1][a])));
        let q = quality;
        let record = Registration {
            by: by.to_owned(),
            matrix: motion.rows(),
            shift_mm: motion.shift_of(middle),
            turn_degrees: motion.turn_degrees(),
            residual_mm: q.map(|q| q.repeatability_mm.max(q.inverse_mm)),
            repeatability_mm: q.map(|q| q.repeatability_mm),
            inverse_mm: q.map(|q| q.inverse_mm),
            information: q.map(|q| q.information),
            overlap: q.map(|q| q.overlap),
        };
        Placed { motion, record, warnings }
    };
    if let Some(file) = said.file {
        let (Some(from), Some(to)) = (planning, own) else {
            return Err(wrong("planning CT or scan has no frame of reference, so that a registration file cannot name them; use --assume-aligned".to_owned()));
        };
        let motion =
            if from == to { Some(Rigid::identity()) } else { reg::read(file)?.between(from, to) };
        let Some(motion) = motion else {
            return Err(VerifyError::RegistrationFile {
                file: file.to_owned(),
                planning: from.clone(),
                scan: to.clone(),
            });
        };
        return Ok(done("file", motion, None, warnings));
    }
    if said.assume_aligned {
        warnings.push(
            "the scan is taken as in register with the planning CT because the user says so"
                .to_owned(),
        );
        return Ok(done("assumed", Rigid::identity(), None, warnings));
    }
    if planning.is_some() && planning == own {
        return Ok(done("same_frame", Rigid::identity(), None, warnings));
    }
    let Some(fixed) = &inputs.ct else {
        return Err(wrong("it is in another frame of reference and there is no planning CT to register with; give --registration FILE".to_owned()));
    };
    let Some(moving) = &scan.ct else {
        return Err(wrong("it is in another frame of reference and there is no CT with it to register by, expected PET/CT or SPECT/CT; add the CT, or give --registration FILE".to_owned()));
    };
    if own.is_some() && moving.frame_of_reference.is_some() && *own != moving.frame_of_reference {
        return Err(wrong("the CT in the folder has another frame of reference than the emission image, expected the CT acquired with it; add that one".to_owned()));
    }
    let bounds = Bounds::default();
    let found = registration::register(&fixed.image, &moving.image, Some(region), &bounds)
        .map_err(|source| VerifyError::Registration { scan: said.scan.to_owned(), source })?;
    let placed = done("images", found.motion, Some(found.quality), Vec::new());
    let residual = placed.record.residual_mm.unwrap_or(0.0);
    if residual > RESIDUAL_EXPECTED_MM {
        warnings.push(format!(
            "the registration repeats itself within {residual:.1} mm only, expected {RESIDUAL_EXPECTED_MM:.0} mm: look at the pictures, or give a registration with --registration"
        ));
    }
    Ok(Placed { warnings, ..placed })
}

/// The frame of reference that structures and plan are in.
pub(super) fn planning_frame(inputs: &Inputs) -> &FrameOfReference {
    match &inputs.ct {
        Some(ct) => &ct.frame_of_reference,
        None => &inputs.emission.frame_of_reference,
    }
}

/// The box of the liver with a margin, in mm.
fn region(inputs: &Inputs) -> [[f64; 3]; 2] {
    let grid: &Grid = match &inputs.ct {
        Some(ct) => ct.image.grid(),
        None => inputs.emission.image.grid(),
    };
    let bounds = inputs.structures.liver.on(grid).bounds();
    let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
    for n in 0..8 {
        let index = std::array::from_fn(|a| {
            if n >> a & 1 == 0 { bounds.start[a] as f64 } else { bounds.end[a] as f64 }
        });
        let p = grid.world(index);
        for a in 0..3 {
            low[a] = low[a].min(p[a] - MARGIN_MM);
            high[a] = high[a].max(p[a] + MARGIN_MM);
        }
    }
    [low, high]
}
