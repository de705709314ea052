//! An operator may ask any node.

use headwater::nodes::NodeConfig;
use headwater::projection::{ProjectionState, ProjectionStatus};

use super::kit::{
    LONG, PROJECTIONS, Place, count, four, patient, status, total, until_seen, until_shared,
};

fn is_paused(status: &ProjectionStatus) -> bool {
    status.state == ProjectionState::Paused
}

#[tokio::test]
async fn what_is_asked_of_a_node_is_done_whoever_runs_the_projection() {
    let place = Place::new();
    let (one, two) = (place.node("one").await, place.node("two").await);
    until_shared(&two, &[("one", 2), ("two", 2)]).await;
    for name in PROJECTIONS {
        one.pause(name).await.unwrap();
    }
    for name in PROJECTIONS {
        until_seen(&two, name, is_paused).await;
    }
    let position = count(&one).await;
    for name in PROJECTIONS {
        two.resume(name).await.unwrap();
    }
    for name in PROJECTIONS {
        one.wait_for(name, position, LONG).await.unwrap();
        assert_eq!(status(&one, name).state, ProjectionState::Running);
    }
}

#[tokio::test]
async fn a_pause_on_one_node_and_a_resume_on_another_right_behind_it_leave_it_running() {
    let place = Place::new();
    let (one, two) = (place.node("one").await, place.node("two").await);
    until_shared(&two, &[("one", 2), ("two", 2)]).await;
    for name in PROJECTIONS {
        for [first, second] in [[&one, &two], [&two, &one], [&one, &one]] {
            first.pause(name).await.unwrap();
            second.resume(name).await.unwrap();
        }
    }
    let position = count(&one).await;
    for node in [&one, &two] {
        for name in PROJECTIONS {
            node.wait_for(name, position, LONG).await.unwrap();
            assert_eq!(status(node, name).state, ProjectionState::Running, "{name}");
            assert_eq!(total(node, name).await, 1, "{name}");
        }
    }
}

#[tokio::test]
async fn a_rebuild_goes_on_when_its_projection_moves() {
    let place = Place::new();
    let (one, two) = (place.node("one").await, place.node("two").await);
    until_shared(&two, &[("one", 2), ("two", 2)]).await;
    let position = count(&one).await;
    for name in PROJECTIONS {
        one.rebuild(name).await.unwrap();
    }
    for name in PROJECTIONS {
        two.wait_for(name, position, LONG).await.unwrap();
        until_seen(&two, name, |status| status.generation == 2).await;
        assert_eq!(total(&two, name).await, 1);
    }
}

#[tokio::test]
async fn a_visitor_takes_no_share_and_does_what_it_is_asked() {
    let place = Place::new();
    let host = place.node("host").await;
    until_shared(&host, &[("host", 4)]).await;
    let config = NodeConfig { is_visitor: true, ..patient("visitor") };
    let visitor = place.start(config, four::<1>).await;
    until_shared(&visitor, &[("host", 4), ("visitor", 0)]).await;
    visitor.pause("totals").await.unwrap();
    until_seen(&host, "totals", is_paused).await;
    visitor.shutdown(LONG).await;
    until_shared(&host, &[("host", 4)]).await;
}
