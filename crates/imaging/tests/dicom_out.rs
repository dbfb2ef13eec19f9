//! Every object we write: read back with the same content, and lawful to `dciodvfy` (dicom3tools)
//! where that is installed.

use hepatica_imaging::dicom::write::nm::{Acquisition, TECHNETIUM_99M};
use hepatica_imaging::dicom::write::rtdose::{DoseInfo, DoseType};
use hepatica_imaging::dicom::write::rtstruct::{Roi, RoiKind, Shape};
use hepatica_imaging::dicom::write::seg::Segment;
use hepatica_imaging::dicom::write::sr::{self, Group, Measure};
use hepatica_imaging::dicom::write::{self, Context, SegmentKind};
use hepatica_imaging::dicom::{self, Patient, SpacingPolicy};
use hepatica_imaging::{Grid, Image, Mask, Planar, PlanarView, structure};
use jiff::civil::date;
use nalgebra::{Matrix3, Rotation3};
use std::path::{Path, PathBuf};
use std::process::Command;

fn context() -> Context {
    let patient = Patient {
        id: Some("PHANTOM-1".into()),
        name: Some("Müller^Zoë".into()),
        birth_date: Some(date(1960, 2, 29)),
        sex: Some("F".into()),
        size_cm: Some(170.0),
        weight_kg: Some(70.5),
    };
    Context::new("test 1", patient, date(2026, 1, 5).at(9, 30, 0, 0), "Synthetic")
}

fn acquisition(context: &Context) -> Acquisition<'static> {
    Acquisition {
        series_number: 2,
        description: "MAA",
        start: context.date_time,
        duration_s: 1200.0,
        window_kev: [126.0, 154.0],
        nuclide: TECHNETIUM_99M,
        radiopharmaceutical: "Macroaggregated albumin",
        injected_mbq: Some(150.0),
        injected: None,
        corrected: &["ATTN"],
    }
}

/// Errors of `dciodvfy`; `None` where it is not installed.
fn unlawful(path: &Path) -> Option<Vec<String>> {
    let Ok(output) = Command::new("dciodvfy").arg("-new").arg(path).output() else {
        println!("skipped: dciodvfy is not installed");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    Some(text.lines().filter(|l| l.starts_with("Error")).map(str::to_owned).collect())
}

fn assert_lawful(path: &Path) {
    if let Some(errors) = unlawful(path) {
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}

fn assert_near(a: &Grid, b: &Grid) {
    assert!(a.matches(b), "{a:?} against {b:?}");
}

fn ct_of(grid: &Grid) -> Image<i16> {
    let data = (0..grid.len()).map(|n| (n as i64 * 7 % 4000 - 1024) as i16).collect();
    Image::new(grid.clone(), data)
}

fn grid() -> Grid {
    Grid::axial([12, 9, 5], [2.5, 2.25, 3.0], [-14.1, 7.3, -100.7]).expect("valid")
}

#[test]
fn a_ct_series_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = ct_of(&grid());
    let reference = write::ct::series(folder.path(), &image, "CT", &context()).expect("written");
    let files: Vec<PathBuf> =
        (1..=5).map(|n| folder.path().join(format!("ct{n:04}.dcm"))).collect();
    assert_lawful(&files[0]);
    let back = dicom::ct::read(&files, SpacingPolicy::Refuse).expect("readable");
    assert_near(back.image.grid(), image.grid());
    assert_eq!(back.image.data(), image.data());
    assert_eq!(back.patient, context().patient);
    assert_eq!(back.series_uid, reference.series_uid);
    assert_eq!(back.frame_of_reference.as_deref(), Some(&*context().frame_of_reference));
}

#[test]
fn spect_comes_back_whole_or_scaled_and_turned() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("spect.dcm");
    let turned = *Rotation3::from_euler_angles(0.0, 0.0, 0.2).matrix();
    let left_handed = Matrix3::from_diagonal(&nalgebra::Vector3::new(1.0, 1.0, -1.0));
    for (axes, factor) in [(Matrix3::identity(), 1.0), (left_handed, 1.0), (turned, 0.123)] {
        let own = Grid::new([12, 9, 5], [4.8, 4.8, 4.42], [-20.0, 1.5, 30.0], axes).expect("valid");
        let data: Vec<f32> = (0..own.len()).map(|n| (n * 31 % 1999) as f32 * factor).collect();
        let image = Image::new(own, data);
        write::nm::spect(&path, &image, &acquisition(&context()), &context()).expect("written");
        assert_lawful(&path);
        let back = dicom::nm::read_spect(&path).expect("readable");
        // Ratios of counts are what must survive.
        let total = |i: &Image<f32>| i.data().iter().map(|v| f64::from(*v)).sum::<f64>();
        let scale = total(&image) / total(&back.image);
        if factor == 1.0 {
            assert_eq!(scale, 1.0);
        }
        let size = image.grid().size();
        for (k, p) in [(0, 3), (2, 50), (4, 107)] {
            let at = [p % size[0], p / size[0], k];
            let index = back.image.grid().index(image.grid().world(at.map(|n| n as f64)));
            let found = back.image.at(index.map(|x| x.round() as usize));
            let expected = f64::from(*image.at(at));
            assert!((f64::from(*found) * scale - expected).abs() < 2e-2, "{found} {expected}");
        }
    }
}

