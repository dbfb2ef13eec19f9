//! Pixels in frames of their own, compressed: which bytes are which frame, and what is in them. JPEG-LS,
//! run lengths, deflated frames and JPEG of 12 bits are decoded here; other JPEG and JPEG 2000 by the decoders
//! that dicom-rs brings, one frame at a time and only when its own header says what the object says, for they take
//! sizes as they come.

mod header;
mod jpeg;

use super::object::Object;
use super::pixels::Format;
use crate::error::ReadError;
use dicom_core::value::{C, Value};
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::adapters::{PixelDataObject, RawPixelData};
use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use flate2::read::DeflateDecoder;
use header::Header;
use rayon::prelude::*;
use std::borrow::Cow;
use std::io::Read;

/// Voxels that are believed whatever the length of the file: 256 slices of 512 x 512.
const ALWAYS: usize = 1 << 26;
/// Beyond that, voxels that a byte may stand for. Empty frames are longer than this, whole series of
/// patients are not by far.
const VOXELS_A_BYTE: usize = 1000;

/// Stored values of all frames, each pixel one sample.
pub(super) fn stored(o: &Object, size: [usize; 3], format: &Format) -> Result<Vec<i32>, ReadError> {
    let frames = Frames::of(o, size)?;
    let bytes = frames.plane * format.bytes();
    match o.transfer_syntax() {
        uids::JPEGLS_LOSSLESS | uids::JPEGLS_NEAR_LOSSLESS => {
            frames.each(&frames.that_begin_with(SOI)?, |frame, to| {
                let said = hepatica_jpegls::frame(frame).map_err(|e| damaged(o, &e.to_string()))?;
                let format = frames.format(&Header::of_jpeg_ls(said), format)?;
                let image = hepatica_jpegls::decode(frame, frames.plane)
                    .map_err(|e| damaged(o, &e.to_string()))?;
                to.iter_mut()
                    .zip(&image.samples)
                    .for_each(|(to, v)| *to = format.value((*v).into()));
                Ok(())
            })
        }
        uids::RLE_LOSSLESS => frames.each(&frames.one_a_fragment()?, |frame, to| {
            let words = run_lengths(frame, format.bytes(), frames.plane);
            frames.put(&words.map_err(|why| damaged(o, why))?, format, to)
        }),
        uids::DEFLATED_IMAGE_FRAME_COMPRESSION => frames
            .each(&frames.one_a_fragment()?, |frame, to| {
                frames.put(&inflated(o, frame, bytes)?, format, to)
            }),
        uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN => {
            frames.each(&frames.one_a_fragment()?, |frame, to| frames.put(frame, format, to))
        }
        _ => frames.each(&frames.by_header()?, |frame, to| {
            let header = Header::of(frame).map_err(|why| damaged(o, why))?;
            let format = frames.format(&header, format)?;
            if header.jpeg && header.bits.div_ceil(8) as usize != format.bytes() {
                let found = format!("{} bits in a JPEG frame", header.bits);
                let expected = format!("bits of {} byte(s) as Bits Allocated says", format.bytes());
                return Err(o.wrong(tags::PIXEL_DATA, found, &expected));
            }
            if header.ours {
                let samples = jpeg::decode(frame, size[0], size[1]);
                let samples = samples.map_err(|why| damaged(o, why))?;
                to.iter_mut().zip(samples).for_each(|(to, v)| *to = format.value(v.into()));
                return Ok(());
            }
            frames.put(&frames.decoded(frame, &header, format.bytes())?, &format, to)
        }),
    }
}

