-- What an agent's message is besides its text: the tools it calls (JSON; NULL for none), what it is the result of, and how it ended.
ALTER TABLE messages
    ADD COLUMN tool_calls text,
    ADD COLUMN tool_call_id text,
    ADD COLUMN finish text COLLATE "C" CHECK (finish IN ('answered', 'tool_calls', 'limited', 'stopped', 'interrupted', 'failed')),
    ADD COLUMN error text;
