//! A plugin with pages, and a browser without JavaScript that looks at them.

use std::io::{BufRead, BufReader};

use actix_web::HttpResponse;
use headwater::api::keys::{Admin, Reader};
use headwater::api::{Call, PageRoutes, Problem, ProblemKind};
use headwater::page::{Button, Page, Render, html};
use headwater::plugin::Plugin;
use headwater::runtime::Contribution;
use ureq::http::{HeaderMap, Request};

use crate::server::Server;

/// Pages under a name.
pub struct Visitors(pub &'static str);

impl Plugin for Visitors {
    fn name(&self) -> &'static str {
        "visitors"
    }

    fn contribute(self, parts: Contribution) -> Contribution {
        use actix_web::web;
        let routes = PageRoutes::new(self.0, "Visitors", |services| {
            services.route("", web::get().to(book));
            services.route("/greet", web::post().to(greet));
            services.route("/fail", web::get().to(fail));
            services.route("/panic", web::get().to(broken));
        });
        parts.routes(routes.about("Who was here"))
    }
}

/// Shows a name as it was sent, and where the log ends.
async fn book(_: Reader, call: Call) -> Result<HttpResponse, Problem> {
    let name = call.parameters(&["name"])?.one("name")?.unwrap_or_default().to_owned();
    let head = call.system().store().head();
    call.show(move || {
        let (name, head) = (name.clone(), *head.borrow());
        async move {
            let button = Button::to("/ui/visitors/greet", "Greet").with("name", name);
            let page = Page::new("Visitors").part(button.render());
            Ok(page.live("head", html! { p { "head " (head) } }))
        }
    })
    .await
}

async fn greet(_: Admin, mut call: Call) -> Result<HttpResponse, Problem> {
    let fields = call.form(&["name"]).await?;
    match fields.one("name")? {
        Some("") | None => Err(Problem::field("/name", "is empty")),
        Some(_) => Ok(call.see_other("/ui/visitors?name=greeted")),
    }
}

async fn fail(_: Reader) -> Result<HttpResponse, Problem> {
    Err(Problem::new(ProblemKind::NotFound, "no <b>such</b> visitor"))
}

async fn broken(_: Reader) -> HttpResponse {
    panic!("asked to")
}

/// What came back.
pub struct Shown {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

/// A browser: it keeps a cookie and sends forms, and knows no JavaScript.
pub struct Browser {
    agent: ureq::Agent,
    base: String,
    pub cookie: String,
    /// What it says of where its forms are from.
    pub origin: String,
}

impl Browser {
    pub fn of(server: &Server) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let base = server.url("");
        Self { agent: config.build().into(), origin: base.clone(), base, cookie: String::new() }
    }

    /// Signs in with a key, which must be good.
    pub fn signed_in(server: &Server, key: &str) -> Self {
        let mut browser = Self::of(server);
        let shown = browser.send("/ui/sign-in", &[("key", key)]);
        assert_eq!(shown.status, 303, "{}", shown.text);
        let cookie = shown.header("set-cookie").split(';').next().unwrap();
        cookie.clone_into(&mut browser.cookie);
        browser
    }

    pub fn open(&self, path: &str) -> Shown {
        self.run("GET", path, "", &[])
    }

    pub fn send(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let mut form = String::new();
        for (name, value) in fields {
            let value: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            form.push_str(&format!("{name}={value}&"));
        }
        let media = ("content-type", "application/x-www-form-urlencoded");
        self.run("POST", path, &form, &[media])
    }

    pub fn run(&self, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Shown {
        let request = self.request(method, path, headers).body(body.to_owned()).unwrap();
        let mut response = self.agent.run(request).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        Shown { status: response.status().as_u16(), headers: response.headers().clone(), text }
    }

    /// Follows a page; each item is a part that has changed, as JSON.
    pub fn follow(&self, path: &str) -> impl Iterator<Item = String> {
        let headers = [("accept", "text/event-stream")];
        let request = self.request("GET", path, &headers).body(String::new()).unwrap();
        let response = self.agent.run(request).unwrap();
        assert_eq!(response.status().as_u16(), 200);
        let lines = BufReader::new(response.into_body().into_reader()).lines();
        lines.map_while(Result::ok).filter_map(|line| Some(line.strip_prefix("data: ")?.to_owned()))
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> ureq::http::request::Builder {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let cookie = (!self.cookie.is_empty()).then_some(("cookie", self.cookie.as_str()));
        let origin = (!self.origin.is_empty() && method != "GET")
            .then_some(("origin", self.origin.as_str()));
        let all = headers.iter().copied().chain(cookie).chain(origin);
        all.fold(request, |request, (name, value)| request.header(name, value))
    }
}

impl Shown {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn assert_holds(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.text.contains(part), "{part}: {}", self.text);
        }
    }
}
