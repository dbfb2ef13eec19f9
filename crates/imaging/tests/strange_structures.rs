//! RTSTRUCT files that are strange, wrong or damaged: kept with a note, refused in a sentence, and
//! never a panic.

use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use hepatica_imaging::dicom::rtstruct;
use hepatica_imaging::{Grid, ReadError, StructureSet, structure};
use proptest::prelude::*;
use std::path::Path;

type Item = InMemDicomObject;

fn text(tag: Tag, vr: VR, value: &str) -> DataElement<Item> {
    DataElement::new(tag, vr, PrimitiveValue::from(value))
}

fn sequence(tag: Tag, items: Vec<Item>) -> DataElement<Item> {
    DataElement::new(tag, VR::SQ, DataSetSequence::from(items))
}

/// A square of 20 mm at a height, as contour data.
fn square(z: f64) -> String {
    format!("-10\\-10\\{z}\\10\\-10\\{z}\\10\\10\\{z}\\-10\\10\\{z}")
}

/// A structure: number, name, frame of reference, contours (type, data).
type Roi<'a> = (u32, &'a str, &'a str, Vec<(&'a str, String)>);

fn write(path: &Path, rois: &[Roi<'_>]) {
    let mut names = Vec::new();
    let mut drawn = Vec::new();
    for (number, name, frame, contours) in rois {
        names.push(Item::from_element_iter([
            text(tags::ROI_NUMBER, VR::IS, &number.to_string()),
            text(tags::ROI_NAME, VR::LO, name),
            text(tags::REFERENCED_FRAME_OF_REFERENCE_UID, VR::UI, frame),
        ]));
        let items = contours.iter().map(|(kind, data)| {
            Item::from_element_iter([
                text(tags::CONTOUR_GEOMETRIC_TYPE, VR::CS, kind),
                text(tags::CONTOUR_DATA, VR::DS, data),
            ])
        });
        drawn.push(Item::from_element_iter([
            text(tags::REFERENCED_ROI_NUMBER, VR::IS, &number.to_string()),
            sequence(tags::CONTOUR_SEQUENCE, items.collect()),
        ]));
    }
    let o = Item::from_element_iter([
        text(tags::SOP_CLASS_UID, VR::UI, uids::RT_STRUCTURE_SET_STORAGE),
        text(tags::SOP_INSTANCE_UID, VR::UI, "2.25.1"),
        text(tags::MODALITY, VR::CS, "RTSTRUCT"),
        text(tags::FRAME_OF_REFERENCE_UID, VR::UI, "2.25.2"),
        sequence(tags::STRUCTURE_SET_ROI_SEQUENCE, names),
        sequence(tags::ROI_CONTOUR_SEQUENCE, drawn),
    ]);
    let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    o.with_meta(meta).expect("a file").write_to_file(path).expect("written");
}

fn read(rois: &[Roi<'_>]) -> Result<StructureSet, ReadError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("structures.dcm");
    write(&path, rois);
    structure::read(&path)
}

fn closed(heights: &[f64]) -> Vec<(&'static str, String)> {
    heights.iter().map(|z| ("CLOSED_PLANAR", square(*z))).collect()
}

#[test]
fn what_is_strange_is_kept_and_noted() {
    let mut with_point = closed(&[0.0, 2.0, 4.0, 6.0]);
    with_point.push(("POINT", "1\\2\\3".to_owned()));
    let set = read(&[
        (1, "liver", "2.25.2", with_point),
        (2, "T1", "2.25.2", closed(&[1.5])),
        (3, "T1", "2.25.2", closed(&[-20.0, 20.0])),
        (4, "elsewhere", "2.25.3", closed(&[0.0, 2.0])),
        (7, "nothing", "2.25.2", Vec::new()),
    ])
    .expect("readable");
    let volumes: Vec<f64> = set.structures.iter().map(|s| s.volume().ml()).collect();
    // Slices of 2 mm: one plane is one slice, two planes 40 mm apart are two, not a bar between.
    for (found, slices) in volumes.iter().zip([4.0, 1.0, 2.0, 2.0, 0.0]) {
        assert!((found - slices * 0.8).abs() < 1e-9, "{volumes:?}");
    }
    assert!(set.structures[4].is_empty());
    for said in ["POINT", "two structures are named `T1`", "`elsewhere` is in another frame"] {
        assert!(set.notes.iter().any(|n| n.contains(said)), "{said}: {:?}", set.notes);
    }
}

#[test]
fn contours_drawn_twice_count_once_and_contours_between_slices_count() {
    let twice = closed(&[0.0, 0.0, 2.0, 2.0, 4.0, 6.0]);
    let set = read(&[(1, "twice", "2.25.2", twice)]).expect("readable");
    assert!((set.structures[0].volume().ml() - 3.2).abs() < 1e-9);
    // A SPECT grid whose slices the contours are not on.
    let grid = Grid::axial([20, 20, 20], [4.8, 4.8, 4.42], [-45.0, -44.0, -41.3]).expect("valid");
    assert!((set.structures[0].on(&grid).volume().ml() - 3.2).abs() < 1e-3);
}

#[test]
fn what_is_wrong_is_refused_in_a_sentence() {
    let tilted = "0\\0\\0\\10\\0\\0\\10\\10\\5\\0\\10\\5".to_owned();
    for (data, said) in [
        (tilted, "transverse"),
        ("1\\2\\3\\4".to_owned(), "three a point"),
        ("1\\2\\inf\\1\\2\\3\\4\\5\\6".to_owned(), "finite"),
        ("1\\2\\3\\1e300\\2\\3\\-1e300\\5\\3".to_owned(), "below 1e6"),
    ] {
        let refused = read(&[(1, "liver", "2.25.2", vec![("CLOSED_PLANAR", data)])]);
        let sentence = refused.expect_err("wrong").to_string();
        assert!(sentence.contains(said) && sentence.contains("ROI 1"), "{sentence}");
    }
    let many = (0..1002).map(|n| {
        let x = f64::from(n);
        ("CLOSED_PLANAR", format!("{x}\\0\\0\\{x}\\1\\0\\{}\\1\\0", x + 0.5))
    });
    let refused = read(&[(1, "liver", "2.25.2", many.collect())]).expect_err("too many");
    assert!(refused.to_string().contains("in one plane"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn no_damage_makes_it_panic(
        places in proptest::collection::vec((0.0_f64..1.0, any::<u8>()), 1..8),
        cut in 0.0_f64..1.3,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("structures.dcm");
        write(&path, &[(1, "liver", "2.25.2", closed(&[0.0, 2.0, 4.0]))]);
        let mut bytes = std::fs::read(&path).expect("there");
        for (place, value) in places {
            let n = 132 + (place * (bytes.len() - 132) as f64) as usize;
            bytes[n] = value;
        }
        bytes.truncate((cut * bytes.len() as f64) as usize);
        std::fs::write(&path, bytes).expect("written");
        if let Ok(set) = rtstruct::read(&path) {
            let grid = Grid::axial([16; 3], [4.0; 3], [-30.0; 3]).expect("valid");
            for own in &set.structures {
                let mask = own.on(&grid);
                prop_assert!(mask.fractions().iter().all(|f| (0.0..=1.0).contains(f)));
            }
        }
    }
}
