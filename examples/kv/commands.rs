//! What each command does. What it says is what Redis 7 says, where a client would look at it.

use crate::common;
use crate::resp::{self, array, bulk, error, integer, nil, simple};
use crate::store::Store;
use bytes::Bytes;
use netloop::Socket;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
const SYNTAX: &str = "ERR syntax error";

/// All commands, to tell one that is unknown from one with the wrong arguments.
const NAMES: &[&[u8]] = &[
    b"client",
    b"command",
    b"config",
    b"dbsize",
    b"del",
    b"echo",
    b"exists",
    b"expire",
    b"flushall",
    b"get",
    b"incr",
    b"info",
    b"ping",
    b"quit",
    b"select",
    b"set",
    b"ttl",
];

/// Carries out a request and answers it. An empty one has no answer.
pub(crate) fn run(store: &Store, socket: &mut Socket<'_>, request: &[&[u8]]) {
    let [name, arguments @ ..] = request else {
        return;
    };
    let mut buffer = [0; 16];
    let lower = lower_case(name, &mut buffer);
    match (lower, arguments) {
        (b"get", [key]) => get(store, socket, key),
        (b"set", [key, value, options @ ..]) => set(store, socket, key, value, options),
        (b"incr", [key]) => incr(store, socket, key),
        (b"del", [_, ..]) => {
            let removed = arguments
                .iter()
                .filter(|key| store.remove(socket.net(), key));
            let removed = removed.count() as i64;
            integer(socket, removed);
        }
        (b"exists", [_, ..]) => {
            let now = socket.net().now();
            let found = arguments.iter().filter(|key| store.contains(now, key));
            let found = found.count() as i64;
            integer(socket, found);
        }
        (b"expire", [key, seconds]) => expire(store, socket, key, seconds),
        (b"ttl", [key]) => {
            let left = match store.time_to_live(socket.net(), key) {
                Some(Some(left)) => ((left.as_millis() + 500) / 1000) as i64,
                Some(None) => -1,
                None => -2,
            };
            integer(socket, left);
        }
        (b"dbsize", []) => integer(socket, store.len() as i64),
        (b"flushall", []) => {
            store.clear(socket.net());
            simple(socket, "OK");
        }
        (b"ping", []) => simple(socket, "PONG"),
        (b"ping" | b"echo", [message]) => bulk(socket, message),
        (b"select", [index]) => match integer_of(index) {
            Some(0) => simple(socket, "OK"),
            Some(_) => error(socket, "ERR DB index is out of range"),
            None => error(socket, NOT_AN_INTEGER),
        },
        (b"quit", _) => {
            simple(socket, "OK");
            common::take_leave(socket);
        }
        (b"info", _) => info(store, socket),
        (b"config", [word, names @ ..])
            if word.eq_ignore_ascii_case(b"get") && !names.is_empty() =>
        {
            config_get(socket, names);
        }
        (b"client", [word, ..]) => match lower_case(word, &mut [0; 16]) {
            // They are for lists that nobody can ask for here.
            b"setname" | b"setinfo" => simple(socket, "OK"),
            b"getname" => nil(socket),
            _ => unknown_subcommand(socket, word),
        },
        (b"command", _) => array(socket, 0), // clients that would like to know do without
        (b"config", [word, ..]) => unknown_subcommand(socket, word),
        _ if NAMES.contains(&lower) => {
            let name = String::from_utf8_lossy(lower);
            error(
                socket,
                &format!("ERR wrong number of arguments for '{name}' command"),
            );
        }
        _ => unknown(socket, name, arguments),
    }
}

fn get(store: &Store, socket: &mut Socket<'_>, key: &[u8]) {
    let now = socket.net().now();
    store.get(now, key, |value| match value {
        Some(value) => resp::shared(socket, value),
        None => nil(socket),
    });
}

fn set(store: &Store, socket: &mut Socket<'_>, key: &[u8], value: &[u8], options: &[&[u8]]) {
    let (mut only_if, mut lives) = (None, None);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let unit = match lower_case(option, &mut [0; 16]) {
            b"nx" if only_if.is_none() => {
                only_if = Some(false);
                continue;
            }
            b"xx" if only_if.is_none() => {
                only_if = Some(true);
                continue;
            }
            b"ex" if lives.is_none() => 1000,
            b"px" if lives.is_none() => 1,
            _ => return error(socket, SYNTAX),
        };
        let Some(number) = options.next() else {
            return error(socket, SYNTAX);
        };
        let Some(number) = integer_of(number) else {
            return error(socket, NOT_AN_INTEGER);
        };
        match millis_of(number, unit) {
            Some(millis @ 1..) => lives = Some(Duration::from_millis(millis as u64)),
            _ => return error(socket, "ERR invalid expire time in 'set' command"),
        }
    }
    let net = socket.net();
    if only_if.is_some_and(|there| store.contains(net.now(), key) != there) {
        return nil(socket);
    }
    store.set(net, key, Bytes::copy_from_slice(value));
    if let Some(after) = lives {
        store.expire(net, key, after);
    }
    simple(socket, "OK");
}

