//! The table of notes.

use mosaic_core::{Id, Note};

use super::content::{self, Content};
use crate::columns::columns;
use crate::table::{Holder, Right, Rule, SearchedBy, Table};

impl Table for Note {
    columns! {
        "notes",
        fixed {},
        given { owner_id: "uuid", team_id: "uuid", title: "text", tags: "text[]" },
        body body,
        searched words,
    }

    const SPACE: &'static str = "space_id";
    const SPACES: &'static str = content::SPACES;
    const SEES: &'static str = content::SEES;
    const SEES_TO_WRITE: &'static str = content::SEES_TO_WRITE;

    const MAY_CREATE: &'static [Rule<Self>] = &content::may_create();
    const MAY_BECOME: &'static [Rule<Self>] = &content::may_become();
    const MAY_DELETE: Right = content::MAY_DELETE;
    const RULES: &'static [Rule<Self>] = &[content::owner_exists(), content::team_exists()];

    const SEARCHED_BY: Option<SearchedBy> = Some(content::SEARCHED_BY);
    const EMBEDDINGS: Option<&'static str> = Some("note_embeddings");
    const COUNT: Option<fn(Holder) -> &'static str> = Some(|holder| match holder {
        Holder::Owner => "SELECT count(*) FROM notes WHERE owner_id = $1",
        Holder::Team => "SELECT count(*) FROM notes WHERE team_id = $1",
    });
}

impl Content for Note {
    fn owner_id(&self) -> Id {
        self.owner_id
    }

    fn team_id(&self) -> Option<Id> {
        self.team_id
    }
}
