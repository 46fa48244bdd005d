//! A pool of connections to a server. It sends nothing when a connection is lent or comes back, unless it lay idle: a ping at each
//! turn costs a fifth of a small request. What is broken is found by who uses it; then all that were idle at that moment are
//! dropped unseen, since as a rule the server went.
//!
//! Whoever holds a connection may vanish at any moment: what they left under way is ended before it is lent again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mosaic_core::{Error, ErrorKind, Result, Retry};
use sqlx::{Connection as _, PgConnection};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use super::config::Server;
use crate::connection::{Connections, Lease, SETTINGS, Work};

/// How long a caller waits for a connection that is free.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// A failure to connect is everybody's for so long.
const FRESH: Duration = Duration::from_millis(500);
/// A connection that lay idle for longer is asked whether it still is one.
const IDLE: Duration = Duration::from_secs(1);
/// How long it may take to answer that: less than whoever asks after the storage's health waits, or each of them would find out about
/// one dead connection, and none about all.
const PING: Duration = Duration::from_secs(1);
/// A connection is replaced at this age, so that what the server keeps for it does not grow for ever, and a name that leads elsewhere
/// by now is looked up again.
const AGE: Duration = Duration::from_secs(30 * 60);
/// What somebody left under way has so long to come to its end; then the connection is dropped.
const CLEAN_UP: Duration = Duration::from_secs(1);
/// How often the server looks whether anybody waits for its answer any more, while it is at work.
const ATTENTION: Duration = Duration::from_millis(500);
/// How much later than the server itself the gateway ends a statement: its word says more.
const GRACE: Duration = Duration::from_secs(1);
/// The deadline of [`Work::Bulk`].
const BULK: Duration = Duration::from_secs(120);
/// The deadline of [`Work::Maintenance`].
const MAINTENANCE: Duration = Duration::from_secs(600);
/// The deadline of [`Work::Index`] and [`Work::Snapshot`].
const INDEX: Duration = Duration::from_secs(24 * 3_600);

/// What a server says to a setting that its system cannot do (the Postgres manual, appendix A).
const INVALID_PARAMETER_VALUE: &str = "22023";

/// Connections to a server, made as they are needed.
pub struct ServerConnections(Arc<Pool>);

struct Pool {
    server: Server,
    /// The one that came back last is lent first; others stay idle, and are few.
    idle: Mutex<Vec<Live>>,
    /// A permit for each connection that may be out.
    room: Arc<Semaphore>,
    /// Counts how often a connection was found broken.
    breaks: AtomicU64,
    closing: AtomicBool,
    /// Why the last attempt to connect failed, and when.
    failure: Mutex<Option<(Instant, Error)>>,
    /// Whether the server can see that a connection was closed: it can on most systems.
    is_attentive: AtomicBool,
    runtime: Handle,
}

struct Live {
    connection: PgConnection,
    born: Instant,
    back: Instant,
    /// What [`Pool::breaks`] was when it was made: it is no older than that.
    breaks: u64,
    /// The work that its statements are limited for.
    limited: Work,
}

impl ServerConnections {
    /// A pool without a connection. To be made in the runtime that the work runs in.
    pub fn new(server: Server) -> Self {
        let room = Arc::new(Semaphore::new(server.max_connections as usize));
        Self(Arc::new(Pool {
            server,
            idle: Mutex::default(),
            room,
            breaks: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            failure: Mutex::default(),
            is_attentive: AtomicBool::new(true),
            runtime: Handle::current(),
        }))
    }
}

