//! Users: the people (and outside agents) that tokens act for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EMAIL_CHARS, Entity, Field, FieldValue, Kind, NAME_CHARS, bounds, common_fields};
use crate::{Id, Result, Timestamp};

/// Someone with an account. Their personal space has the same id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The user's id, and that of their personal space.
    pub id: Id,
    /// The unique short name: 1 to 64 of a-z, 0-9, '.', '_' and '-'.
    #[schemars(regex(pattern = bounds::SLUG))]
    pub login: String,
    /// The name people read: 1 to 200 characters.
    #[schemars(length(min = 1, max = NAME_CHARS), regex(pattern = bounds::LINE))]
    pub name: String,
    /// An email address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = EMAIL_CHARS), regex(pattern = bounds::EMAIL))]
    pub email: Option<String>,
    /// Whether they may manage accounts.
    #[serde(default)]
    pub role: UserRole,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes from 1.
    pub revision: u64,
}

/// What a user may do beyond their own records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserRole {
    /// Works in their own space and their teams'.
    #[default]
    Member,
    /// May also manage users, teams, memberships and tokens, with a token of scope `admin`.
    Admin,
}

impl UserRole {
    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

impl Entity for User {
    const KIND: Kind = Kind::User;
    const FILTERS: &'static [Field] = &[Field::text("login")];
    const ORDERS: &'static [Field] = &[Field::time("created_at"), Field::time("updated_at"), Field::text("login")];
    const CONTENT: bool = false;
    const OWNER_FIELD: Option<&'static str> = None;

    common_fields!();

    fn space_id(&self) -> Option<Id> {
        Some(self.id)
    }

    fn value(&self, field: &str) -> Option<FieldValue> {
        match field {
            "login" => Some(FieldValue::Text(self.login.clone())),
            "created_at" => Some(FieldValue::Time(self.created_at)),
            "updated_at" => Some(FieldValue::Time(self.updated_at)),
            _ => None,
        }
    }

    fn validate(&self) -> Result<()> {
        bounds::slug("login", &self.login)?;
        bounds::line("name", &self.name, NAME_CHARS)?;
        self.email.as_deref().map_or(Ok(()), |email| bounds::email("email", email))
    }
}
