use super::*;
use crate::dicom::pixels;
use dicom_core::value::PixelFragmentSequence;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use std::io::Write;
use std::path::{Path, PathBuf};

#[path = "../../../../jpegls/tests/encoder/mod.rs"]
mod encoder;
use encoder::{Picture, encode};

/// Columns and rows of what is made here.
const SIZE: [usize; 2] = [7, 5];

/// A file of these fragments, its elements those that pixels need, and those.
fn file(
    syntax: &str,
    frames: usize,
    fragments: &[&[u8]],
    table: &[u32],
    changed: &[(dicom_core::Tag, u16)],
) -> (tempfile::TempDir, Object) {
    let mut o = InMemDicomObject::new_empty();
    let mut put = |tag, vr, value: PrimitiveValue| drop(o.put(DataElement::new(tag, vr, value)));
    put(tags::SOP_CLASS_UID, VR::UI, uids::NUCLEAR_MEDICINE_IMAGE_STORAGE.into());
    put(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3".into());
    put(tags::NUMBER_OF_FRAMES, VR::IS, frames.to_string().into());
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::COLUMNS, SIZE[0] as u16),
        (tags::ROWS, SIZE[1] as u16),
        (tags::BITS_ALLOCATED, 16),
        (tags::BITS_STORED, 16),
        (tags::HIGH_BIT, 15),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        put(tag, VR::US, value.into());
    }
    put(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2".into());
    changed.iter().for_each(|(tag, value)| put(*tag, VR::US, (*value).into()));
    let fragments: Vec<Vec<u8>> = fragments.iter().map(|f| f.to_vec()).collect();
    let pixels = PixelFragmentSequence::new(table.to_vec(), fragments);
    o.put(DataElement::new(tags::PIXEL_DATA, VR::OB, pixels));
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("a.dcm");
    o.with_meta(FileMetaTableBuilder::new().transfer_syntax(syntax))
        .expect("a meta group")
        .write_to_file(&path)
        .expect("written");
    let o = Object::open(&path).expect("readable");
    (home, o)
}

fn stored(o: &Object) -> Result<Vec<i32>, String> {
    pixels::stored(o, o.size().expect("a size")).map_err(|e| e.to_string())
}

fn picture(bits: u32, samples: &[u16]) -> Picture {
    Picture {
        columns: SIZE[0],
        rows: SIZE[1],
        bits,
        components: 1,
        samples: samples.to_vec(),
        near: 0,
        interleaving: 0,
        preset: None,
        restart: 0,
    }
}

/// The samples of three frames, of so many bits.
fn samples(bits: u32) -> [Vec<u16>; 3] {
    let top = (1_u32 << bits) - 1;
    [1, 77, 4099].map(|k| (0..35).map(|n| (n * n * k % (top + 1)) as u16).collect())
}

#[test]
fn frames_of_jpeg_ls_are_found_with_and_without_an_offset_table() {
    let frames = samples(16);
    let streams = frames.clone().map(|f| encode(&picture(16, &f)));
    let expected: Vec<i32> = frames.concat().into_iter().map(i32::from).collect();
    let whole: Vec<&[u8]> = streams.iter().map(|s| &s[..]).collect();
    let parts: Vec<&[u8]> = streams.iter().flat_map(|s| s.chunks(20)).collect();
    let second = streams[0].len() as u32 + 8;
    let third = second + streams[1].len() as u32 + 8;
    for table in [&[][..], &[0, second, third], &[0, 7, 9]] {
        for fragments in [&whole, &parts] {
            let (_home, o) = file(uids::JPEGLS_LOSSLESS, 3, fragments, table, &[]);
            assert_eq!(stored(&o).as_ref(), Ok(&expected));
        }
    }
    let (_home, o) = file(uids::JPEGLS_LOSSLESS, 2, &whole, &[], &[]);
    let refused = stored(&o).expect_err("refused");
    assert!(refused.contains("3 frames, expected 2 as Number of Frames says"), "{refused}");
    let (_home, o) = file(uids::JPEGLS_LOSSLESS, 3, &parts[1..], &[], &[]);
    assert!(stored(&o).expect_err("refused").contains("the first fragment begins no frame"));
}

