//! What a compressed frame says of itself, before it is decoded.

/// Size and bits of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// Samples of a pixel.
    pub(super) components: usize,
    /// Bits of a sample.
    pub(super) bits: u32,
    /// Whether samples are decoded with their sign.
    pub(super) signed: bool,
    /// Whether its decoder gives as few bytes as hold the bits, whatever is asked for.
    pub(super) jpeg: bool,
    /// Whether that decoder cannot do it and ours can.
    pub(super) ours: bool,
}

const CUT: &str = "a frame that is cut off in its header";

impl Header {
    pub(super) fn of_jpeg_ls(frame: hepatica_jpegls::Frame) -> Self {
        Self {
            columns: frame.columns.into(),
            rows: frame.rows.into(),
            components: frame.components.into(),
            bits: frame.bits.into(),
            signed: false,
            jpeg: false,
            ours: false,
        }
    }

    /// Of a JPEG or JPEG 2000 frame.
    pub(super) fn of(frame: &[u8]) -> Result<Self, &'static str> {
        match frame {
            [0xFF, 0xD8, rest @ ..] => jpeg(rest),
            [0xFF, 0x4F, rest @ ..] => codestream(rest),
            [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] => boxes(frame),
            _ => Err("a frame that is neither JPEG nor JPEG 2000"),
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Result<usize, &'static str> {
    match bytes.get(at..at + 2) {
        Some(b) => Ok(u16::from_be_bytes([b[0], b[1]]).into()),
        None => Err(CUT),
    }
}

fn long(bytes: &[u8], at: usize) -> Result<usize, &'static str> {
    Ok(word(bytes, at)? << 16 | word(bytes, at + 2)?)
}

/// After the start of the image, as far as the first scan (ITU-T T.81, annex B).
fn jpeg(mut rest: &[u8]) -> Result<Header, &'static str> {
    let mut header = None;
    let [mut lossless, mut restarts] = [false; 2];
    loop {
        let (code, after) = match rest {
            [0xFF, 0xFF, ..] => {
                rest = &rest[1..];
                continue;
            }
            [0xFF, code, after @ ..] => (*code, after),
            [] | [0xFF] => return Err(CUT),
            _ => return Err("a JPEG frame without a marker where one must be"),
        };
        // Tables, application data, comments, restart interval, frame, scan: whatever else there is
        // the decoder may not pass as we do.
        if !matches!(code, 0xC0..=0xC7 | 0xC9..=0xCF | 0xDA..=0xDD | 0xE0..=0xEF | 0xFE) {
            return Err("a JPEG frame with a marker that must not be there");
        }
        let length = word(after, 0)?;
        let segment = after.get(2..length).ok_or(CUT)?;
        rest = &after[length..];
        match (code, segment) {
            (0xC4 | 0xCC, _) => {}
            (0xC0..=0xCF, [bits, ..]) if header.is_none() => {
                lossless = matches!(code, 0xC3 | 0xCB);
                let [rows, columns] = [word(segment, 1)?, word(segment, 3)?];
                let components = (*segment.get(5).ok_or(CUT)?).into();
                let bits = (*bits).into();
                // Sequential, more than 8 bits.
                let ours = code == 0xC1 && bits > 8;
                header = Some(Header {
                    columns,
                    rows,
                    components,
                    bits,
                    signed: false,
                    jpeg: true,
                    ours,
                });
            }
            (0xC0..=0xCF, _) => return Err("a JPEG frame of several frames"),
            (0xDD, _) => restarts = word(segment, 0)? != 0,
            (0xDA, [.., last]) => {
                let header = header.ok_or("a JPEG frame without a frame header")?;
                // The decoder does not begin anew after a restart marker, nor undo the shift.
                let beyond = lossless && (restarts || last & 0x0F != 0);
                return Ok(Header { ours: header.ours || beyond, ..header });
            }
            _ => {}
        }
    }
}

/// After the start of a codestream: its size comes first (ITU-T T.800, A.5.1).
fn codestream(rest: &[u8]) -> Result<Header, &'static str> {
    if word(rest, 0)? != 0xFF51 {
        return Err("a JPEG 2000 codestream that does not begin with its size");
    }
    let [right, bottom, left, top] =
        [long(rest, 6)?, long(rest, 10)?, long(rest, 14)?, long(rest, 18)?];
    let (Some(columns), Some(rows)) = (right.checked_sub(left), bottom.checked_sub(top)) else {
        return Err("a JPEG 2000 codestream of no size");
    };
    let components = word(rest, 38)?;
    let [depth, across, down] = *rest.get(40..43).ok_or(CUT)? else { return Err(CUT) };
    if [across, down] != [1, 1] {
        return Err("a subsampled JPEG 2000 codestream");
    }
    let bits = u32::from(depth & 0x7F) + 1;
    Ok(Header {
        columns,
        rows,
        components,
        bits,
        signed: depth & 0x80 != 0,
        jpeg: false,
        ours: false,
    })
}

/// In boxes, which DICOM does not want and some write (ITU-T T.800, annex I).
fn boxes(mut rest: &[u8]) -> Result<Header, &'static str> {
    loop {
        let (length, kind) = (long(rest, 0)?, rest.get(4..8).ok_or(CUT)?);
        if kind == b"jp2c" {
            let content = if length == 1 { 16 } else { 8 };
            return match rest.get(content..) {
                Some([0xFF, 0x4F, codestream @ ..]) => self::codestream(codestream),
                _ => Err("a JPEG 2000 box without a codestream"),
            };
        }
        if length < 8 {
            return Err("a JPEG 2000 box without a length");
        }
        rest = rest.get(length..).ok_or(CUT)?;
    }
}
