//! The layers of settings: what was given where, before it is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::setting::VARIABLE_PREFIX;
use super::shown::{HIDDEN, looks_secret, shown};
use super::suggestion::suggest;
use super::{ConfigArgs, ELSEWHERE, Fault, Origin, SETTINGS, Setting};

const FILE_DEFAULT: &str = "headwater.toml";

/// A value as it was given, and where.
#[derive(Clone, Debug)]
pub struct Given {
    pub value: String,
    pub origin: Origin,
}

/// The last value given for each key, and what is wrong already.
#[derive(Debug, Default)]
pub struct Layers {
    pub given: BTreeMap<&'static str, Given>,
    pub faults: Vec<Fault>,
}

impl Layers {
    /// Lays the file over the defaults, the environment over both and the flags over all.
    pub fn gather(
        args: &ConfigArgs,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let own = environment.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            name.starts_with(VARIABLE_PREFIX).then(|| (name, value.to_string_lossy().into_owned()))
        });
        let variables: BTreeMap<String, String> = own.collect();
        let mut layers = Self::default();
        layers.lay_file(args, &variables);
        layers.lay_variables(&variables);
        for (key, value) in &args.values {
            if let Some(setting) = setting(key) {
                let origin = Origin::Flag(setting.flag());
                layers.give(setting, value.clone(), origin);
            }
        }
        layers
    }

    fn give(&mut self, setting: &'static Setting, value: String, origin: Origin) {
        self.given.insert(setting.key, Given { value, origin });
    }

    fn lay_file(&mut self, args: &ConfigArgs, variables: &BTreeMap<String, String>) {
        let (path, origin) = match (&args.file, variables.get("HEADWATER_CONFIG")) {
            (Some(path), _) => (path.clone(), Origin::Flag("config".to_owned())),
            (None, Some(path)) => {
                (PathBuf::from(path), Origin::Variable("HEADWATER_CONFIG".to_owned()))
            }
            (None, None) => (PathBuf::from(FILE_DEFAULT), Origin::Default),
        };
        let value = shown(setting("data_dir"), &path.display().to_string());
        match std::fs::read_to_string(&path) {
            Ok(text) => self.lay_text(&value, &text),
            Err(error) if origin == Origin::Default && is_missing(&error) => {}
            Err(error) => {
                let problem = format!("cannot be read ({error})");
                let fix = "name a TOML file that this user may read".to_owned();
                self.faults.push(Fault { field: "config".to_owned(), value, problem, fix, origin });
            }
        }
    }

    fn lay_text(&mut self, path: &str, text: &str) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let starts = errors.iter().filter_map(|error| error.span()).map(|span| span.start);
        let broken = starts.map(|start| line_of(text, start)).collect();
        let file = File { path, text, broken };
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            let fix = "correct it; see https://toml.io".to_owned();
            let (field, problem) =
                ("config".to_owned(), format!("is not TOML: {}", error.message()));
            let fault = Fault { field, value: path.to_owned(), problem, fix, origin: file.at(at) };
            self.faults.push(fault);
        }
        self.lay_table(&file, "", table.get_ref());
    }

    fn lay_table(&mut self, file: &File<'_>, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            let origin = file.at(name.span().start);
            let setting = setting(&key);
            match (setting, value.get_ref()) {
                // What was read from a line with an error may be a piece of a secret.
                (_, leaf) if !leaf.is_table() && file.is_broken_at(name.span().start) => {}
                (None, DeValue::Table(inner)) => self.lay_table(file, &format!("{key}."), inner),
                (Some(setting), _) => self.give(setting, file.text_of(value), origin),
                (None, _) => {
                    let known = SETTINGS.iter().map(|setting| setting.key.to_owned());
                    self.unknown(key.clone(), suggest(&key, known), origin);
                }
            }
        }
    }

    fn lay_variables(&mut self, variables: &BTreeMap<String, String>) {
        for (name, value) in variables {
            match SETTINGS.iter().find(|setting| setting.variable() == *name) {
                Some(setting) => {
                    self.give(setting, value.clone(), Origin::Variable(name.clone()));
                }
                None if ELSEWHERE.contains(&name.as_str()) => {}
                None => {
                    let known = SETTINGS.iter().map(Setting::variable);
                    let fix = suggest(name, known.chain(ELSEWHERE.map(str::to_owned)));
                    let origin = Origin::Variable(name.clone());
                    self.unknown(name.clone(), fix, origin);
                }
            }
        }
    }

    /// Notes a name that is no setting, without its value: a mistyped name of a secret has the
    /// secret as its value. A name that looks like a secret itself is not shown either.
    fn unknown(&mut self, field: String, fix: String, origin: Origin) {
        let (problem, value) = ("is not a setting".to_owned(), HIDDEN.to_owned());
        let field = if looks_secret(&field) { HIDDEN.to_owned() } else { field };
        self.faults.push(Fault { field, value, problem, fix, origin });
    }
}

struct File<'a> {
    path: &'a str,
    text: &'a str,
    /// The lines that are not TOML.
    broken: BTreeSet<usize>,
}

impl File<'_> {
    fn at(&self, byte: usize) -> Origin {
        Origin::File { path: self.path.to_owned(), line: line_of(self.text, byte) }
    }

    fn is_broken_at(&self, byte: usize) -> bool {
        self.broken.contains(&line_of(self.text, byte))
    }

    /// Returns a text without its quotes and anything else as it is written.
    fn text_of(&self, value: &Spanned<DeValue<'_>>) -> String {
        match value.get_ref() {
            DeValue::String(text) => text.clone().into_owned(),
            _ => self.text.get(value.span()).unwrap_or_default().to_owned(),
        }
    }
}

/// Returns the line, from 1, of a place in a text.
fn line_of(text: &str, byte: usize) -> usize {
    1 + text.get(..byte).unwrap_or_default().matches('\n').count()
}

fn setting(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

fn is_missing(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}
