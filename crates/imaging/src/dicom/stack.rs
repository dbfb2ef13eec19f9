//! Slices in separate files or in frames of one, put in order: from positions and orientations, never from file names
//! or instance numbers.

use super::enhanced;
use super::object::{Dataset, Object, name, need_numbers};
use super::write::{SeriesReference, SliceReference};
use crate::error::ReadError;
use crate::geometry::Grid;
use dicom_dictionary_std::tags;
use nalgebra::{Matrix3, Vector3};
use std::path::{Path, PathBuf};

/// What to do with slices that do not lie on a regular grid: one is missing, distances differ, or
/// the gantry was tilted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpacingPolicy {
    /// Refuse the series.
    Refuse,
    /// Interpolate linearly onto a regular grid, and say so in the notes.
    Resample,
}

/// Positions closer than this are the same position.
const SAME_MM: f64 = 0.01;
/// Distances between slices may differ by this fraction of the usual one (rounded decimal strings).
const UNEVEN: f64 = 0.03;
/// Cosines of orientations may differ by this.
const SAME_AXIS: f64 = 1e-3;
/// Sideways drift of slices, per slice, beyond which the gantry was tilted.
const DRIFT_MM: f64 = 0.05;

/// Where a slice lies.
#[derive(Debug, Clone)]
pub(super) struct Slice {
    pub(super) path: PathBuf,
    /// Which frame of its file, from 1, if that has many.
    pub(super) frame: Option<usize>,
    pub(super) uid: String,
    /// SOP Instance UID of its file.
    pub(super) instance: String,
    pub(super) position: Vector3<f64>,
    pub(super) along: [Vector3<f64>; 2],
    /// Between columns, between rows.
    pub(super) pixel_mm: [f64; 2],
    pub(super) size: [usize; 2],
}

impl Slice {
    /// All that an object holds.
    pub(super) fn all_of(o: &Object) -> Result<Vec<Self>, ReadError> {
        if enhanced::is(o) { enhanced::slices(o) } else { Ok(vec![Self::of(o)?]) }
    }

    /// The one of an object that holds one.
    pub(super) fn of(o: &Object) -> Result<Self, ReadError> {
        let [columns, rows, frames] = o.size()?;
        if frames > 1 {
            let expected = "1: a slice a file, or frames that say where they lie";
            return Err(o.wrong(tags::NUMBER_OF_FRAMES, frames.to_string(), expected));
        }
        let p: [f64; 3] = o.need_numbers(tags::IMAGE_POSITION_PATIENT)?;
        let a: [f64; 6] = o.need_numbers(tags::IMAGE_ORIENTATION_PATIENT)?;
        let [between_rows, between_columns] = pixel_spacing(o)?;
        Ok(Self {
            path: o.path().to_owned(),
            frame: None,
            uid: o.text(tags::SOP_INSTANCE_UID).unwrap_or_default(),
            instance: o.text(tags::SOP_INSTANCE_UID).unwrap_or_default(),
            position: Vector3::from(p),
            along: unit_axes(o, a)?,
            pixel_mm: [between_columns, between_rows],
            size: [columns, rows],
        })
    }

    /// Its file, and which frame of it.
    fn file(&self) -> (&Path, Option<usize>) {
        (&self.path, self.frame)
    }

    fn normal(&self) -> Vector3<f64> {
        self.along[0].cross(&self.along[1])
    }
}

/// Between rows, between columns; both above zero.
pub(super) fn pixel_spacing(o: &Object) -> Result<[f64; 2], ReadError> {
    pixel_spacing_of(o, o.dataset())
}

/// That in a part of an object.
pub(super) fn pixel_spacing_of(o: &Object, part: &Dataset) -> Result<[f64; 2], ReadError> {
    let spacing: [f64; 2] = need_numbers(o.path(), part, tags::PIXEL_SPACING)?;
    if spacing.iter().all(|s| *s > 0.0 && *s < 1000.0) {
        Ok(spacing)
    } else {
        Err(o.wrong(tags::PIXEL_SPACING, format!("{spacing:?}"), "two distances above zero in mm"))
    }
}

/// Row and column direction of length one, at right angles.
pub(super) fn unit_axes(o: &Object, a: [f64; 6]) -> Result<[Vector3<f64>; 2], ReadError> {
    let [row, column] = [Vector3::new(a[0], a[1], a[2]), Vector3::new(a[3], a[4], a[5])];
    let good = |v: &Vector3<f64>| (v.norm() - 1.0).abs() < 0.01;
    if !good(&row) || !good(&column) || row.dot(&column).abs() > 0.01 {
        let expected = "two directions of length 1 at right angles";
        return Err(o.wrong(tags::IMAGE_ORIENTATION_PATIENT, format!("{a:?}"), expected));
    }
    let row = row.normalize();
    Ok([row, (column - row * row.dot(&column)).normalize()])
}

