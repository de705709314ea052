//! `headwater demo`: a year of a shop through the whole system, then a server to look at it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use headwater::api::keys::{self, KeyRequest, NewKey, Scope};
use headwater::event::{Position, Tenant};
use headwater::projection::ProjectionStatus;
use headwater_shop::sender::ShopSender;
use jiff::Timestamp;
use serde_json::json;

use super::output::{self, thousands};
use super::{import, projections, serve};
use crate::cli::DemoArgs;
use crate::command::output::say;
use crate::config::{Config, DEFAULT_DATA_DIR};
use crate::error::Failure;
use crate::intake::{self, IntakeReport, Unit, bar};
use crate::node::Node;

/// Where the demo keeps its data when no folder is named: apart from real data.
const DEMO_DATA_DIR: &str = "./headwater-demo";

/// The name of the demo's key.
const KEY_NAME: &str = "demo";

/// How long the projections may take behind the last command before the demo gives up.
const CATCH_UP: Duration = Duration::from_secs(600);

/// What the demo shows at the end.
struct Summary {
    intake: IntakeReport,
    head: Position,
    projections: Vec<ProjectionStatus>,
    caught_up_seconds: f64,
}

/// Runs the demo.
pub async fn run(args: DemoArgs) -> Result<(), Failure> {
    let mut config = super::settings(&args.shared)?;
    if config.data_dir == Path::new(DEFAULT_DATA_DIR) {
        config.data_dir = DEMO_DATA_DIR.into();
    }
    let is_quiet = args.shared.json;
    if !is_quiet {
        say!("A year of a shop: commands → aggregates → log → read models\n");
    }
    // What ends with the summary is a command like others, and sends nothing.
    let node = match args.exit {
        true => Node::open(config.clone()).await?,
        false => Node::serve(config.clone()).await?,
    };
    let summary = run_shop(&node, &args).await?;
    show(&summary, &config, is_quiet)?;
    if args.exit {
        return node.close().await;
    }
    let key = fresh_key(&node, &args.shared.tenant).await?;
    let server = serve::start(&node, &config).await?;
    let stop = serve::StopSignals::listen()?;
    say_where(server.address(), key.text.reveal(), &config);
    serve::until_stopped(stop, node, server).await
}

async fn run_shop(node: &Node, args: &DemoArgs) -> Result<Summary, Failure> {
    let start = Instant::now();
    let sender = ShopSender::new(node.system.clone(), args.shared.tenant.clone());
    let intake = match &args.import {
        Some(file) => intake::take_file(sender, file, args.shared.json).await?,
        None => intake::take_made_up(sender, args.invoices, args.shared.json).await?,
    };
    let head = *node.log.store().head().borrow();
    catch_up(node, head, args.shared.json).await?;
    let caught_up_seconds = start.elapsed().as_secs_f64();
    Ok(Summary { intake, head, projections: node.system.projections(), caught_up_seconds })
}

/// Waits until every projection has considered everything up to the end of the log.
async fn catch_up(node: &Node, head: Position, is_quiet: bool) -> Result<(), Failure> {
    let names: Vec<String> = node.system.projections().into_iter().map(|p| p.name).collect();
    let bar = bar(names.len() as u64, Unit::Things, "projections", is_quiet);
    for name in names {
        node.system.wait_for(&name, head, CATCH_UP).await?;
        bar.inc(1);
    }
    bar.finish();
    Ok(())
}

fn show(summary: &Summary, config: &Config, as_json: bool) -> Result<(), Failure> {
    let statuses = serde_json::to_value(&summary.projections)?;
    let has_caught_up = summary.projections.iter().all(|status| status.position >= summary.head);
    if as_json {
        return output::json(&json!({
            "data_dir": config.data_dir,
            "store": config.place(),
            "intake": summary.intake,
            "head": summary.head,
            "caught_up": has_caught_up,
            "seconds": (summary.caught_up_seconds * 1_000.0).round() / 1_000.0,
            "projections": statuses,
        }));
    }
    say!("");
    import::print(&summary.intake);
    say!("  events       {:>14}", thousands(summary.head.get()));
    say!("  all projections at the end of the log after {:.1} s\n", summary.caught_up_seconds);
    projections::print(statuses.as_array().map(Vec::as_slice).unwrap_or_default());
    Ok(())
}

/// Makes a key for this run and takes back the one of an earlier run.
async fn fresh_key(node: &Node, tenant: &Tenant) -> Result<NewKey, Failure> {
    let (database, now) = (&node.database, Timestamp::now());
    let earlier = keys::list(database, tenant).await?;
    for key in earlier.iter().filter(|key| key.name == KEY_NAME && key.revoked_at.is_none()) {
        keys::revoke(database, tenant, &key.id, now).await?;
    }
    let (name, scopes) = (KEY_NAME.to_owned(), Scope::ALL.to_vec());
    let request = KeyRequest { tenant: tenant.clone(), name, scopes, expires_at: None };
    Ok(keys::create(database, request, now).await?)
}

fn say_where(address: SocketAddr, key: &str, config: &Config) {
    say!("\nServing {} on http://{address}", config.place());
    say!("Pages:         http://{address}/ui");
    say!("Documentation: http://{address}/v1/docs");
    say!("API key (an admin's, for this run): {key}\n\nTry:");
    for line in serve::curl_lines(address, key) {
        say!("  {line}");
    }
    say!("\nStop with Ctrl-C.");
}
