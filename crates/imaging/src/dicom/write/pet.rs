//! A PET series in Bq/mL: one file a slice, each with its own rescale slope.

use super::context::Series;
use super::dataset::Dataset;
use super::{Context, SeriesReference, SliceReference, WriteError, check_size, plane, uids};
use crate::image::Image;
use dicom_dictionary_std::tags;
use jiff::civil::DateTime;
use std::path::Path;

/// How a PET was acquired.
#[derive(Debug, Clone)]
pub struct Acquisition<'a> {
    /// Number of the series in its study.
    pub series_number: usize,
    /// Name of the series.
    pub description: &'a str,
    /// When it began, local time: what the values are corrected to.
    pub start: DateTime,
    /// How long it took.
    pub duration_s: f64,
    /// The nuclide as a code (value, scheme, meaning): [`YTTRIUM_90`].
    pub nuclide: [&'a str; 3],
    /// Name of the radiopharmaceutical.
    pub radiopharmaceutical: &'a str,
    /// When it was given, local time.
    pub given: DateTime,
    /// Activity given, in Bq.
    pub given_bq: f64,
    /// Half-life.
    pub half_life_s: f64,
    /// Positrons a decay.
    pub positrons: f64,
}

/// 90Y, as code of CID 18.
pub const YTTRIUM_90: [&str; 3] = ["14691008", "SCT", "^90^Yttrium"];

/// Writes `image` (Bq/mL at the start of the acquisition) as `pt0001.dcm`, ... into `dir`, which must
/// exist.
///
/// # Errors
/// When a value is not finite, a slice has more than 65535 columns or rows, or a file cannot be
/// written.
pub fn series(
    dir: &Path,
    image: &Image<f32>,
    acquisition: &Acquisition<'_>,
    context: &Context,
) -> Result<SeriesReference, WriteError> {
    if let Some(bad) = image.data().iter().find(|v| !v.is_finite()) {
        return Err(WriteError::new(dir, format!("a voxel holds {bad} Bq/mL")));
    }
    let series = Series {
        modality: "PT",
        number: acquisition.series_number,
        description: acquisition.description,
    };
    let grid = image.grid();
    let [columns, rows, slices] = check_size(dir, grid)?;
    let sop_class = uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE;
    let mut references = Vec::with_capacity(slices);
    for k in 0..slices {
        let mut o = context.object(sop_class, &series, k + 1);
        context.frame_of_reference(&mut o);
        o.text(tags::IMAGE_TYPE, "ORIGINAL\\PRIMARY");
        o.text(tags::PATIENT_POSITION, "HFS");
        o.date_time(tags::SERIES_DATE, tags::SERIES_TIME, acquisition.start);
        o.date_time(tags::ACQUISITION_DATE, tags::ACQUISITION_TIME, acquisition.start);
        o.date_time(tags::CONTENT_DATE, tags::CONTENT_TIME, acquisition.start);
        o.integer(tags::ACTUAL_FRAME_DURATION, (1000.0 * acquisition.duration_s).round() as usize);
        o.decimals(tags::FRAME_REFERENCE_TIME, &[0.0]);
        o.text(tags::UNITS, "BQML");
        o.text(tags::COUNTS_SOURCE, "EMISSION");
        o.text(tags::SERIES_TYPE, "STATIC\\IMAGE");
        o.shorts(tags::NUMBER_OF_SLICES, &[u16::try_from(slices).unwrap_or(u16::MAX)]);
        o.text(tags::CORRECTED_IMAGE, "ATTN\\SCAT\\DECY\\RADL\\NORM");
        o.text(tags::DECAY_CORRECTION, "START");
        o.text(tags::COLLIMATOR_TYPE, "NONE");
        o.integer(tags::IMAGE_INDEX, k + 1);
        plane(&mut o, grid, k);
        let mut drug = Dataset::new();
        drug.code(tags::RADIONUCLIDE_CODE_SEQUENCE, acquisition.nuclide, |_| ());
        drug.words(tags::RADIOPHARMACEUTICAL, acquisition.radiopharmaceutical, 64);
        let given = acquisition.given.strftime("%Y%m%d%H%M%S").to_string();
        drug.text(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, &given);
        // In Bq in the PET object (in NM it would be MBq).
        drug.decimals(tags::RADIONUCLIDE_TOTAL_DOSE, &[acquisition.given_bq]);
        drug.decimals(tags::RADIONUCLIDE_HALF_LIFE, &[acquisition.half_life_s]);
        drug.decimals(tags::RADIONUCLIDE_POSITRON_FRACTION, &[acquisition.positrons]);
        o.items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![drug]);

        let slice = &image.data()[grid.offset([0, 0, k])..][..columns * rows];
        let top = slice.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
        let slope = if top > 0.0 { f64::from(top) / f64::from(i16::MAX) } else { 1.0 };
        // The slope as it is written is what a reader multiplies by.
        let text = super::dataset::decimal(slope);
        let slope: f64 = text.parse().map_err(|_| WriteError::new(dir, "rescale slope"))?;
        o.text(tags::RESCALE_SLOPE, &text);
        o.decimals(tags::RESCALE_INTERCEPT, &[0.0]);
        let stored = |v: &f32| {
            let number = (f64::from(*v) / slope).round();
            number.clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16 as u16
        };
        o.pixels_16(columns, rows, true, slice.iter().map(stored).collect());
        o.save(&dir.join(format!("pt{:04}.dcm", k + 1)))?;
        references.push(SliceReference {
            instance_uid: context.instance_uid(&series, k + 1),
            frame: None,
            position: grid.world([0.0, 0.0, k as f64]),
        });
    }
    Ok(SeriesReference {
        study_uid: context.study_uid.clone(),
        series_uid: context.series_uid(&series),
        sop_class: sop_class.to_owned(),
        normal: grid.axes().column(0).cross(&grid.axes().column(1)),
        slices: references,
    })
}
