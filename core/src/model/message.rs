//! Messages: what was said in a session.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BODY_BYTES, Entity, Field, FieldValue, Kind, NAME_CHARS, Parent, Passages, bounds, common_fields};
use crate::{Error, Id, Result, Timestamp};

/// How many tools a message may call.
pub const TOOL_CALLS: usize = 64;
/// The longest arguments of all calls of a message together, in bytes of UTF-8: 256 KiB.
pub const ARGUMENTS_BYTES: usize = 256 << 10;
/// The longest reason why a message ended as it did, in characters; the shortest is 1.
pub const REASON_CHARS: usize = 1_000;

/// One message of a session. It is added and never changed, is seen by whoever sees its session, and goes with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// The message's id.
    pub id: Id,
    /// The session that it was said in.
    pub session_id: Id,
    /// Its place in the session: counts from 1, without gaps. The storage gives it when the message is made, whatever is said here.
    #[serde(default)]
    pub seq: u64,
    /// Who said it.
    pub role: MessageRole,
    /// Markdown, up to 2 MiB.
    #[schemars(length(max = BODY_BYTES), regex(pattern = bounds::TEXT))]
    pub content: String,
    /// The tools that the agent calls with it, of an assistant's message: up to 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = TOOL_CALLS))]
    pub tool_calls: Vec<ToolCall>,
    /// Which call this is the result of, of a tool's message: a call's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = NAME_CHARS), regex(pattern = bounds::LINE))]
    pub tool_call_id: Option<String>,
    /// How it ended, of an assistant's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<Finish>,
    /// Why it ended so, on one line of 1 to 1,000 characters, where [`Self::finish`] does not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = REASON_CHARS), regex(pattern = bounds::LINE))]
    pub error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed: when it was made.
    pub updated_at: Timestamp,
    /// Counts its changes from 1.
    pub revision: u64,
}

/// Who said a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageRole {
    /// The session's owner.
    User,
    /// The agent.
    Assistant,
    /// A tool that the agent called: its result.
    Tool,
}

impl MessageRole {
    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// A call of a tool, as the agent makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// What its result refers to: 1 to 200 characters.
    #[schemars(length(min = 1, max = NAME_CHARS), regex(pattern = bounds::LINE))]
    pub id: String,
    /// The tool's name, 1 to 200 characters.
    #[schemars(length(min = 1, max = NAME_CHARS), regex(pattern = bounds::LINE))]
    pub name: String,
    /// What it is called with, as the agent wrote it: JSON as a rule. Those of all calls together take up to 256 KiB.
    #[schemars(length(max = ARGUMENTS_BYTES), regex(pattern = bounds::TEXT))]
    pub arguments: String,
}

/// How an agent's message ended. All but [`Finish::ToolCalls`] end the turn that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The agent has said what it had to say.
    Answered,
    /// The turn goes on with the results of its calls.
    ToolCalls,
    /// A bound of the turn was reached.
    Limited,
    /// Somebody stopped the turn.
    Stopped,
    /// The gateway that ran the turn went away in the middle.
    Interrupted,
    /// The model server failed.
    Failed,
}

impl Finish {
    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::ToolCalls => "tool_calls",
            Self::Limited => "limited",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing follows in the turn.
    pub fn ends_turn(self) -> bool {
        self != Self::ToolCalls
    }
}

impl Message {
    /// A message that is said now, for the storage to give its place: without calls, a call that it answers, and a finish.
    pub fn new(id: Id, session_id: Id, role: MessageRole, content: impl Into<String>, now: Timestamp) -> Self {
        let (tool_calls, tool_call_id, finish, error) = (Vec::new(), None, None, None);
        let content = content.into();
        Self {
            id,
            session_id,
            seq: 0,
            role,
            content,
            tool_calls,
            tool_call_id,
            finish,
            error,
            created_at: now,
            updated_at: now,
            revision: 1,
        }
    }

    /// Checks that what only agents and tools say is said by them.
    fn check_role(&self) -> Result<()> {
        let refuse = |field, why: &'static str| Err(Error::invalid(why).with("field", field));
        let by_agent = self.role == MessageRole::Assistant;
        if !by_agent && !self.tool_calls.is_empty() {
            return refuse("tool_calls", "only a message of role assistant calls tools");
        }
        if !by_agent && self.finish.is_some() {
            return refuse("finish", "only a message of role assistant says how it ended");
        }
        if self.role != MessageRole::Tool && self.tool_call_id.is_some() {
            return refuse("tool_call_id", "only a message of role tool is the result of a call");
        }
        if self.error.is_some() && self.finish.is_none() {
            return refuse("error", "a message that says why it ended says how, in finish");
        }
        Ok(())
    }
}

impl Entity for Message {
    const KIND: Kind = Kind::Message;
    const FILTERS: &'static [Field] = &[Field::id("session_id")];
    const ORDERS: &'static [Field] = &[Field::number("seq")];
    const CONTENT: bool = true;
    const OWNER_FIELD: Option<&'static str> = None;
    const PARENT: Option<Parent> = Some(Parent { kind: Kind::Session, field: "session_id" });
    const SEARCHED: bool = true;

    common_fields!();

    fn space_id(&self) -> Option<Id> {
        None
    }

    fn value(&self, field: &str) -> Option<FieldValue> {
        match field {
            "session_id" => Some(FieldValue::Id(self.session_id)),
            "seq" => Some(FieldValue::Number(self.seq)),
            _ => None,
        }
    }

    fn validate(&self) -> Result<()> {
        if i64::try_from(self.seq).is_err() {
            return Err(Error::invalid("a message's place is out of range").with("field", "seq"));
        }
        self.check_role()?;
        if self.tool_calls.len() > TOOL_CALLS {
            return Err(
                Error::invalid(format!("too many calls: {}, {TOOL_CALLS} at most", self.tool_calls.len())).with("field", "tool_calls")
            );
        }
        let mut left = ARGUMENTS_BYTES;
        for call in &self.tool_calls {
            bounds::line("tool_calls.id", &call.id, NAME_CHARS)?;
            bounds::line("tool_calls.name", &call.name, NAME_CHARS)?;
            bounds::text("tool_calls.arguments", &call.arguments, left)?;
            left -= call.arguments.len();
        }
        if let Some(call) = &self.tool_call_id {
            bounds::line("tool_call_id", call, NAME_CHARS)?;
        }
        if let Some(error) = &self.error {
            bounds::line("error", error, REASON_CHARS)?;
        }
        bounds::body("content", &self.content)
    }

    fn passages(&self) -> Passages<'_> {
        Passages { body: &self.content, ..Passages::default() }
    }
}
