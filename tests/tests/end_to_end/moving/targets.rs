//! Targets that cannot be moved to: each is named with its cure before anything is written, and a plan says the same.

use mosaic_tests::services::Database;
use serde_json::{Value, json};

use super::world::{a_little, exported};
use super::{Summary, World};
use crate::harness::{Gateway, Tmpfs};
use crate::servers::{Stack, federated, services};

/// A world whose source has data, on tier standalone: that takes no engine.
async fn world() -> World {
    World::with("standalone", "federated", &a_little(21)).await
}

/// Leads the config to another Postgres, or to none.
fn lead(world: &World, url: &str) {
    world.configure(|config| config["federated"]["postgres"]["url"] = url.into());
}

/// A gateway was there once, and went.
async fn first_start(stack: &Stack) -> crate::harness::Place {
    let place = stack.place();
    Gateway::start_in(&place).await.stop().await;
    place
}

/// As it was before the last migration, which only removed indexes.
async fn make_older(database: &Database) {
    let indexes = [("tasks", "created_at"), ("tasks", "updated_at"), ("notes", "created_at"), ("notes", "updated_at")];
    let rest = [("sessions", "created_at"), ("sessions", "updated_at"), ("messages", "seq")];
    let mut sql = "DELETE FROM mosaic_migrations WHERE version = 13;".to_owned();
    for (table, column) in indexes.into_iter().chain(rest) {
        sql += &format!("CREATE INDEX {table}_by_{column} ON {table} ({column}, id);");
    }
    database.execute(&sql).await;
}

#[tokio::test]
async fn a_target_that_holds_data_is_refused() {
    let world = world().await;
    world.fill("federated", a_little(22).records(), []).await;
    let place = format!("place={}:{}/{}", world.stack.database.server.host, world.stack.database.server.port, world.stack.database.name);
    let plan = world.refuses(&[], &["the target holds data already", &place, "3 users", "6 tasks", "createdb"]).await;
    assert_eq!(plan.0["blockers"][0]["code"], "conflict");
    assert_eq!(plan.kinds("records").iter().find(|(kind, _)| kind == "task").unwrap().1, 6, "it says all the same what there is to move");

    // Another user beside the one of a first start is somebody who works there.
    let stack = Stack::new().await;
    let gateway = Gateway::start_in(&stack.place()).await;
    gateway.admin().create("users", json!({ "login": "ada", "name": "Ada" })).await;
    gateway.stop().await;
    lead(&world, &stack.database.url());
    world.refuses(&[&stack.database], &["the target holds data already", "2 users, 1 token", "createdb"]).await;

    // So is one whose token was made by hand.
    let stack = Stack::new().await;
    let place = first_start(&stack).await;
    let token = place.run(&["token", "list", "--json"]).await.exit(0).text();
    let token: Value = serde_json::from_str(&token).unwrap();
    let id = token[0]["id"].as_str().or_else(|| token["items"][0]["id"].as_str()).unwrap_or_else(|| panic!("{token}"));
    place.run(&["token", "create", "--user", "admin", "--name", "laptop"]).await.exit(0);
    stack.database.execute(&format!("DELETE FROM tokens WHERE id = '{id}'")).await;
    lead(&world, &stack.database.url());
    world.refuses(&[&stack.database], &["the target holds data already", "1 user, 1 token"]).await;
}

#[tokio::test]
async fn a_target_whose_schema_does_not_fit_is_refused() {
    let world = world().await;
    world.stack.database.execute("CREATE TABLE tasks (id int); INSERT INTO tasks VALUES (7)").await;
    world.refuses(&[], &["side=target", "tables that are not Mosaic's", "names=tasks", "an empty database"]).await;

    let stack = Stack::new().await;
    first_start(&stack).await;
    lead(&world, &stack.database.url());
    let insert = "INSERT INTO mosaic_migrations SELECT 9999, 'from the future', now(), true, checksum, 1 FROM mosaic_migrations LIMIT 1";
    stack.database.execute(insert).await;
    world.refuses(&[&stack.database], &["side=target", "newer version of Mosaic", "migration=9999", "use that version"]).await;
    stack.database.execute("DELETE FROM mosaic_migrations WHERE version = 9999").await;

    make_older(&stack.database).await;
    world.refuses(&[&stack.database], &["side=target", "the schema is older than this version", "behind=1", "mosaic serve"]).await;
    // What it says to do helps.
    first_start(&stack).await;
    world.migrate(&["--dry-run"]).await.exit(0);
}

