//! Scenarios of reading.

use crate::runner::Group;
use crate::support::pattern;
use netloop::{Event, Socket};

const GROUP: Group = Group("c_reading");

#[test]
fn many_bytes_come_in_order() {
    GROUP.pair(
        "many_bytes_come_in_order",
        |stage| {
            stage.listen(|_, peer, event| {
                if let Event::Connect = event {
                    peer.end_with(&pattern(1_000_000));
                }
            });
        },
        |stage| {
            stage.connect(|me, client, event| {
                if let Event::End | Event::Close { .. } = event {
                    me.counters(client);
                }
            });
        },
    );
}

#[test]
fn what_is_written_comes_back() {
    GROUP.pair(
        "what_is_written_comes_back",
        |stage| {
            stage.listen(|_, peer, event| match event {
                Event::Data(chunk) => {
                    let more = peer.write(chunk);
                    if !more {
                        peer.pause();
                    }
                }
                Event::Drain => peer.resume(),
                _ => {}
            });
        },
        |stage| {
            let mut client = stage.connect(|me, client, event| {
                if let Event::Close { .. } = event {
                    me.counters(client);
                }
            });
            client.end_with(&pattern(300_000));
        },
    );
}

#[test]
fn bytes_read_is_current_inside_data() {
    GROUP.pair(
        "bytes_read_is_current_inside_data",
        |stage| {
            stage.listen(|_, peer, event| {
                if let Event::Connect = event {
                    peer.end_with(b"hello");
                }
            });
        },
        |stage| {
            stage.connect(|me, client, event| {
                if let Event::Data(_) = event {
                    me.counters(client);
                }
            });
        },
    );
}

/// The second connection tells that the first one's bytes have come.
#[test]
fn paused_on_connect_nothing_is_read() {
    GROUP.pair(
        "paused_on_connect_nothing_is_read",
        |stage| {
            stage.listen_to(
                2,
                |at| at.pause_on_connect(true),
                |me, peer, event| {
                    if me.name() == "peer2"
                        && let Event::Connect = event
                    {
                        let first = me.socket_of("peer");
                        let mut first = peer.net().socket(first).unwrap();
                        let (paused, read) = (first.is_paused(), first.bytes_read());
                        me.say(format!("the first is paused: {paused}, has read {read}"));
                        first.resume();
                        peer.destroy();
                    }
                },
            );
        },
        |stage| {
            stage.connect(|me, client, event| match event {
                Event::Connect => client.end_with(b"hello"),
                Event::Finish => {
                    let second = me.another("second");
                    second.connect(
                        client.net(),
                        |to| to,
                        |_, second, event| {
                            if let Event::Ready = event {
                                second.destroy();
                            }
                        },
                    );
                }
                _ => {}
            });
        },
    );
}

/// The second connection tells that there is more on the first. It is ended in an immediate, and not
/// in a callback: that late in a turn the answer could come before its own `finish` is told.
#[test]
fn paused_in_data() {
    GROUP.pair(
        "paused_in_data",
        |stage| {
            stage.listen_to(
                2,
                |at| at,
                |me, peer, event| match event {
                    Event::Connect if me.name() == "peer" => {
                        peer.write(b"one");
                    }
                    Event::Connect => {
                        let (first, second) = (me.socket_of("peer"), peer.id());
                        let mut first = peer.net().socket(first).unwrap();
                        first.write_then(b"two", move |net, _| {
                            net.set_immediate(move |net| {
                                net.socket(second).unwrap().end_with(b"sent");
                            });
                        });
                    }
                    _ => {}
                },
            );
        },
        |stage| {
            let mut paused = false;
            stage.connect(move |me, client, event| match event {
                Event::Data(_) if paused => client.end(),
                Event::Data(_) => {
                    paused = true;
                    client.pause();
                    let second = me.another("second");
                    let first = me.clone();
                    second.connect(
                        client.net(),
                        |to| to,
                        move |me, second, event| {
                            if let Event::Data(_) = event {
                                first.say("resumes");
                                let first = me.socket_of("client");
                                second.net().socket(first).unwrap().resume();
                            }
                        },
                    );
                }
                _ => {}
            });
        },
    );
}

