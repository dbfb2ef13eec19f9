//! stub
use hepatica_regimen::{Agenda,Course,Protocol,State};
/// s
pub fn svg(_: &Protocol, _: &Course<'_>, _: &State<'_>, _: &Agenda) -> String { String::new() }
/// s
pub fn png(_: &Protocol, _: &Course<'_>, _: &State<'_>, _: &Agenda) -> Result<Vec<u8>, crate::ReportError> { Ok(vec![]) }
