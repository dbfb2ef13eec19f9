//! The structures of a case, brought onto the grid of the dose, and what must hold of them.

use crate::inputs::Roles;
use hepatica_imaging::{Grid, Mask, Structure};
use rayon::prelude::*;
use std::borrow::Borrow;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A tumour of which less than this lies in the liver is an error of drawing or registration.
const TUMOUR_IN_LIVER_AT_LEAST: f64 = 0.5;
/// Below this it is worth a word.
const TUMOUR_IN_LIVER_EXPECTED: f64 = 0.9;
/// A liver of which less than this is in the field of view is not in register.
const LIVER_SEEN_AT_LEAST: f64 = 0.5;
/// Below this it is worth a word. Rasterising on coarse voxels costs less than a percent.
const LIVER_SEEN_EXPECTED: f64 = 0.98;

/// Why the structures cannot be planned with.
#[derive(Debug, Error)]
pub enum TissueError {
    /// A tumour elsewhere.
    #[error("{}: the tumour `{name}` lies outside the liver ({:.0} % of it is inside, expected at least {:.0} %); check its contours and the registration, or leave it out under [structures] tumours", .case.display(), 100.0 * .inside, 100.0 * TUMOUR_IN_LIVER_AT_LEAST)]
    TumourOutside {
        /// The case.
        case: PathBuf,
        /// The tumour.
        name: String,
        /// Fraction of its volume in the liver.
        inside: f64,
    },
    /// A liver that the emission image does not show.
    #[error("{}: only {:.0} % of the liver `{name}` lies in the field of view of the dose grid, expected nearly all; check that images and structures are in register", .case.display(), 100.0 * .seen)]
    LiverNotSeen {
        /// The case.
        case: PathBuf,
        /// The structure.
        name: String,
        /// Fraction of its volume inside.
        seen: f64,
    },
    /// A territory that has no liver in it.
    #[error("{}: the territory `{name}` has no liver in it; check its contours", .case.display())]
    EmptyTerritory {
        /// The case.
        case: PathBuf,
        /// The territory.
        name: String,
    },
    /// Territories that share liver.
    #[error("{}: the territories `{first}` and `{second}` share {ml:.0} mL of liver, expected none; one session's activity would be counted twice", .case.display())]
    Overlap {
        /// The case.
        case: PathBuf,
        /// A territory.
        first: String,
        /// Another.
        second: String,
        /// Shared volume.
        ml: f64,
    },
}

/// A structure on the grid of the dose.
#[derive(Debug, Clone)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub mask: Mask,
}

/// The compartments on the grid of the dose.
#[derive(Debug)]
pub struct Tissue {
    /// The whole liver, tumours included.
    pub liver: Mask,
    /// Every tumour, without its cold part.
    pub tumours: Vec<Named>,
    /// What takes up nothing.
    pub cold: Vec<Named>,
    /// Liver that is neither tumour nor cold.
    pub normal: Mask,
    /// The lungs as far as the grid shows them; empty if not drawn.
    pub lungs: Mask,
    /// Other organs.
    pub organs: Vec<Named>,
    /// Every territory, within the liver.
    pub territories: Vec<Named>,
}

