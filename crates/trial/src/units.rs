//! Work units and their counts as Parquet: what goes to other machines, and what comes back.
//!
//! Units are rows `scenario, draw, first, patients, half`, a few to a file, so that an engine that shares out
//! files shares out work; counts are rows `draw, half, place, count`, added up, without zeros.

use crate::job::{Job, Unit};
use crate::sweep::Count;
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{ChunkReader, FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;
use std::io::Write;
use std::sync::Arc;
use thiserror::Error;

/// Columns of the table of units.
pub const UNIT_COLUMNS: [&str; 5] = ["scenario", "draw", "first", "patients", "half"];
/// Columns of the table of counts.
pub const COUNT_COLUMNS: [&str; 4] = ["draw", "half", "place", "count"];

/// Longest scenario that is kept once a file instead of once a row: more than any has.
const SCENARIO_BYTES: usize = 64 << 20;

/// Why a table cannot be written or read.
#[derive(Debug, Error)]
pub enum UnitsError {
    /// The file.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    /// A table of something else.
    #[error("a table with the columns {found}, expected {expected}")]
    Columns {
        /// Its columns.
        found: String,
        /// Those of the table.
        expected: String,
    },
    /// A row that is not of the job.
    #[error("counts with draw {draw}, half {half}, place {place}, count {count}: not of this job")]
    Row {
        /// Of it.
        draw: i64,
        /// Of it.
        half: i32,
        /// Of it.
        place: i32,
        /// Of it.
        count: i64,
    },
}

/// Writes units of a scenario.
///
/// # Errors
/// When they cannot be written.
pub fn write_units<W: Write + Send>(
    to: W,
    scenario: &str,
    units: &[Unit],
) -> Result<(), UnitsError> {
    let schema = schema(
        "units",
        &UNIT_COLUMNS,
        [Physical::BYTE_ARRAY, Physical::INT64, Physical::INT64, Physical::INT64, Physical::INT32],
    )?;
    let mut file = SerializedFileWriter::new(to, schema, properties())?;
    let mut group = file.next_row_group()?;
    let text = ByteArray::from(scenario.as_bytes().to_vec());
    column::<ByteArrayType, _>(&mut group.next_column()?, units, |_| text.clone())?;
    column::<Int64Type, _>(&mut group.next_column()?, units, |u| u.draw as i64)?;
    column::<Int64Type, _>(&mut group.next_column()?, units, |u| u.first as i64)?;
    column::<Int64Type, _>(&mut group.next_column()?, units, |u| u.patients as i64)?;
    column::<Int32Type, _>(&mut group.next_column()?, units, |u| u.half.into())?;
    group.close()?;
    file.close()?;
    Ok(())
}

/// Writes counts.
///
/// # Errors
/// When they cannot be written.
pub fn write_counts<W: Write + Send>(to: W, counts: &[Count]) -> Result<(), UnitsError> {
    let schema = schema(
        "counts",
        &COUNT_COLUMNS,
        [Physical::INT64, Physical::INT32, Physical::INT32, Physical::INT64],
    )?;
    let mut file = SerializedFileWriter::new(to, schema, properties())?;
    let mut group = file.next_row_group()?;
    column::<Int64Type, _>(&mut group.next_column()?, counts, |c| c.draw as i64)?;
    column::<Int32Type, _>(&mut group.next_column()?, counts, |c| c.half.into())?;
    column::<Int32Type, _>(&mut group.next_column()?, counts, |c| c.place as i32)?;
    column::<Int64Type, _>(&mut group.next_column()?, counts, |c| c.count as i64)?;
    group.close()?;
    file.close()?;
    Ok(())
}

/// Reads counts of a job. Each row is held against it; sizes are bounded by it, not by the file.
///
/// # Errors
/// When it is no such table, or a row is not of the job.
pub fn read_counts<R: ChunkReader + 'static>(from: R, job: &Job) -> Result<Vec<Count>, UnitsError> {
    let reader = SerializedFileReader::new(from)?;
    let fields = reader.metadata().file_metadata().schema().get_fields().to_vec();
    let names: Vec<&str> = fields.iter().map(|f| f.name()).collect();
    if names != COUNT_COLUMNS {
        let (found, expected) = (names.join(", "), COUNT_COLUMNS.join(", "));
        return Err(UnitsError::Columns { found, expected });
    }
    let most = job.counts() as u64 * 2 * job.draws;
    let mut counts = Vec::new();
    for n in 0..reader.num_row_groups() {
        let group = reader.get_row_group(n)?;
        let rows = u64::try_from(group.metadata().num_rows()).unwrap_or(u64::MAX);
        if rows.saturating_add(counts.len() as u64) > most {
            return Err(ParquetError::General(format!("more than {most} rows")).into());
        }
        let rows = rows as usize;
        let draws = values::<Int64Type>(group.as_ref(), 0, rows)?;
        let halves = values::<Int32Type>(group.as_ref(), 1, rows)?;
        let places = values::<Int32Type>(group.as_ref(), 2, rows)?;
        let numbers = values::<Int64Type>(group.as_ref(), 3, rows)?;
        for (((draw, half), place), count) in draws.into_iter().zip(halves).zip(places).zip(numbers)
        {
            let refused = UnitsError::Row { draw, half, place, count };
            let row = (u64::try_from(draw), u8::try_from(half), u32::try_from(place));
            let (Ok(draw), Ok(half), Ok(place), Ok(count)) =
                (row.0, row.1, row.2, u64::try_from(count))
            else {
                return Err(refused);
            };
            if draw >= job.draws || half > 1 || place as usize >= job.counts() {
                return Err(refused);
            }
            counts.push(Count { draw, half, place, count });
        }
    }
    Ok(counts)
}

