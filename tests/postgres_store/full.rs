//! A disk without room: a few MiB of memory as the place of the tables.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use headwater::event::{NewEvent, StreamId, Tenant};
use headwater::store::{Append, AppendError, EventStore, Expected};
use headwater::test::{ScratchSchema, ScratchServer, skip};

use super::kit::{node, whole_log};

/// A small file system of the test's own.
struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts one for the owner of another folder; `None` where this user may not.
    fn beside(data: &Path) -> Option<Self> {
        let folder = data.with_file_name("small");
        std::fs::create_dir(&folder).unwrap();
        let owner = std::fs::metadata(data).unwrap();
        let options = format!("size=12m,mode=0700,uid={},gid={}", owner.uid(), owner.gid());
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&folder);
        let is_mounted = mount.output().is_ok_and(|output| output.status.success());
        is_mounted.then_some(Self { folder })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The server still has files open there, so it goes when they are closed.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

fn large_append() -> Append {
    let data = format!("\"{}\"", "x".repeat(300_000));
    let event = NewEvent::json("Placed", 1, data).unwrap();
    let stream = StreamId::new("order", "a").unwrap();
    Append::to_stream(Tenant::default_tenant(), stream, Expected::Any, vec![event])
}

#[tokio::test]
async fn a_full_disk_refuses_appends_until_there_is_room() {
    let server = ScratchServer::start(&["fsync=off"]).unwrap();
    let Some(disk) = SmallDisk::beside(&server.data()) else {
        skip("a file system that this user may mount (root)");
        return;
    };
    let scratch = ScratchSchema::on(&server.address().unwrap()).unwrap();
    let location = disk.folder.display();
    scratch.run(&format!("create tablespace small location '{location}'")).unwrap();
    scratch.run("alter role postgres set default_tablespace = small").unwrap();
    let ballast = disk.folder.join("ballast");
    std::fs::write(&ballast, vec![1; 4 << 20]).unwrap();
    scratch.make_log().unwrap();
    let (store, mut stored) = (node(scratch.address()), 0);
    let error = loop {
        match store.append(large_append()).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AppendError::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("no space left"), "{error}");
    assert!(stored > 0 && whole_log(&store).await.len() == stored);
    std::fs::remove_file(ballast).unwrap();
    store.append(large_append()).await.unwrap();
    assert_eq!(whole_log(&store).await.len(), stored + 1);
}
