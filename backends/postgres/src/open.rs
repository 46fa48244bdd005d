//! Opening tier standalone: the server is looked at, and `mosaic-sql` given connections to it.

use std::sync::Arc;

use mosaic_core::memory::MemoryCache;
use mosaic_core::{Backend, Options, Result};
use mosaic_sql::server::{Probe, ServerConnections};
use mosaic_sql::{SqlStorage, Tables};

use crate::LEAST_VERSION;
use crate::config::Config;

/// Opens the tier. What stands in its way is refused in the words of [`crate::diagnose`].
pub(crate) async fn open(options: Options) -> Result<Backend> {
    let (config, server) = Config::read(&options).await?;
    let probe = Probe::of(&server, Tables::Plain).await?;
    probe.server(LEAST_VERSION)?;
    probe.database()?;
    let place = probe.place();
    probe.schema()?;
    let storage = SqlStorage::open(Arc::new(ServerConnections::new(server)), Tables::Plain, options.opening).await;
    let storage = storage.map_err(|error| place.about(error, options.opening))?;
    Ok(Backend {
        vectors: Some(Arc::new(storage.vectors(config.vector_memory()))),
        storage: Arc::new(storage),
        cache: Arc::new(MemoryCache::new(options.clock)),
        services: Vec::new(),
        place,
    })
}
