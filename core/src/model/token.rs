//! Tokens: what a client shows to act for a user. Mosaic keeps a hash; the secret is shown once and kept nowhere.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Entity, Field, FieldValue, Kind, NAME_CHARS, bounds, common_fields};
use crate::{Error, Id, Result, Timestamp};

/// A bearer token's record. Removing it revokes the token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The token's id, which is no secret.
    pub id: Id,
    /// The user it acts for. Cannot be changed.
    pub user_id: Id,
    /// What it is for: 1 to 200 characters.
    #[schemars(length(min = 1, max = NAME_CHARS), regex(pattern = bounds::LINE))]
    pub name: String,
    /// What it may be used for; at least one, none twice.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub scopes: Vec<TokenScope>,
    /// The hash of its secret. Only an export with tokens shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<TokenHash>,
    /// When it ceases to work; never, when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute. Not a change of the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes from 1.
    pub revision: u64,
}

/// What a token may be used for. A token never does more than its user may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenScope {
    /// Read the user's records.
    Read,
    /// Write the user's records.
    Write,
    /// Drive agent sessions for the user.
    Agent,
    /// Manage users, teams, memberships and tokens; takes a user whose role is admin.
    Admin,
    /// Import, export, back up, and read all content with `view=all`; takes a user whose role is admin.
    Operator,
}

impl TokenScope {
    /// Every scope.
    pub const ALL: &'static [Self] = &[Self::Read, Self::Write, Self::Agent, Self::Admin, Self::Operator];

    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Agent => "agent",
            Self::Admin => "admin",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for TokenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TokenScope {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|scope| scope.as_str() == name).ok_or_else(|| {
            Error::invalid("there is no such token scope").with("scope", name).hint("use read, write, agent, admin or operator")
        })
    }
}

/// The SHA-256 of a token's secret. Its Debug and Display do not show it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// 64 hexadecimal digits, lowercase.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for anything else; the text is not repeated.
    pub fn from_hex(text: &str) -> Result<Self> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash)
            .map(|()| Self(hash))
            .map_err(|_| Error::invalid("a token's hash is 64 hexadecimal digits").with("field", "hash"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

impl Serialize for TokenHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for TokenHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_hex(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for TokenHash {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TokenHash".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}

impl Entity for Token {
    const KIND: Kind = Kind::Token;
    const FILTERS: &'static [Field] = &[Field::id("user_id")];
    const ORDERS: &'static [Field] = &[Field::time("created_at"), Field::time("updated_at")];
    const CONTENT: bool = false;
    const OWNER_FIELD: Option<&'static str> = Some("user_id");

    common_fields!();

    fn space_id(&self) -> Option<Id> {
        Some(self.user_id)
    }

    fn value(&self, field: &str) -> Option<FieldValue> {
        match field {
            "user_id" => Some(FieldValue::Id(self.user_id)),
            "created_at" => Some(FieldValue::Time(self.created_at)),
            "updated_at" => Some(FieldValue::Time(self.updated_at)),
            _ => None,
        }
    }

    fn validate(&self) -> Result<()> {
        bounds::line("name", &self.name, NAME_CHARS)?;
        let repeated = self.scopes.iter().enumerate().any(|(i, scope)| self.scopes[..i].contains(scope));
        if self.scopes.is_empty() || repeated {
            return Err(Error::invalid("a token has at least one scope, and none twice").with("field", "scopes"));
        }
        Ok(())
    }
}
