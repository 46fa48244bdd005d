//! A backend that keeps everything in memory until the process ends. It is the example to read before writing
//! one's own, and what doctests run on: it holds every point of the contracts, readable first and fast second.
//! What must not come in: anything beyond the standard library, an await, or a shortcut that another backend could not take.
//!
//! Read it in this order: `tables` (the maps, and a transaction that undoes itself, as [`rules`](crate::rules) want them),
//! [`storage`](MemoryStorage) (the trait, from these parts), then [`cache`](MemoryCache) and [`vectors`](MemoryVectors).
//!
//! ```
//! use mosaic_core::{Clock, Batch, Change, Kind, Query, Record, Scope, SystemClock, memory};
//!
//! # futures::executor::block_on(async {
//! let storage = memory::open().storage;
//! let user = Record::from_json_bytes(
//!     br#"{"kind":"user","id":"dd8dbad8-669b-5583-b369-e505df0ed3da","login":"ada","name":"Ada","created_at":"2026-03-01T12:00:00Z"}"#,
//! )?;
//! storage.apply(Scope::System, &Batch::one(SystemClock.now(), Change::Create(user.clone()))).await?;
//!
//! // A user sees themselves; somebody else gets the answer for what does not exist.
//! assert_eq!(storage.get(Scope::User(user.id()), Kind::User, user.id()).await?, Some(user.clone()));
//! assert_eq!(storage.get(Scope::User(mosaic_core::Id::nil()), Kind::User, user.id()).await?, None);
//! assert_eq!(storage.list(Scope::System, &Query::new(Kind::User)).await?.items, [user]);
//! # Ok::<(), mosaic_core::Error>(())
//! # }).unwrap();
//! ```

mod cache;
mod snapshot;
mod storage;
mod tables;
mod vectors;

use std::sync::Arc;

pub use cache::{CACHE_BYTES, MemoryCache};
pub use storage::MemoryStorage;
pub use vectors::MemoryVectors;

use crate::{Backend, Place, Sharing, SystemClock};

/// Opens an empty backend. It needs no services, and everything in it is gone when it is dropped.
pub fn open() -> Backend {
    let storage = Arc::new(MemoryStorage::default());
    Backend {
        cache: Arc::new(MemoryCache::new(Arc::new(SystemClock))),
        vectors: Some(Arc::new(MemoryVectors::new(Arc::clone(&storage)))),
        services: Vec::new(),
        storage,
        place: Place { name: "memory".into(), identity: None, sharing: Sharing::Exclusive },
    }
}
