//! A small domain as a user would write it, an account, tested with the kit that users get.
//! One of its shapes is retired, which proves upcasting on a golden file.

#[cfg(test)]
mod sample {
    use headwater::aggregate::{Aggregate, Command, Context, Decide, Rejection};
    use headwater::event::{Event, Recorded};
    use headwater::projection::{ProjectionError, RowProjection};
    use headwater::test::{given, given_nothing, given_rows, golden};
    use jiff::Timestamp;
    use serde::{Deserialize, Serialize};
    use utoipa::ToSchema;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum AccountEvent {
        Opened { owner: String, at: Timestamp },
        Deposited { cents: i64 },
        Withdrawn { cents: i64 },
    }

    /// Deposits were whole dollars once.
    #[derive(Deserialize)]
    struct DepositedV1 {
        dollars: i64,
    }

    impl From<DepositedV1> for AccountEvent {
        fn from(old: DepositedV1) -> Self {
            Self::Deposited { cents: old.dollars * 100 }
        }
    }

    headwater::event_schema! {
        AccountEvent in "account" {
            Opened = 1,
            Deposited = 2 { 1 => DepositedV1 },
            Withdrawn = 1,
        }
    }

    // region: aggregate
    #[derive(Debug, Default)]
    struct Account {
        owner: Option<String>,
        cents: i64,
    }

    #[derive(Clone, Serialize, Deserialize, ToSchema)]
    struct Open {
        owner: String,
    }

    #[derive(Clone, Serialize, Deserialize, ToSchema)]
    struct Withdraw {
        cents: i64,
    }

    #[derive(Debug, PartialEq, thiserror::Error)]
    enum AccountRejection {
        #[error("account is not open: open it first")]
        NotOpen,
        #[error("account belongs to {owner}: open another")]
        Taken { owner: String },
        #[error("account is {short} cents short: withdraw less")]
        Overdrawn { short: i64 },
    }

    impl Command for Open {
        const NAME: &'static str = "open";
    }

    impl Command for Withdraw {
        const NAME: &'static str = "withdraw";
    }

