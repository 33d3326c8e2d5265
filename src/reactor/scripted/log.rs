//! Events in the order in which they were told, and the handlers that write them down.

use crate::{Acceptor, Dropped, Error, Event, Handler, Server, Socket, handler_fn};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

/// Lines of the form `WHO WHAT`.
#[derive(Clone, Default)]
pub(super) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(super) fn push(&self, line: impl Into<String>) {
        self.0.borrow_mut().push(line.into());
    }

    /// Everything since the last look.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.borrow_mut())
    }

    /// The lines of one speaker, without its name; they stay.
    pub(super) fn of(&self, who: &str) -> Vec<String> {
        let prefix = format!("{who} ");
        let lines = self.0.borrow();
        let own = lines.iter().filter_map(|line| line.strip_prefix(&prefix));
        own.map(str::to_owned).collect()
    }

    /// How many lines begin like this; they stay.
    pub(super) fn count(&self, beginning: &str) -> usize {
        let lines = self.0.borrow();
        lines.iter().filter(|it| it.starts_with(beginning)).count()
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.borrow().iter()).finish()
    }
}

/// A handler that logs every event, and then does what `react` says.
pub(super) fn reacting(
    who: &str,
    log: &Log,
    mut react: impl FnMut(&mut Socket<'_>, Event<'_>) + 'static,
) -> Box<dyn Handler> {
    let (who, log) = (who.to_owned(), log.clone());
    Box::new(handler_fn(move |socket, event| {
        log.push(format!("{who} {}", describe(&event)));
        react(socket, event);
    }))
}

/// An event in a few words; short data as it is.
fn describe(event: &Event<'_>) -> String {
    match event {
        Event::Lookup { answer: Ok(ip), .. } => format!("lookup {ip}"),
        Event::Lookup {
            answer: Err(error), ..
        } => format!("lookup {}", error.code()),
        Event::ConnectionAttempt(_) => "attempt".into(),
        Event::ConnectionAttemptFailed { error, .. } => format!("attempt {}", error.code()),
        Event::ConnectionAttemptTimeout(_) => "attempt timeout".into(),
        Event::Connect => "connect".into(),
        Event::Ready => "ready".into(),
        Event::Data(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if text.len() <= 20 => format!("data {text}"),
            _ => format!("data of {}", bytes.len()),
        },
        #[cfg(feature = "encoding")]
        Event::Text(text) => format!("text {text}"),
        Event::End => "end".into(),
        Event::Drain => "drain".into(),
        Event::Finish => "finish".into(),
        Event::Timeout => "timeout".into(),
        Event::Error(error) => describe_error(error),
        Event::Close { had_error } => format!("close {had_error}"),
    }
}

fn describe_error(error: &Error) -> String {
    let syscall = error.syscall().unwrap_or("-");
    format!("error {syscall} {}", error.code())
}

/// An acceptor that logs as `server`, and hands out the handlers that it was given.
pub(super) struct Recorder {
    pub(super) log: Log,
    pub(super) handlers: Rc<RefCell<VecDeque<Box<dyn Handler>>>>,
}

impl Acceptor for Recorder {
    fn on_connection(&mut self, _: &mut Socket<'_>) -> Box<dyn Handler> {
        let handler = self.handlers.borrow_mut().pop_front();
        self.log.push("server connection");
        handler.unwrap_or_else(|| reacting("unnamed", &self.log, |_, _| ()))
    }

    fn on_listening(&mut self, _: &mut Server<'_>) {
        self.log.push("server listening");
    }

    fn on_drop(&mut self, _: &mut Server<'_>, dropped: &Dropped) {
        self.log.push(format!("server drop {}", dropped.remote));
    }

    fn on_error(&mut self, _: &mut Server<'_>, error: &Error) {
        self.log.push(format!("server {}", describe_error(error)));
    }

    fn on_close(&mut self, _: &mut Server<'_>) {
        self.log.push("server close");
    }
}
