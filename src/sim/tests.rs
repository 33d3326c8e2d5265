//! The world as a whole: the same seed does the same, and an echo survives everything.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Call, Faults, HostId, World};
use crate::{
    Acceptor, ConnectOptions, Error, Event, Handler, ListenOptions, Net, Refused, Server, Socket,
    handler_fn,
};

/// Bytes of which each says where it belongs.
fn payload(stream: usize, length: usize) -> Vec<u8> {
    let byte =
        |at: usize| (at.wrapping_mul(31) ^ (at >> 8).wrapping_mul(17) ^ (stream * 101)) as u8;
    (0..length).map(byte).collect()
}

/// What the two ends of one connection saw.
#[derive(Debug, Default)]
struct Seen {
    heard: Vec<u8>,
    ended: bool,
    errors: Vec<String>,
    closes: usize,
}

type Shared = Rc<RefCell<Seen>>;

fn note(seen: &Shared, event: &Event<'_>) {
    let mut seen = seen.borrow_mut();
    match event {
        Event::Data(bytes) => seen.heard.extend_from_slice(bytes),
        Event::End => seen.ended = true,
        Event::Error(error) => seen.errors.push(error.code().to_string()),
        Event::Close { .. } => seen.closes += 1,
        _ => {}
    }
}

fn echo(seen: Shared) -> impl Handler {
    handler_fn(move |socket: &mut Socket<'_>, event| {
        note(&seen, &event);
        match event {
            Event::Data(bytes) if !socket.write(bytes) => socket.pause(),
            Event::Drain => socket.resume(),
            _ => {}
        }
    })
}

/// Sends everything as fast as it is taken, then ends.
fn sender(seen: Shared, bytes: Vec<u8>) -> impl Handler {
    let mut sent = 0;
    handler_fn(move |socket: &mut Socket<'_>, event| {
        note(&seen, &event);
        if let Event::Connect | Event::Drain = event {
            loop {
                if sent == bytes.len() {
                    return socket.end();
                }
                let next = (sent + 1000).min(bytes.len());
                let more = socket.write(&bytes[sent..next]);
                sent = next;
                if !more {
                    return;
                }
            }
        }
    })
}

/// Accepts everybody, and keeps what goes wrong before there is anybody to tell.
#[derive(Clone, Default)]
struct Accepts(Rc<RefCell<Accepted>>);

#[derive(Default)]
struct Accepted {
    sockets: Vec<Shared>,
    failed: bool,
}

impl Acceptor for Accepts {
    fn on_connection(&mut self, _socket: &mut Socket<'_>) -> Box<dyn Handler> {
        let seen = Shared::default();
        self.0.borrow_mut().sockets.push(Rc::clone(&seen));
        Box::new(echo(seen))
    }

    fn on_error(&mut self, _server: &mut Server<'_>, _error: &Error) {
        self.0.borrow_mut().failed = true;
    }
}

/// An echo server and some clients, run to the end.
struct Echo {
    world: World,
    server: HostId,
    client: HostId,
    clients: Vec<(Shared, Vec<u8>)>,
    accepts: Accepts,
}

fn run_echo(mut world: World, clients: usize, length: usize) -> Echo {
    let hosts = (world.host("server"), world.host("client"));
    run_echo_on(world, hosts, clients, length)
}

fn run_echo_on(
    mut world: World,
    (server, client): (HostId, HostId),
    clients: usize,
    length: usize,
) -> Echo {
    let accepts = Accepts::default();
    let listening = world.net(server).listen_with(7000, accepts.clone());
    let listening = listening.map(|it| it.id());
    accepts.0.borrow_mut().failed = listening.is_err();
    let address = world.address(server, 7000);
    let clients: Vec<(Shared, Vec<u8>)> = (0..clients)
        .map(|stream| (Shared::default(), payload(stream, length * (stream + 1))))
        .collect();
    for (seen, bytes) in &clients {
        let handler = sender(Rc::clone(seen), bytes.clone());
        world.net(client).connect(address, handler).unwrap();
    }
    world.run_until_quiet();
    if let Ok(id) = listening
        && let Some(mut it) = world.net(server).server(id)
    {
        it.close().unwrap();
    }
    world.run_until_quiet();
    Echo {
        world,
        server,
        client,
        clients,
        accepts,
    }
}

