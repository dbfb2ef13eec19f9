//! JPEG frames that the decoder of dicom-rs leaves out or gets wrong: sequential DCT of 12 bits, and lossless
//! JPEG with restart markers or a point transform (ITU-T T.81). One component, Huffman codes.

/// Samples of a frame of that size, row by row from the top.
///
/// # Errors
/// In words, when the stream is cut off or holds what it must not.
pub(super) fn decode(frame: &[u8], columns: usize, rows: usize) -> Result<Vec<u16>, &'static str> {
    let mut tables = Tables::default();
    let mut rest = frame.get(2..).ok_or(CUT)?;
    loop {
        let code = loop {
            match rest {
                [0xFF, 0xFF, ..] => rest = &rest[1..],
                [0xFF, code, ..] => break *code,
                _ => return Err(CUT),
            }
        };
        let length =
            usize::from(u16::from_be_bytes([*rest.get(2).ok_or(CUT)?, *rest.get(3).ok_or(CUT)?]));
        let segment = rest.get(4..length.saturating_add(2)).ok_or(CUT)?;
        rest = &rest[2 + length..];
        match code {
            0xDB => tables.quantisation(segment)?,
            0xC4 => tables.huffman(segment)?,
            0xDD => {
                tables.restart = match segment {
                    [a, b, ..] => u16::from_be_bytes([*a, *b]).into(),
                    _ => return Err(CUT),
                }
            }
            0xC1 | 0xC3 => {
                let [bits, _, _, _, _, 1, _, _, quantisation, ..] = *segment else {
                    return Err("a JPEG frame of several components");
                };
                tables.bits = bits.into();
                tables.quantisation_of = quantisation.into();
                tables.lossless = code == 0xC3;
            }
            0xDA => {
                let [1, _, table, from, _, low, ..] = *segment else {
                    return Err("a JPEG scan of several components");
                };
                let [dc, ac] = [table >> 4, table & 0x0F].map(usize::from);
                return if tables.lossless {
                    lossless(&tables, rest, [columns, rows], dc, from, u32::from(low & 0x0F))
                } else {
                    sequential(&tables, rest, [columns, rows], [dc, ac])
                };
            }
            _ => {}
        }
    }
}

const CUT: &str = "a JPEG frame that is cut off";
const CODE: &str = "a JPEG frame with a code that no table has";

#[derive(Default)]
struct Tables {
    quantisation: [Option<Box<[u16; 64]>>; 4],
    /// By class (DC or lossless, AC) and number.
    huffman: [[Option<Huffman>; 4]; 2],
    /// Blocks or samples between restart markers; none is 0.
    restart: usize,
    bits: u32,
    quantisation_of: usize,
    lossless: bool,
}

/// Places of coefficients in the order they are coded.
const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

impl Tables {
    fn quantisation(&mut self, mut segment: &[u8]) -> Result<(), &'static str> {
        while let Some((kind, rest)) = segment.split_first() {
            let wide = kind >> 4 != 0;
            let bytes = rest.get(..if wide { 128 } else { 64 }).ok_or(CUT)?;
            let mut table = Box::new([0; 64]);
            for (n, place) in ZIGZAG.iter().enumerate() {
                table[*place] = match wide {
                    true => u16::from_be_bytes([bytes[2 * n], bytes[2 * n + 1]]),
                    false => bytes[n].into(),
                };
            }
            let to = self.quantisation.get_mut(usize::from(kind & 0x0F)).ok_or(CODE)?;
            *to = Some(table);
            segment = &rest[bytes.len()..];
        }
        Ok(())
    }

    fn huffman(&mut self, mut segment: &[u8]) -> Result<(), &'static str> {
        while let Some((kind, rest)) = segment.split_first() {
            let counts = rest.get(..16).ok_or(CUT)?;
            let total: usize = counts.iter().map(|n| usize::from(*n)).sum();
            let symbols = rest.get(16..16 + total).ok_or(CUT)?;
            let class = self.huffman.get_mut(usize::from(kind >> 4)).ok_or(CODE)?;
            let to = class.get_mut(usize::from(kind & 0x0F)).ok_or(CODE)?;
            *to = Some(Huffman::new(counts, symbols));
            segment = &rest[16 + total..];
        }
        Ok(())
    }

    fn table(&self, class: usize, number: usize) -> Result<&Huffman, &'static str> {
        self.huffman[class].get(number).and_then(Option::as_ref).ok_or(CODE)
    }
}

