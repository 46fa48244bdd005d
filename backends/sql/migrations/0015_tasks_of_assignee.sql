-- What is assigned to somebody lies in spaces that they see: a list of their own is one run here, and looks into no space. As the one
-- before, these keep the removal of a user from reading the whole table.
DROP INDEX tasks_of_assignee;
CREATE INDEX tasks_assigned_by_created_at ON tasks (assignee_id, created_at, id) INCLUDE (space_id) WHERE assignee_id IS NOT NULL;
CREATE INDEX tasks_assigned_by_updated_at ON tasks (assignee_id, updated_at, id) INCLUDE (space_id) WHERE assignee_id IS NOT NULL;
CREATE INDEX tasks_assigned_of_status_by_created_at ON tasks (assignee_id, status, created_at, id) INCLUDE (space_id) WHERE assignee_id IS NOT NULL;
CREATE INDEX tasks_assigned_of_status_by_updated_at ON tasks (assignee_id, status, updated_at, id) INCLUDE (space_id) WHERE assignee_id IS NOT NULL;
