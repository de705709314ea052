//! How a node learns of what another appends.

use std::time::Duration;

use headwater::event::Position;
use headwater::store::postgres::{HeadSource, PostgresStore, PostgresStoreConfig};
use headwater::store::{EventStore, Expected};

use super::kit::{Proxy, append, node, scratch, whole_log};

#[tokio::test]
async fn a_notification_moves_the_head_of_the_other_node() {
    let scratch = scratch();
    let mut config = PostgresStoreConfig::new(scratch.address().clone());
    config.poll = Duration::from_secs(3_600);
    let (writer, reader) = (node(scratch.address()), PostgresStore::open(config).unwrap());
    let mut head = reader.head();
    for number in 1..=10 {
        writer.append(append("a", Expected::Any, 1)).await.unwrap();
        head.wait_for(|head| head.get() >= number).await.unwrap();
        assert!(whole_log(&reader).await.len() as u64 >= number);
    }
    assert_eq!(reader.stats().head_source, HeadSource::Listening);
}

#[tokio::test]
async fn notifications_that_do_not_come_are_noticed_and_polled_for() {
    let scratch = scratch();
    let proxy = Proxy::before(&scratch);
    proxy.swallow_notifications(true);
    let mut config = PostgresStoreConfig::new(proxy.address.clone());
    (config.poll, config.poll_alone) = (Duration::from_millis(20), Duration::from_millis(10));
    let (writer, reader) = (node(scratch.address()), PostgresStore::open(config).unwrap());
    let mut head = reader.head();
    let mut number = 0;
    while reader.stats().head_source == HeadSource::Listening {
        number += 1;
        writer.append(append("a", Expected::Any, 1)).await.unwrap();
        head.wait_for(|head| head.get() >= number).await.unwrap();
    }
    proxy.swallow_notifications(false);
    while reader.stats().head_source == HeadSource::Polling {
        number += 1;
        writer.append(append("a", Expected::Any, 1)).await.unwrap();
        head.wait_for(|head| head.get() >= number).await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_listener_comes_back_and_finds_what_it_missed() {
    let scratch = scratch();
    let proxy = Proxy::before(&scratch);
    let (writer, reader) = (node(scratch.address()), node(&proxy.address));
    let mut head = reader.head();
    writer.append(append("a", Expected::Any, 1)).await.unwrap();
    head.wait_for(|head| *head >= Position::FIRST).await.unwrap();
    proxy.cut();
    writer.append(append("a", Expected::Any, 4)).await.unwrap();
    proxy.mend();
    head.wait_for(|head| *head >= Position::new(5)).await.unwrap();
}
