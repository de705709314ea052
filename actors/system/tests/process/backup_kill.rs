//! A backup that is killed at any moment never opens as something that it is not.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;

use super::harness::{Folder, Random, Server};

const SERVE: [&str; 5] = ["serve", "--listen", "127.0.0.1:0", "--data-dir", "copy"];

fn shop() -> (Folder, String, u64) {
    let folder = Folder::new();
    let server = Server::start(&folder, &["--log-segment-bytes", "64KiB"]);
    for number in 0..300 {
        let path = format!("/v1/product/P{number}/add");
        let add = json!({ "description": "A MUG".repeat(50) });
        server.client.command(&path, &number.to_string(), &add).unwrap().body_of(201);
    }
    let key = server.client.key().to_owned();
    server.stop();
    (folder, key, 300)
}

/// Checks that a killed backup is not there, says that it is not whole, or is whole.
fn assert_whole_or_refused(folder: &Folder, key: &str, events: u64) -> bool {
    let copy = folder.path("copy");
    let is_whole = copy.exists() && !copy.join("UNFINISHED-BACKUP").exists();
    if is_whole {
        let server = Server::start_again(folder, &["--data-dir", "copy"], key);
        let head = server.client.get(&format!("/v1/read/products?at_least={events}&limit=1"));
        assert_eq!(head["position"], events, "{head}");
        server.stop();
    } else if copy.exists() {
        let lines = [&SERVE[..], &["verify", "--data-dir", "copy"]];
        for line in lines {
            folder.run(line).assert_refused(&["copy is a backup that was not finished", "remove"]);
        }
        folder.run(&["backup", "copy"]).assert_refused(&["not finished", "remove it"]);
        assert!(!copy.join("read.sqlite").exists() || copy.join("log/FORMAT").exists());
    }
    is_whole
}

fn clean(folder: &Folder) {
    for entry in fs::read_dir(folder.path("")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if name.contains("copy") {
            fs::remove_dir_all(&entry).unwrap();
        }
    }
}

/// Kills a backup after so long, or when a file is there.
fn kill(folder: &Folder, after: Duration, file: Option<&Path>) {
    let mut backup = folder.program(&["backup", "copy"]);
    let mut child = backup.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() && start.elapsed() < after {
        if file.is_some_and(Path::exists) {
            break;
        }
        std::hint::spin_loop();
    }
    // It may have ended already.
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn a_backup_killed_at_each_step_is_whole_or_refused() {
    let (folder, key, events) = shop();
    let steps = [
        "copy",
        "copy/UNFINISHED-BACKUP",
        "copy/log",
        "copy/read.sqlite.tmp",
        "copy/outbox.key",
        "copy/log/segments",
        "copy/log/FORMAT",
        "copy/read.sqlite",
        "copy/backup.json",
    ];
    for step in steps {
        kill(&folder, Duration::from_secs(30), Some(&folder.path(step)));
        assert_whole_or_refused(&folder, &key, events);
        clean(&folder);
    }
}

#[test]
fn a_backup_killed_at_random_is_whole_or_refused() {
    let (folder, key, events) = shop();
    let mut random = Random::of_this_run("killed backups");
    for _ in 0..40 {
        kill(&folder, Duration::from_micros(random.between(0, 60_000)), None);
        assert_whole_or_refused(&folder, &key, events);
        clean(&folder);
    }
}

#[test]
fn a_copy_of_a_backup_that_was_cut_short_is_refused() {
    let (folder, key, events) = shop();
    folder.json(&["backup", "copy", "--json"]);
    let whole = fs::read(folder.path("copy/read.sqlite")).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for wrong in [&whole[..whole.len() / 2], &[], &flipped] {
        fs::write(folder.path("copy/read.sqlite"), wrong).unwrap();
        for line in [&SERVE[..], &["verify", "--data-dir", "copy"]] {
            folder.run(line).assert_refused(&["copy/read.sqlite", "not the whole backup"]);
        }
    }
    fs::write(folder.path("copy/read.sqlite"), whole).unwrap();
    let segment = folder.path("copy/log/segments/00000000000000000001.log");
    fs::rename(&segment, folder.path("aside")).unwrap();
    folder.run(&SERVE).assert_refused(&["00000000000000000001.log: the file is missing"]);
    fs::rename(folder.path("aside"), &segment).unwrap();
    assert!(assert_whole_or_refused(&folder, &key, events));
    assert!(!folder.path("copy/backup.json").exists(), "the folder is in use and changes");
}
