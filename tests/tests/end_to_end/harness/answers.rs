//! What came back over HTTP, and what every answer of a sort has in common.

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What was asked, for failures.
    pub(crate) request: String,
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The whole body.
    pub(crate) body: Bytes,
}

impl Answer {
    /// The same answer, whose status must be `status`.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text());
        self
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{}: {error}: {}", self.request, self.text()))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header; it must be there.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("{}: no header {name}: {:?}", self.request, self.headers));
        value.to_str().expect("headers are text").to_owned()
    }

    /// The items of a list.
    #[track_caller]
    pub(crate) fn items(&self) -> Vec<Value> {
        self.json()["items"].as_array().cloned().unwrap_or_else(|| panic!("{}: no items: {}", self.request, self.text()))
    }

    /// A problem document (RFC 9457) with this status and code; every one has the same shape, and shows nothing of the inside.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text());
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.request);
        let problem = self.json();
        let context = format!("{}: {problem}", self.request);
        assert_eq!(problem["status"], status, "{context}");
        assert_eq!(problem["code"], code, "{context}");
        for field in ["type", "title", "detail", "hint", "request_id"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "no {field}: {context}");
        }
        assert_eq!(problem["request_id"], self.header("x-request-id"), "{context}");
        let text = problem.to_string().to_lowercase();
        for inside in ["sqlstate", "sqlx", "select ", "insert ", "panicked", ".rs:", "/home/", "/tmp/"] {
            assert!(!text.contains(inside), "{inside:?} is nobody's business: {context}");
        }
        problem
    }

    /// A problem that names something.
    #[track_caller]
    pub(crate) fn refusal(&self, status: u16, code: &str, names: &str) {
        let problem = self.problem(status, code);
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(names), "{}: {detail:?} does not name {names:?}", self.request);
    }
}