#[test]
fn planar_views_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("planar.dcm");
    let view = |seed: usize| PlanarView {
        columns: 16,
        rows: 40,
        pixel_mm: [2.4, 2.5],
        counts: (0..640).map(|n| (n * seed % 97) as f32).collect(),
        duration_s: Some(1200.0),
    };
    let planar = Planar {
        anterior: view(3),
        posterior: view(5),
        patient: Patient::default(),
        notes: Vec::new(),
    };
    write::nm::planar(&path, &planar, &acquisition(&context()), &context()).expect("written");
    assert_lawful(&path);
    let back = dicom::nm::read_planar(&path).expect("readable");
    assert_eq!(back.anterior, planar.anterior);
    assert_eq!(back.posterior, planar.posterior);
}

#[test]
fn a_dose_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dose.dcm");
    let grid = grid();
    let data: Vec<f32> = (0..grid.len()).map(|n| (n as f32).sqrt() * 20.1).collect();
    let image = Image::new(grid, data);
    for dose_type in [DoseType::Physical, DoseType::Effective] {
        let info = DoseInfo {
            series_number: 30,
            description: "Dose",
            dose_type,
            comment: "1.5 GBq into the right lobe",
            heterogeneity: true,
        };
        write::rtdose::write(&path, &image, &info, &context()).expect("written");
        assert_lawful(&path);
        let back = dicom::rtdose::read(&path).expect("readable");
        assert_near(back.image.grid(), image.grid());
        for (a, b) in back.image.data().iter().zip(image.data()) {
            assert!((a - b).abs() < 1e-4, "{a} {b}");
        }
    }
    let bad = image.map(|d| d - 1.0);
    let info = DoseInfo {
        series_number: 30,
        description: "Dose",
        dose_type: DoseType::Physical,
        comment: "",
        heterogeneity: false,
    };
    let sentence = write::rtdose::write(&path, &bad, &info, &context()).expect_err("negative");
    assert!(sentence.to_string().contains("-1 Gy"), "{sentence}");
}

#[test]
fn structures_come_back_with_holes_and_islands() {
    let folder = tempfile::tempdir().expect("a folder");
    let grid = Grid::axial([40, 40, 12], [1.5, 1.5, 2.0], [-29.0, -31.0, 5.0]).expect("valid");
    let ct = ct_of(&grid);
    let reference = write::ct::series(folder.path(), &ct, "CT", &context()).expect("written");
    let shell = Mask::from_fn(grid.clone(), |ijk| {
        let p = grid.world(ijk.map(|n| n as f64)).coords;
        let d = (p - nalgebra::Vector3::new(0.0, 0.0, 16.0)).xy().norm();
        let part = |r: f64| ((r - d) / 1.5 + 0.5).clamp(0.0, 1.0);
        (part(25.0) - part(14.0) + part(6.0)) as f32
    });
    let block = Mask::from_fn(grid.clone(), |[i, j, k]| {
        if (3..9).contains(&i) && (30..37).contains(&j) && (2..7).contains(&k) { 1.0 } else { 0.0 }
    });
    let none = Mask::empty(grid.clone());
    let roi = |name, mask, kind| Roi { name, shape: Shape::Mask(mask), colour: [200, 0, 0], kind };
    let rois = [
        roi("shell", &shell, RoiKind::Organ),
        roi("block", &block, RoiKind::Gtv),
        roi("territory", &block, RoiKind::TreatedVolume),
        roi("nothing", &none, RoiKind::Other),
    ];
    let path = folder.path().join("structures.dcm");
    write::rtstruct::write(&path, &rois, &reference, &context()).expect("written");
    assert_lawful(&path);
    let back = structure::read(&path).expect("readable");
    assert_eq!(back.frame_of_reference.as_deref(), Some(&*context().frame_of_reference));
    let names: Vec<&str> = back.structures.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["shell", "block", "territory", "nothing"]);
    assert!(back.structures[3].is_empty());
    for (structure, mask) in back.structures.iter().zip([&shell, &block]) {
        let again = structure.on(&grid);
        let ratio = again.volume() / mask.volume();
        assert!((ratio - 1.0).abs() < 0.02, "{}: {ratio}", structure.name);
        let common = again.and(mask).volume();
        assert!(common / mask.volume() > 0.97, "{}", structure.name);
    }
}

