//! CDISC ODM 1.3.2: a protocol as metadata, the event log of courses as clinical data.
//!
//! The forms are those of [`crate::forms`]. Study events are the time before the first cycle and the
//! cycles. The file is transactional: every event of the log is an item group with a transaction and
//! an audit record that says who, when in UTC, why, and which event it was; a correction is an update
//! of what it corrects, or its removal. The order of the file is that of the log.
//!
//! The text of a protocol is not carried, its hash is; a migration is left out and said.

use crate::forms::{Cells, Envelope, Field, FieldKind, Form, Forms, write_envelope};
use hepatica_regimen::event::{Event, EventId, Fact};
use hepatica_regimen::{Course, Protocol, State};
use jiff::Timestamp;
use jiff::tz::Offset;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event as Xml};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use thiserror::Error;

/// ODM's namespace.
const NAMESPACE: &str = "http://www.cdisc.org/ns/odm/v1.3";
/// Corrections of corrections that are followed.
const MAX_CHAIN: usize = 64;

/// Why there is no file.
#[derive(Debug, Error)]
pub enum OdmError {
    /// The writer failed.
    #[error("ODM: cannot be written ({0})")]
    Xml(#[from] io::Error),
    /// One patient twice.
    #[error("two logs are of patient {patient}; give each once")]
    Twice {
        /// The patient.
        patient: String,
    },
}

/// A course with its log.
#[derive(Debug, Clone, Copy)]
pub struct Logged<'a> {
    /// The course, for its patient.
    pub course: &'a Course<'a>,
    /// Where it stood, for the cycles.
    pub state: &'a State<'a>,
    /// Its log, in the order of its recording.
    pub events: &'a [(&'a EventId, &'a Event)],
}

/// A file as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Odm {
    /// The file.
    pub xml: Vec<u8>,
    /// What could not be written, in words.
    pub left_out: Vec<String>,
}

/// A protocol's metadata alone. `created` is in the file: the same time gives the same bytes.
///
/// # Errors
/// When memory cannot be written.
pub fn metadata(protocol: &Protocol, created: Timestamp) -> Result<Vec<u8>, OdmError> {
    let mut x = Out::new(protocol)?;
    x.root("Snapshot", Some("Metadata"), created)?;
    x.study()?;
    x.close("ODM")?;
    Ok(x.writer.into_inner())
}

/// A protocol and the logs of its courses. `site` is the name of where the data are from.
///
/// # Errors
/// When a patient is there twice, or memory cannot be written.
pub fn transactions(
    protocol: &Protocol,
    courses: &[Logged<'_>],
    site: &str,
    created: Timestamp,
) -> Result<Odm, OdmError> {
    let mut seen = BTreeSet::new();
    for c in courses {
        if !seen.insert(c.course.patient) {
            return Err(OdmError::Twice { patient: c.course.patient.to_owned() });
        }
    }
    let mut x = Out::new(protocol)?;
    x.root("Transactional", None, created)?;
    x.study()?;
    let people: BTreeSet<&str> =
        courses.iter().flat_map(|c| c.events.iter().map(|(_, e)| e.by.as_str())).collect();
    let users: BTreeMap<&str, String> =
        people.into_iter().enumerate().map(|(n, by)| (by, format!("U.{}", n + 1))).collect();
    let first = courses.iter().flat_map(|c| c.events.iter().map(|(_, e)| e.recorded)).min();
    x.admin(&users, site, first.unwrap_or(created))?;
    let (study, version) = (x.study.clone(), x.version.clone());
    x.open("ClinicalData", &[("StudyOID", &study), ("MetaDataVersionOID", &version)])?;
    let mut left_out = Vec::new();
    for c in courses {
        x.subject(c, &users, &mut left_out)?;
    }
    x.close("ClinicalData")?;
    x.close("ODM")?;
    Ok(Odm { xml: x.writer.into_inner(), left_out })
}

/// Identifier of the study event of a day, and its repeat key.
fn study_event(c: &Logged<'_>, event: &Event) -> (&'static str, Option<String>) {
    match c.state.cycle_day(event.on) {
        Some((cycle, _)) => ("SE.CYCLE", Some(cycle.number.to_string())),
        None => ("SE.BEFORE", None),
    }
}

/// Where a fact is in the file.
struct Place<'a> {
    event: (&'static str, Option<String>),
    form: &'a Form,
    repeat: usize,
    /// What stands there; none: removed.
    cells: Option<Cells>,
}

struct Out<'a> {
    writer: Writer<Vec<u8>>,
    protocol: &'a Protocol,
    forms: Forms,
    study: String,
    version: String,
}

