-- Lists of everything merge the first rows of each space, as those of one's own spaces do: these indexes cost every write, and are
-- read by nobody else.
DROP INDEX tasks_by_created_at;
DROP INDEX tasks_by_updated_at;
DROP INDEX notes_by_created_at;
DROP INDEX notes_by_updated_at;
DROP INDEX sessions_by_created_at;
DROP INDEX sessions_by_updated_at;
DROP INDEX messages_by_seq;
