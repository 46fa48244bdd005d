//! Memberships: who is in which team.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Entity, Field, FieldValue, Kind, common_fields};
use crate::{Id, Result, Timestamp};

/// One user's place in one team; there is at most one for each pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// The membership's id.
    pub id: Id,
    /// The team. Cannot be changed.
    pub team_id: Id,
    /// The user. Cannot be changed.
    pub user_id: Id,
    /// What the user may do in the team.
    #[serde(default)]
    pub role: MembershipRole,
    /// When the user joined.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes from 1.
    pub revision: u64,
}

/// What a member may do in a team.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MembershipRole {
    /// Reads and writes the team's records.
    #[default]
    Member,
    /// May also manage the team and its memberships, and delete any of its records.
    Owner,
}

impl MembershipRole {
    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Owner => "owner",
        }
    }
}

impl Entity for Membership {
    const KIND: Kind = Kind::Membership;
    const FILTERS: &'static [Field] = &[Field::id("team_id"), Field::id("user_id")];
    const ORDERS: &'static [Field] = &[Field::time("created_at"), Field::time("updated_at")];
    const CONTENT: bool = false;
    const OWNER_FIELD: Option<&'static str> = None;

    common_fields!();

    fn space_id(&self) -> Option<Id> {
        Some(self.team_id)
    }

    fn value(&self, field: &str) -> Option<FieldValue> {
        match field {
            "team_id" => Some(FieldValue::Id(self.team_id)),
            "user_id" => Some(FieldValue::Id(self.user_id)),
            "created_at" => Some(FieldValue::Time(self.created_at)),
            "updated_at" => Some(FieldValue::Time(self.updated_at)),
            _ => None,
        }
    }

    fn validate(&self) -> Result<()> {
        Ok(())
    }
}
