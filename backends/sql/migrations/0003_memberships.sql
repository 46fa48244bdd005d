-- Who is in which team. They go with their team and with their user.
CREATE TABLE memberships (
    id         uuid PRIMARY KEY,
    team_id    uuid NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role       text COLLATE "C" NOT NULL CHECK (role IN ('member', 'owner')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    revision   bigint NOT NULL CHECK (revision >= 1),
    CONSTRAINT memberships_team_id_user_id UNIQUE (team_id, user_id)
);

CREATE INDEX memberships_by_created_at ON memberships (created_at, id);
CREATE INDEX memberships_by_updated_at ON memberships (updated_at, id);
CREATE INDEX memberships_of_team_by_created_at ON memberships (team_id, created_at, id);
CREATE INDEX memberships_of_team_by_updated_at ON memberships (team_id, updated_at, id);
-- Every read asks for a user's teams: this index alone answers it.
CREATE INDEX memberships_of_user_by_created_at ON memberships (user_id, created_at, id) INCLUDE (team_id);
CREATE INDEX memberships_of_user_by_updated_at ON memberships (user_id, updated_at, id);
