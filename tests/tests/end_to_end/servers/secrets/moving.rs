//! Moves between tiers whose passwords are secrets: plans, moves and refusals, at log level trace. And what they leave on disk: the new
//! config, and nothing else.

use futures::FutureExt as _;
use mosaic_tests::services::Database;

use super::heard::Heard;
use super::made::Secrets;
use super::placed::{Config, Service, WAYS};
use super::{Case, nothing_is_seen, set_password, valkey_user};
use crate::harness::{Gateway, Place, Random};
use crate::servers::services;

/// What stands in the way of a case's move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Nothing,
    WrongPasswordOfTheSource,
    WrongPasswordOfTheTarget,
    WrongPasswordOfValkey,
    NobodyListens,
    TheTargetHoldsData,
}

/// A database whose owner has a password that is a secret.
async fn database(of: &mosaic_tests::services::Postgres, secrets: &mut Secrets) -> Database {
    let mut database = of.database().await;
    database.password = secrets.next();
    set_password(&database, &database.password).await;
    database
}

fn service(database: &Database) -> Service {
    Service::postgres(&database.user, format!("{}:{}/{}", database.server.host, database.server.port, database.name))
}

/// The config of a move from standalone to federated, whose passwords are given in ways that follow from `turn`.
async fn config(secrets: &mut Secrets, turn: usize, trouble: Trouble) -> (Place, Vec<Database>) {
    let services = services().await;
    let (source, target) = (database(&services.postgres, secrets).await, database(&services.pgvector, secrets).await);
    target.execute("CREATE EXTENSION vector").await;
    let password = secrets.next();
    let user = valkey_user(&services.valkey, secrets, &password);
    let mut given = [source.password.clone(), target.password.clone(), password];
    let wrong = match trouble {
        Trouble::WrongPasswordOfTheSource => Some(0),
        Trouble::WrongPasswordOfTheTarget => Some(1),
        Trouble::WrongPasswordOfValkey => Some(2),
        _ => None,
    };
    if let Some(wrong) = wrong {
        given[wrong] = secrets.next();
    }
    let to = match trouble {
        Trouble::NobodyListens => Service::postgres(&target.user, "127.0.0.1:1/mosaic"),
        _ => service(&target),
    };
    let valkey = Service::valkey(&user, format!("{}:{}/0", services.valkey.host, services.valkey.port));
    let way = |number: usize| WAYS[(turn + number) % WAYS.len()];
    let config = Config::of("standalone")
        .with_service("standalone.postgres", &service(&source), &given[0], way(0))
        .with_service("federated.postgres", &to, &given[1], way(1))
        .with_service("federated.valkey", &valkey, &given[2], way(3));
    (config.place(), vec![source, target])
}

/// The names of what is in a directory.
fn files(place: &Place, directory: &str) -> Vec<String> {
    let entries = std::fs::read_dir(place.path(directory)).unwrap().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn look_on(mut secrets: Secrets, turn: usize, trouble: Trouble) -> Vec<String> {
    let (place, databases) = config(&mut secrets, turn, trouble).await;
    std::fs::create_dir(place.path("temporary")).unwrap();
    let place = place.clone().with_env("TMPDIR", place.path("temporary").to_str().unwrap());
    let mut heard = Heard::new(format!("a move, {trouble:?}"));
    // What the source holds, and what the target holds that somebody else has put there.
    for (database, is_made) in databases.iter().zip([true, trouble == Trouble::TheTargetHoldsData]) {
        if is_made {
            let elsewhere = crate::servers::standalone(&database.server.url(&database.user, &database.password, &database.name));
            let gateway = Gateway::start_in(&elsewhere).await;
            secrets.remember(gateway.admin().token().to_owned());
            let person = gateway.person("ada").await;
            secrets.remember(person.client.token().to_owned());
            gateway.stop().await;
        }
    }
    let before = files(&place, "");
    let moves = ["migrate", "tier", "--to", "federated"];
    let code = i32::from(trouble != Trouble::Nothing);
    for options in [&["--dry-run"][..], &["--dry-run", "--json"], &[], &["--yes"], &["--yes"], &["--yes", "--json"]] {
        let outcome = heard.command(&place, &[&moves[..], options].concat()).await;
        let expected = if options.is_empty() { 1 } else { code };
        assert_eq!(outcome.code, Some(expected), "{trouble:?}: mosaic {}: {}{}", outcome.command, outcome.text(), outcome.stderr);
    }
    if trouble == Trouble::Nothing {
        heard.command(&place, &["serve"]).await.exit(1);
    }
    for options in [["--abort", "--yes"], ["--return", "--yes"]] {
        heard.command(&place, &[&moves[..], &options[..]].concat()).await;
    }
    let mut expected = before;
    if trouble == Trouble::Nothing {
        expected.push("mosaic.config.federated.json".to_owned());
        expected.sort();
    }
    assert_eq!(files(&place, ""), expected, "{trouble:?}: the new config is left, and nothing else");
    assert!(files(&place, "temporary").is_empty(), "{trouble:?}: {:?}", files(&place, "temporary"));
    heard.leaks(&secrets)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_move_shows_a_secret_or_leaves_one_behind() {
    let mut secrets = Secrets::new(Random::new("secrets of moves"));
    let first = secrets.below(WAYS.len());
    let troubles = [
        Trouble::Nothing,
        Trouble::Nothing,
        Trouble::WrongPasswordOfTheSource,
        Trouble::WrongPasswordOfTheTarget,
        Trouble::WrongPasswordOfValkey,
        Trouble::NobodyListens,
        Trouble::TheTargetHoldsData,
    ];
    let case = |(number, trouble): (usize, Trouble)| -> Case { look_on(secrets.fork(), first + number, trouble).boxed() };
    nothing_is_seen(troubles.into_iter().enumerate().map(case).collect()).await;
}
