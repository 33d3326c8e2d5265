//! Connections that live for one message: connect, send, get it back, close.

use super::meter::{Meter, ServerClock};
use super::payload::Payload;
use super::sockets::{self, Poller};
use super::{During, Plan, Rate, Result};
use rustix::event::epoll::EventFlags;
use std::net::TcpStream;
use std::time::Instant;

struct Visit {
    stream: TcpStream,
    /// Which message it sent, when it began to connect, and how much is back.
    message: usize,
    began: Instant,
    received: usize,
}

pub(super) fn run(plan: &Plan, connections: usize, bytes: usize) -> Result<Rate> {
    ServerClock::of(plan.pid)?.settle()?;
    let payload = Payload::new(bytes, 1);
    let mut poller = Poller::new(false)?;
    let mut serial = 0;
    let mut visit = |poller: &Poller, index| -> Result<Visit> {
        let began = Instant::now();
        let stream = sockets::connect(plan.server, serial)?;
        let message = payload.start(serial, 1);
        serial += 1;
        sockets::send_batch(&stream, payload.batch(message, 1))?;
        stream.set_nonblocking(true).during("O_NONBLOCK")?;
        poller.add(&stream, index, EventFlags::IN)?;
        Ok(Visit {
            stream,
            message,
            began,
            received: 0,
        })
    };
    let mut meter = Meter::start(plan, connections)?;
    let mut visits: Vec<Option<Visit>> = (0..connections).map(|_| None).collect();
    let mut buffer = vec![0; 64 * 1024];
    while meter.next_window()? {
        for (index, place) in visits.iter_mut().enumerate() {
            *place = Some(visit(&poller, index)?);
        }
        let mut under_way = connections;
        while meter.turn(Instant::now(), under_way)? {
            poller.wait()?;
            for event in &poller.events {
                let index = event.data.u64() as usize;
                let Some(Visit {
                    stream,
                    message,
                    began,
                    received,
                }) = &mut visits[index]
                else {
                    continue;
                };
                let Some(read) = sockets::read(stream, &mut buffer)? else {
                    continue;
                };
                if !payload.batch(*message, 1)[*received..].starts_with(&buffer[..read]) {
                    return Err("other bytes came back than were sent".into());
                }
                *received += read;
                if *received == bytes {
                    meter.count(1);
                    meter.round_trip(*began, Instant::now());
                    // The old one is closed, in its own window.
                    visits[index] = match meter.sends() {
                        true => Some(visit(&poller, index)?),
                        false => {
                            under_way -= 1;
                            None
                        }
                    };
                }
            }
        }
    }
    meter.report()
}