#[test]
fn segments_contours_measures_and_report_of_one_plan_are_lawful_and_lie_in_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let turn = *Rotation3::from_euler_angles(0.1, -0.2, 0.3).matrix();
    let grid = Grid::new([21, 18, 9], [1.5, 1.25, 2.0], [-9.0, 4.0, 50.0], turn).expect("valid");
    let images =
        write::ct::series(folder.path(), &ct_of(&grid), "CT", &context()).expect("written");
    let ball = |radius: f64| {
        let centre = grid.world([10.0, 8.0, 4.0]);
        Mask::from_fn(grid.clone(), |ijk| {
            let d = (grid.world(ijk.map(|n| n as f64)) - centre).norm();
            ((radius - d) / 1.5 + 0.5).clamp(0.0, 1.0) as f32
        })
    };
    let (liver, tumour, none) = (ball(7.0), ball(3.0), Mask::empty(grid.clone()));
    let segment = |name, mask, kind| Segment { name, mask, kind, algorithm: None };
    let segments = [
        segment("Liver", &liver, SegmentKind::Liver),
        segment("T1 größter", &tumour, SegmentKind::Tumour),
        segment("nothing", &none, SegmentKind::Organ),
        Segment { algorithm: Some("threshold"), ..segment("R", &liver, SegmentKind::Territory) },
    ];
    let path = folder.path().join("segments.dcm");
    let written = write::seg::write(&path, &segments, &images, &context()).expect("written");
    assert_eq!(written.has_frames, [true, true, false, true]);
    assert_lawful(&path);
    let back = structure::read(&path).expect("readable");
    assert_eq!(back.frame_of_reference.as_deref(), Some(&*context().frame_of_reference));
    let names: Vec<_> = back.structures.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["Liver", "T1 größter", "nothing", "R"]);
    for (structure, segment) in back.structures.iter().zip(&segments) {
        let inside = |m: &Mask| -> Vec<[i64; 3]> {
            let own = m.grid();
            let [nx, ny, _] = own.size();
            let of = |(n, _): (usize, f32)| {
                let at = [n % nx, n / nx % ny, n / (nx * ny)].map(|x| x as f64);
                own.world(at).coords.iter().map(|x| (x * 100.0).round() as i64).collect::<Vec<_>>()
            };
            m.voxels().filter(|(_, f)| *f >= 0.5).map(of).map(|p| [p[0], p[1], p[2]]).collect()
        };
        let voxels = structure.voxels().expect("voxels");
        assert_eq!(inside(voxels), inside(segment.mask), "{}", structure.name);
    }
    let refused = write::seg::write(&path, &segments[2..3], &images, &context());
    assert!(refused.expect_err("empty").to_string().contains("no segment has a voxel"));

    let ml = ["mL", "milliliter"];
    let measure = |value| Measure { code: sr::VOLUME, value, unit: ml };
    let groups = [
        Group {
            name: "T1 größter",
            segment: Some((2, SegmentKind::Tumour)),
            measures: vec![measure(1.0 / 3.0)],
            texts: vec![("Notice", "Research use only.".to_owned())],
        },
        Group {
            name: "nothing",
            segment: Some((3, SegmentKind::Organ)),
            measures: vec![measure(0.0)],
            texts: vec![],
        },
        Group { name: "lungs", segment: None, measures: vec![], texts: vec![] },
    ];
    // Images of this study, and of another.
    let elsewhere = write::SeriesReference { study_uid: "1.2.3".to_owned(), ..images.clone() };
    for images in [&images, &elsewhere] {
        let path = folder.path().join("measures.dcm");
        sr::write(&path, &groups, Some((&written, images)), &context()).expect("written");
        assert_lawful(&path);
        let path = folder.path().join("segments elsewhere.dcm");
        write::seg::write(&path, &segments, images, &context()).expect("written");
        assert_lawful(&path);
    }
    let path = folder.path().join("no images.dcm");
    sr::write(&path, &groups, None, &context()).expect("written");
    assert_lawful(&path);
    let bad = [Group { measures: vec![measure(f64::NAN)], ..groups[2].clone() }];
    assert!(sr::write(&path, &bad, None, &context()).is_err());

    let path = folder.path().join("report.dcm");
    write::pdf::write(&path, b"%PDF-1.7\n%%EOF", "Plan", &context()).expect("written");
    assert_lawful(&path);
    assert!(write::pdf::write(&path, b"PK", "Plan", &context()).is_err());
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let [a, b] = [(), ()].map(|()| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("spect.dcm");
        let image = Image::filled(grid(), 3.0_f32);
        write::nm::spect(&path, &image, &acquisition(&context()), &context()).expect("written");
        std::fs::read(path).expect("there")
    });
    assert_eq!(a, b);
}
