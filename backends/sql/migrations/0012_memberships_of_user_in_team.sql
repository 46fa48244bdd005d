-- Whether somebody is in each of one's teams: without these, a list by user looks at all of their memberships once for each team.
CREATE INDEX memberships_of_user_in_team_by_created_at ON memberships (team_id, user_id, created_at, id);
CREATE INDEX memberships_of_user_in_team_by_updated_at ON memberships (team_id, user_id, updated_at, id);
