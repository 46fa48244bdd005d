//! A model's answer, as a stream of events or as a whole. The first byte says in what pieces it comes.

use super::*;
use crate::fuzzing::{cut, run};

const KEY: &str = "sk-7f3a91c0de";

/// In whatever pieces an answer comes, it says the same; what goes wrong is told without the key.
pub(crate) fn answer(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let all_at_once = told(vec![Bytes::copy_from_slice(body)]);
    assert_eq!(all_at_once, told(cut(body, usize::from(*first))));
    if let Some(Err(said)) = &all_at_once {
        assert!(!said.contains(KEY) && !said.contains('\n'), "{said}");
    }
    let value = serde_json::from_slice(body).unwrap_or_default();
    let failure = Failure::told(&server().url, &value, Some(KEY));
    assert!(!failure.to_string().contains(KEY), "{failure}");
}

fn server() -> Server {
    let (url, silence) = ("http://127.0.0.1:9/v1", Duration::from_secs(5));
    let url = Url::parse(url).unwrap_or_else(|error| unreachable!("{error}"));
    Server { url, key: serde_json::from_value(KEY.into()).ok(), silence }
}

/// What an answer comes to: its text, the calls without their ids, which may be made up, and how it ended; or what went wrong.
fn told(pieces: Vec<Bytes>) -> Option<Result<String, String>> {
    let body = reqwest::Body::wrap_stream(stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)));
    run(async {
        let mut answer = Answer::streamed(hyper::Response::new(body).into(), Arc::new(server()));
        let mut said = String::new();
        loop {
            match answer.next().await {
                Ok(Some(Piece::Text(text))) => said += &text,
                Ok(Some(Piece::Done(done))) => {
                    let calls: Vec<_> = done.tool_calls.iter().map(|call| (&call.name, &call.arguments)).collect();
                    said += &format!("\n{calls:?} {} {:?}", done.cut_off, done.tokens);
                }
                Ok(None) => return Ok(said),
                Err(failure) => return Err(failure.error.to_string()),
            }
        }
    })
}
