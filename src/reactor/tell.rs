//! Every call of user code, and nothing else.
//!
//! Handlers, acceptors, timers and completions are called here and nowhere else, each taken out of
//! its place while it runs and put back by a guard, so that a panic in one of them loses nothing.
//! Nothing in here is reached from `net`: that is how no handler can run inside another.

#[cfg(feature = "signal")]
use super::call::SignalCall;
use super::call::{IntervalCall, OtherCall, ResolverCall, ServerCall, SocketCall};
use crate::handler::{BoxedAcceptor, Dropped, Event, Handler};
use crate::net::{
    Asking, Due, Flags, Key, Mail, Net, Note, Notes, Server, ServerNote, Socket, Step, Target,
};

/// Tells `event` to the handler of a socket, then flushes what it wrote.
pub(super) fn event(net: &mut Net, key: Key, event: Event<'_>) {
    let Some(entry) = net.sockets.get_mut(key) else {
        return;
    };
    let room = entry.room_to_gather(&net.gathered);
    match entry.handler.take() {
        Some(handler) => call_handler(net, key, handler, room, event),
        None => net.after_call(key),
    }
}

/// Lets a handler that was taken out of its place have `event`, then sends what it wrote.
#[inline(always)] // once a message
pub(super) fn call_handler(
    net: &mut Net,
    key: Key,
    handler: Box<dyn Handler>,
    room_to_gather: usize,
    event: Event<'_>,
) {
    net.serving = Some(key);
    net.gathered.open(room_to_gather);
    let mut call = SocketCall {
        socket: Socket::new(net, key),
        key,
        handler: Some(handler),
    };
    if let Some(handler) = &mut call.handler {
        handler.on_event(&mut call.socket, event);
    }
    let handler = call.handler.take(); // it did not panic
    drop(call);
    if let Some(handler) = handler
        && let Some(replaced) = net.after_event(key, handler)
    {
        drop_replaced(net, key, replaced);
    }
}

/// A handler that has set another one in its place goes: code of the user's, too.
#[cold]
#[inline(never)]
fn drop_replaced(net: &mut Net, key: Key, handler: Box<dyn Handler>) {
    let call = OtherCall::begin(net, key);
    drop(handler);
    call.returned();
}

/// As [`event`], unless the socket is destroyed.
pub(super) fn event_if_open(net: &mut Net, key: Key, event: Event<'_>) {
    let open = |net: &Net| {
        let entry = net.sockets.get(key);
        entry.is_some_and(|entry| !entry.lifecycle.is_destroyed())
    };
    if open(net) {
        self::event(net, key, event);
    }
}

/// Lets a server's acceptor take a new socket and answer with its handler.
pub(super) fn connection(net: &mut Net, server: Key, socket: Key) {
    let Some(acceptor) = take_acceptor(net, server) else {
        net.destroy(socket);
        return;
    };
    let mut call = ServerCall::begin(net, server, acceptor, Some(socket));
    if let Some(acceptor) = &mut call.acceptor {
        let handler = acceptor.on_connection(&mut Socket::new(call.net, socket));
        if let Some(entry) = call.net.sockets.get_mut(socket) {
            entry.handler.get_or_insert(handler); // one that was set meanwhile is newer
        }
    }
    call.returned();
    net.after_call(socket);
}

/// Tells a server that a peer was turned away.
pub(super) fn dropped(net: &mut Net, server: Key, dropped: &Dropped) {
    server_event(net, server, |acceptor, server| {
        acceptor.on_drop(server, dropped);
    });
}

/// Tells a server what was noted for it.
pub(super) fn server_notes(net: &mut Net, key: Key) {
    while let Some(note) = net.next_server_note(key) {
        if let ServerNote::Resolve = note {
            if let Some(asking) = net.ask_for_server(key) {
                resolve(net, Target::Server(key), asking);
            }
            continue;
        }
        server_event(net, key, |acceptor, server| match &note {
            ServerNote::Resolve => {}
            ServerNote::Listening => acceptor.on_listening(server),
            ServerNote::Error(error) => acceptor.on_error(server, error),
        });
    }
}

/// Tells a server that it is closed.
pub(super) fn server_close(net: &mut Net, key: Key) {
    server_event(net, key, |acceptor, server| acceptor.on_close(server));
}