#[async_trait]
impl Connections for ServerConnections {
    async fn lease(&self, work: Work) -> Result<Box<dyn Lease>> {
        let pool = &self.0;
        if pool.closing.load(Ordering::Relaxed) {
            return Err(closed());
        }
        let permit = match work {
            // Hours of it take no other's place, and are not waited for at the end.
            Work::Index | Work::Snapshot => None,
            _ => Some(match timeout(PATIENCE, Arc::clone(&pool.room).acquire_owned()).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(_)) => return Err(closed()),
                Err(_) => return Err(pool.failed_lately(PATIENCE * 2).unwrap_or_else(|| pool.busy())),
            }),
        };
        let live = pool.one_for(work).await?;
        let due = Instant::now() + pool.time_for(work) + GRACE;
        Ok(Box::new(ServerLease { live: Some(live), permit, due, pool: Arc::clone(pool) }))
    }

    async fn close(&self) -> Result<()> {
        let pool = &self.0;
        pool.closing.store(true, Ordering::Relaxed);
        // Those that are out end by their deadlines.
        let all = pool.room.acquire_many(pool.server.max_connections);
        let back = timeout(pool.server.statement_timeout + GRACE + CLEAN_UP, all).await.is_ok();
        pool.room.close();
        let idle = std::mem::take(&mut *pool.idle.lock().unwrap_or_else(PoisonError::into_inner));
        let goodbyes = idle.into_iter().map(|live| tokio::spawn(timeout(CLEAN_UP, live.connection.close())));
        for goodbye in goodbyes.collect::<Vec<_>>() {
            let _ = goodbye.await;
        }
        if !back {
            tracing::warn!("connections that were still at work were cut off");
        }
        Ok(())
    }
}

impl Pool {
    /// A connection that is set up for the work.
    async fn one_for(&self, work: Work) -> Result<Live> {
        loop {
            let mut live = match self.idle_one().await {
                Some(live) => live,
                None => self.connect().await?,
            };
            if live.limited == work {
                return Ok(live);
            }
            match timeout(PING, self.limit(&mut live.connection, work)).await {
                Ok(Ok(())) => return Ok(Live { limited: work, ..live }),
                // Not the next of those that are as old; and when a new one cannot be had, that is said.
                _ => self.broke(live.breaks),
            }
        }
    }

    /// An idle connection that works.
    async fn idle_one(&self) -> Option<Live> {
        loop {
            let mut live = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if live.breaks != self.breaks.load(Ordering::Relaxed) {
                continue;
            }
            if live.back.elapsed() < IDLE {
                return Some(live);
            }
            match timeout(PING, live.connection.ping()).await {
                Ok(Ok(())) => return Some(live),
                _ => self.broke(live.breaks),
            }
        }
    }

