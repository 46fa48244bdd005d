//! The table of memberships.

use mosaic_core::refusal::{fixed, forbidden, missing};
use mosaic_core::{Id, Kind, Membership};

use crate::columns::columns;
use crate::table::{Right, Rule, Table, Unique};

impl Table for Membership {
    columns! {
        "memberships",
        fixed { team_id: "uuid", user_id: "uuid" },
        given { role: "text" },
    }

    const SPACE: &'static str = "team_id";
    const SPACES: &'static str = "SELECT team_id AS space_id FROM memberships WHERE user_id = $1";
    const SEES: &'static str = is_member_of!("kept.team_id");

    const MAY_CREATE: &'static [Rule<Self>] = &[
        // A team that a user does not see is refused like one that does not exist.
        Rule { holds: writes_as_member_of!("given.team_id"), otherwise: |membership| missing("team_id", Kind::Team, membership.team_id) },
        Rule {
            holds: writes_as_owner_of!("given.team_id"),
            otherwise: |membership| forbidden("only a team's owner or an admin adds members", Kind::Membership, membership.id),
        },
    ];
    const MAY_UPDATE: Right =
        Right { holds: writes_as_owner_of!("kept.team_id"), otherwise: "only a team's owner or an admin changes its memberships" };

    const FIXED: &'static [Rule<Self>] = &[
        Rule { holds: "given.team_id = kept.team_id", otherwise: |membership| fixed("team_id", membership.id) },
        Rule { holds: "given.user_id = kept.user_id", otherwise: |membership| fixed("user_id", membership.id) },
    ];
    const RULES: &'static [Rule<Self>] = &[
        Rule {
            holds: "EXISTS (SELECT FROM teams WHERE teams.id = given.team_id)",
            otherwise: |membership| missing("team_id", Kind::Team, membership.team_id),
        },
        Rule {
            holds: "EXISTS (SELECT FROM users WHERE users.id = given.user_id)",
            otherwise: |membership| missing("user_id", Kind::User, membership.user_id),
        },
    ];
    const UNIQUE: Option<Unique<Self>> = Some(Unique {
        same: "other.team_id = given.team_id AND other.user_id = given.user_id",
        fixed: true,
        field: "user_id",
        value: |membership| Some(membership.user_id.to_string()),
    });

    fn releases(&self) -> Option<(Id, Option<Id>)> {
        Some((self.user_id, Some(self.team_id)))
    }
}
