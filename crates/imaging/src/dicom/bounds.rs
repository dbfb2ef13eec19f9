//! Whether what a DICOM file claims fits the file. A parser asks for as much memory as an element
//! claims, up to 4 GiB each; this walk over the headers makes sure that no element claims more than
//! there is, before the parser begins. It is the parser's own lazy reader that walks, so that both
//! see the same elements.

use dicom_core::Tag;
use dicom_core::header::{HasLength, Header};
use dicom_encoding::transfer_syntax::TransferSyntax;
use dicom_parser::StatefulDecode;
use dicom_parser::dataset::LazyDataToken;
use dicom_parser::dataset::lazy_read::LazyDataSetReader;
use std::io::Cursor;

/// Sequences and items in each other at most: the parser calls itself for each. Real objects have
/// fewer than twenty.
const MAX_DEPTH: usize = 128;

/// What is wrong.
pub(super) enum Overrun {
    /// An element claims more bytes than are left.
    Length { tag: Tag, claims: u64, left: u64 },
    /// Sequences within sequences without end.
    Depth,
    /// An item or a sequence ends that has not begun.
    Stray,
}

/// Walks the elements of a data set, those in sequences too. What the reader cannot read is no
/// overrun: the parser will say what it is.
pub(super) fn check(data: &[u8], syntax: &TransferSyntax) -> Result<(), Overrun> {
    let Ok(mut reader) = LazyDataSetReader::new_with_ts(Cursor::new(data), syntax) else {
        return Ok(());
    };
    let mut depth = 0_usize;
    let fits = |tag: Tag, claims: u32, at: u64| {
        let left = (data.len() as u64).saturating_sub(at);
        let claims = u64::from(claims);
        if claims > left { Err(Overrun::Length { tag, claims, left }) } else { Ok(()) }
    };
    while let Some(Ok(token)) = reader.advance() {
        match token {
            LazyDataToken::SequenceStart { .. }
            | LazyDataToken::PixelSequenceStart
            | LazyDataToken::ItemStart { .. } => depth += 1,
            // The reader would look for the next item in a sequence that is not there, and panic.
            LazyDataToken::ItemEnd if depth < 2 => return Err(Overrun::Stray),
            LazyDataToken::SequenceEnd if depth < 1 => return Err(Overrun::Stray),
            LazyDataToken::ItemEnd | LazyDataToken::SequenceEnd => depth -= 1,
            LazyDataToken::LazyValue { header, decoder } => {
                let length = header.length().get().unwrap_or(0);
                fits(header.tag(), length, decoder.position())?;
                // Of a value that is no whole number of its numbers the parser leaves a part unread
                // and goes on from there: so must this walk.
                let passed = if length.is_multiple_of(8) {
                    decoder.skip_bytes(length)
                } else {
                    decoder.read_value_preserved(&header).map(drop)
                };
                if passed.is_err() {
                    break;
                }
            }
            LazyDataToken::LazyItemValue { len, decoder } => {
                fits(Tag(0xFFFE, 0xE000), len, decoder.position())?;
                if decoder.skip_bytes(len).is_err() {
                    break;
                }
            }
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(Overrun::Depth);
        }
    }
    Ok(())
}
