//! A series in a few words, from headers alone.

use super::object::{Object, items, text};
use super::stack::{Slice, Stack, one_of_each};
use super::{SpacingPolicy, ct};
use crate::geometry::Grid;
use crate::image::FrameOfReference;
use crate::inventory::Role;
use dicom_dictionary_std::tags;

/// Geometry and problems of a series.
pub(crate) fn of(role: Role, objects: &[Object]) -> (String, Vec<String>) {
    let mut problems = Vec::new();
    let all: Vec<_> = objects.iter().collect();
    if let Err(e) = one_of_each(&all) {
        problems.push(e.to_string());
    }
    let Some(first) = objects.first() else { return (String::new(), problems) };
    let geometry = match role {
        Role::Ct | Role::Pet => {
            let slices = objects.iter().map(|o| match role {
                Role::Ct => ct::in_hu(o).and_then(|()| Slice::all_of(o)),
                _ => Slice::all_of(o),
            });
            let slices: Result<Vec<_>, _> = slices.collect();
            match slices.map(|s| s.concat()).and_then(|s| Stack::new(&s, SpacingPolicy::Refuse)) {
                Ok(stack) => {
                    problems.extend(stack.notes);
                    of_grid(&stack.grid)
                }
                Err(e) => {
                    problems.push(e.to_string());
                    format!("{} slice(s)", objects.len())
                }
            }
        }
        Role::RtStruct => {
            format!("{} structures", first.items(tags::STRUCTURE_SET_ROI_SEQUENCE).len())
        }
        Role::Seg => format!("{} segments", first.items(tags::SEGMENT_SEQUENCE).len()),
        _ => match first.size() {
            Ok([columns, rows, frames]) => {
                let mm = first.numbers(tags::PIXEL_SPACING).unwrap_or_default();
                let step = first.number(tags::SPACING_BETWEEN_SLICES);
                let spacing: Vec<_> =
                    mm.iter().rev().chain(step.iter()).map(|x| format!("{x:.2}")).collect();
                let unit = if spacing.is_empty() { "" } else { " mm" };
                format!("{columns} x {rows} x {frames}, {}{unit}", spacing.join(" x "))
            }
            Err(_) => format!("{} file(s)", objects.len()),
        },
    };
    if [Role::Spect, Role::Planar, Role::RtDose, Role::RtStruct, Role::Seg].contains(&role)
        && objects.len() > 1
    {
        problems.push(format!("{} files in one series, expected one", objects.len()));
    }
    (geometry, problems)
}

/// Size and spacing of a grid.
pub(crate) fn of_grid(grid: &Grid) -> String {
    let [nx, ny, nz] = grid.size();
    let [dx, dy, dz] = grid.spacing_mm();
    format!("{nx} x {ny} x {nz}, {dx:.2} x {dy:.2} x {dz:.2} mm")
}

/// The frame of reference of an object; of a structure set that of the images it is drawn on.
pub(crate) fn frame_of_reference(o: &Object) -> FrameOfReference {
    o.text(tags::FRAME_OF_REFERENCE_UID).or_else(|| {
        items(o.dataset(), tags::REFERENCED_FRAME_OF_REFERENCE_SEQUENCE)
            .first()
            .and_then(|item| text(item, tags::FRAME_OF_REFERENCE_UID))
    })
}
