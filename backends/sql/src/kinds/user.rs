//! The table of users.

use mosaic_core::refusal::{forbidden, taken};
use mosaic_core::{Id, Kind, User};

use crate::columns::columns;
use crate::table::{Holder, Right, Rule, Table, Unique};

impl Table for User {
    columns! {
        "users",
        fixed {},
        given { login: "text", name: "text", email: "text", role: "text" },
    }

    const SPACE: &'static str = "id";
    const SPACES: &'static str = "SELECT $1::uuid AS space_id UNION SELECT theirs.user_id \
        FROM memberships AS mine JOIN memberships AS theirs ON theirs.team_id = mine.team_id WHERE mine.user_id = $1";
    const SEES: &'static str = "kept.id = $1 OR EXISTS (\
        SELECT FROM memberships AS mine JOIN memberships AS theirs ON theirs.team_id = mine.team_id \
        WHERE mine.user_id = $1 AND theirs.user_id = kept.id)";

    const MAY_CREATE: &'static [Rule<Self>] =
        &[Rule { holds: "false", otherwise: |user| forbidden("only an admin makes users and teams", Kind::User, user.id) }];
    const MAY_UPDATE: Right = Right { holds: "kept.id = $1", otherwise: "only an admin changes other users" };
    const MAY_BECOME: &'static [Rule<Self>] = &[Rule {
        holds: "given.login = kept.login AND given.role = kept.role",
        otherwise: |user| forbidden("only an admin changes a login or a role", Kind::User, user.id),
    }];
    const MAY_DELETE: Right = Right { holds: "false", otherwise: "only an admin removes users" };

    const NEW: &'static [Rule<Self>] =
        &[Rule { holds: "NOT EXISTS (SELECT FROM teams WHERE teams.id = given.id)", otherwise: |user| taken(Kind::Team, user.id) }];
    const UNIQUE: Option<Unique<Self>> =
        Some(Unique { same: "other.login = given.login", fixed: false, field: "login", value: |user| Some(user.login.clone()) });

    const BEFORE_INSERT: Option<&'static str> = Some(super::LOCK_SPACES);
    const HOLDS: Option<Holder> = Some(Holder::Owner);

    fn releases(&self) -> Option<(Id, Option<Id>)> {
        Some((self.id, None))
    }
}
