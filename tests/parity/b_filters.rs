//! Scenarios of addresses that are chosen or refused.

use crate::runner::Group;
use netloop::{BlockList, Event, Family, is_ip, is_ipv4, is_ipv6};
use std::net::{IpAddr, Ipv4Addr};

const GROUP: Group = Group("b_filters");

const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const NOT_OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn blocking(ip: Ipv4Addr) -> BlockList {
    let list = BlockList::new();
    list.add_address(ip);
    list
}

#[test]
fn a_blocked_address_is_not_connected_to() {
    GROUP.solo("a_blocked_address_is_not_connected_to", |stage| {
        stage.actor("client").connect(
            stage.net(),
            |to| to.block_list(&blocking(Ipv4Addr::LOCALHOST)),
            |_, _, _| (),
        );
    });
}

#[test]
fn a_blocked_peer_is_closed() {
    GROUP.pair(
        "a_blocked_peer_is_closed",
        |stage| {
            stage.listen_to(1, |at| at.block_list(&blocking(SECOND)), |_, _, _| ());
        },
        |stage| {
            stage.actor("blocked").connect(
                stage.net(),
                |to| to.local_address(SECOND),
                |me, blocked, event| {
                    if let Event::Close { .. } = event {
                        let welcome = me.another("welcome");
                        welcome.connect(
                            blocked.net(),
                            |to| to,
                            |_, welcome, event| {
                                if let Event::Ready = event {
                                    welcome.end();
                                }
                            },
                        );
                    }
                },
            );
        },
    );
}

#[test]
fn from_a_local_address() {
    GROUP.pair(
        "from_a_local_address",
        |stage| {
            stage.listen(|me, peer, event| {
                if let Event::Connect = event {
                    me.say(format!("from {}", peer.remote_address().unwrap()));
                    peer.end();
                }
            });
        },
        |stage| {
            stage.actor("client").connect(
                stage.net(),
                |to| to.local_address(SECOND),
                |me, client, event| {
                    if let Event::Connect = event {
                        me.say(format!("from {}", client.local_address().unwrap()));
                    }
                },
            );
        },
    );
}

#[test]
fn from_an_address_that_is_not_ours() {
    GROUP.solo("from_an_address_that_is_not_ours", |stage| {
        let client = stage.actor("client");
        client.connect(stage.net(), |to| to.local_address(NOT_OURS), |_, _, _| ());
    });
}

#[test]
fn from_a_port_that_is_taken() {
    GROUP.solo("from_a_port_that_is_taken", |stage| {
        let taken = stage.place().port().unwrap();
        stage.actor("client").connect(
            stage.net(),
            |to| to.local_address(Ipv4Addr::LOCALHOST).local_port(taken),
            |_, _, _| (),
        );
    });
}

#[test]
fn refused_from_a_local_address() {
    GROUP.solo("refused_from_a_local_address", |stage| {
        stage.actor("client").connect(
            stage.net(),
            |to| to.local_address(SECOND),
            |me, _, event| {
                if let Event::Error(error) = event {
                    let ip = error.address().and_then(|address| address.ip());
                    me.say(format!("refused at {}", ip.unwrap()));
                }
            },
        );
    });
}

#[test]
fn the_rules_of_a_block_list() {
    GROUP.solo("the_rules_of_a_block_list", |stage| {
        let me = stage.actor("list");
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let list = BlockList::new();
        list.add_address(ip("192.0.2.7"));
        list.add_range(ip("10.0.0.1"), ip("10.0.0.9")).unwrap();
        list.add_subnet(ip("2001:db8::"), 32).unwrap();
        for rule in list.rules() {
            me.say(rule);
        }
        #[rustfmt::skip]
        let addresses = [
            "192.0.2.7", "192.0.2.8", "::ffff:192.0.2.7",
            "10.0.0.0", "10.0.0.1", "10.0.0.9", "10.0.0.10",
            "2001:db8::1", "2001:db9::1",
        ];
        for address in addresses {
            me.say(format!("{address}: {}", list.check(ip(address))));
        }
    });
}

#[test]
fn what_is_an_address() {
    GROUP.solo("what_is_an_address", |stage| {
        let me = stage.actor("text");
        #[rustfmt::skip]
        let texts = [
            "127.0.0.1", "127.1", "01.2.3.4", "1.2.3.256", "1.2.3", "", "localhost", "::", "::1",
            "::1%lo", "::ffff:1.2.3.4", "1::2::3", "12345::", "[::1]", "1.2.3.4:80", " 1.2.3.4",
            "fe80::1%",
        ];
        for text in texts {
            let family = match is_ip(text) {
                Some(Family::Ipv4) => 4,
                Some(Family::Ipv6) => 6,
                _ => 0,
            };
            me.say(format!(
                "'{text}' {family} {} {}",
                is_ipv4(text),
                is_ipv6(text)
            ));
        }
    });
}

#[test]
fn the_type_of_service_is_remembered() {
    GROUP.pair(
        "the_type_of_service_is_remembered",
        |stage| {
            stage.listen(|_, peer, event| {
                if let Event::Connect = event {
                    peer.end();
                }
            });
        },
        |stage| {
            stage.actor("client").connect(
                stage.net(),
                |to| to.type_of_service(0x10),
                |me, client, event| {
                    if let Event::Ready = event {
                        me.say(format!(
                            "type of service {}",
                            client.type_of_service().unwrap()
                        ));
                    }
                },
            );
        },
    );
}

#[test]
fn the_type_of_service_set_while_connecting() {
    GROUP.solo("the_type_of_service_set_while_connecting", |stage| {
        let me = stage.actor("client");
        let mut client = stage.connect(|_, _, _| ());
        client.set_type_of_service(0x10);
        me.say(format!(
            "type of service {}",
            client.type_of_service().unwrap()
        ));
    });
}
