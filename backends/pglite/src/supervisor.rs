//! Keeps an engine running: starts it, watches it and its work, replaces it when it dies or hangs, and closes it at the
//! end. It gives up only when no replacement has started for a minute; the gateway ends then.

use std::sync::Arc;
use std::time::Duration;

use mosaic_core::{Error, ErrorKind, Result, Retry};
use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;

use crate::connections::{self, Ending, Life, Pool};
use crate::directory::{self, DataDir};
use crate::open::blocking;
use crate::process::{Process, Program, StartError};

/// How patiently engines are started.
struct Patience {
    /// How long it is tried, again and again.
    tries: Duration,
    /// How often it is tried at least, however long each try takes.
    fewest: u32,
    /// How long one try may take to be ready, and then to answer a first statement.
    each: Duration,
}

/// A first engine. That of a killed gateway needs a moment to let go of the database; a busy machine is given time.
const FIRST: Patience = Patience { tries: Duration::from_secs(3), fewest: 3, each: Duration::from_secs(60) };
/// A replacement, which requests wait for: one that hangs as well is given up early. To recover takes
/// a second or two for a full write-ahead log.
const REPLACEMENT: Patience = Patience { tries: Duration::from_secs(60), fewest: 1, each: Duration::from_secs(15) };
/// The pause between two tries, which doubles each time, up to a bound.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// What the engine says when another holds its database.
const HELD: &str = "database root is already in use";
/// How long taking leave of the engine may take.
const LEAVING: Duration = Duration::from_secs(2);

/// What engines are started with, and the pool that their connection goes to.
pub(crate) struct Supervisor {
    program: Program,
    directory: DataDir,
    pool: Arc<Pool>,
}

/// An engine and its time.
struct Running {
    process: Process,
    life: Arc<Life>,
}

impl Supervisor {
    pub(crate) fn new(program: Program, directory: DataDir, pool: Arc<Pool>) -> Self {
        Self { program, directory, pool }
    }

    /// Makes the database if there is none, starts the first engine, and brings its connection to the pool. The supervisor
    /// goes on in the background from then on; what is returned ends with it, in an error if it gave up.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when the engine does not start on this directory, [`ErrorKind::Full`] when the disk is full,
    /// and [`ErrorKind::Config`] when its program cannot be run.
    pub(crate) async fn start(mut self) -> Result<tokio::task::JoinHandle<Result<()>>> {
        let begun = Instant::now();
        let wanted;
        (self.directory, wanted) = in_directory(self.directory, DataDir::wants_database).await?;
        if wanted {
            tracing::info!(dir = %self.directory.layout().root().display(), "a new database is being made");
            self.try_with(&FIRST, || self.make_database()).await?;
            (self.directory, ()) = in_directory(self.directory, DataDir::adopt_database).await?;
        }
        let running = self.try_with(&FIRST, || self.start_engine(FIRST.each)).await?;
        tracing::info!(elapsed_ms = begun.elapsed().as_millis(), "the embedded engine is ready");
        let end = EndOnDrop(Arc::clone(&self.pool));
        Ok(tokio::spawn(async move {
            // However it ends, also by a panic: by then the directory is free, and nobody waits for an engine any more.
            let _end = end;
            self.run(running).await
        }))
    }

    async fn run(self, mut running: Running) -> Result<()> {
        loop {
            let ending = tokio::select! {
                end = running.process.exited() => {
                    tracing::warn!(reason = end, "the embedded engine died, and is replaced");
                    Ending::Lost
                }
                () = self.pool.broken(&running.life) => {
                    tracing::warn!("the connection to the embedded engine broke; the engine is replaced");
                    Ending::Lost
                }
                overdue = self.pool.overdue(&running.life) => {
                    tracing::warn!(?overdue, "a statement ran past its deadline; the embedded engine is replaced");
                    overdue
                }
                connection = self.pool.closed() => {
                    self.close(running.process, connection).await;
                    return Ok(());
                }
            };
            self.pool.lose(&running.life, ending);
            running.process.kill().await;
            let replaced = tokio::select! {
                replaced = self.try_with(&REPLACEMENT, || self.start_engine(REPLACEMENT.each)) => replaced,
                () = self.pool.closing() => return Ok(()),
            };
            running = replaced.inspect_err(|error| tracing::error!(?error, "the embedded engine cannot be replaced"))?;
            tracing::info!("the embedded engine is ready again");
        }
    }

