//! A whole site as one file: exported while the workbench runs, imported where there is nothing yet.
//! From one kind of database into the other, to another machine, or back from a backup.
//!
//! The file is a zip. `courses/` holds course files as `hepatica course` reads them; `*.jsonl` hold the
//! other tables (accounts with the hashes of their passwords, but no sessions); `plans/`, `verifications/`,
//! `cases/` and `scans/` hold the folders of these names; `site.json` lists everything with size and SHA-256.

use crate::WorkbenchError;
use crate::opened::{OpenError, Opened};
use crate::people::{self, Account, Grant};
use crate::store::{self, Contents, KeptRecording, KeyedLines, Store, StoreError};
use hepatica_regimen::Log;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempDir};
use thiserror::Error;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// How the file is laid out.
const FORMAT: &str = "hepatica-site/1";
/// The list of everything.
const LIST: &str = "site.json";
/// Most bytes of the list, of a course file and of a line: beyond, a file is no site.
const MOST_TEXT: u64 = 256 << 20;
/// Most bytes of everything: 4 TiB.
const MOST: u64 = 4 << 40;
/// Folders of the data folder that go along.
const FOLDERS: [&str; 4] = ["plans", "verifications", "cases", "scans"];
/// Those of them that hold images, which can be sent again.
const IMAGES: [&str; 2] = ["cases", "scans"];

/// Why a site cannot be exported or imported: one sentence.
#[derive(Debug, Error)]
pub enum SiteError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A course.
    #[error("{name}: {source}")]
    Course {
        /// Where in the file.
        name: String,
        /// Why.
        source: OpenError,
    },
    /// A file or folder.
    #[error("{}: cannot be {doing} ({source})", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// `read`, `written`, ...
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The zip.
    #[error("{}: cannot be {doing} as a zip file ({source})", .path.display())]
    Zip {
        /// Which.
        path: PathBuf,
        /// `read` or `written`.
        doing: &'static str,
        /// Why.
        source: zip::result::ZipError,
    },
    /// What is in the file.
    #[error("{}: {what}; export the site again, or take another backup", .path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Where it comes from or goes to.
    #[error("{0}")]
    Place(String),
}

/// A file of the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    bytes: u64,
    sha256: String,
}

/// What an exported site holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// `hepatica-site/1`.
    pub format: String,
    /// Version of the program that wrote it.
    pub program: String,
    /// When, RFC 3339.
    pub made: String,
    /// Number of courses.
    pub courses: usize,
    /// Number of their events.
    pub events: usize,
    /// Number of plans.
    pub plans: usize,
    /// Number of verifications; earlier versions had none.
    #[serde(default)]
    pub verifications: usize,
    /// Size of all files, before compression.
    pub bytes: u64,
    /// What was left out: links and what is no file.
    pub left_out: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct List {
    #[serde(flatten)]
    summary: Summary,
    files: Vec<Entry>,
}

fn file(path: &Path, doing: &'static str) -> impl Fn(io::Error) -> SiteError {
    let path = path.to_owned();
    move |source| SiteError::File { path: path.clone(), doing, source }
}