#[test]
fn signed_pixels_of_jpeg_ls_are_signed_by_the_bits_that_are_stored() {
    let frame = &samples(12)[1];
    let signed = |v: &u16| i32::from(*v) - if *v > 2047 { 4096 } else { 0 };
    let expected: Vec<i32> = frame.iter().map(signed).collect();
    let stored_12 =
        [(tags::BITS_STORED, 12), (tags::HIGH_BIT, 11), (tags::PIXEL_REPRESENTATION, 1)];
    // As the bits that are stored, and as the words that are allocated.
    let words: Vec<u16> = expected.iter().map(|v| *v as u16).collect();
    for stream in [encode(&picture(12, frame)), encode(&picture(16, &words))] {
        let (_home, o) = file(uids::JPEGLS_LOSSLESS, 1, &[&stream], &[], &stored_12);
        assert_eq!(stored(&o).as_ref(), Ok(&expected));
    }
    // Of bits that are not coded none can be the sign.
    let stream = encode(&picture(12, frame));
    let of = |changed: &[_]| stored(&file(uids::JPEGLS_LOSSLESS, 1, &[&stream], &[], changed).1);
    let refused = of(&[(tags::PIXEL_REPRESENTATION, 1)]).expect_err("refused");
    assert!(refused.contains("a JPEG-LS frame of 12 bits, expected as many as"), "{refused}");
    let unsigned: Vec<i32> = frame.iter().map(|v| i32::from(*v)).collect();
    assert_eq!(of(&[]), Ok(unsigned));
    let eight = [(tags::BITS_ALLOCATED, 8), (tags::BITS_STORED, 8), (tags::HIGH_BIT, 7)];
    assert!(of(&eight).expect_err("refused").contains("a JPEG-LS frame of 12 bits"));
}

#[test]
fn near_lossless_frames_are_as_near_as_they_say() {
    let frame = &samples(16)[2];
    let stream = encode(&Picture { near: 3, ..picture(16, frame) });
    let (_home, o) = file(uids::JPEGLS_NEAR_LOSSLESS, 1, &[&stream], &[], &[]);
    let found = stored(&o).expect("decoded");
    assert!(found.iter().zip(frame).all(|(a, b)| (a - i32::from(*b)).abs() <= 3));
}

#[test]
fn a_frame_of_another_size_or_more_than_its_bytes_can_be_is_refused() {
    let frame = &samples(16)[0];
    let stream = encode(&picture(16, frame));
    let of = |changed: &[_]| {
        let (_home, o) = file(uids::JPEGLS_LOSSLESS, 1, &[&stream], &[], changed);
        stored(&o).expect_err("refused")
    };
    let refused = of(&[(tags::COLUMNS, 8)]);
    let expected = "a JPEG-LS frame of 7 x 5 pixels of 1 sample(s), expected 8 x 5 of 1";
    assert!(refused.contains(expected), "{refused}");
    let refused = of(&[(tags::COLUMNS, 20_000), (tags::ROWS, 20_000)]);
    assert!(refused.contains("400000000 pixels in"), "{refused}");
    let cut = &stream[..stream.len() - 20];
    let (_home, o) = file(uids::JPEGLS_LOSSLESS, 1, &[cut], &[], &[]);
    let refused = stored(&o).expect_err("cut");
    assert!(refused.contains("PixelData (7FE0,0010) is not decodable (row "), "{refused}");
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut to = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    to.write_all(bytes).expect("written");
    to.finish().expect("finished")
}

#[test]
fn deflated_frames_are_inflated_no_further_than_they_may_be() {
    let frames = samples(16);
    let expected: Vec<i32> = frames.concat().into_iter().map(i32::from).collect();
    let bytes = |f: &[u16]| f.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let streams = frames.map(|f| deflated(&bytes(&f)));
    let fragments: Vec<&[u8]> = streams.iter().map(|s| &s[..]).collect();
    let syntax = uids::DEFLATED_IMAGE_FRAME_COMPRESSION;
    assert_eq!(stored(&file(syntax, 3, &fragments, &[], &[]).1), Ok(expected));
    // A gigabyte of zeros; only what a frame needs is taken.
    let bomb = deflated(&vec![0; 1 << 27]);
    assert_eq!(stored(&file(syntax, 1, &[&bomb], &[], &[]).1), Ok(vec![0; 35]));
    let short = deflated(&[0; 69]);
    let refused = stored(&file(syntax, 1, &[&short], &[], &[]).1).expect_err("short");
    assert!(refused.contains("69 bytes, expected 70 bytes"), "{refused}");
}

