//! Pixels in frames of their own, compressed: which bytes are which frame, and what is in them. JPEG-LS,
//! deflated frames and segmentations of one bit are decoded here, everything else by dicom-rs.

use super::object::{Dataset, Object};
use super::pixels::Format;
use crate::error::ReadError;
use dicom_core::value::Value;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::FileDicomObject;
use dicom_pixeldata::PixelDecoder;
use flate2::read::DeflateDecoder;
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
    match o.transfer_syntax() {
        uids::JPEGLS_LOSSLESS | uids::JPEGLS_NEAR_LOSSLESS => frames
            .each(&frames.that_begin_with(&[0xFF, 0xD8])?, |frame, to| {
                jpeg_ls(o, size, format, frame, to)
            }),
        uids::DEFLATED_IMAGE_FRAME_COMPRESSION => {
            let bytes = frames.plane * format.bytes();
            frames.each(&frames.one_a_fragment()?, |frame, to| {
                let values = format.frame(o, &inflated(o, frame, bytes)?)?;
                to.copy_from_slice(&values);
                Ok(())
            })
        }
        _ => by_dicom_rs(o, o.inner(), size),
    }
}

/// Pixels of one bit, as 0 and 1; frames begin at whole bytes.
pub(super) fn bits(o: &Object, size: [usize; 3]) -> Result<Vec<i32>, ReadError> {
    let frames = Frames::of(o, size)?;
    let bytes = frames.plane.div_ceil(8);
    let unpack = |packed: Vec<u8>, to: &mut [i32]| {
        if packed.len() < bytes {
            let found = format!("{} bytes in a frame", packed.len());
            return Err(o.wrong(tags::PIXEL_DATA, found, &format!("{bytes} bytes")));
        }
        to.iter_mut().enumerate().for_each(|(n, v)| *v = (packed[n / 8] >> (n % 8) & 1).into());
        Ok(())
    };
    match o.transfer_syntax() {
        uids::DEFLATED_IMAGE_FRAME_COMPRESSION => frames
            .each(&frames.one_a_fragment()?, |frame, to| unpack(inflated(o, frame, bytes)?, to)),
        uids::RLE_LOSSLESS => frames.each(&frames.one_a_fragment()?, |frame, to| {
            let packed = run_lengths(frame, bytes);
            unpack(packed.map_err(|why| damaged(o, why))?, to)
        }),
        uids::JPEG2000_LOSSLESS => {
            // The decoder knows bytes and words only; of what a codestream has it takes the bits as
            // they are.
            let mut bytes = o.inner().clone();
            for (tag, value) in
                [(tags::BITS_ALLOCATED, 8_u16), (tags::BITS_STORED, 8), (tags::HIGH_BIT, 7)]
            {
                bytes.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
            }
            let values = by_dicom_rs(o, &bytes, size)?;
            match values.iter().find(|v| !(0..=1).contains(*v)) {
                None => Ok(values),
                Some(v) => {
                    Err(o.wrong(tags::PIXEL_DATA, v.to_string(), "0 or 1 in a pixel of one bit"))
                }
            }
        }
        syntax => {
            let expected =
                "bits as they are, deflated, in run lengths, or in JPEG 2000 without loss";
            Err(o.wrong(tags::PIXEL_DATA, format!("bits in transfer syntax {syntax}"), expected))
        }
    }
}

/// Fragments of an object and what they are to be.
struct Frames<'o> {
    o: &'o Object,
    fragments: &'o [Vec<u8>],
    count: usize,
    /// Pixels of one.
    plane: usize,
}

