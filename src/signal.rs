//! Numbers of the signals that a server listens to, for [`Net::on_signal`](crate::Net::on_signal).
//!
//! Those of the system that this was built for; any other number may be given as well.

/// The terminal is gone; daemons read their configuration again.
pub const SIGHUP: i32 = libc::SIGHUP;
/// Ctrl-C.
pub const SIGINT: i32 = libc::SIGINT;
/// Ctrl-\\.
pub const SIGQUIT: i32 = libc::SIGQUIT;
/// Asked to end: what `kill` sends, and a service manager before it becomes impatient.
pub const SIGTERM: i32 = libc::SIGTERM;
/// For whatever the program likes.
pub const SIGUSR1: i32 = libc::SIGUSR1;
/// For whatever the program likes.
pub const SIGUSR2: i32 = libc::SIGUSR2;
/// A child process has ended or stopped.
pub const SIGCHLD: i32 = libc::SIGCHLD;
/// Goes on after a stop.
pub const SIGCONT: i32 = libc::SIGCONT;
/// The window of the terminal has another size.
pub const SIGWINCH: i32 = libc::SIGWINCH;
