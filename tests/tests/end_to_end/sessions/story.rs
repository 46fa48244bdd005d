//! The whole of it, as a person meets it: they sign in, open a session, ask for something that takes several tools, see the answer come, find what was
//! done, come back after the gateway was restarted, go on, close the session and open it again. On every tier, and with a gateway that holds one.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{canary, configure, session};
use crate::harness::{ChatServer, Client, Gateway, Place, Reply, Step};
use crate::servers::{Stack, services, standalone};

#[tokio::test]
async fn a_session_on_tier_local() {
    story(Place::new(), "local").await;
}

#[tokio::test]
async fn a_session_on_tier_standalone() {
    story(standalone(&services().await.postgres.database().await.url()), "standalone").await;
}

#[tokio::test]
async fn a_session_on_tier_federated() {
    story(Stack::new().await.place(), "federated").await;
}

#[tokio::test]
async fn a_session_with_a_gateway_that_holds_tier_standalone_alone() {
    let place = standalone(&services().await.postgres.database().await.url()).with_binary(canary::built().await);
    story(place, "standalone").await;
}

const WANTS: &str = "What does the miller want? Make it a task.";

/// Finds the note, reads it, makes a task of its first line, and says so; the second half of the answer comes when it may.
fn play(model: &ChatServer) -> Arc<Notify> {
    let gate = Arc::new(Notify::new());
    let opens = Arc::clone(&gate);
    model.on(WANTS, move |asked| {
        let last = asked.results().pop().unwrap_or_default();
        match asked.round() {
            0 => Reply::text("I look for it. ").and_call("search", &json!({ "text": "miller", "kinds": ["note"] })),
            1 => Reply::call("note_get", &json!({ "id": last["data"][0]["id"] })),
            2 => {
                let first_line = last["data"]["body"].as_str().and_then(|body| body.lines().next());
                Reply::call("task_create", &json!({ "title": first_line, "priority": 3 }))
            }
            _ => Reply::text("It is now a task: ").then(Step::Until(Arc::clone(&opens))).then(Step::Text(text(&last["data"], "title"))),
        }
    });
    gate
}

