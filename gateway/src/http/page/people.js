// Who signed in, their teams, and what others are called. Read once; a token that may not read it works without names.

import { get } from "./api.js";

export const people = { me: null, token: null, teams: [], users: [] };

/** Reads who the token acts for. Everything else comes after it, and is no condition. */
export async function load() {
  const { user, token } = await get("/api/v1/me");
  Object.assign(people, { me: user, token, teams: [], users: [user] });
  const all = (path) => get(path).then((page) => page.items, () => []);
  const [memberships, teams, users] = await Promise.all([
    all(`/api/v1/memberships?user_id=${user.id}&limit=200`), all("/api/v1/teams?limit=200"), all("/api/v1/users?limit=200"),
  ]);
  const mine = new Set(memberships.map((membership) => membership.team_id));
  people.teams = teams.filter((team) => mine.has(team.id));
  people.users = users.some((other) => other.id === user.id) ? users : [user, ...users];
}

export function forget() {
  Object.assign(people, { me: null, token: null, teams: [], users: [] });
}

export function userName(id) {
  if (id === people.me?.id) return "me";
  return people.users.find((user) => user.id === id)?.name ?? "somebody else";
}

export function teamName(id) {
  return people.teams.find((team) => team.id === id)?.name ?? "a team";
}

/** The spaces to choose from, as pairs of id and name. */
export function spaces() {
  return [[people.me.id, "Only me"], ...people.teams.map((team) => [team.id, team.name])];
}
