//! Nobody but its owner may read a data folder or a backup, whatever the umask.

use std::fs::{Permissions, metadata, read_dir, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::harness::{Folder, Server};

/// Finds everything below a path that group or others may touch.
fn open_to_others(path: &Path, found: &mut Vec<String>) {
    let about = metadata(path).unwrap();
    if about.permissions().mode() & 0o077 != 0 {
        found.push(format!("{} {:o}", path.display(), about.permissions().mode()));
    }
    if about.is_dir() {
        read_dir(path).unwrap().for_each(|entry| open_to_others(&entry.unwrap().path(), found));
    }
}

fn assert_private(path: &Path) {
    let mut found = Vec::new();
    open_to_others(path, &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

fn open_up(path: &Path) {
    let about = metadata(path).unwrap();
    if about.is_dir() {
        read_dir(path).unwrap().for_each(|entry| open_up(&entry.unwrap().path()));
    }
    let mode = if about.is_dir() { 0o755 } else { 0o644 };
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_data_folder_and_its_backup_are_their_owners_alone() {
    let folder = Folder::new();
    let server = Server::start(&folder, &[]);
    assert_private(&folder.path("headwater-data"));
    folder.json(&["backup", "new", "--json"]);
    assert_private(&folder.path("new"));
    server.stop();
    let demo = ["demo", "--invoices", "20", "--exit", "--json"];
    folder.json(&demo);
    assert_private(&folder.path("headwater-demo"));
}

#[test]
fn a_folder_that_others_could_read_is_theirs_no_more_after_a_start() {
    let folder = Folder::new();
    Server::start(&folder, &[]).stop();
    let (data, key) = (folder.path("headwater-data"), folder.path("headwater-data/outbox.key"));
    open_up(&data);
    set_permissions(key, Permissions::from_mode(0o600)).unwrap();
    folder.json(&[
        "import",
        "retail",
        "--json",
        folder.write("a.csv", super::demo::QUIRKS).to_str().unwrap(),
        "--allow-malformed",
        "1",
    ]);
    assert_private(&data);
}