/// Counts and hashes what goes through.
struct Hashed<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W> Hashed<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), bytes: 0 }
    }

    fn sum(self) -> (u64, String) {
        (self.bytes, people::hex(&self.hash.finalize()))
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(part)?;
        self.hash.update(&part[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(part)?;
        self.hash.update(&part[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}

/// Where a site is.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its data folder.
    pub data: PathBuf,
    /// Its PostgreSQL database; none: SQLite in the data folder.
    pub database: Option<String>,
}

// ---- export --------------------------------------------------------------------------------------

struct Writing<'a> {
    zip: ZipWriter<BufWriter<&'a mut File>>,
    path: &'a Path,
    files: Vec<Entry>,
    left_out: Vec<String>,
}

impl Writing<'_> {
    fn begin(&mut self, name: &str) -> Result<(), SiteError> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(1))
            .large_file(true);
        let path = self.path;
        let wrong = |source| SiteError::Zip { path: path.to_owned(), doing: "written", source };
        self.zip.start_file(name, options).map_err(wrong)
    }

    /// Adds what `from` gives; an error of reading is of `source`, one of writing of the zip.
    fn add(&mut self, name: &str, from: &mut dyn Read, source: &Path) -> Result<(), SiteError> {
        self.begin(name)?;
        let mut to = Hashed::new(&mut self.zip);
        let mut part = vec![0; 1 << 16];
        loop {
            let n = from.read(&mut part).map_err(file(source, "read"))?;
            if n == 0 {
                break;
            }
            to.write_all(&part[..n]).map_err(file(self.path, "written"))?;
        }
        let (bytes, sha256) = to.sum();
        self.files.push(Entry { name: name.to_owned(), bytes, sha256 });
        Ok(())
    }

    fn lines<T: Serialize>(&mut self, name: &str, rows: &[T]) -> Result<(), SiteError> {
        let mut text = Vec::new();
        for row in rows {
            serde_json::to_writer(&mut text, row)
                .map_err(|e| file(self.path, "written")(e.into()))?;
            text.push(b'\n');
        }
        let path = self.path;
        self.add(name, &mut text.as_slice(), path)
    }

    /// Adds a folder with what is in it, in order of names. What begins with a dot is being made.
    fn folder(&mut self, path: &Path, name: &str) -> Result<(), SiteError> {
        let read = file(path, "read");
        let mut entries: Vec<_> =
            fs::read_dir(path).map_err(&read)?.collect::<io::Result<_>>().map_err(&read)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type().map_err(&read)?;
            let Ok(part) = entry.file_name().into_string() else {
                self.left_out.push(format!("{} (its name is no text)", entry.path().display()));
                continue;
            };
            if part.starts_with('.') {
                continue;
            }
            let inner = format!("{name}/{part}");
            if !plain(&inner) {
                let shown = entry.path().display().to_string();
                self.left_out.push(format!("{shown} (its name cannot be on every machine)"));
            } else if kind.is_dir() {
                self.folder(&entry.path(), &inner)?;
            } else if kind.is_file() {
                let path = entry.path();
                let mut from = File::open(&path).map_err(file(&path, "read"))?;
                self.add(&inner, &mut from, &path)?;
            } else {
                self.left_out.push(format!("{} (a link, or no file)", entry.path().display()));
            }
        }
        Ok(())
    }
}

/// A name of the zip that stays in the folder where it is unpacked, on every machine.
fn plain(name: &str) -> bool {
    let part = |p: &str| {
        !p.is_empty()
            && p.len() <= 200
            && !p.starts_with('.')
            && !p.ends_with(['.', ' '])
            && !p.chars().any(|c| c.is_control() || "\\:*?\"<>|".contains(c))
    };
    name.len() <= 2_000 && name.split('/').all(part)
}

/// Exports a site into a file that is not there yet: whole or not at all, as of one moment. The
/// workbench may run meanwhile. That it was exported is noted in the audit trail.
///
/// # Errors
/// One sentence.
pub async fn export(
    site: &Site,
    out: &Path,
    images: bool,
    who: &str,
) -> Result<Summary, SiteError> {
    if site.database.is_none() && !store::sqlite_in(&site.data).is_file() {
        return Err(SiteError::Place(format!(
            "{}: there is no store in this folder; say which with --data or --database",
            site.data.display()
        )));
    }
    let store = store::open(&site.data, site.database.as_deref()).await?;
    if out.exists() {
        return Err(exists(out));
    }
    let said = format!("whole site into {}", out.display());
    store.audit(&crate::desk::audit(who, "export", "*", &said)).await?;
    let contents = store.contents().await?;
    store.close().await;
    write(site, out, images, &contents)
}

fn exists(out: &Path) -> SiteError {
    SiteError::Place(format!("{}: is there already; choose another name", out.display()))
}

