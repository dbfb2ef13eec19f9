//! NIfTI 1 and 2, plain or gzipped, in one file or as a pair (.hdr, .img), in and out. NIfTI counts in
//! RAS; it is turned to LPS at the door.

use crate::error::{ReadError, WriteError};
use crate::geometry::{Grid, MAX_VOXELS};
use crate::image::Image;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use nalgebra::{Matrix3, Vector3};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Whether the file name says NIfTI; of a header whose voxels are in another file, its first bytes must
/// say so too, for other formats have such names.
#[must_use]
pub fn is_nifti(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let lone = name.ends_with(".nii") || name.ends_with(".nii.gz");
    lone || name.ends_with(".hdr") && {
        let mut head = [0; 348];
        File::open(path).and_then(|mut f| f.read_exact(&mut head)).is_ok()
            && (&head[344..347] == b"ni1" || &head[4..7] == b"ni2")
    }
}

/// The file that voxels are in: that of the header, or its pair.
fn voxels_of(path: &Path, detached: bool) -> PathBuf {
    match path.extension().and_then(|e| e.to_str()) {
        Some("HDR") if detached => path.with_extension("IMG"),
        _ if detached => path.with_extension("img"),
        _ => path.to_owned(),
    }
}

/// What the header says, without the voxels.
#[derive(Debug, Clone)]
pub struct Header {
    /// Where the voxels are.
    pub grid: Grid,
    /// NIfTI data type code.
    pub datatype: i16,
    /// `sform`, `qform` or `none` (spacing only, a guess of the place).
    pub form: &'static str,
    slope: f64,
    intercept: f64,
    offset: usize,
    bytes_per_voxel: usize,
    big_endian: bool,
    /// The voxels are in another file.
    detached: bool,
}

/// Reads the header.
///
/// # Errors
/// When the file cannot be read or is no NIfTI volume of three dimensions.
pub fn read_header(path: &Path) -> Result<Header, ReadError> {
    let mut head = Vec::new();
    open(path)?.take(544).read_to_end(&mut head).map_err(|e| damaged(path, &e.to_string()))?;
    header(path, &head)
}

/// Reads a volume as real values (slope and intercept applied).
///
/// # Errors
/// As [`read_header`]; when the voxels are cut off or of a type that is not a real number.
pub fn read(path: &Path) -> Result<Image<f32>, ReadError> {
    let (header, bytes) = load(path)?;
    let data =
        header.values(&bytes).map(|v| (v * header.slope + header.intercept) as f32).collect();
    Ok(Image::new(header.grid, data))
}

/// Most volumes of one file.
const MOST_VOLUMES: i16 = 64;

/// Reads all volumes of a file as we write them: one, or several along a fourth dimension (NIfTI 1, little
/// endian).
///
/// # Errors
/// As [`read`].
pub fn read_volumes(path: &Path) -> Result<Vec<Image<f32>>, ReadError> {
    let mut head = Vec::new();
    open(path)?.take(544).read_to_end(&mut head).map_err(|e| damaged(path, &e.to_string()))?;
    let short = |at: usize| i16::from_le_bytes([head[at], head[at + 1]]);
    let several = head.len() >= 348 && head[..4] == 348_i32.to_le_bytes() && short(40) == 4;
    let count = if several { short(48) } else { 1 };
    if !(1..=MOST_VOLUMES).contains(&count) {
        let expected = format!("1 to {MOST_VOLUMES} volumes");
        return Err(ReadError::element(
            path,
            "dim",
            count.to_string(),
            &expected,
            "export it again",
        ));
    }
    if several {
        // As if there were only the first.
        head[40..42].copy_from_slice(&3_i16.to_le_bytes());
    }
    let header = header(path, &head)?;
    let bytes = voxels(path, &header, count as usize)?;
    let of = |part: &[u8]| {
        let data = header.values(part).map(|v| (v * header.slope + header.intercept) as f32);
        Image::new(header.grid.clone(), data.collect())
    };
    Ok(bytes.chunks_exact(header.grid.len() * header.bytes_per_voxel).map(of).collect())
}

/// Reads a volume whose voxels outside the field of view may be NaN: they become `blank`, and how many
/// is said.
///
/// # Errors
/// As [`read`]; when a value is infinite.
pub fn read_finite(path: &Path, blank: f32) -> Result<(Image<f32>, Option<String>), ReadError> {
    let mut image = read(path)?;
    let mut count = 0_usize;
    for v in image.data_mut() {
        if v.is_nan() {
            *v = blank;
            count += 1;
        } else if v.is_infinite() {
            let found = format!("a voxel of value {v}");
            let remedy = "export the volume again";
            return Err(ReadError::format(path, found, "finite numbers (or NaN outside)", remedy));
        }
    }
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let said = format!("{file}: {count} voxels that are no numbers (NaN) are taken for {blank}");
    Ok((image, (count > 0).then_some(said)))
}

