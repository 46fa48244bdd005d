//! What goes over the wire: requests as all servers take them, and answers as any of them sends them.

use mosaic_core::ToolCall;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{ChatMessage, ToolDefinition};
use crate::config::ChatModel;

/// What OpenAI calls the bound of its newer models, which take no `max_tokens`. All other servers do, and not all of them this one.
pub(super) const NEWER_NAME: &str = "max_completion_tokens";

/// How much the model may say, in tokens.
#[derive(Clone, Copy, Serialize)]
pub(super) enum Bound {
    /// By the name that most servers know.
    #[serde(rename = "max_tokens")]
    Usual(u32),
    /// By [`NEWER_NAME`].
    #[serde(rename = "max_completion_tokens")]
    Newer(u32),
}

/// A request within a bound.
#[derive(Serialize)]
pub(super) struct Bounded<'b, 'r> {
    #[serde(flatten)]
    request: &'b Request<'r>,
    #[serde(flatten)]
    bound: Bound,
}

/// A request.
#[derive(Serialize)]
pub(super) struct Request<'r> {
    model: &'r str,
    messages: Vec<Value>,
    stream: bool,
    stream_options: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
}

impl<'r> Request<'r> {
    pub(super) fn new(section: &'r ChatModel, conversation: &[ChatMessage], tools: &[ToolDefinition]) -> Self {
        Self {
            model: &section.model,
            messages: conversation.iter().map(message).collect(),
            stream: true,
            stream_options: json!({ "include_usage": true }),
            temperature: section.temperature,
            tools: tools
                .iter()
                .map(|tool| {
                    json!({ "type": "function", "function": {
                "name": tool.name, "description": tool.description, "parameters": tool.parameters,
            } })
                })
                .collect(),
        }
    }

    pub(super) fn within(&self, bound: Bound) -> Bounded<'_, 'r> {
        Bounded { request: self, bound }
    }
}

fn message(message: &ChatMessage) -> Value {
    match message {
        ChatMessage::System(content) => json!({ "role": "system", "content": content }),
        ChatMessage::User(content) => json!({ "role": "user", "content": content }),
        ChatMessage::Assistant { content, tool_calls } if tool_calls.is_empty() => json!({ "role": "assistant", "content": content }),
        ChatMessage::Assistant { content, tool_calls } => {
            // Without a text it has null, which not every server takes for an empty one.
            let content = if content.is_empty() { Value::Null } else { content.as_str().into() };
            json!({ "role": "assistant", "content": content, "tool_calls": tool_calls.iter().map(call).collect::<Vec<_>>() })
        }
        ChatMessage::Tool { tool_call_id, content } => json!({ "role": "tool", "tool_call_id": tool_call_id, "content": content }),
    }
}

fn call(call: &ToolCall) -> Value {
    // Servers read them, and refuse the whole conversation for some that are no JSON, which the result of the call has said already.
    let is_read = serde_json::from_str::<Map<String, Value>>(&call.arguments).is_ok();
    let arguments = if is_read { &call.arguments } else { "{}" };
    json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": arguments } })
}

/// A piece of an answer, or a whole one.
#[derive(Deserialize)]
pub(super) struct Chunk {
    pub(super) choices: Option<Vec<Choice>>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    /// What a piece adds.
    pub(super) delta: Option<Delta>,
    /// The whole.
    pub(super) message: Option<Delta>,
    pub(super) finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct Delta {
    /// Text, as a rule; some servers send a list of parts.
    content: Option<Value>,
    pub(super) tool_calls: Option<Vec<CallPiece>>,
}

impl Delta {
    /// Its text, without what the model only thought.
    pub(super) fn text(&self) -> String {
        let text = |part: &Value| if part["type"] == "text" { part["text"].as_str().map(str::to_owned) } else { None };
        match &self.content {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(parts)) => parts.iter().filter_map(text).collect(),
            _ => String::new(),
        }
    }
}

/// A piece of a call, or a whole one.
#[derive(Deserialize)]
pub(super) struct CallPiece {
    pub(super) index: Option<u64>,
    pub(super) id: Option<String>,
    pub(super) function: Option<FunctionPiece>,
}

#[derive(Default, Deserialize)]
pub(super) struct FunctionPiece {
    pub(super) name: Option<String>,
    /// Text, as a rule; some servers send the object.
    pub(super) arguments: Option<Value>,
}
