//! How many turns one person follows at once: of the places that there are for it, nobody takes all. What must not come in: how many there are
//! for all of them together, which is the front's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mosaic_core::Id;

use super::problem::{OVERLOADED, Problem};

/// One person may take this part of the places.
const PART: usize = 4;

/// Who follows how many turns.
pub(super) struct Following {
    most: usize,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts(Mutex<HashMap<Id, usize>>);

/// A person's place. Dropping it gives it up.
pub(super) struct OwnPlace {
    user: Id,
    counts: Arc<Counts>,
}

impl Following {
    /// Where there are so many places for all.
    pub(super) fn new(places: usize) -> Self {
        Self { most: (places / PART).max(1), counts: Arc::default() }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// A problem for a person who has as many as one may.
    pub(super) fn enter(&self, user: Id) -> Result<OwnPlace, Problem> {
        let mut counts = self.counts.lock();
        let count = counts.entry(user).or_default();
        if *count >= self.most {
            return Err(Problem::new(OVERLOADED, format!("as many turns as one person may are followed already: {}", self.most))
                .hint("let go of one, or wait for its end")
                .retry_after(1));
        }
        *count += 1;
        Ok(OwnPlace { user, counts: Arc::clone(&self.counts) })
    }
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, HashMap<Id, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OwnPlace {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        match counts.get_mut(&self.user) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.user)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_given_up_can_be_taken_and_who_has_none_is_forgotten() {
        let following = Following::new(11);
        let (ada, bob) = (Id::from_u128(1), Id::from_u128(2));
        let first = following.enter(ada).ok().unwrap();
        let second = following.enter(ada).ok().unwrap();
        assert!(following.enter(ada).is_err());
        let of_bob = following.enter(bob).ok().unwrap();
        drop(first);
        let third = following.enter(ada).ok().unwrap();
        assert!(following.enter(ada).is_err());
        drop((second, third, of_bob));
        assert!(following.counts.lock().is_empty());
        assert!(Following::new(1).enter(ada).is_ok(), "there is a place for one in any case");
    }
}
