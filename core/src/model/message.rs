//! Messages: what was said in a session.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Entity, Field, FieldValue, Kind, Parent, Passages, bounds, common_fields};
use crate::{Error, Id, Result, Timestamp};

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
    pub content: String,
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
        bounds::body("content", &self.content)
    }

    fn passages(&self) -> Passages<'_> {
        Passages { body: &self.content, ..Passages::default() }
    }
}
