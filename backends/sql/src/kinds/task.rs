//! The table of tasks.

use mosaic_core::{Id, Task, refusal};

use super::content::{self, Content};
use crate::columns::columns;
use crate::table::{Holder, Right, Rule, SearchedBy, Table};

impl Table for Task {
    columns! {
        "tasks",
        fixed {},
        given {
            owner_id: "uuid", team_id: "uuid", assignee_id: "uuid", title: "text", status: "text", priority: "smallint",
            due_at: "timestamptz", tags: "text[]",
        },
        body body,
        searched words,
    }

    const SPACE: &'static str = "space_id";
    const SPACES: &'static str = content::SPACES;
    const ASSIGNEE: Option<&'static str> = Some("assignee_id");
    const SEES: &'static str = content::SEES;
    const SEES_TO_WRITE: &'static str = content::SEES_TO_WRITE;

    const MAY_CREATE: &'static [Rule<Self>] = &content::may_create();
    const MAY_BECOME: &'static [Rule<Self>] = &content::may_become();
    const MAY_DELETE: Right = content::MAY_DELETE;
    const RULES: &'static [Rule<Self>] = &[content::owner_exists(), content::team_exists(), ASSIGNEE_READS];

    const SEARCHED_BY: Option<SearchedBy> = Some(content::SEARCHED_BY);
    const EMBEDDINGS: Option<&'static str> = Some("task_embeddings");
    const COUNT: Option<fn(Holder) -> &'static str> = Some(|holder| match holder {
        Holder::Owner => "SELECT count(*) FROM tasks WHERE owner_id = $1",
        Holder::Team => "SELECT count(*) FROM tasks WHERE team_id = $1",
    });
    const TAKE_BACK: Option<&'static str> = Some(
        "UPDATE tasks SET assignee_id = NULL, updated_at = $1, revision = revision + 1 \
         WHERE assignee_id = $2 AND ($3::uuid IS NULL OR team_id = $3)",
    );
}

impl Content for Task {
    fn owner_id(&self) -> Id {
        self.owner_id
    }

    fn team_id(&self) -> Option<Id> {
        self.team_id
    }
}

/// The same words for an assignee who does not exist and for one who is not a member. The membership is locked: whoever ends it
/// waits for this assignment, and takes it back.
const ASSIGNEE_READS: Rule<Task> = Rule {
    holds: "given.assignee_id IS NULL OR CASE WHEN given.team_id IS NULL THEN given.assignee_id = given.owner_id ELSE EXISTS (\
        SELECT FROM memberships AS theirs WHERE theirs.team_id = given.team_id AND theirs.user_id = given.assignee_id FOR KEY SHARE) END",
    otherwise: |task| refusal::assignee(task.assignee_id.unwrap_or_default()),
};
