//! What a structure is, by its name: `names/structures.toml`, described in `docs/names.md`.

use crate::strict::{self, TomlError};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The version of the format this program reads.
const SCHEMA: u32 = 1;
/// Most bytes a file of names may have.
const MAX_BYTES: u64 = 1 << 20;
/// The names that come with the program.
const SHIPPED: &str = include_str!("../../../names/structures.toml");

/// What a structure can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StructureRole {
    /// The whole liver.
    Liver,
    /// Its right lobe.
    RightLobe,
    /// Its left lobe.
    LeftLobe,
    /// Liver without tumours.
    NormalLiver,
    /// A tumour.
    Tumour,
    /// Takes up nothing.
    Cold,
    /// What one catheter position perfuses.
    Territory,
    /// A lung, a lobe of it, or both.
    Lungs,
    /// Another organ.
    Organ,
    /// The outline of the patient.
    Body,
}

/// Names and what they mean.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// Version of the format.
    pub schema: u32,
    /// Roles with their names.
    role: Vec<RoleNames>,
    /// Label maps whose labels have no names of their own.
    #[serde(default)]
    labels: Vec<LabelNames>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleNames {
    id: StructureRole,
    /// For people.
    name: String,
    /// At most one structure has it.
    #[serde(default)]
    only_one: bool,
    /// Patterns.
    names: Vec<String>,
    /// Patterns that do not count although one of `names` fits.
    #[serde(default)]
    except: Vec<String>,
}

/// The labels of a kind of label map: 1, 2, ... in order.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelNames {
    /// Short identifier.
    pub id: String,
    /// For people.
    pub name: String,
    /// Where the names are from.
    pub source: String,
    /// Names of labels 1, 2, ...
    pub names: Vec<String>,
}

/// Why names cannot be used.
#[derive(Debug, Error)]
pub enum NamesError {
    /// It cannot be read.
    #[error("{}: cannot be read ({source}); check the path", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Too long to be one.
    #[error("{}: {found} bytes is no file of names (at most {MAX_BYTES})", .path.display())]
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
    #[error("{file}: schema = {found}, but this program reads schema = {SCHEMA}")]
    Schema {
        /// The file.
        file: String,
        /// What it says.
        found: u32,
    },
    /// A pattern without a letter would fit everything.
    #[error(
        "{file}: role {role} has the name `{found}`, expected at least one letter besides * and #"
    )]
    Pattern {
        /// The file.
        file: String,
        /// The role, for people.
        role: String,
        /// The pattern.
        found: String,
    },
}

impl Names {
    /// The names that come with the program.
    ///
    /// # Errors
    /// Never, as a test says; the shipped text is read like any other.
    pub fn shipped() -> Result<Self, NamesError> {
        Self::parse(SHIPPED, "names/structures.toml")
    }

