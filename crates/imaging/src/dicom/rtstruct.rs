//! Contours of an RTSTRUCT.

use super::object::{self, Object};
use super::{Patient, summary};
use crate::contour::{Contour, SAME_PLANE_MM, usual_gap};
use crate::error::ReadError;
use crate::structure::{Structure, StructureSet};
use dicom_dictionary_std::tags;
use nalgebra::Point3;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Most points of one contour.
const MAX_POINTS: usize = 1_000_000;
/// No patient reaches that far.
const FAR_MM: f64 = 1e6;
/// Most contours of one structure in one plane: which lies in which is looked at in pairs.
const MAX_IN_PLANE: usize = 1000;

/// Reads the structures of an RTSTRUCT. Points and open lines have no volume and are left out with
/// a note; a structure without contours is kept, empty. What else is strange is in the notes:
/// names used twice, structures in another frame of reference, contours of fewer than three points.
///
/// The file does not say how thick slices are. A structure of a single plane is as thick as the
/// usual distance of planes in the other structures; where no structure has two planes it has no
/// volume, which a note says.
///
/// # Errors
/// When the file cannot be read or is no RTSTRUCT, a contour has coordinates that are no points or
/// is not in a transverse plane, or one plane has more than a thousand contours of one structure.
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
    let slice_mm = slice_mm(o, &contours)?;
    let frame_of_reference = summary::frame_of_reference(o);
    let mut names = BTreeSet::new();
    let mut structures: Vec<Structure> = Vec::new();
    for item in o.items(tags::STRUCTURE_SET_ROI_SEQUENCE) {
        let Some(number) = whole(item, tags::ROI_NUMBER) else { continue };
        let name = object::text(item, tags::ROI_NAME).unwrap_or_else(|| number.to_string());
        if !names.insert(name.clone()) {
            notes.push(format!("two structures are named `{name}`"));
        }
        let frame = object::text(item, tags::REFERENCED_FRAME_OF_REFERENCE_UID);
        if frame.is_some() && frame != frame_of_reference {
            notes.push(format!("structure `{name}` is in another frame of reference"));
        }
        let mut own = contours.remove(&number).unwrap_or_default();
        if slice_mm.is_none() && !own.is_empty() {
            notes.push(format!(
                "structure `{name}` has one plane, and nothing says how thick a slice is: no volume"
            ));
            own.clear();
        }
        let slice_mm = slice_mm.unwrap_or_default();
        let structure = Structure::of_contours(&name, number, &own, slice_mm);
        if structure.is_empty() && own.iter().any(|c| c.points.len() >= 3) {
            notes.push(format!(
                "structure `{name}`: its contours enclose nothing (no area, or hopelessly tangled): no volume"
            ));
        }
        structures.push(structure);
    }
    Ok(StructureSet { structures, frame_of_reference, patient: Patient::of(o), notes })
}

/// The median over structures of the usual distance of their planes; `None` where no structure has
/// two planes.
fn slice_mm(o: &Object, contours: &BTreeMap<u32, Vec<Contour>>) -> Result<Option<f64>, ReadError> {
    let mut usual = Vec::new();
    for (number, list) in contours {
        let mut heights: Vec<f64> = list.iter().filter_map(Contour::height).collect();
        heights.sort_by(f64::total_cmp);
        if heights.windows(MAX_IN_PLANE + 1).any(|w| w[MAX_IN_PLANE] - w[0] < 0.1) {
            return Err(ReadError::TooLarge {
                path: o.path().to_owned(),
                found: format!("more than {MAX_IN_PLANE} contours of ROI {number} in one plane"),
                expected: format!("{MAX_IN_PLANE} contours"),
            });
        }
        heights.dedup_by(|a, b| *a - *b < SAME_PLANE_MM);
        usual.extend(usual_gap(&heights));
    }
    usual.sort_by(f64::total_cmp);
    Ok(usual.get(usual.len() / 2).copied())
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
    if !data.len().is_multiple_of(3)
        || data.len() > 3 * MAX_POINTS
        || !data.iter().all(|x| x.abs() < FAR_MM)
    {
        let found = format!("{} numbers in a contour of ROI {roi}", data.len());
        return Err(o.wrong(tags::CONTOUR_DATA, found, "finite numbers below 1e6, three a point"));
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
