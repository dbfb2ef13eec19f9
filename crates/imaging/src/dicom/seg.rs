//! Segmentations: binary, fractional, label map.

use super::object::{self, Object};
use super::stack::unit_axes;
use super::{Patient, encapsulated, enhanced, pixels, summary};
use crate::error::ReadError;
use crate::geometry::{Grid, IndexBox};
use crate::mask::Mask;
use crate::structure::{Structure, StructureSet};
use dicom_dictionary_std::tags;
use nalgebra::{Matrix3, Vector3};
use std::collections::BTreeMap;
use std::path::Path;

/// What to do with a segmentation of fractions, which may be probabilities or occupancies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FractionalPolicy {
    /// Refuse it.
    Refuse,
    /// Take voxels of at least this fraction (0 to 1) as inside, and say so in the notes.
    Threshold(f64),
}

/// Most voxels of the box around one segment: a gigabyte of fractions.
const MAX_BOX: usize = 1 << 28;

/// Frames closer than this along the normal are one slice.
const SAME_MM: f64 = 0.01;

/// Reads the segments of a SEG as structures. Segments may overlap, frames of empty slices may be
/// missing, the grid is the segmentation's own.
///
/// # Errors
/// When the file cannot be read or is no SEG, is fractional and the policy is to refuse that, or
/// its frames do not lie on a regular grid.
pub fn read(path: &Path, policy: FractionalPolicy) -> Result<StructureSet, ReadError> {
    from_object(&Object::open(path)?, policy)
}

/// Reads the segments of an object.
///
/// # Errors
/// As [`read`].
pub fn from_object(o: &Object, policy: FractionalPolicy) -> Result<StructureSet, ReadError> {
    match o.text(tags::MODALITY).as_deref() {
        Some("SEG") => {}
        found => return Err(o.wrong(tags::MODALITY, found.unwrap_or("missing").into(), "SEG")),
    }
    let mut notes = Vec::new();
    let kind = o.need_text(tags::SEGMENTATION_TYPE)?;
    let size = o.size()?;
    let [columns, rows, frames] = size;
    // Whether a stored value is inside; label maps are asked for a label.
    let threshold = match (kind.as_str(), policy) {
        ("BINARY" | "LABELMAP", _) => 1.0,
        ("FRACTIONAL", FractionalPolicy::Threshold(t)) => {
            let top = o.number(tags::MAXIMUM_FRACTIONAL_VALUE).unwrap_or(255.0);
            notes.push(format!("fractional segments are taken at {t} of {top}"));
            t * top
        }
        ("FRACTIONAL", FractionalPolicy::Refuse) => {
            return Err(o.wrong(
                tags::SEGMENTATION_TYPE,
                kind,
                "BINARY or LABELMAP (or a threshold for the fractions, stated by the user)",
            ));
        }
        _ => return Err(o.wrong(tags::SEGMENTATION_TYPE, kind, "BINARY, FRACTIONAL or LABELMAP")),
    };
    let values = if o.number(tags::BITS_ALLOCATED) == Some(1.0) {
        packed_bits(o, size)?
    } else {
        pixels::stored(o, size)?
    };
    let (grid, slices) = grid(o, size)?;
    let label_map = kind == "LABELMAP";
    let segment_of = |frame: usize| {
        enhanced::group(o, frame, tags::SEGMENT_IDENTIFICATION_SEQUENCE)
            .and_then(|s| object::numbers(s, tags::REFERENCED_SEGMENT_NUMBER))
            .and_then(|n| n.first().map(|n| *n as u32))
    };
    let segments: Vec<Option<u32>> = (0..frames).map(segment_of).collect();
    let lone = match o.items(tags::SEGMENT_SEQUENCE) {
        [one] => object::numbers(one, tags::SEGMENT_NUMBER).map(|n| n[0] as u32),
        _ => None,
    };
    if !label_map && lone.is_none() && segments.iter().any(Option::is_none) {
        let expected = "a segment number for every frame";
        return Err(o.missing(tags::SEGMENT_IDENTIFICATION_SEQUENCE, expected));
    }
    let plane = columns * rows;
    let mut voxels: BTreeMap<u32, (IndexBox, Vec<usize>)> = BTreeMap::new();
    for frame in 0..frames {
        let k = slices[frame];
        for (p, v) in values[frame * plane..][..plane].iter().enumerate() {
            let inside = if label_map { *v > 0 } else { f64::from(*v) >= threshold && *v > 0 };
            if !inside {
                continue;
            }
            let number = if label_map { *v as u32 } else { segments[frame].or(lone).unwrap_or(0) };
            let at = [p % columns, p / columns, k];
            let start = IndexBox { start: at, end: at.map(|x| x + 1) };
            let (bounds, list) = voxels.entry(number).or_insert((start, Vec::new()));
            *bounds = bounds.union(&start);
            list.push(p + plane * k);
        }
    }
    if let Some((number, (bounds, _))) = voxels.iter().find(|(_, v)| v.0.len() > MAX_BOX) {
        return Err(ReadError::TooLarge {
            path: o.path().to_owned(),
            found: format!("segment {number} spreads over {:?} voxels", bounds.size()),
            expected: format!("{MAX_BOX} voxels"),
        });
    }
    let structures = o
        .items(tags::SEGMENT_SEQUENCE)
        .iter()
        .filter_map(|item| {
            let number = object::numbers(item, tags::SEGMENT_NUMBER)?.first().copied()? as u32;
            let label = object::text(item, tags::SEGMENT_LABEL)
                .unwrap_or_else(|| format!("segment {number}"));
            // Label maps may describe a background.
            if label_map && number == 0 {
                return None;
            }
            let mask = voxels
                .remove(&number)
                .map_or_else(|| Mask::empty(grid.clone()), |(b, list)| mask(&grid, b, &list));
            Some(Structure::of_voxels(&label, number, mask))
        })
        .collect();
    Ok(StructureSet {
        structures,
        frame_of_reference: summary::frame_of_reference(o),
        patient: Patient::of(o),
        notes,
    })
}

