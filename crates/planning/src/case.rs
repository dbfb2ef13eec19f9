//! The case file: what a person says about a patient, `case.toml`.
//!
//! Every key is in `docs/case.md`. Nothing here has a clinical default: what is left out is either
//! recognised from the images, asked for by name, or makes a gate hold.

use crate::optimise::OptimiseEntry;
use crate::strict::{self, TomlError};
use crate::uncertainty::sources::UncertaintyEntry;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The version of the format this program reads.
pub const SCHEMA: u32 = 1;

/// Most bytes a case file may have; a longer one is not a case file.
const MAX_BYTES: u64 = 1 << 20;

/// What a person says about a patient.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Version of the format.
    pub schema: u32,
    /// The patient.
    #[serde(default)]
    pub patient: PatientEntry,
    /// The regimen and its first day.
    #[serde(default)]
    pub protocol: ProtocolEntry,
    /// Where and when treatment happens.
    #[serde(default)]
    pub site: SiteEntry,
    /// The device.
    #[serde(default)]
    pub device: DeviceEntry,
    /// Which files are what, when recognition should not decide.
    #[serde(default)]
    pub images: ImagesEntry,
    /// Which structures are what, when names should not decide.
    #[serde(default)]
    pub structures: StructuresEntry,
    /// The liver volumes that one catheter position perfuses each.
    #[serde(default)]
    pub territory: Vec<TerritoryEntry>,
    /// Departures from the protocol's day, device or model, by session.
    #[serde(default)]
    pub session: Vec<SessionEntry>,
    /// Regions on the planar views.
    #[serde(default)]
    pub planar_roi: Option<PlanarRoiEntry>,
    /// How the lung shunt and the lung mass are found.
    #[serde(default)]
    pub lung: LungEntry,
    /// Laboratory values and performance status.
    #[serde(default)]
    pub labs: LabsEntry,
    /// Activity outside liver and lungs.
    #[serde(default)]
    pub extrahepatic: ExtrahepaticEntry,
    /// Earlier treatment.
    #[serde(default)]
    pub prior: PriorEntry,
    /// Goals and limits that differ from the device's.
    #[serde(default)]
    pub prescription: PrescriptionEntry,
    /// How the best activities are found, where they are asked for.
    #[serde(default)]
    pub optimise: OptimiseEntry,
    /// Sources of doubt that differ from the shipped ones.
    #[serde(default)]
    pub uncertainty: UncertaintyEntry,
}

/// `[patient]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatientEntry {
    /// Identifier; the images' patient ID when left out.
    pub id: Option<String>,
    /// Height in cm.
    pub height_cm: Option<f64>,
    /// Weight in kg.
    pub weight_kg: Option<f64>,
}

/// `[protocol]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtocolEntry {
    /// Name of a protocol that comes with the program, or path of a protocol file.
    pub name: Option<String>,
    /// First day of the first cycle, `YYYY-MM-DD`.
    pub c1d1: Option<String>,
}

/// `[site]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteEntry {
    /// IANA time zone, `America/New_York`.
    pub time_zone: Option<String>,
    /// Local time of the instillation, `HH:MM`.
    pub treatment_time: Option<String>,
}

/// `[device]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceEntry {
    /// Name of a device that comes with the program, or path of a device file.
    pub name: Option<String>,
}

/// `[images]`, paths relative to the case folder.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagesEntry {
    /// CT: folder of a series, or a NIfTI file in HU.
    pub ct: Option<PathBuf>,
    /// Emission image of the simulation procedure: NM or PET DICOM, or a NIfTI file.
    pub spect: Option<PathBuf>,
    /// Planar anterior and posterior views.
    pub planar: Option<PathBuf>,
    /// RTSTRUCT, SEG or NIfTI files of structures.
    #[serde(default)]
    pub structures: Vec<PathBuf>,
    /// States that the images are in register although their frames of reference differ.
    #[serde(default)]
    pub assume_aligned: bool,
    /// Interpolates a CT with missing, uneven or tilted slices instead of refusing it.
    #[serde(default)]
    pub resample_ct: bool,
}

/// `[structures]`: names as in the structure files. A label of a NIfTI label map is `file.nii.gz#5`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StructuresEntry {
    /// The whole liver.
    pub liver: Option<String>,
    /// The lungs, one or more structures.
    pub lungs: Option<Vec<String>>,
    /// The tumours, a structure each.
    pub tumours: Option<Vec<String>>,
    /// Liver or tumour that takes up nothing (necrosis, cyst).
    #[serde(default)]
    pub cold: Vec<String>,
    /// Other organs whose dose is wanted.
    #[serde(default)]
    pub organs: Vec<String>,
    /// Structures that are nothing, whatever their names say.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// A file of names in place of the shipped one.
    pub names: Option<PathBuf>,
    /// What the labels of label maps without names are: `totalsegmentator`.
    pub labels: Option<String>,
    /// Roles whose proposed structures somebody looked at and accepts: `liver`, `lungs`, `tumours`.
    #[serde(default)]
    pub accepted: Vec<String>,
}

