//! Any bytes as NIfTI, plain and gzipped.
#![no_main]

use hepatica_imaging::nifti;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let name = if bytes.starts_with(&[0x1f, 0x8b]) { "a.nii.gz" } else { "a.nii" };
    hepatica_fuzz::with_file(name, bytes, |path| {
        let _ = nifti::read(path);
        let _ = nifti::read_labels(path);
    });
    // The header and its voxels in two files.
    hepatica_fuzz::with_folder(|folder| {
        let (head, voxels) = bytes.split_at(bytes.len().min(352));
        let header = folder.join("a.hdr");
        std::fs::write(&header, head).expect("written");
        std::fs::write(folder.join("a.img"), voxels).expect("written");
        if nifti::is_nifti(&header) {
            let _ = nifti::read_finite(&header, 0.0);
        }
    });
});
