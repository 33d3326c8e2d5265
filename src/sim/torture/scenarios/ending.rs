//! Connections that end on either side, are reset, or lose their loop.

use std::rc::Rc;

use super::{ECHO, SILENT, asks, fills, later, narrow, nothing};
use crate::sim::torture::stage::{CLIENT, Life, PORT, Role, SERVER, Stage};
use crate::{Event, ListenOptions, OutOfDescriptors, Socket};

scenarios![
    half_closed_and_answered_late,
    the_server_ends_first,
    both_end_at_once,
    the_server_resets,
    the_client_resets,
    reset_while_paused,
    reset_with_a_full_queue,
    server_dropped_with_everything_open,
    client_dropped_with_everything_open,
];

fn half_open() -> ListenOptions {
    ListenOptions::from(PORT).allow_half_open(true)
}

fn half_closed_and_answered_late(stage: &mut Stage) {
    let answers: Role = |socket, event, life| {
        if let Event::End = event {
            life.say(socket, 50);
            later(socket, |socket| socket.end());
        }
    };
    stage.serve_with(half_open(), answers, nothing, |_| ());
    let options = stage.options().allow_half_open(true);
    stage.connect_with(options, |socket, event, life| {
        if let Event::Connect = event {
            life.say(socket, 50);
            socket.end();
        }
    });
}

fn the_server_ends_first(stage: &mut Stage) {
    let greets = |socket: &mut Socket<'_>, life: &Rc<Life>| {
        life.say(socket, 50);
        socket.end();
    };
    stage.serve_with(ListenOptions::from(PORT), SILENT, greets, |_| ());
    stage.connect(SILENT);
}

fn both_end_at_once(stage: &mut Stage) {
    let greets = |socket: &mut Socket<'_>, _: &Rc<Life>| socket.end();
    stage.serve_with(half_open(), SILENT, greets, |_| ());
    stage.connect(|socket, event, _| {
        if let Event::Connect = event {
            socket.end();
        }
    });
}

fn the_server_resets(stage: &mut Stage) {
    stage.serve(|socket, event, _| {
        if let Event::Data(_) = event {
            socket.reset_and_destroy();
        }
    });
    stage.connect(asks);
}

fn the_client_resets(stage: &mut Stage) {
    stage.serve(ECHO);
    stage.connect(|socket, event, life| match event {
        Event::Connect => {
            life.say(socket, 100);
        }
        Event::Data(_) => socket.reset_and_destroy(),
        _ => {}
    });
}

fn reset_while_paused(stage: &mut Stage) {
    stage.serve(|socket, event, _| {
        if let Event::Data(_) = event {
            socket.pause();
        }
    });
    let client = stage.connect(asks);
    stage.run();
    stage.on(&client, |socket, life| {
        life.say(socket, 100);
    });
    stage.run();
    stage.on(&client, |socket, _| socket.reset_and_destroy());
    stage.run();
    stage.on_accepted(|socket, _| socket.resume());
}

fn reset_with_a_full_queue(stage: &mut Stage) {
    narrow(stage);
    let pauses = |socket: &mut Socket<'_>, _: &Rc<Life>| socket.pause();
    stage.serve_with(ListenOptions::from(PORT), ECHO, pauses, |_| ());
    stage.connect(fills);
    stage.run();
    stage.on_accepted(|socket, _| socket.reset_and_destroy());
}

fn server_dropped_with_everything_open(stage: &mut Stage) {
    everything_open(stage);
    stage.drop_loop(SERVER);
}

fn client_dropped_with_everything_open(stage: &mut Stage) {
    everything_open(stage);
    stage.drop_loop(CLIENT);
}

/// A listener with the spare held, a connection with a full queue, one that is quiet, one that is
/// destroyed and not closed yet, one under way, and completions that are owed.
fn everything_open(stage: &mut Stage) {
    narrow(stage);
    let options = ListenOptions::from(PORT).when_out_of_descriptors(OutOfDescriptors::Shed);
    stage.serve_with(options, ECHO, nothing, |_| ());
    stage.connect(fills);
    let dying = stage.connect(SILENT);
    stage.run_for(1);
    stage.connect(asks);
    stage.world.step();
    stage.on(&dying, |socket, life| {
        life.say_then(socket, 10);
        socket.destroy();
    });
}
