//! Whoever looks for a name of Node's in the documentation finds what it became here.
//!
//! The list is Node's documentation of `net` (and what of streams a socket has), without what is
//! there for JavaScript only. A name is found if it is the item's own, `on_` before it for an event,
//! or one of its `#[doc(alias)]`. The page `from_node` of the book has the same list, made by
//!
//! ```sh
//! NETLOOP_WRITE_BOOK=1 cargo test --test book --test node_names -- --test-threads=1
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What a name of Node's became.
#[derive(Clone, Copy)]
enum Became {
    /// This item: of the section's type, or by its path.
    Here(&'static str),
    /// Nothing, for this reason.
    Absent(&'static str),
}
use Became::{Absent, Here};

/// A type, or none for what stands alone, and names of Node's that belong there.
type Section = (&'static str, &'static [(&'static str, Became)]);

const LISTEN_POSITIONAL: Became =
    Absent("goes before the options: `ListenOptions::from((host, port))`");
const CONNECT_POSITIONAL: Became =
    Absent("goes before the options: `ConnectOptions::from((host, port))`");
const CLOSE_OR_DESTROY: Became =
    Absent("call `Server::close` or `Socket::destroy_with` where the signal is noticed");
const NO_ASYNC: Became = Absent("for async code, which netloop is not for");

#[rustfmt::skip]
const NAMES: &[Section] = &[
    ("", &[
        ("createServer", Here("Net::listen")),
        ("connect", Here("Net::connect")),
        ("createConnection", Here("Net::connect")),
        ("Server", Here("Server")),
        ("Socket", Here("Socket")),
        ("BlockList", Here("BlockList")),
        ("SocketAddress", Here("Address")),
        ("BoundSocket", Here("ListenOptions")),
        ("hints", Here("Question")),
        ("isIP", Here("is_ip")),
        ("isIPv4", Here("is_ipv4")),
        ("isIPv6", Here("is_ipv6")),
        ("getDefaultAutoSelectFamily", Here("Net::default_auto_select_family")),
        ("setDefaultAutoSelectFamily", Here("Net::set_default_auto_select_family")),
        ("getDefaultAutoSelectFamilyAttemptTimeout", Here("Net::default_auto_select_family_attempt_timeout")),
        ("setDefaultAutoSelectFamilyAttemptTimeout", Here("Net::set_default_auto_select_family_attempt_timeout")),
        ("promises", NO_ASYNC),
        ("diagnostics_channel", Absent("the log has a line for each change in a socket's life")),
    ]),
    ("ListenOptions", &[
        ("port", LISTEN_POSITIONAL),
        ("host", LISTEN_POSITIONAL),
        ("path", Here("path")),
        ("fd", Here("ListenOptions")),
        ("backlog", Here("backlog")),
        ("reusePort", Here("reuse_port")),
        ("ipv6Only", Here("ipv6_only")),
        ("readableAll", Here("readable_all")),
        ("writableAll", Here("writable_all")),
        ("signal", CLOSE_OR_DESTROY),
        ("allowHalfOpen", Here("allow_half_open")),
        ("pauseOnConnect", Here("pause_on_connect")),
        ("noDelay", Here("no_delay")),
        ("keepAlive", Here("keep_alive")),
        ("keepAliveInitialDelay", Here("keep_alive_initial_delay")),
        ("highWaterMark", Here("high_water_mark")),
        ("blockList", Here("block_list")),
    ]),
    ("Acceptor", &[
        ("listening", Here("on_listening")),
        ("connection", Here("on_connection")),
        ("close", Here("on_close")),
        ("error", Here("on_error")),
        ("drop", Here("on_drop")),
    ]),
    ("Server", &[
        ("listen", Here("Net::listen")),
        ("address", Here("address")),
        ("close", Here("close")),
        ("getConnections", Here("connections")),
        ("listening", Here("listening")),
        ("maxConnections", Here("max_connections")),
        ("ref", Here("ref")),
        ("unref", Here("unref")),
        ("asyncIterator", NO_ASYNC),
    ]),
    ("ConnectOptions", &[
        ("port", CONNECT_POSITIONAL),
        ("host", CONNECT_POSITIONAL),
        ("path", Here("path")),
        ("fd", Here("Net::adopt")),
        ("handle", Here("Net::adopt")),
        ("localAddress", Here("local_address")),
        ("localPort", Here("local_port")),
        ("family", Here("family")),
        ("lookup", Here("resolver")),
        ("autoSelectFamily", Here("auto_select_family")),
        ("autoSelectFamilyAttemptTimeout", Here("auto_select_family_attempt_timeout")),
        ("timeout", Here("timeout")),
        ("noDelay", Here("no_delay")),
        ("keepAlive", Here("keep_alive")),
        ("keepAliveInitialDelay", Here("keep_alive_initial_delay")),
        ("typeOfService", Here("type_of_service")),
        ("allowHalfOpen", Here("allow_half_open")),
        ("highWaterMark", Here("high_water_mark")),
        ("writableHighWaterMark", Here("high_water_mark")),
        ("readableHighWaterMark", Absent("reads go to one buffer of the loop's, and wait in the kernel")),
        ("onread", Here("Handler::on_data")),
        ("blockList", Here("block_list")),
        ("signal", CLOSE_OR_DESTROY),
    ]),
    ("Handler", &[
        ("lookup", Here("on_lookup")),
        ("connectionAttempt", Here("on_connection_attempt")),
        ("connectionAttemptFailed", Here("on_connection_attempt_failed")),
        ("connectionAttemptTimeout", Here("on_connection_attempt_timeout")),
        ("connect", Here("on_connect")),
        ("ready", Here("on_ready")),
        ("data", Here("on_data")),
        ("end", Here("on_end")),
        ("drain", Here("on_drain")),
        ("finish", Here("on_finish")),
        ("timeout", Here("on_timeout")),
        ("error", Here("on_error")),
        ("close", Here("on_close")),
    ]),
    ("Socket", &[
        ("connect", Here("Net::connect")),
        ("write", Here("write")),
        ("end", Here("end")),
        ("destroy", Here("destroy")),
        ("destroySoon", Here("destroy_soon")),
        ("resetAndDestroy", Here("reset_and_destroy")),
        ("pause", Here("pause")),
        ("resume", Here("resume")),
        ("isPaused", Here("is_paused")),
        ("setEncoding", Here("set_encoding")),
        ("unshift", Here("unread")),
        ("pipe", Here("Net::pipe")),
        ("setTimeout", Here("set_timeout")),
        ("timeout", Here("timeout")),
        ("setNoDelay", Here("set_no_delay")),
        ("setKeepAlive", Here("set_keep_alive")),
        ("getTypeOfService", Here("type_of_service")),
        ("setTypeOfService", Here("set_type_of_service")),
        ("cork", Here("cork")),
        ("uncork", Here("uncork")),
        ("writableCorked", Here("writable_corked")),
        ("writableLength", Here("buffer_size")),
        ("bufferSize", Here("buffer_size")),
        ("writableNeedDrain", Here("writable_need_drain")),
        ("writableHighWaterMark", Here("writable_high_water_mark")),
        ("writableEnded", Here("writable_ended")),
        ("writableFinished", Here("writable_finished")),
        ("readableEnded", Here("readable_ended")),
        ("bytesRead", Here("bytes_read")),
        ("bytesWritten", Here("bytes_written")),
        ("readyState", Here("ready_state")),
        ("connecting", Here("connecting")),
        ("pending", Here("pending")),
        ("destroyed", Here("destroyed")),
        ("readable", Here("readable")),
        ("writable", Here("writable")),
        ("errored", Here("errored")),
        ("closed", Here("closed")),
        ("address", Here("address")),
        ("localAddress", Here("local_address")),
        ("localPort", Here("local_port")),
        ("localFamily", Here("local_family")),
        ("remoteAddress", Here("remote_address")),
        ("remotePort", Here("remote_port")),
        ("remoteFamily", Here("remote_family")),
        ("autoSelectFamilyAttemptedAddresses", Here("auto_select_family_attempted_addresses")),
        ("ref", Here("ref")),
        ("unref", Here("unref")),
        ("server", Here("server")),
    ]),
    ("BlockList", &[
        ("addAddress", Here("add_address")),
        ("addAddresses", Here("add_addresses")),
        ("addRange", Here("add_range")),
        ("addSubnet", Here("add_subnet")),
        ("addCIDR", Here("add_cidr")),
        ("addCIDRs", Here("add_cidrs")),
        ("removeAddress", Here("remove_address")),
        ("removeRange", Here("remove_range")),
        ("removeSubnet", Here("remove_subnet")),
        ("removeCIDR", Here("remove_cidr")),
        ("clear", Here("clear")),
        ("size", Here("len")),
        ("check", Here("check")),
        ("rules", Here("rules")),
        ("toJSON", Here("rules")),
        ("fromJSON", Here("BlockList")),
        ("isBlockList", Here("BlockList")),
        ("PRIVATE_RANGES", Here("PRIVATE_RANGES")),
    ]),
    ("Address", &[
        ("address", Here("ip")),
        ("family", Here("family")),
        ("port", Here("port")),
        ("flowlabel", Here("as_inet")),
        ("parse", Here("Address")),
    ]),
];

/// The aliases of each public item: `connect` of `Net` is "Net::connect".
fn items() -> BTreeMap<String, BTreeSet<String>> {
    let mut items = BTreeMap::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut items,
    );
    items
}

fn read(folder: &Path, items: &mut BTreeMap<String, BTreeSet<String>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            read(&entry.path(), items);
        } else {
            collect(&fs::read_to_string(entry.path()).unwrap(), items);
        }
    }
}

/// Reads one source as rustfmt has left it: a scope begins and ends at the margin.
fn collect(source: &str, items: &mut BTreeMap<String, BTreeSet<String>>) {
    let (mut scope, mut aliases) = (String::new(), BTreeSet::new());
    for line in source.lines() {
        let code = line.trim_start();
        if let Some(alias) = code.strip_prefix("#[doc(alias = \"") {
            aliases.insert(alias.split('"').next().unwrap().to_owned());
        } else if line.starts_with('}') {
            scope.clear();
        } else if let Some(rest) = line.strip_prefix("impl") {
            scope = implemented(rest).to_owned();
        } else if let Some(name) = declared(code) {
            let path = match (scope.is_empty(), line.starts_with(' ')) {
                (false, true) => format!("{scope}::{name}"),
                (_, false) => name.to_owned(),
                (true, true) => continue, // in a macro, or a function
            };
            let of = items.entry(path).or_default();
            of.append(&mut aliases);
            if code.starts_with("pub trait") {
                scope = name.to_owned();
            }
        } else if !code.starts_with("#[") && !code.starts_with("//") {
            aliases.clear();
        }
    }
}

/// The type of `impl<'net> Socket<'net> {`; none of a trait's.
fn implemented(rest: &str) -> &str {
    let rest = match rest.strip_prefix('<') {
        Some(generic) => generic.split_once("> ").map_or("", |(_, rest)| rest),
        None => rest,
    };
    match rest.contains(" for ") {
        true => "",
        false => identifier(rest.trim_start()),
    }
}

/// The name of what a line declares for others to use.
fn declared(code: &str) -> Option<&str> {
    let rest = code.strip_prefix("pub ").unwrap_or(code);
    let kinds: &[&str] = match code.starts_with("pub ") {
        true => &[
            "const fn ",
            "fn ",
            "struct ",
            "enum ",
            "trait ",
            "const ",
            "type ",
        ],
        false => &["fn on_"], // of a trait
    };
    let kind = kinds.iter().find(|kind| rest.starts_with(**kind))?;
    let name = match code.starts_with("pub ") {
        true => &rest[kind.len()..],
        false => &rest["fn ".len()..],
    };
    Some(identifier(name.strip_prefix("r#").unwrap_or(name)))
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

fn path(scope: &str, item: &str) -> String {
    match scope.is_empty() || item.contains("::") || item == scope {
        true => item.to_owned(),
        false => format!("{scope}::{item}"),
    }
}

#[test]
fn every_name_of_nodes_is_found_or_has_a_reason_not_to_be() {
    let items = items();
    let mut wrong = Vec::new();
    for (scope, names) in NAMES {
        for (name, became) in *names {
            match became {
                Here(item) => {
                    let path = path(scope, item);
                    let own = item.rsplit("::").next().unwrap();
                    let named_so = own == *name || own.strip_prefix("on_") == Some(*name);
                    match items.get(&path) {
                        None => wrong.push(format!("{name}: there is no {path}")),
                        Some(aliases) if named_so || aliases.contains(*name) => {}
                        Some(_) => wrong.push(format!("#[doc(alias = \"{name}\")] on {path}")),
                    }
                }
                Absent(reason) => assert!(!reason.is_empty()),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// What the page calls a section.
fn title(scope: &str) -> &'static str {
    match scope {
        "" => "The module `net`",
        "ListenOptions" => "Options of `createServer` and `listen`",
        "Acceptor" => "Events of a server",
        "Server" => "`net.Server`",
        "ConnectOptions" => "Options of `connect` and `new Socket`",
        "Handler" => "Events of a socket",
        "Socket" => "`net.Socket`",
        "BlockList" => "`net.BlockList`",
        "Address" => "`net.SocketAddress`",
        other => panic!("the page has no title for {other}"),
    }
}

/// The list as the page has it.
fn listed() -> String {
    let mut text = String::new();
    for (scope, names) in NAMES {
        text += &format!("\n## {}\n\n| Node | netloop |\n|---|---|\n", title(scope));
        for (name, became) in *names {
            let here = match became {
                Here(item) => {
                    let path = path(scope, item);
                    format!("[`{path}`](crate::{path})")
                }
                Absent(reason) => format!("— {reason}"),
            };
            text += &format!("| `{name}` | {here} |\n");
        }
    }
    text
}

#[test]
fn the_page_for_those_who_come_from_node_has_the_same_list() {
    const BEGIN: &str = "<!-- The list, made by tests/node_names.rs. -->\n";
    const END: &str = "\n<!-- The end of the list. -->\n";

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/book/from_node.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("where the list begins");
    let (_, after) = rest.split_once(END).expect("where the list ends");
    let due = [before, BEGIN, &listed(), END, after].concat();
    if std::env::var_os("NETLOOP_WRITE_BOOK").is_some() {
        return fs::write(&page, due).unwrap();
    }
    let mut pairs = text.lines().zip(due.lines());
    let first = pairs.find(|(said, due)| said != due);
    assert_eq!(first, None, "the page, and what it should say");
    assert_eq!(text.len(), due.len());
}
