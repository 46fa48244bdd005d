//! The network between a gateway and its services breaks connections, or falls silent and comes back.

use std::time::{Duration, Instant};

use mosaic_tests::services::Proxy;

use super::watch::State;
use super::{RECOVERY, Subject};
use crate::harness::Random;
use crate::servers::{Stack, federated, services, standalone};

/// Two gateways, each with a proxy before its Postgres, and the federated one with one before its Valkey. The standalone one speaks TLS.
struct Wired {
    standalone: Subject,
    federated: Subject,
    to_postgres: [Proxy; 2],
    to_valkey: Proxy,
}

impl Wired {
    async fn new() -> Self {
        let services = services().await;
        let (plain, stack) = tokio::join!(services.postgres.database(), Stack::new());
        let to_postgres = [
            Proxy::start(&services.postgres.host, services.postgres.port).await,
            Proxy::start(&services.pgvector.host, services.pgvector.port).await,
        ];
        let to_valkey = Proxy::start(&services.valkey.host, services.valkey.port).await;
        let [by_tls, without] =
            [(&plain, &to_postgres[0], "require"), (&stack.database, &to_postgres[1], "disable")].map(|(database, proxy, sslmode)| {
                let mut server = database.server.clone();
                server.host = proxy.address().ip().to_string();
                server.port = proxy.port();
                format!("{}?sslmode={sslmode}", server.url(&database.user, &database.password, &database.name))
            });
        let (from, to) = (format!("@{}:{}/", services.valkey.host, services.valkey.port), format!("@{}/", to_valkey.address()));
        let (standalone, federated) = (standalone(&by_tls), federated(&without, &stack.valkey.replace(&from, &to)));
        let (standalone, federated) = tokio::join!(Subject::start("standalone", &standalone), Subject::start("federated", &federated));
        Self { standalone, federated, to_postgres, to_valkey }
    }

    async fn end(self) {
        self.standalone.end().await;
        self.federated.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_cut_in_mid_answer() {
    let mut random = Random::new("cuts");
    let wired = Wired::new().await;
    for _ in 0..30 {
        tokio::time::sleep(random.up_to(Duration::from_millis(200))).await;
        match random.below(3) {
            0 => wired.to_valkey.cut(),
            chosen => wired.to_postgres[usize::try_from(chosen - 1).unwrap()].cut(),
        }
    }
    let returned = Instant::now();
    for subject in [&wired.standalone, &wired.federated] {
        subject.recovers(returned).await;
    }
    wired.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_network_is_silent_for_a_while() {
    let wired = Wired::new().await;
    let both = [&wired.standalone, &wired.federated];
    wired.to_postgres.iter().for_each(Proxy::black_hole);
    for subject in both {
        let took = subject.says(State::WithoutStorage).await;
        assert!(took < RECOVERY, "{}: {took:?}", subject.name);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    wired.to_postgres.iter().for_each(Proxy::resume);
    let returned = Instant::now();
    for subject in both {
        subject.recovers(returned).await;
    }

    let refused = wired.federated.load.writes.failures();
    wired.to_valkey.black_hole();
    wired.federated.says(State::WithoutCache).await;
    assert!(!wired.federated.watch.cache_up().await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    wired.to_valkey.resume();
    wired.federated.recovers(Instant::now()).await;
    assert!(wired.federated.watch.cache_up().await);
    assert_eq!(wired.federated.load.writes.failures(), refused, "nothing needs the cache");
    wired.end().await;
}
