//! Files that lost their beginning: the preamble, the meta group, its length or the transfer syntax in
//! it. Old archives and some exports send the bare data set. What is lost is put before the data set
//! again, so that all that follows sees a whole file: the transfer syntax is the plain one that the
//! first element is written in, for a compressed data set says nothing of how it is compressed.

use dicom_dictionary_std::uids;

/// Retired, and still in archives.
const EXPLICIT_VR_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// How much of a file is needed to know how it begins.
pub(super) const LOOKED_AT: usize = 148;

/// Longest meta group that is believed.
const MAX_GROUP: usize = 64 << 10;

/// Whether a file begins as DICOM does, with these bytes.
pub(super) fn begins(head: &[u8]) -> bool {
    has_magic(head) || first_group(head).is_some()
}

/// Whether something is lost that [`before`] gives back.
pub(super) fn needs(head: &[u8]) -> bool {
    if !has_magic(head) {
        return first_group(head).is_some();
    }
    match group_of(&head[132..]) {
        Some(Group { elements, .. }) => {
            !elements.iter().any(|e| e.tag == [2, 0]) || syntax(&elements).is_none()
        }
        None => element_syntax(&head[132..]).is_some(),
    }
}

/// A preamble and a meta group, and where in these bytes the data set after them begins; none if
/// nothing is lost, or nothing that could be known.
pub(super) fn before(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    if !needs(bytes) {
        return None;
    }
    let start = if has_magic(bytes) { 132 } else { 0 };
    let group = group_of(&bytes[start..]).unwrap_or_default();
    let data = start + group.length;
    let found = syntax(&group.elements).map(<[u8]>::to_vec);
    let syntax = match found {
        Some(uid) => uid,
        None => element_syntax(&bytes[data..])?.as_bytes().to_vec(),
    };
    let class = |tag| group.elements.iter().find(|e| e.tag == tag).map_or(&[][..], |e| e.value);
    let mut elements = Vec::new();
    for (tag, value) in [([2, 2], class([2, 2])), ([2, 3], class([2, 3])), ([2, 0x10], &syntax)] {
        let mut value = value.to_vec();
        if value.len() % 2 == 1 {
            value.push(0);
        }
        put(&mut elements, tag, b"UI", &value);
    }
    let mut whole = vec![0; 128];
    whole.extend(b"DICM");
    put(&mut whole, [2, 0], b"UL", &(elements.len() as u32).to_le_bytes());
    whole.extend(elements);
    Some((whole, data))
}

/// Where the data set of a whole file begins, if it is in explicit VR little endian, compressed or not.
pub(super) fn explicit_data(bytes: &[u8]) -> Option<usize> {
    let group = group_of(bytes.get(132..)?)?;
    let syntax = syntax(&group.elements)?;
    let others = [
        uids::IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    ];
    (!others.iter().any(|uid| uid.as_bytes() == syntax)).then_some(132 + group.length)
}

fn has_magic(head: &[u8]) -> bool {
    head.get(128..132) == Some(b"DICM")
}

fn put(to: &mut Vec<u8>, tag: [u16; 2], vr: &[u8; 2], value: &[u8]) {
    tag.iter().for_each(|n| to.extend(n.to_le_bytes()));
    to.extend(vr);
    to.extend((value.len() as u16).to_le_bytes());
    to.extend(value);
}

struct Element<'b> {
    tag: [u16; 2],
    value: &'b [u8],
}

/// Elements of the meta group and their length in bytes.
#[derive(Default)]
struct Group<'b> {
    elements: Vec<Element<'b>>,
    length: usize,
}

/// The meta group that these bytes begin with, as far as it is whole; none if they begin with none.
fn group_of(bytes: &[u8]) -> Option<Group<'_>> {
    let mut group = Group::default();
    while let Some([2, 0, a, b, v, r, length @ ..]) = bytes.get(group.length..) {
        let long = matches!([*v, *r], [b'O', b'B'] | [b'U', b'N'] | [b'O', b'W']);
        let (length, start) = match length {
            [_, _, a, b, c, d, ..] if long => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 12),
            [a, b, ..] if !long => (u16::from_le_bytes([*a, *b]).into(), 8),
            _ => break,
        };
        let start = group.length + start;
        let end = start.saturating_add(length);
        let value = bytes.get(start..end).filter(|_| end <= MAX_GROUP);
        let Some(value) = value else { break };
        group.elements.push(Element { tag: [2, u16::from_le_bytes([*a, *b])], value });
        group.length = end;
    }
    (!group.elements.is_empty()).then_some(group)
}

/// The transfer syntax that a group says.
fn syntax<'b>(elements: &[Element<'b>]) -> Option<&'b [u8]> {
    let said = elements.iter().find(|e| e.tag == [2, 0x10])?.value;
    let end = said.iter().rposition(|b| !matches!(b, 0 | b' ')).map_or(0, |n| n + 1);
    (end > 0).then_some(&said[..end])
}

