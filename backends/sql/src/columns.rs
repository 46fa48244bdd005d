//! Columns: how a kind's fields are named in SQL, how each is read from a row, and how those of many records are bound
//! together. One list in a kind's file makes all of it, so that what is selected, written and read cannot drift
//! apart. What must not come in: statements.

use mosaic_core::{
    Finish, Id, MembershipRole, MessageRole, SessionStatus, TaskStatus, Timestamp, TokenHash, TokenScope, ToolCall, UserRole,
};
use serde::de::{Deserialize, IntoDeserializer, value};
use sqlx::postgres::{PgHasArrayType, PgRow};
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{Decode, Encode, Postgres, Row as _, Type};

use crate::statement::timestamptz;

/// A row's columns, read one after the other.
pub(crate) struct Columns<'r> {
    row: &'r PgRow,
    next: usize,
}

impl<'r> Columns<'r> {
    /// Those from `first` on.
    pub(crate) fn new(row: &'r PgRow, first: usize) -> Self {
        Self { row, next: first }
    }

    /// Reads the next one.
    pub(crate) fn read<C: Column>(&mut self) -> sqlx::Result<C> {
        let index = self.next;
        self.next += 1;
        C::read(self.row, index)
    }
}

/// A type that fields of the model have, as a column.
pub(crate) trait Column: Sized {
    /// How it is bound: one of an array.
    type Value<'v>: Encode<'v, Postgres> + Type<Postgres> + PgHasArrayType
    where
        Self: 'v;

    /// Its value, as it is bound.
    fn value(&self) -> Self::Value<'_>;

    /// Reads it.
    fn read(row: &PgRow, index: usize) -> sqlx::Result<Self>;
}

/// Reads a column as one type and makes another of it.
fn convert<'r, C, T>(row: &'r PgRow, index: usize, make: impl FnOnce(C) -> Result<T, String>) -> sqlx::Result<T>
where
    C: Decode<'r, Postgres> + Type<Postgres>,
{
    make(row.try_get(index)?).map_err(|reason| sqlx::Error::ColumnDecode { index: index.to_string(), source: reason.into() })
}

