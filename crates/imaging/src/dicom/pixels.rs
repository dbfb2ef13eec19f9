//! Stored pixel values of an object, decoded.

use super::encapsulated;
use super::object::Object;
use crate::error::ReadError;
use dicom_core::value::Value;
use dicom_dictionary_std::tags;

/// How the pixels of an object are stored, from its header.
pub(super) struct Format {
    /// Bits of a pixel: 8, 16 or 32.
    bits: u32,
    /// Bits below those that count, and what is above them when they are at the top of 32.
    down: u32,
    up: u32,
    signed: bool,
    /// Columns, rows, frames.
    size: [usize; 3],
}

impl Format {
    /// Each pixel is one sample.
    pub(super) fn of(o: &Object, size: [usize; 3]) -> Result<Self, ReadError> {
        let samples = o.maybe_number(tags::SAMPLES_PER_PIXEL)?.unwrap_or(1.0);
        if samples != 1.0 {
            return Err(o.wrong(tags::SAMPLES_PER_PIXEL, samples.to_string(), "1: grey values"));
        }
        let meaning = o.text(tags::PHOTOMETRIC_INTERPRETATION);
        if let Some(colours) = meaning.filter(|m| !m.starts_with("MONOCHROME")) {
            let expected = "MONOCHROME2: grey values";
            return Err(o.wrong(tags::PHOTOMETRIC_INTERPRETATION, colours, expected));
        }
        let bits = o.need_number(tags::BITS_ALLOCATED)?;
        let used = o.maybe_number(tags::BITS_STORED)?.unwrap_or(bits);
        if ![8.0, 16.0, 32.0].contains(&bits) || !(1.0..=bits).contains(&used) {
            let found = format!("{bits} with {used} stored");
            return Err(o.wrong(tags::BITS_ALLOCATED, found, "8, 16 or 32 with no more stored"));
        }
        let (bits, used) = (bits as u32, used as u32);
        let high = o.maybe_number(tags::HIGH_BIT)?.map_or(used - 1, |h| h as u32).min(bits - 1);
        Ok(Self {
            bits,
            // Unused bits may hold overlays: only the stored ones count.
            down: (high + 1).saturating_sub(used),
            up: 32 - used,
            signed: o.maybe_number(tags::PIXEL_REPRESENTATION)? == Some(1.0),
            size,
        })
    }

    /// The pixel in the lowest bits of a number of Bits Allocated.
    pub(super) fn value(&self, v: u32) -> i32 {
        let v = (v >> self.down) << self.up;
        if self.signed { (v as i32) >> self.up } else { (v >> self.up) as i32 }
    }

    fn count(&self) -> usize {
        self.size.iter().product()
    }

    /// Whether each pixel is a word of 16 bits and so many bytes hold them all.
    pub(super) fn is_in_words(&self, bytes: u64) -> bool {
        self.bits == 16 && bytes >= 2 * self.count() as u64
    }

    /// The pixels of such words, the low byte first.
    pub(super) fn words<'b>(
        &'b self,
        bytes: &'b [u8],
    ) -> impl Iterator<Item = i32> + Clone + use<'b> {
        let words = bytes.chunks_exact(2).take(self.count());
        words.map(|b| self.value(u16::from_le_bytes([b[0], b[1]]).into()))
    }

    /// Bytes of a pixel.
    pub(super) fn bytes(&self) -> usize {
        self.bits as usize / 8
    }

    /// These pixels as samples of so many bits hold them, decoded with their sign or as they are;
    /// `None` if they cannot: in fewer bits than are stored none is known to be the sign. If the samples
    /// are not exactly those that were coded, one may be beyond the stored bits, and then all count.
    pub(super) fn coded(&self, bits: u32, signed: bool, exact: bool) -> Option<Self> {
        let stored = 32 - self.up;
        let can = match (self.signed, signed) {
            (true, true) => true,
            (true, false) => bits >= stored,
            (false, true) => false,
            (false, false) => true,
        };
        let up = if exact { self.up } else { self.up.min(32 - bits.min(32)) };
        (can && bits <= self.bits && self.down == 0).then_some(Self { up, ..*self })
    }

    /// The pixels of one frame, from its bytes.
    pub(super) fn frame(&self, o: &Object, bytes: &[u8]) -> Result<Vec<i32>, ReadError> {
        let size = [self.size[0], self.size[1], 1];
        Self { size, ..*self }.values(o, bytes)
    }

    fn values(&self, o: &Object, bytes: &[u8]) -> Result<Vec<i32>, ReadError> {
        let expected = self.count() * self.bytes();
        let Some(bytes) = bytes.get(..expected) else {
            let [columns, rows, frames] = self.size;
            return Err(o.wrong(
                tags::PIXEL_DATA,
                format!("{} bytes", bytes.len()),
                &format!("{expected} bytes for {columns} x {rows} pixels, {frames} frame(s)"),
            ));
        };
        Ok(match self.bits {
            8 => bytes.iter().map(|b| self.value((*b).into())).collect(),
            16 => self.words(bytes).collect(),
            _ => bytes
                .chunks_exact(4)
                .map(|b| self.value(u32::from_le_bytes([b[0], b[1], b[2], b[3]])))
                .collect(),
        })
    }
}

/// Stored values of all frames of a whole object, each pixel one sample, before any rescaling.
pub(super) fn stored(o: &Object, size: [usize; 3]) -> Result<Vec<i32>, ReadError> {
    let format = Format::of(o, size)?;
    let Some(element) = o.dataset().get(tags::PIXEL_DATA) else {
        return Err(o.missing(tags::PIXEL_DATA, "pixels"));
    };
    match element.value() {
        // `to_bytes` gives the machine's order of 16-bit words, that is little endian here; objects
        // in big endian have been turned by the parser.
        Value::Primitive(_) => {
            let bytes =
                element.value().to_bytes().map_err(|e| encapsulated::damaged(o, &e.to_string()))?;
            format.values(o, &bytes)
        }
        _ => encapsulated::stored(o, size, &format),
    }
}
