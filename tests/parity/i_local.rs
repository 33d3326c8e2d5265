//! Scenarios of local sockets.

use crate::runner::Group;
use crate::stage::Stage;
use crate::support::pattern;
use netloop::{Address, ConnectOptions, Event, ListenOptions, Server};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const GROUP: Group = Group("i_local");

fn listen_at(stage: &mut Stage, name: &str) {
    let options = ListenOptions::path(stage.file(name));
    stage.serve("server", options, |_, _| ());
}

fn connect_to(stage: &mut Stage, name: &str) {
    let options = ConnectOptions::path(stage.file(name));
    stage
        .actor("client")
        .connect(stage.net(), |_| options, |_, _, _| ());
}

#[test]
fn a_local_socket_is_a_socket() {
    GROUP.pair(
        "a_local_socket_is_a_socket",
        |stage| {
            let options = ListenOptions::path(stage.file("server"));
            stage.listen_to(
                1,
                |_| options,
                |me, peer, event| {
                    if let Event::End = event {
                        me.state(peer);
                    }
                },
            );
        },
        |stage| {
            stage.connect(|me, client, event| match event {
                Event::Ready => client.end_with(&pattern(100_000)),
                Event::Close { .. } => me.counters(client),
                _ => {}
            });
        },
    );
}

#[test]
fn no_such_path() {
    GROUP.solo("no_such_path", |stage| connect_to(stage, "nobody"));
}

/// Node links to the path of a server that it closes. Here nobody has ever listened there: a closed listener
/// lives on for a moment in a child that another test is just starting.
#[test]
fn a_path_that_nobody_listens_on() {
    GROUP.solo("a_path_that_nobody_listens_on", |stage| {
        let (path, link) = (stage.file("server"), stage.file("link"));
        let nobody = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        nobody.bind(&SockAddr::unix(&link).unwrap()).unwrap();
        stage.serve("server", ListenOptions::path(path), move |me, server| {
            server.close().unwrap();
            let client = me.another("client");
            client.connect(server.net(), |_| ConnectOptions::path(&link), |_, _, _| ());
        });
        drop(nobody); // the path stays
    });
}

#[test]
fn a_path_that_is_taken() {
    GROUP.solo("a_path_that_is_taken", |stage| {
        fs::write(stage.file("taken"), "").unwrap();
        listen_at(stage, "taken");
    });
}

#[test]
fn a_directory_that_is_not_there() {
    GROUP.solo("a_directory_that_is_not_there", |stage| {
        listen_at(stage, "no/server")
    });
}

#[test]
fn closing_removes_the_path() {
    GROUP.solo("closing_removes_the_path", |stage| {
        let path = stage.file("server");
        stage.serve("server", ListenOptions::path(&path), move |me, server| {
            me.say(format!("there: {}", path.exists()));
            server.close().unwrap();
            me.say(format!("there: {}", path.exists()));
        });
    });
}

#[test]
fn everybody_may_connect_if_asked_for() {
    GROUP.solo("everybody_may_connect_if_asked_for", |stage| {
        let path = stage.file("server");
        let options = ListenOptions::path(&path)
            .readable_all(true)
            .writable_all(true);
        stage.serve("server", options, move |me, server: &mut Server<'_>| {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            me.say(format!("others: {}", mode & 0o006));
            server.close().unwrap();
        });
    });
}

#[test]
fn the_address_is_the_path() {
    GROUP.solo("the_address_is_the_path", |stage| {
        let options = ListenOptions::path(stage.file("server"));
        stage.serve("server", options, |me, server| {
            let address = server.address().unwrap();
            me.say(address.path().unwrap().display().to_string());
            server.close().unwrap();
        });
    });
}

#[test]
fn an_abstract_name() {
    GROUP.pair(
        "an_abstract_name",
        |stage| {
            let name = stage.file("name").into_os_string().into_encoded_bytes();
            stage.listen_to(
                1,
                |_| Address::Abstract(name).into(),
                |_, peer, event| {
                    if let Event::Connect = event {
                        peer.end_with(b"hello");
                    }
                },
            );
        },
        |stage| {
            stage.connect(|_, _, _| ());
        },
    );
}