/// Pixels of one bit, as 0 and 1; frames begin at whole bytes.
pub(super) fn bits(o: &Object, size: [usize; 3]) -> Result<Vec<i32>, ReadError> {
    let frames = Frames::of(o, size)?;
    let bytes = frames.plane.div_ceil(8);
    let unpack = |packed: &[u8], to: &mut [i32]| {
        if packed.len() < bytes {
            let found = format!("{} bytes in a frame", packed.len());
            return Err(o.wrong(tags::PIXEL_DATA, found, &format!("{bytes} bytes")));
        }
        to.iter_mut().enumerate().for_each(|(n, v)| *v = (packed[n / 8] >> (n % 8) & 1).into());
        Ok(())
    };
    match o.transfer_syntax() {
        uids::DEFLATED_IMAGE_FRAME_COMPRESSION => frames
            .each(&frames.one_a_fragment()?, |frame, to| unpack(&inflated(o, frame, bytes)?, to)),
        uids::RLE_LOSSLESS => frames.each(&frames.one_a_fragment()?, |frame, to| {
            unpack(&run_lengths(frame, 1, bytes).map_err(|why| damaged(o, why))?, to)
        }),
        uids::JPEG2000_LOSSLESS => frames.each(&frames.by_header()?, |frame, to| {
            let header = Header::of(frame).map_err(|why| damaged(o, why))?;
            frames.fits(&header)?;
            if header.bits != 1 || header.signed {
                let found = format!("{} bits in a frame", header.bits);
                return Err(o.wrong(tags::PIXEL_DATA, found, "1 as Bits Allocated says, unsigned"));
            }
            let values = frames.decoded(frame, &header, 1)?;
            to.iter_mut().zip(values).for_each(|(to, v)| *to = v.into());
            Ok(())
        }),
        syntax => {
            let expected =
                "bits as they are, deflated, in run lengths, or in JPEG 2000 without loss";
            Err(o.wrong(tags::PIXEL_DATA, format!("bits in transfer syntax {syntax}"), expected))
        }
    }
}

/// How a JPEG or JPEG-LS frame begins.
const SOI: &[u8] = &[0xFF, 0xD8];

/// Fragments of an object and what they are to be.
struct Frames<'o> {
    o: &'o Object,
    fragments: &'o [Vec<u8>],
    /// Where frames begin, from the first fragment on; empty if that is not said.
    table: &'o [u32],
    size: [usize; 2],
    count: usize,
    /// Pixels of one.
    plane: usize,
}

impl<'o> Frames<'o> {
    fn of(o: &'o Object, [columns, rows, count]: [usize; 3]) -> Result<Self, ReadError> {
        let (fragments, table) = match o.dataset().get(tags::PIXEL_DATA).map(|e| e.value()) {
            Some(Value::PixelSequence(sequence)) => (sequence.fragments(), sequence.offset_table()),
            _ => return Err(damaged(o, "no frames")),
        };
        let plane = columns * rows;
        let (voxels, bytes) = (plane * count, fragments.iter().map(Vec::len).sum::<usize>());
        if voxels > ALWAYS && voxels / VOXELS_A_BYTE > bytes {
            return Err(ReadError::TooLarge {
                path: o.path().to_owned(),
                found: format!("{voxels} pixels in {bytes} compressed bytes"),
                expected: format!("{VOXELS_A_BYTE} pixels a byte"),
            });
        }
        Ok(Self { o, fragments, table, size: [columns, rows], count, plane })
    }