fn write(site: &Site, out: &Path, images: bool, contents: &Contents) -> Result<Summary, SiteError> {
    let parent = match out.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    let mut making = NamedTempFile::new_in(parent).map_err(file(parent, "written"))?;
    let summary = fill(making.as_file_mut(), site, out, images, contents)?;
    making.as_file().sync_all().map_err(file(out, "written"))?;
    making.persist_noclobber(out).map_err(|e| match e.error.kind() {
        io::ErrorKind::AlreadyExists => exists(out),
        _ => file(out, "written")(e.error),
    })?;
    Ok(summary)
}

fn fill(
    file_made: &mut File,
    site: &Site,
    out: &Path,
    images: bool,
    contents: &Contents,
) -> Result<Summary, SiteError> {
    let mut w = Writing {
        zip: ZipWriter::new(BufWriter::new(file_made)),
        path: out,
        files: Vec::new(),
        left_out: Vec::new(),
    };
    for (n, (_, text)) in contents.courses.iter().enumerate() {
        w.add(&format!("courses/{:06}.course", n + 1), &mut text.as_bytes(), out)?;
    }
    w.lines("recordings.jsonl", &contents.recordings)?;
    w.lines("audit.jsonl", &contents.audit)?;
    w.lines("jobs.jsonl", &contents.jobs)?;
    w.lines("accounts.jsonl", &contents.accounts)?;
    w.lines("placements.jsonl", &contents.placements)?;
    w.lines("signatures.jsonl", &contents.signatures)?;
    for name in FOLDERS {
        let folder = site.data.join(name);
        if folder.is_dir() && (images || !IMAGES.contains(&name)) {
            w.folder(&folder, name)?;
        }
    }
    let count = |of: &str| {
        let parts = w.files.iter().filter_map(|f| f.name.strip_prefix(of)?.split('/').next());
        parts.collect::<BTreeSet<_>>().len()
    };
    let (plans, verifications) = (count("plans/"), count("verifications/"));
    let summary = Summary {
        format: FORMAT.to_owned(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        made: Timestamp::now().to_string(),
        courses: contents.courses.len(),
        events: contents.courses.iter().map(|(_, text)| text.lines().count()).sum(),
        plans,
        verifications,
        bytes: w.files.iter().map(|f| f.bytes).sum(),
        left_out: std::mem::take(&mut w.left_out),
    };
    let list = List { summary, files: std::mem::take(&mut w.files) };
    let bytes = serde_json::to_vec_pretty(&list).map_err(|e| file(out, "written")(e.into()))?;
    w.begin(LIST)?;
    w.zip.write_all(&bytes).map_err(file(out, "written"))?;
    let wrong = |source| SiteError::Zip { path: out.to_owned(), doing: "written", source };
    w.zip.finish().map_err(wrong)?.flush().map_err(file(out, "written"))?;
    Ok(list.summary)
}

// ---- import --------------------------------------------------------------------------------------

struct Reading<'a> {
    zip: ZipArchive<BufReader<File>>,
    path: &'a Path,
}

