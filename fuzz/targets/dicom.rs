//! Any bytes as a DICOM file, to every reader: an error or an image, no panic, no endless loop, no
//! memory that the file does not justify.
#![no_main]

use hepatica_imaging::dicom::{ct, nm, reg, rtdose};
use hepatica_imaging::{SpacingPolicy, inventory, read_emission, structure, volume};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hepatica_fuzz::with_file("a.dcm", bytes, |path| {
        let files = [path.to_owned()];
        if let Ok(inventory) = inventory::scan(path) {
            for series in &inventory.series {
                let _ = volume::read(series, SpacingPolicy::Resample);
            }
        }
        let _ = ct::read(&files, SpacingPolicy::Resample);
        let _ = read_emission(&files);
        let _ = nm::read_planar(path);
        let _ = rtdose::read(path);
        let _ = reg::read(path);
        let _ = structure::read(path);
    });
});
