//! RTSTRUCT: structures as closed contours, slice by slice.

use super::context::Series;
use super::dataset::Dataset;
use super::{Context, SeriesReference, WriteError, uids};
use crate::contour::{Contour, trace};
use crate::mask::Mask;
use dicom_dictionary_std::tags;
use std::fmt::Write as _;
use std::path::Path;

/// A structure to write.
#[derive(Debug, Clone)]
pub struct Roi<'a> {
    /// ROI Name, at most 64 characters.
    pub name: &'a str,
    /// Where it is.
    pub shape: Shape<'a>,
    /// Red, green, blue for display.
    pub colour: [u8; 3],
    /// What it is to a planning system.
    pub kind: RoiKind,
}

/// Where a structure is.
#[derive(Debug, Clone, Copy)]
pub enum Shape<'a> {
    /// A mask: its outline at one half is traced on every slice; holes become contours of their own
    /// inside (read by exclusive or).
    Mask(&'a Mask),
    /// Contours as they are.
    Contours(&'a [Contour]),
}

/// RT ROI Interpreted Type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoiKind {
    /// An organ.
    Organ,
    /// Gross tumour volume: a lesion.
    Gtv,
    /// The volume that is treated: a territory.
    TreatedVolume,
    /// The patient's outline.
    External,
    /// Not said.
    Other,
}

impl RoiKind {
    fn term(self) -> &'static str {
        match self {
            Self::Organ => "ORGAN",
            Self::Gtv => "GTV",
            Self::TreatedVolume => "TREATED_VOLUME",
            Self::External => "EXTERNAL",
            Self::Other => "",
        }
    }
}

