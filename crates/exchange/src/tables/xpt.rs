//! A table as a SAS transport file, version 5 (SAS technical note TS-140), which agencies ask for.
//!
//! Names have 8 characters, labels 40, texts 200 bytes: what is longer is cut, and [`cut`] says
//! where. Numbers are IBM's: 14 significant digits at least. Text that is not ASCII becomes `?`.
//! A day is a number of days since 1960-01-01 with the format `DATE9.`.

use super::{Column, Kind, Table, Value};
use hepatica_regimen::course::days_between;
use jiff::civil::{Date, DateTime, date};

/// Day 0 of SAS.
const EPOCH: Date = date(1960, 1, 1);
/// Longest text, bytes.
const LONGEST: usize = 200;
/// Length of a record, bytes.
const RECORD: usize = 80;

/// A number as IBM's double: a sign, a power of 16 from 64 on, and 14 hexadecimal digits. What is
/// too large for it becomes missing, what is too small zero.
fn ibm(x: f64) -> [u8; 8] {
    if !x.is_finite() {
        return MISSING;
    }
    if x == 0.0 {
        return [0; 8];
    }
    let (mut fraction, mut power) = (x.abs(), 64_i32);
    while fraction >= 1.0 {
        fraction /= 16.0;
        power += 1;
    }
    while fraction < 1.0 / 16.0 {
        fraction *= 16.0;
        power -= 1;
    }
    match power {
        128.. => return MISSING,
        ..0 => return [0; 8],
        _ => {}
    }
    // Exact: 56 bits hold the 53 of the fraction.
    let digits = (fraction * (1_u64 << 56) as f64) as u64;
    let sign = if x < 0.0 { 1_u64 << 63 } else { 0 };
    (sign | ((power as u64) << 56) | digits).to_be_bytes()
}

/// A missing number: a point and zeros.
const MISSING: [u8; 8] = [b'.', 0, 0, 0, 0, 0, 0, 0];

/// Text of so many bytes, filled with blanks.
fn padded(text: &str, length: usize) -> Vec<u8> {
    let ascii = text.chars().map(|c| match c {
        ' '..='~' => c as u8,
        _ => b'?',
    });
    let mut bytes: Vec<u8> = ascii.take(length).collect();
    bytes.resize(length, b' ');
    bytes
}

/// Bytes of a column: the longest text in it, 8 for numbers.
fn width(table: &Table, place: usize) -> usize {
    if table.design.columns[place].kind != Kind::Text {
        return 8;
    }
    let lengths = table.rows.iter().map(|row| match &row[place] {
        Value::Text(text) => text.chars().count(),
        _ => 0,
    });
    lengths.max().unwrap_or(0).clamp(1, LONGEST)
}

/// Texts that were cut or changed, as `column, row`, the first row being 1.
#[must_use]
pub fn cut(table: &Table) -> Vec<String> {
    let mut all = Vec::new();
    for (n, row) in table.rows.iter().enumerate() {
        for (column, value) in table.design.columns.iter().zip(row) {
            if let Value::Text(text) = value
                && (text.len() > LONGEST || !text.bytes().all(|b| (b' '..=b'~').contains(&b)))
            {
                all.push(format!("{}, row {}", column.name, n + 1));
            }
        }
    }
    all
}

fn namestr(column: &Column, number: usize, width: usize, position: usize) -> Vec<u8> {
    let short = |n: usize| u16::try_from(n).unwrap_or(u16::MAX).to_be_bytes();
    let mut bytes = Vec::with_capacity(140);
    bytes.extend(short(if column.kind == Kind::Text { 2 } else { 1 }));
    bytes.extend([0, 0]);
    bytes.extend(short(width));
    bytes.extend(short(number));
    bytes.extend(padded(column.name, 8));
    bytes.extend(padded(column.label, 40));
    let (format, length) = if column.kind == Kind::Date { ("DATE", 9) } else { ("", 0) };
    bytes.extend(padded(format, 8));
    bytes.extend(short(length));
    // Decimals, justification, filling.
    bytes.extend([0; 6]);
    bytes.extend(padded("", 8));
    bytes.extend([0; 4]);
    bytes.extend(u32::try_from(position).unwrap_or(u32::MAX).to_be_bytes());
    bytes.resize(140, 0);
    bytes
}