fn schema<const N: usize>(
    name: &str,
    columns: &[&str; N],
    physical: [Physical; N],
) -> Result<Arc<Type>, ParquetError> {
    let fields = columns
        .iter()
        .zip(physical)
        .map(|(column, physical)| {
            Type::primitive_type_builder(column, physical)
                .with_repetition(Repetition::REQUIRED)
                .with_logical_type(
                    (physical == Physical::BYTE_ARRAY).then_some(LogicalType::String),
                )
                .build()
                .map(Arc::new)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Type::group_type_builder(name).with_fields(fields).build()?))
}

fn properties() -> Arc<WriterProperties> {
    let properties = WriterProperties::builder()
        .set_created_by("hepatica".to_owned())
        .set_dictionary_page_size_limit(SCENARIO_BYTES)
        .set_compression(Compression::SNAPPY);
    Arc::new(properties.build())
}

fn column<T: DataType, V>(
    to: &mut Option<SerializedColumnWriter<'_>>,
    rows: &[V],
    of: impl Fn(&V) -> T::T,
) -> Result<(), ParquetError> {
    let mut to = to.take().ok_or_else(|| ParquetError::General("a column too few".to_owned()))?;
    let values: Vec<T::T> = rows.iter().map(of).collect();
    to.typed::<T>().write_batch(&values, None, None)?;
    to.close()
}

fn values<T: DataType>(
    group: &dyn RowGroupReader,
    place: usize,
    rows: usize,
) -> Result<Vec<T::T>, ParquetError> {
    let wrong = || ParquetError::General(format!("column {place} is of another type or length"));
    let column = group.metadata().column(place).column_descr_ptr();
    let required = column.max_def_level() == 0 && column.max_rep_level() == 0;
    if column.physical_type() != T::get_physical_type() || !required {
        return Err(wrong());
    }
    let pages = group.get_column_page_reader(place)?;
    let mut reader = ColumnReaderImpl::<T>::new(column, pages);
    let mut values = Vec::new();
    let (records, ..) = reader.read_records(rows, None, None, &mut values)?;
    if records != rows || values.len() != rows { Err(wrong()) } else { Ok(values) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::tests::scenario;
    use bytes::Bytes;
    use std::ops::ControlFlow;

    /// What was counted is found again in a table.
    #[test]
    fn counts_are_read_as_they_were_written() {
        let job = scenario().job().expect("a job");
        let (whole, _) = job.run(false, |_, _| ControlFlow::Continue(()));
        let counts = job.counts_of(0, &whole);
        let mut file = Vec::new();
        write_counts(&mut file, &counts).expect("written");
        let read = read_counts(Bytes::from(file), &job).expect("read");
        assert_eq!(read, counts);
        assert_eq!(job.draws_of(0..job.draws, read).expect("draws"), whole);
    }

    #[test]
    fn what_is_no_table_of_counts_is_refused() {
        let job = scenario().job().expect("a job");
        let said = |bytes: Vec<u8>| {
            read_counts(Bytes::from(bytes), &job).expect_err("refused").to_string()
        };
        let mut units = Vec::new();
        write_units(&mut units, "{}", &job.units()).expect("written");
        assert!(said(units).contains("scenario, draw, first"));
        let with = |count: Count| {
            let mut file = Vec::new();
            write_counts(&mut file, &[count]).expect("written");
            said(file)
        };
        let good = Count { draw: 0, half: 0, place: 0, count: 1 };
        assert!(with(Count { draw: 3, ..good }).contains("draw 3"));
        assert!(with(Count { half: 2, ..good }).contains("half 2"));
        assert!(with(Count { place: job.counts() as u32, ..good }).contains("not of this job"));
        said(b"PAR1PAR1".to_vec());
        said(Vec::new());
    }
}
