//! Where courses are kept: one trait, two databases. Events are only ever added, in the lines of the
//! course file with its chain of hashes; nothing here can change or remove one, and the database
//! refuses it too.

mod sql;

pub use sql::{Postgres, Sqlite};

use crate::people::{Account, Placement, Session, Signature};
use async_trait::async_trait;
use hepatica_regimen::event::EventId;
use hepatica_regimen::log::LogError;
use hepatica_regimen::{Event, Log};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use thiserror::Error;
use utoipa::ToSchema;

/// Why the store cannot do its work: one sentence.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database.
    #[error("the store {place} cannot be {doing} ({source}); {remedy}")]
    Database {
        /// Which.
        place: String,
        /// `read`, `written`, `opened`.
        doing: &'static str,
        /// Why.
        source: Box<sqlx::Error>,
        /// What to do.
        remedy: &'static str,
    },
    /// Its schema.
    #[error(
        "the store {place} cannot be brought to this version's schema ({source}); use the version that wrote it, or restore a backup"
    )]
    Schema {
        /// Which.
        place: String,
        /// Why.
        source: sqlx::migrate::MigrateError,
    },
    /// The folder.
    #[error("{}: cannot be written ({source}); choose another --data or check the permissions", .path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The chain of a course.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// How far a course has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The patient.
    pub patient: String,
    /// Number of events.
    pub events: i64,
    /// Hash of the last.
    pub hash: String,
}

/// A line of a course file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Identifier of the event.
    pub id: String,
    /// The line, without its end.
    pub line: String,
    /// Hash of the line before.
    pub before: String,
    /// Its hash.
    pub hash: String,
}

/// One act of recording, all of it or nothing.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The patient.
    pub patient: String,
    /// Key chosen by the sender: the same key is recorded once.
    pub key: String,
    /// SHA-256 of what was asked: the same key for something else is refused.
    pub request: String,
    /// Number of events it was made for.
    pub place: i64,
    /// The new lines.
    pub lines: Vec<Line>,
    /// When.
    pub recorded: Timestamp,
    /// Who and what, for the audit trail.
    pub audit: Audit,
}

/// What came of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is stored.
    New,
    /// It was stored before, under this key.
    Already(Recording),
    /// Somebody else added to the course meanwhile.
    Stale,
}

/// An act of recording as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The patient.
    pub patient: String,
    /// SHA-256 of what was asked.
    pub request: String,
    /// Place of its first event.
    pub first: i64,
    /// How many events.
    pub events: i64,
}

/// An act of recording with all that is kept of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptRecording {
    /// Key chosen by the sender.
    pub key: String,
    /// The patient.
    pub patient: String,
    /// SHA-256 of what was asked.
    pub request: String,
    /// Place of its first event.
    pub first: i64,
    /// How many events.
    pub events: i64,
    /// When, RFC 3339.
    pub recorded: String,
}

/// All that a store holds, as of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Each patient with the text of the course file.
    pub courses: Vec<(String, String)>,
    /// Acts of recording, by patient and place.
    pub recordings: Vec<KeptRecording>,
    /// The audit trail, the oldest first.
    pub audit: Vec<Audit>,
    /// Jobs, the oldest first.
    pub jobs: Vec<Job>,
    /// Accounts.
    pub accounts: Vec<Account>,
    /// Which centre patients are of, the oldest first.
    pub placements: Vec<Placement>,
    /// Signatures, the oldest first.
    pub signatures: Vec<Signature>,
}

/// A course to be taken over: each line with the key of the act that recorded it.
pub type KeyedLines = Vec<(Line, String)>;

/// An entry of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Audit {
    /// When, RFC 3339.
    pub at: String,
    /// Who.
    pub who: String,
    /// `read`, `record`, `plan`, `verify`, `export`.
    pub what: String,
    /// The patient.
    pub patient: String,
    /// More.
    pub detail: String,
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It waits.
    Queued,
    /// It is being done.
    Running,
    /// It is done.
    Done,
    /// It could not be done.
    Failed,
}

impl JobState {
    /// As it is stored.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    fn of(word: &str) -> Self {
        match word {
            "queued" => Self::Queued,
            "running" => Self::Running,
            "done" => Self::Done,
            _ => Self::Failed,
        }
    }
}

/// Long work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Identifier, a UUID.
    pub id: String,
    /// What it is: `plan` or `verify`.
    pub kind: String,
    /// The patient.
    pub patient: String,
    /// What was asked, as JSON.
    pub asked: String,
    /// How it stands.
    pub state: JobState,
    /// Its result or error in one sentence.
    pub said: String,
    /// Who asked.
    pub who: String,
    /// When, RFC 3339.
    pub created: String,
    /// When it ended.
    pub finished: Option<String>,
}

