//! What a million connections cost: a part of them for real, all of them on a stand-in kernel.
//!
//! ```text
//! cargo run --release --features bench --example million -- [--connections N] [--stand-in N]...
//! ```
//!
//! - `--connections N`: so many real ones over loopback, each used once and then idle; 18,000 if it is
//!   not said, 0 leaves this part out, and the descriptor limit (`ulimit -Hn`) may leave fewer. Server
//!   and clients are two processes. It prints what a connection costs in user memory, and what a
//!   socket costs in the kernel's.
//! - `--stand-in N`: the loop alone, with so many connections on a kernel that only says it holds
//!   them; may be said several times, 1,000,000 and 10,000,000 if it is not said, 0 leaves this part
//!   out. It prints memory, what a turn with 0.1 % of them active takes, how long idle timeouts take
//!   to expire, and the longest turns. Needs the feature `bench`.
//!
//! Linux only, as the figures come from `/proc`. Both parts are bounded: the real one by two minutes, the
//! other by what is there to do, which takes ten million connections half a minute and 2 GB.

mod clients;
#[path = "../common/output.rs"]
mod output;
mod proc;
mod real;
mod server;
#[cfg(feature = "bench")]
mod stand_in;
mod table;
#[path = "../common/words.rs"]
mod words;

use output::{complain, say};
use std::io::{self, Write};
use std::process::ExitCode;

const USAGE: &str = "usage: million [--connections N] [--stand-in N]...
  --connections N  real connections over loopback; 18000 by default, 0 for none
  --stand-in N     connections on a stand-in kernel, may be repeated; 1000000 and 10000000 by default,
                   0 for none (needs --features bench)";

/// So many leave a process that may have 20,000 descriptors some for everything else.
const CONNECTIONS: u32 = 18_000;
const STAND_IN: [u32; 2] = [1_000_000, 10_000_000];

struct Arguments {
    connections: u32,
    stand_in: Vec<u32>,
}

fn main() -> ExitCode {
    let words = match words::words() {
        Ok(words) => words,
        Err(mistake) => return refuse(&mistake),
    };
    if words.iter().any(|word| word == "--help" || word == "-h") {
        say(USAGE);
        return ExitCode::SUCCESS;
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        // What it starts itself as.
        [real::SERVER] => server::serve(),
        [real::CLIENTS, echo, silent] => clients::follow_orders(echo, silent),
        _ => match parse(&words) {
            Ok(arguments) => report(&arguments, &mut io::stdout()),
            Err(mistake) => return refuse(&mistake),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}

fn refuse(mistake: &str) -> ExitCode {
    complain(format_args!("{mistake}\n{USAGE}"));
    ExitCode::from(2)
}

/// What a part ends with; anything may go wrong in it.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn report(arguments: &Arguments, out: &mut impl Write) -> Outcome {
    if arguments.connections > 0 {
        write!(out, "{}", real::report(arguments.connections)?)?;
    }
    for (nth, &connections) in arguments.stand_in.iter().enumerate() {
        if nth > 0 || arguments.connections > 0 {
            writeln!(out)?;
        }
        #[cfg(feature = "bench")]
        write!(out, "{}", stand_in::report(connections)?)?;
        #[cfg(not(feature = "bench"))]
        writeln!(
            out,
            "{connections} on a stand-in kernel: left out, needs --features bench"
        )?;
    }
    Ok(())
}

fn parse(words: &[&str]) -> Result<Arguments, String> {
    let mut connections = CONNECTIONS;
    let mut stand_in = None;
    let mut words = words.iter();
    while let Some(&option) = words.next() {
        let mut number = || match words.next().map(|word| word.parse::<u32>()) {
            Some(Ok(number)) => Ok(number),
            _ => Err(format!("{option} takes a number of connections")),
        };
        match option {
            "--connections" => connections = number()?,
            "--stand-in" => stand_in.get_or_insert_with(Vec::new).push(number()?),
            _ => return Err(format!("what is {option}?")),
        }
    }
    let mut stand_in = stand_in.unwrap_or(STAND_IN.to_vec());
    stand_in.retain(|&connections| connections > 0);
    #[cfg(feature = "bench")]
    if let Some(many) = stand_in.iter().find(|&&it| it > stand_in::MOST) {
        return Err(format!(
            "{many} are too many, {} is the most",
            stand_in::MOST
        ));
    }
    Ok(Arguments {
        connections,
        stand_in,
    })
}
