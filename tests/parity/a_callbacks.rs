//! Scenarios of who is called when.

use crate::runner::Group;
use netloop::{Error, Event};

const GROUP: Group = Group("a_callbacks");

#[test]
fn nothing_is_told_inside_the_call_that_causes_it() {
    GROUP.pair(
        "nothing_is_told_inside_the_call_that_causes_it",
        |stage| {
            stage.listen(|_, _, _| ());
        },
        |stage| {
            stage.connect(|me, client, event| match event {
                Event::Connect => {
                    client.write_then(b"hello", me.done("write"));
                    me.say("write has returned");
                    client.end();
                    me.say("end has returned");
                }
                Event::End => {
                    client.destroy_with(Error::new("ENOUGH", "a fault"));
                    me.say("destroy has returned");
                }
                Event::Error(_) => me.say("error was told"),
                _ => {}
            });
            stage.actor("client").say("connect has returned");
        },
    );
}

#[test]
fn destroyed_in_connect() {
    GROUP.pair(
        "destroyed_in_connect",
        |stage| {
            stage.listen(|_, _, _| ());
        },
        |stage| {
            stage.connect(|me, client, event| {
                if let Event::Connect = event {
                    client.destroy();
                    me.state(client);
                }
            });
        },
    );
}

#[test]
fn destroyed_in_data() {
    GROUP.pair(
        "destroyed_in_data",
        |stage| {
            stage.listen(|_, peer, event| {
                if let Event::Connect = event {
                    peer.write(b"hello");
                }
            });
        },
        |stage| {
            stage.connect(|me, client, event| {
                if let Event::Data(_) = event {
                    client.destroy();
                    me.state(client);
                }
            });
        },
    );
}

#[test]
fn destroyed_in_end() {
    GROUP.pair(
        "destroyed_in_end",
        |stage| {
            stage.listen(|_, peer, event| {
                if let Event::Connect = event {
                    peer.end_with(b"hello");
                }
            });
        },
        |stage| {
            stage.connect(|me, client, event| {
                if let Event::End = event {
                    me.state(client);
                    client.destroy();
                    me.state(client);
                }
            });
        },
    );
}

#[test]
fn destroyed_by_a_sibling() {
    GROUP.pair(
        "destroyed_by_a_sibling",
        |stage| {
            stage.listen_to(
                2,
                |at| at,
                |me, peer, event| match event {
                    Event::Connect if me.name() == "peer2" => peer.end_with(b"go"),
                    _ => {}
                },
            );
        },
        |stage| {
            stage.connect(|me, first, event| {
                if let Event::Connect = event {
                    let second = me.another("second");
                    second.connect(
                        first.net(),
                        |to| to,
                        |me, second, event| {
                            if let Event::Data(_) = event {
                                let first = me.socket_of("client");
                                second.net().socket(first).unwrap().destroy();
                                me.say("has destroyed its sibling");
                            }
                        },
                    );
                }
            });
        },
    );
}

#[test]
fn another_connect_from_close() {
    GROUP.pair(
        "another_connect_from_close",
        |stage| {
            stage.listen_to(
                2,
                |at| at,
                |_, peer, event| {
                    if let Event::Connect = event {
                        peer.end_with(b"hello");
                    }
                },
            );
        },
        |stage| {
            stage.connect(|me, client, event| {
                if let Event::Close { .. } = event {
                    let again = me.another("again");
                    again.connect(client.net(), |to| to, |_, _, _| ());
                }
            });
        },
    );
}
