//! Objects of many frames, each of which says in functional groups where it lies and what its values
//! are (PS3.3, C.7.6.16): a group is the frame's own, or the one shared by all.

use super::object::{self, Dataset, Object};
use super::stack::{Slice, pixel_spacing_of, unit_axes};
use crate::error::ReadError;
use dicom_core::Tag;
use dicom_dictionary_std::tags;
use nalgebra::Vector3;
use std::collections::BTreeSet;

/// Whether an object has such groups.
pub(super) fn is(o: &Object) -> bool {
    !o.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).is_empty()
}

/// A functional group of a frame.
pub(super) fn group(o: &Object, frame: usize, tag: Tag) -> Option<&Dataset> {
    all(o, frame, tag).first()
}

/// All items of a functional group of a frame.
pub(super) fn all(o: &Object, frame: usize, tag: Tag) -> &[Dataset] {
    let own = o.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).get(frame);
    let shared = o.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).first();
    let found = [own, shared].into_iter().flatten().map(|groups| object::items(groups, tag));
    found.into_iter().find(|items| !items.is_empty()).unwrap_or_default()
}

/// A group that must be there.
pub(super) fn need(o: &Object, frame: usize, tag: Tag) -> Result<&Dataset, ReadError> {
    group(o, frame, tag).ok_or_else(|| o.missing(tag, &format!("that of frame {}", frame + 1)))
}

/// Columns, rows and frames, each of which says something.
pub(super) fn size(o: &Object) -> Result<[usize; 3], ReadError> {
    let size = o.size()?;
    let items = o.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).len();
    if items == size[2] {
        return Ok(size);
    }
    let expected = format!("one for each of {} frame(s)", size[2]);
    Err(o.wrong(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, format!("{items} items"), &expected))
}

/// Where each frame lies.
pub(super) fn slices(o: &Object) -> Result<Vec<Slice>, ReadError> {
    let [columns, rows, frames] = size(o)?;
    let stack = |frame| {
        let content = group(o, frame, tags::FRAME_CONTENT_SEQUENCE);
        content.and_then(|c| object::text(c, tags::STACK_ID))
    };
    let stacks: BTreeSet<Option<String>> = (0..frames).map(stack).collect();
    if stacks.len() > 1 {
        let names: Vec<_> = stacks.into_iter().map(|s| s.unwrap_or("none".to_owned())).collect();
        let found = format!("{} stacks ({})", names.len(), names.join(", "));
        return Err(o.wrong(tags::STACK_ID, found, "one stack (export it alone)"));
    }
    let uid = o.text(tags::SOP_INSTANCE_UID).unwrap_or_default();
    let slice = |frame| {
        let numbers = |sequence| need(o, frame, sequence);
        let (path, measures) = (o.path(), numbers(tags::PIXEL_MEASURES_SEQUENCE)?);
        let place = numbers(tags::PLANE_POSITION_SEQUENCE)?;
        let turn = numbers(tags::PLANE_ORIENTATION_SEQUENCE)?;
        let p: [f64; 3] = object::need_numbers(path, place, tags::IMAGE_POSITION_PATIENT)?;
        let a: [f64; 6] = object::need_numbers(path, turn, tags::IMAGE_ORIENTATION_PATIENT)?;
        let [between_rows, between_columns] = pixel_spacing_of(o, measures)?;
        Ok(Slice {
            path: path.to_owned(),
            frame: Some(frame + 1),
            // Two frames of one object are no copies of each other.
            instance: uid.clone(),
            uid: if uid.is_empty() { String::new() } else { format!("{uid} {}", frame + 1) },
            position: Vector3::from(p),
            along: unit_axes(o, a)?,
            pixel_mm: [between_columns, between_rows],
            size: [columns, rows],
        })
    };
    (0..frames).map(slice).collect()
}
