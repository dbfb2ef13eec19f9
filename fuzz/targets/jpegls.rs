//! Any bytes as a JPEG-LS stream: an error, or as many samples as its header says, each within its
//! bits; no panic, no endless loop, no memory beyond what is allowed.
#![no_main]

use libfuzzer_sys::fuzz_target;

/// Samples of 1024 x 1024.
const MOST: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let frame = hepatica_jpegls::frame(bytes);
    if let Ok(image) = hepatica_jpegls::decode(bytes, MOST) {
        assert_eq!(frame.as_ref(), Ok(&image.frame));
        assert_eq!(image.samples.len(), image.frame.samples());
        assert!(image.samples.iter().all(|v| u32::from(*v) < 1 << image.frame.bits));
    }
});
