//! As much as goes through one connection, both ways at once. All bytes are counted; of each read the
//! first ones are compared, since comparing all would keep the generator from reading.

use super::meter::{Meter, ServerClock};
use super::payload::random_letters;
use super::sockets::{self, Poller};
use super::{Plan, Rate, Result};
use rustix::event::epoll::EventFlags;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::Instant;

/// What the table counts.
const UNIT: usize = 64 * 1024;
/// The stream repeats itself after so many bytes: no power of two, so that a read that was lost or told
/// twice shows.
const PERIOD: usize = 64 * 1024 - 59;
const COMPARED: usize = 64;

pub(super) fn run(plan: &Plan) -> Result<Rate> {
    ServerClock::of(plan.pid)?.settle()?;
    let mut poller = Poller::new(false)?;
    let mut period = random_letters(PERIOD);
    period.extend_from_within(..); // so that a slice never wraps
    let stream = sockets::connect_all(plan.server, 0, 1)?.remove(0);
    poller.add(&stream, 0, EventFlags::IN)?;
    let mut meter = Meter::start(plan, 1)?;
    let mut buffer = vec![0; 256 * 1024];
    let (mut sent, mut received) = (0, 0);
    while meter.next_window()? {
        poller.change(&stream, 0, EventFlags::IN | EventFlags::OUT)?;
        let mut sends = true;
        while meter.turn(Instant::now(), sent - received)? {
            if sends && !meter.sends() {
                // Room to send would wake the generator for nothing.
                poller.change(&stream, 0, EventFlags::IN)?;
                sends = false;
            }
            poller.wait()?;
            for event in &poller.events {
                let ready = event.flags;
                if ready.intersects(EventFlags::IN | EventFlags::ERR | EventFlags::HUP)
                    && let Some(read) = sockets::read(&stream, &mut buffer)?
                {
                    let compared = read.min(COMPARED);
                    if !period[received % PERIOD..].starts_with(&buffer[..compared]) {
                        return Err(format!(
                            "other bytes came back than were sent, at {received}"
                        ));
                    }
                    meter.count(((received + read) / UNIT - received / UNIT) as u64);
                    received += read;
                }
                if sends && ready.contains(EventFlags::OUT) {
                    sent += send(&stream, &period[sent % PERIOD..][..PERIOD])?;
                }
            }
            if received > sent {
                return Err("more came back than was sent".into());
            }
        }
    }
    sockets::reset(stream);
    meter.report()
}

fn send(mut stream: &TcpStream, bytes: &[u8]) -> Result<usize> {
    match stream.write(bytes) {
        Ok(taken) => Ok(taken),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(0)
        }
        Err(error) => Err(format!("write: {error}")),
    }
}
