//! Scenarios of destroying, errors and close.

use crate::runner::Group;
use crate::stage::Stage;
use netloop::{Error, Event};
use std::time::Duration;

const GROUP: Group = Group("f_destroy");

/// A server of one guest that does nothing of its own.
fn listens(stage: &mut Stage) {
    stage.listen(|_, _, _| ());
}

#[test]
fn destroyed() {
    GROUP.pair("destroyed", listens, |stage| {
        stage.connect(|me, client, event| match event {
            Event::Ready => {
                client.destroy();
                me.state(client);
                client.destroy();
            }
            Event::Close { .. } => me.state(client),
            _ => {}
        });
    });
}

#[test]
fn destroyed_with_a_reason() {
    GROUP.pair("destroyed_with_a_reason", listens, |stage| {
        stage.connect(|me, client, event| match event {
            Event::Ready => {
                client.destroy_with(Error::new("FIRST", "a fault"));
                client.destroy_with(Error::new("SECOND", "a fault"));
                me.say(format!("errored {}", client.errored().unwrap().code()));
            }
            Event::Error(_) => {
                me.state(client);
                client.destroy_with(Error::new("THIRD", "a fault"));
            }
            Event::Close { .. } => me.say(format!("errored {}", client.errored().unwrap().code())),
            _ => {}
        });
    });
}

#[test]
fn destroyed_by_the_server_at_once() {
    GROUP.pair(
        "destroyed_by_the_server_at_once",
        |stage| {
            stage.listen(|me, peer, event| {
                if let Event::Connect = event {
                    peer.destroy();
                    me.state(peer);
                }
            });
        },
        |stage| {
            stage.connect(|_, _, _| ());
        },
    );
}

#[test]
fn reset_by_the_peer() {
    GROUP.pair(
        "reset_by_the_peer",
        |stage| {
            stage.listen(|me, peer, event| {
                if let Event::Data(_) = event {
                    peer.reset_and_destroy();
                    me.state(peer);
                }
            });
        },
        |stage| {
            stage.connect(|me, client, event| match event {
                Event::Ready => {
                    client.write(b"reset me");
                }
                Event::Error(_) => me.say(format!("errored {}", client.errored().unwrap().code())),
                _ => {}
            });
        },
    );
}

#[test]
fn reset_while_connecting() {
    GROUP.pair("reset_while_connecting", listens, |stage| {
        let me = stage.actor("client");
        let mut client = stage.connect(|_, _, _| ());
        client.reset_and_destroy();
        me.state(&client);
    });
}

#[test]
fn written_after_end_and_reset_while_connecting() {
    GROUP.solo("written_after_end_and_reset_while_connecting", |stage| {
        let me = stage.actor("client");
        let mut client = stage.connect(|_, _, _| ());
        client.end();
        client.reset_and_destroy();
        me.state(&client);
        me.say(format!("write: {}", client.write(b"late")));
    });
}

#[test]
fn reset_while_connecting_to_nobody() {
    GROUP.solo("reset_while_connecting_to_nobody", |stage| {
        stage.connect(|_, _, _| ()).reset_and_destroy();
    });
}

/// The peer has not read what the client sent, so its kernel resets the connection.
#[test]
fn destroyed_with_bytes_unread() {
    GROUP.pair(
        "destroyed_with_bytes_unread",
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
            stage.connect(|me, client, event| {
                if let Event::Ready = event {
                    let second = me.another("second");
                    client.write_then(b"hello", move |net, _| {
                        second.connect(net, |to| to, |_, _, _| ());
                    });
                }
            });
        },
    );
}

#[test]
fn every_call_after_close_is_safe() {
    GROUP.pair("every_call_after_close_is_safe", listens, |stage| {
        stage.connect(|me, client, event| match event {
            Event::Ready => client.end(),
            Event::Close { .. } => {
                client.pause();
                client.resume();
                client.set_no_delay(true);
                client.set_keep_alive(true, Duration::from_secs(1));
                client.set_timeout(Duration::from_millis(1));
                client.cork();
                client.uncork();
                client.unref();
                client.r#ref();
                client.end();
                client.destroy();
                client.destroy_soon();
                me.state(client);
                let more = client.write_then(b"hello", me.done("hello"));
                me.say(format!("write: {more}"));
            }
            _ => {}
        });
    });
}

#[test]
fn destroyed_after_the_own_end() {
    GROUP.pair(
        "destroyed_after_the_own_end",
        |stage| {
            stage.listen_to(
                1,
                |at| at.allow_half_open(true),
                |_, peer, event| {
                    if let Event::End = event {
                        let id = peer.id();
                        peer.write_then(b"answer", move |net, _| net.socket(id).unwrap().end());
                    }
                },
            );
        },
        |stage| {
            stage.connect(|me, client, event| match event {
                Event::Ready => client.end_with(b"question"),
                Event::Data(_) => {
                    client.destroy();
                    me.state(client);
                }
                _ => {}
            });
        },
    );
}

#[test]
fn the_address_is_gone_after_destroy() {
    GROUP.pair("the_address_is_gone_after_destroy", listens, |stage| {
        stage.connect(|me, client, event| {
            if let Event::Ready = event {
                client.destroy();
                let local = client.local_address().map(|ip| ip.to_string());
                me.say(format!("local {}", local.as_deref().unwrap_or("none")));
            }
        });
    });
}