    /// Connects. A moment after that has failed, nobody else waits for the same.
    async fn connect(&self) -> Result<Live> {
        if let Some(error) = self.failed_lately(FRESH) {
            return Err(error);
        }
        let outcome = self.try_connect().await;
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) =
            outcome.as_ref().err().map(|error| (Instant::now(), error.repeated()));
        outcome
    }

    fn failed_lately(&self, within: Duration) -> Option<Error> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().filter(|(at, _)| at.elapsed() < within).map(|(_, error)| error.repeated())
    }

    async fn try_connect(&self) -> Result<Live> {
        let breaks = self.breaks.load(Ordering::Relaxed);
        let mut connection = self.server.connect(CONNECT).await.map_err(|error| self.away(error))?;
        let set = async {
            sqlx::raw_sql(SETTINGS).execute(&mut connection).await?;
            self.limit(&mut connection, Work::Request).await
        };
        match timeout(CONNECT, set).await {
            Ok(set) => set.map_err(crate::error::from_sqlx)?,
            Err(_) => return Err(self.server.about(self.server.silent(CONNECT))),
        }
        let now = Instant::now();
        Ok(Live { connection, born: now, back: now, breaks, limited: Work::Request })
    }

    /// Has the server end statements that take longer than this work may, and those that nobody waits for. Whoever goes silent in a
    /// transaction, and holds its locks, is ended too.
    async fn limit(&self, connection: &mut PgConnection, work: Work) -> sqlx::Result<()> {
        const LIMIT: &str = "SELECT set_config('statement_timeout', $1, false), \
            set_config('idle_in_transaction_session_timeout', $1, false), set_config('client_connection_check_interval', $2, false)";
        let limit = format!("{}ms", self.time_for(work).as_millis());
        // An index that is half made is made to the end, though the gateway that began it is gone.
        if work != Work::Index && self.is_attentive.load(Ordering::Relaxed) {
            let attention = format!("{}ms", ATTENTION.as_millis());
            match sqlx::query(LIMIT).bind(&limit).bind(attention).execute(&mut *connection).await {
                Err(sqlx::Error::Database(report)) if report.code().as_deref() == Some(INVALID_PARAMETER_VALUE) => {
                    self.is_attentive.store(false, Ordering::Relaxed);
                }
                outcome => return outcome.map(drop),
            }
        }
        sqlx::query(LIMIT).bind(limit).bind("0").execute(connection).await.map(drop)
    }

    fn time_for(&self, work: Work) -> Duration {
        match work {
            Work::Request => self.server.statement_timeout,
            Work::Bulk => BULK,
            Work::Maintenance => MAINTENANCE,
            Work::Index | Work::Snapshot => INDEX,
        }
    }

    /// Remembers that a connection of this beginning was broken. One break is counted once, however many find it.
    fn broke(&self, breaks: u64) {
        let _ = self.breaks.compare_exchange(breaks, breaks + 1, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Takes a connection back, with nothing under way on it.
    fn take_back(&self, live: Live) {
        if live.breaks != self.breaks.load(Ordering::Relaxed) {
            return;
        }
        if live.born.elapsed() > AGE || matches!(live.limited, Work::Index | Work::Snapshot) || self.closing.load(Ordering::Relaxed) {
            self.runtime.spawn(timeout(CLEAN_UP, live.connection.close()));
            return;
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(Live { back: Instant::now(), ..live });
    }

    /// Ends what was left under way, and takes the connection back.
    async fn clean_up(self: Arc<Self>, mut live: Live, permit: Option<OwnedSemaphorePermit>) {
        // sqlx does not know of a transaction whose BEGIN was cut off, so the rollback is not left to it.
        match timeout(CLEAN_UP, sqlx::raw_sql("ROLLBACK").execute(&mut live.connection)).await {
            // What was broken off may have a lock that lasts as long as the connection.
            Ok(Ok(_)) if !matches!(live.limited, Work::Maintenance | Work::Index | Work::Snapshot) => self.take_back(live),
            Ok(Ok(_)) => drop(live.connection.close().await),
            Ok(Err(_)) => self.broke(live.breaks),
            // Without its connection the server ends it, and until then has one more at work.
            Err(_) => {
                drop(live);
                sleep(2 * ATTENTION).await;
            }
        }
        drop(permit);
    }

    fn busy(&self) -> Error {
        let busy = Error::new(ErrorKind::Unavailable, "all connections to postgres are at work")
            .with("max_connections", self.server.max_connections)
            .with("waited_seconds", PATIENCE.as_secs());
        self.server.about(busy).hint(format!("try again in a moment; if it stays so, raise {}.max_connections", self.server.key))
    }

    /// A server that was good when the gateway opened, and is not any more. What its operator does about it, such as to set the password
    /// anew, is no fault of the gateway, and passes.
    fn away(&self, error: Error) -> Error {
        if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout) {
            return error;
        }
        self.server.about(Error::new(ErrorKind::Unavailable, "postgres does not let the gateway in any more")).source(error)
    }

    fn overdue(&self) -> Error {
        let overdue = Error::new(ErrorKind::Timeout, "postgres did not answer by the deadline of the work");
        self.server.about(overdue).hint("look whether the server hangs, or the network to it").retry(Retry::Unknown)
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "the connections to postgres are closed").hint("start the gateway again")
}

/// A connection, lent.
struct ServerLease {
    // Gone only when the lease is.
    live: Option<Live>,
    /// Its place among the connections, unless it takes none.
    permit: Option<OwnedSemaphorePermit>,
    due: Instant,
    pool: Arc<Pool>,
}

impl Lease for ServerLease {
    fn connection(&mut self) -> &mut PgConnection {
        match &mut self.live {
            Some(live) => &mut live.connection,
            None => unreachable!("a lease has its connection until it is settled or dropped, and is gone then"),
        }
    }

    fn due(&self) -> Option<Instant> {
        Some(self.due)
    }

    fn broken(&self) -> Option<Error> {
        (Instant::now() >= self.due).then(|| self.pool.overdue())
    }

    fn settled(mut self: Box<Self>) {
        if let Some(live) = self.live.take() {
            self.pool.take_back(live);
        }
    }

    fn lost(mut self: Box<Self>) {
        if let Some(live) = self.live.take() {
            self.pool.broke(live.breaks);
        }
    }
}

impl Drop for ServerLease {
    fn drop(&mut self) {
        if let Some(live) = self.live.take() {
            if Instant::now() < self.due {
                self.pool.runtime.spawn(Arc::clone(&self.pool).clean_up(live, self.permit.take()));
            } else {
                // The server would have ended it before, if it still heard of it. Others of that age are as dead.
                self.pool.broke(live.breaks);
            }
        }
    }
}
