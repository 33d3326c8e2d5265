//! Scenarios of what keeps the loop going. Each ends when nothing does.

use crate::runner::Group;
use netloop::{Event, ListenOptions};
use std::time::Duration;

const GROUP: Group = Group("j_liveness");

#[test]
fn an_unrefd_server_lets_the_loop_end() {
    GROUP.solo("an_unrefd_server_lets_the_loop_end", |stage| {
        let here = ListenOptions::from("127.0.0.1:0");
        stage.serve("server", here, |_, server| server.unref());
    });
}

#[test]
fn an_unrefd_server_that_is_refd_again_stays() {
    GROUP.solo("an_unrefd_server_that_is_refd_again_stays", |stage| {
        let here = ListenOptions::from("127.0.0.1:0");
        stage.serve("server", here, |_, server| {
            server.unref();
            server.r#ref();
            let id = server.id();
            server
                .net()
                .set_immediate(move |net| net.server(id).unwrap().close().unwrap());
        });
    });
}

#[test]
fn unrefd_sockets_let_the_loop_end() {
    GROUP.solo("unrefd_sockets_let_the_loop_end", |stage| {
        stage.listen(|_, peer, event| {
            if let Event::Connect = event {
                peer.unref();
            }
        });
        stage.connect(|_, client, event| {
            if let Event::Ready = event {
                client.unref();
            }
        });
    });
}

#[test]
fn paused_on_connect_lets_the_loop_end() {
    GROUP.solo("paused_on_connect_lets_the_loop_end", |stage| {
        stage.listen_to(1, |at| at.pause_on_connect(true), |_, _, _| ());
        stage.connect(|_, client, event| {
            if let Event::Ready = event {
                client.unref();
            }
        });
    });
}

#[test]
fn an_unrefd_socket_works_while_something_else_does() {
    GROUP.pair(
        "an_unrefd_socket_works_while_something_else_does",
        |stage| {
            stage.listen(|_, peer, event| {
                if let Event::Connect = event {
                    peer.end_with(b"hello");
                }
            });
        },
        |stage| {
            let keeps = stage.net().set_interval(Duration::from_secs(1), |_| ());
            let mut client = stage.connect(move |_, client, event| {
                if let Event::Close { .. } = event {
                    client.net().clear_timer(keeps);
                }
            });
            client.unref();
        },
    );
}

#[test]
fn a_socket_timeout_keeps_nothing_going() {
    GROUP.solo("a_socket_timeout_keeps_nothing_going", |stage| {
        stage.listen(|_, peer, event| {
            if let Event::Connect = event {
                peer.set_timeout(Duration::from_secs(5));
                peer.unref();
            }
        });
        let mut client = stage.connect(|_, client, event| {
            if let Event::Ready = event {
                client.unref();
            }
        });
        client.set_timeout(Duration::from_secs(5));
    });
}
