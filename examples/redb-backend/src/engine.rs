//! The database while it is open: transactions, each on a thread where it may block, whole or not at all whoever waits for it. What must
//! not come in: what is in the tables.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use mosaic_core::{Error, ErrorKind, Result, Retry};
use redb::{Database, ReadableDatabase as _};
use tokio::sync::Semaphore;

use crate::directory::Directory;
use crate::error::{closed, engine};
use crate::tables::{self, Draft, Snapshot};

/// How much of the database is kept in memory, in bytes.
const CACHE_BYTES: usize = 64 << 20;

pub(crate) struct Engine {
    /// Work holds it shared, and whoever opens or closes the database alone. `None` once it is closed.
    open: RwLock<Option<Open>>,
    /// The disk failed, and the database must be opened anew before it does anything more.
    failed: AtomicBool,
    /// One writes at a time, as the engine has it. Who waits does so here, where no thread is held up.
    turn: Arc<Semaphore>,
}

struct Open {
    // Before the directory, which is let go of last. `None` when it could not be opened anew after the disk failed.
    database: Option<Database>,
    directory: Directory,
}

impl Engine {
    /// Opens the database of a directory, and makes it where it is absent.
    pub(crate) fn open(directory: Directory) -> Result<Self> {
        if !directory.database().exists() {
            directory.adopt(|place| {
                let database = Database::create(place).map_err(engine)?;
                prepare(&database)?;
                database.close().map_err(engine)
            })?;
        }
        let database = open(&directory.database())?;
        prepare(&database)?;
        let open = RwLock::new(Some(Open { database: Some(database), directory }));
        Ok(Self { open, failed: AtomicBool::new(false), turn: Arc::new(Semaphore::new(1)) })
    }

    /// Runs reads, all of the same moment.
    pub(crate) async fn read<T: Send + 'static>(self: &Arc<Self>, work: impl FnOnce(&Snapshot) -> Result<T> + Send + 'static) -> Result<T> {
        let engine = Arc::clone(self);
        blocking(move || engine.with(|database| work(&snapshot(database)?))).await
    }

    /// Runs writes in a transaction: when their answer is `Ok`, they are on the disk, all of them; else none was done. A transaction
    /// that has begun goes on to its end when nobody waits for it any more.
    pub(crate) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Draft) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| closed())?;
        let engine = Arc::clone(self);
        blocking(move || {
            let _turn = turn;
            engine.with(|database| write(database, work))
        })
        .await
    }

    /// Removes everything, if `work` can be done first, and closes the database.
    pub(crate) async fn erase(self: &Arc<Self>, work: impl FnOnce(&mut Draft) -> Result<()> + Send + 'static) -> Result<()> {
        let engine = Arc::clone(self);
        blocking(move || {
            let mut open = engine.open.write().unwrap_or_else(PoisonError::into_inner);
            let database = open.as_ref().ok_or_else(closed)?.database.as_ref().ok_or_else(closed)?;
            let transaction = database.begin_write().map_err(crate::error::engine)?;
            work(&mut Draft::of(&transaction)?)?;
            tables::unmake(&transaction)?;
            transaction.commit().map_err(crate::error::engine)?;
            let Some(Open { database, directory }) = open.take() else { return Err(closed()) };
            drop(database);
            directory.clear()
        })
        .await
    }

    /// Waits for what has begun, and lets go of the database and its directory.
    pub(crate) async fn close(self: &Arc<Self>) -> Result<()> {
        let engine = Arc::clone(self);
        blocking(move || match engine.open.write().unwrap_or_else(PoisonError::into_inner).take() {
            Some(Open { database: Some(database), .. }) => database.close().map_err(crate::error::engine),
            _ => Ok(()),
        })
        .await
    }

    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T>) -> Result<T> {
        self.reopen()?;
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let database = open.as_ref().and_then(|open| open.database.as_ref()).ok_or_else(closed)?;
        let outcome = work(database);
        // Once its disk failed, the engine does no more; but a disk may recover: a full one does when room is made.
        if outcome.as_ref().is_err_and(|error| matches!(error.kind(), ErrorKind::Full | ErrorKind::Unavailable)) {
            self.failed.store(true, Ordering::Release);
        }
        outcome
    }

    /// Opens the database anew after the disk failed. It begins with what was committed last.
    fn reopen(&self) -> Result<()> {
        if !self.failed.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut held = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_mut().ok_or_else(closed)?;
        if self.failed.load(Ordering::Acquire) {
            // The engine's own lock on the file goes with it.
            held.database = None;
            held.database = Some(open(&held.directory.database())?);
            self.failed.store(false, Ordering::Release);
        }
        Ok(())
    }
}

fn open(place: &Path) -> Result<Database> {
    Database::builder().set_cache_size(CACHE_BYTES).open(place).map_err(|error| engine(error).with("path", place.display()))
}

fn snapshot(database: &Database) -> Result<Snapshot> {
    Snapshot::of(&database.begin_read().map_err(engine)?)
}

fn write<T>(database: &Database, work: impl FnOnce(&mut Draft) -> Result<T>) -> Result<T> {
    // By default the engine syncs the file before a commit returns.
    let transaction = database.begin_write().map_err(engine)?;
    // Dropped on an error, with all that was written in it.
    let answer = work(&mut Draft::of(&transaction)?)?;
    // From here on it may be done although it failed.
    transaction.commit().map_err(|error| engine(error).retry(Retry::Unknown))?;
    Ok(answer)
}

/// Makes sure that the tables are there. What is brought up to date when a new format comes belongs here.
fn prepare(database: &Database) -> Result<()> {
    if tables::are_made(&database.begin_read().map_err(engine)?)? {
        return Ok(());
    }
    let transaction = database.begin_write().map_err(engine)?;
    tables::make(&transaction)?;
    transaction.commit().map_err(engine)
}

/// Runs what may block, off the runtime. Once begun it goes on to its end, also when nobody waits for it any more.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let broken = |error| Error::new(ErrorKind::Internal, "work on the database broke off").retry(Retry::Unknown).source(error);
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(broken(error)))
}
