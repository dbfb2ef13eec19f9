//! A data set in the making: each value is put under its tag, with the representation (VR) the
//! dictionary of the standard names.

use super::{WriteError, uids};
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use jiff::civil::DateTime;
use std::io::Write;
use std::path::Path;

/// A data set in the making.
#[derive(Debug, Clone)]
pub(super) struct Dataset(InMemDicomObject);

impl Dataset {
    pub(super) fn new() -> Self {
        Self(InMemDicomObject::new_empty())
    }

    fn put(&mut self, tag: Tag, value: PrimitiveValue) {
        // Every tag we write is in the dictionary; UN would be written for one that is not, and the
        // validator in our tests would say so.
        let vr = StandardDataDictionary.by_tag(tag).map_or(VR::UN, |e| e.vr().relaxed());
        self.0.put(DataElement::new(tag, vr, value));
    }

    /// Text; a backslash separates values.
    pub(super) fn text(&mut self, tag: Tag, value: &str) {
        let values: Vec<String> = value.split('\\').map(str::to_owned).collect();
        let value = match value {
            "" => PrimitiveValue::Empty,
            _ => PrimitiveValue::Strs(values.into()),
        };
        self.put(tag, value);
    }

    /// Text a person wrote: control characters and backslashes (which would end the value) become
    /// spaces, and what is longer than the representation allows is cut.
    pub(super) fn words(&mut self, tag: Tag, value: &str, most: usize) {
        let clean: String = value
            .chars()
            .map(|c| if c.is_control() || c == '\\' { ' ' } else { c })
            .take(most)
            .collect();
        self.text(tag, clean.trim());
    }

    /// An attribute that must be there but may be unknown (type 2).
    pub(super) fn empty(&mut self, tags: &[Tag]) {
        for &tag in tags {
            self.put(tag, PrimitiveValue::Empty);
        }
    }

    /// Numbers that are text already, with a backslash between them: many, so they stay in one piece.
    pub(super) fn numerals(&mut self, tag: Tag, values: String) {
        self.put(tag, PrimitiveValue::Str(values));
    }

    /// Decimal strings.
    pub(super) fn decimals(&mut self, tag: Tag, values: &[f64]) {
        let values: Vec<String> = values.iter().map(|v| decimal(*v)).collect();
        self.put(tag, PrimitiveValue::Strs(values.into()));
    }

    /// Integer strings.
    pub(super) fn integer(&mut self, tag: Tag, value: usize) {
        self.text(tag, &value.to_string());
    }

    /// 16-bit numbers.
    pub(super) fn shorts(&mut self, tag: Tag, values: &[u16]) {
        self.put(tag, PrimitiveValue::U16(values.into()));
    }

    /// 32-bit numbers.
    pub(super) fn longs(&mut self, tag: Tag, values: &[u32]) {
        self.put(tag, PrimitiveValue::U32(values.into()));
    }

    /// Bytes, made an even number by a zero.
    pub(super) fn bytes(&mut self, tag: Tag, mut values: Vec<u8>) {
        values.resize(values.len().next_multiple_of(2), 0);
        self.0.put(DataElement::new(tag, VR::OB, PrimitiveValue::U8(values.into())));
    }

    /// A double.
    pub(super) fn double(&mut self, tag: Tag, value: f64) {
        self.put(tag, PrimitiveValue::F64([value].as_slice().into()));
    }

    /// A pointer to another attribute, or several.
    pub(super) fn pointers(&mut self, tag: Tag, to: &[Tag]) {
        self.put(tag, PrimitiveValue::Tags(to.into()));
    }

    /// A date and a time.
    pub(super) fn date_time(&mut self, date: Tag, time: Tag, at: DateTime) {
        self.text(date, &at.strftime("%Y%m%d").to_string());
        self.text(time, &at.strftime("%H%M%S").to_string());
    }

    /// A sequence of items.
    pub(super) fn items(&mut self, tag: Tag, items: Vec<Dataset>) {
        let items: Vec<InMemDicomObject> = items.into_iter().map(|item| item.0).collect();
        self.0.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
    }

    /// A coded concept (value, scheme, meaning), with more in the item if wanted.
    pub(super) fn code(&mut self, tag: Tag, code: [&str; 3], more: impl FnOnce(&mut Dataset)) {
        use dicom_dictionary_std::tags;
        let mut item = Dataset::new();
        item.text(tags::CODE_VALUE, code[0]);
        item.text(tags::CODING_SCHEME_DESIGNATOR, code[1]);
        item.text(tags::CODE_MEANING, code[2]);
        more(&mut item);
        self.items(tag, vec![item]);
    }

