//! Agent sessions, with a chat model on a real socket that says what a test tells it to: what a person sees of a turn, what is stored of it, and
//! that whatever happens in the middle of one, its transcript tells the truth.

mod access;
mod bounds;
mod canary;
mod ends;
mod failures;
mod kills;
mod storms;
mod story;
mod tools;
mod twice;
mod vanishing;

use std::collections::BTreeMap;
use std::time::Duration;

use mosaic_tests::services::Database;
use serde_json::{Value, json};

use crate::harness::{Asked, ChatServer, Client, Gateway, PATIENCE, Place, Reply, Seen, Step, eventually};
use crate::servers::{services, standalone};

/// Gateways of tier standalone on one database, and their model.
struct World {
    model: ChatServer,
    database: Database,
    fields: Value,
    gateway: Gateway,
}

impl World {
    /// One gateway, with more fields in the section of its model.
    async fn new(fields: Value) -> Self {
        let (model, database) = (ChatServer::start().await, services().await.postgres.database().await);
        let place = standalone(&database.url());
        configure(&place, &model, &fields);
        let gateway = Gateway::start_in(&place).await;
        Self { model, database, fields, gateway }
    }

    /// Another gateway.
    async fn another(&self) -> Gateway {
        let place = standalone(&self.database.url());
        configure(&place, &self.model, &self.fields);
        Gateway::start_in(&place).await
    }

    /// A new user's client.
    async fn person(&self, login: &str) -> Client {
        self.gateway.person(login).await.client
    }

    /// Waits until the model has nothing to do.
    async fn at_rest(&self) {
        eventually("the model is left alone", PATIENCE, || async { (self.model.under_way() == 0).then_some(()) }).await;
    }
}

/// Writes a config that names the model, with more fields in its section.
fn configure(place: &Place, model: &ChatServer, fields: &Value) {
    let mut section = model.section();
    section.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    place.write("mosaic.config.json", json!({ "models": { "chat": section } }).to_string());
}

/// The same client at another gateway.
fn at(gateway: &Gateway, client: &Client) -> Client {
    gateway.anonymous().with_token(client.token())
}

/// A new session; its id.
async fn session(client: &Client) -> String {
    let session = client.create("sessions", json!({ "title": "Plans", "agent": "assistant" })).await;
    session["id"].as_str().unwrap().to_owned()
}

fn messages_of(session: &str) -> String {
    format!("/api/v1/sessions/{session}/messages")
}

/// Says something in a session and waits for the end of the turn; answers it.
async fn say(client: &Client, session: &str, content: &str) -> Value {
    client.post(&messages_of(session), &json!({ "content": content })).await.expect(201).json()
}

/// How a turn ended, and what the agent said last.
fn ending(turn: &Value) -> (&str, &str) {
    let last = turn["items"].as_array().and_then(|items| items.last()).unwrap();
    assert_eq!((&last["finish"], &last["error"]), (&turn["finish"], &turn["error"]), "the last message says how it ended: {turn}");
    (turn["finish"].as_str().unwrap(), last["content"].as_str().unwrap())
}

/// The session goes on: what is said next is answered, also in the eyes of a server that takes no call without its result.
async fn goes_on(client: &Client, session: &str) {
    let turn = say(client, session, "Good. What else?").await;
    assert_eq!(ending(&turn), ("answered", "You said: Good. What else?"));
    transcript(client, session).await;
}

/// All records of a list.
async fn everything(client: &Client, path: &str) -> Vec<Value> {
    let (mut all, mut next) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}?limit=200{next}")).await.expect(200);
        all.extend(page.items());
        match page.json()["next_cursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return all,
        }
    }
}

/// All messages of a session, which hold together: they are counted without gaps, each result is of a call that waits for one, and nothing is
/// said before what was said before has come to its end.
async fn transcript(client: &Client, session: &str) -> Vec<Value> {
    let all = everything(client, &messages_of(session)).await;
    let mut awaited: Vec<&str> = Vec::new();
    let mut is_over = true;
    for (place, message) in all.iter().enumerate() {
        assert_eq!(message["seq"], place + 1, "{all:?}");
        let finish = message["finish"].as_str();
        match message["role"].as_str().unwrap() {
            "user" => assert!(std::mem::replace(&mut is_over, false), "a turn begins when the one before is over: {all:?}"),
            "assistant" => {
                assert!(!is_over && (awaited.is_empty() || finish == Some("interrupted") || finish == Some("stopped")), "{all:?}");
                let calls = message["tool_calls"].as_array().into_iter().flatten();
                awaited = calls.map(|call| call["id"].as_str().unwrap()).collect();
                assert_eq!(finish == Some("tool_calls"), !awaited.is_empty(), "{message}");
                is_over = awaited.is_empty();
            }
            _ => {
                assert!(!awaited.is_empty() && message["tool_call_id"] == awaited.remove(0), "a result of no call: {all:?}");
            }
        }
    }
    all
}

/// What a turn that makes tasks is asked for, where a test looks what became of each.
const MAKE_TASKS: &str = "Make tasks";
/// How many tasks it makes, two of them in one answer.
const TASKS: usize = 6;

/// Makes tasks, whose titles begin with what is said behind [`MAKE_TASKS`], and says something in between, a little slowly.
fn makes_tasks(model: &ChatServer) {
    model.on(MAKE_TASKS, |asked: &Asked| {
        let prefix = asked.user().trim_start_matches(MAKE_TASKS).trim().to_owned();
        let task = |n: usize| json!({ "title": format!("{prefix} {n}") });
        let said = |text: &'static str| Reply::pieces(text.split_inclusive(' '), Duration::from_millis(8));
        match asked.round() {
            0 => said("I make the first two. ").and_call("task_create", &task(0)).and_call("task_create", &task(1)),
            round if round + 1 < TASKS => said("One more. ").and_call("task_create", &task(round + 1)),
            _ => said("That is all of them, and now I say so.").then(Step::Pause(Duration::from_millis(8))),
        }
    });
}

/// The tasks that were made for a turn of [`makes_tasks`] are those whose results are in its transcript, each once; answers how many.
async fn made_what_it_says(client: &Client, transcript: &[Value], prefix: &str) -> usize {
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    let tasks = everything(client, "/api/v1/tasks").await;
    for task in tasks.iter().filter(|task| task["title"].as_str().unwrap().starts_with(&format!("{prefix} "))) {
        *made.entry(task["title"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let results = transcript.iter().filter(|message| message["role"] == "tool").map(|message| {
        let result: Value = serde_json::from_str(message["content"].as_str().unwrap()).unwrap();
        (result["data"]["title"].as_str().unwrap_or_else(|| panic!("no task: {message}")).to_owned(), 1)
    });
    let told: BTreeMap<String, usize> = results.collect();
    assert_eq!(made, told, "what is done is what is told, each once: {transcript:?}");
    told.len()
}

/// What was seen is how the transcript begins, from where it was seen.
#[track_caller]
fn saw_the_truth(seen: &Seen, transcript: &[Value]) {
    let first = seen.messages.first().map_or(0, |message| message["seq"].as_u64().unwrap() as usize - 1);
    assert_eq!(seen.messages, transcript[first..first + seen.messages.len()]);
}
