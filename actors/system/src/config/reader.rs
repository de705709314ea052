//! Turns given values into typed ones and keeps every fault on the way.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use headwater::postgres::{Address as PostgresAddress, AddressError};
use headwater::telemetry::{LogFormat, check_filter};
use headwater_outbox::broker::{
    AddressError as BrokerAddressError, HAS_KAFKA, KafkaAddress, NO_KAFKA, NatsAddress,
    RabbitmqAddress,
};
use headwater_outbox::payload::check_source;
use headwater_outbox::secret::{SealKey, SealKeyError};
use headwater_outbox::webhook::{IpNet as Network, origin_value};

use super::layer::{Given, Layers};
use super::quantity::{parse_count, parse_duration, parse_size, show_duration, show_size};
use super::setting::{EMBEDDED, NAME_MAX};
use super::shown::{looks_secret, shown};
use super::{ConfigError, Fault, Kind, Origin, SETTINGS, Setting};

/// Reads settings by key; after a fault it goes on with a value that is thrown away.
pub struct Reader {
    layers: Layers,
}

impl Reader {
    pub const fn new(layers: Layers) -> Self {
        Self { layers }
    }

    pub fn folder(&mut self, key: &'static str) -> PathBuf {
        let parse = |text: &str, _: &Kind| match text.trim() {
            "" => Err("is empty".to_owned()),
            // A folder of that name would show the password to everybody.
            text if text.contains("://") || looks_secret(text) => {
                Err("is an address, not a folder: did you mean store or read?".to_owned())
            }
            _ => Ok(PathBuf::from(text)),
        };
        self.value(key, parse).unwrap_or_default()
    }

