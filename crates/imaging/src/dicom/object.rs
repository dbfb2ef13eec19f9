//! One DICOM file: opened within bounds, its elements with good errors.

use super::bounds::{self, Head};
use super::{meta, unknown};
use crate::error::ReadError;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::value::{PrimitiveValue, Value};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_object::{FileDicomObject, InMemDicomObject, OpenFileOptions};
use std::borrow::Cow;
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The data set of a file or of a sequence's item.
pub type Dataset = InMemDicomObject<StandardDataDictionary>;

/// Longest file we read: 512 x 512 x 4000 frames of 16 bits are 2 GiB.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// Most slices have their pixels begin within this; what has not is read whole.
const HEADER_BYTES: u64 = 16 << 10;

/// A file, opened.
#[derive(Debug)]
pub struct Object {
    path: PathBuf,
    inner: FileDicomObject<Dataset>,
    /// Where the pixels lie in the file, if they were not read and are plain numbers with the low
    /// byte first.
    plain_pixels: Option<Range<u64>>,
}

impl Object {
    /// Opens a whole file.
    ///
    /// # Errors
    /// When it cannot be read, is no DICOM, is truncated, or claims more than it has.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let (mut file, length) = Self::file(path)?;
        let bytes = mended(read(path, &mut file, length)?);
        bounds::check(path, &bytes)?;
        Self::parse(path, &bytes, OpenFileOptions::new())
    }

    /// Opens a file up to its pixels; no more of it is read than that needs.
    ///
    /// # Errors
    /// As [`Object::open`]; what comes after the beginning of the pixels is not looked at.
    pub fn open_header(path: &Path) -> Result<Self, ReadError> {
        let (mut file, length) = Self::file(path)?;
        let (bytes, plain_pixels) = header(path, &mut file, length)?;
        let options = OpenFileOptions::new().read_until(tags::PIXEL_DATA);
        Ok(Self { plain_pixels, ..Self::parse(path, &bytes, options)? })
    }

    /// How many bytes of plain pixels (numbers with the low byte first) the file holds, if only its
    /// header was opened; `None` of other pixels, or none.
    #[must_use]
    pub fn plain_length(&self) -> Option<u64> {
        self.plain_pixels.as_ref().map(|place| place.end - place.start)
    }

    /// Those bytes, read now into `buffer`; none where there is no such length.
    ///
    /// # Errors
    /// When the file can no longer be read as far as they reached.
    pub fn plain_pixels<'b>(&self, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], ReadError> {
        let place = self.plain_pixels.clone().unwrap_or_default();
        let mut read = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(place.start))?;
            buffer.resize((place.end - place.start) as usize, 0);
            file.read_exact(buffer)
        };
        read().map_err(ReadError::io(&self.path))?;
        Ok(buffer)
    }

    /// Whether a file begins as DICOM files do, or as a data set that lost what comes before it.
    #[must_use]
    pub fn is_dicom(path: &Path) -> bool {
        let mut head = Vec::new();
        let length = meta::LOOKED_AT as u64;
        File::open(path).and_then(|f| f.take(length).read_to_end(&mut head)).is_ok()
            && meta::begins(&head)
    }

    /// The file at the path and its length, within bounds.
    fn file(path: &Path) -> Result<(File, u64), ReadError> {
        let file = File::open(path).map_err(ReadError::io(path))?;
        let length = file.metadata().map_err(ReadError::io(path))?.len();
        if length > MAX_FILE_BYTES {
            return Err(ReadError::TooLarge {
                path: path.to_owned(),
                found: format!("{length} bytes"),
                expected: format!("{MAX_FILE_BYTES} bytes"),
            });
        }
        Ok((file, length))
    }

    /// Only after its lengths have been checked.
    fn parse(path: &Path, bytes: &[u8], options: OpenFileOptions) -> Result<Self, ReadError> {
        let inner = options.from_reader(Cursor::new(bytes)).map_err(|e| {
            let mut why = e.to_string();
            let mut source = std::error::Error::source(&e);
            while let Some(s) = source {
                why = s.to_string();
                source = s.source();
            }
            let damaged = "a whole DICOM file";
            ReadError::format(
                path,
                format!("damaged or cut off ({why})"),
                damaged,
                "export it again",
            )
        })?;
        Ok(Self { path: path.to_owned(), inner, plain_pixels: None })
    }

    /// Where it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The object as dicom-rs has it.
    #[must_use]
    pub fn inner(&self) -> &FileDicomObject<Dataset> {
        &self.inner
    }

    /// The data set.
    #[must_use]
    pub fn dataset(&self) -> &Dataset {
        &self.inner
    }

    /// UID of the transfer syntax.
    #[must_use]
    pub fn transfer_syntax(&self) -> &str {
        self.inner.meta().transfer_syntax().trim_end_matches('\0')
    }

    /// Text of an element, trimmed; `None` if absent or empty.
    #[must_use]
    pub fn text(&self, tag: Tag) -> Option<String> {
        text(&self.inner, tag)
    }

    /// The first number of an element.
    #[must_use]
    pub fn number(&self, tag: Tag) -> Option<f64> {
        numbers(&self.inner, tag).and_then(|list| list.first().copied())
    }

    /// All numbers of an element.
    #[must_use]
    pub fn numbers(&self, tag: Tag) -> Option<Vec<f64>> {
        numbers(&self.inner, tag)
    }

    /// Items of a sequence; none if it is absent.
    #[must_use]
    pub fn items(&self, tag: Tag) -> &[Dataset] {
        items(&self.inner, tag)
    }

    /// Text of an element that must be there.
    ///
    /// # Errors
    /// When it is missing or empty.
    pub fn need_text(&self, tag: Tag) -> Result<String, ReadError> {
        self.text(tag).ok_or_else(|| self.missing(tag, "a text"))
    }

    /// A number that must be there, finite.
    ///
    /// # Errors
    /// When it is missing, no number, or not finite.
    pub fn need_number(&self, tag: Tag) -> Result<f64, ReadError> {
        let found = self.number(tag).ok_or_else(|| self.missing(tag, "a number"))?;
        if found.is_finite() {
            Ok(found)
        } else {
            Err(self.wrong(tag, found.to_string(), "a finite number"))
        }
    }

    /// `N` numbers that must be there, finite.
    ///
    /// # Errors
    /// When there are not that many, or one is not finite.
    pub fn need_numbers<const N: usize>(&self, tag: Tag) -> Result<[f64; N], ReadError> {
        need_numbers(&self.path, &self.inner, tag)
    }

    /// A number that may be absent or empty, but not something else.
    ///
    /// # Errors
    /// When it is there and no finite number.
    pub fn maybe_number(&self, tag: Tag) -> Result<Option<f64>, ReadError> {
        match (self.number(tag), self.text(tag)) {
            (Some(number), _) if number.is_finite() => Ok(Some(number)),
            (None, None) => Ok(None),
            (_, said) => {
                let found = format!("`{}`", said.unwrap_or_default());
                Err(self.wrong(tag, found, "a number"))
            }
        }
    }

    /// Columns, rows, frames (1 if not said), each at least one.
    ///
    /// # Errors
    /// When one is missing or zero, or pixels of that size would not fit the file.
    pub fn size(&self) -> Result<[usize; 3], ReadError> {
        let count = |tag, default: Option<f64>| -> Result<usize, ReadError> {
            let found = self.maybe_number(tag)?.or(default);
            let found = found.ok_or_else(|| self.missing(tag, "a count"))?;
            if found >= 1.0 && found <= f64::from(u32::MAX) && found.fract() == 0.0 {
                Ok(found as usize)
            } else {
                Err(self.wrong(tag, found.to_string(), "a count of at least 1"))
            }
        };
        let size = [
            count(tags::COLUMNS, None)?,
            count(tags::ROWS, None)?,
            count(tags::NUMBER_OF_FRAMES, Some(1.0))?,
        ];
        let voxels = size.iter().try_fold(1_usize, |a, b| a.checked_mul(*b));
        if voxels.is_none_or(|n| n > crate::geometry::MAX_VOXELS) {
            return Err(ReadError::TooLarge {
                path: self.path.clone(),
                found: format!("{} x {} pixels x {} frames", size[0], size[1], size[2]),
                expected: format!("{} voxels", crate::geometry::MAX_VOXELS),
            });
        }
        Ok(size)
    }

    /// The error of an element that is not there.
    #[must_use]
    pub fn missing(&self, tag: Tag, expected: &str) -> ReadError {
        self.wrong(tag, "missing".to_owned(), expected)
    }

    /// The error of an element that says what cannot be.
    #[must_use]
    pub fn wrong(&self, tag: Tag, found: String, expected: &str) -> ReadError {
        ReadError::element(&self.path, &name(tag), found, expected, "export the series again")
    }
}