#[tokio::test]
async fn a_target_that_cannot_be_reached_is_refused() {
    let world = world().await;
    let services = services().await;
    let plain = services.postgres.database().await;
    lead(&world, &plain.url());
    world.refuses(&[&plain], &["side=target", "does not have pgvector", "service=postgres", "pgvector/pgvector:pg16"]).await;

    let database = &world.stack.database;
    let server = &database.server;
    for (url, names) in [
        (server.url(&database.user, "wrong-p4ss", &database.name), ["does not take the password", "federated.postgres.password"]),
        (server.url(&database.user, &database.password, "no_such_database"), ["postgres has no database", "createdb --owner"]),
        ("postgres://mosaic@127.0.0.1:1/mosaic".to_owned(), ["nothing listens there", "start the server"]),
    ] {
        lead(&world, &url);
        world.refuses(&[], &[&["side=target", "service=postgres"], &names[..]].concat()).await;
    }
    // What a server says is taken as it is.
    let too_old = Stack::new().await.database;
    let says_so = "CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE sql AS \
        $$ SELECT CASE $1 WHEN 'server_version_num' THEN '150011' ELSE pg_catalog.current_setting($1) END $$";
    too_old.execute(&format!("{says_so}; ALTER ROLE {} SET search_path = public, pg_catalog", too_old.user)).await;
    lead(&world, &too_old.url());
    world.refuses(&[&too_old], &["side=target", "postgres 15.11 is too old: it takes 16 or later", "upgrade the server"]).await;

    let wrong = format!("redis://:wrong-p4ss@{}:{}", services.valkey.host, services.valkey.port);
    for (url, names) in [
        ("redis://127.0.0.1:1", ["nothing listens there", "target=127.0.0.1:1"]),
        (&wrong, ["valkey does not take the password", "federated.valkey.password"]),
    ] {
        world.configure(|config| config["federated"]["valkey"]["url"] = url.into());
        world.refuses(&[], &[&["side=target", "service=valkey"], &names[..]].concat()).await;
    }
    world.configure(|config| drop(config.as_object_mut().unwrap().remove("federated")));
    world.refuses(&[], &["side=target", "federated.postgres.url", "it is not set"]).await;
}

#[tokio::test]
async fn a_target_that_was_only_started_is_taken_over() {
    let world = world().await;
    let first = first_start(&world.stack).await;
    let old_token = String::from_utf8(first.read("mosaic-admin.token")).unwrap();
    let before = world.sides().await;
    let plan = world.migrate(&["--dry-run"]).await.exit(0).text();
    assert!(plan.contains("the administrator \"admin\" that a first start made there is replaced"), "{plan}");
    before.assert_same(&world.sides().await);

    let source = exported(&world.place).await;
    world.moves().await;
    assert!(exported(&world.moved()).await == source, "nothing of the first start is left");
    let gateway = Gateway::start_in(&world.moved()).await;
    gateway.anonymous().with_token(old_token.trim()).get("/api/v1/me").await.problem(401, "unauthorized");
    gateway.anonymous().with_token(a_little(21).administrator_secret()).get("/api/v1/users").await.expect(200);
    gateway.stop().await;
}

