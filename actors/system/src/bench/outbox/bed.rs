//! A system with an outbox over the bench's folder.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use headwater::event::Tenant;
use headwater::runtime::System;
use headwater::sql::SqliteConfig;
use headwater::store::EventStore;
use headwater::store::log::LogStore;
use headwater_outbox::broker::BrokerConfig;
use headwater_outbox::endpoint::{Endpoint, EndpointConfig, Register, Remove, Start};
use headwater_outbox::secret::{SealKey, SecretKind, SigningSecret};
use headwater_outbox::webhook::{WebhookClient, WebhookSettings};
use headwater_outbox::{Outbox, OutboxConfig};

use crate::bench::ground::Ground;
use crate::error::Failure;

/// Log and system of one case.
pub struct OutboxBed {
    /// The log.
    pub log: Arc<LogStore>,
    system: System,
    seal: SealKey,
    /// Events of endpoints themselves.
    own: AtomicU64,
}

impl OutboxBed {
    /// Starts a system over a log of its own.
    pub fn start(ground: &Ground, name: &str) -> Result<Self, Failure> {
        let log = ground.log(name)?;
        let database = SqliteConfig::at(ground.dir.join(format!("{name}.sqlite"))).open()?;
        let seal = SealKey::generate()?;
        let allow_networks = vec![std::net::IpAddr::from([127, 0, 0, 1]).into()];
        let settings =
            WebhookSettings { allow_http: true, allow_networks, ..WebhookSettings::default() };
        let config = OutboxConfig {
            source: "/bench".to_owned(),
            origin: None,
            seal: Some(seal.clone()),
            client: WebhookClient::new(&settings)?,
            attempts_kept: 200_000,
            endpoints_max: 1_000,
            brokers: BrokerConfig { nats: ground.nats.clone(), ..BrokerConfig::default() },
        };
        let outbox = Outbox::new(config, log.clone(), database.clone())?;
        let builder = System::builder(log.clone(), database).plugin(outbox);
        let system = ground.block_on(builder.start())?;
        Ok(Self { log, system, seal, own: AtomicU64::new(0) })
    }

    /// Returns how many events endpoints get: all but those of endpoints.
    pub fn filled(&self) -> u64 {
        let head = self.log.head().borrow().get();
        head.saturating_sub(self.own.load(Ordering::Relaxed))
    }

    /// Registers an endpoint that gets the whole log.
    pub fn register(
        &self,
        ground: &Ground,
        id: &str,
        config: EndpointConfig,
    ) -> Result<(), Failure> {
        let secret = SigningSecret::generate(SecretKind::Symmetric)?;
        let secret = self.seal.seal(&secret.reveal(), &format!("default/{id}"))?;
        let command = Register { config, secret: Some(secret), start: Start::Beginning };
        let endpoint = self.system.at::<Endpoint>(&Tenant::default_tenant(), id)?;
        ground.block_on(endpoint.send(command))?;
        self.own.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Removes an endpoint.
    pub fn remove(&self, ground: &Ground, id: &str) -> Result<(), Failure> {
        let endpoint = self.system.at::<Endpoint>(&Tenant::default_tenant(), id)?;
        ground.block_on(endpoint.send(Remove {}))?;
        self.own.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Ends the system.
    pub fn stop(self, ground: &Ground) -> Result<(), Failure> {
        ground.block_on(self.system.shutdown(Duration::from_secs(10)));
        Ok(())
    }
}
