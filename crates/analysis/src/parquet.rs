//! A table from Parquet: UTF-8, whole numbers, floating-point numbers and dates, uncompressed or
//! with Snappy.

use crate::error::DataError;
use crate::frame::{Frame, Layout, MAX_ROWS, expected_number, numeric, parse, shown};
use crate::schema::{Cell, Sheet, Used};
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field;
use hepatica_exchange::tables::Value;
use hepatica_regimen::course::plus;
use jiff::civil::{Date, date};
use std::fs::File;

/// Day 0 of Parquet's dates.
const EPOCH: Date = date(1970, 1, 1);
const MS_A_DAY: i64 = 86_400_000;

/// Reads a Parquet file.
///
/// # Errors
/// When it is none, or a column or cell cannot be.
pub fn table(file: &str, sheet: &'static Sheet, from: File) -> Result<Frame, DataError> {
    let refused = |why: String| DataError::Format { file: file.to_owned(), format: "Parquet", why };
    let reader = SerializedFileReader::new(from).map_err(|e| refused(e.to_string()))?;
    let metadata = reader.metadata().file_metadata();
    let found = u64::try_from(metadata.num_rows()).unwrap_or(u64::MAX);
    if found > MAX_ROWS {
        let file = file.to_owned();
        return Err(DataError::TooMuch { file, found, what: "rows", most: MAX_ROWS });
    }
    let fields = metadata.schema_descr().root_schema().get_fields().to_vec();
    let names: Vec<&str> = fields.iter().map(|f| f.name()).collect();
    let layout = Layout::of(file, sheet, &names)?;
    let columns: Vec<_> = layout.columns().collect();
    let mut rows = Vec::new();
    for (n, row) in reader.get_row_iter(None).map_err(|e| refused(e.to_string()))?.enumerate() {
        let row = row.map_err(|e| refused(e.to_string()))?;
        let fields: Vec<&Field> = row.get_column_iter().map(|(_, field)| field).collect();
        let cell = |(used, place): &(&'static Used, Option<usize>)| {
            let Some(field) = place.and_then(|p| fields.get(p)) else { return Ok(Value::Missing) };
            value(field, used, &layout, n + 2)
        };
        rows.push((n + 2, columns.iter().map(cell).collect::<Result<Vec<_>, _>>()?));
    }
    let mut frame = layout.frame();
    for (number, cells) in rows {
        frame.push(number, cells)?;
    }
    Ok(frame)
}

fn value(field: &Field, used: &Used, layout: &Layout, row: usize) -> Result<Value, DataError> {
    let wrong = |expected: &str| DataError::Cell {
        place: layout.place(row, used.name),
        found: shown(&field.to_string()),
        expected: expected.to_owned(),
    };
    let day = |days: i64| Value::Date(plus(EPOCH, days));
    let number = |x: f64| match used.cell {
        Cell::Integer | Cell::Number => {
            numeric(x, used.cell).ok_or_else(|| wrong(expected_number(used.cell)))
        }
        Cell::Date => Err(wrong("a column of dates")),
        _ => Err(wrong("a column of texts")),
    };
    match (field, used.cell) {
        (Field::Null, _) => Ok(Value::Missing),
        (Field::Str(text), _) => parse(text, used, || layout.place(row, used.name)),
        (Field::Bool(yes), Cell::Flag) => Ok(Value::from(if *yes { "Y" } else { "N" })),
        (Field::Date(days), Cell::Date) => Ok(day(i64::from(*days))),
        (Field::TimestampMillis(ms), Cell::Date) => Ok(day(ms.div_euclid(MS_A_DAY))),
        (Field::TimestampMicros(us), Cell::Date) => Ok(day(us.div_euclid(1000 * MS_A_DAY))),
        (Field::Byte(n), _) => number(f64::from(*n)),
        (Field::Short(n), _) => number(f64::from(*n)),
        (Field::Int(n), _) => number(f64::from(*n)),
        (Field::Long(n), _) => number(*n as f64),
        (Field::UByte(n), _) => number(f64::from(*n)),
        (Field::UShort(n), _) => number(f64::from(*n)),
        (Field::UInt(n), _) => number(f64::from(*n)),
        (Field::Float(x), _) => number(f64::from(*x)),
        // pandas writes whole numbers with gaps as floating-point numbers, NaN where one is missing.
        (Field::Double(x), _) if x.is_nan() => Ok(Value::Missing),
        (Field::Double(x), _) => number(*x),
        _ => Err(wrong("texts, numbers or dates")),
    }
}
