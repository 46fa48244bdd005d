//! The table of teams.

use mosaic_core::refusal::{forbidden, taken};
use mosaic_core::{Kind, Team};

use crate::columns::columns;
use crate::table::{Holder, Right, Rule, Table, Unique};

impl Table for Team {
    columns! {
        "teams",
        fixed {},
        given { slug: "text", name: "text" },
    }

    const SPACE: &'static str = "id";
    const SPACES: &'static str = "SELECT team_id AS space_id FROM memberships WHERE user_id = $1";
    const SEES: &'static str = is_member_of!("kept.id");

    const MAY_CREATE: &'static [Rule<Self>] =
        &[Rule { holds: "false", otherwise: |team| forbidden("only an admin makes users and teams", Kind::Team, team.id) }];
    const MAY_UPDATE: Right = Right { holds: writes_as_owner_of!("kept.id"), otherwise: "only a team's owner or an admin changes it" };

    const NEW: &'static [Rule<Self>] =
        &[Rule { holds: "NOT EXISTS (SELECT FROM users WHERE users.id = given.id)", otherwise: |team| taken(Kind::User, team.id) }];
    const UNIQUE: Option<Unique<Self>> =
        Some(Unique { same: "other.slug = given.slug", fixed: false, field: "slug", value: |team| Some(team.slug.clone()) });

    const BEFORE_INSERT: Option<&'static str> = Some(super::LOCK_SPACES);
    const HOLDS: Option<Holder> = Some(Holder::Team);
}
