//! What is there once everything was moved: the new config, the source as it was and closed to whoever writes, and two commands that lead on.

use std::os::unix::fs::PermissionsExt as _;

use mosaic_core::Storage;
use mosaic_tests::generator::assert_same_records;
use serde_json::{Value, json};

use super::World;
use super::world::{a_little, exported};
use crate::harness::{Gateway, Place};

/// The command that a message names, as a shell would take it apart: what follows `mosaic` up to the end of the clause.
fn named<'m>(message: &'m str, begins: &str) -> Vec<&'m str> {
    let from = message.find(begins).unwrap_or_else(|| panic!("no {begins:?} in {message}")) + "mosaic ".len();
    message[from..].split([';', ',', ')', '\n']).next().unwrap().split_whitespace().collect()
}

/// Nobody writes here, in one line that says where to go on.
async fn is_closed(place: &Place, names: &[&str]) -> String {
    // On tier local, the engine says before that it is ready.
    let refusal = place.run(&["serve"]).await.exit(1).stderr;
    let refusal: Vec<_> = refusal.lines().filter(|line| !line.contains("INFO the embedded engine is ready")).collect();
    assert!(
        refusal.len() == 1 && names.iter().all(|name| refusal[0].contains(name)),
        "not one line with {names:?}:\n{}",
        refusal.join("\n")
    );
    let refusal = refusal[0].to_owned();
    place.run(&["user", "add", "eve"]).await.fails_with(names);
    place.run(&["token", "create", "--user", "eve", "--name", "x"]).await.fails_with(names);
    place.run_with_input(&["import", "-"], b"").await.fails_with(names);
    refusal
}

