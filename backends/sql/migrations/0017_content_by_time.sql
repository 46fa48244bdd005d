-- Lists of all that one sees, for who sees a good part of everything: one run of an index, out of which theirs are picked, however many spaces they
-- have. What is new stands at the ends of these, so that a write pays less for them than for others.
-- Only the lists that they are made for say what is true of every row: no list of one space goes by them.
CREATE INDEX tasks_everywhere_by_created_at ON tasks (created_at, id) INCLUDE (space_id) WHERE revision <> -2;
CREATE INDEX tasks_everywhere_by_updated_at ON tasks (updated_at, id) INCLUDE (space_id) WHERE revision <> -2;
CREATE INDEX tasks_everywhere_of_status_by_created_at ON tasks (status, created_at, id) INCLUDE (space_id) WHERE revision <> -3;
CREATE INDEX tasks_everywhere_of_status_by_updated_at ON tasks (status, updated_at, id) INCLUDE (space_id) WHERE revision <> -3;
CREATE INDEX notes_everywhere_by_created_at ON notes (created_at, id) INCLUDE (space_id) WHERE revision <> -2;
CREATE INDEX notes_everywhere_by_updated_at ON notes (updated_at, id) INCLUDE (space_id) WHERE revision <> -2;
CREATE INDEX sessions_everywhere_by_created_at ON sessions (created_at, id) INCLUDE (space_id) WHERE revision <> -2;
CREATE INDEX sessions_everywhere_by_updated_at ON sessions (updated_at, id) INCLUDE (space_id) WHERE revision <> -2;
CREATE INDEX sessions_everywhere_of_status_by_created_at ON sessions (status, created_at, id) INCLUDE (space_id) WHERE revision <> -3;
CREATE INDEX sessions_everywhere_of_status_by_updated_at ON sessions (status, updated_at, id) INCLUDE (space_id) WHERE revision <> -3;

-- What is in one space by a status: likewise for these lists alone. One of all that has a status seemed cheaper by them, where the planner knew of
-- little that has it, and read all of it.
DROP INDEX tasks_open_by_created_at;
DROP INDEX tasks_open_by_updated_at;
DROP INDEX tasks_in_progress_by_created_at;
DROP INDEX tasks_in_progress_by_updated_at;
DROP INDEX tasks_blocked_by_created_at;
DROP INDEX tasks_blocked_by_updated_at;
DROP INDEX tasks_done_by_created_at;
DROP INDEX tasks_done_by_updated_at;
DROP INDEX tasks_cancelled_by_created_at;
DROP INDEX tasks_cancelled_by_updated_at;
DROP INDEX sessions_open_by_created_at;
DROP INDEX sessions_open_by_updated_at;
DROP INDEX sessions_closed_by_created_at;
DROP INDEX sessions_closed_by_updated_at;
CREATE INDEX tasks_open_by_created_at ON tasks (space_id, created_at, id) WHERE status = 'open' AND revision <> -4;
CREATE INDEX tasks_open_by_updated_at ON tasks (space_id, updated_at, id) WHERE status = 'open' AND revision <> -4;
CREATE INDEX tasks_in_progress_by_created_at ON tasks (space_id, created_at, id) WHERE status = 'in_progress' AND revision <> -4;
CREATE INDEX tasks_in_progress_by_updated_at ON tasks (space_id, updated_at, id) WHERE status = 'in_progress' AND revision <> -4;
CREATE INDEX tasks_blocked_by_created_at ON tasks (space_id, created_at, id) WHERE status = 'blocked' AND revision <> -4;
CREATE INDEX tasks_blocked_by_updated_at ON tasks (space_id, updated_at, id) WHERE status = 'blocked' AND revision <> -4;
CREATE INDEX tasks_done_by_created_at ON tasks (space_id, created_at, id) WHERE status = 'done' AND revision <> -4;
CREATE INDEX tasks_done_by_updated_at ON tasks (space_id, updated_at, id) WHERE status = 'done' AND revision <> -4;
CREATE INDEX tasks_cancelled_by_created_at ON tasks (space_id, created_at, id) WHERE status = 'cancelled' AND revision <> -4;
CREATE INDEX tasks_cancelled_by_updated_at ON tasks (space_id, updated_at, id) WHERE status = 'cancelled' AND revision <> -4;
CREATE INDEX sessions_open_by_created_at ON sessions (space_id, created_at, id) WHERE status = 'open' AND revision <> -4;
CREATE INDEX sessions_open_by_updated_at ON sessions (space_id, updated_at, id) WHERE status = 'open' AND revision <> -4;
CREATE INDEX sessions_closed_by_created_at ON sessions (space_id, created_at, id) WHERE status = 'closed' AND revision <> -4;
CREATE INDEX sessions_closed_by_updated_at ON sessions (space_id, updated_at, id) WHERE status = 'closed' AND revision <> -4;
