//! The model: what Mosaic keeps. One file per kind, each with its struct, its bounds and what it can be
//! filtered and ordered by. What must not come in: how a record is stored, or who may see it.
//!
//! To add a kind:
//! 1. Write its file here, name its struct below and in core's `lib.rs`, and its variant in [`kinds!`](crate::kinds) (in dependency order).
//! 2. Say in `rules/` who may do what with it and what must hold of it: the compiler names the places.
//! 3. Write its table in the SQL crate, and one migration; a test there names the columns and indexes that are missing.
//! 4. Give the behaviour suite a record of it (`tests/src/behaviour/env.rs`, `records.rs`), and cases of its own.
//!
//! Lists, the HTTP API, OpenAPI, import and export follow.

mod bounds;
mod field;
mod membership;
mod message;
mod note;
mod session;
mod task;
mod team;
mod token;
mod user;

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

pub use bounds::{BODY_BYTES, EMAIL_CHARS, NAME_CHARS, SLUG_CHARS, TAG_CHARS, TAGS, TITLE_CHARS};
pub use field::{Field, FieldType, FieldValue};
pub use membership::{Membership, MembershipRole};
pub use message::{ARGUMENTS_BYTES, Finish, Message, MessageRole, REASON_CHARS, TOOL_CALLS, ToolCall};
pub use note::Note;
pub use session::{Session, SessionStatus};
pub use task::{Task, TaskStatus};
pub use team::Team;
pub use token::{Token, TokenHash, TokenScope};
pub use user::{User, UserRole};

use crate::{Error, Id, Result, Timestamp};

/// What every kind of record has in common, and what it says of itself.
pub trait Entity: Serialize + DeserializeOwned + JsonSchema + Clone + PartialEq + Send + Sync + 'static {
    /// Which kind this is.
    const KIND: Kind;
    /// What a list of this kind can be narrowed by; each is an index in every backend.
    const FILTERS: &'static [Field];
    /// What a list of this kind can be ordered by, the default first. Values are never null.
    const ORDERS: &'static [Field];

    /// Whether it is content, which only its space's members see, rather than part of an account.
    const CONTENT: bool;
    /// The field that says whose it is, filled in with the caller where a client leaves it out.
    const OWNER_FIELD: Option<&'static str>;
    /// What it is a part of, for a kind that has no space of its own: it is seen by whoever sees the whole.
    const PARENT: Option<Parent> = None;
    /// Whether its words are searched, and whether it may have embeddings.
    const SEARCHED: bool = false;

    /// The record's id.
    fn id(&self) -> Id;
    /// When it was made.
    fn created_at(&self) -> Timestamp;
    /// When it was last changed.
    fn updated_at(&self) -> Timestamp;
    /// Counts its changes from 1.
    fn revision(&self) -> u64;
    /// Marks a change: the time and the revision it leads to.
    fn stamp(&mut self, updated_at: Timestamp, revision: u64);
    /// The space it lives in: a team's id, or a user's. `None` for a part of another record, which lives where the whole does.
    fn space_id(&self) -> Option<Id>;
    /// The value of one of its [`Self::FILTERS`] or [`Self::ORDERS`]; `None` when it has none.
    fn value(&self, field: &str) -> Option<FieldValue>;
    /// Checks the bounds of every field.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`], naming the field and the bound.
    fn validate(&self) -> Result<()>;
    /// What is searched of it.
    fn passages(&self) -> Passages<'_> {
        Passages::default()
    }
}

/// What a kind of record is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// The kind of the whole.
    pub kind: Kind,
    /// The field that holds the id of the whole.
    pub field: &'static str,
}

/// The texts of a record that are searched, by how much a word in them says of the record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passages<'r> {
    /// What it is called.
    pub title: &'r str,
    /// What it is labelled with.
    pub tags: &'r [String],
    /// What it says.
    pub body: &'r str,
}

/// The fields that every struct of the model has, as [`Entity`] wants them.
macro_rules! common_fields {
    () => {
        fn id(&self) -> crate::Id {
            self.id
        }
        fn created_at(&self) -> crate::Timestamp {
            self.created_at
        }
        fn updated_at(&self) -> crate::Timestamp {
            self.updated_at
        }
        fn revision(&self) -> u64 {
            self.revision
        }
        fn stamp(&mut self, updated_at: crate::Timestamp, revision: u64) {
            self.updated_at = updated_at;
            self.revision = revision;
        }
    };
}
pub(crate) use common_fields;

/// Calls a macro of the caller's with every kind, in dependency order: `Variant "singular" "plural"`, behind what is given in
/// parentheses. A record refers only to records of kinds before its own.
#[macro_export]
macro_rules! kinds {
    ($($then:ident)::+ $(, ($($given:tt)*))?) => {
        $($then)::+! {
            $(($($given)*))?
            User "user" "users",
            Team "team" "teams",
            Membership "membership" "memberships",
            Token "token" "tokens",
            Task "task" "tasks",
            Note "note" "notes",
            Session "session" "sessions",
            Message "message" "messages",
        }
    };
}

