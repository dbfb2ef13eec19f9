//! Both databases speak the same statements; what differs is how they are opened and begun.

use super::{
    Appended, Audit, Batch, Contents, Head, Job, JobState, KeptRecording, KeyedLines, Recording,
    Store, StoreError,
};
use crate::people::{Account, Placement, Session, Signature};
use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlStr, SqlitePool};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// Connections at once.
const CONNECTIONS: u32 = 8;
/// How long a connection is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

const HEADS: &str = "SELECT e.patient, e.place + 1, e.hash FROM event e \
    WHERE e.place = (SELECT MAX(m.place) FROM event m WHERE m.patient = e.patient) ORDER BY e.patient";
const LINES: &str = "SELECT line FROM event WHERE patient = $1 ORDER BY place";
const COUNT: &str = "SELECT COUNT(*) FROM event WHERE patient = $1";
const ADD_EVENT: &str = "INSERT INTO event (patient, place, id, line, before, hash, recording) \
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const ADD_RECORDING: &str = "INSERT INTO recording (key, patient, request, first, events, recorded) \
    VALUES ($1, $2, $3, $4, $5, $6)";
const RECORDING: &str = "SELECT patient, request, first, events FROM recording WHERE key = $1";
const ADD_AUDIT: &str =
    "INSERT INTO audit (at, who, what, patient, detail) VALUES ($1, $2, $3, $4, $5)";
const AUDITED: &str = "SELECT at, who, what, patient, detail FROM audit \
    WHERE $1 = '' OR patient = $1 ORDER BY n DESC LIMIT $2";
const SOME_EVENT: &str = "SELECT 1 FROM event LIMIT 1";
const SOME_AUDIT: &str = "SELECT 1 FROM audit LIMIT 1";
const SOME_JOB: &str = "SELECT 1 FROM job LIMIT 1";
const ALL_LINES: &str = "SELECT patient, line FROM event ORDER BY patient, place";
const ALL_RECORDINGS: &str = "SELECT key, patient, request, first, events, recorded FROM recording \
    ORDER BY patient, first";
const ALL_AUDIT: &str = "SELECT at, who, what, patient, detail FROM audit ORDER BY n";
const ALL_JOBS: &str = "SELECT id, kind, patient, asked, state, said, who, created, finished FROM job \
    ORDER BY created, id";
const SOME_ACCOUNT: &str = "SELECT name FROM account LIMIT 1";
const ACCOUNTS: &str = "SELECT name, password, grants, closed, changed FROM account \
    WHERE $1 = '' OR name = $1 ORDER BY name";
const PUT_ACCOUNT: &str = "INSERT INTO account (name, password, grants, closed, changed) \
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO UPDATE SET password = excluded.password, \
    grants = excluded.grants, closed = excluded.closed, changed = excluded.changed";
const END_SESSIONS: &str = "DELETE FROM session WHERE account = $1";
const SESSION: &str = "SELECT token, account, begun, seen FROM session WHERE token = $1";
const PUT_SESSION: &str = "INSERT INTO session (token, account, begun, seen) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (token) DO UPDATE SET seen = excluded.seen";
const DROP_SESSION: &str = "DELETE FROM session WHERE token = $1";
const CENTRE: &str = "SELECT centre FROM placement WHERE patient = $1 ORDER BY n DESC LIMIT 1";
const PLACEMENTS: &str = "SELECT patient, centre, who, at FROM placement ORDER BY n";
const PLACE: &str = "INSERT INTO placement (patient, centre, who, at) VALUES ($1, $2, $3, $4)";
const SIGNATURES: &str = "SELECT plan, sha256, who, roles, why, at FROM signature \
    WHERE $1 = '' OR plan = $1 ORDER BY n";
const SIGN: &str = "INSERT INTO signature (plan, sha256, who, roles, why, at) \
    VALUES ($1, $2, $3, $4, $5, $6)";
