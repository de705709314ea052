//! The layers of settings: what was given where, before it is judged.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::setting::VARIABLE_PREFIX;
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
            if let Some(setting) = SETTINGS.iter().find(|setting| setting.key == *key) {
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
        let value = path.display().to_string();
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
        let file = File { path, text };
        let (table, errors) = DeTable::parse_recoverable(text);
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
            let setting = SETTINGS.iter().find(|setting| setting.key == key);
            match (setting, value.get_ref()) {
                (None, DeValue::Table(inner)) => self.lay_table(file, &format!("{key}."), inner),
                (Some(setting), _) => self.give(setting, file.shown(value), origin),
                (None, _) => {
                    let known = SETTINGS.iter().map(|setting| setting.key.to_owned());
                    self.unknown(key.clone(), file.shown(value), suggest(&key, known), origin);
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
                    // Not shown: a mistyped HEADWATER_KEY holds a secret.
                    self.unknown(name.clone(), "…".to_owned(), fix, origin);
                }
            }
        }
    }

    fn unknown(&mut self, field: String, value: String, fix: String, origin: Origin) {
        let problem = "is not a setting".to_owned();
        self.faults.push(Fault { field, value, problem, fix, origin });
    }
}

struct File<'a> {
    path: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn at(&self, byte: usize) -> Origin {
        let before = self.text.get(..byte).unwrap_or_default();
        Origin::File { path: self.path.to_owned(), line: 1 + before.matches('\n').count() }
    }

    /// Returns a text without its quotes and anything else as it is written.
    fn shown(&self, value: &Spanned<DeValue<'_>>) -> String {
        match value.get_ref() {
            DeValue::String(text) => text.clone().into_owned(),
            _ => self.text.get(value.span()).unwrap_or_default().to_owned(),
        }
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}
