//! Protocols and courses in the forms that other systems read.
//!
//! | module | writes |
//! |---|---|
//! | [`ical`] | the days of a course as iCalendar |
//! | [`fhir`] | a protocol as PlanDefinition, a course as a bundle of FHIR R4 |
//! | [`forms`] | the forms behind the next two |
//! | [`odm`] | a protocol and the event log of its courses as CDISC ODM 1.3.2 |
//! | [`redcap`] | a REDCap data dictionary, courses as its records, and records as events |
//! | [`tables`] | courses as SDTM-like and ADaM-like tables: CSV, Parquet, SAS transport |
//! | [`usdm`] | a protocol's schedule of activities as CDISC USDM v4 |
//!
//! Everything is reckoned from the protocol, the course and its agenda; nothing is decided here. The same
//! input gives the same bytes. No format holds everything: `docs/exchange.md` says what is lost.

mod codes;
pub mod fhir;
pub mod forms;
pub mod ical;
mod ids;
pub mod odm;
pub mod redcap;
mod schedule;
mod stamp;
pub mod tables;
pub mod usdm;
mod words;

pub use schedule::CYCLES;
pub use stamp::Stamp;

use hepatica_regimen::measure::Measure;
use thiserror::Error;

/// Where names of ours are defined: extensions, canonical addresses, code systems.
pub const CANONICAL: &str = "https://hepatica.example/fhir";

/// A measure's name for people; its identifier where there is none of that name.
pub(crate) fn measure_name(id: &str) -> &str {
    Measure::find(id).map_or(id, |m| m.name.as_str())
}

/// Why something cannot be exported.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExchangeError {
    /// Its schedule is longer than any trial's.
    #[error(
        "protocol {protocol}: its schedule has more than {most} entries; write out fewer cycles or look for a slip in every_days"
    )]
    TooMany {
        /// Identifier of the protocol.
        protocol: String,
        /// Most entries.
        most: usize,
    },
}