/// The beginning of a file said to be of that length: as much as its header needs, looked at; and
/// where its pixels lie if they are plain.
fn header(
    path: &Path,
    file: &mut impl Read,
    length: u64,
) -> Result<(Vec<u8>, Option<Range<u64>>), ReadError> {
    let mut bytes = read(path, file, length.min(HEADER_BYTES))?;
    if meta::needs(&bytes) || unknown::may_be_in(&bytes) {
        bytes.append(&mut read(path, file, length - bytes.len() as u64)?);
        let bytes = mended(bytes);
        bounds::check(path, &bytes)?;
        return Ok((bytes, None));
    }
    match bounds::head(path, &bytes, length)? {
        Head::Plain(place) => Ok((bytes, Some(place))),
        Head::Whole => Ok((bytes, None)),
        Head::Cut => {
            bytes.append(&mut read(path, file, length - bytes.len() as u64)?);
            let bytes = mended(bytes);
            bounds::check(path, &bytes)?;
            Ok((bytes, None))
        }
    }
}

/// A whole file with a meta group that says what it is in, and without sequences that the parser would
/// not know for such.
fn mended(bytes: Vec<u8>) -> Vec<u8> {
    let bytes = match meta::before(&bytes) {
        Some((mut group, data)) => {
            group.extend_from_slice(&bytes[data..]);
            group
        }
        None => bytes,
    };
    let data = unknown::may_be_in(&bytes).then(|| meta::explicit_data(&bytes)).flatten();
    match data.and_then(|at| Some((at, unknown::known(&bytes[at..])?))) {
        Some((at, known)) => [&bytes[..at], &known].concat(),
        None => bytes,
    }
}

