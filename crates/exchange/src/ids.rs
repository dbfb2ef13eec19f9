//! Identifiers that say nothing and are always the same.

use hepatica_regimen::Course;
use hepatica_regimen::event::Fact;
use sha2::{Digest, Sha256};

/// A UUID of version 8 (RFC 9562: made by a rule of one's own) from the SHA-256 of the parts.
pub(crate) fn uuid(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"hepatica exchange 1");
    for part in parts {
        // With lengths, `ab` and `c` are not `a` and `bc`.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut b: [u8; 32] = hash.finalize().into();
    b[6] = (b[6] & 0x0f) | 0x80;
    b[8] = (b[8] & 0x3f) | 0x80;
    let hex: String = b[..16].iter().map(|b| format!("{b:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// What names a course without its patient: the patient's identifier hashed together with the event
/// the course began with. That event holds when and by whom it was recorded, so that trying all short
/// patient identifiers is not enough. It is no secret from who knows the rest of that event.
pub(crate) fn course(course: &Course<'_>) -> String {
    let begin = course.entries.iter().find(|e| matches!(e.fact, Fact::Begin { .. }));
    uuid(&["course", course.patient, begin.map_or("", |e| &e.id.0)])
}

/// Letters, digits, `-` and `.`, at most 64: what FHIR takes as an id. Others become `-`.
pub(crate) fn plain(text: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' };
    text.chars().map(fit).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_depends_on_every_part_and_on_where_it_ends() {
        let id = uuid(&["ab", "c"]);
        assert_eq!(id, uuid(&["ab", "c"]));
        assert_ne!(id, uuid(&["a", "bc"]));
        assert_eq!((id.len(), &id[14..15]), (36, "8"));
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
    }
}
