//! The one connection to the engine, and how it is lent: first come, first served, each time with a deadline. Whoever
//! holds it may vanish at any moment; what they left under way is finished or rolled back before it is lent again.
//! What must not come in: how an engine is started or replaced. [`crate::supervisor`] does that, and brings and takes
//! the connection here.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mosaic_core::{Error, ErrorKind, Result, Retry};
use mosaic_sql::connection::{Connections, Lease, SETTINGS, Work};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;

use crate::directory::{self, Layout};
use crate::open::blocking;
use crate::sockets::PORT;

/// How much longer than one statement's deadline a caller waits for the connection: so those behind a statement that hangs
/// outlast it, and the engine's replacement. So does the end.
const PATIENCE: Duration = Duration::from_secs(5);
/// The deadline of [`Work::Bulk`].
const BULK: Duration = Duration::from_secs(120);
/// The deadline of [`Work::Maintenance`].
const MAINTENANCE: Duration = Duration::from_secs(600);

/// Connects to the engine whose socket is in `sockets`, and runs a first statement, which is the slow one.
pub(crate) async fn connect(sockets: &Path) -> sqlx::Result<PgConnection> {
    let options = PgConnectOptions::new_without_pgpass()
        .socket(sockets)
        .port(PORT)
        .username("postgres")
        .database("postgres")
        .ssl_mode(PgSslMode::Disable)
        .disable_statement_logging();
    let mut connection = options.connect().await?;
    sqlx::raw_sql(SETTINGS).execute(&mut connection).await?;
    Ok(connection)
}

/// One engine's time, from its start to its end.
#[derive(Debug)]
pub(crate) struct Life {
    number: u64,
    ended: OnceLock<Ending>,
}

/// How an engine's time ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Ending {
    /// A statement did not end by its deadline.
    Overdue(Work, Duration),
    /// It died, or its connection did.
    Lost,
}

/// A connection, and whose it is.
struct Live {
    connection: PgConnection,
    life: Arc<Life>,
}

/// The deadline of the work under way, kept for the watchdog.
#[derive(Debug, Default)]
struct Watch {
    due: Option<Due>,
    /// When the watchdog looks next; `None` when it waits to be woken.
    looks_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Due {
    at: Instant,
    life: u64,
    ending: Ending,
}

/// Where the connection is kept and lent from.
pub(crate) struct Pool {
    home: Mutex<Option<Live>>,
    /// Has one permit while the connection is at home. Waiters are served in order.
    free: Semaphore,
    watch: Mutex<Watch>,
    wake_watchdog: Notify,
    /// The number of the last life whose connection was found broken.
    broken: watch::Sender<u64>,
    closing: watch::Sender<bool>,
    ended: watch::Sender<bool>,
    lives: AtomicU64,
    requests: AtomicU64,
    request_limit: Duration,
    layout: Layout,
    runtime: Handle,
}

impl Pool {
    /// One without a connection. To be made in the runtime that the work runs in.
    pub(crate) fn new(request_limit: Duration, layout: Layout) -> Arc<Self> {
        Arc::new(Self {
            home: Mutex::default(),
            free: Semaphore::new(0),
            watch: Mutex::default(),
            wake_watchdog: Notify::new(),
            broken: watch::Sender::new(0),
            closing: watch::Sender::new(false),
            ended: watch::Sender::new(false),
            lives: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            request_limit,
            layout,
            runtime: Handle::current(),
        })
    }

    /// Takes in the connection of a new engine, and lends it from now on.
    pub(crate) fn bring(&self, connection: PgConnection) -> Arc<Life> {
        let life = Arc::new(Life { number: self.lives.fetch_add(1, Ordering::Relaxed) + 1, ended: OnceLock::new() });
        lock(&self.watch).due = None;
        self.put_home(Live { connection, life: Arc::clone(&life) });
        life
    }

    /// Gives up the connection of an engine that has ended, or is about to be ended for this reason.
    pub(crate) fn lose(&self, life: &Life, ending: Ending) {
        let _ = life.ended.set(ending);
        if lock(&self.home).take().is_some() {
            // Whoever has taken the permit meanwhile finds nothing, and waits on.
            self.free.forget_permits(1);
        }
    }

