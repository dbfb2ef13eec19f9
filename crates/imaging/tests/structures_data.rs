//! Structures of real files (folder of real data beside the workspace, or named by
//! `HEPATICA_DATA`). Expected numbers are not ours: set voxels counted with pydicom, polygon areas
//! summed by the shoelace rule, label volumes from the data's own description.

use hepatica_imaging::dicom::{rtstruct, seg};
use hepatica_imaging::{Grid, StructureSet, structure};
use std::path::{Path, PathBuf};

/// A file or an unpacked zip of the data folder; `None` (said aloud) where it is not there.
struct Data {
    folder: PathBuf,
    unpacked: tempfile::TempDir,
}

impl Data {
    fn new() -> Self {
        let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
        let folder = std::env::var_os("HEPATICA_DATA").map_or(beside, PathBuf::from);
        Self { folder, unpacked: tempfile::tempdir().expect("a folder") }
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        let path = self.folder.join(name);
        if !path.exists() {
            println!("skipped: {name} is not there");
        }
        path.exists().then_some(path)
    }

    fn unzipped(&self, name: &str) -> Option<PathBuf> {
        let to = self.unpacked.path().join(Path::new(name).file_stem()?);
        let file = std::fs::File::open(self.file(name)?).expect("readable");
        zip::ZipArchive::new(file).expect("a zip").extract(&to).expect("unpacked");
        Some(to)
    }
}

fn rtstruct_in(folder: &Path) -> StructureSet {
    let files = std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path());
    let sets: Vec<_> = files.filter_map(|f| rtstruct::read(&f).ok()).collect();
    sets.into_iter().next().expect("an RTSTRUCT")
}

/// Expected are areas times the distance of planes; the shape of the ends is not in them, so structures
/// of few planes differ.
fn assert_volumes(set: &StructureSet, expected: &[(&str, f64)], rtol: f64) {
    for (name, ml) in expected {
        let own = set.structures.iter().find(|s| s.name == *name).expect("the structure");
        let found = own.volume().ml();
        println!("{name:24} expected {ml:9.3} mL, found {found:9.3} mL");
        assert!((found / ml - 1.0).abs() <= rtol, "{name}: {found} mL, expected {ml} mL");
        // Laid on voxels it is the same, whatever the voxels; here those of a SPECT.
        let mask = own.on(&around(own, 4.42));
        let ratio = mask.volume().ml() / found;
        assert!((ratio - 1.0).abs() < 1e-3, "{name} on voxels: {ratio}");
    }
}

/// A grid of cubes around a structure, wide enough for anything in a patient.
fn around(own: &hepatica_imaging::Structure, mm: f64) -> Grid {
    let coarse = Grid::axial([150; 3], [40.0; 3], [-3000.0; 3]).expect("valid");
    let found = own.on(&coarse).bounds();
    let low = coarse.world(found.start.map(|n| n as f64 - 1.0));
    let size = found.size().map(|n| ((n as f64 + 2.0) * 40.0 / mm) as usize);
    Grid::axial(size, [mm; 3], [low.x, low.y, low.z]).expect("valid")
}

#[test]
fn contours_of_planning_systems_have_their_volume() {
    let data = Data::new();
    if let Some(folder) = data.unzipped("noncommercial_checks_only/lu177_xspect_scan1.zip") {
        let set = rtstruct_in(&folder.join("mask"));
        let expected = [("lesion1 liver R lobe", 106.932), ("lesion2 liver L lateral", 2.804)];
        assert_volumes(&set, &expected, 1e-2);
    }
    if let Some(folder) = data.unzipped("sts001_fdg_pet_wholebody.zip") {
        let set = rtstruct_in(&folder.join("mask"));
        // Irregular slices (3.27 and 3.29 mm).
        assert_volumes(&set, &[("GTV_Mass", 365.181), ("GTV_Edema", 580.595)], 2e-3);
    }
    if let Some(folder) = data.unzipped("dicompyler_rt_example.zip") {
        let set = structure::read(&folder.join("rtss.dcm")).expect("readable");
        let expected = [("Heart", 439.699), ("Breast", 400.047), ("Tumor Bed", 13.159)];
        assert_volumes(&set, &expected, 2e-2);
        let areola = set.structures.iter().find(|s| s.name == "Areola").expect("kept");
        assert!(areola.is_empty(), "an ROI without contours is kept, empty");
        let lung = set.structures.iter().find(|s| s.name == "Lt Lung").expect("there");
        // Contours inside are holes: less than the 2024.3 mL of all areas together.
        assert!((lung.volume().ml() - 2005.0).abs() < 5.0, "{}", lung.volume().ml());
    }
    if let Some(file) = data.file("pancreas_rtstruct/pancreas_ct_cb_001_rtstruct.dcm") {
        let set = structure::read(&file).expect("readable");
        // Lungs, bowel and stomach have contours in contours; ROI has none.
        assert_volumes(&set, &[("ROI", 645.253)], 2e-3);
        for own in &set.structures {
            println!("{:24} {:9.2} mL", own.name, own.volume().ml());
        }
    }
    if let Some(folder) = data.unzipped("rtutils_ct_rtstruct.zip") {
        let set = structure::read(&folder.join("rt.dcm")).expect("readable");
        assert!(set.notes.iter().any(|n| n.contains("one plane")), "{:?}", set.notes);
        assert!(set.structures[0].is_empty());
        for name in ["invalid_reference_rt.dcm", "non_existent_reference_rt.dcm"] {
            let set = structure::read(&folder.join(name)).expect("readable");
            assert_volumes(&set, &[("ROI-1", 6.507), ("ROI-4", 10.965)], 6e-2);
        }
    }
}

