//! A stream of a session's events. The first byte says in what pieces it comes.

use super::*;
use crate::fuzzing::{check_error, cut, run};

/// In whatever pieces a stream comes, it tells the same.
pub(crate) fn events(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    assert_eq!(told(vec![Bytes::copy_from_slice(body)]), told(cut(body, usize::from(*first))));
}

/// The events, and what was wrong in the end.
type Told = (Vec<(Event, Value)>, Option<String>);

fn told(pieces: Vec<Bytes>) -> Option<Told> {
    let length = pieces.iter().map(Bytes::len).sum();
    let body = reqwest::Body::wrap_stream(stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)));
    run(async {
        let mut events = Events::of(hyper::Response::new(body).into());
        let mut told = Vec::new();
        loop {
            match events.next().await {
                Ok(Some(event)) => told.push(event),
                Ok(None) => return (told, None),
                Err(error) => {
                    check_error(&error, length);
                    return (told, Some(error.to_string()));
                }
            }
        }
    })
}
