//! Scenarios of writing and back-pressure.

use crate::runner::Group;
use crate::stage::{Actor, Stage};
use crate::support::pattern;
use netloop::{Event, Socket};

const GROUP: Group = Group("e_writing");

/// More than the kernels take while the peer does not read.
const PLENTY: usize = 16 << 20;

/// A server of one guest that does nothing of its own.
fn listens(stage: &mut Stage) {
    stage.listen(|_, _, _| ());
}

/// A server whose first guest reads once there is a second connection.
fn reads_late(stage: &mut Stage) {
    stage.listen_to(
        2,
        |at| at.pause_on_connect(true),
        |me, peer, event| {
            if me.name() == "peer2"
                && let Event::Connect = event
            {
                let first = me.socket_of("peer");
                peer.net().socket(first).unwrap().resume();
                peer.destroy();
            }
        },
    );
}

fn connect_a_second(me: &Actor, client: &mut Socket<'_>) {
    let second = me.another("second");
    second.connect(client.net(), |to| to, |_, _, _| ());
}

fn say_write(me: &Actor, more_is_welcome: bool) {
    me.say(format!("write: {more_is_welcome}"));
}

fn say_need_drain(me: &Actor, socket: &Socket<'_>) {
    me.say(format!("waits for drain: {}", socket.writable_need_drain()));
}

#[test]
fn small_writes_and_their_callbacks() {
    GROUP.pair("small_writes_and_their_callbacks", listens, |stage| {
        stage.connect(|me, client, event| {
            if let Event::Ready = event {
                say_write(me, client.write_then(b"one ", me.done("one")));
                say_write(me, client.write_then(b"two ", me.done("two")));
                let (me, id) = (me.clone(), client.id());
                client.write_then(b"three", move |net, _| {
                    me.say("three");
                    let mut client = net.socket(id).unwrap();
                    me.counters(&client);
                    client.end();
                });
            }
        });
    });
}

#[test]
fn an_empty_write() {
    GROUP.pair("an_empty_write", listens, |stage| {
        stage.connect(|me, client, event| {
            if let Event::Ready = event {
                say_write(me, client.write_then(b"", me.done("nothing")));
                let id = client.id();
                client.write_then(b"something", move |net, _| net.socket(id).unwrap().end());
            }
        });
    });
}

#[test]
fn drain_comes_once_when_all_has_left() {
    GROUP.pair("drain_comes_once_when_all_has_left", reads_late, |stage| {
        stage.connect(|me, client, event| match event {
            Event::Ready => {
                say_write(me, client.write_then(&pattern(PLENTY), me.done("write")));
                say_need_drain(me, client);
                connect_a_second(me, client);
            }
            Event::Drain => {
                say_need_drain(me, client);
                me.counters(client);
                client.end();
            }
            _ => {}
        });
    });
}

#[test]
fn no_drain_after_end() {
    GROUP.pair("no_drain_after_end", reads_late, |stage| {
        stage.connect(|me, client, event| {
            if let Event::Ready = event {
                say_write(me, client.write(&pattern(PLENTY)));
                client.end();
                say_need_drain(me, client);
                connect_a_second(me, client);
            }
        });
    });
}

#[test]
fn the_mark_while_connecting() {
    GROUP.pair("the_mark_while_connecting", listens, |stage| {
        let me = stage.actor("client");
        let mut client = me.connect(
            stage.net(),
            |to| to.high_water_mark(10),
            |_, client, event| {
                if let Event::Drain = event {
                    client.end();
                }
            },
        );
        me.say(format!("mark {}", client.writable_high_water_mark()));
        say_write(&me, client.write(b"123456789"));
        say_need_drain(&me, &client);
        say_write(&me, client.write(b"0"));
        say_need_drain(&me, &client);
        me.counters(&client);
    });
}

#[test]
fn a_mark_of_zero() {
    GROUP.pair("a_mark_of_zero", listens, |stage| {
        let me = stage.actor("client");
        let mut client = me.connect(
            stage.net(),
            |to| to.high_water_mark(0),
            |me, client, event| {
                if let Event::Drain = event {
                    say_write(me, client.write(b" again"));
                    client.end();
                }
            },
        );
        say_write(&me, client.write(b"hello"));
    });
}

#[test]
fn corked_writes_leave_together() {
    GROUP.pair("corked_writes_leave_together", listens, |stage| {
        stage.connect(|me, client, event| {
            if let Event::Ready = event {
                client.cork();
                client.cork();
                say_write(me, client.write_then(b"one ", me.done("one")));
                client.uncork();
                say_write(me, client.write_then(b"two", me.done("two")));
                me.counters(client);
                me.say(format!("corked {}", client.writable_corked()));
                client.uncork();
                client.uncork();
                me.say(format!("corked {}", client.writable_corked()));
                client.end();
            }
        });
    });
}

