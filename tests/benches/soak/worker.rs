//! One connection at work: what it asks by turns, and what it remembers of the answers. What must not come in: what goes wrong meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mosaic_tests::chat_model::{Asked, ChatServer, Reply};
use mosaic_tests::measure::{Answer, Connection, request};
use serde_json::{Value, json};

use super::kept::Kept;
use super::tally::Tally;

/// Between two requests: the services are to have time too.
const PAUSE: Duration = Duration::from_millis(15);
/// What a message says that makes the model use a tool first.
const LOOK: &str = "look";
/// A session with so many messages is followed by another.
const MESSAGES: usize = 60;
/// So many words are in titles, so that a search finds some notes and not all.
const WORDS: u64 = 5_000;
/// So many notes are changed again and again, each.
const CHANGED: usize = 50;

/// What the model says: to every second message, after a look at the notes.
pub(crate) fn script(model: &ChatServer) {
    model.on(LOOK, |asked: &Asked| match asked.round() {
        0 => Reply::call("note_list", &json!({ "limit": 3 })),
        _ => Reply::text("There they are."),
    });
}

pub(crate) struct Worker {
    random: fastrand::Rng,
    address: SocketAddr,
    connection: Option<Connection>,
    tally: Arc<Tally>,
    kept: Kept,
    /// Those whose state is certain.
    notes: Vec<String>,
    session: Option<String>,
}

impl Worker {
    pub(crate) fn new(number: u64, address: SocketAddr, token: String, tally: Arc<Tally>) -> Self {
        let kept = Kept { token, ..Kept::default() };
        Self { random: fastrand::Rng::with_seed(number), address, connection: None, tally, kept, notes: Vec::new(), session: None }
    }

    /// Asks until then; answers what was acknowledged.
    pub(crate) async fn work(mut self, end: Instant) -> Kept {
        while Instant::now() < end {
            match self.random.u32(..100) {
                0..45 => self.get().await,
                45..60 => self.list().await,
                60..70 => self.search().await,
                70..80 => self.make().await,
                80..96 => self.change().await,
                _ => self.talk().await,
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.kept
    }

    /// Asks one thing, and counts it as a failure unless it is answered by one of these.
    async fn ask(&mut self, what: &'static str, method: &str, path: &str, body: Option<Value>, good: &[u16]) -> Option<Answer> {
        let begun = Instant::now();
        let answer = self.try_ask(method, path, body).await;
        let failure = match &answer {
            Ok(answer) if good.contains(&answer.status) => None,
            Ok(answer) => Some(format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body))),
            Err(error) => {
                self.connection = None;
                Some(error.to_string())
            }
        };
        let worked = failure.is_none();
        self.tally.add(what, begun, failure);
        answer.ok().filter(|_| worked)
    }

    async fn try_ask(&mut self, method: &str, path: &str, body: Option<Value>) -> std::io::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.address).await?,
        };
        let answer = connection.ask(&request(method, path, &self.kept.token, body.as_ref())).await?;
        self.connection = Some(connection);
        Ok(answer)
    }

    fn chosen(&mut self) -> Option<String> {
        let number = self.random.usize(..self.notes.len().max(1));
        self.notes.get(number).cloned()
    }

    async fn get(&mut self) {
        let Some(id) = self.chosen() else { return self.make().await };
        let answer = self.ask("get", "GET", &format!("/api/v1/notes/{id}"), None, &[200]).await;
        let expected = self.kept.notes[&id].1.to_string();
        assert!(answer.is_none_or(|answer| answer.json()["body"] == expected), "note {id} is not as it was acknowledged");
    }

    async fn list(&mut self) {
        let path =
            ["/api/v1/notes?order=-updated_at", "/api/v1/notes?limit=20", "/api/v1/sessions", "/api/v1/tasks"][self.random.usize(..4)];
        self.ask("list", "GET", path, None, &[200]).await;
    }

    async fn search(&mut self) {
        let path = format!("/api/v1/search?q=word{}", self.random.u64(..WORDS));
        self.ask("search", "GET", &path, None, &[200]).await;
    }

    async fn make(&mut self) {
        let id = format!("{:08x}-0000-7000-8000-{:012x}", self.random.u32(..), self.random.u64(..1 << 48));
        self.kept.notes.insert(id.clone(), (1, 0));
        let note = json!({ "id": id, "title": format!("A note of word{}", self.random.u64(..WORDS)), "body": "1" });
        if self.ask("make", "POST", "/api/v1/notes", Some(note), &[201]).await.is_some() {
            self.kept.notes.insert(id.clone(), (1, 1));
            self.notes.push(id);
            if self.notes.len() > CHANGED {
                self.notes.swap_remove(0);
            }
        }
    }

    async fn change(&mut self) {
        let Some(id) = self.chosen() else { return self.make().await };
        let acknowledged = self.kept.notes[&id].1;
        let next = acknowledged + 1;
        self.kept.notes.insert(id.clone(), (next, acknowledged));
        match self.ask("change", "PATCH", &format!("/api/v1/notes/{id}"), Some(json!({ "body": next.to_string() })), &[200]).await {
            Some(_) => drop(self.kept.notes.insert(id, (next, next))),
            // Whether it was done, nobody knows.
            None => self.notes.retain(|note| *note != id),
        }
    }

    /// Runs a turn.
    async fn talk(&mut self) {
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                let session = json!({ "title": "A talk", "agent": "assistant" });
                let Some(made) = self.ask("session", "POST", "/api/v1/sessions", Some(session), &[201]).await else { return };
                made.json()["id"].as_str().unwrap().to_owned()
            }
        };
        let said = if self.random.bool() { LOOK } else { "talk" };
        let path = format!("/api/v1/sessions/{session}/messages");
        let begun = Instant::now();
        let Some(answer) = self.ask("turn", "POST", &path, Some(json!({ "content": said })), &[200, 201]).await else { return };
        let answer = answer.json();
        let messages = self.kept.messages.entry(session.clone()).or_default();
        messages.extend(answer["items"].as_array().unwrap().iter().map(|message| message["id"].as_str().unwrap().to_owned()));
        if answer["finish"] != "answered" {
            // The session is left as it is: it may take a moment until it takes a message again.
            return self.tally.add("turn", begun, Some(answer.to_string()));
        }
        if messages.len() < MESSAGES {
            self.session = Some(session);
        }
    }
}
