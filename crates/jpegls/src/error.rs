use thiserror::Error;

/// Why a stream cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// It ends too early.
    #[error("the stream is cut off: {what} should go on after byte {at}")]
    Cut {
        /// What is not whole.
        what: &'static str,
        /// How many bytes there are.
        at: usize,
    },
    /// Something else than what must be there.
    #[error("{found} at byte {at} of the stream, expected {expected}")]
    Marker {
        /// Where.
        at: usize,
        /// What is there.
        found: String,
        /// What should be.
        expected: &'static str,
    },
    /// A number of a header that cannot be.
    #[error("{what} is {found}, expected {expected}")]
    Value {
        /// Which number.
        what: &'static str,
        /// What it is.
        found: String,
        /// What it could be.
        expected: String,
    },
    /// Lawful, and not read.
    #[error("{what}, expected a stream without")]
    Unsupported {
        /// What the stream has.
        what: String,
    },
    /// More samples than allowed, or than so short a stream can hold.
    #[error("{found} samples, expected at most {expected}")]
    TooLarge {
        /// How many the header claims.
        found: usize,
        /// How many can be.
        expected: usize,
    },
    /// Bits that no encoder writes.
    #[error("row {row} is damaged ({why}), expected samples that T.87 can encode")]
    Damaged {
        /// Which row, from 0.
        row: usize,
        /// What is wrong.
        why: &'static str,
    },
}
