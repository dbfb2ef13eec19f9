//! SEG: structures as binary segments, a frame for each slice in which a segment has voxels.

use super::context::Series;
use super::dataset::Dataset;
use super::{Context, SegmentKind, SeriesReference, WriteError, check_size, uids};
use crate::geometry::Grid;
use crate::mask::Mask;
use dicom_dictionary_std::tags;
use std::path::Path;

/// A segment to write.
#[derive(Debug, Clone)]
pub struct Segment<'a> {
    /// Segment Label, at most 64 characters.
    pub name: &'a str,
    /// Where it is: voxels of at least one half are in. All segments are on one grid.
    pub mask: &'a Mask,
    /// What it is.
    pub kind: SegmentKind,
    /// How it came to be, if no person drew it: the name of the algorithm.
    pub algorithm: Option<&'a str>,
}

/// How a segmentation is found again: its identifiers, and the numbers of its segments.
#[derive(Debug, Clone)]
pub struct SegReference {
    /// Series Instance UID.
    pub series_uid: String,
    /// SOP Instance UID.
    pub instance_uid: String,
    /// Whether the segment of that number (from 1) has a frame at all.
    pub has_frames: Vec<bool>,
}

/// What a segment of this volume counts as: half of a voxel.
const INSIDE: f32 = 0.5;

/// Writes segments in the frame of reference of `images`, on the grid of their masks; frames refer to
/// the slices of `images` that they lie on. A segment without a voxel is named and has no frame.
///
/// # Errors
/// When no segment has a voxel, masks are on different grids, a slice has more than 65535 columns or
/// rows, or the file cannot be written.
pub fn write(
    path: &Path,
    segments: &[Segment<'_>],
    images: &SeriesReference,
    context: &Context,
) -> Result<SegReference, WriteError> {
    let failed = |why: String| WriteError::new(path, why);
    let Some(first) = segments.first() else { return Err(failed("no segment".to_owned())) };
    let grid = first.mask.grid();
    if segments.iter().any(|s| !s.mask.grid().matches(grid)) {
        return Err(failed("segments on different grids".to_owned()));
    }
    let [columns, rows, _] = check_size(path, grid)?;
    let frames: Vec<Frame> =
        segments.iter().enumerate().flat_map(|(n, s)| frames_of(n, s.mask)).collect();
    if frames.is_empty() {
        return Err(failed("no segment has a voxel that is half inside".to_owned()));
    }
    let series = Series { modality: "SEG", number: 30, description: "Segments" };
    let mut o = context.object(uids::SEGMENTATION_STORAGE, &series, 1);
    o.text(tags::DEVICE_SERIAL_NUMBER, "none");
    context.frame_of_reference(&mut o);
    o.text(tags::IMAGE_TYPE, "DERIVED\\PRIMARY");
    o.date_time(tags::CONTENT_DATE, tags::CONTENT_TIME, context.date_time);
    o.text(tags::CONTENT_LABEL, "SEGMENTS");
    o.text(tags::CONTENT_DESCRIPTION, "Structures of a radioembolization plan");
    o.empty(&[tags::CONTENT_CREATOR_NAME]);
    o.text(tags::LOSSY_IMAGE_COMPRESSION, "00");
    o.text(tags::SEGMENTATION_TYPE, "BINARY");
    let list = segments.iter().enumerate().map(|(n, s)| segment_item(n, s)).collect();
    o.items(tags::SEGMENT_SEQUENCE, list);
    referenced(&mut o, images, context);

    // Frames are counted by segment, then by place.
    let organization = context.uid("dimensions of segments");
    let mut item = Dataset::new();
    item.text(tags::DIMENSION_ORGANIZATION_UID, &organization);
    o.items(tags::DIMENSION_ORGANIZATION_SEQUENCE, vec![item]);
    let index = |pointer, group| {
        let mut item = Dataset::new();
        item.text(tags::DIMENSION_ORGANIZATION_UID, &organization);
        item.pointers(tags::DIMENSION_INDEX_POINTER, &[pointer]);
        item.pointers(tags::FUNCTIONAL_GROUP_POINTER, &[group]);
        item
    };
    let by_segment = index(tags::REFERENCED_SEGMENT_NUMBER, tags::SEGMENT_IDENTIFICATION_SEQUENCE);
    let by_place = index(tags::IMAGE_POSITION_PATIENT, tags::PLANE_POSITION_SEQUENCE);
    o.items(tags::DIMENSION_INDEX_SEQUENCE, vec![by_segment, by_place]);

    o.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared(grid)]);
    let own = frames.iter().map(|f| own_groups(f, grid, images)).collect();
    o.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, own);
    o.integer(tags::NUMBER_OF_FRAMES, frames.len());
    let plane = columns * rows;
    let mut bits = vec![0_u8; (frames.len() * plane).div_ceil(8)];
    for (n, frame) in frames.iter().enumerate() {
        for p in &frame.pixels {
            let at = n * plane + p;
            bits[at / 8] |= 1 << (at % 8);
        }
    }
    o.bits(columns, rows, bits);
    o.save(path)?;
    let has = |n| frames.iter().any(|f: &Frame| f.segment == n);
    Ok(SegReference {
        series_uid: context.series_uid(&series),
        instance_uid: context.instance_uid(&series, 1),
        has_frames: (0..segments.len()).map(has).collect(),
    })
}

/// Voxels of one segment in one slice.
struct Frame {
    /// From 0.
    segment: usize,
    k: usize,
    /// Numbers of the pixels inside.
    pixels: Vec<usize>,
}

