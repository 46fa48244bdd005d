//! A start that fails, in each way that `failures` knows, and in front of servers that repeat what they are told.

use futures::FutureExt as _;
use mosaic_tests::services::{Database, Unanswered};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::heard::Heard;
use super::made::Secrets;
use super::placed::{Config, Service, WAYS};
use super::{Case, nothing_is_seen, set_password, valkey_user};
use crate::harness::{Gateway, Random};
use crate::servers::services;

/// What a case needs besides the config.
enum Need {
    /// Something that listens, for as long as the case takes.
    Silence {
        _until_dropped: Unanswered,
    },
    Nothing,
}

/// Makes cases, each with secrets of its own, whose passwords are given in another way than those of the last one.
struct Cases {
    secrets: Secrets,
    turn: usize,
    cases: Vec<Case>,
}

impl Cases {
    fn way(&mut self) -> (super::placed::Way, super::placed::By) {
        self.turn += 1;
        WAYS[self.turn % WAYS.len()]
    }

    /// A start fails, and so does every look.
    fn add(&mut self, name: impl Into<String>, secrets: Secrets, config: Config, need: Need) {
        let (place, mut heard) = (config.place(), Heard::new(name));
        let case = async move {
            let outcome = heard.command(&place, &["serve"]).await;
            assert_eq!(outcome.code, Some(1), "{}: {}", heard.name(), outcome.stderr);
            heard.looks(&place).await;
            drop(need);
            heard.leaks(&secrets)
        };
        self.cases.push(case.boxed());
    }

    /// Both tiers, before a Postgres that cannot be used.
    async fn postgres(&mut self, name: &str, user: &str, rest: &str, password: Option<&str>) {
        for tier in ["standalone", "federated"] {
            let mut secrets = self.secrets.fork();
            let given = match password {
                Some(password) => secrets.remember(password.to_owned()),
                None => secrets.next(),
            };
            let service = Service::postgres(user, rest);
            let mut config = Config::of(tier).with_service(&format!("{tier}.postgres"), &service, &given, self.way());
            if tier == "federated" {
                config = self.with_valkey(config, &mut secrets).await;
            }
            self.add(format!("{name}, {tier}"), secrets, config, Need::Nothing);
        }
    }

    /// Tier federated, before a Valkey that cannot be used.
    async fn valkey(&mut self, name: &str, service: Service, need: Need) {
        let mut secrets = self.secrets.fork();
        let database = self.database(&mut secrets, Server::Pgvector).await;
        database.execute("CREATE EXTENSION vector").await;
        let config = Config::of("federated").with_service("federated.postgres", &of(&database), &database.password, self.way());
        let password = secrets.next();
        let config = config.with_service("federated.valkey", &service, &password, self.way());
        self.add(name, secrets, config, need);
    }

    /// A Valkey that works.
    async fn with_valkey(&mut self, config: Config, secrets: &mut Secrets) -> Config {
        let valkey = &services().await.valkey;
        let password = secrets.next();
        let user = valkey_user(valkey, secrets, &password);
        let service = Service::valkey(&user, format!("{}:{}/0", valkey.host, valkey.port));
        config.with_service("federated.valkey", &service, &password, self.way())
    }

    /// A database whose owner has a password that is a secret.
    async fn database(&self, secrets: &mut Secrets, server: Server) -> Database {
        let services = services().await;
        let mut database = match server {
            Server::Plain => services.postgres.database().await,
            Server::Pgvector => services.pgvector.database().await,
        };
        database.password = secrets.next();
        set_password(&database, &database.password).await;
        database
    }
}

#[derive(Clone, Copy)]
enum Server {
    Plain,
    Pgvector,
}

