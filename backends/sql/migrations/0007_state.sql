-- Small named documents: fences, checkpoints, leases. Each counts its writes from 1. `json` keeps a document as it was given.
-- One that was removed leaves its version behind, with no value: made anew, it goes on from there.
CREATE TABLE state (
    name    text COLLATE "C" PRIMARY KEY,
    value   json,
    version bigint NOT NULL CHECK (version >= 1)
);
