-- The words of what is searched, cut and stemmed by Mosaic itself, so that they are the same on every server. Rows from before have
-- none yet: opening the storage fills them in, and finds them by the index of those without.
ALTER TABLE tasks ADD COLUMN words tsvector;
ALTER TABLE notes ADD COLUMN words tsvector;

CREATE INDEX tasks_without_words ON tasks (id) WHERE words IS NULL;
CREATE INDEX notes_without_words ON notes (id) WHERE words IS NULL;
CREATE INDEX messages_without_words ON messages (id) WHERE words IS NULL;

-- The space is one more word (no text has one that begins with a space), so that a search reads no row of a space that it may not see.
CREATE INDEX tasks_by_words ON tasks USING gin ((words || array_to_tsvector(ARRAY[' ' || space_id::text])));
CREATE INDEX notes_by_words ON notes USING gin ((words || array_to_tsvector(ARRAY[' ' || space_id::text])));
CREATE INDEX messages_by_words ON messages USING gin ((words || array_to_tsvector(ARRAY[' ' || space_id::text])));
