//! A trial's data: read, checked, monitored and analysed.
//!
//! | module | holds |
//! |---|---|
//! | [`schema`] | which tables and columns are read |
//! | [`mod@read`], [`frame`], `parquet` | files to cells, each with its place |
//! | [`mod@load`] | a folder of tables or of courses to a trial |
//! | [`data`] | what the tables say of every patient, checked |
//! | [`mod@monitor`] | the trial as it stands: from the next five |
//! | [`accrual`], [`feasibility`] | who came, and got how far |
//! | [`toxicity`], [`stopping`] | worst grades by window; the rule that stops the trial |
//! | [`due`] | who is due, and what was missed |
//! | [`mod@analyze`] | the trial's answer: from the above and the next three |
//! | [`response`], [`survival`] | best responses; times to events by arm, competing risks |
//! | [`lesions`] | dose and response of lesions |
//! | [`share`], [`settings`] | shares with intervals; what was reckoned with, and where it is from |
//!
//! The tables are those that `hepatica course export --format csv` writes. Bad input is one
//! sentence with file, row and column. Statistics are those of `hepatica-statistics`; nothing here
//! knows of pictures or pages.

pub mod accrual;
pub mod analyze;
pub mod data;
pub mod due;
pub mod error;
pub mod feasibility;
pub mod frame;
pub mod lesions;
pub mod load;
pub mod monitor;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod read;
pub mod response;
pub mod schema;
pub mod settings;
pub mod share;
pub mod stopping;
pub mod survival;
pub mod toxicity;

pub use analyze::{Analysis, analyze};
pub use data::{Said, Trial};
pub use error::{AnalysisError, DataError};
pub use load::load;
pub use monitor::{Monitor, monitor};

/// What the answers may be used for.
pub const NOTICE: &str = "Research use only. A qualified person must check every number.";
