//! A small whole file of every kind that we write: what damage and fuzzing begin from.

use dicom_core::value::PixelFragmentSequence;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::FileMetaTableBuilder;
use hepatica_imaging::contour::Contour;
use hepatica_imaging::dicom::Patient;
use hepatica_imaging::dicom::write::nm::{self, Acquisition, TECHNETIUM_99M};
use hepatica_imaging::dicom::write::rtdose::{self, DoseInfo, DoseType};
use hepatica_imaging::dicom::write::rtstruct::{self, Roi, RoiKind, Shape};
use hepatica_imaging::dicom::write::{Context, ct};
use hepatica_imaging::{Grid, Image, Planar, PlanarView, nifti};
use std::error::Error;
use std::path::Path;

#[path = "../../../jpegls/tests/encoder/mod.rs"]
pub mod encoder;

/// Copies a file of plain words, its frames in JPEG-LS and each in fragments of that length, with an
/// offset table where they are whole.
pub fn to_jpeg_ls(
    from: &Path,
    to: &Path,
    near: i32,
    fragment: usize,
) -> Result<(), Box<dyn Error>> {
    let mut o = dicom_object::open_file(from)?.into_inner();
    let number = |tag| o.element(tag)?.to_int::<usize>().map_err(Box::<dyn Error>::from);
    let [columns, rows, bits] =
        [number(tags::COLUMNS)?, number(tags::ROWS)?, number(tags::BITS_STORED)?];
    let bytes = o.element(tags::PIXEL_DATA)?.to_bytes()?;
    let mask = ((1_u32 << bits) - 1) as u16;
    let words: Vec<u16> =
        bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]) & mask).collect();
    let (mut fragments, mut table, mut at) = (Vec::new(), Vec::new(), 0);
    for frame in words.chunks_exact(columns * rows) {
        let mut stream = encoder::encode(&encoder::Picture {
            columns,
            rows,
            bits: bits as u32,
            components: 1,
            samples: frame.to_vec(),
            near,
            interleaving: 0,
            preset: None,
            restart: 0,
        });
        stream.resize(stream.len().next_multiple_of(2), 0);
        table.push(at);
        for part in stream.chunks(fragment) {
            at += part.len() as u32 + 8;
            fragments.push(part.to_vec());
        }
    }
    if fragments.len() > table.len() {
        table.clear();
    }
    let pixels = PixelFragmentSequence::new(table, fragments);
    o.put(DataElement::new(tags::PIXEL_DATA, VR::OB, pixels));
    let syntax = if near == 0 { uids::JPEGLS_LOSSLESS } else { uids::JPEGLS_NEAR_LOSSLESS };
    o.with_meta(FileMetaTableBuilder::new().transfer_syntax(syntax))?.write_to_file(to)?;
    Ok(())
}

/// Writes them into a folder that exists.
pub fn write(to: &Path) -> Result<(), Box<dyn Error>> {
    let grid = Grid::axial([6, 5, 4], [2.0, 2.0, 3.0], [0.0; 3])?;
    let image = &Image::new(grid, (0..120).map(|n| n as f32).collect());
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
        injected: None,
        corrected: &["ATTN"],
    };
    nm::spect(&to.join("spect.dcm"), image, &acquisition, &context)?;
    to_jpeg_ls(&to.join("spect.dcm"), &to.join("spect-jpegls.dcm"), 0, 1 << 20)?;
    to_jpeg_ls(&to.join("spect.dcm"), &to.join("spect-fragments.dcm"), 2, 40)?;
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
    let deflated =
        FileMetaTableBuilder::new().transfer_syntax(uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN);
    dicom_object::open_file(to.join("dose.dcm"))?
        .into_inner()
        .with_meta(deflated)?
        .write_to_file(to.join("deflated.dcm"))?;
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
    nifti::write(&to.join("one.nii"), &[image], "")?;
    nifti::write(&to.join("two.nii.gz"), &[image, image], "")?;
    Ok(())
}
