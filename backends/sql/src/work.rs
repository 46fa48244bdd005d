//! How work is done on a connection of one's own: lent for as long as it takes, done once more where that is right, and given back
//! clean. What must not come in: what the work is.

use std::future::Future;
use std::time::Duration;

use mosaic_core::{Error, ErrorKind, Result};
use sqlx::{Postgres, Transaction};
use tokio::time::{Instant, timeout_at};

use crate::connection::Lease;
use crate::error;

/// Gives the connection back, if nothing is open on it. Otherwise it is dropped, and its owner cleans up; who may also
/// know better than the statement why it failed.
pub(crate) fn finish<T>(lease: Box<dyn Lease>, clean: bool, outcome: Result<T>) -> Result<T> {
    let outcome = outcome.map_err(|error| match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Corrupt | ErrorKind::Timeout => match lease.broken() {
            Some(reason) => reason.retry(error.retry_class()).source(error),
            None => error,
        },
        _ => error,
    });
    match &outcome {
        _ if clean => lease.settled(),
        Err(error) if error::is_lost(error) => lease.lost(),
        _ => drop(lease),
    }
    outcome
}

/// Does work until the lease of its connection is due. The error then is the owner's, by [`finish`].
pub(crate) async fn until<T>(due: Option<Instant>, work: impl Future<Output = (bool, Result<T>)>) -> (bool, Result<T>) {
    match due {
        Some(due) => timeout_at(due, work).await.unwrap_or_else(|_| (false, Err(error::given_up()))),
        None => work.await,
    }
}

/// Reads on a connection of its own, and once more on another when that was lost: nobody needs to hear of it.
macro_rules! reading {
    ($connections:expr, $work:expr, $connection:ident => $read:expr) => {{
        match $crate::work::once!($connections, $work, $connection => $read) {
            Err(error) if $crate::error::is_lost(&error) => {
                tracing::debug!(%error, "reading once more");
                $crate::work::once!($connections, $work, $connection => $read)
            }
            outcome => outcome,
        }
    }};
}

/// Does work that needs no transaction on a connection of its own.
macro_rules! once {
    ($connections:expr, $work:expr, $connection:ident => $do:expr) => {{
        let mut lease = $connections.lease($work).await?;
        let due = lease.due();
        let $connection = lease.connection();
        let (clean, outcome) = $crate::work::until(due, async {
            let outcome = $do.await;
            (outcome.is_ok(), outcome)
        })
        .await;
        $crate::work::finish(lease, clean, outcome)
    }};
}

/// How often a write is done once more at most. One that waits in another order than another write may meet it again.
const AGAIN: u32 = 4;
/// How long a write rests that another got in the way of, so that the other one comes to its end first; longer each time.
const REST: Duration = Duration::from_millis(20);

/// Whether a write that failed like this is to be done once more; `times` counts how often it was. Nothing was done then: the work of
/// others got in the way, or the connection was lost before the end.
pub(crate) async fn is_to_be_done_again(error: &Error, times: &mut u32) -> bool {
    *times += 1;
    if error::is_lost(error) && !error::is_passing(error) {
        return *times == 1;
    }
    let again = error::is_passing(error) && *times <= AGAIN;
    if again {
        tokio::time::sleep(REST * *times).await;
    }
    again
}

/// Writes in one transaction on a connection of its own; and in another one where [that is right](is_to_be_done_again).
macro_rules! writing {
    ($connections:expr, $work:expr, $connection:ident => $write:expr) => {{
        let mut times = 0;
        loop {
            match $crate::work::transacting!($connections, $work, $connection => $write) {
                Err(error) if $crate::work::is_to_be_done_again(&error, &mut times).await => {
                    tracing::debug!(%error, "writing once more");
                }
                outcome => break outcome,
            }
        }
    }};
}

/// Writes in one transaction on a connection of its own.
macro_rules! transacting {
    ($connections:expr, $work:expr, $connection:ident => $write:expr) => {{
        let mut lease = $connections.lease($work).await?;
        let due = lease.due();
        let connection = lease.connection();
        let (clean, outcome) = $crate::work::until(due, async {
            match sqlx::Connection::begin(connection).await.map_err($crate::error::from_sqlx) {
                Ok(mut transaction) => {
                    let $connection = &mut *transaction;
                    let outcome = $write.await;
                    $crate::work::end(transaction, outcome).await
                }
                Err(error) => (false, Err(error)),
            }
        })
        .await;
        $crate::work::finish(lease, clean, outcome)
    }};
}

/// Ends a transaction: what succeeded is committed, what did not is undone. Answers whether the connection is clean then.
pub(crate) async fn end<T>(transaction: Transaction<'_, Postgres>, outcome: Result<T>) -> (bool, Result<T>) {
    match outcome {
        Ok(value) => match transaction.commit().await {
            Ok(()) => (true, Ok(value)),
            Err(error) => (false, Err(error::in_doubt(error::from_sqlx(error)))),
        },
        Err(error) => (transaction.rollback().await.is_ok(), Err(error)),
    }
}

pub(crate) use {once, reading, transacting, writing};
