//! Scenarios of connecting.

use crate::runner::Group;
use netloop::{Error, Event};
use std::time::Duration;

const GROUP: Group = Group("b_connecting");

#[test]
fn connect_and_ready_come_before_the_first_data() {
    GROUP.pair(
        "connect_and_ready_come_before_the_first_data",
        |stage| {
            stage.listen(|_, peer, event| {
                if let Event::Connect = event {
                    peer.end_with(b"hello");
                }
            });
        },
        |stage| {
            stage.connect(|_, _, _| ());
        },
    );
}

#[test]
fn nobody_listens() {
    GROUP.solo("nobody_listens", |stage| {
        stage.connect(|me, client, event| match event {
            Event::Error(_) => me.state(client),
            Event::Close { .. } => me.counters(client),
            _ => {}
        });
    });
}

#[test]
fn where_a_connecting_socket_stands() {
    GROUP.pair(
        "where_a_connecting_socket_stands",
        |stage| {
            stage.listen(|me, peer, event| {
                if let Event::Connect = event {
                    me.state(peer);
                    peer.end();
                }
            });
        },
        |stage| {
            let me = stage.actor("client");
            let client = stage.connect(|me, client, event| match event {
                Event::ConnectionAttempt(_) | Event::Connect | Event::Ready => me.state(client),
                Event::Close { .. } => me.state(client),
                _ => {}
            });
            me.state(&client);
        },
    );
}

#[test]
fn writes_before_connect_leave_in_order() {
    GROUP.pair(
        "writes_before_connect_leave_in_order",
        |stage| {
            stage.listen(|_, _, _| ());
        },
        |stage| {
            let me = stage.actor("client");
            let mut client = stage.connect(|me, client, event| match event {
                Event::Connect => {
                    me.counters(client);
                    client.end_with(b"three");
                }
                Event::Close { .. } => me.counters(client),
                _ => {}
            });
            me.say(format!(
                "write: {}",
                client.write_then(b"one ", me.done("one"))
            ));
            me.say(format!(
                "write: {}",
                client.write_then(b"two ", me.done("two"))
            ));
            me.counters(&client);
        },
    );
}

#[test]
fn ended_before_connect() {
    GROUP.pair(
        "ended_before_connect",
        |stage| {
            stage.listen(|_, peer, event| {
                if let Event::End = event {
                    peer.end_with(b"answer");
                }
            });
        },
        |stage| {
            let me = stage.actor("client");
            let mut client = stage.connect(|me, client, event| {
                if let Event::Connect = event {
                    me.state(client);
                }
            });
            client.end_with(b"question");
            me.state(&client);
        },
    );
}

#[test]
fn ended_before_a_connect_that_fails() {
    GROUP.solo("ended_before_a_connect_that_fails", |stage| {
        stage.connect(|_, _, _| ()).end();
    });
}

#[test]
fn destroyed_right_after_connect() {
    GROUP.solo("destroyed_right_after_connect", |stage| {
        let me = stage.actor("client");
        let mut client = stage.connect(|_, _, _| ());
        client.destroy();
        me.state(&client);
    });
}

#[test]
fn destroyed_in_the_attempt() {
    GROUP.solo("destroyed_in_the_attempt", |stage| {
        stage.connect(|me, client, event| {
            if let Event::ConnectionAttempt(_) = event {
                client.destroy();
                me.state(client);
            }
        });
    });
}

#[test]
fn destroyed_with_a_reason_before_the_attempt() {
    GROUP.solo("destroyed_with_a_reason_before_the_attempt", |stage| {
        let me = stage.actor("client");
        let mut client = stage.connect(|_, _, _| ());
        client.destroy_with(Error::new("ENOUGH", "a fault"));
        me.state(&client);
    });
}

#[test]
fn paused_and_resumed_before_connect() {
    GROUP.pair(
        "paused_and_resumed_before_connect",
        |stage| {
            stage.listen(|_, peer, event| {
                if let Event::Connect = event {
                    peer.end_with(b"hello");
                }
            });
        },
        |stage| {
            let me = stage.actor("client");
            let mut client = stage.connect(|_, _, _| ());
            client.pause();
            me.say(format!("paused: {}", client.is_paused()));
            client.resume();
            me.say(format!("paused: {}", client.is_paused()));
        },
    );
}

#[test]
fn settings_before_connect_are_remembered() {
    GROUP.pair(
        "settings_before_connect_are_remembered",
        |stage| {
            stage.listen(|_, peer, event| {
                if let Event::Connect = event {
                    peer.end();
                }
            });
        },
        |stage| {
            let mut client = stage.connect(|me, client, event| {
                if let Event::Connect = event {
                    me.say(format!("timeout {}", client.timeout().unwrap().as_millis()));
                }
            });
            client.set_no_delay(true);
            client.set_keep_alive(true, Duration::from_millis(1500));
            client.set_timeout(Duration::from_secs(5));
            client.r#ref();
        },
    );
}

#[test]
fn addresses_of_both_ends() {
    GROUP.pair(
        "addresses_of_both_ends",
        |stage| {
            stage.listen(|me, peer, event| {
                if let Event::Connect = event {
                    let (family, ip) = (peer.local_family(), peer.local_address());
                    me.say(format!("local {} {}", family.unwrap(), ip.unwrap()));
                    let (family, ip) = (peer.remote_family(), peer.remote_address());
                    me.say(format!("remote {} {}", family.unwrap(), ip.unwrap()));
                    let same = peer.local_port() == peer.address().unwrap().port();
                    peer.end_with(same.to_string().as_bytes());
                }
            });
        },
        |stage| {
            stage.connect(|me, client, event| {
                if let Event::Connect = event {
                    let (family, ip) = (client.local_family(), client.local_address());
                    me.say(format!("local {} {}", family.unwrap(), ip.unwrap()));
                    let (family, peer) = (client.remote_family(), client.peer_address());
                    me.say(format!("remote {} {}", family.unwrap(), peer.unwrap()));
                }
            });
        },
    );
}

#[test]
fn the_address_of_a_refused_connect() {
    GROUP.solo("the_address_of_a_refused_connect", |stage| {
        stage.connect(|me, _, event| {
            if let Event::Error(error) = event {
                me.say(format!("refused at {}", error.address().unwrap()));
            }
        });
    });
}
