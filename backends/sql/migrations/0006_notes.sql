-- What is worth keeping. The space is the team's, else the owner's: the database itself sees to it.
CREATE TABLE notes (
    id         uuid PRIMARY KEY,
    owner_id   uuid NOT NULL REFERENCES users (id),
    team_id    uuid REFERENCES teams (id),
    space_id   uuid NOT NULL GENERATED ALWAYS AS (coalesce(team_id, owner_id)) STORED,
    title      text NOT NULL,
    body       text NOT NULL,
    tags       text[] NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    revision   bigint NOT NULL CHECK (revision >= 1)
);

-- The references: what keeps the removal of a user or a team from reading the whole table.
CREATE INDEX notes_of_owner ON notes (owner_id);
CREATE INDEX notes_of_team ON notes (team_id) WHERE team_id IS NOT NULL;

CREATE INDEX notes_by_created_at ON notes (created_at, id);
CREATE INDEX notes_by_updated_at ON notes (updated_at, id);
CREATE INDEX notes_of_space_by_created_at ON notes (space_id, created_at, id);
CREATE INDEX notes_of_space_by_updated_at ON notes (space_id, updated_at, id);