/// Reads a label map: whole numbers from 0 to 65535.
///
/// # Errors
/// As [`read`]; when a value is something else.
pub fn read_labels(path: &Path) -> Result<Image<u16>, ReadError> {
    let (header, bytes) = load(path)?;
    let data = header
        .values(&bytes)
        .map(|v| v * header.slope + header.intercept)
        .map(|v| {
            if v.fract() == 0.0 && (0.0..=65535.0).contains(&v) {
                Ok(v as u16)
            } else {
                let found = format!("a voxel of value {v}");
                let expected = "labels: whole numbers from 0 to 65535";
                Err(ReadError::format(path, found, expected, "give a label map, not an image"))
            }
        })
        .collect::<Result<_, _>>()?;
    Ok(Image::new(header.grid, data))
}

fn damaged(path: &Path, why: &str) -> ReadError {
    let found = format!("damaged or cut off ({why})");
    ReadError::format(path, found, "a whole NIfTI file", "copy or export it again")
}

fn open(path: &Path) -> Result<Box<dyn Read>, ReadError> {
    let mut file = File::open(path).map_err(ReadError::io(path))?;
    let mut magic = [0; 2];
    let zipped = file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
    let file = File::open(path).map_err(ReadError::io(path))?;
    Ok(if zipped { Box::new(GzDecoder::new(file)) } else { Box::new(file) })
}

fn load(path: &Path) -> Result<(Header, Vec<u8>), ReadError> {
    let header = read_header(path)?;
    let bytes = voxels(path, &header, 1)?;
    Ok((header, bytes))
}

/// The bytes of so many volumes.
fn voxels(path: &Path, header: &Header, volumes: usize) -> Result<Vec<u8>, ReadError> {
    let length = header.grid.len() * header.bytes_per_voxel * volumes;
    let path = &voxels_of(path, header.detached);
    let mut reader = open(path)?;
    let skipped =
        std::io::copy(&mut reader.by_ref().take(header.offset as u64), &mut std::io::sink())
            .map_err(|e| damaged(path, &e.to_string()))?;
    // Memory is asked for as the bytes come, not as the header claims.
    let mut bytes = Vec::new();
    let read = reader
        .take(length as u64)
        .read_to_end(&mut bytes)
        .map_err(|e| damaged(path, &e.to_string()))?;
    if skipped != header.offset as u64 || read != length {
        let why = format!("{read} bytes of voxels, the header claims {length}");
        return Err(damaged(path, &why));
    }
    Ok(bytes)
}

/// A field of the header.
struct Fields<'a> {
    bytes: &'a [u8],
    big: bool,
}

impl Fields<'_> {
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(&self.bytes[at..at + N]);
        if self.big {
            out.reverse();
        }
        out
    }
    fn i16(&self, at: usize) -> i16 {
        i16::from_le_bytes(self.array(at))
    }
    fn i32(&self, at: usize) -> i32 {
        i32::from_le_bytes(self.array(at))
    }
    fn i64(&self, at: usize) -> i64 {
        i64::from_le_bytes(self.array(at))
    }
    fn f32(&self, at: usize) -> f64 {
        f64::from(f32::from_le_bytes(self.array(at)))
    }
    fn f64(&self, at: usize) -> f64 {
        f64::from_le_bytes(self.array(at))
    }
}