fn of(database: &Database) -> Service {
    Service::postgres(&database.user, format!("{}:{}/{}", database.server.host, database.server.port, database.name))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_start_that_fails_shows_a_secret() {
    let mut secrets = Secrets::new(Random::new("secrets of starts that fail"));
    let turn = secrets.below(WAYS.len());
    let mut all = Cases { secrets, turn, cases: Vec::new() };
    unreachable(&mut all).await;
    refusing(&mut all).await;
    unfit(&mut all).await;
    repeating(&mut all).await;
    nothing_is_seen(all.cases).await;
}

/// Nothing listens, nothing answers, nothing is known by the name.
async fn unreachable(all: &mut Cases) {
    all.postgres("refused", "mosaic", "127.0.0.1:1/mosaic", None).await;
    all.postgres("name not found", "mosaic", "no-such-host.invalid/mosaic", None).await;
    all.valkey("valkey refused", Service::valkey("mosaic", "127.0.0.1:1/0"), Need::Nothing).await;
    all.valkey("valkey, name not found", Service::valkey("", "no-such-host.invalid/0"), Need::Nothing).await;

    let silent = Unanswered::start().await;
    let mut secrets = all.secrets.fork();
    let service = Service::postgres("mosaic", format!("{}/mosaic", silent.address()));
    let config = Config::of("standalone").with_service("standalone.postgres", &service, &secrets.next(), all.way());
    all.add("black-holed", secrets, config, Need::Silence { _until_dropped: silent });
    let silent = Unanswered::start().await;
    all.valkey(
        "valkey black-holed",
        Service::valkey("mosaic", format!("{}/0", silent.address())),
        Need::Silence { _until_dropped: silent },
    )
    .await;
}

/// Servers that answer and do not let in.
async fn refusing(all: &mut Cases) {
    let services = services().await;
    let database = services.postgres.database().await;
    let Service { rest, .. } = of(&database);
    all.postgres("wrong password", &database.user, &rest, None).await;
    // SCRAM has no way to send it (RFC 4013, 2.3).
    let unfit = format!("{}🔑{}", all.secrets.plain(), all.secrets.plain());
    all.postgres("a password with an emoji", &database.user, &rest, Some(&unfit)).await;

    let mut secrets = all.secrets.fork();
    let database = all.database(&mut secrets, Server::Plain).await;
    let address = format!("{}:{}", database.server.host, database.server.port);
    let given = Some(database.password.as_str());
    all.postgres("wrong database", &database.user, &format!("{address}/no_such_database"), given).await;
    let Service { rest, .. } = of(&database);
    all.postgres("tls not trusted", &database.user, &format!("{rest}?sslmode=verify-full"), given).await;
    let wrong = format!("{rest}?sslmode=verify-ca&sslrootcert={}", services.wrong_ca.display());
    all.postgres("tls by another authority", &database.user, &wrong, given).await;
    database.require_tls().await;
    all.postgres("tls required", &database.user, &format!("{rest}?sslmode=disable"), given).await;

    let valkey = &services.valkey;
    let (at, by_tls) = (format!("{}:{}/0", valkey.host, valkey.port), format!("{}:{}/0", valkey.host, valkey.tls_port));
    all.valkey("valkey, wrong password", Service::valkey("", at.clone()), Need::Nothing).await;
    all.valkey("valkey, unknown user", Service::valkey("nobody", at.clone()), Need::Nothing).await;
    all.valkey("valkey, tls not trusted", Service { scheme: "rediss", user: String::new(), rest: by_tls }, Need::Nothing).await;
    all.valkey("valkey without tls", Service { scheme: "rediss", user: String::new(), rest: at }, Need::Nothing).await;
}

/// Servers that let in, and will not do.
async fn unfit(all: &mut Cases) {
    let mut secrets = all.secrets.fork();
    let old = all.database(&mut secrets, Server::Plain).await;
    let too_old = "CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE sql AS \
        $$ SELECT CASE $1 WHEN 'server_version_num' THEN '140011' ELSE pg_catalog.current_setting($1) END $$";
    old.execute(too_old).await;
    old.execute(&format!("ALTER ROLE {} SET search_path = public, pg_catalog", old.user)).await;
    all.postgres("version too old", &old.user, &of(&old).rest, Some(&old.password)).await;

    let bare = all.database(&mut secrets, Server::Pgvector).await;
    let config = Config::of("federated").with_service("federated.postgres", &of(&bare), &bare.password, all.way());
    let mut own = all.secrets.fork();
    own.remember(bare.password.clone());
    let config = all.with_valkey(config, &mut own).await;
    all.add("extension missing", own, config, Need::Nothing);

    let newer = all.database(&mut secrets, Server::Plain).await;
    let first = Config::of("standalone").with_service("standalone.postgres", &of(&newer), &newer.password, all.way());
    Gateway::start_in(&first.place()).await.stop().await;
    newer
        .execute("INSERT INTO mosaic_migrations SELECT 9999, 'from the future', now(), true, checksum, 1 FROM mosaic_migrations LIMIT 1")
        .await;
    let config = Config::of("standalone").with_service("standalone.postgres", &of(&newer), &newer.password, all.way());
    let mut own = all.secrets.fork();
    own.remember(newer.password.clone());
    all.add("schema newer", own, config, Need::Nothing);
}

/// What is no Postgres and no Valkey, and says what it was told.
async fn repeating(all: &mut Cases) {
    let postgres = repeating_postgres().await;
    all.postgres("a postgres that repeats the password", "mosaic", &format!("{postgres}/mosaic"), None).await;
    let valkey = repeating_lines("-ERR unknown command, with args beginning with: '{}'\r\n").await;
    all.valkey("a valkey that repeats the password", Service::valkey("", format!("{valkey}/0")), Need::Nothing).await;
    let other = repeating_lines("HTTP/1.1 400 Bad Request: {}\r\n\r\n").await;
    all.valkey("no valkey", Service::valkey("mosaic", format!("{other}/0")), Need::Nothing).await;
    all.postgres("no postgres", "mosaic", &format!("{other}/mosaic"), None).await;
}

/// Says all it has heard on a connection, in place of the braces.
async fn repeating_lines(pattern: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = vec![0; 4_096];
                while let Ok(length @ 1..) = stream.read(&mut bytes).await {
                    let heard = String::from_utf8_lossy(&bytes[..length]).replace(['\r', '\n'], " ");
                    let _ = stream.write_all(pattern.replace("{}", &heard).repeat(4).as_bytes()).await;
                }
            });
        }
    });
    address
}

/// Asks for the password in clear (the manual of Postgres, 55.7: messages), and says it in the refusal.
async fn repeating_postgres() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = vec![0; 4_096];
                while let Ok(length @ 1..) = stream.read(&mut bytes).await {
                    let answer = match &bytes[..length] {
                        // The request for TLS: no.
                        [0, 0, 0, 8, ..] => b"N".to_vec(),
                        [b'p', _, _, _, _, password @ ..] => {
                            let password = String::from_utf8_lossy(password).replace('\0', "");
                            let fields = format!("SFATAL\0VFATAL\0CXX000\0Mnot the password {password}\0Dnot {password}\0\0");
                            let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
                            [&b"E"[..], &length, fields.as_bytes()].concat()
                        }
                        _ => vec![b'R', 0, 0, 0, 8, 0, 0, 0, 3],
                    };
                    let _ = stream.write_all(&answer).await;
                }
            });
        }
    });
    address
}
