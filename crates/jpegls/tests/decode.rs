//! The example of the standard, streams of an encoder that shares nothing with the decoder, and streams
//! that are not what they should be.

mod encoder;

use encoder::{Picture, encode};
use hepatica_jpegls::{Error, Frame, decode, frame};
use proptest::prelude::*;

/// T.87, H.3: four columns, four rows, eight bits, lossless.
const EXAMPLE: [u8; 62] = [
    0xFF, 0xD8, 0xFF, 0xF7, 0x00, 0x0B, 0x08, 0x00, 0x04, 0x00, 0x04, 0x01, 0x01, 0x11, 0x00, 0xFF,
    0xDA, 0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0xC0, 0x00, 0x00, 0x6C, 0x80, 0x20, 0x8E,
    0x01, 0xC0, 0x00, 0x00, 0x57, 0x40, 0x00, 0x00, 0x6E, 0xE6, 0x00, 0x00, 0x01, 0xBC, 0x18, 0x00,
    0x00, 0x05, 0xD8, 0x00, 0x00, 0x91, 0x60, 0xFF, 0xD9, 0, 0, 0, 0, 0,
];

const EXAMPLE_SAMPLES: [u16; 16] =
    [0, 0, 90, 74, 68, 50, 43, 205, 64, 145, 145, 145, 100, 145, 145, 145];

/// Without what follows the end.
fn example() -> Vec<u8> {
    EXAMPLE[..57].to_vec()
}

#[test]
fn the_example_of_the_standard() {
    let image = decode(&EXAMPLE, 16).expect("decoded");
    assert_eq!(image.frame, Frame { columns: 4, rows: 4, bits: 8, components: 1 });
    assert_eq!(frame(&EXAMPLE), Ok(image.frame));
    assert_eq!((image.near, &image.samples[..]), (0, &EXAMPLE_SAMPLES[..]));
    // The encoder of these tests gives its bits too.
    let picture = Picture {
        columns: 4,
        rows: 4,
        bits: 8,
        components: 1,
        samples: EXAMPLE_SAMPLES.to_vec(),
        near: 0,
        interleaving: 0,
        preset: None,
        restart: 0,
    };
    let coded = encode(&picture);
    assert!(coded.ends_with(&example()[25..]), "{coded:02X?}");
}

/// Samples as a picture has them: flat, sloping, noisy, at the ends of the range.
fn samples(bits: u32, count: usize) -> impl Strategy<Value = Vec<u16>> {
    let most = ((1_u32 << bits) - 1) as u16;
    let piece = prop_oneof![
        (0..=most, 1..60_usize).prop_map(|(v, n)| vec![v; n]),
        (0..=most, 0..5_u16, 1..40_usize).prop_map(move |(v, step, n)| {
            (0..n as u16).map(|k| v.saturating_add(k * step).min(most)).collect()
        }),
        prop::collection::vec(0..=most, 1..30),
        prop::collection::vec(prop_oneof![Just(0), Just(most)], 1..10),
        (0..=most, prop::collection::vec(0..4_u16, 1..40))
            .prop_map(move |(v, d)| d.iter().map(|d| v.saturating_sub(*d)).collect()),
    ];
    prop::collection::vec(piece, 1..12).prop_map(move |pieces| {
        let all: Vec<u16> = pieces.concat();
        all.iter().copied().cycle().take(count).collect()
    })
}

