//! Where a database is and how to log in, without ever showing the password.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::parameter::{self, Parameters, Pooler};
use super::tls::Trust;

/// The schema of an address that names none.
pub const DEFAULT_SCHEMA: &str = "headwater";

/// Names the sessions in `pg_stat_activity` when the address does not.
const APPLICATION: &str = "headwater";

/// Where Debian's and Red Hat's servers listen on the machine itself.
const SOCKET_FOLDER: &str = "/var/run/postgresql";

/// A database and a schema in it, parsed from `postgres://user:password@host:port/name`.
///
/// `?schema=` names the schema, else it is [`DEFAULT_SCHEMA`]. `sslmode` is `disable`,
/// `prefer` (the default), `require` (encrypted, but the server may be anyone) or
/// `verify-full`, which trusts the machine's certificates, or those of the file `sslrootcert`.
/// `pooler` says that a pooler such as PgBouncer is in between: `session` or `transaction`.
/// Further parameters are those of libpq that tokio-postgres knows. Without a host it is the
/// local socket, or localhost. `Display` and `Debug` leave the password out.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    config: Box<Config>,
    schema: String,
    pooler: Pooler,
    trust: Trust,
}

/// Says why a text is no address. Operator: correct the setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme, or none.
    #[error("address of PostgreSQL must begin with postgres://")]
    Scheme,
    /// A character of name or password would end the part it is in.
    #[error(
        "name or password in the address has a character that must be escaped: @ as %40, / as %2F"
    )]
    Unescaped,
    /// A parameter that does not exist, or whose value is none of its values.
    #[error("parameter {name} of the address: {problem}")]
    Parameter {
        /// Which.
        name: String,
        /// What is wrong and what is right.
        problem: String,
    },
    /// The rest does not parse.
    #[error("address of PostgreSQL must be postgres://user:password@host:port/database")]
    Malformed,
}

impl Address {
    /// Returns the schema that holds everything.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Returns the same address with another schema.
    ///
    /// # Errors
    /// [`AddressError::Parameter`] when it is not lower case letters, digits and `_`.
    pub fn with_schema(mut self, schema: &str) -> Result<Self, AddressError> {
        self.schema = parameter::schema(schema)?;
        Ok(self)
    }

    /// Returns the same address under another name for `pg_stat_activity`.
    #[must_use]
    pub fn with_application_name(mut self, name: &str) -> Self {
        self.config.application_name(name);
        self
    }

    /// Returns the server as errors name it: `host:port`, or the socket's folder.
    #[must_use]
    pub fn server(&self) -> String {
        let ports = self.config.get_ports();
        let port = |at| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let hosts = self.config.get_hosts().iter().enumerate().map(|(at, host)| match host {
            Host::Tcp(host) if host.contains(':') => format!("[{host}]:{}", port(at)),
            Host::Tcp(host) => format!("{host}:{}", port(at)),
            Host::Unix(folder) => format!("{}:{}", folder.display(), port(at)),
        });
        hosts.collect::<Vec<_>>().join(",")
    }

    /// Returns the database's name as errors name it.
    #[must_use]
    pub fn database(&self) -> &str {
        let user = || self.config.get_user().unwrap_or_default();
        self.config.get_dbname().unwrap_or_else(user)
    }

