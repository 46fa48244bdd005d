//! A browser that a test drives: what it shows, what is typed into it, and what it asked for.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mosaic_tests::services::chromium;
use serde_json::{Value, json};
use thirtyfour::prelude::*;
use thirtyfour::{ChromiumLikeCapabilities, LoggingPrefsLogLevel, TypingData};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use crate::harness::{Client, PATIENCE, Place, eventually};

/// How many browsers run at once: each takes some hundred MiB.
static ROOM: Semaphore = Semaphore::const_new(2);

/// The driver. It ends with this process, and so do its browsers: the shell that watches it reads from a pipe that ends then.
struct Driver {
    address: SocketAddr,
    _watch: Child,
}

impl Driver {
    async fn shared() -> &'static Self {
        static DRIVER: OnceCell<Driver> = OnceCell::const_new();
        DRIVER.get_or_init(Self::start).await
    }

    async fn start() -> Self {
        // The client that speaks to it wants to know how TLS is done, which it does not do; that somebody said so before is as well.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let program = chromium().await.driver.display().to_string();
        let address = Place::new().address();
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("'{program}' --port={} & cat; kill 0", address.port())]).process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watch = shell.spawn().expect("there is a shell");
        let client = Client::anonymous(address);
        eventually("the driver answers", PATIENCE, || async {
            let answer = client.try_request(hyper::Method::GET, "/status", &[], "").await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
        Self { address, _watch: watch }
    }
}

/// A browser with the page in it.
pub(crate) struct Browser {
    driver: WebDriver,
    url: String,
    server: SocketAddr,
    _place: SemaphorePermit<'static>,
}

impl Browser {
    /// One that shows the page of the gateway at this address.
    pub(crate) async fn open(url: &str) -> Self {
        let place = ROOM.acquire().await.expect("it is never closed");
        let server = Driver::shared().await;
        let mut wanted = DesiredCapabilities::chrome();
        wanted.set_binary(chromium().await.browser.to_str().expect("paths of tests are UTF-8")).unwrap();
        // Without a sandbox, since root has none; and it asks its maker for nothing.
        for argument in
            ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", "--disable-background-networking"]
        {
            wanted.add_arg(argument).unwrap();
        }
        wanted.set_logging_prefs("browser", LoggingPrefsLogLevel::All).unwrap();
        wanted.set_logging_prefs("performance", LoggingPrefsLogLevel::All).unwrap();
        let driver = WebDriver::new(format!("http://{}", server.address), wanted).await.expect("a browser starts");
        let browser = Self { driver, url: url.to_owned(), server: server.address, _place: place };
        browser.size(1_200).await;
        browser.load().await;
        browser
    }

    /// Loads the page anew, in the same tab.
    pub(crate) async fn load(&self) {
        self.driver.goto(format!("{}/", self.url)).await.expect("the page loads");
        self.until("the page has begun", "document.querySelector('main')").await;
    }

    /// Signs in with a client's token, as a person does.
    pub(crate) async fn sign_in(&self, client: &Client) {
        self.sign_in_with(client.token()).await;
        self.until("somebody is signed in", "document.querySelector('nav') && document.querySelector('main h1')").await;
    }

    /// Tries to sign in.
    pub(crate) async fn sign_in_with(&self, token: &str) {
        self.until("the field has the focus", "document.activeElement.id === 'token'").await;
        self.keys(token.to_owned() + Key::Enter).await;
    }

    /// Goes to a view, and waits until it shows its heading.
    pub(crate) async fn go(&self, path: &str, heading: &str) {
        self.run("location.hash = arguments[0]", json!([path])).await;
        self.heading(heading).await;
    }

    /// Waits for a view by its heading.
    pub(crate) async fn heading(&self, heading: &str) {
        let shown = format!("document.querySelector('main:not([aria-busy]) h1')?.textContent === {}", json!(heading));
        self.until(&format!("the view is {heading:?}"), &shown).await;
    }

    /// Types: into whatever has the focus.
    pub(crate) async fn keys(&self, keys: impl Into<TypingData>) {
        self.driver.action_chain().send_keys(keys).perform().await.expect("keys can be typed");
    }

    /// Types a key while another is held down.
    pub(crate) async fn chord(&self, held: Key, key: Key) {
        let chain = self.driver.action_chain().key_down(held.clone()).key_down(key.clone()).key_up(key).key_up(held);
        chain.perform().await.expect("keys can be typed");
    }