/// Slices in order, and the regular grid they lie on or are to be brought onto.
#[derive(Debug)]
pub(super) struct Stack {
    pub(super) grid: Grid,
    /// Slices along the normal; indices into what was given.
    pub(super) order: Vec<usize>,
    /// For every slice in order: distance along the normal from the first, and sideways shift of
    /// its first pixel from the grid's, in pixels along columns and rows.
    pub(super) places: Vec<Place>,
    /// The slices lie on the grid as they are.
    pub(super) regular: bool,
    pub(super) notes: Vec<String>,
}

/// Which series slices are of.
#[derive(Clone, Copy)]
pub(super) struct SeriesOf<'a> {
    pub(super) study_uid: &'a str,
    pub(super) series_uid: &'a str,
    pub(super) sop_class: &'a str,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) along_mm: f64,
    pub(super) shift_pixels: [f64; 2],
}

impl Stack {
    /// Orders slices of one series. `what` names the series in messages.
    pub(super) fn new(slices: &[Slice], policy: SpacingPolicy) -> Result<Self, ReadError> {
        let Some(first) = slices.first() else {
            unreachable!("callers give at least one slice");
        };
        let folder = first.path.parent().unwrap_or(&first.path);
        let refuse = |found: String, expected: &str, remedy: &str| {
            ReadError::format(folder, found, expected, remedy)
        };
        for s in slices {
            let turned = (0..2).any(|n| (s.along[n] - first.along[n]).norm() > SAME_AXIS);
            let other = s.size != first.size
                || (0..2).any(|n| (s.pixel_mm[n] - first.pixel_mm[n]).abs() > 1e-4);
            if turned || other {
                let what = if turned { "orientation" } else { "size or pixel spacing" };
                return Err(refuse(
                    format!("{} has another {what} than {}", show(s), show(first)),
                    "slices of one series alike",
                    "keep one series in a folder, without localizers",
                ));
            }
        }
        let normal = first.normal();
        let mut notes = Vec::new();
        let mut order: Vec<usize> = (0..slices.len()).collect();
        let height = |n: &usize| slices[*n].position.dot(&normal);
        order.sort_by(|a, b| {
            height(a).total_cmp(&height(b)).then_with(|| slices[*a].file().cmp(&slices[*b].file()))
        });
        // The same instance twice is a copy; two instances at one place are two truths.
        let mut kept: Vec<usize> = Vec::with_capacity(order.len());
        for n in order {
            match kept.last() {
                Some(last) if height(&n) - height(last) < SAME_MM => {
                    let (a, b) = (&slices[*last], &slices[n]);
                    if a.uid != b.uid || a.uid.is_empty() {
                        return Err(refuse(
                            format!("{} and {} lie at the same place", show(a), show(b)),
                            "one slice at a place",
                            "remove the duplicate, or keep one series in a folder",
                        ));
                    }
                    notes.push(format!("{} is a copy of {} and is left out", show(b), show(a)));
                }
                _ => kept.push(n),
            }
        }
        let order = kept;
        let gaps: Vec<f64> = order.windows(2).map(|w| height(&w[1]) - height(&w[0])).collect();
        let mut sorted = gaps.clone();
        sorted.sort_by(f64::total_cmp);
        let usual = match sorted.get(sorted.len() / 2) {
            Some(gap) => *gap,
            None => {
                return Err(refuse(
                    "one slice".to_owned(),
                    "a series of at least two",
                    "give all files of the series",
                ));
            }
        };
        let mut regular = true;
        if let Some(n) = gaps.iter().position(|g| (g - usual).abs() > UNEVEN * usual + SAME_MM) {
            let (a, b) = (&slices[order[n]], &slices[order[n + 1]]);
            let missing = gaps[n] / usual - 1.0;
            let whole = missing > 0.5 && (missing - missing.round()).abs() < 0.1;
            let found = if whole {
                format!(
                    "{:.0} slice(s) missing between {} and {} ({:.2} mm apart, elsewhere {usual:.2} mm)",
                    missing.round(),
                    show(a),
                    show(b),
                    gaps[n]
                )
            } else {
                format!(
                    "uneven slices: {} and {} are {:.2} mm apart, elsewhere {usual:.2} mm",
                    show(a),
                    show(b),
                    gaps[n]
                )
            };
            if policy == SpacingPolicy::Refuse {
                return Err(refuse(
                    found,
                    "slices at equal distances",
                    "export the series again, or interpolate knowingly (--resample-ct)",
                ));
            }
            notes.push(format!("{found}; interpolated onto slices {usual:.2} mm apart"));
            regular = false;
        }
        let start = &slices[order[0]];
        let end = &slices[order[order.len() - 1]];
        let sideways = |s: &Slice| {
            let d = s.position - start.position;
            [0, 1].map(|n| d.dot(&start.along[n]) / start.pixel_mm[n])
        };
        let drift =
            (end.position - start.position) - normal * (end.position - start.position).dot(&normal);
        if drift.norm() > DRIFT_MM * (order.len() - 1) as f64 {
            let angle =
                drift.norm().atan2((end.position - start.position).dot(&normal)).to_degrees();
            let found = format!("the gantry was tilted by {angle:.1} degrees");
            if policy == SpacingPolicy::Refuse {
                return Err(refuse(
                    found,
                    "slices stacked along their normal",
                    "acquire it without tilt, or interpolate knowingly (--resample-ct)",
                ));
            }
            notes.push(format!("{found}; slices are shifted back and interpolated"));
            regular = false;
        }
        let span = height(&order[order.len() - 1]) - height(&order[0]);
        let count = if regular { order.len() } else { (span / usual).round() as usize + 1 };
        let step = if regular { span / (count - 1) as f64 } else { usual };
        let axes = Matrix3::from_columns(&[start.along[0], start.along[1], normal]);
        let spacing = [start.pixel_mm[0], start.pixel_mm[1], step];
        let size = [start.size[0], start.size[1], count];
        let grid = Grid::new(size, spacing, start.position.into(), axes)
            .map_err(|e| refuse(e.to_string(), "a grid of voxels", "export the series again"))?;
        let places = order
            .iter()
            .map(|n| Place {
                along_mm: height(n) - height(&order[0]),
                shift_pixels: sideways(&slices[*n]),
            })
            .collect();
        Ok(Self { grid, order, places, regular, notes })
    }

