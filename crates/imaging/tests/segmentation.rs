//! Proposals against segmentations of real images that we did not make (TotalSegmentator's, in the folder of
//! real data, `HEPATICA_DATA`): skipped, aloud, where the data are not there.

use hepatica_imaging::segment::{self, dice};
use hepatica_imaging::{Image, Mask, nifti, structure};
use std::path::PathBuf;

fn data(name: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = std::env::var_os("HEPATICA_DATA").map_or(beside, PathBuf::from).join(name);
    if !path.exists() {
        println!("skipped: {name} is not there");
    }
    path.exists().then_some(path)
}

/// A CT in HU, and the structures of its label map by name.
fn pair(ct: &str, labels: &str) -> Option<(Image<i16>, hepatica_imaging::StructureSet)> {
    let (ct, labels) = (data(ct)?, data(labels)?);
    let image = nifti::read(&ct).expect("a CT").map(|v| v.round() as i16);
    Some((image, structure::read(&labels).expect("labels")))
}

fn union(set: &hepatica_imaging::StructureSet, like: &Mask, wanted: impl Fn(&str) -> bool) -> Mask {
    let own = set.structures.iter().filter(|s| wanted(&s.name));
    own.fold(Mask::empty(like.grid().clone()), |sum, s| sum.or(&s.on(like.grid())))
}

#[test]
fn on_a_trunk_whose_lungs_are_cut_off() {
    let Some((ct, set)) =
        pair("totalsegmentator_ct_3mm/ct.nii.gz", "totalsegmentator_ct_3mm/seg.nii.gz")
    else {
        return;
    };
    assert!(set.structures.iter().any(|s| s.name == "liver"), "the file's own names");
    let lungs = segment::lungs(&ct).expect("lungs");
    assert!(lungs.cut, "their tops are not in the image");
    let ours =
        lungs.parts.iter().fold(Mask::empty(lungs.parts[0].1.grid().clone()), |sum, (name, m)| {
            println!("{name}: {:.1} mL", m.volume().ml());
            sum.or(m)
        });
    let theirs = union(&set, &ours, |name| name.starts_with("lung_"));
    let found = dice(&ours, &theirs);
    println!("lungs {:.1} of {:.1} mL, dice {found:.3}", ours.volume().ml(), theirs.volume().ml());
    assert!(found > 0.90, "{found}");

    let liver = segment::liver(&ct).expect("a liver");
    let theirs = union(&set, &liver, |name| name == "liver");
    let found = dice(&liver, &theirs);
    println!("liver {:.0} of {:.0} mL, dice {found:.3}", liver.volume().ml(), theirs.volume().ml());
    assert!(found > 0.80, "{found}");

    let bone = segment::bone(&ct).expect("bone");
    let theirs = union(&set, &bone, |name| {
        ["vertebrae_", "rib_", "hip_", "sacrum", "femur_", "sternum"]
            .iter()
            .any(|b| name.starts_with(b))
    });
    // Theirs holds marrow, ours what is dense.
    let inside = bone.and(&theirs).volume().ml() / bone.volume().ml();
    println!(
        "bone {:.0} of {:.0} mL, {:.2} of ours in theirs",
        bone.volume().ml(),
        theirs.volume().ml(),
        inside
    );
    assert!(inside > 0.8, "{inside}");

    let body = segment::body(&ct).expect("a body");
    let organs = union(&set, &body, |_| true);
    let held = body.and(&organs).volume().ml() / organs.volume().ml();
    println!("body {:.0} mL holds {:.4} of all organs", body.volume().ml(), held);
    assert!(held > 0.99, "{held}");
}

#[test]
fn on_a_crop_with_little_of_the_lungs() {
    let Some((ct, set)) =
        pair("totalsegmentator_ct_crop_3mm/ct.nii.gz", "totalsegmentator_ct_crop_3mm/seg.nii.gz")
    else {
        return;
    };
    match segment::lungs(&ct) {
        Ok(lungs) => {
            let ours = lungs
                .parts
                .iter()
                .fold(Mask::empty(lungs.parts[0].1.grid().clone()), |sum, (_, m)| sum.or(m));
            let theirs = union(&set, &ours, |name| name.starts_with("lung_"));
            println!(
                "lungs {:.1} of {:.1} mL, dice {:.3}",
                ours.volume().ml(),
                theirs.volume().ml(),
                dice(&ours, &theirs)
            );
            assert!(theirs.volume().ml() > 5.0, "no bowel is taken for lung");
        }
        Err(why) => println!("{why}"),
    }
}