    /// Runs a script with arguments; answers what it returns.
    pub(crate) async fn run(&self, script: &str, arguments: Value) -> Value {
        let arguments = arguments.as_array().cloned().unwrap_or_default();
        let answer = self.driver.execute(script, arguments).await.unwrap_or_else(|error| panic!("{script}: {error}"));
        answer.json().clone()
    }

    /// What an expression comes to.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        self.run(&format!("return {expression}"), json!([])).await
    }

    /// Waits until an expression is true.
    pub(crate) async fn until(&self, what: &str, expression: &str) {
        let script = format!("return Boolean({expression})");
        let waited = tokio::time::timeout(PATIENCE, async {
            while self.run(&script, json!([])).await != true {
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        });
        if waited.await.is_err() {
            panic!("gave up: {what}; the page shows:\n{}\nand says {:?}", self.text().await, self.console().await);
        }
    }

    /// Waits until the page shows this text.
    pub(crate) async fn shows(&self, text: &str) {
        self.until(&format!("{text:?} is shown"), &format!("document.body.innerText.includes({})", json!(text))).await;
    }

    /// All text that is shown.
    pub(crate) async fn text(&self) -> String {
        self.value("document.body.innerText").await.as_str().unwrap_or_default().to_owned()
    }

    /// Presses what has this text.
    pub(crate) async fn press(&self, text: &str) {
        let script = "const found = [...document.querySelectorAll('button, a')].findLast((one) => one.checkVisibility() && \
            (one.textContent.trim() === arguments[0] || one.ariaLabel === arguments[0])); found?.click(); return Boolean(found)";
        assert_eq!(self.run(script, json!([text])).await, true, "there is no {text:?}: {}", self.text().await);
    }

    /// Makes the window so wide, and as high as such windows are.
    pub(crate) async fn size(&self, width: u32) {
        let height = if width < 500 { 740 } else { 900 };
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.driver.cdp().send_raw("Emulation.setDeviceMetricsOverride", size).await.expect("a window has a size");
    }

    /// Prefers the `dark` or the `light` scheme.
    pub(crate) async fn scheme(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }, { "name": "prefers-reduced-motion", "value": "reduce" }] });
        self.driver.cdp().send_raw("Emulation.setEmulatedMedia", features).await.expect("a scheme can be preferred");
    }

    /// Keeps a picture of all that is shown, in cargo's directory for tests.
    pub(crate) async fn picture(&self, name: &str) {
        let taken = json!({ "format": "png", "captureBeyondViewport": false });
        let taken = self.driver.cdp().send_raw("Page.captureScreenshot", taken).await.expect("a picture can be taken");
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("page");
        fs::create_dir_all(&dir).expect("pictures have a place");
        let bytes = STANDARD.decode(taken["data"].as_str().unwrap_or_default()).expect("a picture is base64");
        fs::write(dir.join(format!("{name}.png")), bytes).expect("a picture can be kept");
    }

    /// What the browser has complained of since it was last asked.
    pub(crate) async fn console(&self) -> Vec<String> {
        let entries = self.driver.browser_log().await.expect("there is a log");
        entries.into_iter().filter(|entry| entry.level != "DEBUG").map(|entry| format!("{}: {}", entry.level, entry.message)).collect()
    }

    /// The URLs that the page has asked for since this was last called; but for what is in the URL itself, as the drawings of a browser's own.
    pub(crate) async fn asked_for(&self) -> Vec<String> {
        let entries = self.driver.get_log("performance").await.expect("there is a log");
        let messages = entries.iter().map(|entry| serde_json::from_str::<Value>(&entry.message).expect("it is JSON"));
        let sent = messages.map(|mut entry| entry["message"].take()).filter(|message| message["method"] == "Network.requestWillBeSent");
        let urls = sent.filter_map(|message| message["params"]["request"]["url"].as_str().map(str::to_owned));
        urls.filter(|url| !url.starts_with("data:")).collect()
    }
}

impl Drop for Browser {
    /// Ends the browser. By a connection of its own: what the client has belongs to the test's runtime, which waits for this.
    fn drop(&mut self) {
        let session = self.driver.session_id().to_string();
        let _ = self.driver.clone().leak();
        let Ok(mut stream) = TcpStream::connect(self.server) else { return };
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let _ = write!(stream, "DELETE /session/{session} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.server);
        // An answer has come; the connection stays open all the same.
        let _ = stream.read(&mut [0; 1_024]);
    }
}
