//! Small whole files of every kind, to begin from: `seeds CORPUS` fills a folder for each target.

#[path = "../../crates/imaging/tests/small_files/mod.rs"]
mod small_files;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = PathBuf::from(std::env::args().nth(1).ok_or("usage: seeds CORPUS")?);
    for target in ["dicom", "nifti", "contours", "text"] {
        fs::create_dir_all(corpus.join(target))?;
    }
    let files = corpus.join("dicom");
    small_files::write(&files)?;
    for name in ["one.nii", "two.nii.gz"] {
        fs::rename(files.join(name), corpus.join("nifti").join(name))?;
    }
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for folder in ["protocols", "devices", "gates"] {
        for entry in fs::read_dir(home.join(folder))? {
            let path = entry?.path();
            let name = path.file_name().ok_or("a name")?;
            fs::copy(&path, corpus.join("text").join(name))?;
        }
    }
    fs::write(corpus.join("text/case.toml"), CASE)?;
    Ok(())
}

const CASE: &str = r#"schema = 1
[protocol]
name = "captemy90"
c1d1 = "2026-12-02"
[site]
time_zone = "America/New_York"
treatment_time = "13:00"
[device]
name = "glass"
[patient]
height_cm = 170
weight_kg = 70
[images]
ct = "CT"
spect = "NM"
structures = ["RTSTRUCT/rtstruct.dcm"]
[structures]
liver = "Liver"
tumours = ["T1"]
[[territory]]
id = "right"
structure = "Right lobe"
session = 1
[[session]]
id = 1
device = "glass"
[extrahepatic]
status = "none"
"#;
