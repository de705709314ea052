//! Golden files: every shape of an event that may lie on disk, as it lies there.
//!
//! A file `<dir>/<category>/<type>.v<N>.json` holds the data of one event of that shape. For
//! a retired shape it also holds what the data becomes today. [`check`] fails when a shape of
//! [`Event::shapes`] has no file, when a file no longer reads, when it becomes another event
//! than it did, or when today's program writes a sample differently: what lies on disk cannot
//! be changed any more, so a change of shape needs a new version.
//!
//! With `UPDATE_GOLDEN=1` in the environment the files of today's shapes are written anew, and
//! the outcome of the retired ones; the data of a retired shape is never written, since only
//! the program that wrote it knew how.

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::given::fail;
use crate::event::{Event, Shape};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    data: Value,
    /// What a retired shape becomes; today's shapes stay what they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    becomes: Option<Becomes>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Becomes {
    #[serde(rename = "type")]
    event_type: String,
    version: u16,
    data: Value,
}

/// Checks the golden files of an event enum; `samples` holds one event of each type that is
/// written today.
///
/// # Panics
/// If anything is wrong; the message names every fault and its file.
#[track_caller]
pub fn check<E>(dir: impl AsRef<Path>, samples: impl IntoIterator<Item = E>)
where
    E: Event + PartialEq + Debug,
{
    let update = std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1");
    let faults = faults::<E>(dir.as_ref(), &samples.into_iter().collect::<Vec<_>>(), update);
    if !faults.is_empty() {
        let advice = match update {
            true => "golden files differ, and UPDATE_GOLDEN=1 cannot rewrite these",
            false => "golden files differ; UPDATE_GOLDEN=1 rewrites those of today's shapes",
        };
        fail(&format!("{advice}:\n{}", faults.join("\n")));
    }
}

fn faults<E: Event + PartialEq + Debug>(dir: &Path, samples: &[E], update: bool) -> Vec<String> {
    let mut faults = Vec::new();
    for shape in E::shapes() {
        let file = file_of::<E>(dir, *shape);
        let sample = samples.iter().find(|sample| sample.shape() == *shape);
        let outcome = match sample {
            Some(sample) => check_current(&file, *shape, sample, update),
            None => check_retired::<E>(&file, *shape, samples, update),
        };
        faults.extend(outcome.err().map(|problem| format!("{}: {problem}", file.display())));
    }
    faults
}

/// Checks a shape that is written today.
fn check_current<E>(file: &Path, shape: Shape, sample: &E, update: bool) -> Result<(), String>
where
    E: Event + PartialEq + Debug,
{
    let data = encode(sample)?;
    if update {
        write(file, &Golden { data: data.clone(), becomes: None })?;
    }
    let golden = read(file)?;
    let read_back = decode::<E>(shape, &golden.data)?;
    if golden.data != data {
        return Err(format!("today's program writes {data}\n  but the file has {}", golden.data));
    }
    if read_back != *sample {
        return Err(format!("it reads as {read_back:?}\n  but the sample is {sample:?}"));
    }
    Ok(())
}

/// Checks a shape that is only read, through what it becomes.
fn check_retired<E>(file: &Path, shape: Shape, samples: &[E], update: bool) -> Result<(), String>
where
    E: Event,
{
    let is_written = samples.iter().map(Event::shape);
    let newest = E::shapes().iter().filter(|other| other.event_type == shape.event_type);
    let newest = newest.map(|other| other.version).max();
    if newest == Some(shape.version) && is_written.into_iter().all(|other| other != shape) {
        return Err("there is no sample of this shape: add one".to_owned());
    }
    let golden = read(file)?;
    let event = decode::<E>(shape, &golden.data)?;
    let now = event.shape();
    let event_type = now.event_type.to_owned();
    let becomes = Becomes { event_type, version: now.version, data: encode(&event)? };
    if update {
        return write(file, &Golden { data: golden.data, becomes: Some(becomes) });
    }
    match golden.becomes {
        Some(expected) if expected == becomes => Ok(()),
        Some(expected) => Err(format!("it became {expected:?}\n  but becomes {becomes:?}")),
        None => Err("`becomes` is missing: a retired shape says what it becomes".to_owned()),
    }
}

fn file_of<E: Event>(dir: &Path, shape: Shape) -> PathBuf {
    dir.join(E::CATEGORY).join(format!("{}.v{}.json", shape.event_type, shape.version))
}

