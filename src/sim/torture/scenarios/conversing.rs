//! Conversations: echoes, readers that pause, timeouts, options, bytes given back.

use std::rc::Rc;
use std::time::Duration;

use super::{ECHO, asks, floods, later, narrow, nothing};
use crate::sim::torture::stage::{Life, PORT, Role, Stage, handler};
use crate::{Event, ListenOptions, Socket};

scenarios![
    echo_of_little,
    echo_of_much_through_tiny_buffers,
    three_clients_at_once,
    a_reader_that_pauses,
    paused_on_connect,
    idle_timeout_that_destroys,
    idle_timeout_that_is_borne,
    bytes_given_back,
    options_of_all_kinds,
    answers_from_other_threads,
];

fn echo_of_little(stage: &mut Stage) {
    stage.serve(ECHO);
    stage.connect(asks);
}

fn echo_of_much_through_tiny_buffers(stage: &mut Stage) {
    narrow(stage);
    stage.serve(ECHO);
    stage.connect(floods);
}

fn three_clients_at_once(stage: &mut Stage) {
    stage.serve(ECHO);
    for _ in 0..3 {
        stage.connect(asks);
    }
}

/// Resumes after a moment.
fn resume_later(socket: &mut Socket<'_>, _: &Rc<Life>) {
    later(socket, |socket| socket.resume());
}

fn a_reader_that_pauses(stage: &mut Stage) {
    narrow(stage);
    stage.serve(|socket, event, life| {
        if let Event::Data(_) = event {
            socket.pause();
            resume_later(socket, life);
        }
    });
    stage.connect(floods);
}

fn paused_on_connect(stage: &mut Stage) {
    let options = ListenOptions::from(PORT).pause_on_connect(true);
    stage.serve_with(options, ECHO, resume_later, |_| ());
    stage.connect(asks);
}

fn idle_timeout_that_destroys(stage: &mut Stage) {
    let times = |socket: &mut Socket<'_>, _: &Rc<Life>| {
        socket.set_timeout(Duration::from_millis(10));
    };
    let gives_up: Role = |socket, event, life| match event {
        Event::Timeout => socket.destroy(),
        event => life.echo(socket, event),
    };
    stage.serve_with(ListenOptions::from(PORT), gives_up, times, |_| ());
    stage.connect(|socket, event, life| {
        if let Event::Connect = event {
            life.say(socket, 10);
        }
    });
}

fn idle_timeout_that_is_borne(stage: &mut Stage) {
    stage.serve(ECHO);
    let options = stage.options().timeout(Duration::from_millis(10));
    stage.connect_with(options, |socket, event, life| match event {
        Event::Timeout if life.heard.get() == 0 => {
            life.say(socket, 10);
        }
        Event::Timeout => socket.end(),
        _ => {}
    });
}

fn bytes_given_back(stage: &mut Stage) {
    stage.serve(|socket, event, life| {
        if let Event::Data(bytes) = event
            && life.heard.get() == 100
        {
            // The last ten bytes are for whoever comes next.
            let rest = &bytes[bytes.len() - 10..];
            life.heard.set(life.heard.get() - rest.len());
            socket.unread(rest);
            let next = handler(Rc::clone(life), |socket, event, _| {
                if let Event::Data(_) = event {
                    socket.end();
                }
            });
            socket.set_handler(next);
        }
    });
    stage.connect(asks);
}

fn options_of_all_kinds(stage: &mut Stage) {
    let delay = Duration::from_secs(60);
    let options = ListenOptions::from(PORT)
        .no_delay(true)
        .quick_ack(true)
        .not_sent_low_water_mark(16_384)
        .keep_alive(true)
        .keep_alive_initial_delay(delay);
    stage.serve_with(options, ECHO, nothing, |_| ());
    let options = stage.options().no_delay(true).keep_alive(true);
    stage.connect_with(options, |socket, event, life| {
        if let Event::Data(_) = event {
            socket.set_no_delay(false);
            socket.set_quick_ack(true);
            socket.set_keep_alive(false, Duration::ZERO);
        }
        asks(socket, event, life);
    });
}

/// An echo that another thread has thought about first. Its client may have gone by then.
const THOUGHTFUL: Role = |socket, event, life| {
    let Event::Data(bytes) = event else { return };
    let (id, life, length) = (socket.id(), Rc::clone(life), bytes.len());
    socket.net().offload(
        move || length,
        move |net, length| match (net.socket(id), length) {
            (Some(mut socket), Ok(length)) => drop(life.say(&mut socket, length)),
            (Some(mut socket), Err(error)) => socket.destroy_with(error),
            (None, _) => {}
        },
    );
};

fn answers_from_other_threads(stage: &mut Stage) {
    stage.serve(THOUGHTFUL);
    stage.connect(asks);
    let leaves = stage.connect(asks);
    stage.run_for(10);
    stage.on(&leaves, |socket, _| socket.destroy());
}
