//! Which gateways run on the same data: each says so in one document of the storage's state, again and again while it runs, so that the
//! others, and whoever is about to move the data, know that it is there. What must not come in: what follows from who is there.

use std::sync::Arc;
use std::time::Duration;

use mosaic_core::{Clock, Error, ErrorKind, Id, IdSource, Result, StateWrite, Storage, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::documents::GATEWAYS;

/// How often a gateway says that it is there, …
pub const RENEWAL: Duration = Duration::from_secs(10);
/// … and for how long that counts, in seconds: it may fail twice.
pub const COUNTS_SECONDS: i64 = 30;
/// How often a write is tried anew when others wrote meanwhile.
const ATTEMPTS: u32 = 10;
/// How long it rests before that; longer each time, and not as long as another process.
const REST: Duration = Duration::from_millis(2);
/// How long the farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// A gateway that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gateway {
    /// Of this run of it: each start makes a new one.
    pub id: Id,
    /// Where it answers, as it knows it; none for a command that works on the data itself.
    pub url: Option<String>,
    /// The command that it runs: `serve`, `import`.
    #[serde(default = "serve")]
    pub command: String,
    /// The machine it runs on, by name.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// When it was started.
    pub since: Timestamp,
    /// When it last said that it is there.
    pub renewed: Timestamp,
}

fn serve() -> String {
    "serve".to_owned()
}

/// The gateways that are there now, in the order of their starts.
///
/// # Errors
/// Those of the storage.
pub async fn there(storage: &dyn Storage, clock: &dyn Clock) -> Result<Vec<Gateway>> {
    Ok(read(storage, clock.now()).await?.0)
}

/// Those that are there, and the document's version.
async fn read(storage: &dyn Storage, now: Timestamp) -> Result<(Vec<Gateway>, u64)> {
    let Some(state) = storage.state(GATEWAYS).await? else { return Ok((Vec::new(), 0)) };
    let entries = if let Value::Array(entries) = state.value { entries } else { Vec::new() };
    let known = entries.into_iter().filter_map(|entry| serde_json::from_value::<Gateway>(entry).ok());
    let mut there: Vec<_> = known.filter(|gateway| gateway.renewed.plus_seconds(COUNTS_SECONDS) > now).collect();
    there.sort_by_key(|gateway| (gateway.since, gateway.id));
    Ok((there, state.version))
}

/// What this machine is called, where the system says it (Linux, proc(5)).
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// What one gateway says of itself.
pub struct Presence {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    own: Gateway,
    others: watch::Sender<usize>,
}

impl Presence {
    /// This process, which runs `command` and, if it is a gateway, answers at `url`. It says nothing yet.
    pub fn new(storage: Arc<dyn Storage>, clock: Arc<dyn Clock>, ids: &dyn IdSource, command: &str, url: Option<&str>) -> Self {
        let now = clock.now();
        let (command, url, host) = (command.to_owned(), url.map(str::to_owned), host_name());
        let own = Gateway { id: ids.next(now), url, command, host, pid: std::process::id(), since: now, renewed: now };
        Self { storage, clock, own, others: watch::Sender::default() }
    }

    /// The name that no other run of a gateway has.
    pub fn id(&self) -> Id {
        self.own.id
    }

    /// How many others are there, as it was seen last.
    pub fn others(&self) -> watch::Receiver<usize> {
        self.others.subscribe()
    }

    /// Takes its leave. Whoever cannot say so is forgotten soon in any case.
    pub async fn leave(&self) {
        let _ = timeout(FAREWELL, self.write(None)).await;
    }

