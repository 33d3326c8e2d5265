//! What a user writes: handlers of sockets and acceptors of servers.
//!
//! Owns the names of the events. Only `reactor::tell` calls what is declared here, and never from
//! inside another handler: that is the one rule that makes event order something one can state.

mod acceptor;
mod event;

pub(crate) use acceptor::{AcceptFn, BoxedAcceptor};
pub use acceptor::{Acceptor, Dropped};
pub use event::Event;

use crate::{Address, Error, Socket};
use std::net::IpAddr;

/// What happens on one socket, one method for each of Node's events.
///
/// Only [`on_data`](Handler::on_data) has to be written: an empty default for it would lose bytes.
/// Every method may call anything on its socket, on any other, and on [`Net`](crate::Net); none of
/// those calls runs a handler before the present one has returned.
///
/// All events arrive through [`on_event`](Handler::on_event), whose default hands on to the others.
/// An adaptor (frames, a tracer, a proxy header) overrides that one method, passes on what it does
/// not change, and so cannot swallow an event that is added later.
///
/// The order of events is Node's: `lookup` for a host name, `connection_attempt`, `connect`, `ready`, then `data` any number
/// of times, `end`; `drain` and `timeout` in between; `finish` once our FIN is sent; `error` at
/// most once; `close` last, always, exactly once.
///
/// ```
/// use netloop::{Handler, Socket};
///
/// struct Shout;
///
/// impl Handler for Shout {
///     fn on_data(&mut self, socket: &mut Socket<'_>, data: &[u8]) {
///         if !socket.write(&data.to_ascii_uppercase()) {
///             socket.pause(); // the peer sends faster than it reads
///         }
///     }
///     fn on_drain(&mut self, socket: &mut Socket<'_>) {
///         socket.resume();
///     }
/// }
/// ```
///
/// A handler that panics has its socket destroyed; the panic goes on to whoever called
/// [`Reactor::run`](crate::Reactor::run). If that one catches it and runs the loop again, all other
/// sockets go on as if nothing had happened and this one is told `close`.
///
/// Node: [`net.Socket` events](https://nodejs.org/api/net.html#class-netsocket).
#[allow(unused_variables)]
pub trait Handler {
    /// Every event, before it is taken apart.
    fn on_event(&mut self, socket: &mut Socket<'_>, event: Event<'_>) {
        event.hand_on(self, socket);
    }

