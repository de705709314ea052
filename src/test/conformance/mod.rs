//! The rules of the event store contract, one test each; every engine passes all of them.
//!
//! Instantiate the suite with [`store_conformance!`](crate::store_conformance) in a test of
//! your engine:
//!
//! ```
//! use headwater::store::MemoryStore;
//! use headwater::test::conformance::Subject;
//!
//! headwater::store_conformance!(memory, |limits| {
//!     Ok(Subject::new(MemoryStore::new(limits, headwater::clock::SystemClock::shared())))
//! });
//! ```

pub mod append;
pub mod check;
pub mod condition;
pub mod filter;
pub mod idempotency;
mod kit;
pub mod lookup;
pub mod page;
pub mod subscription;

use std::any::Any;
use std::error::Error;
use std::sync::Arc;

use crate::store::{EventStore, SharedStore, StoreLimits};

/// What a rule comes to.
pub type Outcome = Result<(), Box<dyn Error>>;

/// An empty store to be tried, and what must live as long as it.
pub struct Subject {
    store: SharedStore,
    _kept: Box<dyn Any + Send>,
}

impl Subject {
    /// Wraps a store.
    #[must_use]
    pub fn new(store: impl EventStore) -> Self {
        Self::keeping(store, ())
    }

    /// Wraps a store and keeps something, such as its folder, until the rule has run.
    #[must_use]
    pub fn keeping(store: impl EventStore, kept: impl Any + Send) -> Self {
        Self { store: Arc::new(store), _kept: Box::new(kept) }
    }
}

/// Returns the bounds under which the rules run: small, so that every one is met.
#[must_use]
pub fn limits() -> StoreLimits {
    StoreLimits {
        data_bytes_max: 4 << 10,
        append_events_max: 100,
        append_bytes_max: 16 << 10,
        waiting_appends_max: 1_000,
        page_events_max: 50,
        page_bytes_max: 16 << 10,
        page_scan_max: 60,
        query_items_max: 20,
        query_names_max: 50,
        condition_scan_max: 2_000,
    }
}

/// Runs a rule on a fresh store.
///
/// # Errors
/// What the rule says; a rule that does not hold panics like any test.
pub fn run<R: Future<Output = Outcome>>(
    make: impl Fn(StoreLimits) -> Result<Subject, Box<dyn Error>>,
    rule: fn(SharedStore) -> R,
) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let subject = make(limits())?;
    runtime.block_on(rule(subject.store.clone()))
}

