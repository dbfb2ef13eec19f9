//! What a file or folder holds: every series, its role, geometry and problems. Reads headers only.

use crate::dicom::object::Object;
use crate::dicom::{Patient, summary};
use crate::doubts;
use crate::error::ReadError;
use crate::image::FrameOfReference;
use crate::nifti;
use dicom_dictionary_std::tags;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Most files looked at: a folder of more is not a case.
const MAX_FILES: usize = 200_000;
/// Most folders within folders.
const MAX_DEPTH: usize = 16;

/// What a series is to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// CT.
    Ct,
    /// Reconstructed SPECT.
    Spect,
    /// PET.
    Pet,
    /// Planar nuclear medicine.
    Planar,
    /// Contours.
    RtStruct,
    /// Segmentations.
    Seg,
    /// A dose grid.
    RtDose,
    /// A NIfTI volume: it does not say of what.
    Nifti,
    /// Something a plan does not use.
    Other,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ct => "CT",
            Self::Spect => "SPECT",
            Self::Pet => "PET",
            Self::Planar => "planar",
            Self::RtStruct => "RTSTRUCT",
            Self::Seg => "SEG",
            Self::RtDose => "RTDOSE",
            Self::Nifti => "NIfTI",
            Self::Other => "other",
        })
    }
}

/// One series, or one file that is no DICOM.
#[derive(Debug, Clone, Serialize)]
pub struct Series {
    /// What it is to a plan.
    pub role: Role,
    /// Its files, in order of name.
    pub files: Vec<PathBuf>,
    /// DICOM Modality, empty for NIfTI.
    pub modality: String,
    /// Series Description, or the file name.
    pub description: String,
    /// Patient ID.
    pub patient_id: Option<String>,
    /// Study Instance UID.
    pub study_uid: Option<String>,
    /// Series Instance UID.
    pub series_uid: Option<String>,
    /// Frame of Reference UID.
    pub frame_of_reference: FrameOfReference,
    /// Whether a file of it holds several frames or slices.
    pub many_frames: bool,
    /// Size, spacing and more, in words.
    pub geometry: String,
    /// What would keep it from being used.
    pub problems: Vec<String>,
    /// What makes it doubtful, with the reason.
    pub warnings: Vec<String>,
}

/// What a file or folder holds.
#[derive(Debug, Clone, Serialize)]
pub struct Inventory {
    /// Series in order of role, description and file name.
    pub series: Vec<Series>,
    /// Files that begin as DICOM or NIfTI and cannot be read; several patients.
    pub problems: Vec<String>,
    /// What is doubtful about the series together, with the reason.
    pub warnings: Vec<String>,
    /// Files that are neither DICOM nor NIfTI.
    pub other_files: usize,
}

