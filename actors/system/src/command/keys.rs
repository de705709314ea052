//! `headwater keys`: makes, lists and revokes API keys, while a server runs or not.

use headwater::api::keys::{self, KeyInfo, KeyRequest, Scope};
use jiff::Timestamp;
use serde_json::json;

use super::output;
use crate::cli::{KeysCommand, SharedArgs};
use crate::command::output::say;
use crate::config::Config;
use crate::error::Failure;
use crate::node::existing_database;
use crate::read_side;
use crate::wal_watch::WalWatch;

/// Does what is asked with keys.
pub async fn run(command: KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::Create { name, scopes, shared } => {
            let config = super::settings(&shared)?;
            let done = create(name, &scopes, &shared, &config).await;
            WalWatch::settle(&config).and(done)
        }
        KeysCommand::List(args) => list(&args.shared).await,
        KeysCommand::Revoke { id, shared } => {
            let config = super::settings(&shared)?;
            let done = revoke(&id, &shared, &config).await;
            WalWatch::settle(&config).and(done)
        }
    }
}

async fn create(
    name: String,
    scopes: &[String],
    shared: &SharedArgs,
    config: &Config,
) -> Result<(), Failure> {
    let database = existing_database(config).await?;
    let scopes: Result<Vec<Scope>, _> = scopes.iter().map(|scope| scope.parse()).collect();
    let request = KeyRequest {
        tenant: shared.tenant.clone(),
        name,
        scopes: scopes.map_err(|error| Failure::new(format!("--scope: {error}")))?,
        expires_at: None,
    };
    let key = keys::create(&database, request, Timestamp::now()).await?;
    let document = json!({ "key": key.text.reveal(), "info": key.info });
    let shown = match shared.json {
        true => output::deliver(format_args!("{}", serde_json::to_string_pretty(&document)?)),
        false => output::deliver(format_args!(
            "{}\nIt is shown this once; keep it where secrets are kept. Its id is {}.",
            key.text.reveal(),
            key.info.id
        )),
    };
    let Err(failure) = shown else { return Ok(()) };
    // A key that nobody has seen must not lie about.
    keys::revoke(&database, &shared.tenant, &key.info.id, Timestamp::now()).await?;
    Err(Failure::new(format!("{failure}; the key {} is revoked again", key.info.id)))
}

async fn list(shared: &SharedArgs) -> Result<(), Failure> {
    let database = read_side::open_to_read(&super::settings(shared)?).await?;
    let keys = keys::list(&database, &shared.tenant).await?;
    if shared.json {
        return output::json(&keys);
    }
    let rows: Vec<Vec<String>> = keys.iter().map(row).collect();
    output::columns(&["id", "name", "scopes", "created", "last used", "state"], &rows);
    Ok(())
}

fn row(key: &KeyInfo) -> Vec<String> {
    let scopes: Vec<String> = key.scopes.iter().map(ToString::to_string).collect();
    let last_used = key.last_used_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
    let state = if key.revoked_at.is_some() { "revoked" } else { "works" };
    vec![
        key.id.clone(),
        key.name.clone(),
        scopes.join(","),
        key.created_at.to_string(),
        last_used,
        state.to_owned(),
    ]
}

async fn revoke(id: &str, shared: &SharedArgs, config: &Config) -> Result<(), Failure> {
    let database = existing_database(config).await?;
    match keys::revoke(&database, &shared.tenant, id, Timestamp::now()).await? {
        true => say!("key {id} is revoked; a running server refuses it within half a minute"),
        false => {
            let tenant = &shared.tenant;
            return Err(Failure::new(format!("tenant {tenant} has no key {id} that works")));
        }
    }
    Ok(())
}