    pub fn address(&mut self, key: &'static str) -> SocketAddr {
        let parse = |text: &str, _: &Kind| {
            text.trim().parse().map_err(|_| "is not an address and a port".to_owned())
        };
        self.value(key, parse).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Reads where an engine keeps its data; `None` is the data folder.
    pub fn place(&mut self, key: &'static str) -> Option<PostgresAddress> {
        let parse = |text: &str, _: &Kind| match text.trim() {
            EMBEDDED => Ok(None),
            text => text.parse().map(Some).map_err(|error: AddressError| error.to_string()),
        };
        self.value(key, parse).flatten()
    }

    /// Reads a name; `None` when it is empty.
    pub fn name(&mut self, key: &'static str) -> Option<String> {
        let parse = |text: &str, _: &Kind| match text.trim() {
            text if text.chars().count() > NAME_MAX => Err("is too long".to_owned()),
            text if text.chars().any(char::is_control) => {
                Err("has a character that is not visible".to_owned())
            }
            "" => Ok(None),
            text => Ok(Some(text.to_owned())),
        };
        self.value(key, parse).flatten()
    }

    pub fn switch(&mut self, key: &'static str) -> bool {
        let parse = |text: &str, _: &Kind| {
            text.trim().parse().map_err(|_| "is neither true nor false".to_owned())
        };
        self.value(key, parse).unwrap_or_default()
    }

    pub fn source(&mut self, key: &'static str) -> String {
        let parse = |text: &str, _: &Kind| match check_source(text.trim()) {
            Ok(()) => Ok(text.trim().to_owned()),
            Err(_) => Err("is not a URI reference".to_owned()),
        };
        self.value(key, parse).unwrap_or_default()
    }

    /// Reads the name by which webhooks are asked; `None` asks nobody.
    pub fn origin(&mut self, key: &'static str) -> Option<String> {
        let parse = |text: &str, _: &Kind| match text.trim() {
            "" => Ok(None),
            name if origin_value(name).is_ok() => Ok(Some(name.to_owned())),
            _ => Err("is not a DNS name".to_owned()),
        };
        self.value(key, parse).flatten()
    }

    /// Reads the key that seals secrets; `None` is that of the data folder.
    pub fn seal_key(&mut self, key: &'static str) -> Option<SealKey> {
        let parse = |text: &str, _: &Kind| match text.trim() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|error: SealKeyError| error.to_string()),
        };
        self.value(key, parse).flatten()
    }

    /// Reads networks; an address alone is a network of one.
    pub fn networks(&mut self, key: &'static str) -> Vec<Network> {
        let parse = |text: &str, _: &Kind| {
            let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
            let network = |(at, name): (usize, &str)| {
                let one = || name.parse::<IpAddr>().map(Network::from);
                let network = name.parse::<Network>().or_else(|_| one());
                network.map_err(|_| format!("has no network as its entry {}", at + 1))
            };
            names.enumerate().map(network).collect()
        };
        self.value(key, parse).unwrap_or_default()
    }

    /// Reads a path of a file; `None` when it is empty.
    pub fn file(&mut self, key: &'static str) -> Option<PathBuf> {
        let parse = |text: &str, _: &Kind| match text {
            "" => Ok(None),
            text if text.chars().any(char::is_control) => {
                Err("has a character that is not visible".to_owned())
            }
            text => Ok(Some(PathBuf::from(text))),
        };
        self.value(key, parse).flatten()
    }

    /// Reads where NATS is; `None` when there is none.
    pub fn nats(&mut self, key: &'static str) -> Option<NatsAddress> {
        self.broker(key)
    }

    /// Reads where RabbitMQ is; `None` when there is none.
    pub fn rabbitmq(&mut self, key: &'static str) -> Option<RabbitmqAddress> {
        self.broker(key)
    }

    /// Reads where Kafka is; `None` when there is none.
    pub fn kafka(&mut self, key: &'static str) -> Option<KafkaAddress> {
        let parse = |text: &str, _: &Kind| match text.trim() {
            "" => Ok(None),
            _ if !HAS_KAFKA => Err(format!("cannot be used: {NO_KAFKA}")),
            text => text.parse().map(Some).map_err(|error: BrokerAddressError| error.to_string()),
        };
        self.value(key, parse).flatten()
    }

    pub fn duration(&mut self, key: &'static str) -> Duration {
        self.value(key, span_of).unwrap_or_default()
    }

    /// Reads a size or a count, whichever the table says.
    pub fn number<N: TryFrom<u64> + Default>(&mut self, key: &'static str) -> N {
        let number = self.value(key, number_of).map(N::try_from);
        number.and_then(Result::ok).unwrap_or_default()
    }

    pub fn log_format(&mut self, key: &'static str) -> LogFormat {
        let parse = |text: &str, _: &Kind| text.parse().map_err(|_| "is not a format".to_owned());
        self.value(key, parse).unwrap_or_default()
    }

    pub fn log_filter(&mut self, key: &'static str) -> String {
        let parse = |text: &str, _: &Kind| match check_filter(text) {
            Ok(()) => Ok(text.to_owned()),
            Err(_) => Err("does not parse as a filter".to_owned()),
        };
        self.value(key, parse).unwrap_or_default()
    }

    /// Holds a setting to another: a default follows it down, a given value above it is a fault.
    ///
    /// Nothing is said when one of them could not be read: what would be compared then is not
    /// what was given.
    pub fn keep_within<N: PartialOrd>(
        &mut self,
        (key, value): (&'static str, &mut N),
        bound_key: &str,
        bound: N,
    ) {
        let unread = |own: &Fault| own.field == key || own.field == bound_key;
        if *value <= bound || self.layers.faults.iter().any(unread) {
            return;
        }
        if self.given(key).origin == Origin::Default {
            *value = bound;
        } else {
            let problem = format!("is more than {bound_key}");
            self.refuse(key, &problem, "lower it, or raise the other");
        }
    }

    /// Notes a fault of a setting that its text does not show.
    pub fn refuse(&mut self, key: &'static str, problem: &str, fix: &str) {
        let Given { value, origin } = self.given(key);
        let value = shown(setting(key), &value);
        let (field, problem, fix) = (key.to_owned(), problem.to_owned(), fix.to_owned());
        self.note(Fault { field, value, problem, fix, origin });
    }

    /// Returns `read` if nothing was wrong.
    pub fn finish<T>(self, read: T) -> Result<T, ConfigError> {
        match self.layers.faults {
            faults if faults.is_empty() => Ok(read),
            faults => Err(ConfigError { faults }),
        }
    }

    fn broker<T: FromStr<Err = BrokerAddressError>>(&mut self, key: &'static str) -> Option<T> {
        let parse = |text: &str, _: &Kind| match text.trim() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|error: BrokerAddressError| error.to_string()),
        };
        self.value(key, parse).flatten()
    }

    fn value<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str, &Kind) -> Result<T, String>,
    ) -> Option<T> {
        let Given { value, origin } = self.given(key);
        let setting = setting(key)?;
        let problem = match parse(&value, &setting.kind) {
            Ok(read) => return Some(read),
            Err(problem) => problem,
        };
        let fix = format!("write {}", setting.kind.expected());
        let value = shown(Some(setting), &value);
        self.note(Fault { field: key.to_owned(), value, problem, fix, origin });
        None
    }

    fn given(&self, key: &'static str) -> Given {
        let default = || setting(key).map_or_else(String::new, |own| own.default.to_owned());
        let given = self.layers.given.get(key).cloned();
        given.unwrap_or_else(|| Given { value: default(), origin: Origin::Default })
    }

    /// Keeps one fault a setting: a value that did not parse has no further ones.
    fn note(&mut self, fault: Fault) {
        if self.layers.faults.iter().all(|own| own.field != fault.field) {
            self.layers.faults.push(fault);
        }
    }
}

fn setting(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

fn span_of(text: &str, kind: &Kind) -> Result<Duration, String> {
    let time = parse_duration(text).ok_or("is not a time such as 500ms, 30s or 1m30s")?;
    match kind {
        Kind::Span(min, _) if time < *min => Err(format!("is less than {}", show_duration(*min))),
        Kind::Span(_, max) if time > *max => Err(format!("is more than {}", show_duration(*max))),
        _ => Ok(time),
    }
}

fn number_of(text: &str, kind: &Kind) -> Result<u64, String> {
    let (number, min, max, show): (_, _, _, fn(u64) -> String) = match kind {
        Kind::Size(min, max) => (parse_size(text), *min, *max, show_size),
        Kind::Count(min, max) => (parse_count(text), *min, *max, |count| count.to_string()),
        _ => return Err("is not a number".to_owned()),
    };
    let unread = match kind {
        Kind::Size(..) => "is not a size such as 512KiB or 64MiB",
        _ => "is not a whole number",
    };
    match number.ok_or(unread)? {
        number if number < min => Err(format!("is less than {}", show(min))),
        number if number > max => Err(format!("is more than {}", show(max))),
        number => Ok(number),
    }
}
