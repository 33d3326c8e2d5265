//! Scenarios of ending.

use crate::runner::Group;
use crate::support::pattern;
use netloop::Event;

const GROUP: Group = Group("d_half_close");

#[test]
fn both_ends_end() {
    GROUP.pair(
        "both_ends_end",
        |stage| {
            stage.listen(|me, peer, event| {
                if let Event::End | Event::Close { .. } = event {
                    me.state(peer);
                }
            });
        },
        |stage| {
            stage.connect(|me, client, event| match event {
                Event::Connect => {
                    client.end_with(b"hello");
                    me.state(client);
                }
                Event::Finish => me.state(client),
                _ => {}
            });
        },
    );
}

#[test]
fn written_in_end_and_sent_before_the_fin() {
    GROUP.pair(
        "written_in_end_and_sent_before_the_fin",
        |stage| {
            stage.listen(|me, peer, event| {
                if let Event::End = event {
                    me.say(format!("write: {}", peer.write(b"late answer")));
                }
            });
        },
        |stage| {
            stage.connect(|_, client, event| {
                if let Event::Connect = event {
                    client.end_with(b"question");
                }
            });
        },
    );
}

#[test]
fn ended_in_end() {
    GROUP.pair(
        "ended_in_end",
        |stage| {
            stage.listen(|_, peer, event| {
                if let Event::End = event {
                    peer.end_with(b"answer");
                }
            });
        },
        |stage| {
            stage.connect(|_, client, event| {
                if let Event::Connect = event {
                    client.end_with(b"question");
                }
            });
        },
    );
}

#[test]
fn half_open_until_it_ends_itself() {
    GROUP.pair(
        "half_open_until_it_ends_itself",
        |stage| {
            stage.listen(|me, peer, event| match event {
                Event::Connect => {
                    peer.write(b"question");
                    peer.end();
                }
                Event::Finish => me.state(peer),
                _ => {}
            });
        },
        |stage| {
            stage.actor("client").connect(
                stage.net(),
                |to| to.allow_half_open(true),
                |me, client, event| {
                    if let Event::End = event {
                        me.state(client);
                        let (me, id) = (me.clone(), client.id());
                        client.write_then(b"answer", move |net, _| {
                            let mut client = net.socket(id).unwrap();
                            me.state(&client);
                            client.end_with(b" and goodbye");
                        });
                    }
                },
            );
        },
    );
}

#[test]
fn a_half_open_server_answers_after_the_end() {
    GROUP.pair(
        "a_half_open_server_answers_after_the_end",
        |stage| {
            stage.listen_to(
                1,
                |at| at.allow_half_open(true),
                |me, peer, event| {
                    if let Event::End = event {
                        let (me, id) = (me.clone(), peer.id());
                        peer.net().set_immediate(move |net| {
                            let mut peer = net.socket(id).unwrap();
                            me.state(&peer);
                            peer.end_with(b"answer");
                        });
                    }
                },
            );
        },
        |stage| {
            stage.connect(|_, client, event| {
                if let Event::Connect = event {
                    client.end_with(b"question");
                }
            });
        },
    );
}

#[test]
fn data_after_the_own_end() {
    GROUP.pair(
        "data_after_the_own_end",
        |stage| {
            stage.listen_to(
                1,
                |at| at.allow_half_open(true),
                |_, peer, event| {
                    if let Event::End = event {
                        let id = peer.id();
                        peer.write_then(b"one", move |net, _| {
                            net.socket(id).unwrap().end_with(b"two");
                        });
                    }
                },
            );
        },
        |stage| {
            stage.connect(|me, client, event| match event {
                Event::Connect => client.end(),
                Event::End => me.state(client),
                _ => {}
            });
        },
    );
}

#[test]
fn ended_twice() {
    GROUP.pair(
        "ended_twice",
        |stage| {
            stage.listen(|_, _, _| ());
        },
        |stage| {
            stage.connect(|me, client, event| {
                if let Event::Connect = event {
                    client.end_with(b"once");
                    client.end();
                    me.state(client);
                }
            });
        },
    );
}

#[test]
fn ended_again_with_data() {
    GROUP.pair(
        "ended_again_with_data",
        |stage| {
            stage.listen(|_, _, _| ());
        },
        |stage| {
            stage.connect(|me, client, event| match event {
                Event::Ready => {
                    client.end_with(b"once");
                    client.end_with(b"twice");
                    me.counters(client);
                }
                Event::Error(_) => me.state(client),
                _ => {}
            });
        },
    );
}

#[test]
fn destroyed_soon() {
    GROUP.pair(
        "destroyed_soon",
        |stage| {
            stage.listen(|_, _, _| ());
        },
        |stage| {
            stage.connect(|me, client, event| match event {
                Event::Connect => {
                    client.write(&pattern(1_000_000));
                    client.destroy_soon();
                    me.say(format!("write: {}", client.writable()));
                }
                Event::Close { .. } => me.counters(client),
                _ => {}
            });
        },
    );
}

#[test]
fn destroyed_soon_after_its_end() {
    GROUP.pair(
        "destroyed_soon_after_its_end",
        |stage| {
            stage.listen(|_, _, _| ());
        },
        |stage| {
            stage.connect(|_, client, event| match event {
                Event::Connect => client.end_with(b"hello"),
                Event::Finish => client.destroy_soon(),
                _ => {}
            });
        },
    );
}

/// Both the peer's queue and its implicit end wait for a client that reads late: once the server
/// has taken a second connection.
#[test]
fn the_implicit_end_waits_for_the_queue() {
    GROUP.pair(
        "the_implicit_end_waits_for_the_queue",
        |stage| {
            stage.listen_to(
                2,
                |at| at,
                |me, peer, event| match event {
                    Event::Connect if me.name() == "peer2" => peer.end(),
                    Event::Connect => {
                        let more = peer.write_then(&pattern(16 << 20), me.done("write"));
                        me.say(format!("write: {more}"));
                    }
                    _ => {}
                },
            );
        },
        |stage| {
            let mut client = stage.connect(|me, client, event| {
                if let Event::Finish = event {
                    let (second, first) = (me.another("second"), client.id());
                    second.connect(
                        client.net(),
                        |to| to,
                        move |_, second, event| {
                            if let Event::End = event {
                                second.net().socket(first).unwrap().resume();
                            }
                        },
                    );
                }
            });
            client.pause();
            client.end();
        },
    );
}

#[test]
fn nothing_is_sent() {
    GROUP.pair(
        "nothing_is_sent",
        |stage| {
            stage.listen(|me, peer, event| {
                if let Event::End = event {
                    me.counters(peer);
                }
            });
        },
        |stage| {
            stage.connect(|_, client, event| {
                if let Event::Ready = event {
                    client.end();
                }
            });
        },
    );
}