/// The next bytes of a file, as many as said or as there are.
fn read(path: &Path, file: &mut impl Read, count: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::with_capacity(count as usize);
    file.take(count).read_to_end(&mut bytes).map_err(ReadError::io(path))?;
    Ok(bytes)
}

/// Whether the VR of an element was lost (UN): its bytes are no numbers of their own.
fn is_lost(o: &Dataset, tag: Tag) -> bool {
    o.get(tag).is_some_and(|e| e.vr() == VR::UN && e.value().primitive().is_some())
}

/// The value of an element whose VR was lost, by the VR of the dictionary; of one that the dictionary
/// does not know, as text.
fn of_lost_vr(o: &Dataset, tag: Tag) -> Option<PrimitiveValue> {
    let bytes = o.get(tag)?.value().primitive()?.to_bytes();
    let vr = StandardDataDictionary.by_tag(tag).map_or(VR::LT, |e| e.vr().relaxed());
    if bytes.is_empty() {
        return None;
    }
    // Numbers of so many bytes, the low one first: such is what tools that lose VRs write.
    let numbers = |size: usize, of: &dyn Fn(&[u8]) -> f64| {
        let list: Vec<f64> = bytes.chunks_exact(size).map(of).collect();
        PrimitiveValue::F64(list.into())
    };
    Some(match vr {
        VR::US => numbers(2, &|b| u16::from_le_bytes([b[0], b[1]]).into()),
        VR::SS => numbers(2, &|b| i16::from_le_bytes([b[0], b[1]]).into()),
        VR::UL => numbers(4, &|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]).into()),
        VR::SL => numbers(4, &|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]).into()),
        VR::FL => numbers(4, &|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).into()),
        VR::FD => {
            numbers(8, &|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
        }
        VR::OB | VR::OW | VR::OF | VR::OD | VR::OL | VR::OV | VR::SQ | VR::UN | VR::AT => {
            return None;
        }
        _ => {
            let text = String::from_utf8_lossy(&bytes);
            let values: Vec<String> = text
                .split('\\')
                .map(|v| v.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned())
                .collect();
            PrimitiveValue::Strs(values.into())
        }
    })
}

