//! The file of a course: one event a line, each bound to the line before by its hash, so that what
//! was changed or cut off afterwards is found, and where.
//!
//! A line is JSON: `{"event": {...}, "before": "<hash of the line before>", "hash": "..."}`. The
//! hash is the SHA-256 of `before` and the event's JSON. A file is written whole beside the old one
//! and renamed into place: a crash leaves the old file or the new one.

use crate::event::{Event, EventId, Fact};
use crate::protocol::sha256;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Most bytes a course may have: a hundred thousand events.
const MAX_BYTES: u64 = 64 << 20;
/// What the first line is bound to.
const ORIGIN: &str = "hepatica-course/1";

/// Why a course file cannot be used.
#[derive(Debug, Error)]
pub enum LogError {
    /// It cannot be read or written.
    #[error("{}: cannot be {doing} ({source})", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Too long to be one.
    #[error("{}: {found} bytes is no course file (at most {MAX_BYTES})", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// It is there already.
    #[error("{}: exists already; choose another --out (a course is never written over)", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The last line has no end.
    #[error("{}, line {line}: cut off; the {intact} lines before it are whole: get the file from a backup", .path.display())]
    Cut {
        /// The file.
        path: PathBuf,
        /// The line, the first being 1.
        line: usize,
        /// Lines before it.
        intact: usize,
    },
    /// A line that is no event.
    #[error("{}, line {line}: no event ({why}); get the file from a backup", .path.display())]
    NoEvent {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// Why.
        why: String,
    },
    /// A line whose hash is not that of what it says.
    #[error("{}, line {line}: changed after it was recorded ({said}); get the file from a backup, and correct with `record correction`", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What it says now.
        said: String,
    },
    /// A line that is not bound to the one before it.
    #[error("{}, line {line}: does not follow the line before it: lines were removed, added or moved there; get the file from a backup", .path.display())]
    OutOfPlace {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// An event of somebody else.
    #[error("{}, line {line}: an event of patient {found}, but this is the course of {expected}", .path.display())]
    OtherPatient {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// Whose event.
        found: String,
        /// Whose course.
        expected: String,
    },
    /// It was recorded after now.
    #[error("{}, line {line}: recorded on {recorded}, which is still to come; check the clocks", .path.display())]
    RecordedAhead {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// When.
        recorded: Timestamp,
    },
    /// It does not begin.
    #[error("{}: does not begin with what a course begins with; make one with `hepatica course new`", .path.display())]
    NoBeginning {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else is writing.
    #[error("{}: is being written by another program; try again", .path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    before: &'a str,
    hash: &'a str,
}

#[derive(Serialize)]
struct NewLine<'a> {
    event: &'a RawValue,
    before: &'a str,
    hash: &'a str,
}

/// The events of a course, in the order they were recorded, with the file they are in.
#[derive(Debug, Clone)]
pub struct Log {
    path: PathBuf,
    text: String,
    last_hash: String,
    events: Vec<Event>,
    ids: Vec<EventId>,
}

fn hash(before: &str, event: &str) -> String {
    sha256(format!("{before}\n{event}").as_bytes())
}

impl Log {
    /// Reads a course and checks that nothing in it was changed, removed or cut off. `now` is the
    /// clock's time.
    ///
    /// # Errors
    /// When it cannot be read, is no course, or was tampered with: which line, and what to do.
    pub fn read(path: &Path, now: Timestamp) -> Result<Self, LogError> {
        let io = |source| LogError::Io { path: path.to_owned(), doing: "read", source };
        let found = fs::metadata(path).map_err(io)?.len();
        if found > MAX_BYTES {
            return Err(LogError::TooLong { path: path.to_owned(), found });
        }
        Self::parse(path, fs::read_to_string(path).map_err(io)?, now)
    }

