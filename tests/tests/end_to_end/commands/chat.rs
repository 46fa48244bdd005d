//! `mosaic chat` and `mosaic session`: what a person says and sees, in a pipe and on a terminal, also when the connection breaks in the middle.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::harness::{ChatServer, Gateway, Place, Reply, Step};
use crate::terminal::{on_a_terminal, shown, typed};

/// What a terminal takes for Ctrl-C and Ctrl-D.
const CTRL_C: &[u8] = b"\x03";
const CTRL_D: &[u8] = b"\x04";

/// A gateway with a model, and a desk where an administrator sits.
struct World {
    model: ChatServer,
    gateway: Gateway,
    desk: Place,
}

impl World {
    async fn new() -> Self {
        let (model, place) = (ChatServer::start().await, Place::new());
        let mut section = model.section();
        section["attempts"] = json!(1);
        place.write("mosaic.config.json", json!({ "models": { "chat": section } }).to_string());
        let gateway = Gateway::start_in(&place).await;
        let desk = Place::new().with_env("MOSAIC_URL", gateway.url()).with_env("MOSAIC_TOKEN", gateway.admin().token());
        Self { model, gateway, desk }
    }

    /// Runs a command that must succeed; answers what it wrote.
    async fn done(&self, command: &[&str]) -> String {
        self.desk.run(command).await.exit(0).text()
    }

    async fn sessions(&self) -> Vec<Value> {
        serde_json::from_str(&self.done(&["session", "list", "--json"]).await).unwrap()
    }
}

/// Looks for the mill and makes a task of it.
fn makes_a_task(model: &ChatServer) {
    model.on("mill", |asked| match asked.round() {
        0 => Reply::text("Let me look.").and_call("search", &json!({ "text": "mill" })),
        1 => Reply::call("task_get", &json!({ "id": "the first" })),
        2 => Reply::call("task_create", &json!({ "title": "Call the mill" })),
        _ => Reply::text("I made **a task**.\n"),
    });
}

#[tokio::test]
async fn a_question_is_answered_alone_and_what_is_done_for_it_is_said_beside() {
    let world = World::new().await;
    makes_a_task(&world.model);
    let outcome = world.desk.run(&["chat", "What about", "the mill?"]).await.exit(0);
    assert_eq!(outcome.text(), "I made **a task**.\n");
    let beside: Vec<_> = outcome.stderr.lines().collect();
    assert_eq!(beside[..2], ["· search text: mill", "· task_get id: the first"]);
    assert!(beside[2].contains("ids are UUIDs") && beside[3] == "· task_create title: Call the mill", "{beside:?}");
    assert_eq!(world.sessions().await[0]["title"], "What about the mill?");

    let piped = world.desk.run_with_input(&["chat", "--continue", "-"], b"And now?\n").await.exit(0);
    assert_eq!(piped.text(), "You said: And now?\n");
    assert_eq!(world.sessions().await.len(), 1, "it goes on with the last one");

    let events = world.done(&["chat", "--continue", "--json", "Once more"]).await;
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&events[0]["event"], &events[0]["data"]["content"]), (&json!("message"), &json!("Once more")));
    assert_eq!(events.last().unwrap(), &json!({ "event": "end", "data": { "finish": "answered", "error": null } }));
    let pieces = events.iter().filter(|event| ["piece", "draft"].contains(&event["event"].as_str().unwrap()));
    let text: String = pieces.map(|event| event["data"]["text"].as_str().unwrap()).collect();
    assert_eq!(text, "You said: Once more");
}