fn header(path: &Path, head: &[u8]) -> Result<Header, ReadError> {
    let not = |found: &str| {
        ReadError::format(path, found, "a NIfTI 1 or 2 file (.nii, .nii.gz)", "give NIfTI or DICOM")
    };
    if head.len() < 348 {
        return Err(not(if head.is_empty() {
            "an empty file"
        } else {
            "a file shorter than a header"
        }));
    }
    let size = i32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let (two, big_endian) = match (size, size.swap_bytes()) {
        (348, _) => (false, false),
        (540, _) => (true, false),
        (_, 348) => (false, true),
        (_, 540) => (true, true),
        _ => return Err(not("no NIfTI header")),
    };
    if two && head.len() < 540 {
        return Err(not("a file shorter than a header"));
    }
    let magic = if two { &head[4..7] } else { &head[344..347] };
    let detached = match magic {
        b"n+1" | b"n+2" => false,
        b"ni1" | b"ni2" => true,
        _ => return Err(not("no NIfTI header (an Analyze file?)")),
    };
    let f = Fields { bytes: head, big: big_endian };
    let (dim, pixdim, datatype, offset, slope, intercept);
    if two {
        dim = std::array::from_fn::<i64, 8, _>(|n| f.i64(16 + 8 * n));
        pixdim = std::array::from_fn::<f64, 8, _>(|n| f.f64(104 + 8 * n));
        (datatype, offset) = (f.i16(12), f.i64(168) as f64);
        (slope, intercept) = (f.f64(176), f.f64(184));
    } else {
        dim = std::array::from_fn::<i64, 8, _>(|n| i64::from(f.i16(40 + 2 * n)));
        pixdim = std::array::from_fn::<f64, 8, _>(|n| f.f32(76 + 4 * n));
        (datatype, offset) = (f.i16(70), f.f32(108));
        (slope, intercept) = (f.f32(112), f.f32(116));
    }
    let element = |element: &str, found: String, expected: &str| {
        ReadError::element(path, element, found, expected, "export the volume again")
    };
    let volume = (2..=7).contains(&dim[0])
        && dim[1..=3.min(dim[0] as usize)].iter().all(|n| *n >= 1)
        && dim[1..=dim[0] as usize].iter().skip(3).all(|n| *n == 1);
    if !volume {
        return Err(element("dim", format!("{dim:?}"), "one volume of three dimensions"));
    }
    let sizes: [usize; 3] =
        std::array::from_fn(|a| if (a as i64) < dim[0] { dim[a + 1] as usize } else { 1 });
    let voxels = sizes.iter().try_fold(1_usize, |a, b| a.checked_mul(*b));
    if voxels.is_none_or(|n| n > MAX_VOXELS) {
        return Err(ReadError::TooLarge {
            path: path.to_owned(),
            found: format!("{sizes:?} voxels"),
            expected: format!("{MAX_VOXELS} voxels"),
        });
    }
    let bytes_per_voxel = match datatype {
        2 | 256 => 1,
        4 | 512 => 2,
        8 | 16 | 768 => 4,
        64 | 1024 | 1280 => 8,
        other => {
            let expected =
                "a type of whole or real numbers (2, 4, 8, 16, 64, 256, 512, 768, 1024, 1280)";
            return Err(element("datatype", other.to_string(), expected));
        }
    };
    let low = match (detached, two) {
        (true, _) => 0.0,
        (false, true) => 540.0,
        (false, false) => 348.0,
    };
    if !(offset >= low && offset <= 1e9) {
        return Err(element(
            "vox_offset",
            offset.to_string(),
            "the place of the voxels after the header",
        ));
    }
    let (grid, form) = grid(path, &f, two, sizes, &pixdim)?;
    // A slope of zero means: no scaling.
    let scaled = slope.is_finite() && slope != 0.0 && intercept.is_finite();
    Ok(Header {
        grid,
        datatype,
        form,
        slope: if scaled { slope } else { 1.0 },
        intercept: if scaled { intercept } else { 0.0 },
        offset: offset as usize,
        bytes_per_voxel,
        big_endian,
        detached,
    })
}

