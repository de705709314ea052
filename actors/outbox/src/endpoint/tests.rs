use std::num::NonZeroU32;
use std::time::Duration;

use headwater::event::Position;
use headwater::test::{given, given_nothing};

use super::*;
use crate::secret::SealKey;
use crate::webhook::HandshakeAllowed;

fn sealed() -> Sealed {
    serde_json::from_value("v1.0011aabb.c2VhbGVk".into()).unwrap()
}

fn config() -> EndpointConfig {
    EndpointConfig::webhook("https://example.com/hook")
}

fn set_batch(config: &mut EndpointConfig, events_max: u16, wait_ms: u16) {
    config.format = crate::payload::Format::CloudEventsBatch;
    config.batch = Some(Batching { events_max, wait_ms });
}

fn register() -> Register {
    Register { config: config(), secret: Some(sealed()), start: Start::Now }
}

fn registered() -> EndpointEvent {
    EndpointEvent::Registered { config: config(), secret: Some(sealed()), start: Start::Now }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn all() -> Selection {
    Selection { all: true, ..Selection::default() }
}

fn invalid(field: &str, problem: &str) -> EndpointRejection {
    EndpointRejection::invalid(field, problem)
}

#[test]
fn an_endpoint_is_registered_once() {
    given_nothing::<Endpoint>().when(register()).then([registered()]);
    given::<Endpoint>([registered()]).when(register()).then_nothing();
    let other = Register { config: EndpointConfig { concurrency: 3, ..config() }, ..register() };
    given::<Endpoint>([registered()])
        .when(other)
        .then_rejected(EndpointRejection::AlreadyRegistered);
}

#[test]
fn what_is_out_of_bounds_is_refused_by_name() {
    let with = |set: fn(&mut EndpointConfig)| {
        let mut config = config();
        set(&mut config);
        Register { config, ..register() }
    };
    for (set, field) in [
        ((|own| own.concurrency = 0) as fn(&mut EndpointConfig), "concurrency"),
        (|own| own.timeout_ms = 99, "timeout_ms"),
        (|own| own.rate_per_second = Some(0), "rate_per_second"),
        (|own| own.disable_after_hours = 721, "disable_after_hours"),
        (|own| own.batch = Some(Batching { events_max: 10, wait_ms: 0 }), "batch"),
        (|own| set_batch(own, 0, 0), "batch.events_max"),
        (|own| set_batch(own, 1_001, 0), "batch.events_max"),
        (|own| set_batch(own, 10, 60_001), "batch.wait_ms"),
        (|own| own.description = Some("x".repeat(201)), "description"),
        (|own| own.filter.categories = vec!["Not A Name".into()], "filter.categories.0"),
        (|own| own.filter.expression = Some("data. ==".into()), "filter.expression"),
        (|own| own.target = Target::Kafka { topic: "a b".into() }, "target.topic"),
        (|own| own.target = Target::Kafka { topic: "..".into() }, "target.topic"),
        (|own| own.target = Target::Kafka { topic: "x".repeat(250) }, "target.topic"),
        (|own| own.target = EndpointConfig::webhook("x".repeat(2_001)).target, "target.url"),
        (|own| own.target = Target::Pull { ack_timeout_ms: 99 }, "target.ack_timeout_ms"),
        (|own| own.target = Target::Pull { ack_timeout_ms: 3_600_001 }, "target.ack_timeout_ms"),
    ] {
        let context = Context {
            now: Timestamp::UNIX_EPOCH,
            tenant: headwater::event::Tenant::default_tenant(),
            stream: headwater::event::StreamId::new(CATEGORY, "one").unwrap(),
            metadata: Default::default(),
        };
        let refused = Endpoint::default().decide(with(set), &context).unwrap_err();
        let EndpointRejection::Invalid { field: found, .. } = &refused else { panic!("{refused}") };
        assert_eq!(found, field, "{refused}");
    }
}

#[test]
fn requests_keep_the_longer_of_the_distances_that_the_rates_ask_for() {
    let interval = |rate_per_second, per_minute| {
        let mut config = EndpointConfig { rate_per_second, ..config() };
        if let (Target::Webhook { handshake, .. }, Some(rate)) = (&mut config.target, per_minute) {
            *handshake = Some(HandshakeAllowed { per_minute: NonZeroU32::new(rate) });
        }
        config.interval().map(|interval| interval.as_millis())
    };
    assert_eq!(interval(None, None), None);
    assert_eq!(interval(Some(10), None), Some(100));
    assert_eq!(interval(Some(10), Some(60)), Some(1_000));
    assert_eq!(interval(Some(1), Some(6_000)), Some(1_000));
    assert_eq!(interval(None, Some(1)), Some(Duration::from_secs(60).as_millis()));
}

#[test]
fn a_paused_endpoint_is_resumed_and_a_disabled_one_is_not_paused() {
    given::<Endpoint>([registered()])
        .when(Pause { reason: None })
        .then([EndpointEvent::Paused { reason: None }])
        .when(Resume {})
        .then([EndpointEvent::Resumed {}])
        .when(Disable { cause: DisableCause::Gone {} })
        .then([EndpointEvent::Disabled { cause: DisableCause::Gone {} }])
        .when(Pause { reason: None })
        .then_rejected(EndpointRejection::Disabled);
}

#[test]
fn what_an_operator_says_of_a_pause_or_a_disabling_is_short_and_plain() {
    for reason in ["x".repeat(201), "a\nb".to_owned()] {
        let reason = Some(reason);
        let cause = DisableCause::Operator { reason: reason.clone() };
        let problem = "must have at most 200 bytes and no control character";
        given::<Endpoint>([registered()])
            .when(Pause { reason })
            .then_rejected(invalid("reason", problem));
        given::<Endpoint>([registered()])
            .when(Disable { cause })
            .then_rejected(invalid("reason", problem));
    }
}

#[test]
fn an_endpoint_is_warned_about_each_part_once_until_it_works_again() {
    let failing_since = at("2026-01-01T00:00:00Z");
    let warn = |percent| Warn { percent, failing_since };
    let warned = |percent| EndpointEvent::FailureWarned { percent, failing_since };
    given::<Endpoint>([registered(), warned(50)]).when(warn(50)).then_nothing();
    given::<Endpoint>([registered(), warned(50)]).when(warn(70)).then([warned(70)]);
    given::<Endpoint>([registered(), warned(70), EndpointEvent::Resumed {}])
        .when(warn(50))
        .then([warned(50)]);
}

#[test]
fn a_removed_endpoint_takes_no_orders() {
    given::<Endpoint>([registered(), EndpointEvent::Removed {}])
        .when(Redrive { selection: all(), rate_per_second: None })
        .then_rejected(EndpointRejection::Removed);
    given::<Endpoint>([registered(), EndpointEvent::Removed {}]).when(Remove {}).then_nothing();
}

#[test]
fn an_order_says_which_or_all() {
    let redrive = |selection| Redrive { selection, rate_per_second: None };
    given::<Endpoint>([registered()])
        .when(redrive(Selection::default()))
        .then_rejected(invalid("selection", "is empty: say which, or set `all`"));
    let stream = Selection { stream: Some("x".into()), ..Selection::default() };
    given::<Endpoint>([registered()]).when(redrive(stream)).then_rejected(invalid(
        "selection.category",
        "is missing: a stream is a category and an id",
    ));
    let order = Order { kind: OrderKind::Redrive, selection: all(), rate_per_second: None };
    given::<Endpoint>([registered()]).when(redrive(all())).then([EndpointEvent::Ordered { order }]);
}

#[test]
fn messages_to_a_webhook_are_signed_and_those_to_a_broker_are_not() {
    let unsigned = Register { secret: None, ..register() };
    given_nothing::<Endpoint>()
        .when(unsigned.clone())
        .then_rejected(invalid("secret", "is missing: messages to a webhook are signed"));
    let config = EndpointConfig::new(Target::Kafka { topic: "shop".into() });
    let registered =
        EndpointEvent::Registered { config: config.clone(), secret: None, start: Start::Now };
    given_nothing::<Endpoint>()
        .when(Register { config, ..unsigned })
        .then([registered])
        .when(RotateSecret { secret: sealed(), keep_previous_s: 0 })
        .then_rejected(invalid(
            "secret",
            "is only for webhooks: messages to a broker are not signed",
        ));
}

#[test]
fn what_is_sealed_opens_at_its_own_endpoint_alone() {
    let key = SealKey::generate().unwrap();
    let sealed = key.seal("secret", "default/one").unwrap();
    assert_eq!(key.open(&sealed, "default/one").unwrap(), "secret");
    assert!(key.open(&sealed, "default/two").is_err());
}

#[test]
fn every_shape_of_an_endpoint_event_has_its_golden_file() {
    let selection = Selection { category: Some("order".into()), ..Selection::default() };
    let rate_per_second = Some(50);
    let order = Order { kind: OrderKind::Redrive, selection, rate_per_second };
    let mut changed = config();
    set_batch(&mut changed, 100, 250);
    changed.filter.types = vec!["Placed".into()];
    changed.filter.expression = Some("data.country == 'EIRE'".into());
    if let Target::Webhook { headers, handshake, .. } = &mut changed.target {
        headers.insert("authorization".into(), sealed());
        *handshake = Some(HandshakeAllowed { per_minute: NonZeroU32::new(120) });
    }
    headwater::test::golden::check::<EndpointEvent>(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../schema/events"),
        [
            EndpointEvent::Registered {
                config: config(),
                secret: Some(sealed()),
                start: Start::After(Position::new(7)),
            },
            EndpointEvent::Changed { config: changed },
            EndpointEvent::Paused { reason: Some("maintenance".into()) },
            EndpointEvent::Resumed {},
            EndpointEvent::Disabled { cause: DisableCause::Failing { hours: 120 } },
            EndpointEvent::SecretRotated {
                secret: sealed(),
                previous_until: at("2026-01-02T00:00:00Z"),
            },
            EndpointEvent::FailureWarned { percent: 50, failing_since: at("2026-01-01T00:00:00Z") },
            EndpointEvent::Removed {},
            EndpointEvent::Ordered { order },
        ],
    );
}
