-- What was said in sessions. A message goes with its session, and moves with it from one space to another.
CREATE TABLE messages (
    id         uuid PRIMARY KEY,
    session_id uuid NOT NULL,
    space_id   uuid NOT NULL,
    seq        bigint NOT NULL CHECK (seq >= 1),
    role       text COLLATE "C" NOT NULL CHECK (role IN ('user', 'assistant', 'tool')),
    content    text NOT NULL,
    words      tsvector,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    revision   bigint NOT NULL CHECK (revision >= 1),
    CONSTRAINT messages_session_id_seq UNIQUE (session_id, seq),
    FOREIGN KEY (session_id, space_id) REFERENCES sessions (id, space_id) ON UPDATE CASCADE ON DELETE CASCADE
);

CREATE INDEX messages_by_seq ON messages (seq, id);
