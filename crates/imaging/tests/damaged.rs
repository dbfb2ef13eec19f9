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

/// The small file of that name, changed, read as a dose: what is said.
fn refusal(name: &str, change: impl Fn(&mut Vec<u8>)) -> String {
    let (path, bytes) = whole().iter().find(|(p, _)| p.ends_with(name)).expect("a file");
    let mut bytes = bytes.clone();
    change(&mut bytes);
    let home = tempfile::tempdir().expect("a folder");
    let copy = home.path().join(path.file_name().expect("a name"));
    fs::write(&copy, bytes).expect("written");
    read_dose::read(&copy).expect_err("refused").to_string()
}

fn find(bytes: &[u8], key: &[u8]) -> usize {
    bytes.windows(key.len()).position(|w| w == key).expect("an element")
}

/// PixelData (7FE0,0010) OW with a length of 3 GiB.
fn claim_gigabytes(bytes: &mut [u8]) {
    let at = find(bytes, &[0xE0, 0x7F, 0x10, 0x00, b'O', b'W', 0, 0]);
    bytes[at + 8..at + 12].copy_from_slice(&0xC000_0000_u32.to_le_bytes());
}

#[test]
fn an_element_that_claims_gigabytes_is_refused_before_memory_is_asked_for() {
    let error = refusal("dose.dcm", |bytes| claim_gigabytes(bytes));
    assert!(error.contains("cut off: PixelData (7FE0,0010) claims 3221225472 bytes"), "{error}");
}

#[test]
fn so_it_is_when_the_transfer_syntax_has_another_vr() {
    let error = refusal("dose.dcm", |bytes| {
        let at = find(bytes, &[2, 0, 0x10, 0, b'U', b'I']);
        bytes[at + 4..at + 6].copy_from_slice(b"TM");
        claim_gigabytes(bytes);
    });
    assert!(error.contains("cut off: PixelData (7FE0,0010) claims 3221225472 bytes"), "{error}");
}

#[test]
fn a_deflated_file_that_cannot_be_inflated_to_its_end_is_refused() {
    let (path, _) = whole().iter().find(|(p, _)| p.ends_with("deflated.dcm")).expect("a file");
    read_dose::read(path).expect("read while whole");
    assert!(inventory::scan(path).expect("known while whole").problems.is_empty());
    let error = refusal("deflated.dcm", |bytes| {
        let end = bytes.len() - 40;
        bytes[end..].fill(0xFF);
    });
    assert!(error.contains("a deflated data set that cannot be inflated"), "{error}");
}

#[test]
fn of_a_large_file_no_more_than_its_header_is_needed_to_know_it() {
    use hepatica_imaging::dicom::write::{Context, ct};
    let home = tempfile::tempdir().expect("a folder");
    let grid = hepatica_imaging::Grid::axial([256, 256, 1], [1.0; 3], [0.0; 3]).expect("a grid");
    let image = hepatica_imaging::Image::new(grid, vec![40_i16; 256 * 256]);
    let at = jiff::civil::date(2026, 1, 1).at(8, 0, 0, 0);
    let context = Context::new("seed", hepatica_imaging::dicom::Patient::default(), at, "");
    ct::series(home.path(), &image, "CT", &context).expect("written");
    assert!(inventory::scan(home.path()).expect("a folder").problems.is_empty());
    // Cut within its pixels, far beyond what is read of it: still said.
    let file = fs::read_dir(home.path()).expect("files").next().expect("one").expect("one").path();
    let bytes = fs::read(&file).expect("a file");
    fs::write(&file, &bytes[..bytes.len() - 100]).expect("written");
    let error = inventory::scan(&file).expect_err("cut").to_string();
    assert!(error.contains("cut off: PixelData (7FE0,0010) claims 131072 bytes"), "{error}");
}