/// Writes structures drawn on `images` to `path`. A structure without a contour is written too, as
/// an ROI that is empty.
///
/// # Errors
/// When a contour has fewer than three points or one that is not finite, or the file cannot be
/// written.
pub fn write(
    path: &Path,
    rois: &[Roi<'_>],
    images: &SeriesReference,
    context: &Context,
) -> Result<(), WriteError> {
    let series = Series { modality: "RTSTRUCT", number: 20, description: "Structures" };
    let mut o = context.object(uids::RT_STRUCTURE_SET_STORAGE, &series, 1);
    o.empty(&[tags::OPERATORS_NAME]);
    o.text(tags::STRUCTURE_SET_LABEL, "HEPATICA");
    o.date_time(tags::STRUCTURE_SET_DATE, tags::STRUCTURE_SET_TIME, context.date_time);
    context.frame_of_reference(&mut o);
    o.items(tags::REFERENCED_FRAME_OF_REFERENCE_SEQUENCE, vec![referenced(images, context)]);

    let mut names = Vec::new();
    let mut contours = Vec::new();
    let mut observations = Vec::new();
    for (n, roi) in rois.iter().enumerate() {
        let number = n + 1;
        let mut item = Dataset::new();
        item.integer(tags::ROI_NUMBER, number);
        item.text(tags::REFERENCED_FRAME_OF_REFERENCE_UID, &context.frame_of_reference);
        item.words(tags::ROI_NAME, roi.name, 64);
        item.text(tags::ROI_GENERATION_ALGORITHM, "");
        names.push(item);

        let mut item = Dataset::new();
        let [r, g, b] = roi.colour;
        item.text(tags::ROI_DISPLAY_COLOR, &format!("{r}\\{g}\\{b}"));
        let drawn = match roi.shape {
            Shape::Mask(mask) => contour_items(path, roi.name, &trace(mask), images)?,
            Shape::Contours(contours) => contour_items(path, roi.name, contours, images)?,
        };
        if !drawn.is_empty() {
            item.items(tags::CONTOUR_SEQUENCE, drawn);
        }
        item.integer(tags::REFERENCED_ROI_NUMBER, number);
        contours.push(item);

        let mut item = Dataset::new();
        item.integer(tags::OBSERVATION_NUMBER, number);
        item.integer(tags::REFERENCED_ROI_NUMBER, number);
        item.text(tags::RTROI_INTERPRETED_TYPE, roi.kind.term());
        item.text(tags::ROI_INTERPRETER, "");
        observations.push(item);
    }
    o.items(tags::STRUCTURE_SET_ROI_SEQUENCE, names);
    o.items(tags::ROI_CONTOUR_SEQUENCE, contours);
    o.items(tags::RTROI_OBSERVATIONS_SEQUENCE, observations);
    o.save(path)
}

/// Which images the structures are drawn on.
fn referenced(images: &SeriesReference, context: &Context) -> Dataset {
    let mut series = Dataset::new();
    series.text(tags::SERIES_INSTANCE_UID, &images.series_uid);
    let mut instances: Vec<&str> = images.slices.iter().map(|s| &*s.instance_uid).collect();
    instances.dedup();
    let slices = instances.iter().map(|uid| image_item(images, uid)).collect();
    series.items(tags::CONTOUR_IMAGE_SEQUENCE, slices);
    let mut study = Dataset::new();
    // The study component class is retired, but the standard keeps it for this place.
    study.text(tags::REFERENCED_SOP_CLASS_UID, "1.2.840.10008.3.1.2.3.1");
    study.text(tags::REFERENCED_SOP_INSTANCE_UID, &images.study_uid);
    study.items(tags::RT_REFERENCED_SERIES_SEQUENCE, vec![series]);
    let mut frame = Dataset::new();
    frame.text(tags::FRAME_OF_REFERENCE_UID, &context.frame_of_reference);
    frame.items(tags::RT_REFERENCED_STUDY_SEQUENCE, vec![study]);
    frame
}

fn image_item(images: &SeriesReference, instance_uid: &str) -> Dataset {
    let mut item = Dataset::new();
    item.text(tags::REFERENCED_SOP_CLASS_UID, &images.sop_class);
    item.text(tags::REFERENCED_SOP_INSTANCE_UID, instance_uid);
    item
}

fn contour_items(
    path: &Path,
    name: &str,
    contours: &[Contour],
    images: &SeriesReference,
) -> Result<Vec<Dataset>, WriteError> {
    let mut items = Vec::with_capacity(contours.len());
    for contour in contours {
        let points = &contour.points;
        if points.len() < 3 || points.iter().any(|p| !p.coords.iter().all(|x| x.is_finite())) {
            let why = format!(
                "structure {name:?} has a contour of {} points; a contour needs three or more, all finite",
                points.len()
            );
            return Err(WriteError::new(path, why));
        }
        let mut item = Dataset::new();
        // The slice the contour lies on, when it lies on one.
        let on = images
            .slices
            .iter()
            .find(|s| (points[0] - s.position).dot(&images.normal).abs() < 0.01);
        if let Some(slice) = on {
            let mut image = image_item(images, &slice.instance_uid);
            if let Some(frame) = slice.frame {
                image.integer(tags::REFERENCED_FRAME_NUMBER, frame);
            }
            item.items(tags::CONTOUR_IMAGE_SEQUENCE, vec![image]);
        }
        item.text(tags::CONTOUR_GEOMETRIC_TYPE, "CLOSED_PLANAR");
        item.integer(tags::NUMBER_OF_CONTOUR_POINTS, points.len());
        let mut data = String::with_capacity(30 * points.len());
        for x in points.iter().flat_map(|p| p.coords.iter()) {
            if !data.is_empty() {
                data.push('\\');
            }
            push_micrometres(&mut data, *x);
        }
        item.numerals(tags::CONTOUR_DATA, data);
        items.push(item);
    }
    Ok(items)
}

/// Appends millimetres to the thousandth: a decimal string of at most 16 characters. A structure has
/// hundreds of thousands, so they are set as whole numbers of micrometres.
fn push_micrometres(data: &mut String, x: f64) {
    let thousandths = (x * 1000.0).round();
    if thousandths.abs() >= 1e12 {
        return data.push_str(&super::dataset::decimal(x));
    }
    let (sign, whole) = (if thousandths < 0.0 { "-" } else { "" }, thousandths.abs() as u64);
    // Writing to a string cannot fail.
    let _ = write!(data, "{sign}{}.{:03}", whole / 1000, whole % 1000);
}
