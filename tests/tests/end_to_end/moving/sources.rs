//! Sources that cannot be moved from, and ways that do not lead up: each is named with its cure before anything is written, and a plan says
//! the same.

use serde_json::json;

use super::World;
use super::world::{a_little, exported};
use crate::harness::{Gateway, Snapshot};
use crate::servers::Stack;

#[tokio::test]
async fn a_source_that_is_not_there_is_refused_and_nothing_is_made() {
    let world = World::new("local", "federated").await;
    let directory = world.place.data_dir();
    let begin = "begin with \"tier\": \"federated\" and mosaic serve";
    world.refuses(&[], &["there is no data", directory.to_str().unwrap(), "section `local`", begin]).await;
    assert!(!directory.exists());
    // A directory that is empty is no data either, and stays empty.
    std::fs::create_dir(&directory).unwrap();
    world.refuses(&[], &["there is no data", directory.to_str().unwrap(), begin]).await;
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);

    let world = World::new("standalone", "federated").await;
    world.refuses(&[], &["there is no data of Mosaic's yet", &world.standalone.name, "section `standalone`", begin]).await;
}

#[tokio::test]
async fn a_source_that_is_broken_is_refused() {
    let world = World::with("local", "federated", &a_little(31)).await;
    let marker = world.place.read("mosaic-data/mosaic-data.json");
    for (damage, names) in [("{", ["marker is damaged", "mosaic-data.json"]), (r#"{"format": 99, "shape": "new"}"#, ["newer", "format=99"])]
    {
        world.place.write("mosaic-data/mosaic-data.json", damage);
        let before = Snapshot::of(&world.place.data_dir());
        world.refuses_in_the_same_words(&[&["side=source"], &names[..]].concat()).await;
        before.assert_same(&Snapshot::of(&world.place.data_dir()));
    }
    world.place.write("mosaic-data/mosaic-data.json", marker);
    world.migrate(&["--dry-run"]).await.exit(0);
}

#[tokio::test]
async fn a_source_whose_schema_does_not_fit_is_refused() {
    let world = World::with("standalone", "federated", &a_little(32)).await;
    let database = &world.standalone;
    database.execute("ALTER TABLE messages RENAME TO mislaid").await;
    world.refuses(&[], &["side=source"]).await;
    database.execute("ALTER TABLE mislaid RENAME TO messages").await;

    let insert = "INSERT INTO mosaic_migrations SELECT 9999, 'from the future', now(), true, checksum, 1 FROM mosaic_migrations LIMIT 1";
    database.execute(insert).await;
    world.refuses(&[], &["side=source", "newer version of Mosaic", "migration=9999", "use that version"]).await;
    database.execute("DELETE FROM mosaic_migrations WHERE version = 9999").await;

    database.execute("CREATE TABLE aside AS SELECT * FROM mosaic_migrations; DELETE FROM mosaic_migrations WHERE version = 13").await;
    world.refuses(&[], &["side=source", "the schema is older than this version", "behind=1", "mosaic serve"]).await;
    database.execute("INSERT INTO mosaic_migrations SELECT * FROM aside WHERE version = 13").await;
    world.migrate(&["--dry-run"]).await.exit(0);
}

#[tokio::test]
async fn a_source_that_cannot_be_reached_is_refused() {
    let world = World::with("standalone", "federated", &a_little(38)).await;
    let database = &world.standalone;
    let server = &database.server;
    for (url, names) in [
        (server.url(&database.user, "wrong-p4ss", &database.name), ["does not take the password", "standalone.postgres.password"]),
        (server.url(&database.user, &database.password, "no_such_database"), ["postgres has no database", "createdb --owner"]),
        ("postgres://mosaic@127.0.0.1:1/mosaic".to_owned(), ["nothing listens there", "start the server"]),
    ] {
        world.configure(|config| config["standalone"]["postgres"]["url"] = url.into());
        let plan = world.refuses(&[], &[&["side=source", "service=postgres"], &names[..]].concat()).await;
        assert!(plan.kinds("records").is_empty(), "what there is to move is not known");
    }
}

#[tokio::test]
async fn a_source_that_was_moved_is_moved_nowhere_else() {
    let world = World::with("standalone", "federated", &a_little(33)).await;
    world.moves().await;
    let target = &world.stack.database;
    let elsewhere = Stack::new().await;
    world.configure(|config| config["federated"]["postgres"]["url"] = elsewhere.database.url().into());
    let place = format!("place={}:{}/{}", target.server.host, target.server.port, target.name);
    let returning = format!("mosaic migrate tier --to federated --config {} --return", world.place.path("mosaic.config.json").display());
    world.refuses(&[&elsewhere.database], &["this data was moved to another tier", &place, "mosaic serve --config", &returning]).await;

    // Once it is free again, it is.
    world.place.run(&["migrate", "tier", "--to", "federated", "--return", "--yes"]).await.exit(0);
    std::fs::remove_file(world.new_config()).unwrap();
    world.moves().await;
    // And what holds what was moved is no target for somebody else.
    let other = World::with("standalone", "federated", &a_little(34)).await;
    other.configure(|config| config["federated"]["postgres"]["url"] = elsewhere.database.url().into());
    other.refuses(&[&elsewhere.database], &["the target holds what another move has brought there", "from=standalone", "createdb"]).await;
}

#[tokio::test]
async fn ways_that_do_not_lead_up_are_refused() {
    let world = World::with("standalone", "federated", &a_little(35)).await;
    let before = world.sides().await;
    let ways = "local to standalone, local to federated, standalone to federated";
    for (from, to) in [("federated", "local"), ("federated", "standalone"), ("standalone", "local")] {
        world.configure(|config| config["tier"] = json!(from));
        for option in ["--dry-run", "--yes", "--abort", "--return"] {
            let outcome = world.place.run(&["migrate", "tier", "--to", to, option]).await;
            outcome.fails_with(&["data is moved up a tier, one way", &format!("from={from}"), &format!("to={to}"), ways, "mosaic export"]);
        }
    }
    world.configure(|_| ());
    for to in ["galactic", ""] {
        for option in ["--dry-run", "--yes"] {
            world.place.run(&["migrate", "tier", "--to", to, option]).await.fails_with(&["tier", "local"]);
        }
    }
    for wrong in [&[][..], &["--to"], &["--to", "federated", "--abort", "--return"], &["--to", "federated", "--frobnicate"]] {
        world.place.run(&[&["migrate", "tier"], wrong].concat()).await.exit(2);
    }
    before.assert_same(&world.sides().await);
    assert!(!world.place.data_dir().exists());
}

#[tokio::test]
async fn without_a_terminal_it_takes_a_word() {
    let world = World::with("standalone", "federated", &a_little(36)).await;
    let before = world.sides().await;
    let outcome = world.migrate(&[]).await.fails_with(&["nobody can be asked", &world.stack.database.name, "--yes"]);
    assert!(!outcome.text().contains('\u{1b}'), "{}", outcome.text());
    world.migrate(&["--json"]).await.fails_with(&["nobody can be asked", "--yes"]);
    before.assert_same(&world.sides().await);
}

/// A gateway at work writes that it is there: what is in the databases is not compared.
#[tokio::test]
async fn a_move_waits_for_nobody_who_is_at_work() {
    let world = World::with("standalone", "federated", &a_little(37)).await;
    let admin = a_little(37).administrator_secret();
    let gateway = Gateway::start_in(&world.place).await;
    let names = ["the data is in use", "tier=standalone", &format!("pid={}", gateway.pid()), &gateway.url(), "kill"];
    world.refuses_in_the_same_words(&names).await;
    let note = gateway.anonymous().with_token(&admin).create("notes", json!({ "title": "it goes on" })).await;
    gateway.stop().await;

    // On the target.
    let target = Gateway::start_in(&world.stack.place()).await;
    let names = ["the data is in use", "tier=federated", &format!("pid={}", target.pid()), &target.url(), "kill"];
    world.refuses_in_the_same_words(&names).await;
    target.admin().get("/api/v1/users").await.expect(200);
    target.stop().await;

    // Not a gateway, but a command that writes.
    let mut import = world.place.command(&["import", "-"]);
    import.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut import = import.spawn().unwrap();
    let names = ["the data is in use", "tier=standalone", &format!("pid={}", import.id()), "command=import", "stop `mosaic import`"];
    crate::harness::eventually("the import says that it is there", crate::harness::PATIENCE, || async {
        let outcome = world.migrate(&["--dry-run"]).await;
        (outcome.code == Some(1)).then_some(())
    })
    .await;
    world.refuses_in_the_same_words(&names).await;
    drop(import.stdin.take());
    assert!(import.wait().unwrap().success());

    let moved = world.moves().await;
    assert_eq!(moved.outcome(), "moved");
    assert!(exported(&world.moved()).await.contains(note["id"].as_str().unwrap()));
}

#[tokio::test]
async fn a_move_from_local_waits_for_nobody_who_is_at_work() {
    let world = World::new("local", "federated").await;
    let gateway = Gateway::start_in(&world.place).await;
    let (pid, kill) = (format!("pid={}", gateway.pid()), format!("kill {}", gateway.pid()));
    world.refuses_in_the_same_words(&["side=source", "in use", &pid, &gateway.url(), &kill, "run this again"]).await;
    gateway.admin().create("notes", json!({ "title": "it goes on" })).await;
    gateway.stop().await;
    world.migrate(&["--dry-run"]).await.exit(0);
}
