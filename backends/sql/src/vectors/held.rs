//! What this process holds of a model: every vector, and up to which change it has read them. What must not come in: the database.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use mosaic_core::vectors::{cosine_distance, dot};
use mosaic_core::{Id, Kind, Neighbour};

use super::refresh::{Known, Page, Row};

/// Vectors are kept in blocks of so many, which are never moved: growing takes no more memory than what is added.
const BLOCK: usize = 1_024;

/// The vectors of a model.
#[derive(Default)]
pub(super) struct Held {
    dimensions: usize,
    /// Every change up to this one was read.
    seen: i64,
    kinds: BTreeMap<Kind, Column>,
    /// How many there were when they were last counted.
    counted: usize,
}

/// The vectors of a kind, at places that change when one is removed.
#[derive(Default)]
struct Column {
    places: HashMap<Id, usize>,
    entries: Vec<Entry>,
    /// The components of [`BLOCK`] vectors each.
    blocks: Vec<Vec<f32>>,
}

struct Entry {
    id: Id,
    change: i64,
    /// The square of its length.
    square: f64,
}

impl Held {
    /// Whether all is held that the database had.
    pub(super) fn is_caught_up(&self, known: Known) -> bool {
        self.dimensions == known.dimensions && self.seen >= known.change
    }

    /// Where reading goes on; `None` when nothing is behind what the database had.
    pub(super) fn behind(&mut self, known: Known) -> Option<i64> {
        if self.dimensions != known.dimensions {
            // The model began anew, with other dimensions.
            *self = Self { dimensions: known.dimensions, ..Self::default() };
        }
        (self.seen < known.change).then_some(self.seen)
    }

    /// Takes in what was read. It may come late: when the model has begun anew, or others have read later changes.
    pub(super) fn take(&mut self, page: Page) {
        if page.dimensions != self.dimensions {
            return;
        }
        for Row { kind, id, change, components } in page.rows {
            if components.len() == self.dimensions {
                self.kinds.entry(kind).or_default().put(id, change, &components);
            }
        }
        if page.from <= self.seen {
            self.seen = self.seen.max(page.up_to);
        }
    }

    fn len(&self) -> usize {
        self.kinds.values().map(|column| column.entries.len()).sum()
    }

    /// Whether so much was added that it is time to look whether all of it is still there.
    pub(super) fn is_to_be_counted(&self) -> bool {
        self.len() > 2 * self.counted + BLOCK
    }

    /// Begins anew where far more is held than is stored: what goes with its record is noticed only where it is near to something.
    pub(super) fn was_counted(&mut self, stored: usize) {
        if self.len() > stored + stored / 4 + BLOCK {
            *self = Self { dimensions: self.dimensions, ..Self::default() };
        }
        self.counted = stored;
    }

    /// Forgets what is no longer there, unless it was given anew meanwhile.
    pub(super) fn forget(&mut self, gone: &[Candidate]) {
        let dimensions = self.dimensions;
        for Candidate { neighbour: Neighbour { kind, id, .. }, change } in gone {
            if let Some(column) = self.kinds.get_mut(kind) {
                column.remove(*id, *change, dimensions);
            }
        }
    }
}

impl Column {
    fn put(&mut self, id: Id, change: i64, components: &[f32]) {
        let (dimensions, entry) = (components.len(), Entry { id, change, square: dot(components, components) });
        match self.places.get(&id) {
            Some(place) => {
                let place = *place;
                if self.entries[place].change < change {
                    self.entries[place] = entry;
                    self.components_mut(place, dimensions).copy_from_slice(components);
                }
            }
            None => {
                self.places.insert(id, self.entries.len());
                if self.entries.len().is_multiple_of(BLOCK) {
                    self.blocks.push(Vec::with_capacity(BLOCK * dimensions));
                }
                self.entries.push(entry);
                if let Some(block) = self.blocks.last_mut() {
                    block.extend_from_slice(components);
                }
            }
        }
    }

