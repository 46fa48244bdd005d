//! Points in time as people give them, and as records have them.

use mosaic_core::Timestamp;

use super::when::{self, When};
use crate::fuzzing::check_error;

/// A time is written as it was read.
pub(crate) fn when(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(time) = text.parse::<Timestamp>() {
        assert_eq!(time.to_string().parse::<Timestamp>().ok(), Some(time));
        assert_eq!(Timestamp::from_micros(time.as_micros()), Some(time));
    }
    match text.parse::<When>() {
        Ok(When::At(time)) => {
            let shown = when::shown(time);
            // To the second.
            let again = shown.parse::<When>().ok().map(|again| again.after(Timestamp::MIN).as_micros().div_euclid(1_000_000));
            assert_eq!(again, Some(time.as_micros().div_euclid(1_000_000)), "{shown}");
            assert!(when::day(time).parse::<When>().is_ok());
        }
        Ok(When::In(seconds)) => assert!(seconds > 0),
        Err(error) => check_error(&error, text.len()),
    }
    let _ = when::to_come(text);
}
