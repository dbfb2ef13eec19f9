//! The server: state, routes, beginning and end.

use crate::jobs::{self, Board};
use crate::people::{self, People};
use crate::problem::Problem;
use crate::site::SiteError;
use crate::store::{self, Store, StoreError};
use crate::tls::{Tls, TlsListener};
use crate::{access, api, desk, examples, folders, guard, pages, trials};
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::{Router, middleware};
use hepatica_phantom::Options as PhantomOptions;
use std::fs::{File, TryLockError};
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_rustls::TlsAcceptor;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::timeout::TimeoutLayer;

/// Most bytes of what is sent: a course file of a hundred thousand events.
const MAX_BODY: usize = 64 << 20;
/// Longest that a request may take; progress of jobs has its own pace.
const LONGEST: Duration = Duration::from_secs(60);
/// How long requests that are being answered are waited for at the end.
const PATIENCE: Duration = Duration::from_secs(2);
/// Changes that a slow listener may be behind.
const CHANGES: usize = 256;

/// How the workbench is started.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens; beyond this machine only with TLS and accounts.
    pub listen: SocketAddr,
    /// Folder of store, cases and plans.
    pub data: PathBuf,
    /// Address of a PostgreSQL database; none: SQLite in the data folder.
    pub database: Option<String>,
    /// Who works with it: the user of the machine.
    pub who: String,
    /// Whether the example patients are made when the store is empty.
    pub examples: bool,
    /// How the built-in case is imaged.
    pub phantom: PhantomOptions,
    /// How people reach it.
    pub access: Access,
}

/// How people reach a workbench.
#[derive(Debug, Clone)]
pub struct Access {
    /// Names it is opened by, beside those of this machine.
    pub hosts: Vec<String>,
    /// Certificate and key: with them it speaks TLS.
    pub tls: Option<Tls>,
    /// How long a session lasts without being used.
    pub idle: Duration,
    /// How long a session lasts at all.
    pub longest: Duration,
}

impl Default for Access {
    fn default() -> Self {
        let (idle, longest) = (Duration::from_secs(30 * 60), Duration::from_secs(12 * 60 * 60));
        Self { hosts: Vec::new(), tls: None, idle, longest }
    }
}

/// Why it cannot be started: one sentence.
#[derive(Debug, Error)]
pub enum WorkbenchError {
    /// Where it should listen.
    #[error("{0}")]
    Listen(String),
    /// The port.
    #[error("{address}: cannot be listened on ({source}); choose another --listen")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Another workbench.
    #[error(
        "{}: another workbench runs on this data folder; open that one, or choose another --data", .folder.display()
    )]
    InUse {
        /// The data folder.
        folder: PathBuf,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The examples.
    #[error("the example patients cannot be made: {0}")]
    Examples(String),
    /// The user's folders.
    #[error("this user has no data folder; say one with --data FOLDER")]
    NoFolder,
    /// A site that moves.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The machine.
    #[error("the server broke off ({0})")]
    Io(#[from] std::io::Error),
}

/// Where the data are kept if nobody says: the user's data folder.
///
/// # Errors
/// When the environment names none.
pub fn default_data_folder() -> Result<PathBuf, WorkbenchError> {
    let var = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let folder = if cfg!(windows) {
        var("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        var("HOME").map(|h| h.join("Library/Application Support"))
    } else {
        var("XDG_DATA_HOME").or_else(|| var("HOME").map(|h| h.join(".local/share")))
    };
    folder.map(|f| f.join("hepatica")).ok_or(WorkbenchError::NoFolder)
}

/// A course that changed.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Change {
    /// The patient.
    pub patient: String,
    /// Hash of the last event now.
    pub head: String,
}

/// What every request can reach.
#[derive(Debug)]
pub struct App {
    /// Where courses are kept.
    pub store: Box<dyn Store>,
    /// Folder of cases, plans, scans and verifications.
    pub data: PathBuf,
    /// The user of the machine.
    pub user: String,
    /// Whether it is reached from this machine only.
    pub local: bool,
    /// Whether it speaks TLS.
    pub secure: bool,
    /// People who sign in.
    pub people: People,
    /// Long work.
    pub board: Board,
    /// Told when a course changes.
    pub changes: broadcast::Sender<Change>,
    /// How the built-in case is imaged.
    pub phantom: PhantomOptions,
}

impl App {
    /// Who asks now.
    #[must_use]
    pub fn who(&self) -> String {
        people::current().map_or_else(|| self.user.clone(), |w| w.name)
    }

    /// Notes in the audit trail that something of a patient was read.
    ///
    /// # Errors
    /// When it cannot be noted: then it is not shown.
    pub async fn note_read(&self, patient: &str, what: &str) -> Result<(), Problem> {
        Ok(self.store.audit(&desk::audit(&self.who(), "read", patient, what)).await?)
    }

    /// Tells who listens that a course has changed.
    pub fn tell(&self, patient: &str, head: &str) {
        // Nobody may listen.
        let _ = self.changes.send(Change { patient: patient.to_owned(), head: head.to_owned() });
    }
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    app: Arc<App>,
    router: Router,
    worker: tokio::task::JoinHandle<()>,
    /// Held as long as it runs; the machine lets go of it when the program ends, however it ends.
    _lock: File,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("listener", &self.listener).finish_non_exhaustive()
    }
}

