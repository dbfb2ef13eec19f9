//! What the targets share.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Our readers take paths: the bytes go to one file, in memory where the machine has such a folder.
pub fn with_file(name: &str, bytes: &[u8], read: impl FnOnce(&Path)) {
    thread_local! {
        static HOME: OnceCell<TempDir> = const { OnceCell::new() };
    }
    HOME.with(|home| {
        let home = home.get_or_init(|| {
            let memory = PathBuf::from("/dev/shm");
            let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
            tempfile::tempdir_in(place).expect("a folder")
        });
        let path = home.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        read(&path);
    });
}

/// An empty folder for readers of folders, in memory where the machine has such a place.
pub fn with_folder(read: impl FnOnce(&Path)) {
    let memory = PathBuf::from("/dev/shm");
    let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = tempfile::tempdir_in(place).expect("a folder");
    read(folder.path());
}