fn incr(store: &Store, socket: &mut Socket<'_>, key: &[u8]) {
    let now = socket.net().now();
    let before = store.get(now, key, |value| {
        value.map_or(Some(0), |value| integer_of(value))
    });
    let Some(before) = before else {
        return error(socket, NOT_AN_INTEGER);
    };
    let Some(after) = before.checked_add(1) else {
        return error(socket, "ERR increment or decrement would overflow");
    };
    store.replace(socket.net(), key, after.to_string().into());
    integer(socket, after);
}

fn expire(store: &Store, socket: &mut Socket<'_>, key: &[u8], seconds: &[u8]) {
    let Some(seconds) = integer_of(seconds) else {
        return error(socket, NOT_AN_INTEGER);
    };
    let Some(millis) = millis_of(seconds, 1000) else {
        return error(socket, "ERR invalid expire time in 'expire' command");
    };
    let net = socket.net();
    let found = match millis {
        1.. => store.expire(net, key, Duration::from_millis(millis as u64)),
        _ => store.remove(net, key), // its time is over
    };
    integer(socket, found.into());
}

/// So many units in milliseconds, if the moment that is so far from now is one that Redis can name: its
/// moments are milliseconds since 1970, in 64 bits.
fn millis_of(number: i64, unit: i64) -> Option<i64> {
    let millis = number.checked_mul(unit)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let moment = i64::try_from(now.as_millis()).ok()?.checked_add(millis);
    moment.map(|_| millis)
}

fn info(store: &Store, socket: &mut Socket<'_>) {
    let net = socket.net();
    let (seconds, turns) = (net.now().as_secs(), net.stats().turns);
    let text = format!(
        "# Server\r\nserver_name:netloop-kv\r\nuptime_in_seconds:{seconds}\r\nturns:{turns}\r\n\
         \r\n# Keyspace\r\ndb0:keys={}\r\n",
        store.len()
    );
    bulk(socket, text.as_bytes());
}

/// `redis-benchmark` prints these, so they say what is so: nothing is ever saved.
fn config_get(socket: &mut Socket<'_>, names: &[&[u8]]) {
    let known = |name: &&&[u8]| matches!(lower_case(name, &mut [0; 16]), b"save" | b"appendonly");
    array(socket, 2 * names.iter().filter(known).count() as i64);
    for name in names.iter().filter(known) {
        bulk(socket, name);
        bulk(socket, if name.len() == 4 { b"" } else { b"no" });
    }
}

fn unknown(socket: &mut Socket<'_>, name: &[u8], arguments: &[&[u8]]) {
    let quoted = |word: &[u8]| {
        format!(
            "'{}'",
            String::from_utf8_lossy(&word[..word.len().min(128)])
        )
    };
    let arguments = arguments.iter().take(4).map(|word| quoted(word) + " ");
    let arguments: String = arguments.collect();
    let name = quoted(name);
    error(
        socket,
        &format!("ERR unknown command {name}, with args beginning with: {arguments}"),
    );
}

fn unknown_subcommand(socket: &mut Socket<'_>, word: &[u8]) {
    let word = String::from_utf8_lossy(&word[..word.len().min(128)]);
    error(socket, &format!("ERR unknown subcommand '{word}'."));
}

/// A word in lower case; empty if it is longer than the buffer, and any command.
fn lower_case<'a>(word: &[u8], buffer: &'a mut [u8; 16]) -> &'a [u8] {
    let Some(copy) = buffer.get_mut(..word.len()) else {
        return b"";
    };
    copy.copy_from_slice(word);
    copy.make_ascii_lowercase();
    copy
}

/// An integer as Redis reads one: in the one way in which it would be written.
fn integer_of(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let plain = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', ..] => true,
        _ => false,
    };
    std::str::from_utf8(text)
        .ok()
        .filter(|_| plain)?
        .parse()
        .ok()
}
