//! Whether the lengths in a DICOM file fit the file. A parser asks for as much memory as an element
//! claims, up to 4 GiB each; this walk over the headers makes sure that no element claims more than
//! there is, before the parser begins.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

/// Undefined length.
const UNDEFINED: u32 = u32::MAX;

/// What is wrong: element and claimed length.
pub(super) struct Overrun {
    pub(super) tag: Tag,
    pub(super) claims: u64,
    pub(super) left: u64,
}

/// Walks the elements of an explicit or implicit, little- or big-endian data set. Sequences and
/// items are entered, so that elements in them are looked at, too.
pub(super) fn check(data: &[u8], explicit: bool, big_endian: bool) -> Result<(), Overrun> {
    let u16_at = |at: usize| {
        let b = [data[at], data[at + 1]];
        if big_endian { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) }
    };
    let u32_at = |at: usize| {
        let b = [data[at], data[at + 1], data[at + 2], data[at + 3]];
        if big_endian { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) }
    };
    let mut at = 0;
    while at + 8 <= data.len() {
        let tag = Tag(u16_at(at), u16_at(at + 2));
        // Item, item delimiter, sequence delimiter: no representation, whatever the syntax.
        let (is_sequence, length, header) = if tag.0 == 0xFFFE {
            (tag.1 == 0xE000, u32_at(at + 4), 8)
        } else if explicit {
            let vr = VR::from_binary([data[at + 4], data[at + 5]]);
            let long = matches!(
                vr,
                Some(
                    VR::OB
                        | VR::OD
                        | VR::OF
                        | VR::OL
                        | VR::OV
                        | VR::OW
                        | VR::SQ
                        | VR::SV
                        | VR::UC
                        | VR::UN
                        | VR::UR
                        | VR::UT
                        | VR::UV
                ) | None
            );
            if long {
                if at + 12 > data.len() {
                    return Ok(());
                }
                (vr == Some(VR::SQ), u32_at(at + 8), 12)
            } else {
                (false, u32::from(u16_at(at + 6)), 8)
            }
        } else {
            let sequence = StandardDataDictionary
                .by_tag(tag)
                .is_some_and(|entry| entry.vr().relaxed() == VR::SQ);
            (sequence, u32_at(at + 4), 8)
        };
        at += header;
        let left = (data.len() - at) as u64;
        if length == UNDEFINED {
            // Entered: its items follow.
            continue;
        }
        if u64::from(length) > left {
            return Err(Overrun { tag, claims: length.into(), left });
        }
        // An item of encapsulated pixels is entered, too; what looks like a tag in it is not one,
        // so items that do not begin with a plausible tag are skipped.
        let enter = is_sequence && (tag.0 != 0xFFFE || begins_with_element(&data[at..], length));
        if !enter {
            at += length as usize;
        }
    }
    Ok(())
}

/// Whether the content of an item looks like a data set: groups are even and below FFFE, and known.
fn begins_with_element(content: &[u8], length: u32) -> bool {
    if length < 8 || content.len() < 8 {
        return false;
    }
    let little = Tag(
        u16::from_le_bytes([content[0], content[1]]),
        u16::from_le_bytes([content[2], content[3]]),
    );
    let big = Tag(little.0.swap_bytes(), little.1.swap_bytes());
    [little, big].iter().any(|t| StandardDataDictionary.by_tag(*t).is_some())
}