/// Both were started once, and each has an administrator of the same name.
#[tokio::test]
async fn of_two_first_administrators_the_sources_stays() {
    let world = World::new("standalone", "federated").await;
    let first = first_start(&world.stack).await;
    Gateway::start_in(&world.place).await.stop().await;
    let [of_target, of_source] = [&first, &world.place].map(|place| place.read("mosaic-admin.token"));
    let source = exported(&world.place).await;
    world.moves().await;
    assert!(exported(&world.moved()).await == source);
    let gateway = Gateway::start_in(&world.moved()).await;
    assert!(world.place.read("mosaic-admin.token") == of_source, "nobody else is made an administrator");
    gateway.admin().get("/api/v1/users").await.expect(200);
    let old_token = String::from_utf8(of_target).unwrap();
    gateway.anonymous().with_token(old_token.trim()).get("/api/v1/me").await.problem(401, "unauthorized");
    gateway.stop().await;
    // Of whom it is known that a first start made them: so much can be replaced again, had it to be.
    let state = async |tier: &str| {
        let backend = world.open(tier).await;
        let state = backend.storage.state("first-admin").await.unwrap().unwrap().value;
        backend.storage.close().await.unwrap();
        state
    };
    assert_eq!(state("federated").await, state("standalone").await);
}

#[tokio::test]
async fn all_that_is_in_the_way_is_said_at_once() {
    let world = world().await;
    world.fill("federated", a_little(22).records(), []).await;
    std::fs::write(world.new_config(), "mine").unwrap();
    let before = world.sides().await;
    for option in ["--dry-run", "--yes"] {
        let outcome = world.migrate(&[option]).await.exit(1);
        let said: Vec<_> = outcome.stderr.lines().collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains("the target holds data already") && said[1].contains("another file is where"), "{said:?}");
    }
    let json = Summary::of(&world.migrate(&["--dry-run", "--json"]).await.exit(1));
    assert_eq!((json.outcome(), json.0["blockers"].as_array().unwrap().len()), ("blocked", 2));
    before.assert_same(&world.sides().await);
}

#[tokio::test]
async fn where_the_new_config_cannot_be_written_nothing_is_moved() {
    let mut world = world().await;
    let disk = Tmpfs::new(1);
    let config = disk.path().join("team.json");
    std::fs::copy(world.place.path("mosaic.config.json"), &config).unwrap();
    disk.make_read_only();
    world.place = world.place.with_env("MOSAIC_CONFIG", config.to_str().unwrap());
    world.refuses(&[], &["the new config cannot be written", "team.federated.json", "make its directory writable"]).await;
}

#[tokio::test]
async fn what_is_in_the_place_of_the_new_config_stays() {
    let world = world().await;
    std::fs::write(world.new_config(), "mine").unwrap();
    world.refuses(&[], &["another file is where the new config is to go", "mosaic.config.federated.json", "move it away"]).await;
    assert_eq!(std::fs::read_to_string(world.new_config()).unwrap(), "mine");
}

#[tokio::test]
async fn source_and_target_in_one_database_are_refused() {
    // Reached by another name, and on the way to an extension that is there.
    let world = World::new("standalone", "federated").await;
    let database = &world.stack.database;
    let elsewhere = database.url().replace("127.0.0.1", "localhost");
    world.configure(|config| config["standalone"]["postgres"]["url"] = elsewhere.clone().into());
    let source = crate::servers::standalone(&elsewhere);
    Gateway::start_in(&source).await.stop().await;
    world.refuses(&[], &["source and target are the same database", "\"tier\": \"federated\"", "mosaic serve"]).await;
    // What it says to do helps: nothing has to be moved.
    let gateway = Gateway::start_in(&federated(&database.url(), &world.stack.valkey)).await;
    let token = String::from_utf8(source.read("mosaic-admin.token")).unwrap();
    gateway.anonymous().with_token(token.trim()).get("/api/v1/me").await.expect(200);
    gateway.stop().await;
    world.refuses(&[], &["source and target are the same database", "\"tier\": \"federated\"", "mosaic serve"]).await;
}
