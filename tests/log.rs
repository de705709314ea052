//! The embedded log beyond the contract: restarts, damage, locks, formats, backups.

use std::error::Error;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater::clock::ManualClock;
use headwater::event::{EventId, NewEvent, Position, RecordedEvent, StreamId, Tag, Tenant};
use headwater::store::log::{FileDisk, LogConfig, LogCore, LogStore};
use headwater::store::{Append, AppendError, EventStore, Expected, LogRead, StoreError};
use headwater::test::disk::{Fault, FaultyDisk};
use jiff::Timestamp;

type Outcome = Result<(), Box<dyn Error>>;

const MARK_LEN: u64 = 36;

fn config(dir: &Path) -> LogConfig {
    LogConfig::new(dir).with_segment_bytes(8_000)
}

fn append(number: u64) -> Result<Append, Box<dyn Error>> {
    let stream = StreamId::new("order", (number % 7).to_string())?;
    let data = format!("\"{number} {}\"", "x".repeat(300));
    let event = NewEvent::json("Placed", 1, data)?.with_tags(vec![Tag::new("t")?]);
    Ok(Append::to_stream(Tenant::default_tenant(), stream, Expected::Any, vec![event]))
}

fn fill(store: &LogStore, count: u64) -> Outcome {
    for number in 0..count {
        store.append_blocking(append(number)?)?;
    }
    Ok(())
}

fn everything(store: &LogStore) -> Result<Vec<RecordedEvent>, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let page = runtime.block_on(store.read_log(LogRead::after(Position::ZERO, 10_000)))?;
    assert!(page.is_end);
    Ok(page.events)
}

/// Makes a closed log and returns its log files, oldest first.
fn closed_log(dir: &Path, count: u64) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let store = LogStore::open(config(dir))?;
    fill(&store, count)?;
    store.close()?;
    let names = fs::read_dir(dir.join("segments"))?.map(|entry| Ok(entry?.path()));
    let names: Vec<PathBuf> = names.collect::<Result<_, std::io::Error>>()?;
    let mut logs: Vec<_> =
        names.into_iter().filter(|n| n.extension() == Some("log".as_ref())).collect();
    logs.sort();
    Ok(logs)
}

fn flip(path: &Path, at: u64) -> Outcome {
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    file.write_all_at(&[byte[0] ^ 4], at)?;
    Ok(())
}

/// Returns where the last byte of a log file that is not zero ends.
fn end_of(path: &Path) -> Result<u64, Box<dyn Error>> {
    let last = fs::read(path)?.iter().rposition(|byte| *byte != 0);
    Ok(last.ok_or("the file is empty")? as u64 + 1)
}

fn damage(opened: Result<LogStore, StoreError>) -> Result<(String, u64), Box<dyn Error>> {
    match opened {
        Err(StoreError::Damaged { path, offset, .. }) => Ok((path, offset)),
        Err(other) => Err(other.into()),
        Ok(_) => Err("it opened".into()),
    }
}

#[test]
fn a_log_opened_again_is_the_same() -> Outcome {
    let dir = tempfile::tempdir()?;
    let store = LogStore::open(config(dir.path()))?;
    fill(&store, 100)?;
    let (before, segments) = (everything(&store)?, store.stats().segments);
    assert!(segments > 3);
    drop(store);
    let store = LogStore::open(config(dir.path()))?;
    assert_eq!(everything(&store)?, before);
    assert_eq!(store.stats().segments, segments);
    assert_eq!(store.append_blocking(append(1)?)?.position, Position::new(101));
    Ok(())
}

#[test]
fn an_append_repeated_after_a_restart_is_known() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (fresh, mut derived) = (append(1)?, append(2)?);
    derived.writes[0].events[0].id = EventId::derived(&[b"key"]);
    let store = LogStore::open(config(dir.path()))?;
    let first = [&fresh, &derived].map(|append| store.append_blocking(append.clone()));
    fill(&store, 100)?;
    drop(store);
    let store = LogStore::open(config(dir.path()))?;
    for (append, first) in [fresh, derived].into_iter().zip(first) {
        let again = store.append_blocking(append)?;
        assert!(again.duplicate);
        assert_eq!(again.position, first?.position);
    }
    Ok(())
}

#[test]
fn recorded_times_do_not_run_backwards_with_the_clock() -> Outcome {
    let dir = tempfile::tempdir()?;
    let clock = |second| Arc::new(ManualClock::new(Timestamp::from_second(second).unwrap()));
    for second in [2_000_000_000, 1_000_000_000, 2_000_000_001] {
        let store = LogStore::open(config(dir.path()).with_clock(clock(second)))?;
        fill(&store, 2)?;
    }
    let store = LogStore::open(config(dir.path()))?;
    let at = |event: &RecordedEvent| event.recorded_at().as_second() - 2_000_000_000;
    assert_eq!(everything(&store)?.iter().map(at).collect::<Vec<_>>(), [0, 0, 0, 0, 1, 1]);
    Ok(())
}

