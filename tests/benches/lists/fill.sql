-- Tasks as an organisation has them after three years: a thousand people, 200 teams of very different sizes, a third of the tasks in
-- personal spaces. `bench.rows` says how many there are; a space's share of them is the same at any number. What a row is follows from
-- its number. Nothing is checked, since nothing can be wrong, and indexes are made when the rows are there.
--
-- Users 1, 2 and 3 are those who ask: a member of one team (the 20th, which has one of 170 rows), of fifty (a fifth of the rows), and of one
-- small team, who sees a thousandth.
SET session_replication_role = replica;
SET maintenance_work_mem = '1GB';
SET max_parallel_maintenance_workers = 2;
TRUNCATE users, teams, memberships, tasks CASCADE;

CREATE FUNCTION pg_temp.user_id(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
    $$ SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
CREATE FUNCTION pg_temp.team_id(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
    $$ SELECT ('00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
-- From 0 to 1, and another one for each purpose.
CREATE FUNCTION pg_temp.chance(n bigint, purpose bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS
    $$ SELECT (hashint8extended(n, purpose) & 2147483647) / 2147483648.0::float8 $$;
-- The members of a team, the first to the ninth.
CREATE FUNCTION pg_temp.member(team bigint, place bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
    $$ SELECT 10 + (team * 7 + place * 13) % 990 $$;
-- Who asks, of a team's members.
CREATE FUNCTION pg_temp.asker(team bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE WHEN team = 20 THEN 1 WHEN team = 201 THEN 3 WHEN team % 4 = 1 THEN 2 END $$;

INSERT INTO users (id, login, name, role, created_at, updated_at, revision)
SELECT pg_temp.user_id(n), 'user-' || n, 'User ' || n, 'member', '2023-01-01', '2023-01-01', 1 FROM generate_series(1, 1000) AS n;
INSERT INTO teams (id, slug, name, created_at, updated_at, revision)
SELECT pg_temp.team_id(n), 'team-' || n, 'Team ' || n, '2023-01-01', '2023-01-01', 1 FROM generate_series(1, 201) AS n;
INSERT INTO memberships (id, team_id, user_id, role, created_at, updated_at, revision)
SELECT gen_random_uuid(), pg_temp.team_id(team), pg_temp.user_id(member), 'member', '2023-01-01', '2023-01-01', 1
FROM (
    SELECT team, pg_temp.member(team, place) FROM generate_series(1, 201) AS team, generate_series(1, 9) AS place
    UNION ALL SELECT team, pg_temp.asker(team) FROM generate_series(1, 201) AS team WHERE pg_temp.asker(team) IS NOT NULL AND team <> 201
    UNION ALL SELECT 201, 3
) AS members (team, member);

CREATE TEMPORARY TABLE dropped ON COMMIT PRESERVE ROWS AS
SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'tasks' AND indexname <> 'tasks_pkey';
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT indexname FROM dropped LOOP EXECUTE format('DROP INDEX %I', name); END LOOP;
END $$;

INSERT INTO tasks (id, owner_id, team_id, assignee_id, title, body, status, priority, due_at, tags, created_at, updated_at, revision, words)
SELECT
    (lpad(to_hex((extract(epoch FROM made) * 1000)::bigint), 12, '0') || '7' || substr(noise, 1, 3) || '8' || substr(noise, 4, 15))::uuid,
    pg_temp.user_id(owner), CASE WHEN team IS NOT NULL THEN pg_temp.team_id(team) END,
    CASE
        WHEN pg_temp.chance(n, 4) < 0.5 THEN NULL
        WHEN team IS NULL THEN pg_temp.user_id(owner)
        ELSE pg_temp.user_id(coalesce(CASE WHEN pg_temp.chance(n, 5) < 0.2 THEN pg_temp.asker(team) END, pg_temp.member(team, 1 + n * 7 % 9)))
    END,
    'Task ' || n || ' of ' || substr(noise, 20, 8),
    repeat('some words about it, ', (pg_temp.chance(n, 6) * 14)::int),
    (ARRAY['open', 'done', 'open', 'done', 'open', 'done', 'open', 'in_progress', 'blocked', 'cancelled'])[1 + (pg_temp.chance(n, 7) * 10)::int % 10],
    n % 5, CASE WHEN n % 3 = 0 THEN made + interval '30 days' END,
    ARRAY['tag-' || n % 20],
    made, made + pg_temp.chance(n, 8) * interval '60 days', 1 + n % 4,
    array_to_tsvector(ARRAY['task', 'word' || n % 5003, 'tag' || n % 20])
FROM (
    SELECT n, team, noise, made, coalesce(pg_temp.member(team, 1 + n % 9), 1 + (pg_temp.chance(n, 3) * 999)::bigint) AS owner
    FROM (
        SELECT
            n, md5(n::text) AS noise, '2023-01-01'::timestamptz + interval '1095 days' * (n / current_setting('bench.rows')::float8) AS made,
            CASE
                WHEN n % 10000 IN (17, 3211, 4099, 6007, 7777, 9001) THEN 201
                -- The first has every thirteenth, the 200th one in two thousand.
                WHEN pg_temp.chance(n, 1) < 0.65 THEN floor(exp(pg_temp.chance(n, 2) * ln(201)))::bigint
            END AS team
        FROM generate_series(1, current_setting('bench.rows')::bigint) AS n
    ) AS placed
) AS owned;

DO $$ DECLARE definition text; BEGIN
    FOR definition IN SELECT indexdef FROM dropped LOOP EXECUTE definition; END LOOP;
END $$;
DROP TABLE dropped;