/// `[[territory]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TerritoryEntry {
    /// Short identifier.
    pub id: String,
    /// For people; the identifier when left out.
    pub name: Option<String>,
    /// Its structure; the whole liver when left out.
    pub structure: Option<String>,
    /// The session that treats it, 1 or 2.
    pub session: u32,
}

/// `[[session]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionEntry {
    /// Session, the first being 1.
    pub id: u32,
    /// Cycle, if not the protocol's first choice; it must be one the protocol allows.
    pub cycle: Option<u32>,
    /// Model of the prescription: `mird`, `bsa`, `partition`, `voxel`.
    pub model: Option<String>,
    /// Activity stated by a person, in GBq, in the patient: overrides every model.
    pub activity_gbq: Option<f64>,
}

/// A polygon in pixel coordinates (column, row); the centre of the first pixel is (0, 0).
pub type Polygon = Vec<[f64; 2]>;

/// `[planar_roi]`: on the anterior view; the posterior view is mirrored onto it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanarRoiEntry {
    /// Polygons over the lungs.
    pub lungs: Vec<Polygon>,
    /// Polygons over the liver.
    pub liver: Vec<Polygon>,
    /// Polygons over background, subtracted per pixel; none subtracts nothing.
    #[serde(default)]
    pub background: Vec<Polygon>,
}

/// `[lung]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LungEntry {
    /// `spect`, `planar` or `stated`: which shunt the plan uses; SPECT before planar when left out.
    pub shunt: Option<String>,
    /// Shunt fraction stated by a person.
    pub stated_fraction: Option<f64>,
    /// Lung mass stated by a person, in kg.
    pub mass_kg: Option<f64>,
    /// Strip of lung next to the liver left out of the SPECT shunt, in mm; 0 leaves nothing out.
    pub dome_strip_mm: Option<f64>,
}

/// `[labs]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabsEntry {
    /// When the blood was drawn, `YYYY-MM-DD`.
    pub date: Option<String>,
    /// Total bilirubin, mg/dL.
    pub bilirubin_mg_dl: Option<f64>,
    /// Albumin, g/dL.
    pub albumin_g_dl: Option<f64>,
    /// Platelets, 10^9/L.
    pub platelets_1e9_l: Option<f64>,
    /// Neutrophils, 10^9/L.
    pub anc_1e9_l: Option<f64>,
    /// Creatinine, mg/dL.
    pub creatinine_mg_dl: Option<f64>,
    /// International normalised ratio.
    pub inr: Option<f64>,
    /// Alanine aminotransferase, U/L.
    pub alt_u_l: Option<f64>,
    /// Its upper limit of normal at the site, U/L.
    pub alt_uln_u_l: Option<f64>,
    /// Aspartate aminotransferase, U/L.
    pub ast_u_l: Option<f64>,
    /// Its upper limit of normal at the site, U/L.
    pub ast_uln_u_l: Option<f64>,
    /// ECOG performance status.
    pub ecog: Option<u32>,
    /// Main portal vein is patent.
    pub portal_vein_patent: Option<bool>,
    /// Clinical ascites.
    pub ascites: Option<bool>,
}

/// `[extrahepatic]`: what the simulation procedure showed outside liver and lungs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtrahepaticEntry {
    /// `none`, `found` or `unknown`; left out is unknown.
    #[serde(default)]
    pub status: ExtrahepaticStatus,
    /// Where, if found.
    #[serde(default)]
    pub finding: Vec<ExtrahepaticFinding>,
}

/// Whether activity was seen outside liver and lungs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExtrahepaticStatus {
    /// Looked for and not seen.
    None,
    /// Seen.
    Found,
    /// Not reported.
    #[default]
    Unknown,
}

/// `[[extrahepatic.finding]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtrahepaticFinding {
    /// `stomach`, `duodenum`, `gallbladder`, ...
    pub site: String,
    /// Can be put right (coil, other catheter position)?
    pub correctable: bool,
}

/// `[prior]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorEntry {
    /// Lung dose of earlier radioembolizations, in Gy.
    pub lung_dose_gy: Option<f64>,
}

/// `[prescription]`: what differs from the device's limits and goals, in Gy.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrescriptionEntry {
    /// Model of all sessions: `mird`, `bsa`, `partition`, `voxel`.
    pub model: Option<String>,
    /// Goal of the single-compartment model: mean dose of the perfused volume.
    pub perfused_goal_gy: Option<f64>,
    /// Goal of the mean tumour dose.
    pub tumour_goal_gy: Option<f64>,
    /// Limit of the mean dose of the perfused normal liver.
    pub normal_liver_limit_gy: Option<f64>,
    /// Limit of the lung dose of one session.
    pub lung_session_limit_gy: Option<f64>,
    /// Limit of the lung dose of all sessions.
    pub lung_cumulative_limit_gy: Option<f64>,
}

