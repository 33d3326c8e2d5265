//! Writes: full queues, the cap, corks, completions, one buffer for many.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::{ECHO, MUCH, SILENT, destroy, fills, later, narrow, nothing};
use crate::sim::torture::stage::{Life, PORT, Stage};
use crate::{Event, ListenOptions, Socket};

scenarios![
    full_queue_that_drains,
    full_queue_that_never_drains,
    more_than_the_cap,
    corked,
    corked_and_ended,
    flushed_between_writes,
    destroyed_soon,
    completions_in_order,
    written_after_the_end,
    one_buffer_for_many,
    written_by_an_interval,
];

fn full_queue_that_drains(stage: &mut Stage) {
    narrow(stage);
    stage.serve(SILENT);
    let options = stage.options().high_water_mark(1000);
    stage.connect_with(options, |socket, event, life| match event {
        Event::Connect => {
            life.say(socket, MUCH);
        }
        Event::Drain => socket.end(),
        _ => {}
    });
}

fn full_queue_that_never_drains(stage: &mut Stage) {
    narrow(stage);
    let options = ListenOptions::from(PORT).pause_on_connect(true);
    stage.serve_with(options, ECHO, nothing, |_| ());
    let client = stage.connect(fills);
    stage.run();
    stage.on(&client, destroy);
}

fn more_than_the_cap(stage: &mut Stage) {
    narrow(stage);
    let options = ListenOptions::from(PORT).pause_on_connect(true);
    stage.serve_with(options, ECHO, nothing, |_| ());
    let options = stage.options().write_cap(Some(5000));
    stage.connect_with(options, |socket, event, life| {
        if let Event::Connect = event {
            for _ in 0..3 {
                life.say_then(socket, 6000);
            }
        }
    });
}

fn corked(stage: &mut Stage) {
    stage.serve(ECHO);
    stage.connect(|socket, event, life| match event {
        Event::Connect => {
            socket.cork();
            for _ in 0..4 {
                life.say_then(socket, 25);
            }
            later(socket, |socket| socket.uncork());
        }
        _ => asks_no_more(socket, life),
    });
}

/// Ends when all of it came back.
fn asks_no_more(socket: &mut Socket<'_>, life: &Rc<Life>) {
    if life.heard.get() == 100 {
        socket.end();
    }
}

fn corked_and_ended(stage: &mut Stage) {
    stage.serve(ECHO);
    stage.connect(|socket, event, life| {
        if let Event::Connect = event {
            socket.cork();
            life.say(socket, 100);
            socket.end();
        }
    });
}

/// A server that sends each reply before it makes the next, through buffers that hold less.
fn flushed_between_writes(stage: &mut Stage) {
    narrow(stage);
    stage.serve(|socket, event, life| {
        if let Event::Data(_) = event {
            for _ in 0..3 {
                life.say_then(socket, 50);
                socket.flush_now();
            }
        }
    });
    stage.connect(|socket, event, life| match event {
        Event::Connect => {
            life.say(socket, 100);
            socket.flush_now();
        }
        Event::Data(_) if life.heard.get() >= 100 => socket.end(),
        _ => {}
    });
}

fn destroyed_soon(stage: &mut Stage) {
    narrow(stage);
    stage.serve(SILENT);
    stage.connect(|socket, event, life| {
        if let Event::Connect = event {
            life.say_then(socket, MUCH);
            socket.destroy_soon();
        }
    });
}

fn completions_in_order(stage: &mut Stage) {
    narrow(stage);
    stage.serve(SILENT);
    stage.connect(|socket, event, life| match event {
        Event::Connect => {
            for length in [10, 5000, 10, 3000] {
                life.say_then(socket, length);
            }
        }
        Event::Drain => {
            life.say_then(socket, 10);
            socket.end();
        }
        _ => {}
    });
}

fn written_after_the_end(stage: &mut Stage) {
    stage.serve(ECHO);
    stage.connect(|socket, event, life| {
        if let Event::Connect = event {
            life.say(socket, 100);
            socket.end();
            life.say_then(socket, 100);
        }
    });
}

fn one_buffer_for_many(stage: &mut Stage) {
    narrow(stage);
    stage.serve(ECHO);
    let clients = [(); 3].map(|()| stage.connect(SILENT));
    stage.run();
    let all = Bytes::from(clients[0].next(3000));
    for client in &clients {
        let all = all.clone();
        stage.on(client, |socket, _| {
            socket.write_bytes(all);
            socket.end();
        });
    }
}

fn written_by_an_interval(stage: &mut Stage) {
    stage.serve(ECHO);
    let client = stage.connect(SILENT);
    stage.on(&client, |socket, life| {
        let (id, life) = (socket.id(), Rc::clone(life));
        let timer = Rc::new(Cell::new(None));
        let own = Rc::clone(&timer);
        let every = Duration::from_millis(1);
        let interval = socket.net().set_interval(every, move |net| {
            match net.socket(id) {
                Some(mut socket) if life.heard.get() < 30 => {
                    life.say(&mut socket, 10);
                    return;
                }
                Some(mut socket) => socket.end(),
                None => {}
            }
            if let Some(timer) = own.take() {
                net.clear_timer(timer);
            }
        });
        timer.set(Some(interval));
    });
}