impl<'a> Out<'a> {
    fn new(protocol: &'a Protocol) -> Result<Self, OdmError> {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 1);
        writer.write_event(Xml::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let study = protocol.registry.as_deref().unwrap_or(&protocol.id);
        Ok(Self {
            writer,
            protocol,
            forms: Forms::of(protocol),
            study: format!("S.{study}"),
            version: format!("V.{}.{}", protocol.id, protocol.version),
        })
    }

    fn start(name: &'static str, attributes: &[(&str, &str)]) -> BytesStart<'static> {
        let mut start = BytesStart::new(name);
        for (key, value) in attributes {
            start.push_attribute((*key, lawful(value).as_str()));
        }
        start
    }

    fn open(&mut self, name: &'static str, attributes: &[(&str, &str)]) -> Result<(), OdmError> {
        Ok(self.writer.write_event(Xml::Start(Self::start(name, attributes)))?)
    }

    fn close(&mut self, name: &'static str) -> Result<(), OdmError> {
        Ok(self.writer.write_event(Xml::End(BytesEnd::new(name)))?)
    }

    fn empty(&mut self, name: &'static str, attributes: &[(&str, &str)]) -> Result<(), OdmError> {
        Ok(self.writer.write_event(Xml::Empty(Self::start(name, attributes)))?)
    }

    fn text(
        &mut self,
        name: &'static str,
        attributes: &[(&str, &str)],
        text: &str,
    ) -> Result<(), OdmError> {
        self.open(name, attributes)?;
        self.writer.write_event(Xml::Text(BytesText::new(&lawful(text))))?;
        self.close(name)
    }

    /// A text in English inside another element.
    fn words(&mut self, name: &'static str, text: &str) -> Result<(), OdmError> {
        self.open(name, &[])?;
        self.text("TranslatedText", &[("xml:lang", "en")], text)?;
        self.close(name)
    }

    fn root(
        &mut self,
        kind: &str,
        granularity: Option<&str>,
        created: Timestamp,
    ) -> Result<(), OdmError> {
        let made = utc(created);
        let file = format!("{}.{}.{made}", self.study, kind);
        let mut attributes = vec![
            ("xmlns", NAMESPACE),
            ("ODMVersion", "1.3.2"),
            ("FileType", kind),
            ("FileOID", &file),
            ("CreationDateTime", &made),
            ("SourceSystem", "Hepatica"),
        ];
        attributes.extend(granularity.map(|g| ("Granularity", g)));
        self.open("ODM", &attributes)
    }

    // ---- metadata --------------------------------------------------------------------------------

    fn study(&mut self) -> Result<(), OdmError> {
        let p = self.protocol;
        let (study, version) = (self.study.clone(), self.version.clone());
        let forms = self.forms.clone();
        self.open("Study", &[("OID", &study)])?;
        self.open("GlobalVariables", &[])?;
        self.text("StudyName", &[], p.registry.as_deref().unwrap_or(&p.id))?;
        self.text("StudyDescription", &[], &format!("{} ({})", p.name, p.source))?;
        self.text("ProtocolName", &[], &p.name)?;
        self.close("GlobalVariables")?;
        let fields = || forms.forms.iter().flat_map(|f| &f.fields).filter(|f| !f.audit);
        let units: BTreeSet<&str> = fields().filter_map(unit).collect();
        self.open("BasicDefinitions", &[])?;
        for unit in units {
            self.open("MeasurementUnit", &[("OID", &unit_oid(unit)), ("Name", unit)])?;
            self.words("Symbol", unit)?;
            self.close("MeasurementUnit")?;
        }
        self.close("BasicDefinitions")?;
        let name = format!("{} version {}", p.name, p.version);
        self.open("MetaDataVersion", &[("OID", &version), ("Name", &name)])?;
        self.open("Protocol", &[])?;
        for (n, oid) in ["SE.BEFORE", "SE.CYCLE"].into_iter().enumerate() {
            let number = (n + 1).to_string();
            self.empty(
                "StudyEventRef",
                &[("StudyEventOID", oid), ("OrderNumber", &number), ("Mandatory", "Yes")],
            )?;
        }
        self.close("Protocol")?;
        let cycle = format!("Cycle of {} days, {}", p.cycle.days, p.duration());
        for (oid, name, repeating) in
            [("SE.BEFORE", "Before cycle 1", "No"), ("SE.CYCLE", cycle.as_str(), "Yes")]
        {
            self.open(
                "StudyEventDef",
                &[("OID", oid), ("Name", name), ("Repeating", repeating), ("Type", "Scheduled")],
            )?;
            for (n, form) in forms.forms.iter().enumerate() {
                let (oid, number) = (format!("F.{}", form.id), (n + 1).to_string());
                self.empty(
                    "FormRef",
                    &[("FormOID", &oid), ("OrderNumber", &number), ("Mandatory", "No")],
                )?;
            }
            self.close("StudyEventDef")?;
        }
        for form in &forms.forms {
            let repeating = if form.repeating { "Yes" } else { "No" };
            let (oid, group) = (format!("F.{}", form.id), format!("IG.{}", form.id));
            self.open("FormDef", &[("OID", &oid), ("Name", form.name), ("Repeating", repeating)])?;
            self.empty("ItemGroupRef", &[("ItemGroupOID", &group), ("Mandatory", "Yes")])?;
            self.close("FormDef")?;
        }
        for form in &forms.forms {
            let group = format!("IG.{}", form.id);
            self.open(
                "ItemGroupDef",
                &[("OID", &group), ("Name", form.name), ("Repeating", "No")],
            )?;
            for (n, field) in form.fields.iter().filter(|f| !f.audit).enumerate() {
                let (item, number) = (item_oid(field), (n + 1).to_string());
                // A field that is asked for only sometimes is not mandatory here.
                let must = if field.required && field.when.is_none() { "Yes" } else { "No" };
                self.empty(
                    "ItemRef",
                    &[("ItemOID", &item), ("OrderNumber", &number), ("Mandatory", must)],
                )?;
            }
            self.close("ItemGroupDef")?;
        }
        for field in fields() {
            self.item(field)?;
        }
        for field in fields() {
            self.codes(field)?;
        }
        self.close("MetaDataVersion")?;
        self.close("Study")
    }

    fn item(&mut self, field: &Field) -> Result<(), OdmError> {
        let oid = item_oid(field);
        let mut attributes = vec![("OID", oid.as_str()), ("Name", field.id.as_str())];
        attributes.extend::<&[_]>(match &field.kind {
            FieldKind::Text => &[("DataType", "text"), ("Length", "1000")],
            FieldKind::Notes => &[("DataType", "text"), ("Length", "65536")],
            FieldKind::Date => &[("DataType", "date")],
            FieldKind::Time => &[("DataType", "time")],
            FieldKind::Number { .. } => {
                &[("DataType", "float"), ("Length", "24"), ("SignificantDigits", "17")]
            }
            FieldKind::YesNo => &[("DataType", "integer"), ("Length", "1")],
            FieldKind::Choice(_) => &[("DataType", "text"), ("Length", "100")],
        });
        self.open("ItemDef", &attributes)?;
        let note = if field.note.is_empty() { String::new() } else { format!(" ({})", field.note) };
        self.words("Question", &format!("{}{note}", field.label))?;
        match &field.kind {
            FieldKind::Number { unit, range } => {
                if !unit.is_empty() {
                    let oid = unit_oid(unit);
                    self.empty("MeasurementUnitRef", &[("MeasurementUnitOID", &oid)])?;
                }
                for (comparator, limit) in [("GE", range[0]), ("LE", range[1])] {
                    let how = [("Comparator", comparator), ("SoftHard", "Hard")];
                    self.open("RangeCheck", &how)?;
                    self.text("CheckValue", &[], &limit.to_string())?;
                    self.close("RangeCheck")?;
                }
            }
            FieldKind::YesNo => self.empty("CodeListRef", &[("CodeListOID", "CL.yes_no")])?,
            FieldKind::Choice(_) => {
                let list = format!("CL.{}", field.id);
                self.empty("CodeListRef", &[("CodeListOID", &list)])?;
            }
            _ => {}
        }
        self.close("ItemDef")
    }

    fn codes(&mut self, field: &Field) -> Result<(), OdmError> {
        // The first field of the first form with yes and no stands for them all.
        let first = |f: &&Field| f.kind == FieldKind::YesNo && !f.audit;
        let forms = self.forms.forms.iter();
        let yes_no = forms.flat_map(|f| &f.fields).find(first).map(|f| f.id.clone());
        let (oid, kind, codes) = match &field.kind {
            FieldKind::Choice(codes) => (format!("CL.{}", field.id), "text", codes.clone()),
            FieldKind::YesNo if yes_no.as_deref() == Some(field.id.as_str()) => {
                let codes = [("0", "no"), ("1", "yes")].map(|(c, l)| (c.to_owned(), l.to_owned()));
                ("CL.yes_no".to_owned(), "integer", codes.to_vec())
            }
            _ => return Ok(()),
        };
        self.open("CodeList", &[("OID", &oid), ("Name", &field.label), ("DataType", kind)])?;
        for (code, label) in &codes {
            self.open("CodeListItem", &[("CodedValue", code)])?;
            self.words("Decode", label)?;
            self.close("CodeListItem")?;
        }
        self.close("CodeList")
    }

    // ---- data ------------------------------------------------------------------------------------

    fn admin(
        &mut self,
        users: &BTreeMap<&str, String>,
        site: &str,
        first: Timestamp,
    ) -> Result<(), OdmError> {
        let (study, version) = (self.study.clone(), self.version.clone());
        self.open("AdminData", &[("StudyOID", &study)])?;
        for (name, oid) in users {
            self.open("User", &[("OID", oid), ("UserType", "Other")])?;
            self.text("LoginName", &[], name)?;
            self.close("User")?;
        }
        self.open("Location", &[("OID", "L.1"), ("Name", site), ("LocationType", "Site")])?;
        let day = Offset::UTC.to_datetime(first).date().to_string();
        self.empty(
            "MetaDataVersionRef",
            &[("StudyOID", &study), ("MetaDataVersionOID", &version), ("EffectiveDate", &day)],
        )?;
        self.close("Location")?;
        self.close("AdminData")
    }

    fn subject(
        &mut self,
        c: &Logged<'_>,
        users: &BTreeMap<&str, String>,
        left_out: &mut Vec<String>,
    ) -> Result<(), OdmError> {
        let patient = c.course.patient;
        let forms = self.forms.clone();
        let all: BTreeMap<&EventId, &Event> = c.events.iter().copied().collect();
        let mut places: BTreeMap<&EventId, Place<'_>> = BTreeMap::new();
        let mut repeats: BTreeMap<&str, usize> = BTreeMap::new();
        self.open("SubjectData", &[("SubjectKey", patient), ("TransactionType", "Upsert")])?;
        for (id, event) in c.events {
            let root = root(id, &all);
            let fact = match &event.fact {
                Fact::Correction { fact, .. } => fact.as_deref(),
                fact => Some(fact),
            };
            let written = fact.and_then(|f| forms.write(f)).map(|(form, mut cells)| {
                let (on, at) = (event.on, event.at);
                let envelope = Envelope { on, at, recorded: None, by: None, why: None };
                cells.extend(write_envelope(form, &envelope));
                (form, cells)
            });
            if fact.is_some() && written.is_none() {
                left_out.push(format!("{patient}: {} of {}", event.fact.kind(), event.on));
            }
            let Some(root) = root else {
                left_out.push(format!("{patient}: {id} corrects an event that there is not"));
                continue;
            };
            let before = places.get(root).filter(|p| p.cells.is_some());
            let stays = before.zip(written.as_ref()).is_some_and(|(p, w)| p.form.id == w.0.id);
            let audit = Audit { id, event, users };
            if let Some(place) = before.filter(|_| !stays) {
                self.transaction(place, "Remove", &Cells::new(), &audit)?;
            }
            let Some((form, cells)) = written else {
                if let Some(place) = places.get_mut(root) {
                    place.cells = None;
                }
                continue;
            };
            if let Some(place) = places.get_mut(root).filter(|_| stays) {
                self.transaction(place, "Update", &cells, &audit)?;
                place.cells = Some(cells);
                continue;
            }
            let repeat = repeats.entry(form.id).or_default();
            *repeat += 1;
            let place = Place { event: study_event(c, event), form, repeat: *repeat, cells: None };
            self.transaction(&place, "Insert", &cells, &audit)?;
            places.insert(root, Place { cells: Some(cells), ..place });
        }
        self.close("SubjectData")
    }

    fn transaction(
        &mut self,
        place: &Place<'_>,
        kind: &str,
        cells: &Cells,
        audit: &Audit<'_>,
    ) -> Result<(), OdmError> {
        let mut attributes = vec![("StudyEventOID", place.event.0)];
        attributes.extend(place.event.1.as_deref().map(|key| ("StudyEventRepeatKey", key)));
        attributes.push(("TransactionType", "Upsert"));
        self.open("StudyEventData", &attributes)?;
        let (form, group) = (format!("F.{}", place.form.id), format!("IG.{}", place.form.id));
        let repeat = place.repeat.to_string();
        let mut attributes = vec![("FormOID", form.as_str())];
        if place.form.repeating {
            attributes.push(("FormRepeatKey", &repeat));
        }
        attributes.push(("TransactionType", "Upsert"));
        self.open("FormData", &attributes)?;
        self.open("ItemGroupData", &[("ItemGroupOID", &group), ("TransactionType", kind)])?;
        self.audit(audit)?;
        for field in place.form.fields.iter().filter(|f| !f.audit) {
            let (item, unit) = (item_oid(field), unit(field).map(unit_oid));
            let was = place.cells.as_ref().is_some_and(|c| c.contains_key(&field.id));
            match cells.get(&field.id) {
                Some(value) => {
                    let attributes = [("ItemOID", item.as_str()), ("Value", value.as_str())];
                    match unit {
                        None => self.empty("ItemData", &attributes)?,
                        Some(oid) => {
                            self.open("ItemData", &attributes)?;
                            self.empty("MeasurementUnitRef", &[("MeasurementUnitOID", &oid)])?;
                            self.close("ItemData")?;
                        }
                    }
                }
                None if was && kind == "Update" => {
                    self.empty("ItemData", &[("ItemOID", &item), ("IsNull", "Yes")])?;
                }
                None => {}
            }
        }
        self.close("ItemGroupData")?;
        self.close("FormData")?;
        self.close("StudyEventData")
    }

    fn audit(&mut self, audit: &Audit<'_>) -> Result<(), OdmError> {
        let user = audit.users.get(audit.event.by.as_str()).map_or("U.0", String::as_str);
        self.open("AuditRecord", &[])?;
        self.empty("UserRef", &[("UserOID", user)])?;
        self.empty("LocationRef", &[("LocationOID", "L.1")])?;
        self.text("DateTimeStamp", &[], &utc(audit.event.recorded))?;
        if let Some(why) = &audit.event.why {
            self.text("ReasonForChange", &[], why)?;
        }
        self.text("SourceID", &[], &audit.id.0)?;
        self.close("AuditRecord")
    }
}

/// Who, when, why.
struct Audit<'a> {
    id: &'a EventId,
    event: &'a Event,
    users: &'a BTreeMap<&'a str, String>,
}

/// The event that was corrected first of all; none if there is not one.
fn root<'e>(id: &'e EventId, all: &BTreeMap<&'e EventId, &'e Event>) -> Option<&'e EventId> {
    let mut at = id;
    for _ in 0..MAX_CHAIN {
        match &all.get(at)?.fact {
            Fact::Correction { of, .. } => at = of,
            _ => return Some(at),
        }
    }
    None
}

/// To the second, in UTC.
fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn unit(field: &Field) -> Option<&str> {
    match &field.kind {
        FieldKind::Number { unit, .. } if !unit.is_empty() => Some(unit),
        _ => None,
    }
}

fn unit_oid(unit: &str) -> String {
    format!("MU.{}", unit.replace(char::is_whitespace, "_"))
}

fn item_oid(field: &Field) -> String {
    format!("I.{}", field.id)
}

/// Characters that XML 1.0 cannot hold become U+FFFD.
fn lawful(text: &str) -> String {
    let good = |c: char| match c {
        '\t' | '\n' | '\r' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        c => c >= ' ',
    };
    text.chars().map(|c| if good(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}
