//! What tools are said to take is what they take, and what they come to is what is stored.

use std::sync::Arc;

use mosaic_core::memory::MemoryStorage;
use mosaic_core::{Batch, Clock as _, CountingIds, Record, SystemClock};

use super::*;

const ADA: &str = "00000000-0000-4000-8000-00000000000a";
const BOB: &str = "00000000-0000-4000-8000-00000000000b";
const TEAM: &str = "00000000-0000-4000-8000-00000000000c";

struct World {
    records: Records,
    searcher: Searcher,
    in_team: bool,
}

impl World {
    async fn new() -> Self {
        let storage: Arc<dyn mosaic_core::Storage> = Arc::new(MemoryStorage::default());
        let user = |id: &str, login: &str| {
            let user =
                json!({ "kind": "user", "id": id, "login": login, "name": "x", "role": "member", "created_at": "2026-01-01T00:00:00Z" });
            serde_json::from_value::<Record>(user).unwrap()
        };
        let at = "2026-01-01T00:00:00Z";
        let team = json!({ "kind": "team", "id": TEAM, "slug": "mill", "name": "Mill", "created_at": at });
        let member = |n: usize, user: &str| {
            let id = format!("00000000-0000-4000-8000-00000000010{n}");
            json!({ "kind": "membership", "id": id, "team_id": TEAM, "user_id": user, "role": "member", "created_at": at })
        };
        let read = |record: Value| serde_json::from_value::<Record>(record).unwrap();
        let records = [user(ADA, "ada"), user(BOB, "bob"), read(team), read(member(1, ADA)), read(member(2, BOB))];
        storage.load(&records, None).await.unwrap();
        let records = Records { storage: Arc::clone(&storage), clock: Arc::new(SystemClock), ids: Arc::new(CountingIds::default()) };
        Self { records, searcher: Searcher { storage, vectors: None, meaning: None }, in_team: false }
    }

    fn tools(&self, user: &str) -> Tools<'_> {
        let team = self.in_team.then(|| TEAM.parse().unwrap());
        Tools { records: &self.records, searcher: &self.searcher, scope: Scope::User(user.parse().unwrap()), team }
    }

    /// The same world, in a session of the team.
    fn in_team(self) -> Self {
        Self { in_team: true, ..self }
    }

    /// Calls a tool, and does what it comes to; answers what the model is told.
    async fn call(&self, user: &str, name: &str, arguments: &str) -> Value {
        let call = ToolCall { id: "1".into(), name: name.into(), arguments: arguments.into() };
        let (tools, at) = (self.tools(user), SystemClock.now());
        let told = match tools.outcome(&call, at).await {
            Ok(Outcome { change: None, data }) => result(&data, 10_000),
            Ok(Outcome { change: Some(change), data }) => match self.records.storage.apply(tools.scope, &Batch::one(at, change)).await {
                Ok(mut applied) => {
                    let stored = applied.pop().and_then(mosaic_core::Applied::record).unwrap();
                    assert_eq!(data, json!(stored), "what is answered is what is stored");
                    result(&data, 10_000)
                }
                Err(error) => refusal(&error, 10_000).unwrap(),
            },
            Err(error) => refusal(&error, 10_000).unwrap(),
        };
        serde_json::from_str(&told).unwrap()
    }
}

#[test]
fn every_tool_says_what_it_takes_without_references() {
    let definitions = definitions();
    assert_eq!(definitions.len(), 1 + 4 * KINDS.len());
    for tool in &definitions {
        let parameters = tool.parameters.to_string();
        assert!(!parameters.contains("$ref") && !parameters.contains("$defs"), "{}: {parameters}", tool.name);
        assert!(!parameters.contains("\"pattern\"") && !parameters.contains("Length\""), "not every server bears a bound: {parameters}");
        assert_eq!((&tool.parameters["type"], &tool.parameters["additionalProperties"]), (&json!("object"), &json!(false)));
        for required in tool.parameters["required"].as_array().unwrap() {
            assert!(tool.parameters["properties"][required.as_str().unwrap()].is_object(), "{}: {required}", tool.name);
        }
        for ours in ["owner_id", "created_at", "kind"] {
            assert!(tool.parameters["properties"].get(ours).is_none(), "{}: {ours}", tool.name);
        }
    }
    let update = definitions.iter().find(|tool| tool.name == "task_update").unwrap();
    assert!(update.parameters["properties"]["status"].to_string().contains("in_progress"), "{}", update.parameters);
}

