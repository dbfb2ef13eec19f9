//! Nuclear medicine: reconstructed SPECT and planar whole-body views.
//!
//! The NM object holds 16-bit numbers and knows no rescale. Counts that are whole and below 32768
//! are written as they are. Others are multiplied by one factor for the whole object, so that the
//! largest becomes 32767 (15 bits: readers that take the numbers for signed ones read them
//! rightly); a Real World Value Mapping carries the factor back for readers that know it. Ratios of
//! counts, which is all that a mapping study is read for, do not depend on it; rounding is at most
//! 1.5e-5 of the largest count.

use super::context::Series;
use super::dataset::Dataset;
use super::{Context, WriteError, check_size, position, right_handed, uids};
use crate::image::Image;
use crate::{Planar, PlanarView};
use dicom_dictionary_std::tags;
use jiff::civil::DateTime;
use std::path::Path;

/// How the counts were acquired.
#[derive(Debug, Clone)]
pub struct Acquisition<'a> {
    /// Number of the series in its study.
    pub series_number: usize,
    /// Name of the series.
    pub description: &'a str,
    /// When it began.
    pub start: DateTime,
    /// How long it took, in seconds.
    pub duration_s: f64,
    /// Energy window, lower and upper limit in keV.
    pub window_kev: [f64; 2],
    /// The nuclide, as a code (value, scheme, meaning): [`TECHNETIUM_99M`].
    pub nuclide: [&'a str; 3],
    /// Name of the radiopharmaceutical.
    pub radiopharmaceutical: &'a str,
    /// Activity injected, in MBq.
    pub injected_mbq: Option<f64>,
    /// When it was injected.
    pub injected: Option<DateTime>,
    /// What counts were corrected for, in words of Corrected Image: `ATTN`, `SCAT`, `DECY`; none of
    /// planar views.
    pub corrected: &'a [&'a str],
}

/// 99mTc, as code of CID 18.
pub const TECHNETIUM_99M: [&str; 3] = ["72454006", "SCT", "^99m^Technetium"];

/// Writes reconstructed SPECT counts (RECON TOMO) as one multi-frame file.
///
/// # Errors
/// When a count is negative or not finite, the image has more slices, rows or columns than DICOM
/// can count (65535), or the file cannot be written.
pub fn spect(
    path: &Path,
    counts: &Image<f32>,
    acquisition: &Acquisition<'_>,
    context: &Context,
) -> Result<(), WriteError> {
    let counts = right_handed(counts);
    let grid = counts.grid();
    let [columns, rows, frames] = check_size(path, grid)?;
    let number = u16::try_from(frames)
        .map_err(|_| WriteError::new(path, format!("{frames} slices: NM holds at most 65535")))?;

    let mut o = object(acquisition, context, "ORIGINAL\\PRIMARY\\RECON TOMO\\EMISSION");
    context.frame_of_reference(&mut o);
    o.integer(tags::NUMBER_OF_FRAMES, frames);
    o.pointers(tags::FRAME_INCREMENT_POINTER, &[tags::SLICE_VECTOR]);
    let order: Vec<u16> = (1..=number).collect();
    o.shorts(tags::SLICE_VECTOR, &order);
    o.shorts(tags::NUMBER_OF_SLICES, &[number]);
    o.shorts(tags::NUMBER_OF_ROTATIONS, &[1]);
    o.shorts(tags::NUMBER_OF_DETECTORS, &[1]);

    let [columns_mm, rows_mm, slices_mm] = grid.spacing_mm();
    o.decimals(tags::PIXEL_SPACING, &[rows_mm, columns_mm]);
    o.decimals(tags::SPACING_BETWEEN_SLICES, &[slices_mm]);
    o.decimals(tags::SLICE_THICKNESS, &[slices_mm]);

    // In the NM object position and orientation live in the detector's item.
    let mut detector = Dataset::new();
    detector.text(tags::COLLIMATOR_TYPE, "PARA");
    position(&mut detector, grid, 0);
    o.items(tags::DETECTOR_INFORMATION_SEQUENCE, vec![detector]);

    let mut rotation = Dataset::new();
    rotation.decimals(tags::START_ANGLE, &[0.0]);
    rotation.decimals(tags::ANGULAR_STEP, &[3.0]);
    rotation.text(tags::ROTATION_DIRECTION, "CW");
    rotation.decimals(tags::SCAN_ARC, &[360.0]);
    rotation.integer(tags::ACTUAL_FRAME_DURATION, milliseconds(acquisition.duration_s / 120.0));
    rotation.shorts(tags::NUMBER_OF_FRAMES_IN_ROTATION, &[120]);
    o.items(tags::ROTATION_INFORMATION_SEQUENCE, vec![rotation]);

    pixels(path, &mut o, columns, rows, counts.data())?;
    o.save(path)
}

