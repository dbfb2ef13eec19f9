//! Protocols and courses in the forms that other systems read.
//!
//! | module | writes |
//! |---|---|
//! | [`ical`] | the days of a course as iCalendar |
//! | [`fhir`] | a protocol as PlanDefinition, a course as a bundle of FHIR R4 |
//! | [`usdm`] | a protocol's schedule of activities as CDISC USDM v4 |
//!
//! Everything is reckoned from the protocol, the course and its agenda; nothing is decided here. The same
//! input gives the same bytes. No format holds everything: `docs/exchange.md` says what is lost.

pub mod fhir;
pub mod ical;
pub mod usdm;
