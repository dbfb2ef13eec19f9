//! Whether what a DICOM file claims fits the file. A parser asks for as much memory as an element
//! claims, up to 4 GiB each; this walk over the headers makes sure that no element claims more than
//! there is, before the parser begins. It is the parser's own lazy reader that walks, over what the
//! parser's own table of the meta group and its own decompressor give, so that both see the same
//! elements: where they did not, a length could hide in what the one took for a value.

use super::object::name;
use crate::error::ReadError;
use dicom_core::Tag;
use dicom_core::header::{HasLength, Header};
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::decode::{Decode, file_header_decoder};
use dicom_encoding::transfer_syntax::{Codec, TransferSyntax, TransferSyntaxIndex};
use dicom_object::FileMetaTable;
use dicom_parser::StatefulDecode;
use dicom_parser::dataset::LazyDataToken;
use dicom_parser::dataset::lazy_read::LazyDataSetReader;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use std::borrow::Cow;
use std::io::{Cursor, Read};
use std::ops::Range;
use std::path::Path;

/// Sequences and items in each other at most: the parser calls itself for each. Real objects have
/// fewer than twenty.
const MAX_DEPTH: usize = 128;

/// Longest data set when inflated: 512 x 512 x 2000 frames of 16 bits.
const MAX_INFLATED: u64 = 1 << 30;

/// Looks at a whole file.
pub(super) fn check(path: &Path, bytes: &[u8]) -> Result<(), ReadError> {
    let Some(elements) = elements(path, bytes, bytes.len() as u64)? else { return Ok(()) };
    let file = elements.data.len() as u64;
    walk(&elements.data, elements.syntax, file, None).map(drop).map_err(|o| o.in_file(path))
}

/// What the beginning of a file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// The pixels do not begin here: the whole file is needed.
    Cut,
    /// Everything before the pixels is here.
    Whole,
    /// And the pixels lie there in the file, plain numbers with the low byte first.
    Plain(Range<u64>),
}

/// Looks at the beginning of a file of that length, as far as its pixels.
pub(super) fn head(path: &Path, head: &[u8], file: u64) -> Result<Head, ReadError> {
    let Some(elements) = elements(path, head, file)? else { return Ok(Head::Cut) };
    let Cow::Borrowed(data) = elements.data else { return Ok(Head::Cut) };
    let before = (head.len() - data.len()) as u64;
    let reached = walk(data, elements.syntax, file - before, Some(tags::PIXEL_DATA))
        .map_err(|o| o.in_file(path))?;
    let value = match reached {
        None => return Ok(Head::Cut),
        Some(Reached::Sequence) => return Ok(Head::Whole),
        Some(Reached::Value { start, length }) => before + start..before + start + length,
    };
    // The parser's count of bytes passed runs ahead of it after part numbers: what is said to lie
    // there must be there. A file that has such a thing is read whole.
    let said = [&[0xE0, 0x7F, 0x10, 0][..], &((value.end - value.start) as u32).to_le_bytes()];
    let before_value = |bytes: &[u8]| {
        let end = value.start as usize;
        end.checked_sub(bytes.len()).and_then(|at| head.get(at..end)) == Some(bytes)
    };
    let plain = match elements.syntax.uid() {
        uids::IMPLICIT_VR_LITTLE_ENDIAN => before_value(&said.concat()),
        uids::EXPLICIT_VR_LITTLE_ENDIAN => [b"OW\0\0", b"OB\0\0"]
            .iter()
            .any(|vr| before_value(&[said[0], &vr[..], said[1]].concat())),
        _ => false,
    };
    Ok(if plain { Head::Plain(value) } else { Head::Whole })
}

/// What follows the meta group.
struct Elements<'b> {
    data: Cow<'b, [u8]>,
    syntax: &'static TransferSyntax,
}

