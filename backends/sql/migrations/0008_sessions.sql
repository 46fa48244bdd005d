-- Conversations with agents. The space is the team's, else the owner's: the database itself sees to it.
CREATE TABLE sessions (
    id         uuid PRIMARY KEY,
    owner_id   uuid NOT NULL REFERENCES users (id),
    team_id    uuid REFERENCES teams (id),
    space_id   uuid NOT NULL GENERATED ALWAYS AS (coalesce(team_id, owner_id)) STORED,
    title      text NOT NULL,
    agent      text NOT NULL,
    status     text COLLATE "C" NOT NULL CHECK (status IN ('open', 'closed')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    revision   bigint NOT NULL CHECK (revision >= 1),
    -- What messages refer to, so that their space is always their session's.
    CONSTRAINT sessions_id_space_id UNIQUE (id, space_id)
);

-- The references: what keeps the removal of a user or a team from reading the whole table.
CREATE INDEX sessions_of_owner ON sessions (owner_id);
CREATE INDEX sessions_of_team ON sessions (team_id) WHERE team_id IS NOT NULL;

CREATE INDEX sessions_by_created_at ON sessions (created_at, id);
CREATE INDEX sessions_by_updated_at ON sessions (updated_at, id);
CREATE INDEX sessions_of_space_by_created_at ON sessions (space_id, created_at, id);
CREATE INDEX sessions_of_space_by_updated_at ON sessions (space_id, updated_at, id);
CREATE INDEX sessions_of_status_by_created_at ON sessions (space_id, status, created_at, id);
CREATE INDEX sessions_of_status_by_updated_at ON sessions (space_id, status, updated_at, id);