/// Which lost part a file without `DICM` begins with.
fn first_group(head: &[u8]) -> Option<()> {
    match head {
        [2, 0, _, 0, b'U' | b'O', b'L' | b'B' | b'I', ..] => Some(()),
        _ => element_syntax(head).map(drop),
    }
}

/// The plain transfer syntax that an element of the data set's first group is written in.
fn element_syntax(bytes: &[u8]) -> Option<&'static str> {
    let [a, b, c, d, v, r, x, y, ..] = *bytes else { return None };
    // The first element of an object is one of the identifying group, and a low one of it.
    let little = [a, b, d] == [8, 0, 0];
    let big = [a, b, c] == [0, 8, 0];
    let known = matches!(
        [v, r],
        [b'C', b'S']
            | [b'U', b'I' | b'L']
            | [b'D', b'A']
            | [b'T', b'M']
            | [b'L', b'O']
            | [b'S', b'H']
    );
    match (little, big, known) {
        (true, _, true) => Some(uids::EXPLICIT_VR_LITTLE_ENDIAN),
        (_, true, true) => Some(EXPLICIT_VR_BIG_ENDIAN),
        // A short text: a length of four bytes, the higher three of which are none.
        (true, _, false) if [r, x, y] == [0; 3] && v <= 64 && v % 2 == 0 => {
            Some(uids::IMPLICIT_VR_LITTLE_ENDIAN)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPLICIT: &[u8] = b"\x08\0\x05\0CS\x0a\0ISO_IR 100\x08\0\x60\0CS\x02\0CT";
    const IMPLICIT: &[u8] = b"\x08\0\x05\0\x0a\0\0\0ISO_IR 100\x08\0\x60\0\x02\0\0\0CT";
    const BIG: &[u8] = b"\0\x08\0\x05CS\0\x0aISO_IR 100\0\x08\0\x60CS\0\x02CT";

    #[test]
    fn a_bare_data_set_gets_the_syntax_its_first_element_is_in() {
        let of = |bytes: &[u8]| {
            before(bytes).map(|(b, at)| (String::from_utf8_lossy(&b).into_owned(), at))
        };
        for (bytes, uid) in [
            (EXPLICIT, uids::EXPLICIT_VR_LITTLE_ENDIAN),
            (IMPLICIT, uids::IMPLICIT_VR_LITTLE_ENDIAN),
            (BIG, EXPLICIT_VR_BIG_ENDIAN),
        ] {
            assert!(begins(bytes) && needs(bytes));
            let (group, at) = of(bytes).expect("mended");
            assert!(group.trim_end_matches('\0').ends_with(uid), "{group}");
            assert_eq!(at, 0);
            // The same after a preamble that no meta group follows.
            let after = [&[0; 128], &b"DICM"[..], bytes].concat();
            assert_eq!(of(&after).expect("mended").1, 132);
        }
    }

    #[test]
    fn what_a_meta_group_still_says_is_kept() {
        let mut group = Vec::new();
        put(&mut group, [2, 2], b"UI", b"1.2\0");
        put(&mut group, [2, 0x10], b"UI", b"1.2.840.10008.1.2.5\0");
        // Without its length, with and without a preamble.
        for start in [&[0; 128], &b"DICM"[..]].concat().split_at(0).1.chunks(132).chain([&[][..]]) {
            let bytes = [start, &group, EXPLICIT].concat();
            let (whole, at) = before(&bytes).expect("mended");
            assert_eq!(at, start.len() + group.len());
            assert!(String::from_utf8_lossy(&whole).contains("1.2.840.10008.1.2.5"));
        }
        // Without a transfer syntax: that of the data set.
        let mut group = Vec::new();
        put(&mut group, [2, 0], b"UL", &[12, 0, 0, 0]);
        put(&mut group, [2, 2], b"UI", b"1.2\0");
        let bytes = [&[0; 128], &b"DICM"[..], &group, IMPLICIT].concat();
        let (whole, _) = before(&bytes).expect("mended");
        assert!(String::from_utf8_lossy(&whole).contains("1.2.840.10008.1.2\0"));
    }

    #[test]
    fn whole_files_and_what_is_no_dicom_are_left_alone() {
        let mut group = Vec::new();
        put(&mut group, [2, 0], b"UL", &[26, 0, 0, 0]);
        put(&mut group, [2, 0x10], b"UI", b"1.2.840.10008.1.2\0");
        let whole = [&[0; 128], &b"DICM"[..], &group, IMPLICIT].concat();
        assert!(begins(&whole) && before(&whole).is_none());
        for other in [&b"\x89PNG\r\n\x1a\n...."[..], b"{\"a\": 1}", b"", b"\x08\0", &[0; 400]] {
            assert!(!begins(other) && before(other).is_none(), "{other:?}");
        }
    }
}
