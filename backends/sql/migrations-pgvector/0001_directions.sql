-- What pgvector compares: the direction of each vector, as half-precision numbers of length 1; null for a vector without one. The vector itself
-- stays beside it, as it was given. `directed` is the change that the direction is of: who writes without pgvector leaves an old one.
ALTER TABLE task_embeddings ADD COLUMN direction halfvec, ADD COLUMN directed bigint;
ALTER TABLE note_embeddings ADD COLUMN direction halfvec, ADD COLUMN directed bigint;
ALTER TABLE message_embeddings ADD COLUMN direction halfvec, ADD COLUMN directed bigint;

-- What is without its direction is found at once.
CREATE INDEX task_embeddings_undirected ON task_embeddings (model, id) WHERE directed IS DISTINCT FROM change;
CREATE INDEX note_embeddings_undirected ON note_embeddings (model, id) WHERE directed IS DISTINCT FROM change;
CREATE INDEX message_embeddings_undirected ON message_embeddings (model, id) WHERE directed IS DISTINCT FROM change;

-- Which number the approximate indexes of a model have in their names. They are made at run time, once there is enough to compare.
CREATE TABLE embedding_indexes (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model      text COLLATE "C" NOT NULL,
    dimensions integer NOT NULL CHECK (dimensions >= 1),
    UNIQUE (model, dimensions)
);
