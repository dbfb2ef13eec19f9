//! Grey values of any DICOM image, for objects that have no reader of their own (magnetic resonance,
//! single slices, secondary captures, planar views): stored values times Rescale Slope plus Rescale
//! Intercept, in the place that the file says, if it says one.

use super::object::{self, Object};
use super::pixels;
use super::stack::{Slice, SpacingPolicy, Stack, one_of_each};
use super::{enhanced, stack};
use crate::error::ReadError;
use crate::geometry::Grid;
use crate::image::Image;
use dicom_dictionary_std::tags;
use nalgebra::Matrix3;
use std::path::{Path, PathBuf};

/// Frames as a volume.
#[derive(Debug)]
pub struct Frames {
    /// The values.
    pub image: Image<f32>,
    /// Whether the file says where it lies; else spacing alone is known, or nothing (1 mm).
    pub placed: bool,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// Reads the files of one series: slices in order of place, or the frames of one file in their order.
///
/// # Errors
/// When a file cannot be read, holds no grey values, or the slices do not stack.
pub fn read(files: &[PathBuf], policy: SpacingPolicy) -> Result<Frames, ReadError> {
    let objects: Vec<Object> = files.iter().map(|f| Object::open(f)).collect::<Result<_, _>>()?;
    let Some(first) = objects.first() else {
        let expected = "the files of a series";
        return Err(ReadError::format(Path::new("."), "no files", expected, "give the files"));
    };
    for o in &objects {
        if o.dataset().get(tags::PIXEL_DATA).is_none() {
            let modality = o.text(tags::MODALITY).unwrap_or_else(|| "unknown".to_owned());
            let found = format!("an object of modality {modality} without pixels");
            let remedy = "give the images";
            return Err(ReadError::format(o.path(), found, "an image of grey values", remedy));
        }
    }
    one_of_each(&objects.iter().collect::<Vec<_>>())?;
    let placed = enhanced::is(first) || first.numbers(tags::IMAGE_POSITION_PATIENT).is_some();
    if objects.len() == 1 && !placed {
        return flat(first);
    }
    let slices: Vec<Vec<Slice>> = objects.iter().map(Slice::all_of).collect::<Result<_, _>>()?;
    let mut values = Vec::new();
    for o in &objects {
        values.extend(of_object(o)?);
    }
    let slices = slices.concat();
    if let [slice] = slices.as_slice() {
        let step = thickness(first)?;
        let axes = [slice.along[0], slice.along[1], slice.along[0].cross(&slice.along[1])];
        let spacing = [slice.pixel_mm[0], slice.pixel_mm[1], step.unwrap_or(1.0)];
        let size = [slice.size[0], slice.size[1], 1];
        let axes = Matrix3::from_columns(&axes);
        let grid = Grid::new(size, spacing, slice.position.into(), axes);
        let thin = "the thickness of the slice is not said: 1 mm".to_owned();
        let notes = step.is_none().then_some(thin).into_iter().collect();
        return Ok(Frames { image: Image::new(sound(first, grid)?, values), placed, notes });
    }
    let stack = Stack::new(&slices, policy)?;
    let [nx, ny, _] = stack.grid.size();
    let plane = nx * ny;
    let ordered = stack.order.iter().flat_map(|n| &values[n * plane..][..plane]);
    let ordered = ordered.copied().collect();
    let data = stack.arrange(ordered, |v| v as f32, 0.0);
    Ok(Frames { image: Image::new(stack.grid, data), placed, notes: stack.notes })
}

/// Frames that say nothing of their place.
fn flat(o: &Object) -> Result<Frames, ReadError> {
    let [mut across, mut down, step] = [1.0, 1.0, thickness(o)?.unwrap_or(1.0)];
    let mut notes = vec!["the file does not say where the image lies".to_owned()];
    if o.numbers(tags::PIXEL_SPACING).is_some() {
        [down, across] = stack::pixel_spacing(o)?;
    } else {
        notes.push("the distance of pixels is not said: 1 mm".to_owned());
    }
    let grid = Grid::axial(o.size()?, [across, down, step], [0.0; 3]);
    let image = Image::new(sound(o, grid)?, of_object(o)?);
    Ok(Frames { image, placed: false, notes })
}

fn sound<E: ToString>(o: &Object, grid: Result<Grid, E>) -> Result<Grid, ReadError> {
    let wrong = |e: E| {
        let remedy = "export the series again";
        ReadError::format(o.path(), e.to_string(), "a grid of voxels", remedy)
    };
    grid.map_err(wrong)
}

fn thickness(o: &Object) -> Result<Option<f64>, ReadError> {
    for tag in [tags::SPACING_BETWEEN_SLICES, tags::SLICE_THICKNESS] {
        if let Some(mm) = o.maybe_number(tag)?.map(f64::abs).filter(|mm| *mm > 0.0) {
            return Ok(Some(mm));
        }
    }
    Ok(None)
}

/// Values of all frames of an object, in their order.
fn of_object(o: &Object) -> Result<Vec<f32>, ReadError> {
    if o.number(tags::BITS_ALLOCATED) == Some(1.0) {
        return Err(o.wrong(tags::BITS_ALLOCATED, "1".to_owned(), "8, 16 or 32: grey values"));
    }
    let size = o.size()?;
    let stored = pixels::stored(o, size)?;
    let plane = size[0] * size[1];
    let mut values = Vec::with_capacity(stored.len());
    for (frame, stored) in stored.chunks_exact(plane).enumerate() {
        let group = enhanced::group(o, frame, tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE);
        let [slope, intercept] = match group {
            Some(group) => [
                object::need_numbers::<1>(o.path(), group, tags::RESCALE_SLOPE)?[0],
                object::need_numbers::<1>(o.path(), group, tags::RESCALE_INTERCEPT)?[0],
            ],
            None => [
                o.maybe_number(tags::RESCALE_SLOPE)?.unwrap_or(1.0),
                o.maybe_number(tags::RESCALE_INTERCEPT)?.unwrap_or(0.0),
            ],
        };
        values.extend(stored.iter().map(|v| (f64::from(*v) * slope + intercept) as f32));
    }
    Ok(values)
}