/// Runs an expression with `$entity` bound to the struct inside of a [`Record`].
///
/// ```
/// # fn f(record: &mosaic_core::Record) -> u64 {
/// mosaic_core::with_entity!(record, entity => mosaic_core::Entity::revision(entity))
/// # }
/// ```
#[macro_export]
macro_rules! with_entity {
    ($record:expr, $entity:ident => $body:expr) => {
        $crate::kinds!($crate::__match_record, ($record, $entity => $body))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __match_record {
    (($record:expr, $entity:ident => $body:expr) $($Variant:ident $singular:literal $plural:literal,)*) => {
        match $record { $($crate::Record::$Variant($entity) => $body,)* }
    };
}

/// Runs an expression with `$Type` bound to the struct of a [`Kind`].
///
/// ```
/// # use mosaic_core::{Entity, Kind};
/// let orders = mosaic_core::with_kind!(Kind::Task, T => T::ORDERS);
/// assert_eq!(orders[0].name, "created_at");
/// ```
#[macro_export]
macro_rules! with_kind {
    ($kind:expr, $Type:ident => $body:expr) => {
        $crate::kinds!($crate::__match_kind, ($kind, $Type => $body))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __match_kind {
    (($kind:expr, $Type:ident => $body:expr) $($Variant:ident $singular:literal $plural:literal,)*) => {
        match $kind {
            $($crate::Kind::$Variant => {
                type $Type = $crate::$Variant;
                $body
            })*
        }
    };
}

macro_rules! define_records {
    ($($Variant:ident $singular:literal $plural:literal,)*) => {
        /// The kinds of records, in dependency order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $(#[doc = concat!("A ", $singular, ".")] $Variant,)*
        }

        impl Kind {
            /// Every kind, each after those it refers to.
            pub const ALL: &'static [Self] = &[$(Self::$Variant,)*];

            /// The name of one: `task`.
            pub fn singular(self) -> &'static str {
                match self { $(Self::$Variant => $singular,)* }
            }

            /// The name of many, as in the API's paths: `tasks`.
            pub fn plural(self) -> &'static str {
                match self { $(Self::$Variant => $plural,)* }
            }
        }

        /// A record of any kind. As JSON it is one object, tagged by `kind`.
        #[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum Record {
            $(#[doc = concat!("A ", $singular, ".")] $Variant($Variant),)*
        }

        $(
            impl From<$Variant> for Record {
                fn from(entity: $Variant) -> Self {
                    Self::$Variant(entity)
                }
            }

            impl TryFrom<Record> for $Variant {
                type Error = Error;

                fn try_from(record: Record) -> Result<Self> {
                    match record {
                        Record::$Variant(entity) => Ok(entity),
                        other => Err(Error::invalid(concat!("not a ", $singular)).with("kind", other.kind())),
                    }
                }
            }
        )*

        impl Record {
            /// Which kind it is.
            pub fn kind(&self) -> Kind {
                match self { $(Self::$Variant(_) => Kind::$Variant,)* }
            }

            fn from_fields(kind: Kind, fields: Map<String, Value>) -> Result<Self> {
                match kind { $(Kind::$Variant => typed::<$Variant>(fields).map(Self::$Variant),)* }
            }
        }
    };
}
kinds!(define_records);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.singular())
    }
}

impl FromStr for Kind {
    type Err = Error;

    /// Reads a singular name.
    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|kind| kind.singular() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|kind| kind.singular()).collect();
            Error::invalid("there is no such kind of record").with("kind", clip(name)).hint(format!("use one of {}", names.join(", ")))
        })
    }
}

fn clip(text: &str) -> String {
    text.chars().take(60).collect()
}

