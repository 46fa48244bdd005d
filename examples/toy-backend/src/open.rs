//! Opening the tier: the parts of a backend, made from the options that the gateway passes on.

use std::sync::Arc;

use mosaic_core::memory::{MemoryCache, MemoryStorage, MemoryVectors};
use mosaic_core::{Backend, Error, ErrorKind, Options, Place, Result, Sharing};

use crate::config::Config;
use crate::storage::ScratchStorage;

/// Opens an empty backend.
pub(crate) async fn open(options: Options) -> Result<Backend> {
    let config = Config::read(&options)?;
    // `mosaic import` and the like open the tier in a process of their own. What they did to this one would end with them,
    // and they would say that it is done.
    if options.command != "serve" {
        return Err(Error::new(ErrorKind::Unsupported, "what tier scratch keeps is in a running gateway, and nowhere else")
            .with("command", options.command)
            .hint(format!("mosaic {} --url http://HOST:PORT", options.command)));
    }
    let records = Arc::new(MemoryStorage::bounded(config.max_records));
    Ok(Backend {
        // Over the same records: embeddings are seen by who sees the record, and end with it.
        vectors: Some(Arc::new(MemoryVectors::new(Arc::clone(&records)))),
        // Time is passed in, so that tests decide what time it is.
        cache: Arc::new(MemoryCache::new(options.clock)),
        storage: Arc::new(ScratchStorage::new(records)),
        // Nothing needs to run in the background: no connection to keep, nothing to clean up.
        services: Vec::new(),
        // What people are told about where the data is, and that no other process can reach it.
        place: Place { name: "this process".to_owned(), identity: None, sharing: Sharing::Exclusive },
    })
}
