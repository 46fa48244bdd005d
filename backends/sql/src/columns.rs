//! Columns: how a kind's fields are named in SQL, and how each is read from a row. One list in a kind's file
//! makes all of it, so that what is selected, written and read cannot drift apart. What must not come in: statements.

use mosaic_core::{Id, MembershipRole, TaskStatus, Timestamp, TokenHash, TokenScope, UserRole};
use serde::de::{Deserialize, IntoDeserializer, value};
use sqlx::postgres::PgRow;
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{Decode, Postgres, Row as _, Type};

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
    /// Reads it.
    fn read(row: &PgRow, index: usize) -> sqlx::Result<Self>;
}

macro_rules! as_sqlx_reads_it {
    ($($Type:ty),*) => {
        $(impl Column for $Type {
            fn read(row: &PgRow, index: usize) -> sqlx::Result<Self> {
                row.try_get(index)
            }
        })*
    };
}
as_sqlx_reads_it!(Id, Option<Id>, String, Option<String>, Vec<String>);

/// Reads a column as one type and makes another of it.
fn convert<'r, C, T>(row: &'r PgRow, index: usize, make: impl FnOnce(C) -> Result<T, String>) -> sqlx::Result<T>
where
    C: Decode<'r, Postgres> + Type<Postgres>,
{
    make(row.try_get(index)?).map_err(|reason| sqlx::Error::ColumnDecode { index: index.to_string(), source: reason.into() })
}

fn timestamp(time: DateTime<Utc>) -> Result<Timestamp, String> {
    Timestamp::from_micros(time.timestamp_micros()).ok_or_else(|| "a time outside of years 1 to 9999".to_owned())
}

impl Column for Timestamp {
    fn read(row: &PgRow, index: usize) -> sqlx::Result<Self> {
        convert(row, index, timestamp)
    }
}

impl Column for Option<Timestamp> {
    fn read(row: &PgRow, index: usize) -> sqlx::Result<Self> {
        convert(row, index, |time: Option<_>| time.map(timestamp).transpose())
    }
}

impl Column for u64 {
    fn read(row: &PgRow, index: usize) -> sqlx::Result<Self> {
        convert(row, index, |number: i64| number.try_into().map_err(|_| "a number below 0".to_owned()))
    }
}

impl Column for u8 {
    fn read(row: &PgRow, index: usize) -> sqlx::Result<Self> {
        convert(row, index, |number: i16| number.try_into().map_err(|_| "a number outside of 0 to 255".to_owned()))
    }
}

/// Reads a name as serde does.
fn named<'de, T: Deserialize<'de>>(name: &'de str) -> Result<T, String> {
    T::deserialize(name.into_deserializer()).map_err(|error: value::Error| error.to_string())
}

macro_rules! by_name {
    ($($Type:ty),*) => {
        $(impl Column for $Type {
            fn read(row: &PgRow, index: usize) -> sqlx::Result<Self> {
                convert(row, index, named)
            }
        })*
    };
}
by_name!(UserRole, MembershipRole, TaskStatus);

impl Column for Vec<TokenScope> {
    fn read(row: &PgRow, index: usize) -> sqlx::Result<Self> {
        convert(row, index, |names: Vec<String>| names.iter().map(|name| named(name)).collect())
    }
}

impl Column for Option<TokenHash> {
    fn read(row: &PgRow, index: usize) -> sqlx::Result<Self> {
        convert(row, index, |hex: Option<&str>| {
            // The text is not repeated.
            hex.map(TokenHash::from_hex).transpose().map_err(|_| "not a hash".to_owned())
        })
    }
}

/// Writes the part of a [`Table`](crate::table::Table) that follows from its columns: `fixed` ones are written once, `given`
/// ones also by updates; `id`, `created_at`, `updated_at` and `revision` are understood. A `body` is named apart: it
/// may be large, and comes last.
macro_rules! columns {
    (
        $table:literal,
        fixed { $($fixed:ident: $fixed_type:literal),* $(,)? },
        given { $($given:ident: $given_type:literal),* $(,)? }
        $(, $body:ident)? $(,)?
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
            ", created_at, updated_at, revision" $(, ", ", stringify!($body))?
        );
        const GIVEN: &'static str = concat!(
            "given.id", $(", given.", stringify!($fixed),)* $(", given.", stringify!($given),)*
            ", given.created_at, given.updated_at, given.revision" $(, ", given.", stringify!($body))?
        );
        const TYPES: &'static str = concat!(
            "id uuid", $(", ", stringify!($fixed), " ", $fixed_type,)* $(", ", stringify!($given), " ", $given_type,)*
            ", created_at timestamptz, updated_at timestamptz, revision bigint" $(, ", ", stringify!($body), " text")?
        );
        const CHANGES: &'static str = concat!(
            $(stringify!($given), " = given.", stringify!($given), ", ",)* $(stringify!($body), " = given.", stringify!($body), ", ",)?
            "updated_at = given.updated_at, revision = kept.revision + 1",
        );
        const BODY: bool = !concat!("" $(, stringify!($body))?).is_empty();

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
