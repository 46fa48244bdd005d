//! Fields by name: what lists filter and order by.

use std::fmt;

use crate::{Error, Id, Result, Timestamp};

/// A field of a kind, by name. Backends that store columns use the same name for the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The name, as in JSON.
    pub name: &'static str,
    /// The type of its values.
    pub ty: FieldType,
}

impl Field {
    /// A field that holds an id.
    pub const fn id(name: &'static str) -> Self {
        Self { name, ty: FieldType::Id }
    }

    /// A field that holds a text, compared by code point.
    pub const fn text(name: &'static str) -> Self {
        Self { name, ty: FieldType::Text }
    }

    /// A field that holds a time.
    pub const fn time(name: &'static str) -> Self {
        Self { name, ty: FieldType::Time }
    }
}

/// The types of fields that lists can filter and order by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// An [`Id`].
    Id,
    /// A text, compared by code point.
    Text,
    /// A [`Timestamp`].
    Time,
}

/// A field's value. Values of one field compare as the lists that they order do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldValue {
    /// An id.
    Id(Id),
    /// A text, compared by code point (which is how UTF-8 compares by byte).
    Text(String),
    /// A time.
    Time(Timestamp),
}

impl FieldValue {
    /// Reads a value of the given type from its text.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for what is not of that type.
    pub fn parse(ty: FieldType, text: &str) -> Result<Self> {
        match ty {
            FieldType::Id => text.parse().map(Self::Id).map_err(|_| Error::invalid("not a UUID")),
            FieldType::Time => text.parse().map(Self::Time),
            FieldType::Text if text.contains('\0') => Err(Error::invalid("a text cannot hold the NUL character (U+0000)")),
            FieldType::Text => Ok(Self::Text(text.to_owned())),
        }
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Text(text) => text.fmt(f),
            Self::Time(time) => time.fmt(f),
        }
    }
}