#[test]
fn an_index_of_an_older_version_is_made_again() -> Outcome {
    let dir = tempfile::tempdir()?;
    closed_log(dir.path(), 100)?;
    let index = dir.path().join("segments/00000000000000000001.index");
    let newest = fs::read(&index)?;
    fs::OpenOptions::new().write(true).open(&index)?.write_all_at(&[1], 7)?;
    let report = LogStore::verify(dir.path())?;
    assert!(report.is_sound() && report.missing_indexes.len() == 1, "{report:?}");
    let store = LogStore::open(config(dir.path()))?;
    assert_eq!(everything(&store)?.len(), 100);
    assert_eq!(fs::read(&index)?, newest);
    Ok(())
}

#[test]
fn a_folder_of_format_1_is_taken_over_before_it_is_written_to() -> Outcome {
    let dir = tempfile::tempdir()?;
    closed_log(dir.path(), 5)?;
    fs::write(dir.path().join("FORMAT"), "headwater log 1\n")?;
    assert!(LogStore::verify(dir.path())?.is_sound());
    assert_eq!(fs::read_to_string(dir.path().join("FORMAT"))?, "headwater log 1\n");
    let store = LogStore::open(config(dir.path()))?;
    assert_eq!(fs::read_to_string(dir.path().join("FORMAT"))?, "headwater log 2\n");
    fill(&store, 1)?;
    assert_eq!(everything(&store)?.len(), 6);
    Ok(())
}

#[test]
fn a_torn_tail_is_cut_and_the_log_goes_on() -> Outcome {
    let dir = tempfile::tempdir()?;
    let logs = closed_log(dir.path(), 5)?;
    let end = end_of(&logs[0])?;
    let file = fs::OpenOptions::new().write(true).open(&logs[0])?;
    // The end mark and the sector before it never reached the device.
    let sector = (end - MARK_LEN - 1) / 512 * 512;
    file.write_all_at(&vec![0; (end - sector) as usize], sector)?;
    let store = LogStore::open(config(dir.path()))?;
    assert_eq!(everything(&store)?.len(), 4);
    fill(&store, 3)?;
    drop(store);
    let report = LogStore::verify(dir.path())?;
    assert!(report.is_sound() && report.events == 7, "{report:?}");
    Ok(())
}

#[test]
fn a_flipped_bit_in_the_middle_is_named_with_file_and_offset() -> Outcome {
    let dir = tempfile::tempdir()?;
    let logs = closed_log(dir.path(), 5)?;
    flip(&logs[0], 200)?;
    let (path, offset) = damage(LogStore::open(config(dir.path())))?;
    assert_eq!((Path::new(&path), offset), (logs[0].as_path(), MARK_LEN));
    Ok(())
}

#[test]
fn a_flipped_bit_in_the_last_batch_after_a_clean_close_is_no_torn_tail() -> Outcome {
    let dir = tempfile::tempdir()?;
    let logs = closed_log(dir.path(), 5)?;
    flip(&logs[0], end_of(&logs[0])? - MARK_LEN - 20)?;
    assert_eq!(Path::new(&damage(LogStore::open(config(dir.path())))?.0), logs[0]);
    Ok(())
}

#[test]
fn a_flipped_bit_in_a_sealed_segment_is_named_when_it_is_read() -> Outcome {
    let dir = tempfile::tempdir()?;
    let logs = closed_log(dir.path(), 100)?;
    flip(&logs[1], 300)?;
    let store = LogStore::open(config(dir.path()))?;
    let error = everything(&store).err().ok_or("it was read")?.to_string();
    assert!(error.contains(&logs[1].display().to_string()), "{error}");
    Ok(())
}

#[test]
fn verify_finds_each_planted_damage() -> Outcome {
    let dir = tempfile::tempdir()?;
    let logs = closed_log(dir.path(), 100)?;
    assert!(LogStore::verify(dir.path())?.is_sound());
    let index = logs[0].with_extension("index");
    flip(&index, fs::metadata(&index)?.len() - 3)?;
    flip(&logs[1], 300)?;
    flip(&logs[2], end_of(&logs[2])? - 1)?;
    let told: Vec<_> =
        LogStore::verify(dir.path())?.problems.iter().map(ToString::to_string).collect();
    for (path, problem) in [&index, &logs[1], &logs[2]].iter().zip(&told) {
        assert!(problem.contains(&path.display().to_string()), "{told:?}");
    }
    assert_eq!(told.len(), 3, "{told:?}");
    Ok(())
}

