//! A folder that is there whole or not at all.
//!
//! Results are written to a hidden sibling of the folder asked for and renamed into place at the
//! end. An error, a panic or an interrupt removes the sibling and leaves what was there before.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use thiserror::Error;

/// Folders in the making, for the interrupt handler to remove.
static IN_THE_MAKING: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Who wants to be told of an interrupt.
static STOP: Mutex<Option<Arc<AtomicBool>>> = Mutex::new(None);

/// Exit code of a program ended by SIGINT, by the shell's convention (128 + 2).
const INTERRUPTED: i32 = 130;

/// Why a folder cannot be written.
#[derive(Debug, Error)]
pub enum OutputError {
    /// It, or a file in it, cannot be written.
    #[error("{}: cannot be written ({source}); choose another --out or check the permissions", .path.display())]
    Write {
        /// What could not be written.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is something else.
    #[error("{}: exists and holds `{found}`, which hepatica did not write there; choose another folder, or empty this one", .path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// The first thing in it that is not ours.
        found: String,
    },
    /// It is a file.
    #[error("{}: is a file, expected a folder or nothing; choose another --out", .path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
}

/// A folder in the making.
#[derive(Debug)]
pub struct OutputFolder {
    target: PathBuf,
    making: TempDir,
}

impl OutputFolder {
    /// Begins the folder `target`. What is there already may only be what `ours` recognises by
    /// file name: it is replaced as a whole when the new one is ready.
    ///
    /// # Errors
    /// When something else is there, or nothing can be written beside it.
    pub fn begin(target: &Path, ours: &dyn Fn(&str) -> bool) -> Result<Self, OutputError> {
        let target = absolute(target)?;
        check_replaceable(&target, ours)?;
        let failed = |source| OutputError::Write { path: target.clone(), source };
        let parent = target.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent).map_err(failed)?;
        let mut prefix = OsString::from(".");
        prefix.push(target.file_name().unwrap_or_default());
        prefix.push(".partial-");
        let making = tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).map_err(failed)?;
        if let Ok(mut list) = IN_THE_MAKING.lock() {
            list.push(making.path().to_owned());
        }
        Ok(Self { target, making })
    }

    /// Where to write now.
    pub fn path(&self) -> &Path {
        self.making.path()
    }

    /// A folder in it, made now.
    ///
    /// # Errors
    /// When it cannot be made; the message names its final place.
    pub fn folder(&self, name: &str) -> Result<PathBuf, OutputError> {
        let path = self.path().join(name);
        fs::create_dir_all(&path)
            .map_err(|source| OutputError::Write { path: self.target.join(name), source })?;
        Ok(path)
    }

    /// Writes one file, with folders on its way.
    ///
    /// # Errors
    /// When it cannot be written; the message names its final place.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), OutputError> {
        let path = self.path().join(name);
        let put = || {
            fs::create_dir_all(path.parent().unwrap_or(self.path()))?;
            fs::write(&path, bytes)
        };
        put().map_err(|source| OutputError::Write { path: self.target.join(name), source })
    }

    /// Puts the folder into place.
    ///
    /// # Errors
    /// When it cannot be renamed; then what was there before is still there.
    pub fn finish(self) -> Result<PathBuf, OutputError> {
        let failed = |source| OutputError::Write { path: self.target.clone(), source };
        // A temporary folder is private to its owner; the result is as public as any new folder.
        share(self.making.path()).map_err(failed)?;
        let old = self.making.path().with_extension("old");
        let replaced = self.target.exists();
        if replaced {
            fs::rename(&self.target, &old).map_err(failed)?;
        }
        if let Err(source) = fs::rename(self.making.path(), &self.target) {
            if replaced {
                // Best effort: the error that matters is the one about to be told.
                let _ = fs::rename(&old, &self.target);
            }
            return Err(failed(source));
        }
        if replaced {
            fs::remove_dir_all(&old).map_err(failed)?;
        }
        Ok(self.target.clone())
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        if let Ok(mut list) = IN_THE_MAKING.lock() {
            list.retain(|p| p != self.making.path());
        }
    }
}

