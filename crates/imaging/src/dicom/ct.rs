//! A CT series: a slice a file, or enhanced CT of many frames.

use super::enhanced;
use super::object::{self, Object};
use super::pixels::{self, Format};
use super::stack::{SeriesOf, Slice, Stack, one_of_each};
use super::write::SeriesReference;
use super::{Patient, SpacingPolicy};
use crate::error::ReadError;
use crate::image::{FrameOfReference, Image};
use dicom_dictionary_std::tags;
use rayon::prelude::*;
use std::path::PathBuf;

/// What pixels outside the reconstruction circle are taken for.
const AIR_HU: i16 = -1000;

/// A CT series, its slices stacked along their normal.
#[derive(Debug)]
pub struct CtSeries {
    /// CT numbers in HU.
    pub image: Image<i16>,
    /// Frame of Reference UID.
    pub frame_of_reference: FrameOfReference,
    /// Who was imaged.
    pub patient: Patient,
    /// Study Instance UID.
    pub study_uid: String,
    /// Series Instance UID.
    pub series_uid: String,
    /// Its slices, for what is drawn on them to refer to.
    pub reference: SeriesReference,
    /// What a reader must know: copies left out, slices interpolated.
    pub notes: Vec<String>,
}

/// Reads the files of one CT series, in any order.
///
/// # Errors
/// When a file cannot be read, is no CT, is of another series; when slices are missing, uneven or
/// tilted and the policy is to refuse that.
pub fn read(files: &[PathBuf], policy: SpacingPolicy) -> Result<CtSeries, ReadError> {
    let read: Vec<Vec<(Header, Slice, Pixels)>> =
        files.par_iter().map(|f| slices(f)).collect::<Result<_, _>>()?;
    let read: Vec<_> = read.into_iter().flatten().collect();
    let Some((first, ..)) = read.first() else {
        return Err(ReadError::format(
            std::path::Path::new("."),
            "no files",
            "the slices of a CT series",
            "give the files",
        ));
    };
    for (header, slice, _) in &read {
        header.same_as(first, slice)?;
    }
    let first = first.clone();
    let (slices, pixels): (Vec<Slice>, Vec<Pixels>) =
        read.into_iter().map(|(_, slice, pixels)| (slice, pixels)).unzip();
    let stack = Stack::new(&slices, policy)?;
    // The pixels of each slice go where they belong at once: a series is a hundred megabytes, and
    // each copy of it costs more than the reading.
    let [nx, ny, _] = stack.grid.size();
    let mut data = vec![0; nx * ny * stack.order.len()];
    data.par_chunks_mut(nx * ny)
        .zip(&stack.order)
        .try_for_each_init(Vec::new, |buffer, (hu, n)| pixels[*n].put(hu, buffer))?;
    let of = SeriesOf {
        study_uid: &first.study_uid,
        series_uid: &first.series_uid,
        sop_class: &first.sop_class,
    };
    let reference = stack.reference(&slices, of);
    let image = stack.arrange(data, |v| v.round() as i16, AIR_HU);
    Ok(CtSeries {
        image: Image::new(stack.grid, image),
        frame_of_reference: first.frame_of_reference,
        patient: first.patient,
        study_uid: first.study_uid,
        series_uid: first.series_uid,
        reference,
        notes: stack.notes,
    })
}

#[derive(Debug, Clone)]
struct Header {
    patient: Patient,
    study_uid: String,
    series_uid: String,
    sop_class: String,
    frame_of_reference: FrameOfReference,
}

