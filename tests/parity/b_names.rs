//! Scenarios of hosts by name.

use crate::runner::Group;
use crate::stage::{Stage, failing, to_host};
use crate::support::answering;
use netloop::{
    BlockList, ConnectOptions, Error, Event, Family, ListenOptions, Net, Promise, Question,
    Resolver,
};
use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::Duration;

const GROUP: Group = Group("b_names");

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const THIRD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
const FOURTH: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 4));
const HERE_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// The promise of a resolver that does not answer by itself.
type Kept = Rc<RefCell<Option<Promise>>>;

fn keeping(kept: &Kept) -> impl Resolver + 'static {
    let keeps = kept.clone();
    move |_: &mut Net, _: Question, promise: Promise| *keeps.borrow_mut() = Some(promise)
}

fn ending_server(stage: &mut Stage, word: &'static [u8]) {
    stage.listen(move |_, peer, event| {
        if let Event::Connect = event {
            peer.end_with(word);
        }
    });
}

#[test]
fn a_host_is_looked_up() {
    GROUP.pair(
        "a_host_is_looked_up",
        |stage| ending_server(stage, b"hello"),
        |stage| {
            stage.connect_to(answering(&[HERE]), |to| to, |_, _, _| ());
        },
    );
}

#[test]
fn each_answer_is_told() {
    GROUP.pair(
        "each_answer_is_told",
        |stage| ending_server(stage, b""),
        |stage| {
            let resolver = answering(&[HERE, HERE_V6, HERE, THIRD]);
            stage.connect_to(resolver, |to| to, |_, _, _| ());
        },
    );
}

#[test]
fn what_a_lookup_is_asked_for() {
    GROUP.solo("what_a_lookup_is_asked_for", |stage| {
        let ask = |name: &str, stage: &mut Stage, options: fn(ConnectOptions) -> ConnectOptions| {
            let me = stage.actor(name);
            let asked = me.clone();
            let resolver = move |_: &mut Net, question: Question, promise: Promise| {
                let family = match question.family() {
                    None => "any",
                    Some(Family::Ipv4) => "4",
                    Some(_) => "6",
                };
                let (host, all) = (question.host(), question.all());
                asked.say(format!("asks for {host}, family {family}, all {all}"));
                promise.fulfil(Err(Error::new("ENODATA", "a fault")));
            };
            let options = options(to_host(&stage.place(), resolver));
            me.connect(stage.net(), |_| options, |_, _, _| ());
        };
        ask("plain", stage, |to| to);
        ask("four", stage, |to| to.family(Family::Ipv4));
        ask("six", stage, |to| to.family(Family::Ipv6));
        ask("any", stage, |to| to.auto_select_family(false));
        ask("from", stage, |to| to.local_address(SECOND));
    });
}

#[test]
fn a_lookup_that_fails() {
    GROUP.solo("a_lookup_that_fails", |stage| {
        stage.connect_to(
            failing("ENODATA"),
            |to| to,
            |me, client, event| {
                if let Event::Lookup { .. } = event {
                    me.state(client);
                }
            },
        );
    });
}

#[test]
fn a_lookup_that_fails_with_writes_waiting() {
    GROUP.solo("a_lookup_that_fails_with_writes_waiting", |stage| {
        let me = stage.actor("client");
        let mut client = stage.connect_to(failing("ENODATA"), |to| to, |_, _, _| ());
        client.write_then(b"lost", me.done("lost"));
        client.end();
    });
}

#[test]
fn a_lookup_that_finds_nothing() {
    GROUP.solo("a_lookup_that_finds_nothing", |stage| {
        stage.connect_to(answering(&[]), |to| to, |_, _, _| ());
    });
}

#[test]
fn an_answer_of_another_family() {
    GROUP.solo("an_answer_of_another_family", |stage| {
        let list = BlockList::new();
        list.add_address(HERE_V6);
        stage.connect_to(
            answering(&[HERE_V6]),
            |to| to.family(Family::Ipv4).block_list(&list),
            |_, _, _| (),
        );
    });
}

#[test]
fn a_late_answer() {
    GROUP.pair(
        "a_late_answer",
        |stage| {
            stage.listen(|_, peer, event| {
                if let Event::End = event {
                    peer.end_with(b"answer");
                }
            });
        },
        |stage| {
            let me = stage.actor("client");
            let asked = me.clone();
            let resolver = move |net: &mut Net, _: Question, promise: Promise| {
                let asked = asked.clone();
                net.set_immediate(move |net| {
                    let client = net.socket(asked.socket_of("client")).unwrap();
                    asked.state(&client);
                    asked.counters(&client);
                    promise.fulfil(Ok(vec![HERE]));
                });
            };
            let mut client = stage.connect_to(resolver, |to| to, |_, _, _| ());
            me.say(format!("write: {}", client.write(b"quest")));
            client.set_no_delay(true);
            client.end_with(b"ion");
        },
    );
}

#[test]
fn destroyed_while_a_name_is_looked_up() {
    GROUP.solo("destroyed_while_a_name_is_looked_up", |stage| {
        let kept = Kept::default();
        let (keep, me) = (keeping(&kept), stage.actor("client"));
        let resolver = move |net: &mut Net, question: Question, promise: Promise| {
            keep.resolve(net, question, promise);
            let client = me.socket_of("client");
            net.set_immediate(move |net| net.socket(client).unwrap().destroy());
        };
        stage.connect_to(
            resolver,
            |to| to,
            move |me, _, event| {
                if let Event::Close { .. } = event {
                    kept.take().expect("was asked").fulfil(Ok(vec![HERE]));
                    me.say("answered");
                }
            },
        );
    });
}

#[test]
fn destroyed_in_lookup() {
    GROUP.solo("destroyed_in_lookup", |stage| {
        stage.connect_to(
            answering(&[HERE, SECOND]),
            |to| to,
            |me, client, event| {
                if let Event::Lookup { .. } = event {
                    client.destroy();
                    me.state(client);
                }
            },
        );
    });
}

#[test]
fn destroyed_in_a_lookup_that_fails() {
    GROUP.solo("destroyed_in_a_lookup_that_fails", |stage| {
        stage.connect_to(
            failing("ENODATA"),
            |to| to,
            |_, client, event| {
                if let Event::Lookup { .. } = event {
                    client.destroy();
                }
            },
        );
    });
}

#[test]
fn a_timeout_while_a_name_is_looked_up() {
    GROUP.solo("a_timeout_while_a_name_is_looked_up", |stage| {
        let kept = Kept::default();
        let resolver = keeping(&kept);
        stage.connect_to(
            resolver,
            |to| to.timeout(Duration::from_millis(50)),
            move |me, client, event| {
                if let Event::Timeout = event {
                    assert!(kept.borrow().is_some());
                    me.state(client);
                    client.destroy();
                }
            },
        );
    });
}

#[test]
fn listening_at_a_host_by_name() {
    GROUP.solo("listening_at_a_host_by_name", |stage| {
        let link_local = "fe80::1".parse().unwrap();
        stage
            .net()
            .set_resolver(answering(&[link_local, THIRD, FOURTH]));
        let options = ListenOptions::from(("host.example", 0));
        stage.serve("server", options, |me, server| {
            me.say(format!("at {}", server.address().unwrap().ip().unwrap()));
            server.close().unwrap();
        });
    });
}

#[test]
fn listening_at_a_host_that_is_not_found() {
    GROUP.solo("listening_at_a_host_that_is_not_found", |stage| {
        stage.net().set_resolver(failing("ENODATA"));
        let options = ListenOptions::from(("host.example", 0));
        stage.serve("server", options, |_, _| ());
    });
}