#[test]
fn bits_are_unpacked_from_deflated_frames_and_run_lengths() {
    let size = [SIZE[0], SIZE[1], 2];
    let packed = [[0b1010_0101_u8, 0, 0, 0, 0b100], [0xFF, 0xFF, 0xFF, 0xFF, 0b111]];
    let expected: Vec<i32> =
        packed.iter().flat_map(|f| (0..35).map(|n| (f[n / 8] >> (n % 8) & 1).into())).collect();
    let one_bit = [(tags::BITS_ALLOCATED, 1), (tags::BITS_STORED, 1), (tags::HIGH_BIT, 0)];
    let of = |syntax, fragments: [&[u8]; 2]| {
        let (_home, o) = file(syntax, 2, &fragments, &[], &one_bit);
        bits(&o, size).map_err(|e| e.to_string())
    };
    let streams = packed.map(|f| deflated(&f));
    let syntax = uids::DEFLATED_IMAGE_FRAME_COMPRESSION;
    assert_eq!(of(syntax, [&streams[0], &streams[1]]).as_ref(), Ok(&expected));
    let header = [&[1, 0, 0, 0, 64][..], &[0; 59]].concat();
    // A byte as it is, three zeros, nothing, a byte as it is; four of one, one.
    let first = [&header[..], &[0, 0b1010_0101, 254, 0, 128, 0, 0b100, 0]].concat();
    let second = [&header[..], &[253, 0xFF, 0, 0b111]].concat();
    assert_eq!(of(uids::RLE_LOSSLESS, [&first, &second]).as_ref(), Ok(&expected));
    let refused = of(uids::RLE_LOSSLESS, [&first, &second[..66]]).expect_err("cut");
    assert!(refused.contains("4 bytes in a frame, expected 5 bytes"), "{refused}");
    let literal = [&header[..], &[9, 1]].concat();
    let refused = of(uids::RLE_LOSSLESS, [&first, &literal]).expect_err("cut");
    assert!(refused.contains("an RLE segment that is cut off"), "{refused}");
    let refused = of(uids::RLE_LOSSLESS, [&first, &[2; 70]]).expect_err("segments");
    assert!(refused.contains("not one segment"), "{refused}");
}

/// The folder of real data, if it is there.
fn data(name: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = std::env::var_os("HEPATICA_DATA").map_or(beside, PathBuf::from).join(name);
    if !path.exists() {
        println!("skipped: {name} is not there");
    }
    path.exists().then_some(path)
}

fn values(path: &Path) -> Vec<i32> {
    stored(&Object::open(path).expect("readable")).expect("decoded")
}

#[test]
fn one_image_is_the_same_pixels_in_every_transfer_syntax() {
    let Some(zip) = data("ct1_transfer_syntaxes.zip") else { return };
    let home = tempfile::tempdir().expect("a folder");
    let file = std::fs::File::open(zip).expect("readable");
    zip::ZipArchive::new(file).expect("a zip").extract(home.path()).expect("unpacked");
    let mut files: Vec<_> = std::fs::read_dir(home.path())
        .expect("a folder")
        .map(|e| e.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    files.sort();
    let mut compared = [0; 2];
    for (image, compared) in ["CT1_UNC.", "CT0012."].iter().zip(&mut compared) {
        let plain = values(&home.path().join(format!("{image}explicit_little_endian.dcm")));
        assert!(plain.iter().any(|v| *v != plain[0]));
        for name in files.iter().filter(|f| f.starts_with(image)) {
            let found = values(&home.path().join(name));
            assert!(found == plain, "{name} has other pixels");
            *compared += usize::from(name.contains("jpeg_ls"));
            println!("{name}: {} pixels", found.len());
        }
    }
    assert_eq!(compared, [4, 2], "JPEG-LS files");
}

#[test]
fn a_small_image_is_the_same_pixels_in_every_transfer_syntax() {
    let Some(plain) = data("pydicom_variants/MR_small_implicit.dcm") else { return };
    let plain_values = values(&plain);
    for name in ["jpeg_ls_lossless", "RLE", "bigendian", "jp2klossless"] {
        let path = plain.with_file_name(format!("MR_small_{name}.dcm"));
        assert!(values(&path) == plain_values, "{name} has other pixels");
    }
}
