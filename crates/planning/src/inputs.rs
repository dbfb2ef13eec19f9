//! From a case folder to images and structures with roles: what is named in `case.toml` is taken,
//! the rest is recognised by modality and name, what is missing is asked for by name.

use crate::case::{Case, CaseError, TerritoryEntry};
use crate::names::{Names, NamesError, StructureRole};
use crate::plan::Input;
use crate::propose::{self, Proposal};
use hepatica_imaging::dicom::ct;
use hepatica_imaging::dicom::nm;
use hepatica_imaging::dicom::write::SeriesReference;
use hepatica_imaging::inventory::{self, Inventory, Role, Series};
use hepatica_imaging::{
    Emission, FrameOfReference, Image, Planar, ReadError, SpacingPolicy, Structure, StructureSet,
    nifti, read_emission, structure,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a case cannot be planned from its files.
#[derive(Debug, Error)]
pub enum InputError {
    /// The case file.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// An image or a structure file.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file of names.
    #[error(transparent)]
    Names(#[from] NamesError),
    /// A name that could mean several things.
    #[error("{}: the structure `{name}` could be {could}; say which with [structures] {keys}, or leave it out with ignore", .case.display())]
    Unclear {
        /// The case.
        case: PathBuf,
        /// The structure.
        name: String,
        /// Its roles, for people.
        could: String,
        /// The keys that would say.
        keys: String,
    },
    /// Nothing drawn, and nothing that could be proposed.
    #[error("{}: no {what} is drawn and none can be proposed: {why}", .case.display())]
    NoProposal {
        /// The case.
        case: PathBuf,
        /// What.
        what: String,
        /// Why not.
        why: String,
    },
    /// Something needed is nowhere.
    #[error("{}: no {what} found; {remedy}", .case.display())]
    Missing {
        /// The case.
        case: PathBuf,
        /// What.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// Several things could be meant.
    #[error("{}: {found} could be the {what}; {remedy}", .case.display())]
    Ambiguous {
        /// The case.
        case: PathBuf,
        /// What is looked for.
        what: String,
        /// The candidates.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// Files of more than one person.
    #[error("{}: files of {} patients ({}), expected one; keep each patient in a folder of its own", .case.display(), .found.len(), .found.join(", "))]
    Patients {
        /// The case.
        case: PathBuf,
        /// Their identifiers.
        found: Vec<String>,
    },
    /// A file of the case that begins as an image and cannot be read.
    #[error("{0}")]
    Damaged(String),
    /// Images that nothing says are in register.
    #[error("{}: {what} has frame of reference {found}, expected {expected} as the {other}; register them, or say that they are in register with --assume-aligned", .case.display())]
    FrameOfReference {
        /// The case.
        case: PathBuf,
        /// Which image or structure set.
        what: String,
        /// Its frame of reference.
        found: String,
        /// What it is compared with.
        other: String,
        /// The other's frame of reference.
        expected: String,
    },
    /// A structure named in the case file that no structure file has.
    #[error("{}: {key} names `{found}`, which no structure file holds; there are: {}", .case.display(), .there.join(", "))]
    NoStructure {
        /// The case.
        case: PathBuf,
        /// The key that names it.
        key: String,
        /// The name.
        found: String,
        /// What there is.
        there: Vec<String>,
    },
    /// A structure that is there and empty.
    #[error("{}: the structure `{name}` is empty, expected contours or voxels; draw it, or name another under [structures]", .case.display())]
    EmptyStructure {
        /// The case.
        case: PathBuf,
        /// The structure.
        name: String,
    },
    /// A path that leads out of the case or to nothing.
    #[error("{}: {key} = {}, expected {expected}", .case.display(), .found.display())]
    Path {
        /// The case.
        case: PathBuf,
        /// The key.
        key: String,
        /// What it says.
        found: PathBuf,
        /// What would do.
        expected: String,
    },
    /// A file that cannot be read for its checksum.
    #[error("{}: cannot be read ({source})", .path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The images and structures of a case, each with its role.
#[derive(Debug)]
pub struct Inputs {
    /// What the person says.
    pub case: Case,
    /// The case folder, for messages.
    pub folder: PathBuf,
    /// Identifier of the patient: the case file's, else the images'.
    pub patient_id: String,
    /// CT in HU.
    pub ct: Option<Ct>,
    /// Emission image of the simulation procedure.
    pub emission: Emission,
    /// Planar views.
    pub planar: Option<Planar>,
    /// Structures by role.
    pub structures: Roles,
    /// All files read.
    pub files: Vec<Input>,
    /// What a reader must know.
    pub warnings: Vec<String>,
}

impl Inputs {
    /// Names a file that is outside the case folder among the files read.
    ///
    /// # Errors
    /// [`InputError::Checksum`].
    pub fn add_file(&mut self, path: &Path, role: &str) -> Result<(), InputError> {
        let name = path.file_name().unwrap_or(path.as_os_str());
        self.files.push(Input {
            path: name.to_string_lossy().into_owned(),
            sha256: digest(path)?.iter().map(|b| format!("{b:02x}")).collect(),
            role: role.to_owned(),
            files: 1,
        });
        Ok(())
    }
}

/// A CT with where it stands.
#[derive(Debug)]
pub struct Ct {
    /// CT numbers in HU.
    pub image: Image<i16>,
    /// Its frame of reference, if the file says.
    pub frame_of_reference: FrameOfReference,
    /// Study it belongs to.
    pub study_uid: Option<String>,
    /// Its slices, for what is drawn on them to refer to; `None` of NIfTI.
    pub reference: Option<SeriesReference>,
}

/// Structures by role.
#[derive(Debug)]
pub struct Roles {
    /// The whole liver.
    pub liver: Structure,
    /// The lungs, none to several.
    pub lungs: Vec<Structure>,
    /// A structure a tumour.
    pub tumours: Vec<Structure>,
    /// Parts of liver or tumour that take up nothing.
    pub cold: Vec<Structure>,
    /// Other organs whose dose is wanted.
    pub organs: Vec<Structure>,
    /// The territories, with a structure or the whole liver.
    pub territories: Vec<(TerritoryEntry, Option<Structure>)>,
    /// Which of these nobody drew.
    pub proposed: Vec<Proposal>,
}

/// What a person says to be right although the files do not say so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Knowingly {
    /// The images are in register although their frames of reference differ.
    pub assume_aligned: bool,
    /// A CT with missing, uneven or tilted slices may be interpolated.
    pub resample_ct: bool,
    /// All proposed structures were looked at and are accepted.
    pub accept_proposed: bool,
}

/// Reads everything a plan needs. `knowingly` adds to what the case file says.
///
/// # Errors
/// One sentence on the first thing that is missing, unreadable or contradictory.
pub fn load(folder: &Path, mut case: Case, knowingly: Knowingly) -> Result<Inputs, InputError> {
    case.images.assume_aligned |= knowingly.assume_aligned;
    case.images.resample_ct |= knowingly.resample_ct;
    if knowingly.accept_proposed {
        case.structures.accepted = propose::ROLES.map(str::to_owned).into();
    }
    Loader::new(folder, case)?.load()
}

/// The case file of a folder; a folder without one is a case too.
///
/// # Errors
/// When the folder is not there, or its case file cannot be used.
pub fn read_case(folder: &Path) -> Result<Case, InputError> {
    if !folder.is_dir() {
        return Err(InputError::Missing {
            case: folder.to_owned(),
            what: "folder".to_owned(),
            remedy: "give the folder that holds case.toml or the DICOM files".to_owned(),
        });
    }
    let file = folder.join("case.toml");
    if file.exists() {
        Ok(Case::read(&file)?)
    } else {
        Ok(Case { schema: crate::case::SCHEMA, ..Case::default() })
    }
}

struct Loader {
    folder: PathBuf,
    case: Case,
    inventory: Option<Inventory>,
    files: Vec<(&'static str, Vec<PathBuf>)>,
    warnings: Vec<String>,
    patients: BTreeSet<String>,
}

impl Loader {
    fn new(folder: &Path, case: Case) -> Result<Self, InputError> {
        let images = &case.images;
        // Only what is not named has to be looked for.
        let all_named =
            images.ct.is_some() && images.spect.is_some() && !images.structures.is_empty();
        let inventory = if all_named { None } else { Some(inventory::scan(folder)?) };
        if let Some(found) = &inventory {
            let patients: BTreeSet<_> =
                found.series.iter().filter_map(|s| s.patient_id.clone()).collect();
            if patients.len() > 1 {
                let found = patients.into_iter().collect();
                return Err(InputError::Patients { case: folder.to_owned(), found });
            }
            if let Some(problem) = found.problems.first() {
                return Err(InputError::Damaged(problem.clone()));
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            case,
            inventory,
            files: Vec::new(),
            warnings: Vec::new(),
            patients: BTreeSet::new(),
        })
    }

    fn load(mut self) -> Result<Inputs, InputError> {
        let file = self.folder.join("case.toml");
        if file.exists() {
            self.files.push(("case", vec![file]));
        }
        if let Some(path) = &self.case.structures.names {
            let file = self.inside("structures.names", path)?;
            self.files.push(("names", vec![file]));
        }
        let spect_files = self.emission_files()?;
        let ct_source = self.ct_source(&spect_files)?;
        let planar_file = self.planar_file()?;
        let structure_files = self.structure_files()?;

        // The CT is most of the bytes: the checksums are made, and the structures read, while it is.
        let role_files = [
            Some(("spect", spect_files.clone())),
            ct_source.clone().map(|files| ("ct", files)),
            planar_file.clone().map(|file| ("planar", vec![file])),
            Some(("structures", structure_files.clone())),
        ];
        self.files.extend(role_files.into_iter().flatten());
        let images = || {
            let emission = read_emission(&spect_files)?;
            let policy = if self.case.images.resample_ct {
                SpacingPolicy::Resample
            } else {
                SpacingPolicy::Refuse
            };
            let ct = ct_source.as_deref().map(|files| read_ct(files, policy)).transpose()?;
            let planar = planar_file.as_deref().map(nm::read_planar).transpose()?;
            Ok::<_, ReadError>((emission, ct, planar))
        };
        let sets = || {
            structure_files
                .iter()
                .map(|file| Ok((file, structure::read(file)?)))
                .collect::<Result<Vec<_>, ReadError>>()
        };
        let (sets, (files, read)) =
            rayon::join(sets, || rayon::join(|| checksums(&self.folder, &self.files), images));
        let (emission, ct, planar) = read?;
        let files = files?;

        self.meet(emission.patient.id.as_deref());
        self.warnings.extend(emission.notes.iter().cloned());
        let ct = ct.map(|read| {
            self.meet(read.patient_id.as_deref());
            self.warnings.extend(read.notes);
            read.ct
        });
        if let Some(planar) = &planar {
            self.meet(planar.patient.id.as_deref());
            self.warnings.extend(planar.notes.iter().cloned());
        }
        if let Some(ct) = &ct {
            self.same_frame(
                "the emission image",
                &emission.frame_of_reference,
                "CT",
                &ct.frame_of_reference,
            )?;
        }
        let reference = ct.as_ref().map_or_else(
            || emission.frame_of_reference.clone(),
            |ct| ct.frame_of_reference.clone(),
        );
        let structures = self.structures(sets?, &reference, ct.as_ref(), &emission)?;
        if self.patients.len() > 1 {
            return Err(InputError::Patients {
                case: self.folder,
                found: self.patients.into_iter().collect(),
            });
        }
        let from_images = self.patients.first().cloned();
        let patient_id = match (&self.case.patient.id, from_images) {
            (Some(said), Some(found)) if *said != found => {
                self.warnings.push(format!(
                    "case.toml names patient {said}, the images patient {found}: make sure they are the same person"
                ));
                said.clone()
            }
            (Some(said), _) => said.clone(),
            (None, Some(found)) => found,
            (None, None) => "unnamed".to_owned(),
        };
        Ok(Inputs {
            case: self.case,
            folder: self.folder,
            patient_id,
            ct,
            emission,
            planar,
            structures,
            files,
            warnings: self.warnings,
        })
    }

    fn meet(&mut self, patient: Option<&str>) {
        if let Some(id) = patient.map(str::trim).filter(|id| !id.is_empty()) {
            self.patients.insert(id.to_owned());
        }
    }

    // ---- which files -------------------------------------------------------------------------

    fn emission_files(&self) -> Result<Vec<PathBuf>, InputError> {
        if let Some(path) = &self.case.images.spect {
            return self.named_files("images.spect", path, &[Role::Spect, Role::Pet]);
        }
        self.only(
            &[Role::Spect, Role::Pet],
            "emission image (SPECT or PET of the simulation procedure)",
            "images.spect",
            |_| true,
        )?
        .map(|series| series.files.clone())
        .ok_or_else(|| {
            self.missing(
                "emission image (SPECT or PET of the simulation procedure)",
                "put the DICOM files into the folder, or name a file under [images] spect",
            )
        })
    }

    /// A CT in the emission image's frame of reference is preferred to others.
    fn ct_source(&self, spect: &[PathBuf]) -> Result<Option<Vec<PathBuf>>, InputError> {
        if let Some(path) = &self.case.images.ct {
            return self.named_files("images.ct", path, &[Role::Ct]).map(Some);
        }
        let frame = self
            .inventory
            .iter()
            .flat_map(|i| &i.series)
            .find(|s| s.files == spect)
            .and_then(|s| s.frame_of_reference.clone());
        let same = |s: &Series| frame.is_some() && s.frame_of_reference == frame;
        let cts = || self.with_role(&[Role::Ct]);
        let series = if cts().filter(|s| same(s)).count() == 1 {
            cts().find(|s| same(s))
        } else {
            self.only(&[Role::Ct], "CT", "images.ct", |_| true)?
        };
        Ok(series.map(|s| s.files.clone()))
    }

    fn planar_file(&self) -> Result<Option<PathBuf>, InputError> {
        if let Some(path) = &self.case.images.planar {
            let files = self.named_files("images.planar", path, &[Role::Planar])?;
            return Ok(files.into_iter().next());
        }
        let series = self.only(&[Role::Planar], "planar image", "images.planar", |_| true)?;
        Ok(series.and_then(|s| s.files.first().cloned()))
    }

    fn structure_files(&self) -> Result<Vec<PathBuf>, InputError> {
        let named = &self.case.images.structures;
        let files: Vec<PathBuf> = if named.is_empty() {
            self.with_role(&[Role::RtStruct, Role::Seg])
                .flat_map(|s| s.files.iter().cloned())
                .collect()
        } else {
            named.iter().map(|p| self.inside("images.structures", p)).collect::<Result<_, _>>()?
        };
        Ok(files)
    }

    fn with_role<'a>(&'a self, roles: &'a [Role]) -> impl Iterator<Item = &'a Series> {
        self.inventory.iter().flat_map(|i| &i.series).filter(move |s| roles.contains(&s.role))
    }

    /// The only series of these roles; none is none, several are an error that lists them.
    fn only<'a>(
        &'a self,
        roles: &'a [Role],
        what: &str,
        key: &str,
        fits: impl Fn(&Series) -> bool + 'a,
    ) -> Result<Option<&'a Series>, InputError> {
        let mut candidates = self.with_role(roles).filter(|s| fits(s));
        let first = candidates.next();
        let others: Vec<_> = candidates.collect();
        if let (Some(first), false) = (first, others.is_empty()) {
            let names: Vec<_> = std::iter::once(first).chain(others).collect();
            let list: Vec<_> = names
                .iter()
                .map(|s| {
                    let place = s.files.first().map(|f| self.relative(f)).unwrap_or_default();
                    format!("`{}` ({place})", s.description)
                })
                .collect();
            return Err(InputError::Ambiguous {
                case: self.folder.clone(),
                what: what.to_owned(),
                found: list.join(" and "),
                remedy: format!("name one under {key} in case.toml"),
            });
        }
        Ok(first)
    }

    /// Files of something named in the case file: a file, or the only fitting series of a folder.
    fn named_files(
        &self,
        key: &str,
        path: &Path,
        roles: &[Role],
    ) -> Result<Vec<PathBuf>, InputError> {
        let path = self.inside(key, path)?;
        if path.is_file() {
            return Ok(vec![path]);
        }
        let found = inventory::scan(&path)?;
        let fitting: Vec<_> =
            found.series.into_iter().filter(|s| roles.contains(&s.role)).collect();
        match <[Series; 1]>::try_from(fitting) {
            Ok([series]) => Ok(series.files),
            Err(others) if others.is_empty() => Err(InputError::Path {
                case: self.folder.clone(),
                key: key.to_owned(),
                found: path,
                expected: format!("a series of role {:?} in it", roles[0]),
            }),
            Err(others) => Err(InputError::Ambiguous {
                case: self.folder.clone(),
                what: key.to_owned(),
                found: format!("{} series in {}", others.len(), path.display()),
                remedy: "keep one series in that folder".to_owned(),
            }),
        }
    }

    /// A path of the case file, which must exist and stay inside the case folder.
    fn inside(&self, key: &str, path: &Path) -> Result<PathBuf, InputError> {
        let wrong = |expected: &str| InputError::Path {
            case: self.folder.clone(),
            key: key.to_owned(),
            found: path.to_owned(),
            expected: expected.to_owned(),
        };
        let there = self.folder.join(path);
        let (Ok(real), Ok(root)) = (there.canonicalize(), self.folder.canonicalize()) else {
            return Err(wrong("a file or folder that exists, relative to the case folder"));
        };
        if !real.starts_with(&root) {
            return Err(wrong("a path inside the case folder"));
        }
        Ok(there)
    }

    fn relative(&self, path: &Path) -> String {
        relative(&self.folder, path)
    }

    fn missing(&self, what: &str, remedy: &str) -> InputError {
        InputError::Missing {
            case: self.folder.clone(),
            what: what.to_owned(),
            remedy: remedy.to_owned(),
        }
    }

    fn same_frame(
        &mut self,
        what: &str,
        found: &FrameOfReference,
        other: &str,
        expected: &FrameOfReference,
    ) -> Result<(), InputError> {
        match (found, expected) {
            (Some(f), Some(e)) if f == e => Ok(()),
            (Some(f), Some(e)) if !self.case.images.assume_aligned => {
                Err(InputError::FrameOfReference {
                    case: self.folder.clone(),
                    what: what.to_owned(),
                    found: f.clone(),
                    other: other.to_owned(),
                    expected: e.clone(),
                })
            }
            (Some(_), Some(_)) => {
                self.warnings.push(format!(
                    "{what} and the {other} have different frames of reference and are taken as in register because the user says so"
                ));
                Ok(())
            }
            _ => {
                self.warnings.push(format!(
                    "{what} or the {other} has no frame of reference: they are taken as in register"
                ));
                Ok(())
            }
        }
    }

    // ---- structures --------------------------------------------------------------------------

    fn structures(
        &mut self,
        sets: Vec<(&PathBuf, StructureSet)>,
        reference: &FrameOfReference,
        ct: Option<&Ct>,
        emission: &Emission,
    ) -> Result<Roles, InputError> {
        let names = match &self.case.structures.names {
            Some(path) => Names::read(&self.inside("structures.names", path)?)?,
            None => Names::shipped()?,
        };
        let mut all = Vec::new();
        for (file, set) in sets {
            let StructureSet { structures, frame_of_reference, patient, notes } = set;
            self.meet(patient.id.as_deref());
            let name = self.relative(file);
            self.warnings.extend(notes.into_iter().map(|note| format!("{name}: {note}")));
            self.same_frame(&name, &frame_of_reference, "images", reference)?;
            let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let labels = self.labels(&names, &structures)?;
            let mut structures = structures;
            for s in &mut structures {
                let label = s.number.checked_sub(1).and_then(|n| labels.get(n as usize));
                if let Some(name) = label {
                    s.name.clone_from(name);
                }
            }
            let maker = propose::maker(&structures, &names);
            all.extend(structures.into_iter().map(|structure| Found {
                file: file.clone(),
                structure,
                maker: maker.clone(),
            }));
        }
        let assign = Assign {
            folder: &self.folder,
            case: &self.case,
            names: &names,
            all,
            ct,
            emission,
            warnings: &mut self.warnings,
        };
        assign.roles()
    }

    /// Names for labels that have none, where the case says which kind of label map it is.
    fn labels(&self, names: &Names, found: &[Structure]) -> Result<Vec<String>, InputError> {
        let Some(kind) = &self.case.structures.labels else { return Ok(Vec::new()) };
        let unnamed = found.iter().all(|s| s.voxels().is_some() && s.name == s.number.to_string());
        match names.labels(kind) {
            Some(labels) if unnamed => Ok(labels.names.clone()),
            Some(_) => Ok(Vec::new()),
            None => Err(InputError::Path {
                case: self.folder.clone(),
                key: "structures.labels".to_owned(),
                found: kind.into(),
                expected: names.kinds().map(|k| k.id.as_str()).collect::<Vec<_>>().join(" or "),
            }),
        }
    }
}

/// A structure, the name of the file it is from, and the program that made it if no person did.
struct Found {
    file: String,
    structure: Structure,
    maker: Option<String>,
}

struct Assign<'a> {
    folder: &'a Path,
    case: &'a Case,
    names: &'a Names,
    all: Vec<Found>,
    ct: Option<&'a Ct>,
    emission: &'a Emission,
    warnings: &'a mut Vec<String>,
}

impl Assign<'_> {
    fn roles(mut self) -> Result<Roles, InputError> {
        let entry = self.case.structures.clone();
        self.ask()?;
        let territories = self.territories()?;
        let mut proposed = Vec::new();
        let liver = match &entry.liver {
            Some(name) => self.named("structures.liver", name)?,
            None => self.recognised_liver(&mut proposed)?,
        };
        let lungs = match &entry.lungs {
            Some(names) => self.each("structures.lungs", names)?,
            None => self.recognised_lungs(&mut proposed)?,
        };
        let tumours = match &entry.tumours {
            Some(names) => self.each("structures.tumours", names)?,
            None => self.recognised_tumours(&liver, &mut proposed),
        };
        let cold = self.each("structures.cold", &entry.cold)?;
        let organs = self.each("structures.organs", &entry.organs)?;
        for s in std::iter::once(&liver).chain(&tumours).chain(&lungs) {
            if s.is_empty() {
                return Err(InputError::EmptyStructure {
                    case: self.folder.to_owned(),
                    name: s.name.clone(),
                });
            }
        }
        if tumours.is_empty() {
            self.warnings.push(
                "no tumour structure: tumour doses, partition and voxel goals are not known"
                    .to_owned(),
            );
        }
        for p in &mut proposed {
            p.accepted = entry.accepted.contains(&p.role);
        }
        for role in propose::ROLES {
            let own: Vec<_> = proposed.iter().filter(|p| p.role == role).collect();
            let Some(first) = own.first() else { continue };
            let names: Vec<_> = own.iter().map(|p| p.name.as_str()).collect();
            let state = if first.accepted { "accepted" } else { "not accepted yet" };
            self.warnings.push(format!(
                "{}: proposed, not drawn ({state}); {}",
                names.join(", "),
                first.how
            ));
        }
        Ok(Roles { liver, lungs, tumours, cold, organs, territories, proposed })
    }

    /// Asks about every name that could mean several things, unless the case says what it is.
    fn ask(&self) -> Result<(), InputError> {
        let e = &self.case.structures;
        let keys = |role: StructureRole| match role {
            StructureRole::Liver => (e.liver.is_some(), "liver"),
            StructureRole::Lungs => (e.lungs.is_some(), "lungs"),
            StructureRole::Tumour => (e.tumours.is_some(), "tumours"),
            StructureRole::Territory => (!self.case.territory.is_empty(), "[[territory]]"),
            StructureRole::Cold => (!e.cold.is_empty(), "cold"),
            _ => (true, "ignore"),
        };
        for found in &self.all {
            let roles = self.names.roles(&found.structure.name);
            let open = roles.iter().any(|r| !keys(*r).0 && *r != StructureRole::Cold);
            if roles.len() < 2 || !open || self.is_said(found) {
                continue;
            }
            let could: Vec<_> =
                roles.iter().map(|r| format!("the {}", self.names.name_of(*r))).collect();
            let mut words: Vec<_> = roles.iter().map(|r| keys(*r).1).collect();
            words.retain(|w| *w != "ignore");
            words.dedup();
            return Err(InputError::Unclear {
                case: self.folder.to_owned(),
                name: found.structure.name.clone(),
                could: could.join(" or "),
                keys: words.join(" or "),
            });
        }
        Ok(())
    }

    /// Whether the case file names a structure.
    fn is_said(&self, found: &Found) -> bool {
        let e = &self.case.structures;
        let lists = [
            e.lungs.as_deref(),
            e.tumours.as_deref(),
            Some(&e.cold),
            Some(&e.organs),
            Some(&e.ignore),
        ];
        let named = lists.into_iter().flatten().flatten().chain(&e.liver);
        let territories = self.case.territory.iter().filter_map(|t| t.structure.as_ref());
        named.chain(territories).any(|name| found.is(name))
    }

    fn territories(&mut self) -> Result<Vec<(TerritoryEntry, Option<Structure>)>, InputError> {
        let entries = self.case.territory.clone();
        if !entries.is_empty() {
            return entries
                .into_iter()
                .map(|t| {
                    let structure = t
                        .structure
                        .as_ref()
                        .map(|name| self.named("territory.structure", name))
                        .transpose()?;
                    Ok((t, structure))
                })
                .collect();
        }
        let mut drawn: Vec<Structure> =
            self.recognised(StructureRole::Territory).map(|f| f.structure.clone()).collect();
        if drawn.len() > 1 {
            let names: Vec<_> = drawn.iter().map(|s| format!("`{}`", s.name)).collect();
            return Err(InputError::Ambiguous {
                case: self.folder.to_owned(),
                what: "territory of the first session".to_owned(),
                found: names.join(" and "),
                remedy: "say which is treated in which session with [[territory]] in case.toml"
                    .to_owned(),
            });
        }
        let structure = drawn.pop();
        if structure.is_none() {
            self.warnings.push(
                "no territory is drawn or named: the whole liver is taken as perfused from one catheter position"
                    .to_owned(),
            );
        }
        let entry = TerritoryEntry {
            id: structure.as_ref().map_or_else(|| "liver".to_owned(), |s| s.name.clone()),
            name: None,
            structure: structure.as_ref().map(|s| s.name.clone()),
            session: 1,
        };
        Ok(vec![(entry, structure)])
    }

    fn recognised_liver(&mut self, proposed: &mut Vec<Proposal>) -> Result<Structure, InputError> {
        match <[Structure; 1]>::try_from(self.given(StructureRole::Liver, "liver", proposed)) {
            Ok([liver]) => return Ok(liver),
            Err(none) if none.is_empty() => {}
            Err(several) => {
                let names: Vec<_> = several.iter().map(|s| format!("`{}`", s.name)).collect();
                return Err(InputError::Ambiguous {
                    case: self.folder.to_owned(),
                    what: "liver".to_owned(),
                    found: names.join(" and "),
                    remedy: "name one under [structures] liver as FILE#NAME".to_owned(),
                });
            }
        }
        // Both lobes are a liver.
        let right: Vec<&Found> = self.recognised(StructureRole::RightLobe).collect();
        let left: Vec<&Found> = self.recognised(StructureRole::LeftLobe).collect();
        if let ([right], [left]) = (right.as_slice(), left.as_slice()) {
            let note = format!(
                "no whole liver is drawn: `{}` and `{}` together are taken as it",
                right.structure.name, left.structure.name
            );
            let parts = vec![right.structure.clone(), left.structure.clone()];
            self.warnings.push(note);
            return Ok(Structure::of_parts("liver (both lobes)", 0, parts));
        }
        let Some(ct) = self.ct else {
            return Err(InputError::Missing {
                case: self.folder.to_owned(),
                what: "liver structure".to_owned(),
                remedy: if self.all.is_empty() {
                    "the liver and each tumour must be drawn: add an RTSTRUCT or SEG, or name NIfTI files under [images] structures (with a CT, a liver can be proposed)".to_owned()
                } else {
                    format!(
                        "name it under [structures] liver; there are: {}",
                        self.names().join(", ")
                    )
                },
            });
        };
        match propose::liver(&ct.image) {
            Ok((structure, how)) => {
                proposed.push(Proposal::new("liver", &structure, how));
                Ok(structure)
            }
            Err(why) => Err(InputError::NoProposal {
                case: self.folder.to_owned(),
                what: "liver".to_owned(),
                why: format!(
                    "{why}; draw it, or name it under [structures] liver (there are: {})",
                    self.names().join(", ")
                ),
            }),
        }
    }

    /// The lungs as drawn; where they are not, and something asks for them, as the CT shows them.
    fn recognised_lungs(
        &mut self,
        proposed: &mut Vec<Proposal>,
    ) -> Result<Vec<Structure>, InputError> {
        let found = self.given(StructureRole::Lungs, "lungs", proposed);
        if !found.is_empty() {
            return Ok(found);
        }
        let stated = self.case.lung.mass_kg.is_some();
        let Some(ct) = self.ct.filter(|_| !stated) else { return Ok(Vec::new()) };
        match propose::lungs(&ct.image) {
            Ok((structures, how)) => {
                proposed.extend(structures.iter().map(|s| Proposal::new("lungs", s, how.clone())));
                Ok(structures)
            }
            Err(why) => {
                self.warnings.push(format!("no lungs are drawn and none can be proposed: {why}"));
                Ok(Vec::new())
            }
        }
    }

    /// The tumours as drawn; where none is and the liver itself is proposed, what is hot in it.
    fn recognised_tumours(
        &mut self,
        liver: &Structure,
        proposed: &mut Vec<Proposal>,
    ) -> Vec<Structure> {
        let found = self.given(StructureRole::Tumour, "tumours", proposed);
        if !found.is_empty() {
            return found;
        }
        let (structures, how) = propose::tumours(&self.emission.image, liver);
        proposed.extend(structures.iter().map(|s| Proposal::new("tumours", s, how.clone())));
        structures
    }

    /// The structures of a role; those that a program made are proposals.
    fn given(
        &self,
        role: StructureRole,
        word: &str,
        proposed: &mut Vec<Proposal>,
    ) -> Vec<Structure> {
        let own = self.recognised(role).map(|f| {
            proposed.extend(f.maker.as_ref().map(|m| Proposal::by(m, word, &f.structure)));
            f.structure.clone()
        });
        own.collect()
    }

    fn recognised(&self, role: StructureRole) -> impl Iterator<Item = &Found> {
        let ignore = &self.case.structures.ignore;
        self.all.iter().filter(move |f| {
            self.names.roles(&f.structure.name) == [role] && !ignore.iter().any(|name| f.is(name))
        })
    }

    fn each(&self, key: &str, names: &[String]) -> Result<Vec<Structure>, InputError> {
        names.iter().map(|name| self.named(key, name)).collect()
    }

    /// A structure by name, or by `FILE#NAME` where names are not unique (labels of a label map).
    fn named(&self, key: &str, name: &str) -> Result<Structure, InputError> {
        let mut found = self.all.iter().filter(|f| f.is(name));
        match (found.next(), found.next()) {
            (Some(one), None) => {
                let mut structure = one.structure.clone();
                if name.contains('#') {
                    structure.name = name.to_owned();
                }
                Ok(structure)
            }
            (Some(_), Some(_)) => Err(InputError::Ambiguous {
                case: self.folder.to_owned(),
                what: format!("structure `{name}` of {key}"),
                found: "several structures of that name".to_owned(),
                remedy: "write FILE#NAME".to_owned(),
            }),
            (None, _) => Err(InputError::NoStructure {
                case: self.folder.to_owned(),
                key: key.to_owned(),
                found: name.to_owned(),
                there: self.names(),
            }),
        }
    }

    fn names(&self) -> Vec<String> {
        self.all.iter().map(|f| format!("`{}`", f.structure.name)).collect()
    }
}

impl Found {
    /// Whether a name is this structure's: its own, or `FILE#NAME` (or, of a label map, `FILE#LABEL`)
    /// where names are not unique.
    fn is(&self, name: &str) -> bool {
        let own = &self.structure;
        own.name == name
            || name.strip_prefix(&self.file).and_then(|rest| rest.strip_prefix('#')).is_some_and(
                |n| n == own.name || (own.voxels().is_some() && n == own.number.to_string()),
            )
    }
}

struct ReadCt {
    ct: Ct,
    patient_id: Option<String>,
    notes: Vec<String>,
}

/// What a CT is outside its field of view.
const AIR_HU: f32 = -1000.0;

/// CT of DICOM slices, or of one NIfTI file in HU.
fn read_ct(files: &[PathBuf], policy: SpacingPolicy) -> Result<ReadCt, ReadError> {
    if let [file] = files
        && nifti::is_nifti(file)
    {
        let (image, blank) = nifti::read_finite(file, AIR_HU)?;
        let clamp = |v: &f32| v.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16;
        let ct = Ct {
            image: image.map(clamp),
            frame_of_reference: None,
            study_uid: None,
            reference: None,
        };
        return Ok(ReadCt { ct, patient_id: None, notes: blank.into_iter().collect() });
    }
    let series = ct::read(files, policy)?;
    Ok(ReadCt {
        ct: Ct {
            image: series.image,
            frame_of_reference: series.frame_of_reference,
            study_uid: Some(series.study_uid),
            reference: Some(series.reference),
        },
        patient_id: series.patient.id,
        notes: series.notes,
    })
}

fn relative(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned()
}

/// One row a role: the file's checksum, or of several files that of their checksums in order of
/// file name.
pub(crate) fn checksums(
    folder: &Path,
    files: &[(&'static str, Vec<PathBuf>)],
) -> Result<Vec<Input>, InputError> {
    use rayon::prelude::*;
    files
        .iter()
        .map(|(role, paths)| {
            let mut paths = paths.clone();
            paths.sort();
            let digests: Vec<[u8; 32]> =
                paths.par_iter().map(|p| digest(p)).collect::<Result<_, _>>()?;
            let (path, sum) = match (paths.as_slice(), digests.as_slice()) {
                ([path], [sum]) => (relative(folder, path), *sum),
                _ => {
                    let mut all = Sha256::new();
                    digests.iter().for_each(|d| all.update(d));
                    let parent = paths.first().and_then(|p| p.parent()).unwrap_or(folder);
                    (format!("{}/", relative(folder, parent)), all.finalize().into())
                }
            };
            Ok(Input {
                path,
                sha256: sum.iter().map(|b| format!("{b:02x}")).collect(),
                role: (*role).to_owned(),
                files: paths.len(),
            })
        })
        .collect()
}

pub(crate) fn digest(path: &Path) -> Result<[u8; 32], InputError> {
    let failed = |source| InputError::Checksum { path: path.to_owned(), source };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0_u8; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hash.finalize().into()),
            n => hash.update(&buffer[..n]),
        }
    }
}