impl Echo {
    fn check(&self) {
        let seed = self.world.seed();
        let Accepted { sockets, failed } = &*self.accepts.0.borrow();
        let any_error = *failed || sockets.iter().any(|it| !it.borrow().errors.is_empty());
        for (seen, bytes) in &self.clients {
            let seen = seen.borrow();
            assert_eq!(seen.closes, 1, "seed {seed}: {:?}", seen.errors);
            assert!(
                bytes.starts_with(&seen.heard),
                "seed {seed}: misplaced bytes"
            );
            assert!(seen.errors.len() <= 1, "seed {seed}: {:?}", seen.errors);
            if seen.errors.is_empty() && !any_error {
                assert!(
                    seen.ended && seen.heard == *bytes,
                    "seed {seed}: bytes lost"
                );
            }
        }
        for seen in sockets {
            assert_eq!(seen.borrow().closes, 1, "seed {seed}");
        }
        for host in [self.server, self.client] {
            let open = self.world.open_descriptors(host);
            assert!(open.is_empty(), "seed {seed}: {host:?} leaks {open:?}");
        }
    }
}

#[test]
fn busy_polling_changes_nothing_where_the_world_moves_the_clock() {
    for seed in 0..20 {
        let run = |budget: Duration| {
            let mut world = World::seeded(seed);
            let hosts = (world.host("server"), world.host("client"));
            for host in [hosts.0, hosts.1] {
                world.net(host).set_busy_poll(budget);
            }
            let echo = run_echo_on(world, hosts, 3, 5_000);
            echo.check();
            echo.world.trace_hash()
        };
        assert_eq!(run(Duration::MAX), run(Duration::ZERO), "seed {seed}");
    }
}

#[test]
fn room_in_advance_is_refused_by_a_host_that_may_not_have_it_and_takes_none_from_others() {
    let mut world = World::with_faults(1, Faults::none());
    let host = world.host("small");
    world.limit_descriptors(host, Some(10));
    assert_eq!(world.net(host).reserve(11).unwrap_err().code(), "EMFILE");
    world.net(host).reserve(10).unwrap();
    assert!(world.open_descriptors(host).is_empty());
    let echo = run_echo(world, 2, 1_000);
    echo.check();
}

#[test]
fn a_calm_world_echoes_everything_and_says_how_long_it_took() {
    let world = World::with_faults(1, Faults::none());
    let echo = run_echo(world, 3, 100_000);
    echo.check();
    for (seen, bytes) in &echo.clients {
        assert_eq!(seen.borrow().heard.len(), bytes.len());
    }
    let took = echo.world.now();
    assert!(
        took > Duration::from_micros(400) && took < Duration::from_secs(1),
        "{took:?}"
    );
}

#[test]
fn an_echo_survives_two_hundred_worlds() {
    for seed in 0..200 {
        run_echo(World::seeded(seed), 3, 600).check();
    }
}

#[test]
fn an_echo_survives_every_class_of_faults_at_its_worst() {
    for seed in 0..20 {
        run_echo(World::with_faults(seed, Faults::all()), 3, 600).check();
    }
}

#[test]
fn the_same_seed_does_the_same_and_another_does_not() {
    let hash = |seed| run_echo(World::seeded(seed), 3, 300).world.trace_hash();
    for seed in 0..5 {
        assert_eq!(hash(seed), hash(seed), "seed {seed}");
        assert_ne!(hash(seed), hash(seed + 1), "seed {seed}");
    }
}