    /// Returns server and login as PgBouncer's settings name them, the password included.
    pub(crate) fn login(&self) -> String {
        let host = self.config.get_hosts().first().map(|host| match host {
            Host::Tcp(host) => host.clone(),
            Host::Unix(folder) => folder.display().to_string(),
        });
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let mut login = format!("host={} port={port}", quoted(&host.unwrap_or_default()));
        let password = self.config.get_password().map(String::from_utf8_lossy);
        for (name, value) in [("user", Some(self.user())), ("password", password.as_deref())] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                let _ = write!(login, " {name}={}", quoted(value));
            }
        }
        login
    }

    /// Returns the role that logs in, as errors name it.
    pub(super) fn user(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    /// Returns the same address with something else between this program and the server.
    #[must_use]
    pub const fn with_pooler(mut self, pooler: Pooler) -> Self {
        self.pooler = pooler;
        self
    }

    /// Returns what stands between this program and the server.
    #[must_use]
    pub const fn pooler(&self) -> Pooler {
        self.pooler
    }

    /// Returns what the driver connects with; every session is set up by it, unless a pooler is
    /// in between: those refuse such options, or drop them without a word.
    pub(super) fn config(&self) -> Config {
        let mut config = Config::clone(&self.config);
        if self.pooler != Pooler::Absent {
            return config;
        }
        let mut options = config.get_options().map_or_else(String::new, |own| format!("{own} "));
        // Writing to a string does not fail.
        let _ = write!(
            options,
            "-c search_path={} -c default_transaction_isolation=read\\ committed -c TimeZone=UTC",
            self.schema
        );
        config.options(options);
        config
    }

    /// Returns what sets up a session that starts without options and lasts.
    pub(super) fn setup(&self) -> Option<String> {
        (self.pooler == Pooler::Session).then(|| {
            format!(
                "set search_path = \"{}\"; set default_transaction_isolation = 'read committed'; \
                 set TimeZone = 'UTC'",
                self.schema
            )
        })
    }

    pub(super) const fn trust(&self) -> &Trust {
        &self.trust
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let (place, query) = split(rest.ok_or(AddressError::Scheme)?)?;
        let Parameters { schema, pooler, trust, mode, others } = parameter::parse(query)?;
        // The parser's own message could quote the password, so it is not passed on.
        let mut config: Config =
            format!("postgres://{place}?{others}").parse().map_err(|_| AddressError::Malformed)?;
        config.ssl_mode(mode);
        complete(&mut config);
        Ok(Self { config: Box::new(config), schema, pooler, trust })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user();
        let (server, database) = (self.server(), self.database());
        write!(f, "postgres://{user}@{server}/{database}?schema={}", self.schema)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Parts the text before and behind `?`, and refuses what would put a password elsewhere.
fn split(rest: &str) -> Result<(&str, &str), AddressError> {
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let login = place.split('/').next().unwrap_or_default();
    if rest.matches('@').count() > login.matches('@').count() || login.matches('@').count() > 1 {
        return Err(AddressError::Unescaped);
    }
    Ok((place, query))
}

/// Fills in what the address left open; a peer that has vanished is noticed within a minute.
fn complete(config: &mut Config) {
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        match Path::new(SOCKET_FOLDER).is_dir() {
            true => config.host_path(SOCKET_FOLDER),
            false => config.host("localhost"),
        };
    }
    // Sockets of the machine itself speak no TLS.
    if config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_))) {
        config.ssl_mode(SslMode::Disable);
    }
    if config.get_application_name().is_none() {
        config.application_name(APPLICATION);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(10));
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(30));
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_idle(Duration::from_secs(20));
        config.keepalives_interval(Duration::from_secs(10)).keepalives_retries(3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, AddressError> {
        text.parse()
    }

    #[test]
    fn an_address_never_shows_its_password() {
        let address = parse("postgres://ann:s3cret@db.example:6432/shop?schema=till").unwrap();
        let shown = format!("{address} {address:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.starts_with("postgres://ann@db.example:6432/shop?schema=till"), "{shown}");
    }

    #[test]
    fn a_password_as_a_parameter_is_not_shown_either() {
        let address = parse("postgres://db/shop?user=ann&password=s3cret").unwrap();
        assert_eq!(address.to_string(), "postgres://ann@db:5432/shop?schema=headwater");
        assert_eq!(address.config.get_password(), Some("s3cret".as_bytes()));
    }

    #[test]
    fn a_password_that_is_not_escaped_is_refused_without_showing_it() {
        for password in ["a@b", "a/b@", "p?q", "p/q?r=1"] {
            let error = parse(&format!("postgres://ann:{password}@db/shop")).unwrap_err();
            assert_eq!(error, AddressError::Unescaped, "{password}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = [
            ("mysql://db/shop", "must begin with postgres://"),
            ("postgres://db/shop?schema=A-b", "parameter schema"),
            ("postgres://db/shop?sslmode=verify-ca", "verify-full"),
            ("postgres://db/shop?sslrootcert=/ca.pem", "sslmode=verify-full"),
            ("postgres://db/shop?colour=red", "parameter colour"),
            ("postgres://db/shop?pooler=statement", "session or transaction"),
            ("postgres://db/shop?pooler=session&options=-c%20a%3Db", "parameter options"),
            ("postgres://db:port/shop", "postgres://user:password@host:port/database"),
        ];
        for (text, part) in wrong {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn several_hosts_and_sockets_are_named_in_errors() {
        let address = parse("postgres://a:1,[::1]:2/shop").unwrap();
        assert_eq!(address.server(), "a:1,[::1]:2");
        let address = parse("postgres:///shop?host=/run/pg&port=5433").unwrap();
        assert_eq!(address.server(), "/run/pg:5433");
    }

    #[test]
    fn every_session_is_set_up_by_its_start() {
        let address = parse("postgres://db/shop?options=-c%20work_mem%3D8MB").unwrap();
        let options = address.with_schema("till").unwrap().config();
        let options = options.get_options().unwrap_or_default();
        for part in ["-c work_mem=8MB ", "search_path=till", "read\\ committed", "TimeZone=UTC"] {
            assert!(options.contains(part), "{options}");
        }
    }
}
