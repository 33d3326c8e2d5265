//! Real connections: starts the two halves, and reads off what a connection more costs.
//!
//! Every figure is a slope, what is there with many connections less what is there with a few, over
//! the number between: what a process has anyhow is in neither.

use crate::Outcome;
use crate::proc::{self, Kernel};
use crate::table::Table;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

/// What this program starts itself as.
pub(crate) const SERVER: &str = "half-server";
pub(crate) const CLIENTS: &str = "half-clients";

/// For everything that is no connection: listeners, pipes, the poller, and the connections to fill.
const OTHER_DESCRIPTORS: u64 = 128;
/// Where slopes begin: the tables of both halves have grown by then.
const FEW: u32 = 2_000;
/// Connections to fill with bytes that nobody reads: a few, as each takes megabytes.
const FULL: u32 = 32;

pub(crate) fn report(asked: u32) -> Outcome<Table> {
    let room = proc::descriptor_limit()?.saturating_sub(OTHER_DESCRIPTORS);
    let many = asked.min(u32::try_from(room).unwrap_or(u32::MAX));
    if many < 2 {
        return Err(format!("{many} connections have no slope").into());
    }
    let few = FEW.min(many / 2);
    let mut table = Table::new(format!(
        "{many} real connections over loopback, each used once, then idle; slope from {few} on"
    ));
    if many < asked {
        table.row(
            "",
            format!("{asked} were asked for; `ulimit -Hn` allows no more"),
        );
    }

    let mut server = Half::start(&[SERVER])?;
    let addresses = server.answer()?;
    let (echo, silent) = (addresses.split_once(' ')).ok_or("where does the server listen?")?;
    let mut clients = Half::start(&[CLIENTS, echo, silent])?;

    clients.order(&format!("use {few}"))?;
    let user_before = proc::anonymous(&server.id())?;
    let before = Kernel::now()?;
    let began = Instant::now();
    clients.order(&format!("use {many}"))?;
    let opened_in = began.elapsed();
    let user_after = proc::anonymous(&server.id())?;
    let after = Kernel::now()?;

    let connections = f64::from(many - few);
    let rate = connections / opened_in.as_secs_f64();
    table.row(
        "opened and used",
        format!("{rate:.0} connections a second, both ends"),
    );
    let user = (user_after as f64 - user_before as f64) / connections;
    table.row(
        "user memory",
        format!("{user:.0} bytes a connection in the server, Anonymous"),
    );
    kernel_rows(&mut table, &before, &after, connections);

    let filled = clients.order(&format!("fill {FULL}"))?;
    let taken: u64 = filled.strip_prefix("filled ").unwrap_or("").parse()?;
    let charged = Kernel::now()?.buffers.saturating_sub(after.buffers);
    let each = |bytes: u64| bytes / u64::from(FULL);
    table.row(
        "full, bytes in it",
        format!("{} a connection that nobody reads", each(taken)),
    );
    table.row(
        "full, buffers",
        format!("{} bytes a connection, both ends", each(charged)),
    );
    // First the server: who closes first keeps the ports in TIME_WAIT, and it has only one.
    drop(server);
    Ok(table)
}

/// What a socket costs the kernel. Both ends of a connection are on this machine, so it is the half.
fn kernel_rows(table: &mut Table, before: &Kernel, after: &Kernel, connections: f64) {
    let slope = |before: u64, after: u64| (after as f64 - before as f64) / connections / 2.0;
    let slab = slope(before.slab, after.slab);
    table.row(
        "kernel, objects",
        format!("{slab:.0} bytes a socket, Slab of meminfo"),
    );
    for (name, &(objects, size)) in &after.caches {
        let objects_before = before.caches.get(name).map_or(0, |cache| cache.0);
        let each = slope(objects_before, objects);
        if each >= 0.5 {
            table.row("", format!("{each:.2} of {size} bytes: {name}"));
        }
    }
    table.row(
        "",
        match after.caches.is_empty() {
            true => "which ones, /proc/slabinfo tells root".to_owned(),
            false => "caches whose objects are of one size share a name".to_owned(),
        },
    );
    let idle = slope(before.buffers, after.buffers);
    table.row(
        "kernel, buffers",
        format!("{idle:.0} bytes a socket while idle, mem of sockstat"),
    );
}

/// One of the two processes, which ends with this value.
struct Half {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Half {
    /// Starts this program again, with as many descriptors as it may have.
    fn start(words: &[&str]) -> Outcome<Half> {
        let raise = "ulimit -n \"$(ulimit -Hn)\" 2>/dev/null; exec \"$0\" \"$@\"";
        let mut child = Command::new("sh")
            .args(["-c", raise])
            .arg(env::current_exe()?)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take().ok_or("no pipe")?;
        let answers = child.stdout.take().ok_or("no pipe")?;
        Ok(Half {
            child,
            orders,
            answers: BufReader::new(answers),
        })
    }

    fn id(&self) -> String {
        self.child.id().to_string()
    }

    /// Has it do something, and waits until it is done.
    fn order(&mut self, order: &str) -> Outcome<String> {
        writeln!(self.orders, "{order}")?;
        self.answer()
    }

    fn answer(&mut self) -> Outcome<String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line)? {
            0 => Err("one of the halves has ended, and said why".into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        // By the id that the system gave it. It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