/// A store.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Where it is, for messages.
    fn place(&self) -> &str;
    /// How far each course has come, by patient.
    async fn heads(&self) -> Result<Vec<Head>, StoreError>;
    /// The lines of a course in order; none: there is no such course.
    async fn lines(&self, patient: &str) -> Result<Vec<String>, StoreError>;
    /// Adds a batch: all of it, durably, or nothing.
    async fn append(&self, batch: &Batch) -> Result<Appended, StoreError>;
    /// What was recorded under a key.
    async fn recording(&self, key: &str) -> Result<Option<Recording>, StoreError>;
    /// Adds to the audit trail.
    async fn audit(&self, entry: &Audit) -> Result<(), StoreError>;
    /// The last entries of the audit trail, the newest first; of all patients if none is named.
    async fn audited(&self, patient: Option<&str>, most: i64) -> Result<Vec<Audit>, StoreError>;
    /// Adds a job.
    async fn add_job(&self, job: &Job) -> Result<(), StoreError>;
    /// Moves a job on.
    async fn move_job(
        &self,
        id: &str,
        state: JobState,
        said: &str,
        finished: Option<Timestamp>,
    ) -> Result<(), StoreError>;
    /// A job.
    async fn job(&self, id: &str) -> Result<Option<Job>, StoreError>;
    /// Jobs, the newest first; of all patients if none is named.
    async fn jobs(&self, patient: Option<&str>) -> Result<Vec<Job>, StoreError>;
    /// Whether anybody has an account, closed or not: then people sign in.
    async fn has_accounts(&self) -> Result<bool, StoreError>;
    /// All accounts, by name.
    async fn accounts(&self) -> Result<Vec<Account>, StoreError>;
    /// An account.
    async fn account(&self, name: &str) -> Result<Option<Account>, StoreError>;
    /// Makes or changes an account, and ends its sessions.
    async fn put_account(&self, account: &Account) -> Result<(), StoreError>;
    /// A session, by the SHA-256 of its token.
    async fn session(&self, token: &str) -> Result<Option<Session>, StoreError>;
    /// Begins a session, or says when it was last used.
    async fn put_session(&self, session: &Session) -> Result<(), StoreError>;
    /// Ends a session.
    async fn drop_session(&self, token: &str) -> Result<(), StoreError>;
    /// The centre of a patient.
    async fn centre(&self, patient: &str) -> Result<Option<String>, StoreError>;
    /// Every placement, the oldest first: of a patient the last counts.
    async fn placements(&self) -> Result<Vec<Placement>, StoreError>;
    /// Says which centre a patient is of.
    async fn place_patient(&self, placement: &Placement) -> Result<(), StoreError>;
    /// Signatures under a plan, the oldest first; under all if none is named.
    async fn signatures(&self, plan: Option<&str>) -> Result<Vec<Signature>, StoreError>;
    /// Adds a signature.
    async fn sign(&self, signature: &Signature) -> Result<(), StoreError>;
    /// All that it holds, as of one moment, whatever is recorded meanwhile.
    async fn contents(&self) -> Result<Contents, StoreError>;
    /// Fills an empty store, all of it or nothing; `false`: it was not empty.
    async fn fill(
        &self,
        courses: &[(String, KeyedLines)],
        rest: &Contents,
    ) -> Result<bool, StoreError>;
    /// Waits until everything is closed.
    async fn close(&self);
}

/// The file of the embedded store in a data folder.
#[must_use]
pub fn sqlite_in(data: &Path) -> PathBuf {
    data.join("hepatica.sqlite")
}

/// Opens the store of a data folder, or the PostgreSQL database at an address in its place.
///
/// # Errors
/// As [`Sqlite::open`] and [`Postgres::open`].
pub async fn open(data: &Path, database: Option<&str>) -> Result<Box<dyn Store>, StoreError> {
    Ok(match database {
        Some(address) => Box::new(Postgres::open(address).await?),
        None => Box::new(Sqlite::open(&sqlite_in(data)).await?),
    })
}

/// The lines of a course whose chain was checked.
///
/// # Errors
/// When a line is not of a chain.
pub fn lines_of(log: &Log) -> Result<Vec<Line>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Chain {
        before: String,
        hash: String,
    }
    let line = |(line, (id, _)): (&str, (&EventId, &Event))| {
        let Chain { before, hash } = serde_json::from_str(line)?;
        Ok(Line { id: id.0.clone(), line: line.to_owned(), before, hash })
    };
    log.text().lines().zip(log.entries()).map(line).collect()
}

/// Adds an event to a course and gives its line.
///
/// # Errors
/// When the event cannot be written down.
pub fn line_of(log: &mut Log, event: Event) -> Result<Line, LogError> {
    let (start, before) = (log.text().len(), log.hash().to_owned());
    let id = log.append(event)?;
    let line = log.text()[start..].trim_end_matches('\n').to_owned();
    Ok(Line { id: id.0, line, before, hash: log.hash().to_owned() })
}