    /// Resolves when the work under way in this life has passed its deadline, with what that means.
    pub(crate) async fn overdue(&self, life: &Life) -> Ending {
        loop {
            let due = {
                let mut watch = lock(&self.watch);
                let due = watch.due.filter(|due| due.life == life.number);
                watch.looks_at = due.map(|due| due.at);
                due
            };
            match due {
                Some(due) if due.at <= Instant::now() => return due.ending,
                Some(due) => tokio::select! {
                    () = tokio::time::sleep_until(due.at) => {}
                    () = self.wake_watchdog.notified() => {}
                },
                None => self.wake_watchdog.notified().await,
            }
        }
    }

    /// Resolves when the connection of this life was found broken.
    pub(crate) async fn broken(&self, life: &Life) {
        // The sender is ours, so the wait ends only when the condition holds.
        let _ = self.broken.subscribe().wait_for(|&number| number >= life.number).await;
    }

    /// Lends no more, from now on.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Resolves when closing was asked for.
    pub(crate) async fn closing(&self) {
        let _ = self.closing.subscribe().wait_for(|&closing| closing).await;
    }

    /// Resolves when closing was asked for and the connection is back, with the connection; without it when it does not come back in time.
    pub(crate) async fn closed(&self) -> Option<PgConnection> {
        self.closing().await;
        let live = tokio::time::timeout(self.patience(), self.take()).await.ok()?;
        live.ok().map(|live| live.connection)
    }

    fn patience(&self) -> Duration {
        self.request_limit + PATIENCE
    }

    /// Resolves when nothing will ever be lent again.
    pub(crate) async fn ended(&self) {
        let _ = self.ended.subscribe().wait_for(|&ended| ended).await;
    }

    /// Says that nothing will ever be lent again.
    pub(crate) fn end(&self) {
        self.close();
        self.free.close();
        self.ended.send_replace(true);
    }

    /// How often the connection was asked for, except by maintenance.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Lends the connection.
    ///
    /// # Errors
    /// As [`Connections::lease`].
    pub(crate) async fn lend(self: &Arc<Self>, work: Work) -> Result<EngineLease> {
        if *self.closing.borrow() {
            return Err(closed());
        }
        let patience = self.patience();
        if let Ok(live) = tokio::time::timeout(patience, self.take()).await {
            return Ok(EngineLease { live: Some(self.watched(live?, work)), pool: Arc::clone(self) });
        }
        let layout = self.layout.clone();
        let lack = blocking(move || Ok(directory::lack_of_space(&layout))).await?;
        let busy = || {
            Error::new(ErrorKind::Unavailable, "the embedded engine is busy, or being replaced")
                .with("waited_seconds", patience.as_secs())
                .hint("try again in a moment")
        };
        Err(lack.unwrap_or_else(busy).retry(Retry::Safe))
    }

    async fn take(&self) -> Result<Live> {
        loop {
            self.free.acquire().await.map_err(|_| closed())?.forget();
            // Nothing is there when the engine was lost a moment ago.
            if let Some(live) = lock(&self.home).take() {
                return Ok(live);
            }
        }
    }

    fn watched(&self, live: Live, work: Work) -> Live {
        let limit = match work {
            Work::Request => self.request_limit,
            Work::Bulk => BULK,
            Work::Maintenance | Work::Index | Work::Snapshot => MAINTENANCE,
        };
        let at = Instant::now() + limit;
        let mut watch = lock(&self.watch);
        watch.due = Some(Due { at, life: live.life.number, ending: Ending::Overdue(work, limit) });
        // As a rule it looks before this deadline anyway, and need not be woken for each piece of work.
        if watch.looks_at.is_none_or(|looks_at| at < looks_at) {
            self.wake_watchdog.notify_one();
        }
        live
    }

