//! The short version of `cargo chaos`: one round of everything that this machine allows, with more
//! kills than anything else. `tests/README.md` tells what each kind of fault is and what a longer
//! run is for.

use tests::chaos::{Kind, Options, Script, run};

const SEED: &str = "20";
const BROKER_KILLS: u32 = 20;
const SERVER_KILLS: u32 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn one_round_of_every_fault_loses_nothing_and_buys_nothing_twice() {
    let dir = tempfile::TempDir::with_prefix("chaos-").unwrap();
    let mut options = Options::of(["--seed", SEED, "--rate", "8"]);
    options.script = Script::Once { broker_kills: BROKER_KILLS, server_kills: SERVER_KILLS };
    let report = run(&options, tests::programs!(), dir.path()).await.unwrap();
    println!("{report}");
    assert!(report.verdict.is_clean(), "{}", report.verdict);
    assert_eq!((report.lost, report.second_orders()), (0, 0));
    assert!(report.injected(Kind::KillBroker) >= BROKER_KILLS);
    assert!(report.injected(Kind::KillServer) >= SERVER_KILLS);
    for kind in Kind::ALL {
        let possible = report.tallies.get(kind).is_some_and(|tally| tally.not_possible.is_none());
        assert_eq!(report.injected(*kind) > 0, possible, "{kind} was passed over");
    }
    // What needs no right of its own is possible everywhere.
    for kind in [Kind::CrashPoint, Kind::PauseBroker, Kind::HoleDown, Kind::Reset, Kind::FlipStore]
    {
        assert!(report.injected(kind) > 0, "{kind} was not injected");
    }
    let ordered_min = usize::try_from(BROKER_KILLS + SERVER_KILLS).unwrap();
    assert!(report.ordered >= ordered_min, "only {} requests were ordered", report.ordered);
}
