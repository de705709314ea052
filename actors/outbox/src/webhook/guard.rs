//! Keeps deliveries out of networks that are none of the endpoint owner's business (server-side
//! request forgery): what is connected to is what was checked.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use ipnet::IpNet;
use tower_service::Service;
use url::{Host, Url};

use super::network::{self, Network};

/// Says that deliveries may not go to an address. The operator acts, or the endpoint's owner
/// gives another address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the address {address} is {} ({network}), where no delivery goes: give a public address, or \
     add the network to outbox.allow_networks",
    network.name
)]
pub struct Forbidden {
    /// The address; of forms that stand for an IPv4 address the form itself or, when that is
    /// allowed, the IPv4 address.
    pub address: IpAddr,
    /// The network that it is in.
    pub network: Network,
}

/// Says why a name gave no address to connect to.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The name has a forbidden address. The endpoint's owner or the operator acts.
    ///
    /// The words leave out the address and its network: tenants read them, and what an inner
    /// name server says of this machine's networks is not theirs to know.
    #[error(
        "{name} does not resolve to public addresses alone, and to others no delivery goes: give \
         a public host, or let the operator add the network to outbox.allow_networks"
    )]
    Forbidden {
        /// The name.
        name: String,
        /// The address and why it is forbidden.
        #[source]
        forbidden: Forbidden,
    },
    /// The name has no address. The endpoint's owner acts; until then it is retried.
    #[error("{name} has no address: no such name")]
    NoAddress {
        /// The name.
        name: String,
    },
    /// The resolver failed. Nobody acts: it is retried.
    #[error("{name} could not be resolved: {problem}")]
    Failed {
        /// The name.
        name: String,
        /// What the resolver says.
        #[source]
        problem: io::Error,
    },
}

/// Knows which addresses deliveries may go to: public ones, and networks that an operator
/// allowed.
///
/// An IPv6 form that stands for an IPv4 address (mapped, compatible, 6to4, NAT64, Teredo) needs
/// both allowed, the form and the IPv4 address: allowing `64:ff9b::/96` for a network that has
/// IPv6 alone opens no private IPv4 network.
#[derive(Clone, Debug, Default)]
pub struct AddressGuard {
    allowed: Vec<IpNet>,
}

impl AddressGuard {
    /// Makes a guard that also lets deliveries into these networks.
    #[must_use]
    pub const fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Checks an address.
    ///
    /// # Errors
    /// [`Forbidden`] with the network and its name when no delivery may go there.
    pub fn check(&self, address: IpAddr) -> Result<(), Forbidden> {
        let Some(network) = network::forbidden(address) else { return Ok(()) };
        if !self.allowed.iter().any(|allowed| allowed.contains(&address)) {
            return Err(Forbidden { address, network: *network });
        }
        network.embedded(address).map_or(Ok(()), |inner| self.check(inner.into()))
    }

    /// Checks the host of a URL as far as it can be done without a lookup: addresses in every
    /// form that URLs know, and the names that mean this machine.
    ///
    /// An address in a URL never reaches a resolver, so this is what stands in its way.
    ///
    /// # Errors
    /// [`Forbidden`] as [`AddressGuard::check`].
    pub fn check_host(&self, url: &Url) -> Result<(), Forbidden> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(address.into()),
            Some(Host::Ipv6(address)) => self.check(address.into()),
            Some(Host::Domain(name)) if is_local(name) => self.check(IpAddr::from([127, 0, 0, 1])),
            _ => Ok(()),
        }
    }
}

/// Returns whether a name means this machine by definition (RFC 6761, section 6.3).
fn is_local(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// Finds the addresses of a name; the port of each is not used.
pub type Lookup = Arc<dyn Fn(String) -> Found + Send + Sync>;

/// The addresses of a name, when they are known.
pub type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Returns the lookup that finds the addresses that the machine's resolver knows.
#[must_use]
pub fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
    })
}

/// Resolves names to checked addresses alone, each time that a connection is made.
///
/// One forbidden address refuses the whole name: an honest public name has none, and taking the
/// others would let its owner try again until the first is chosen.
#[derive(Clone)]
pub struct GuardedResolver {
    guard: Arc<AddressGuard>,
    lookup: Lookup,
}

