//! What a reader looks at: dose on CT through a tumour, and dose-volume curves. Numbers only; how
//! they are drawn is the report's.

/// A plane through the patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plane {
    /// Seen from the feet: patient's right on the left of the picture, anterior on top.
    Axial,
    /// Seen from the front: patient's right on the left, head on top.
    Coronal,
    /// Seen from the patient's left: anterior on the left, head on top.
    Sagittal,
}

/// CT and dose on one plane, on the same pixels, as seen on a screen: rows from top to bottom.
#[derive(Debug, Clone, PartialEq)]
pub struct FusedView {
    /// What is shown: `T1, axial`.
    pub title: String,
    /// The tumour the plane goes through.
    pub lesion: String,
    /// The plane.
    pub plane: Plane,
    /// Position of the plane along its normal in mm (LPS).
    pub position_mm: f64,
    /// Pixels across.
    pub columns: usize,
    /// Pixels down.
    pub rows: usize,
    /// Side of the square pixels in mm.
    pub pixel_mm: f64,
    /// CT numbers in HU, row by row.
    pub hu: Vec<i16>,
    /// Dose of the prescribed activities in Gy, row by row; zero where there is none.
    pub dose_gy: Vec<f32>,
    /// Outlines of structures cut by the plane.
    pub outlines: Vec<Outline>,
}

/// The outline of a structure in a plane.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// Name of the structure.
    pub name: String,
    /// Its role, as in [`crate::plan::Compartment::role`], or `liver`, `territory`.
    pub role: String,
    /// Closed lines in pixel coordinates (column, row); the centre of the first pixel is (0, 0).
    pub lines: Vec<Vec<[f32; 2]>>,
}

/// A cumulative dose-volume curve.
#[derive(Debug, Clone, PartialEq)]
pub struct DvhCurve {
    /// Session, or `None` for the sum of all.
    pub session: Option<u32>,
    /// Name of the compartment.
    pub name: String,
    /// Its role, as in [`crate::plan::Compartment::role`].
    pub role: String,
    /// Dose in Gy and fraction of the volume (0 to 1) that receives at least that dose.
    pub points: Vec<[f64; 2]>,
}