#[test]
fn a_reset_behind_the_peers_fin_is_told_at_once() {
    let mut world = World::with_faults(1, Faults::none());
    let (server, client) = (world.host("server"), world.host("client"));
    let seen = Shared::default();
    let ours = Rc::clone(&seen);
    let options = ListenOptions::from(1).allow_half_open(true);
    let accept = move |_: &mut Socket<'_>| echo(Rc::clone(&ours));
    world.net(server).listen(options, accept).unwrap();
    let address = world.address(server, 1);
    let theirs = handler_fn(|socket: &mut Socket<'_>, event| match event {
        Event::Connect => socket.end(),
        Event::Finish => {
            let id = socket.id();
            socket
                .net()
                .set_timeout(Duration::from_secs(1), move |net| {
                    net.socket(id).unwrap().reset_and_destroy();
                });
        }
        _ => {}
    });
    world.net(client).connect(address, theirs).unwrap();
    world.run_until_quiet();
    let seen = seen.borrow();
    assert!(seen.ended);
    assert_eq!(
        seen.errors,
        ["EPIPE"],
        "nobody writes, so nothing else would tell"
    );
    assert_eq!(seen.closes, 1);
}

#[test]
fn a_shutdown_that_finds_no_connection_finds_a_reset_one() {
    let mut world = World::with_faults(1, Faults::none());
    let hosts = (world.host("server"), world.host("client"));
    world.fail_calls(hosts.1, Call::Shutdown, libc::ENOTCONN, 1);
    let echo = run_echo_on(world, hosts, 1, 100);
    echo.check();
    assert_eq!(echo.clients[0].0.borrow().errors, ["ECONNRESET"]);
}

#[test]
fn a_link_can_be_cut_and_healed_and_reset_at_a_byte() {
    let mut world = World::with_faults(1, Faults::none());
    let (server, client) = (world.host("server"), world.host("client"));
    let seen = Shared::default();
    let ours = Rc::clone(&seen);
    world
        .net(server)
        .listen(1, move |_| echo(Rc::clone(&ours)))
        .unwrap();
    let address = world.address(server, 1);
    world.partition(server, client);
    world.reset_at(client, server, 5);
    let theirs = Shared::default();
    let handler = sender(Rc::clone(&theirs), payload(0, 100));
    world.net(client).connect(address, handler).unwrap();
    world.run_for(Duration::from_millis(500));
    assert_eq!(theirs.borrow().closes, 0);
    world.heal(server, client);
    world.run_until_quiet();
    assert_eq!(seen.borrow().heard, payload(0, 5));
    assert_eq!(seen.borrow().errors, ["ECONNRESET"]);
    assert_eq!(theirs.borrow().errors, ["ECONNRESET"]);
}

/// Listens and connects on one host, at one path, and answers with what each client saw.
fn run_local(mut world: World, clients: usize, backlog: u32) -> Vec<Shared> {
    let host = world.host("both");
    let elsewhere = world.host("elsewhere");
    let options = || ListenOptions::path("/run/echo.sock").backlog(backlog);
    let listening = world
        .net(host)
        .listen(options(), |_| echo(Shared::default()));
    let listening = listening.map(|it| it.id());
    if listening.is_ok() {
        let again = world
            .net(host)
            .listen(options(), |_| echo(Shared::default()));
        assert!(again.is_err(), "one name, one server");
    }
    let other = world.net(elsewhere).connect(
        ConnectOptions::path("/run/echo.sock"),
        sender(Shared::default(), Vec::new()),
    );
    other.unwrap(); // and hears that there is no such name where it is
    let seen: Vec<Shared> = (0..clients).map(|_| Shared::default()).collect();
    for (stream, seen) in seen.iter().enumerate() {
        let handler = sender(Rc::clone(seen), payload(stream, 3000));
        let options = ConnectOptions::path("/run/echo.sock");
        world.net(host).connect(options, handler).unwrap();
    }
    world.run_until_quiet();
    if let Ok(id) = listening
        && let Some(mut it) = world.net(host).server(id)
    {
        it.close().unwrap();
    }
    world.run_until_quiet();
    seen
}

#[test]
fn an_echo_over_local_sockets_is_whole() {
    let seen = run_local(World::with_faults(1, Faults::none()), 5, 16);
    for (stream, seen) in seen.iter().enumerate() {
        let seen = seen.borrow();
        assert_eq!(seen.heard, payload(stream, 3000));
        assert!(seen.errors.is_empty() && seen.ended && seen.closes == 1);
    }
}

