//! stub
use hepatica_regimen::{Agenda,Course,Protocol,State};
/// t
pub struct Texts;
impl Texts { /// n
 pub fn named(_: &str) -> Result<Self, crate::ReportError> { Ok(Self) } }
/// s
pub fn pdf(_: &Protocol, _: &Course<'_>, _: &State<'_>, _: &Agenda, _: &Texts, _: usize) -> Result<Vec<u8>, crate::ReportError> { Ok(vec![]) }
