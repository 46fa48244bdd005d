//! Points in time as people give them: in so many days, on a day, or in full.

use std::str::FromStr;

use mosaic_core::{Clock as _, Error, Result, SystemClock, Timestamp};

use super::output;

/// A point in time, which may count from now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum When {
    /// In so many seconds.
    In(i64),
    /// At this time.
    At(Timestamp),
}

impl When {
    /// The time, counted from `now`.
    pub(super) fn after(self, now: Timestamp) -> Timestamp {
        match self {
            Self::In(seconds) => now.plus_seconds(seconds),
            Self::At(time) => time,
        }
    }
}

impl FromStr for When {
    type Err = Error;

    /// Reads a span (`90d`), a day (`2027-01-01`, which is its first moment, UTC), or a time (RFC 3339).
    fn from_str(text: &str) -> Result<Self> {
        if let Some((at, unit)) = text.char_indices().last()
            && let Some((_, seconds)) = [('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)].iter().find(|(name, _)| *name == unit)
            && let Ok(count) = text[..at].parse::<u32>()
            && count > 0
        {
            let span = Self::In(i64::from(count) * seconds);
            // There is none after the last; what is given is not taken for something else.
            return if span.after(SystemClock.now()) < Timestamp::MAX {
                Ok(span)
            } else {
                Err(Error::invalid("this ends after the year 9999"))
            };
        }
        let time = text.parse().or_else(|_| format!("{text}T00:00:00Z").parse());
        time.map(Self::At).map_err(|_| {
            Error::invalid("give a span such as 2w, 90d, 12h or 30m, a day such as 2027-01-01, or a time such as 2027-01-01T12:00:00Z")
        })
    }
}

/// Reads when something ceases to be: not before now.
pub(super) fn to_come(text: &str) -> Result<When> {
    let (when, now) = (text.parse::<When>()?, SystemClock.now());
    if when.after(now) > now { Ok(when) } else { Err(Error::invalid("this is in the past")) }
}

/// A time to the second, as it is given: a day for its first moment.
pub(super) fn shown(time: Timestamp) -> String {
    let text = output::time(Some(time));
    text.strip_suffix("T00:00:00Z").map(str::to_owned).unwrap_or(text)
}

/// The day of a time, UTC.
pub(super) fn day(time: Timestamp) -> String {
    time.to_string().chars().take_while(|c| *c != 'T').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_span_a_day_or_a_time() {
        assert_eq!("90d".parse::<When>().unwrap(), When::In(90 * 86_400));
        assert_eq!("30m".parse::<When>().unwrap(), When::In(1_800));
        for (text, shown_as, day_of) in [
            ("2027-01-01", "2027-01-01", "2027-01-01"),
            ("2027-01-01T00:00:00Z", "2027-01-01", "2027-01-01"),
            ("2027-01-01T00:30:00.5+01:00", "2026-12-31T23:30:00Z", "2026-12-31"),
        ] {
            let When::At(time) = text.parse().unwrap() else { unreachable!("{text}") };
            assert_eq!((shown(time).as_str(), day(time).as_str()), (shown_as, day_of));
        }
        for text in ["", "d", "0d", "-1d", "90", "90x", "1.5h", "99999999999d", "2027-13-01", "2027-1-1", "é"] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_within_the_calendar_and_may_have_to_be_to_come() {
        assert!("400000w".parse::<When>().is_ok());
        for text in ["4294967295w", "4294967295d", "420000w"] {
            assert_eq!(text.parse::<When>().unwrap_err().to_string(), "this ends after the year 9999", "{text}");
        }
        for text in ["30m", "9999-12-31"] {
            assert_eq!(to_come(text).unwrap(), text.parse().unwrap());
        }
        for text in ["2020-01-01", "1970-01-01T00:00:00Z"] {
            assert!(text.parse::<When>().is_ok());
            assert_eq!(to_come(text).unwrap_err().to_string(), "this is in the past");
        }
        assert!(to_come("soon").is_err());
    }
}
