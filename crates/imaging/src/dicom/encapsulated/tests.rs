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
    assert!(refused.contains("a frame of 12 unsigned bits, expected as Bits Stored"), "{refused}");
    let unsigned: Vec<i32> = frame.iter().map(|v| i32::from(*v)).collect();
    assert_eq!(of(&[]), Ok(unsigned));
    let eight = [(tags::BITS_ALLOCATED, 8), (tags::BITS_STORED, 8), (tags::HIGH_BIT, 7)];
    assert!(of(&eight).expect_err("refused").contains("a frame of 12 unsigned bits"));
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
    let expected = "a frame of 7 x 5 pixels of 1 sample(s), expected 8 x 5 of 1";
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
    let literal = [&header[..], &[9, 1]].concat();
    let refused = of(uids::RLE_LOSSLESS, [&first, &literal]).expect_err("cut");
    assert!(refused.contains("an RLE segment that is cut off"), "{refused}");
    let refused = of(uids::RLE_LOSSLESS, [&first, &[2; 70]]).expect_err("segments");
    assert!(refused.contains("another number of segments"), "{refused}");
}

#[test]
fn run_lengths_of_words_have_their_high_bytes_first_and_their_segments_inside() {
    let words: Vec<u16> = (0..35).map(|n| n * 1000).collect();
    let literal = |shift: u32| {
        let bytes = words.iter().map(|w| (w >> shift) as u8);
        [34].into_iter().chain(bytes).collect::<Vec<u8>>()
    };
    let [high, low] = [8, 0].map(literal);
    let frame = |segments: u8, second: u8| {
        let header = [[segments, 0, 0, 0], [64, 0, 0, 0], [second, 0, 0, 0]].concat();
        [&header[..], &[0; 52], &high, &low].concat()
    };
    let of = |frame: &[u8]| stored(&file(uids::RLE_LOSSLESS, 1, &[frame], &[], &[]).1);
    let expected: Vec<i32> = words.iter().map(|w| i32::from(*w)).collect();
    assert_eq!(of(&frame(2, 100)), Ok(expected));
    for (frame, why) in [
        (frame(1, 100), "another number of segments"),
        (frame(2, 99), "cut off"),
        (frame(2, 20), "lie outside"),
        (frame(2, 250), "lie outside"),
        (frame(2, 100)[..50].to_vec(), "shorter than its header"),
    ] {
        let refused = of(&frame).expect_err(why);
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn frames_are_found_by_the_offset_table_where_they_are_more_fragments() {
    let frames = samples(16);
    let expected: Vec<i32> = frames.concat().into_iter().map(i32::from).collect();
    let bytes = frames.map(|f| f.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
    let parts: Vec<&[u8]> = bytes.iter().flat_map(|f| f.chunks(40)).collect();
    let syntax = uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN;
    let of = |table: &[u32]| stored(&file(syntax, 3, &parts, table, &[]).1);
    // 70 bytes in two fragments, each after eight of its own.
    assert_eq!(of(&[0, 86, 172]), Ok(expected));
    assert!(of(&[]).expect_err("refused").contains("the first fragment begins no frame"));
    assert!(of(&[0, 86, 170]).expect_err("refused").contains("2 frames, expected 3"));
}

/// The decoders believe these headers; so they must be what the object says.
#[test]
fn jpeg_and_jpeg_2000_are_decoded_only_if_their_headers_are_what_the_object_says() {
    let jpeg = |code: u8, bits: u8, rows: u8, more: &[u8]| {
        let frame = [0xFF, code, 0, 11, bits, 0, rows, 0, 7, 1, 1, 0x11, 0];
        let scan = [0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 0, 0];
        [&[0xFF, 0xD8], more, &frame, &scan].concat()
    };
    let restart = [0xFF, 0xDD, 0, 4, 0, 7];
    let mut shifted = jpeg(0xC3, 16, 5, &[]);
    *shifted.last_mut().expect("a scan") = 1;
    let codestream = |right: u8, depth: u8| {
        let mut size = vec![0xFF, 0x4F, 0xFF, 0x51, 0, 41, 0, 0];
        [right, 5, 0, 0, 7, 5, 0, 0].iter().for_each(|n| size.extend([0, 0, 0, *n]));
        size.extend([0, 1, depth, 1, 1]);
        size
    };
    let lossless = uids::JPEG_LOSSLESS_SV1;
    let size = "5 pixels of 1 sample(s), expected 7 x 5 of 1";
    for (syntax, frame, why) in [
        (lossless, jpeg(0xC3, 16, 255, &[]), "a frame of 7 x 255 pixels of 1 sample(s)"),
        (lossless, jpeg(0xC3, 8, 5, &[]), "8 bits in a JPEG frame"),
        (lossless, jpeg(0xC3, 16, 5, &restart), "a code that no table has"),
        (lossless, shifted, "a code that no table has"),
        (lossless, jpeg(0xC3, 16, 5, &jpeg(0xC3, 16, 5, &[])[2..15]), "several frames"),
        (lossless, jpeg(0xC3, 16, 5, &[])[..14].to_vec(), "cut off in its header"),
        (lossless, vec![1, 2, 3, 4], "neither JPEG nor JPEG 2000"),
        (uids::JPEG2000_LOSSLESS, codestream(9, 15), size),
        (uids::JPEG2000_LOSSLESS, codestream(3, 15), size),
        (uids::JPEG2000_LOSSLESS, codestream(7, 0x8F), "a frame of 16 signed bits"),
        (uids::JPEG2000_LOSSLESS, codestream(7, 31), "a frame of 32 unsigned bits"),
    ] {
        let refused = stored(&file(syntax, 1, &[&frame], &[], &[]).1).expect_err(why);
        assert!(refused.contains(why), "{why}: {refused}");
    }
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

/// Number of pixels, their sum, and their sum each times its place from 1, as pydicom 3.0.2 has them.
const SUMS: &[(&str, usize, i64, i64)] = &[
    ("pydicom_variants/693_J2KI.dcm", 262_144, -2_181_784, 1_386_414_779_133),
    ("pydicom_variants/MR_small_RLE.dcm", 4096, 2_125_338, 4_843_353_469),
    ("pydicom_variants/MR_small_jp2klossless.dcm", 4096, 2_125_338, 4_843_353_469),
    ("pydicom_variants/MR_small_jpeg_ls_lossless.dcm", 4096, 2_125_338, 4_843_353_469),
    ("pydicom_variants/rtdose_rle.dcm", 1500, 1_519_910_000, 1_134_497_526_000),
    ("pydicom_variants/image_dfl.dcm", 262_144, 33_322_688, 4_426_805_111_080),
    ("pydicom_variants/MR_small_bigendian.dcm", 4096, 2_125_338, 4_843_353_469),
    ("pydicom_data_variants/693_J2KR.dcm", 262_144, -3_031_175, 1_290_620_623_023),
    ("pydicom_data_variants/JPEG-LL.dcm", 262_144, 3_596_452, 361_964_153_613),
    ("pydicom_data_variants/bad_sequence.dcm", 262_144, 248_348_502, 28_874_933_391_351),
    ("pydicom_data_variants/explicit_VR-UN.dcm", 262_144, -175_887_460, -24_307_596_240_730),
    ("fodicom_variants/CT1_J2KI", 262_144, 40_056_223, 5_815_732_524_106),
    ("fodicom_variants/D_CLUNIE_CT1_RLE_FRAGS.dcm", 262_144, 40_028_413, 5_810_760_757_701),
    ("fodicom_variants/GH184.dcm", 16_384, 13_766_989, 118_495_956_599),
    ("fodicom_variants/GH610.dcm", 16_384, 19_608_814, 151_699_773_379),
];

#[test]
fn real_files_have_the_pixels_pydicom_gives() {
    for (name, count, sum, weighted) in SUMS {
        let Some(path) = data(name) else { return };
        let found = values(&path);
        let weighted_sum = |v: &[i32]| (1..).zip(v).map(|(n, v): (i64, _)| n * i64::from(*v)).sum();
        let found: (usize, i64, i64) =
            (found.len(), found.iter().map(|v| i64::from(*v)).sum(), weighted_sum(&found));
        println!("{name}: {found:?} for {:?}", (*count, *sum, *weighted));
        assert_eq!(found, (*count, *sum, *weighted), "{name}");
    }
}

#[test]
fn half_a_real_frame_is_refused_whatever_it_is_compressed_with() {
    for (name, ..) in SUMS {
        let Some(path) = data(name) else { return };
        let mut o = dicom_object::open_file(&path).expect("readable");
        let Value::PixelSequence(sequence) = o.element(tags::PIXEL_DATA).expect("pixels").value()
        else {
            continue;
        };
        let mut fragments = sequence.fragments().to_vec();
        let last = fragments.last_mut().expect("a fragment");
        last.truncate(last.len() / 4 * 2);
        let pixels = PixelFragmentSequence::new(Vec::new(), fragments);
        o.put(DataElement::new(tags::PIXEL_DATA, VR::OB, pixels));
        let home = tempfile::tempdir().expect("a folder");
        let copy = home.path().join("a.dcm");
        o.write_to_file(&copy).expect("written");
        let refused = stored(&Object::open(&copy).expect("readable"));
        assert!(refused.is_err(), "{name}");
    }
}
