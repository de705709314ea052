//! A disk in memory that fails, tears, forgets and loses power when it is told to.
//!
//! Bytes that were written are seen by every reader at once, but lie on the device only after
//! a barrier; names likewise after their folder's. When the power is lost, any subset of the
//! sectors that were not yet on the device survives. After a barrier that failed, what it
//! should have made durable stays readable but reaches the device only if it is written again
//! (that is how Linux behaves). Everything is decided by a seed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::store::log::{Disk, DiskFile, DiskLock, OpenMode};

const SECTOR: usize = 512;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails and does nothing; a barrier loses what it should have kept.
    Fail,
    /// A write is done for some sectors only, then fails; other operations just fail.
    Tear,
    /// There is no room; operations that need none are done.
    Full,
    /// The power goes off before the operation.
    PowerOff,
    /// The power goes off after the operation, before its caller hears of it.
    PowerOffAfter,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 5] =
        [Self::Fail, Self::Tear, Self::Full, Self::PowerOff, Self::PowerOffAfter];
}

/// A disk in memory; clones are the same disk.
#[derive(Clone)]
pub struct FaultyDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    files: Vec<Content>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    changes: Vec<Change>,
    locks: BTreeSet<PathBuf>,
    steps: u64,
    fault: Option<(u64, Fault)>,
    is_off: bool,
    is_slow: bool,
    boots: u64,
    random: u64,
}

#[derive(Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
}

#[derive(Clone)]
enum Change {
    Add(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl FaultyDisk {
    /// Makes an empty disk that works.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            changes: Vec::new(),
            locks: BTreeSet::new(),
            steps: 0,
            fault: None,
            is_off: false,
            is_slow: false,
            boots: 0,
            random: seed,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Lets a fault happen at the step with that number, counted from 1; once.
    pub fn plan(&self, step: u64, fault: Fault) {
        self.state.lock().fault = Some((step, fault));
    }

    /// Returns how many steps were done: writes, barriers, and changes of names.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.state.lock().steps
    }

    /// Returns whether the power is off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.state.lock().is_off
    }

    /// From now on every read must wait for the device, or none.
    pub fn set_slow(&self, is_slow: bool) {
        self.state.lock().is_slow = is_slow;
    }

    /// Turns the power off and on: what was not durable survives in part or not at all.
    pub fn lose_power(&self) {
        self.state.lock().lose_power();
    }

    /// Forgets the locks of a process that died; files stay as they are seen.
    pub fn end_process(&self) {
        let mut state = self.state.lock();
        state.boots += 1;
        state.locks.clear();
    }

