//! What is done to a socket, and what comes of it at once.

use std::time::Duration;

use bytes::Bytes;

use super::actor::{Actor, react};
use super::book::Shared;
use super::model::must;
use super::op::{Act, Kind};
use super::payload::Flow;
use super::pipes;
use super::seen::Seen;
use crate::{Error, Net, Socket};

/// Writes to a socket that is told an event, by the view that its handler has.
pub(super) fn write(shared: &Shared, socket: &mut Socket<'_>, end: usize, length: u32) {
    let (flow, own) = shared.with(|book| (book.ends[end].flow, book.ends[end].own));
    let before = Seen::of(socket);
    if takes_effect(Act::Write(length), &before) {
        shared.with(|book| book.count_done(&Act::Write(length)));
    }
    let answer = socket.write(&bytes_of(flow, own, length));
    let after = Seen::of(socket);
    written(shared, end, Some((length, answer)), &before, &after);
    shared.with(|book| book.ends[end].notice(after.destroyed, after.errored));
}

fn bytes_of(flow: Option<Flow>, own: u64, length: u32) -> Vec<u8> {
    match flow {
        Some(flow) => flow.bytes(own, length as usize),
        None => vec![0; length as usize],
    }
}

/// Does something to a socket, and checks what comes of it at once.
pub(super) fn act(shared: &Shared, net: &mut Net, end: usize, act: Act) {
    pipes::settle(shared, net, end);
    let (id, flow, own) = shared.with(|book| {
        let it = &book.ends[end];
        (it.id, it.flow, it.own)
    });
    let found = net.socket(id).map(|mut socket| Seen::of(&mut socket));
    let Some(before) = found else {
        return shared.check(|book| {
            must!(
                book.ends[end].closed,
                "I31: socket {end} is gone before its close"
            );
            Ok(())
        });
    };
    if takes_effect(act, &before) {
        shared.with(|book| book.count_done(&act));
    }
    let bytes = |length: u32| bytes_of(flow, own, length);
    let Some(mut socket) = net.socket(id) else {
        return;
    };
    let mut answer = None;
    match act {
        Act::Write(length) => answer = Some((length, socket.write(&bytes(length)))),
        Act::WriteBytes(length) => {
            let bytes = Bytes::from(bytes(length));
            answer = Some((length, socket.write_bytes(bytes)));
        }
        Act::WriteThen(length) => {
            let completion = shared.with(|book| {
                book.completions += 1;
                book.completions
            });
            let theirs = shared.clone();
            let then = move |net: &mut Net, outcome: crate::Result<()>| {
                completed(&theirs, net, end, completion, outcome.is_ok());
            };
            answer = Some((length, socket.write_then(&bytes(length), then)));
            let after = Seen::of(&mut socket);
            written(shared, end, answer, &before, &after);
            shared.with(|book| book.ends[end].awaits(completion));
            return;
        }
        Act::End | Act::EndWith(_) => {
            if let Act::EndWith(length) = act {
                let answer = Some((length, socket.write(&bytes(length))));
                written(shared, end, answer, &before, &Seen::of(&mut socket));
            }
            socket.end();
            shared.with(|book| book.ends[end].end_called());
        }
        Act::Destroy => socket.destroy(),
        Act::DestroySoon => {
            socket.destroy_soon();
            shared.with(|book| book.ends[end].end_called());
        }
        Act::DestroyWith => socket.destroy_with(Error::other("the list says so")),
        Act::Reset => {
            socket.reset_and_destroy();
            shared.with(|book| book.ends[end].reset_called(&before));
        }
        Act::Pause | Act::Resume => {
            match act {
                Act::Pause => socket.pause(),
                _ => socket.resume(),
            }
            shared.with(|book| book.ends[end].pause_called(act == Act::Pause));
        }
        Act::Cork => socket.cork(),
        Act::Uncork => socket.uncork(),
        Act::FlushNow => {
            socket.flush_now();
            let after = Seen::of(&mut socket);
            shared.check(|_| {
                must!(
                    after.queued <= before.queued && after.written == before.written,
                    "I11: a flush of socket {end} leaves {} of {}",
                    after.queued,
                    before.queued
                );
                Ok(())
            });
        }
        Act::Timeout(millis) => {
            let idle = Duration::from_millis(millis);
            socket.set_timeout(idle);
            let seen = Seen::of(&mut socket);
            shared.with(|book| book.ends[end].timeout_set(idle, &seen));
        }
        Act::Unread(most) => {
            let (from, length) = shared.with(|book| {
                let it = &mut book.ends[end];
                let heard = it.heard;
                let length = it.give_back(most.into());
                (heard - length, length)
            });
            let bytes = shared.with(|book| {
                let peer = book.ends[end].peer?;
                Some(book.ends[peer].stream.bytes(from, length as usize))
            });
            if let Some(bytes) = bytes {
                socket.unread(&bytes);
            }
        }
        Act::SetHandler => {
            shared.with(|book| book.ends[end].handler_set());
            let shared = shared.clone();
            socket.set_handler(Actor { shared, end });
        }
        Act::Unref => socket.unref(),
        Act::Ref => socket.r#ref(),
        Act::NoDelay(on) => socket.set_no_delay(on),
        Act::KeepAlive(on) => socket.set_keep_alive(on, Duration::from_secs(1)),
    }
    let after = Seen::of(&mut socket);
    written(shared, end, answer, &before, &after);
    let calm = matches!(act, Act::Destroy | Act::DestroyWith);
    shared.check(|book| {
        must!(
            !calm || after.destroyed,
            "R55: socket {end} is not destroyed"
        );
        book.ends[end].notice(after.destroyed, after.errored);
        Ok(())
    });
}

/// Whether this is more than a call that changes nothing.
fn takes_effect(act: Act, before: &Seen) -> bool {
    !before.destroyed
        && match act {
            Act::Write(_) | Act::WriteBytes(_) | Act::WriteThen(_) => before.writable,
            Act::End | Act::EndWith(_) => before.writable,
            Act::Pause => !before.paused,
            Act::Resume => before.paused,
            Act::Uncork => before.corked > 0,
            Act::FlushNow => before.queued > 0,
            Act::Unread(bytes) => bytes > 0 && before.read > 0,
            _ => true,
        }
}

fn written(shared: &Shared, end: usize, answer: Option<(u32, bool)>, before: &Seen, after: &Seen) {
    if let Some((length, answer)) = answer {
        shared.check(|book| {
            let verdict = book.ends[end].wrote(length.into(), answer, before, after);
            verdict.map_err(|what| format!("socket {end}: {what}"))
        });
    }
}

fn completed(shared: &Shared, net: &mut Net, end: usize, completion: usize, ok: bool) {
    let _inside = shared.enter(Kind::Written);
    shared.check(|book| {
        let verdict = book.ends[end].completed(completion, ok);
        verdict.map_err(|what| format!("socket {end}: {what}"))
    });
    let host = shared.with(|book| book.ends[end].host);
    react(shared, net, host, Kind::Written, Some(end));
}
