//! What holds of all content, tasks and notes alike: who sees and changes it, and what it refers to. What must not come in:
//! fields that only one kind has.

use mosaic_core::{Error, Id, Kind};

use crate::table::{Right, Rule, Table, forbidden, missing};

/// A kind of content.
pub(super) trait Content: Table {
    /// Who owns it.
    fn owner_id(&self) -> Id;
    /// The team whose space it lives in.
    fn team_id(&self) -> Option<Id>;
}

pub(super) const SPACES: &str = "SELECT $1::uuid AS space_id UNION ALL SELECT team_id FROM memberships WHERE user_id = $1";

pub(super) const SEES: &str = "kept.space_id = $1 OR EXISTS (\
    SELECT FROM memberships AS mine WHERE mine.team_id = kept.space_id AND mine.user_id = $1)";

pub(super) const MAY_DELETE: Right = Right {
    holds: "kept.owner_id = $1 OR EXISTS (\
        SELECT FROM memberships AS mine WHERE mine.team_id = kept.team_id AND mine.user_id = $1 AND mine.role = 'owner')",
    otherwise: "only its owner or an owner of its team removes a record",
};

/// The rules of making content.
pub(super) const fn may_create<T: Content>() -> [Rule<T>; 3] {
    [
        Rule { holds: "given.owner_id = $1", otherwise: |record| forbidden("whoever makes a record is its owner", T::KIND, record.id()) },
        SEES_TEAM.of(),
        enters(),
    ]
}

/// The rules of changing whose content is and where it lives.
pub(super) const fn may_become<T: Content>() -> [Rule<T>; 5] {
    [
        Rule {
            holds: "given.owner_id = kept.owner_id OR kept.team_id IS NOT NULL",
            otherwise: |record| forbidden("a personal record keeps its owner", T::KIND, record.id()),
        },
        Rule {
            holds: "given.owner_id = kept.owner_id OR kept.owner_id = $1 OR EXISTS (\
                SELECT FROM memberships AS mine WHERE mine.team_id = kept.team_id AND mine.user_id = $1 AND mine.role = 'owner')",
            otherwise: |record| forbidden("only its owner or an owner of its team gives a record to another", T::KIND, record.id()),
        },
        Rule {
            holds: "given.owner_id = kept.owner_id OR given.team_id IS NULL OR EXISTS (\
                SELECT FROM memberships AS theirs WHERE theirs.team_id = given.team_id AND theirs.user_id = given.owner_id)",
            otherwise: |record| {
                Error::invalid("the new owner is not a member of the team").with("field", "owner_id").with("user", record.owner_id())
            },
        },
        SEES_TEAM.of(),
        enters(),
    ]
}
