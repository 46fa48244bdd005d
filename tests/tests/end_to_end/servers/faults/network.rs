//! The network between a gateway and its services breaks connections, or falls silent and comes back.

use std::time::{Duration, Instant};

use futures::future::join_all;
use hyper::Method;
use mosaic_tests::services::{Database, Proxy};

use super::watch::State;
use super::{RECOVERY, Subject};
use crate::harness::{Gateway, PATIENCE, Random, eventually};
use crate::servers::{Stack, federated, services, standalone};

/// Two gateways, each with a proxy before its Postgres, and the federated one with one before its Valkey. The standalone one speaks TLS.
struct Wired {
    standalone: Subject,
    federated: Subject,
    to_postgres: [Proxy; 2],
    to_valkey: Proxy,
}

/// The URL of a database by way of a proxy.
fn through(proxy: &Proxy, database: &Database) -> String {
    let mut server = database.server.clone();
    server.host = proxy.address().ip().to_string();
    server.port = proxy.port();
    server.url(&database.user, &database.password, &database.name)
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
        let by_tls = format!("{}?sslmode=require", through(&to_postgres[0], &plain));
        let without = format!("{}?sslmode=disable", through(&to_postgres[1], &stack.database));
        let (from, to) = (format!("@{}:{}/", services.valkey.host, services.valkey.port), format!("@{}/", to_valkey.address()));
        let (standalone, federated) = (standalone(&by_tls), federated(&without, &stack.valkey.replace(&from, &to)));
        let (standalone, federated) = tokio::join!(Subject::start("standalone", &standalone), Subject::start("federated", &federated));
        Self { standalone, federated, to_postgres, to_valkey }
    }

    async fn end(self) {
        join_all([self.standalone, self.federated].map(Subject::end)).await;
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
    join_all([&wired.standalone, &wired.federated].map(|subject| subject.recovers(returned))).await;
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
    join_all(both.map(|subject| subject.recovers(returned))).await;

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

/// What is asked on a connection that is dead ends at the deadline of statements; then none of its age is used any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_open_go_dead() {
    let database = services().await.postgres.database().await;
    let proxy = Proxy::start(&database.server.host, database.server.port).await;
    let place = standalone(&through(&proxy, &database)).with_env("MOSAIC_STANDALONE__POSTGRES__STATEMENT_TIMEOUT_SECONDS", "2");
    let subject = Subject::start("standalone", &place).await;
    let other = subject.gateway.person("other").await.client;
    proxy.abandon();
    let returned = Instant::now();
    eventually("somebody else is answered", PATIENCE, || async {
        let answer = other.try_request(Method::GET, "/api/v1/notes", &[], "").await.unwrap();
        (answer.status == 200).then_some(())
    })
    .await;
    println!("somebody else is answered after {:?}", returned.elapsed());
    assert!(returned.elapsed() < RECOVERY, "{:?}", returned.elapsed());
    subject.recovers(returned).await;
    subject.end().await;
}

/// All that a gateway has is idle, and dead: it is found out at once, and not one by one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_go_dead() {
    let database = services().await.postgres.database().await;
    let proxy = Proxy::start(&database.server.host, database.server.port).await;
    let gateway = Gateway::start_in(&standalone(&through(&proxy, &database))).await;
    let admin = gateway.admin();
    let many = (0..100).map(|_| admin.get("/api/v1/notes"));
    for answer in join_all(many).await {
        answer.expect(200);
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    proxy.abandon();
    let returned = Instant::now();
    gateway.ready().await;
    // What was found last may be a second old.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    gateway.ready().await;
    println!("ready after {:?}", returned.elapsed());
    assert!(returned.elapsed() < RECOVERY, "{:?}", returned.elapsed());
    gateway.stop().await;
}

/// Who takes a connection and lets go of it is no other kind of server, but one whose server is not there yet: it is waited for.
#[tokio::test]
async fn a_proxy_whose_server_is_not_there() {
    let proxy = Proxy::start("127.0.0.1", 1).await;
    let place = standalone(&format!("postgres://mosaic@{}/mosaic", proxy.address()));
    place.run(&["serve"]).await.fails_with(&["postgres ended the connection before it began"]);
    let place = place.with_env("MOSAIC_STARTUP__WAIT_SECONDS", "2").with_env("MOSAIC_LOG__FILTER", "error");
    let begun = Instant::now();
    place.run(&["serve"]).await.fails_with(&["postgres ended the connection before it began"]);
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
}
