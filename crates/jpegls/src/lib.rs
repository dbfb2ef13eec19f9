//! Decodes JPEG-LS, lossless and near-lossless: ITU-T Recommendation T.87 (06/98), the same text as
//! ISO/IEC 14495-1:1999. References in this crate such as A.5.3 are to it.
//!
//! ```
//! # let bytes = [
//! #     0xFF, 0xD8, 0xFF, 0xF7, 0, 0x0B, 8, 0, 4, 0, 4, 1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0,
//! #     0, 0, 0xC0, 0, 0, 0x6C, 0x80, 0x20, 0x8E, 1, 0xC0, 0, 0, 0x57, 0x40, 0, 0, 0x6E, 0xE6, 0, 0,
//! #     1, 0xBC, 0x18, 0, 0, 5, 0xD8, 0, 0, 0x91, 0x60, 0xFF, 0xD9,
//! # ];
//! // The example of T.87, H.3: four columns, four rows, eight bits.
//! let image = hepatica_jpegls::decode(&bytes, 1 << 20)?;
//! assert_eq!(image.samples[..8], [0, 0, 90, 74, 68, 50, 43, 205]);
//! # Ok::<(), hepatica_jpegls::Error>(())
//! ```
//!
//! Read are 2 to 16 bits, one to four components in any interleaving, preset coding parameters and
//! restart intervals. Refused in words, because pictures of patients do not have them: mapping tables,
//! point transforms, colour transforms, subsampled components, sizes beyond 65,535.
//!
//! A stream is hostile until decoded: no more memory is asked for than the caller allows and than the
//! length of the stream can account for, and the time is bounded by the number of samples.

mod bits;
mod error;
mod parameters;
mod scan;
mod stream;

pub use error::Error;

/// What the frame header of a stream says (C.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Samples in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
    /// Bits of a sample, 2 to 16.
    pub bits: u8,
    /// Samples of a pixel: 1 for grey values, 3 for colours.
    pub components: u8,
}

impl Frame {
    /// Samples in all.
    #[must_use]
    pub fn samples(&self) -> usize {
        usize::from(self.columns) * usize::from(self.rows) * usize::from(self.components)
    }
}

/// A decoded stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// What its header says.
    pub frame: Frame,
    /// How far a sample may be from the one that was encoded; 0 if lossless.
    pub near: u8,
    /// Samples row by row; those of one pixel beside each other.
    pub samples: Vec<u16>,
}

/// The frame header of a stream, found without decoding.
///
/// # Errors
/// When there is none, or it says what cannot be or is not read.
pub fn frame(stream: &[u8]) -> Result<Frame, Error> {
    stream::frame(stream)
}

/// Decodes a stream of at most that many samples. What follows the end of the image is not looked at.
///
/// # Errors
/// When it is no JPEG-LS, is damaged or cut off, has more samples than that, or is of a kind that is
/// not read.
pub fn decode(stream: &[u8], most_samples: usize) -> Result<Image, Error> {
    stream::decode(stream, most_samples)
}