    /// Frames where each begins with these bytes, which are in no fragment that goes on with one. The
    /// offset table says nothing more, and is often wrong.
    fn that_begin_with(&self, start: &[u8]) -> Result<Vec<Cow<'o, [u8]>>, ReadError> {
        let mut frames: Vec<Cow<[u8]>> = Vec::new();
        for fragment in self.fragments {
            match frames.last_mut() {
                _ if fragment.starts_with(start) => frames.push(Cow::Borrowed(fragment)),
                Some(frame) => frame.to_mut().extend(fragment),
                None if fragment.is_empty() => {}
                None => return Err(damaged(self.o, "the first fragment begins no frame")),
            }
        }
        self.all(frames)
    }

    /// Frames of which each is one fragment, or all one frame, or each begins where the offset table
    /// says.
    fn one_a_fragment(&self) -> Result<Vec<Cow<'o, [u8]>>, ReadError> {
        if self.fragments.len() == self.count {
            return Ok(self.fragments.iter().map(|f| Cow::Borrowed(&f[..])).collect());
        }
        let first = [0];
        let table = if self.count == 1 { &first } else { self.table };
        let (mut frames, mut at): (Vec<Vec<u8>>, u64) = (Vec::new(), 0);
        for fragment in self.fragments {
            if table.get(frames.len()).is_some_and(|start| u64::from(*start) == at) {
                frames.push(Vec::new());
            }
            let Some(frame) = frames.last_mut() else {
                return Err(damaged(self.o, "the first fragment begins no frame"));
            };
            frame.extend(fragment);
            at += fragment.len() as u64 + 8;
        }
        self.all(frames.into_iter().map(Cow::Owned).collect())
    }

    /// Frames of JPEG, or of anything else, by how they begin.
    fn by_header(&self) -> Result<Vec<Cow<'o, [u8]>>, ReadError> {
        match self.fragments.first() {
            Some(first) if first.starts_with(SOI) => self.that_begin_with(SOI),
            _ => self.one_a_fragment(),
        }
    }

    fn all(&self, frames: Vec<Cow<'o, [u8]>>) -> Result<Vec<Cow<'o, [u8]>>, ReadError> {
        if frames.len() == self.count {
            return Ok(frames);
        }
        let found = format!("{} frames", frames.len());
        let expected = format!("{} as Number of Frames says", self.count);
        Err(self.o.wrong(tags::PIXEL_DATA, found, &expected))
    }

    /// Whether a frame is of the size the object says.
    fn fits(&self, header: &Header) -> Result<(), ReadError> {
        let [columns, rows] = self.size;
        let claims = [header.columns, header.rows, header.components];
        if claims == [columns, rows, 1] {
            return Ok(());
        }
        let [c, r, n] = claims;
        let found = format!("a frame of {c} x {r} pixels of {n} sample(s)");
        Err(self.o.wrong(tags::PIXEL_DATA, found, &format!("{columns} x {rows} of 1")))
    }

    /// What its pixels are, if a frame can hold what the object says.
    fn format(&self, header: &Header, format: &Format) -> Result<Format, ReadError> {
        self.fits(header)?;
        let lossless = [
            uids::JPEG_LOSSLESS,
            uids::JPEG_LOSSLESS_SV1,
            uids::JPEGLS_LOSSLESS,
            uids::JPEG2000_LOSSLESS,
            uids::HTJ2K_LOSSLESS,
            uids::HTJ2K_LOSSLESS_RPCL,
        ];
        let exact = lossless.contains(&self.o.transfer_syntax());
        format.coded(header.bits, header.signed, exact).ok_or_else(|| {
            let sign = if header.signed { "signed" } else { "unsigned" };
            let found = format!("a frame of {} {sign} bits", header.bits);
            let expected = "as Bits Stored, Bits Allocated and Pixel Representation say";
            self.o.wrong(tags::PIXEL_DATA, found, expected)
        })
    }

    /// Puts plain bytes of a frame where its pixels belong.
    fn put(&self, bytes: &[u8], format: &Format, to: &mut [i32]) -> Result<(), ReadError> {
        to.copy_from_slice(&format.frame(self.o, bytes)?);
        Ok(())
    }

    /// Plain bytes, so many a pixel, of a frame whose header was looked at.
    fn decoded(&self, frame: &[u8], header: &Header, bytes: usize) -> Result<Vec<u8>, ReadError> {
        let syntax = self.o.transfer_syntax();
        let one = OneFrame { syntax, frame, header, bytes };
        let reader = TransferSyntaxRegistry.get(syntax).and_then(|s| s.pixel_data_reader());
        let Some(reader) = reader else {
            return Err(damaged(self.o, &format!("transfer syntax {syntax}: no decoder")));
        };
        let mut plain = Vec::new();
        reader.decode_frame(&one, 0, &mut plain).map_err(|e| {
            let mut why = e.to_string();
            let mut source = std::error::Error::source(&e);
            while let Some(s) = source {
                why = s.to_string();
                source = s.source();
            }
            damaged(self.o, &format!("transfer syntax {syntax}: {why}"))
        })?;
        Ok(plain)
    }

    /// All pixels, each frame put where it belongs.
    fn each(
        &self,
        frames: &[Cow<'o, [u8]>],
        put: impl Fn(&[u8], &mut [i32]) -> Result<(), ReadError> + Sync,
    ) -> Result<Vec<i32>, ReadError> {
        let mut values = vec![0; self.plane * self.count];
        let done: Vec<Result<(), ReadError>> = values
            .par_chunks_exact_mut(self.plane)
            .zip(frames)
            .map(|(to, frame)| put(frame, to))
            .collect();
        // The first that failed, whichever thread was faster.
        done.into_iter().collect::<Result<(), _>>()?;
        Ok(values)
    }
}

/// A frame inflated to at most so many bytes.
fn inflated(o: &Object, frame: &[u8], bytes: usize) -> Result<Vec<u8>, ReadError> {
    let mut inflated = Vec::new();
    DeflateDecoder::new(frame)
        .take(bytes as u64)
        .read_to_end(&mut inflated)
        .map_err(|e| damaged(o, &format!("a deflated frame: {e}")))?;
    Ok(inflated)
}

/// A frame of run lengths (PS3.5, annex G): a segment for each byte of a pixel, the highest first, each
/// of so many bytes; as plain bytes, the lowest first.
fn run_lengths(frame: &[u8], segments: usize, count: usize) -> Result<Vec<u8>, &'static str> {
    let Some((header, _)) = frame.split_first_chunk::<64>() else {
        return Err("an RLE frame shorter than its header");
    };
    let number = |n: usize| {
        let at = 4 * n;
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize
    };
    if number(0) != segments {
        return Err("an RLE frame of another number of segments than a pixel has bytes");
    }
    let mut out = vec![0; segments * count];
    for n in 1..=segments {
        let end = if n < segments { number(n + 1) } else { frame.len() };
        let Some(segment) = frame.get(number(n).max(64)..end) else {
            return Err("an RLE frame whose segments lie outside");
        };
        let bytes = unrolled(segment, count)?;
        let to = out[segments - n..].iter_mut().step_by(segments);
        to.zip(bytes).for_each(|(to, byte)| *to = byte);
    }
    Ok(out)
}

