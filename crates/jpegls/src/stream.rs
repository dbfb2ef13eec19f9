//! Markers and their segments (annex C).

use crate::parameters::{Parameters, Preset};
use crate::scan::{Decoder, LONGEST_RUN, Lines};
use crate::{Error, Frame, Image};

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DRI: u8 = 0xDD;
const RST0: u8 = 0xD0;
const APP0: u8 = 0xE0;
const APP8: u8 = 0xE8;
const APP15: u8 = 0xEF;
const SOF55: u8 = 0xF7;
const LSE: u8 = 0xF8;
const COM: u8 = 0xFE;

/// Most components of a scan (C.2.3).
const MOST_COMPONENTS: usize = 4;

pub(crate) fn frame(stream: &[u8]) -> Result<Frame, Error> {
    let mut reader = Reader::new(stream)?;
    loop {
        let marker = reader.marker()?;
        let segment = reader.segment(marker)?;
        if marker.code == SOF55 {
            return Ok(Header::of(segment)?.frame);
        }
        if marker.code == SOS {
            return Err(marker.instead_of("a frame header (SOF55)"));
        }
    }
}

pub(crate) fn decode(stream: &[u8], most_samples: usize) -> Result<Image, Error> {
    let mut reader = Reader::new(stream)?;
    let mut preset = Preset::default();
    let mut restart = 0;
    let mut decoded: Option<Decoded> = None;
    loop {
        let marker = reader.marker()?;
        if marker.code == EOI {
            let Some(decoded) = decoded else {
                return Err(marker.instead_of("a frame header (SOF55)"));
            };
            if !decoded.done.iter().all(|done| *done) {
                return Err(marker.instead_of("a scan of the components that are left"));
            }
            let Decoded { header, near, samples, .. } = decoded;
            return Ok(Image { frame: header.frame, near, samples });
        }
        let segment = reader.segment(marker)?;
        match (marker.code, &mut decoded) {
            (SOF55, None) => {
                decoded = Some(Decoded::new(Header::of(segment)?, stream.len(), most_samples)?);
            }
            (SOS, Some(decoded)) => {
                let scan = Scan::of(segment, &decoded.header)?;
                decoded.scan(&scan, preset, restart, &mut reader)?;
            }
            (LSE, _) => preset = preset_of(segment)?,
            (DRI, _) => restart = number_of(segment, "restart interval (DRI)", 2..=4)?,
            (APP8, _) => refuse_colour_transform(segment)?,
            (APP0..=APP15 | COM, _) => {}
            (_, None) => return Err(marker.instead_of("a frame header (SOF55)")),
            (_, Some(_)) => return Err(marker.instead_of("a scan (SOS) or the end (EOI)")),
        }
    }
}

/// A marker and where it is.
#[derive(Clone, Copy)]
struct Marker {
    code: u8,
    at: usize,
}

impl Marker {
    fn instead_of(self, expected: &'static str) -> Error {
        let found = match self.code {
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                format!("a frame of another kind of JPEG (0xFF{:02X})", self.code)
            }
            code => format!("marker 0xFF{code:02X}"),
        };
        Error::Marker { at: self.at, found, expected }
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    /// After the start of the image.
    fn new(bytes: &'b [u8]) -> Result<Self, Error> {
        let mut reader = Self { bytes, at: 0 };
        let marker = reader.marker()?;
        if marker.code == SOI {
            Ok(reader)
        } else {
            Err(marker.instead_of("the start of an image (SOI)"))
        }
    }

    fn byte(&mut self, what: &'static str) -> Result<u8, Error> {
        let at = self.at;
        let byte = self.bytes.get(at).ok_or(Error::Cut { what, at })?;
        self.at += 1;
        Ok(*byte)
    }

    /// The next marker; any number of 0xFF may fill up before it.
    fn marker(&mut self) -> Result<Marker, Error> {
        let at = self.at;
        let first = self.byte("a marker")?;
        if first != 0xFF {
            let found = format!("0x{first:02X}");
            return Err(Error::Marker { at, found, expected: "a marker" });
        }
        loop {
            match self.byte("a marker")? {
                0xFF => {}
                code => return Ok(Marker { code, at }),
            }
        }
    }

    /// What follows a marker as far as its length says, which a marker without does not have.
    fn segment(&mut self, marker: Marker) -> Result<&'b [u8], Error> {
        if matches!(marker.code, 0x00..=0x01 | RST0..=EOI) {
            return Err(marker.instead_of("a marker segment"));
        }
        let what = "a marker segment";
        let [high, low] = [self.byte(what)?, self.byte(what)?];
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some(length) = length.checked_sub(2) else {
            let (found, expected) = (length.to_string(), "at least 2".to_owned());
            return Err(Error::Value { what: "the length of a marker segment", found, expected });
        };
        let Some(segment) = self.bytes.get(self.at..self.at + length) else {
            return Err(Error::Cut { what, at: self.bytes.len() });
        };
        self.at += length;
        Ok(segment)
    }

    /// Entropy-coded bytes as far as the next marker (0xFF before a byte with its highest bit set).
    fn coded(&mut self) -> &'b [u8] {
        let rest = &self.bytes[self.at..];
        let end = rest.windows(2).position(|w| w[0] == 0xFF && w[1] >= 0x80);
        let coded = &rest[..end.unwrap_or(rest.len())];
        self.at += coded.len();
        coded
    }
}