impl Header {
    fn same_as(&self, first: &Self, slice: &Slice) -> Result<(), ReadError> {
        let none = || "missing".to_owned();
        let pairs = [
            ("Patient ID", self.patient.id.clone(), first.patient.id.clone()),
            ("Series Instance UID", Some(self.series_uid.clone()), Some(first.series_uid.clone())),
            (
                "Frame of Reference UID",
                self.frame_of_reference.clone(),
                first.frame_of_reference.clone(),
            ),
        ];
        match pairs.into_iter().find(|(_, a, b)| a != b) {
            Some((element, found, expected)) => Err(ReadError::element(
                &slice.path,
                element,
                found.unwrap_or_else(none),
                &format!("{} as in the other slices", expected.unwrap_or_else(none)),
                "keep each patient and each series in a folder of its own",
            )),
            None => Ok(()),
        }
    }
}

/// The pixels of a slice.
enum Pixels {
    /// Known to be in the file, as plain words.
    Plain(Box<Object>, Format),
    /// In HU.
    Read(Vec<i16>),
}

impl Pixels {
    fn of(header: Object, [columns, rows]: [usize; 2]) -> Result<Self, ReadError> {
        let size = [columns, rows, 1];
        let format = Format::of(&header, size)?;
        if header.plain_length().is_some_and(|length| format.is_in_words(length)) {
            return Ok(Self::Plain(Box::new(header), format));
        }
        let o = Object::open(header.path())?;
        let mut hu = vec![0; columns * rows];
        Rescale::of(&o)?.all(pixels::stored(&o, size)?.iter().copied(), &mut hu);
        Ok(Self::Read(hu))
    }

    /// Puts them there in HU; `buffer` is for the bytes of a file.
    fn put(&self, hu: &mut [i16], buffer: &mut Vec<u8>) -> Result<(), ReadError> {
        match self {
            Self::Plain(o, format) => {
                Rescale::of(o)?.all(format.words(o.plain_pixels(buffer)?), hu);
            }
            Self::Read(read) => hu.copy_from_slice(read),
        }
        Ok(())
    }
}

/// All of a file's slices; pixels only where they take more than reading them.
fn slices(path: &std::path::Path) -> Result<Vec<(Header, Slice, Pixels)>, ReadError> {
    let o = Object::open_header(path)?;
    let modality = o.text(tags::MODALITY).unwrap_or_else(|| "missing".to_owned());
    if modality != "CT" {
        return Err(o.wrong(tags::MODALITY, modality, "CT"));
    }
    one_of_each(&[&o])?;
    in_hu(&o)?;
    let slices = Slice::all_of(&o)?;
    let header = Header {
        patient: Patient::of(&o),
        study_uid: o.text(tags::STUDY_INSTANCE_UID).unwrap_or_default(),
        series_uid: o.need_text(tags::SERIES_INSTANCE_UID)?,
        sop_class: o.text(tags::SOP_CLASS_UID).unwrap_or_default(),
        frame_of_reference: o.text(tags::FRAME_OF_REFERENCE_UID),
    };
    if !enhanced::is(&o) {
        Rescale::of(&o)?;
        let one = |slice: Slice| {
            let pixels = Pixels::of(o, slice.size)?;
            Ok(vec![(header, slice, pixels)])
        };
        return slices.into_iter().next().map_or(Ok(Vec::new()), one);
    }
    let o = Object::open(path)?;
    let size = enhanced::size(&o)?;
    let rescales: Vec<Rescale> =
        (0..size[2]).map(|n| Rescale::of_frame(&o, n)).collect::<Result<_, _>>()?;
    let stored = pixels::stored(&o, size)?;
    let frames =
        stored.par_chunks_exact(size[0] * size[1]).zip(rescales).map(|(stored, rescale)| {
            let mut hu = vec![0; stored.len()];
            rescale.all(stored.iter().copied(), &mut hu);
            Pixels::Read(hu)
        });
    let frames: Vec<Pixels> = frames.collect();
    Ok(slices.into_iter().zip(frames).map(|(s, p)| (header.clone(), s, p)).collect())
}

/// Contrasts of enhanced CT frames that are those of a CT number (PS3.3, C.8.15.2.1.1: the fourth value
/// of the frame's type); the others are sums, differences, projections and maps of something else.
const OF_HU: [&str; 3] = ["NONE", "RESAMPLED", "MEAN"];

