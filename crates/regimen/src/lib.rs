//! The regimen: protocol as data, a course as a fold of what happened, gates that explain
//! themselves, and one function that says what is due.
//!
//! | module | holds |
//! |---|---|
//! | [`protocol`] | cycles, drugs, procedures, gates, rules: `protocols/*.toml` |
//! | [`calendar`] | a protocol on real dates |
//! | [`event`], [`log`] | what can be recorded of a course, and the file it is kept in |
//! | [`desk`] | what a person says of a course, checked before it is recorded |
//! | [`course`] | the fold: what the events say, in any order of arrival |
//! | [`state`] | where a course stands: cycles, doses, procedures |
//! | [`mod@next`] | what is due, allowed, held, and why |
//! | [`gate`], [`evidence`] | criteria held against what is known on a day |
//! | [`measure`] | what can be measured on a patient: names, units, what is possible |
//! | [`ctcae`] | grades of laboratory values, and the toxicities that a person grades |
//! | [`response`] | scans to response and progression: RECIST 1.1, mRECIST, by region |
//! | [`outcome`] | response and endpoints of a course |
//! | [`endpoint`] | progression-free survival and its kin, from facts and rules |
//! | [`dose`] | body surface, levels, adjustments, tablets, with the reason on every line |
//! | [`exposure`] | fraction of the absorbed dose delivered while each drug is taken |
//! | [`propose`] | first days on which a regimen can start at a site, best first, with reasons |
//! | [`site`] | on which days a hospital can do what: `sites/*.toml` |
//! | [`strict`] | TOML that a person writes, read strictly |
//!
//! The regimen counts civil days; decay counts instants. They meet in [`exposure`] and nowhere
//! else. Knows nothing of images and dose maps.

pub mod calendar;
pub mod course;
pub mod ctcae;
pub mod desk;
pub mod dose;
pub mod endpoint;
pub mod event;
pub mod evidence;
pub mod exposure;
pub mod gate;
pub mod log;
pub mod measure;
pub mod next;
pub mod outcome;
pub mod propose;
pub mod protocol;
pub mod response;
pub mod site;
pub mod state;
pub mod strict;

pub use calendar::{Calendar, CycleDay};
pub use course::Course;
pub use event::{Event, EventId, Fact};
pub use log::Log;
pub use next::{Agenda, next};
pub use protocol::{Drug, Procedure, ProcedureKind, Protocol, ProtocolError, Window};
pub use state::State;
