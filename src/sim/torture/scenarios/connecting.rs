//! Connects that fail, that hang, that are given up or written to before they are through.

use std::net::SocketAddr;
use std::time::Duration;

use super::{ECHO, SILENT, asks, destroy, nothing};
use crate::sim::torture::stage::{CLIENT, PORT, SERVER, Stage};
use crate::{ConnectOptions, Event, ListenOptions};

scenarios![
    connect_refused,
    connect_that_nobody_answers,
    destroyed_while_connecting,
    destroyed_at_its_attempt,
    reset_while_connecting,
    written_while_connecting,
    connected_from_a_local_address,
    called_off_where_it_was_bound,
];

fn connect_refused(stage: &mut Stage) {
    stage.connect(asks);
}

fn connect_that_nobody_answers(stage: &mut Stage) {
    let nowhere: SocketAddr = ([192, 0, 2, 1], PORT).into();
    stage.connect_with(ConnectOptions::from(nowhere), asks);
    stage.serve_with(ListenOptions::from(PORT).backlog(0), ECHO, nothing, |_| ());
    stage.world.partition(SERVER, CLIENT);
    let options = stage.options().timeout(Duration::from_millis(10));
    let client = stage.connect_with(options, |socket, event, _| {
        if let Event::Timeout = event {
            socket.destroy();
        }
    });
    stage.run_for(20);
    stage.on(&client, destroy);
    stage.world.heal(SERVER, CLIENT);
}

fn destroyed_while_connecting(stage: &mut Stage) {
    stage.serve(ECHO);
    let client = stage.connect(asks);
    stage.world.step();
    stage.world.step();
    stage.on(&client, destroy);
}

fn destroyed_at_its_attempt(stage: &mut Stage) {
    stage.serve(ECHO);
    stage.connect(|socket, event, _| {
        if let Event::ConnectionAttempt(_) = event {
            socket.destroy();
        }
    });
}

fn called_off_where_it_was_bound(stage: &mut Stage) {
    stage.serve(ECHO);
    let options = stage.options().local_port(PORT);
    stage.connect_with(options, |socket, event, _| {
        if let Event::ConnectionAttempt(_) = event {
            socket.destroy();
        }
    });
}

fn reset_while_connecting(stage: &mut Stage) {
    stage.serve(ECHO);
    let client = stage.connect(asks);
    stage.on(&client, |socket, _| socket.reset_and_destroy());
}

fn written_while_connecting(stage: &mut Stage) {
    stage.serve(ECHO);
    let client = stage.connect(SILENT);
    stage.on(&client, |socket, life| {
        life.say_then(socket, 100);
        let bytes = life.next(50);
        socket.end_with(&bytes);
    });
}

fn connected_from_a_local_address(stage: &mut Stage) {
    stage.serve(ECHO);
    let options = stage.options().local_port(4000);
    stage.connect_with(options, asks);
}
