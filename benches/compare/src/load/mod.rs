//! The load generator: one thread, plain blocking connects, then epoll.
//!
//! Every load is closed: a connection sends when what it sent before has come back. So the server is
//! as busy as it can be, and what a message costs it is told by its own CPU clock. That is read between
//! short windows, when all that was sent is back and the server sleeps. Loads are bounded in time, and
//! one that stalls is an error.

mod bulk;
mod churn;
mod closed_loop;
mod histogram;
mod memory;
mod meter;
mod payload;
mod sockets;

pub use meter::{ServerClock, Window};

use crate::scenario::Load;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// Which server, and for how long.
#[derive(Clone, Debug)]
pub struct Plan {
    pub server: SocketAddr,
    /// The process whose CPU clock and memory are read.
    pub pid: u32,
    pub warm_up: Duration,
    pub measured: Duration,
    /// Whether the generator has a CPU of its own, and may ask without pause.
    pub own_cpu: bool,
    /// How many connections the load of memory opens.
    pub most_connections: usize,
}

/// What the generator tells the runner, as a line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Report {
    Rate(Rate),
    Memory(Memory),
    /// Something went wrong, and nothing was measured.
    Failed(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rate {
    pub windows: Vec<Window>,
    /// Of round trips; None where there are none.
    pub p50_micros: Option<f64>,
    pub p99_micros: Option<f64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Memory {
    pub fewer: usize,
    pub more: usize,
    /// Anonymous memory of the server for each connection, as the slope between the two.
    pub bytes_a_connection: f64,
}

/// Puts the load on the server.
pub fn run(load: Load, plan: &Plan) -> Report {
    let rate = match load {
        Load::Echo {
            connections,
            pipelined,
            bytes,
        } => closed_loop::run(plan, connections, pipelined, bytes),
        Load::Churn { connections, bytes } => churn::run(plan, connections, bytes),
        Load::Bulk => bulk::run(plan),
        Load::Memory => {
            return match memory::run(plan) {
                Ok(memory) => Report::Memory(memory),
                Err(wrong) => Report::Failed(wrong),
            };
        }
    };
    match rate {
        Ok(rate) => Report::Rate(rate),
        Err(wrong) => Report::Failed(wrong),
    }
}

/// What went wrong, in words for whoever reads the table.
type Result<T> = std::result::Result<T, String>;

/// Says during what an error came.
trait During<T> {
    fn during(self, what: &str) -> Result<T>;
}

impl<T, E: std::fmt::Display> During<T> for std::result::Result<T, E> {
    fn during(self, what: &str) -> Result<T> {
        self.map_err(|error| format!("{what}: {error}"))
    }
}