/// A length that a segment must have.
fn wrong_length(what: &'static str, segment: &[u8], expected: impl ToString) -> Error {
    let found = format!("{} bytes long", segment.len());
    Error::Value { what, found, expected: format!("{} bytes", expected.to_string()) }
}

/// A number of so many bytes that is all of a segment.
fn number_of(
    segment: &[u8],
    what: &'static str,
    bytes: std::ops::RangeInclusive<usize>,
) -> Result<usize, Error> {
    if !bytes.contains(&segment.len()) {
        return Err(wrong_length(what, segment, format!("{} to {}", bytes.start(), bytes.end())));
    }
    Ok(segment.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

/// Coding parameters (C.2.4.1.1); segments of other kinds change what samples mean.
fn preset_of(segment: &[u8]) -> Result<Preset, Error> {
    let kind = segment.first().copied();
    let kind = match kind {
        Some(1) => {
            let Some(Ok(b)) = segment.get(1..).map(<[u8; 10]>::try_from) else {
                return Err(wrong_length("the preset parameters (LSE)", segment, 11));
            };
            let [maxval, t1, t2, t3, reset] =
                [0, 2, 4, 6, 8].map(|n| u16::from_be_bytes([b[n], b[n + 1]]));
            return Ok(Preset { maxval, thresholds: [t1, t2, t3], reset });
        }
        Some(2 | 3) => "a mapping table".to_owned(),
        Some(4) => "a size beyond 65,535".to_owned(),
        Some(kind) => format!("preset parameters of kind {kind}"),
        None => return Err(wrong_length("the preset parameters (LSE)", segment, 11)),
    };
    Err(Error::Unsupported { what: kind })
}

/// Hewlett-Packard's mark of a colour transform, which no standard has: without undoing it colours
/// would be wrong.
fn refuse_colour_transform(segment: &[u8]) -> Result<(), Error> {
    match segment {
        [b'm', b'r', b'f', b'x', transform, ..] if *transform != 0 => {
            Err(Error::Unsupported { what: format!("colour transform {transform}") })
        }
        _ => Ok(()),
    }
}

/// The frame header (C.2.2).
struct Header {
    frame: Frame,
    /// Identifiers of the components.
    components: Vec<u8>,
}

impl Header {
    fn of(segment: &[u8]) -> Result<Self, Error> {
        let what = "the frame header (SOF55)";
        let Some(([bits, y1, y0, x1, x0, count], rest)) = segment.split_first_chunk::<6>() else {
            return Err(wrong_length(what, segment, "at least 6"));
        };
        let value = |what, found: u32, expected: &str| {
            Err(Error::Value { what, found: found.to_string(), expected: expected.to_owned() })
        };
        if !(2..=16).contains(bits) {
            return value("the number of bits", (*bits).into(), "2 to 16");
        }
        let rows = u16::from_be_bytes([*y1, *y0]);
        let columns = u16::from_be_bytes([*x1, *x0]);
        if rows == 0 || columns == 0 {
            let what = "a size that its frame header does not say".to_owned();
            return Err(Error::Unsupported { what });
        }
        if !(1..=MOST_COMPONENTS).contains(&usize::from(*count)) {
            return value("the number of components", (*count).into(), "1 to 4");
        }
        if rest.len() != 3 * usize::from(*count) {
            return Err(wrong_length(what, segment, 6 + 3 * u32::from(*count)));
        }
        let mut components = Vec::with_capacity((*count).into());
        for component in rest.chunks_exact(3) {
            if component[1] != 0x11 {
                return Err(Error::Unsupported { what: "a subsampled component".to_owned() });
            }
            if components.contains(&component[0]) {
                let what = "the identifier of a component";
                return value(what, component[0].into(), "one that no other component has");
            }
            components.push(component[0]);
        }
        let frame = Frame { columns, rows, bits: *bits, components: *count };
        Ok(Self { frame, components })
    }
}

/// How the samples of a scan's components follow each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Interleaving {
    /// A line of each component in turn; of one component, one line after the other.
    Line,
    /// A sample of each component in turn.
    Sample,
}

/// The scan header (C.2.3).
struct Scan {
    /// Which components, from 0.
    components: Vec<usize>,
    near: u8,
    interleaving: Interleaving,
}

impl Scan {
    fn of(segment: &[u8], header: &Header) -> Result<Self, Error> {
        let what = "the scan header (SOS)";
        let count = usize::from(segment.first().copied().unwrap_or(0));
        if !(1..=header.components.len()).contains(&count) {
            return Err(Error::Value {
                what: "the number of components of a scan",
                found: count.to_string(),
                expected: format!("1 to {}", header.components.len()),
            });
        }
        if segment.len() != 4 + 2 * count {
            return Err(wrong_length(what, segment, 4 + 2 * count));
        }
        let (named, rest) = segment[1..].split_at(2 * count);
        let mut components = Vec::with_capacity(count);
        for name in named.chunks_exact(2) {
            if name[1] != 0 {
                return Err(Error::Unsupported { what: "a mapping table".to_owned() });
            }
            match header.components.iter().position(|c| *c == name[0]) {
                Some(n) if !components.contains(&n) => components.push(n),
                _ => {
                    return Err(Error::Value {
                        what: "a component of a scan",
                        found: name[0].to_string(),
                        expected: "one of the frame, once".to_owned(),
                    });
                }
            }
        }
        let [near, interleaving, transform] = [rest[0], rest[1], rest[2]];
        if transform != 0 {
            return Err(Error::Unsupported { what: "a point transform".to_owned() });
        }
        let interleaving = match interleaving {
            0 if count == 1 => Interleaving::Line,
            1 => Interleaving::Line,
            2 if count > 1 => Interleaving::Sample,
            other => {
                return Err(Error::Value {
                    what: "the interleaving",
                    found: format!("{other} of {count} component(s)"),
                    expected: "0 of one component, 1 or 2 of several".to_owned(),
                });
            }
        };
        Ok(Self { components, near, interleaving })
    }
}

/// What is decoded so far.
struct Decoded {
    header: Header,
    near: u8,
    done: Vec<bool>,
    samples: Vec<u16>,
}

impl Decoded {
    fn new(header: Header, stream: usize, most_samples: usize) -> Result<Self, Error> {
        let frame = header.frame;
        let (found, lines) = (frame.samples(), usize::from(frame.rows));
        // Each row has a bit at least, and no bit stands for more than the longest run of pixels.
        let bits = stream.saturating_mul(8);
        let in_bits = bits.saturating_mul(LONGEST_RUN * usize::from(frame.components));
        let expected = if lines > bits { 0 } else { most_samples.min(in_bits) };
        if found > expected {
            return Err(Error::TooLarge { found, expected });
        }
        let done = vec![false; header.components.len()];
        Ok(Self { header, near: 0, done, samples: vec![0; found] })
    }

    fn scan(
        &mut self,
        scan: &Scan,
        preset: Preset,
        restart: usize,
        reader: &mut Reader,
    ) -> Result<(), Error> {
        for n in &scan.components {
            if std::mem::replace(&mut self.done[*n], true) {
                return Err(Error::Value {
                    what: "a component of a scan",
                    found: self.header.components[*n].to_string(),
                    expected: "one that no scan before had".to_owned(),
                });
            }
        }
        let frame = self.header.frame;
        let [columns, rows] = [frame.columns, frame.rows].map(usize::from);
        let components = usize::from(frame.components);
        let parameters = Parameters::new(frame.bits, scan.near, preset)?;
        self.near = self.near.max(scan.near);
        let interval = if restart == 0 { rows } else { restart };
        let mut lines = vec![Lines::new(columns); scan.components.len()];
        let mut decoder = Decoder::new(parameters, reader.coded());
        for row in 0..rows {
            let damaged = |why| Error::Damaged { row, why };
            if row > 0 && row % interval == 0 {
                let passed = row / interval - 1;
                if !decoder.is_at_end() {
                    return Err(damaged(TOO_MANY));
                }
                let marker = reader.marker()?;
                if marker.code != RST0 + (passed % 8) as u8 {
                    return Err(marker.instead_of("the next restart marker"));
                }
                decoder = Decoder::new(parameters, reader.coded());
                lines.iter_mut().for_each(Lines::clear);
            }
            match scan.interleaving {
                Interleaving::Sample => decoder.line_by_sample(&mut lines).map_err(damaged)?,
                Interleaving::Line => {
                    for l in &mut lines {
                        decoder.line(l).map_err(damaged)?;
                    }
                }
            }
            let start = row * columns * components;
            let to = &mut self.samples[start..start + columns * components];
            for (n, l) in scan.components.iter().zip(&mut lines) {
                let to = to[*n..].iter_mut().step_by(components);
                // Samples are at most of 16 bits.
                to.zip(l.samples()).for_each(|(to, sample)| *to = *sample as u16);
                l.next();
            }
        }
        if decoder.is_at_end() {
            Ok(())
        } else {
            Err(Error::Damaged { row: rows - 1, why: TOO_MANY })
        }
    }
}

const TOO_MANY: &str = "it has more bits than its samples take";
