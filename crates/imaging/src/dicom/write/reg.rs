//! A spatial registration: the matrix that carries a frame of reference to the context's own.

use super::context::Series;
use super::dataset::Dataset;
use super::{Context, WriteError, uids};
use crate::registration::Rigid;
use dicom_dictionary_std::tags;
use std::path::Path;

/// Writes the motion that carries points of frame of reference `from` to that of the context.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, from: &str, motion: &Rigid, context: &Context) -> Result<(), WriteError> {
    let series = Series { modality: "REG", number: 41, description: "Rigid registration" };
    let mut o = context.object(uids::SPATIAL_REGISTRATION_STORAGE, &series, 1);
    context.frame_of_reference(&mut o);
    o.date_time(tags::CONTENT_DATE, tags::CONTENT_TIME, context.date_time);
    o.text(tags::CONTENT_LABEL, "RIGID");
    o.words(tags::CONTENT_DESCRIPTION, "Scan after treatment to planning CT", 64);
    o.empty(&[tags::CONTENT_CREATOR_NAME]);
    let item = |frame: &str, motion: &Rigid| {
        let mut matrix = Dataset::new();
        matrix.text(tags::FRAME_OF_REFERENCE_TRANSFORMATION_MATRIX_TYPE, "RIGID");
        matrix.decimals(tags::FRAME_OF_REFERENCE_TRANSFORMATION_MATRIX, &motion.rows());
        let mut set = Dataset::new();
        set.items(tags::MATRIX_SEQUENCE, vec![matrix]);
        let kind = ["125024", "DCM", "Image Content-based Alignment"];
        set.code(tags::REGISTRATION_TYPE_CODE_SEQUENCE, kind, |_| ());
        let mut item = Dataset::new();
        item.text(tags::FRAME_OF_REFERENCE_UID, frame);
        item.items(tags::MATRIX_REGISTRATION_SEQUENCE, vec![set]);
        item
    };
    let own = item(&context.frame_of_reference, &Rigid::identity());
    o.items(tags::REGISTRATION_SEQUENCE, vec![own, item(from, motion)]);
    o.save(path)
}
