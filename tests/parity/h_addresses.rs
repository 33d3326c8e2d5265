//! Scenarios of a host with several addresses.

use crate::runner::{Group, SILENT};
use crate::stage::{Actor, Stage};
use crate::support::answering;
use netloop::{BlockList, ConnectOptions, Event, Socket};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const GROUP: Group = Group("h_addresses");

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const THIRD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// There is no way for TCP to it: the kernel says so inside the call.
const BROADCAST: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 255, 255, 255));

fn silent() -> IpAddr {
    IpAddr::from(SILENT)
}

fn soon(to: ConnectOptions) -> ConnectOptions {
    to.auto_select_family_attempt_timeout(Duration::from_millis(30))
}

fn blocking(ips: &[IpAddr]) -> BlockList {
    let list = BlockList::new();
    ips.iter().for_each(|&ip| list.add_address(ip));
    list
}

fn tell_attempted(me: &Actor, client: &mut Socket<'_>, event: Event<'_>) {
    if let Event::Close { .. } = event {
        for address in client.auto_select_family_attempted_addresses() {
            me.say(format!("tried {address}"));
        }
    }
}

/// A client that tries these and says which it has tried.
fn tries<'stage>(
    stage: &'stage mut Stage,
    answer: &[IpAddr],
    configure: impl FnOnce(ConnectOptions) -> ConnectOptions,
) -> Socket<'stage> {
    stage.connect_to(answering(answer), configure, tell_attempted)
}

#[test]
fn the_next_address_is_tried_when_one_refuses() {
    GROUP.pair(
        "the_next_address_is_tried_when_one_refuses",
        |stage| {
            stage.listen(|_, peer, event| {
                if let Event::Connect = event {
                    peer.end_with(b"hello");
                }
            });
        },
        |stage| {
            tries(stage, &[SECOND, HERE, THIRD], |to| to).write(b"early");
        },
    );
}

#[test]
fn every_address_refuses() {
    GROUP.solo("every_address_refuses", |stage| {
        tries(stage, &[HERE, SECOND, THIRD], |to| to);
    });
}

#[test]
fn an_attempt_without_answer_is_given_up() {
    GROUP.solo("an_attempt_without_answer_is_given_up", |stage| {
        tries(stage, &[silent(), HERE], soon);
    });
}

#[test]
fn the_idle_timeout_of_a_connect_without_answer() {
    GROUP.solo("the_idle_timeout_of_a_connect_without_answer", |stage| {
        let to = SocketAddr::new(silent(), stage.place().port().unwrap());
        let options = ConnectOptions::from(to).timeout(Duration::from_millis(20));
        stage.actor("client").connect(
            stage.net(),
            |_| options,
            |me, client, event| {
                if let Event::Timeout = event {
                    me.state(client);
                    client.destroy();
                }
            },
        );
    });
}

#[test]
fn destroyed_in_a_failed_attempt() {
    GROUP.solo("destroyed_in_a_failed_attempt", |stage| {
        stage.connect_to(
            answering(&[HERE, SECOND]),
            |to| to,
            |_, client, event| {
                if let Event::ConnectionAttemptFailed { .. } = event {
                    client.destroy();
                }
            },
        );
    });
}

#[test]
fn destroyed_in_the_timeout_of_an_attempt() {
    GROUP.solo("destroyed_in_the_timeout_of_an_attempt", |stage| {
        stage.connect_to(answering(&[silent(), SECOND]), soon, |_, client, event| {
            if let Event::ConnectionAttemptTimeout(_) = event {
                client.destroy();
            }
        });
    });
}

#[test]
fn a_blocked_address_among_others() {
    GROUP.pair(
        "a_blocked_address_among_others",
        |stage| {
            stage.listen(|_, peer, event| {
                if let Event::Connect = event {
                    peer.end();
                }
            });
        },
        |stage| {
            let list = blocking(&[SECOND]);
            tries(stage, &[SECOND, HERE], |to| to.block_list(&list));
        },
    );
}

#[test]
fn every_address_is_blocked() {
    GROUP.solo("every_address_is_blocked", |stage| {
        let list = blocking(&[HERE, SECOND]);
        tries(stage, &[HERE, SECOND], |to| to.block_list(&list));
    });
}

#[test]
fn each_attempt_is_from_the_local_port() {
    GROUP.solo("each_attempt_is_from_the_local_port", |stage| {
        let taken = stage.place().port().unwrap();
        tries(stage, &[HERE, SECOND], |to| to.local_port(taken));
    });
}

#[test]
fn blocked_and_from_a_port_that_is_taken() {
    GROUP.solo("blocked_and_from_a_port_that_is_taken", |stage| {
        let taken = stage.place().port().unwrap();
        let list = blocking(&[HERE]);
        stage.connect_to(
            answering(&[HERE, SECOND]),
            |to| to.local_port(taken).block_list(&list),
            |_, _, _| (),
        );
    });
}

#[test]
fn no_way_to_an_address() {
    GROUP.solo("no_way_to_an_address", |stage| {
        let to = SocketAddr::new(BROADCAST, stage.place().port().unwrap());
        let client = stage.actor("client");
        client.connect(stage.net(), |_| ConnectOptions::from(to), |_, _, _| ());
    });
}

#[test]
fn no_way_to_one_of_the_addresses() {
    GROUP.solo("no_way_to_one_of_the_addresses", |stage| {
        tries(stage, &[BROADCAST, HERE], |to| to);
    });
}

#[test]
fn one_address_of_a_family_is_all_that_is_tried() {
    GROUP.solo("one_address_of_a_family_is_all_that_is_tried", |stage| {
        tries(stage, &[HERE, SECOND], |to| to.auto_select_family(false));
    });
}
