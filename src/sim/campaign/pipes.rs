//! Pipes, of which nobody is told what they move: the book is brought up to date by what the two
//! sockets count.

use super::book::{Book, Shared};
use super::model::{End, Verdict, must};
use crate::net::SocketEntry;
use crate::{Net, PipeOptions};

/// Writes down what has come through the pipe into this end and through the one out of it, before
/// anything else is done with it.
pub(super) fn settle(shared: &Shared, net: &Net, end: usize) {
    shared.check(|book| {
        if let Some(source) = book.ends[end].source {
            book.settle(net, source)?;
        }
        book.settle(net, end)
    });
}

/// False if there is none then.
pub(super) fn pipe(shared: &Shared, net: &mut Net, from: usize, to: usize, end: bool) -> bool {
    settle(shared, net, from);
    settle(shared, net, to);
    if !shared.with(|book| book.may_pipe(&[(from, to)])) {
        return false;
    }
    let (source, destination) = shared.with(|book| (book.ends[from].id, book.ends[to].id));
    let may = shared.with(|book| book.pipe_stands(net, from, to));
    let options = PipeOptions::default().end(end);
    let laid = net.pipe(source, destination, options).is_ok();
    shared.check(|book| {
        let may = may.unwrap_or(laid);
        must!(laid == may, "pipe: {from} into {to} is {laid}");
        if laid {
            book.lay(from, to, end);
        }
        Ok(())
    });
    laid
}

/// False if there is none then.
pub(super) fn pipe_both(shared: &Shared, net: &mut Net, a: usize, b: usize) -> bool {
    settle(shared, net, a);
    settle(shared, net, b);
    if !shared.with(|book| a == b || book.may_pipe(&[(a, b), (b, a)])) {
        return false;
    }
    let (one, other) = shared.with(|book| (book.ends[a].id, book.ends[b].id));
    let both = [(a, b), (b, a)];
    let stands = |(from, to)| shared.with(|book| book.pipe_stands(net, from, to));
    let may = both.map(stands);
    let laid = net.pipe_both(one, other).is_ok();
    shared.check(|book| {
        let may = a != b && may.into_iter().all(|it| it.unwrap_or(laid));
        must!(laid == may, "pipe: {a} and {b} is {laid}");
        if laid {
            for (end, partner) in both {
                book.part(end);
                book.ends[end].half_open = true;
                book.ends[end].partner = Some(partner);
            }
            book.lay(a, b, true);
            book.lay(b, a, true);
        }
        Ok(())
    });
    laid
}

/// False if there was none.
pub(super) fn unpipe(shared: &Shared, net: &mut Net, from: usize) -> bool {
    settle(shared, net, from);
    let id = shared.with(|book| book.ends[from].id);
    net.unpipe(id);
    shared.with(|book| {
        let was_piped = book.take_pipe(from);
        if was_piped {
            book.ends[from].pause_called(true);
            book.part(from);
        }
        was_piped
    })
}

impl Book {
    /// Keeps to what the book can follow: one source for each destination, and no bytes in a circle,
    /// none either once it is known whom a server has accepted.
    fn may_pipe(&self, pipes: &[(usize, usize)]) -> bool {
        let known = |end: usize| self.ends[end].peer.is_some() || !self.ends[end].was_accepted();
        let free = |&(_, to): &(usize, usize)| self.ends[to].source.is_none();
        let next = |to: usize| {
            let reader = self.ends[to].peer?;
            let new = pipes.iter().find(|(from, _)| *from == reader);
            new.map(|(_, to)| *to)
                .or(self.ends[reader].pipe.map(|(to, _)| to))
        };
        let ends = |&(_, to): &(usize, usize)| {
            let way = std::iter::successors(Some(to), |to| next(*to));
            way.take(self.ends.len() + 1).count() <= self.ends.len()
        };
        let met = |&(from, to): &(usize, usize)| known(from) && known(to);
        pipes.iter().all(free) && pipes.iter().all(met) && pipes.iter().all(ends)
    }

    /// Whether a pipe can be laid; `None` into one that will be reset when it is connected, of which
    /// nobody knows whether it was ended besides.
    fn pipe_stands(&self, net: &Net, from: usize, to: usize) -> Option<bool> {
        let entry = |end: usize| net.sockets.get(self.ends[end].id.key);
        let stands = |end: usize| entry(end).is_some_and(|it| !it.lifecycle.is_destroyed());
        let both = stands(from) && stands(to) && self.ends[from].pipe.is_none();
        let open = !self.ends[to].write_ended();
        let is_known = !both || !self.ends[to].reset_planned;
        is_known.then_some(both && open)
    }

    fn lay(&mut self, from: usize, to: usize, end: bool) {
        if self.ends[from].end_told {
            if end {
                self.ends[to].end_called();
            }
            return;
        }
        self.ends[from].pipe = Some((to, end));
        self.ends[to].source = Some(from);
        self.ends[from].pause_called(false);
    }

