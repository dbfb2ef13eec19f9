//! CT of many frames in one file: the same image as a slice a file, with the same checks.

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use hepatica_imaging::dicom::ct::CtSeries;
use hepatica_imaging::dicom::write::Context;
use hepatica_imaging::dicom::{Patient, SpacingPolicy, ct, write};
use hepatica_imaging::{Grid, Image, inventory};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

type Item = InMemDicomObject;

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    files.sort();
    files
}

fn read(file: &Path) -> Result<CtSeries, String> {
    ct::read(&[file.to_owned()], SpacingPolicy::Refuse).map_err(|e| e.to_string())
}

fn put(o: &mut Item, tag: Tag, vr: VR, value: &str) {
    o.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
}

/// A group of one item.
fn put_group(o: &mut Item, tag: Tag, item: Item) {
    o.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(vec![item])));
}

/// Elements of a slice as a group.
fn group(slice: &Item, elements: &[Tag]) -> Item {
    let mut item = Item::new_empty();
    for tag in elements {
        item.put(slice.element(*tag).expect("an element").clone());
    }
    item
}

/// Makes one enhanced CT of slices, its frames in that order, each with a slope of its own; `change` has
/// the last word on the whole object and on each frame's groups.
fn enhanced(
    slices: &[PathBuf],
    to: &Path,
    change: impl Fn(&mut Item, &mut [Item]),
) -> Result<(), Box<dyn std::error::Error>> {
    let slices: Vec<Item> = slices
        .iter()
        .map(|f| dicom_object::open_file(f).map(|o| o.into_inner()))
        .collect::<Result<_, _>>()?;
    let mut o = slices[0].clone();
    let mut shared = Item::new_empty();
    put_group(
        &mut shared,
        tags::PLANE_ORIENTATION_SEQUENCE,
        group(&o, &[tags::IMAGE_ORIENTATION_PATIENT]),
    );
    put_group(&mut shared, tags::PIXEL_MEASURES_SEQUENCE, group(&o, &[tags::PIXEL_SPACING]));
    let mut kind = Item::new_empty();
    put(&mut kind, tags::FRAME_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\VOLUME\\NONE");
    put_group(&mut shared, tags::CT_IMAGE_FRAME_TYPE_SEQUENCE, kind);
    let mut frames = Vec::new();
    let mut pixels = Vec::new();
    for slice in &slices {
        let mut frame = Item::new_empty();
        let place = group(slice, &[tags::IMAGE_POSITION_PATIENT]);
        put_group(&mut frame, tags::PLANE_POSITION_SEQUENCE, place);
        let mut values = group(slice, &[tags::RESCALE_SLOPE, tags::RESCALE_INTERCEPT]);
        put(&mut values, tags::RESCALE_TYPE, VR::LO, "HU");
        put_group(&mut frame, tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, values);
        let mut content = Item::new_empty();
        put(&mut content, tags::STACK_ID, VR::SH, "1");
        put_group(&mut frame, tags::FRAME_CONTENT_SEQUENCE, content);
        frames.push(frame);
        pixels.extend(slice.element(tags::PIXEL_DATA)?.to_bytes()?.iter());
    }
    for tag in [
        tags::IMAGE_POSITION_PATIENT,
        tags::IMAGE_ORIENTATION_PATIENT,
        tags::PIXEL_SPACING,
        tags::RESCALE_SLOPE,
        tags::RESCALE_INTERCEPT,
    ] {
        o.remove_element(tag);
    }
    put(&mut o, tags::SOP_CLASS_UID, VR::UI, uids::ENHANCED_CT_IMAGE_STORAGE);
    put(&mut o, tags::NUMBER_OF_FRAMES, VR::IS, &slices.len().to_string());
    put_group(&mut o, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, shared);
    o.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::from(pixels)));
    change(&mut o, &mut frames);
    let groups = DataSetSequence::from(frames);
    o.put(DataElement::new(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, VR::SQ, groups));
    let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    o.with_meta(meta)?.write_to_file(to)?;
    Ok(())
}

/// A small series and its slices, the last first.
fn series() -> (TempDir, CtSeries, Vec<PathBuf>) {
    let home = tempfile::tempdir().expect("a folder");
    let grid = Grid::axial([9, 7, 6], [0.9, 0.8, 3.0], [-4.0, 5.0, 6.0]).expect("a grid");
    let hu = (0..9 * 7 * 6).map(|n: i32| (n * 37 % 4000 - 1000) as i16).collect();
    let at = jiff::civil::date(2026, 1, 1).at(8, 0, 0, 0);
    let context = Context::new("enhanced", Patient::default(), at, "");
    write::ct::series(home.path(), &Image::new(grid, hu), "CT", &context).expect("written");
    let mut files = sorted(home.path());
    let plain = ct::read(&files, SpacingPolicy::Refuse).expect("read");
    files.reverse();
    (home, plain, files)
}

