//! Sockets that are destroyed inside of each event, by themselves or by another one.

use std::time::Duration;

use super::{ECHO, MUCH, SILENT, asks, destroy, floods, narrow};
use crate::sim::torture::stage::{PORT, Role, Stage};
use crate::{Event, ListenOptions, SocketId};

scenarios![
    destroyed_in_accept,
    destroyed_in_connect,
    destroyed_in_data,
    destroyed_in_end,
    destroyed_in_drain,
    destroyed_in_finish,
    destroyed_in_timeout,
    destroyed_in_error,
    destroyed_in_close,
    destroyed_in_a_completion,
    destroyed_by_another_socket,
];

fn destroyed_in_accept(stage: &mut Stage) {
    stage.serve_with(ListenOptions::from(PORT), ECHO, destroy, |_| ());
    stage.connect(asks);
}

fn destroyed_in_connect(stage: &mut Stage) {
    stage.serve(ECHO);
    stage.connect(|socket, event, life| {
        if let Event::Connect = event {
            life.say_then(socket, 100);
            socket.destroy();
        }
    });
}

fn destroyed_in_data(stage: &mut Stage) {
    stage.serve(|socket, event, life| {
        if let Event::Data(_) = event {
            life.say(socket, 10);
            socket.destroy();
        }
    });
    stage.connect(asks);
}

fn destroyed_in_end(stage: &mut Stage) {
    stage.serve(|socket, event, _| {
        if let Event::End = event {
            socket.destroy();
        }
    });
    stage.connect(floods);
}

fn destroyed_in_drain(stage: &mut Stage) {
    narrow(stage);
    stage.serve(SILENT);
    let options = stage.options().high_water_mark(1000);
    stage.connect_with(options, |socket, event, life| match event {
        Event::Connect => {
            life.say(socket, MUCH);
        }
        Event::Drain => socket.destroy(),
        _ => {}
    });
}

fn destroyed_in_finish(stage: &mut Stage) {
    stage.serve(ECHO);
    stage.connect(|socket, event, life| match event {
        Event::Finish => socket.destroy(),
        event => floods(socket, event, life),
    });
}

fn destroyed_in_timeout(stage: &mut Stage) {
    stage.serve(ECHO);
    let options = stage.options().timeout(Duration::from_millis(10));
    stage.connect_with(options, |socket, event, _| {
        if let Event::Timeout = event {
            socket.destroy();
        }
    });
}

fn destroyed_in_error(stage: &mut Stage) {
    stage.serve(|socket, event, _| match event {
        Event::Data(_) => socket.reset_and_destroy(),
        Event::Error(_) => socket.destroy(),
        _ => {}
    });
    stage.connect(|socket, event, life| match event {
        Event::Error(_) => socket.destroy(),
        event => asks(socket, event, life),
    });
}

fn destroyed_in_close(stage: &mut Stage) {
    let again: Role = |socket, event, life| match event {
        Event::Close { .. } => {
            life.say(socket, 10);
            socket.end();
            socket.destroy();
        }
        event => life.echo(socket, event),
    };
    stage.serve(again);
    stage.connect(|socket, event, life| match event {
        Event::Close { .. } => socket.reset_and_destroy(),
        event => asks(socket, event, life),
    });
}

fn destroyed_in_a_completion(stage: &mut Stage) {
    stage.serve(ECHO);
    stage.connect(|socket, event, life| {
        if let Event::Connect = event {
            let id = socket.id();
            let bytes = life.next(100);
            socket.write_then(&bytes, move |net, _| {
                if let Some(mut socket) = net.socket(id) {
                    socket.destroy();
                }
            });
            life.say_then(socket, 100);
        }
    });
}

fn destroyed_by_another_socket(stage: &mut Stage) {
    // Both stand in the same batch, and whoever is served first destroys the other.
    stage.serve(|socket, event, _| {
        if let Event::Data(_) = event {
            let (own, server) = (socket.id(), socket.server());
            let keys: Vec<_> = socket.net().sockets.iter().map(|(key, _)| key).collect();
            for key in keys {
                let id = SocketId { key, ..own };
                if id != own
                    && let Some(mut other) = socket.net().socket(id)
                    && other.server() == server
                {
                    other.destroy();
                }
            }
        }
    });
    let clients = [(); 2].map(|()| stage.connect(SILENT));
    stage.run();
    for client in &clients {
        stage.on(client, |socket, life| {
            life.say(socket, 10);
        });
    }
}
