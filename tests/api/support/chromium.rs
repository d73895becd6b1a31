//! A real Chromium of a test's own, driven over the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/).
//! It listens on a pipe, not on a port: nothing else on the machine can drive it, and no WebSocket is needed. Messages are
//! JSON with a NUL behind each.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{broadcast, oneshot};

use super::{TempDir, eventually};

/// How long an answer may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

/// A running browser.
pub struct Chromium {
    pipe: tokio::sync::Mutex<ChildStdin>,
    waiting: Waiting,
    events: broadcast::Sender<Arc<Value>>,
    next: AtomicU64,
    _child: Child,
    _folder: TempDir,
}

/// One of its pages.
#[derive(Clone)]
pub struct Page {
    browser: Arc<Chromium>,
    session: String,
    target: String,
}

impl Chromium {
    pub async fn start() -> Arc<Self> {
        let folder = TempDir::new();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new("sh");
        // The shell makes the protocol's descriptors 3 and 4 of the pipes that we hold.
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null"]).arg(program());
        command.args([
            "--headless",
            "--remote-debugging-pipe",
            "--no-first-run",
            "--no-default-browser-check",
            "--no-proxy-server",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--password-store=basic",
            "--lang=en-GB",
            "--window-size=390,844",
        ]);
        command.arg(format!("--user-data-dir={}", folder.path().join("profile").display()));
        // Its sandbox refuses root, whom containers mostly are.
        if nix::unistd::geteuid().is_root() {
            command.arg("--no-sandbox");
        }
        command.arg("about:blank").env("HOME", folder.path()).env("TZ", "Europe/Berlin").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("sh starts");
        let pipe = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let (events, _) = broadcast::channel(4_096);
        let waiting = Waiting::default();
        tokio::spawn(read(answers, Arc::clone(&waiting), events.clone()));
        let browser = Self {
            pipe: tokio::sync::Mutex::new(pipe),
            waiting,
            events,
            next: AtomicU64::new(1),
            _child: child,
            _folder: folder,
        };
        browser.call(None, "Browser.getVersion", json!({})).await;
        Arc::new(browser)
    }

    /// A new page, empty.
    pub async fn page(self: &Arc<Self>) -> Page {
        let target = self.call(None, "Target.createTarget", json!({ "url": "about:blank" })).await;
        let target = target["targetId"].as_str().unwrap().to_owned();
        let attach = json!({ "targetId": target, "flatten": true });
        let session = self.call(None, "Target.attachToTarget", attach).await["sessionId"].as_str().unwrap().to_owned();
        let page = Page { browser: Arc::clone(self), session, target };
        for domain in ["Page", "Runtime", "Network", "Log"] {
            page.call(&format!("{domain}.enable"), json!({})).await;
        }
        page
    }

    async fn call(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, sender);
        let mut text = message.to_string().into_bytes();
        text.push(0);
        let sent = self.pipe.lock().await.write_all(&text).await;
        sent.expect("Chromium runs; `scripts/setup --tests` installs it");
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        let answer = answer.unwrap_or_else(|_| panic!("Chromium does not answer {method}")).expect("Chromium runs");
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }
}

/// Answers to who waits for them, events to who listens.
async fn read(
    mut answers: BufReader<tokio::process::ChildStdout>,
    waiting: Waiting,
    events: broadcast::Sender<Arc<Value>>,
) {
    let mut text = Vec::new();
    while answers.read_until(0, &mut text).await.is_ok_and(|length| length > 0) {
        text.pop();
        let message: Value = serde_json::from_slice(&text).expect("Chromium sends JSON");
        text.clear();
        match message["id"].as_u64().and_then(|id| waiting.lock().unwrap().remove(&id)) {
            Some(sender) => drop(sender.send(message)),
            None => drop(events.send(Arc::new(message))),
        }
    }
    waiting.lock().unwrap().clear();
}

impl Page {
    pub async fn call(&self, method: &str, params: Value) -> Value {
        self.browser.call(Some(&self.session), method, params).await
    }

    /// Events of this page from now on.
    pub fn events(&self) -> Events {
        Events { receiver: self.browser.events.subscribe(), session: self.session.clone() }
    }

    /// Runs a script in every document before its own.
    pub async fn before_each_document(&self, script: &str) {
        self.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
    }

    pub async fn open(&self, url: &str) {
        let mut events = self.events();
        let answer = self.call("Page.navigate", json!({ "url": url })).await;
        assert!(answer.get("errorText").is_none(), "{url}: {answer}");
        events.next("Page.loadEventFired").await;
    }

    pub async fn reload(&self) {
        let mut events = self.events();
        self.call("Page.reload", json!({})).await;
        events.next("Page.loadEventFired").await;
    }

    pub async fn close(self) {
        self.browser.call(None, "Target.closeTarget", json!({ "targetId": self.target })).await;
    }

    /// The value of an expression, of a promise when it is settled.
    pub async fn value(&self, expression: &str) -> Value {
        let ask = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true });
        let answer = self.call("Runtime.evaluate", ask).await;
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// The text that a person sees of an element; empty when it is hidden.
    pub async fn text(&self, selector: &str) -> String {
        let selector = json!(selector);
        let text = self.value(&format!("document.querySelector({selector})?.checkVisibility() ? document.querySelector({selector}).innerText : ''")).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a visible element's text has a part; answers the text.
    pub async fn shows(&self, selector: &str, part: &str) -> String {
        eventually(&format!("{selector} to show {part:?}"), || async {
            let text = self.text(selector).await;
            (!text.is_empty() && text.contains(part)).then_some(text)
        })
        .await
    }

    /// Waits until an expression is true.
    pub async fn until(&self, expression: &str) {
        eventually(expression, || async { (self.value(expression).await == true).then_some(()) }).await;
    }

    /// Presses the mouse in the middle of an element, as a person does: it has to be visible.
    pub async fn click(&self, selector: &str) {
        let found = format!(
            "(() => {{ const found = document.querySelector({}); if (!found?.checkVisibility() || found.disabled) return null; \
             found.scrollIntoView({{ block: 'center' }}); const box = found.getBoundingClientRect(); \
             return [box.x + box.width / 2, box.y + box.height / 2]; }})()",
            json!(selector)
        );
        let place = eventually(&format!("{selector} to be there"), || async {
            Some(self.value(&found).await).filter(|place| !place.is_null())
        })
        .await;
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event).await;
        }
    }

    /// A picture of the whole page.
    pub async fn picture(&self, file: &Path) {
        let answer = self.call("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        let picture = base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().unwrap()).unwrap();
        std::fs::write(file, picture).unwrap();
    }
}

/// What happens in a page.
pub struct Events {
    receiver: broadcast::Receiver<Arc<Value>>,
    session: String,
}

impl Events {
    /// The next event of a name; answers its parameters.
    pub async fn next(&mut self, method: &str) -> Value {
        let found = async {
            loop {
                let event = self.receiver.recv().await.expect("events are read as fast as they come");
                if event["sessionId"] == self.session.as_str() && event["method"] == method {
                    return event["params"].clone();
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("waited in vain for {method}"))
    }
}

/// Where the browser is, whatever it is called here.
fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("AFFERENT_TEST_BROWSER") {
        return named.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let mac = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";
    let mut places =
        std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name))).chain([PathBuf::from(mac)]);
    places.find(|place| place.exists()).expect("a Chromium is installed: `scripts/setup --tests` does that")
}