    /// Pixels of 16 bits, and what describes them.
    pub(super) fn pixels_16(&mut self, columns: usize, rows: usize, signed: bool, data: Vec<u16>) {
        use dicom_dictionary_std::tags;
        self.pixel_description(columns, rows, 16, signed);
        let value = PrimitiveValue::U16(data.into());
        self.0.put(DataElement::new(tags::PIXEL_DATA, VR::OW, value));
    }

    /// Pixels of one bit, all frames one after the other, the first pixel in the lowest bit; and what
    /// describes them.
    pub(super) fn bits(&mut self, columns: usize, rows: usize, data: Vec<u8>) {
        use dicom_dictionary_std::tags;
        self.pixel_description(columns, rows, 1, false);
        self.bytes(tags::PIXEL_DATA, data);
    }

    /// What describes pixels of 32 bits without sign; they themselves follow with
    /// [`Dataset::save_with_pixels`].
    pub(super) fn describe_32(&mut self, columns: usize, rows: usize) {
        self.pixel_description(columns, rows, 32, false);
    }

    fn pixel_description(&mut self, columns: usize, rows: usize, bits: u16, signed: bool) {
        use dicom_dictionary_std::tags;
        // A grid's side fits: `check_size` looked before.
        let side = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        self.shorts(tags::SAMPLES_PER_PIXEL, &[1]);
        self.text(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2");
        self.shorts(tags::ROWS, &[side(rows)]);
        self.shorts(tags::COLUMNS, &[side(columns)]);
        self.shorts(tags::BITS_ALLOCATED, &[bits]);
        self.shorts(tags::BITS_STORED, &[bits]);
        self.shorts(tags::HIGH_BIT, &[bits - 1]);
        self.shorts(tags::PIXEL_REPRESENTATION, &[u16::from(signed)]);
    }

    /// Writes the file: preamble, meta group, explicit VR little endian.
    /// Writes the object, then Pixel Data (its last element) of `length` bytes that `pixels` hands out part
    /// by part, so that no second copy of a large volume is made.
    pub(super) fn save_with_pixels(
        self,
        path: &Path,
        length: usize,
        pixels: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(), WriteError> {
        let Some(length) = u32::try_from(length).ok().filter(|n| *n < u32::MAX && n % 2 == 0)
        else {
            return Err(WriteError::new(
                path,
                format!("{length} bytes of pixels, expected an even number below 2^32 - 1"),
            ));
        };
        self.save(path)?;
        let append = || -> std::io::Result<()> {
            let mut file = std::fs::OpenOptions::new().append(true).open(path)?;
            // (7FE0,0010) OW in explicit little endian.
            file.write_all(&[0xe0, 0x7f, 0x10, 0x00, b'O', b'W', 0, 0])?;
            file.write_all(&length.to_le_bytes())?;
            pixels(&mut file)
        };
        append().map_err(|e| WriteError::new(path, e.to_string()))
    }

    pub(super) fn save(self, path: &Path) -> Result<(), WriteError> {
        let failed = |why: String| WriteError::new(path, why);
        debug_assert!(self.0.iter().all(|e| e.vr() != VR::UN), "a tag without representation");
        let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
        let file = self.0.with_meta(meta).map_err(|e| failed(e.to_string()))?;
        file.write_to_file(path).map_err(|e| {
            let cause = std::error::Error::source(&e).map(ToString::to_string);
            failed(format!("{e}{}", cause.map(|c| format!(": {c}")).unwrap_or_default()))
        })
    }
}

/// A decimal string: at most 16 characters, as exact as they allow.
pub(super) fn decimal(value: f64) -> String {
    let shortest = value.to_string();
    if shortest.len() <= 16 {
        return shortest;
    }
    let tiny = value.abs() < 1e-3 || value.abs() >= 1e14;
    let fits = (0..16).rev().map(|digits| match tiny {
        true => format!("{value:.digits$e}"),
        false => format!("{value:.digits$}"),
    });
    fits.into_iter().find(|text| text.len() <= 16).unwrap_or_else(|| "0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn decimal_strings_fit_and_are_exact_enough() {
        for (value, text) in [(0.0, "0"), (-1024.0, "-1024"), (2.5, "2.5")] {
            assert_eq!(decimal(value), text);
        }
        for value in [1.0 / 3.0, -1.0 / 3.0, 4.656_612_875e-8 / 3.0, -1.234_567_890_123e9 / 7.0] {
            let text = decimal(value);
            assert!(text.len() <= 16, "{text}");
            let back: f64 = text.parse().expect("a number");
            assert!(((back - value) / value).abs() < 1e-8, "{text} for {value}");
        }
    }
}