impl Reading<'_> {
    fn wrong(&self, what: impl Into<String>) -> SiteError {
        SiteError::Content { path: self.path.to_owned(), what: what.into() }
    }

    fn list(&mut self) -> Result<List, SiteError> {
        let path = self.path.to_owned();
        let none = || SiteError::Content {
            path: path.clone(),
            what: format!("there is no {LIST} in it: it is no exported site"),
        };
        let mut text = Vec::new();
        self.zip
            .by_name(LIST)
            .map_err(|_| none())?
            .take(MOST_TEXT)
            .read_to_end(&mut text)
            .map_err(file(&path, "read"))?;
        let list: List = serde_json::from_slice(&text)
            .map_err(|e| self.wrong(format!("its {LIST} cannot be read ({e})")))?;
        if list.summary.format != FORMAT {
            let found = &list.summary.format;
            return Err(
                self.wrong(format!("is of format {found}, but this program reads {FORMAT}"))
            );
        }
        let mut names = BTreeSet::from([LIST]);
        let mut all: u64 = 0;
        for f in &list.files {
            if !plain(&f.name) {
                return Err(self.wrong(format!("holds a file of the name {:?}", f.name)));
            }
            if !names.insert(&f.name) {
                return Err(self.wrong(format!("lists {} twice", f.name)));
            }
            all = all.saturating_add(f.bytes);
        }
        if all > MOST {
            return Err(self.wrong(format!("says that it holds {all} bytes, more than {MOST}")));
        }
        let there: BTreeSet<String> = self
            .zip
            .file_names()
            .map(|n| n.map(|n| n.into_owned()))
            .collect::<Result<_, _>>()
            .map_err(|source| SiteError::Zip { path: path.clone(), doing: "read", source })?;
        if let Some(other) = there.iter().find(|n| !names.contains(n.as_str())) {
            return Err(self.wrong(format!("holds {other:?}, which its {LIST} does not list")));
        }
        if let Some(missing) = names.iter().find(|n| !there.contains(**n)) {
            return Err(self.wrong(format!("{missing} is missing")));
        }
        Ok(list)
    }

    /// Copies a file of the zip; it has to be what the list says, to the byte.
    fn copy(&mut self, entry: &Entry, to: &mut dyn Write) -> Result<(), SiteError> {
        let path = self.path.to_owned();
        let zipped = self.zip.by_name(&entry.name).map_err(|source| SiteError::Zip {
            path: path.clone(),
            doing: "read",
            source,
        })?;
        // One byte more than listed is enough to see that there is more.
        let mut from = Hashed::new(zipped.take(entry.bytes.saturating_add(1)));
        let copied = io::copy(&mut from, to);
        let (bytes, sha256) = from.sum();
        copied.map_err(file(&path, "read"))?;
        if bytes != entry.bytes || sha256 != entry.sha256 {
            let what =
                format!("{} was changed or cut: its SHA-256 is not the listed one", entry.name);
            return Err(self.wrong(what));
        }
        Ok(())
    }

    fn text(&mut self, entry: &Entry) -> Result<String, SiteError> {
        if entry.bytes > MOST_TEXT {
            return Err(self.wrong(format!("{} is larger than {MOST_TEXT} bytes", entry.name)));
        }
        let mut text = Vec::new();
        self.copy(entry, &mut text)?;
        String::from_utf8(text).map_err(|_| self.wrong(format!("{} is no UTF-8", entry.name)))
    }

    fn rows<T: DeserializeOwned>(&mut self, list: &List, name: &str) -> Result<Vec<T>, SiteError> {
        let Some(entry) = list.files.iter().find(|f| f.name == name) else {
            return Err(self.wrong(format!("{name} is missing")));
        };
        // Through a file: the audit trail of years need not fit twice into memory.
        let mut kept = tempfile::tempfile().map_err(file(self.path, "unpacked"))?;
        self.copy(entry, &mut kept)?;
        kept.rewind().map_err(file(self.path, "unpacked"))?;
        let mut rows = Vec::new();
        for (n, line) in BufReader::new(kept).lines().enumerate() {
            let line = line.map_err(file(self.path, "read"))?;
            let wrong = |e| self.wrong(format!("{name}, line {}: {e}", n + 1));
            rows.push(serde_json::from_str(&line).map_err(wrong)?);
        }
        Ok(rows)
    }
}

/// Lines of a course with the key of the act that recorded each.
fn keyed(log: &Log, patient: &str, recordings: &[KeptRecording]) -> Result<KeyedLines, String> {
    let mut of: Vec<_> = recordings.iter().filter(|r| r.patient == patient).collect();
    of.sort_by_key(|r| r.first);
    let keys = of.iter().flat_map(|r| std::iter::repeat_n(&r.key, r.events.max(0) as usize));
    let mut next = 0;
    for r in &of {
        if r.first != next || r.events < 1 {
            return Err(format!("recordings.jsonl does not cover the course of {patient}"));
        }
        next += r.events;
    }
    let lines = crate::store::lines_of(log).map_err(|e| e.to_string())?;
    if lines.len() as i64 != next {
        return Err(format!(
            "the course of {patient} has {} events, but recordings.jsonl {next}",
            lines.len()
        ));
    }
    Ok(lines.into_iter().zip(keys.cloned()).collect())
}