async fn story(place: Place, tier: &str) {
    let model = ChatServer::start().await;
    let gate = play(&model);
    configure(&place, &model, &json!({}));
    let gateway = Gateway::start_in(&place).await;
    assert!(gateway.log().contains(&format!("tier=\"{tier}\"")), "{}", gateway.log());

    // They sign in.
    let maria = gateway.person("maria").await;
    assert_eq!(maria.client.get("/api/v1/me").await.expect(200).json()["user"]["login"], "maria");
    let maria = maria.client;
    for (title, body) in [("The baker", "More salt."), ("The mill", "Flour by Friday\nThe miller asks for it."), ("The smith", "A gate.")] {
        maria.create("notes", json!({ "title": title, "body": body })).await;
    }

    let session = session(&maria).await;
    let transcript = ask(&maria, &session, &gate).await;
    assert_eq!(model.asked().len(), 4);
    let tasks = maria.get("/api/v1/tasks").await.expect(200).items();
    assert_eq!(tasks.iter().map(|task| (&task["title"], &task["priority"])).collect::<Vec<_>>(), [(&json!("Flour by Friday"), &json!(3))]);
    let made: Value = serde_json::from_str(&text(&transcript[6], "content")).unwrap();
    assert_eq!(made["data"], tasks[0], "the model was told what was stored");

    // They come back after the gateway was restarted.
    gateway.stop().await;
    let gateway = Gateway::start_in(&place).await;
    let path = format!("/api/v1/sessions/{session}");
    assert_eq!(maria.get(&format!("{path}/messages")).await.expect(200).items(), transcript);
    for seen in [None, Some(3), Some(8)] {
        let rest = maria.follow(&session, seen).await.all().await;
        assert_eq!(rest.messages, transcript[seen.unwrap_or_default() as usize..]);
        assert_eq!((rest.after, rest.pieces), (Some(8), 0));
        assert!(rest.finish().is_none_or(|finish| finish == "answered"), "{:?}", rest.end);
    }
    let rest = maria.get(&format!("{path}/events?after=6")).await.expect(200).text();
    assert!(
        rest.starts_with("id: 7\nevent: message\ndata: {") && rest.contains("\n\nid: 8\n") && rest.contains("\nevent: end\n"),
        "{rest}"
    );

    // They go on, and the model knows what was said before.
    let turn = maria.post(&format!("{path}/messages"), &json!({ "content": "Thank you." })).await.expect(201).json();
    assert_eq!((&turn["finish"], &turn["error"]), (&json!("answered"), &Value::Null));
    assert_eq!(
        turn["items"].as_array().unwrap().iter().map(|message| text(message, "content")).collect::<Vec<_>>(),
        ["Thank you.", "You said: Thank you."]
    );
    let told = model.asked().pop().unwrap();
    let told: Vec<_> = told.messages().iter().map(|message| (text(message, "role"), message["content"].clone())).collect();
    let before = transcript.iter().map(|message| (text(message, "role"), message["content"].clone()));
    // Where there is no text, the protocol has null.
    let before = before.map(|(role, content)| (role, if content == "" { Value::Null } else { content }));
    let all: Vec<_> = before.chain([("user".to_owned(), json!("Thank you."))]).collect();
    assert_eq!(told[1..], all);

    // They close it, nothing more is said in it, and open it again.
    assert_eq!(maria.patch(&path, &json!({ "status": "closed" })).await.expect(200).json()["status"], "closed");
    let asked = model.asked().len();
    let refused = maria.try_say(&session, &json!({ "content": "One more thing." })).await.unwrap().err().expect("it is closed");
    refused.problem(409, "conflict");
    let refused = maria.post(&format!("{path}/messages"), &json!({ "content": "One more thing." })).await;
    assert_eq!(refused.problem(409, "conflict")["detail"].as_str().map(|detail| detail.contains("closed")), Some(true));
    let closed = maria.get(&format!("{path}/messages")).await.expect(200).items();
    assert_eq!((closed.len(), model.asked().len()), (10, asked), "it can be read, and is as it was");
    assert_eq!(maria.follow(&session, Some(10)).await.all().await.messages.len(), 0);
    maria.patch(&path, &json!({ "status": "open" })).await.expect(200);
    let seen = maria.say(&session, "One more thing.").await.all().await;
    assert_eq!((seen.finish(), seen.said()), (Some("answered"), vec!["You said: One more thing."]));
    gateway.stop().await;
}

/// Has it done, and sees it come; the transcript.
async fn ask(maria: &Client, session: &str, gate: &Notify) -> Vec<Value> {
    let mut events = maria.say(session, WANTS).await;
    let seen = events.until("the first half of the answer", |seen| seen.draft == "It is now a task: ").await;
    assert_eq!((seen.messages.len(), seen.end.as_ref()), (7, None), "the tools are done, and the answer is not");
    // What is told is stored.
    let stored = maria.get(&format!("/api/v1/sessions/{session}/messages")).await.expect(200).items();
    assert_eq!(stored, seen.messages);
    gate.notify_one();
    let seen = events.all().await;
    assert_eq!(seen.finish(), Some("answered"));
    assert_eq!(seen.said(), ["I look for it. ", "It is now a task: Flour by Friday"]);
    let finishes: Vec<_> =
        seen.messages.iter().map(|message| (text(message, "role"), message["finish"].as_str().unwrap_or_default())).collect();
    let finishes: Vec<_> = finishes.iter().map(|(role, finish)| format!("{role} {finish}")).collect();
    assert_eq!(
        finishes,
        ["user ", "assistant tool_calls", "tool ", "assistant tool_calls", "tool ", "assistant tool_calls", "tool ", "assistant answered"]
    );
    for (call, result) in [(1, 2), (3, 4), (5, 6)] {
        assert_eq!(seen.messages[call]["tool_calls"][0]["id"], seen.messages[result]["tool_call_id"]);
    }
    seen.messages
}

/// A field that is a text.
#[track_caller]
fn text(record: &Value, field: &str) -> String {
    record[field].as_str().unwrap_or_default().to_owned()
}
