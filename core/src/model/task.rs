//! Tasks: what is to be done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BODY_BYTES, Entity, Field, FieldValue, Kind, Passages, TAG_CHARS, TAGS, TITLE_CHARS, bounds, common_fields};
use crate::{Error, Id, Result, Timestamp};

/// A piece of work, in its owner's personal space or in a team's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The task's id.
    pub id: Id,
    /// Who made it.
    pub owner_id: Id,
    /// The team whose space it lives in; the owner's personal space when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<Id>,
    /// Who is to do it; must be able to read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee_id: Option<Id>,
    /// 1 to 500 characters.
    #[schemars(length(min = 1, max = TITLE_CHARS), regex(pattern = bounds::LINE))]
    pub title: String,
    /// Markdown, up to 2 MiB.
    #[serde(default)]
    #[schemars(length(max = BODY_BYTES), regex(pattern = bounds::TEXT))]
    pub body: String,
    /// How far it is.
    #[serde(default)]
    pub status: TaskStatus,
    /// 0 none, 1 urgent, 2 high, 3 normal, 4 low.
    #[serde(default)]
    #[schemars(range(max = 4))]
    pub priority: u8,
    /// When it is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Up to 64 tags of up to 100 characters, none twice.
    #[serde(default)]
    #[schemars(length(max = TAGS), inner(length(min = 1, max = TAG_CHARS), regex(pattern = bounds::LINE)), extend("uniqueItems" = true))]
    pub tags: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes from 1.
    pub revision: u64,
}

/// How far a task is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// Not begun.
    #[default]
    Open,
    /// Being worked on.
    InProgress,
    /// Waiting for something else.
    Blocked,
    /// Finished.
    Done,
    /// Not to be done after all.
    Cancelled,
}

impl TaskStatus {
    /// Every status, in the order of work.
    pub const ALL: &'static [Self] = &[Self::Open, Self::InProgress, Self::Blocked, Self::Done, Self::Cancelled];

    /// Their names, as in JSON.
    const NAMES: [&'static str; Self::ALL.len()] = {
        let mut names = [""; Self::ALL.len()];
        let mut i = 0;
        while i < names.len() {
            names[i] = Self::ALL[i].as_str();
            i += 1;
        }
        names
    };

    /// The name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::InProgress => "in_progress",
            Self::Blocked => "blocked",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Entity for Task {
    const KIND: Kind = Kind::Task;
    const FILTERS: &'static [Field] = &[Field::id("space_id"), Field::choice("status", &TaskStatus::NAMES), Field::id("assignee_id")];
    const ORDERS: &'static [Field] = &[Field::time("created_at"), Field::time("updated_at")];
    const CONTENT: bool = true;
    const OWNER_FIELD: Option<&'static str> = Some("owner_id");
    const SEARCHED: bool = true;

    common_fields!();

    fn space_id(&self) -> Option<Id> {
        Some(self.team_id.unwrap_or(self.owner_id))
    }

    fn value(&self, field: &str) -> Option<FieldValue> {
        match field {
            "space_id" => self.space_id().map(FieldValue::Id),
            "status" => Some(FieldValue::Text(self.status.as_str().into())),
            "assignee_id" => self.assignee_id.map(FieldValue::Id),
            "created_at" => Some(FieldValue::Time(self.created_at)),
            "updated_at" => Some(FieldValue::Time(self.updated_at)),
            _ => None,
        }
    }

    fn validate(&self) -> Result<()> {
        bounds::line("title", &self.title, TITLE_CHARS)?;
        bounds::body("body", &self.body)?;
        if self.priority > 4 {
            return Err(Error::invalid("a priority is 0 (none), 1 (urgent), 2 (high), 3 (normal) or 4 (low)").with("field", "priority"));
        }
        bounds::tags("tags", &self.tags)
    }

    fn passages(&self) -> Passages<'_> {
        Passages { title: &self.title, tags: &self.tags, body: &self.body }
    }
}