/// Imports a site from a file: its data folder must not be there or be empty, and so must the
/// database. Everything is checked first; the folder is there whole or not at all.
///
/// # Errors
/// One sentence.
pub async fn import(from: &Path, site: &Site) -> Result<Summary, SiteError> {
    let data = &site.data;
    let taken = data.exists() && fs::read_dir(data).map_err(file(data, "read"))?.next().is_some();
    if taken {
        return Err(SiteError::Place(format!(
            "{}: is not empty; a site is imported where there is nothing yet: choose another --data",
            data.display()
        )));
    }
    let opened = File::open(from).map_err(file(from, "read"))?;
    let zip = ZipArchive::new(BufReader::new(opened)).map_err(|source| SiteError::Zip {
        path: from.to_owned(),
        doing: "read",
        source,
    })?;
    let mut reading = Reading { zip, path: from };
    let list = reading.list()?;
    let parent = match data.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(file(parent, "written"))?;
    let making = TempDir::with_prefix_in(".importing-", parent).map_err(file(parent, "written"))?;
    let rest = Contents {
        courses: Vec::new(),
        recordings: reading.rows(&list, "recordings.jsonl")?,
        audit: reading.rows(&list, "audit.jsonl")?,
        jobs: reading.rows(&list, "jobs.jsonl")?,
        accounts: reading.rows(&list, "accounts.jsonl")?,
        placements: reading.rows(&list, "placements.jsonl")?,
        signatures: reading.rows(&list, "signatures.jsonl")?,
    };
    let mut lines = Vec::new();
    let mut courses = 0;
    for entry in &list.files {
        if entry.name.starts_with("courses/") {
            let text = reading.text(entry)?;
            let course = |source| SiteError::Course { name: entry.name.clone(), source };
            let opened = Opened::parse(&entry.name, text, None).map_err(course)?;
            let patient = opened.course().map_err(course)?.patient.to_owned();
            let keyed =
                keyed(&opened.log, &patient, &rest.recordings).map_err(|e| reading.wrong(e))?;
            lines.push((patient, keyed));
            courses += 1;
        } else if FOLDERS.iter().any(|f| entry.name.split('/').next() == Some(*f)) {
            let path = making.path().join(&entry.name);
            let folder = path.parent().unwrap_or(making.path());
            fs::create_dir_all(folder).map_err(file(folder, "written"))?;
            let mut to = BufWriter::new(File::create_new(&path).map_err(file(&path, "written"))?);
            reading.copy(entry, &mut to)?;
            to.flush().map_err(file(&path, "written"))?;
        } else if !entry.name.ends_with(".jsonl") {
            return Err(reading.wrong(format!("holds {}, which is of no site", entry.name)));
        }
    }
    if courses != list.summary.courses {
        let said = list.summary.courses;
        return Err(reading.wrong(format!("holds {courses} courses, but says {said}")));
    }
    let store = store::open(making.path(), site.database.as_deref()).await?;
    let filled = store.fill(&lines, &rest).await?;
    store.close().await;
    if !filled {
        return Err(SiteError::Place(
            "--database: holds courses or an audit trail already; a site is imported where there is nothing yet: name an empty database"
                .to_owned(),
        ));
    }
    if data.exists() {
        fs::remove_dir(data).map_err(file(data, "written"))?;
    }
    fs::rename(making.keep(), data).map_err(file(data, "written"))?;
    Ok(list.summary)
}

/// [`export`] for programs that do nothing else meanwhile.
///
/// # Errors
/// As [`export`].
pub fn export_now(
    site: &Site,
    out: &Path,
    images: bool,
    who: &str,
) -> Result<Summary, WorkbenchError> {
    Ok(alone()?.block_on(export(site, out, images, who))?)
}

/// [`import`] for programs that do nothing else meanwhile.
///
/// # Errors
/// As [`import`].
pub fn import_now(from: &Path, site: &Site) -> Result<Summary, WorkbenchError> {
    Ok(alone()?.block_on(import(from, site))?)
}

fn alone() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

