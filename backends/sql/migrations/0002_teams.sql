-- Spaces that several users share.
CREATE TABLE teams (
    id         uuid PRIMARY KEY,
    slug       text COLLATE "C" NOT NULL CONSTRAINT teams_slug UNIQUE,
    name       text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    revision   bigint NOT NULL CHECK (revision >= 1)
);

CREATE INDEX teams_by_created_at ON teams (created_at, id);
CREATE INDEX teams_by_updated_at ON teams (updated_at, id);
