//! Opening tier local: the directory is taken over, the engine started, and `mosaic-sql` given its connection.

use std::sync::Arc;

use mosaic_core::memory::MemoryCache;
use mosaic_core::{Backend, Error, ErrorKind, Opening, Options, Place, Result, Service, Sharing};
use mosaic_sql::connection::Connections;
use mosaic_sql::{SqlStorage, Tables};

use crate::config::Config;
use crate::connections::{EngineConnections, Pool};
use crate::directory::{self, DataDir, Layout};
use crate::owner::Owner;
use crate::process::Program;
use crate::supervisor::Supervisor;
use crate::{maintenance, sockets};

/// An embedded engine that runs on a data directory, without Mosaic's schema in it.
pub struct Engine {
    /// Its connection. Closing it, or dropping it, ends the engine and lets go of the directory.
    pub connections: Arc<dyn Connections>,
    /// What keeps it running. They work from the start, whether or not somebody waits for them; they end when the
    /// connections are closed, and the supervisor ends with an error when the engine cannot be kept running.
    pub services: Vec<Service>,
}

impl Engine {
    /// Takes over the directory and starts the engine; makes both where they are absent.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming what cannot be used, [`ErrorKind::InUse`] with the owner's `pid`, `command` and `url`,
    /// [`ErrorKind::Corrupt`] for a directory that is not ours, damaged or too new, and [`ErrorKind::Full`]. Nothing was
    /// changed then, but for an engine's own attempts to recover.
    pub async fn open(options: &Options) -> Result<Self> {
        let config = Config::read(options)?;
        let owner = Owner::this_process(options);
        let clock = Arc::clone(&options.clock);
        let layout = Layout::new(config.data_dir.clone());
        let opening = options.opening;
        let directory = blocking(move || {
            sockets::sweep();
            if opening == Opening::AsItIs {
                directory::be_there(&layout)?;
            }
            DataDir::own(layout, &owner, clock.as_ref())
        })
        .await?;
        let program = Program::new(config.engine_executable.clone(), directory.layout().cache())?;
        let pool = Pool::new(config.statement_timeout(), directory.layout().clone());
        // From here on, whatever is dropped ends the engine.
        let connections = Arc::new(EngineConnections(Arc::clone(&pool)));
        let supervisor = Supervisor::new(program, directory, Arc::clone(&pool)).start().await?;
        let maintenance = tokio::spawn(maintenance::run(pool));
        let services = vec![service("pglite supervisor", supervisor), service("pglite maintenance", maintenance)];
        Ok(Self { connections, services })
    }
}

/// Opens tier local.
pub(crate) async fn open(options: Options) -> Result<Backend> {
    let config = Config::read(&options)?;
    let (memory, name) = (config.vector_memory(), config.data_dir.display().to_string());
    let engine = Engine::open(&options).await?;
    let opened = SqlStorage::open(Arc::clone(&engine.connections), Tables::Plain, options.opening).await;
    if opened.is_err() {
        // In good order: whoever tries again finds the directory free, and nothing is left behind.
        let _ = engine.connections.close().await;
    }
    let place = Place { identity: Some(format!("directory {name}")), name, sharing: Sharing::Exclusive };
    let storage = opened.map_err(|error| place.about(error, options.opening))?;
    Ok(Backend {
        vectors: Some(Arc::new(storage.vectors(memory))),
        storage: Arc::new(storage),
        cache: Arc::new(MemoryCache::new(options.clock)),
        services: engine.services,
        place,
    })
}

fn service(name: &'static str, task: tokio::task::JoinHandle<Result<()>>) -> Service {
    Service {
        name,
        run: Box::pin(async move {
            task.await
                .unwrap_or_else(|error| Err(Error::new(ErrorKind::Internal, "a background task broke").with("task", name).source(error)))
        }),
    }
}

/// Runs what works on files, off the runtime.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::new(ErrorKind::Internal, "work on the data directory broke off").source(error)))
}
