//! Notes: what is worth keeping.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BODY_BYTES, Entity, Field, FieldValue, Kind, Passages, TAG_CHARS, TAGS, TITLE_CHARS, bounds, common_fields};
use crate::{Id, Result, Timestamp};

/// A text, in its owner's personal space or in a team's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The note's id.
    pub id: Id,
    /// Who made it.
    pub owner_id: Id,
    /// The team whose space it lives in; the owner's personal space when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<Id>,
    /// 1 to 500 characters.
    #[schemars(length(min = 1, max = TITLE_CHARS), regex(pattern = bounds::LINE))]
    pub title: String,
    /// Markdown, up to 2 MiB.
    #[serde(default)]
    #[schemars(length(max = BODY_BYTES), regex(pattern = bounds::TEXT))]
    pub body: String,
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

impl Entity for Note {
    const KIND: Kind = Kind::Note;
    const FILTERS: &'static [Field] = &[Field::id("space_id")];
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
            "created_at" => Some(FieldValue::Time(self.created_at)),
            "updated_at" => Some(FieldValue::Time(self.updated_at)),
            _ => None,
        }
    }

    fn validate(&self) -> Result<()> {
        bounds::line("title", &self.title, TITLE_CHARS)?;
        bounds::body("body", &self.body)?;
        bounds::tags("tags", &self.tags)
    }

    fn passages(&self) -> Passages<'_> {
        Passages { title: &self.title, tags: &self.tags, body: &self.body }
    }
}
