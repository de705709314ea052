//! Addresses that plugins add.

use actix_web::{HttpResponse, web};
use headwater::api::keys::{Reader, Scope};
use headwater::api::{PluginRoutes, Problem, ProblemKind, ServeError, serve};
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
        parts.routes(PluginRoutes::new(self.0, |services| {
            services.route("/hello", web::get().to(hello));
            services.route("/fail", web::get().to(fail));
        }))
    }
}

async fn hello(Reader(caller): Reader) -> HttpResponse {
    HttpResponse::Ok().json(caller.tenant().as_str())
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
fn a_plugin_under_the_name_of_a_fixed_address_keeps_the_server_from_starting() {
    let server = Server::start();
    let refused = server.runtime.block_on(async {
        let system = System::builder(MemoryStore::shared(), server.database.clone());
        let system = system.plugin(Greeter("events")).start().await.unwrap();
        serve(system, Default::default()).await.err().unwrap()
    });
    assert!(matches!(refused, ServeError::Reserved { name: "events" }));
}