/// The meta group looked at, the elements after it as the parser will see them; `None` if the meta
/// group does not end in these bytes, or if the parser will read no further than that.
fn elements<'b>(
    path: &Path,
    bytes: &'b [u8],
    file: u64,
) -> Result<Option<Elements<'b>>, ReadError> {
    if bytes.len() < 132 || &bytes[128..132] != b"DICM" {
        let what = if bytes.is_empty() { "an empty file" } else { "no DICOM file" };
        let expected = "a DICOM file (DICM after 128 bytes)";
        return Err(ReadError::format(path, what, expected, "give DICOM or NIfTI"));
    }
    // The meta group is explicit little endian; its first element is its length.
    let group_length = match bytes.get(132..144) {
        Some([2, 0, 0, 0, b'U', b'L', 4, 0, a, b, c, d]) => u32::from_le_bytes([*a, *b, *c, *d]),
        _ => {
            let (found, expected) = ("no length of the meta group", "a file with a meta group");
            return Err(ReadError::format(path, found, expected, "export it again"));
        }
    };
    let (claims, left) = (u64::from(group_length), file - 144);
    if claims > left {
        return Err(cut(path, "the meta group", claims, left));
    }
    let Some(group) = bytes.get(144..144 + group_length as usize) else { return Ok(None) };
    walk_meta(group).map_err(|o| o.in_file(path))?;
    // What is wrong with the table, or a syntax that is not known, the parser says before it goes on.
    let mut cursor = Cursor::new(&bytes[128..]);
    let Ok(meta) = FileMetaTable::from_reader(&mut cursor) else { return Ok(None) };
    let Some(syntax) = TransferSyntaxRegistry.get(meta.transfer_syntax()) else {
        return Ok(None);
    };
    let data = &bytes[128 + cursor.position() as usize..];
    let data = match syntax.codec() {
        Codec::Dataset(Some(_)) if (bytes.len() as u64) < file => return Ok(None),
        Codec::Dataset(Some(adapter)) => {
            Cow::Owned(inflated(path, adapter.adapt_reader(Box::new(data)))?)
        }
        _ => Cow::Borrowed(data),
    };
    Ok(Some(Elements { data, syntax }))
}

/// A deflated data set inflated, within bounds.
fn inflated(path: &Path, data: impl Read) -> Result<Vec<u8>, ReadError> {
    let mut inflated = Vec::new();
    match data.take(MAX_INFLATED + 1).read_to_end(&mut inflated) {
        Ok(n) if n as u64 <= MAX_INFLATED => Ok(inflated),
        Ok(_) => Err(ReadError::TooLarge {
            path: path.to_owned(),
            found: format!("more than {MAX_INFLATED} bytes when inflated"),
            expected: format!("{MAX_INFLATED} bytes"),
        }),
        Err(e) => {
            let found = format!("a deflated data set that cannot be inflated ({e})");
            Err(ReadError::format(path, found, "a whole DICOM file", "export it again"))
        }
    }
}

/// What is wrong with an element.
enum Overrun {
    /// It claims more bytes than are left.
    Length { tag: Tag, claims: u64, left: u64 },
    /// Sequences within sequences without end.
    Depth,
    /// An item or a sequence ends that has not begun.
    Stray,
}

impl Overrun {
    fn in_file(self, path: &Path) -> ReadError {
        let (found, expected) = match self {
            Self::Length { tag, claims, left } => return cut(path, &name(tag), claims, left),
            Self::Stray => {
                ("the end of an item or sequence that has not begun", "a whole DICOM file")
            }
            Self::Depth => {
                ("sequences within sequences without end", "a DICOM file with fewer levels")
            }
        };
        ReadError::format(path, found, expected, "export it again")
    }
}

fn cut(path: &Path, what: &str, claims: u64, left: u64) -> ReadError {
    ReadError::format(
        path,
        format!("cut off: {what} claims {claims} bytes, {left} are left"),
        "a whole DICOM file",
        "copy or export it again",
    )
}