fn server_event(net: &mut Net, key: Key, tell: impl FnOnce(&mut BoxedAcceptor, &mut Server<'_>)) {
    let Some(acceptor) = take_acceptor(net, key) else {
        return;
    };
    let mut call = ServerCall::begin(net, key, acceptor, None);
    if let Some(acceptor) = &mut call.acceptor {
        tell(acceptor, &mut Server::new(call.net, key));
    }
    call.returned();
}

/// Tells a socket what was noted for it, each kind at most once: what is noted again meanwhile
/// waits for the next turn.
pub(super) fn socket_notes(net: &mut Net, key: Key) {
    let mut told = Notes::default();
    while let Some(entry) = net.sockets.get_mut(key)
        && let Some(note) = entry.notes.first_but(told)
    {
        entry.notes.remove(note);
        told.insert(note);
        match note {
            Note::Connect => connecting(net, key),
            Note::Written => completions(net, key),
            Note::Drain => drain(net, key),
            Note::Finish => event_if_open(net, key, Event::Finish),
            Note::Error => error(net, key),
            Note::Leave => net.leave(key),
        }
        net.after_call(key);
    }
}

/// Takes one step after the other on the way to a connection.
fn connecting(net: &mut Net, key: Key) {
    while let Some(step) = net.next_step(key) {
        match step {
            Step::Resolve => {
                if let Some(asking) = net.ask_for_socket(key) {
                    resolve(net, Target::Socket(key), asking);
                }
            }
            Step::Lookup(host, answer) => {
                let (host, answer) = (&*host, answer.as_ref().copied());
                event(net, key, Event::Lookup { host, answer });
            }
            Step::Attempt(place, address) => {
                event(net, key, Event::ConnectionAttempt(&address));
                net.begin(key, place);
            }
            Step::Failed(address, error) => {
                let (address, error) = (&address, &error);
                event(net, key, Event::ConnectionAttemptFailed { address, error });
            }
            Step::TimedOut(place, address) => {
                event(net, key, Event::ConnectionAttemptTimeout(&address));
                net.time_out(key, place);
            }
            Step::Connected => connected(net, key),
        }
    }
    if let Some(entry) = net.sockets.get_mut(key) {
        entry.notes.remove(Note::Connect); // noted by a step, and followed by now
    }
}

/// Tells a socket that its connection stands.
pub(super) fn connected(net: &mut Net, key: Key) {
    event(net, key, Event::Connect);
    event_if_open(net, key, Event::Ready);
}

/// Asks a resolver for the addresses of a host.
fn resolve(net: &mut Net, asker: Target, asking: Asking) {
    let call = ResolverCall::begin(net, asker);
    let Asking {
        lookup,
        resolver,
        question,
        promise,
    } = asking;
    call.net.limit_lookup(lookup, resolver.deadline()); // the user's code, too
    resolver.resolve(call.net, question, promise);
    call.returned();
}

/// `drain` never comes once `end` or `destroy` was called (R42). If bytes wait again by now, it was
/// noted too early: it is noted once more when they are gone.
fn drain(net: &mut Net, key: Key) {
    let Some(entry) = net.sockets.get_mut(key) else {
        return;
    };
    let ended = entry.lifecycle.write_ended() && !planted!(DrainAfterEnd);
    let over = ended || entry.lifecycle.is_destroyed();
    if !over && (entry.queue.is_empty() || planted!(DrainWithBytesQueued)) {
        entry.flags.remove(Flags::NEED_DRAIN);
        event(net, key, Event::Drain);
        net.after_drain_told(key);
    }
}

fn error(net: &mut Net, key: Key) {
    let error = net
        .sockets
        .get(key)
        .and_then(|entry| entry.error().cloned());
    if let Some(error) = error {
        event(net, key, Event::Error(&error));
    }
}

/// Runs the write completions that are due, as many as there were when this began.
pub(super) fn completions(net: &mut Net, key: Key) {
    for _ in 0..net.completions(key) {
        let Some((run, outcome)) = net.next_completion(key) else {
            return;
        };
        let call = OtherCall::begin(net, key);
        run(call.net, outcome);
        call.returned();
    }
}

/// Runs what another thread has sent.
pub(super) fn mail(net: &mut Net, mail: Mail) {
    match mail {
        Mail::Run(run) => run(net),
        Mail::Answer(lookup, answer) => net.answer_lookup(lookup, answer),
        Mail::Host(number, answer) => net.host_is_back(number, answer),
        Mail::Done(key) => {
            if let Some(done) = net.take_offload(key) {
                done(net);
            }
        }
    }
}

/// Calls who listens to a signal that has come.
#[cfg(feature = "signal")]
pub(super) fn signal(net: &mut Net, key: Key, callback: crate::net::Every) {
    let mut call = SignalCall::begin(net, key, callback);
    if let Some(callback) = &mut call.callback {
        callback(call.net);
    }
}

/// Runs an immediate.
pub(super) fn immediate(net: &mut Net, run: Box<dyn FnOnce(&mut Net)>) {
    run(net);
}

/// Runs a timer that is due.
pub(super) fn timer(net: &mut Net, due: Due) {
    match due {
        Due::Once(run) => run(net),
        Due::Every(key, callback) => {
            let mut call = IntervalCall::begin(net, key, callback);
            if let Some(callback) = &mut call.callback {
                callback(call.net);
            }
            call.returned();
        }
    }
}

fn take_acceptor(net: &mut Net, key: Key) -> Option<BoxedAcceptor> {
    net.servers.get_mut(key)?.acceptor.take()
}