fn frames_of(segment: usize, mask: &Mask) -> Vec<Frame> {
    let (bounds, columns) = (mask.bounds(), mask.grid().size()[0]);
    let [nx, ny, _] = bounds.size();
    let [i, j, k] = bounds.start;
    let slices = mask.fractions().chunks_exact((nx * ny).max(1)).enumerate();
    let frames = slices.map(|(n, slice)| {
        let inside = slice.iter().enumerate().filter(|(_, f)| **f >= INSIDE);
        let place = |p: usize| i + p % nx + columns * (j + p / nx);
        Frame { segment, k: k + n, pixels: inside.map(|(p, _)| place(p)).collect() }
    });
    frames.filter(|f| !f.pixels.is_empty()).collect()
}

fn segment_item(n: usize, segment: &Segment<'_>) -> Dataset {
    let mut item = Dataset::new();
    item.shorts(tags::SEGMENT_NUMBER, &[n as u16 + 1]);
    item.words(tags::SEGMENT_LABEL, segment.name, 64);
    match segment.algorithm {
        Some(name) => {
            item.text(tags::SEGMENT_ALGORITHM_TYPE, "AUTOMATIC");
            item.words(tags::SEGMENT_ALGORITHM_NAME, name, 64);
        }
        None => item.text(tags::SEGMENT_ALGORITHM_TYPE, "MANUAL"),
    }
    let [category, kind] = segment.kind.codes();
    item.code(tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE, category, |_| ());
    item.code(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, kind, |_| ());
    item
}

/// Which images lie below: in this study, or in another.
fn referenced(o: &mut Dataset, images: &SeriesReference, context: &Context) {
    let mut series = Dataset::new();
    series.text(tags::SERIES_INSTANCE_UID, &images.series_uid);
    let mut instances: Vec<&str> = images.slices.iter().map(|s| &*s.instance_uid).collect();
    instances.dedup();
    let instance = |uid: &&str| {
        let mut item = Dataset::new();
        item.text(tags::REFERENCED_SOP_CLASS_UID, &images.sop_class);
        item.text(tags::REFERENCED_SOP_INSTANCE_UID, uid);
        item
    };
    series.items(tags::REFERENCED_INSTANCE_SEQUENCE, instances.iter().map(instance).collect());
    if images.study_uid == context.study_uid {
        o.items(tags::REFERENCED_SERIES_SEQUENCE, vec![series]);
    } else {
        let mut study = Dataset::new();
        study.text(tags::STUDY_INSTANCE_UID, &images.study_uid);
        study.items(tags::REFERENCED_SERIES_SEQUENCE, vec![series]);
        o.items(tags::STUDIES_CONTAINING_OTHER_REFERENCED_INSTANCES_SEQUENCE, vec![study]);
    }
}

/// What all frames have in common.
fn shared(grid: &Grid) -> Dataset {
    let [columns_mm, rows_mm, slices_mm] = grid.spacing_mm();
    let mut measures = Dataset::new();
    measures.decimals(tags::PIXEL_SPACING, &[rows_mm, columns_mm]);
    measures.decimals(tags::SLICE_THICKNESS, &[slices_mm]);
    measures.decimals(tags::SPACING_BETWEEN_SLICES, &[slices_mm]);
    let mut turn = Dataset::new();
    turn.decimals(tags::IMAGE_ORIENTATION_PATIENT, &grid.axes().as_slice()[..6]);
    let mut shared = Dataset::new();
    shared.items(tags::PIXEL_MEASURES_SEQUENCE, vec![measures]);
    shared.items(tags::PLANE_ORIENTATION_SEQUENCE, vec![turn]);
    shared
}

fn own_groups(frame: &Frame, grid: &Grid, images: &SeriesReference) -> Dataset {
    let mut own = Dataset::new();
    let at = grid.world([0.0, 0.0, frame.k as f64]);
    let near = |s: &&super::SliceReference| (at - s.position).dot(&images.normal).abs() < 0.01;
    if let Some(slice) = images.slices.iter().find(near) {
        let mut source = Dataset::new();
        source.text(tags::REFERENCED_SOP_CLASS_UID, &images.sop_class);
        source.text(tags::REFERENCED_SOP_INSTANCE_UID, &slice.instance_uid);
        if let Some(frame) = slice.frame {
            source.integer(tags::REFERENCED_FRAME_NUMBER, frame);
        }
        let purpose = ["121322", "DCM", "Source image for image processing operation"];
        source.code(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, purpose, |_| ());
        let mut derived = Dataset::new();
        derived.items(tags::SOURCE_IMAGE_SEQUENCE, vec![source]);
        derived.code(tags::DERIVATION_CODE_SEQUENCE, ["113076", "DCM", "Segmentation"], |_| ());
        own.items(tags::DERIVATION_IMAGE_SEQUENCE, vec![derived]);
    }
    let mut content = Dataset::new();
    content.longs(tags::DIMENSION_INDEX_VALUES, &[frame.segment as u32 + 1, frame.k as u32 + 1]);
    own.items(tags::FRAME_CONTENT_SEQUENCE, vec![content]);
    let mut place = Dataset::new();
    place.decimals(tags::IMAGE_POSITION_PATIENT, at.coords.as_slice());
    own.items(tags::PLANE_POSITION_SEQUENCE, vec![place]);
    let mut which = Dataset::new();
    which.shorts(tags::REFERENCED_SEGMENT_NUMBER, &[frame.segment as u16 + 1]);
    own.items(tags::SEGMENT_IDENTIFICATION_SEQUENCE, vec![which]);
    own
}
