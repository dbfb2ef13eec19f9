//! What is doubtful about the images of a case: what `inspect` says without being asked, and what a plan's
//! warnings repeat. Each is a sentence with its reason; none keeps anybody from planning.

use crate::lung::away_from;
use crate::perfusion;
use crate::tissue::ratio;
use hepatica_imaging::dicom::nm;
use hepatica_imaging::inventory::{Inventory, Role, Series};
use hepatica_imaging::{Emission, Image, Mask, Structure, read_emission, structure};
use std::path::Path;

/// Lung next to the liver that breathing reaches.
const DOME_MM: f64 = 20.0;
/// Blur is worth a word where the strip's concentration is more than so many times that of the rest of
/// the lungs, and more than this part of the liver's.
const DOME_RATIO: f64 = 3.0;
const DOME_OF_LIVER: f64 = 0.05;
/// Counts of the liver blur into what lies next to it: this far away they do not.
const BESIDE_MM: f64 = 20.0;
/// Free pertechnetate is suspected where stomach or thyroid hold more than so many times the
/// concentration of the lungs, and more than this part of the liver's.
const FREE_RATIO: f64 = 3.0;
const FREE_OF_LIVER: f64 = 0.03;

/// What of a series can be said by its pixels: `None` where they cannot be read, which the inventory
/// says.
fn notes(series: &Series) -> Option<(Option<Emission>, Vec<String>)> {
    match series.role {
        Role::Spect => {
            let read = read_emission(&series.files).ok()?;
            let notes = read.notes.clone();
            Some((Some(read), notes))
        }
        Role::Planar => Some((None, nm::read_planar(series.files.first()?).ok()?.notes)),
        _ => None,
    }
}

/// Adds to an inventory what only pixels, structures or several series together can tell.
pub fn further(inventory: &mut Inventory) {
    let mut emissions: Vec<Emission> = Vec::new();
    for series in &mut inventory.series {
        let Some((emission, notes)) = notes(series) else { continue };
        emissions.extend(emission);
        let new = notes.into_iter().filter(|n| !series.warnings.contains(n)).collect::<Vec<_>>();
        series.warnings.extend(new);
    }
    let said = which_ct(inventory);
    inventory.warnings.extend(said);
    if let [emission] = emissions.as_slice() {
        let said = of_drawn(inventory, emission);
        inventory.warnings.extend(said);
    }
}

/// Which of several CT series a plan would take, and why.
fn which_ct(inventory: &Inventory) -> Option<String> {
    let with = |role| inventory.series.iter().filter(move |s| s.role == role);
    let all: Vec<&Series> = with(Role::Ct).collect();
    // What cannot be read is no candidate, but is listed with its problem.
    let candidates: Vec<&Series> = all.iter().copied().filter(|s| s.problems.is_empty()).collect();
    if all.len() < 2 {
        return None;
    }
    let list: Vec<String> = all.iter().map(|s| name(s)).collect();
    let found = format!("{} CT series could be the planning CT: {}", all.len(), list.join("; "));
    let ask = "name one under [images] ct in case.toml";
    let emission: Vec<&Series> = with(Role::Spect).chain(with(Role::Pet)).collect();
    let [emission] = emission.as_slice() else {
        return Some(format!(
            "{found}. None would be taken, for there is no one emission image to be in register with: {ask}"
        ));
    };
    let frame = emission.frame_of_reference.as_ref();
    let same = |s: &&&Series| frame.is_some() && s.frame_of_reference.as_ref() == frame;
    let near: Vec<&&Series> = all.iter().filter(same).collect();
    Some(match (near.as_slice(), candidates.as_slice()) {
        ([one], _) => format!(
            "{found}. {} would be taken, for it alone has the frame of reference of the {} and so is in register with it",
            name(one),
            emission.role
        ),
        ([], [one]) => format!(
            "{found}. None has the frame of reference of the {}: a plan asks; only {} can be read without a problem ({ask})",
            emission.role,
            name(one)
        ),
        ([], _) => format!(
            "{found}. None has the frame of reference of the {}: a plan asks which is in register ({ask})",
            emission.role
        ),
        _ => format!(
            "{found}. Several have the frame of reference of the {}: a plan asks ({ask}; the low-dose CT of the same scanner is in register, a diagnostic one shows lesions)",
            emission.role
        ),
    })
}

