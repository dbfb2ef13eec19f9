//! One DICOM file: opened within bounds, its elements with good errors.

use super::bounds;
use crate::error::ReadError;
use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::value::Value;
use dicom_dictionary_std::{StandardDataDictionary, tags, uids};
use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_object::{FileDicomObject, InMemDicomObject, OpenFileOptions};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use std::borrow::Cow;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// The data set of a file or of a sequence's item.
pub type Dataset = InMemDicomObject<StandardDataDictionary>;

/// Longest file we read: 512 x 512 x 4000 frames of 16 bits are 2 GiB.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// A file, opened.
#[derive(Debug)]
pub struct Object {
    path: PathBuf,
    inner: FileDicomObject<Dataset>,
}

impl Object {
    /// Opens a whole file.
    ///
    /// # Errors
    /// When it cannot be read, is no DICOM, is truncated, or claims more than it has.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        Self::open_with(path, OpenFileOptions::new())
    }

    /// Opens a file up to its pixels.
    ///
    /// # Errors
    /// As [`Object::open`]; a file cut off within its pixels is not noticed.
    pub fn open_header(path: &Path) -> Result<Self, ReadError> {
        Self::open_with(path, OpenFileOptions::new().read_until(tags::PIXEL_DATA))
    }

    /// Whether a file begins as DICOM files do.
    #[must_use]
    pub fn is_dicom(path: &Path) -> bool {
        use std::io::Read;
        let mut head = [0; 132];
        std::fs::File::open(path).and_then(|mut f| f.read_exact(&mut head)).is_ok()
            && &head[128..] == b"DICM"
    }

    fn open_with(path: &Path, options: OpenFileOptions) -> Result<Self, ReadError> {
        let length = std::fs::metadata(path).map_err(ReadError::io(path))?.len();
        if length > MAX_FILE_BYTES {
            return Err(ReadError::TooLarge {
                path: path.to_owned(),
                found: format!("{length} bytes"),
                expected: format!("{MAX_FILE_BYTES} bytes"),
            });
        }
        let bytes = std::fs::read(path).map_err(ReadError::io(path))?;
        check_lengths(path, &bytes)?;
        let inner = options.from_reader(Cursor::new(&bytes)).map_err(|e| {
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
        Ok(Self { path: path.to_owned(), inner })
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

    /// Columns, rows, frames (1 if not said), each at least one.
    ///
    /// # Errors
    /// When one is missing or zero, or pixels of that size would not fit the file.
    pub fn size(&self) -> Result<[usize; 3], ReadError> {
        let count = |tag, default: Option<f64>| -> Result<usize, ReadError> {
            let found = self.number(tag).or(default).ok_or_else(|| self.missing(tag, "a count"))?;
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

/// Stops before memory is asked for what is not there.
fn check_lengths(path: &Path, bytes: &[u8]) -> Result<(), ReadError> {
    let not_dicom = || {
        let what = if bytes.is_empty() { "an empty file" } else { "no DICOM file" };
        ReadError::format(path, what, "a DICOM file (DICM after 128 bytes)", "give DICOM or NIfTI")
    };
    if bytes.len() < 132 || &bytes[128..132] != b"DICM" {
        return Err(not_dicom());
    }
    let meta = &bytes[132..];
    // The meta group is explicit little endian; its first element is its length.
    let group_length = match meta.get(..12) {
        Some([2, 0, 0, 0, b'U', b'L', 4, 0, a, b, c, d]) => {
            u32::from_le_bytes([*a, *b, *c, *d]) as usize
        }
        _ => {
            return Err(ReadError::format(
                path,
                "no length of the meta group",
                "a DICOM file with a meta group",
                "export it again",
            ));
        }
    };
    let cut = |left: usize, claims: u64, what: &str| {
        ReadError::format(
            path,
            format!("cut off: {what} claims {claims} bytes, {left} are left"),
            "a whole DICOM file",
            "copy or export it again",
        )
    };
    let rest = meta.len() - 12;
    if group_length > rest {
        return Err(cut(rest, group_length as u64, "the meta group"));
    }
    let group = &meta[12..12 + group_length];
    let overrun = |o: bounds::Overrun| match o {
        bounds::Overrun::Length { tag, claims, left } => cut(left as usize, claims, &name(tag)),
        bounds::Overrun::Stray => ReadError::format(
            path,
            "the end of an item or sequence that has not begun",
            "a whole DICOM file",
            "export it again",
        ),
        bounds::Overrun::Depth => ReadError::format(
            path,
            "sequences within sequences without end",
            "a DICOM file with fewer levels",
            "export it again",
        ),
    };
    let known = |uid: &str| TransferSyntaxRegistry.get(uid);
    let Some(explicit) = known(uids::EXPLICIT_VR_LITTLE_ENDIAN) else { return Ok(()) };
    bounds::check(group, explicit).map_err(overrun)?;
    let uid = String::from_utf8_lossy(transfer_syntax(group)).into_owned();
    let data = &meta[12 + group_length..];
    if uid == uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN {
        let inflated = inflated(path, data)?;
        return bounds::check(&inflated, explicit).map_err(overrun);
    }
    // A syntax that is not known the parser refuses before it reads on.
    known(&uid).map_or(Ok(()), |syntax| bounds::check(data, syntax).map_err(overrun))
}

/// The value of Transfer Syntax UID in a meta group.
fn transfer_syntax(group: &[u8]) -> &[u8] {
    let key = [2, 0, 0x10, 0, b'U', b'I'];
    let Some(at) = group.windows(6).position(|w| w == key) else { return &[] };
    let Some(&[low, high]) = group.get(at + 6..at + 8) else { return &[] };
    let length = usize::from(u16::from_le_bytes([low, high]));
    let value = group.get(at + 8..at + 8 + length).unwrap_or_default();
    value.strip_suffix(b"\0").unwrap_or(value)
}

/// A deflated data set inflated, within bounds: as far as it goes, since what cannot be inflated the
/// parser will say better.
fn inflated(path: &Path, data: &[u8]) -> Result<Vec<u8>, ReadError> {
    use std::io::Read;
    const MAX: u64 = 1 << 30;
    let mut inflated = Vec::new();
    let read = flate2::read::DeflateDecoder::new(data).take(MAX + 1).read_to_end(&mut inflated);
    match read {
        Ok(n) if n as u64 > MAX => Err(ReadError::TooLarge {
            path: path.to_owned(),
            found: format!("more than {MAX} bytes when inflated"),
            expected: format!("{MAX} bytes"),
        }),
        _ => Ok(inflated),
    }
}

/// Text of an element of a data set, trimmed; `None` if absent or empty.
#[must_use]
pub fn text(o: &Dataset, tag: Tag) -> Option<String> {
    let text: Cow<'_, str> = o.get(tag)?.to_str().ok()?;
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

/// All numbers of an element of a data set.
#[must_use]
pub fn numbers(o: &Dataset, tag: Tag) -> Option<Vec<f64>> {
    o.get(tag)?.to_multi_float64().ok().filter(|list| !list.is_empty())
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