    /// The names of a file.
    ///
    /// # Errors
    /// When it cannot be read or says what cannot be.
    pub fn read(path: &Path) -> Result<Self, NamesError> {
        let failed = |source| NamesError::Read { path: path.to_owned(), source };
        let found = std::fs::metadata(path).map_err(failed)?.len();
        if found > MAX_BYTES {
            return Err(NamesError::TooLong { path: path.to_owned(), found });
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        Self::parse(&text, &path.display().to_string())
    }

    /// The names of a text; `file` names it in errors.
    ///
    /// # Errors
    /// When it says what cannot be.
    pub fn parse(text: &str, file: &str) -> Result<Self, NamesError> {
        let mut names: Self = strict::parse(text, file)?;
        if names.schema != SCHEMA {
            return Err(NamesError::Schema { file: file.to_owned(), found: names.schema });
        }
        for role in &mut names.role {
            for pattern in role.names.iter_mut().chain(&mut role.except) {
                let folded = plain(pattern, true);
                if !folded.iter().any(|c| !['*', '#'].contains(c)) {
                    return Err(NamesError::Pattern {
                        file: file.to_owned(),
                        role: role.name.clone(),
                        found: pattern.clone(),
                    });
                }
                *pattern = folded.into_iter().collect();
            }
        }
        Ok(names)
    }

    /// What a structure of this name can be: nothing known, one role, or several.
    #[must_use]
    pub fn roles(&self, name: &str) -> Vec<StructureRole> {
        let name = plain(name, false);
        let any = |patterns: &[String]| {
            patterns.iter().any(|p| fits(&p.chars().collect::<Vec<_>>(), &name))
        };
        let of = self.role.iter().filter(|r| any(&r.names) && !any(&r.except));
        let mut roles: Vec<_> = of.map(|r| r.id).collect();
        roles.dedup();
        roles
    }

    /// A role for people.
    #[must_use]
    pub fn name_of(&self, role: StructureRole) -> &str {
        self.role.iter().find(|r| r.id == role).map_or("structure", |r| &r.name)
    }

    /// Whether at most one structure has a role.
    #[must_use]
    pub fn only_one(&self, role: StructureRole) -> bool {
        self.role.iter().any(|r| r.id == role && r.only_one)
    }

    /// Names of the labels of a kind of label map.
    #[must_use]
    pub fn labels(&self, id: &str) -> Option<&LabelNames> {
        self.labels.iter().find(|l| l.id == id)
    }

    /// Kinds of label maps that are known.
    pub fn kinds(&self) -> impl Iterator<Item = &LabelNames> {
        self.labels.iter()
    }
}

/// Lower case letters and digits without accents; of a pattern also its `*` and `#`.
fn plain(name: &str, pattern: bool) -> Vec<char> {
    name.chars()
        .flat_map(char::to_lowercase)
        .map(bare)
        .filter(|c| c.is_alphanumeric() || (pattern && ['*', '#'].contains(c)))
        .collect()
}

/// A letter without its accent, of the languages in the file.
fn bare(c: char) -> char {
    match c {
        'á' | 'à' | 'â' | 'ä' | 'ã' | 'å' | 'ą' => 'a',
        'é' | 'è' | 'ê' | 'ë' | 'ę' | 'ě' => 'e',
        'í' | 'ì' | 'î' | 'ï' | 'ı' => 'i',
        'ó' | 'ò' | 'ô' | 'ö' | 'õ' => 'o',
        'ú' | 'ù' | 'û' | 'ü' | 'ů' => 'u',
        'ç' | 'ć' | 'č' => 'c',
        'ñ' | 'ń' => 'n',
        'ł' => 'l',
        'ś' | 'š' | 'ş' => 's',
        'ř' => 'r',
        'ż' | 'ź' | 'ž' => 'z',
        'ğ' => 'g',
        'ý' => 'y',
        'ё' => 'е',
        other => other,
    }
}

/// Whether a name fits a pattern: `*` any letters, also none, `#` one to three digits. In time of pattern
/// times name, whatever both are.
fn fits(pattern: &[char], name: &[char]) -> bool {
    // Places in the name that the pattern so far may have come to.
    let mut at: Vec<bool> = vec![false; name.len() + 1];
    at[0] = true;
    for p in pattern {
        let mut next = vec![false; name.len() + 1];
        for n in (0..=name.len()).filter(|n| at[*n]) {
            match p {
                '*' => next[n..].fill(true),
                '#' => {
                    let digits = name[n..].iter().take(3).take_while(|c| c.is_ascii_digit());
                    (1..=digits.count()).for_each(|d| next[n + d] = true);
                }
                c if name.get(n) == Some(c) => next[n + 1] = true,
                _ => {}
            }
        }
        at = next;
    }
    at[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use StructureRole::{
        Body, Cold, LeftLobe, Liver, Lungs, NormalLiver, Organ, Territory, Tumour,
    };

    #[test]
    fn structures_are_recognised_by_the_names_people_give_them() {
        let names = Names::shipped().expect("valid");
        for (role, list) in [
            (
                Liver,
                &["Liver", "LIVER", "whole_liver", "Leber", "foie", "Hígado", "fegato", "肝臓"][..],
            ),
            (
                Lungs,
                &[
                    "Lungs",
                    "Lung_L",
                    "lung right",
                    "lung_upper_lobe_left",
                    "Left Lung",
                    "Lunge links",
                    "Poumon G",
                    "pulmón-derecho",
                ],
            ),
            (
                Tumour,
                &[
                    "T1",
                    "T12",
                    "Tumour 3",
                    "tumor_2",
                    "Lesion-4",
                    "GTV1",
                    "met 7",
                    "Läsion 2",
                    "liver_tumor",
                    "Métastase 1",
                ],
            ),
            (Territory, &["Territory_right", "Perfused right", "Versorgungsgebiet S5"]),
            (Cold, &["T2_necrosis", "Zyste 3"]),
            (LeftLobe, &["Left lobe", "linker Leberlappen", "lobe gauche"]),
            (NormalLiver, &["Liver - GTV", "Normal Liver", "liver_minus_tumor"]),
            (Organ, &["Spleen", "Milz", "stomach", "kidney_left"]),
            (Body, &["BODY", "External"]),
        ] {
            for name in list {
                assert_eq!(names.roles(name), [role], "{name}");
            }
        }
        for name in [
            "lung_vessels",
            "lung_nodules",
            "T",
            "Th12",
            "liver_vessels",
            "vertebrae_T1",
            "Tumor Bed",
            "aorta",
        ] {
            assert!(names.roles(name).is_empty(), "{name}: {:?}", names.roles(name));
        }
        // Asked about.
        assert_eq!(names.roles("left"), [LeftLobe, Lungs]);
        assert_eq!(names.roles("Tumor necrosis"), [Tumour, Cold]);
    }

    #[test]
    fn labels_of_totalsegmentator() {
        let names = Names::shipped().expect("valid");
        let labels = &names.labels("totalsegmentator").expect("there").names;
        assert_eq!(labels.len(), 117);
        for (n, name) in [
            (5, "liver"),
            (14, "lung_lower_lobe_right"),
            (51, "heart"),
            (92, "rib_left_1"),
            (116, "sternum"),
        ] {
            assert_eq!(labels[n - 1], name);
        }
    }

    #[test]
    fn slips_are_said_in_one_sentence() {
        let error = |text: &str| Names::parse(text, "names.toml").expect_err("wrong").to_string();
        assert_eq!(
            error("schema = 3\nrole = []"),
            "names.toml: schema = 3, but this program reads schema = 1"
        );
        let role = "schema = 1\n[[role]]\nid = \"liver\"\nname = \"whole liver\"\n";
        assert_eq!(
            error(&format!("{role}names = [\"* #\"]")),
            "names.toml: role whole liver has the name `* #`, expected at least one letter besides * and #"
        );
        assert!(error(&format!("{role}nmaes = []")).contains("did you mean `names`"));
    }

    #[test]
    fn no_pattern_takes_long() {
        let name: Vec<char> = "a".repeat(2000).chars().collect();
        let pattern: Vec<char> = "*a".repeat(500).chars().chain(['b']).collect();
        assert!(!fits(&pattern, &name));
    }
}