/// Why a case file cannot be used.
#[derive(Debug, Error)]
pub enum CaseError {
    /// It cannot be read.
    #[error("{}: cannot be read ({source}); check the path and the permissions", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Too long to be one.
    #[error("{}: {found} bytes is no case file (at most {MAX_BYTES}); give the folder that holds case.toml", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// The text.
    #[error(transparent)]
    Toml(#[from] TomlError),
    /// Another version of the format.
    #[error("{}: schema = {found}, but this program reads schema = {SCHEMA}", .path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: u32,
    },
    /// A value that cannot be.
    #[error("{}: {key} = {found}, expected {expected}", .path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key, dotted.
        key: String,
        /// What it says.
        found: String,
        /// What would do.
        expected: String,
    },
}

impl Case {
    /// Reads and checks a case file.
    ///
    /// # Errors
    /// When it cannot be read, is no TOML of this format, or holds a value that cannot be.
    pub fn read(path: &Path) -> Result<Self, CaseError> {
        let io = |source| CaseError::Read { path: path.to_owned(), source };
        let found = std::fs::metadata(path).map_err(io)?.len();
        if found > MAX_BYTES {
            return Err(CaseError::TooLong { path: path.to_owned(), found });
        }
        let text = std::fs::read_to_string(path).map_err(io)?;
        Self::parse(&text, path)
    }

    /// Reads and checks the text of a case file; `path` is for messages.
    ///
    /// # Errors
    /// As [`Case::read`], but for the reading.
    pub fn parse(text: &str, path: &Path) -> Result<Self, CaseError> {
        let case: Self = strict::parse(text, &path.display().to_string())?;
        if case.schema != SCHEMA {
            return Err(CaseError::Schema { path: path.to_owned(), found: case.schema });
        }
        case.check(path)?;
        Ok(case)
    }

