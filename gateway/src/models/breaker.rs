//! Whether it is worth asking a server that did not answer: not for a while, which grows each time. What must not come in: the server.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a server is not asked after the first failure; twice as long after each further one, up to [`LONGEST_REST`].
const FIRST_REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// Lets requests through while they are answered. After one that is not, it lets none through for a while, and then one at a time.
#[derive(Debug, Default)]
pub struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Until when nobody is let through.
    rests_until: Option<Instant>,
}

/// What an outcome changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It was well, and no longer is.
    Opened,
    /// It is well again.
    Closed,
    /// It is as it was.
    None,
}

impl Breaker {
    /// Whether one may ask now. After a failure the one that may keeps the others out for as long as its attempt may take.
    pub fn lets_through(&self, attempt: Duration) -> bool {
        let mut state = self.state();
        let now = Instant::now();
        match state.rests_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                state.rests_until = Some(now + attempt);
                true
            }
        }
    }

    /// The server answered.
    pub fn succeeded(&self) -> Turn {
        let mut state = self.state();
        let was_resting = state.rests_until.is_some();
        *state = State::default();
        if was_resting { Turn::Closed } else { Turn::None }
    }

    /// The server did not answer.
    pub fn failed(&self) -> Turn {
        let mut state = self.state();
        let rest = FIRST_REST.saturating_mul(1 << state.failures.min(10)).min(LONGEST_REST);
        let turn = if state.rests_until.is_none() { Turn::Opened } else { Turn::None };
        state.failures = state.failures.saturating_add(1);
        state.rests_until = Some(Instant::now() + rest);
        turn
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTEMPT: Duration = Duration::from_secs(1);

    /// Lets the rest be over.
    fn rested(breaker: &Breaker) {
        breaker.state().rests_until = Some(Instant::now());
    }

    fn rest(breaker: &Breaker) -> Duration {
        breaker.state().rests_until.unwrap().saturating_duration_since(Instant::now())
    }

    #[test]
    fn after_a_failure_nobody_asks_for_a_while_and_then_one() {
        let breaker = Breaker::default();
        assert!(breaker.lets_through(ATTEMPT) && breaker.lets_through(ATTEMPT));
        assert_eq!(breaker.succeeded(), Turn::None);
        assert_eq!((breaker.failed(), breaker.failed()), (Turn::Opened, Turn::None));
        assert!(!breaker.lets_through(ATTEMPT));
        rested(&breaker);
        assert!(breaker.lets_through(ATTEMPT) && !breaker.lets_through(ATTEMPT), "one at a time");
        assert_eq!(breaker.succeeded(), Turn::Closed);
        assert!(breaker.lets_through(ATTEMPT) && breaker.lets_through(ATTEMPT));
    }

    #[test]
    fn the_rest_grows_to_a_bound() {
        let breaker = Breaker::default();
        let mut rests = Vec::new();
        for _ in 0..40 {
            breaker.failed();
            rests.push(rest(&breaker).as_secs_f64().round() as u64);
        }
        assert_eq!((&rests[..5], rests[39]), (&[5, 10, 20, 40, 60][..], 60));
    }
}
