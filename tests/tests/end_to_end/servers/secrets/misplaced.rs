//! Secrets where they do not belong: unescaped, wrongly typed, under keys that do not exist, in parts of a URL that hold none.

use futures::FutureExt as _;
use serde_json::json;

use super::heard::Heard;
use super::made::{Secrets, encoded};
use super::placed::Config;
use super::{Case, nothing_is_seen};
use crate::harness::Random;

type Make = fn(Config, &mut Secrets) -> Config;

/// What somebody may write, by what is wrong with it. `TIER` and `SERVICE` stand for those that a case is about.
const MISTAKES: &[(&str, Make)] = &[
    ("a password without quotes", |config, secrets| {
        let number: u64 = secrets.digits().parse().unwrap();
        config.with("SERVICE.password", number)
    }),
    ("a list of passwords", |config, secrets| config.with("SERVICE.password", json!([secrets.next()]))),
    ("an object for a password", |config, secrets| config.with("SERVICE.password", json!({ "value": secrets.next() }))),
    ("an object named like the password", |config, secrets| config.with("SERVICE.password_file", json!([secrets.next()]))),
    ("a list of urls", |config, secrets| config.with("SERVICE.url", json!([url(&encoded(&secrets.next()))]))),
    ("an object for a url", |config, secrets| config.with("SERVICE.url", json!({ "primary": url(&encoded(&secrets.next())) }))),
    ("a number for a url", |config, secrets| config.with("SERVICE.url", secrets.digits().parse::<u64>().unwrap())),
    ("a url for the service", |config, secrets| config.with("SERVICE", url(&encoded(&secrets.next())))),
    ("a list for the service", |config, secrets| config.with("SERVICE", json!([url(&encoded(&secrets.next()))]))),
    ("a url for the tier", |config, secrets| config.with("TIER", url(&encoded(&secrets.next())))),
    ("a url for a number", |config, secrets| config.with("SERVICE.max_connections", url(&encoded(&secrets.next())))),
    ("a url for the limits", |config, secrets| config.with("limits", url(&encoded(&secrets.next())))),
    ("a url for a limit", |config, secrets| config.with("limits.requests", url(&encoded(&secrets.next())))),
    ("a url to listen on", |config, secrets| config.with("listen", url(&encoded(&secrets.next()))).with_env("MOSAIC_LISTEN", "")),
    ("a misspelt key", |config, secrets| config.with("SERVICE.pasword", secrets.next())),
    ("a misspelt key with a number", |config, secrets| config.with("SERVICE.pass", secrets.digits().parse::<u64>().unwrap())),
    ("an unknown key of the tier", |config, secrets| config.with("TIER.pwd", json!({ "list": [secrets.next()] }))),
    ("an unknown key", |config, secrets| config.with("api", secrets.next())),
    ("an unknown section", |config, secrets| config.with("database", json!({ "dsn": secrets.next() }))),
    ("an unknown key of the log", |config, secrets| config.with("log.sink", url(&encoded(&secrets.next())))),
    ("a variable for a misspelt key", |config, secrets| config.with_env("SERVICE__PASWORD", secrets.next())),
    ("a variable for the service", |config, secrets| config.with_env("SERVICE", url(&encoded(&secrets.next())))),
    ("a variable below the password", |config, secrets| config.with_env("SERVICE__PASSWORD__VALUE", secrets.next())),
    ("a variable for a number", |config, secrets| config.with_env("SERVICE__MAX_CONNECTIONS", secrets.next())),
    ("a password that is not escaped", |config, secrets| config.with("SERVICE.url", url(&secrets.next()))),
    ("the same in the environment", |config, secrets| config.with_env("SERVICE__URL", url(&secrets.next()))),
    ("a password with a slash and an at sign", |config, secrets| {
        let (one, two, three) = (secrets.plain(), secrets.plain(), secrets.plain());
        config.with("SERVICE.url", url(&format!("{one}@{two}/{three}")))
    }),
    ("a password with a question mark too", |config, secrets| {
        let (one, two, three) = (secrets.plain(), secrets.plain(), secrets.plain());
        config.with("SERVICE.url", url(&format!("{one}@{two}/{three}?{}", secrets.plain())))
    }),
    ("two passwords", |config, secrets| {
        config.with("SERVICE.url", url(&encoded(&secrets.next()))).with("SERVICE.password", secrets.next())
    }),
    ("a password in the query", |config, secrets| {
        config.with("SERVICE.url", format!("SCHEME://mosaic@127.0.0.1:1/0?password={}", encoded(&secrets.next())))
    }),
    ("a second one in the query", |config, secrets| {
        let (one, two) = (secrets.next(), secrets.next());
        config.with("SERVICE.url", format!("{}?sslpassword={two}", url(&encoded(&one))))
    }),
    ("a secret in any parameter", |config, secrets| {
        config.with("SERVICE.url", format!("SCHEME://mosaic@127.0.0.1:1/0?options={}&sslmode={}", secrets.next(), secrets.plain()))
    }),
    ("a secret in a fragment", |config, secrets| config.with("SERVICE.url", format!("SCHEME://mosaic@127.0.0.1:1/0#{}", secrets.next()))),
    ("no scheme", |config, secrets| config.with("SERVICE.url", format!("mosaic:{}@127.0.0.1/0", secrets.next()))),
    ("another scheme", |config, secrets| config.with("SERVICE.url", format!("mysql://mosaic:{}@127.0.0.1/0", encoded(&secrets.next())))),
    ("one slash", |config, secrets| config.with("SERVICE.url", format!("SCHEME:/mosaic:{}@127.0.0.1/0", encoded(&secrets.next())))),
    ("nothing but the secret", |config, secrets| config.with("SERVICE.url", secrets.next())),
    ("a connection string", |config, secrets| {
        config.with("SERVICE.url", format!("host=127.0.0.1 user=mosaic password='{}'", secrets.next()))
    }),
    ("a password for a user", |config, secrets| {
        let config = config.with("tier", "federated").with("federated.postgres.url", "postgres://mosaic@127.0.0.1:1/mosaic");
        config.with("federated.valkey.url", format!("redis://{}@127.0.0.1:1", encoded(&secrets.next())))
    }),
];

/// A URL of a service that is not there.
fn url(password: &str) -> String {
    format!("SCHEME://mosaic:{password}@127.0.0.1:1/0")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_misplaced_secret_is_shown() {
    let mut secrets = Secrets::new(Random::new("misplaced secrets"));
    let services = [("standalone", "standalone.postgres"), ("federated", "federated.postgres"), ("federated", "federated.valkey")];
    let turn = secrets.below(services.len());
    let cases = MISTAKES.iter().enumerate().map(|(n, (name, make))| {
        let (tier, service) = services[(n + turn) % services.len()];
        let mut own = secrets.fork();
        let config = make(Config::of(tier), &mut own).about(tier, service);
        let mut heard = Heard::new(format!("{name}, {service}"));
        let case = async move {
            let place = config.place();
            let outcome = heard.command(&place, &["serve"]).await;
            assert_eq!(outcome.code, Some(1), "{}: {}", heard.name(), outcome.stderr);
            heard.looks(&place).await;
            heard.leaks(&own)
        };
        let case: Case = case.boxed();
        case
    });
    nothing_is_seen(cases.collect()).await;
}
