//! E4 and E5: every public method, from every kind of callback, on everybody.

use crate::stage::*;
use crate::support::{accepted, answering, read_while_turning, turn_until_quiet};
use bytes::Bytes;
use netloop::{Encoding, Error, Event, Net, PipeOptions, Reactor, Server, Socket, handler_fn};
use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

/// Names the case when something panics in it.
struct Case(String);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the case {}", self.0);
        }
    }
}

type OnSocket = fn(&mut Socket<'_>, &Rc<Stage>);
type OnServer = fn(&mut Server<'_>);
type OnNet = fn(&mut Net, &Rc<Stage>);

/// A table of methods by name, from calls as one writes them.
macro_rules! table {
    ($it:ident, $stage:ident => $($method:ident($($argument:expr),*)),* $(,)?) => {
        &[$((stringify!($method), |$it, $stage| { let _ = ($stage, $it.$method($($argument),*)); })),*]
    };
    ($it:ident => $($method:ident($($argument:expr),*)),* $(,)?) => {
        &[$((stringify!($method), |$it| { let _ = $it.$method($($argument),*); })),*]
    };
}

/// The methods of a socket that change something.
const SOCKET: &[(&str, OnSocket)] = table!(socket, stage =>
    write(b"0123456789"),
    write_bytes(Bytes::from_static(&[7; 100_000])),
    write_then(b"then", { let stage = stage.clone(); move |net, _| stage.enter(None, net) }),
    flush_now(),
    end(),
    end_with(b"the end"),
    cork(),
    uncork(),
    pause(),
    resume(),
    unread(b"again"),
    set_encoding(Encoding::Base64),
    set_handler(stage.handler("changed")),
    destroy(),
    destroy_with(Error::other("a deed")),
    destroy_soon(),
    reset_and_destroy(),
    set_timeout(Duration::from_millis(1)),
    set_no_delay(true),
    set_quick_ack(true),
    set_not_sent_low_water_mark(16 * 1024),
    set_keep_alive(true, Duration::from_secs(1)),
    set_type_of_service(0x20),
    unref(),
    r#ref(),
);

/// Those that only answer: one case for all of them.
const SOCKET_ANSWERS: &[(&str, OnSocket)] = table!(socket, stage =>
    id(), net(), buffer_size(), readable_encoding(), writable_corked(), writable_need_drain(), is_paused(),
    writable_high_water_mark(),
    timeout(), type_of_service(), address(), peer_address(), local_address(), local_port(), local_family(),
    remote_address(), remote_port(), remote_family(), bytes_read(), bytes_written(), ready_state(),
    auto_select_family_attempted_addresses(), destroyed(), pending(), connecting(), readable(), writable(), readable_ended(),
    writable_ended(), writable_finished(), errored(), closed(), server(),
);

const SERVER: &[(&str, OnServer)] = table!(server =>
    id(), net(), address(), listening(), connections(), max_connections(),
    set_max_connections(Some(0)),
    close(),
    unref(),
    r#ref(),
);

const NET: &[(&str, OnNet)] = &[
    ("socket", |net, stage| {
        assert!(net.socket(stage.dead.get().unwrap().0).is_none())
    }),
    ("server", |net, stage| {
        assert!(net.server(stage.dead.get().unwrap().1).is_none())
    }),
    ("now", |net, _| assert!(net.now() < Duration::MAX)),
    ("stats", |net, _| assert!(net.stats().sockets > 0)),
    ("stop", |net, _| net.stop()),
    ("listen", |net, stage| {
        let server = net
            .listen("127.0.0.1:0", |_| handler_fn(|_, _| ()))
            .unwrap()
            .id();
        net.server(server).unwrap().close().unwrap();
        assert!(stage.server.get() != Some(server));
    }),
    ("listen_with", |net, stage| {
        let id = net
            .listen_with("127.0.0.1:0", stage.acceptor())
            .unwrap()
            .id();
        stage.expect_server(id);
    }),
    ("connect", |net, stage| {
        let dead = "127.0.0.1:1"; // nobody listens there
        let id = net.connect(dead, stage.handler("other")).unwrap().id();
        stage.expect(id);
    }),
    ("adopt", |net, stage| {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let id = net.adopt(ours, stage.handler("other")).unwrap().id();
        stage.expect(id);
        drop(theirs);
    }),
    ("pipe", |net, stage| {
        let own = stage.own.get().unwrap();
        let _ = net.pipe(own, own, PipeOptions::default());
        net.unpipe(own); // or two echoes would talk for ever
        let dead = stage.dead.get().unwrap().0;
        net.pipe(own, dead, PipeOptions::default()).unwrap_err();
        net.pipe(dead, own, PipeOptions::default()).unwrap_err();
    }),
    ("pipe_both", |net, stage| {
        let (own, sibling) = (stage.own.get().unwrap(), stage.sibling.get().unwrap());
        let _ = net.pipe_both(own, sibling);
        net.pipe_both(own, own).unwrap_err();
        net.unpipe(own); // or two echoes would talk for ever
    }),
    ("unpipe", |net, stage| {
        let (own, sibling) = (stage.own.get().unwrap(), stage.sibling.get().unwrap());
        net.unpipe(own);
        let _ = net.pipe(own, sibling, PipeOptions::default().end(false));
        net.unpipe(own);
        net.unpipe(stage.dead.get().unwrap().0);
    }),
    ("set_resolver", |net, _| net.set_resolver(answering(&[]))),
    ("set_default_auto_select_family", |net, _| {
        net.set_default_auto_select_family(false)
    }),
    ("default_auto_select_family", |net, _| {
        net.default_auto_select_family();
    }),
    (
        "set_default_auto_select_family_attempt_timeout",
        |net, _| {
            net.set_default_auto_select_family_attempt_timeout(Duration::from_secs(1))
                .unwrap()
        },
    ),
    ("default_auto_select_family_attempt_timeout", |net, _| {
        assert!(net.default_auto_select_family_attempt_timeout() > Duration::ZERO)
    }),
    ("set_busy_poll", |net, _| {
        net.set_busy_poll(Duration::from_micros(100))
    }),
    ("busy_poll", |net, _| {
        net.busy_poll();
    }),
    ("set_read_budget_calls", |net, _| {
        net.set_read_budget_calls(1).unwrap()
    }),
    ("read_budget_calls", |net, _| {
        assert!(net.read_budget_calls() > 0)
    }),
    ("set_read_budget_bytes", |net, _| {
        net.set_read_budget_bytes(1).unwrap()
    }),
    ("read_budget_bytes", |net, _| {
        assert!(net.read_budget_bytes() > 0)
    }),
    ("set_write_budget_bytes", |net, _| {
        net.set_write_budget_bytes(1).unwrap()
    }),
    ("write_budget_bytes", |net, _| {
        assert!(net.write_budget_bytes() > 0)
    }),
    ("reserve", |net, _| {
        net.reserve(100).unwrap();
        net.reserve(0).unwrap();
    }),
    ("set_timeout", |net, stage| {
        let stage = stage.clone();
        net.set_timeout(Duration::ZERO, move |net| stage.enter(None, net));
    }),
    ("set_interval", |net, stage| {
        let stage = stage.clone();
        let every = net.set_interval(Duration::ZERO, move |net| stage.enter(None, net));
        net.clear_timer(every);
    }),
    ("set_immediate", |net, stage| {
        let stage = stage.clone();
        net.set_immediate(move |net| stage.enter(None, net));
    }),
    ("clear_timer", |net, stage| {
        net.clear_timer(stage.dead.get().unwrap().2)
    }),
    ("unref_timer", |net, stage| {
        net.unref_timer(stage.dead.get().unwrap().2)
    }),
    ("ref_timer", |net, stage| {
        net.ref_timer(stage.dead.get().unwrap().2)
    }),
    ("remote", |net, _| {
        let remote = net.remote().unwrap();
        let before = net.stats().posts;
        let later = move |net: &mut Net| assert!(net.stats().posts > before);
        remote.post(later).unwrap();
        assert_eq!(net.stats().posts, before);
    }),
    #[cfg(feature = "signal")]
    ("on_signal", |net, _| {
        let called = |_: &mut Net| panic!("nobody sends it");
        let id = net.on_signal(netloop::signal::SIGUSR2, called);
        net.off_signal(id.unwrap());
    }),
    #[cfg(feature = "signal")]
    ("off_signal", |net, _| {
        let id = net.on_signal(netloop::signal::SIGUSR2, |_| ()).unwrap();
        net.off_signal(id);
        net.off_signal(id);
    }),
    ("shutdown", |net, stage| {
        let stage = stage.clone();
        net.shutdown(Duration::from_millis(5), move |net, _| {
            stage.enter(None, net);
        });
    }),
    ("offload", |net, stage| {
        let stage = stage.clone();
        net.offload(|| (), move |net, _| stage.enter(None, net));
    }),
];

/// Whom a method is called on.
#[derive(Clone, Copy, Debug)]
enum On {
    Itself,
    Sibling,
    /// A sibling destroyed a moment before: there is a view of it until `close` was told.
    Destroyed,
}

fn on_socket(on: On, method: OnSocket) -> impl Fn(&mut Net, &Rc<Stage>) {
    move |net, stage| {
        let id = match on {
            On::Itself => stage.own.get(),
            On::Sibling | On::Destroyed => stage.sibling.get(),
        };
        let mut socket = net
            .socket(id.unwrap())
            .expect("alive, or being told its close");
        if let On::Destroyed = on {
            socket.destroy();
        }
        method(&mut socket, stage);
    }
}

/// No panic, no callback inside a callback, one close for each: [`Played::finish`] sees to it.
fn every_method_of_a_socket(on: On) {
    for within in Within::ALL {
        for &(name, method) in SOCKET {
            let _case = Case(format!("{name} on {on:?} within {within:?}"));
            play(within, on_socket(on, method)).finish();
        }
        let _case = Case(format!("answers of {on:?} within {within:?}"));
        let ask_all = |socket: &mut Socket<'_>, stage: &Rc<Stage>| {
            SOCKET_ANSWERS
                .iter()
                .for_each(|(_, ask)| ask(socket, stage));
        };
        play(within, on_socket(on, ask_all)).finish();
    }
}

#[test]
fn e5_every_method_of_a_socket_may_be_called_on_itself_from_every_callback() {
    every_method_of_a_socket(On::Itself);
}

#[test]
fn e5_every_method_of_a_socket_may_be_called_on_a_sibling_from_every_callback() {
    every_method_of_a_socket(On::Sibling);
}

#[test]
fn e5_every_method_of_a_socket_does_nothing_on_a_destroyed_sibling_from_every_callback() {
    every_method_of_a_socket(On::Destroyed);
}

/// By the view that the handler was lent, with a reply that has not left yet: it leaves once, before
/// whatever the method leads to.
#[test]
fn e5_every_method_of_a_socket_may_be_called_behind_a_reply_of_its_own_handler() {
    let stage = play(Within::ALL[0], |_, _| ()).stage.clone();
    for &(name, method) in SOCKET {
        let _case = Case(format!("{name} behind a reply"));
        let mut reactor = Reactor::new().unwrap();
        let (stage, done) = (stage.clone(), Cell::new(false));
        let handler = handler_fn(move |socket, event| {
            if let Event::Data(_) = event
                && !done.replace(true)
            {
                assert!(socket.write(b"reply"));
                method(socket, &stage);
                socket.write(b"");
            }
        });
        let (id, mut peer) = accepted(&mut reactor, handler);
        peer.write_all(b"?").unwrap();
        turn_until_quiet(&mut reactor);
        if let Some(mut socket) = reactor.net().socket(id) {
            socket.destroy_soon();
        }
        turn_until_quiet(&mut reactor);
        match read_while_turning(&mut reactor, &mut peer, 5) {
            Ok(got) => {
                assert!(got.starts_with(b"reply"), "{name}: {got:?}");
                let again = got[5..].windows(5).any(|bytes| bytes == b"reply");
                assert!(!again, "{name}: {got:?}");
            }
            Err(error) => assert_eq!(name, "reset_and_destroy", "{error}"),
        }
    }
}

#[test]
fn e5_every_method_of_a_server_and_of_net_may_be_called_from_every_callback() {
    for within in Within::ALL {
        for &(name, method) in SERVER {
            let _case = Case(format!("server.{name} within {within:?}"));
            let deed = move |net: &mut Net, stage: &Rc<Stage>| {
                method(&mut net.server(stage.server.get().unwrap()).unwrap());
            };
            play(within, deed).finish();
        }
        for &(name, method) in NET {
            let _case = Case(format!("net.{name} within {within:?}"));
            play(within, method).finish();
        }
    }
}

#[test]
fn e5_the_tables_name_every_public_method() {
    let of_a_socket = [names(SOCKET), names(SOCKET_ANSWERS)].concat();
    let sources = [
        (include_str!("../../src/net/socket.rs"), of_a_socket.clone()),
        (include_str!("../../src/net/socket/answers.rs"), of_a_socket),
        (include_str!("../../src/net/server.rs"), names(SERVER)),
        (include_str!("../../src/net/mod.rs"), names(NET)),
        (include_str!("../../src/net/listen.rs"), names(NET)),
        (include_str!("../../src/net/connect.rs"), names(NET)),
        (include_str!("../../src/net/adopt.rs"), names(NET)),
        (include_str!("../../src/net/pipe.rs"), names(NET)),
        (include_str!("../../src/net/timers.rs"), names(NET)),
        (include_str!("../../src/net/lookup.rs"), names(NET)),
        (include_str!("../../src/net/shutdown.rs"), names(NET)),
        (include_str!("../../src/net/tuning.rs"), names(NET)),
        (include_str!("../../src/net/reserve.rs"), names(NET)),
        #[cfg(feature = "signal")]
        (include_str!("../../src/net/signals.rs"), names(NET)),
    ];
    let mut found = 0;
    for (source, table) in sources {
        for line in source
            .lines()
            .filter_map(|line| line.strip_prefix("    pub fn "))
        {
            let name = line.split(['(', '<']).next().unwrap();
            assert!(table.contains(&name), "{name} stands in no table");
            found += 1;
        }
    }
    assert!(found > 70, "{found}");
}

fn names<F>(table: &[(&'static str, F)]) -> Vec<&'static str> {
    table.iter().map(|(name, _)| *name).collect()
}

/// What the own socket was told after the deed, and whether it was connecting then.
fn told_after(within: Within, deed: fn(&mut Socket<'_>)) -> (Vec<String>, bool) {
    let played = play(within, move |net, stage| {
        let mut own = net.socket(stage.own.get().unwrap()).unwrap();
        let phase = if own.connecting() {
            "connecting"
        } else {
            "standing"
        };
        stage.log.push(phase);
        deed(&mut own);
    });
    let stage = played.finish();
    let lines = stage.log.lines();
    let at = lines
        .iter()
        .position(|line| line == "connecting" || line == "standing")
        .unwrap();
    let before = lines[..at]
        .iter()
        .filter(|line| line.starts_with(stage.own_name()))
        .count();
    (
        stage.own_lines()[before..].to_vec(),
        lines[at] == "connecting",
    )
}

/// What is told after a socket was destroyed inside a callback of this kind.
fn nothing_but_close(within: Within) -> &'static [&'static str] {
    match within {
        Within::Error => &["close true"],
        Within::Close => &[],
        _ => &["close false"],
    }
}

#[test]
fn e4_destroy_inside_any_callback_is_followed_by_close_and_nothing_else() {
    for within in Within::ALL {
        let (told, _) = told_after(within, |own| own.destroy());
        assert_eq!(told, nothing_but_close(within), "within {within:?}");
    }
}

#[test]
fn e4_reset_inside_any_callback_is_followed_by_close_and_nothing_else() {
    for within in Within::ALL {
        let (told, connecting) = told_after(within, |own| own.reset_and_destroy());
        if connecting {
            // R63: it waits for the connection, which is told, and then there is none any more.
            let told: Vec<_> = told
                .iter()
                .filter(|line| !line.starts_with("attempt") && !line.starts_with("lookup"))
                .collect();
            assert_eq!(told, ["connect", "close false"], "within {within:?}");
        } else {
            assert_eq!(told, nothing_but_close(within), "within {within:?}");
        }
    }
}

#[test]
fn e4_end_inside_any_callback_leads_to_one_finish_one_end_and_one_close() {
    for within in Within::ALL {
        let played = play(within, |net, stage| {
            net.socket(stage.own.get().unwrap()).unwrap().end();
        });
        let stage = played.finish();
        let told = stage.own_lines();
        let count = |line: &str| told.iter().filter(|told| *told == line).count();
        match within {
            Within::Error => assert_eq!(count("close true"), 1, "{told:?}"),
            Within::Close => assert_eq!(count("close false"), 1, "{told:?}"),
            _ => {
                let counts = [count("finish"), count("end"), count("close false")];
                assert_eq!(counts, [1, 1, 1], "within {within:?}: {told:?}");
            }
        }
    }
}
