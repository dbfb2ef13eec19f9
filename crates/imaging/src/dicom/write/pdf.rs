//! A PDF in a DICOM file (Encapsulated PDF), for archives that keep nothing else.

use super::context::Series;
use super::{Context, WriteError, uids};
use dicom_dictionary_std::tags;
use std::path::Path;

/// Writes `pdf` to `path` under a title of at most 64 characters.
///
/// # Errors
/// When it is no PDF or longer than DICOM can say (4 GiB), or the file cannot be written.
pub fn write(path: &Path, pdf: &[u8], title: &str, context: &Context) -> Result<(), WriteError> {
    let length = u32::try_from(pdf.len()).ok().filter(|n| *n < u32::MAX - 1);
    let (Some(length), true) = (length, pdf.starts_with(b"%PDF-")) else {
        return Err(WriteError::new(path, format!("{} bytes that are no PDF", pdf.len())));
    };
    let series = Series { modality: "DOC", number: 50, description: title };
    let mut o = context.object(uids::ENCAPSULATED_PDF_STORAGE, &series, 1);
    // It was made by a workstation, not scanned.
    o.text(tags::CONVERSION_TYPE, "WSD");
    o.date_time(tags::CONTENT_DATE, tags::CONTENT_TIME, context.date_time);
    o.empty(&[tags::ACQUISITION_DATE_TIME]);
    o.text(tags::BURNED_IN_ANNOTATION, "YES");
    o.words(tags::DOCUMENT_TITLE, title, 64);
    o.items(tags::CONCEPT_NAME_CODE_SEQUENCE, Vec::new());
    o.text(tags::MIME_TYPE_OF_ENCAPSULATED_DOCUMENT, "application/pdf");
    o.longs(tags::ENCAPSULATED_DOCUMENT_LENGTH, &[length]);
    o.bytes(tags::ENCAPSULATED_DOCUMENT, pdf.to_vec());
    o.save(path)
}