/// Writes one file: beside its place first, then renamed, so that it is there whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), OutputError> {
    use std::io::Write;
    let target = absolute(path)?;
    let failed = |source| OutputError::Write { path: path.to_owned(), source };
    let parent = target.parent().unwrap_or(Path::new("/"));
    let mut making = tempfile::NamedTempFile::new_in(parent).map_err(failed)?;
    making.write_all(bytes).map_err(failed)?;
    share_file(making.path()).map_err(failed)?;
    making.persist(&target).map_err(|e| failed(e.error))?;
    Ok(())
}

/// Removes folders in the making when the user interrupts, and ends the program.
///
/// # Errors
/// When the handler cannot be set.
pub fn clean_up_on_interrupt() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        // Who asked to be told is told once; a second interrupt ends all the same.
        let told = STOP.lock().ok().and_then(|mut stop| stop.take());
        if let Some(stop) = told {
            stop.store(true, Ordering::Relaxed);
            eprintln!("interrupted: going on with what is there; once more to end");
            return;
        }
        let list = match IN_THE_MAKING.lock() {
            Ok(list) => list,
            Err(poisoned) => poisoned.into_inner(),
        };
        for path in list.iter() {
            // Other threads may still be writing into it: once more if a file came in between.
            for _ in 0..3 {
                if fs::remove_dir_all(path).is_ok() {
                    break;
                }
            }
        }
        eprintln!("interrupted: nothing was written");
        std::process::exit(INTERRUPTED);
    })
}

/// Set by the next interrupt, which then ends nothing.
pub fn stop_on_interrupt() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    if let Ok(mut stop) = STOP.lock() {
        *stop = Some(Arc::clone(&flag));
    }
    flag
}

fn absolute(path: &Path) -> Result<PathBuf, OutputError> {
    // Components without `.` and a trailing slash, so that there is a file name and a parent.
    std::path::absolute(path)
        .map(|p| p.components().collect())
        .map_err(|source| OutputError::Write { path: path.to_owned(), source })
}

fn check_replaceable(target: &Path, ours: &dyn Fn(&str) -> bool) -> Result<(), OutputError> {
    if !target.exists() {
        return Ok(());
    }
    if !target.is_dir() {
        return Err(OutputError::NotAFolder { path: target.to_owned() });
    }
    let failed = |source| OutputError::Write { path: target.to_owned(), source };
    for entry in fs::read_dir(target).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if !ours(&name) {
            return Err(OutputError::Occupied { path: target.to_owned(), found: name });
        }
    }
    Ok(())
}

#[cfg(unix)]
fn share(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(unix)]
fn share_file(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn share_file(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn share(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(name: &str) -> bool {
        name == "plan.json"
    }

    #[test]
    fn nothing_is_there_before_the_end_and_everything_after_it() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("a/out");
        let folder = OutputFolder::begin(&target, &ours).unwrap();
        folder.write("figures/x.png", b"1").unwrap();
        assert!(!target.exists());
        folder.finish().unwrap();
        assert_eq!(fs::read(target.join("figures/x.png")).unwrap(), b"1");
        assert_eq!(fs::read_dir(home.path().join("a")).unwrap().count(), 1);
    }

    #[test]
    fn a_previous_result_is_replaced_and_anything_else_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("out");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("plan.json"), "old").unwrap();
        let folder = OutputFolder::begin(&target, &ours).unwrap();
        folder.write("plan.json", b"new").unwrap();
        folder.finish().unwrap();
        assert_eq!(fs::read(target.join("plan.json")).unwrap(), b"new");
        fs::write(target.join("thesis.tex"), "years of work").unwrap();
        let error = OutputFolder::begin(&target, &ours).unwrap_err().to_string();
        assert!(error.contains("`thesis.tex`"), "{error}");
        assert!(target.join("thesis.tex").exists());
    }

    #[test]
    fn a_dropped_folder_leaves_no_trace() {
        let home = tempfile::tempdir().unwrap();
        let folder = OutputFolder::begin(&home.path().join("out"), &ours).unwrap();
        folder.write("plan.json", b"half").unwrap();
        drop(folder);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