fn name(s: &Series) -> String {
    let words = if s.description.is_empty() { "unnamed" } else { &s.description };
    format!("`{words}` ({} files, {})", s.files.len(), s.geometry)
}

/// What structures tell of the emission image.
fn of_drawn(inventory: &Inventory, emission: &Emission) -> Vec<String> {
    let files = inventory.series.iter().filter(|s| [Role::RtStruct, Role::Seg].contains(&s.role));
    let sets = files.flat_map(|s| &s.files).filter_map(|f| structure::read(f).ok());
    let drawn: Vec<Structure> = sets.flat_map(|set| set.structures).collect();
    let named = |words: &[&str]| -> Vec<&Structure> {
        let fits = |s: &&Structure| words.contains(&plain(&s.name).as_str());
        drawn.iter().filter(fits).collect()
    };
    let livers = named(&["liver", "wholeliver", "liverwhole"]);
    let [liver] = livers.as_slice() else { return Vec::new() };
    let lungs = named(&[
        "lung",
        "lungs",
        "bothlungs",
        "lungl",
        "lungr",
        "lungleft",
        "lungright",
        "leftlung",
        "rightlung",
    ]);
    let others: Vec<&Structure> = drawn.iter().collect();
    of_regions(&emission.image, liver, &lungs, &others)
}

/// Lower case, letters and digits only.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Where free pertechnetate goes, in several languages.
fn takes_up_pertechnetate(plain: &str) -> Option<&'static str> {
    let begins = |words: &[&str]| words.iter().any(|w| plain.starts_with(w));
    if begins(&["stomach", "magen", "estomac", "stomaco", "estomago", "gastric"]) {
        return Some("stomach");
    }
    begins(&["thyroid", "schilddr", "tiroid", "thyro"]).then_some("thyroid")
}

/// What liver, lungs and other structures tell of an emission image: blur at the dome, uptake where
/// free pertechnetate goes. `others` may hold anything.
#[must_use]
pub fn of_regions(
    image: &Image<f32>,
    liver: &Structure,
    lungs: &[&Structure],
    others: &[&Structure],
) -> Vec<String> {
    let grid = image.grid();
    let liver = liver.on(grid);
    let lungs =
        lungs.iter().fold(Mask::empty(grid.clone()), |sum, s| sum.or(&s.on(grid))).minus(&liver);
    let per_ml = |mask: &Mask| ratio(perfusion::sum(image, mask), mask.volume().ml());
    let (in_liver, rest) = (per_ml(&liver), away_from(&lungs, &liver, DOME_MM));
    if in_liver <= 0.0 || rest.is_empty() {
        return Vec::new();
    }
    let mut said = Vec::new();
    let (near, far) = (per_ml(&lungs.minus(&rest)), per_ml(&rest));
    if near > DOME_RATIO * far && near > DOME_OF_LIVER * in_liver {
        said.push(format!(
            "blur at the dome (breathing, resolution): lung within {DOME_MM:.0} mm of the liver holds {:.0} % of the liver's concentration, the rest of the lungs {:.1} %; counts of the liver there would be taken for shunt, so a plan leaves that strip out",
            100.0 * near / in_liver,
            100.0 * far / in_liver
        ));
    }
    for other in others {
        let Some(organ) = takes_up_pertechnetate(&plain(&other.name)) else { continue };
        // Not what the liver's blur reaches.
        let own = away_from(&other.on(grid).minus(&liver), &liver, BESIDE_MM);
        if own.is_empty() {
            continue;
        }
        let mean = per_ml(&own);
        if mean > FREE_RATIO * far && mean > FREE_OF_LIVER * in_liver {
            said.push(format!(
                "free pertechnetate suspected: `{}` ({organ}), farther than {BESIDE_MM:.0} mm from the liver, holds {:.0} % of the liver's concentration and {:.1} times that of the lungs; the lung shunt would be too large, or an artery to the {organ} was reached",
                other.name,
                100.0 * mean / in_liver,
                ratio(mean, far)
            ));
        }
    }
    said
}