macro_rules! column {
    ($Type:ty as $Value:ty, |$field:ident| $value:expr, |$column:ident: $Column:ty| $read:expr) => {
        impl Column for $Type {
            type Value<'v> = $Value;

            fn value(&self) -> Self::Value<'_> {
                let $field = self;
                $value
            }

            fn read(row: &PgRow, index: usize) -> sqlx::Result<Self> {
                convert(row, index, |$column: $Column| $read)
            }
        }
    };
}
column!(Id as Id, |id| *id, |column: Id| Ok(column));
column!(Option<Id> as Option<Id>, |id| *id, |column: Option<Id>| Ok(column));
column!(String as &'v str, |text| text, |column: String| Ok(column));
column!(Option<String> as Option<&'v str>, |text| text.as_deref(), |column: Option<String>| Ok(column));
column!(Timestamp as DateTime<Utc>, |time| timestamptz(*time), |column: DateTime<Utc>| timestamp(column));
column!(Option<Timestamp> as Option<DateTime<Utc>>, |time| time.map(timestamptz), |column: Option<DateTime<Utc>>| column.map(timestamp).transpose());
// A revision past the range was never made here, and none is stored.
column!(u64 as i64, |number| i64::try_from(*number).unwrap_or(i64::MAX), |column: i64| column.try_into().map_err(|_| "below 0".to_owned()));
column!(u8 as i16, |number| i16::from(*number), |column: i16| column.try_into().map_err(|_| "outside of 0 to 255".to_owned()));
column!(UserRole as &'v str, |role| role.as_str(), |column: &str| named(column));
column!(MembershipRole as &'v str, |role| role.as_str(), |column: &str| named(column));
column!(SessionStatus as &'v str, |status| status.as_str(), |column: &str| named(column));
column!(MessageRole as &'v str, |role| role.as_str(), |column: &str| named(column));
column!(Option<Finish> as Option<&'v str>, |finish| finish.map(Finish::as_str), |column: Option<&str>| column.map(named).transpose());
column!(TaskStatus as &'v str, |status| status.as_str(), |column: &str| named(column));
// As JSON; most messages call nothing, which takes no room.
column!(
    Vec<ToolCall> as Option<String>,
    |calls| (!calls.is_empty()).then(|| serde_json::json!(calls).to_string()),
    |column: Option<&str>| column.map_or(Ok(Vec::new()), |calls| serde_json::from_str(calls).map_err(|error| error.to_string()))
);
column!(Vec<String> as String, |items| array_text(items.iter().map(String::as_str)), |column: Vec<String>| Ok(column));
column!(
    Vec<TokenScope> as String,
    |scopes| array_text(scopes.iter().map(|scope| scope.as_str())),
    |column: Vec<String>| column.iter().map(|name| named(name)).collect()
);
// What is not a hash is not repeated.
column!(
    Option<TokenHash> as Option<String>,
    |hash| hash.map(TokenHash::to_hex),
    |column: Option<&str>| column.map(TokenHash::from_hex).transpose().map_err(|_| "not a hash".to_owned())
);

fn timestamp(time: DateTime<Utc>) -> Result<Timestamp, String> {
    Timestamp::from_micros(time.timestamp_micros()).ok_or_else(|| "a time outside of years 1 to 9999".to_owned())
}

/// Reads a name as serde does.
fn named<'de, T: Deserialize<'de>>(name: &'de str) -> Result<T, String> {
    T::deserialize(name.into_deserializer()).map_err(|error: value::Error| error.to_string())
}

/// An array as text (Postgres manual, section 8.15.2): arrays of arrays must not be ragged, so those of many records go in like this.
fn array_text<'i>(items: impl Iterator<Item = &'i str>) -> String {
    let mut text = String::from("{");
    for item in items {
        text.push_str(if text.len() > 1 { ",\"" } else { "\"" });
        for character in item.chars() {
            if matches!(character, '"' | '\\') {
                text.push('\\');
            }
            text.push(character);
        }
        text.push('"');
    }
    text.push('}');
    text
}

/// Writes the part of a [`Table`](crate::table::Table) that follows from its columns: `fixed` ones are written once, `given`
/// ones also by updates; `id`, `created_at`, `updated_at` and `revision` are understood. A body is named apart: it
/// may be large, and comes last. What is `searched` has a column `words` besides, which is written and never read.
macro_rules! columns {
    (
        $table:literal,
        fixed { $($fixed:ident: $fixed_type:literal),* $(,)? },
        given { $($given:ident: $given_type:literal),* $(,)? }
        $(, body $body:ident)?
        $(, searched $words:ident)? $(,)?
    ) => {
        const NAME: &'static str = $table;
        const LEAN: &'static str = concat!(
            "kept.id", $(", kept.", stringify!($fixed),)* $(", kept.", stringify!($given),)*
            ", kept.created_at, kept.updated_at, kept.revision",
        );
        const COLUMNS: &'static str = concat!(
            "kept.id", $(", kept.", stringify!($fixed),)* $(", kept.", stringify!($given),)*
            ", kept.created_at, kept.updated_at, kept.revision" $(, ", kept.", stringify!($body))?
        );
        const QUALIFIED: &'static str = concat!(
            $table, ".id", $(", ", $table, ".", stringify!($fixed),)* $(", ", $table, ".", stringify!($given),)*
            ", ", $table, ".created_at, ", $table, ".updated_at, ", $table, ".revision",
        );
        const NAMES: &'static str = concat!(
            "id", $(", ", stringify!($fixed),)* $(", ", stringify!($given),)*
            ", created_at, updated_at, revision" $(, ", ", stringify!($body))? $(, ", ", stringify!($words))?
        );
        const GIVEN: &'static str = concat!(
            "given.id", $(", given.", stringify!($fixed), "::", $fixed_type,)* $(", given.", stringify!($given), "::", $given_type,)*
            ", given.created_at, given.updated_at, given.revision" $(, ", given.", stringify!($body))?
            $(, ", given.", stringify!($words))?
        );
        const CHANGES: &'static str = concat!(
            $(stringify!($given), " = given.", stringify!($given), "::", $given_type, ", ",)* $(stringify!($body), " = given.", stringify!($body), ", ",)?
            $(stringify!($words), " = given.", stringify!($words), ", ",)?
            "updated_at = given.updated_at, revision = kept.revision + 1",
        );
        const BODY: Option<$crate::table::Body> = $crate::columns::body!($($body)?);

        fn bind(given: &[&Self], statement: &mut $crate::statement::Statement) {
            statement.array(given.iter().map(|given| $crate::columns::Column::value(&given.id)));
            $(statement.sql(", ").array(given.iter().map(|given| $crate::columns::Column::value(&given.$fixed)));)*
            $(statement.sql(", ").array(given.iter().map(|given| $crate::columns::Column::value(&given.$given)));)*
            statement.sql(", ").array(given.iter().map(|given| $crate::columns::Column::value(&given.created_at)));
            statement.sql(", ").array(given.iter().map(|given| $crate::columns::Column::value(&given.updated_at)));
            statement.sql(", ").array(given.iter().map(|given| $crate::columns::Column::value(&given.revision)));
            $(statement.sql(", ").array(given.iter().map(|given| $crate::columns::Column::value(&given.$body)));)?
            $(statement.sql(", ").array(given.iter().map(|given| $crate::words::$words(&mosaic_core::Entity::passages(*given))));)?
        }

        fn body_bytes(&self) -> usize {
            0 $(+ self.$body.len())?
        }

        fn decode(row: &sqlx::postgres::PgRow, first: usize) -> sqlx::Result<Self> {
            let mut columns = $crate::columns::Columns::new(row, first);
            Ok(Self {
                id: columns.read()?,
                $($fixed: columns.read()?,)*
                $($given: columns.read()?,)*
                created_at: columns.read()?,
                updated_at: columns.read()?,
                revision: columns.read()?,
                $($body: columns.read()?,)?
            })
        }
    };
}
pub(crate) use columns;

/// The statements' pieces that name a body, if there is one.
macro_rules! body {
    () => {
        None
    };
    ($body:ident) => {
        Some($crate::table::Body {
            length: concat!("octet_length(kept.", stringify!($body), ")"),
            kept: concat!("kept.", stringify!($body)),
            given: concat!("given.", stringify!($body)),
            start: concat!("left(kept.", stringify!($body), ", "),
        })
    };
}
pub(crate) use body;
