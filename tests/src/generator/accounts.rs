//! Users, teams, memberships and tokens, and who is in which team. The first user is an admin, and the first token theirs.

use mosaic_core::{Kind, Membership, MembershipRole, Team, Timestamp, Token, TokenHash, TokenScope, User, UserRole};
use sha2::{Digest, Sha256};

use super::Generator;
use super::draw::{Common, Draw};
use super::texts;

const SECONDS_A_DAY: i64 = 86_400;

pub(super) fn user(of: &Generator, number: usize) -> User {
    let mut draw = of.draw(Kind::User, number);
    let Common { id, created_at, updated_at, revision } = draw.common();
    let role = if is_admin(number) { UserRole::Admin } else { UserRole::Member };
    let stem = draw.one_of(&["ada", "grace.hopper", "n", "zoe-", "0x", "build_bot"]);
    let login = format!("{stem}{number}");
    let email = draw.chance(75).then(|| format!("{login}+mosaic@{}", draw.one_of(&["example.org", "büro.example", "例え.example"])));
    User { id, login, name: texts::name(&mut draw), email, role, created_at, updated_at, revision }
}

fn is_admin(user: usize) -> bool {
    user.is_multiple_of(10)
}

pub(super) fn team(of: &Generator, number: usize) -> Team {
    let mut draw = of.draw(Kind::Team, number);
    let Common { id, created_at, updated_at, revision } = draw.common();
    let stem = draw.one_of(&["sig-node", "sales", "ops_", "r.and.d", "7"]);
    Team { id, slug: format!("{stem}-{number}"), name: texts::title(&mut draw), created_at, updated_at, revision }
}

pub(super) fn membership(of: &Generator, number: usize) -> Membership {
    let mut draw = of.draw(Kind::Membership, number);
    let Common { id, created_at, updated_at, revision } = draw.common();
    // First everybody's first team, then the second ones.
    let (user, team) = match number.checked_sub(of.size.users) {
        None => (number, number % of.size.teams),
        Some(second) => (3 * second, (3 * second + 1) % of.size.teams),
    };
    // Whoever is a team's first member owns it.
    let role = if number < of.size.teams || draw.chance(10) { MembershipRole::Owner } else { MembershipRole::Member };
    let (team_id, user_id) = (of.id(Kind::Team, team), of.id(Kind::User, user));
    Membership { id, team_id, user_id, role, created_at, updated_at, revision }
}

/// One of a user's teams; `None` where there are none.
pub(super) fn team_of(of: &Generator, draw: &mut Draw, user: usize) -> Option<usize> {
    let teams = of.size.teams;
    let second = usize::from(teams > 1 && user.is_multiple_of(3) && draw.chance(40));
    (teams > 0).then(|| (user + second) % teams)
}

/// A user whose first team this is; where it is nobody's, the one who is given.
pub(super) fn member_of(of: &Generator, draw: &mut Draw, team: usize, otherwise: usize) -> usize {
    let members = of.size.users.saturating_sub(team).div_ceil(of.size.teams);
    if members == 0 { otherwise } else { team + of.size.teams * draw.below(members) }
}

pub(super) fn token(of: &Generator, number: usize) -> Token {
    let mut draw = of.draw(Kind::Token, number);
    let Common { id, created_at, updated_at, revision } = draw.common();
    // First everybody's first token, then the second ones.
    let user = number.checked_sub(of.size.users).map_or(number, |second| 2 * second);
    let scopes = match number % 5 {
        0 if is_admin(user) => TokenScope::ALL,
        0 | 1 => &[TokenScope::Write, TokenScope::Read],
        2 => &[TokenScope::Read],
        3 => &[TokenScope::Agent, TokenScope::Read, TokenScope::Write],
        _ if is_admin(user) => &[TokenScope::Operator],
        _ => &[TokenScope::Agent],
    };
    let expires_at = match number % 3 {
        0 => None,
        // Over before long, and by now.
        1 => Some(created_at.plus_seconds(draw.between(1, 30) as i64 * SECONDS_A_DAY)),
        _ => Some("2045-06-30T12:34:56.789012Z".parse().unwrap()),
    };
    let last_used_at = (!number.is_multiple_of(4)).then(|| last_use(&mut draw, created_at));
    let hash = Some(TokenHash(Sha256::digest(secret(of, number).as_bytes()).into()));
    let (user_id, name) = (of.id(Kind::User, user), texts::title(&mut draw));
    Token { id, user_id, name, scopes: scopes.to_vec(), hash, expires_at, last_used_at, created_at, updated_at, revision }
}

/// Within a month, to the minute, as the gateway notes it.
fn last_use(draw: &mut Draw, created_at: Timestamp) -> Timestamp {
    let at = draw.time(created_at.plus_seconds(60), created_at.plus_seconds(30 * SECONDS_A_DAY)).as_micros();
    Timestamp::from_micros(at - at % 60_000_000).unwrap()
}

/// A secret as the gateway makes them: a prefix, and 43 characters of URL-safe base64.
pub(super) fn secret(of: &Generator, number: usize) -> String {
    const ALPHABET: &[char] = &[
        'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z',
        'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '-', '_',
    ];
    let mut draw = Draw::of(of.seed, "secret", number);
    let random: String = (0..43).map(|_| draw.one_of(ALPHABET)).collect();
    format!("mosaic_{random}")
}
