//! Contours of an RTSTRUCT.

use super::object::{self, Object};
use super::{Patient, summary};
use crate::contour::Contour;
use crate::error::ReadError;
use crate::structure::{Structure, StructureSet};
use dicom_dictionary_std::tags;
use nalgebra::Point3;
use std::collections::BTreeMap;
use std::path::Path;

/// Slab of a structure that has a single plane and no image to take a thickness from.
const LONE_SLAB_MM: f64 = 3.0;
/// Most points of one contour.
const MAX_POINTS: usize = 1_000_000;

/// Reads the structures of an RTSTRUCT. Points and open lines have no volume and are left out with
/// a note; a structure without contours is kept, empty.
///
/// # Errors
/// When the file cannot be read or is no RTSTRUCT, or a contour has coordinates that are no points.
pub fn read(path: &Path) -> Result<StructureSet, ReadError> {
    from_object(&Object::open(path)?)
}

/// Reads the structures of an object.
///
/// # Errors
/// As [`read`].
pub fn from_object(o: &Object) -> Result<StructureSet, ReadError> {
    match o.text(tags::MODALITY).as_deref() {
        Some("RTSTRUCT") => {}
        found => {
            return Err(o.wrong(tags::MODALITY, found.unwrap_or("missing").into(), "RTSTRUCT"));
        }
    }
    let mut notes = Vec::new();
    let mut contours: BTreeMap<u32, Vec<Contour>> = BTreeMap::new();
    for item in o.items(tags::ROI_CONTOUR_SEQUENCE) {
        let Some(number) = whole(item, tags::REFERENCED_ROI_NUMBER) else { continue };
        let list = contours.entry(number).or_default();
        for c in object::items(item, tags::CONTOUR_SEQUENCE) {
            let kind = object::text(c, tags::CONTOUR_GEOMETRIC_TYPE).unwrap_or_default();
            // CLOSEDPLANAR_XOR and keyholes are closed planar too, drawn together or in one line.
            if !kind.starts_with("CLOSED") {
                notes.push(format!(
                    "ROI {number}: a contour of type {kind} has no volume and is left out"
                ));
                continue;
            }
            list.push(contour(o, number, c, &mut notes)?);
        }
    }
    notes.sort();
    notes.dedup();
    let mut structures: Vec<Structure> = Vec::new();
    for item in o.items(tags::STRUCTURE_SET_ROI_SEQUENCE) {
        let Some(number) = whole(item, tags::ROI_NUMBER) else { continue };
        let name = object::text(item, tags::ROI_NAME).unwrap_or_else(|| number.to_string());
        if structures.iter().any(|s| s.name == name) {
            notes.push(format!("two structures are named `{name}`"));
        }
        let own = contours.remove(&number).unwrap_or_default();
        structures.push(Structure::of_contours(&name, number, &own, LONE_SLAB_MM));
    }
    Ok(StructureSet {
        structures,
        frame_of_reference: summary::frame_of_reference(o),
        patient: Patient::of(o),
        notes,
    })
}

fn whole(item: &object::Dataset, tag: dicom_core::Tag) -> Option<u32> {
    let n = object::numbers(item, tag)?.first().copied()?;
    (n >= 0.0 && n.fract() == 0.0 && n <= f64::from(u32::MAX)).then_some(n as u32)
}

fn contour(
    o: &Object,
    roi: u32,
    item: &object::Dataset,
    notes: &mut Vec<String>,
) -> Result<Contour, ReadError> {
    let data = object::numbers(item, tags::CONTOUR_DATA).unwrap_or_default();
    if data.len() % 3 != 0 || data.len() > 3 * MAX_POINTS || data.iter().any(|x| !x.is_finite()) {
        let found = format!("{} numbers in a contour of ROI {roi}", data.len());
        return Err(o.wrong(tags::CONTOUR_DATA, found, "finite numbers, three a point"));
    }
    let mut points: Vec<_> = data.chunks_exact(3).map(|p| Point3::new(p[0], p[1], p[2])).collect();
    if points.len() > 1 && points.first() == points.last() {
        points.pop();
    }
    if points.len() < 3 {
        notes.push(format!("ROI {roi}: a contour of fewer than three points is left out"));
    }
    let contour = Contour { points };
    if contour.points.len() >= 3 && contour.height().is_none() {
        return Err(o.wrong(
            tags::CONTOUR_DATA,
            format!("a contour of ROI {roi} that is not in a transverse plane"),
            "contours in transverse planes (export the structures on the axial CT)",
        ));
    }
    Ok(contour)
}