/// Whether an enhanced CT holds CT numbers: maps of blood flow or of a material are CT objects too.
/// Of a slice a file its image type says nothing that could be relied on.
pub(super) fn in_hu(o: &Object) -> Result<(), ReadError> {
    if !enhanced::is(o) {
        return Ok(());
    }
    for frame in 0..enhanced::size(o)?[2] {
        let kind = enhanced::group(o, frame, tags::CT_IMAGE_FRAME_TYPE_SEQUENCE)
            .and_then(|g| object::text(g, tags::FRAME_TYPE))
            .or_else(|| o.text(tags::IMAGE_TYPE))
            .unwrap_or_default();
        let contrast = kind.split('\\').nth(3).unwrap_or("NONE").trim();
        if !OF_HU.contains(&contrast) {
            let expected = format!("a fourth value of {} (CT numbers)", OF_HU.join(", "));
            return Err(o.wrong(tags::FRAME_TYPE, kind, &expected));
        }
        let values = enhanced::need(o, frame, tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE)?;
        let unit = object::text(values, tags::RESCALE_TYPE).unwrap_or_else(|| "US".to_owned());
        // Converted from slices that did not say, it is unspecified.
        if !(unit == "HU" || unit == "US" && kind.starts_with("ORIGINAL")) {
            return Err(o.wrong(tags::RESCALE_TYPE, unit, "HU"));
        }
    }
    Ok(())
}

/// From stored values to HU.
struct Rescale {
    slope: f64,
    intercept: f64,
    padding: Option<i32>,
}

impl Rescale {
    fn of(o: &Object) -> Result<Self, ReadError> {
        let slope = o.maybe_number(tags::RESCALE_SLOPE)?.unwrap_or(1.0);
        let intercept = o.maybe_number(tags::RESCALE_INTERCEPT)?.unwrap_or(0.0);
        Self::by(o, slope, intercept)
    }

    /// That of a frame, which must be there.
    fn of_frame(o: &Object, frame: usize) -> Result<Self, ReadError> {
        let values = enhanced::need(o, frame, tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE)?;
        let [slope] = object::need_numbers(o.path(), values, tags::RESCALE_SLOPE)?;
        let [intercept] = object::need_numbers(o.path(), values, tags::RESCALE_INTERCEPT)?;
        Self::by(o, slope, intercept)
    }

    fn by(o: &Object, slope: f64, intercept: f64) -> Result<Self, ReadError> {
        if !slope.is_finite() || slope == 0.0 || !intercept.is_finite() {
            let found = format!("{slope} with intercept {intercept}");
            return Err(o.wrong(tags::RESCALE_SLOPE, found, "a finite slope that is not zero"));
        }
        let padding = o.number(tags::PIXEL_PADDING_VALUE).map(|p| p as i32);
        Ok(Self { slope, intercept, padding })
    }

    fn one(&self, stored: i32) -> i16 {
        if Some(stored) == self.padding {
            return AIR_HU;
        }
        let hu = f64::from(stored) * self.slope + self.intercept;
        hu.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
    }

    /// A scanner's values are few: each is rescaled once, not a quarter of a million times.
    fn all(&self, stored: impl Iterator<Item = i32> + Clone, hu: &mut [i16]) {
        let range = |(low, high): (i32, i32), v: i32| (low.min(v), high.max(v));
        let (low, high) = stored.clone().fold((i32::MAX, i32::MIN), range);
        if low <= high && high.abs_diff(low) < 1 << 16 {
            let table: Vec<i16> = (low..=high).map(|v| self.one(v)).collect();
            hu.iter_mut().zip(stored).for_each(|(hu, v)| *hu = table[v.abs_diff(low) as usize]);
        } else {
            hu.iter_mut().zip(stored).for_each(|(hu, v)| *hu = self.one(v));
        }
    }
}
