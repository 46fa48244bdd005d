//! What the calls came to, so that a comparison that compares nothing is found out. What must not come in: the calls.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mosaic_core::Kind;

/// What is done to records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Get,
    List,
    Search,
    Nearest,
    Embed,
    Create,
    Update,
    Delete,
}

impl Verb {
    const ALL: [Self; 8] = [Self::Get, Self::List, Self::Search, Self::Nearest, Self::Embed, Self::Create, Self::Update, Self::Delete];

    fn asks_for(self, kind: Kind) -> bool {
        !matches!(self, Self::Search | Self::Nearest | Self::Embed) || kind.is_searched()
    }

    fn needs_vectors(self) -> bool {
        matches!(self, Self::Nearest | Self::Embed)
    }
}

/// Who asks: as what, and whether they exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    System,
    Admin,
    User,
    Nobody,
}

impl Who {
    const ALL: [Self; 4] = [Self::System, Self::Admin, Self::User, Self::Nobody];
}

/// The calls so far, by what was asked of which kind as whom.
#[derive(Default)]
pub(crate) struct Tally {
    calls: BTreeMap<(Verb, Kind, Who), u64>,
    /// Those of a verb and a kind that were granted: they showed something, or were done.
    granted: BTreeMap<(Verb, Kind), u64>,
    /// Those that were denied: something was hidden that the system would have been shown, or they were refused.
    denied: BTreeMap<(Verb, Kind), u64>,
    pub(crate) cases: u64,
    pub(crate) worlds: u64,
    /// How often a member was removed, and looked again at once.
    pub(crate) removals: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, verb: Verb, kinds: &[Kind], who: Who, granted: bool, denied: bool) {
        self.cases += 1;
        for kind in kinds {
            *self.calls.entry((verb, *kind, who)).or_default() += 1;
            *self.granted.entry((verb, *kind)).or_default() += u64::from(granted);
            *self.denied.entry((verb, *kind)).or_default() += u64::from(denied);
        }
    }

    /// What was never asked, or always came to the same: a line each.
    pub(crate) fn gaps(&self, has_vectors: bool) -> String {
        let mut gaps = String::new();
        for verb in Verb::ALL.into_iter().filter(|verb| has_vectors || !verb.needs_vectors()) {
            for kind in Kind::ALL.iter().copied().filter(|kind| verb.asks_for(*kind)) {
                for who in Who::ALL.into_iter().filter(|who| !self.calls.contains_key(&(verb, kind, *who))) {
                    writeln!(gaps, "{verb:?} of a {kind} as {who:?} was never asked").unwrap();
                }
                let some = |of: &BTreeMap<_, u64>| of.get(&(verb, kind)).is_some_and(|count| *count > 0);
                let is_never_granted = (verb, kind) == (Verb::Update, Kind::Message);
                if some(&self.granted) == is_never_granted {
                    writeln!(gaps, "{verb:?} of a {kind}: granted {}", self.granted.contains_key(&(verb, kind))).unwrap();
                }
                if !some(&self.denied) {
                    writeln!(gaps, "{verb:?} of a {kind} was never denied").unwrap();
                }
            }
        }
        if self.removals == 0 {
            gaps.push_str("no member was removed\n");
        }
        gaps
    }
}
