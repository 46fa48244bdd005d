//! Tasks, notes and searches by command: what a person does in a day, through a running gateway.

use serde_json::{Value, json};

use crate::harness::{Client, DataSet, Gateway, Outcome, Place, shared};

/// A person at their machine: a directory of their own, the gateway's url and their token in the environment.
struct Desk {
    place: Place,
}

impl Desk {
    fn of(client: &Client) -> Self {
        let url = format!("http://{}", client.address());
        Self { place: Place::new().with_env("MOSAIC_URL", url).with_env("MOSAIC_TOKEN", client.token()) }
    }

    async fn run(&self, command: &[&str]) -> Outcome {
        self.place.run(command).await
    }

    /// Runs a command that must succeed; answers what it wrote. Nobody asked for colours.
    async fn done(&self, command: &[&str]) -> String {
        let outcome = self.run(command).await.exit(0);
        assert!(!outcome.text().contains('\u{1b}') && !outcome.stderr.contains('\u{1b}'), "{command:?}: {}", outcome.text());
        outcome.text()
    }

    /// The same, with its answer as JSON.
    async fn json(&self, command: &[&str]) -> Value {
        let text = self.done(&[command, &["--json"]].concat()).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{command:?}: {error}: {text}"))
    }

    async fn refused(&self, command: &[&str], names: &[&str]) -> Outcome {
        self.run(command).await.fails_with(names)
    }
}

fn text<'v>(record: &'v Value, field: &str) -> &'v str {
    record[field].as_str().unwrap_or_else(|| panic!("no {field} in {record}"))
}

fn titles(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|record| text(record, "title")).collect()
}

/// Makes a team whose members these users are.
async fn team(gateway: &Gateway, slug: &str, users: &[&str]) -> String {
    let admin = gateway.admin();
    let team = admin.create("teams", json!({ "slug": slug, "name": slug })).await;
    for user in users {
        admin.create("memberships", json!({ "team_id": team["id"], "user_id": user, "role": "member" })).await;
    }
    text(&team, "id").to_owned()
}

#[tokio::test]
async fn a_task_from_its_making_to_its_removal() {
    let gateway = shared().await;
    let (ada, bob) = (gateway.person("day-ada").await, gateway.person("day-bob").await);
    let team = team(&gateway, "day-kiln", &[&ada.id, &bob.id]).await;
    let desk = Desk::of(&ada.client);

    let made = desk
        .json(&[
            "task",
            "add",
            "Brennöfen",
            "für 陶芸 🏺",
            "--team",
            "day-kiln",
            "--assignee",
            "day-bob",
            "--priority",
            "high",
            "--status",
            "blocked",
            "--due",
            "2031-02-03",
            "--tag",
            "β",
            "--tag",
            "two words",
            "--body",
            "# Öfen\n",
        ])
        .await["added"]
        .clone();
    let expected = json!({
        "kind": "task", "id": made["id"], "owner_id": ada.id, "team_id": team, "assignee_id": bob.id, "title": "Brennöfen für 陶芸 🏺", "body": "# Öfen\n",
        "status": "blocked", "priority": 2, "due_at": "2031-02-03T00:00:00Z", "tags": ["β", "two words"],
        "created_at": made["created_at"], "updated_at": made["created_at"], "revision": 1,
    });
    assert_eq!(made, expected);
    let id = text(&made, "id");
    assert_eq!(desk.json(&["task", "show", id]).await, made);
    let shown = desk.done(&["task", "show", id]).await;
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines[..4], ["Brennöfen für 陶芸 🏺", "status    blocked", "priority  high", "due       2031-02-03"]);
    for line in ["assignee  day-bob", "owner     day-ada", "team      day-kiln", "tags      β, two words", "revision  1"] {
        assert!(lines.contains(&line), "no {line:?} in {shown}");
    }
    assert!(shown.ends_with("\n\n# Öfen\n"), "{shown}");
    let listed = desk.done(&["task", "list", "--team", "day-kiln"]).await;
    let row = format!("blocked  high      2031-02-03  day-bob   Brennöfen für 陶芸 🏺  {id}");
    assert_eq!(listed.lines().nth(1), Some(row.as_str()), "{listed}");

    // Only what is given is changed.
    let said = desk.done(&["task", "set", id, "--status", "done"]).await;
    assert_eq!(said, format!("changed task Brennöfen für 陶芸 🏺 ({id})\n"));
    let said = desk.done(&["task", "set", id, "--status", "done"]).await;
    assert_eq!(said, format!("nothing to change in task Brennöfen für 陶芸 🏺 ({id})\n"));
    let mut expected = expected;
    let after = desk.json(&["task", "show", id]).await;
    expected["status"] = "done".into();
    expected["revision"] = 2.into();
    expected["updated_at"] = after["updated_at"].clone();
    assert_eq!(after, expected);
    let emptied = ["--no-team", "--no-assignee", "--no-due", "--no-tags", "--priority", "none", "--body", "", "--title", "x"];
    let after = desk.json(&[&["task", "set", id], &emptied[..]].concat()).await["changed"].clone();
    let fields = ["team_id", "assignee_id", "due_at"].map(|field| after.get(field));
    assert_eq!((fields, &after["tags"], &after["priority"], &after["body"]), ([None; 3], &json!([]), &json!(0), &json!("")));

    assert_eq!(desk.done(&["task", "remove", id]).await, format!("removed task x ({id})\n"));
    desk.refused(&["task", "remove", id], &[id, "mosaic task list --all"]).await;
}

