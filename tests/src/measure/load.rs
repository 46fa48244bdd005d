//! So many connections that ask as fast as they are answered. What must not come in: who answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client::Connection;

/// How requests went.
pub struct Load {
    /// How many were answered in a second.
    pub per_second: f64,
    /// How many were answered by another status than 200, or not at all.
    pub errors: usize,
    /// How long each took, in order.
    took: Vec<Duration>,
}

impl Load {
    /// What so many of a thousand took at most, in milliseconds.
    pub fn at(&self, of_thousand: usize) -> f64 {
        let last = self.took.len().saturating_sub(1);
        self.took.get((self.took.len() * of_thousand / 1_000).min(last)).map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
    }
}

/// Asks for so long, over so many connections, one of the requests after the other.
///
/// # Panics
/// When nobody listens there.
pub async fn load(address: SocketAddr, connections: usize, time: Duration, requests: Vec<Vec<u8>>) -> Load {
    let requests = Arc::new(requests);
    let mut opened = Vec::new();
    for _ in 0..connections {
        opened.push(Connection::open(address).await.unwrap());
    }
    let begun = Instant::now();
    let workers = opened.into_iter().enumerate().map(|(number, mut connection)| {
        let requests = Arc::clone(&requests);
        tokio::spawn(async move {
            // Each begins elsewhere.
            let (mut took, mut errors, mut next) = (Vec::new(), 0, number * requests.len() / connections);
            while begun.elapsed() < time {
                let asked = Instant::now();
                match connection.ask(&requests[next % requests.len()]).await {
                    Ok(answer) if answer.status == 200 => took.push(asked.elapsed()),
                    Ok(_) => errors += 1,
                    Err(_) => {
                        errors += 1;
                        match Connection::open(address).await {
                            Ok(another) => connection = another,
                            Err(_) => break,
                        }
                    }
                }
                next += 1;
            }
            (took, errors)
        })
    });
    let (mut took, mut errors) = (Vec::new(), 0);
    for worker in workers.collect::<Vec<_>>() {
        let (times, failed) = worker.await.unwrap();
        took.extend(times);
        errors += failed;
    }
    let per_second = took.len() as f64 / begun.elapsed().as_secs_f64();
    took.sort_unstable();
    Load { per_second, errors, took }
}