#[tokio::test]
async fn what_is_made_and_changed_is_as_it_is_answered() {
    let world = World::new().await;
    let made = world.call(ADA, "task_create", r#"{"title":"Call the mill","tags":["mill"]}"#).await;
    let id = made["data"]["id"].as_str().unwrap();
    assert_eq!((&made["data"]["owner_id"], &made["data"]["status"]), (&json!(ADA), &json!("open")));
    let changed = world.call(ADA, "task_update", &json!({ "id": id, "status": "done", "body": "They come on Monday." }).to_string()).await;
    assert_eq!((&changed["data"]["status"], &changed["data"]["revision"]), (&json!("done"), &json!(2)));
    assert_eq!(world.call(ADA, "task_get", &json!({ "id": id }).to_string()).await, changed);
    let same = world.call(ADA, "task_update", &json!({ "id": id, "status": "done" }).to_string()).await;
    assert_eq!(same, changed, "what changes nothing leaves the revision");
    let listed = world.call(ADA, "task_list", r#"{"status":"done","limit":3,"order":"-created_at"}"#).await;
    assert_eq!(listed["data"], json!({ "items": [changed["data"]], "there_are_more": false }));
    let found = world.call(ADA, "search", r#"{"text":"mill"}"#).await;
    assert_eq!(found["data"][0]["id"], json!(id));
}

#[tokio::test]
async fn what_cannot_be_done_is_answered_as_an_error_that_helps() {
    let world = World::new().await;
    let made = world.call(ADA, "note_create", r#"{"title":"Secret","body":"of Ada's"}"#).await;
    let id = made["data"]["id"].as_str().unwrap();
    let with_id = |more: &str| format!(r#"{{"id":"{id}"{more}}}"#);
    for (user, name, arguments, said) in [
        (ADA, "note_delete", "{}".to_owned(), "there is no such tool"),
        (ADA, "note_get", "{".to_owned(), "not JSON"),
        (ADA, "note_get", "[]".to_owned(), "not a JSON object"),
        (ADA, "note_get", String::new(), "argument=id"),
        (ADA, "note_get", r#"{"id":"the first"}"#.to_owned(), "ids are UUIDs"),
        (ADA, "note_get", with_id(r#","whole":true"#), "argument=whole"),
        (BOB, "note_get", with_id(""), "no note with this id"),
        (BOB, "note_update", with_id(r#","title":"Mine""#), "no note with this id"),
        (ADA, "note_update", with_id(r#","title":"""#), "field=title"),
        (ADA, "note_update", with_id(r#","title":"x","revision":7"#), "changed"),
        (ADA, "note_update", with_id(r#","created_at":"2026-01-01T00:00:00Z""#), "field=created_at"),
        (ADA, "task_create", r#"{"title":"x","colour":"red"}"#.to_owned(), "colour"),
        (ADA, "task_create", format!(r#"{{"title":"x","owner_id":"{BOB}"}}"#), "owner"),
        (ADA, "task_create", format!(r#"{{"title":"x","assignee_id":"{BOB}"}}"#), "assignee"),
        (ADA, "task_list", r#"{"status":"later"}"#.to_owned(), "status"),
        (ADA, "task_list", r#"{"limit":0}"#.to_owned(), "argument=limit"),
        (ADA, "search", r#"{"text":"--"}"#.to_owned(), "no word"),
        (ADA, "search", r#"{"text":"x","kinds":["message"]}"#.to_owned(), "argument=kinds"),
    ] {
        let told = world.call(user, name, &arguments).await;
        let error = told["error"].as_str().unwrap_or_else(|| panic!("{name} {arguments} is taken: {told}"));
        assert!(error.contains(said), "{name} {arguments}: {error}");
        assert!(!told.to_string().contains("Ada's"), "{told}");
    }
}

#[tokio::test]
async fn a_tool_neither_moves_a_record_to_another_space_nor_gives_it_away() {
    let world = World::new().await;
    let own = world.call(ADA, "note_create", r#"{"title":"Diary"}"#).await;
    let ours = world.call(ADA, "task_create", &json!({ "title": "Mill", "team_id": TEAM }).to_string()).await;
    for (name, record, patch) in [
        ("note_update", &own, json!({ "team_id": TEAM })),
        ("task_update", &ours, json!({ "team_id": null })),
        ("task_update", &ours, json!({ "owner_id": BOB, "title": "Yours" })),
    ] {
        let mut arguments = patch;
        arguments["id"] = record["data"]["id"].clone();
        let told = world.call(ADA, name, &arguments.to_string()).await;
        assert!(told["error"].as_str().is_some_and(|error| error.contains("another space or owner")), "{arguments}: {told}");
        let id = json!({ "id": record["data"]["id"] }).to_string();
        assert_eq!(&world.call(ADA, &name.replace("update", "get"), &id).await, record);
    }
    // What it says of itself is none of it.
    let same = json!({ "id": ours["data"]["id"], "team_id": TEAM, "owner_id": ADA, "title": "The mill" });
    assert_eq!(world.call(ADA, "task_update", &same.to_string()).await["data"]["title"], "The mill");
    for tool in definitions() {
        assert_eq!(tool.parameters["properties"].get("team_id").is_some(), tool.name.ends_with("_create"), "{}", tool.name);
    }
}

#[tokio::test]
async fn in_a_teams_session_tools_see_nothing_but_the_teams() {
    let world = World::new().await;
    let own = world.call(ADA, "note_create", r#"{"title":"Diary","body":"of Ada's own"}"#).await;
    let id = json!({ "id": own["data"]["id"] });
    let world = world.in_team();
    let ours = world.call(ADA, "note_create", r#"{"title":"Diary of the mill"}"#).await;
    assert_eq!(ours["data"]["team_id"], TEAM, "what is made is the team's");

    let absent = world.call(ADA, "note_get", r#"{"id":"00000000-0000-4000-8000-000000000000"}"#).await;
    let hidden = world.call(ADA, "note_get", &id.to_string()).await;
    assert_eq!(hidden.to_string().replace(own["data"]["id"].as_str().unwrap(), "00000000-0000-4000-8000-000000000000"), absent.to_string());
    assert_eq!(world.call(ADA, "note_update", &json!({ "id": own["data"]["id"], "title": "x" }).to_string()).await, hidden);
    let listed = world.call(ADA, "note_list", "{}").await;
    assert_eq!(listed["data"]["items"], json!([ours["data"]]));
    let found = world.call(ADA, "search", r#"{"text":"diary"}"#).await;
    assert_eq!((found["data"].as_array().unwrap().len(), &found["data"][0]["id"]), (1, &ours["data"]["id"]));
    for (name, arguments) in [("note_list", json!({ "space_id": ADA })), ("note_create", json!({ "title": "x", "team_id": ADA }))] {
        let told = world.call(ADA, name, &arguments.to_string()).await;
        assert!(
            told["error"].as_str().is_some_and(|error| error.contains("tools see and make only what is the team's")),
            "{name} {arguments}: {told}"
        );
    }
    let listed = world.call(ADA, "note_list", &json!({ "space_id": TEAM }).to_string()).await;
    assert_eq!(listed["data"]["items"], json!([ours["data"]]));
}

#[test]
fn no_more_is_told_than_the_bound_and_what_is_left_out_is_said() {
    let long = result(&json!("é".repeat(50)), 20);
    assert!(long.starts_with(r#"{"data":"ééé"#) && long.contains("these are the first 20 of 61 characters"), "{long}");
    assert_eq!(result(&json!("short"), 20), r#"{"data":"short"}"#);
    let internal = Error::new(ErrorKind::Internal, "the disk of host db1 is broken");
    assert_eq!(refusal(&internal, 100), None, "what is the operator's to know is not told");
}
