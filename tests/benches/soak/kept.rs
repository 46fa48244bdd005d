//! What was acknowledged, and whether it is there in the end. A note has one writer, who counts its changes in its body: it must be between the
//! last count that was acknowledged and the last that was attempted. What must not come in: how it came there.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use mosaic_tests::measure::{Answer, Connection, request};
use serde_json::Value;

/// What one worker wrote.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) token: String,
    /// By id: the last count that was attempted, and the last that was acknowledged.
    pub(crate) notes: BTreeMap<String, (u64, u64)>,
    /// By session: the ids of messages that were acknowledged.
    pub(crate) messages: BTreeMap<String, Vec<String>>,
}

impl Kept {
    /// Reads everything back; answers how many writes were acknowledged, and what is lost.
    pub(crate) async fn check(&self, address: SocketAddr) -> (u64, Vec<String>) {
        let mut connection = Connection::open(address).await.unwrap();
        let (mut writes, mut lost) = (0, Vec::new());
        for (id, (attempted, acknowledged)) in &self.notes {
            writes += acknowledged;
            let note = self.read(&mut connection, &format!("/api/v1/notes/{id}")).await;
            let count = if note.status == 404 { 0 } else { note.success()["body"].as_str().and_then(|body| body.parse().ok()).unwrap() };
            if !(*acknowledged..=*attempted).contains(&count) {
                lost.push(format!("note {id} is at {count}, of {acknowledged} to {attempted}"));
            }
        }
        for (session, ids) in &self.messages {
            writes += ids.len() as u64;
            let mut found = Vec::new();
            let list = format!("/api/v1/sessions/{session}/messages?limit=200");
            let mut path = list.clone();
            loop {
                let page = self.read(&mut connection, &path).await.success();
                found.extend(page["items"].as_array().unwrap().iter().map(|message| message["id"].clone()));
                match page["next_cursor"].as_str() {
                    Some(cursor) => path = format!("{list}&cursor={cursor}"),
                    None => break,
                }
            }
            let missing = ids.iter().filter(|id| !found.contains(&Value::from(id.as_str())));
            lost.extend(missing.map(|id| format!("message {id} of session {session}")));
        }
        (writes, lost)
    }

    async fn read(&self, connection: &mut Connection, path: &str) -> Answer {
        connection.ask(&request("GET", path, &self.token, None)).await.unwrap()
    }
}
