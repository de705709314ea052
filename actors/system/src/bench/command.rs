//! Commands: through a hot aggregate in process, and over HTTP.

use std::time::Instant;

use headwater::api::keys::{self, KeyRequest, Scope};
use headwater::api::{ApiConfig, ApiServer, serve};
use headwater::event::Tenant;
use jiff::Timestamp;

use super::append::write_at_once;
use super::case::{Case, Measure, Outcome, Round, Target};
use super::ground::Ground;
use super::load::{Load, drive};
use super::raw::RawFile;
use super::sample::{Add, Counter, filler};
use super::system::Bed;
use crate::error::Failure;

const CALLERS: u64 = 64;

/// Runs `bench command`: 64 callers of one aggregate against 64 writers without actors.
pub fn run_command(ground: &Ground) -> Result<Vec<Outcome>, Failure> {
    let bed = Bed::start(ground, "command", false)?;
    let case = Case {
        name: "64 callers, 1 hot aggregate".into(),
        unit: "commands",
        limit_name: "64 writers of the same log, no actors",
        target: Target::Ratio(0.7),
    };
    let barriers = || bed.log.stats().barriers;
    let (mut called, mut written) = (Vec::new(), Vec::new());
    let mut outcome = case.run(ground.rounds, || {
        let first = barriers();
        let limit = ground.block_on(write_at_once(&bed.log, ground.within))?;
        let second = barriers();
        let subject = ground.block_on(call(&bed, ground))?;
        written.push(limit.count / (second - first).max(1));
        called.push(subject.count / (barriers() - second).max(1));
        Ok(Round { subject, limit })
    })?;
    let note = format!("commands a barrier, by round: {called:?}; events beside: {written:?}");
    outcome.notes.push(note);
    bed.stop(ground)?;
    Ok(vec![outcome])
}

async fn call(bed: &Bed, ground: &Ground) -> Result<Measure, Failure> {
    let start = Instant::now();
    let end = start + ground.within;
    let caller = |_| {
        let system = bed.system.clone();
        tokio::spawn(async move {
            let told = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
            let hot = system.at::<Counter>(&Tenant::default_tenant(), "hot");
            let hot = hot.map_err(|error| told(&error))?;
            let add = Add { amount: 1, filler: filler() };
            let mut count = 0;
            while Instant::now() < end {
                hot.send(add.clone()).await.map_err(|error| told(&error))?;
                count += 1;
            }
            Ok::<u64, Failure>(count)
        })
    };
    let callers: Vec<_> = (0..CALLERS).map(caller).collect();
    let mut count = 0;
    for caller in callers {
        count += caller.await.map_err(|error| Failure::new(error.to_string()))??;
    }
    Ok(Measure { count, elapsed: start.elapsed() })
}

/// Runs `bench http`: durable commands against requests that do nothing, on the same server.
pub fn run_http(ground: &Ground) -> Result<Vec<Outcome>, Failure> {
    let bed = Bed::start(ground, "http", false)?;
    let (server, key) = ground.block_on(start_server(&bed))?;
    let case = Case {
        name: "POST command, 64 keep-alive connections".into(),
        unit: "requests",
        limit_name: "POST no-op, same server and bytes",
        target: Target::Ratio(0.5),
    };
    let body = serde_json::to_string(&Add { amount: 1, filler: filler() })?;
    let mut p99_ms = Vec::new();
    let post = |path: fn(u64) -> String| {
        let (key, body) = (key.clone(), body.clone());
        let request =
            move |number: u64, out: &mut Vec<u8>| write(out, &path(number), (&key, &body));
        ground.block_on(drive(server.address(), CALLERS, ground.within, request))
    };
    let mut outcome = case.run(ground.rounds, || {
        let limit = post(|_| "/v1/noop".to_owned())?.measure;
        let Load { measure, latency } =
            post(|number| format!("/v1/bench-counter/{}/add", (number >> 40) * 10 + number % 10))?;
        p99_ms.push(latency.value_at_quantile(0.99) as f64 / 1_000.0);
        Ok(Round { subject: measure, limit })
    })?;
    let barrier = RawFile::create(&ground.dir)?.write(&[7; 512], 1, ground.within)?;
    outcome.notes.push(format!(
        "p99 by round: {p99_ms:.2?} ms (target < 10 ms); one barrier takes {:.2} ms",
        1_000.0 / barrier.rate()
    ));
    ground.block_on(server.stop());
    bed.stop(ground)?;
    Ok(vec![outcome])
}

async fn start_server(bed: &Bed) -> Result<(ApiServer, String), Failure> {
    let request = KeyRequest {
        tenant: Tenant::default_tenant(),
        name: "bench".into(),
        scopes: Scope::ALL.to_vec(),
        expires_at: None,
    };
    let key = keys::create(&bed.database, request, Timestamp::now()).await?;
    let mut config = ApiConfig { bench_routes: true, ..ApiConfig::default() };
    config.address.set_port(0);
    config.limits.rate_per_second = None;
    Ok((serve(bed.system.clone(), config).await?, key.text.reveal().to_owned()))
}

fn write(out: &mut Vec<u8>, path: &str, (key, body): (&str, &str)) {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(body.as_bytes());
}
