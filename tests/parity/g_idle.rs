//! Scenarios of the idle timeout.

use crate::runner::Group;
use crate::stage::Stage;
use netloop::Event;
use std::time::Duration;

const GROUP: Group = Group("g_idle");

const SHORT: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_millis(60);

/// A server of one guest that does nothing of its own.
fn listens(stage: &mut Stage) {
    stage.listen(|_, _, _| ());
}

#[test]
fn a_timeout_is_told_once_and_the_socket_stays_open() {
    GROUP.pair(
        "a_timeout_is_told_once_and_the_socket_stays_open",
        listens,
        |stage| {
            stage.connect(|me, client, event| match event {
                Event::Ready => client.set_timeout(SHORT),
                Event::Timeout => {
                    me.state(client);
                    let id = client.id();
                    client.net().set_timeout(LONG, move |net| {
                        let mut client = net.socket(id).unwrap();
                        client.set_timeout(Duration::ZERO);
                        client.end_with(b"hello");
                    });
                }
                _ => {}
            });
        },
    );
}

#[test]
fn activity_arms_it_again() {
    GROUP.pair("activity_arms_it_again", listens, |stage| {
        let mut times = 0;
        stage.connect(move |me, client, event| match event {
            Event::Ready => client.set_timeout(SHORT),
            Event::Timeout => {
                times += 1;
                if times == 3 {
                    client.set_timeout(Duration::ZERO);
                    return client.end();
                }
                me.say(format!("write: {}", client.write(b"x")));
            }
            _ => {}
        });
    });
}

#[test]
fn a_timeout_of_zero_turns_it_off() {
    GROUP.pair("a_timeout_of_zero_turns_it_off", listens, |stage| {
        stage.connect(|me, client, event| {
            if let Event::Ready = event {
                client.set_timeout(SHORT);
                client.set_timeout(Duration::ZERO);
                assert_eq!(client.timeout(), None);
                me.say("timeout none");
                let id = client.id();
                client
                    .net()
                    .set_timeout(LONG, move |net| net.socket(id).unwrap().end());
            }
        });
    });
}

#[test]
fn destroyed_in_timeout() {
    GROUP.pair("destroyed_in_timeout", listens, |stage| {
        stage.connect(|_, client, event| match event {
            Event::Ready => client.set_timeout(SHORT),
            Event::Timeout => client.destroy(),
            _ => {}
        });
    });
}

#[test]
fn a_timeout_set_by_the_options_of_connect() {
    GROUP.pair(
        "a_timeout_set_by_the_options_of_connect",
        listens,
        |stage| {
            let me = stage.actor("client");
            let client = me.connect(
                stage.net(),
                |to| to.timeout(Duration::from_millis(250)),
                |_, client, event| {
                    if let Event::Timeout = event {
                        client.end();
                    }
                },
            );
            me.say(format!("timeout {}", client.timeout().unwrap().as_millis()));
        },
    );
}

#[test]
fn no_timeout_after_destroy() {
    GROUP.pair("no_timeout_after_destroy", listens, |stage| {
        stage.connect(|_, client, event| {
            if let Event::Ready = event {
                client.set_timeout(SHORT);
                client.destroy();
                client.set_timeout(SHORT);
                client.net().set_timeout(LONG, |_| ());
            }
        });
    });
}
