-- A list by status goes by an index of that status alone: there is no status to compare, of each entry of a page of the index, and what few
-- have lies in a small one.
DROP INDEX tasks_of_status_by_created_at;
DROP INDEX tasks_of_status_by_updated_at;
CREATE INDEX tasks_open_by_created_at ON tasks (space_id, created_at, id) WHERE status = 'open';
CREATE INDEX tasks_open_by_updated_at ON tasks (space_id, updated_at, id) WHERE status = 'open';
CREATE INDEX tasks_in_progress_by_created_at ON tasks (space_id, created_at, id) WHERE status = 'in_progress';
CREATE INDEX tasks_in_progress_by_updated_at ON tasks (space_id, updated_at, id) WHERE status = 'in_progress';
CREATE INDEX tasks_blocked_by_created_at ON tasks (space_id, created_at, id) WHERE status = 'blocked';
CREATE INDEX tasks_blocked_by_updated_at ON tasks (space_id, updated_at, id) WHERE status = 'blocked';
CREATE INDEX tasks_done_by_created_at ON tasks (space_id, created_at, id) WHERE status = 'done';
CREATE INDEX tasks_done_by_updated_at ON tasks (space_id, updated_at, id) WHERE status = 'done';
CREATE INDEX tasks_cancelled_by_created_at ON tasks (space_id, created_at, id) WHERE status = 'cancelled';
CREATE INDEX tasks_cancelled_by_updated_at ON tasks (space_id, updated_at, id) WHERE status = 'cancelled';
DROP INDEX sessions_of_status_by_created_at;
DROP INDEX sessions_of_status_by_updated_at;
CREATE INDEX sessions_open_by_created_at ON sessions (space_id, created_at, id) WHERE status = 'open';
CREATE INDEX sessions_open_by_updated_at ON sessions (space_id, updated_at, id) WHERE status = 'open';
CREATE INDEX sessions_closed_by_created_at ON sessions (space_id, created_at, id) WHERE status = 'closed';
CREATE INDEX sessions_closed_by_updated_at ON sessions (space_id, updated_at, id) WHERE status = 'closed';

-- What is assigned to somebody, for lists of all of theirs alone: these ask for it by what is true of every row. Without that, a list of what is
-- assigned to another, over some spaces, might go by these too, and read everything of theirs for each space. References need one of their own,
-- with the id: no smaller than the others, it never seems cheaper to sort what it gives.
DROP INDEX tasks_assigned_by_created_at;
DROP INDEX tasks_assigned_by_updated_at;
DROP INDEX tasks_assigned_of_status_by_created_at;
DROP INDEX tasks_assigned_of_status_by_updated_at;
CREATE INDEX tasks_of_assignee ON tasks (assignee_id, id) WHERE assignee_id IS NOT NULL;
CREATE INDEX tasks_assigned_by_created_at ON tasks (assignee_id, created_at, id) WHERE assignee_id IS NOT NULL AND revision <> 0;
CREATE INDEX tasks_assigned_by_updated_at ON tasks (assignee_id, updated_at, id) WHERE assignee_id IS NOT NULL AND revision <> 0;
CREATE INDEX tasks_assigned_of_status_by_created_at ON tasks (assignee_id, status, created_at, id) WHERE assignee_id IS NOT NULL AND revision <> -1;
CREATE INDEX tasks_assigned_of_status_by_updated_at ON tasks (assignee_id, status, updated_at, id) WHERE assignee_id IS NOT NULL AND revision <> -1;
