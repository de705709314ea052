//! Endpoints tried out.

use std::time::Duration;

use headwater::api::ApiLimits;
use serde_json::json;

use super::kit::Front;
use crate::system::kit::{Ledger, Reply};

#[tokio::test]
async fn a_test_of_a_receiver_that_hangs_is_told_before_the_request_is_given_up() {
    let limits = ApiLimits { request_timeout: Duration::from_secs(3), ..ApiLimits::default() };
    let (front, ledger) = (Front::with(|_| {}, limits).await, Ledger::open().await);
    ledger.answer(|_| Reply::Hang);
    front.register("one", &ledger.url).await;
    let came = front.client.ask("POST", "/v1/endpoints/one/test", None).await;
    assert_eq!((came.status, &came.body["verdict"]), (200, &json!("throttled")), "{came:?}");
    assert!(came.body["took_us"].as_u64() < Some(3_000_000), "{came:?}");
    let page = front.client.form("/ui/outbox/one/test", "").await;
    assert!(page.status == 200 && page.text.contains("throttled"), "{page:?}");
}