/// A canonical code: of each length the first code, how many there are, and where their symbols begin.
struct Huffman {
    lengths: [(u32, u32, usize); 16],
    symbols: Vec<u8>,
}

impl Huffman {
    fn new(counts: &[u8], symbols: &[u8]) -> Self {
        let (mut code, mut place) = (0_u32, 0);
        let mut lengths = [(0, 0, 0); 16];
        for (to, count) in lengths.iter_mut().zip(counts) {
            *to = (code, u32::from(*count), place);
            code = (code + u32::from(*count)) << 1;
            place += usize::from(*count);
        }
        Self { lengths, symbols: symbols.to_vec() }
    }

    fn next(&self, bits: &mut Bits<'_>) -> Result<u8, &'static str> {
        let mut code = 0;
        for (first, count, place) in &self.lengths {
            code = code << 1 | bits.take(1)?;
            if code.wrapping_sub(*first) < *count {
                let at = place + (code - first) as usize;
                return self.symbols.get(at).copied().ok_or(CODE);
            }
        }
        Err(CODE)
    }
}

/// Bits of a scan; a byte of zeros after one of ones is passed, a marker ends it.
struct Bits<'b> {
    rest: &'b [u8],
    hold: u32,
    held: u32,
}

impl<'b> Bits<'b> {
    fn new(rest: &'b [u8]) -> Self {
        Self { rest, hold: 0, held: 0 }
    }

    /// The next bits, at most 16.
    fn take(&mut self, count: u32) -> Result<u32, &'static str> {
        while self.held < count {
            let (byte, rest) = match self.rest {
                [0xFF, 0, rest @ ..] => (0xFF, rest),
                [0xFF, ..] | [] => return Err(CUT),
                [byte, rest @ ..] => (*byte, rest),
            };
            self.rest = rest;
            self.hold = self.hold << 8 | u32::from(byte);
            self.held += 8;
        }
        self.held -= count;
        let taken = self.hold >> self.held & ((1 << count) - 1);
        self.hold &= (1 << self.held) - 1;
        Ok(taken)
    }

    /// A difference of so many bits, as its sign is coded.
    fn difference(&mut self, size: u32) -> Result<i32, &'static str> {
        if size == 0 {
            return Ok(0);
        }
        let value = self.take(size)? as i32;
        let low = value < 1 << (size - 1);
        Ok(if low { value - (1 << size) + 1 } else { value })
    }

    /// Goes past the restart marker that must come here.
    fn restart(&mut self) -> Result<(), &'static str> {
        (self.hold, self.held) = (0, 0);
        match self.rest {
            [0xFF, 0xD0..=0xD7, rest @ ..] => {
                self.rest = rest;
                Ok(())
            }
            _ => Err("a JPEG frame without a restart marker where one must be"),
        }
    }
}

fn lossless(
    tables: &Tables,
    scan: &[u8],
    [columns, rows]: [usize; 2],
    table: usize,
    predictor: u8,
    shift: u32,
) -> Result<Vec<u16>, &'static str> {
    let huffman = tables.table(0, table)?;
    if !(1..=7).contains(&predictor) || !(2..=16).contains(&tables.bits) || shift >= tables.bits {
        return Err("a lossless JPEG frame with a prediction or depth that no standard has");
    }
    if !tables.restart.is_multiple_of(columns) {
        return Err("a lossless JPEG frame with restart markers within a line");
    }
    let mut bits = Bits::new(scan);
    let mut out: Vec<u16> = Vec::new();
    // The first line after a restart is predicted as the first of all.
    let mut first_line = 0;
    for y in 0..rows {
        if y > 0 && tables.restart > 0 && (y * columns).is_multiple_of(tables.restart) {
            bits.restart()?;
            first_line = y;
        }
        for x in 0..columns {
            let at = y * columns + x;
            let value = |back: usize| i32::from(out[at - back]);
            let prediction = if y == first_line {
                if x == 0 { 1 << (tables.bits - shift - 1) } else { value(1) }
            } else if x == 0 {
                value(columns)
            } else {
                let (a, b, c) = (value(1), value(columns), value(columns + 1));
                match predictor {
                    1 => a,
                    2 => b,
                    3 => c,
                    4 => a + b - c,
                    5 => a + ((b - c) >> 1),
                    6 => b + ((a - c) >> 1),
                    _ => (a + b) >> 1,
                }
            };
            let difference = match huffman.next(&mut bits)? {
                16 => 32768,
                size @ 0..16 => bits.difference(size.into())?,
                _ => return Err(CODE),
            };
            out.push(prediction.wrapping_add(difference) as u16);
        }
    }
    out.iter_mut().for_each(|v| *v <<= shift);
    Ok(out)
}