/// The grid by sform, else by qform, else by spacing alone.
fn grid(
    path: &Path,
    f: &Fields<'_>,
    two: bool,
    size: [usize; 3],
    pixdim: &[f64; 8],
) -> Result<(Grid, &'static str), ReadError> {
    let (qcode, scode) =
        if two { (f.i32(344), f.i32(348)) } else { (i32::from(f.i16(252)), i32::from(f.i16(254))) };
    let real = |at: usize, n: usize| if two { f.f64(at + 8 * n) } else { f.f32(at + 4 * n) };
    let unit_mm = match (if two { f.i32(500) } else { i32::from(f.bytes[123]) }) & 7 {
        1 => 1000.0,
        3 => 1e-3,
        _ => 1.0,
    };
    let (columns, origin, form): ([Vector3<f64>; 3], Vector3<f64>, _) = if scode > 0 {
        let start = if two { 400 } else { 280 };
        let row = |r: usize| std::array::from_fn::<f64, 4, _>(|c| real(start, 4 * r + c));
        let rows = [row(0), row(1), row(2)];
        let column = |c: usize| Vector3::new(rows[0][c], rows[1][c], rows[2][c]);
        ([column(0), column(1), column(2)], column(3), "sform")
    } else if qcode > 0 {
        let start = if two { 352 } else { 256 };
        let [b, c, d] = [real(start, 0), real(start, 1), real(start, 2)];
        let a = (1.0 - (b * b + c * c + d * d)).max(0.0).sqrt();
        let r = Matrix3::new(
            a * a + b * b - c * c - d * d,
            2.0 * (b * c - a * d),
            2.0 * (b * d + a * c),
            2.0 * (b * c + a * d),
            a * a + c * c - b * b - d * d,
            2.0 * (c * d - a * b),
            2.0 * (b * d - a * c),
            2.0 * (c * d + a * b),
            a * a + d * d - b * b - c * c,
        );
        let qfac = if pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let scale = [pixdim[1], pixdim[2], pixdim[3] * qfac];
        let column = |n: usize| r.column(n) * scale[n];
        let origin = Vector3::new(real(start, 3), real(start, 4), real(start, 5));
        ([column(0), column(1), column(2)], origin, "qform")
    } else {
        let axis = |n: usize| Vector3::ith(n, pixdim[n + 1]);
        ([axis(0), axis(1), axis(2)], Vector3::zeros(), "none")
    };
    // RAS to LPS: x and y change sign.
    let turn = |v: Vector3<f64>| Vector3::new(-v.x, -v.y, v.z) * unit_mm;
    let columns = columns.map(turn);
    let spacing = columns.map(|c| c.norm());
    let axes = Matrix3::from_columns(&[
        columns[0] / spacing[0],
        columns[1] / spacing[1],
        columns[2] / spacing[2],
    ]);
    Grid::new(size, spacing, turn(origin).into(), axes).map(|g| (g, form)).map_err(|e| {
        ReadError::element(
            path,
            form,
            e.to_string(),
            "voxels of a size above zero at right angles",
            "resample it to an orthogonal grid",
        )
    })
}

impl Header {
    fn values<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = f64> + 'a {
        let (width, big, datatype) = (self.bytes_per_voxel, self.big_endian, self.datatype);
        bytes.chunks_exact(width).map(move |chunk| {
            let mut b = [0_u8; 8];
            b[..width].copy_from_slice(chunk);
            if big {
                b[..width].reverse();
            }
            let four = [b[0], b[1], b[2], b[3]];
            match datatype {
                2 => f64::from(b[0]),
                256 => f64::from(b[0] as i8),
                4 => f64::from(i16::from_le_bytes([b[0], b[1]])),
                512 => f64::from(u16::from_le_bytes([b[0], b[1]])),
                8 => f64::from(i32::from_le_bytes(four)),
                768 => f64::from(u32::from_le_bytes(four)),
                16 => f64::from(f32::from_le_bytes(four)),
                1024 => i64::from_le_bytes(b) as f64,
                1280 => u64::from_le_bytes(b) as f64,
                _ => f64::from_le_bytes(b),
            }
        })
    }
}

/// Writes volumes of one grid as NIfTI 1, 32-bit float: one as three dimensions, several along a
/// fourth. Gzipped if the name ends in `.gz`. `description` is at most 79 characters.
///
/// # Errors
/// When there is none, their grids differ or are too large for the format, or the file cannot be
/// written.
pub fn write(path: &Path, volumes: &[&Image<f32>], description: &str) -> Result<(), WriteError> {
    let failed = |why: String| WriteError::new(path, why);
    let Some(first) = volumes.first() else { return Err(failed("no volume".to_owned())) };
    let grid = first.grid();
    if volumes.iter().any(|v| !v.grid().matches(grid)) {
        return Err(failed("volumes on different grids".to_owned()));
    }
    let size = grid.size();
    if size.iter().any(|n| *n > i16::MAX as usize) || volumes.len() > i16::MAX as usize {
        return Err(failed(format!("{size:?} voxels are too many for NIfTI 1")));
    }
    let header = encode_header(grid, volumes.len(), description);
    let put = |out: &mut dyn Write| -> std::io::Result<()> {
        out.write_all(&header)?;
        for v in volumes {
            let bytes: Vec<u8> = v.data().iter().flat_map(|x| x.to_le_bytes()).collect();
            out.write_all(&bytes)?;
        }
        Ok(())
    };
    let write = || -> std::io::Result<()> {
        let mut file = File::create(path)?;
        if path.extension().is_some_and(|e| e == "gz") {
            // No time stamp: the same volume gives the same bytes.
            let mut zip = GzEncoder::new(file, Compression::fast());
            put(&mut zip)?;
            zip.finish()?.flush()
        } else {
            put(&mut file)
        }
    };
    write().map_err(|e| failed(e.to_string()))
}