/// Writes an anterior and a posterior whole-body view as two frames of one file. The posterior view
/// is written as acquired: seen from behind, the patient's left on the left.
///
/// # Errors
/// As [`spect`], and when the two views differ in size.
pub fn planar(
    path: &Path,
    planar: &Planar,
    acquisition: &Acquisition<'_>,
    context: &Context,
) -> Result<(), WriteError> {
    let (front, back) = (&planar.anterior, &planar.posterior);
    let PlanarView { columns, rows, pixel_mm, .. } = *front;
    let sizes = [front, back].map(|v| (v.columns, v.rows, v.counts.len(), v.pixel_mm));
    if sizes.iter().any(|s| *s != (columns, rows, columns * rows, pixel_mm)) {
        let why = format!("the anterior and posterior views differ or are incomplete: {sizes:?}");
        return Err(WriteError::new(path, why));
    }
    if columns > usize::from(u16::MAX) || rows > usize::from(u16::MAX) {
        let why = format!("{columns} x {rows} pixels: at most 65535 fit on a side");
        return Err(WriteError::new(path, why));
    }

    let mut o = object(acquisition, context, "ORIGINAL\\PRIMARY\\WHOLE BODY\\EMISSION");
    o.integer(tags::NUMBER_OF_FRAMES, 2);
    o.pointers(tags::FRAME_INCREMENT_POINTER, &[tags::ENERGY_WINDOW_VECTOR, tags::DETECTOR_VECTOR]);
    o.shorts(tags::ENERGY_WINDOW_VECTOR, &[1, 1]);
    o.shorts(tags::DETECTOR_VECTOR, &[1, 2]);
    o.shorts(tags::NUMBER_OF_DETECTORS, &[2]);
    // `pixel_mm` is [across, down]; the standard says down first.
    o.decimals(tags::PIXEL_SPACING, &[pixel_mm[1], pixel_mm[0]]);
    o.text(tags::WHOLE_BODY_TECHNIQUE, "1PS");
    o.integer(tags::ACTUAL_FRAME_DURATION, milliseconds(acquisition.duration_s));
    let length_mm = rows as f64 * pixel_mm[1];
    o.integer(tags::SCAN_LENGTH, length_mm.round() as usize);
    if acquisition.duration_s > 0.0 {
        o.decimals(tags::SCAN_VELOCITY, &[length_mm / acquisition.duration_s]);
    } else {
        o.empty(&[tags::SCAN_VELOCITY]);
    }

    // A view from the front looks to the back: columns run to the patient's left. From behind they
    // run to the right. Rows run to the feet.
    let detector = |angle, orientation: [f64; 6], view| {
        let mut d = Dataset::new();
        d.text(tags::COLLIMATOR_TYPE, "PARA");
        d.decimals(tags::START_ANGLE, &[angle]);
        d.decimals(tags::IMAGE_POSITION_PATIENT, &[0.0; 3]);
        d.decimals(tags::IMAGE_ORIENTATION_PATIENT, &orientation);
        d.code(tags::VIEW_CODE_SEQUENCE, view, |c| {
            c.items(tags::VIEW_MODIFIER_CODE_SEQUENCE, Vec::new());
        });
        d
    };
    o.items(
        tags::DETECTOR_INFORMATION_SEQUENCE,
        vec![
            detector(
                0.0,
                [1.0, 0.0, 0.0, 0.0, 0.0, -1.0],
                ["399321004", "SCT", "Anterior projection"],
            ),
            detector(
                180.0,
                [-1.0, 0.0, 0.0, 0.0, 0.0, -1.0],
                ["399001007", "SCT", "Posterior projection"],
            ),
        ],
    );
    let counts: Vec<f32> = front.counts.iter().chain(&back.counts).copied().collect();
    pixels(path, &mut o, columns, rows, &counts)?;
    o.save(path)
}

