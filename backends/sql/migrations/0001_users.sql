-- Accounts. A text that orders or filters a list compares by code point (COLLATE "C"), here and in every table.
CREATE TABLE users (
    id         uuid PRIMARY KEY,
    login      text COLLATE "C" NOT NULL CONSTRAINT users_login UNIQUE,
    name       text NOT NULL,
    email      text,
    role       text COLLATE "C" NOT NULL CHECK (role IN ('member', 'admin')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    revision   bigint NOT NULL CHECK (revision >= 1)
);

CREATE INDEX users_by_created_at ON users (created_at, id);
CREATE INDEX users_by_updated_at ON users (updated_at, id);