impl GuardedResolver {
    /// Puts a guard before a lookup.
    #[must_use]
    pub fn new(guard: Arc<AddressGuard>, lookup: Lookup) -> Self {
        Self { guard, lookup }
    }

    /// Returns the addresses of a name, all of them checked.
    ///
    /// # Errors
    /// [`LookupError`] when it has none, when one of them is forbidden, or when the resolver
    /// fails.
    pub async fn addresses(&self, name: String) -> Result<Vec<SocketAddr>, LookupError> {
        let found = (self.lookup)(name.clone()).await.map_err(|problem| {
            let name = name.clone();
            match is_no_such_name(&problem) {
                true => LookupError::NoAddress { name },
                false => LookupError::Failed { name, problem },
            }
        })?;
        if found.is_empty() {
            return Err(LookupError::NoAddress { name });
        }
        let refused = found.iter().find_map(|address| self.guard.check(address.ip()).err());
        match refused {
            Some(forbidden) => {
                tracing::debug!(host = name, address = %forbidden.address, "host refused");
                Err(LookupError::Forbidden { name, forbidden })
            }
            None => Ok(found),
        }
    }
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = LookupError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, LookupError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), LookupError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (resolver, name) = (self.clone(), name.as_str().to_owned());
        Box::pin(async move { Ok(resolver.addresses(name).await?.into_iter()) })
    }
}

/// Returns whether the resolver knows that there is no such name, as opposed to not knowing.
/// The machine's resolver gives this as text alone.
fn is_no_such_name(problem: &io::Error) -> bool {
    let said = problem.to_string();
    problem.kind() == io::ErrorKind::NotFound
        || said.contains("not known")
        || said.contains("No address associated")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(address: &str) -> String {
        let address: IpAddr = address.parse().unwrap();
        AddressGuard::default().check(address).unwrap_err().to_string()
    }

    #[test]
    fn a_refusal_names_the_network_and_the_setting_that_allows_it() {
        let said = said("169.254.169.254");
        assert!(said.contains("link-local (169.254.0.0/16)"), "{said}");
        assert!(said.contains("outbox.allow_networks"), "{said}");
    }

    #[test]
    fn the_narrowest_network_gives_the_reason() {
        assert!(said("::1").contains("loopback (::1/128)"));
        assert!(said("::2").contains("IPv4-compatible"));
        assert!(said("255.255.255.255").contains("broadcast"));
        assert!(said("2001:2::1").contains("benchmarking"));
        assert!(said("2001:5::1").contains("protocol assignments"));
        assert!(said("::ffff:8.8.8.8").contains("IPv4-mapped"));
    }

    #[test]
    fn an_allowed_network_is_let_through_and_its_neighbour_is_not() {
        let guard = AddressGuard::new(vec!["10.1.0.0/16".parse().unwrap()]);
        assert_eq!(guard.check([10, 1, 2, 3].into()), Ok(()));
        assert!(guard.check([10, 2, 0, 0].into()).is_err());
    }

    #[test]
    fn a_form_that_stands_for_an_address_needs_both_allowed() {
        let guard = |networks: &[&str]| {
            AddressGuard::new(networks.iter().map(|text| text.parse().unwrap()).collect())
        };
        let nat64 = guard(&["64:ff9b::/96"]);
        assert_eq!(nat64.check("64:ff9b::8.8.8.8".parse().unwrap()), Ok(()));
        let refused = nat64.check("64:ff9b::7f00:1".parse().unwrap()).unwrap_err();
        assert_eq!(refused.network.name, "loopback");
        for (form, network) in [
            ("::ffff:10.0.0.1", "::ffff:0:0/96"),
            ("2002:a00:1::", "2002::/16"),
            ("2001:0:1:2:3:4:f5ff:fffe", "2001::/32"),
        ] {
            let form: IpAddr = form.parse().unwrap();
            assert_eq!(guard(&[network]).check(form).unwrap_err().address.to_string(), "10.0.0.1");
            assert_eq!(guard(&[network, "10.0.0.0/8"]).check(form), Ok(()));
            assert!(guard(&["10.0.0.0/8"]).check(form).is_err());
        }
    }
}
