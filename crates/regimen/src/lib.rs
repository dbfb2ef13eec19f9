//! The regimen: protocol as data, its calendar, and when each drug is taken.
//!
//! | module | holds |
//! |---|---|
//! | [`protocol`] | cycles, drugs, procedures with windows: `protocols/*.toml` |
//! | [`calendar`] | a protocol on real dates, from the first day of the first cycle |
//! | [`measure`] | what can be measured on a patient: names, units, what is possible |
//! | [`ctcae`] | grades of laboratory values, and the toxicities that a person grades |
//! | [`response`] | scans to response and progression: RECIST 1.1, mRECIST, by region |
//! | [`dose`] | body surface, levels, adjustments, tablets, with the reason on every line |
//! | [`exposure`] | fraction of the absorbed dose delivered while each drug is taken |
//! | [`site`] | on which days a hospital can do what: `sites/*.toml` |
//! | [`strict`] | TOML that a person writes, read strictly |
//!
//! The regimen counts civil days; decay counts instants. They meet in [`exposure`] and nowhere
//! else. Knows nothing of images and dose maps.

pub mod calendar;
pub mod dose;
pub mod ctcae;
pub mod exposure;
pub mod measure;
pub mod protocol;
pub mod response;
pub mod site;
pub mod strict;

pub use calendar::{Calendar, CycleDay};
pub use protocol::{Drug, Procedure, ProcedureKind, Protocol, ProtocolError, Window};
