//! What holds of all content that has a space of its own, tasks, notes and sessions alike: who sees and changes it, and what it refers to. What must not come in:
//! fields that only one kind has.

use mosaic_core::refusal::{forbidden, missing};
use mosaic_core::{Error, Id, Kind};

use crate::table::{Right, Rule, SearchedBy, Table};

/// A kind of content.
pub(super) trait Content: Table {
    /// Who owns it.
    fn owner_id(&self) -> Id;
    /// The team whose space it lives in.
    fn team_id(&self) -> Option<Id>;
}

/// The spaces whose content the user `$1` sees. Their own is asked for by name: a team's id is no user's, and opens no team.
pub(crate) const SPACES: &str =
    "SELECT users.id AS space_id FROM users WHERE users.id = $1 UNION ALL SELECT team_id FROM memberships WHERE user_id = $1";

pub(super) const SEES: &str = concat!(is_own!("kept"), " OR ", is_member_of!("kept.space_id"));

/// Whoever sees content may change it, so that what lets them see it is held.
pub(super) const SEES_TO_WRITE: &str = concat!(is_own!("kept"), " OR ", writes_as_member_of!("kept.space_id"));

pub(super) const MAY_DELETE: Right = Right {
    holds: concat!("kept.owner_id = $1 OR ", writes_as_owner_of!("kept.team_id")),
    otherwise: "only its owner or an owner of its team removes a record",
};

/// The space as a word: no text holds one that begins with a space.
pub(super) const SEARCHED_BY: SearchedBy = SearchedBy {
    indexed: "(kept.words || array_to_tsvector(ARRAY[' ' || kept.space_id::text]))",
    title: "kept.title",
    session: "NULL::uuid",
    join: "",
};

/// What a user must be to make content.
pub(super) const fn may_create<T: Content>() -> [Rule<T>; 3] {
    [
        Rule { holds: "given.owner_id = $1", otherwise: |given| forbidden("whoever makes a record is its owner", T::KIND, given.id()) },
        sees_team(),
        works_in_space(),
    ]
}

/// What a user must be to change whose content is and where it lives.
pub(super) const fn may_become<T: Content>() -> [Rule<T>; 5] {
    [
        Rule {
            holds: "given.owner_id = kept.owner_id OR kept.team_id IS NOT NULL",
            otherwise: |given| forbidden("a personal record keeps its owner", T::KIND, given.id()),
        },
        Rule {
            holds: concat!(
                "given.owner_id = kept.owner_id AND given.team_id IS NOT DISTINCT FROM kept.team_id OR kept.owner_id = $1 OR ",
                writes_as_owner_of!("kept.team_id"),
            ),
            otherwise: |given| forbidden("only its owner or an owner of its team gives a record away or moves it out", T::KIND, given.id()),
        },
        Rule {
            // The membership is held: whoever ends it waits, or the record is not given to who is a member no more.
            holds: "given.owner_id = kept.owner_id OR given.team_id IS NULL OR EXISTS (SELECT FROM memberships AS theirs \
                WHERE theirs.team_id = given.team_id AND theirs.user_id = given.owner_id FOR KEY SHARE)",
            otherwise: |given| {
                Error::invalid("the new owner is not a member of the team").with("field", "owner_id").with("user", given.owner_id())
            },
        },
        sees_team(),
        works_in_space(),
    ]
}

/// A team that a user does not see is refused like one that does not exist.
const fn sees_team<T: Content>() -> Rule<T> {
    Rule {
        holds: concat!(
            "given.team_id IS NULL OR ",
            writes_as_member_of!("given.team_id"),
            " OR ($2 AND EXISTS (SELECT FROM teams WHERE teams.id = given.team_id))",
        ),
        otherwise: no_team,
    }
}

const fn works_in_space<T: Content>() -> Rule<T> {
    Rule {
        holds: concat!("CASE WHEN given.team_id IS NULL THEN given.owner_id = $1 ELSE ", writes_as_member_of!("given.team_id"), " END",),
        otherwise: |given| forbidden("only a space's members put records into it", T::KIND, given.id()),
    }
}

pub(super) const fn owner_exists<T: Content>() -> Rule<T> {
    Rule {
        holds: "EXISTS (SELECT FROM users WHERE users.id = given.owner_id)",
        otherwise: |given| missing("owner_id", Kind::User, given.owner_id()),
    }
}

pub(super) const fn team_exists<T: Content>() -> Rule<T> {
    Rule { holds: "given.team_id IS NULL OR EXISTS (SELECT FROM teams WHERE teams.id = given.team_id)", otherwise: no_team }
}

fn no_team<T: Content>(given: &T) -> Error {
    missing("team_id", Kind::Team, given.team_id().unwrap_or_default())
}
