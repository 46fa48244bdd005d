//! A gateway that serves, with passwords and tokens that are secrets: in answers, in the log at level trace, and when its services go
//! away under it. What its commands are told to be, a token or a URL, is no more to be seen.

use futures::FutureExt as _;
use hyper::Method;
use mosaic_tests::services::{Database, Proxy};
use serde_json::json;

use super::heard::Heard;
use super::made::Secrets;
use super::placed::{Config, Service, WAYS};
use super::{nothing_is_seen, set_password, valkey_user};
use crate::harness::{Client, Gateway, JSON, PATIENCE, Random, eventually};
use crate::servers::services;

/// A gateway, and the network to its services.
struct Served {
    gateway: Gateway,
    wires: Vec<Proxy>,
}

/// A database whose owner has a password that is a secret, through a proxy.
async fn postgres(database: &mut Database, secrets: &mut Secrets, parameters: &str) -> (Service, Proxy) {
    database.password = secrets.next();
    set_password(database, &database.password).await;
    let proxy = Proxy::start(&database.server.host, database.server.port).await;
    (Service::postgres(&database.user, format!("{}/{}{parameters}", proxy.address(), database.name)), proxy)
}

impl Served {
    async fn standalone(secrets: &mut Secrets, turn: usize) -> Self {
        let services = services().await;
        let mut database = services.postgres.database().await;
        let trusting = format!("?sslmode=verify-full&sslrootcert={}", services.ca.display());
        let (service, wire) = postgres(&mut database, secrets, &trusting).await;
        let config = Config::of("standalone").with_service("standalone.postgres", &service, &database.password, WAYS[turn % WAYS.len()]);
        Self { gateway: Gateway::start_in(&config.place()).await, wires: vec![wire] }
    }

    async fn federated(secrets: &mut Secrets, turn: usize) -> Self {
        let services = services().await;
        let mut database = services.pgvector.database().await;
        database.execute("CREATE EXTENSION vector").await;
        let (service, wire) = postgres(&mut database, secrets, "?sslmode=disable").await;
        let config = Config::of("federated").with_service("federated.postgres", &service, &database.password, WAYS[turn % WAYS.len()]);
        let password = secrets.next();
        let user = valkey_user(&services.valkey, secrets, &password);
        let to_valkey = Proxy::start(&services.valkey.host, services.valkey.tls_port).await;
        let service = Service { scheme: "rediss", user, rest: format!("{}/0", to_valkey.address()) };
        let config = config.with_service("federated.valkey", &service, &password, WAYS[(turn + 1) % WAYS.len()]);
        let config = config.with("federated.valkey.root_cert_file", services.ca.to_str().unwrap());
        Self { gateway: Gateway::start_in(&config.place()).await, wires: vec![wire, to_valkey] }
    }