#[tokio::test]
async fn a_note_takes_its_body_from_where_it_is() {
    let desk = Desk::of(&shared().await.person("day-notes").await.client);
    let body = "Erste Zeile\r\n\tzweite: `é` 日本\n\n";
    let made = desk.place.run_with_input(&["note", "add", "Von der Pipe", "--body-file", "-", "--json"], body.as_bytes()).await.exit(0);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(made["added"]["body"], body);
    let id = text(&made["added"], "id");
    assert!(desk.done(&["note", "show", id]).await.ends_with("\n\nErste Zeile\n\tzweite: `é` 日本\n"), "as it is, for a terminal");

    // What is in a body is somebody's, and a terminal obeys none of it.
    desk.place.write("body.md", "red \u{1b}[31m\u{9b}2J\u{202e}");
    let after = desk.json(&["note", "set", id, "--body-file", "body.md", "--title", "\u{1b}[2J"]).await;
    assert_eq!((text(&after["changed"], "title"), text(&after["changed"], "body")), ("\u{1b}[2J", "red \u{1b}[31m\u{9b}2J\u{202e}"));
    for command in [&["note", "show", id][..], &["note", "list"], &["search", "red"]] {
        let shown = desk.done(command).await;
        assert!(shown.contains("[2J") && !shown.contains(['\u{9b}', '\u{202e}']), "{shown}");
    }

    desk.place.write("latin1", b"caf\xe9");
    desk.place.write("large", vec![b'x'; (2 << 20) + 1]);
    desk.refused(&["note", "set", id, "--body-file", "latin1"], &["not UTF-8", "latin1", "byte=4"]).await;
    desk.refused(&["note", "set", id, "--body-file", "large"], &["too long", "large"]).await;
    desk.refused(&["note", "set", id, "--body-file", "absent"], &["absent"]).await;
    assert_eq!(desk.json(&["note", "show", id]).await, after["changed"]);
}

