//! A real browser without a screen, driven by WebDriver.
//!
//! `CHROMIUM` and `CHROMEDRIVER` name the programs, as `tests/with-chromium` finds them. With
//! `HEADWATER_SCREENSHOTS` naming a folder, pictures are left there for people to look at.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use headwater::test::skip;
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::http::Request;

use super::wait_until;

/// The name under which WebDriver hands elements over.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with a profile of its own, which ends with this.
pub struct Chromium {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: TempDir,
}

impl Chromium {
    /// Starts a browser; `None`, said loudly, when nobody has named one.
    pub fn start() -> Option<Self> {
        let named = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let (Some(driver), Some(browser)) = (named("CHROMEDRIVER"), named("CHROMIUM")) else {
            skip("no browser: run with tests/with-chromium");
            return None;
        };
        let mut command = Command::new(driver);
        let mut driver =
            command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, port) = line.split_once("successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        // Nobody reads what it goes on to say; it must be able to say it.
        std::thread::spawn(move || lines.for_each(drop));
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)));
        let profile = tempfile::tempdir().unwrap();
        let session = format!("http://127.0.0.1:{}/session", port.unwrap());
        let agent = config.build().into();
        let mut own = Self { driver, session, agent, _profile: profile };
        let wanted = own.wanted(PathBuf::from(browser));
        let made = own.ask("POST", "", &wanted);
        own.session = format!("{}/{}", own.session, made["sessionId"].as_str().unwrap());
        Some(own)
    }

    fn wanted(&self, browser: PathBuf) -> Value {
        let profile = format!("--user-data-dir={}", self._profile.path().display());
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            &profile,
        ];
        json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "binary": browser, "args": args },
        } } })
    }

    pub fn open(&self, url: &str) {
        self.ask("POST", "/url", &json!({ "url": url }));
    }

    /// Returns the path that is shown.
    pub fn path(&self) -> String {
        self.run("return location.pathname + location.search").as_str().unwrap().to_owned()
    }

    /// Runs a function's body in the page and returns what it returns.
    pub fn run(&self, script: &str) -> Value {
        self.ask("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression is true in the page.
    pub fn wait_for(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        wait_until(expression, || (self.run(&script) == true).then_some(()));
    }

    /// Clicks like a person, which fails when something lies above it.
    pub fn click(&self, css: &str) {
        let element = self.find("css selector", css);
        self.ask("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Clicks a link or button by its words.
    pub fn press(&self, words: &str) {
        let path = format!("//main//*[self::a or self::button][normalize-space()='{words}']");
        let element = self.find("xpath", &path);
        self.ask("POST", &format!("/element/{element}/click"), &json!({}));
    }

    pub fn type_into(&self, css: &str, text: &str) {
        let element = self.find("css selector", css);
        self.ask("POST", &format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// Makes the window so wide and its owner fond of light or dark.
    pub fn appear(&self, width: u32, scheme: &str) {
        let metrics =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.develop("Emulation.setDeviceMetricsOverride", metrics);
        // Nothing moves, so that a picture never shows something half way.
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.develop("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Checks that the page does not scroll sideways, and leaves a picture if somebody wants it.
    pub fn look(&self, name: &str) {
        let root = "document.documentElement";
        let wide = self.run(&format!("return {root}.scrollWidth - {root}.clientWidth"));
        assert_eq!(wide, 0, "{name}: the page scrolls sideways");
        let Some(folder) = std::env::var_os("HEADWATER_SCREENSHOTS") else { return };
        let whole = json!({ "captureBeyondViewport": true });
        let picture = self.develop("Page.captureScreenshot", whole);
        let bytes = BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(PathBuf::from(folder).join(format!("{name}.png")), bytes).unwrap();
    }

    /// Checks that the console has no error, so that the page broke none of its own rules.
    pub fn assert_calm(&self) {
        let said = self.ask("POST", "/se/log", &json!({ "type": "browser" }));
        let loud: Vec<_> =
            said.as_array().unwrap().iter().filter(|own| own["level"] == "SEVERE").collect();
        assert!(loud.is_empty(), "{loud:?}");
    }

    fn develop(&self, command: &str, parameters: Value) -> Value {
        self.ask("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    fn find(&self, using: &str, value: &str) -> String {
        wait_until(value, || {
            let wanted = json!({ "using": using, "value": value });
            let found = self.try_ask("POST", "/element", &wanted).ok()?;
            found[ELEMENT].as_str().map(str::to_owned)
        })
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        self.try_ask(method, path, body).unwrap_or_else(|said| panic!("{path} {body}: {said}"))
    }

    fn try_ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.session));
        let request = request.header("content-type", "application/json");
        let mut response = self.agent.run(request.body(body.to_string()).unwrap()).unwrap();
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        let value = answer["value"].take();
        if response.status().is_success() { Ok(value) } else { Err(value) }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // The browser ends with its session; the driver may be gone already.
        let _ = self.try_ask("DELETE", "", &json!({}));
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
