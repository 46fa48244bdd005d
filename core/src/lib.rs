//! What Mosaic is made of: the model, the traits that a backend implements, the registry it announces itself
//! to, and one error type. No SQL, no HTTP, no TLS here; whoever writes a backend needs this crate and nothing else of ours.
//!
//! # Writing a backend
//!
//! `docs/guides/writing-a-backend.md` in the repository leads through it, along a whole one that is written as from outside:
//! `examples/redb-backend`, with its binary in `examples/redb-gateway`. `examples/toy-backend` is the least that can be one.
//!
//! 1. Implement [`Storage`], [`Cache`] and, if it keeps embeddings, [`VectorIndex`]. [`memory`] is the example to read first.
//!    Who may do what is in [`rules`], for a backend that gives them its records in a transaction.
//!    Sign-ins and the like need a cache that every gateway on the same data sees; where there is one gateway, [`memory::MemoryCache`] will do.
//! 2. Offer it under a tier's name:
//!    ```
//!    use mosaic_core::{Backend, BackendEntry, memory};
//!
//!    mosaic_core::register_backend!(BackendEntry {
//!        tier: "acme",
//!        summary: "keeps everything until the process ends",
//!        open: |_options| Box::pin(async { Ok(memory::open()) }),
//!        diagnose: |_options| Box::pin(async { Vec::new() }),
//!        schema: || mosaic_core::schemars::json_schema!({ "type": "object" }),
//!    });
//!
//!    assert_eq!(mosaic_core::registry::backend("acme")?.tier, "acme");
//!    # Ok::<(), mosaic_core::Error>(())
//!    ```
//!    Its options are the section `acme` of the config: [`Options::parse`] reads it, [`Check::config`] says in `diagnose` that it cannot
//!    be used, and [`register_check!`] what each check means.
//! 3. Make a binary that has it: `use acme_backend as _; fn main() -> std::process::ExitCode { mosaic_gateway::main() }`. It depends on
//!    `mosaic-gateway` with `default-features = false`, unless it is to have Mosaic's own tiers too.
//! 4. Run the behaviour suite and the visibility oracle on it, by a line each in an integration test: `mosaic_tests::behaviour_suite!(acme, Vectors);`
//!    and `mosaic_tests::visibility_oracle!(acme);`, from the package `mosaic-tests` with `default-features = false`.

pub mod backend;
pub mod cache;
pub mod error;
pub mod id;
pub mod memory;
pub mod model;
pub mod query;
pub mod refusal;
pub mod registry;
pub mod rules;
pub mod scope;
pub mod search;
pub mod secret;
pub mod snapshot;
pub mod storage;
pub mod time;
pub mod vectors;
pub mod words;

pub use async_trait::async_trait;
pub use schemars;

pub use backend::{
    Backend, BackendEntry, BoxFuture, Check, CheckEntry, Finding, HelperEntry, Opening, Options, Place, Service, Sharing, Status,
};
pub use cache::Cache;
pub use error::{Error, ErrorKind, Result, Retry};
pub use id::{CountingIds, Id, IdSource, RandomIds};
pub use model::{
    Entity, Field, FieldType, FieldValue, Finish, Kind, Membership, MembershipRole, Message, MessageRole, Note, Parent, Passages, Record,
    Session, SessionStatus, Task, TaskStatus, Team, Token, TokenHash, TokenScope, ToolCall, User, UserRole,
};
pub use query::{PAGE_BYTES, PAGE_ITEMS, Page, Position, Query};
pub use scope::Scope;
pub use search::{Hit, Piece, Search};
pub use secret::Secret;
pub use snapshot::Snapshot;
pub use storage::{Applied, Batch, Change, Loaded, State, StateWrite, Storage, Tally, Tokens};
pub use time::{Clock, SystemClock, Timestamp};
pub use vectors::{Embedding, Nearby, Neighbour, Vector, VectorIndex, VectorModel};

#[doc(hidden)]
pub mod __private {
    pub use inventory;
}