fn sequential(
    tables: &Tables,
    scan: &[u8],
    [columns, rows]: [usize; 2],
    [dc, ac]: [usize; 2],
) -> Result<Vec<u16>, &'static str> {
    let (dc, ac) = (tables.table(0, dc)?, tables.table(1, ac)?);
    let steps =
        tables.quantisation.get(tables.quantisation_of).and_then(Option::as_ref).ok_or(CODE)?;
    if ![8, 12].contains(&tables.bits) {
        return Err("a JPEG frame of neither 8 nor 12 bits");
    }
    let (level, top) = (f64::from(1 << (tables.bits - 1)), f64::from((1 << tables.bits) - 1));
    let cosines = cosines();
    let mut bits = Bits::new(scan);
    let mut out = vec![0_u16; columns * rows];
    let [across, down] = [columns.div_ceil(8), rows.div_ceil(8)];
    let mut before = 0_i32;
    for n in 0..across * down {
        if n > 0 && tables.restart > 0 && n.is_multiple_of(tables.restart) {
            bits.restart()?;
            before = 0;
        }
        let mut block = [0.0; 64];
        let size = dc.next(&mut bits)?;
        if size > 15 {
            return Err(CODE);
        }
        before = before.wrapping_add(bits.difference(size.into())?);
        block[0] = f64::from(before) * f64::from(steps[0]);
        let mut k = 1;
        while k < 64 {
            let symbol = ac.next(&mut bits)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 0x0F));
            match (run, size) {
                (15, 0) => k += 16,
                (_, 0) => break,
                _ => {
                    let place = *ZIGZAG.get(k + run).ok_or(CODE)?;
                    block[place] = f64::from(bits.difference(size)?) * f64::from(steps[place]);
                    k += run + 1;
                }
            }
        }
        let samples = inverse(&block, &cosines);
        let [left, upper] = [n % across * 8, n / across * 8];
        for (p, v) in samples.iter().enumerate() {
            let [x, y] = [left + p % 8, upper + p / 8];
            if x < columns && y < rows {
                out[y * columns + x] = (v + level).round().clamp(0.0, top) as u16;
            }
        }
    }
    Ok(out)
}

