//! Lists: the shelves that a scope sees, and a walk along several of them at once, in order. A walk reads no more of a shelf than it is
//! asked for. What must not come in: what a record says.

use std::collections::{BTreeMap, BTreeSet};

use mosaic_core::rules::Access;
use mosaic_core::{Id, Kind, Result};
use redb::Range;

use crate::error::engine;
use crate::tables::{EVERYWHERE, LAST, ListKey, MADE, Snapshot};

/// The shelves of a kind that a scope sees; `None` for all there are.
pub(crate) type Shelves = Option<BTreeSet<Id>>;

impl Snapshot {
    /// The shelves of a kind that are open, of one space if it is given.
    pub(crate) fn shelves(&self, access: &Access, kind: Kind, space_id: Option<Id>) -> Result<Shelves> {
        let spaces = match (access.spaces(kind), space_id) {
            (open, None) => open,
            (None, Some(space_id)) => Some([space_id].into()),
            (Some(open), Some(space_id)) => Some(open.into_iter().filter(|open| *open == space_id).collect()),
        };
        let (Some(parent), Some(spaces)) = (kind.parent(), &spaces) else { return Ok(spaces) };
        let mut wholes = BTreeSet::new();
        let mut walk = Walk::new(false, None);
        walk.along(self, parent.kind, MADE, &Some(spaces.clone()))?;
        while let Some(step) = walk.next()? {
            wholes.insert(step.id);
        }
        Ok(Some(wholes))
    }
}

/// A place in a walk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Step {
    /// What it is ordered by, as it sorts.
    pub(crate) value: Vec<u8>,
    pub(crate) id: Id,
    pub(crate) kind: Kind,
}

/// A walk along lists of one field, or of fields that compare. Several lists become one, in order.
pub(crate) struct Walk {
    descending: bool,
    /// The place that it goes on behind.
    after: Option<(Vec<u8>, Id)>,
    lists: Vec<(Kind, Range<'static, ListKey, ()>)>,
    /// The next step of each list.
    ahead: BTreeMap<Step, usize>,
}

impl Walk {
    pub(crate) fn new(descending: bool, after: Option<(Vec<u8>, Id)>) -> Self {
        Self { descending, after, lists: Vec::new(), ahead: BTreeMap::new() }
    }

    /// Adds what stands on these shelves.
    pub(crate) fn along(&mut self, snapshot: &Snapshot, kind: Kind, field: &str, shelves: &Shelves) -> Result<()> {
        match shelves {
            None => self.add(snapshot, kind, &format!("{EVERYWHERE}{field}"), 0),
            Some(shelves) => shelves.iter().try_for_each(|shelf| self.add(snapshot, kind, field, shelf.as_u128())),
        }
    }

    fn add(&mut self, snapshot: &Snapshot, kind: Kind, list: &str, shelf: u128) -> Result<()> {
        let name = kind.singular();
        let (first, last) = ((name, list, shelf, &[][..], 0), (name, list, shelf, LAST, u128::MAX));
        let place = self.after.as_ref().map(|(value, id)| (name, list, shelf, value.as_slice(), id.as_u128()));
        let range = match place {
            // The place itself is left out by the step below.
            Some(place) if self.descending => snapshot.lists.range(first..=place),
            Some(place) => snapshot.lists.range(place..=last),
            None => snapshot.lists.range(first..=last),
        };
        self.lists.push((kind, range.map_err(engine)?));
        self.advance(self.lists.len() - 1)
    }

    /// The next step; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Step>> {
        let next = if self.descending { self.ahead.pop_last() } else { self.ahead.pop_first() };
        let Some((step, list)) = next else { return Ok(None) };
        self.advance(list)?;
        Ok(Some(step))
    }

    /// Looks at the next step of a list.
    fn advance(&mut self, at: usize) -> Result<()> {
        let Some((kind, list)) = self.lists.get_mut(at) else { return Ok(()) };
        while let Some(entry) = if self.descending { list.next_back() } else { list.next() } {
            let (key, _) = entry.map_err(engine)?;
            let (_, _, _, value, id) = key.value();
            let step = Step { value: value.to_owned(), id: Id::from_u128(id), kind: *kind };
            if self.after.as_ref().is_none_or(|(value, id)| (value, *id) != (&step.value, step.id)) {
                self.ahead.insert(step, at);
                break;
            }
        }
        Ok(())
    }
}
