//! Lists: what is asked for, and the page that comes back.

use crate::{Error, Field, FieldValue, Id, Kind, Record, Result};

/// The most items a page holds.
pub const PAGE_ITEMS: usize = 200;

/// A page ends before its bodies exceed this many bytes together (but holds at least one item), so that
/// a list of large records costs bounded memory: 8 MiB.
pub const PAGE_BYTES: usize = 8 << 20;

const _: () = assert!(crate::model::BODY_BYTES <= PAGE_BYTES, "no record within the bounds takes a page to itself");

/// A list of one kind: narrowed by filters, ordered by one field and then by id, cut into pages.
///
/// ```
/// use mosaic_core::{Kind, Query};
///
/// let query = Query::new(Kind::Task).filter("status", "open")?.order("-created_at")?.limit(50)?;
/// assert!(query.descending);
/// assert!(Query::new(Kind::Task).filter("colour", "red").is_err());
/// # Ok::<(), mosaic_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The kind of the records.
    pub kind: Kind,
    /// All of these hold for each item. At most one for each field.
    pub filters: Vec<(Field, FieldValue)>,
    /// The field that orders the list; ties are ordered by id, in the same direction.
    pub order: Field,
    /// Whether the order is from the largest to the smallest.
    pub descending: bool,
    /// The most items to answer, 1 to [`PAGE_ITEMS`].
    pub limit: usize,
    /// Where to go on: right behind this position.
    pub after: Option<Position>,
}

/// A place in a list: what an item there is ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The value of the ordering field.
    pub key: FieldValue,
    /// The item's id.
    pub id: Id,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The items, in order.
    pub items: Vec<Record>,
    /// Where the next page begins; `None` when this one is the last.
    pub next: Option<Position>,
}

impl Query {
    /// All of a kind that the caller may see, in the kind's default order (oldest first), 50 a page.
    pub fn new(kind: Kind) -> Self {
        Self { kind, filters: Vec::new(), order: kind.orders()[0], descending: false, limit: 50, after: None }
    }

    /// Narrows the list to the items whose field has this value.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when the kind has no such filter, it is given twice, or the value is not of its type.
    pub fn filter(mut self, name: &str, value: &str) -> Result<Self> {
        let field = find(self.kind, "filter", name, self.kind.filters())?;
        if self.filters.iter().any(|(given, _)| *given == field) {
            return Err(Error::invalid("the filter is given twice").with("filter", name));
        }
        let value = FieldValue::parse(field.ty, value).map_err(|error| error.with("filter", name))?;
        self.filters.push((field, value));
        Ok(self)
    }

    /// Orders the list by a field; with a `-` before its name, from the largest to the smallest.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when the kind has no such order.
    pub fn order(mut self, name: &str) -> Result<Self> {
        let bare = name.strip_prefix('-');
        self.order = find(self.kind, "order", bare.unwrap_or(name), self.kind.orders())?;
        self.descending = bare.is_some();
        Ok(self)
    }

    /// Sets the most items to answer.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] outside of 1 to [`PAGE_ITEMS`].
    pub fn limit(mut self, limit: usize) -> Result<Self> {
        if !(1..=PAGE_ITEMS).contains(&limit) {
            return Err(Error::invalid(format!("limit is 1 to {PAGE_ITEMS}")).with("limit", limit));
        }
        self.limit = limit;
        Ok(self)
    }

    /// Goes on behind a position.
    #[must_use]
    pub fn after(mut self, position: Option<Position>) -> Self {
        self.after = position;
        self
    }

    /// The position of an item of this list.
    pub fn position(&self, record: &Record) -> Option<Position> {
        record.value(self.order.name).map(|key| Position { key, id: record.id() })
    }
}

fn find(kind: Kind, what: &'static str, name: &str, fields: &'static [Field]) -> Result<Field> {
    fields.iter().copied().find(|field| field.name == name).ok_or_else(|| {
        let names: Vec<_> = fields.iter().map(|field| field.name).collect();
        Error::invalid(format!("{} have no such {what}", kind.plural()))
            .with(what, name.chars().take(60).collect::<String>())
            .hint(format!("use one of {}", names.join(", ")))
    })
}
