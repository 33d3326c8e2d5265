//! What does one user timer cost, among how many others?
//!
//! Load: a reactor with 1, 1,000 or 100,000 timers that are far from due. Unit: nanoseconds to set
//! one more and clear it again. The clock that `set_timeout` reads is in the figure.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use netloop::Reactor;
use std::hint::black_box;
use std::time::Duration;

fn set_and_clear(c: &mut Criterion) {
    let mut group = c.benchmark_group("timers/set_and_clear");
    for among in [1_u32, 1_000, 100_000] {
        let mut reactor = Reactor::new().expect("a poller");
        for nth in 0..among {
            let delay = Duration::from_secs(3_600) + Duration::from_millis(nth.into());
            reactor.net().set_timeout(delay, |_net| ());
        }
        group.bench_function(BenchmarkId::from_parameter(among), |bencher| {
            bencher.iter(|| {
                let delay = black_box(Duration::from_secs(60));
                let id = reactor.net().set_timeout(delay, |_net| ());
                reactor.net().clear_timer(id);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, set_and_clear);
criterion_main!(benches);
