//! Where brokers are. Addresses may hold passwords, so they show themselves without them.

use std::fmt;
use std::str::FromStr;

use async_nats::ServerAddr;
use lapin::uri::AMQPUri;
use percent_encoding::percent_decode_str;
use url::Url;

/// Says why an address is none; the operator must write another. Shows nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Is not one of NATS.
    #[error("is not a list of NATS servers")]
    Nats,
    /// Names a user for some servers only, or different ones.
    #[error("has another user for one server than for another")]
    NatsUsers,
    /// Is not one of RabbitMQ.
    #[error("is not an address of RabbitMQ")]
    Rabbitmq,
    /// Is not one of Kafka.
    #[error("is not an address of Kafka")]
    Kafka,
}

/// Who this program is to a NATS server.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum NatsLogin {
    Nobody,
    Token(String),
    User { name: String, password: String },
}

/// The servers of one NATS cluster, `nats://` or `tls://`, parted by commas, each with the same
/// `user:password@` or `token@`, or none.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsAddress {
    servers: Vec<Url>,
    login: NatsLogin,
}

/// A RabbitMQ server and a virtual host of it: `amqp://user:password@host:5672/vhost`, or
/// `amqps://` with encryption.
#[derive(Clone, PartialEq, Eq)]
pub struct RabbitmqAddress(Box<AMQPUri>);

impl NatsAddress {
    pub(super) fn servers(&self) -> Result<Vec<ServerAddr>, std::io::Error> {
        self.servers.iter().cloned().map(ServerAddr::from_url).collect()
    }

    pub(super) const fn login(&self) -> &NatsLogin {
        &self.login
    }
}

impl RabbitmqAddress {
    pub(super) fn uri(&self) -> AMQPUri {
        AMQPUri::clone(&self.0)
    }
}

impl FromStr for NatsAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (mut servers, mut logins) = (Vec::new(), Vec::new());
        for part in text.split(',').map(str::trim) {
            let mut url = Url::parse(part).map_err(|_| AddressError::Nats)?;
            let is_known = matches!(url.scheme(), "nats" | "tls");
            let is_bare = matches!(url.path(), "" | "/") && url.query().is_none();
            if !is_known || !is_bare || url.host_str().is_none_or(str::is_empty) {
                return Err(AddressError::Nats);
            }
            logins.push(login(&url)?);
            url.set_username("").map_err(|()| AddressError::Nats)?;
            url.set_password(None).map_err(|()| AddressError::Nats)?;
            servers.push(url);
        }
        let login = logins.first().cloned().ok_or(AddressError::Nats)?;
        match logins.iter().all(|own| *own == login) {
            true => Ok(Self { servers, login }),
            false => Err(AddressError::NatsUsers),
        }
    }
}

fn login(url: &Url) -> Result<NatsLogin, AddressError> {
    let decode = |text: &str| {
        let text = percent_decode_str(text).decode_utf8();
        text.map(|text| text.into_owned()).map_err(|_| AddressError::Nats)
    };
    Ok(match (url.username(), url.password()) {
        ("", None) => NatsLogin::Nobody,
        (token, None) => NatsLogin::Token(decode(token)?),
        (name, Some(password)) => {
            NatsLogin::User { name: decode(name)?, password: decode(password)? }
        }
    })
}

impl FromStr for RabbitmqAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let uri: AMQPUri = text.trim().parse().map_err(|_| AddressError::Rabbitmq)?;
        match uri.authority.host.is_empty() {
            true => Err(AddressError::Rabbitmq),
            false => Ok(Self(Box::new(uri))),
        }
    }
}

impl fmt::Display for NatsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, server) in self.servers.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(f, "{comma}{}", server.as_str().trim_end_matches('/'))?;
        }
        Ok(())
    }
}

impl fmt::Display for RabbitmqAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri { scheme, authority, .. } = &*self.0;
        write!(f, "{scheme}://{}:{}", authority.host, authority.port)
    }
}

impl fmt::Debug for NatsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for RabbitmqAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_no_password() {
        let nats: NatsAddress = "nats://ann:canary@a:4222,nats://ann:canary@b".parse().unwrap();
        assert_eq!(format!("{nats} {nats:?}").matches("canary").count(), 0);
        assert_eq!(nats.to_string(), "nats://a:4222,nats://b");
        let rabbitmq: RabbitmqAddress = "amqps://ann:canary@a/shop".parse().unwrap();
        assert_eq!(format!("{rabbitmq} {rabbitmq:?}"), "amqps://a:5671 amqps://a:5671");
        assert_eq!(rabbitmq.uri().vhost, "shop");
    }

    #[test]
    fn users_passwords_and_tokens_are_percent_decoded() {
        let login = |text: &str| text.parse::<NatsAddress>().unwrap().login;
        let user = NatsLogin::User { name: "a@b".into(), password: "c:d".into() };
        assert!(login("nats://a%40b:c%3Ad@host") == user);
        assert!(login("tls://s3cr%2Ft@host") == NatsLogin::Token("s3cr/t".into()));
        assert!(login("nats://host:4222") == NatsLogin::Nobody);
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_shown() {
        for bad in ["", "canary", "http://canary", "nats://a,canary", "nats://a/x", "nats://a?b"] {
            let error = bad.parse::<NatsAddress>().unwrap_err();
            assert_eq!(error, AddressError::Nats, "{bad}");
        }
        let users = "nats://a:b@host,nats://other".parse::<NatsAddress>();
        assert_eq!(users.unwrap_err(), AddressError::NatsUsers);
        for bad in ["", "canary", "http://canary", "nats://a"] {
            let error = bad.parse::<RabbitmqAddress>().unwrap_err();
            assert_eq!(error, AddressError::Rabbitmq, "{bad}");
        }
    }
}
