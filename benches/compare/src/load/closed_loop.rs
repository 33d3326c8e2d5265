//! Messages there and back: each connection sends a batch in one write, and the next one when all of
//! it has come back. Every byte is compared.

use super::meter::{Meter, ServerClock};
use super::payload::Payload;
use super::sockets::{self, Poller};
use super::{Plan, Rate, Result};
use rustix::event::epoll::EventFlags;
use std::net::TcpStream;
use std::time::Instant;

struct Connection {
    stream: TcpStream,
    /// The first message of the batch under way, when it was sent, and how much of it is back.
    first: usize,
    sent_at: Instant,
    received: usize,
}

pub(super) fn run(plan: &Plan, connections: usize, pipelined: usize, bytes: usize) -> Result<Rate> {
    ServerClock::of(plan.pid)?.settle()?;
    let payload = Payload::new(bytes, pipelined);
    // With one connection the server waits for the generator's next look, with more the other way round.
    let mut poller = Poller::new(plan.own_cpu && connections == 1)?;
    let mut all = Vec::with_capacity(connections);
    for (index, stream) in sockets::connect_all(plan.server, 0, connections)?
        .into_iter()
        .enumerate()
    {
        poller.add(&stream, index, EventFlags::IN)?;
        all.push(Connection {
            stream,
            first: payload.start(index, pipelined),
            sent_at: Instant::now(),
            received: 0,
        });
    }
    let mut meter = Meter::start(plan, connections * pipelined)?;
    let mut buffer = vec![0; 64 * 1024];
    while meter.next_window()? {
        for connection in &mut all {
            connection.sent_at = Instant::now();
            send(connection, &payload, pipelined)?;
        }
        let mut under_way = connections;
        while meter.turn(Instant::now(), under_way)? {
            poller.wait()?;
            for event in &poller.events {
                let connection = &mut all[event.data.u64() as usize];
                let Some(read) = sockets::read(&connection.stream, &mut buffer)? else {
                    continue;
                };
                let batch = payload.batch(connection.first, pipelined);
                if !batch[connection.received..].starts_with(&buffer[..read]) {
                    return Err(format!(
                        "other bytes came back than were sent, after {} of a batch",
                        connection.received
                    ));
                }
                let before = connection.received / bytes;
                connection.received += read;
                meter.count((connection.received / bytes - before) as u64);
                if connection.received == batch.len() {
                    let now = Instant::now();
                    meter.round_trip(connection.sent_at, now);
                    connection.first = payload.next(connection.first, pipelined);
                    connection.received = 0;
                    connection.sent_at = now;
                    match meter.sends() {
                        true => send(connection, &payload, pipelined)?,
                        false => under_way -= 1,
                    }
                }
            }
        }
    }
    for connection in all {
        sockets::reset(connection.stream);
    }
    meter.report()
}

fn send(connection: &Connection, payload: &Payload, pipelined: usize) -> Result<()> {
    sockets::send_batch(
        &connection.stream,
        payload.batch(connection.first, pipelined),
    )
}
