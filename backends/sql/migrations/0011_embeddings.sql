-- The models that made embeddings. Whoever writes embeddings of a model holds its row until the end of the transaction: the numbers of
-- their changes become visible in order, so that a process that has read up to one has missed none below it.
-- A model that begins anew, after all its embeddings went, has higher numbers than it ever had.
CREATE SEQUENCE embedding_models_begun;
CREATE TABLE embedding_models (
    model      text COLLATE "C" PRIMARY KEY,
    dimensions integer NOT NULL CHECK (dimensions >= 1),
    change     bigint NOT NULL,
    -- As many embeddings, or fewer: what goes with its record is not counted.
    at_most    bigint NOT NULL
);

-- A vector is its components as 32-bit numbers, the lowest byte first: an array of numbers takes seven times as long to read. It is stored as
-- it is: such bytes do not get smaller, and trying takes time.
CREATE TABLE task_embeddings (
    id       uuid NOT NULL REFERENCES tasks ON DELETE CASCADE,
    model    text COLLATE "C" NOT NULL REFERENCES embedding_models,
    revision bigint NOT NULL CHECK (revision >= 1),
    change   bigint NOT NULL,
    vector   bytea NOT NULL,
    PRIMARY KEY (id, model)
);
ALTER TABLE task_embeddings ALTER COLUMN vector SET STORAGE EXTERNAL;
CREATE INDEX task_embeddings_by_id ON task_embeddings (model, id);
CREATE INDEX task_embeddings_by_change ON task_embeddings (model, change);

CREATE TABLE note_embeddings (
    id       uuid NOT NULL REFERENCES notes ON DELETE CASCADE,
    model    text COLLATE "C" NOT NULL REFERENCES embedding_models,
    revision bigint NOT NULL CHECK (revision >= 1),
    change   bigint NOT NULL,
    vector   bytea NOT NULL,
    PRIMARY KEY (id, model)
);
ALTER TABLE note_embeddings ALTER COLUMN vector SET STORAGE EXTERNAL;
CREATE INDEX note_embeddings_by_id ON note_embeddings (model, id);
CREATE INDEX note_embeddings_by_change ON note_embeddings (model, change);

CREATE TABLE message_embeddings (
    id       uuid NOT NULL REFERENCES messages ON DELETE CASCADE,
    model    text COLLATE "C" NOT NULL REFERENCES embedding_models,
    revision bigint NOT NULL CHECK (revision >= 1),
    change   bigint NOT NULL,
    vector   bytea NOT NULL,
    PRIMARY KEY (id, model)
);
ALTER TABLE message_embeddings ALTER COLUMN vector SET STORAGE EXTERNAL;
CREATE INDEX message_embeddings_by_id ON message_embeddings (model, id);
CREATE INDEX message_embeddings_by_change ON message_embeddings (model, change);