#[test]
fn an_echo_over_local_sockets_survives_every_seed() {
    let mut whole = 0;
    for seed in 0..100 {
        for (stream, seen) in run_local(World::seeded(seed), 3, 16).iter().enumerate() {
            let seen = seen.borrow();
            let sent = payload(stream, 3000);
            assert!(sent.starts_with(&seen.heard), "seed {seed}: {seen:?}");
            assert_eq!(seen.closes, 1, "seed {seed}");
            whole += usize::from(seen.heard == sent);
        }
    }
    assert!(whole > 100, "{whole} of 300");
}

#[test]
fn b10_a_full_backlog_of_a_local_socket_refuses_at_once() {
    let seen = run_local(World::with_faults(1, Faults::none()), 5, 1);
    let refused = |seen: &&Shared| seen.borrow().errors == ["EAGAIN"];
    assert_eq!(seen.iter().filter(refused).count(), 3, "room for two");
}

/// A world in which a host does work on its threads; its trace, and in which order the work ended.
fn offloads(seed: u64) -> (u64, Vec<u32>) {
    let mut world = World::with_faults(seed, Faults::none());
    let host = world.host("host");
    let ended = Rc::new(RefCell::new(Vec::new()));
    for number in 0..20 {
        let ended = Rc::clone(&ended);
        let done = move |_: &mut Net, result: crate::Result<u32>| {
            ended.borrow_mut().push(result.unwrap());
        };
        world.net(host).offload(move || number, done);
    }
    world.run_until_quiet();
    assert!(world.now() > Duration::ZERO, "work takes its time");
    (world.trace_hash(), ended.take())
}

#[test]
fn work_on_other_threads_ends_in_an_order_that_the_seed_decides() {
    let (trace, ended) = offloads(1);
    assert_eq!((trace, ended.clone()), offloads(1));
    assert_ne!(ended, offloads(2).1);
    let mut all = ended;
    all.sort_unstable();
    assert!(all.into_iter().eq(0..20), "each of them once");
}

#[test]
fn a_remote_reaches_a_loop_in_the_world_and_may_be_refused() {
    let mut world = World::with_faults(1, Faults::none());
    let host = world.host("host");
    let numbers = Arc::new(Mutex::new(Vec::new()));
    world.fail_calls(host, Call::Waker, libc::EMFILE, 1);
    assert_eq!(world.net(host).remote().unwrap_err().code(), "EMFILE");
    let remote = world.net(host).remote().unwrap();
    world.run_until_quiet();
    for number in 0..300 {
        let numbers = Arc::clone(&numbers);
        remote
            .post(move |_| numbers.lock().unwrap().push(number))
            .unwrap();
    }
    assert!(world.step(), "it is awake");
    world.run_until_quiet();
    assert!(numbers.lock().unwrap().iter().copied().eq(0..300));
    assert_eq!(world.net(host).stats().wakes, 1);
    drop(world);
    assert!(matches!(remote.post(|_| ()), Err(Refused::Closed(_))));
}

#[test]
fn work_that_gets_no_thread_in_the_world_is_an_error() {
    let mut world = World::with_faults(1, Faults::none());
    let host = world.host("host");
    let codes = Rc::new(RefCell::new(Vec::new()));
    world.fail_calls(host, Call::RunJob, libc::EAGAIN, 1);
    for _ in 0..2 {
        let codes = Rc::clone(&codes);
        let done = move |_: &mut Net, result: crate::Result<()>| {
            codes
                .borrow_mut()
                .push(result.err().map(|it| it.to_string()));
        };
        world.net(host).offload(|| (), done);
    }
    world.run_until_quiet();
    assert_eq!(codes.take(), [Some("pthread_create EAGAIN".into()), None]);
}