/// What both kinds share.
fn object(acquisition: &Acquisition<'_>, context: &Context, image_type: &str) -> Dataset {
    let series = Series {
        modality: "NM",
        number: acquisition.series_number,
        description: acquisition.description,
    };
    let mut o = context.object(uids::NUCLEAR_MEDICINE_IMAGE_STORAGE, &series, 1);
    o.text(tags::IMAGE_TYPE, image_type);
    o.text(tags::LATERALITY, "");
    if !acquisition.corrected.is_empty() {
        o.text(tags::CORRECTED_IMAGE, &acquisition.corrected.join("\\"));
    }
    o.date_time(tags::ACQUISITION_DATE, tags::ACQUISITION_TIME, acquisition.start);
    o.date_time(tags::CONTENT_DATE, tags::CONTENT_TIME, acquisition.start);
    o.code(tags::PATIENT_ORIENTATION_CODE_SEQUENCE, ["102538003", "SCT", "recumbent"], |c| {
        let supine = ["40199007", "SCT", "supine"];
        c.code(tags::PATIENT_ORIENTATION_MODIFIER_CODE_SEQUENCE, supine, |_| ());
    });
    let headfirst = ["102540008", "SCT", "headfirst"];
    o.code(tags::PATIENT_GANTRY_RELATIONSHIP_CODE_SEQUENCE, headfirst, |_| ());

    o.shorts(tags::NUMBER_OF_ENERGY_WINDOWS, &[1]);
    let mut range = Dataset::new();
    range.decimals(tags::ENERGY_WINDOW_LOWER_LIMIT, &[acquisition.window_kev[0]]);
    range.decimals(tags::ENERGY_WINDOW_UPPER_LIMIT, &[acquisition.window_kev[1]]);
    let mut window = Dataset::new();
    window.text(tags::ENERGY_WINDOW_NAME, "PEAK");
    window.items(tags::ENERGY_WINDOW_RANGE_SEQUENCE, vec![range]);
    o.items(tags::ENERGY_WINDOW_INFORMATION_SEQUENCE, vec![window]);

    let mut drug = Dataset::new();
    drug.code(tags::RADIONUCLIDE_CODE_SEQUENCE, acquisition.nuclide, |_| ());
    drug.words(tags::RADIOPHARMACEUTICAL, acquisition.radiopharmaceutical, 64);
    if let Some(at) = acquisition.injected {
        drug.text(tags::RADIOPHARMACEUTICAL_START_TIME, &at.strftime("%H%M%S").to_string());
        let moment = at.strftime("%Y%m%d%H%M%S").to_string();
        drug.text(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, &moment);
    }
    if let Some(mbq) = acquisition.injected_mbq {
        // In MBq in the NM object (in PET it would be Bq).
        drug.decimals(tags::RADIONUCLIDE_TOTAL_DOSE, &[mbq]);
    }
    o.items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![drug]);
    o
}

fn milliseconds(seconds: f64) -> usize {
    (seconds * 1000.0).round().clamp(0.0, f64::from(i32::MAX)) as usize
}

/// Counts as 16-bit numbers, with the mapping back when they had to be scaled.
fn pixels(
    path: &Path,
    o: &mut Dataset,
    columns: usize,
    rows: usize,
    counts: &[f32],
) -> Result<(), WriteError> {
    if let Some(bad) = counts.iter().find(|c| !c.is_finite() || **c < 0.0) {
        let why = format!("a pixel has {bad} counts; counts are zero or above");
        return Err(WriteError::new(path, why));
    }
    let top = f32::from(i16::MAX as u16);
    let highest = counts.iter().fold(0.0_f32, |a, b| a.max(*b));
    let whole = highest <= top && counts.iter().all(|c| c.fract() == 0.0);
    let scale = if whole { 1.0 } else { f64::from(top) / f64::from(highest) };
    let all: f64 = counts.iter().map(|c| f64::from(*c)).sum();
    match all <= f64::from(i32::MAX) {
        true => o.integer(tags::COUNTS_ACCUMULATED, all.round() as usize),
        // More than an integer string may say.
        false => o.empty(&[tags::COUNTS_ACCUMULATED]),
    }
    let stored = counts.iter().map(|c| (f64::from(*c) * scale).round() as u16).collect();
    o.pixels_16(columns, rows, false, stored);
    if !whole {
        let mut mapping = Dataset::new();
        mapping.shorts(tags::REAL_WORLD_VALUE_FIRST_VALUE_MAPPED, &[0]);
        mapping.shorts(tags::REAL_WORLD_VALUE_LAST_VALUE_MAPPED, &[u16::MAX]);
        mapping.double(tags::REAL_WORLD_VALUE_INTERCEPT, 0.0);
        mapping.double(tags::REAL_WORLD_VALUE_SLOPE, 1.0 / scale);
        mapping.text(tags::LUT_EXPLANATION, "Counts");
        mapping.text(tags::LUT_LABEL, "COUNTS");
        let counts = ["{counts}", "UCUM", "Counts"];
        mapping.code(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, counts, |_| ());
        o.items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![mapping]);
    }
    Ok(())
}