    /// Takes the connection back, with nothing under way on it.
    fn take_back(&self, live: Live) {
        {
            let mut watch = lock(&self.watch);
            if watch.due.is_some_and(|due| due.life == live.life.number) {
                watch.due = None;
            }
        }
        self.put_home(live);
    }

    fn put_home(&self, live: Live) {
        let mut home = lock(&self.home);
        // Looked at under the lock: an engine that is lost at this moment takes its connection from here, or it never comes here.
        if live.life.ended.get().is_none() {
            *home = Some(live);
            self.free.add_permits(1);
        }
    }

    /// Finishes what was left under way, under the deadline that it began with, and takes the connection back.
    async fn clean_up(self: Arc<Self>, mut live: Live) {
        // What sqlx still has to send and to receive comes first. It does not know of a transaction whose BEGIN was cut
        // off, so the rollback is not left to it.
        match sqlx::raw_sql("ROLLBACK").execute(&mut live.connection).await {
            Ok(_) => self.take_back(live),
            Err(error) => {
                if live.life.ended.get().is_none() {
                    tracing::debug!(%error, "the connection to the embedded engine broke");
                }
                self.broken.send_if_modified(|number| {
                    let newer = live.life.number > *number;
                    *number = live.life.number.max(*number);
                    newer
                });
            }
        }
    }
}

fn overdue(work: Work, limit: Duration) -> Error {
    let error = Error::new(ErrorKind::Timeout, "the work was ended at its deadline").with("deadline_seconds", limit.as_secs());
    match work {
        Work::Request => {
            error.hint("ask for less at once, or raise local.statement_timeout_seconds (MOSAIC_LOCAL__STATEMENT_TIMEOUT_SECONDS)")
        }
        Work::Bulk | Work::Maintenance | Work::Index | Work::Snapshot => {
            error.hint("look whether other work keeps the machine's disk or processor busy")
        }
    }
}

fn lost() -> Error {
    Error::new(ErrorKind::Unavailable, "the embedded engine stopped during the work, and is being replaced")
        .retry(Retry::Unknown)
        .hint("try again in a moment; of a change that was under way, look first whether it was made")
}

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the embedded engine is closed").hint("start the gateway again")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The connection, lent.
pub(crate) struct EngineLease {
    // Gone only when the lease is.
    live: Option<Live>,
    pool: Arc<Pool>,
}

impl Lease for EngineLease {
    fn connection(&mut self) -> &mut PgConnection {
        match &mut self.live {
            Some(live) => &mut live.connection,
            None => unreachable!("a lease has its connection until it is settled or dropped, and is gone then"),
        }
    }

    fn broken(&self) -> Option<Error> {
        match self.live.as_ref()?.life.ended.get() {
            Some(Ending::Overdue(work, limit)) => Some(overdue(*work, *limit)),
            // The engine reports a full disk as an I/O error, or dies of it.
            ended => directory::lack_of_space(&self.pool.layout).or_else(|| ended.map(|_| lost())),
        }
    }

    fn settled(mut self: Box<Self>) {
        if let Some(live) = self.live.take() {
            self.pool.take_back(live);
        }
    }

    fn lost(self: Box<Self>) {
        // Looking at it while cleaning up shows whether it was the engine.
    }
}

impl Drop for EngineLease {
    fn drop(&mut self) {
        if let Some(live) = self.live.take() {
            self.pool.runtime.spawn(Arc::clone(&self.pool).clean_up(live));
        }
    }
}

/// The engine's connection, for `mosaic-sql`. Dropping it closes the engine, in the background.
pub(crate) struct EngineConnections(pub(crate) Arc<Pool>);

#[async_trait]
impl Connections for EngineConnections {
    async fn lease(&self, work: Work) -> Result<Box<dyn Lease>> {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(self.0.lend(work).await?))
    }

    fn are_many(&self) -> bool {
        false
    }

    async fn close(&self) -> Result<()> {
        self.0.close();
        self.0.ended().await;
        Ok(())
    }
}

impl Drop for EngineConnections {
    fn drop(&mut self) {
        self.0.close();
    }
}
