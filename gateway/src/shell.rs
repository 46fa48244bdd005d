//! Commands that are shown to be run. What must not come in: running any.

/// An argument as a shell takes it.
pub(crate) fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) { argument.to_owned() } else { format!("'{}'", argument.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        assert_eq!(quoted("/srv/team.json"), "/srv/team.json");
        assert_eq!(quoted("my team's.json"), r"'my team'\''s.json'");
        assert_eq!(quoted(""), "''");
    }
}
