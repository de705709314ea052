//! Addresses that plugins add.

use actix_web::{HttpResponse, web};
use futures_util::future::ready;
use futures_util::{StreamExt, stream};
use headwater::api::keys::{Reader, Scope};
use headwater::api::{Call, PluginRoutes, Problem, ProblemKind, ServeError, event_stream, serve};
use headwater::plugin::Plugin;
use headwater::runtime::{Contribution, System};
use headwater::store::MemoryStore;

use crate::server::Server;

/// Says good day to readers.
pub struct Greeter(pub &'static str);

impl Plugin for Greeter {
    fn name(&self) -> &'static str {
        "greeter"
    }

    fn contribute(self, parts: Contribution) -> Contribution {
        let routes = PluginRoutes::new(self.0, |services| {
            services.route("/hello", web::get().to(hello));
            services.route("/follow", web::get().to(follow));
            services.route("/fail", web::get().to(fail));
        });
        parts.routes(routes.pushing("follow"))
    }
}

async fn hello(Reader(caller): Reader) -> HttpResponse {
    HttpResponse::Ok().json(caller.tenant().as_str())
}

/// Sends one message, or says that it would.
async fn follow(Reader(caller): Reader, call: Call) -> Result<HttpResponse, Problem> {
    if !call.takes_event_stream() {
        return call.reply(200, &"no messages");
    }
    let listening = call.listen(&caller)?;
    let message = async move { listening.may_go_on().await.then_some("data: hello\n\n".into()) };
    Ok(event_stream(stream::once(message).filter_map(ready)))
}

async fn fail(_: Reader) -> Result<HttpResponse, Problem> {
    Err(Problem::new(ProblemKind::NotFound, "no such guest"))
}

#[test]
fn routes_of_a_plugin_stand_behind_the_guard_and_fail_with_problems() {
    let server = Server::start();
    assert_eq!(server.get("/v1/greeting/hello").send().body, "default");
    assert_eq!(server.ask_anonymously("GET", "/v1/greeting/hello").send().status, 401);
    let writer = server.key("default", &[Scope::Write]);
    let refused = server.get("/v1/greeting/hello").key(writer.text.reveal()).send();
    assert_eq!(refused.problem(), "forbidden");
    assert_eq!(server.get("/v1/greeting/fail").send().body["detail"], "no such guest");
    assert_eq!(server.get("/v1/greeting/nothing").send().problem(), "not-found");
}

#[test]
fn addresses_of_a_plugin_send_messages_where_it_says_so_to_who_accepts_nothing_else() {
    let server = Server::start_with(|config| config.limits.subscribers_max = 1);
    let ask = |path: &str| server.get(path).header("accept", "text/event-stream").send();
    for _ in 0..2 {
        let reply = ask("/v1/greeting/follow");
        assert_eq!(reply.header("content-type"), "text/event-stream");
    }
    assert_eq!(ask("/v1/greeting/hello").problem(), "not-acceptable");
    assert_eq!(server.get("/v1/greeting/follow").send().body, "no messages");
}

#[test]
fn a_plugin_under_the_name_of_a_fixed_address_keeps_the_server_from_starting() {
    let server = Server::start();
    let refused = server.runtime.block_on(async {
        let system = System::builder(MemoryStore::shared(), server.database.clone());
        let system = system.plugin(Greeter("events")).start().await.unwrap();
        serve(system, Default::default()).await.err().unwrap()
    });
    assert!(matches!(refused, ServeError::Reserved { name: "events" }));
}