const ADD_JOB: &str = "INSERT INTO job (id, kind, patient, asked, state, said, who, created, finished) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const MOVE_JOB: &str = "UPDATE job SET state = $2, said = $3, finished = $4 WHERE id = $1";
const JOB: &str = "SELECT id, kind, patient, asked, state, said, who, created, finished FROM job \
    WHERE id = $1";
const JOBS: &str = "SELECT id, kind, patient, asked, state, said, who, created, finished FROM job \
    WHERE $1 = '' OR patient = $1 ORDER BY created DESC, id";

type AccountRow = (String, String, String, i64, String);
type SignatureRow = (String, String, String, String, String, String);

fn account((name, password, grants, closed, changed): AccountRow) -> Account {
    Account { name, password, grants, closed, changed }
}

fn placement((patient, centre, who, at): (String, String, String, String)) -> Placement {
    Placement { patient, centre, who, at }
}

fn signature((plan, sha256, who, roles, why, at): SignatureRow) -> Signature {
    Signature { plan, sha256, who, roles, why, at }
}

type JobRow = (String, String, String, String, String, String, String, String, Option<String>);

fn job((id, kind, patient, asked, state, said, who, created, finished): JobRow) -> Job {
    let state = JobState::of(&state);
    Job { id, kind, patient, asked, state, said, who, created, finished }
}

fn recording((patient, request, first, events): (String, String, i64, i64)) -> Recording {
    Recording { patient, request, first, events }
}

/// Whether somebody else was faster: the place in the course, or the key, is taken.
fn taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| e.is_unique_violation())
}

fn migrator(files: &[(i64, &'static str, &'static str)]) -> Migrator {
    let all = files.iter().map(|(version, what, sql)| {
        let sql = SqlStr::from_static(sql);
        Migration::new(*version, (*what).into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(all.collect())
}

/// The embedded store: one SQLite file.
#[derive(Debug, Clone)]
pub struct Sqlite {
    pool: SqlitePool,
    place: String,
}

/// Migrations of the SQLite store: version, name, statements.
pub(crate) const SQLITE: [(i64, &str, &str); 3] = [
    (1, "events", include_str!("../../migrations/sqlite/0001_events.sql")),
    (2, "jobs", include_str!("../../migrations/sqlite/0002_jobs.sql")),
    (3, "people", include_str!("../../migrations/sqlite/0003_people.sql")),
];

const POSTGRES: [(i64, &str, &str); 3] = [
    (1, "events", include_str!("../../migrations/postgres/0001_events.sql")),
    (2, "jobs", include_str!("../../migrations/postgres/0002_jobs.sql")),
    (3, "people", include_str!("../../migrations/postgres/0003_people.sql")),
];

impl Sqlite {
    /// Opens the store in a file, makes it where there is none, and brings it to this version.
    ///
    /// What was acknowledged is on the disk: the journal is synchronised at every commit.
    ///
    /// # Errors
    /// When the file cannot be opened, is no store, or is of a later version.
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        Self::open_at(file, i64::MAX).await
    }

    /// [`Sqlite::open`] with the migrations up to a version only: what an earlier program made.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub async fn open_at(file: &Path, version: i64) -> Result<Self, StoreError> {
        let place = file.display().to_string();
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await
            .map_err(|e| failed(&place, "opened", e))?;
        let known: Vec<_> = SQLITE.into_iter().filter(|m| m.0 <= version).collect();
        migrator(&known)
            .run(&pool)
            .await
            .map_err(|source| StoreError::Schema { place: place.clone(), source })?;
        Ok(Self { pool, place })
    }

    const BEGIN: &'static str = "BEGIN IMMEDIATE";
    const BEGIN_SNAPSHOT: &'static str = "BEGIN";
}

/// The store of several centres: a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct Postgres {
    pool: PgPool,
    place: String,
}

