//! Who runs which projection, and what becomes of it when a node goes.

use headwater::event::{EventType, NewEvent, Position, StreamId};
use headwater::nodes::{NodeState, Roster};
use headwater::runtime::{ActorState, RuntimeConfig, System};
use headwater::store::{Append, Expected};

use super::kit::{LONG, PROJECTIONS, Place, count, four, patient, shares, total, until_shared};
use super::sample::tenant;

/// Appends an event that no projection asks for, and returns where it lies.
async fn note(node: &System) -> Position {
    let event = NewEvent::json(EventType::new("Noted").unwrap(), 1, "{}").unwrap();
    let stream = StreamId::new("note", "n").unwrap();
    let append = Append::to_stream(tenant(), stream, Expected::Any, vec![event]);
    node.store().append(append).await.unwrap().position
}

#[tokio::test]
async fn each_projection_is_run_by_one_node_and_a_node_that_comes_gets_its_share() {
    let place = Place::new();
    let first = place.node("first").await;
    until_shared(&first, &[("first", 4)]).await;
    let second = place.node("second").await;
    until_shared(&first, &[("first", 2), ("second", 2)]).await;
    let third = place.node("third").await;
    let is_shared = |roster: &Roster| {
        let mut counts: Vec<_> = shares(roster).into_iter().map(|(_, count)| count).collect();
        counts.sort_unstable();
        counts == [1, 1, 2]
    };
    second.membership().until(is_shared).await;
    let position = count(&third).await;
    for node in [&first, &second, &third] {
        for name in PROJECTIONS {
            node.wait_for(name, position, LONG).await.unwrap();
            assert_eq!(total(node, name).await, 1, "{name}");
        }
    }
}

#[tokio::test]
async fn what_a_killed_node_ran_goes_on_elsewhere() {
    let place = Place::new();
    let (killed, heir) = (place.node("killed").await, place.node("heir").await);
    until_shared(&heir, &[("heir", 2), ("killed", 2)]).await;
    count(&killed).await;
    // Without its threads nobody says that it lives; a whole process is killed in the tests of the program.
    drop(killed);
    let position = count(&heir).await;
    for name in PROJECTIONS {
        heir.wait_for(name, position, LONG).await.unwrap();
        assert_eq!(total(&heir, name).await, 2, "{name}");
    }
    until_shared(&heir, &[("heir", 4)]).await;
    let roster = heir.membership().roster();
    let gone = roster.nodes.iter().find(|node| node.name == "killed").unwrap();
    assert_eq!(gone.state, NodeState::Silent);
}

#[tokio::test]
async fn a_node_that_stops_in_order_hands_over_without_anybody_waiting_for_its_death() {
    let place = Place::new();
    let leaver = place.start(patient("leaver"), four::<1>).await;
    let stayer = place.start(patient("stayer"), four::<1>).await;
    until_shared(&stayer, &[("leaver", 2), ("stayer", 2)]).await;
    let position = count(&leaver).await;
    leaver.shutdown(LONG).await;
    until_shared(&stayer, &[("stayer", 4)]).await;
    for name in PROJECTIONS {
        stayer.wait_for(name, position, LONG).await.unwrap();
    }
    let roster = stayer.membership().roster();
    let gone = roster.nodes.iter().find(|node| node.name == "leaver").unwrap();
    assert_eq!(gone.state, NodeState::Left);
}

#[tokio::test]
async fn a_node_that_follows_hears_of_events_that_concern_nobody() {
    let place = Place::new();
    let (one, two) = (place.node("one").await, place.node("two").await);
    until_shared(&two, &[("one", 2), ("two", 2)]).await;
    let position = note(&one).await;
    let three = place.node("three").await;
    for node in [&one, &two, &three] {
        for name in PROJECTIONS {
            node.wait_for(name, position, LONG).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_token_rises_with_each_holder() {
    let place = Place::new();
    let token = |roster: &Roster| {
        let lease = roster.leases.iter().find(|lease| lease.name == "projection totals");
        lease.map_or(0, |lease| lease.token)
    };
    let mut last = 0;
    for round in 0..3 {
        let node = place.start(patient(&round.to_string()), four::<1>).await;
        until_shared(&node, &[(&round.to_string(), 4)]).await;
        let own = token(&node.membership().roster());
        assert!(own > last, "{own} after {last}");
        last = own;
        node.shutdown(LONG).await;
    }
}

#[tokio::test]
async fn a_node_that_comes_hears_of_events_that_the_first_passed_over_alone() {
    let place = Place::new();
    let first = place.node("first").await;
    let position = note(&first).await;
    for name in PROJECTIONS {
        first.wait_for(name, position, LONG).await.unwrap();
    }
    let second = place.node("second").await;
    for name in PROJECTIONS {
        second.wait_for(name, position, LONG).await.unwrap();
    }
}

#[tokio::test]
async fn a_node_with_another_log_leaves_the_projections_to_those_whose_they_are_and_says_why() {
    let (place, other) = (Place::new(), Place::new());
    let owner = place.node("owner").await;
    let mut config = RuntimeConfig::default();
    config.supervision.restarts_max = 1;
    let parts = |builder| four::<1>(builder).config(config);
    let stranger = place.start_over(&other, patient("stranger"), parts).await;
    until_shared(&owner, &[("owner", 2), ("stranger", 2)]).await;
    let position = count(&owner).await;
    let roster = owner.membership().roster();
    let own = &roster.held_by(owner.membership().id()).next().unwrap().name;
    owner.wait_for(own.strip_prefix("projection ").unwrap(), position, LONG).await.unwrap();
    count(&stranger).await;
    until_shared(&owner, &[("owner", 4), ("stranger", 0)]).await;
    for name in PROJECTIONS {
        owner.wait_for(name, position, LONG).await.unwrap();
        assert_eq!(total(&owner, name).await, 1, "{name}");
    }
    for name in PROJECTIONS {
        let mut status = stranger.watch_actor(&format!("projection {name}")).unwrap();
        let halted = status.wait_for(|status| status.state == ActorState::Halted).await.unwrap();
        let reason = halted.last_exit.as_ref().unwrap().to_string();
        assert!(reason.contains("give this log a read side of its own"), "{reason}");
    }
}