impl<'o> Frames<'o> {
    fn of(o: &'o Object, [columns, rows, count]: [usize; 3]) -> Result<Self, ReadError> {
        let fragments = match o.dataset().get(tags::PIXEL_DATA).map(|e| e.value()) {
            Some(Value::PixelSequence(sequence)) => sequence.fragments(),
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
        Ok(Self { o, fragments, count, plane })
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

    /// Frames of which each is one fragment, or all one frame.
    fn one_a_fragment(&self) -> Result<Vec<Cow<'o, [u8]>>, ReadError> {
        if self.count == 1 && self.fragments.len() > 1 {
            return Ok(vec![Cow::Owned(self.fragments.concat())]);
        }
        self.all(self.fragments.iter().map(|f| Cow::Borrowed(&f[..])).collect())
    }

    fn all(&self, frames: Vec<Cow<'o, [u8]>>) -> Result<Vec<Cow<'o, [u8]>>, ReadError> {
        if frames.len() == self.count {
            return Ok(frames);
        }
        let found = format!("{} frames", frames.len());
        let expected = format!("{} as Number of Frames says", self.count);
        Err(self.o.wrong(tags::PIXEL_DATA, found, &expected))
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

/// One frame of JPEG-LS. Its samples are the bits that are stored; of signed ones it knows nothing.
fn jpeg_ls(
    o: &Object,
    [columns, rows, _]: [usize; 3],
    format: &Format,
    stream: &[u8],
    to: &mut [i32],
) -> Result<(), ReadError> {
    let decode = |stream| hepatica_jpegls::decode(stream, columns * rows);
    let why = |e: hepatica_jpegls::Error| damaged(o, &e.to_string());
    let frame = hepatica_jpegls::frame(stream).map_err(why)?;
    let claims = [frame.columns, frame.rows, frame.components.into()].map(usize::from);
    if claims != [columns, rows, 1] {
        let [c, r, n] = claims;
        let found = format!("a JPEG-LS frame of {c} x {r} pixels of {n} sample(s)");
        return Err(o.wrong(tags::PIXEL_DATA, found, &format!("{columns} x {rows} of 1")));
    }
    if !format.is_of_bits(frame.bits.into()) {
        let found = format!("a JPEG-LS frame of {} bits", frame.bits);
        let expected = "as many as Bits Stored and Bits Allocated say";
        return Err(o.wrong(tags::PIXEL_DATA, found, expected));
    }
    let image = decode(stream).map_err(why)?;
    to.iter_mut().zip(&image.samples).for_each(|(to, v)| *to = format.value((*v).into()));
    Ok(())
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

/// The one segment of an RLE frame (PS3.5, annex G), of at most so many bytes.
fn run_lengths(frame: &[u8], bytes: usize) -> Result<Vec<u8>, &'static str> {
    let Some((header, mut rest)) = frame.split_at_checked(64) else {
        return Err("an RLE frame shorter than its header");
    };
    if header[..8] != [1, 0, 0, 0, 64, 0, 0, 0] {
        return Err("an RLE frame of bits that is not one segment");
    }
    let mut out = Vec::new();
    while out.len() < bytes {
        let Some((code, after)) = rest.split_first() else { break };
        let (taken, code) = (out.len(), usize::from(*code));
        rest = after;
        match code {
            0..128 => {
                let literal = rest.get(..=code).ok_or("an RLE segment that is cut off")?;
                out.extend(literal);
                rest = &rest[code + 1..];
            }
            128 => {}
            _ => {
                let (value, after) = rest.split_first().ok_or("an RLE segment that is cut off")?;
                out.resize(taken + 257 - code, *value);
                rest = after;
            }
        }
    }
    Ok(out)
}

/// The pixels of an object or of what was made of it.
fn by_dicom_rs(
    o: &Object,
    inner: &FileDicomObject<Dataset>,
    size: [usize; 3],
) -> Result<Vec<i32>, ReadError> {
    let decoded = inner.decode_pixel_data().map_err(|e| {
        let mut why = e.to_string();
        let mut source = std::error::Error::source(&e);
        while let Some(s) = source {
            why = s.to_string();
            source = s.source();
        }
        damaged(o, &format!("transfer syntax {}: {why}", o.transfer_syntax()))
    })?;
    let values: Vec<i32> = {
        use dicom_pixeldata::{ConvertOptions, ModalityLutOption};
        let options = ConvertOptions::new().with_modality_lut(ModalityLutOption::None);
        decoded.to_vec_with_options(&options).map_err(|e| damaged(o, &e.to_string()))?
    };
    let expected = size.iter().product::<usize>();
    if values.len() == expected {
        Ok(values)
    } else {
        Err(damaged(o, &format!("{} pixels when decoded", values.len())))
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
