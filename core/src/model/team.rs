//! Teams: spaces that several users share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Entity, Field, FieldValue, Kind, NAME_CHARS, bounds, common_fields};
use crate::{Id, Result, Timestamp};

/// A group of users with a space of its own, which has the same id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// The team's id, and that of its space.
    pub id: Id,
    /// The unique short name: 1 to 64 of a-z, 0-9, '.', '_' and '-'.
    #[schemars(regex(pattern = bounds::SLUG))]
    pub slug: String,
    /// The name people read: 1 to 200 characters.
    #[schemars(length(min = 1, max = NAME_CHARS), regex(pattern = bounds::LINE))]
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes from 1.
    pub revision: u64,
}

impl Entity for Team {
    const KIND: Kind = Kind::Team;
    const FILTERS: &'static [Field] = &[Field::text("slug")];
    const ORDERS: &'static [Field] = &[Field::time("created_at"), Field::time("updated_at"), Field::text("slug")];
    const CONTENT: bool = false;
    const OWNER_FIELD: Option<&'static str> = None;

    common_fields!();

    fn space_id(&self) -> Option<Id> {
        Some(self.id)
    }

    fn value(&self, field: &str) -> Option<FieldValue> {
        match field {
            "slug" => Some(FieldValue::Text(self.slug.clone())),
            "created_at" => Some(FieldValue::Time(self.created_at)),
            "updated_at" => Some(FieldValue::Time(self.updated_at)),
            _ => None,
        }
    }

    fn validate(&self) -> Result<()> {
        bounds::slug("slug", &self.slug)?;
        bounds::line("name", &self.name, NAME_CHARS)
    }
}
