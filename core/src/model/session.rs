//! Sessions: a user's conversations with an agent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Entity, Field, FieldValue, Kind, NAME_CHARS, TITLE_CHARS, bounds, common_fields};
use crate::{Id, Result, Timestamp};

/// A conversation with an agent, in its owner's personal space or in a team's. What was said are its messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// The session's id.
    pub id: Id,
    /// Whose conversation it is: the one user who adds to it.
    pub owner_id: Id,
    /// The team whose space it lives in, whose members may read it; the owner's personal space when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<Id>,
    /// 1 to 500 characters.
    #[schemars(length(min = 1, max = TITLE_CHARS), regex(pattern = bounds::LINE))]
    pub title: String,
    /// The agent's name, 1 to 200 characters.
    #[schemars(length(min = 1, max = NAME_CHARS), regex(pattern = bounds::LINE))]
    pub agent: String,
    /// Whether it takes messages.
    #[serde(default)]
    pub status: SessionStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; a message is no change of its session.
    pub updated_at: Timestamp,
    /// Counts its changes from 1.
    pub revision: u64,
}

/// Whether a session takes messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// It does.
    #[default]
    Open,
    /// It does not, until it is opened again.
    Closed,
}

impl SessionStatus {
    /// Their names, as in JSON.
    const NAMES: [&'static str; 2] = [Self::Open.as_str(), Self::Closed.as_str()];

    /// The name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

impl Entity for Session {
    const KIND: Kind = Kind::Session;
    const FILTERS: &'static [Field] = &[Field::id("space_id"), Field::choice("status", &SessionStatus::NAMES)];
    const ORDERS: &'static [Field] = &[Field::time("created_at"), Field::time("updated_at")];
    const CONTENT: bool = true;
    const OWNER_FIELD: Option<&'static str> = Some("owner_id");

    common_fields!();

    fn space_id(&self) -> Option<Id> {
        Some(self.team_id.unwrap_or(self.owner_id))
    }

    fn value(&self, field: &str) -> Option<FieldValue> {
        match field {
            "space_id" => self.space_id().map(FieldValue::Id),
            "status" => Some(FieldValue::Text(self.status.as_str().into())),
            "created_at" => Some(FieldValue::Time(self.created_at)),
            "updated_at" => Some(FieldValue::Time(self.updated_at)),
            _ => None,
        }
    }

    fn validate(&self) -> Result<()> {
        bounds::line("title", &self.title, TITLE_CHARS)?;
        bounds::line("agent", &self.agent, NAME_CHARS)
    }
}
