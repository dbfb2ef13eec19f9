//! Series in JPEG-LS are the same images as they were plain: made here, and real ones (the folder of
//! real data beside the workspace, or named by `HEPATICA_DATA`).

mod small_files;

use hepatica_imaging::dicom::object::Object;
use hepatica_imaging::dicom::write::Context;
use hepatica_imaging::dicom::{Patient, SpacingPolicy, ct, write};
use hepatica_imaging::{Grid, Image, inventory, read_emission};
use small_files::to_jpeg_ls;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Files of a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    files.sort();
    files
}

/// The files in JPEG-LS, in a folder of their own; every second one in fragments.
fn in_jpeg_ls(files: &[PathBuf], near: i32) -> (TempDir, Vec<PathBuf>) {
    let home = tempfile::tempdir().expect("a folder");
    let copies = files.iter().enumerate().map(|(n, file)| {
        let to = home.path().join(file.file_name().expect("a name"));
        to_jpeg_ls(file, &to, near, if n % 2 == 0 { 1 << 30 } else { 1000 }).expect("written");
        to
    });
    let copies = copies.collect();
    (home, copies)
}

#[test]
fn a_ct_in_jpeg_ls_is_the_ct_it_was() {
    let home = tempfile::tempdir().expect("a folder");
    let grid = Grid::axial([31, 17, 6], [0.9, 0.9, 3.0], [0.0; 3]).expect("a grid");
    let hu = (0..31 * 17 * 6).map(|n: i32| (n * 37 % 4000 - 1000) as i16).collect();
    let image = Image::new(grid, hu);
    let at = jiff::civil::date(2026, 1, 1).at(8, 0, 0, 0);
    let context = Context::new("compressed", Patient::default(), at, "");
    write::ct::series(home.path(), &image, "CT", &context).expect("written");
    let plain = files(home.path());
    let (folder, copies) = in_jpeg_ls(&plain, 0);
    let read = ct::read(&copies, SpacingPolicy::Refuse).expect("read");
    assert_eq!(read.image, ct::read(&plain, SpacingPolicy::Refuse).expect("read").image);
    assert_eq!(read.image.data(), image.data());
    let found = inventory::scan(folder.path()).expect("a folder");
    assert!(found.problems.is_empty() && found.series[0].problems.is_empty(), "{found:?}");
    let (_near, copies) = in_jpeg_ls(&plain, 2);
    let read = ct::read(&copies, SpacingPolicy::Refuse).expect("read");
    let off = read.image.data().iter().zip(image.data()).map(|(a, b)| a.abs_diff(*b)).max();
    assert_eq!(off, Some(2));
}

#[test]
fn a_multi_frame_spect_in_jpeg_ls_is_the_spect_it_was() {
    let home = tempfile::tempdir().expect("a folder");
    small_files::write(home.path()).expect("written");
    let read = |name: &str| read_emission(&[home.path().join(name)]).expect("read").image;
    let plain = read("spect.dcm");
    assert_eq!(read("spect-jpegls.dcm"), plain);
    let near = read("spect-fragments.dcm");
    let off = near.data().iter().zip(plain.data()).map(|(a, b)| (a - b).abs());
    let off = off.fold(0.0_f32, f32::max);
    assert!(off > 0.0 && off <= 2.0, "{off}");
}

/// Members of a zip of the data folder whose names hold that; `None` (said aloud) where it is not there.
fn real(name: &str, member: &str) -> Option<(TempDir, Vec<PathBuf>)> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = std::env::var_os("HEPATICA_DATA").map_or(beside, PathBuf::from).join(name);
    let Ok(file) = std::fs::File::open(path) else {
        println!("skipped: {name} is not there");
        return None;
    };
    let home = tempfile::tempdir().expect("a folder");
    let mut zip = zip::ZipArchive::new(file).expect("a zip");
    let mut files = Vec::new();
    for n in 0..zip.len() {
        let mut entry = zip.by_index(n).expect("an entry");
        if entry.is_file() && entry.name().is_ok_and(|name| name.contains(member)) {
            let path = home.path().join(format!("{n}.dcm"));
            let mut to = std::fs::File::create(&path).expect("a file");
            std::io::copy(&mut entry, &mut to).expect("copied");
            files.push(path);
        }
    }
    Some((home, files))
}

#[test]
fn real_series_in_jpeg_ls_are_the_images_they_were() {
    if let Some((_home, plain)) = real("crlm_ct_1004.zip", ".dcm") {
        let (_copies, copies) = in_jpeg_ls(&plain, 0);
        let read = |files: &[PathBuf]| ct::read(files, SpacingPolicy::Refuse).expect("read").image;
        let (expected, found) = (read(&plain), read(&copies));
        assert!(expected == found, "another CT");
        println!("CT: {} voxels", found.data().len());
    }
    if let Some((_home, plain)) = real("sts001_fdg_pet_wholebody.zip", "") {
        let is_pet = |f: &&PathBuf| {
            let o = Object::open_header(f).ok();
            o.is_some_and(|o| o.dataset().get(dicom_dictionary_std::tags::UNITS).is_some())
        };
        let plain: Vec<PathBuf> = plain.iter().filter(is_pet).cloned().collect();
        let (_copies, copies) = in_jpeg_ls(&plain, 0);
        let read = |files: &[PathBuf]| read_emission(files).expect("read").image;
        let (expected, found) = (read(&plain), read(&copies));
        assert!(expected == found, "another PET");
        println!("PET: {} voxels", found.data().len());
    }
}