async fn check(from: &'static str) {
    let data = a_little(51);
    let world = World::with(from, "federated", &data).await;
    world.place.write("secrets.pg", format!("{}\n", world.stack.database.password));
    world.configure(|config| {
        config["federated"]["postgres"] = json!({ "url": world.stack.database.url_without_password(), "password_file": "secrets.pg" });
        config["log"] = json!({ "filter": "info" });
    });
    // What the environment says is nobody else's.
    let place = world.place.clone().with_env("MOSAIC_FEDERATED__VALKEY__URL", &world.stack.valkey);
    world.configure_further(|config| drop(config["federated"].as_object_mut().unwrap().remove("valkey")));
    let old_config = world.place.read("mosaic.config.json");
    let before = exported(&place).await;
    std::fs::create_dir(place.path("temporary")).unwrap();
    let place = place.clone().with_env("TMPDIR", place.path("temporary").to_str().unwrap());
    let mut files = world.files();
    let said = place.run(&["migrate", "tier", "--to", "federated", "--yes"]).await.exit(0).text();
    files.push("mosaic.config.federated.json".to_owned());
    files.sort();
    assert_eq!(world.files(), files, "the new config is left, and nothing else");
    assert_eq!(std::fs::read_dir(place.path("temporary")).unwrap().count(), 0);

    // The new config is the old one, but for the tier.
    let new_config = world.new_config();
    let serve = format!("mosaic serve --config {}", new_config.display());
    assert!(said.contains(&serve), "{said}");
    assert_eq!(new_config.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(world.place.read("mosaic.config.json") == old_config, "the old config stays");
    let mut expected: Value = serde_json::from_slice(&old_config).unwrap();
    expected["tier"] = json!("federated");
    let text = std::fs::read_to_string(&new_config).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    assert!(text.contains("password_file") && !text.contains(&world.stack.database.password), "a reference stays one");
    assert!(!text.contains(&world.stack.valkey), "what the environment says is not written down");

    // The source says where its data went, and can be read.
    let to = &world.stack.database;
    let went = format!("place={}:{}/{}", to.server.host, to.server.port, to.name);
    let refusal = is_closed(&place, &["this data was moved to another tier", "to=federated", &went, "since=", &serve, "--return"]).await;
    assert!(exported(&place).await == before);
    place.run(&["user", "list"]).await.exit(0);

    // On, by what it says to do.
    let arguments = named(&refusal, "mosaic serve --config");
    let moved = place.clone().with_env("MOSAIC_CONFIG", *arguments.last().unwrap());
    assert_eq!(arguments[..2], ["serve", "--config"]);
    let gateway = Gateway::start_in(&moved).await;
    let client = gateway.anonymous().with_token(data.administrator_secret());
    let note = client.create("notes", json!({ "title": "since then" })).await;
    gateway.stop().await;

    // And back: what was written there stays there.
    let back = named(&refusal, "mosaic migrate tier");
    assert_eq!(back.last(), Some(&"--return"));
    place.run(&back).await.fails_with(&["nobody can be asked", "--yes"]);
    place.run(&["user", "add", "eve"]).await.fails_with(&["this data was moved to another tier"]);
    let said = place.run(&[&back[..], &["--yes"]].concat()).await.exit(0).text();
    assert!(said.contains("gateways start on the source again"), "{said}");
    let gateway = Gateway::start_in(&place).await;
    let client = gateway.anonymous().with_token(data.administrator_secret());
    client.get(&format!("/api/v1/notes/{}", note["id"].as_str().unwrap())).await.problem(404, "not_found");
    client.create("notes", json!({ "title": "here again" })).await;
    gateway.stop().await;
    assert!(exported(&moved).await.contains("since then"), "the target stays as it is");
    let again = place.run(&[&back[..], &["--yes"]].concat()).await.exit(0).text();
    assert!(again.contains("this data was not moved"), "{again}");
}

#[tokio::test]
async fn a_source_on_local_is_closed_and_leads_on_and_back() {
    check("local").await;
}

#[tokio::test]
async fn a_source_on_standalone_is_closed_and_leads_on_and_back() {
    check("standalone").await;
}

#[tokio::test]
async fn while_a_move_is_under_way_both_sides_are_closed_and_lead_to_its_end() {
    let data = a_little(52);
    let world = World::with("standalone", "federated", &data).await;
    // The documents of a move that was cut off, as one makes them.
    world.moves().await;
    let target = world.open("federated").await;
    let set = async |storage: &dyn Storage, change: &dyn Fn(&mut Value)| {
        let mut state = storage.state("migration").await.unwrap().unwrap();
        change(&mut state.value);
        let write = mosaic_core::StateWrite { name: "migration".into(), value: Some(state.value), expect: state.version };
        storage.put_state(&write).await.unwrap();
    };
    set(&*target.storage, &|value| value["state"] = json!("verified")).await;
    target.storage.close().await.unwrap();
    let source = world.open("standalone").await;
    set(&*source.storage, &|value| value["state"] = json!("fenced")).await;
    source.storage.close().await.unwrap();
    std::fs::remove_file(world.new_config()).unwrap();

    let config = world.place.path("mosaic.config.json");
    let finish = format!("finish the move: mosaic migrate tier --to federated --config {}", config.display());
    let undo = format!("or undo it: mosaic migrate tier --to federated --config {} --abort", config.display());
    let refusal = is_closed(&world.place, &["this data is being moved to another tier", "to=federated", &finish, &undo]).await;
    let at_target = world.stack.place();
    is_closed(&at_target, &["a part of what is being moved here", "from=standalone", "state=verified", &finish, &undo]).await;
    at_target.run(&["export", "-"]).await.fails_with(&["a part of what is being moved here", &finish, &undo]);
    let before = exported(&world.place).await;

    // A plan says how far it is; what stands in the way stands in the way of the rest.
    std::fs::write(world.new_config(), "mine").unwrap();
    world.refuses(&[], &["another file is where the new config is to go"]).await;
    std::fs::remove_file(world.new_config()).unwrap();
    let plan = world.migrate(&["--dry-run"]).await.exit(0).text();
    assert!(plan.contains("an earlier run has come to: verified"), "{plan}");

    // By what it says to do it is finished.
    let finishing = named(&refusal, "mosaic migrate tier");
    world.place.run(&[&finishing[..], &["--yes"]].concat()).await.exit(0);
    assert!(exported(&world.moved()).await == before);
    assert_same_records(data.records().collect(), world.held("federated").await.0);
    Gateway::start_in(&world.moved()).await.stop().await;
    // Whoever would undo it now is told how to return.
    let undoing = [&finishing[..], &["--abort", "--yes"]].concat();
    world.place.run(&undoing).await.fails_with(&["come to its end", "--return"]);
}

/// All of the config is in the environment, where a tier counts before the new config's.
#[tokio::test]
async fn a_move_without_a_config_file_says_that_the_environment_counts_before_the_new_one() {
    let data = a_little(53);
    let world = World::with("standalone", "federated", &data).await;
    std::fs::remove_file(world.place.path("mosaic.config.json")).unwrap();
    let place = world.stack.place().with_env("MOSAIC_STANDALONE__POSTGRES__URL", world.standalone.url());
    let on = |tier: &str| place.clone().with_env("MOSAIC_TIER", tier);
    let said = on("standalone").run(&["migrate", "tier", "--to", "federated", "--yes"]).await.exit(0);
    assert!(said.stderr.contains("MOSAIC_TIER is set, and counts before the config"), "{}", said.stderr);
    let new_config = place.path("mosaic.config.federated.json");
    assert!(said.text().contains(&format!("mosaic serve --config {}", new_config.display())), "{}", said.text());
    assert_eq!(serde_json::from_slice::<Value>(&std::fs::read(&new_config).unwrap()).unwrap(), json!({ "tier": "federated" }));

    let back = "mosaic migrate tier --to federated --return";
    is_closed(&on("standalone"), &["this data was moved to another tier", back]).await;
    let gateway = Gateway::start_in(&on("federated")).await;
    gateway.anonymous().with_token(data.administrator_secret()).get("/api/v1/me").await.expect(200);
    gateway.stop().await;
}

/// A config elsewhere, under a name that a shell would take apart: what is beside it is found from everywhere.
#[tokio::test]
async fn a_move_by_a_config_elsewhere_names_commands_that_a_shell_takes() {
    let world = World::with("standalone", "federated", &a_little(54)).await;
    let directory = world.place.path("ada's team");
    std::fs::create_dir(&directory).unwrap();
    world.place.write("ada's team/secrets.pg", format!("{}\n", world.stack.database.password));
    world.configure(|config| {
        config["federated"]["postgres"] = json!({ "url": world.stack.database.url_without_password(), "password_file": "secrets.pg" });
    });
    std::fs::rename(world.place.path("mosaic.config.json"), directory.join("the team.json")).unwrap();
    let moved = world.place.run(&["migrate", "tier", "--to", "federated", "--yes", "--config", "ada's team/the team.json"]).await.exit(0);
    let [old, new] = ["the team.json", "the team.federated.json"].map(|name| directory.join(name));
    assert!(new.exists());
    let quoted = |path: &std::path::Path| format!("'{}'", path.to_str().unwrap().replace('\'', r"'\''"));
    assert!(moved.text().contains(&format!("mosaic serve --config {}", quoted(&new))), "{}", moved.text());

    let before = world.place.clone().with_env("MOSAIC_CONFIG", old.to_str().unwrap());
    let back = format!("mosaic migrate tier --to federated --config {} --return", quoted(&old));
    is_closed(&before, &[&format!("mosaic serve --config {};", quoted(&new)), &back]).await;
    let mut shell = std::process::Command::new("sh");
    let command = before.command(&[]);
    let script = back.replacen("mosaic ", &format!("{} ", command.get_program().to_str().unwrap()), 1) + " --yes";
    shell.args(["-c", &script]).current_dir("/");
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    Gateway::start_in(&before).await.stop().await;
    let after = world.place.clone().with_env("MOSAIC_CONFIG", new.to_str().unwrap());
    Gateway::start_in(&after).await.stop().await;
}