    /// Removes a vector if it is the one of this change: the last one takes its place.
    fn remove(&mut self, id: Id, change: i64, dimensions: usize) {
        let Some(place) = self.places.get(&id).copied().filter(|place| self.entries[*place].change == change) else { return };
        self.places.remove(&id);
        let last = self.entries.len() - 1;
        let moved = self.components(last, dimensions).to_vec();
        self.components_mut(place, dimensions).copy_from_slice(&moved);
        self.entries.swap_remove(place);
        if let Some(entry) = self.entries.get(place) {
            self.places.insert(entry.id, place);
        }
        if last.is_multiple_of(BLOCK) {
            self.blocks.pop();
        } else if let Some(block) = self.blocks.last_mut() {
            block.truncate(block.len() - dimensions);
        }
    }

    fn components(&self, place: usize, dimensions: usize) -> &[f32] {
        &self.blocks[place / BLOCK][place % BLOCK * dimensions..][..dimensions]
    }

    fn components_mut(&mut self, place: usize, dimensions: usize) -> &mut [f32] {
        &mut self.blocks[place / BLOCK][place % BLOCK * dimensions..][..dimensions]
    }
}

/// A question of what is nearest.
pub(super) struct Ranking {
    components: Vec<f32>,
    square: f64,
    kinds: BTreeSet<Kind>,
    count: usize,
}

/// One of the nearest, which may not be seen, or not be there any more.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    pub(super) neighbour: Neighbour,
    pub(super) change: i64,
}

impl Ranking {
    /// Asks for so many neighbours of these kinds; of any, when there are none.
    pub(super) fn new(components: Vec<f32>, kinds: Vec<Kind>, count: usize) -> Self {
        Self { square: dot(&components, &components), components, kinds: kinds.into_iter().collect(), count }
    }

    /// The nearest of what is held, or of these records alone; nearest first, ties by id, then kind.
    pub(super) fn of(&self, held: &Held, only: Option<&[(Kind, Id)]>) -> Vec<Candidate> {
        // The model may have begun anew since the question was checked.
        if self.components.len() != held.dimensions {
            return Vec::new();
        }
        let mut nearest = BinaryHeap::new();
        match only {
            Some(records) => {
                for (kind, id) in records {
                    if let Some(column) = held.kinds.get(kind)
                        && let Some(place) = column.places.get(id)
                    {
                        self.compare(&mut nearest, *kind, column, *place);
                    }
                }
            }
            None => {
                for (kind, column) in held.kinds.iter().filter(|(kind, _)| self.kinds.is_empty() || self.kinds.contains(kind)) {
                    (0..column.entries.len()).for_each(|place| self.compare(&mut nearest, *kind, column, place));
                }
            }
        }
        nearest.into_sorted_vec().into_iter().map(|Ranked(candidate)| candidate).collect()
    }

    /// Compares one vector; it stays among the nearest if it is one of them.
    fn compare(&self, nearest: &mut BinaryHeap<Ranked>, kind: Kind, column: &Column, place: usize) {
        let Entry { id, change, square } = column.entries[place];
        let product = dot(&self.components, column.components(place, self.components.len()));
        let distance = cosine_distance(product, self.square, square);
        let ranked = Ranked(Candidate { neighbour: Neighbour { kind, id, distance }, change });
        if nearest.len() < self.count {
            nearest.push(ranked);
        } else if let Some(mut farthest) = nearest.peek_mut()
            && ranked < *farthest
        {
            *farthest = ranked;
        }
    }
}