impl Record {
    /// Reads a record from the fields of a JSON object, `kind` among them. A missing `revision` is 1,
    /// a missing `updated_at` is `created_at`. Bounds are checked.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`], naming the field: unknown, missing, of the wrong type or out of bounds.
    ///
    /// ```
    /// use mosaic_core::{Error, Record};
    ///
    /// let team = serde_json::json!({
    ///     "kind": "team", "id": "cd91f340-669d-59f6-a398-8f62ea7cc511",
    ///     "slug": "sig-node", "name": "SIG Node", "created_at": "2019-03-25T00:00:00Z",
    /// });
    /// let serde_json::Value::Object(fields) = team else { unreachable!() };
    /// let record = Record::from_json(fields)?;
    /// assert_eq!(record.revision(), 1);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn from_json(mut fields: Map<String, Value>) -> Result<Self> {
        let kind = match fields.shift_remove("kind") {
            Some(Value::String(name)) => name.parse()?,
            Some(_) => return Err(Error::invalid("the kind is not a text").with("field", "kind")),
            None => return Err(Error::invalid("the record does not say its kind").with("field", "kind")),
        };
        if !fields.contains_key("revision") {
            fields.insert("revision".into(), 1.into());
        }
        if !fields.contains_key("updated_at")
            && let Some(created_at) = fields.get("created_at").cloned()
        {
            fields.insert("updated_at".into(), created_at);
        }
        let record = Self::from_fields(kind, fields)?;
        record.validate()?;
        Ok(record)
    }

    /// Reads a record from one line of JSON. See [`Self::from_json`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`], also for what is not JSON or not an object.
    pub fn from_json_bytes(line: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(line).map_err(|error| Error::invalid("not UTF-8").with("byte", error.valid_up_to() + 1))?;
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Self::from_json(fields),
            Ok(_) => Err(Error::invalid("not a JSON object")),
            Err(error) => Err(Error::invalid("not JSON").with("column", error.column()).source(error)),
        }
    }

    /// The record's id.
    pub fn id(&self) -> Id {
        with_entity!(self, entity => entity.id())
    }

    /// When it was made.
    pub fn created_at(&self) -> Timestamp {
        with_entity!(self, entity => entity.created_at())
    }

    /// When it was last changed.
    pub fn updated_at(&self) -> Timestamp {
        with_entity!(self, entity => entity.updated_at())
    }

    /// Counts its changes from 1.
    pub fn revision(&self) -> u64 {
        with_entity!(self, entity => entity.revision())
    }

    /// Marks a change: the time and the revision it leads to.
    pub fn stamp(&mut self, updated_at: Timestamp, revision: u64) {
        with_entity!(self, entity => entity.stamp(updated_at, revision));
    }

    /// The space it lives in: a team's id, or a user's. `None` for a part of another record, which lives where the whole does.
    pub fn space_id(&self) -> Option<Id> {
        with_entity!(self, entity => entity.space_id())
    }

    /// The value of one of its kind's filters or orders; `None` when it has none.
    pub fn value(&self, field: &str) -> Option<FieldValue> {
        with_entity!(self, entity => entity.value(field))
    }

    /// What is searched of it.
    pub fn passages(&self) -> Passages<'_> {
        with_entity!(self, entity => entity.passages())
    }

    /// Checks the bounds of every field, and that the revision counts from 1.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`], naming the field and the bound.
    pub fn validate(&self) -> Result<()> {
        if !(1..=i64::MAX as u64).contains(&self.revision()) {
            return Err(Error::invalid("a revision counts from 1").with("field", "revision"));
        }
        with_entity!(self, entity => entity.validate())
    }

    /// Whether both say the same, aside from what the storage sets (times, revision, place): what makes creating a record twice harmless.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        fn settled(record: &Record) -> Option<Value> {
            let mut value = serde_json::to_value(record).ok()?;
            let fields = value.as_object_mut()?;
            for field in ["created_at", "updated_at", "revision", "hash", "last_used_at", "seq"] {
                fields.shift_remove(field);
            }
            Some(value)
        }
        self.kind() == other.kind() && self.id() == other.id() && settled(self) == settled(other)
    }

    /// Removes what only the store may know (a token's hash).
    #[must_use]
    pub fn without_secrets(mut self) -> Self {
        if let Self::Token(token) = &mut self {
            token.hash = None;
        }
        self
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Map::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

fn typed<T: Entity>(fields: Map<String, Value>) -> Result<T> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let path = error.path().to_string();
        let refused = Error::invalid(format!("not a valid {}: {}", T::KIND, error.inner()));
        if path == "." { refused } else { refused.with("field", path) }
    })
}

impl Kind {
    /// The JSON Schema (2020-12) of this kind's records, as in the API: with the tag `kind`.
    pub fn schema(self) -> schemars::Schema {
        let mut schema = with_kind!(self, T => schemars::schema_for!(T));
        schema.remove("$schema");
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.insert("kind".into(), serde_json::json!({ "const": self.singular() }));
        }
        schema
    }

    /// What a list of this kind can be narrowed by.
    pub fn filters(self) -> &'static [Field] {
        with_kind!(self, T => T::FILTERS)
    }

    /// What a list of this kind can be ordered by, the default first.
    pub fn orders(self) -> &'static [Field] {
        with_kind!(self, T => T::ORDERS)
    }

    /// Whether records of this kind are content, which only their space's members see, rather than parts of an account.
    pub fn is_content(self) -> bool {
        with_kind!(self, T => T::CONTENT)
    }

    /// The field that says whose a record is, filled in with the caller where a client leaves it out.
    pub fn owner_field(self) -> Option<&'static str> {
        with_kind!(self, T => T::OWNER_FIELD)
    }

    /// What records of this kind are parts of.
    pub fn parent(self) -> Option<Parent> {
        with_kind!(self, T => T::PARENT)
    }

    /// Whether the words of this kind's records are searched, and whether they may have embeddings.
    pub fn is_searched(self) -> bool {
        with_kind!(self, T => T::SEARCHED)
    }
}

#[cfg(test)]
mod tests;