    /// [`Log::read`] of a text; `path` is for messages.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub fn parse(path: &Path, text: String, now: Timestamp) -> Result<Self, LogError> {
        let at = || path.to_owned();
        let mut before = ORIGIN.to_owned();
        let (mut events, mut ids): (Vec<Event>, Vec<EventId>) = (Vec::new(), Vec::new());
        // Clocks of machines that share a file are minutes apart at most.
        let latest = now.saturating_add(jiff::SignedDuration::from_mins(10)).unwrap_or(now);
        for (n, raw) in text.split_inclusive('\n').enumerate() {
            let line = n + 1;
            let Some(raw) = raw.strip_suffix('\n') else {
                return Err(LogError::Cut { path: at(), line, intact: n });
            };
            let no_event =
                |e: serde_json::Error| LogError::NoEvent { path: at(), line, why: e.to_string() };
            let parsed: Line<'_> = serde_json::from_str(raw).map_err(no_event)?;
            if parsed.before != before {
                return Err(LogError::OutOfPlace { path: at(), line });
            }
            let event: Event = serde_json::from_str(parsed.event.get()).map_err(no_event)?;
            if parsed.hash != hash(&before, parsed.event.get()) {
                let said = format!("{} {}: {}", event.on, event.fact.kind(), event.fact.summary());
                return Err(LogError::Changed { path: at(), line, said });
            }
            if let Some(first) = events.first()
                && first.patient != event.patient
            {
                let (found, expected) = (event.patient, first.patient.clone());
                return Err(LogError::OtherPatient { path: at(), line, found, expected });
            }
            if event.recorded > latest {
                let recorded = event.recorded;
                return Err(LogError::RecordedAhead { path: at(), line, recorded });
            }
            before = parsed.hash.to_owned();
            ids.push(event.id());
            events.push(event);
        }
        if !matches!(events.first(), Some(Event { fact: Fact::Begin { .. }, .. })) {
            return Err(LogError::NoBeginning { path: at() });
        }
        Ok(Self { path: at(), text, last_hash: before, events, ids })
    }

    /// Begins a course with its first event. Nothing is written yet.
    ///
    /// # Errors
    /// When a file is there already, or the event is no beginning.
    pub fn begin(path: &Path, event: Event) -> Result<Self, LogError> {
        if path.exists() {
            return Err(LogError::Exists { path: path.to_owned() });
        }
        if !matches!(event.fact, Fact::Begin { .. }) {
            return Err(LogError::NoBeginning { path: path.to_owned() });
        }
        let mut log = Self {
            path: path.to_owned(),
            text: String::new(),
            last_hash: ORIGIN.to_owned(),
            events: Vec::new(),
            ids: Vec::new(),
        };
        log.append(event)?;
        Ok(log)
    }

    /// Adds an event. Nothing is written yet.
    ///
    /// # Errors
    /// When the event cannot be written down.
    pub fn append(&mut self, event: Event) -> Result<EventId, LogError> {
        let io = |e: serde_json::Error| LogError::Io {
            path: self.path.clone(),
            doing: "written",
            source: e.into(),
        };
        let raw = serde_json::value::to_raw_value(&event).map_err(io)?;
        let hash = hash(&self.last_hash, raw.get());
        let line = NewLine { event: &raw, before: &self.last_hash, hash: &hash };
        self.text.push_str(&serde_json::to_string(&line).map_err(io)?);
        self.text.push('\n');
        self.last_hash = hash;
        let id = event.id();
        self.ids.push(id.clone());
        self.events.push(event);
        Ok(id)
    }

    /// Writes the file: whole, or not at all.
    ///
    /// # Errors
    /// When it cannot be written; then what was there before is still there.
    pub fn write(&self) -> Result<(), LogError> {
        let failed = |source| LogError::Io { path: self.path.clone(), doing: "written", source };
        let folder = match self.path.parent() {
            Some(p) if !p.as_os_str().is_empty() => p.to_owned(),
            _ => PathBuf::from("."),
        };
        let mut making = tempfile::NamedTempFile::new_in(&folder).map_err(failed)?;
        making.write_all(self.text.as_bytes()).map_err(failed)?;
        making.as_file().sync_all().map_err(failed)?;
        if let Ok(old) = fs::metadata(&self.path) {
            fs::set_permissions(making.path(), old.permissions()).map_err(failed)?;
        }
        making.persist(&self.path).map_err(|e| failed(e.error))?;
        // So that the new name, too, survives a loss of power; not every file system can.
        if let Ok(folder) = File::open(&folder) {
            let _ = folder.sync_all();
        }
        Ok(())
    }

    /// Its events, in the order they were recorded.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The events with their identifiers.
    pub fn entries(&self) -> impl Iterator<Item = (&EventId, &Event)> {
        self.ids.iter().zip(&self.events)
    }

    /// The event of that identifier.
    #[must_use]
    pub fn event(&self, id: &EventId) -> Option<&Event> {
        self.entries().find(|(i, _)| *i == id).map(|(_, e)| e)
    }

    /// The whole file, a line an event.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Hash of its last line: names its state.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.last_hash
    }
}