/// Text of an element of a data set, trimmed; `None` if absent or empty.
#[must_use]
pub fn text(o: &Dataset, tag: Tag) -> Option<String> {
    let lost = is_lost(o, tag).then(|| of_lost_vr(o, tag));
    let text: Cow<'_, str> = match &lost {
        Some(value) => value.as_ref()?.to_str(),
        None => o.get(tag)?.to_str().ok()?,
    };
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

/// All numbers of an element of a data set.
#[must_use]
pub fn numbers(o: &Dataset, tag: Tag) -> Option<Vec<f64>> {
    let list = if is_lost(o, tag) {
        of_lost_vr(o, tag)?.to_multi_float64().ok()?
    } else {
        o.get(tag)?.to_multi_float64().ok()?
    };
    Some(list).filter(|list| !list.is_empty())
}

/// `N` finite numbers of an element of a data set.
///
/// # Errors
/// When there are not that many, or one is not finite.
pub fn need_numbers<const N: usize>(
    path: &Path,
    o: &Dataset,
    tag: Tag,
) -> Result<[f64; N], ReadError> {
    let wrong = |found: String| {
        let expected = format!("{N} finite numbers");
        ReadError::element(path, &name(tag), found, &expected, "export the series again")
    };
    let found = numbers(o, tag).ok_or_else(|| wrong("missing".to_owned()))?;
    if found.iter().any(|x| !x.is_finite()) {
        return Err(wrong(format!("{found:?}")));
    }
    <[f64; N]>::try_from(found).map_err(|found| wrong(format!("{found:?}")))
}

/// Items of a sequence of a data set; none if it is absent.
#[must_use]
pub fn items(o: &Dataset, tag: Tag) -> &[Dataset] {
    match o.get(tag).map(|e| e.value()) {
        Some(Value::Sequence(sequence)) => sequence.items(),
        _ => &[],
    }
}

