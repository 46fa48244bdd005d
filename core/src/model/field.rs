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

    /// A field that holds one of these texts.
    pub const fn choice(name: &'static str, choices: &'static [&'static str]) -> Self {
        Self { name, ty: FieldType::Choice(choices) }
    }

    /// A field that holds a time.
    pub const fn time(name: &'static str) -> Self {
        Self { name, ty: FieldType::Time }
    }

    /// A field that holds a number.
    pub const fn number(name: &'static str) -> Self {
        Self { name, ty: FieldType::Number }
    }
}

/// The types of fields that lists can filter and order by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// An [`Id`].
    Id,
    /// A text, compared by code point.
    Text,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A [`Timestamp`].
    Time,
    /// A whole number, from 0 to `i64::MAX`.
    Number,
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
    /// A whole number.
    Number(u64),
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
            FieldType::Number => match text.parse::<i64>().ok().and_then(|number| number.try_into().ok()) {
                Some(number) => Ok(Self::Number(number)),
                None => Err(Error::invalid("not a whole number, from 0 on")),
            },
            FieldType::Choice(choices) if !choices.contains(&text) => {
                Err(Error::invalid("there is no such value").hint(format!("use one of {}", choices.join(", "))))
            }
            FieldType::Text if text.contains('\0') => Err(Error::invalid("a text cannot hold the NUL character (U+0000)")),
            FieldType::Text | FieldType::Choice(_) => Ok(Self::Text(text.to_owned())),
        }
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Text(text) => text.fmt(f),
            Self::Time(time) => time.fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}