fn encode<E: Event>(event: &E) -> Result<Value, String> {
    let bytes = event.encode().map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

fn decode<E: Event>(shape: Shape, data: &Value) -> Result<E, String> {
    let bytes = data.to_string();
    E::decode(shape.event_type, shape.version, bytes.as_bytes()).map_err(|error| error.to_string())
}

fn read(file: &Path) -> Result<Golden, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

fn write(file: &Path, golden: &Golden) -> Result<(), String> {
    let told = |error: std::io::Error| error.to_string();
    if let Some(dir) = file.parent() {
        std::fs::create_dir_all(dir).map_err(told)?;
    }
    let text = serde_json::to_string_pretty(golden).map_err(|error| error.to_string())?;
    std::fs::write(file, text + "\n").map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum LampEvent {
        Lit { hours: u32 },
    }

    #[derive(Deserialize)]
    struct LitV1 {
        minutes: u32,
    }

    impl From<LitV1> for LampEvent {
        fn from(old: LitV1) -> Self {
            Self::Lit { hours: old.minutes / 60 }
        }
    }

    crate::event_schema! { LampEvent in "lamp" { Lit = 2 { 1 => LitV1 } } }

    const SAMPLE: [LampEvent; 1] = [LampEvent::Lit { hours: 2 }];
    const TODAY: &str = r#"{"data":{"hours":2}}"#;
    const RETIRED: &str =
        r#"{"data":{"minutes":60},"becomes":{"type":"Lit","version":2,"data":{"hours":1}}}"#;

    /// Checks two files against the sample; `None` leaves a file out.
    fn faults_of(today: Option<&str>, retired: Option<&str>) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("lamp")).unwrap();
        for (name, text) in [("Lit.v2.json", today), ("Lit.v1.json", retired)] {
            if let Some(text) = text {
                std::fs::write(dir.path().join("lamp").join(name), text).unwrap();
            }
        }
        faults(dir.path(), &SAMPLE, false)
    }

    fn assert_one_fault(faults: &[String], file: &str, told: &str) {
        assert_eq!(faults.len(), 1, "{faults:#?}");
        assert!(faults[0].contains(file) && faults[0].contains(told), "{faults:#?}");
    }

    #[test]
    fn files_that_say_what_the_program_does_are_accepted() {
        assert_eq!(faults_of(Some(TODAY), Some(RETIRED)), Vec::<String>::new());
    }

    #[test]
    fn a_missing_file_is_a_fault() {
        assert_one_fault(&faults_of(None, Some(RETIRED)), "Lit.v2.json", "No such file");
        assert_one_fault(&faults_of(Some(TODAY), None), "Lit.v1.json", "No such file");
    }

    #[test]
    fn a_sample_that_is_written_otherwise_than_before_is_a_fault() {
        let before = r#"{"data":{"hours":2,"shade":null}}"#;
        assert_one_fault(&faults_of(Some(before), Some(RETIRED)), "Lit.v2.json", "today's program");
    }

    #[test]
    fn a_file_that_no_longer_reads_is_a_fault() {
        let other = r#"{"data":{"seconds":60}}"#;
        assert_one_fault(&faults_of(Some(TODAY), Some(other)), "Lit.v1.json", "missing field");
    }

    #[test]
    fn a_retired_shape_that_becomes_something_else_is_a_fault() {
        let other = RETIRED.replace(r#""hours":1"#, r#""hours":60"#);
        assert_one_fault(&faults_of(Some(TODAY), Some(&other)), "Lit.v1.json", "it became");
        let silent = r#"{"data":{"minutes":60}}"#;
        assert_one_fault(&faults_of(Some(TODAY), Some(silent)), "Lit.v1.json", "`becomes`");
    }

    #[test]
    fn a_shape_written_today_without_a_sample_is_a_fault() {
        let dir = tempfile::tempdir().unwrap();
        let told = faults::<LampEvent>(dir.path(), &[], false);
        assert!(told.iter().any(|fault| fault.contains("there is no sample")), "{told:#?}");
    }

    #[test]
    fn an_update_writes_what_the_check_accepts_and_keeps_the_data_of_retired_shapes() {
        let dir = tempfile::tempdir().unwrap();
        let retired = dir.path().join("lamp/Lit.v1.json");
        std::fs::create_dir(dir.path().join("lamp")).unwrap();
        std::fs::write(&retired, r#"{"data":{"minutes":60}}"#).unwrap();
        assert_eq!(faults(dir.path(), &SAMPLE, true), Vec::<String>::new());
        assert_eq!(faults(dir.path(), &SAMPLE, false), Vec::<String>::new());
        assert_eq!(read(&retired).unwrap().data, serde_json::json!({"minutes": 60}));
    }
}