/// Walks the elements of the meta group as the parser does, which is not as it walks a data set: it
/// knows no sequences there, and takes every value to be as long as its element says.
fn walk_meta(mut group: &[u8]) -> Result<(), Overrun> {
    let decoder = file_header_decoder();
    while let Ok((header, _)) = decoder.decode_header(&mut group) {
        let Some(claims) = header.length().get() else { break };
        match group.get(claims as usize..) {
            Some(rest) => group = rest,
            None => {
                let (tag, left) = (header.tag(), group.len() as u64);
                return Err(Overrun::Length { tag, claims: claims.into(), left });
            }
        }
    }
    Ok(())
}

/// What a walk came to.
enum Reached {
    /// A value of that length, that far from the beginning.
    Value { start: u64, length: u64 },
    /// A sequence.
    Sequence,
}

/// Walks the elements of a data set, those in sequences too, of which `data` is the beginning and
/// `whole` the bytes in all. Ends where it comes to an element of the first level whose tag is
/// `until` or greater. What the reader cannot read is no overrun: the parser will say what it is.
fn walk(
    data: &[u8],
    syntax: &TransferSyntax,
    whole: u64,
    until: Option<Tag>,
) -> Result<Option<Reached>, Overrun> {
    let Ok(mut reader) = LazyDataSetReader::new_with_ts(Cursor::new(data), syntax) else {
        return Ok(None);
    };
    let mut depth = 0_usize;
    // Whether a value is here; it must be in the file.
    let here = |tag: Tag, claims: u32, at: u64| {
        let (left, claims) = (whole.saturating_sub(at), u64::from(claims));
        if claims > left {
            return Err(Overrun::Length { tag, claims, left });
        }
        Ok(claims <= (data.len() as u64).saturating_sub(at))
    };
    let reached = |tag: Tag, depth| depth == 0 && until.is_some_and(|u| u <= tag);
    while let Some(Ok(token)) = reader.advance() {
        match token {
            LazyDataToken::SequenceStart { tag, .. } => {
                if reached(tag, depth) {
                    return Ok(Some(Reached::Sequence));
                }
                depth += 1;
            }
            LazyDataToken::PixelSequenceStart => {
                if reached(tags::PIXEL_DATA, depth) {
                    return Ok(Some(Reached::Sequence));
                }
                depth += 1;
            }
            LazyDataToken::ItemStart { .. } => depth += 1,
            // The reader would look for the next item in a sequence that is not there, and panic.
            LazyDataToken::ItemEnd if depth < 2 => return Err(Overrun::Stray),
            LazyDataToken::SequenceEnd if depth < 1 => return Err(Overrun::Stray),
            LazyDataToken::ItemEnd | LazyDataToken::SequenceEnd => depth -= 1,
            LazyDataToken::LazyValue { header, decoder } => {
                let length = header.length().get().unwrap_or(0);
                let here = here(header.tag(), length, decoder.position())?;
                if reached(header.tag(), depth) {
                    let (start, length) = (decoder.position(), length.into());
                    return Ok(Some(Reached::Value { start, length }));
                }
                if !here {
                    return Ok(None);
                }
                // Of a value that is no whole number of its numbers the parser leaves a part unread
                // and goes on from there: so must this walk. After signed pixels it takes some
                // elements for signed numbers whatever they say.
                let whole_numbers = length.is_multiple_of(8);
                let passed = if whole_numbers && header.tag() != tags::PIXEL_REPRESENTATION {
                    decoder.skip_bytes(length)
                } else {
                    decoder.read_value_preserved(&header).map(drop)
                };
                if passed.is_err() {
                    return Ok(None);
                }
            }
            LazyDataToken::LazyItemValue { len, decoder } => {
                let here = here(Tag(0xFFFE, 0xE000), len, decoder.position())?;
                if !here || decoder.skip_bytes(len).is_err() {
                    return Ok(None);
                }
            }
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(Overrun::Depth);
        }
    }
    Ok(None)
}