fn picture() -> impl Strategy<Value = Picture> {
    let size = (1..70_usize, 1..20_usize, 2..=16_u32, 1..=4_usize, 0..3_u8);
    size.prop_flat_map(|(columns, rows, bits, components, interleaving)| {
        let most = (1_i32 << bits) - 1;
        let preset = prop_oneof![
            3 => Just(None),
            1 => Just(Some([0; 5])),
            1 => (1..=most, 1..=most, 1..=most, 3..=most.max(255)).prop_map(|(a, b, c, reset)| {
                let mut t = [a, b, c];
                t.sort_unstable();
                Some([0, t[0] as u16, t[1] as u16, t[2] as u16, reset as u16])
            }),
        ];
        let near =
            prop_oneof![2 => Just(0), 1 => 0..=(most / 2).min(255), 1 => 0..=(most / 2).min(4)];
        let restart = prop_oneof![2 => Just(0), 1 => 1..25_usize];
        (samples(bits, columns * rows * components), preset, near, restart).prop_map(
            move |(samples, preset, near, restart)| Picture {
                columns,
                rows,
                bits,
                components,
                samples,
                // The least threshold must be above it.
                near: preset.map_or(near, |p| near.min((i32::from(p[1]) - 1).max(0))),
                interleaving: if components == 1 { 0 } else { interleaving },
                preset,
                restart,
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn what_is_encoded_is_decoded(p in picture()) {
        let image = decode(&encode(&p), p.samples.len()).expect("decoded");
        prop_assert_eq!(image.samples.len(), p.samples.len());
        let [columns, rows] = [image.frame.columns, image.frame.rows].map(usize::from);
        prop_assert_eq!((columns, rows, u32::from(image.frame.bits)), (p.columns, p.rows, p.bits));
        for (n, (found, given)) in image.samples.iter().zip(&p.samples).enumerate() {
            let off = (i32::from(*found) - i32::from(*given)).abs();
            prop_assert!(off <= p.near, "sample {}: {} for {}", n, found, given);
        }
    }

    #[test]
    fn no_damage_makes_it_panic_or_ask_for_more_than_is_allowed(
        p in picture(),
        cut in prop::option::of(any::<prop::sample::Index>()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut stream = encode(&p);
        for (at, value) in changes {
            let n = at.index(stream.len());
            stream[n] = value;
        }
        if let Some(cut) = cut {
            stream.truncate(cut.index(stream.len()));
        }
        if let Ok(image) = decode(&stream, 1 << 20) {
            prop_assert_eq!(image.samples.len(), image.frame.samples());
            let most = (1_u32 << image.frame.bits) - 1;
            prop_assert!(image.samples.iter().all(|v| u32::from(*v) <= most));
        }
    }

    #[test]
    fn no_beginning_of_a_stream_is_taken_for_a_whole_one(p in picture(), cut in any::<prop::sample::Index>()) {
        let stream = encode(&p);
        prop_assert!(decode(&stream[..cut.index(stream.len())], usize::MAX).is_err());
    }
}

/// The example changed: what is said.
fn said(change: impl Fn(&mut Vec<u8>)) -> String {
    let mut stream = example();
    change(&mut stream);
    decode(&stream, 16).expect_err("refused").to_string()
}

#[test]
fn no_more_samples_than_allowed_or_than_the_stream_can_hold() {
    let refused = decode(&EXAMPLE, 15).expect_err("refused");
    assert_eq!(refused, Error::TooLarge { found: 16, expected: 15 });
    let most = |columns: [u8; 2], rows: [u8; 2]| {
        let mut stream = example();
        stream[7..9].copy_from_slice(&rows);
        stream[9..11].copy_from_slice(&columns);
        decode(&stream, usize::MAX).expect_err("refused")
    };
    let found = 65_535 * 65_535;
    assert_eq!(most([0xFF; 2], [0xFF; 2]), Error::TooLarge { found, expected: 0 });
    // 57 bytes are 456 bits: as many rows could be, of runs.
    assert!(matches!(most([0, 4], [1, 0xC8]), Error::Damaged { .. }));
    assert!(matches!(most([0, 4], [1, 0xC9]), Error::TooLarge { .. }));
}

#[test]
fn what_is_wrong_is_said_in_a_sentence() {
    assert_eq!(
        decode(b"II*\0", 16).expect_err("refused").to_string(),
        "0x49 at byte 0 of the stream, expected a marker"
    );
    let cut = said(|s| s.truncate(40));
    assert_eq!(
        cut,
        "row 1 is damaged (its bits end before its samples), expected samples that T.87 can encode"
    );
    let no_end = said(|s| s.truncate(55));
    assert!(no_end.contains("cut off: a marker should go on after byte 55"), "{no_end}");
    // More rows' bits than rows.
    assert!(said(|s| s[8] = 3).contains("more bits than its samples take"));
    assert!(said(|s| s[3] = 0xC3).contains("a frame of another kind of JPEG (0xFFC3) at byte 2"));
    assert!(said(|s| s[6] = 17).contains("the number of bits is 17, expected 2 to 16"));
    assert!(said(|s| s[11] = 5).contains("the number of components is 5"));
    assert!(said(|s| s[13] = 0x21).contains("a subsampled component"));
    assert!(said(|s| s[8] = 0).contains("a size that its frame header does not say"));
    assert!(said(|s| s[20] = 9).contains("a component of a scan is 9, expected one of the frame"));
    assert!(said(|s| s[21] = 1).contains("a mapping table"));
    assert!(said(|s| s[22] = 200).contains("NEAR is 200, expected at most 127"));
    assert!(said(|s| s[23] = 2).contains("the interleaving is 2 of 1 component(s)"));
    assert!(said(|s| s[24] = 1).contains("a point transform"));
    let preset = |kind: u8| said(|s| drop(s.splice(2..2, [0xFF, 0xF8, 0, 3, kind])));
    assert!(preset(1).contains("the preset parameters (LSE) is 1 bytes long, expected 11 bytes"));
    assert!(preset(2).contains("a mapping table"));
    assert!(preset(4).contains("a size beyond 65,535"));
    assert!(preset(5).contains("preset parameters of kind 5"));
    let colours = [0xFF, 0xE8, 0, 7, b'm', b'r', b'f', b'x', 1];
    assert!(said(|s| drop(s.splice(2..2, colours))).contains("colour transform 1"));
    assert!(said(|s| drop(s.splice(15..15, [0xFF, 0xDD, 0, 4, 0, 2]))).contains("damaged"));
    assert!(said(|s| s.truncate(2)).contains("cut off: a marker"));
    assert!(said(|s| drop(s.drain(15..55))).contains("marker 0xFFD9 at byte 15"));
}

#[test]
fn a_restart_marker_out_of_turn_is_refused() {
    let picture = Picture {
        columns: 3,
        rows: 4,
        bits: 8,
        components: 1,
        samples: (0..12).collect(),
        near: 0,
        interleaving: 0,
        preset: None,
        restart: 2,
    };
    let mut stream = encode(&picture);
    assert_eq!(decode(&stream, 12).expect("decoded").samples, picture.samples);
    let at = stream.windows(2).position(|w| w == [0xFF, 0xD0]).expect("a marker");
    stream[at + 1] = 0xD1;
    let refused = decode(&stream, 12).expect_err("refused").to_string();
    assert!(refused.contains("expected the next restart marker"), "{refused}");
}
