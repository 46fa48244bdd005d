-- What is to be done. The space is the team's, else the owner's: the database itself sees to it.
CREATE TABLE tasks (
    id          uuid PRIMARY KEY,
    owner_id    uuid NOT NULL REFERENCES users (id),
    team_id     uuid REFERENCES teams (id),
    space_id    uuid NOT NULL GENERATED ALWAYS AS (coalesce(team_id, owner_id)) STORED,
    assignee_id uuid REFERENCES users (id),
    title       text NOT NULL,
    body        text NOT NULL,
    status      text COLLATE "C" NOT NULL CHECK (status IN ('open', 'in_progress', 'blocked', 'done', 'cancelled')),
    priority    smallint NOT NULL CHECK (priority BETWEEN 0 AND 4),
    due_at      timestamptz,
    tags        text[] NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    revision    bigint NOT NULL CHECK (revision >= 1)
);

-- The references: what keeps the removal of a user or a team from reading the whole table.
CREATE INDEX tasks_of_owner ON tasks (owner_id);
CREATE INDEX tasks_of_team ON tasks (team_id) WHERE team_id IS NOT NULL;
CREATE INDEX tasks_of_assignee ON tasks (assignee_id) WHERE assignee_id IS NOT NULL;

-- Lists of everything.
CREATE INDEX tasks_by_created_at ON tasks (created_at, id);
CREATE INDEX tasks_by_updated_at ON tasks (updated_at, id);

-- Lists of a space: each filter, each order. Tasks without an assignee cost nothing in the indexes by assignee.
CREATE INDEX tasks_of_space_by_created_at ON tasks (space_id, created_at, id);
CREATE INDEX tasks_of_space_by_updated_at ON tasks (space_id, updated_at, id);
CREATE INDEX tasks_of_status_by_created_at ON tasks (space_id, status, created_at, id);
CREATE INDEX tasks_of_status_by_updated_at ON tasks (space_id, status, updated_at, id);
CREATE INDEX tasks_of_assignee_by_created_at ON tasks (space_id, assignee_id, created_at, id) WHERE assignee_id IS NOT NULL;
CREATE INDEX tasks_of_assignee_by_updated_at ON tasks (space_id, assignee_id, updated_at, id) WHERE assignee_id IS NOT NULL;
CREATE INDEX tasks_of_assignee_and_status_by_created_at ON tasks (space_id, assignee_id, status, created_at, id) WHERE assignee_id IS NOT NULL;
CREATE INDEX tasks_of_assignee_and_status_by_updated_at ON tasks (space_id, assignee_id, status, updated_at, id) WHERE assignee_id IS NOT NULL;
