//! A gateway with some people in it, and a way to ask it something.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use mosaic_core::memory::MemoryCache;
use mosaic_core::{
    Backend, Batch, Change, Clock, CountingIds, Id, IdSource, Membership, MembershipRole, Record, Scope, Storage, Team, Timestamp, Token,
    TokenScope, User, UserRole, memory,
};
use mosaic_gateway::config::Limits;
use mosaic_gateway::doctor::Report;
use mosaic_gateway::http::{App, Parts, Peer, router};
use mosaic_gateway::secret::TokenSecret;
use mosaic_gateway::telemetry;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::counting::Counting;

/// A clock that the test moves.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        // Each look is a little later than the last.
        Timestamp::from_micros(self.0.fetch_add(1, Ordering::SeqCst)).unwrap()
    }
}

/// A user with a token.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: Id,
    pub(crate) token_id: Id,
    pub(crate) secret: String,
}

/// A gateway. `root` is an administrator whose token has all scopes; `ada` owns the team in which `bob` is a member,
/// both with tokens to read and write; `eve` is in no team.
pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) app: Arc<App>,
    pub(crate) backend: Backend,
    /// The backend's storage.
    pub(crate) storage: Arc<Counting>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stopping: CancellationToken,
    pub(crate) root: Person,
    pub(crate) ada: Person,
    pub(crate) bob: Person,
    pub(crate) eve: Person,
    pub(crate) team: Id,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

const EVERYDAY: &[TokenScope] = &[TokenScope::Read, TokenScope::Write, TokenScope::Agent];

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let world = Self::closed(limits).await;
        world.app.open(&world.backend).await.unwrap();
        world
    }

    /// One that has not opened its data yet.
    pub(crate) async fn closed(limits: Limits) -> Self {
        let mut backend = memory::open();
        let clock = Arc::new(TestClock(AtomicI64::new("2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap().as_micros())));
        let storage = Counting::new(backend.storage);
        backend.storage = storage.clone();
        backend.cache = Arc::new(MemoryCache::new(clock.clone()));
        let ids = Arc::new(CountingIds::default());
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        let app = App::new(Parts {
            limits,
            tier: "memory".into(),
            trusted_proxies: serde_json::from_value(json!(["127.0.0.1"])).unwrap(),
            clock: clock.clone(),
            ids: ids.clone(),
            metrics: telemetry::metrics().unwrap(),
            tasks: tasks.clone(),
            stopping: stopping.clone(),
            model: None,
            chat: None,
            look: Arc::new(|| Box::pin(async { Report::new(None, Vec::new()) })),
        });
        let people = People { storage: &*backend.storage, clock: &*clock, ids: &*ids };
        let root = people.person("root", UserRole::Admin, TokenScope::ALL).await;
        let ada = people.person("ada", UserRole::Member, EVERYDAY).await;
        let bob = people.person("bob", UserRole::Member, EVERYDAY).await;
        let eve = people.person("eve", UserRole::Member, EVERYDAY).await;
        let team = people.team(&[(&ada, MembershipRole::Owner), (&bob, MembershipRole::Member)]).await;
        Self { router: router(Arc::clone(&app)), app, backend, storage, clock, tasks, stopping, root, ada, bob, eve, team }
    }

    pub(crate) async fn token(&self, person: &Person, scopes: &[TokenScope], expires_at: Option<Timestamp>) -> Person {
        let people = People { storage: &*self.backend.storage, clock: &*self.clock, ids: &mosaic_core::RandomIds };
        people.token(person.id, scopes, expires_at).await
    }

    pub(crate) async fn get(&self, person: &Person, path: &str) -> Answer {
        self.ask("GET", path, &[("authorization", &bearer(person))], "").await
    }

    pub(crate) async fn post(&self, person: &Person, path: &str, body: Value) -> Answer {
        let headers = [("authorization", &*bearer(person)), ("content-type", "application/json")];
        self.ask("POST", path, &headers, body.to_string()).await
    }

    pub(crate) async fn patch(&self, person: &Person, path: &str, body: Value) -> Answer {
        let headers = [("authorization", &*bearer(person)), ("content-type", "application/merge-patch+json")];
        self.ask("PATCH", path, &headers, body.to_string()).await
    }

    pub(crate) async fn put(&self, person: &Person, path: &str, body: Value) -> Answer {
        let headers = [("authorization", &*bearer(person)), ("content-type", "application/json")];
        self.ask("PUT", path, &headers, body.to_string()).await
    }

    pub(crate) async fn delete(&self, person: &Person, path: &str) -> Answer {
        self.ask("DELETE", path, &[("authorization", &bearer(person))], "").await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body.into()).unwrap();
        request.extensions_mut().insert(Peer(SocketAddr::from(([127, 0, 0, 1], 5))));
        let answer = self.send(request).await;
        self.check_described(method, path, answer.status).await;
        answer
    }

    /// Checks that the description lists an answer's status, where it describes what was asked.
    async fn check_described(&self, method: &str, path: &str, status: StatusCode) {
        static DESCRIPTION: OnceCell<Value> = OnceCell::const_new();
        let read = || async { self.send(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body };
        let path = path.split('?').next().unwrap();
        let described = match path.strip_prefix("/api/v1/").map(|rest| rest.split('/').collect::<Vec<_>>()).as_deref() {
            Some([kinds, _]) => format!("/api/v1/{kinds}/{{id}}"),
            Some([kinds, _, parts]) => format!("/api/v1/{kinds}/{{id}}/{parts}"),
            Some([kinds, _, parts, _, rest]) => format!("/api/v1/{kinds}/{{id}}/{parts}/{{message_id}}/{rest}"),
            Some([kinds, _, parts, _]) => format!("/api/v1/{kinds}/{{id}}/{parts}/{{message_id}}"),
            _ => path.to_owned(),
        };
        let operation = &DESCRIPTION.get_or_init(read).await["paths"][described][method.to_ascii_lowercase()];
        let listed = operation.is_null() || operation["responses"].get(status.as_str()).is_some();
        assert!(listed, "{method} {path} was answered with {status}, which the description does not list");
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, text, body }
    }
}

impl Answer {
    /// Checks that it is this problem, whole, and that it says all of `said` and, where it is the client's to mend, what to do.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str, said: &[&str]) {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.headers["x-request-id"], self.body["request_id"].as_str().unwrap());
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["type"], format!("/docs#{code}"));
        assert!(self.body["title"].is_string());
        let detail = self.body["detail"].as_str().unwrap();
        assert!(!detail.contains('\n') && !detail.ends_with('.'), "{detail}");
        for part in said {
            assert!(self.text.contains(part), "{} does not say {part}", self.text);
        }
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.headers["x-content-type-options"], "nosniff");
        assert_eq!(self.headers["cache-control"], "no-store");
        self
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn bearer(person: &Person) -> String {
    format!("Bearer {}", person.secret)
}