#[tokio::test]
async fn what_somebody_else_changed_meanwhile_is_not_overwritten() {
    let gateway = shared().await;
    let person = gateway.person("day-stale").await;
    let desk = Desk::of(&person.client);
    let id = person.client.create("notes", json!({ "title": "mine", "body": "first\n" })).await["id"].as_str().unwrap().to_owned();
    person.client.patch(&format!("/api/v1/notes/{id}"), &json!({ "title": "theirs" })).await.expect(200);

    let cure = format!("mosaic note show {id}");
    for command in [&["set", &id, "--title", "mine again", "--revision", "1"][..], &["remove", &id, "--revision", "1"]] {
        desk.refused(&[&["note"], command].concat(), &["changed since it was read", "revision=2", &cure]).await;
    }
    assert_eq!(text(&desk.json(&["note", "show", &id]).await, "title"), "theirs");
    desk.done(&["note", "set", &id, "--title", "mine", "--revision", "2"]).await;

    // The same while an editor is open, where it takes as long as writing does. What was written is kept.
    let mosaic = desk.place.command(&[]).get_program().to_str().unwrap().to_owned();
    desk.place.write("edit.sh", format!("cat \"$1\" > seen; echo written > \"$1\"\n'{mosaic}' note set {id} --title theirs >&2\n"));
    let place = desk.place.clone().with_env("EDITOR", "sh edit.sh");
    let outcome = place.run(&["note", "set", &id, "--edit"]).await.exit(1);
    assert_eq!(place.read("seen"), b"first\n");
    let again = format!("mosaic note set {id} --body-file ");
    let kept = outcome.stderr.trim_end().split(&again).nth(1).unwrap_or_default();
    assert!(outcome.stderr.contains(&format!("{cure}, then {again}")), "{}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().last().unwrap().matches('(').count(), 1, "one list of facts: {}", outcome.stderr);
    assert_eq!(std::fs::read(kept).unwrap_or_else(|error| panic!("{kept:?}: {error}")), b"written\n");
    std::fs::remove_file(kept).unwrap();
    let after = desk.json(&["note", "show", &id]).await;
    assert_eq!((text(&after, "title"), text(&after, "body")), ("theirs", "first\n"));

    // The editor's shell is told its parent: the command. Ended while the editor is open, it changes nothing.
    let place = desk.place.clone().with_env("EDITOR", "f() { echo unfinished > \"$1\"; kill -TERM $PPID; sleep 1; }; f");
    let outcome = place.run(&["note", "set", &id, "--edit"]).await.fails_with(&["interrupted", "what you wrote="]);
    let kept = outcome.stderr.split("what you wrote=").nth(1).and_then(|rest| rest.split(')').next()).unwrap_or_default();
    assert_eq!(std::fs::read(kept).unwrap_or_else(|error| panic!("{kept:?}: {error}")), b"unfinished\n");
    std::fs::remove_file(kept).unwrap();
    assert_eq!(desk.json(&["note", "show", &id]).await, after);

    let place = desk.place.clone().with_env("VISUAL", "sed -i s/first/second/");
    place.run(&["note", "set", &id, "--edit"]).await.exit(0);
    assert_eq!(text(&desk.json(&["note", "show", &id]).await, "body"), "second\n");
}

#[tokio::test]
async fn lists_are_narrowed_and_say_what_they_leave_out() {
    let gateway = shared().await;
    let person = gateway.person("day-lists").await;
    let team = team(&gateway, "day-lists", &[&person.id]).await;
    for n in 0..25 {
        let status = ["open", "in_progress", "done"][n % 3];
        let mut task = json!({ "title": format!("task {n}"), "status": status });
        if n % 2 == 0 {
            task["team_id"] = team.clone().into();
        }
        if n < 4 {
            task["assignee_id"] = person.id.clone().into();
        }
        person.client.create("tasks", task).await;
    }
    let desk = Desk::of(&person.client);

    let outcome = desk.run(&["task", "list"]).await.exit(0);
    assert_eq!(outcome.text().lines().count(), 21, "the heading and as many as a terminal takes");
    assert!(outcome.text().lines().nth(1).unwrap().contains("task 24"), "the last changed first: {}", outcome.text());
    assert!(outcome.stderr.contains("--limit 100") && outcome.stderr.contains("--all"), "{}", outcome.stderr);
    for all in [&["--all"][..], &["--limit", "25"], &["--limit", "1000"]] {
        let outcome = desk.run(&[&["task", "list"], all].concat()).await.exit(0);
        assert_eq!((outcome.text().lines().count(), outcome.stderr.as_str()), (26, ""));
    }
    assert_eq!(titles(&desk.json(&["task", "list", "--limit", "2"]).await), ["task 24", "task 23"]);
    assert_eq!(titles(&desk.json(&["task", "list", "--status", "done", "--limit", "2"]).await), ["task 23", "task 20"]);
    let both = desk.json(&["task", "list", "--status", "open,in_progress,open", "--limit", "4"]).await;
    assert_eq!(titles(&both), ["task 24", "task 22", "task 21", "task 19"]);
    assert_eq!(desk.json(&["task", "list", "--status", "open,in_progress", "--all"]).await.as_array().unwrap().len(), 17);
    for me in ["me", "day-lists", &person.id] {
        let mine = desk.json(&["task", "list", "--assignee", me, "--team", "day-lists"]).await;
        assert_eq!(titles(&mine), ["task 2", "task 0"], "{me}");
    }

    let nothing = desk.run(&["task", "list", "--status", "cancelled"]).await.exit(0);
    assert!(nothing.stdout.is_empty() && nothing.stderr.contains("no such tasks"), "{}", nothing.stderr);
    assert!(nothing.stderr.contains("an operator sees everyone's with --view-all"), "{}", nothing.stderr);
    assert_eq!(desk.json(&["note", "list"]).await, json!([]));
    desk.refused(&["task", "list", "--team", "nonesuch"], &["nonesuch", "mosaic team list"]).await;
    desk.refused(&["task", "list", "--assignee", "nonesuch"], &["nonesuch", "mosaic user list"]).await;
}

#[tokio::test]
async fn a_long_list_is_read_page_by_page() {
    let gateway = Gateway::start().await;
    let desk = Desk::of(&gateway.admin());
    desk.place.write("data.jsonl", DataSet::new(9).lines());
    desk.done(&["import", "data.jsonl"]).await;
    for (range, count) in [(&["--all"][..], 300), (&["--limit", "250"], 250), (&["--limit", "300"], 300)] {
        let outcome = desk.run(&[&["task", "list", "--view-all"], range].concat()).await.exit(0);
        assert_eq!((outcome.text().lines().count(), outcome.stderr.is_empty()), (count + 1, count == 300), "{range:?}");
        let list = desk.json(&[&["task", "list", "--view-all"], range].concat()).await;
        let mut ids: Vec<_> = list.as_array().unwrap().iter().map(|task| text(task, "id")).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{range:?}");
    }
}

#[tokio::test]
async fn an_operator_sees_everyones_when_asking_for_it() {
    let gateway = shared().await;
    let person = gateway.person("day-private").await;
    let note = person.client.create("notes", json!({ "title": "zqprivate" })).await;
    let id = text(&note, "id");
    let desk = Desk::of(&gateway.admin());
    let elsewhere = "an operator sees everyone's with --view-all";
    desk.refused(&["note", "show", id], &[id, "mosaic note list --all", elsewhere]).await;
    let outcome =
        desk.run(&["note", "show", "00000000-0000-4000-8000-000000000000", "--view-all"]).await.fails_with(&["mosaic note list --all"]);
    assert!(!outcome.stderr.contains(elsewhere), "{}", outcome.stderr);
    assert_eq!(desk.json(&["note", "show", id, "--view-all"]).await, note);
    assert!(desk.done(&["note", "list", "--all", "--view-all"]).await.contains(id));
    assert!(desk.done(&["search", "zqprivate"]).await.is_empty());
    assert!(desk.done(&["search", "zqprivate", "--view-all"]).await.contains(id));
    Desk::of(&person.client).refused(&["note", "list", "--view-all"], &["operator"]).await;
}

#[tokio::test]
async fn me_is_whoever_the_token_acts_for() {
    let gateway = Gateway::start().await;
    gateway.person("day-other").await;
    let second = gateway.admin().create("users", json!({ "login": "second", "name": "Second", "role": "admin" })).await;
    let second = text(&second, "id").to_owned();
    let client = gateway.token(&second, &["read", "write", "admin"]).await;
    let made = Desk::of(&client).json(&["task", "add", "mine", "--assignee", "me"]).await;
    assert_eq!(made["added"]["assignee_id"], json!(second));
    let mine = Desk::of(&gateway.admin()).json(&["task", "list", "--assignee", "me"]).await;
    assert_eq!(mine, json!([]));
}

#[tokio::test]
async fn what_was_found_is_shown_with_its_place() {
    let gateway = shared().await;
    let person = gateway.person("day-search").await;
    let team = team(&gateway, "day-search", &[&person.id]).await;
    let client = &person.client;
    let note = client.create("notes", json!({ "title": "Ton", "body": "Der Zqglasur\nhält.", "team_id": team })).await;
    let task = client.create("tasks", json!({ "title": "zqglasur holen" })).await;
    let session = client.create("sessions", json!({ "title": "Gespräch", "agent": "x" })).await;
    let (note, task, session) = (text(&note, "id"), text(&task, "id"), text(&session, "id"));
    let said = client.create(&format!("sessions/{session}/messages"), json!({ "role": "user", "content": "mehr zqglasur" })).await;
    let desk = Desk::of(client);

    let found = desk.done(&["search", "ZQGLASUR"]).await;
    let hits: Vec<_> = found.split("\n\n").collect();
    assert_eq!(hits.len(), 3, "{found}");
    let has = |parts: &[&str]| assert!(hits.iter().any(|hit| parts.iter().all(|part| hit.contains(part))), "no {parts:?} in {found}");
    has(&["note  Ton\n  Der Zqglasur hält.\n", note]);
    has(&["task  zqglasur holen\n", task]);
    has(&["message  Gespräch\n  mehr zqglasur\n", text(&said, "id"), &format!("session {session}")]);

    let ids = |found: &Value| found["items"].as_array().unwrap().iter().map(|hit| text(hit, "id").to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(&desk.json(&["search", "zqglasur", "halt"]).await), [note], "every word, with accents or without");
    assert_eq!(ids(&desk.json(&["search", "zqglasur", "--kind", "task"]).await), [task]);
    assert_eq!(ids(&desk.json(&["search", "zqglasur", "--team", "day-search", "--kind", "note,task"]).await), [note]);
    let api = client.get("/api/v1/search?q=zqglasur&limit=10").await.expect(200).json();
    assert_eq!(desk.json(&["search", "zqglasur"]).await, api, "the API's own shape");
    let one = desk.run(&["search", "zqglasur", "--limit", "1"]).await.exit(0);
    assert!(one.stderr.starts_with("this is the best one; there may be more"), "{}", one.stderr);
    let two = desk.run(&["search", "zqglasur", "--limit", "2"]).await.exit(0);
    assert!(two.stderr.starts_with("these are the 2 best; there may be more"), "{}", two.stderr);
    let long = "zqglasur ".repeat(10_000);
    desk.refused(&["search", &long], &["the search is too long", "2000 at most"]).await;

    let nothing = desk.run(&["search", "zqglasur", "nonesuch"]).await.exit(0);
    assert!(nothing.stdout.is_empty() && nothing.stderr.contains("nothing"), "{}", nothing.stderr);
    desk.refused(&["search", "--", "--"], &["no word"]).await;
}

#[tokio::test]
async fn what_stands_in_the_way_is_named_with_the_cure() {
    let gateway = shared().await;
    let person = gateway.person("day-refused").await;
    let desk = Desk::of(&person.client);
    for command in [&["task", "list"][..], &["note", "add", "x"], &["search", "x"]] {
        let place = Place::new().with_env("MOSAIC_URL", "");
        let outcome = place.run(command).await.exit(2);
        let cure = format!("export MOSAIC_URL=http://{}", place.address());
        assert!(outcome.stderr.contains("--url URL") && outcome.stderr.contains(&cure), "{}", outcome.stderr);
        place.run(&[command, &["--url", "http://127.0.0.1:1"]].concat()).await.fails_with(&["no token", "MOSAIC_TOKEN"]);
        desk.refused(&[command, &["--url", "http://127.0.0.1:1"]].concat(), &["no gateway answers", "http://127.0.0.1:1", "mosaic serve"])
            .await;
        desk.refused(&[command, &["--url", "127.0.0.1:1"]].concat(), &["url", "http://127.0.0.1:7420"]).await;
        let wrong = Desk::of(&gateway.anonymous().with_token("mosaic_wrong"));
        wrong.refused(command, &["token", "mosaic token create"]).await;
        assert!(!place.data_dir().exists(), "nothing is opened in its place");
    }
    let unknown = "00000000-0000-4000-8000-000000000000";
    for command in [&["task", "show", unknown][..], &["task", "set", unknown, "--title", "x"], &["task", "remove", unknown]] {
        desk.refused(command, &[unknown, "mosaic task list"]).await;
    }
    desk.refused(&["task", "add", ""], &["title"]).await;
    let reader = Desk::of(&gateway.token(&person.id, &["read"]).await);
    reader.done(&["task", "list"]).await;
    reader.refused(&["task", "add", "x"], &["scope", "write"]).await;
}