/// Says of a folder what [`further`] adds.
///
/// # Errors
/// Those of the inventory.
pub fn at(path: &Path) -> Result<Inventory, hepatica_imaging::ReadError> {
    let mut inventory = hepatica_imaging::inventory::scan(path)?;
    further(&mut inventory);
    Ok(inventory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hepatica_imaging::Grid;

    fn series(role: Role, description: &str, frame: Option<&str>) -> Series {
        Series {
            role,
            files: vec![format!("{description}.dcm").into()],
            modality: String::new(),
            description: description.to_owned(),
            patient_id: None,
            study_uid: None,
            series_uid: None,
            frame_of_reference: frame.map(str::to_owned),
            many_frames: false,
            geometry: "512 x 512 x 100".to_owned(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn which(list: Vec<Series>) -> Option<String> {
        let inventory =
            Inventory { series: list, problems: vec![], warnings: vec![], other_files: 0 };
        which_ct(&inventory)
    }

    #[test]
    fn of_two_ct_series_that_of_the_emission_image_is_named_with_the_reason() {
        let spect = || series(Role::Spect, "MAA", Some("1.2"));
        let ct = |name, frame| series(Role::Ct, name, Some(frame));
        assert_eq!(which(vec![ct("a", "1.2"), spect()]), None);
        let said = which(vec![ct("low dose", "1.2"), ct("portal", "1.3"), spect()]);
        let said = said.expect("two");
        assert!(said.contains("`low dose`") && said.contains("`portal`"), "{said}");
        assert!(said.contains("`low dose` (1 files, 512 x 512 x 100) would be taken"), "{said}");
        let said = which(vec![ct("a", "1.4"), ct("b", "1.3"), spect()]).expect("two");
        assert!(said.contains("None has the frame of reference of the SPECT"), "{said}");
        let said = which(vec![ct("a", "1.2"), ct("b", "1.2"), spect()]).expect("two");
        assert!(said.contains("Several have the frame"), "{said}");
        let said = which(vec![ct("a", "1.2"), ct("b", "1.2")]).expect("two");
        assert!(said.contains("no one emission image"), "{said}");
    }

    /// A liver below lungs, a stomach beside both; counts per voxel of each.
    fn said(dome: f32, lung: f32, stomach: f32) -> Vec<String> {
        let grid = Grid::axial([40, 10, 40], [5.0; 3], [0.0; 3]).expect("a grid");
        let part =
            |x: std::ops::Range<usize>, z: std::ops::Range<usize>| {
                Mask::from_fn(grid.clone(), |[i, _, k]| {
                    if x.contains(&i) && z.contains(&k) { 1.0 } else { 0.0 }
                })
            };
        let shape = |name: &str, mask: &Mask| Structure::of_voxels(name, 1, mask.clone());
        let (liver, lungs, belly) = (part(0..20, 0..20), part(0..20, 20..40), part(28..36, 0..10));
        let mut image = Image::filled(grid.clone(), 0.0);
        for (mask, counts) in
            [(&lungs, lung), (&part(0..20, 20..24), dome), (&liver, 100.0), (&belly, stomach)]
        {
            mask.voxels().for_each(|(n, _)| image.data_mut()[n] = counts);
        }
        let [lungs, belly] = [shape("Lungs", &lungs), shape("Magen", &belly)];
        of_regions(&image, &shape("Liver", &liver), &[&lungs], &[&lungs, &belly])
    }

    #[test]
    fn blur_at_the_dome_and_uptake_in_the_stomach_are_told_with_their_numbers() {
        assert_eq!(said(2.0, 2.0, 1.0), Vec::<String>::new());
        let [blur] = <[String; 1]>::try_from(said(20.0, 2.0, 1.0)).expect("one");
        assert!(
            blur.contains("holds 20 % of the liver's concentration, the rest of the lungs 2.0 %"),
            "{blur}"
        );
        let [free] = <[String; 1]>::try_from(said(2.0, 2.0, 10.0)).expect("one");
        assert!(free.contains("`Magen` (stomach)") && free.contains("5.0 times"), "{free}");
        // As much in the lungs as in the stomach is no sign.
        assert_eq!(said(9.0, 9.0, 10.0), Vec::<String>::new());
    }
}
