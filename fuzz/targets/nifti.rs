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
});