#[test]
fn a_missing_index_is_made_again() -> Outcome {
    let dir = tempfile::tempdir()?;
    let logs = closed_log(dir.path(), 100)?;
    fs::remove_file(logs[0].with_extension("index"))?;
    assert_eq!(LogStore::verify(dir.path())?.missing_indexes.len(), 1);
    drop(LogStore::open(config(dir.path()))?);
    let report = LogStore::verify(dir.path())?;
    assert!(report.is_sound() && report.missing_indexes.is_empty());
    Ok(())
}

#[test]
fn a_second_handle_on_the_same_folder_is_refused() -> Outcome {
    let dir = tempfile::tempdir()?;
    let first = LogStore::open(config(dir.path()))?;
    assert!(matches!(LogStore::open(config(dir.path())), Err(StoreError::Locked { .. })));
    first.close()?;
    LogStore::open(config(dir.path()))?;
    Ok(())
}

#[test]
fn a_newer_format_is_refused() -> Outcome {
    let dir = tempfile::tempdir()?;
    closed_log(dir.path(), 1)?;
    fs::write(dir.path().join("FORMAT"), "headwater log 3\n")?;
    let opened = LogStore::open(config(dir.path()));
    assert!(matches!(opened, Err(StoreError::NewerFormat { found: 3, supported: 2, .. })));
    Ok(())
}

#[test]
fn a_folder_that_cannot_be_written_is_named() -> Outcome {
    let dir = tempfile::tempdir()?;
    fs::write(dir.path().join("file"), "")?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o500))?;
    // Below a file there can be no folder, whoever runs the test.
    let opened = LogStore::open(config(&dir.path().join("file/log")));
    let error = opened.err().ok_or("it opened")?;
    assert!(matches!(error, StoreError::Io { action: "create", .. }), "{error}");
    Ok(())
}

#[test]
fn a_full_disk_refuses_and_heals() -> Outcome {
    let disk = FaultyDisk::new(1);
    let mut small = config(Path::new("/log"));
    small.ahead_bytes = 512;
    let core = LogCore::open(Arc::new(disk.clone()), small)?;
    assert!(core.append_group(vec![append(0)?]).remove(0).is_ok());
    let mut was_full = 0;
    for number in 0..20 {
        disk.plan(disk.steps() + 1, Fault::Full);
        match core.append_group(vec![append(number)?]).remove(0) {
            Err(AppendError::DiskFull { .. }) => was_full += 1,
            // There was room already: the write itself met the fault.
            Err(AppendError::Unknown { .. }) => break,
            outcome => return Err(format!("{outcome:?}").into()),
        }
        disk.plan(0, Fault::Full);
        assert!(core.append_group(vec![append(number)?]).remove(0).is_ok());
    }
    assert!(was_full > 0);
    Ok(())
}

#[test]
fn after_a_failed_barrier_reads_go_on_and_appends_do_not() -> Outcome {
    let disk = FaultyDisk::new(1);
    let core = LogCore::open(Arc::new(disk.clone()), config(Path::new("/log")))?;
    assert!(core.append_group(vec![append(1)?]).remove(0).is_ok());
    disk.plan(disk.steps() + 2, Fault::Fail);
    let outcomes = core.append_group(vec![append(2)?]);
    assert!(matches!(outcomes[0], Err(AppendError::Unknown { .. })), "{outcomes:?}");
    let outcomes = core.append_group(vec![append(3)?]);
    assert!(matches!(outcomes[0], Err(AppendError::Unavailable { .. })), "{outcomes:?}");
    assert_eq!(core.read_log(&LogRead::after(Position::ZERO, 10))?.events.len(), 1);
    Ok(())
}

#[test]
fn a_backup_taken_while_it_runs_opens_and_equals() -> Outcome {
    let (dir, copies) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let store = LogStore::open(config(dir.path()))?;
    fill(&store, 60)?;
    let copy = copies.path().join("copy");
    let report = std::thread::scope(|scope| {
        let writing = scope.spawn(|| fill(&store, 60).map_err(|error| error.to_string()));
        let report = store.backup(&copy);
        writing
            .join()
            .map_err(|_| "the writer panicked".to_owned())
            .and_then(|it| it)
            .map(|()| report)
    })??;
    assert!(report.position >= Position::new(60));
    let checked = LogStore::verify(&copy)?;
    assert!(checked.is_sound() && checked.last == report.position, "{checked:?}");
    let (all, copied) = (everything(&store)?, everything(&LogStore::open(config(&copy))?)?);
    assert_eq!(copied, all[..copied.len()]);
    assert!(matches!(store.backup(&copy), Err(StoreError::Invalid { .. })));
    Ok(())
}

#[test]
fn a_closed_log_refuses_and_ends_subscriptions() -> Outcome {
    let dir = tempfile::tempdir()?;
    let store = LogStore::open_on(Arc::new(FileDisk), config(dir.path()))?;
    let head = store.head();
    store.close()?;
    assert!(matches!(store.append_blocking(append(1)?), Err(AppendError::Unavailable { .. })));
    assert!(head.has_changed().is_err());
    Ok(())
}