#[test]
fn whatever_names_do_a_connect_by_name_closes_once_and_leaves_nothing() {
    for seed in 0..200 {
        let mut world = World::seeded(seed);
        let (server, client) = (world.host("server"), world.host("client"));
        let listening = world
            .net(server)
            .listen(80, |_| {
                handler_fn(|socket, event| {
                    if let Event::End = event {
                        socket.end();
                    }
                })
            })
            .is_ok();
        let seen = Shared::default();
        for parallel in [false, true, false, true] {
            let seen = Rc::clone(&seen);
            let options = ConnectOptions::from(("server", 80))
                .parallel_attempts(parallel)
                .connect_timeout(Duration::from_secs(60));
            let told = handler_fn(move |socket: &mut Socket<'_>, event| {
                note(&seen, &event);
                if let Event::Connect = event {
                    socket.end_with(b"by name");
                }
            });
            world.net(client).connect(options, told).unwrap();
        }
        world.run_until_quiet();
        let seen = seen.borrow();
        assert_eq!(seen.closes, 4, "seed {seed}: {seen:?}");
        assert!(world.open_descriptors(client).is_empty(), "seed {seed}");
        assert!(listening || seen.errors.len() == 4, "seed {seed}");
        world.hosts[client.0].reactor.net_ref().assert_sound();
        world.hosts[client.0].reactor.net_ref().assert_empty();
    }
}

#[test]
fn whatever_the_network_does_a_shutdown_is_over_soon_after_its_deadline() {
    const DEADLINE: Duration = Duration::from_secs(1);
    let mut ends = (0, 0);
    for seed in 0..40 {
        let mut world = World::seeded(seed);
        let (server, client) = (world.host("server"), world.host("client"));
        let echo = world.net(server).listen(80, |_| {
            handler_fn(|socket, event| match event {
                Event::Data(bytes) if !socket.write(bytes) => socket.pause(),
                Event::Drain => socket.resume(),
                _ => {}
            })
        });
        if echo.is_err() {
            continue;
        }
        let address = world.address(server, 80);
        for stream in 0..5 {
            let handler = handler_fn(move |socket, event| match event {
                Event::Connect => drop(socket.write(&payload(stream, 100_000))),
                Event::Data(_) if stream == 4 => socket.pause(), // one that never reads on
                _ => {}
            });
            world.net(client).connect(address, handler).unwrap();
        }
        world.run_for(Duration::from_millis(seed));
        let report = Rc::new(RefCell::new(None));
        let left = Rc::clone(&report);
        world.net(server).shutdown(DEADLINE, move |net, report| {
            assert_eq!(net.stats().sockets + net.stats().servers, 0);
            assert!(left.replace(Some((report.ended, report.cut))).is_none());
        });
        world.run_until_quiet();
        let (ended, cut) = report.take().expect("a report");
        ends = (ends.0 + ended, ends.1 + cut);
        assert!(world.open_descriptors(server).is_empty(), "seed {seed}");
        world.hosts[0].reactor.net_ref().assert_sound();
        world.hosts[0].reactor.net_ref().assert_empty();
    }
    assert!(ends.0 > 5 && ends.1 > 5, "both come to pass: {ends:?}");
}

#[cfg(feature = "signal")]
#[test]
fn a_signal_reaches_the_listeners_of_its_host_and_wakes_its_loop() {
    for seed in 0..20 {
        let mut world = World::seeded(seed);
        let (first, second) = (world.host("first"), world.host("second"));
        let told = Rc::new(RefCell::new(Vec::new()));
        for (host, name) in [(first, "first"), (second, "second")] {
            let told = Rc::clone(&told);
            let listener = move |_: &mut Net| told.borrow_mut().push(name);
            world.net(host).on_signal(libc::SIGTERM, listener).unwrap();
        }
        assert!(!world.raise_signal(first, libc::SIGHUP), "nobody listens");
        world.run_until_quiet();
        assert!(world.raise_signal(second, libc::SIGTERM));
        assert!(world.raise_signal(second, libc::SIGTERM));
        world.run_until_quiet();
        assert_eq!(told.take(), ["second"], "seed {seed}");
        world.fail_calls(first, Call::WatchSignal, libc::EMFILE, 1);
        let refused = world.net(first).on_signal(libc::SIGHUP, |_| ());
        assert_eq!(refused.unwrap_err().code(), "EMFILE");
    }
}
