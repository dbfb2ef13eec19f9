//! Random volumes in random places, turned at random, of random spacing: what is written as DICOM and
//! as NIfTI is read back, value by value and place by place.

use hepatica_imaging::dicom::write::nm::{self, Acquisition, TECHNETIUM_99M};
use hepatica_imaging::dicom::write::pet::{self, YTTRIUM_90};
use hepatica_imaging::dicom::write::rtdose::{self, DoseInfo, DoseType};
use hepatica_imaging::dicom::write::{Context, ct, reg};
use hepatica_imaging::dicom::{Patient, ct as read_ct, reg as read_reg, rtdose as read_dose};
use hepatica_imaging::inventory;
use hepatica_imaging::registration::Rigid;
use hepatica_imaging::volume::{self, Summary};
use hepatica_imaging::{
    DecayCorrection, EmissionUnit, Grid, Image, SpacingPolicy, nifti, read_emission,
};
use nalgebra::{Matrix3, Point3, Rotation3};
use proptest::prelude::*;
use std::path::PathBuf;

/// Turned anyhow, or along the patient's axes in any order and sign; left-handed ones among them.
fn axes() -> impl Strategy<Value = Matrix3<f64>> {
    let turned = prop::array::uniform3(-3.1_f64..3.1)
        .prop_map(|[a, b, c]| *Rotation3::from_euler_angles(a, b, c).matrix());
    let along = (0_usize..6, prop::array::uniform3(any::<bool>())).prop_map(|(order, signs)| {
        let order = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]][order];
        let mut axes = Matrix3::zeros();
        for (column, row) in order.into_iter().enumerate() {
            axes[(row, column)] = if signs[column] { -1.0 } else { 1.0 };
        }
        axes
    });
    let mirrored = (prop_oneof![turned, along], any::<bool>());
    mirrored.prop_map(|(mut axes, mirror)| {
        if mirror {
            axes.column_mut(1).neg_mut();
        }
        axes
    })
}

prop_compose! {
    fn grid()(
        size in prop::array::uniform3(2_usize..9),
        spacing in prop::array::uniform3(0.3_f64..12.0),
        origin in prop::array::uniform3(-900.0_f64..900.0),
        axes in axes(),
    ) -> Grid {
        Grid::new(size, spacing, origin, axes).expect("valid")
    }
}

/// Every voxel of the one is in the other, at that place and with that value.
fn same(read: &Image<f32>, written: &Image<f32>, mm: f64, value: f32) {
    let (theirs, ours) = (read.grid(), written.grid());
    assert_eq!(theirs.len(), ours.len());
    let [nx, ny, nz] = ours.size();
    for k in 0..nz {
        for j in 0..ny {
            for i in 0..nx {
                let world = ours.world([i, j, k].map(|n| n as f64));
                let index = theirs.index(world).map(|x| x.round() as usize);
                let gap = (theirs.world(index.map(|n| n as f64)) - world).norm();
                assert!(gap < mm, "voxel {i} {j} {k} is {gap} mm away");
                let (a, b) = (*read.at(index), *written.at([i, j, k]));
                assert!((a - b).abs() <= value, "voxel {i} {j} {k}: {a} for {b}");
            }
        }
    }
}

