//! All that a gateway and its commands say, searched for secrets. What must not come in: where the secrets were put.

use crate::harness::{Answer, Gateway, Outcome, Place};

use super::made::Secrets;

/// What was said in one place.
pub(super) struct Heard {
    name: String,
    said: Vec<(String, String)>,
}

impl Heard {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), said: Vec::new() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn outcome(&mut self, outcome: &Outcome) {
        self.said.push((format!("mosaic {}, stdout", outcome.command), outcome.text()));
        self.said.push((format!("mosaic {}, stderr", outcome.command), outcome.stderr.clone()));
    }

    /// A command that may do as it likes, but say no secret.
    pub(super) async fn command(&mut self, place: &Place, arguments: &[&str]) -> Outcome {
        let outcome = place.run(arguments).await;
        self.outcome(&outcome);
        outcome
    }

    /// The commands that look at the config, and at what it names.
    pub(super) async fn looks(&mut self, place: &Place) {
        for look in [&["doctor"][..], &["doctor", "--json"], &["config", "show"], &["config", "check"]] {
            self.command(place, look).await;
        }
    }

    /// An answer: its body and its headers.
    pub(super) fn answer(&mut self, answer: &Answer) {
        self.said.push((answer.request.clone(), format!("{:?}\n{}", answer.headers, answer.text())));
    }

    /// The log of a gateway that was told to log everything.
    pub(super) fn log(&mut self, gateway: &Gateway) {
        let log = gateway.log();
        assert!(log.contains(" DEBUG ") || log.contains(" TRACE "), "{}: not all was logged: {log:.2000}", self.name);
        self.said.push(("the log".to_owned(), log));
    }

    /// Where a secret was said: what, and the line.
    pub(super) fn leaks(&self, secrets: &Secrets) -> Vec<String> {
        let mut leaks = Vec::new();
        for (what, text) in &self.said {
            if let Some(form) = secrets.forms().iter().find(|form| text.contains(form.as_str())) {
                let line = text.lines().find(|line| line.contains(form.as_str())).unwrap_or(text);
                leaks.push(format!("{}: {what} says {form:?}: {line:.400}", self.name));
            }
        }
        leaks
    }
}
