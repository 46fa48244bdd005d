//! Opening tier federated: both services are looked at side by side, then `mosaic-sql` is given connections, and the gateway a cache.

use std::sync::Arc;
use std::time::Duration;

use mosaic_core::{Backend, Options, Place, Result};
use mosaic_sql::server::{Probe, Server, ServerConnections};
use mosaic_sql::{SqlStorage, Tables};

use crate::cache::{ANSWER, ValkeyCache};
use crate::config::Config;
use crate::{LEAST_VERSION, instance};

/// How long a look at a service may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(2);

/// Opens the tier. What stands in its way is refused in the words of [`crate::diagnose`].
pub(crate) async fn open(options: Options) -> Result<Backend> {
    let (server, valkey) = Config::read(&options).await?;
    let cache = async {
        valkey.probe(DEADLINE).await?;
        valkey.connect(DEADLINE, ANSWER).await
    };
    let ((identity, place), connection) = tokio::try_join!(check(&server), cache)?;
    let storage = SqlStorage::open(Arc::new(ServerConnections::new(server)), Tables::Pgvector, options.opening).await;
    let storage = storage.map_err(|error| place.about(error, options.opening))?;
    let (vectors, indexes) = storage.pgvector();
    let instance = instance::name(&storage, options.clock.now(), &identity, options.opening).await?;
    let (cache, line) = ValkeyCache::new(valkey, connection, &instance);
    Ok(Backend {
        vectors: Some(Arc::new(vectors)),
        storage: Arc::new(storage),
        cache: Arc::new(cache),
        services: vec![indexes, line],
        place,
    })
}

/// Checks the server; answers what tells its database from every other, and where that is.
async fn check(server: &Server) -> Result<(String, Place)> {
    let probe = Probe::of(server, Tables::Pgvector).await?;
    probe.server(LEAST_VERSION)?;
    probe.database()?;
    probe.pgvector()?;
    let (identity, place) = (probe.identity().to_owned(), probe.place());
    probe.schema()?;
    Ok((identity, place))
}
