//! Virtual patients as Parquet, a row each, written as they come: memory does not grow with their number.

use crate::outcome::Outcome;
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use std::io::Write;
use std::sync::Arc;

/// Rows of a row group.
const GROUP: usize = 1 << 17;

type Whole = fn(&Outcome) -> i32;

/// Columns of whole numbers, after `arm`, `draw` and `patient`; days count from C1D1.
const COLUMNS: &[(&str, Whole)] = &[
    ("who_grade", |o| o.grade.into()),
    ("pancreatic", |o| o.pancreatic.into()),
    ("female", |o| o.female.into()),
    ("disease_elsewhere", |o| o.elsewhere.into()),
    ("bilobar", |o| o.bilobar.into()),
    ("mgmt_low", |o| o.mgmt_low.into()),
    ("pfs_day", |o| o.pfs.day.into()),
    ("pfs_event", |o| o.pfs.event.into()),
    ("hepatic_pfs_day", |o| o.hepatic_pfs.day.into()),
    ("hepatic_pfs_event", |o| o.hepatic_pfs.event.into()),
    ("first_event_day", |o| o.first.0.into()),
    ("first_event", |o| o.first.1.into()),
    ("best_liver", |o| o.best[0] as i32),
    ("best_elsewhere", |o| o.best[1] as i32),
    ("best_all", |o| o.best[2] as i32),
    ("confirmed_liver", |o| o.confirmed[0].into()),
    ("liver_change_percent", |o| o.liver_change_percent.into()),
    ("response_day", |o| o.response_day.into()),
    ("neutrophils_grade", |o| o.blood_grade[0].into()),
    ("platelets_grade", |o| o.blood_grade[1].into()),
    ("lymphocytes_grade", |o| o.blood_grade[2].into()),
    ("other_grade", |o| o.other_grade.into()),
    ("liver_toxicity", |o| o.liver_toxicity[0].into()),
    ("liver_late", |o| o.liver_toxicity[1].into()),
    ("suitable", |o| o.suitable.into()),
    ("sessions", |o| o.sessions.into()),
    ("session_day", |o| o.session_day.into()),
    ("session_platelets", |o| o.session_platelets.into()),
    ("overlap_capecitabine_permille", |o| o.overlap[0].into()),
    ("overlap_temozolomide_permille", |o| o.overlap[1].into()),
    ("cycles", |o| o.cycles.into()),
    ("waits", |o| o.waits.into()),
    ("reductions", |o| o.reductions.into()),
    ("intensity_capecitabine_percent", |o| o.intensity_percent[0].into()),
    ("intensity_temozolomide_percent", |o| o.intensity_percent[1].into()),
    ("end_day", |o| o.ended.into()),
    ("end", |o| o.end as i32),
];

/// A file in the making.
pub struct Rows<W: Write + Send> {
    file: SerializedFileWriter<W>,
    arms: Vec<String>,
    waiting: Vec<(usize, u64, Outcome)>,
}

impl<W: Write + Send> Rows<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(to: W, arms: Vec<String>) -> Result<Self, ParquetError> {
        let field = |name: &str, physical, logical| {
            Type::primitive_type_builder(name, physical)
                .with_repetition(Repetition::REQUIRED)
                .with_logical_type(logical)
                .build()
                .map(Arc::new)
        };
        let mut fields = vec![
            field("arm", Physical::BYTE_ARRAY, Some(LogicalType::String))?,
            field("draw", Physical::INT32, None)?,
            field("patient", Physical::INT64, None)?,
        ];
        for (name, _) in COLUMNS {
            fields.push(field(name, Physical::INT32, None)?);
        }
        let schema = Arc::new(Type::group_type_builder("patients").with_fields(fields).build()?);
        let properties = WriterProperties::builder()
            // Not the library's version: the same patients give the same bytes.
            .set_created_by("hepatica".to_owned())
            .set_compression(Compression::SNAPPY)
            .build();
        let file = SerializedFileWriter::new(to, schema, Arc::new(properties))?;
        Ok(Self { file, arms, waiting: Vec::with_capacity(GROUP) })
    }

    /// Adds patients of an arm and a draw.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn add(&mut self, arm: usize, draw: u64, outcomes: &[Outcome]) -> Result<(), ParquetError> {
        for o in outcomes {
            self.waiting.push((arm, draw, *o));
            if self.waiting.len() == GROUP {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        let mut place = 0;
        while let Some(mut column) = group.next_column()? {
            match place {
                0 => {
                    let names: Vec<ByteArray> =
                        self.arms.iter().map(|a| ByteArray::from(a.as_str())).collect();
                    let values: Vec<ByteArray> =
                        self.waiting.iter().map(|(arm, ..)| names[*arm].clone()).collect();
                    column.typed::<ByteArrayType>().write_batch(&values, None, None)?;
                }
                1 => {
                    let values: Vec<i32> = self.waiting.iter().map(|w| w.1 as i32).collect();
                    column.typed::<Int32Type>().write_batch(&values, None, None)?;
                }
                2 => {
                    let values: Vec<i64> =
                        self.waiting.iter().map(|w| w.2.patient as i64).collect();
                    column.typed::<Int64Type>().write_batch(&values, None, None)?;
                }
                _ => {
                    let of = COLUMNS[place - 3].1;
                    let values: Vec<i32> = self.waiting.iter().map(|w| of(&w.2)).collect();
                    column.typed::<Int32Type>().write_batch(&values, None, None)?;
                }
            }
            column.close()?;
            place += 1;
        }
        group.close()?;
        self.waiting.clear();
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When the rest cannot be written.
    pub fn finish(mut self) -> Result<(), ParquetError> {
        self.flush()?;
        self.file.close().map(|_| ())
    }
}