#[test]
fn paused_and_resumed_in_one_handler() {
    GROUP.pair(
        "paused_and_resumed_in_one_handler",
        |stage| {
            stage.listen(|_, peer, event| match event {
                Event::Connect => {
                    peer.write(b"one ");
                }
                Event::Data(_) => peer.end_with(b"two"),
                _ => {}
            });
        },
        |stage| {
            let mut first = true;
            stage.connect(move |me, client, event| {
                if let Event::Data(_) = event
                    && std::mem::take(&mut first)
                {
                    client.pause();
                    client.resume();
                    me.say(format!("paused: {}", client.is_paused()));
                    client.write(b"go on");
                }
            });
        },
    );
}

#[test]
fn bytes_given_back_are_told_again() {
    GROUP.pair(
        "bytes_given_back_are_told_again",
        |stage| {
            stage.listen(|_, peer, event| {
                if let Event::Connect = event {
                    peer.end_with(b"hello");
                }
            });
        },
        |stage| {
            let mut first = true;
            stage.connect(move |me, client, event| {
                if let Event::Data(chunk) = event
                    && std::mem::take(&mut first)
                {
                    client.unread(chunk);
                    me.say("has given it back");
                }
            });
        },
    );
}

#[test]
fn reset_behind_data() {
    GROUP.pair(
        "reset_behind_data",
        |stage| {
            stage.listen(|_, peer, event| match event {
                Event::Connect => {
                    peer.write(b"hello");
                }
                Event::Data(_) => peer.reset_and_destroy(),
                _ => {}
            });
        },
        |stage| {
            stage.connect(|me, client, event| match event {
                Event::Data(_) => {
                    client.write(b"go on");
                }
                Event::Error(_) => me.state(client),
                _ => {}
            });
        },
    );
}

/// The paused client resumes when what `deed` does has come, and Node has told it. As above, an
/// immediate ends the second connection.
fn while_paused(name: &'static str, deed: fn(&mut Socket<'_>)) {
    GROUP.pair(
        name,
        move |stage| {
            stage.listen_to(
                2,
                |at| at,
                move |me, peer, event| match event {
                    Event::Connect if me.name() == "peer" => {
                        peer.write(b"one");
                    }
                    Event::Connect => {
                        let first = me.socket_of("peer");
                        deed(&mut peer.net().socket(first).unwrap());
                    }
                    Event::Finish | Event::Close { .. } if me.name() == "peer" => {
                        let second = me.socket_of("peer2");
                        peer.net().set_immediate(move |net| {
                            if let Some(mut second) = net.socket(second) {
                                second.end();
                            }
                        });
                    }
                    _ => {}
                },
            );
        },
        |stage| {
            let mut first = true;
            stage.connect(move |me, client, event| {
                if let Event::Data(_) = event
                    && std::mem::take(&mut first)
                {
                    client.pause();
                    let (second, first) = (me.another("second"), me.clone());
                    second.connect(
                        client.net(),
                        |to| to,
                        move |_, second, event| {
                            if let Event::Close { .. } = event {
                                let first = first.clone();
                                second.net().set_immediate(move |net| {
                                    first.say("resumes");
                                    net.socket(first.socket_of("client")).unwrap().resume();
                                });
                            }
                        },
                    );
                }
            });
        },
    );
}

#[test]
fn ended_while_paused() {
    while_paused("ended_while_paused", |peer| peer.end());
}

#[test]
fn data_and_end_while_paused() {
    while_paused("data_and_end_while_paused", |peer| peer.end_with(b"two"));
}

#[test]
fn reset_while_paused() {
    while_paused("reset_while_paused", |peer| peer.reset_and_destroy());
}