    impl Rejection for AccountRejection {
        fn code(&self) -> &'static str {
            match self {
                Self::NotOpen => "not-open",
                Self::Taken { .. } => "taken",
                Self::Overdrawn { .. } => "overdrawn",
            }
        }
    }

    impl Aggregate for Account {
        type Event = AccountEvent;
        type Rejection = AccountRejection;

        fn evolve(&mut self, event: &AccountEvent) {
            match event {
                AccountEvent::Opened { owner, .. } => self.owner = Some(owner.clone()),
                AccountEvent::Deposited { cents } => self.cents += cents,
                AccountEvent::Withdrawn { cents } => self.cents -= cents,
            }
        }
    }

    impl Decide<Open> for Account {
        fn decide(
            &self,
            Open { owner }: Open,
            context: &Context,
        ) -> Result<Vec<AccountEvent>, AccountRejection> {
            match &self.owner {
                Some(own) if *own == owner => Ok(vec![]),
                Some(own) => Err(AccountRejection::Taken { owner: own.clone() }),
                None => Ok(vec![AccountEvent::Opened { owner, at: context.now }]),
            }
        }
    }

    impl Decide<Withdraw> for Account {
        fn decide(
            &self,
            Withdraw { cents }: Withdraw,
            _: &Context,
        ) -> Result<Vec<AccountEvent>, AccountRejection> {
            match self.cents - cents {
                _ if self.owner.is_none() => Err(AccountRejection::NotOpen),
                left if left < 0 => Err(AccountRejection::Overdrawn { short: -left }),
                _ if cents == 0 => Ok(vec![]),
                _ => Ok(vec![AccountEvent::Withdrawn { cents }]),
            }
        }
    }
    // endregion: aggregate

    /// One row for each account: what is on it.
    struct Balances;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Balance {
        cents: i64,
    }

    impl RowProjection for Balances {
        const NAME: &'static str = "balances";
        const VERSION: u32 = 1;
        type Event = AccountEvent;
        type Key = String;
        type Row = Balance;

        fn route(&self, event: &Recorded<AccountEvent>) -> impl IntoIterator<Item = String> {
            [event.stream_id().to_owned()]
        }

        fn evolve(
            &self,
            _: &String,
            row: &mut Option<Balance>,
            event: &Recorded<AccountEvent>,
        ) -> Result<(), ProjectionError> {
            let row = row.get_or_insert(Balance { cents: 0 });
            match event.data {
                AccountEvent::Opened { .. } => {}
                AccountEvent::Deposited { cents } => row.cents += cents,
                AccountEvent::Withdrawn { cents } => row.cents -= cents,
            }
            Ok(())
        }
    }

    fn opened() -> AccountEvent {
        AccountEvent::Opened { owner: "ada".into(), at: "2020-01-01T00:00:00Z".parse().unwrap() }
    }

    fn deposited(cents: i64) -> AccountEvent {
        AccountEvent::Deposited { cents }
    }

    // region: tests
    #[test]
    fn a_withdrawal_takes_what_is_there() {
        given::<Account>([opened(), deposited(500)])
            .when(Withdraw { cents: 200 })
            .then([AccountEvent::Withdrawn { cents: 200 }])
            .when(Withdraw { cents: 300 })
            .then([AccountEvent::Withdrawn { cents: 300 }]);
    }

    #[test]
    fn an_overdraft_is_refused() {
        given::<Account>([opened(), deposited(500)])
            .when(Withdraw { cents: 900 })
            .then_rejected(AccountRejection::Overdrawn { short: 400 });
    }

    #[test]
    fn withdrawing_nothing_does_nothing() {
        given::<Account>([opened()]).when(Withdraw { cents: 0 }).then_nothing();
    }

    #[test]
    fn a_balance_follows_the_account() {
        given_rows(Balances)
            .events("1", [opened(), deposited(500)])
            .events("2", [opened()])
            .then_row(&"1".to_owned(), &Balance { cents: 500 })
            .then_row(&"2".to_owned(), &Balance { cents: 0 })
            .then_no_row(&"3".to_owned());
    }

    #[test]
    fn every_shape_of_an_account_event_has_its_golden_file() {
        let samples = [opened(), deposited(1_250), AccountEvent::Withdrawn { cents: 7 }];
        golden::check(concat!(env!("CARGO_MANIFEST_DIR"), "/schema/events"), samples);
    }
    // endregion: tests

    #[test]
    fn an_account_is_opened_at_the_time_of_the_context() {
        let at: Timestamp = "2024-02-29T12:00:00Z".parse().unwrap();
        given_nothing::<Account>()
            .at(at)
            .when(Open { owner: "ada".into() })
            .then([AccountEvent::Opened { owner: "ada".into(), at }]);
    }

    #[test]
    fn an_account_of_another_cannot_be_opened_and_nothing_is_taken_from_a_closed_one() {
        given::<Account>([opened()])
            .when(Open { owner: "bob".into() })
            .then_rejected(AccountRejection::Taken { owner: "ada".into() })
            .when(Open { owner: "ada".into() })
            .then_nothing();
        given_nothing::<Account>()
            .when(Withdraw { cents: 1 })
            .then_rejected(AccountRejection::NotOpen);
    }

    #[test]
    fn a_retired_shape_reads_as_what_it_means_today() {
        let event = AccountEvent::decode("Deposited", 1, br#"{"dollars":3}"#).unwrap();
        assert_eq!(event, deposited(300));
    }

    /// Returns what a test that fails says.
    fn failure(test: impl FnOnce() + std::panic::UnwindSafe) -> String {
        *std::panic::catch_unwind(test).unwrap_err().downcast().unwrap()
    }

    #[test]
    fn an_expectation_that_does_not_hold_fails_and_shows_the_difference() {
        let told = failure(|| {
            given::<Account>([opened(), deposited(5)])
                .when(Withdraw { cents: 5 })
                .then([AccountEvent::Withdrawn { cents: 4 }]);
        });
        assert!(told.contains("-         cents: 4,\n+         cents: 5,"), "{told}");
    }

    #[test]
    fn a_refusal_where_events_were_expected_fails_and_names_it() {
        let told = failure(|| {
            given_nothing::<Account>().when(Withdraw { cents: 1 }).then_nothing();
        });
        assert!(told.contains("rejected: NotOpen"), "{told}");
    }

    #[test]
    fn events_where_a_refusal_was_expected_fail_and_are_shown() {
        let told = failure(|| {
            given::<Account>([opened(), deposited(5)])
                .when(Withdraw { cents: 1 })
                .then_rejected(AccountRejection::NotOpen);
        });
        assert!(told.contains("Withdrawn"), "{told}");
    }

    #[test]
    fn a_row_that_is_another_fails_and_shows_the_difference() {
        let told = failure(|| {
            given_rows(Balances)
                .events("1", [opened(), deposited(5)])
                .then_row(&"1".to_owned(), &Balance { cents: 4 });
        });
        assert!(told.contains("cents: 4") && told.contains("cents: 5"), "{told}");
    }
}