/// Looks at a file, or at a folder with all folders in it. Links out of the folder are not
/// followed.
///
/// # Errors
/// When the path cannot be read, or holds neither DICOM nor NIfTI.
pub fn scan(path: &Path) -> Result<Inventory, ReadError> {
    let metadata = std::fs::metadata(path).map_err(ReadError::io(path))?;
    let (mut files, mut put_aside) = (Vec::new(), Vec::new());
    if metadata.is_dir() {
        collect(path, 0, &mut files, &mut put_aside)?;
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    let looked: Vec<Looked> = files.par_iter().map(|f| look(f)).collect();
    let mut inventory = Inventory {
        series: Vec::new(),
        problems: Vec::new(),
        warnings: Vec::new(),
        other_files: 0,
    };
    let mut groups: BTreeMap<String, Vec<Object>> = BTreeMap::new();
    for (folder, what) in put_aside {
        inventory.warnings.push(format!("{}: {what}", folder.display()));
    }
    for (file, looked) in files.iter().zip(looked) {
        match looked {
            Looked::Dicom(object) => {
                let uid = object.text(tags::SERIES_INSTANCE_UID).unwrap_or_default();
                // Objects without a series are each on their own.
                let key = if uid.is_empty() { file.to_string_lossy().into_owned() } else { uid };
                groups.entry(key).or_default().push(*object);
            }
            Looked::Nifti(series) => inventory.series.push(series),
            // What is wrong with the only file is what there is to say.
            Looked::Problem(why) if files.len() == 1 => return Err(why),
            Looked::Problem(why) => inventory.problems.push(why.to_string()),
            Looked::Other => inventory.other_files += 1,
        }
    }
    if groups.is_empty() && inventory.series.is_empty() {
        let found = match (inventory.problems.first(), files.as_slice()) {
            (Some(problem), _) => format!("no file that can be read ({problem})"),
            (None, []) => "an empty folder".to_owned(),
            (None, [one]) if is_zip(one) => {
                let expected = "DICOM or NIfTI files";
                return Err(ReadError::format(path, "a zip archive", expected, "unpack it first"));
            }
            (None, list) if list.iter().any(|f| is_zip(f)) => {
                let expected = "DICOM or NIfTI files";
                return Err(ReadError::format(path, "zip archives", expected, "unpack them first"));
            }
            (None, list) => match list.iter().find_map(|f| other_format(f)) {
                Some(format) => format!("{} file(s), of them {format}", list.len()),
                None => format!("{} file(s) that are neither DICOM nor NIfTI", list.len()),
            },
        };
        let expected = "DICOM or NIfTI files";
        return Err(ReadError::format(
            path,
            found,
            expected,
            "give the folder of the exported images",
        ));
    }
    inventory.series.extend(groups.into_values().map(series));
    inventory.series.sort_by(|a, b| {
        (a.role, &a.description, &a.files).cmp(&(b.role, &b.description, &b.files))
    });
    let patients: std::collections::BTreeSet<_> =
        inventory.series.iter().filter_map(|s| s.patient_id.as_deref()).collect();
    if patients.len() > 1 {
        let list: Vec<_> = patients.into_iter().collect();
        inventory.problems.push(format!("files of {} patients: {}", list.len(), list.join(", ")));
    }
    Ok(inventory)
}

enum Looked {
    Dicom(Box<Object>),
    Nifti(Series),
    Problem(ReadError),
    Other,
}

/// Files by which a folder in a case is known to be none of its images, and what is said of it.
const NOT_OF_THE_CASE: [(&str, &str); 3] = [
    ("plan.json", "holds a plan (plan.json), and is left out: results are no images of a case"),
    (
        "verify.json",
        "holds a verification (verify.json), and is left out: results are no images of a case",
    ),
    (
        "treatment.toml",
        "holds the scan after a treatment (treatment.toml), and is left out: a plan is made before it",
    ),
];

/// Files of a folder; a folder in it of results, or of a scan after treatment, is put aside.
fn collect(
    folder: &Path,
    depth: usize,
    files: &mut Vec<PathBuf>,
    put_aside: &mut Vec<(PathBuf, &'static str)>,
) -> Result<(), ReadError> {
    let known = |(name, _): &&(&str, &str)| folder.join(name).is_file();
    if let Some((_, what)) = NOT_OF_THE_CASE.iter().find(known).filter(|_| depth > 0) {
        put_aside.push((folder.to_owned(), what));
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(ReadError::io(folder))? {
        let entry = entry.map_err(ReadError::io(folder))?;
        let kind = entry.file_type().map_err(ReadError::io(folder))?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if kind.is_dir() && !hidden && depth < MAX_DEPTH {
            collect(&entry.path(), depth + 1, files, put_aside)?;
        } else if kind.is_file() && !hidden {
            files.push(entry.path());
        }
        if files.len() > MAX_FILES {
            return Err(ReadError::TooLarge {
                path: folder.to_owned(),
                found: format!("more than {MAX_FILES} files"),
                expected: format!("{MAX_FILES} files"),
            });
        }
    }
    Ok(())
}

fn look(file: &Path) -> Looked {
    if nifti::is_nifti(file) {
        return match nifti::read_header(file) {
            Ok(header) => Looked::Nifti(nifti_series(file, &header)),
            Err(e) => Looked::Problem(e),
        };
    }
    if !Object::is_dicom(file) {
        return Looked::Other;
    }
    match Object::open_header(file) {
        // The index of a disc is no image.
        Ok(o)
            if o.inner()
                .meta()
                .media_storage_sop_class_uid()
                .starts_with("1.2.840.10008.1.3.10") =>
        {
            Looked::Other
        }
        Ok(object) => Looked::Dicom(Box::new(object)),
        Err(e) => Looked::Problem(e),
    }
}

/// Formats of images that are not read, by the name of a file.
fn other_format(file: &Path) -> Option<&'static str> {
    match file.extension()?.to_str()?.to_lowercase().as_str() {
        "mha" | "mhd" => Some("MetaImage, which is not read: convert it to NIfTI"),
        "nrrd" | "nhdr" => Some("NRRD, which is not read: convert it to NIfTI"),
        "h33" | "i33" => Some("Interfile, which is not read: convert it to NIfTI"),
        "mgz" | "mgh" => Some("FreeSurfer, which is not read: convert it to NIfTI"),
        _ => None,
    }
}

fn is_zip(file: &Path) -> bool {
    use std::io::Read;
    let mut head = [0; 2];
    std::fs::File::open(file).and_then(|mut f| f.read_exact(&mut head)).is_ok() && &head == b"PK"
}

fn nifti_series(file: &Path, header: &nifti::Header) -> Series {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut problems = Vec::new();
    if header.form == "none" {
        problems.push("neither sform nor qform: its place in the patient is a guess".to_owned());
    }
    Series {
        role: Role::Nifti,
        files: vec![file.to_owned()],
        modality: String::new(),
        description: name,
        patient_id: None,
        study_uid: None,
        series_uid: None,
        frame_of_reference: None,
        many_frames: true,
        geometry: format!("{}, {}", summary::of_grid(&header.grid), header.form),
        problems,
        warnings: Vec::new(),
    }
}

fn series(objects: Vec<Object>) -> Series {
    let Some(first) = objects.first() else { unreachable!("a group has a member") };
    let modality = first.text(tags::MODALITY).unwrap_or_default();
    let role = role(first, &modality);
    let (geometry, problems) = summary::of(role, &objects);
    Series {
        role,
        modality,
        description: first.text(tags::SERIES_DESCRIPTION).unwrap_or_default(),
        patient_id: Patient::of(first).id,
        study_uid: first.text(tags::STUDY_INSTANCE_UID),
        series_uid: first.text(tags::SERIES_INSTANCE_UID),
        frame_of_reference: summary::frame_of_reference(first),
        many_frames: first.number(tags::NUMBER_OF_FRAMES).is_some_and(|n| n > 1.0),
        geometry,
        problems,
        warnings: match role {
            Role::Spect => doubts::of_spect(first),
            Role::Planar => doubts::of_planar(first),
            Role::Pet => doubts::of_pet(first),
            _ => Vec::new(),
        },
        files: objects.iter().map(|o| o.path().to_owned()).collect(),
    }
}

fn role(o: &Object, modality: &str) -> Role {
    let kind = o.text(tags::IMAGE_TYPE).unwrap_or_default();
    match modality {
        "CT" if kind.contains("LOCALIZER") => Role::Other,
        "CT" => Role::Ct,
        "PT" => Role::Pet,
        "NM" if kind.contains("RECON") => Role::Spect,
        "NM" if ["WHOLE BODY", "STATIC", "DYNAMIC"].iter().any(|k| kind.contains(k)) => {
            Role::Planar
        }
        "RTSTRUCT" => Role::RtStruct,
        "RTDOSE" => Role::RtDose,
        "SEG" => Role::Seg,
        _ => Role::Other,
    }
}