/// An enhanced CT of that series, changed: what comes of it, and what the inventory says.
fn made(change: impl Fn(&mut Item, &mut [Item])) -> (Result<CtSeries, String>, Vec<String>) {
    let (_home, _, files) = series();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ct.dcm");
    enhanced(&files, &file, change).expect("written");
    let found = inventory::scan(folder.path()).expect("a folder");
    (read(&file), found.series[0].problems.clone())
}

/// A change to the elements of a frame's group.
fn in_group(frame: &mut Item, sequence: Tag, change: impl FnOnce(&mut Item)) {
    let mut item = frame.element(sequence).expect("a group").items().expect("items")[0].clone();
    change(&mut item);
    put_group(frame, sequence, item);
}

fn place(frame: &mut Item, position: &str) {
    in_group(frame, tags::PLANE_POSITION_SEQUENCE, |g| {
        put(g, tags::IMAGE_POSITION_PATIENT, VR::DS, position);
    });
}

#[test]
fn frames_in_any_order_are_the_series_they_were() {
    let (_home, plain, _) = series();
    let (found, problems) = made(|_, _| {});
    let found = found.expect("read");
    assert_eq!((&found.image, &problems), (&plain.image, &vec![]));
    assert_eq!(found.series_uid, plain.series_uid);
    assert_eq!(found.frame_of_reference, plain.frame_of_reference);
    // A frame of another slope and intercept.
    let (found, _) = made(|_, frames| {
        in_group(&mut frames[5], tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, |g| {
            put(g, tags::RESCALE_SLOPE, VR::DS, "2");
            put(g, tags::RESCALE_INTERCEPT, VR::DS, "7");
        });
    });
    let found = found.expect("read").image;
    let (first, rest) = found.data().split_at(63);
    let (plain_first, plain_rest) = plain.image.data().split_at(63);
    assert_eq!(rest, plain_rest);
    assert_ne!(first, plain_first);
}

#[test]
fn frames_that_do_not_stack_are_refused_as_slices_are() {
    type Change = fn(&mut Item, &mut [Item]);
    let changes: [(&str, Change); 8] = [
        ("1 slice(s) missing between frame 6 of ct.dcm and frame 4 of ct.dcm", |_, frames| {
            // The second slice goes beyond the last.
            place(&mut frames[4], "-4\\5\\24");
        }),
        ("lie at the same place", |_, frames| place(&mut frames[0], "-4\\5\\6")),
        ("the gantry was tilted by", |_, frames| {
            for (n, frame) in frames.iter_mut().enumerate() {
                place(frame, &format!("-4\\{}\\{}", 5 + n, 21 - 3 * n));
            }
        }),
        ("another orientation", |_, frames| {
            let mut turned = Item::new_empty();
            put(&mut turned, tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "0\\1\\0\\0\\0\\1");
            put_group(&mut frames[2], tags::PLANE_ORIENTATION_SEQUENCE, turned);
        }),
        ("2 stacks (1, 2), expected one stack", |_, frames| {
            in_group(&mut frames[0], tags::FRAME_CONTENT_SEQUENCE, |g| {
                put(g, tags::STACK_ID, VR::SH, "2");
            });
        }),
        ("6 items, expected one for each of 5 frame(s)", |o, _| {
            put(o, tags::NUMBER_OF_FRAMES, VR::IS, "5");
        }),
        ("PlanePositionSequence (0020,9113) is missing, expected that of frame 3", |_, frames| {
            frames[2].remove_element(tags::PLANE_POSITION_SEQUENCE);
        }),
        ("PixelSpacing (0028,0030) is [0.0, 1.0]", |_, frames| {
            let mut measures = Item::new_empty();
            put(&mut measures, tags::PIXEL_SPACING, VR::DS, "0\\1");
            put_group(&mut frames[1], tags::PIXEL_MEASURES_SEQUENCE, measures);
        }),
    ];
    for (why, change) in changes {
        let (found, problems) = made(change);
        let refused = found.err().unwrap_or_else(|| panic!("{why}: read"));
        assert!(refused.contains(why), "{why}: {refused}");
        assert!(problems.iter().any(|p| p.contains(why)), "{why}: {problems:?}");
    }
}

