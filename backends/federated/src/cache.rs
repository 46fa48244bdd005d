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
pub(crate) const ANSWER: Duration = Duration::from_millis(500);
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
    connection: watch::Sender<Option<Numbered>>,
    /// Tells the service that the line broke.
    broke: Notify,
}

/// A connection, and which one since the start: what an old one reports says nothing of a new one.
#[derive(Clone)]
struct Numbered {
    number: u64,
    connection: MultiplexedConnection,
}

impl ValkeyCache {
    /// A cache on a connection that works, and the service that replaces it when it breaks.
    pub(crate) fn new(valkey: Valkey, connection: MultiplexedConnection, instance: &str) -> (Self, Service) {
        let prefix = format!("mosaic:{instance}:");
        let line = Arc::new(Line {
            valkey,
            prefix,
            connection: watch::Sender::new(Some(Numbered { number: 0, connection })),
            broke: Notify::new(),
        });
        let service = Service { name: "valkey", run: Box::pin(Arc::clone(&line).keep()) };
        (Self(line), service)
    }

    async fn ask<T: FromRedisValue>(&self, ask: impl FnOnce(&mut Pipeline, String), key: &str) -> Result<T> {
        let line = &self.0;
        let Some(Numbered { number, mut connection }) = line.connection.borrow().clone() else { return Err(line.away()) };
        let mut pipeline = redis::pipe();
        ask(&mut pipeline, format!("{}{key}", line.prefix));
        match pipeline.query_async(&mut connection).await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(line.failed(number, error)),
        }
    }
}

impl Line {
    /// Connects anew whenever the line broke, for ever.
    async fn keep(self: Arc<Self>) -> Result<()> {
        let mut made = 0;
        loop {
            tokio::select! {
                () = sleep(LOOK) => {}
                () = self.broke.notified() => {}
            }
            let held = self.connection.borrow().clone();
            match held {
                Some(Numbered { number, mut connection }) => {
                    let pong = timeout(ANSWER, redis::cmd("PING").query_async::<()>(&mut connection)).await;
                    match pong {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => drop(self.failed(number, error)),
                        Err(_) => self.lose(number, "it does not answer"),
                    }
                }
                None => match self.valkey.connect(CONNECT, ANSWER).await {
                    Ok(connection) => {
                        made += 1;
                        self.connection.send_replace(Some(Numbered { number: made, connection }));
                        tracing::info!(target = self.valkey.target(), "valkey is back: the cache is in use again");
                    }
                    Err(error) => tracing::debug!(%error, "valkey is still away"),
                },
            }
        }
    }

    fn lose(&self, number: u64, reason: &str) {
        let had = self.connection.send_if_modified(|held| held.take_if(|held| held.number == number).is_some());
        if had {
            tracing::warn!(target = self.valkey.target(), reason, "valkey is away: the gateway goes on without a cache");
        }
    }

    /// What a failure means: a server that refuses one command goes on with others.
    fn failed(&self, number: u64, error: RedisError) -> Error {
        // One that takes no writes was a primary: the name may lead to another by now.
        let refused = error.code().is_some_and(|code| !["LOADING", "MASTERDOWN", "NOAUTH", "READONLY"].contains(&code));
        if refused {
            return Error::new(ErrorKind::Unavailable, "valkey refuses what it was asked")
                .with("target", self.valkey.target())
                .hint("mosaic doctor")
                .source(error);
        }
        self.lose(number, "the connection broke, or an answer took too long");
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
