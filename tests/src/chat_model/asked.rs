//! What a chat model is asked: the request, and what scripts look for in it. What must not come in: answers.

use hyper::HeaderMap;
use serde_json::Value;

/// A request.
#[derive(Debug, Clone)]
pub struct Asked {
    pub headers: HeaderMap,
    /// All of its JSON.
    pub body: Value,
    /// How often this very body came by now: more than once when an answer failed.
    pub times: usize,
}

impl Asked {
    pub(super) fn new(headers: HeaderMap, body: Value, times: usize) -> Self {
        Self { headers, body, times }
    }

    /// What was said, in order, as the protocol has it.
    pub fn messages(&self) -> &[Value] {
        self.body["messages"].as_array().map_or(&[], Vec::as_slice)
    }

    /// What the model is told before all else.
    pub fn system(&self) -> &str {
        self.messages().iter().find(|message| message["role"] == "system").map_or("", content)
    }

    /// What the person said last.
    pub fn user(&self) -> &str {
        self.messages().iter().rev().find(|message| message["role"] == "user").map_or("", content)
    }

    /// What came since.
    pub fn since(&self) -> &[Value] {
        let messages = self.messages();
        messages.iter().rposition(|message| message["role"] == "user").map_or(&[], |place| &messages[place + 1..])
    }

    /// How often the model has answered since: 0 in the first round of a turn.
    pub fn round(&self) -> usize {
        self.since().iter().filter(|message| message["role"] == "assistant").count()
    }

    /// What the calls since have come to, in order; what is no JSON is a text.
    pub fn results(&self) -> Vec<Value> {
        let results = self.since().iter().filter(|message| message["role"] == "tool").map(content);
        results.map(|text| serde_json::from_str(text).unwrap_or_else(|_| text.into())).collect()
    }

    /// The names of the tools that may be called.
    pub fn tools(&self) -> Vec<&str> {
        self.body["tools"].as_array().into_iter().flatten().filter_map(|tool| tool["function"]["name"].as_str()).collect()
    }

    /// A header; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(super) fn wants_usage(&self) -> bool {
        self.body["stream_options"]["include_usage"] == true
    }

    /// Refuses what a strict server refuses: among others a call without its result, and a result without its call.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.body["model"].as_str().is_none_or(str::is_empty) || self.body["stream"] != true {
            return Err("this server wants a model, and streams".to_owned());
        }
        let mut awaited: Vec<&str> = Vec::new();
        for message in self.messages() {
            let role = message["role"].as_str().unwrap_or_default();
            if role == "tool" {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                let place =
                    awaited.iter().position(|awaited| *awaited == id).ok_or_else(|| format!("no call {id:?} precedes its result"))?;
                awaited.remove(place);
            } else if let Some(id) = awaited.first() {
                return Err(format!("call {id:?} is not followed by its result"));
            }
            let calls = message["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
            match role {
                "assistant" if message["content"].is_null() && !calls.is_empty() => {}
                "system" | "user" | "assistant" | "tool" if message["content"].is_string() => {}
                _ => return Err(format!("this is no message: {message}")),
            }
            for call in calls {
                match (
                    call["id"].as_str(),
                    call["type"].as_str(),
                    call["function"]["name"].as_str(),
                    call["function"]["arguments"].as_str(),
                ) {
                    (Some(id), Some("function"), Some(_), Some(_)) => awaited.push(id),
                    _ => return Err(format!("this is no call: {call}")),
                }
            }
        }
        match (awaited.first(), self.messages().is_empty()) {
            (Some(id), _) => Err(format!("call {id:?} is not followed by its result")),
            (None, true) => Err("there are no messages".to_owned()),
            (None, false) => Ok(()),
        }
    }
}

fn content(message: &Value) -> &str {
    message["content"].as_str().unwrap_or_default()
}