fn encode_header(grid: &Grid, volumes: usize, description: &str) -> Vec<u8> {
    let mut h = vec![0_u8; 352];
    let mut put = |at: usize, bytes: &[u8]| h[at..at + bytes.len()].copy_from_slice(bytes);
    let size = grid.size();
    let spacing = grid.spacing_mm();
    put(0, &348_i32.to_le_bytes());
    let dims = if volumes > 1 { 4_i16 } else { 3 };
    let dim = [dims, size[0] as i16, size[1] as i16, size[2] as i16, volumes as i16, 1, 1, 1];
    for (n, d) in dim.iter().enumerate() {
        put(40 + 2 * n, &d.to_le_bytes());
    }
    put(70, &16_i16.to_le_bytes());
    put(72, &32_i16.to_le_bytes());
    let pixdim = [1.0, spacing[0], spacing[1], spacing[2], 1.0, 1.0, 1.0, 1.0];
    for (n, p) in pixdim.iter().enumerate() {
        put(76 + 4 * n, &(*p as f32).to_le_bytes());
    }
    put(108, &352.0_f32.to_le_bytes());
    put(112, &1.0_f32.to_le_bytes());
    put(123, &[2]);
    let text = description.as_bytes();
    put(148, &text[..text.len().min(79)]);
    // sform in scanner coordinates, RAS.
    put(254, &1_i16.to_le_bytes());
    let origin = grid.origin_mm();
    for r in 0..3 {
        let sign = if r < 2 { -1.0 } else { 1.0 };
        let along = grid.axes().row(r).component_mul(&nalgebra::RowVector3::from(spacing));
        for (c, v) in along.iter().chain([&origin[r]]).enumerate() {
            // Adding zero turns a negative zero into zero.
            put(280 + 16 * r + 4 * c, &((sign * v + 0.0) as f32).to_le_bytes());
        }
    }
    put(344, b"n+1\0");
    h
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Image<f32> {
        let axes = *nalgebra::Rotation3::from_euler_angles(0.1, 0.2, 0.3).matrix();
        let grid = Grid::new([4, 5, 6], [1.5, 2.0, 3.0], [10.0, -20.0, 30.0], axes).expect("valid");
        Image::new(grid, (0..120).map(|n| n as f32 * 0.5 - 3.0).collect())
    }

    #[test]
    fn what_is_written_is_read_plain_and_zipped() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.nii", "a.nii.gz"] {
            let path = folder.path().join(name);
            let image = sample();
            write(&path, &[&image], "test").unwrap();
            let back = read(&path).unwrap();
            assert_eq!(back.data(), image.data());
            let corner = [3.0, 4.0, 5.0];
            assert!((back.grid().world(corner) - image.grid().world(corner)).norm() < 1e-4);
        }
    }

    #[test]
    fn a_claim_of_100_gb_and_a_cut_file_are_refused_without_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.nii");
        write(&path, &[&sample()], "").unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut huge = whole.clone();
        for n in 0..3 {
            huge[42 + 2 * n..44 + 2 * n].copy_from_slice(&3000_i16.to_le_bytes());
        }
        std::fs::write(&path, &huge).unwrap();
        assert!(matches!(read(&path), Err(ReadError::TooLarge { .. })));
        huge[46..48].copy_from_slice(&200_i16.to_le_bytes());
        std::fs::write(&path, &huge).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("480 bytes of voxels, the header claims 7200000000"), "{error}");
        std::fs::write(&path, &whole[..400]).unwrap();
        assert!(read(&path).is_err());
    }

    #[test]
    fn labels_are_whole_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.nii");
        write(&path, &[&sample()], "").unwrap();
        assert!(read_labels(&path).is_err());
        write(&path, &[&sample().map(|v| (v + 3.0) * 2.0)], "").unwrap();
        assert_eq!(read_labels(&path).unwrap().data()[119], 119);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 348..560), two: bool) {
            let mut bytes = bytes;
            bytes[..4].copy_from_slice(&(if two { 540_i32 } else { 348 }).to_le_bytes());
            bytes[344..348].copy_from_slice(b"n+1\0");
            if two { bytes[4..8].copy_from_slice(b"n+2\0"); }
            let _ = header(Path::new("x.nii"), &bytes);
        }
    }
}
