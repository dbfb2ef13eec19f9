//! What goes wrong with files, in one sentence each: which file, what was found, what was expected,
//! what to do.

use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a file or a series cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The operating system says no.
    #[error("{}: cannot be read ({source}); check the path and the permissions", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what it should be, or damaged.
    #[error("{}: {found}, expected {expected}; {remedy}", .path.display())]
    Format {
        /// The file or folder.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
        /// What to do.
        remedy: String,
    },
    /// An element of a file is missing or wrong.
    #[error("{}: {element} is {found}, expected {expected}; {remedy}", .path.display())]
    Element {
        /// The file.
        path: PathBuf,
        /// Name of the element, as the standard has it.
        element: String,
        /// What it says, or `missing`.
        found: String,
        /// What would do.
        expected: String,
        /// What to do.
        remedy: String,
    },
    /// More than we are willing to hold.
    #[error("{}: {found}, expected at most {expected}; the file is damaged, or not meant for this", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What it claims.
        found: String,
        /// The bound.
        expected: String,
    },
}

impl ReadError {
    /// [`ReadError::Io`] of a path, for `map_err`.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// A [`ReadError::Format`].
    #[must_use]
    pub fn format(path: &Path, found: impl Into<String>, expected: &str, remedy: &str) -> Self {
        Self::Format {
            path: path.to_owned(),
            found: found.into(),
            expected: expected.to_owned(),
            remedy: remedy.to_owned(),
        }
    }

    /// A [`ReadError::Element`].
    #[must_use]
    pub fn element(
        path: &Path,
        element: &str,
        found: impl Into<String>,
        expected: &str,
        remedy: &str,
    ) -> Self {
        Self::Element {
            path: path.to_owned(),
            element: element.to_owned(),
            found: found.into(),
            expected: expected.to_owned(),
            remedy: remedy.to_owned(),
        }
    }
}

/// Why a file cannot be written.
#[derive(Debug, Error)]
#[error("{}: cannot be written ({why})", .path.display())]
pub struct WriteError {
    path: PathBuf,
    why: String,
}

impl WriteError {
    /// An error for a file and a reason in words.
    #[must_use]
    pub fn new(path: &Path, why: impl Into<String>) -> Self {
        Self { path: path.to_owned(), why: why.into() }
    }
}
