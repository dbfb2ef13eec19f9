//! Damaged files: an error in a sentence, never a panic, never memory that is not there.

mod small_files;

use hepatica_imaging::dicom::{ct as read_ct, rtdose as read_dose};
use hepatica_imaging::{SpacingPolicy, inventory, nifti, read_emission};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

type Files = Vec<(PathBuf, Vec<u8>)>;

/// One file of each kind that is read, whole.
fn whole() -> &'static [(PathBuf, Vec<u8>)] {
    static FILES: OnceLock<(tempfile::TempDir, Files)> = OnceLock::new();
    let (_, files) = FILES.get_or_init(|| {
        let home = tempfile::tempdir().expect("a folder");
        small_files::write(home.path()).expect("written");
        let mut files: Vec<_> = fs::read_dir(home.path())
            .expect("a folder")
            .map(|e| e.expect("an entry").path())
            .map(|p| (p.clone(), fs::read(p).expect("a file")))
            .collect();
        files.sort();
        (home, files)
    });
    files
}

/// Everything that reads, on one file.
fn read_all(path: &Path) {
    let files = [path.to_owned()];
    let _ = inventory::scan(path);
    let _ = read_ct::read(&files, SpacingPolicy::Resample);
    let _ = read_emission(&files);
    let _ = hepatica_imaging::dicom::nm::read_spect(path);
    let _ = hepatica_imaging::dicom::nm::read_planar(path);
    let _ = read_dose::read(path);
    let _ = nifti::read(path);
    let _ = nifti::read_labels(path);
    let _ = hepatica_imaging::structure::read(path);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_damage_makes_a_reader_panic(
        which in any::<prop::sample::Index>(),
        cut in prop::option::of(any::<prop::sample::Index>()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
    ) {
        let (path, bytes) = which.get(whole());
        let mut bytes = bytes.clone();
        for (at, value) in changes {
            let n = at.index(bytes.len());
            bytes[n] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let home = tempfile::tempdir().expect("a folder");
        let copy = home.path().join(path.file_name().expect("a name"));
        fs::write(&copy, bytes).expect("written");
        read_all(&copy);
    }
}

#[test]
fn an_element_that_claims_gigabytes_is_refused_before_memory_is_asked_for() {
    let (path, bytes) = whole().iter().find(|(p, _)| p.ends_with("dose.dcm")).expect("a dose");
    let mut bytes = bytes.clone();
    // PixelData (7FE0,0010) OW with a length of 3 GiB.
    let tag = [0xE0, 0x7F, 0x10, 0x00, b'O', b'W', 0, 0];
    let at = bytes.windows(8).position(|w| w == tag).expect("pixels");
    bytes[at + 8..at + 12].copy_from_slice(&0xC000_0000_u32.to_le_bytes());
    let home = tempfile::tempdir().expect("a folder");
    let copy = home.path().join(path.file_name().expect("a name"));
    fs::write(&copy, bytes).expect("written");
    let error = read_dose::read(&copy).expect_err("refused").to_string();
    assert!(error.contains("cut off: PixelData (7FE0,0010) claims 3221225472 bytes"), "{error}");
}