    /// Says that it is there.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn say(&self) -> Result<()> {
        let others = self.write(Some(self.clock.now())).await?;
        self.others.send_replace(others);
        Ok(())
    }

    /// Writes that it is there as of `renewed`, or that it is not; answers how many others are there. Those who said nothing for long go.
    async fn write(&self, renewed: Option<Timestamp>) -> Result<usize> {
        for attempt in 0..ATTEMPTS {
            let (mut there, version) = read(&*self.storage, self.clock.now()).await?;
            there.retain(|gateway| gateway.id != self.own.id);
            let others = there.len();
            there.extend(renewed.map(|renewed| Gateway { renewed, ..self.own.clone() }));
            let value = (!there.is_empty()).then(|| json!(there));
            match self.storage.put_state(&StateWrite { name: GATEWAYS.to_owned(), value, expect: version }).await {
                // Of many that start at once, some come later.
                Err(error) if error.kind() == ErrorKind::Stale => sleep(REST * attempt + REST * (std::process::id() % 8)).await,
                outcome => return outcome.map(|_| others),
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "others write all the time").with("name", GATEWAYS))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use mosaic_core::CountingIds;
    use mosaic_core::memory::MemoryStorage;

    use super::*;

    /// A clock that stands at a number of seconds.
    #[derive(Default)]
    struct Seconds(AtomicI64);

    impl Clock for Seconds {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(0).unwrap().plus_seconds(self.0.load(Ordering::Relaxed))
        }
    }

    #[derive(Default)]
    struct World {
        storage: Arc<MemoryStorage>,
        clock: Arc<Seconds>,
        ids: CountingIds,
    }

    impl World {
        fn gateway(&self, url: &str) -> Presence {
            Presence::new(self.storage.clone(), self.clock.clone(), &self.ids, "serve", Some(url))
        }

        fn pass(&self, seconds: i64) {
            self.clock.0.fetch_add(seconds, Ordering::Relaxed);
        }

        async fn there(&self) -> Vec<String> {
            there(&*self.storage, &*self.clock).await.unwrap().into_iter().filter_map(|gateway| gateway.url).collect()
        }
    }

    #[tokio::test]
    async fn those_who_say_so_are_there_and_those_who_are_silent_are_not() {
        let world = World::default();
        let (ann, bob) = (world.gateway("http://ann"), world.gateway("http://bob"));
        assert!(world.there().await.is_empty());
        ann.say().await.unwrap();
        world.pass(20);
        bob.say().await.unwrap();
        assert_eq!(world.there().await, ["http://ann", "http://bob"]);
        assert_eq!((*ann.others().borrow(), *bob.others().borrow()), (0, 1));
        world.pass(10);
        assert_eq!(world.there().await, ["http://bob"], "ann said nothing for {COUNTS_SECONDS} s");
        ann.say().await.unwrap();
        assert_eq!((*ann.others().borrow(), world.there().await.len()), (1, 2));
        let own = &there(&*world.storage, &*world.clock).await.unwrap()[0];
        assert!(own.pid == std::process::id() && !own.host.is_empty(), "{own:?}");
    }

    #[tokio::test]
    async fn of_many_who_say_so_at_once_all_are_there_and_each_takes_its_leave() {
        let world = World::default();
        let gateways: Vec<_> = (0..8).map(|n| world.gateway(&format!("http://{n}"))).collect();
        futures::future::join_all(gateways.iter().map(Presence::say)).await.into_iter().for_each(|said| said.unwrap());
        assert_eq!(world.there().await.len(), 8);
        futures::future::join_all(gateways.iter().map(Presence::leave)).await;
        assert!(world.there().await.is_empty());
        assert!(world.storage.state(GATEWAYS).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_cannot_be_read_and_a_storage_that_fails_end_nothing() {
        let world = World::default();
        let odd = StateWrite { name: GATEWAYS.into(), value: Some(json!([{ "id": "of another version" }, 7])), expect: 0 };
        world.storage.put_state(&odd).await.unwrap();
        assert!(world.there().await.is_empty());
        let ann = world.gateway("http://ann");
        ann.say().await.unwrap();
        assert_eq!(world.there().await, ["http://ann"]);
        world.storage.close().await.unwrap();
        assert!(ann.say().await.is_err());
        ann.leave().await;
    }
}