impl Tissue {
    /// Brings the structures onto `grid`.
    ///
    /// # Errors
    /// When a tumour is outside the liver, the liver outside the grid, a territory empty.
    pub fn on(
        grid: &Grid,
        roles: &Roles,
        case: &Path,
        warnings: &mut Vec<String>,
    ) -> Result<Self, TissueError> {
        let named = |s: &Structure| Named { name: s.name.clone(), mask: (*s.on(grid)).clone() };
        let all = |list: &[Structure]| list.par_iter().map(named).collect::<Vec<_>>();
        let drawn = roles.liver.on(grid);
        let seen = ratio(drawn.volume().ml(), roles.liver.volume().ml());
        if seen < LIVER_SEEN_AT_LEAST {
            return Err(TissueError::LiverNotSeen {
                case: case.to_owned(),
                name: roles.liver.name.clone(),
                seen,
            });
        }
        if seen < LIVER_SEEN_EXPECTED {
            warnings.push(format!(
                "{:.1} % of the liver is outside the field of view of the dose grid: activity there is not counted",
                100.0 * (1.0 - seen)
            ));
        }
        let mut tumours = all(&roles.tumours);
        for t in &tumours {
            let inside = ratio(t.mask.and(&drawn).volume().ml(), t.mask.volume().ml());
            if inside < TUMOUR_IN_LIVER_AT_LEAST {
                return Err(TissueError::TumourOutside {
                    case: case.to_owned(),
                    name: t.name.clone(),
                    inside,
                });
            }
            if inside < TUMOUR_IN_LIVER_EXPECTED {
                warnings.push(format!(
                    "{:.0} % of {} lies outside the drawn liver and is counted as liver",
                    100.0 * (1.0 - inside),
                    t.name
                ));
            }
        }
        let cold = all(&roles.cold);
        let union = |list: &[Named]| Mask::union(grid, list.iter().map(|n| &n.mask));
        let liver = drawn.or(&union(&tumours));
        let cold_union = union(&cold);
        for t in &mut tumours {
            t.mask = t.mask.minus(&cold_union);
        }
        let normal = liver.minus(&union(&tumours)).minus(&cold_union);
        let lungs = union_of(&roles.lungs, grid).minus(&liver);
        let territories = territories(roles, grid, &liver, case)?;
        let tissue =
            Self { liver, tumours, cold, normal, lungs, organs: all(&roles.organs), territories };
        tissue.check_territories(case, warnings)?;
        Ok(tissue)
    }

    fn check_territories(
        &self,
        case: &Path,
        warnings: &mut Vec<String>,
    ) -> Result<(), TissueError> {
        for (n, first) in self.territories.iter().enumerate() {
            for second in &self.territories[n + 1..] {
                let ml = first.mask.and(&second.mask).volume().ml();
                // Territories that touch share the voxels of their border: at most a few percent.
                let smaller = first.mask.volume().ml().min(second.mask.volume().ml());
                if ml > 0.25 * smaller {
                    return Err(TissueError::Overlap {
                        case: case.to_owned(),
                        first: first.name.clone(),
                        second: second.name.clone(),
                        ml,
                    });
                }
            }
        }
        for t in &self.tumours {
            let covered: f64 =
                self.territories.iter().map(|z| z.mask.and(&t.mask).volume().ml()).sum();
            let missed = 1.0 - ratio(covered, t.mask.volume().ml());
            if missed > 0.1 {
                warnings.push(format!(
                    "{:.0} % of {} lies in no territory and receives no activity",
                    100.0 * missed,
                    t.name
                ));
            }
        }
        Ok(())
    }
}

/// What any of the structures fills of a grid.
pub(crate) fn union_of<'a, S: Borrow<Structure> + Sync + 'a>(list: &[S], grid: &Grid) -> Mask {
    let masks: Vec<_> = list.par_iter().map(|s| s.borrow().on(grid)).collect();
    Mask::union(grid, masks.iter().map(|m| &**m))
}

fn territories(
    roles: &Roles,
    grid: &Grid,
    liver: &Mask,
    case: &Path,
) -> Result<Vec<Named>, TissueError> {
    roles
        .territories
        .par_iter()
        .map(|(entry, structure)| {
            let mask = structure.as_ref().map_or_else(|| liver.clone(), |s| s.on(grid).and(liver));
            let name = entry.name.clone().unwrap_or_else(|| entry.id.clone());
            if mask.is_empty() {
                return Err(TissueError::EmptyTerritory { case: case.to_owned(), name });
            }
            Ok(Named { name, mask })
        })
        .collect()
}

/// `part / whole`, or zero of nothing.
pub fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
