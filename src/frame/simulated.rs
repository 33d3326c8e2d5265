//! Frames in worlds where reads are short, peers are slow and connections break.
//!
//! Always: what was told is a beginning of what was sent, frame by frame. If nobody failed: all of it.

use super::{Framed, LengthPrefix};
use crate::sim::World;
use crate::{Event, Net, handler_fn};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const FRAMES: usize = 40;

/// The frame of this number: neighbours differ in length and in every byte.
fn frame(number: usize) -> Vec<u8> {
    vec![number as u8; (number * 37) % 900]
}

#[derive(Default)]
struct Seen {
    frames: usize,
    ended: bool,
    failed: bool,
}

/// Plays one world to its end: whether all frames arrived.
fn arrives_whole(seed: u64) -> bool {
    let mut world = World::seeded(seed);
    let (server, client) = (world.host("server"), world.host("client"));
    let seen = Rc::new(RefCell::new(Seen::default()));

    let notes = Rc::clone(&seen);
    let listening = world.net(server).listen(7000, move |_socket| {
        let notes = Rc::clone(&notes);
        let handler = handler_fn(move |socket, event| match event {
            Event::Data(bytes) => {
                let mut seen = notes.borrow_mut();
                assert_eq!(bytes, frame(seen.frames), "seed {seed}");
                assert!(!socket.is_paused(), "seed {seed}");
                seen.frames += 1;
                if seen.frames.is_multiple_of(7) {
                    socket.pause();
                    let id = socket.id();
                    let resume = move |net: &mut Net| {
                        if let Some(mut socket) = net.socket(id) {
                            socket.resume();
                        }
                    };
                    socket.net().set_timeout(Duration::from_millis(3), resume);
                }
            }
            Event::End => notes.borrow_mut().ended = true,
            Event::Error(_) => notes.borrow_mut().failed = true,
            _ => {}
        });
        Framed::new(LengthPrefix::u16_le(), handler)
    });
    if listening.is_err() {
        return false; // in this world there was no descriptor for it
    }

    let notes = Rc::clone(&seen);
    let stream = (0..FRAMES).flat_map(|number| {
        let frame = frame(number);
        [&(frame.len() as u16).to_le_bytes()[..], &frame].concat()
    });
    let stream: Vec<u8> = stream.collect();
    let address = world.address(server, 7000);
    let sending = handler_fn(move |socket, event| match event {
        Event::Connect => socket.end_with(&stream),
        Event::Error(_) => notes.borrow_mut().failed = true,
        _ => {}
    });
    if world.net(client).connect(address, sending).is_err() {
        return false;
    }

    world.run_until_quiet();
    let seen = seen.borrow();
    let whole = seen.ended && seen.frames == FRAMES;
    assert!(seen.failed || whole, "seed {seed}: {} frames", seen.frames);
    whole
}

#[test]
fn frames_are_told_whole_and_in_order_in_any_world() {
    let whole = (0..100).filter(|&seed| arrives_whole(seed)).count();
    assert!(whole > 15, "{whole} of 100 worlds let a stream through");
}