    /// Ordinary requests of several tokens, and some that are refused.
    async fn requests(&self, heard: &mut Heard, secrets: &mut Secrets) {
        let gateway = &self.gateway;
        secrets.remember(gateway.admin().token().to_owned());
        let mut clients = vec![gateway.admin()];
        for login in ["ada", "eve", "bob"] {
            let client = gateway.person(login).await.client;
            secrets.remember(client.token().to_owned());
            clients.push(client);
        }
        for client in &clients {
            let note = client.create("notes", json!({ "title": "a note" })).await;
            let path = format!("/api/v1/notes/{}", note["id"].as_str().unwrap());
            let embedding = json!({ "model": "test", "components": [1.0, 0.0] }).to_string();
            heard.answer(&client.request(Method::PUT, &format!("{path}/embedding"), JSON, embedding).await.expect(204));
            heard.answer(&client.patch(&path, &json!({ "body": "changed" })).await.expect(200));
            heard.answer(&client.post("/api/v1/search", &json!({ "q": "note", "limit": 5 })).await.expect(200));
            for path in [&path, "/api/v1/notes", "/api/v1/me", "/api/v1/tokens", "/api/v1/notes/no-id", "/api/v1/nothing"] {
                heard.answer(&client.get(path).await);
            }
            heard.answer(&client.delete(&path).await.expect(204));
        }
        let revoked = clients.pop().unwrap();
        let listed = gateway.admin().get("/api/v1/tokens").await;
        let tokens = listed.items();
        gateway.admin().delete(&format!("/api/v1/tokens/{}", tokens.last().unwrap()["id"].as_str().unwrap())).await.expect(204);
        heard.answer(&revoked.get("/api/v1/notes").await);

        // Tokens that are none, in the forms in which they come.
        let nobody = gateway.anonymous();
        let random: String = (0..3).map(|_| secrets.plain()).collect();
        let unknown = secrets.remember(format!("mosaic_{}", &random[..43]));
        let (odd, plain) = (secrets.next(), secrets.plain());
        for credentials in
            [format!("Bearer {unknown}"), format!("Bearer {plain}"), format!("Bearer {odd}"), format!("Basic {plain}"), plain]
        {
            if credentials.is_ascii() {
                heard.answer(&nobody.request(Method::GET, "/api/v1/notes", &[("authorization", &credentials)], "").await);
            }
        }
        for path in ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs"] {
            heard.answer(&nobody.get(path).await.expect(200));
        }
    }

    /// The network goes away, and comes back.
    async fn troubles(&self, heard: &mut Heard, client: &Client) {
        self.wires.iter().for_each(Proxy::cut);
        heard.answer(&client.get("/api/v1/notes").await);
        self.wires.iter().for_each(Proxy::black_hole);
        let nobody = self.gateway.anonymous();
        let said = eventually("it says that it is not ready", PATIENCE, || async {
            let answer = nobody.get("/readyz").await;
            (answer.status == 503).then_some(answer)
        });
        heard.answer(&said.await);
        heard.answer(&nobody.get("/metrics").await);
        heard.looks(&self.gateway.place).await;
        self.wires.iter().for_each(Proxy::cut);
        self.wires.iter().for_each(Proxy::resume);
        self.gateway.ready().await;
        heard.answer(&client.get("/api/v1/notes").await.expect(200));
    }

    /// Commands that reach it, with what they were given.
    async fn commands(&self, heard: &mut Heard, secrets: &mut Secrets, token: &str) {
        let place = self.gateway.place.clone().with_env("MOSAIC_LISTEN", "").with_env("MOSAIC_URL", self.gateway.url());
        heard.command(&place.clone().with_env("MOSAIC_TOKEN", token), &["user", "list"]).await.exit(0);
        heard.command(&place.clone().with_env("MOSAIC_TOKEN_FILE", "mosaic-admin.token"), &["note", "list"]).await.exit(0);
        let wrong = secrets.plain();
        heard.command(&place.clone().with_env("MOSAIC_TOKEN", wrong), &["user", "list"]).await.exit(1);
        let odd = secrets.next();
        heard.command(&place.clone().with_env("MOSAIC_TOKEN", odd), &["user", "list"]).await;
        for url in ["http://ada:{}@127.0.0.1:7420", "http://127.0.0.1:7420/?token={}", "http://127.0.0.1:7420/#{}", "ftp://{}@host", "{}"] {
            let place = place.clone().with_env("MOSAIC_TOKEN", token).with_env("MOSAIC_URL", url.replace("{}", &secrets.next()));
            heard.command(&place, &["user", "list"]).await;
        }
    }
}

async fn look_on(name: &str, served: Served, mut secrets: Secrets) -> Vec<String> {
    let mut heard = Heard::new(name);
    served.requests(&mut heard, &mut secrets).await;
    let admin = served.gateway.admin();
    heard.looks(&served.gateway.place).await;
    served.commands(&mut heard, &mut secrets, admin.token()).await;
    served.troubles(&mut heard, &admin).await;
    heard.log(&served.gateway);
    let leaks = heard.leaks(&secrets);
    served.gateway.stop().await;
    leaks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_gateway_that_serves_shows_a_secret() {
    let mut secrets = Secrets::new(Random::new("secrets of gateways that serve"));
    let turn = secrets.below(WAYS.len());
    let (mut one, mut two) = (secrets.fork(), secrets.fork());
    let standalone = async move {
        let started = Served::standalone(&mut one, turn).await;
        look_on("standalone", started, one).await
    };
    let federated = async move {
        let started = Served::federated(&mut two, turn + 2).await;
        look_on("federated", started, two).await
    };
    nothing_is_seen(vec![standalone.boxed(), federated.boxed()]).await;
}
