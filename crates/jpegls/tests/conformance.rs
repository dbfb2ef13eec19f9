//! The conformance images of the standard (T.87, annex E), and others with restart markers, as CharLS
//! keeps them in `test/data` of its sources (<https://github.com/team-charls/charls>): the folder that
//! `HEPATICA_JPEGLS` names.

use hepatica_jpegls::decode;
use std::path::{Path, PathBuf};

/// Columns, rows, samples of a binary PGM or PPM.
fn portable_map(path: &Path) -> (usize, usize, Vec<u16>) {
    let bytes = std::fs::read(path).expect("a file");
    let mut at = 2;
    let mut number = || -> usize {
        loop {
            match bytes[at] {
                b'#' => at += bytes[at..].iter().position(|b| *b == b'\n').expect("a line"),
                b if b.is_ascii_whitespace() => at += 1,
                _ => break,
            }
        }
        let digits = bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        at += digits;
        std::str::from_utf8(&bytes[at - digits..at]).expect("digits").parse().expect("a number")
    };
    let [columns, rows, maxval] = std::array::from_fn(|_| number());
    let data = &bytes[at + 1..];
    let samples = if maxval < 256 {
        data.iter().map(|b| u16::from(*b)).collect()
    } else {
        data.chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect()
    };
    (columns, rows, samples)
}

#[test]
fn images_of_the_standard_are_decoded_as_it_says() {
    let Some(folder) = std::env::var_os("HEPATICA_JPEGLS").map(PathBuf::from) else {
        println!("skipped: HEPATICA_JPEGLS names no folder of conformance images");
        return;
    };
    let find = |name: &str| {
        let inner = folder.join("conformance").join(name);
        if inner.exists() { inner } else { folder.join(name) }
    };
    let colours = "test8.ppm";
    for (coded, plain, near) in [
        ("t8c0e0.jls", colours, 0),
        ("t8c0e3.jls", colours, 3),
        ("t8c1e0.jls", colours, 0),
        ("t8c1e3.jls", colours, 3),
        ("t8c2e0.jls", colours, 0),
        ("t8c2e3.jls", colours, 3),
        ("t8nde0.jls", "test8bs2.pgm", 0),
        ("t8nde3.jls", "test8bs2.pgm", 3),
        ("t16e0.jls", "test16.pgm", 0),
        ("t16e3.jls", "test16.pgm", 3),
        ("test16_rm_5.jls", "test16.pgm", 0),
        ("test8_ilv_line_rm_7.jls", colours, 0),
        ("test8_ilv_none_rm_7.jls", colours, 0),
        ("test8_ilv_sample_rm_7.jls", colours, 0),
        ("test8_ilv_sample_rm_300.jls", colours, 0),
        ("tulips-gray-8bit-512-512-hp-encoder.jls", "tulips-gray-8bit-512-512.pgm", 0),
        ("banny.jls", "banny.ppm", 0),
    ] {
        let (columns, rows, expected) = portable_map(&find(plain));
        let stream = std::fs::read(find(coded)).expect("a stream");
        let image = decode(&stream, expected.len()).unwrap_or_else(|e| panic!("{coded}: {e}"));
        let frame = image.frame;
        assert_eq!((frame.columns as usize, frame.rows as usize), (columns, rows), "{coded}");
        assert_eq!(i32::from(image.near), near, "{coded}");
        assert_eq!(image.samples.len(), expected.len(), "{coded}");
        let off = |(a, b): (&u16, &u16)| (i32::from(*a) - i32::from(*b)).abs();
        let most = image.samples.iter().zip(&expected).map(off).max().expect("samples");
        println!("{coded:44} {:8} samples, at most {most} off", expected.len());
        assert!(most <= near, "{coded}: {most} off");
    }
    // Near-lossless to the sample, not only within the distance.
    let (.., expected) = portable_map(&find("t16e3.pgm"));
    let stream = std::fs::read(find("t16e3.jls")).expect("a stream");
    assert_eq!(decode(&stream, expected.len()).expect("decoded").samples, expected);
    for (coded, why) in [
        ("t8sse0.jls", "a subsampled component"),
        ("banny-hp1.jls", "colour transform 1"),
        ("fuzzy-input-bad-run-mode-golomb-code.jls", ""),
        ("fuzzy-input-no-valid-bits-at-the-end.jls", ""),
        ("fuzzy_input_golomb_16.jls", ""),
        ("no_start_byte_after_encoded_scan.jls", ""),
    ] {
        let stream = std::fs::read(find(coded)).expect("a stream");
        let said = decode(&stream, 1 << 24).expect_err(coded).to_string();
        println!("{coded:44} {said}");
        assert!(said.contains(why), "{coded}: {said}");
    }
}
