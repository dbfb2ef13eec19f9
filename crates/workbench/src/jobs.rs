//! Long work: one job at a time, in the order asked, kept in the store. What a restart cut off is
//! begun again.

use crate::problem::Problem;
use crate::server::App;
use crate::store::{Job, JobState};
use crate::{plans, verifications};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, watch};
use utoipa::ToSchema;

/// Jobs that may wait.
const MAX_WAITING: usize = 20;

/// How far a job has come.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Progress {
    /// How it stands.
    pub state: JobState,
    /// What is being done, or the result, or the error, in words.
    pub said: String,
    /// Part that is done, 0 to 1.
    pub done: f64,
}

/// Where jobs are handed in, and progress is told.
#[derive(Debug)]
pub struct Board {
    queue: mpsc::Sender<String>,
    told: Mutex<HashMap<String, watch::Sender<Progress>>>,
}

impl Board {
    /// A board, and what a worker takes from.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<String>) {
        let (queue, work) = mpsc::channel(MAX_WAITING);
        (Self { queue, told: Mutex::default() }, work)
    }

    /// Progress of a job that waits or runs.
    #[must_use]
    pub fn watch(&self, id: &str) -> Option<watch::Receiver<Progress>> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.get(id).map(watch::Sender::subscribe)
    }

    fn enter(&self, id: &str) -> Result<(), Problem> {
        let waiting = Progress { state: JobState::Queued, said: "waits".to_owned(), done: 0.0 };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(id.to_owned(), watch::Sender::new(waiting));
        self.queue.try_send(id.to_owned()).map_err(|_| {
            told.remove(id);
            Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "queue",
                format!("{MAX_WAITING} jobs wait already; ask again when some are done"),
            )
        })
    }

    fn tell(&self, id: &str, progress: Progress) {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = told.get(id) {
            sender.send_replace(progress);
        }
    }

    fn leave(&self, id: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.remove(id);
    }
}

/// Hands in a job.
///
/// # Errors
/// When too many wait, or the store cannot be written.
pub async fn ask(app: &App, kind: &str, patient: &str, asked: String) -> Result<Job, Problem> {
    let job = Job {
        id: uuid::Uuid::new_v4().to_string(),
        kind: kind.to_owned(),
        patient: patient.to_owned(),
        asked,
        state: JobState::Queued,
        said: String::new(),
        who: app.who(),
        created: Timestamp::now().to_string(),
        finished: None,
    };
    app.store.add_job(&job).await?;
    if let Err(problem) = app.board.enter(&job.id) {
        let now = Some(Timestamp::now());
        app.store.move_job(&job.id, JobState::Failed, &problem.detail, now).await?;
        return Err(problem);
    }
    Ok(job)
}

/// Does one job after the other, first those that a restart cut off.
pub(crate) async fn work(app: Arc<App>, mut queue: mpsc::Receiver<String>) {
    match app.store.jobs(None).await {
        Ok(mut jobs) => {
            jobs.reverse();
            let open = |j: &Job| matches!(j.state, JobState::Queued | JobState::Running);
            for job in jobs.into_iter().filter(open) {
                // Handed in again; what does not fit is said to have failed.
                if let Err(p) = app.board.enter(&job.id) {
                    finish(&app, &job.id, Err(p.detail)).await;
                }
            }
        }
        Err(e) => eprintln!("warning: jobs of before cannot be read ({e})"),
    }
    while let Some(id) = queue.recv().await {
        let job = match app.store.job(&id).await {
            Ok(Some(job)) if job.state != JobState::Done => job,
            _ => continue,
        };
        let said = match app.store.move_job(&id, JobState::Running, "", None).await {
            Ok(()) => run(&app, job).await,
            Err(e) => Err(e.to_string()),
        };
        finish(&app, &id, said).await;
    }
}

/// What a job does: it tells how far it is, and gives its result in a sentence.
type Work = Box<dyn FnOnce(&dyn Fn(&str, f64)) -> Result<String, String> + Send>;

async fn work_of(app: &App, job: &Job) -> Result<Work, String> {
    match job.kind.as_str() {
        plans::KIND => {
            let order = plans::Order::read(app, job).await?;
            Ok(Box::new(move |tell| plans::make(&order, tell)))
        }
        verifications::KIND => {
            let order = verifications::Order::read(app, job).await?;
            Ok(Box::new(move |tell| verifications::make(&order, tell)))
        }
        other => Err(format!("the job is of the kind `{other}`, which this version does not know")),
    }
}

async fn run(app: &Arc<App>, job: Job) -> Result<String, String> {
    let work = work_of(app, &job).await?;
    let (teller, id) = (Arc::clone(app), job.id.clone());
    let tell = move |said: &str, done: f64| {
        teller.board.tell(&id, Progress { state: JobState::Running, said: said.to_owned(), done });
    };
    // A panic in there is a fault of the program; the server goes on.
    tokio::task::spawn_blocking(move || work(&tell))
        .await
        .unwrap_or_else(|e| Err(format!("the work broke off: a fault of the program ({e})")))
}

async fn finish(app: &App, id: &str, said: Result<String, String>) {
    let (state, said) = match said {
        Ok(said) => (JobState::Done, said),
        Err(said) => (JobState::Failed, said),
    };
    if let Err(e) = app.store.move_job(id, state, &said, Some(Timestamp::now())).await {
        eprintln!("warning: {e}");
    }
    app.board.tell(id, Progress { state, said, done: 1.0 });
    app.board.leave(id);
}
