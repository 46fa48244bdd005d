-- Small named documents: fences, checkpoints, leases. Each counts its writes from 1. `json` keeps a document as it was given.
CREATE TABLE state (
    name    text COLLATE "C" PRIMARY KEY,
    value   json NOT NULL,
    version bigint NOT NULL CHECK (version >= 1)
);
