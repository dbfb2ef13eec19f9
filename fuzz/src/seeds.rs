//! Small whole files of every kind, to begin from: `seeds CORPUS` fills a folder for each target.

use hepatica_imaging::contour::Contour;
use hepatica_imaging::dicom::Patient;
use hepatica_imaging::dicom::write::nm::{self, Acquisition, TECHNETIUM_99M};
use hepatica_imaging::dicom::write::rtdose::{self, DoseInfo, DoseType};
use hepatica_imaging::dicom::write::rtstruct::{self, Roi, RoiKind, Shape};
use hepatica_imaging::dicom::write::{Context, ct};
use hepatica_imaging::{Grid, Image, Planar, PlanarView, nifti};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = PathBuf::from(std::env::args().nth(1).ok_or("usage: seeds CORPUS")?);
    for target in ["dicom", "nifti", "contours", "text"] {
        fs::create_dir_all(corpus.join(target))?;
    }
    let grid = Grid::axial([6, 5, 4], [2.0, 2.0, 3.0], [0.0; 3])?;
    let image = Image::new(grid, (0..120).map(|n| n as f32).collect());
    dicom(&corpus.join("dicom"), &image)?;
    nifti::write(&corpus.join("nifti/one.nii"), &[&image], "")?;
    nifti::write(&corpus.join("nifti/two.nii.gz"), &[&image, &image], "")?;
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

fn dicom(to: &Path, image: &Image<f32>) -> Result<(), Box<dyn Error>> {
    let at = jiff::civil::date(2026, 1, 1).at(8, 0, 0, 0);
    let context = Context::new("seed", Patient::default(), at, "");
    let series = ct::series(to, &image.map(|v| *v as i16), "CT", &context)?;
    let acquisition = Acquisition {
        series_number: 2,
        description: "NM",
        start: at,
        duration_s: 60.0,
        window_kev: [126.0, 154.0],
        nuclide: TECHNETIUM_99M,
        radiopharmaceutical: "MAA",
        injected_mbq: None,
    };
    nm::spect(&to.join("spect.dcm"), image, &acquisition, &context)?;
    let view = PlanarView {
        columns: 6,
        rows: 5,
        pixel_mm: [4.0; 2],
        counts: vec![3.0; 30],
        duration_s: Some(60.0),
    };
    let planar = Planar {
        anterior: view.clone(),
        posterior: view,
        patient: Patient::default(),
        notes: vec![],
    };
    nm::planar(&to.join("planar.dcm"), &planar, &acquisition, &context)?;
    let info = DoseInfo {
        series_number: 3,
        description: "dose",
        dose_type: DoseType::Physical,
        comment: "",
        heterogeneity: false,
    };
    rtdose::write(&to.join("dose.dcm"), image, &info, &context)?;
    let square = |z: f64| Contour {
        points: [[1.0, 1.0], [7.0, 1.0], [7.0, 6.0], [1.0, 6.0]]
            .map(|[x, y]| [x, y, z].into())
            .to_vec(),
    };
    let contours = [square(0.0), square(3.0), square(6.0)];
    let roi = Roi {
        name: "Liver",
        shape: Shape::Contours(&contours),
        colour: [200, 100, 50],
        kind: RoiKind::Organ,
    };
    rtstruct::write(&to.join("rtstruct.dcm"), &[roi], &series, &context)?;
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