/// Set voxels of every segment, as structures give them.
fn voxels(set: &StructureSet) -> Vec<(String, usize)> {
    set.structures
        .iter()
        .map(|s| (s.name.clone(), s.voxels().map_or(0, |mask| mask.voxels().count())))
        .collect()
}

#[test]
fn segments_have_the_voxels_pydicom_counts() {
    let data = Data::new();
    let refuse = seg::FractionalPolicy::Refuse;
    let count = |path: &Path, expected: &[(&str, usize)]| {
        let set = seg::read(path, refuse).expect("readable");
        let expected: Vec<_> = expected.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect();
        assert_eq!(voxels(&set), expected, "{}", path.display());
    };
    for (name, expected) in [
        ("dcmqi_liver_seg/liver.dcm", &[("Liver", 107_098)][..]),
        ("pydicom_data_variants/liver.dcm", &[("Liver", 107_098)]),
        ("pydicom_data_variants/liver_nonbyte_aligned.dcm", &[("Liver", 107_098)]),
        ("pydicom_data_variants/liver_deflate.dcm", &[("Liver", 107_098)]),
        ("pydicom_data_variants/liver_j2k.dcm", &[("Liver", 107_098)]),
        ("pydicom_data_variants/liver_rle.dcm", &[("Liver", 107_098)]),
        ("highdicom_seg_variants/seg_image_ct_binary.dcm", &[("first segment", 638)]),
        ("highdicom_seg_variants/seg_image_ct_binary_single_frame.dcm", &[("first segment", 1832)]),
        (
            "highdicom_seg_variants/seg_image_ct_binary_overlap.dcm",
            &[("first segment", 64), ("second segment", 16)],
        ),
    ] {
        if let Some(file) = data.file(name) {
            count(&file, expected);
        }
    }
    // However they are stored, they are the same voxels.
    let voxels_of = |name: &str| {
        let set = seg::read(&data.file(&format!("pydicom_data_variants/{name}"))?, refuse);
        set.expect("readable").structures[0].voxels().cloned()
    };
    if let Some(plain) = voxels_of("liver.dcm") {
        for name in ["liver_deflate.dcm", "liver_j2k.dcm", "liver_rle.dcm"] {
            assert!(voxels_of(name).is_some_and(|found| found == plain), "{name}");
        }
    }
    if let Some(folder) = data.unzipped("dcmqi_small_volumes.zip") {
        count(&folder.join("23x38x3/seg/label.seg"), &[("Liver", 322)]);
        count(&folder.join("sparse-labelmap-noppv.dcm"), &[("Liver", 630)]);
    }
}

#[test]
fn fractional_segments_are_refused_or_thresholded_knowingly() {
    let data = Data::new();
    let Some(file) = data.file("highdicom_seg_variants/seg_image_ct_true_fractional.dcm") else {
        return;
    };
    let refused = structure::read(&file).expect_err("fractional").to_string();
    assert!(refused.contains("FRACTIONAL") && refused.contains("threshold"), "{refused}");
    let any = seg::read(&file, seg::FractionalPolicy::Threshold(1e-6)).expect("readable");
    assert_eq!(voxels(&any), [("first segment".to_owned(), 661)]);
    let half = seg::read(&file, seg::FractionalPolicy::Threshold(0.5)).expect("readable");
    assert!(voxels(&half)[0].1 < 661 && !half.notes.is_empty());
}

#[test]
fn labels_have_the_volumes_their_makers_state() {
    let data = Data::new();
    let Some(file) = data.file("totalsegmentator_ct_3mm/seg.nii.gz") else { return };
    let set = structure::read(&file).expect("readable");
    assert_eq!(set.structures.len(), 61);
    for (label, ml) in [("5", 1125.7), ("1", 261.0), ("2", 192.6), ("3", 137.4), ("6", 130.6)] {
        let own = set.structures.iter().find(|s| s.number.to_string() == label).expect("the label");
        assert!((own.volume().ml() - ml).abs() < 0.5, "{label}: {}", own.volume().ml());
    }
}
