//! Folders of the data folder: named plainly, there whole or not at all.

use crate::problem::Problem;
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// How the names of folders in the making begin.
pub(crate) const MAKING: &str = ".making-";

/// A name that is one folder and no path.
pub(crate) fn plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Names of the folders in a folder; what begins with a dot is being made.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let folders = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = folders.filter(|e| e.path().is_dir());
    let names = folders.filter_map(|e| e.file_name().into_string().ok());
    names.filter(|n| !n.starts_with('.')).collect()
}

/// What is said of a path that cannot be written.
pub(crate) fn unwritable(path: &Path) -> impl Fn(std::io::Error) -> String {
    let shown = path.display().to_string();
    move |e| format!("{shown}: cannot be written ({e})")
}

/// A folder beside one that is to be: what is made in it is moved there whole.
pub(crate) fn beside(folder: &Path) -> Result<TempDir, String> {
    let parent = folder.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(unwritable(parent))?;
    tempfile::Builder::new().prefix(MAKING).tempdir_in(parent).map_err(unwritable(parent))
}

/// Moves what was made to its place.
pub(crate) fn put(making: TempDir, folder: &Path) -> Result<(), String> {
    if folder.exists() {
        // A run that was cut off after its end: what is there is whole, and the same.
        fs::remove_dir_all(folder).map_err(unwritable(folder))?;
    }
    fs::rename(making.keep(), folder).map_err(unwritable(folder))
}

/// What a file of JSON holds, and its bytes; `remedy` says what to do where it cannot be read.
pub(crate) fn read<T: DeserializeOwned>(
    path: &Path,
    remedy: &str,
) -> Result<(T, Vec<u8>), Problem> {
    let wrong = |e: &dyn std::fmt::Display| {
        let detail = format!("{}: cannot be read ({e}); {remedy}", path.display());
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "file", detail)
    };
    let bytes = fs::read(path).map_err(|e| wrong(&e))?;
    let value = serde_json::from_slice(&bytes).map_err(|e| wrong(&e))?;
    Ok((value, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_path() {
        for good in ["built-in", "site_A.2", "7"] {
            assert!(plain(good), "{good}");
        }
        for bad in ["", ".", "..", ".making-x", "a/b", "a\\b", "a b", "é", &"x".repeat(101)] {
            assert!(!plain(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_made_is_there_whole_or_not_at_all() {
        let home = tempfile::tempdir().expect("a folder");
        let place = home.path().join("plans/one");
        let making = beside(&place).expect("begun");
        fs::write(making.path().join("a"), "1").expect("written");
        assert_eq!(names(&home.path().join("plans")), Vec::<String>::new());
        put(making, &place).expect("done");
        assert_eq!(fs::read_to_string(place.join("a")).expect("there"), "1");
        // Made again: the new one counts.
        put(beside(&place).expect("begun"), &place).expect("done");
        assert!(!place.join("a").exists());
        assert_eq!(names(&home.path().join("plans")), ["one"]);
    }
}
