//! Users, teams, memberships and tokens at every bound, some of them with nothing.

use mosaic_core::model::{EMAIL_CHARS, NAME_CHARS, SLUG_CHARS};
use mosaic_core::{Id, Membership, MembershipRole, Record, Team, Token, TokenHash, TokenScope, User, UserRole};

use super::{aged, texts, values};
use crate::generator::draw::Draw;

/// Whom content belongs to. Further users and teams have nothing.
pub(super) struct Accounts {
    /// The first user has the first id of all.
    pub(super) users: Vec<User>,
    /// The second team has the last id of all, the last has no members.
    pub(super) teams: Vec<Team>,
    pub(super) memberships: Vec<Membership>,
    tokens: Vec<Token>,
}

impl Accounts {
    /// All of them, in dependency order.
    pub(super) fn records(self) -> Vec<Record> {
        let mut records: Vec<Record> = self.users.into_iter().map(Record::User).collect();
        records.extend(self.teams.into_iter().map(Record::Team));
        records.extend(self.memberships.into_iter().map(Record::Membership));
        records.extend(self.tokens.into_iter().map(Record::Token));
        records
    }
}

pub(super) fn all(draw: &mut Draw) -> Accounts {
    let names = texts::all();
    let users: Vec<_> = names.iter().enumerate().map(|(number, name)| user(draw, number, name)).collect();
    let teams: Vec<_> = names.iter().enumerate().map(|(number, name)| team(draw, number, name)).collect();
    let memberships = memberships(draw, &users, &teams);
    let tokens = names.iter().enumerate().map(|(number, name)| token(draw, number, name, &users)).collect();
    Accounts { users, teams, memberships, tokens }
}

/// Short names of every sort; those behind are numbered.
fn short_name(number: usize) -> String {
    match number {
        0 => "0".to_owned(),
        1 => "null".to_owned(),
        2 => "a".repeat(SLUG_CHARS),
        3 => format!("9{}", "._-".repeat(SLUG_CHARS / 3)),
        4 => "true".to_owned(),
        5 => "0.-_".to_owned(),
        6 => "drop.table.users".to_owned(),
        _ => format!("{number}--"),
    }
}

fn user(draw: &mut Draw, number: usize, name: &str) -> User {
    let id = if number == 0 { Id::nil() } else { draw.id() };
    // As long as it may be, with quotes and a sign that turns what follows, and the shortest one.
    let email = match number % 4 {
        0 => None,
        1 => Some("a@b".to_owned()),
        2 => Some(format!("\"'\\,;\u{202e}{number}\u{feff}\"@{{NULL}}")),
        _ => Some(format!("{number}@{}", texts::of_length(EMAIL_CHARS - 1 - number.to_string().len()))),
    };
    let (name, role) = (long_or(number, name), if (number / 4).is_multiple_of(2) { UserRole::Admin } else { UserRole::Member });
    let made = values::time(number);
    aged(User { id, login: short_name(number), name, email, role, created_at: made, updated_at: made, revision: 1 }, number)
}

/// A name; the third one is as long as a name may be.
fn long_or(number: usize, name: &str) -> String {
    if number == 2 { texts::of_length(NAME_CHARS) } else { texts::cut(name, NAME_CHARS) }
}

fn team(draw: &mut Draw, number: usize, name: &str) -> Team {
    let id = if number == 1 { Id::max() } else { draw.id() };
    let made = values::time(number + 3);
    let team = Team { id, slug: short_name(number), name: long_or(number, name), created_at: made, updated_at: made, revision: 1 };
    aged(team, number)
}

/// The first four users in the first four teams, and one user in nearly all; the last team has no members.
fn memberships(draw: &mut Draw, users: &[User], teams: &[Team]) -> Vec<Membership> {
    let few = (0..4).flat_map(|user| (0..4).map(move |team| (user, team)));
    let pairs = few.chain((0..teams.len() - 1).map(|team| (4, team)));
    pairs
        .enumerate()
        .map(|(number, (user, team))| {
            let id = values::IDS.get(number).copied().unwrap_or_else(|| draw.id());
            let role = if number.is_multiple_of(3) { MembershipRole::Owner } else { MembershipRole::Member };
            let made = values::time(number);
            let (team_id, user_id) = (teams[team].id, users[user].id);
            aged(Membership { id, team_id, user_id, role, created_at: made, updated_at: made, revision: 1 }, number)
        })
        .collect()
}

fn token(draw: &mut Draw, number: usize, name: &str, users: &[User]) -> Token {
    let id = values::IDS.get(number).copied().unwrap_or_else(|| draw.id());
    let mut scopes = TokenScope::ALL.to_vec();
    scopes.rotate_left(number % TokenScope::ALL.len());
    scopes.truncate(1 + number % TokenScope::ALL.len());
    let hash = match number {
        0 => [0; 32],
        1 => [0xff; 32],
        _ => std::array::from_fn(|_| draw.below(256) as u8),
    };
    let made = values::time(number);
    let token = Token {
        id,
        user_id: users[number % 5].id,
        name: long_or(number, name),
        scopes,
        hash: Some(TokenHash(hash)),
        expires_at: (!number.is_multiple_of(3)).then(|| values::time(number + 5)),
        last_used_at: (!number.is_multiple_of(2)).then(|| values::time(number + 7)),
        created_at: made,
        updated_at: made,
        revision: 1,
    };
    aged(token, number)
}