struct People<'w> {
    storage: &'w dyn Storage,
    clock: &'w dyn Clock,
    ids: &'w dyn IdSource,
}

impl People<'_> {
    async fn put(&self, record: impl Into<Record>) {
        self.storage.apply(Scope::System, &Batch::one(self.clock.now(), Change::Create(record.into()))).await.unwrap();
    }

    async fn person(&self, login: &str, role: UserRole, scopes: &[TokenScope]) -> Person {
        let at = self.clock.now();
        let id = self.ids.next(at);
        let user = User { id, login: login.into(), name: login.into(), email: None, role, created_at: at, updated_at: at, revision: 1 };
        self.put(user).await;
        self.token(id, scopes, None).await
    }

    async fn token(&self, user_id: Id, scopes: &[TokenScope], expires_at: Option<Timestamp>) -> Person {
        let at = self.clock.now();
        let secret = TokenSecret::generate().unwrap();
        let token = Token {
            id: self.ids.next(at),
            user_id,
            name: "test".into(),
            scopes: scopes.to_vec(),
            hash: Some(secret.hash()),
            expires_at,
            last_used_at: None,
            created_at: at,
            updated_at: at,
            revision: 1,
        };
        let person = Person { id: user_id, token_id: token.id, secret: secret.expose().to_owned() };
        self.put(token).await;
        person
    }

    async fn team(&self, members: &[(&Person, MembershipRole)]) -> Id {
        let at = self.clock.now();
        let team_id = self.ids.next(at);
        self.put(Team { id: team_id, slug: "crew".into(), name: "Crew".into(), created_at: at, updated_at: at, revision: 1 }).await;
        for (person, role) in members {
            let id = self.ids.next(at);
            self.put(Membership { id, team_id, user_id: person.id, role: *role, created_at: at, updated_at: at, revision: 1 }).await;
        }
        team_id
    }
}
