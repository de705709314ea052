//! Where Kafka is, and who this program is to it.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::Url;

use super::AddressError;

/// The port of Kafka when an address names none.
const PORT: u16 = 9092;

/// Some brokers of one Kafka cluster, the others are found through them:
/// `kafka://user:password@host:9092,host:9092?sasl=scram-sha-256`, or `kafkas://` with
/// encryption. Without a user nobody logs in; `sasl` is `scram-sha-512` unless it says otherwise.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaAddress {
    brokers: Vec<String>,
    is_encrypted: bool,
    login: Option<KafkaLogin>,
}

/// Who this program is to Kafka.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct KafkaLogin {
    pub mechanism: Mechanism,
    pub name: String,
    pub password: String,
}

/// How a password is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

#[cfg(feature = "kafka")]
impl KafkaAddress {
    pub(super) fn brokers(&self) -> &[String] {
        &self.brokers
    }

    pub(super) const fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    pub(super) const fn login(&self) -> Option<&KafkaLogin> {
        self.login.as_ref()
    }
}

impl FromStr for KafkaAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (is_encrypted, rest) = match text.trim().split_once("://") {
            Some(("kafka", rest)) => (false, rest),
            Some(("kafkas", rest)) => (true, rest),
            _ => return Err(AddressError::Kafka),
        };
        let (rest, mechanism) = match rest.split_once("?sasl=") {
            Some((rest, name)) => (rest, Some(mechanism(name)?)),
            None => (rest, None),
        };
        let (user, hosts) = match rest.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, rest),
        };
        let login = match (user, mechanism) {
            (Some(user), own) => Some(login(user, own.unwrap_or(Mechanism::ScramSha512))?),
            (None, None) => None,
            (None, Some(_)) => return Err(AddressError::Kafka),
        };
        let brokers = hosts.split(',').map(broker).collect::<Result<_, _>>()?;
        Ok(Self { brokers, is_encrypted, login })
    }
}

fn mechanism(name: &str) -> Result<Mechanism, AddressError> {
    match name {
        "plain" => Ok(Mechanism::Plain),
        "scram-sha-256" => Ok(Mechanism::ScramSha256),
        "scram-sha-512" => Ok(Mechanism::ScramSha512),
        _ => Err(AddressError::Kafka),
    }
}

fn login(user: &str, mechanism: Mechanism) -> Result<KafkaLogin, AddressError> {
    let decode = |text: &str| {
        let text = percent_decode_str(text).decode_utf8();
        text.map(|text| text.into_owned()).map_err(|_| AddressError::Kafka)
    };
    let (name, password) = user.split_once(':').ok_or(AddressError::Kafka)?;
    Ok(KafkaLogin { mechanism, name: decode(name)?, password: decode(password)? })
}

fn broker(text: &str) -> Result<String, AddressError> {
    // Read as an address of the web, whose default port is not shown: so none that has one.
    let url = Url::parse(&format!("kafka://{}", text.trim())).map_err(|_| AddressError::Kafka)?;
    let is_bare = url.path().is_empty() && url.query().is_none() && url.fragment().is_none();
    match url.host_str() {
        Some(host) if is_bare && !host.is_empty() => {
            Ok(format!("{host}:{}", url.port().unwrap_or(PORT)))
        }
        _ => Err(AddressError::Kafka),
    }
}

impl fmt::Display for KafkaAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted { "kafkas" } else { "kafka" };
        write!(f, "{scheme}://{}", self.brokers.join(","))
    }
}

impl fmt::Debug for KafkaAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> KafkaAddress {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_shows_its_brokers_and_no_password() {
        let address = read("kafkas://ann:canary@a,b:9093,[::1]:7");
        assert_eq!(format!("{address} {address:?}").matches("canary").count(), 0);
        assert_eq!(address.to_string(), "kafkas://a:9092,b:9093,[::1]:7");
        assert_eq!(read("kafka://a").to_string(), "kafka://a:9092");
    }

    #[test]
    fn a_user_logs_in_by_scram_unless_the_address_says_otherwise() {
        let login = |text| {
            let own = read(text).login?;
            Some((own.mechanism, own.name, own.password))
        };
        let of = |mechanism| Some((mechanism, "a@b".to_owned(), "c:d".to_owned()));
        assert_eq!(login("kafka://a"), None);
        assert_eq!(login("kafka://a%40b:c%3Ad@host"), of(Mechanism::ScramSha512));
        assert_eq!(login("kafkas://a%40b:c:d@host?sasl=plain"), of(Mechanism::Plain));
        let scram = "kafka://a%40b:c:d@host,other?sasl=scram-sha-256";
        assert_eq!(login(scram), of(Mechanism::ScramSha256));
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_shown() {
        for bad in [
            "",
            "canary",
            "http://canary",
            "kafka://",
            "kafka://a,,b",
            "kafka://a/x",
            "kafka://a?b=c",
            "kafka://a:99999",
            "kafka://canary@a",
            "kafka://a?sasl=plain",
            "kafka://a:b@c?sasl=canary",
        ] {
            assert_eq!(bad.parse::<KafkaAddress>().unwrap_err(), AddressError::Kafka, "{bad}");
        }
    }
}
