//! A plan for an archive of images: segments, contours, report and measures as DICOM, in the study and
//! frame of reference of the images they are drawn on.

use crate::commands::CommandError;
use hepatica_imaging::Mask;
use hepatica_imaging::dicom::write::rtstruct::{self, Roi, RoiKind, Shape};
use hepatica_imaging::dicom::write::seg::{self, SegReference, Segment};
use hepatica_imaging::dicom::write::sr::{self, Group, Measure, OURS, VOLUME};
use hepatica_imaging::dicom::write::{Context, SegmentKind, pdf};
use hepatica_planning::pipeline::{Drawn, DrawnOn};
use hepatica_planning::{Plan, Planned};
use rayon::prelude::*;
use std::path::Path;

/// Folder of these files in that of a plan.
pub const FOLDER: &str = "dicom";

/// Writes `segments.dcm` and `structures.dcm`, where the images are DICOM, and `measures.dcm`.
pub fn write(folder: &Path, planned: &Planned, context: &Context) -> Result<(), CommandError> {
    let drawn = planned.drawn();
    let on = planned.drawn_on();
    let written = on.map(|on| structures(folder, &drawn, on, context)).transpose()?.flatten();
    let segments = on.zip(written.as_ref()).map(|(on, reference)| (reference, on.series));
    let groups = groups(&planned.plan, &drawn);
    Ok(sr::write(&folder.join("measures.dcm"), &groups, segments, context)?)
}

/// Writes `report.dcm`.
pub fn write_report(folder: &Path, report: &[u8], context: &Context) -> Result<(), CommandError> {
    Ok(pdf::write(&folder.join("report.dcm"), report, "Radioembolization plan", context)?)
}

/// Segments and contours; none where every structure lies outside the images.
fn structures(
    folder: &Path,
    drawn: &[Drawn<'_>],
    on: DrawnOn<'_>,
    context: &Context,
) -> Result<Option<SegReference>, CommandError> {
    let masks: Vec<Mask> = drawn.par_iter().map(|d| d.structure.on(on.grid)).collect();
    if masks.iter().all(|m| m.fractions().iter().all(|f| *f < 0.5)) {
        return Ok(None);
    }
    let named = || drawn.iter().zip(&masks);
    let segments: Vec<Segment<'_>> = named()
        .map(|(d, mask)| Segment { name: &d.structure.name, mask, kind: d.kind, algorithm: None })
        .collect();
    let rois: Vec<Roi<'_>> = named()
        .map(|(d, mask)| Roi {
            name: &d.structure.name,
            shape: Shape::Mask(mask),
            colour: colour(d.kind),
            kind: match d.kind {
                SegmentKind::Tumour => RoiKind::Gtv,
                SegmentKind::Territory => RoiKind::TreatedVolume,
                SegmentKind::Liver | SegmentKind::Lung | SegmentKind::Organ => RoiKind::Organ,
                SegmentKind::Necrosis => RoiKind::Other,
            },
        })
        .collect();
    let (written, contours) = rayon::join(
        || seg::write(&folder.join("segments.dcm"), &segments, on.series, context),
        || rtstruct::write(&folder.join("structures.dcm"), &rois, on.series, context),
    );
    contours?;
    Ok(Some(written?))
}

fn colour(kind: SegmentKind) -> [u8; 3] {
    match kind {
        SegmentKind::Liver => [170, 110, 40],
        SegmentKind::Lung => [90, 160, 220],
        SegmentKind::Tumour => [220, 40, 40],
        SegmentKind::Necrosis => [110, 110, 110],
        SegmentKind::Territory => [240, 180, 40],
        SegmentKind::Organ => [80, 170, 90],
    }
}

const ACTIVITY: [&str; 3] = ["activity", OURS, "Activity prescribed"];
const MEAN_DOSE: [&str; 3] = ["mean-dose", OURS, "Mean absorbed dose"];
const DOSE_70: [&str; 3] = ["d70", OURS, "Dose that 70 % receive at least"];
const MASS: [&str; 3] = ["mass", OURS, "Mass"];
const SHUNT: [&str; 3] = ["lung-shunt", OURS, "Lung shunt fraction"];
const TO_NORMAL: [&str; 3] = ["tumour-normal", OURS, "Tumour to normal ratio"];
const ML: [&str; 2] = ["mL", "milliliter"];
const GY: [&str; 2] = ["Gy", "gray"];
const GBQ: [&str; 2] = ["GBq", "gigabecquerel"];

/// What a report of measures says of a plan: of every structure, of the lungs, of every session.
fn groups<'a>(plan: &'a Plan, drawn: &[Drawn<'a>]) -> Vec<Group<'a>> {
    let segment = |name: &str| {
        let n = drawn.iter().position(|d| d.structure.name == name)?;
        Some((n + 1, drawn[n].kind))
    };
    let measure = |code, value, unit| Measure { code, value, unit };
    let mut groups = Vec::new();
    for lesion in &plan.liver.tumours {
        let mut measures = vec![measure(VOLUME, lesion.volume_ml, ML)];
        let dose = plan.cumulative.tumour_dose_gy.get(&lesion.name);
        measures.extend(dose.map(|gy| measure(MEAN_DOSE, *gy, GY)));
        measures.extend(lesion.tumour_to_normal.map(|r| measure(TO_NORMAL, r, ["1", "no units"])));
        let segment = segment(&lesion.name);
        groups.push(Group { name: &lesion.name, segment, measures, texts: Vec::new() });
    }
    let liver = drawn.iter().position(|d| d.kind == SegmentKind::Liver);
    groups.push(Group {
        name: "liver",
        segment: liver.map(|n| (n + 1, SegmentKind::Liver)),
        measures: vec![
            measure(VOLUME, plan.liver.volume_ml, ML),
            measure(MASS, plan.liver.mass_g, ["g", "gram"]),
        ],
        texts: Vec::new(),
    });
    groups.push(Group {
        name: "whole normal liver, all sessions",
        segment: None,
        measures: vec![measure(MEAN_DOSE, plan.cumulative.whole_normal_liver_dose_gy, GY)],
        texts: Vec::new(),
    });
    groups.push(Group {
        name: "lungs, all sessions",
        segment: None,
        measures: vec![
            measure(SHUNT, 100.0 * plan.lung_shunt.fraction, ["%", "percent"]),
            measure(MASS, 1000.0 * plan.lung_shunt.lung_mass_kg, ["g", "gram"]),
            measure(MEAN_DOSE, plan.cumulative.lung_dose_gy, GY),
        ],
        texts: Vec::new(),
    });
    for session in &plan.sessions {
        groups.push(Group {
            name: &session.territory_name,
            segment: None,
            measures: vec![measure(ACTIVITY, session.prescription.activity_gbq, GBQ)],
            texts: vec![
                ("Session", format!("{} on {}", session.id, session.date)),
                ("Device", session.device.clone()),
                ("Activity by", session.prescription.model.clone()),
            ],
        });
        for c in &session.compartments {
            groups.push(Group {
                name: &c.name,
                segment: segment(&c.name),
                measures: vec![
                    measure(VOLUME, c.volume_ml, ML),
                    measure(MEAN_DOSE, c.dose_gy.mean, GY),
                    measure(DOSE_70, c.dose_gy.d70, GY),
                ],
                texts: vec![("Session", session.id.to_string()), ("Compartment", c.role.clone())],
            });
        }
    }
    groups.push(Group {
        name: "decision",
        segment: None,
        measures: Vec::new(),
        texts: vec![("Decision", plan.decision.sentence.clone()), ("Notice", plan.notice.clone())],
    });
    groups
}