#[tokio::test]
async fn what_came_to_no_good_end_is_said_with_the_way_on() {
    let world = World::new().await;
    world.model.on("refuse", |_| Reply::refuse(401, &[], r#"{"error":{"message":"no such key"}}"#));
    let outcome = world.desk.run(&["chat", "refuse me"]).await.exit(1);
    assert!(outcome.stdout.is_empty());
    let id = world.sessions().await[0]["id"].as_str().unwrap().to_owned();
    outcome.fails_with(&["the agent failed: the model server answered 401", &format!("mosaic chat --session {id}")]);
    world.desk.run(&["chat", "--session", "7", "hello"]).await.exit(2);
    world.desk.run_with_input(&["chat", "-"], b" \n").await.fails_with(&["standard input says nothing"]);

    world.done(&["session", "close", &id]).await;
    world.desk.run(&["chat", "--session", &id, "hello"]).await.fails_with(&["closed", &format!("mosaic session reopen {id}")]);
    world.desk.run(&["chat", "--continue", "hello"]).await.fails_with(&["no open session", "mosaic chat"]);
    let somebody = world.gateway.person("chat-other").await.client;
    let desk = Place::new().with_env("MOSAIC_URL", world.gateway.url()).with_env("MOSAIC_TOKEN", somebody.token());
    desk.run(&["chat", "--session", &id, "hello"]).await.fails_with(&["no session with this id"]);
}

#[tokio::test]
async fn a_message_that_is_refused_leaves_no_empty_session_behind() {
    let gateway = Gateway::start().await;
    let desk = Place::new().with_env("MOSAIC_URL", gateway.url()).with_env("MOSAIC_TOKEN", gateway.admin().token());
    desk.run(&["chat", "hello"]).await.fails_with(&["no chat model", "models.chat"]);
    assert_eq!(desk.run(&["session", "list", "--json"]).await.exit(0).text(), "[]\n");
    let wrong = desk.clone().with_env("MOSAIC_TOKEN", "mosaic_nobodys");
    let mut chat = on_a_terminal(&wrong, &["chat"]);
    let text = shown(&mut chat, |_| false).await;
    assert!(text.contains("the token is not known") && !text.contains("> "), "said before anything is typed: {text}");
}

#[tokio::test]
async fn sessions_are_listed_shown_closed_and_removed() {
    let world = World::new().await;
    makes_a_task(&world.model);
    world.done(&["chat", "The mill\u{1b}[31m"]).await;
    let id = world.sessions().await[0]["id"].as_str().unwrap().to_owned();
    assert!(world.done(&["session", "list"]).await.contains("The mill\u{fffd}[31m"));
    let transcript = world.done(&["session", "show", &id]).await;
    for part in [
        "open, begun ",
        "user · ",
        "The mill\u{fffd}[31m",
        "assistant · ",
        "· task_create {\"title\":\"Call the mill\"}",
        "I made **a task**.",
    ] {
        assert!(transcript.contains(part), "no {part} in {transcript}");
    }
    let whole: Value = serde_json::from_str(&world.done(&["session", "show", &id, "--json"]).await).unwrap();
    assert_eq!((whole["session"]["id"].as_str(), whole["messages"].as_array().unwrap().len()), (Some(id.as_str()), 8));
    assert!(world.done(&["session", "close", &id]).await.contains("closed session The mill"));
    assert!(world.done(&["session", "list", "--status", "open"]).await.is_empty());
    world.done(&["session", "reopen", &id]).await;
    world.done(&["session", "stop", &id]).await;
    assert!(world.done(&["session", "remove", &id]).await.contains("removed session The mill"));
    world.desk.run(&["session", "show", &id]).await.fails_with(&["no session with this id"]);
}

#[tokio::test]
async fn on_a_terminal_the_agent_is_stopped_by_ctrl_c_and_the_conversation_goes_on() {
    let world = World::new().await;
    makes_a_task(&world.model);
    world.model.on("for ever", |_| Reply::text("On and on\u{1b}]0;evil\u{7} ").then(Step::Silent));
    let mut chat = on_a_terminal(&world.desk, &["chat"]);
    shown(&mut chat, |text| text.contains("> ")).await;
    typed(&mut chat, "What about the mill?").await;
    let text = shown(&mut chat, |text| text.contains("a task**.") && text.trim_end().ends_with('>') || text.ends_with("> \u{1b}[0m")).await;
    assert!(text.contains("Let me look.\r\n") && text.contains("· task_create title: Call the mill"), "{text}");
    assert_eq!(text.matches("What about the mill?").count(), 1, "what was typed is not said again: {text}");

    typed(&mut chat, "Talk for ever").await;
    let text = shown(&mut chat, |text| text.contains("On and on")).await;
    press(&mut chat, CTRL_C).await;
    let stopped = shown(&mut chat, |text| text.contains("the agent was stopped") && text.contains("> ")).await;
    let text = format!("{text}{stopped}");
    assert!(!text.contains("\u{1b}]0;evil") && !text.contains('\u{7}'), "{text:?}");

    typed(&mut chat, "And?").await;
    shown(&mut chat, |text| text.contains("You said: And?")).await;
    press(&mut chat, CTRL_D).await;
    let id = world.sessions().await[0]["id"].as_str().unwrap().to_owned();
    let left = shown(&mut chat, |_| false).await;
    assert!(left.contains(&format!("mosaic chat --session {id}")), "{left}");
    assert_eq!(chat.wait().await.unwrap().code(), Some(0));

    // Who comes back sees what was said.
    let mut chat = on_a_terminal(&world.desk, &["chat", "--session", &id]);
    let text = shown(&mut chat, |text| text.split("You said: And?").nth(1).is_some_and(|rest| rest.contains("> "))).await;
    assert!(text.contains("What about the mill?") && text.contains("(stopped)"), "{text}");
    press(&mut chat, CTRL_C).await;
    shown(&mut chat, |_| false).await;
}

#[tokio::test]
async fn a_connection_that_breaks_is_taken_up_again_and_nothing_is_said_twice() {
    let world = World::new().await;
    world.model.on("slowly", |_| Reply::text("Half of it ").then(Step::Silent));
    let mut chat = on_a_terminal(&world.desk, &["chat", "slowly"]);
    shown(&mut chat, |text| text.contains("Half of it")).await;
    world.gateway.kill().await;
    shown(&mut chat, |text| text.contains("trying to take it up again")).await;
    let gateway = Gateway::start_in(&world.gateway.place).await;
    let rest = shown(&mut chat, |_| false).await;
    assert!(rest.contains("the agent was interrupted") && !rest.contains("Half of it"), "{rest}");
    assert_eq!(chat.wait().await.unwrap().code(), Some(1));
    let client = gateway.admin();
    let session = client.get("/api/v1/sessions").await.expect(200).items()[0]["id"].as_str().unwrap().to_owned();
    let said = client.get(&format!("/api/v1/sessions/{session}/messages")).await.expect(200).items();
    let said: Vec<_> = said.iter().map(|message| (message["role"].as_str().unwrap(), message["finish"].as_str())).collect();
    assert_eq!(said, [("user", None), ("assistant", Some("interrupted"))]);
}

async fn press(child: &mut tokio::process::Child, keys: &[u8]) {
    let input = child.stdin.as_mut().expect("stdin is a pipe");
    input.write_all(keys).await.expect("the terminal takes what is pressed");
    input.flush().await.expect("the terminal takes what is pressed");
}