// ---- accounts ------------------------------------------------------------------------------------

/// What is changed of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountChange {
    /// It is made.
    Add {
        /// Its password.
        password: String,
        /// Its roles.
        grants: Vec<Grant>,
    },
    /// It is given another password or other roles.
    Change {
        /// None: as before.
        password: Option<String>,
        /// None: as before.
        grants: Option<Vec<Grant>>,
    },
    /// Nobody signs in with it any more.
    Close,
}

async fn opened(site: &Site) -> Result<Box<dyn Store>, SiteError> {
    if site.database.is_none() {
        fs::create_dir_all(&site.data).map_err(file(&site.data, "written"))?;
    }
    Ok(store::open(&site.data, site.database.as_deref()).await?)
}

async fn change_account(
    store: &dyn Store,
    name: &str,
    change: &AccountChange,
    who: &str,
) -> Result<(), SiteError> {
    let before = store.account(name).await?;
    let plain = !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_alphanumeric() || "-_.@".contains(c));
    let hash = |p: &str| people::hashed(p).map_err(SiteError::Place);
    let (account, what) = match (before, change) {
        (None, AccountChange::Add { .. }) if !plain => {
            return Err(SiteError::Place(format!(
                "account {name}: expected letters, digits and - _ . @ (64 at most)"
            )));
        }
        (None, AccountChange::Add { password, grants }) => {
            let grants = people::grants_text(grants);
            let what = format!("account {name} made: {grants}");
            let password = hash(password)?;
            let name = name.to_owned();
            (Account { name, password, grants, closed: 0, changed: String::new() }, what)
        }
        (Some(_), AccountChange::Add { .. }) => {
            return Err(SiteError::Place(format!(
                "account {name}: is there already; change it with `hepatica account change`"
            )));
        }
        (None, _) => {
            return Err(SiteError::Place(format!(
                "no account is named {name}; `hepatica account list` lists them"
            )));
        }
        (Some(mut a), AccountChange::Change { password, grants }) => {
            if let Some(grants) = grants {
                a.grants = people::grants_text(grants);
            }
            if let Some(password) = password {
                a.password = hash(password)?;
            }
            a.closed = 0;
            let what = format!("account {name} changed: {}", a.grants);
            (a, what)
        }
        (Some(mut a), AccountChange::Close) => {
            a.closed = 1;
            (a, format!("account {name} closed"))
        }
    };
    store.put_account(&Account { changed: Timestamp::now().to_string(), ..account }).await?;
    store.audit(&crate::desk::audit(who, "account", "*", &what)).await?;
    Ok(())
}

/// Changes an account of a site, and notes it in the audit trail.
///
/// # Errors
/// One sentence.
pub fn change_account_now(
    site: &Site,
    name: &str,
    change: &AccountChange,
    who: &str,
) -> Result<(), WorkbenchError> {
    alone()?.block_on(async {
        let store = opened(site).await?;
        change_account(&*store, name, change, who).await?;
        store.close().await;
        Ok(())
    })
}

/// The accounts of a site, by name.
///
/// # Errors
/// One sentence.
pub fn accounts_now(site: &Site) -> Result<Vec<Account>, WorkbenchError> {
    alone()?.block_on(async {
        let store = opened(site).await?;
        let all = store.accounts().await.map_err(SiteError::Store)?;
        store.close().await;
        Ok(all)
    })
}

/// Says which centre a patient of a site is of.
///
/// # Errors
/// When there is no such course.
pub fn place_now(
    site: &Site,
    patient: &str,
    centre: &str,
    who: &str,
) -> Result<(), WorkbenchError> {
    alone()?.block_on(async {
        let store = opened(site).await?;
        let heads = store.heads().await.map_err(SiteError::Store)?;
        if !heads.iter().any(|h| h.patient == patient) {
            return Err(SiteError::Place(format!(
                "no course of patient {patient} is in the store"
            ))
            .into());
        }
        people::place(&*store, patient, centre, who)
            .await
            .map_err(|p| SiteError::Place(p.detail))?;
        store.close().await;
        Ok(())
    })
}
