//! Scenarios of servers.

use crate::runner::Group;
use crate::stage::describe;
use netloop::{Event, ListenOptions};

const GROUP: Group = Group("i_server");

fn anywhere() -> ListenOptions {
    ListenOptions::from("127.0.0.1:0")
}

#[test]
fn one_too_many_is_turned_away() {
    GROUP.pair(
        "one_too_many_is_turned_away",
        |stage| {
            stage.listen_to(3, |at| at.max_connections(1), |_, _, _| ());
        },
        |stage| {
            stage.connect(|me, client, event| match event {
                Event::Ready => {
                    let (second, first) = (me.another("second"), client.id());
                    second.connect(
                        client.net(),
                        |to| to,
                        move |_, second, event| {
                            if let Event::Close { .. } = event {
                                second.net().socket(first).unwrap().end();
                            }
                        },
                    );
                }
                Event::Close { .. } => {
                    let third = me.another("third");
                    third.connect(
                        client.net(),
                        |to| to,
                        |_, third, event| {
                            if let Event::Ready = event {
                                third.end();
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
fn with_a_limit_of_none_everybody_is_turned_away() {
    GROUP.pair(
        "with_a_limit_of_none_everybody_is_turned_away",
        |stage| {
            stage.listen_to(1, |at| at.max_connections(0), |_, _, _| ());
        },
        |stage| {
            stage.connect(|_, _, _| ());
        },
    );
}

#[test]
fn close_waits_for_the_last_connection() {
    GROUP.pair(
        "close_waits_for_the_last_connection",
        |stage| {
            stage.listen(|me, peer, event| match event {
                Event::Data(_) => peer.end_with(b"goodbye"),
                Event::Close { .. } => me.another("server").say("its peer was told close"),
                _ => {}
            });
        },
        |stage| {
            stage.connect(|_, client, event| {
                if let Event::Ready = event {
                    client.write(b"hello");
                }
            });
        },
    );
}

#[test]
fn a_destroyed_socket_counts_no_more() {
    GROUP.pair(
        "a_destroyed_socket_counts_no_more",
        |stage| {
            stage.listen(|me, peer, event| {
                let server = peer.server().unwrap();
                match event {
                    Event::Connect => {
                        let server = peer.net().server(server).unwrap();
                        me.say(format!("connections {}", server.connections()));
                    }
                    Event::Data(_) => {
                        peer.destroy();
                        let server = peer.net().server(server).unwrap();
                        me.say(format!("connections {}", server.connections()));
                    }
                    _ => {}
                }
            });
        },
        |stage| {
            stage.connect(|_, client, event| {
                if let Event::Ready = event {
                    client.write(b"hello");
                }
            });
        },
    );
}

#[test]
fn accepted_sockets_have_the_options_of_their_server() {
    GROUP.pair(
        "accepted_sockets_have_the_options_of_their_server",
        |stage| {
            stage.listen_to(
                1,
                |at| {
                    at.high_water_mark(5)
                        .pause_on_connect(true)
                        .allow_half_open(true)
                },
                |me, peer, event| match event {
                    Event::Connect => {
                        let (mark, paused) = (peer.writable_high_water_mark(), peer.is_paused());
                        me.say(format!("mark {mark}, paused {paused}"));
                        peer.resume();
                    }
                    Event::End => {
                        let (me, id) = (me.clone(), peer.id());
                        peer.net().set_immediate(move |net| {
                            let mut peer = net.socket(id).unwrap();
                            me.state(&peer);
                            peer.end();
                        });
                    }
                    _ => {}
                },
            );
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

#[test]
fn closed_in_listening() {
    GROUP.solo("closed_in_listening", |stage| {
        stage.serve("server", anywhere(), |me, server| {
            me.say(format!("listening {}", server.listening()));
            server.close().unwrap();
            assert_eq!(server.address(), None);
            me.say(format!("listening {}, address null", server.listening()));
        });
    });
}

#[test]
fn closed_twice() {
    GROUP.solo("closed_twice", |stage| {
        stage.serve("server", anywhere(), |me, server| {
            server.close().unwrap();
            let error = server.close().unwrap_err();
            me.say(format!("again: {}", describe(&error)));
        });
    });
}

#[test]
fn closed_before_it_listens() {
    GROUP.solo("closed_before_it_listens", |stage| {
        let server = stage.serve("server", ListenOptions::from(0), |_, _| ());
        stage
            .net()
            .server(server.unwrap())
            .unwrap()
            .close()
            .unwrap();
    });
}

#[test]
fn a_port_that_is_taken() {
    GROUP.solo("a_port_that_is_taken", |stage| {
        let taken = ListenOptions::from(stage.place());
        assert_eq!(stage.serve("server", taken, |_, _| ()), None);
        stage.serve("another", anywhere(), |_, server| server.close().unwrap());
    });
}

#[test]
fn an_address_that_is_not_ours() {
    GROUP.solo("an_address_that_is_not_ours", |stage| {
        stage.serve("server", ListenOptions::from("192.0.2.1:0"), |_, _| ());
    });
}

#[test]
fn without_a_host() {
    GROUP.solo("without_a_host", |stage| {
        stage.serve("server", ListenOptions::from(0), |me, server| {
            let address = server.address().unwrap();
            me.say(format!("{} {}", address.family(), address.ip().unwrap()));
            server.close().unwrap();
        });
    });
}

#[test]
fn two_servers_share_a_port() {
    GROUP.solo("two_servers_share_a_port", |stage| {
        let first = stage.serve("server", anywhere().reuse_port(true), |_, _| ());
        let first = first.unwrap();
        let address = stage.net().server(first).unwrap().address().unwrap();
        let shared = ListenOptions::from(address.clone()).reuse_port(true);
        stage.serve("another", shared, move |me, second| {
            me.say(format!(
                "same port: {}",
                second.address().unwrap() == address
            ));
            second.net().server(first).unwrap().close().unwrap();
            second.close().unwrap();
        });
    });
}