/// Takes a data folder for this program alone.
fn lock(data: &Path) -> Result<File, WorkbenchError> {
    let path = data.join(".lock");
    let wrong = |source| WorkbenchError::Store(StoreError::Folder { path: path.clone(), source });
    let file = File::create(&path).map_err(wrong)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(WorkbenchError::InUse { folder: data.to_owned() }),
        Err(TryLockError::Error(e)) => Err(wrong(e)),
    }
}

fn forget_unfinished(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(folders::MAKING) {
            // It only takes room: the next start tries again.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

impl Server {
    /// Listens, opens the store, and makes the examples where it is empty.
    ///
    /// # Errors
    /// One sentence.
    pub async fn bind(config: Config) -> Result<Self, WorkbenchError> {
        let access = &config.access;
        let may_have_accounts =
            config.database.is_some() || store::sqlite_in(&config.data).is_file();
        guard::check_listen(config.listen, access, may_have_accounts)
            .map_err(WorkbenchError::Listen)?;
        let local = config.listen.ip().is_loopback();
        let acceptor = access.tls.as_ref().map(Tls::acceptor).transpose();
        let acceptor = acceptor.map_err(WorkbenchError::Listen)?;
        let people = People::new(access.idle, access.longest).map_err(WorkbenchError::Listen)?;
        // First: where another workbench listens already, nothing is made.
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|source| WorkbenchError::Bind { address: config.listen, source })?;
        let folder = |path: &Path| {
            std::fs::create_dir_all(path).map_err(|source| {
                WorkbenchError::Store(StoreError::Folder { path: path.to_owned(), source })
            })
        };
        folder(&config.data)?;
        let lock = lock(&config.data)?;
        for name in ["cases", "plans", "scans", "verifications"] {
            let path = config.data.join(name);
            folder(&path)?;
            // What a run that was cut off had begun.
            forget_unfinished(&path);
        }
        let store = store::open(&config.data, config.database.as_deref()).await?;
        let accounts = store.has_accounts().await?;
        guard::check_listen(config.listen, access, accounts).map_err(WorkbenchError::Listen)?;
        if config.examples && local && !accounts && store.heads().await?.is_empty() {
            examples::make(&*store).await.map_err(|p| WorkbenchError::Examples(p.detail))?;
        }
        let (board, queue) = Board::new();
        let app = Arc::new(App {
            store,
            data: config.data,
            user: config.who,
            local,
            secure: acceptor.is_some(),
            people,
            board,
            changes: broadcast::Sender::new(CHANGES),
            phantom: config.phantom,
        });
        let worker = tokio::spawn(jobs::work(Arc::clone(&app), queue));
        let mut hosts = config.access.hosts;
        hosts.push(config.listen.ip().to_string());
        let router = router(Arc::clone(&app), hosts);
        Ok(Self { listener, acceptor, app, router, worker, _lock: lock })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the machine does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `end` comes.
    ///
    /// # Errors
    /// When the machine refuses.
    pub async fn run(
        self,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), WorkbenchError> {
        match self.acceptor {
            Some(acceptor) => {
                let listener = TlsListener::new(self.listener, acceptor)?;
                axum::serve(listener, self.router).with_graceful_shutdown(end).await?;
            }
            None => axum::serve(self.listener, self.router).with_graceful_shutdown(end).await?,
        }
        self.worker.abort();
        self.app.store.close().await;
        Ok(())
    }
}

fn router(app: Arc<App>, hosts: Vec<String>) -> Router {
    let gates = Arc::new(guard::Hosts { names: hosts, secure: app.secure });
    // Images are compressed already, and events must not wait in a buffer.
    let compressed = DefaultPredicate::new()
        .and(NotForContentType::new("application/gzip"))
        .and(NotForContentType::new("application/pdf"));
    Router::new()
        .merge(pages::routes())
        .merge(api::routes())
        .merge(trials::routes())
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, LONGEST))
        .layer(CompressionLayer::new().compress_when(compressed))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), access::gate))
        .layer(middleware::from_fn_with_state(gates, guard::guard))
        .with_state(app)
}

/// Starts the workbench and answers until it is interrupted. `ready` is told where it listens.
///
/// # Errors
/// One sentence.
pub fn serve(config: Config, ready: impl FnOnce(SocketAddr)) -> Result<(), WorkbenchError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let server = Server::bind(config).await?;
        ready(server.address()?);
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let interrupted = async move {
            interrupt().await;
            let _ = tell.send(());
            // Pages that follow changes stay connected for as long as they are open.
            tokio::time::sleep(PATIENCE).await;
        };
        tokio::select! {
            done = server.run(async { told.await.unwrap_or_default() }) => done,
            () = interrupted => Ok(()),
        }
    });
    // A plan that is being made is made again at the next start.
    runtime.shutdown_background();
    done
}

/// Waits for the user or the machine to end the program.
async fn interrupt() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = tokio::signal::ctrl_c() => return,
            }
        }
    }
    // Without a handler the interrupt ends the program at once, which loses nothing.
    let _ = tokio::signal::ctrl_c().await;
}

impl From<WorkbenchError> for Problem {
    fn from(e: WorkbenchError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server", e.to_string())
    }
}