fn mask(grid: &Grid, bounds: IndexBox, voxels: &[usize]) -> Mask {
    let [nx, ny, _] = grid.size();
    let [bx, by, _] = bounds.size();
    let mut fraction = vec![0.0; bounds.len()];
    for n in voxels {
        let at = [n % nx, n / nx % ny, n / (nx * ny)];
        let [i, j, k] = std::array::from_fn(|a| at[a] - bounds.start[a]);
        fraction[i + bx * (j + by * k)] = 1.0;
    }
    Mask::new(grid.clone(), bounds, fraction)
}

/// One bit a pixel, lowest first; plain frames one after the other without padding.
fn packed_bits(o: &Object, size: [usize; 3]) -> Result<Vec<i32>, ReadError> {
    let count: usize = size.iter().product();
    let element = o
        .dataset()
        .get(tags::PIXEL_DATA)
        .ok_or_else(|| o.missing(tags::PIXEL_DATA, "one bit a pixel"))?;
    let Some(bytes) = element.value().primitive().map(|p| p.to_bytes()) else {
        return encapsulated::bits(o, size);
    };
    if bytes.len() < count.div_ceil(8) {
        let found = format!("{} bytes", bytes.len());
        return Err(o.wrong(tags::PIXEL_DATA, found, &format!("{} bytes", count.div_ceil(8))));
    }
    Ok((0..count).map(|n| i32::from(bytes[n / 8] >> (n % 8) & 1)).collect())
}

/// The grid of all frames, and to which slice each belongs.
fn grid(o: &Object, [columns, rows, frames]: [usize; 3]) -> Result<(Grid, Vec<usize>), ReadError> {
    let of = |frame, tag| enhanced::group(o, frame, tag);
    let measures = of(0, tags::PIXEL_MEASURES_SEQUENCE)
        .ok_or_else(|| o.missing(tags::PIXEL_MEASURES_SEQUENCE, "spacing of pixels"))?;
    let [between_rows, between_columns]: [f64; 2] =
        object::need_numbers(o.path(), measures, tags::PIXEL_SPACING)?;
    let orientation = |frame| -> Result<[Vector3<f64>; 2], ReadError> {
        let group = of(frame, tags::PLANE_ORIENTATION_SEQUENCE)
            .ok_or_else(|| o.missing(tags::PLANE_ORIENTATION_SEQUENCE, "orientation of frames"))?;
        unit_axes(o, object::need_numbers(o.path(), group, tags::IMAGE_ORIENTATION_PATIENT)?)
    };
    let [row, column] = orientation(0)?;
    let normal = row.cross(&column);
    let mut positions = Vec::with_capacity(frames);
    for frame in 0..frames {
        let group = of(frame, tags::PLANE_POSITION_SEQUENCE)
            .ok_or_else(|| o.missing(tags::PLANE_POSITION_SEQUENCE, "position of frames"))?;
        let p: [f64; 3] = object::need_numbers(o.path(), group, tags::IMAGE_POSITION_PATIENT)?;
        positions.push(Vector3::from(p));
    }
    let heights: Vec<f64> = positions.iter().map(|p| p.dot(&normal)).collect();
    let mut sorted = heights.clone();
    sorted.sort_by(f64::total_cmp);
    sorted.dedup_by(|a, b| *a - *b < SAME_MM);
    let gap = sorted.windows(2).map(|w| w[1] - w[0]).fold(f64::INFINITY, f64::min);
    let stated = [tags::SPACING_BETWEEN_SLICES, tags::SLICE_THICKNESS]
        .into_iter()
        .find_map(|tag| object::numbers(measures, tag)?.first().copied())
        .filter(|s| *s > 0.0);
    // Frames of empty slices may be missing: the smallest distance is that of neighbours, unless
    // only far ones are there.
    let step = match stated {
        Some(s) if gap.is_infinite() || (gap / s - (gap / s).round()).abs() < 0.05 => s,
        _ if gap.is_finite() => gap,
        _ => {
            let expected = "the thickness of a slice (the segmentation has one slice)";
            return Err(o.missing(tags::SLICE_THICKNESS, expected));
        }
    };
    let low = sorted.first().copied().unwrap_or(0.0);
    let mut slices = Vec::with_capacity(frames);
    for h in &heights {
        let n = (h - low) / step;
        if (n - n.round()).abs() > 0.1 || n > 1e5 {
            let found = format!("frames {h:.3} and {low:.3} mm along the normal");
            let expected = format!("distances of whole multiples of {step:.3} mm");
            return Err(o.wrong(tags::PLANE_POSITION_SEQUENCE, found, &expected));
        }
        slices.push(n.round() as usize);
    }
    let count = slices.iter().max().map_or(1, |n| n + 1);
    let lowest = heights.iter().position(|h| *h - low < SAME_MM).unwrap_or(0);
    let axes = Matrix3::from_columns(&[row, column, normal]);
    let spacing = [between_columns, between_rows, step];
    let grid = Grid::new([columns, rows, count], spacing, positions[lowest].into(), axes).map_err(
        |e| {
            let remedy = "export the segmentation again";
            ReadError::format(o.path(), e.to_string(), "a grid of voxels", remedy)
        },
    )?;
    Ok((grid, slices))
}