/// Candidates in the order of their distance.
struct Ranked(Candidate);

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let (a, b) = (&self.0.neighbour, &other.0.neighbour);
        a.distance.total_cmp(&b.distance).then_with(|| (a.id, a.kind).cmp(&(b.id, b.kind)))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(change: i64) -> Known {
        Known { dimensions: 2, change, has_embeddings: true }
    }

    fn id(n: usize) -> Id {
        Id::from_u128(n as u128)
    }

    fn row(n: usize, change: i64, components: [f32; 2]) -> Row {
        Row { kind: Kind::Note, id: id(n), change, components: components.to_vec() }
    }

    fn ids(held: &Held, count: usize) -> Vec<Id> {
        let ranking = Ranking::new(vec![1.0, 0.0], Vec::new(), count);
        ranking.of(held, None).into_iter().map(|candidate| candidate.neighbour.id).collect()
    }

    fn gone(n: usize, change: i64) -> Candidate {
        Candidate { neighbour: Neighbour { kind: Kind::Note, id: id(n), distance: 0.0 }, change }
    }

    /// As many directions as `count`, each farther from (1, 0) than the one before.
    fn circle(count: usize) -> Held {
        let mut held = Held::default();
        assert_eq!(held.behind(known(count as i64)), Some(0));
        let direction = |n: usize| [(n as f32 / count as f32).cos(), (n as f32 / count as f32).sin()];
        held.take(Page {
            dimensions: 2,
            from: 0,
            rows: (0..count).map(|n| row(n, n as i64 + 1, direction(n))).collect(),
            up_to: count as i64,
        });
        assert_eq!(held.behind(known(count as i64)), None);
        held
    }

    #[test]
    fn vectors_go_and_come_over_the_bounds_of_blocks() {
        for count in [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 1] {
            let mut held = circle(count);
            let mut left: Vec<_> = (0..count).collect();
            for n in (0..count).step_by(3) {
                held.forget(&[gone(n, n as i64 + 1)]);
                left.retain(|kept| *kept != n);
            }
            assert_eq!(ids(&held, count), left.iter().map(|n| id(*n)).collect::<Vec<_>>(), "{count}");
            held.take(Page { dimensions: 2, from: 0, rows: vec![row(0, 10_000, [-1.0, 0.0])], up_to: 10_000 });
            left.push(0);
            assert_eq!(ids(&held, count), left.iter().map(|n| id(*n)).collect::<Vec<_>>(), "{count}");
        }
    }

    #[test]
    fn what_was_read_late_changes_nothing() {
        let mut held = circle(3);
        held.take(Page { dimensions: 2, from: 0, rows: vec![row(0, 9, [-1.0, 0.0])], up_to: 9 });
        held.take(Page { dimensions: 2, from: 0, rows: vec![row(0, 1, [1.0, 0.0])], up_to: 3 });
        assert_eq!(ids(&held, 3), [id(1), id(2), id(0)]);
        // One that was given anew is not what is gone.
        held.forget(&[gone(0, 1)]);
        assert_eq!(ids(&held, 3), [id(1), id(2), id(0)]);
        held.forget(&[gone(0, 9)]);
        assert_eq!(ids(&held, 3), [id(1), id(2)]);
        assert_eq!(held.behind(known(9)), None);
    }

    #[test]
    fn other_dimensions_begin_anew() {
        let mut held = circle(3);
        assert_eq!(held.behind(Known { dimensions: 3, change: 4, has_embeddings: true }), Some(0));
        held.take(Page { dimensions: 2, from: 0, rows: vec![row(0, 1, [1.0, 0.0])], up_to: 9 });
        assert!(ids(&held, 3).is_empty());
        assert!(!held.is_caught_up(Known { dimensions: 3, change: 4, has_embeddings: true }), "what comes late tells of another beginning");
    }

    #[test]
    fn a_page_without_those_before_does_not_pass_for_all() {
        let mut held = Held::default();
        held.behind(known(9));
        held.take(Page { dimensions: 2, from: 5, rows: vec![row(0, 9, [1.0, 0.0])], up_to: 9 });
        assert_eq!(held.behind(known(9)), Some(0));
    }

    #[test]
    fn what_is_gone_is_not_held_for_ever() {
        let mut held = circle(3 * BLOCK);
        assert!(held.is_to_be_counted());
        held.was_counted(3 * BLOCK);
        assert_eq!((held.len(), held.is_to_be_counted()), (3 * BLOCK, false));
        held.was_counted(BLOCK);
        assert_eq!((held.len(), held.behind(known(9))), (0, Some(0)), "it is read anew");
    }
}
