//! What is tortured. Each scenario is short, since it is played once for each call it makes.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::stage::{CLIENT, Life, PORT, Role, SERVER, Scenario, Stage};
use crate::sim::Link;
use crate::{ConnectOptions, Event, ListenOptions, OutOfDescriptors, Socket, SocketId};

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        pub(super) const SCENARIOS: &[Scenario] = &[
            $(Scenario { name: stringify!($name), play: $name }),*
        ];
    };
}

scenarios![
    echo_of_little,
    echo_of_much_through_tiny_buffers,
    three_clients_at_once,
    a_reader_that_pauses,
    paused_on_connect,
    half_closed_and_answered_late,
    the_server_ends_first,
    both_end_at_once,
    the_server_resets,
    the_client_resets,
    reset_while_paused,
    reset_with_a_full_queue,
    connect_refused,
    connect_that_nobody_answers,
    destroyed_while_connecting,
    destroyed_at_its_attempt,
    reset_while_connecting,
    written_while_connecting,
    full_queue_that_drains,
    full_queue_that_never_drains,
    more_than_the_cap,
    corked,
    corked_and_ended,
    idle_timeout_that_destroys,
    idle_timeout_that_is_borne,
    server_closed_with_open_connections,
    server_closed_by_a_newcomer,
    server_closed_while_listening_is_told,
    server_closed_with_some_waiting,
    more_connections_than_allowed,
    starved_and_fed,
    starved_and_shedding,
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
    destroyed_soon,
    completions_in_order,
    bytes_given_back,
    options_of_all_kinds,
    written_after_the_end,
    one_buffer_for_many,
    written_by_an_interval,
    server_dropped_with_everything_open,
    client_dropped_with_everything_open,
];

const ECHO: Role = |socket, event, life| life.echo(socket, event);
const SILENT: Role = |_, _, _| ();
/// Far more than the buffers of `narrow` take.
const MUCH: usize = 6000;

fn nothing(_: &mut Socket<'_>, _: &Rc<Life>) {}

fn destroy(socket: &mut Socket<'_>, _: &Rc<Life>) {
    socket.destroy();
}

/// A client that says something, and ends when all of it came back.
fn asks(socket: &mut Socket<'_>, event: Event<'_>, life: &Rc<Life>) {
    match event {
        Event::Connect => {
            life.say(socket, 100);
        }
        Event::Data(_) if life.heard.get() == 100 => socket.end(),
        _ => {}
    }
}

/// A client that says much and ends.
fn floods(socket: &mut Socket<'_>, event: Event<'_>, life: &Rc<Life>) {
    if let Event::Connect = event {
        life.say(socket, MUCH);
        socket.end();
    }
}

/// Says so much at connect that it has to wait.
fn fills(socket: &mut Socket<'_>, event: Event<'_>, life: &Rc<Life>) {
    if let Event::Connect = event {
        life.say(socket, MUCH);
    }
}

/// Tiny buffers between the two hosts.
fn narrow(stage: &mut Stage) {
    let link = Link::default().send_buffer(1000).receive_buffer(1000);
    stage.world.set_link(SERVER, CLIENT, &link);
}

fn half_open() -> ListenOptions {
    ListenOptions::from(PORT).allow_half_open(true)
}

/// Resumes after a moment.
fn resume_later(socket: &mut Socket<'_>, _: &Rc<Life>) {
    later(socket, |socket| socket.resume());
}

fn later(socket: &mut Socket<'_>, act: fn(&mut Socket<'_>)) {
    let id = socket.id();
    let moment = Duration::from_millis(5);
    socket.net().set_timeout(moment, move |net| {
        if let Some(mut socket) = net.socket(id) {
            act(&mut socket);
        }
    });
}

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

fn bytes_given_back(stage: &mut Stage) {
    stage.serve(|socket, event, life| {
        if let Event::Data(bytes) = event
            && life.heard.get() == 100
        {
            // The last ten bytes are for whoever comes next.
            let rest = &bytes[bytes.len() - 10..];
            life.heard.set(life.heard.get() - rest.len());
            socket.unread(rest);
            let next = super::stage::handler(Rc::clone(life), |socket, event, _| {
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
        .keep_alive(true)
        .keep_alive_initial_delay(delay);
    stage.serve_with(options, ECHO, nothing, |_| ());
    let options = stage.options().no_delay(true).keep_alive(true);
    stage.connect_with(options, |socket, event, life| {
        if let Event::Data(_) = event {
            socket.set_no_delay(false);
            socket.set_keep_alive(false, Duration::ZERO);
        }
        asks(socket, event, life);
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
