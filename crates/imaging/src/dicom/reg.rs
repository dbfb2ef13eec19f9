//! A spatial registration (REG): matrices between frames of reference, made by somebody else.

use super::object::{self, Dataset, Object, name};
use crate::error::ReadError;
use crate::registration::Rigid;
use dicom_dictionary_std::tags;
use std::path::Path;

/// Most registrations and matrices of one file: a hostile one could hold millions.
const MOST: usize = 256;

/// From one frame of reference to the file's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Frame of Reference UID of the points that are carried.
    pub from: String,
    /// The motion that carries them.
    pub motion: Rigid,
}

/// What a spatial registration says.
#[derive(Debug, Clone, PartialEq)]
pub struct SpatialRegistration {
    /// Frame of Reference UID that all is carried to.
    pub to: String,
    /// How.
    pub links: Vec<Link>,
}

/// Reads a Spatial Registration of rigid matrices.
///
/// # Errors
/// When the file cannot be read, is no registration (deformable ones are another object), or holds a
/// matrix that is not rigid.
pub fn read(path: &Path) -> Result<SpatialRegistration, ReadError> {
    let o = Object::open(path)?;
    match o.text(tags::MODALITY).as_deref() {
        Some("REG") => {}
        found => {
            let found = found.unwrap_or("missing").to_owned();
            return Err(o.wrong(tags::MODALITY, found, "REG: a spatial registration"));
        }
    }
    let to = o.need_text(tags::FRAME_OF_REFERENCE_UID)?;
    let items = o.items(tags::REGISTRATION_SEQUENCE);
    if items.is_empty() || items.len() > MOST {
        let expected = "1 to 256 registrations (a deformable one cannot be used)";
        let found = items.len().to_string();
        return Err(o.wrong(tags::REGISTRATION_SEQUENCE, found, expected));
    }
    let links = items
        .iter()
        .filter_map(|item| {
            // One that says only which images it is of names no frame of reference of its own.
            let from = object::text(item, tags::FRAME_OF_REFERENCE_UID)?;
            Some(motion(&o, item).map(|motion| Link { from, motion }))
        })
        .collect::<Result<Vec<_>, _>>()?;
    if links.is_empty() {
        let expected = "a registration that names the frame of reference it carries";
        return Err(o.wrong(tags::REGISTRATION_SEQUENCE, "none that does".to_owned(), expected));
    }
    Ok(SpatialRegistration { to, links })
}

/// The matrices of an item, applied one after the other.
fn motion(o: &Object, item: &Dataset) -> Result<Rigid, ReadError> {
    let mut all = Rigid::identity();
    let mut count = 0;
    for sequence in object::items(item, tags::MATRIX_REGISTRATION_SEQUENCE) {
        for matrix in object::items(sequence, tags::MATRIX_SEQUENCE) {
            count += 1;
            if count > MOST {
                break;
            }
            let kind = object::text(matrix, tags::FRAME_OF_REFERENCE_TRANSFORMATION_MATRIX_TYPE);
            let wrong = |found: String| {
                let tag = name(tags::FRAME_OF_REFERENCE_TRANSFORMATION_MATRIX);
                let remedy = "register the images rigidly, or leave --registration out";
                ReadError::element(
                    o.path(),
                    &tag,
                    found,
                    "a rigid matrix (no scaling, no shear, no mirror)",
                    remedy,
                )
            };
            if kind.as_deref() != Some("RIGID") {
                return Err(wrong(format!(
                    "of type {}",
                    kind.unwrap_or_else(|| "missing".to_owned())
                )));
            }
            let rows: [f64; 16] = object::need_numbers(
                o.path(),
                matrix,
                tags::FRAME_OF_REFERENCE_TRANSFORMATION_MATRIX,
            )?;
            let one = Rigid::from_rows(&rows).map_err(|why| wrong(format!("none: {why}")))?;
            all = all.then(&one);
        }
    }
    if count == 0 {
        let tag = name(tags::MATRIX_REGISTRATION_SEQUENCE);
        return Err(ReadError::element(o.path(), &tag, "empty", "a matrix", "export it again"));
    }
    Ok(all)
}

impl SpatialRegistration {
    /// The motion that carries points of frame of reference `from` to `to`, if the file tells it:
    /// directly, backwards, or by way of its own frame.
    #[must_use]
    pub fn between(&self, from: &str, to: &str) -> Option<Rigid> {
        let into = |frame: &str| {
            if frame == self.to {
                return Some(self.link(frame).unwrap_or_else(Rigid::identity));
            }
            self.link(frame)
        };
        (from != to).then_some(())?;
        Some(into(from)?.then(&into(to)?.inverse()))
    }

    fn link(&self, frame: &str) -> Option<Rigid> {
        self.links.iter().find(|l| l.from == frame).map(|l| l.motion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Point3;

    #[test]
    fn points_go_either_way_and_by_way_of_a_third_frame() {
        let a = Rigid::about(Point3::origin(), [0.1, 0.0, 0.0], [1.0, 2.0, 3.0]);
        let b = Rigid::about(Point3::origin(), [0.0, 0.2, 0.0], [-4.0, 0.0, 9.0]);
        let link = |from: &str, motion| Link { from: from.to_owned(), motion };
        let reg =
            SpatialRegistration { to: "C".to_owned(), links: vec![link("A", a), link("B", b)] };
        let boxed = [[-100.0; 3], [100.0; 3]];
        let close = |x: Option<Rigid>, y: Rigid| x.is_some_and(|x| x.distance(&y, boxed) < 1e-9);
        assert!(close(reg.between("A", "C"), a));
        assert!(close(reg.between("C", "A"), a.inverse()));
        assert!(close(reg.between("A", "B"), a.then(&b.inverse())));
        assert_eq!(reg.between("A", "D"), None);
        assert_eq!(reg.between("D", "C"), None);
    }
}
