-- What a client shows to act for a user. They go with their user. The hash is the SHA-256 of the secret, in hexadecimal.
CREATE TABLE tokens (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash         text COLLATE "C" NOT NULL CONSTRAINT tokens_hash UNIQUE,
    last_used_at timestamptz,
    name         text NOT NULL,
    scopes       text[] NOT NULL,
    expires_at   timestamptz,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    revision     bigint NOT NULL CHECK (revision >= 1)
);

CREATE INDEX tokens_by_created_at ON tokens (created_at, id);
CREATE INDEX tokens_by_updated_at ON tokens (updated_at, id);
CREATE INDEX tokens_of_user_by_created_at ON tokens (user_id, created_at, id);
CREATE INDEX tokens_of_user_by_updated_at ON tokens (user_id, updated_at, id);