    /// Tries until it works, for a while, with growing pauses.
    async fn try_with<T, F: Future<Output = Result<T, StartError>>>(&self, patience: &Patience, attempt: impl Fn() -> F) -> Result<T> {
        let begun = Instant::now();
        let (mut tries, mut pause) = (0, PAUSE);
        loop {
            tries += 1;
            match attempt().await {
                Ok(done) => return Ok(done),
                Err(StartError::Program(error)) => return Err(error),
                Err(failure) if tries >= patience.fewest && begun.elapsed() + pause >= patience.tries => {
                    return Err(self.explain(failure));
                }
                Err(failure) => tracing::debug!(?failure, "the embedded engine did not start; trying again"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn make_database(&self) -> Result<(), StartError> {
        let layout = self.directory.layout().clone();
        let database = layout.engine_in_the_making();
        blocking(move || layout.clear_the_making()).await.map_err(StartError::Lack)?;
        Process::start(&self.program, &database, FIRST.each).await?.stop().await.map_err(StartError::Engine)
    }

    async fn start_engine(&self, patience: Duration) -> Result<Running, StartError> {
        let process = Process::start(&self.program, &self.directory.layout().engine(), patience).await?;
        match tokio::time::timeout(patience, connections::connect(process.sockets())).await {
            Ok(Ok(connection)) => Ok(Running { process, life: self.pool.bring(connection) }),
            Ok(Err(error)) => {
                process.kill().await;
                Err(StartError::Engine(error.to_string()))
            }
            Err(_) => {
                process.kill().await;
                Err(StartError::Slow(patience))
            }
        }
    }

    /// Why an engine does not start, as far as can be seen from here.
    fn explain(&self, failure: StartError) -> Error {
        let layout = self.directory.layout();
        match failure {
            StartError::Program(error) | StartError::Lack(error) => error,
            StartError::Slow(patience) => Error::new(ErrorKind::Unavailable, "the embedded engine does not get ready")
                .with("dir", layout.root().display())
                .with("waited_seconds", patience.as_secs())
                .hint("look what keeps the machine's disk or processor busy: top, iostat, dmesg")
                .retry(Retry::Never),
            StartError::Engine(reason) if reason.contains(HELD) => {
                Error::new(ErrorKind::InUse, "another engine still works on this data directory")
                    .with("dir", layout.root().display())
                    .hint("wait until it has ended, or end it: pkill mosaic-engine")
                    .retry(Retry::Never)
                    .source(reason)
            }
            StartError::Engine(reason) => directory::lack_of_space(layout)
                .unwrap_or_else(|| {
                    Error::new(ErrorKind::Corrupt, "the embedded engine does not start on this data directory")
                        .with("dir", layout.root().display())
                        .with("engine", brief(&reason))
                        .hint("keep the directory, and `mosaic import` an export into another one (MOSAIC_LOCAL__DATA_DIR)")
                })
                .source(reason),
        }
    }

    async fn close(&self, process: Process, connection: Option<PgConnection>) {
        if let Some(connection) = connection
            && tokio::time::timeout(LEAVING, connection.close()).await.is_err()
        {
            tracing::debug!("the embedded engine did not take leave");
        }
        if let Err(reason) = process.stop().await {
            tracing::warn!(reason, "the embedded engine did not close in good order; it recovers at the next start");
        }
    }
}

/// Does something to the directory, off the runtime.
async fn in_directory<T: Send + 'static>(
    mut directory: DataDir,
    work: impl FnOnce(&mut DataDir) -> Result<T> + Send + 'static,
) -> Result<(DataDir, T)> {
    blocking(move || {
        let done = work(&mut directory)?;
        Ok((directory, done))
    })
    .await
}

/// Ends the pool.
struct EndOnDrop(Arc<Pool>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The engine's reason in a line: the first thing that Postgres found fatal, if it is in there.
fn brief(reason: &str) -> String {
    let start = ["PANIC:", "FATAL:"].iter().filter_map(|word| reason.find(word)).min().unwrap_or(0);
    let line = reason[start..].split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_brief() {
        assert_eq!(brief("it ended with exit status: 1"), "it ended with exit status: 1");
        let report = "could not start\nWASIX stderr tail:\n2026-11-23 UTC [1] FATAL:  database files are incompatible with server\n";
        assert_eq!(brief(report), "FATAL: database files are incompatible with server");
        assert_eq!(brief(&"ü".repeat(200)).chars().count(), 161);
    }
}