fn context() -> Context {
    Context::new("seed", Patient::default(), jiff::civil::date(2026, 1, 1).at(8, 0, 0, 0), "")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_volume_comes_back_from_every_format(grid in grid(), seed in any::<u32>()) {
        let home = tempfile::tempdir().expect("a folder");
        let noise = |n: usize| (n as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 17;
        let whole = Image::new(grid.clone(), (0..grid.len()).map(|n| noise(n) as f32).collect());

        let folder = home.path().join("ct");
        std::fs::create_dir(&folder).expect("made");
        let hu = whole.map(|v| (*v - 16000.0) as i16);
        ct::series(&folder, &hu, "CT", &context()).expect("written");
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(&folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
        // In any order.
        let middle = seed as usize % files.len();
        files.rotate_left(middle);
        let read = read_ct::read(&files, SpacingPolicy::Refuse).expect("readable");
        same(&read.image.map(|v| f32::from(*v)), &hu.map(|v| f32::from(*v)), 1e-3, 0.0);

        let acquisition = Acquisition {
            series_number: 2,
            description: "NM, AC",
            start: context().date_time,
            duration_s: 60.0,
            window_kev: [126.0, 154.0],
            nuclide: TECHNETIUM_99M,
            radiopharmaceutical: "MAA",
            injected_mbq: None,
            injected: None,
            corrected: &["ATTN"],
        };
        let path = home.path().join("spect.dcm");
        nm::spect(&path, &whole, &acquisition, &context()).expect("written");
        let read = read_emission(std::slice::from_ref(&path)).expect("readable");
        same(&read.image, &whole, 1e-3, 0.0);

        let dose = whole.map(|v| v * 0.013);
        let path = home.path().join("dose.dcm");
        let info = DoseInfo {
            series_number: 3,
            description: "dose",
            dose_type: DoseType::Physical,
            comment: "",
            heterogeneity: false,
        };
        rtdose::write(&path, &dose, &info, &context()).expect("written");
        same(&read_dose::read(&path).expect("readable").image, &dose, 1e-3, 1e-4);

        for name in ["a.nii", "a.nii.gz"] {
            let path = home.path().join(name);
            nifti::write(&path, &[&dose], "").expect("written");
            // NIfTI places voxels in 32-bit floats.
            same(&nifti::read(&path).expect("readable"), &dose, 2e-3, 0.0);
        }

        let path = home.path().join("two.nii.gz");
        let twice = dose.map(|v| 2.0 * v);
        nifti::write(&path, &[&dose, &twice], "").expect("written");
        let read = nifti::read_volumes(&path).expect("readable");
        prop_assert_eq!(read.len(), 2);
        same(&read[0], &dose, 2e-3, 0.0);
        same(&read[1], &twice, 2e-3, 0.0);

        let beds = home.path().join("pet");
        std::fs::create_dir(&beds).expect("made");
        let given = context().date_time;
        let acquisition = pet::Acquisition {
            series_number: 4,
            description: "PET, AC",
            start: given.date().at(18, 30, 5, 0),
            duration_s: 1200.0,
            nuclide: YTTRIUM_90,
            radiopharmaceutical: "90Y",
            given,
            given_bq: 3e9,
            half_life_s: 230_760.0,
            positrons: 3.186e-5,
        };
        pet::series(&beds, &whole, &acquisition, &context()).expect("written");
        let files: Vec<PathBuf> =
            std::fs::read_dir(&beds).expect("a folder").map(|e| e.expect("an entry").path()).collect();
        let read = read_emission(&files).expect("readable");
        // 15 bits a slice.
        same(&read.image, &whole, 1e-3, 0.6);
        prop_assert_eq!(read.unit, EmissionUnit::BqPerMl);
        let said = read.acquisition.expect("said");
        prop_assert_eq!((said.start, said.given), (Some(acquisition.start), Some(given)));
        prop_assert_eq!((said.decay, said.beds), (DecayCorrection::Start, false));
        prop_assert_eq!((said.duration_s, said.half_life_s), (Some(1200.0), Some(230_760.0)));

        let path = home.path().join("reg.dcm");
        let turn = [0.02, -0.05, 0.001 * f64::from(seed % 100)];
        let motion = Rigid::about(Point3::new(10.0, -30.0, 200.0), turn, [12.0, -8.0, 15.0]);
        reg::write(&path, "1.2.3", &motion, &context()).expect("written");
        let read = read_reg::read(&path).expect("readable");
        let back = read.between("1.2.3", &context().frame_of_reference).expect("both are named");
        prop_assert!(back.distance(&motion, [[-500.0; 3], [500.0; 3]]) < 1e-3);
        let wrong = read_reg::read(&home.path().join("dose.dcm")).expect_err("a dose").to_string();
        prop_assert!(wrong.contains("Modality") && wrong.contains("REG"), "{}", wrong);

        // The reader that knows no format beforehand finds the same.
        let found = inventory::scan(&folder).expect("a series");
        let volume = volume::read(&found.series[0], SpacingPolicy::Refuse).expect("readable");
        let summary = Summary::of(&volume);
        prop_assert_eq!(summary.size.iter().product::<usize>(), grid.len());
        prop_assert_eq!(summary.sum, hu.data().iter().map(|v| f64::from(*v)).sum::<f64>());
    }
}