/// Makes a module with one test for each rule of the contract.
///
/// The second argument makes an empty [`Subject`](crate::test::conformance::Subject) of given
/// [`StoreLimits`](crate::store::StoreLimits).
#[macro_export]
macro_rules! store_conformance {
    ($name:ident, $make:expr) => {
        mod $name {
            use super::*;
            $crate::store_conformance! { @rules $make;
                append::any_appends_in_any_case,
                append::no_stream_holds_only_before_the_first_event,
                append::exists_holds_only_after_the_first_event,
                append::at_holds_only_at_that_revision,
                append::at_zero_is_no_stream,
                append::a_receipt_names_the_places_of_the_events,
                append::several_streams_are_appended_together,
                append::one_conflict_refuses_all_streams_of_the_append,
                append::a_conflict_fails_its_own_append_alone,
                append::of_racing_writers_one_wins_each_revision,
                append::positions_have_no_gap_under_concurrent_writers,
                append::an_append_without_events_is_refused,
                append::a_stream_named_twice_is_refused,
                append::too_many_events_are_refused,
                append::too_much_data_is_refused,
                append::a_refused_append_leaves_no_trace,
                append::the_head_grows_and_everything_up_to_it_can_be_read,
                check::a_check_tells_the_revision_and_stores_nothing,
                check::a_check_makes_no_stream,
                check::a_check_that_fails_is_a_conflict,
                check::a_check_guards_the_other_streams_of_its_append,
                check::a_check_is_not_repeated_with_its_append,
                check::a_check_of_any_revision_is_refused,
                check::a_check_and_an_append_of_one_stream_have_an_order,
                condition::an_append_passes_when_nothing_matches,
                condition::a_matching_event_after_the_position_refuses,
                condition::a_matching_event_up_to_the_position_does_not_count,
                condition::types_and_tags_must_both_match,
                condition::all_tags_of_an_item_must_match,
                condition::any_item_is_enough,
                condition::another_tenants_events_do_not_count,
                condition::a_query_without_tags_is_checked_too,
                condition::a_condition_from_beyond_the_end_is_refused,
                condition::a_query_over_its_bounds_is_refused,
                condition::a_condition_over_too_many_events_is_refused_or_answered_by_an_index,
                condition::of_racing_appends_over_a_long_log_one_passes,
                condition::a_repeat_passes_although_its_condition_holds_no_more,
                condition::of_racing_appends_one_passes,
                idempotency::the_same_append_again_gives_the_same_receipt,
                idempotency::a_repeat_passes_although_its_expectation_holds_no_more,
                idempotency::a_repeat_over_several_streams_is_known,
                idempotency::a_part_of_an_append_is_not_a_repeat,
                idempotency::an_append_with_an_old_and_a_new_event_is_refused,
                idempotency::an_id_in_another_stream_is_refused,
                idempotency::an_id_with_other_content_is_refused,
                idempotency::of_several_events_the_other_one_is_named,
                idempotency::metadata_makes_no_other_event_and_a_time_only_where_two_were_told,
                idempotency::an_id_of_another_tenant_is_free,
                idempotency::a_reused_id_fails_its_own_append_alone,
                idempotency::an_id_twice_in_one_append_is_refused,
                idempotency::racing_repeats_are_stored_once,
                page::a_stream_reads_forward_in_pages,
                page::a_stream_reads_backward_in_pages,
                page::a_stream_without_events_reads_empty,
                page::a_stream_reads_from_the_middle,
                page::the_log_reads_forward_in_pages,
                page::the_log_reads_backward_in_pages,
                page::the_log_reads_from_the_middle,
                page::reading_at_the_end_gives_an_empty_last_page,
                page::reading_from_beyond_the_end_is_refused,
                page::listing_from_beyond_the_end_is_refused,
                page::reading_backward_from_beyond_the_end_begins_at_the_end,
                page::a_page_keeps_to_the_bound_of_bytes,
                page::a_page_keeps_to_the_stores_bound_of_events,
                page::a_limit_of_zero_reads_one,
                page::everything_comes_back_as_it_went_in,
                page::a_moment_comes_back_as_it_was_given,
                page::recorded_times_never_run_backwards,
                filter::a_category_narrows_the_log,
                filter::a_type_narrows_the_log,
                filter::a_type_may_be_any_text,
                filter::a_tag_narrows_the_log_both_ways,
                filter::items_are_alternatives,
                filter::an_item_of_nothing_matches_everything,
                filter::tenants_are_apart,
                filter::a_tenants_tag_is_not_anothers,
                filter::a_filtered_page_looks_at_a_bounded_number_of_events,
                filter::filtered_pages_together_hold_every_match_once,
                lookup::an_event_is_found_by_its_id,
                lookup::another_tenants_event_is_not_found,
                lookup::streams_are_listed_by_their_first_event,
                lookup::the_list_of_streams_reads_in_pages,
                lookup::the_list_of_streams_narrows_to_a_category,
                subscription::it_catches_up_and_then_follows,
                subscription::it_starts_after_its_position,
                subscription::one_that_starts_beyond_the_end_is_refused,
                subscription::it_moves_on_past_events_that_do_not_match,
                subscription::there_is_no_gap_and_no_double_under_concurrent_writers,
                subscription::a_slow_one_costs_the_others_nothing,
                subscription::a_cancelled_wait_loses_nothing,
            }
        }
    };
    (@rules $make:expr; $($group:ident::$rule:ident),+ $(,)?) => { $(
        #[test]
        fn $rule() -> $crate::test::conformance::Outcome {
            $crate::test::conformance::run($make, $crate::test::conformance::$group::$rule)
        }
    )+ };
}