    /// Flips a bit of a file, on the device and as it is seen.
    pub fn flip(&self, path: &Path, bit: usize) {
        let mut state = self.state.lock();
        let Some(file) = state.names.get(path).copied() else { return };
        let Some(content) = state.files.get_mut(file) else { return };
        for bytes in [&mut content.seen, &mut content.durable] {
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    /// Returns a random number below `bound`, from the disk's seed.
    #[must_use]
    pub fn random(&self, bound: u64) -> u64 {
        self.state.lock().random(bound)
    }
}

impl State {
    /// Counts a step; returns the fault that must happen at it.
    fn step(&mut self) -> Result<Option<Fault>> {
        if self.is_off {
            return Err(off());
        }
        self.steps += 1;
        match self.fault {
            Some((at, fault)) if at == self.steps => {
                self.fault = None;
                self.is_off = matches!(fault, Fault::PowerOff | Fault::PowerOffAfter);
                if fault == Fault::PowerOff { Err(off()) } else { Ok(Some(fault)) }
            }
            _ => Ok(None),
        }
    }

    /// Does a step that changes names.
    fn change(&mut self, change: Change) -> Result<()> {
        let fault = self.step()?;
        if matches!(fault, Some(Fault::Fail | Fault::Tear)) {
            return Err(failed());
        }
        apply(&mut self.names, &change);
        self.changes.push(change);
        if fault == Some(Fault::PowerOffAfter) { Err(off()) } else { Ok(()) }
    }

    fn write(&mut self, file: usize, bytes: &[u8], offset: u64) -> Result<()> {
        let fault = self.step()?;
        match fault {
            Some(Fault::Fail) => return Err(failed()),
            Some(Fault::Full) => return Err(ErrorKind::StorageFull.into()),
            _ => {}
        }
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        for sector in start / SECTOR..end.div_ceil(SECTOR) {
            if fault == Some(Fault::Tear) && self.random(2) == 0 {
                continue;
            }
            let Some(content) = self.files.get_mut(file) else { continue };
            let (from, to) = (start.max(sector * SECTOR), end.min((sector + 1) * SECTOR));
            if content.seen.len() < to {
                content.seen.resize(to, 0);
            }
            let new = bytes.get(from - start..to - start).unwrap_or_default();
            if let Some(place) = content.seen.get_mut(from..to) {
                place.copy_from_slice(new);
            }
            content.dirty.insert(sector);
        }
        match fault {
            Some(Fault::Tear) => Err(failed()),
            Some(Fault::PowerOffAfter) => Err(off()),
            _ => Ok(()),
        }
    }

    fn sync(&mut self, file: usize) -> Result<()> {
        let fault = self.step()?;
        let Some(content) = self.files.get_mut(file) else { return Err(failed()) };
        match fault {
            Some(Fault::Fail | Fault::Tear) => {
                content.dirty.clear();
                return Err(failed());
            }
            _ => {
                let dirty = std::mem::take(&mut content.dirty);
                dirty.into_iter().for_each(|sector| content.keep(sector));
            }
        }
        if fault == Some(Fault::PowerOffAfter) { Err(off()) } else { Ok(()) }
    }

    fn sync_dir(&mut self, dir: &Path) -> Result<()> {
        let fault = self.step()?;
        if matches!(fault, Some(Fault::Fail | Fault::Tear)) {
            return Err(failed());
        }
        let (kept, rest) = std::mem::take(&mut self.changes)
            .into_iter()
            .partition::<Vec<_>, _>(|change| change.path().parent() == Some(dir));
        kept.iter().for_each(|change| apply(&mut self.durable_names, change));
        self.changes = rest;
        if fault == Some(Fault::PowerOffAfter) { Err(off()) } else { Ok(()) }
    }

    fn lose_power(&mut self) {
        // None, half or all of the sectors, so that the extremes are not too rare.
        let odds = self.random(3);
        let mut files = std::mem::take(&mut self.files);
        for content in &mut files {
            for sector in std::mem::take(&mut content.dirty) {
                if odds == 2 || (odds == 1 && self.random(2) == 0) {
                    content.keep(sector);
                }
            }
            content.seen.clone_from(&content.durable);
        }
        self.files = files;
        let kept = self.random(self.changes.len() as u64 + 1) as usize;
        for change in std::mem::take(&mut self.changes).iter().take(kept) {
            apply(&mut self.durable_names, change);
        }
        self.names = self.durable_names.clone();
        self.locks.clear();
        self.boots += 1;
        self.is_off = false;
        self.fault = None;
    }

    // SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
    fn random(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}

impl Content {
    fn keep(&mut self, sector: usize) {
        let from = sector * SECTOR;
        let to = (from + SECTOR).min(self.seen.len());
        if self.durable.len() < to {
            self.durable.resize(to, 0);
        }
        if let (Some(place), Some(new)) = (self.durable.get_mut(from..to), self.seen.get(from..to))
        {
            place.copy_from_slice(new);
        }
    }
}

impl Change {
    fn path(&self) -> &Path {
        match self {
            Self::Add(path, _) | Self::Rename(_, path) | Self::Remove(path) => path,
        }
    }
}

impl Disk for FaultyDisk {
    fn create_dir(&self, _path: &Path) -> Result<()> {
        if self.is_off() { Err(off()) } else { Ok(()) }
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        let state = self.state.lock();
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_string_lossy().into())).collect())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        let file = match (state.names.get(path).copied(), mode) {
            (Some(file), OpenMode::Read | OpenMode::Write) => file,
            (None, OpenMode::Read | OpenMode::Write) => return Err(ErrorKind::NotFound.into()),
            (_, OpenMode::Create) => {
                let file = state.files.len();
                state.files.push(Content::default());
                state.change(Change::Add(path.to_owned(), file))?;
                file
            }
        };
        let boot = state.boots;
        Ok(Arc::new(FaultyFile { disk: self.clone(), file, boot }))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.state.lock().change(Change::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.state.lock().change(Change::Remove(path.to_owned()))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.state.lock().sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> Result<DiskLock> {
        let mut state = self.state.lock();
        match state.locks.insert(path.to_owned()) {
            true => {
                let (disk, path, boot) = (self.clone(), path.to_owned(), state.boots);
                Ok(Box::new(Locked { disk, path, boot }))
            }
            false => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

struct Locked {
    disk: FaultyDisk,
    path: PathBuf,
    boot: u64,
}

impl Drop for Locked {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        if state.boots == self.boot {
            state.locks.remove(&self.path);
        }
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    file: usize,
    boot: u64,
}

impl FaultyFile {
    fn with<T>(&self, run: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let mut state = self.disk.state.lock();
        // A process that died before the power came back writes no more.
        if state.boots == self.boot { run(&mut state) } else { Err(off()) }
    }
}

impl DiskFile for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.with(|state| {
            let seen = state.files.get(self.file).map(|content| content.seen.as_slice());
            let rest = seen.and_then(|seen| seen.get(offset as usize..)).unwrap_or_default();
            buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            Ok(rest.len().min(buffer.len()))
        })
    }

    fn read_at_hand(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let is_slow = self.disk.state.lock().is_slow;
        match is_slow {
            true => Err(std::io::ErrorKind::WouldBlock.into()),
            false => self.read_at(buffer, offset),
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.with(|state| state.write(self.file, bytes, offset))
    }

    fn sync_data(&self) -> Result<()> {
        self.with(|state| state.sync(self.file))
    }

    fn len(&self) -> Result<u64> {
        self.with(|state| Ok(state.files.get(self.file).map_or(0, |file| file.seen.len()) as u64))
    }
}

fn apply(names: &mut BTreeMap<PathBuf, usize>, change: &Change) {
    match change {
        Change::Add(path, file) => drop(names.insert(path.clone(), *file)),
        Change::Rename(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        Change::Remove(path) => drop(names.remove(path)),
    }
}

fn off() -> Error {
    Error::other("the power is off")
}

fn failed() -> Error {
    Error::other("the device failed")
}