/// Of frequency u at place x, scaled.
fn cosines() -> [[f64; 8]; 8] {
    std::array::from_fn(|u| {
        std::array::from_fn(|x| {
            let scale = if u == 0 { 0.125_f64.sqrt() } else { 0.5 };
            scale * ((2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0).cos()
        })
    })
}

/// The inverse cosine transform, by rows and then by columns.
fn inverse(block: &[f64; 64], cosines: &[[f64; 8]; 8]) -> [f64; 64] {
    let mut rows = [0.0; 64];
    for v in 0..8 {
        for x in 0..8 {
            rows[8 * v + x] = (0..8).map(|u| block[8 * v + u] * cosines[u][x]).sum();
        }
    }
    let mut out = [0.0; 64];
    for y in 0..8 {
        for x in 0..8 {
            out[8 * y + x] = (0..8).map(|v| rows[8 * v + x] * cosines[v][y]).sum();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lossless stream with the same code for every size: five bits are enough for 17 of them.
    fn encoded(
        samples: &[u16],
        columns: usize,
        bits: u32,
        predictor: u8,
        shift: u32,
        lines: usize,
    ) -> Vec<u8> {
        let rows = samples.len() / columns;
        let mut out = vec![0xFF, 0xD8, 0xFF, 0xC3, 0, 11, bits as u8];
        out.extend((rows as u16).to_be_bytes());
        out.extend((columns as u16).to_be_bytes());
        out.extend([1, 1, 0x11, 0]);
        let mut counts = [0; 16];
        counts[4] = 17;
        out.extend([0xFF, 0xC4, 0, 2 + 17 + 17, 0]);
        out.extend(counts);
        out.extend(0..17);
        if lines > 0 {
            out.extend([0xFF, 0xDD, 0, 4]);
            out.extend(((lines * columns) as u16).to_be_bytes());
        }
        out.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, predictor, 0, shift as u8]);
        let stored: Vec<i32> = samples.iter().map(|v| i32::from(v >> shift)).collect();
        let (mut hold, mut held, mut restarts) = (0_u64, 0, 0);
        let flush = |out: &mut Vec<u8>, hold: u64, held: &mut u32, end: bool| {
            if end && !held.is_multiple_of(8) {
                let fill = 8 - *held % 8;
                *held += fill;
                return drain(out, hold << fill | ((1 << fill) - 1), held);
            }
            drain(out, hold, held);
        };
        for y in 0..rows {
            let first = y.checked_div(lines).map_or(0, |n| n * lines);
            if y > 0 && y == first {
                flush(&mut out, hold, &mut held, true);
                (hold, held) = (0, 0);
                out.extend([0xFF, 0xD0 + restarts % 8]);
                restarts += 1;
            }
            for x in 0..columns {
                let at = y * columns + x;
                let [a, b, c] = [1, columns, columns + 1]
                    .map(|back| at.checked_sub(back).map_or(0, |n| stored[n]));
                let guess = match (y == first, x) {
                    (true, 0) => 1 << (bits - shift - 1),
                    (true, _) => a,
                    (_, 0) => b,
                    _ => match predictor {
                        1 => a,
                        2 => b,
                        3 => c,
                        4 => a + b - c,
                        5 => a + ((b - c) >> 1),
                        6 => b + ((a - c) >> 1),
                        _ => (a + b) >> 1,
                    },
                };
                let difference = i32::from((stored[at] - guess) as i16);
                let size = if difference == -32768 {
                    16
                } else {
                    32 - difference.unsigned_abs().leading_zeros()
                };
                hold = hold << 5 | u64::from(size);
                held += 5;
                if (1..16).contains(&size) {
                    let code =
                        if difference < 0 { difference + (1 << size) - 1 } else { difference };
                    hold = hold << size | code as u64;
                    held += size;
                }
                flush(&mut out, hold, &mut held, false);
                hold &= (1 << held) - 1;
            }
        }
        flush(&mut out, hold, &mut held, true);
        out.extend([0xFF, 0xD9]);
        out
    }

    fn drain(out: &mut Vec<u8>, hold: u64, held: &mut u32) {
        while *held >= 8 {
            *held -= 8;
            let byte = (hold >> *held) as u8;
            out.push(byte);
            if byte == 0xFF {
                out.push(0);
            }
        }
    }

    #[test]
    fn lossless_frames_come_back_with_every_predictor_restarts_and_point_transforms() {
        let (columns, rows) = (13, 9);
        let mut state = 7_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as u16
        };
        for bits in [8, 12, 16] {
            let samples: Vec<u16> =
                (0..columns * rows).map(|_| noise() & ((1_u32 << bits) - 1) as u16).collect();
            for predictor in 1..=7 {
                for (shift, lines) in [(0, 0), (0, 2), (3, 0), (2, 1)] {
                    let stream = encoded(&samples, columns, bits, predictor, shift, lines);
                    let expected: Vec<u16> = samples.iter().map(|v| v >> shift << shift).collect();
                    let found = decode(&stream, columns, rows);
                    assert_eq!(found.as_ref(), Ok(&expected), "{bits} {predictor} {shift} {lines}");
                    for cut in 0..stream.len() - 3 {
                        assert!(decode(&stream[..cut], columns, rows).is_err(), "cut at {cut}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_transform_of_one_coefficient_is_its_cosine() {
        let mut block = [0.0; 64];
        block[0] = 80.0;
        assert!(inverse(&block, &cosines()).iter().all(|v| (v - 10.0).abs() < 1e-12));
        let mut block = [0.0; 64];
        block[8 * 2 + 3] = 100.0;
        let found = inverse(&block, &cosines());
        let cos = |x: f64, u: f64| ((2.0 * x + 1.0) * u * std::f64::consts::PI / 16.0).cos();
        for (p, v) in found.iter().enumerate() {
            let expected = 25.0 * cos((p % 8) as f64, 3.0) * cos((p / 8) as f64, 2.0);
            assert!((v - expected).abs() < 1e-12);
        }
    }
}
