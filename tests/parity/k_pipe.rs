//! Scenarios of pipes.
//!
//! Never more than a mark at once: how often a pipe waits for a drain beyond that is the kernel's
//! chance. `tests/pipe.rs` has what it does then.

use crate::runner::Group;
use crate::stage::{Actor, Stage};
use crate::support::pattern;
use netloop::{ConnectOptions, Event, ListenOptions, Net, PipeOptions, Socket, SocketId};
use std::cell::Cell;
use std::time::Duration;

const GROUP: Group = Group("k_pipe");

fn end_with(net: &mut Net, id: SocketId, bytes: &[u8]) {
    net.socket(id).unwrap().end_with(bytes);
}

/// Two clients; `second` is sent a word when the server has both, and then `ready` is called with
/// the id of `first`.
fn connect_both(
    stage: &mut Stage,
    configure: fn(ConnectOptions) -> ConnectOptions,
    ready: fn(&mut Socket<'_>, SocketId),
    react: fn(&mut Socket<'_>, Event<'_>),
) {
    let first = stage.actor("first");
    let to = move |me: &Actor, first: &mut Socket<'_>, event: Event<'_>| {
        if let Event::Ready = event {
            let (id, once) = (first.id(), Cell::new(true));
            let second = me.another("second");
            second.connect(first.net(), configure, move |_, second, event| {
                if matches!(event, Event::Data(_)) && once.take() {
                    ready(second, id);
                }
                react(second, event);
            });
        }
    };
    first.connect(stage.net(), |to| to, to);
}

/// Hands both guests over once they are there, and lets `react` have the events of the first.
fn listen_to_both(
    stage: &mut Stage,
    configure: fn(ListenOptions) -> ListenOptions,
    joined: fn(&mut Net, SocketId, SocketId),
    react: fn(&Actor, &mut Socket<'_>, &Event<'_>),
) {
    stage.listen_to(2, configure, move |me, peer, event| match me.name() {
        "peer2" if matches!(event, Event::Connect) => {
            let (from, to) = (me.socket_of("peer"), peer.id());
            joined(peer.net(), from, to);
        }
        "peer" => react(me, peer, &event),
        _ => {}
    });
}

#[test]
fn a_pipe_into_itself_is_an_echo() {
    GROUP.pair(
        "a_pipe_into_itself_is_an_echo",
        |stage| {
            stage.listen(|_, peer, event| {
                if let Event::Connect = event {
                    let id = peer.id();
                    peer.net().pipe(id, id, PipeOptions::default()).unwrap();
                }
            });
        },
        |stage| {
            let mut client = stage.connect(move |me, client, event| match event {
                Event::Finish => client.resume(),
                Event::Close { .. } => me.counters(client),
                _ => {}
            });
            client.pause();
            client.end_with(&pattern(10_000));
        },
    );
}

#[test]
fn a_pipe_that_does_not_end() {
    GROUP.pair(
        "a_pipe_that_does_not_end",
        |stage| {
            listen_to_both(
                stage,
                |at| at,
                |net, from, to| {
                    let options = PipeOptions::default().end(false);
                    net.pipe(from, to, options).unwrap();
                    net.socket(to).unwrap().write(b"both: ");
                },
                |me, peer, event| {
                    if let Event::End = event {
                        let to = me.socket_of("peer2");
                        peer.net().socket(to).unwrap().end_with(b" and more");
                    }
                },
            );
        },
        |stage| {
            let ready = |second: &mut Socket<'_>, first| end_with(second.net(), first, b"hello");
            connect_both(stage, |to| to, ready, |_, _| ());
        },
    );
}

#[test]
fn a_half_close_goes_through_a_proxy_both_ways() {
    GROUP.pair(
        "a_half_close_goes_through_a_proxy_both_ways",
        |stage| {
            listen_to_both(
                stage,
                |at| at.allow_half_open(true),
                |net, from, to| {
                    net.pipe(from, to, PipeOptions::default()).unwrap();
                    net.pipe(to, from, PipeOptions::default()).unwrap();
                    net.socket(to).unwrap().write(b"both: ");
                },
                |_, _, _| (),
            );
        },
        |stage| {
            let ready = |second: &mut Socket<'_>, first| end_with(second.net(), first, b"question");
            let react = |second: &mut Socket<'_>, event: Event<'_>| {
                if let Event::End = event {
                    second.end_with(b"answer");
                }
            };
            connect_both(stage, |to| to.allow_half_open(true), ready, react);
        },
    );
}

#[test]
fn what_is_piped_to_a_paused_reader_waits_for_it() {
    GROUP.pair(
        "what_is_piped_to_a_paused_reader_waits_for_it",
        |stage| {
            listen_to_both(
                stage,
                |at| at,
                |net, from, to| {
                    net.pipe(from, to, PipeOptions::default()).unwrap();
                    net.socket(to).unwrap().write(&pattern(6));
                },
                |_, _, _| (),
            );
        },
        |stage| {
            let ready = |second: &mut Socket<'_>, first| {
                end_with(second.net(), first, &pattern(10_000)[6..]);
                second.pause();
                let id = second.id();
                let resume = move |net: &mut Net| net.socket(id).unwrap().resume();
                second.net().set_timeout(Duration::from_millis(10), resume);
            };
            connect_both(stage, |to| to, ready, |_, _| ());
        },
    );
}