    fn take_pipe(&mut self, from: usize) -> bool {
        let pipe = self.ends[from].pipe.take();
        if let Some((to, _)) = pipe {
            self.ends[to].source = None;
        }
        pipe.is_some()
    }

    fn part(&mut self, end: usize) {
        if let Some(partner) = self.ends[end].partner.take() {
            self.ends[partner].partner = None;
        }
    }

    /// `end` was told to this one: where it is piped to has its end now.
    pub(super) fn carry_end(&mut self, from: usize) {
        if let Some((to, true)) = self.ends[from].pipe {
            self.ends[to].end_called();
        }
        self.take_pipe(from);
    }

    fn settle(&mut self, net: &Net, from: usize) -> Verdict {
        let Some((to, carries_end)) = self.ends[from].pipe else {
            return Ok(());
        };
        let entry = |end: usize| net.sockets.get(self.ends[end].id.key);
        let (Some(source), Some(destination)) = (entry(from), entry(to)) else {
            self.take_pipe(from); // at its close all was settled
            return Ok(());
        };
        let gone = destination.lifecycle.is_destroyed();
        let source_gone = source.lifecycle.is_destroyed();
        let held = source
            .cold
            .as_ref()
            .map_or(0, |cold| cold.held.len() as u64);
        let told = source.bytes_read - held - self.ends[from].heard;
        let written = destination.bytes_written - self.ends[to].accepted;
        // What is given back when nothing is read any more, or before an end that a pause then puts
        // off, is nobody's.
        let lost = told.saturating_sub(written);
        let nobodys = !source.lifecycle.is_reading() || self.ends[from].refused;
        let may_be_lost = gone || nobodys && lost == self.ends[from].held;
        must!(
            written == told || may_be_lost && written < told,
            "pipe: {told} bytes out of {from}, {written} into {to}"
        );
        must!(
            written == 0 || !self.ends[from].paused,
            "I12: {from} is paused and piped on"
        );
        must!(
            held == 0 || told == 0,
            "I6: {told} bytes piped before those given back"
        );
        self.moved(from, to, told, written, held)?;
        let read = net.limits.read_buffer_bytes as u64;
        let it = &self.ends[to];
        let most = destination.high_water_mark as u64 + read + it.own + 200;
        let queued = destination.queue.len() as u64;
        must!(queued <= most, "I11: {queued} piped into {to}");
        if net.is_piped(self.ends[from].id.key) {
            must!(!gone, "pipe: {to} is gone and piped into");
            return Ok(());
        }
        let ended = has_ended(destination);
        let paused = source.latch.is_paused_by_user();
        self.take_pipe(from);
        let it = &mut self.ends[from];
        must!(
            gone || ended || source_gone || it.end_told,
            "pipe: {from} is piped into {to} no more"
        );
        if !source_gone && !it.end_told {
            must!(paused, "pipe: {from} reads on without {to}");
            it.paused = true;
        }
        if it.end_told && carries_end && ended {
            self.ends[to].end_called();
        }
        Ok(())
    }

    /// So many bytes have left `from`, and so many of them are with `to`.
    fn moved(&mut self, from: usize, to: usize, told: u64, written: u64, held: u64) -> Verdict {
        if told == 0 {
            return Ok(());
        }
        let it = &self.ends[from];
        must!(it.ready && !it.end_told, "I3: bytes of {from} out of place");
        let heard = it.heard;
        let Some(peer) = it.peer else {
            return Err(format!("I6: {told} bytes piped from nobody"));
        };
        let stream = &self.ends[peer].stream;
        must!(
            heard + told <= stream.length,
            "I6: piped {told} of {}",
            stream.length - heard
        );
        let mut onward = super::payload::Stream::default();
        onward.push_from(stream, heard, written);
        let it = &mut self.ends[to];
        it.stream.push_from(&onward, 0, written);
        it.accepted += written;
        it.may_drain |= written > 0;
        let it = &mut self.ends[from];
        it.heard += told;
        it.held = held;
        it.refused = false;
        self.count("bytes piped".to_owned());
        Ok(())
    }

    /// One side of a proxy goes with the other, unless it is through.
    pub(super) fn no_partner_is_left(&mut self, host: usize) -> Verdict {
        let lost = |it: &End| it.host == host && !it.is_alive() && it.partner.is_some();
        let lost: Vec<usize> = (0..self.ends.len())
            .filter(|at| lost(&self.ends[*at]))
            .collect();
        for end in lost {
            let Some(partner) = self.ends[end].partner else {
                continue;
            };
            self.part(end);
            let it = &self.ends[partner];
            must!(
                !it.is_alive() || it.end_told && it.write_ended(),
                "pipe: {partner} outlives {end}"
            );
        }
        Ok(())
    }
}

fn has_ended(entry: &SocketEntry) -> bool {
    entry.lifecycle.write_ended() || entry.lifecycle.is_destroyed()
}
