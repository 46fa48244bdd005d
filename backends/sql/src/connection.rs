//! The seam through which SQL gets its connections. The embedded engine has exactly one, a server has several, and
//! neither wants sqlx's pool: it pings on every release. What must not come in: how a connection is made.

use async_trait::async_trait;
use mosaic_core::{Error, Result};
use sqlx::PgConnection;
use tokio::time::Instant;

/// What every connection must run once, when it is made, before it is lent. Each list has an index made for it, and each
/// statement is planned once for all values: the planner is to take that index, and not to give it up for
/// a scan because it looked while a table was small, or has not counted it since. Notices are of no use to anybody.
/// Nor may it share a statement among workers: of those under a limit it takes the rows of one for those of all, and so reads all of
/// a large space, by whatever index, where a page by the right one costs a hundredth.
pub const SETTINGS: &str = "\
    SET client_min_messages = error; \
    SET enable_seqscan = off; \
    SET enable_bitmapscan = off; \
    SET jit = off; \
    SET max_parallel_workers_per_gather = 0; \
    SET plan_cache_mode = force_generic_plan";

/// What a connection is wanted for. Each implementation sets a deadline for each, counted from the moment the
/// connection is handed out; past it, the work is ended by force and fails as [`mosaic_core::ErrorKind::Timeout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// What a request waits for: milliseconds, as a rule.
    Request,
    /// A page of an import, an export or a migration: seconds, as a rule.
    Bulk,
    /// Schema migrations and VACUUM: minutes at most.
    Maintenance,
    /// A transaction that stays open while everything is read: hours, if it must be. Only where connections are many.
    Snapshot,
    /// Making an index of everything there is, beside other work: hours, if it must be.
    Index,
}

/// Where connections come from. Each has run [`SETTINGS`].
#[async_trait]
pub trait Connections: Send + Sync + 'static {
    /// Hands out a connection; waits for one that is free. Never called by work that holds one until then.
    ///
    /// # Errors
    /// [`mosaic_core::ErrorKind::Unavailable`] with [`mosaic_core::Retry::Safe`] when there is none within a bounded wait, or after [`Self::close`].
    async fn lease(&self, work: Work) -> Result<Box<dyn Lease>>;

    /// Whether one may be kept for long, since there are others.
    fn are_many(&self) -> bool {
        true
    }

    /// Closes every connection; waits for those that are out.
    ///
    /// # Errors
    /// When closing fails; what was committed stays committed.
    async fn close(&self) -> Result<()>;
}

/// A connection that is lent. Dropping it unsettled is allowed at any moment, also in the middle of a statement
/// (that is what a dropped request does): its implementation then finishes or discards what is under way before it lends the connection again.
pub trait Lease: Send {
    /// The connection.
    fn connection(&mut self) -> &mut PgConnection;

    /// Why the connection broke, where its owner knows better than the socket and the statement do: it ended the work at its deadline
    /// ([`mosaic_core::ErrorKind::Timeout`]), saw the database go, or sees that the disk is full ([`mosaic_core::ErrorKind::Full`]).
    /// To be asked once a statement has failed for want of a connection or of the database's files.
    fn broken(&self) -> Option<Error> {
        None
    }

    /// By when the work must have ended, where its owner cannot end it by itself: then whoever does it gives it up, and drops the lease.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Gives the connection back, with no statement under way and no transaction open. Saves a round trip.
    fn settled(self: Box<Self>);

    /// Gives up a connection that was found to be lost.
    fn lost(self: Box<Self>);
}