/// Holds a course while it is read, added to and written: two programs at once would each drop what
/// the other added.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a course, a file `.NAME.lock` beside it.
    ///
    /// # Errors
    /// When somebody else holds it, or nothing can be written there.
    pub fn take(course: &Path) -> Result<Self, LogError> {
        let mut name = std::ffi::OsString::from(".");
        name.push(course.file_name().unwrap_or_default());
        name.push(".lock");
        let path = course.with_file_name(name);
        let io = |source| LogError::Io { path: path.clone(), doing: "written", source };
        let file = File::create(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(fs::TryLockError::WouldBlock) => Err(LogError::Locked { path: course.to_owned() }),
            Err(fs::TryLockError::Error(source)) => Err(io(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Pinned;
    use crate::protocol::Source;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn now() -> Timestamp {
        "2027-06-01T00:00:00Z".parse().expect("an instant")
    }

    fn event(day: i8, fact: Fact) -> Event {
        Event {
            patient: "P001".to_owned(),
            on: jiff::civil::date(2027, 1, day),
            at: None,
            recorded: "2027-02-01T09:00:00Z".parse().expect("an instant"),
            by: "nurse".to_owned(),
            why: None,
            fact,
        }
    }

    fn log(path: &Path) -> Log {
        let source = Source::named("captem").expect("shipped");
        let c1d1 = jiff::civil::date(2027, 1, 1);
        let begin = Fact::Begin { protocol: Pinned::from(&source), variant: None, c1d1 };
        let mut log = Log::begin(path, event(1, begin)).expect("begun");
        for day in 2..6 {
            let values = BTreeMap::from([("platelets".to_owned(), 100.0 + f64::from(day))]);
            log.append(event(day, Fact::Labs { values })).expect("added");
        }
        log
    }

    #[test]
    fn what_is_written_is_read() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("P001.course");
        let log = log(&path);
        log.write().expect("written");
        let back = Log::read(&path, now()).expect("read");
        assert_eq!(back.events(), log.events());
        assert_eq!(back.hash(), log.hash());
        assert!(matches!(Log::begin(&path, log.events()[0].clone()), Err(LogError::Exists { .. })));
    }

    #[test]
    fn the_line_that_was_changed_is_named() {
        let path = Path::new("P001.course");
        let text = log(path).text;
        let error = |text: String| Log::parse(path, text, now()).expect_err("found").to_string();
        let changed = error(text.replace(r#""platelets":103.0"#, r#""platelets":130.0"#));
        assert!(changed.starts_with("P001.course, line 3: changed after it was"), "{changed}");
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        let removed = error([lines[0], lines[1], lines[3]].concat());
        assert!(removed.starts_with("P001.course, line 3: does not follow"), "{removed}");
        let cut = error(text[..text.len() - 20].to_owned());
        assert!(cut.starts_with("P001.course, line 5: cut off; the 4 lines"), "{cut}");
        let torn = error(text[..text.len() - 20].to_owned() + "\n");
        assert!(torn.starts_with("P001.course, line 5: no event"), "{torn}");
    }

    #[test]
    fn only_one_may_write() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("P001.course");
        let first = Lock::take(&path).expect("free");
        assert!(matches!(Lock::take(&path), Err(LogError::Locked { .. })));
        drop(first);
        Lock::take(&path).expect("free again");
    }

    proptest! {
        #[test]
        fn any_change_of_a_byte_is_found(at in 0_usize..2000, byte in any::<u8>()) {
            let path = Path::new("P001.course");
            let text = log(path).text;
            let mut bytes = text.clone().into_bytes();
            let at = bytes.len() - 1 - at % 1500;
            prop_assume!(bytes[at] != byte);
            bytes[at] = byte;
            if let Ok(changed) = String::from_utf8(bytes) {
                prop_assert!(Log::parse(path, changed, now()).is_err());
            }
        }
    }
}
