//! A Structured Report of measures (Comprehensive SR, template TID 1500 Measurement Report): one group
//! of measures for each thing measured, which may be a segment of a SEG (TID 1411) or not (TID 1501).

use super::context::Series;
use super::dataset::{Dataset, decimal};
use super::seg::SegReference;
use super::{Context, SegmentKind, SeriesReference, WriteError, uids};
use dicom_dictionary_std::tags;
use std::path::Path;

/// What is measured of one thing.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// Its name, as in the plan.
    pub name: &'a str,
    /// Number of its segment (from 1) and what that is, if it has one.
    pub segment: Option<(usize, SegmentKind)>,
    /// Its measures.
    pub measures: Vec<Measure<'a>>,
    /// Further findings in words: name and text.
    pub texts: Vec<(&'a str, String)>,
}

/// A measure.
#[derive(Debug, Clone)]
pub struct Measure<'a> {
    /// Code of the measure (value, scheme, meaning); those of ours are of the scheme [`OURS`].
    pub code: [&'a str; 3],
    /// Its value.
    pub value: f64,
    /// Unit in UCUM, and in words.
    pub unit: [&'a str; 2],
}

/// Coding scheme of what no standard names.
pub const OURS: &str = "99HEPATICA";

/// Volume, as SNOMED CT codes it.
pub const VOLUME: [&str; 3] = ["118565006", "SCT", "Volume"];

/// Writes a report to `path`. `segments` is what the groups' segments are of, `images` what those
/// were drawn on.
///
/// # Errors
/// When a value is not finite, or the file cannot be written.
pub fn write(
    path: &Path,
    groups: &[Group<'_>],
    segments: Option<(&SegReference, &SeriesReference)>,
    context: &Context,
) -> Result<(), WriteError> {
    let values = || groups.iter().flat_map(|g| &g.measures);
    if let Some(bad) = values().find(|m| !m.value.is_finite()) {
        let why = format!("{} is {}; a measure is a number", bad.code[2], bad.value);
        return Err(WriteError::new(path, why));
    }
    let series = Series { modality: "SR", number: 60, description: "Measures of the plan" };
    let mut o = context.object(uids::COMPREHENSIVE_SR_STORAGE, &series, 1);
    o.items(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, Vec::new());
    o.text(tags::COMPLETION_FLAG, "COMPLETE");
    o.text(tags::VERIFICATION_FLAG, "UNVERIFIED");
    o.date_time(tags::CONTENT_DATE, tags::CONTENT_TIME, context.date_time);
    o.items(tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, Vec::new());
    let mut scheme = Dataset::new();
    scheme.text(tags::CODING_SCHEME_DESIGNATOR, OURS);
    scheme.text(tags::CODING_SCHEME_NAME, "Names of measures in plan.json");
    scheme.text(tags::CODING_SCHEME_RESPONSIBLE_ORGANIZATION, "Hepatica");
    o.items(tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE, vec![scheme]);
    if let Some((seg, images)) = segments {
        evidence(&mut o, seg, images, context);
    }
    o.text(tags::VALUE_TYPE, "CONTAINER");
    let title = ["126000", "DCM", "Imaging Measurement Report"];
    o.code(tags::CONCEPT_NAME_CODE_SEQUENCE, title, |_| ());
    o.text(tags::CONTINUITY_OF_CONTENT, "SEPARATE");
    let mut template = Dataset::new();
    template.text(tags::MAPPING_RESOURCE, "DCMR");
    template.text(tags::TEMPLATE_IDENTIFIER, "1500");
    o.items(tags::CONTENT_TEMPLATE_SEQUENCE, vec![template]);

    let language = ["121049", "DCM", "Language of Content Item and Descendants"];
    let english = ["en", "RFC5646", "English"];
    let by = ["121005", "DCM", "Observer Type"];
    let device = ["121007", "DCM", "Device"];
    let device_uid = context.uid("the program");
    let procedure = ["tare-plan", OURS, "Plan of a radioembolization"];
    let list = groups.iter().map(|g| group(g, segments, context)).collect();
    let content = vec![
        code("HAS CONCEPT MOD", language, english),
        code("HAS OBS CONTEXT", by, device),
        uid("HAS OBS CONTEXT", ["121012", "DCM", "Device Observer UID"], &device_uid),
        text("HAS OBS CONTEXT", ["121013", "DCM", "Device Observer Name"], "Hepatica"),
        code("HAS CONCEPT MOD", ["121058", "DCM", "Procedure reported"], procedure),
        container("CONTAINS", ["126010", "DCM", "Imaging Measurements"], list),
    ];
    o.items(tags::CONTENT_SEQUENCE, content);
    o.save(path)
}

/// What the report rests on, by study and series.
fn evidence(o: &mut Dataset, seg: &SegReference, images: &SeriesReference, context: &Context) {
    let instance = |class: &str, uid: &str| {
        let mut item = Dataset::new();
        item.text(tags::REFERENCED_SOP_CLASS_UID, class);
        item.text(tags::REFERENCED_SOP_INSTANCE_UID, uid);
        item
    };
    let series = |uid: &str, instances: Vec<Dataset>| {
        let mut item = Dataset::new();
        item.text(tags::SERIES_INSTANCE_UID, uid);
        item.items(tags::REFERENCED_SOP_SEQUENCE, instances);
        item
    };
    let study = |uid: &str, list: Vec<Dataset>| {
        let mut item = Dataset::new();
        item.text(tags::STUDY_INSTANCE_UID, uid);
        item.items(tags::REFERENCED_SERIES_SEQUENCE, list);
        item
    };
    let own = instance(uids::SEGMENTATION_STORAGE, &seg.instance_uid);
    let own = series(&seg.series_uid, vec![own]);
    let mut below: Vec<&str> = images.slices.iter().map(|s| &*s.instance_uid).collect();
    below.dedup();
    let below = below.iter().map(|uid| instance(&images.sop_class, uid)).collect();
    let below = series(&images.series_uid, below);
    let studies = if images.study_uid == context.study_uid {
        vec![study(&context.study_uid, vec![own, below])]
    } else {
        vec![study(&context.study_uid, vec![own]), study(&images.study_uid, vec![below])]
    };
    o.items(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, studies);
}

fn group(
    group: &Group<'_>,
    segments: Option<(&SegReference, &SeriesReference)>,
    context: &Context,
) -> Dataset {
    let tracking = context.uid(&format!("tracked {}", group.name));
    let mut content = vec![
        text("HAS OBS CONTEXT", ["112039", "DCM", "Tracking Identifier"], group.name),
        uid("HAS OBS CONTEXT", ["112040", "DCM", "Tracking Unique Identifier"], &tracking),
    ];
    let mut template = "1501";
    if let (Some((number, kind)), Some((seg, images))) = (group.segment, segments) {
        let [_, finding] = kind.codes();
        content.push(code("CONTAINS", ["121071", "DCM", "Finding"], finding));
        if seg.has_frames.get(number - 1) == Some(&true) {
            template = "1411";
            let mut o = item("CONTAINS", "IMAGE", ["121191", "DCM", "Referenced Segment"]);
            let mut to = Dataset::new();
            to.text(tags::REFERENCED_SOP_CLASS_UID, uids::SEGMENTATION_STORAGE);
            to.text(tags::REFERENCED_SOP_INSTANCE_UID, &seg.instance_uid);
            to.shorts(tags::REFERENCED_SEGMENT_NUMBER, &[number as u16]);
            o.items(tags::REFERENCED_SOP_SEQUENCE, vec![to]);
            content.push(o);
            let source = ["121232", "DCM", "Source series for segmentation"];
            content.push(uid("CONTAINS", source, &images.series_uid));
        }
    }
    for measure in &group.measures {
        let mut o = item("CONTAINS", "NUM", measure.code);
        let mut value = Dataset::new();
        value.text(tags::NUMERIC_VALUE, &decimal(measure.value));
        let [unit, words] = measure.unit;
        value.code(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, [unit, "UCUM", words], |_| ());
        o.items(tags::MEASURED_VALUE_SEQUENCE, vec![value]);
        content.push(o);
    }
    for (name, words) in &group.texts {
        // Qualitative evaluations: what has no number.
        content.push(text("CONTAINS", [&slug(name), OURS, name], words));
    }
    let mut o = container("CONTAINS", ["125007", "DCM", "Measurement Group"], content);
    let mut item = Dataset::new();
    item.text(tags::MAPPING_RESOURCE, "DCMR");
    item.text(tags::TEMPLATE_IDENTIFIER, template);
    o.items(tags::CONTENT_TEMPLATE_SEQUENCE, vec![item]);
    o
}

/// A code value of at most 16 characters.
fn slug(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(keep).take(16).collect()
}

fn item(relation: &str, value_type: &str, name: [&str; 3]) -> Dataset {
    let mut o = Dataset::new();
    o.text(tags::RELATIONSHIP_TYPE, relation);
    o.text(tags::VALUE_TYPE, value_type);
    o.code(tags::CONCEPT_NAME_CODE_SEQUENCE, name, |_| ());
    o
}

fn code(relation: &str, name: [&str; 3], value: [&str; 3]) -> Dataset {
    let mut o = item(relation, "CODE", name);
    o.code(tags::CONCEPT_CODE_SEQUENCE, value, |_| ());
    o
}

fn text(relation: &str, name: [&str; 3], value: &str) -> Dataset {
    let mut o = item(relation, "TEXT", name);
    o.words(tags::TEXT_VALUE, value, 1000);
    o
}

fn uid(relation: &str, name: [&str; 3], value: &str) -> Dataset {
    let mut o = item(relation, "UIDREF", name);
    o.text(tags::UID, value);
    o
}

fn container(relation: &str, name: [&str; 3], content: Vec<Dataset>) -> Dataset {
    let mut o = item(relation, "CONTAINER", name);
    o.text(tags::CONTINUITY_OF_CONTENT, "SEPARATE");
    o.items(tags::CONTENT_SEQUENCE, content);
    o
}
