//! Opening the tier: the directory is taken, the database opened, and the parts of a backend made from it.

use std::sync::Arc;

use mosaic_core::memory::MemoryCache;
use mosaic_core::{Backend, Error, ErrorKind, Opening, Options, Place, Result, Sharing};

use crate::config::Config;
use crate::directory::{Directory, Found, Owner, examine};
use crate::engine::{Engine, blocking};
use crate::storage::RedbStorage;
use crate::vectors::RedbVectors;

/// Opens the backend. `mosaic import` and the like do so as `mosaic serve` does, each in a process of its own.
pub(crate) async fn open(options: Options) -> Result<Backend> {
    let dir = Config::read(&options)?.data_dir;
    let (owner, opening) = (Owner::this_process(&options), options.opening);
    let name = dir.display().to_string();
    // One process at a time has it, so what tells it from other data is where it is on this machine.
    let place = Place { identity: Some(format!("redb {name}")), name, sharing: Sharing::Exclusive };
    let opened = blocking(move || {
        if opening == Opening::AsItIs && matches!(examine(&dir)?, Found::Nothing) {
            return Err(Error::new(ErrorKind::NotFound, "there is no data of Mosaic's yet").hint("mosaic serve"));
        }
        Engine::open(Directory::take(&dir, &owner)?)
    });
    let engine = Arc::new(opened.await.map_err(|error| place.about(error, opening))?);
    Ok(Backend {
        vectors: Some(Arc::new(RedbVectors::new(Arc::clone(&engine)))),
        storage: Arc::new(RedbStorage::new(engine)),
        // One process at a time has the data, so that what it remembers by itself is what everybody remembers.
        cache: Arc::new(MemoryCache::new(options.clock)),
        // Nothing needs to run in the background: what a write leaves to do, the next one does.
        services: Vec::new(),
        place,
    })
}