/// Name of an element as the standard has it: `PixelSpacing (0028,0030)`.
#[must_use]
pub fn name(tag: Tag) -> String {
    match StandardDataDictionary.by_tag(tag) {
        Some(entry) => format!("{} {tag}", entry.alias()),
        None => tag.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3 GiB.
    const GIGABYTES: u32 = 0xC000_0000;

    /// An element in explicit little endian that says it is that long.
    fn element(tag: Tag, vr: &[u8; 2], claims: u32, value: &[u8]) -> Vec<u8> {
        let mut bytes = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
        bytes.extend(vr);
        match vr {
            b"OB" | b"OW" | b"SQ" | b"UN" => {
                bytes.extend([0, 0]);
                bytes.extend(claims.to_le_bytes());
            }
            _ => bytes.extend((claims as u16).to_le_bytes()),
        }
        bytes.extend(value);
        bytes
    }

    /// An element as long as it says.
    fn true_element(tag: Tag, vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
        element(tag, vr, value.len() as u32, value)
    }

    /// A file of these elements, its meta group beginning with those.
    fn file(meta: &[u8], elements: &[Vec<u8>]) -> Vec<u8> {
        let mut group = meta.to_vec();
        group.extend(true_element(tags::MEDIA_STORAGE_SOP_CLASS_UID, b"UI", b"1.2\0"));
        group.extend(true_element(tags::MEDIA_STORAGE_SOP_INSTANCE_UID, b"UI", b"1.2\0"));
        group.extend(true_element(tags::TRANSFER_SYNTAX_UID, b"UI", b"1.2.840.10008.1.2.1\0"));
        let mut bytes = vec![0; 128];
        bytes.extend(b"DICM");
        let length = (group.len() as u32).to_le_bytes();
        bytes.extend(true_element(tags::FILE_META_INFORMATION_GROUP_LENGTH, b"UL", &length));
        bytes.extend(group);
        bytes.extend(elements.concat());
        bytes
    }

    fn header_of(bytes: &[u8], length: u64) -> Result<Vec<u8>, ReadError> {
        header(Path::new("file.dcm"), &mut &bytes[..], length).map(|(head, _)| head)
    }

    /// What both ways to open say of the file.
    fn refusal(bytes: &[u8]) -> String {
        let header = header_of(bytes, bytes.len() as u64).expect_err("refused").to_string();
        let whole = bounds::check(Path::new("file.dcm"), bytes).expect_err("refused").to_string();
        assert_eq!(header, whole);
        whole
    }

    #[test]
    fn no_more_is_read_than_the_header_needs_and_all_of_a_long_one() {
        let rows = true_element(tags::ROWS, b"US", &[7, 0]);
        let pixels = true_element(tags::PIXEL_DATA, b"OW", &vec![0; 100_000]);
        for (private, expected) in [(100, HEADER_BYTES), (20_000, 120_000)] {
            let private = true_element(Tag(0x0009, 0x1001), b"OB", &vec![0; private]);
            let bytes = file(&[], &[private, rows.clone(), pixels.clone()]);
            let head = header_of(&bytes, bytes.len() as u64).expect("a header");
            assert!(head.len() as u64 >= expected && head.len() as u64 <= expected + 500);
            let options = OpenFileOptions::new().read_until(tags::PIXEL_DATA);
            let object = Object::parse(Path::new("file.dcm"), &head, options).expect("an object");
            assert_eq!(object.number(tags::ROWS), Some(7.0));
        }
    }

    #[test]
    fn where_pixels_lie_is_known_of_plain_ones_only() {
        let head = |bytes: &[u8]| {
            bounds::head(Path::new("file.dcm"), bytes, bytes.len() as u64).expect("a header")
        };
        let rows = true_element(tags::ROWS, b"US", &[7, 0]);
        let pixels = true_element(tags::PIXEL_DATA, b"OW", &[1, 2, 3, 4]);
        let bytes = file(&[], &[rows.clone(), pixels.clone()]);
        let end = bytes.len() as u64;
        assert_eq!(head(&bytes), Head::Plain(end - 4..end));
        let after = true_element(Tag(0xFFFC, 0xFFFC), b"OB", &[0; 6]);
        assert_eq!(head(&[&bytes[..], &after].concat()), Head::Plain(end - 4..end));
        // Of 10 bytes two are left: the parser takes them for an element without a value.
        let part = true_element(Tag(0x0009, 0x1001), b"FL", &[0; 10]);
        let rest = [&[0x11, 0, b'U', b'S', 0, 0], &pixels[..]].concat();
        assert_eq!(head(&file(&[], &[part, rest, after])), Head::Whole);
        let frames = element(tags::PIXEL_DATA, b"OB", u32::MAX, &[0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0]);
        assert_eq!(head(&file(&[], &[rows.clone(), frames])), Head::Whole);
        assert_eq!(head(&file(&[], &[rows])), Head::Cut);
    }

    #[test]
    fn what_is_claimed_beyond_the_first_bytes_is_looked_at() {
        let private = true_element(Tag(0x0009, 0x1001), b"OB", &vec![0; 20_000]);
        let hostile = element(Tag(0x0011, 0x1001), b"OB", GIGABYTES, &[]);
        let error = refusal(&file(&[], &[private, hostile]));
        assert!(error.contains("(0011,1001) claims 3221225472 bytes, 0 are left"), "{error}");
    }

    #[test]
    fn a_file_that_shrinks_after_its_length_was_asked_for_is_refused_or_has_its_header() {
        let private = true_element(Tag(0x0009, 0x1001), b"OB", &vec![0; 17_000]);
        let pixels = true_element(tags::PIXEL_DATA, b"OW", &[0; 1000]);
        let bytes = file(&[], &[private, pixels]);
        let begins = bytes.len() - 1000;
        for left in (0..bytes.len()).step_by(7) {
            match header_of(&bytes[..left], bytes.len() as u64) {
                // What is left ends between two elements, or in the name of one.
                Ok(head) => assert_eq!(head.len(), left),
                Err(e) => assert!(left < 160 || e.to_string().contains("cut off"), "{e}"),
            }
        }
        assert!(header_of(&bytes[..begins], bytes.len() as u64).is_err(), "no pixels at all");
    }

    #[test]
    fn a_file_without_a_meta_group_or_without_anything_is_refused() {
        let bytes = [vec![0; 128], b"DICM".to_vec(), true_element(tags::ROWS, b"US", &[7, 0])];
        assert!(refusal(&bytes.concat()).contains("no length of the meta group"));
        assert!(refusal(&bytes[..2].concat()).contains("no length of the meta group"));
        assert!(refusal(&bytes[0]).contains("no DICOM file"));
        assert!(refusal(&[]).contains("an empty file"));
    }

    #[test]
    fn a_value_whose_vr_nobody_knows_is_passed_as_the_parser_passes_it() {
        let odd = element(Tag(0x0009, 0x1001), b"??", 0, &[]);
        let odd = [&odd[..6], &[0, 0, 3, 0, 0, 0, 1, 2, 3]].concat();
        let hostile = element(Tag(0x0011, 0x1001), b"OB", GIGABYTES, &[]);
        let error = refusal(&file(&[], &[odd, hostile]));
        assert!(error.contains("(0011,1001) claims 3221225472 bytes, 0 are left"), "{error}");
    }

    /// The parser passes 10 bytes here, a walk as over a data set would pass two numbers of 4; and
    /// it skips a sequence without looking in.
    #[test]
    fn the_meta_group_hides_no_length_behind_part_numbers_or_a_sequence() {
        let uid = element(tags::MEDIA_STORAGE_SOP_CLASS_UID, b"OB", GIGABYTES, &[]);
        for (vr, value) in [(b"FL", [0xFF; 10]), (b"SQ", [0; 10])] {
            let before = true_element(Tag(0x0002, 0x0200), vr, &value);
            let error = refusal(&file(&[before, uid.clone()].concat(), &[]));
            assert!(error.contains("MediaStorageSOPClassUID (0002,0002) claims"), "{error}");
        }
    }

    /// Of 9 bytes the parser leaves one unread, since they are signed numbers to it.
    #[test]
    fn signed_pixels_hide_no_length_behind_a_part_number() {
        let signed = true_element(tags::PIXEL_REPRESENTATION, b"US", &[1, 0, 0, 0, 0, 0, 0, 0]);
        let hostile = element(Tag(0x0029, 0x1001), b"OB", GIGABYTES, &[]);
        let smallest = true_element(
            tags::SMALLEST_IMAGE_PIXEL_VALUE,
            b"UN",
            &[&[0; 8], &hostile[..1]].concat(),
        );
        let error = refusal(&file(&[], &[signed, smallest, hostile[1..].to_vec()]));
        assert!(error.contains("(0029,1001) claims 3221225472 bytes"), "{error}");
    }
}
