//! Bounds on wrong keys: of one address, and of all together.
//!
//! A key cannot be guessed, its secret has 160 random bits; but each try costs a look at the read
//! side and a page. Only failures count, so a proxy in front, whose address all clients share, is
//! held up by wrong keys alone, and keys that this process knows already pass in any case.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::api::{Problem, ProblemKind};

/// The most addresses that are remembered; more share one place.
const ADDRESSES_MAX: usize = 4_096;
/// The place that addresses share which are not remembered; no client has it.
const OTHERS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Failures of one kind.
pub(in crate::api) struct Trials {
    of_one: RateLimiter<IpAddr, DashMapStateStore<IpAddr>, DefaultClock>,
    of_all: RateLimiter<NotKeyed, InMemoryState, DefaultClock>,
    refused: Mutex<Refused>,
}

#[derive(Default)]
struct Refused {
    addresses: FxHashMap<IpAddr, Instant>,
    all: Option<Instant>,
}

/// How many failures are borne: at once, and one more in so long.
pub(in crate::api) struct Patience {
    pub at_once: u32,
    pub one_in: Duration,
}

impl Trials {
    /// Bounds the failures of one address, and those of all.
    pub fn new(one: &Patience, all: &Patience) -> Self {
        Self {
            of_one: RateLimiter::dashmap(one.quota()),
            of_all: RateLimiter::direct(all.quota()),
            refused: Mutex::default(),
        }
    }

    /// Refuses an address from which too many failures came, and says for how long.
    pub fn admit(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        let (now, refused) = (Instant::now(), self.refused.lock());
        let own = refused.addresses.get(&network(address)).copied();
        let until = own.max(refused.all);
        match until.and_then(|until| until.checked_duration_since(now)) {
            Some(wait) if !wait.is_zero() => Err(too_many(wait)),
            _ => Ok(()),
        }
    }

    /// Counts a failure.
    pub fn fail(&self, address: Option<IpAddr>) {
        let mut address = network(address);
        if self.of_one.len() >= ADDRESSES_MAX {
            self.of_one.retain_recent();
            if self.of_one.len() >= ADDRESSES_MAX {
                address = OTHERS;
            }
        }
        let clock = DefaultClock::default();
        let one =
            self.of_one.check_key(&address).err().map(|until| until.wait_time_from(clock.now()));
        let all = self.of_all.check().err().map(|until| until.wait_time_from(clock.now()));
        if one.is_none() && all.is_none() {
            return;
        }
        let (now, mut refused) = (Instant::now(), self.refused.lock());
        if let Some(wait) = all {
            refused.all = Some(now + wait);
        }
        if let Some(wait) = one {
            if refused.addresses.len() >= ADDRESSES_MAX {
                refused.addresses.retain(|_, until| *until > now);
            }
            refused.addresses.insert(address, now + wait);
        }
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.of_one.len().max(self.refused.lock().addresses.len())
    }
}

impl Patience {
    fn quota(&self) -> Quota {
        let at_once = NonZeroU32::new(self.at_once).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(self.one_in).unwrap_or(Quota::per_second(NonZeroU32::MIN));
        quota.allow_burst(at_once)
    }
}

/// Returns what stands for an address: of IPv6 the network, of which one client has all.
fn network(address: Option<IpAddr>) -> IpAddr {
    match address {
        None => OTHERS,
        Some(IpAddr::V4(own)) => IpAddr::V4(own),
        Some(IpAddr::V6(own)) => match own.to_ipv4_mapped() {
            Some(own) => IpAddr::V4(own),
            None => {
                let [a, b, c, d, ..] = own.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        },
    }
}

fn too_many(wait: Duration) -> Problem {
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    let detail = format!("too many wrong keys came from this address: wait {seconds} s");
    Problem::new(ProblemKind::RateLimited, detail).retry_after_s(seconds).closing()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials(one: u32, all: u32) -> Trials {
        let patience = |at_once| Patience { at_once, one_in: Duration::from_secs(60) };
        Trials::new(&patience(one), &patience(all))
    }

    fn address(number: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::from_bits(number)))
    }

    #[test]
    fn failures_hold_up_their_own_address_and_no_other() {
        let trials = trials(3, 100);
        for _ in 0..3 {
            trials.fail(address(1));
            assert!(trials.admit(address(1)).is_ok());
        }
        trials.fail(address(1));
        let refused = trials.admit(address(1)).unwrap_err();
        assert!(refused.detail().contains("wait 6"), "{refused}");
        assert!(trials.admit(address(2)).is_ok());
    }

    #[test]
    fn failures_from_everywhere_hold_up_all() {
        let trials = trials(3, 10);
        (0..11).for_each(|number| trials.fail(address(number)));
        assert!(trials.admit(address(99)).is_err());
    }

    #[test]
    fn one_client_has_a_whole_network_of_ipv6_and_an_address_of_ipv4() {
        let network = |text: &str| network(Some(text.parse().unwrap()));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
    }

    #[test]
    fn many_addresses_fill_no_memory() {
        let trials = trials(1, 1_000_000);
        for number in 0..3 * 4_096 {
            trials.fail(address(number));
            trials.fail(address(number));
        }
        assert!(trials.remembered() <= ADDRESSES_MAX + 1, "{}", trials.remembered());
    }
}