    /// The resolver has answered: once for each address of `host` that it gave and that may be
    /// tried, or once with the error that `error` tells next. Not told for an IP address.
    fn on_lookup(&mut self, socket: &mut Socket<'_>, host: &str, answer: Result<IpAddr, &Error>) {}

    /// An attempt to connect to `address` begins. Destroying the socket here prevents it, and any
    /// further one.
    #[doc(alias = "connectionAttempt")]
    fn on_connection_attempt(&mut self, socket: &mut Socket<'_>, address: &Address) {}

    /// An attempt to connect to `address` failed. If there is no other address to try, `error`
    /// follows.
    #[doc(alias = "connectionAttemptFailed")]
    fn on_connection_attempt_failed(
        &mut self,
        socket: &mut Socket<'_>,
        address: &Address,
        error: &Error,
    ) {
    }

    /// An attempt to connect to `address` has taken too long and is given up for the next one.
    #[doc(alias = "connectionAttemptTimeout")]
    fn on_connection_attempt_timeout(&mut self, socket: &mut Socket<'_>, address: &Address) {}

    /// The connection stands. Not told to accepted sockets, which begin with it.
    fn on_connect(&mut self, socket: &mut Socket<'_>) {}

    /// The socket may be used; in the same turn as, and right after, `connect`.
    fn on_ready(&mut self, socket: &mut Socket<'_>) {}

    /// Bytes from the peer, in order, never empty. The slice is the loop's own read buffer: what is
    /// wanted for longer has to be copied. As with Node's `onread`, nothing is allocated for a read.
    #[doc(alias = "onread")]
    fn on_data(&mut self, socket: &mut Socket<'_>, data: &[u8]);

    /// In the place of [`on_data`](Handler::on_data) once [`Socket::set_encoding`] was called: the
    /// same bytes as text, in order, never empty. A character that came in parts is told when it
    /// is complete.
    ///
    /// Unless it is written, `on_data` gets the text in UTF-8, so that nothing is lost.
    ///
    /// ```
    /// use netloop::{Encoding, Handler, Socket};
    ///
    /// #[derive(Default)]
    /// struct Lines {
    ///     begun: String,
    /// }
    ///
    /// impl Handler for Lines {
    ///     fn on_text(&mut self, _socket: &mut Socket<'_>, text: &str) {
    ///         self.begun += text;
    ///         while let Some((line, rest)) = self.begun.split_once('\n') {
    ///             println!("{line}");
    ///             self.begun = rest.into();
    ///         }
    ///     }
    ///     fn on_data(&mut self, _socket: &mut Socket<'_>, _data: &[u8]) {
    ///         unreachable!("the encoding is set before the first byte")
    ///     }
    /// }
    ///
    /// # fn listen(net: &mut netloop::Net) -> netloop::Result<()> {
    /// net.listen("127.0.0.1:7000", |socket| {
    ///     socket.set_encoding(Encoding::Utf8);
    ///     Lines::default()
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Node: ['data' after `setEncoding`](https://nodejs.org/api/net.html#event-data).
    #[cfg(feature = "encoding")]
    fn on_text(&mut self, socket: &mut Socket<'_>, text: &str) {
        self.on_data(socket, text.as_bytes());
    }

    /// The peer ended its side; every byte it sent has been told. Unless half-open sockets are
    /// allowed, our side is ended when this returns; until then writes are still accepted.
    fn on_end(&mut self, socket: &mut Socket<'_>) {}

    /// A write answered `false`, and now the queue is empty.
    fn on_drain(&mut self, socket: &mut Socket<'_>) {}

    /// Our side is ended: every byte is with the kernel and the FIN behind it.
    fn on_finish(&mut self, socket: &mut Socket<'_>) {}

    /// Nothing has come or gone for as long as [`Socket::set_timeout`] says. The socket stays open:
    /// to close it is the handler's decision.
    fn on_timeout(&mut self, socket: &mut Socket<'_>) {}

    /// The connection failed. It is destroyed already; `close` follows. Ignoring it is safe.
    fn on_error(&mut self, socket: &mut Socket<'_>, error: &Error) {}

    /// The last event. Counters, state and addresses still answer; afterwards the id finds nothing.
    fn on_close(&mut self, socket: &mut Socket<'_>, had_error: bool) {}
}

/// A handler made of one function that gets every event.
///
/// ```
/// use netloop::{Event, handler_fn};
///
/// let echo = handler_fn(|socket, event| {
///     if let Event::Data(bytes) = event {
///         socket.write(bytes);
///     }
/// });
/// # let _: Box<dyn netloop::Handler> = Box::new(echo);
/// ```
pub fn handler_fn<F>(function: F) -> HandlerFn<F>
where
    F: FnMut(&mut Socket<'_>, Event<'_>),
{
    HandlerFn(function)
}

/// What [`handler_fn`] makes.
#[derive(Debug, Clone)]
pub struct HandlerFn<F>(F);

/// The single methods of a handler that has only `on_event`: whoever calls one of them, as
/// [`Event::hand_on`] does, must not find an empty default.
macro_rules! through_on_event {
    () => {
        fn on_lookup(
            &mut self,
            socket: &mut Socket<'_>,
            host: &str,
            answer: Result<IpAddr, &Error>,
        ) {
            self.on_event(socket, Event::Lookup { host, answer });
        }
        fn on_connection_attempt(&mut self, socket: &mut Socket<'_>, address: &Address) {
            self.on_event(socket, Event::ConnectionAttempt(address));
        }
        fn on_connection_attempt_failed(
            &mut self,
            socket: &mut Socket<'_>,
            address: &Address,
            error: &Error,
        ) {
            self.on_event(socket, Event::ConnectionAttemptFailed { address, error });
        }
        fn on_connection_attempt_timeout(&mut self, socket: &mut Socket<'_>, address: &Address) {
            self.on_event(socket, Event::ConnectionAttemptTimeout(address));
        }
        fn on_connect(&mut self, socket: &mut Socket<'_>) {
            self.on_event(socket, Event::Connect);
        }
        fn on_ready(&mut self, socket: &mut Socket<'_>) {
            self.on_event(socket, Event::Ready);
        }
        fn on_data(&mut self, socket: &mut Socket<'_>, data: &[u8]) {
            self.on_event(socket, Event::Data(data));
        }
        #[cfg(feature = "encoding")]
        fn on_text(&mut self, socket: &mut Socket<'_>, text: &str) {
            self.on_event(socket, Event::Text(text));
        }
        fn on_end(&mut self, socket: &mut Socket<'_>) {
            self.on_event(socket, Event::End);
        }
        fn on_drain(&mut self, socket: &mut Socket<'_>) {
            self.on_event(socket, Event::Drain);
        }
        fn on_finish(&mut self, socket: &mut Socket<'_>) {
            self.on_event(socket, Event::Finish);
        }
        fn on_timeout(&mut self, socket: &mut Socket<'_>) {
            self.on_event(socket, Event::Timeout);
        }
        fn on_error(&mut self, socket: &mut Socket<'_>, error: &Error) {
            self.on_event(socket, Event::Error(error));
        }
        fn on_close(&mut self, socket: &mut Socket<'_>, had_error: bool) {
            self.on_event(socket, Event::Close { had_error });
        }
    };
}

pub(crate) use through_on_event;

impl<F> Handler for HandlerFn<F>
where
    F: FnMut(&mut Socket<'_>, Event<'_>),
{
    fn on_event(&mut self, socket: &mut Socket<'_>, event: Event<'_>) {
        (self.0)(socket, event);
    }

    through_on_event!();
}

/// A boxed handler is a handler: for acceptors that choose between several.
impl Handler for Box<dyn Handler> {
    fn on_event(&mut self, socket: &mut Socket<'_>, event: Event<'_>) {
        (**self).on_event(socket, event);
    }

    through_on_event!();
}
