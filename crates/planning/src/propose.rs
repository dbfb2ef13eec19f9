//! Structures that nobody drew: proposed, named as proposals, and held by the gate until somebody accepts them.

use crate::inputs::Roles;
use crate::names::Names;
use hepatica_imaging::segment::{self, SegmentError};
use hepatica_imaging::{Image, Structure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Roles that can be proposed, as `[structures] accepted` names them.
pub const ROLES: [&str; 3] = ["liver", "lungs", "tumours"];

/// A structure of a plan that nobody drew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Proposal {
    /// `liver`, `lungs` or `tumours`.
    pub role: String,
    /// Name of the structure.
    pub name: String,
    /// Its volume in mL.
    pub volume_ml: f64,
    /// How it was found.
    pub how: String,
    /// Somebody looked at it and says so.
    pub accepted: bool,
}

impl Proposal {
    /// A structure found here.
    #[must_use]
    pub fn new(role: &str, structure: &Structure, how: String) -> Self {
        Self {
            role: role.to_owned(),
            name: structure.name.clone(),
            volume_ml: structure.volume().ml(),
            how,
            accepted: false,
        }
    }

    /// A structure that another program found.
    #[must_use]
    pub fn by(maker: &str, role: &str, structure: &Structure) -> Self {
        Self::new(role, structure, format!("label map of {maker}"))
    }
}

/// The program that made a label map, if it is one whose labels are known: all have names, and nearly all
/// of these are that program's.
#[must_use]
pub fn maker(structures: &[Structure], names: &Names) -> Option<String> {
    let kind = names.kinds().find(|kind| {
        let known = structures.iter().filter(|s| kind.names.contains(&s.name)).count();
        known >= 3 && 10 * known >= 9 * structures.len()
    });
    kind.filter(|_| structures.iter().all(|s| s.voxels().is_some())).map(|k| k.name.clone())
}

/// All proposed structures as a map of labels, 1, 2, ... in order, on the voxels of the first of them; later
/// ones (tumours) lie over earlier ones (the liver). And a line that says which is which. `None` where there
/// are none.
#[must_use]
pub fn label_map(roles: &Roles) -> Option<(Image<f32>, String)> {
    let all = || std::iter::once(&roles.liver).chain(&roles.lungs).chain(&roles.tumours);
    let structures: Vec<_> =
        roles.proposed.iter().filter_map(|p| all().find(|s| s.name == p.name)).collect();
    let grid = structures.iter().find_map(|s| s.voxels())?.grid().clone();
    let mut map = Image::filled(grid.clone(), 0.0_f32);
    for (n, structure) in structures.iter().enumerate() {
        let mask = structure.on(&grid);
        let data = map.data_mut();
        mask.voxels().filter(|(_, f)| *f >= 0.5).for_each(|(at, _)| data[at] = (n + 1) as f32);
    }
    let names: Vec<_> = structures
        .iter()
        .enumerate()
        .map(|(n, s)| format!("{} {}", n + 1, s.name.trim_end_matches(" (proposed)")))
        .collect();
    let line: String = format!("proposed: {}", names.join(", ")).chars().take(79).collect();
    Some((map, line))
}

/// The liver of a CT.
///
/// # Errors
/// When the CT shows none.
pub fn liver(ct: &Image<i16>) -> Result<(Structure, String), SegmentError> {
    let mask = segment::liver(ct)?;
    let how = "the largest even soft tissue on the right of the CT, with what it encloses; borders to stomach, heart and kidney are its weak places".to_owned();
    Ok((Structure::of_voxels("Liver (proposed)", 0, mask), how))
}

/// The lungs of a CT.
///
/// # Errors
/// When the CT shows none.
pub fn lungs(ct: &Image<i16>) -> Result<(Vec<Structure>, String), SegmentError> {
    let found = segment::lungs(ct)?;
    let structures =
        found.parts.into_iter().map(|(name, mask)| Structure::of_voxels(name, 0, mask)).collect();
    let cut = if found.cut { "; the CT cuts them off" } else { "" };
    Ok((structures, format!("below -400 HU in the body, without windpipe and bowel gas{cut}")))
}

/// Hot spots of the emission image in the liver, `T1 (proposed)` the largest.
#[must_use]
pub fn tumours(counts: &Image<f32>, liver: &Structure) -> (Vec<Structure>, String) {
    let spots = segment::hot_spots(counts, &liver.on(counts.grid()));
    let structures = spots
        .into_iter()
        .enumerate()
        .map(|(n, mask)| Structure::of_voxels(&format!("T{} (proposed)", n + 1), 0, mask))
        .collect();
    let how = "in the emission image at least twice the median of the liver, down to half of the height above it; thresholds misjudge volumes by 20 to 210 % (docs/segmentation.md)";
    (structures, how.to_owned())
}
