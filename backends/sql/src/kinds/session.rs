//! The table of sessions.

use mosaic_core::{Id, Session};

use super::content::{self, Content};
use crate::columns::columns;
use crate::table::{Holder, Right, Rule, Table};

impl Table for Session {
    columns! {
        "sessions",
        fixed {},
        given { owner_id: "uuid", team_id: "uuid", title: "text", agent: "text", status: "text" },
    }

    const SPACE: &'static str = "space_id";
    const SPACES: &'static str = content::SPACES;
    const SEES: &'static str = content::SEES;
    const SEES_TO_WRITE: &'static str = content::SEES_TO_WRITE;

    const MAY_CREATE: &'static [Rule<Self>] = &content::may_create();
    const MAY_UPDATE: Right = Right { holds: "kept.owner_id = $1", otherwise: "only a session's owner changes it" };
    const MAY_BECOME: &'static [Rule<Self>] = &content::may_become();
    const MAY_DELETE: Right = Right { holds: "kept.owner_id = $1", otherwise: "only a session's owner removes it" };
    const RULES: &'static [Rule<Self>] = &[content::owner_exists(), content::team_exists()];

    const COUNT: Option<fn(Holder) -> &'static str> = Some(|holder| match holder {
        Holder::Owner => "SELECT count(*) FROM sessions WHERE owner_id = $1",
        Holder::Team => "SELECT count(*) FROM sessions WHERE team_id = $1",
    });
}

impl Content for Session {
    fn owner_id(&self) -> Id {
        self.owner_id
    }

    fn team_id(&self) -> Option<Id> {
        self.team_id
    }
}
