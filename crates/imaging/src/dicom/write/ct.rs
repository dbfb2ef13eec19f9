//! A CT series: one file a slice, Hounsfield units as 16-bit signed numbers, slope 1, intercept 0.

use super::context::Series;
use super::{Context, SeriesReference, SliceReference, WriteError, check_size, plane, uids};
use crate::image::Image;
use dicom_dictionary_std::tags;
use std::path::Path;

/// Writes `image` (HU) as `ct0001.dcm`, `ct0002.dcm`, ... into `dir`, which must exist: one file for
/// each k, in the order of k. `description` names the series; two series of a study need two.
///
/// # Errors
/// When a slice has more than 65535 columns or rows, or a file cannot be written.
pub fn series(
    dir: &Path,
    image: &Image<i16>,
    description: &str,
    context: &Context,
) -> Result<SeriesReference, WriteError> {
    let series = Series { modality: "CT", number: 1, description };
    let grid = image.grid();
    let [columns, rows, slices] = check_size(dir, grid)?;
    let mut references = Vec::with_capacity(slices);
    for k in 0..slices {
        let mut o = context.object(uids::CT_IMAGE_STORAGE, &series, k + 1);
        context.frame_of_reference(&mut o);
        o.text(tags::IMAGE_TYPE, "ORIGINAL\\PRIMARY\\AXIAL");
        o.text(tags::PATIENT_POSITION, "HFS");
        o.text(tags::LATERALITY, "");
        o.empty(&[tags::KVP]);
        o.integer(tags::ACQUISITION_NUMBER, 1);
        o.date_time(tags::ACQUISITION_DATE, tags::ACQUISITION_TIME, context.date_time);
        o.date_time(tags::CONTENT_DATE, tags::CONTENT_TIME, context.date_time);
        plane(&mut o, grid, k);
        o.decimals(tags::SLICE_LOCATION, &[grid.world([0.0, 0.0, k as f64]).z]);
        o.decimals(tags::RESCALE_INTERCEPT, &[0.0]);
        o.decimals(tags::RESCALE_SLOPE, &[1.0]);
        o.text(tags::RESCALE_TYPE, "HU");
        o.decimals(tags::WINDOW_CENTER, &[50.0]);
        o.decimals(tags::WINDOW_WIDTH, &[350.0]);
        let slice = &image.data()[grid.offset([0, 0, k])..][..columns * rows];
        o.pixels_16(columns, rows, true, slice.iter().map(|hu| *hu as u16).collect());
        o.save(&dir.join(format!("ct{:04}.dcm", k + 1)))?;
        references.push(SliceReference {
            instance_uid: context.instance_uid(&series, k + 1),
            frame: None,
            position: grid.world([0.0, 0.0, k as f64]),
        });
    }
    Ok(SeriesReference {
        study_uid: context.study_uid.clone(),
        series_uid: context.series_uid(&series),
        sop_class: uids::CT_IMAGE_STORAGE.to_owned(),
        normal: grid.axes().column(0).cross(&grid.axes().column(1)),
        slices: references,
    })
}
