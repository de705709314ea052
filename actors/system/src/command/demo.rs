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

use super::demo_shop::{self, DemoShop};
use super::output::{self, thousands};
use super::{import, projections, serve};
use crate::cli::DemoArgs;
use crate::command::output::note as say;
use crate::config::{Config, DEFAULT_DATA_DIR};
use crate::error::Failure;
use crate::intake::{self, IntakeReport, RetailFile, Unit, bar};
use crate::node::Node;
use crate::read_side::Lost;

/// Where the demo keeps its data when no folder is named: apart from real data.
const DEMO_DATA_DIR: &str = "./headwater-demo";

/// The name of the demo's key.
const KEY_NAME: &str = "demo";

/// How long the projections may take behind the last command before the demo gives up.
const CATCH_UP: Duration = Duration::from_secs(600);

/// What the demo shows at the end.
struct Summary {
    intake: IntakeReport,
    /// The shop was in the log before.
    is_there: bool,
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
    let file = args.import.as_ref().map(|file| RetailFile::open(file, is_quiet)).transpose()?;
    if !args.exit {
        serve::expect_free(config.listen)?;
    }
    if args.fresh {
        demo_shop::remove(&config).await?;
    }
    if !is_quiet {
        say!("A year of a shop: commands → aggregates → log → read models\n");
    }
    // What ends with the summary is a command like others, and sends nothing.
    let node = match args.exit {
        true => Node::open(config.clone()).await?,
        false => Node::serve(config.clone(), Lost::Refuse).await?,
    };
    let summary = run_shop(&node, &config, &args, file).await?;
    show(&summary, &config, is_quiet)?;
    if args.exit {
        node.close().await?;
        return expect_some(&summary);
    }
    let server = serve::start(&node, &config).await?;
    let stop = serve::StopSignals::listen()?;
    let key = fresh_key(&node, &args.shared.tenant).await?;
    say_where(server.address(), key.text.reveal(), &config)?;
    serve::until_stopped(stop, node, server).await
}

/// Fails when a file was taken in and nothing of it was good.
fn expect_some(summary: &Summary) -> Result<(), Failure> {
    let read = &summary.intake.read;
    match read.lines > 0 && read.invoices == 0 {
        true => import::expect_at_most(0, &summary.intake),
        false => Ok(()),
    }
}

async fn run_shop(
    node: &Node,
    config: &Config,
    args: &DemoArgs,
    file: Option<RetailFile>,
) -> Result<Summary, Failure> {
    let head = *node.log.store().head().borrow();
    let found = DemoShop::find(&node.database, args, head).await?;
    let (start, is_there) = (Instant::now(), found.is_some());
    let intake = match found {
        Some(found) => {
            if !args.shared.json {
                let place = config.place();
                say!("{place} already holds the shop of {}: serving it", found.shop);
            }
            IntakeReport::default()
        }
        None => send_shop(node, args, file).await?,
    };
    let head = *node.log.store().head().borrow();
    catch_up(node, head, args.shared.json).await?;
    if !is_there {
        DemoShop::note(&node.database, args, head).await?;
    }
    let caught_up_seconds = start.elapsed().as_secs_f64();
    let projections = node.system.projections();
    Ok(Summary { intake, is_there, head, projections, caught_up_seconds })
}

async fn send_shop(
    node: &Node,
    args: &DemoArgs,
    file: Option<RetailFile>,
) -> Result<IntakeReport, Failure> {
    let sender = ShopSender::new(node.system.clone(), args.shared.tenant.clone());
    match file {
        Some(file) => file.take_in(sender).await,
        None => intake::take_made_up(sender, args.invoices, args.shared.json).await,
    }
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
        return output::tell_json(&json!({
            "data_dir": config.data_dir,
            "store": config.place(),
            "intake": summary.intake,
            "was_there": summary.is_there,
            "head": summary.head,
            "caught_up": has_caught_up,
            "seconds": (summary.caught_up_seconds * 1_000.0).round() / 1_000.0,
            "projections": statuses,
        }));
    }
    say!("");
    if !summary.is_there {
        import::print(&summary.intake);
    }
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

fn say_where(address: SocketAddr, key: &str, config: &Config) -> Result<(), Failure> {
    let mut lines = vec![
        format!("\nServing {} on http://{address}", config.place()),
        format!("Pages:         http://{address}/ui"),
        format!("Documentation: http://{address}/v1/docs"),
        format!("API key (an admin's, for this run): {key}\n\nTry:"),
    ];
    lines.extend(serve::curl_lines(address, key).map(|line| format!("  {line}")));
    lines.push("\nStop with Ctrl-C.".to_owned());
    output::deliver(format_args!("{}", lines.join("\n")))
}
