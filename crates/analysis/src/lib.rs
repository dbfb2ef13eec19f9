//! A trial's data: read, checked, monitored and analysed.
//!
//! | module | holds |
//! |---|---|
//! | [`schema`] | which tables and columns are read |
//! | [`mod@read`], [`frame`] | files to cells, each with its place |
//! | [`mod@load`] | a folder of tables or of courses to a trial |
//! | [`data`] | what the tables say of every patient, checked |
//!
//! The tables are those that `hepatica course export --format csv` writes. Bad input is one
//! sentence with file, row and column. Statistics are those of `hepatica-statistics`; nothing here
//! knows of pictures or pages.

pub mod data;
pub mod error;
pub mod frame;
pub mod load;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod read;
pub mod schema;

pub use data::Trial;
pub use error::DataError;
pub use load::load;
