//! Servers that close, that have enough connections, that run out of descriptors.

use std::rc::Rc;

use super::{ECHO, SILENT, asks, nothing};
use crate::sim::torture::stage::{Life, PORT, SERVER, Stage};
use crate::{ListenOptions, OutOfDescriptors, Socket};

scenarios![
    server_closed_with_open_connections,
    server_closed_by_a_newcomer,
    server_closed_while_listening_is_told,
    server_closed_with_some_waiting,
    more_connections_than_allowed,
    starved_and_fed,
    starved_and_shedding,
];

fn server_closed_with_open_connections(stage: &mut Stage) {
    stage.serve(ECHO);
    let clients = [(); 2].map(|()| stage.connect(SILENT));
    stage.run();
    stage.close_server();
    stage.run();
    for client in &clients {
        stage.on(client, |socket, life| {
            life.say(socket, 10);
            socket.end();
        });
    }
}

fn server_closed_by_a_newcomer(stage: &mut Stage) {
    let closes = |socket: &mut Socket<'_>, _: &Rc<Life>| {
        let server = socket.server();
        let server = server.and_then(|id| socket.net().server(id));
        server.map(|mut it| it.close());
    };
    stage.serve_with(ListenOptions::from(PORT), ECHO, closes, |_| ());
    for _ in 0..3 {
        stage.connect(asks);
    }
}

fn server_closed_while_listening_is_told(stage: &mut Stage) {
    let options = ListenOptions::from(PORT);
    stage.serve_with(options, ECHO, nothing, |server| {
        let _ = server.close();
    });
    stage.connect(asks);
}

fn server_closed_with_some_waiting(stage: &mut Stage) {
    stage.world.limit_descriptors(SERVER, Some(5));
    stage.serve(ECHO);
    for _ in 0..3 {
        stage.connect(asks);
    }
    stage.run_for(50);
    stage.close_server();
    stage.world.limit_descriptors(SERVER, None);
}

fn more_connections_than_allowed(stage: &mut Stage) {
    let options = ListenOptions::from(PORT).max_connections(1);
    stage.serve_with(options, ECHO, nothing, |_| ());
    for _ in 0..3 {
        stage.connect(asks);
    }
}

fn starved_and_fed(stage: &mut Stage) {
    stage.serve(ECHO);
    stage.run();
    stage.world.limit_descriptors(SERVER, Some(5));
    for _ in 0..3 {
        stage.connect(asks);
    }
    stage.run_for(250);
    stage.world.limit_descriptors(SERVER, None);
}

fn starved_and_shedding(stage: &mut Stage) {
    let options = ListenOptions::from(PORT).when_out_of_descriptors(OutOfDescriptors::Shed);
    stage.serve_with(options, ECHO, nothing, |_| ());
    stage.run();
    stage.world.limit_descriptors(SERVER, Some(5));
    for _ in 0..2 {
        stage.connect(asks);
    }
    stage.run_for(250);
    stage.world.limit_descriptors(SERVER, None);
}