    fn check(&self, path: &Path) -> Result<(), CaseError> {
        let wrong = |key: &str, found: String, expected: &str| CaseError::Value {
            path: path.to_owned(),
            key: key.to_owned(),
            found,
            expected: expected.to_owned(),
        };
        let within = |key: &str, value: Option<f64>, low: f64, high: f64, unit: &str| match value {
            Some(v) if !(low..=high).contains(&v) => {
                Err(wrong(key, v.to_string(), &format!("{low} to {high} {unit}")))
            }
            _ => Ok(()),
        };
        // Wide enough for every adult, narrow enough to catch metres for centimetres, grams for kilograms.
        within("patient.height_cm", self.patient.height_cm, 100.0, 250.0, "cm")?;
        within("patient.weight_kg", self.patient.weight_kg, 25.0, 350.0, "kg")?;
        within("lung.stated_fraction", self.lung.stated_fraction, 0.0, 1.0, "(a fraction)")?;
        within("lung.mass_kg", self.lung.mass_kg, 0.2, 3.0, "kg")?;
        within("lung.dome_strip_mm", self.lung.dome_strip_mm, 0.0, 60.0, "mm")?;
        within("prior.lung_dose_gy", self.prior.lung_dose_gy, 0.0, 200.0, "Gy")?;
        let p = &self.prescription;
        for (key, value) in [
            ("prescription.perfused_goal_gy", p.perfused_goal_gy),
            ("prescription.tumour_goal_gy", p.tumour_goal_gy),
            ("prescription.normal_liver_limit_gy", p.normal_liver_limit_gy),
            ("prescription.lung_session_limit_gy", p.lung_session_limit_gy),
            ("prescription.lung_cumulative_limit_gy", p.lung_cumulative_limit_gy),
        ] {
            within(key, value, 1.0, 2000.0, "Gy")?;
        }
        let l = &self.labs;
        for (key, value, high, unit) in [
            ("labs.bilirubin_mg_dl", l.bilirubin_mg_dl, 60.0, "mg/dL"),
            ("labs.albumin_g_dl", l.albumin_g_dl, 7.0, "g/dL (not g/L)"),
            ("labs.platelets_1e9_l", l.platelets_1e9_l, 3000.0, "10^9/L (not per uL)"),
            ("labs.anc_1e9_l", l.anc_1e9_l, 200.0, "10^9/L (not per uL)"),
            ("labs.creatinine_mg_dl", l.creatinine_mg_dl, 30.0, "mg/dL (not umol/L)"),
            ("labs.inr", l.inr, 20.0, ""),
            ("labs.alt_u_l", l.alt_u_l, 20_000.0, "U/L"),
            ("labs.alt_uln_u_l", l.alt_uln_u_l, 200.0, "U/L"),
            ("labs.ast_u_l", l.ast_u_l, 20_000.0, "U/L"),
            ("labs.ast_uln_u_l", l.ast_uln_u_l, 200.0, "U/L"),
        ] {
            within(key, value, 0.0, high, unit)?;
        }
        if let Some(ecog) = l.ecog.filter(|e| *e > 5) {
            return Err(wrong("labs.ecog", ecog.to_string(), "0 to 5"));
        }
        if let Some(way) = &self.lung.shunt {
            if !["spect", "planar", "stated"].contains(&way.as_str()) {
                return Err(wrong("lung.shunt", way.clone(), "spect, planar or stated"));
            }
            if way == "stated" && self.lung.stated_fraction.is_none() {
                return Err(wrong("lung.shunt", way.clone(), "lung.stated_fraction beside it"));
            }
        }
        let roles = crate::propose::ROLES;
        if let Some(role) = self.structures.accepted.iter().find(|r| !roles.contains(&r.as_str())) {
            return Err(wrong("structures.accepted", role.clone(), "liver, lungs or tumours"));
        }
        let models = ["mird", "bsa", "partition", "voxel"];
        for model in p.model.iter().chain(self.session.iter().filter_map(|s| s.model.as_ref())) {
            if !models.contains(&model.as_str()) {
                return Err(wrong("model", model.clone(), "mird, bsa, partition or voxel"));
            }
        }
        for s in &self.session {
            within("session.activity_gbq", s.activity_gbq, 0.001, 100.0, "GBq")?;
        }
        for (n, t) in self.territory.iter().enumerate() {
            if self.territory[..n].iter().any(|earlier| earlier.id == t.id) {
                return Err(wrong("territory.id", t.id.clone(), "an identifier used once"));
            }
            if !(1..=2).contains(&t.session) {
                return Err(wrong("territory.session", t.session.to_string(), "1 or 2"));
            }
        }
        let e = &self.extrahepatic;
        if (e.status == ExtrahepaticStatus::Found) == e.finding.is_empty() {
            return Err(wrong(
                "extrahepatic.status",
                format!("{:?} with {} findings", e.status, e.finding.len()).to_lowercase(),
                "found with one [[extrahepatic.finding]] each, or none/unknown without",
            ));
        }
        if let Some(roi) = &self.planar_roi {
            for (key, polygons) in
                [("lungs", &roi.lungs), ("liver", &roi.liver), ("background", &roi.background)]
            {
                let bad = polygons.iter().any(|p| {
                    p.len() < 3 || p.iter().flatten().any(|x| !x.is_finite() || x.abs() > 1e5)
                });
                if bad || (key != "background" && polygons.is_empty()) {
                    return Err(wrong(
                        &format!("planar_roi.{key}"),
                        format!("{} polygons", polygons.len()),
                        "polygons of at least three finite points",
                    ));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Case, String> {
        Case::parse(text, Path::new("case.toml")).map_err(|e| e.to_string())
    }

    #[test]
    fn the_shortest_case_leaves_everything_to_recognition_and_to_the_gates() {
        let case = parse("schema = 1").expect("valid");
        assert_eq!(case.extrahepatic.status, ExtrahepaticStatus::Unknown);
        assert_eq!(case.protocol.c1d1, None);
    }

    #[test]
    fn slips_are_said_in_one_sentence() {
        for (text, sentence) in [
            ("schema = 2", "case.toml: schema = 2, but this program reads schema = 1"),
            (
                "schema = 1\n[patient]\nheigth_cm = 170",
                "case.toml, line 3: unknown key `heigth_cm`; did you mean `height_cm`?",
            ),
            (
                "schema = 1\n[patient]\nweight_kg = 0",
                "case.toml: patient.weight_kg = 0, expected 25 to 350 kg",
            ),
            (
                "schema = 1\n[patient]\nheight_cm = 1.72",
                "case.toml: patient.height_cm = 1.72, expected 100 to 250 cm",
            ),
            (
                "schema = 1\n[labs]\nplatelets_1e9_l = 180000",
                "case.toml: labs.platelets_1e9_l = 180000, expected 0 to 3000 10^9/L (not per uL)",
            ),
            (
                "schema = 1\n[patient]\nweight_kg = nan",
                "case.toml: patient.weight_kg = NaN, expected 25 to 350 kg",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), sentence);
        }
    }

    #[test]
    fn a_finding_needs_a_site() {
        assert!(parse("schema = 1\n[extrahepatic]\nstatus = \"found\"").is_err());
        let found = "schema = 1\n[extrahepatic]\nstatus = \"found\"\n\
                     [[extrahepatic.finding]]\nsite = \"stomach\"\ncorrectable = false";
        assert_eq!(parse(found).expect("valid").extrahepatic.finding.len(), 1);
    }
}