impl Postgres {
    /// Opens the store at an address, `postgres://USER@HOST/DATABASE`, and brings it to this version.
    ///
    /// # Errors
    /// When it cannot be reached, or is of a later version.
    pub async fn open(address: &str) -> Result<Self, StoreError> {
        // The address may hold a password: what is said is the host and the database.
        let shown = |o: &PgConnectOptions| {
            format!("{}/{}", o.get_host(), o.get_database().unwrap_or_default())
        };
        let options = PgConnectOptions::from_str(address)
            .map_err(|e| failed("of --database", "opened", e))?;
        let place = shown(&options);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await
            .map_err(|e| failed(&place, "opened", e))?;
        migrator(&POSTGRES)
            .run(&pool)
            .await
            .map_err(|source| StoreError::Schema { place: place.clone(), source })?;
        Ok(Self { pool, place })
    }

    const BEGIN: &'static str = "BEGIN";
    const BEGIN_SNAPSHOT: &'static str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
}

fn failed(place: &str, doing: &'static str, source: sqlx::Error) -> StoreError {
    let text = source.to_string();
    let full = text.contains("full") || text.contains("No space");
    let remedy = match (full, doing) {
        (true, _) => "nothing was recorded: free space on its disk and try again",
        (_, "written") => "nothing was recorded: try again",
        (_, "opened") => "check that it is there, and that you may write to it",
        _ => "try again",
    };
    StoreError::Database { place: place.to_owned(), doing, source: Box::new(source), remedy }
}

/// A statement with its values.
macro_rules! put {
    ($to:expr, $statement:expr, $($value:expr),+) => {
        sqlx::query($statement)$(.bind(&$value))+.execute($to).await
    };
}

// The values of a row are named once, whoever adds it.
macro_rules! add_event {
    ($to:expr, $patient:expr, $place:expr, $line:expr, $key:expr) => {
        put!($to, ADD_EVENT, $patient, $place, $line.id, $line.line, $line.before, $line.hash, $key)
    };
}
macro_rules! add_audit {
    ($to:expr, $entry:expr) => {
        put!($to, ADD_AUDIT, $entry.at, $entry.who, $entry.what, $entry.patient, $entry.detail)
    };
}
macro_rules! add_job {
    ($to:expr, $job:expr) => {
        put!(
            $to,
            ADD_JOB,
            $job.id,
            $job.kind,
            $job.patient,
            $job.asked,
            *$job.state.word(),
            $job.said,
            $job.who,
            $job.created,
            $job.finished
        )
    };
}
macro_rules! put_account {
    ($to:expr, $account:expr) => {
        put!(
            $to,
            PUT_ACCOUNT,
            $account.name,
            $account.password,
            $account.grants,
            $account.closed,
            $account.changed
        )
    };
}
macro_rules! add_placement {
    ($to:expr, $p:expr) => {
        put!($to, PLACE, $p.patient, $p.centre, $p.who, $p.at)
    };
}
macro_rules! add_signature {
    ($to:expr, $s:expr) => {
        put!($to, SIGN, $s.plan, $s.sha256, $s.who, $s.roles, $s.why, $s.at)
    };
}