fn fill(bytes: &mut Vec<u8>) {
    let length = bytes.len().next_multiple_of(RECORD);
    bytes.resize(length, b' ');
}

/// The table as a transport file, made at that time: the same time gives the same bytes.
#[must_use]
pub fn write(table: &Table, made: DateTime) -> Vec<u8> {
    let columns = table.design.columns;
    let widths: Vec<usize> = (0..columns.len()).map(|n| width(table, n)).collect();
    let made = made.strftime("%d%b%y:%H:%M:%S").to_string().to_uppercase();
    let head = |name: &str, rest: &str| {
        format!("HEADER RECORD*******{name:<8}HEADER RECORD!!!!!!!{rest:<32}")
    };
    let zeros = "000000000000000000000000000000";
    let mut out = Vec::new();
    for text in [
        head("LIBRARY", zeros),
        format!("{:<8}{:<8}{:<8}{:<8}{:<8}{:<24}{made}", "SAS", "SAS", "SASLIB", "9.4", "", ""),
        made.clone(),
        head("MEMBER", "000000000000000001600000000140"),
        head("DSCRPTR", zeros),
        format!(
            "{:<8}{:<8}{:<8}{:<8}{:<8}{:<24}{made}",
            "SAS",
            table.name(),
            "SASDATA",
            "9.4",
            "",
            ""
        ),
        format!("{made}{:<16}{:<40}{:<8}", "", table.design.label, ""),
        head("NAMESTR", &format!("{:06}{:04}{}", 0, columns.len(), "00000000000000000000")),
    ] {
        out.extend(padded(&text, RECORD));
    }
    let mut position = 0;
    for (n, (column, width)) in columns.iter().zip(&widths).enumerate() {
        out.extend(namestr(column, n + 1, *width, position));
        position += width;
    }
    fill(&mut out);
    out.extend(padded(&head("OBS", zeros), RECORD));
    for row in &table.rows {
        for ((column, width), value) in columns.iter().zip(&widths).zip(row) {
            match value {
                Value::Text(text) => out.extend(padded(text, *width)),
                Value::Integer(n) => out.extend(ibm(*n as f64)),
                Value::Number(x) => out.extend(ibm(*x)),
                Value::Date(day) => out.extend(ibm(days_between(EPOCH, *day) as f64)),
                Value::Missing if column.kind == Kind::Text => out.extend(padded("", *width)),
                Value::Missing => out.extend(MISSING),
            }
        }
    }
    fill(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The way back, for the test alone.
    fn of_ibm(bytes: [u8; 8]) -> f64 {
        let n = u64::from_be_bytes(bytes);
        let power = ((n >> 56) & 127) as i32 - 64;
        let size = (n & ((1 << 56) - 1)) as f64 / (1_u64 << 56) as f64 * 16_f64.powi(power);
        if n >> 63 == 1 { -size } else { size }
    }

    #[test]
    fn numbers_come_back() {
        assert_eq!(ibm(1.0), [0x41, 0x10, 0, 0, 0, 0, 0, 0]);
        assert_eq!(ibm(-118.625), [0xC2, 0x76, 0xA0, 0, 0, 0, 0, 0]);
        for x in [0.1, 1.8, 92.0, -0.3, 1e-7, 24_455.0, 1.0 / 3.0, 5e20] {
            assert_eq!(of_ibm(ibm(x)), x);
        }
        assert_eq!((ibm(f64::NAN), ibm(1e80), ibm(1e-300)), (MISSING, MISSING, [0; 8]));
    }
}