#[test]
fn end_uncorks() {
    GROUP.pair("end_uncorks", listens, |stage| {
        stage.connect(|me, client, event| {
            if let Event::Ready = event {
                client.cork();
                client.cork();
                client.write_then(b"one ", me.done("one"));
                client.end_with(b"two");
                me.say(format!("corked {}", client.writable_corked()));
            }
        });
    });
}

#[test]
fn corked_beyond_the_mark() {
    GROUP.pair("corked_beyond_the_mark", listens, |stage| {
        stage.actor("client").connect(
            stage.net(),
            |to| to.high_water_mark(4),
            |me, client, event| match event {
                Event::Ready => {
                    client.cork();
                    say_write(me, client.write(b"123"));
                    say_write(me, client.write(b"4"));
                    me.counters(client);
                    client.uncork();
                }
                Event::Drain => client.end(),
                _ => {}
            },
        );
    });
}

#[test]
fn written_after_end() {
    GROUP.pair("written_after_end", listens, |stage| {
        stage.connect(|me, client, event| match event {
            Event::Ready => {
                client.end_with(b"hello");
                say_write(me, client.write_then(b"more", me.done("more")));
                me.state(client);
            }
            Event::Error(_) => me.state(client),
            _ => {}
        });
    });
}

#[test]
fn written_after_destroy() {
    GROUP.pair("written_after_destroy", listens, |stage| {
        stage.connect(|me, client, event| {
            if let Event::Ready = event {
                client.destroy();
                say_write(me, client.write_then(b"more", me.done("more")));
                me.counters(client);
            }
        });
    });
}

#[test]
fn written_after_end_and_destroy() {
    GROUP.pair("written_after_end_and_destroy", listens, |stage| {
        stage.connect(|me, client, event| {
            if let Event::Ready = event {
                client.end();
                client.destroy();
                say_write(me, client.write_then(b"more", me.done("more")));
            }
        });
    });
}

#[test]
fn written_after_both_have_ended() {
    GROUP.pair(
        "written_after_both_have_ended",
        |stage| {
            stage.listen(|me, peer, event| {
                if let Event::End = event {
                    peer.end();
                    say_write(me, peer.write_then(b"more", me.done("more")));
                }
            });
        },
        |stage| {
            stage.connect(|_, client, event| {
                if let Event::Ready = event {
                    client.end_with(b"hello");
                }
            });
        },
    );
}

#[test]
fn closed_before_the_connection() {
    GROUP.solo("closed_before_the_connection", |stage| {
        let me = stage.actor("client");
        let mut client = stage.connect(|_, _, _| ());
        client.write_then(b"one", me.done("one"));
        client.write_then(b"two", me.done("two"));
        client.destroy();
    });
}

#[test]
fn closed_before_the_connection_when_corked() {
    GROUP.solo("closed_before_the_connection_when_corked", |stage| {
        let me = stage.actor("client");
        let mut client = stage.connect(|_, _, _| ());
        client.cork();
        client.write_then(b"one", me.done("one"));
        client.uncork();
        client.destroy();
    });
}

#[test]
fn refused_with_writes_waiting() {
    GROUP.solo("refused_with_writes_waiting", |stage| {
        let me = stage.actor("client");
        let mut client = stage.connect(|_, _, _| ());
        client.write_then(b"one", me.done("one"));
        client.write_then(b"two", me.done("two"));
    });
}

#[test]
fn destroyed_with_bytes_waiting() {
    GROUP.pair(
        "destroyed_with_bytes_waiting",
        |stage| {
            stage.listen_to(
                2,
                |at| at.pause_on_connect(true),
                |me, peer, event| {
                    if me.name() == "peer2"
                        && let Event::Connect = event
                    {
                        let first = me.socket_of("peer");
                        peer.net().socket(first).unwrap().destroy();
                        peer.destroy();
                    }
                },
            );
        },
        |stage| {
            stage.connect(|me, client, event| match event {
                Event::Ready => {
                    client.write_then(&pattern(PLENTY), me.done("one"));
                    client.write_then(b"two", me.done("two"));
                    client.destroy();
                    me.say(format!("waiting: {}", client.buffer_size() > 0));
                }
                Event::Close { .. } => connect_a_second(me, client),
                _ => {}
            });
        },
    );
}

#[test]
fn counters_survive_close() {
    GROUP.pair(
        "counters_survive_close",
        |stage| {
            stage.listen(|me, peer, event| match event {
                Event::End => peer.end_with(b"12345"), // after the client's `finish`
                Event::Close { .. } => me.counters(peer),
                _ => {}
            });
        },
        |stage| {
            stage.connect(|me, client, event| match event {
                Event::Ready => client.end_with(b"123"),
                Event::Close { .. } => me.counters(client),
                _ => {}
            });
        },
    );
}