/// The bytes of an RLE segment, as many as asked for.
fn unrolled(mut segment: &[u8], count: usize) -> Result<Vec<u8>, &'static str> {
    const CUT: &str = "an RLE segment that is cut off";
    let mut out = Vec::new();
    while out.len() < count {
        let (code, after) = segment.split_first().ok_or(CUT)?;
        let (taken, code) = (out.len(), usize::from(*code));
        segment = after;
        match code {
            0..128 => {
                let (literal, after) = segment.split_at_checked(code + 1).ok_or(CUT)?;
                out.extend(literal);
                segment = after;
            }
            128 => {}
            _ => {
                let (value, after) = segment.split_first().ok_or(CUT)?;
                out.resize(taken + 257 - code, *value);
                segment = after;
            }
        }
    }
    out.truncate(count);
    Ok(out)
}

/// One frame as the decoders of dicom-rs want an object.
struct OneFrame<'f> {
    syntax: &'f str,
    frame: &'f [u8],
    header: &'f Header,
    bytes: usize,
}

impl PixelDataObject for OneFrame<'_> {
    fn transfer_syntax_uid(&self) -> &str {
        self.syntax
    }

    fn rows(&self) -> Option<u16> {
        self.header.rows.try_into().ok()
    }

    fn cols(&self) -> Option<u16> {
        self.header.columns.try_into().ok()
    }

    fn samples_per_pixel(&self) -> Option<u16> {
        Some(1)
    }

    fn bits_allocated(&self) -> Option<u16> {
        Some(8 * self.bytes as u16)
    }

    fn bits_stored(&self) -> Option<u16> {
        Some(self.header.bits as u16)
    }

    fn photometric_interpretation(&self) -> Option<&str> {
        Some("MONOCHROME2")
    }

    fn number_of_frames(&self) -> Option<u32> {
        Some(1)
    }

    fn number_of_fragments(&self) -> Option<u32> {
        Some(1)
    }

    fn fragment(&self, fragment: usize) -> Option<Cow<'_, [u8]>> {
        (fragment == 0).then_some(Cow::Borrowed(self.frame))
    }

    fn offset_table(&self) -> Option<Cow<'_, [u32]>> {
        None
    }

    fn raw_pixel_data(&self) -> Option<RawPixelData> {
        let fragments = C::from_elem(self.frame.to_vec(), 1);
        Some(RawPixelData { fragments, offset_table: C::new() })
    }
}

pub(super) fn damaged(o: &Object, why: &str) -> ReadError {
    ReadError::element(
        o.path(),
        "PixelData (7FE0,0010)",
        format!("not decodable ({why})"),
        "pixels of a transfer syntax this program reads",
        "decompress or export it again",
    )
}

#[cfg(test)]
mod tests;
