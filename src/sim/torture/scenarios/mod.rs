//! What is tortured. Each scenario is short, since it is played once for each call it makes.
//!
//! A file for each kind, with its list at the top; here stands what several of them are made of.

use std::rc::Rc;
use std::time::Duration;

use super::stage::{CLIENT, Life, Role, SERVER, Scenario, Stage};
use crate::sim::Link;
use crate::{Event, Socket};

/// The scenarios of a file.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        pub(super) const SCENARIOS: &[crate::sim::torture::stage::Scenario] = &[
            $(crate::sim::torture::stage::Scenario { name: stringify!($name), play: $name }),*
        ];
    };
}

mod connecting;
mod conversing;
mod destroying;
mod ending;
mod serving;
mod writing;

/// Every scenario there is.
pub(super) fn all() -> impl Iterator<Item = &'static Scenario> {
    let kinds = [
        conversing::SCENARIOS,
        connecting::SCENARIOS,
        writing::SCENARIOS,
        ending::SCENARIOS,
        destroying::SCENARIOS,
        serving::SCENARIOS,
    ];
    kinds.into_iter().flatten()
}

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

/// Acts on a socket after a moment, if it is there still.
fn later(socket: &mut Socket<'_>, act: fn(&mut Socket<'_>)) {
    let id = socket.id();
    let moment = Duration::from_millis(5);
    socket.net().set_timeout(moment, move |net| {
        if let Some(mut socket) = net.socket(id) {
            act(&mut socket);
        }
    });
}
