//! A table as Parquet: one row group, no compression, a column a column. Texts are UTF-8, whole
//! numbers INT64, numbers DOUBLE, days DATE. Labels are in the file's metadata, `label:NAME`.

use super::{Kind, Table, TableError, Value};
use ::parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::Type;
use hepatica_regimen::course::days_between;
use jiff::civil::{Date, date};
use std::sync::Arc;

/// Day 0 of Parquet's dates.
const EPOCH: Date = date(1970, 1, 1);

/// The table as Parquet.
///
/// # Errors
/// [`TableError::Format`], when the library refuses.
pub fn write(table: &Table) -> Result<Vec<u8>, TableError> {
    bytes(table).map_err(|e| TableError::Format {
        table: table.name(),
        format: "Parquet",
        why: e.to_string(),
    })
}

fn schema(table: &Table) -> Result<Type, ParquetError> {
    let field = |(name, kind): (&str, Kind)| {
        let (physical, logical) = match kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Integer => (Physical::INT64, None),
            Kind::Number => (Physical::DOUBLE, None),
            Kind::Date => (Physical::INT32, Some(LogicalType::Date)),
        };
        let field = Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .with_converted_type(match kind {
                Kind::Text => ConvertedType::UTF8,
                Kind::Date => ConvertedType::DATE,
                _ => ConvertedType::NONE,
            });
        field.build().map(Arc::new)
    };
    let columns = table.design.columns.iter().map(|c| (c.name, c.kind));
    let fields = columns.map(field).collect::<Result<Vec<_>, _>>()?;
    Type::group_type_builder(table.name()).with_fields(fields).build()
}

fn bytes(table: &Table) -> Result<Vec<u8>, ParquetError> {
    let labels = table.design.columns.iter();
    let labels = labels.map(|c| KeyValue::new(format!("label:{}", c.name), c.label.to_owned()));
    let properties = WriterProperties::builder()
        // Not the library's version: the same input gives the same bytes.
        .set_created_by("hepatica".to_owned())
        .set_key_value_metadata(Some(labels.collect()))
        .build();
    let schema = Arc::new(schema(table)?);
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    let mut place = 0;
    while let Some(mut writer) = group.next_column()? {
        let cells = || table.rows.iter().map(|row| &row[place]);
        let levels: Vec<i16> = cells().map(|v| i16::from(*v != Value::Missing)).collect();
        match table.design.columns[place].kind {
            Kind::Text => {
                let values: Vec<ByteArray> = cells().filter_map(text).collect();
                writer.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
            }
            Kind::Integer => {
                let values: Vec<i64> = cells().filter_map(integer).collect();
                writer.typed::<Int64Type>().write_batch(&values, Some(&levels), None)?;
            }
            Kind::Number => {
                let values: Vec<f64> = cells().filter_map(number).collect();
                writer.typed::<DoubleType>().write_batch(&values, Some(&levels), None)?;
            }
            Kind::Date => {
                let values: Vec<i32> = cells().filter_map(day).collect();
                writer.typed::<Int32Type>().write_batch(&values, Some(&levels), None)?;
            }
        }
        writer.close()?;
        place += 1;
    }
    group.close()?;
    file.into_inner()
}

fn text(value: &Value) -> Option<ByteArray> {
    let Value::Text(text) = value else { return None };
    Some(ByteArray::from(text.as_str()))
}

const fn integer(value: &Value) -> Option<i64> {
    let Value::Integer(n) = value else { return None };
    Some(*n)
}

const fn number(value: &Value) -> Option<f64> {
    let Value::Number(x) = value else { return None };
    Some(*x)
}

fn day(value: &Value) -> Option<i32> {
    let Value::Date(day) = value else { return None };
    i32::try_from(days_between(EPOCH, *day)).ok()
}