#[test]
fn what_is_no_ct_number_is_refused() {
    type Change = fn(&mut Item, &mut [Item]);
    let kind: Change = |_, frames| {
        let mut kind = Item::new_empty();
        put(&mut kind, tags::FRAME_TYPE, VR::CS, "DERIVED\\PRIMARY\\PERFUSION\\RCBF");
        put_group(&mut frames[3], tags::CT_IMAGE_FRAME_TYPE_SEQUENCE, kind);
    };
    let unit: Change = |_, frames| {
        in_group(&mut frames[3], tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, |g| {
            put(g, tags::RESCALE_TYPE, VR::LO, "Z_EFF");
        });
    };
    let none: Change = |_, frames| {
        frames[0].remove_element(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE);
    };
    for (change, why) in [
        (kind, "RCBF, expected a fourth value of NONE, RESAMPLED, MEAN (CT numbers)"),
        (unit, "RescaleType (0028,1054) is Z_EFF, expected HU"),
        (none, "PixelValueTransformationSequence (0028,9145) is missing, expected that of frame 1"),
    ] {
        let (found, problems) = made(change);
        let refused = found.expect_err(why);
        assert!(refused.contains(why), "{refused}");
        assert!(problems.iter().any(|p| p.contains(why)), "{problems:?}");
    }
}

/// A zip of the data folder, unpacked; `None` (said aloud) where it is not there.
fn unzipped(name: &str) -> Option<TempDir> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = std::env::var_os("HEPATICA_DATA").map_or(beside, PathBuf::from).join(name);
    let Ok(file) = std::fs::File::open(path) else {
        println!("skipped: {name} is not there");
        return None;
    };
    let home = tempfile::tempdir().expect("a folder");
    zip::ZipArchive::new(file).expect("a zip").extract(home.path()).expect("unpacked");
    Some(home)
}

#[test]
fn real_enhanced_ct_is_the_ct_it_was_made_of() {
    if let Some(home) = unzipped("dcmqi_small_volumes.zip") {
        let folder = home.path().join("23x38x3");
        let found = read(&folder.join("multiframe/mf.dcm")).expect("read").image;
        let slices = sorted(&folder.join("image"));
        let plain = ct::read(&slices, SpacingPolicy::Refuse).expect("read").image;
        assert_eq!((found.data(), found.grid().size()), (plain.data(), [23, 38, 3]));
        let [a, b] = [&found, &plain].map(|i| i.grid().world([22.0, 37.0, 2.0]));
        assert!((a - b).norm() < 1e-9, "{a} {b}");
    }
    if let Some(home) = unzipped("crlm_ct_1004.zip") {
        let mut slices = Vec::new();
        let mut folders = vec![home.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for path in sorted(&folder) {
                if path.is_dir() { folders.push(path) } else { slices.push(path) }
            }
        }
        let plain = ct::read(&slices, SpacingPolicy::Refuse).expect("read").image;
        let file = home.path().join("enhanced.dcm");
        enhanced(&slices, &file, |_, _| {}).expect("written");
        assert!(read(&file).expect("read").image == plain, "another CT");
    }
}

/// Maps of relative blood flow are CT objects too: no CT numbers. Made to say that they are, their numbers
/// are those pydicom gives, in every transfer syntax.
#[test]
fn a_real_perfusion_map_is_refused_and_read_where_it_says_hu() {
    let Some(home) = unzipped("ct1_transfer_syntaxes.zip") else { return };
    let mut files = sorted(home.path());
    files.retain(|f| f.file_name().is_some_and(|n| n.to_string_lossy().starts_with("CT0012")));
    assert_eq!(files.len(), 6);
    for file in files {
        let refused = read(&file).expect_err("a perfusion map");
        assert!(refused.contains("RCBF"), "{refused}");
        let mut o = dicom_object::open_file(&file).expect("readable");
        let mut shared = o
            .element(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE)
            .expect("groups")
            .items()
            .expect("one")[0]
            .clone();
        in_group(&mut shared, tags::CT_IMAGE_FRAME_TYPE_SEQUENCE, |g| {
            put(g, tags::FRAME_TYPE, VR::CS, "DERIVED\\PRIMARY\\VOLUME\\NONE");
        });
        in_group(&mut shared, tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, |g| {
            put(g, tags::RESCALE_TYPE, VR::LO, "HU");
        });
        put_group(&mut o, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, shared);
        let copy = home.path().join("copy.dcm");
        o.write_to_file(&copy).expect("written");
        let image = read(&copy).expect("read").image;
        assert_eq!(image.grid().size(), [512, 512, 2]);
        assert_eq!(image.grid().spacing_mm(), [0.388_672, 0.388_672, 10.0]);
        let sums: Vec<i64> =
            image.data().chunks(512 * 512).map(|f| f.iter().map(|v| i64::from(*v)).sum()).collect();
        assert_eq!(sums, SUMS, "{}", file.display());
        std::fs::remove_file(copy).expect("removed");
    }
}

/// Of the frames at -149 and -159 mm (rows run to the right, so that the normal points down), by pydicom
/// 3.0.2: stored values less 1024.
const SUMS: [i64; 2] = [-170_012_051, -167_609_453];