    /// The series as other objects refer to it.
    pub(super) fn reference(&self, slices: &[Slice], o: SeriesOf<'_>) -> SeriesReference {
        let reference = |n: &usize| SliceReference {
            instance_uid: slices[*n].instance.clone(),
            frame: slices[*n].frame,
            position: slices[*n].position.into(),
        };
        SeriesReference {
            study_uid: o.study_uid.to_owned(),
            series_uid: o.series_uid.to_owned(),
            sop_class: o.sop_class.to_owned(),
            normal: self.grid.axes().column(2).into(),
            slices: self.order.iter().map(reference).collect(),
        }
    }

    /// Brings the pixels of slices, one after the other in order, onto the grid: as they are if they
    /// lie on it, else by linear interpolation.
    pub(super) fn arrange<T: Copy + Into<f64> + Send + Sync>(
        &self,
        slices: Vec<T>,
        from_f64: impl Fn(f64) -> T + Sync,
        outside: T,
    ) -> Vec<T> {
        if self.regular {
            return slices;
        }
        let [nx, ny, nz] = self.grid.size();
        let step = self.grid.spacing_mm()[2];
        let pixel = |s: usize, x: f64, y: f64| -> Option<f64> {
            // The pixel of the grid at (x, y) is at (x, y) - shift of the slice.
            let [dx, dy] = self.places[s].shift_pixels;
            let (u, v) = (x - dx, y - dy);
            if u < -0.5 || v < -0.5 || u > nx as f64 - 0.5 || v > ny as f64 - 0.5 {
                return None;
            }
            let (u, v) = (u.clamp(0.0, (nx - 1) as f64), v.clamp(0.0, (ny - 1) as f64));
            let (i, j) = (u as usize, v as usize);
            let (fu, fv) = (u - i as f64, v - j as f64);
            let at = |i: usize, j: usize| -> f64 {
                slices[(s * ny + j.min(ny - 1)) * nx + i.min(nx - 1)].into()
            };
            let low = at(i, j) * (1.0 - fu) + at(i + 1, j) * fu;
            let high = at(i, j + 1) * (1.0 - fu) + at(i + 1, j + 1) * fu;
            Some(low * (1.0 - fv) + high * fv)
        };
        let mut data = Vec::with_capacity(nx * ny * nz);
        for k in 0..nz {
            let z = k as f64 * step;
            let above = self.places.partition_point(|p| p.along_mm < z).min(self.places.len() - 1);
            let below = above.saturating_sub(1);
            let (za, zb) = (self.places[above].along_mm, self.places[below].along_mm);
            let t = if za > zb { ((z - zb) / (za - zb)).clamp(0.0, 1.0) } else { 0.0 };
            for j in 0..ny {
                for i in 0..nx {
                    let (x, y) = (i as f64, j as f64);
                    let value = match (pixel(below, x, y), pixel(above, x, y)) {
                        (Some(b), Some(a)) => from_f64(b + (a - b) * t),
                        _ => outside,
                    };
                    data.push(value);
                }
            }
        }
        data
    }
}

fn show(s: &Slice) -> String {
    let file = s.path.file_name().unwrap_or_default().to_string_lossy();
    match s.frame {
        Some(n) => format!("frame {n} of {file}"),
        None => file.into_owned(),
    }
}

/// Refuses a series whose slices are of several patients, studies or frames of reference.
pub(super) fn one_of_each(objects: &[&Object]) -> Result<(), ReadError> {
    let Some(first) = objects.first() else { return Ok(()) };
    for tag in [tags::PATIENT_ID, tags::SERIES_INSTANCE_UID, tags::FRAME_OF_REFERENCE_UID] {
        let expected = first.text(tag);
        if let Some(other) = objects.iter().find(|o| o.text(tag) != expected) {
            let said = |o: &Object| o.text(tag).unwrap_or_else(|| "missing".to_owned());
            return Err(ReadError::element(
                other.path(),
                &name(tag),
                said(other),
                &format!("{} as in {}", said(first), first.path().display()),
                "keep each patient and each series in a folder of its own",
            ));
        }
    }
    Ok(())
}