macro_rules! store {
    ($name:ident) => {
        #[async_trait]
        impl Store for $name {
            fn place(&self) -> &str {
                &self.place
            }

            async fn heads(&self) -> Result<Vec<Head>, StoreError> {
                let rows: Vec<(String, i64, String)> = sqlx::query_as(HEADS)
                    .fetch_all(&self.pool)
                    .await
                    .map_err(|e| failed(&self.place, "read", e))?;
                let head = |(patient, events, hash)| Head { patient, events, hash };
                Ok(rows.into_iter().map(head).collect())
            }

            async fn lines(&self, patient: &str) -> Result<Vec<String>, StoreError> {
                sqlx::query_scalar(LINES)
                    .bind(patient)
                    .fetch_all(&self.pool)
                    .await
                    .map_err(|e| failed(&self.place, "read", e))
            }

            async fn append(&self, batch: &Batch) -> Result<Appended, StoreError> {
                let wrong = |e| failed(&self.place, "written", e);
                let mut tx = self.pool.begin_with(Self::BEGIN).await.map_err(wrong)?;
                let before: Option<(String, String, i64, i64)> = sqlx::query_as(RECORDING)
                    .bind(&batch.key)
                    .fetch_optional(&mut *tx)
                    .await
                    .map_err(wrong)?;
                if let Some(row) = before {
                    return Ok(Appended::Already(recording(row)));
                }
                let events: i64 = sqlx::query_scalar(COUNT)
                    .bind(&batch.patient)
                    .fetch_one(&mut *tx)
                    .await
                    .map_err(wrong)?;
                if events != batch.place {
                    return Ok(Appended::Stale);
                }
                let stale = |e| if taken(&e) { Ok(Appended::Stale) } else { Err(wrong(e)) };
                for (place, l) in (batch.place..).zip(&batch.lines) {
                    let added = add_event!(&mut *tx, batch.patient, place, l, batch.key);
                    if let Err(e) = added {
                        return stale(e);
                    }
                }
                let (events, recorded) = (batch.lines.len() as i64, batch.recorded.to_string());
                let noted = put!(
                    &mut *tx,
                    ADD_RECORDING,
                    batch.key,
                    batch.patient,
                    batch.request,
                    batch.place,
                    events,
                    recorded
                );
                if let Err(e) = noted {
                    return stale(e);
                }
                add_audit!(&mut *tx, batch.audit).map_err(wrong)?;
                tx.commit().await.map_err(wrong)?;
                Ok(Appended::New)
            }

            async fn recording(&self, key: &str) -> Result<Option<Recording>, StoreError> {
                let row: Option<(String, String, i64, i64)> = sqlx::query_as(RECORDING)
                    .bind(key)
                    .fetch_optional(&self.pool)
                    .await
                    .map_err(|e| failed(&self.place, "read", e))?;
                Ok(row.map(recording))
            }

            async fn audit(&self, a: &Audit) -> Result<(), StoreError> {
                add_audit!(&self.pool, a).map_err(|e| failed(&self.place, "written", e))?;
                Ok(())
            }

            async fn audited(
                &self,
                patient: Option<&str>,
                most: i64,
            ) -> Result<Vec<Audit>, StoreError> {
                let rows: Vec<(String, String, String, String, String)> = sqlx::query_as(AUDITED)
                    .bind(patient.unwrap_or_default())
                    .bind(most)
                    .fetch_all(&self.pool)
                    .await
                    .map_err(|e| failed(&self.place, "read", e))?;
                let entry =
                    |(at, who, what, patient, detail)| Audit { at, who, what, patient, detail };
                Ok(rows.into_iter().map(entry).collect())
            }

            async fn add_job(&self, j: &Job) -> Result<(), StoreError> {
                add_job!(&self.pool, j).map_err(|e| failed(&self.place, "written", e))?;
                Ok(())
            }

            async fn move_job(
                &self,
                id: &str,
                state: JobState,
                said: &str,
                finished: Option<Timestamp>,
            ) -> Result<(), StoreError> {
                let finished = finished.map(|t| t.to_string());
                put!(&self.pool, MOVE_JOB, *id, *state.word(), *said, finished)
                    .map_err(|e| failed(&self.place, "written", e))?;
                Ok(())
            }

            async fn job(&self, id: &str) -> Result<Option<Job>, StoreError> {
                let row: Option<JobRow> = sqlx::query_as(JOB)
                    .bind(id)
                    .fetch_optional(&self.pool)
                    .await
                    .map_err(|e| failed(&self.place, "read", e))?;
                Ok(row.map(job))
            }

            async fn jobs(&self, patient: Option<&str>) -> Result<Vec<Job>, StoreError> {
                let rows: Vec<JobRow> = sqlx::query_as(JOBS)
                    .bind(patient.unwrap_or_default())
                    .fetch_all(&self.pool)
                    .await
                    .map_err(|e| failed(&self.place, "read", e))?;
                Ok(rows.into_iter().map(job).collect())
            }

            async fn has_accounts(&self) -> Result<bool, StoreError> {
                let one: Option<String> = sqlx::query_scalar(SOME_ACCOUNT)
                    .fetch_optional(&self.pool)
                    .await
                    .map_err(|e| failed(&self.place, "read", e))?;
                Ok(one.is_some())
            }

            async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
                let rows: Vec<AccountRow> = sqlx::query_as(ACCOUNTS)
                    .bind("")
                    .fetch_all(&self.pool)
                    .await
                    .map_err(|e| failed(&self.place, "read", e))?;
                Ok(rows.into_iter().map(account).collect())
            }

            async fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
                if name.is_empty() {
                    return Ok(None);
                }
                let row: Option<AccountRow> = sqlx::query_as(ACCOUNTS)
                    .bind(name)
                    .fetch_optional(&self.pool)
                    .await
                    .map_err(|e| failed(&self.place, "read", e))?;
                Ok(row.map(account))
            }

            async fn put_account(&self, a: &Account) -> Result<(), StoreError> {
                let wrong = |e| failed(&self.place, "written", e);
                let mut tx = self.pool.begin_with(Self::BEGIN).await.map_err(wrong)?;
                put_account!(&mut *tx, a).map_err(wrong)?;
                put!(&mut *tx, END_SESSIONS, a.name).map_err(wrong)?;
                tx.commit().await.map_err(wrong)
            }

            async fn session(&self, token: &str) -> Result<Option<Session>, StoreError> {
                let row: Option<(String, String, i64, i64)> = sqlx::query_as(SESSION)
                    .bind(token)
                    .fetch_optional(&self.pool)
                    .await
                    .map_err(|e| failed(&self.place, "read", e))?;
                let session =
                    |(token, account, begun, seen)| Session { token, account, begun, seen };
                Ok(row.map(session))
            }

            async fn put_session(&self, s: &Session) -> Result<(), StoreError> {
                put!(&self.pool, PUT_SESSION, s.token, s.account, s.begun, s.seen)
                    .map_err(|e| failed(&self.place, "written", e))?;
                Ok(())
            }

            async fn drop_session(&self, token: &str) -> Result<(), StoreError> {
                put!(&self.pool, DROP_SESSION, *token)
                    .map_err(|e| failed(&self.place, "written", e))?;
                Ok(())
            }

            async fn centre(&self, patient: &str) -> Result<Option<String>, StoreError> {
                sqlx::query_scalar(CENTRE)
                    .bind(patient)
                    .fetch_optional(&self.pool)
                    .await
                    .map_err(|e| failed(&self.place, "read", e))
            }

            async fn placements(&self) -> Result<Vec<Placement>, StoreError> {
                let rows: Vec<(String, String, String, String)> = sqlx::query_as(PLACEMENTS)
                    .fetch_all(&self.pool)
                    .await
                    .map_err(|e| failed(&self.place, "read", e))?;
                Ok(rows.into_iter().map(placement).collect())
            }

            async fn place_patient(&self, p: &Placement) -> Result<(), StoreError> {
                add_placement!(&self.pool, p).map_err(|e| failed(&self.place, "written", e))?;
                Ok(())
            }

            async fn signatures(&self, plan: Option<&str>) -> Result<Vec<Signature>, StoreError> {
                let rows: Vec<SignatureRow> = sqlx::query_as(SIGNATURES)
                    .bind(plan.unwrap_or_default())
                    .fetch_all(&self.pool)
                    .await
                    .map_err(|e| failed(&self.place, "read", e))?;
                Ok(rows.into_iter().map(signature).collect())
            }

            async fn sign(&self, s: &Signature) -> Result<(), StoreError> {
                add_signature!(&self.pool, s).map_err(|e| failed(&self.place, "written", e))?;
                Ok(())
            }

            async fn contents(&self) -> Result<Contents, StoreError> {
                let wrong = |e| failed(&self.place, "read", e);
                let mut tx = self.pool.begin_with(Self::BEGIN_SNAPSHOT).await.map_err(wrong)?;
                let lines: Vec<(String, String)> =
                    sqlx::query_as(ALL_LINES).fetch_all(&mut *tx).await.map_err(wrong)?;
                let mut courses: Vec<(String, String)> = Vec::new();
                for (patient, line) in lines {
                    if courses.last().is_none_or(|(last, _)| *last != patient) {
                        courses.push((patient, String::new()));
                    }
                    if let Some((_, text)) = courses.last_mut() {
                        text.push_str(&line);
                        text.push('\n');
                    }
                }
                let rows: Vec<(String, String, String, i64, i64, String)> =
                    sqlx::query_as(ALL_RECORDINGS).fetch_all(&mut *tx).await.map_err(wrong)?;
                let kept = |(key, patient, request, first, events, recorded)| KeptRecording {
                    key,
                    patient,
                    request,
                    first,
                    events,
                    recorded,
                };
                let recordings = rows.into_iter().map(kept).collect();
                let rows: Vec<(String, String, String, String, String)> =
                    sqlx::query_as(ALL_AUDIT).fetch_all(&mut *tx).await.map_err(wrong)?;
                let entry =
                    |(at, who, what, patient, detail)| Audit { at, who, what, patient, detail };
                let audit = rows.into_iter().map(entry).collect();
                let rows: Vec<JobRow> =
                    sqlx::query_as(ALL_JOBS).fetch_all(&mut *tx).await.map_err(wrong)?;
                let jobs = rows.into_iter().map(job).collect();
                let rows: Vec<AccountRow> =
                    sqlx::query_as(ACCOUNTS).bind("").fetch_all(&mut *tx).await.map_err(wrong)?;
                let accounts = rows.into_iter().map(account).collect();
                let rows: Vec<(String, String, String, String)> =
                    sqlx::query_as(PLACEMENTS).fetch_all(&mut *tx).await.map_err(wrong)?;
                let placements = rows.into_iter().map(placement).collect();
                let rows: Vec<SignatureRow> =
                    sqlx::query_as(SIGNATURES).bind("").fetch_all(&mut *tx).await.map_err(wrong)?;
                let signatures = rows.into_iter().map(signature).collect();
                Ok(Contents { courses, recordings, audit, jobs, accounts, placements, signatures })
            }

            async fn fill(
                &self,
                courses: &[(String, KeyedLines)],
                rest: &Contents,
            ) -> Result<bool, StoreError> {
                let wrong = |e| failed(&self.place, "written", e);
                let mut tx = self.pool.begin_with(Self::BEGIN).await.map_err(wrong)?;
                for table in [SOME_EVENT, SOME_AUDIT, SOME_JOB] {
                    let there: Option<i32> =
                        sqlx::query_scalar(table).fetch_optional(&mut *tx).await.map_err(wrong)?;
                    if there.is_some() {
                        return Ok(false);
                    }
                }
                for (patient, lines) in courses {
                    for (place, (l, key)) in (0_i64..).zip(lines) {
                        add_event!(&mut *tx, *patient, place, l, *key).map_err(wrong)?;
                    }
                }
                for r in &rest.recordings {
                    put!(
                        &mut *tx,
                        ADD_RECORDING,
                        r.key,
                        r.patient,
                        r.request,
                        r.first,
                        r.events,
                        r.recorded
                    )
                    .map_err(wrong)?;
                }
                for a in &rest.audit {
                    add_audit!(&mut *tx, a).map_err(wrong)?;
                }
                for j in &rest.jobs {
                    add_job!(&mut *tx, j).map_err(wrong)?;
                }
                for a in &rest.accounts {
                    put_account!(&mut *tx, a).map_err(wrong)?;
                }
                for p in &rest.placements {
                    add_placement!(&mut *tx, p).map_err(wrong)?;
                }
                for s in &rest.signatures {
                    add_signature!(&mut *tx, s).map_err(wrong)?;
                }
                tx.commit().await.map_err(wrong)?;
                Ok(true)
            }

            async fn close(&self) {
                self.pool.close().await;
            }
        }
    };
}

store!(Sqlite);
store!(Postgres);
