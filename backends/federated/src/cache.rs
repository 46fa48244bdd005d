//! The cache in Valkey. Nothing depends on it: while Valkey is away, each call says so at once, without waiting for it, and a service
//! of the backend connects anew as soon as it can. What must not come in: what is cached.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mosaic_core::{Cache, Error, ErrorKind, Result, Service};
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, Pipeline, RedisError};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use crate::valkey::Valkey;

/// How long an answer may take: what is cached is had from the database in less.
const ANSWER: Duration = Duration::from_millis(500);
/// How long connecting anew may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How often it is tried to connect anew, and a connection that works is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// A cache in Valkey.
pub(crate) struct ValkeyCache(Arc<Line>);

/// The line to the server.
struct Line {
    valkey: Valkey,
    /// What every key begins with.
    prefix: String,
    connection: watch::Sender<Option<MultiplexedConnection>>,
    /// Tells the service that the line broke.
    broke: Notify,
}

impl ValkeyCache {
    /// A cache on a connection that works, and the service that replaces it when it breaks.
    pub(crate) fn new(valkey: Valkey, connection: MultiplexedConnection, instance: &str) -> (Self, Service) {
        let prefix = format!("mosaic:{instance}:");
        let line = Arc::new(Line { valkey, prefix, connection: watch::Sender::new(Some(connection)), broke: Notify::new() });
        let service = Service { name: "valkey", run: Box::pin(Arc::clone(&line).keep()) };
        (Self(line), service)
    }

    /// How long an answer may take.
    pub(crate) const ANSWER: Duration = ANSWER;

    async fn ask<T: FromRedisValue>(&self, ask: impl FnOnce(&mut Pipeline, String), key: &str) -> Result<T> {
        let line = &self.0;
        let Some(mut connection) = line.connection.borrow().clone() else { return Err(line.away()) };
        let mut pipeline = redis::pipe();
        ask(&mut pipeline, format!("{}{key}", line.prefix));
        match pipeline.query_async(&mut connection).await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(line.failed(error)),
        }
    }
}

impl Line {
    /// Connects anew whenever the line broke, for ever.
    async fn keep(self: Arc<Self>) -> Result<()> {
        loop {
            tokio::select! {
                () = sleep(LOOK) => {}
                () = self.broke.notified() => {}
            }
            let held = self.connection.borrow().clone();
            match held {
                Some(mut connection) => {
                    let pong = timeout(ANSWER, redis::cmd("PING").query_async::<()>(&mut connection)).await;
                    match pong {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => drop(self.failed(error)),
                        Err(_) => self.lose("it does not answer"),
                    }
                }
                None => match self.valkey.connect(CONNECT, ANSWER).await {
                    Ok(connection) => {
                        self.connection.send_replace(Some(connection));
                        tracing::info!(target = self.valkey.target(), "valkey is back: the cache is in use again");
                    }
                    Err(error) => tracing::debug!(%error, "valkey is still away"),
                },
            }
        }
    }

    fn lose(&self, reason: &str) {
        let had = self.connection.send_if_modified(|connection| connection.take().is_some());
        if had {
            tracing::warn!(target = self.valkey.target(), reason, "valkey is away: the gateway goes on without a cache");
        }
    }

    /// What a failure means: a server that refuses one command goes on with others.
    fn failed(&self, error: RedisError) -> Error {
        let refused = error.code().is_some_and(|code| !["LOADING", "MASTERDOWN", "NOAUTH"].contains(&code));
        if refused {
            return Error::new(ErrorKind::Unavailable, "valkey refuses what it was asked")
                .with("target", self.valkey.target())
                .hint("mosaic doctor")
                .source(error);
        }
        self.lose("the connection broke, or an answer took too long");
        self.broke.notify_one();
        self.away().source(error)
    }

    fn away(&self) -> Error {
        Error::new(ErrorKind::Unavailable, "valkey is away").with("target", self.valkey.target()).hint("mosaic doctor")
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX >> 1).clamp(1, u64::MAX >> 1)
}

#[async_trait]
impl Cache for ValkeyCache {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let (value,) = self.ask(|ask, key| _ = ask.get(key), key).await?;
        Ok(value)
    }

    async fn set(&self, key: &str, value: &[u8], ttl: Duration) -> Result<()> {
        self.ask(|ask, key| _ = ask.pset_ex(key, value, millis(ttl)).ignore(), key).await
    }

    async fn remove(&self, key: &str) -> Result<()> {
        self.ask(|ask, key| _ = ask.del(key).ignore(), key).await
    }

    async fn increment(&self, key: &str, window: Duration) -> Result<u64> {
        let count = |ask: &mut Pipeline, key: String| {
            ask.atomic().incr(&key, 1).cmd("PEXPIRE").arg(&key).arg(millis(window)).arg("NX").ignore();
        };
        let (counted,) = self.ask(count, key).await?;
        Ok(counted)
    }

    async fn ping(&self) -> Result<()> {
        match *self.0.connection.borrow() {
            Some(_) => Ok(()),
            None => Err(self.0.away()),
        }
    }
}
