//! What an actor saw, as lines: `WHO WHAT`.
//!
//! Actors run side by side, so the order between two of them is nobody's promise: a trace is kept
//! and compared actor by actor.

use crate::support::pattern;
use netloop::{Address, SocketId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

/// How soon the bytes of `pattern` repeat.
const PERIOD: usize = 251;

/// The lines of each actor.
pub(crate) type Trace = BTreeMap<String, Vec<String>>;

/// Reads lines of `WHO WHAT`.
pub(crate) fn parse(text: &str) -> Trace {
    let mut trace = Trace::new();
    for line in text.lines() {
        let (who, what) = line.split_once(' ').expect("WHO WHAT");
        trace.entry(who.into()).or_default().push(what.into());
    }
    trace
}

/// Where all actors of a stage write what they see.
#[derive(Clone, Default)]
pub(crate) struct Notebook(Rc<RefCell<Pages>>);

#[derive(Default)]
struct Pages {
    trace: Trace,
    /// Data that came in a row, however it was cut.
    runs: BTreeMap<String, Run>,
    sockets: BTreeMap<String, SocketId>,
    /// Where the scenario's server listens. Ports and directories are other ones in each run, so
    /// traces say PORT and DIRECTORY.
    place: Option<Address>,
    directory: String,
}

impl Notebook {
    pub(crate) fn new(directory: &Path) -> Notebook {
        let notebook = Notebook::default();
        notebook.0.borrow_mut().directory = directory.display().to_string();
        notebook
    }

    pub(crate) fn set_place(&self, place: Address) {
        self.0.borrow_mut().place = Some(place);
    }

    pub(crate) fn place(&self) -> Address {
        self.0.borrow().place.clone().expect("the server listens")
    }

    pub(crate) fn say(&self, who: &str, what: &str) {
        let mut pages = self.0.borrow_mut();
        let what = pages.hide(what);
        pages.end_run(who);
        pages.trace.entry(who.into()).or_default().push(what);
    }

    pub(crate) fn enter(&self, who: &str, socket: SocketId) {
        self.0.borrow_mut().sockets.insert(who.into(), socket);
    }

    pub(crate) fn socket(&self, who: &str) -> SocketId {
        self.0.borrow().sockets[who]
    }

    pub(crate) fn read(&self, who: &str, text: &str) {
        let mut pages = self.0.borrow_mut();
        pages.runs.entry(who.into()).or_default().read(text);
    }

    pub(crate) fn heard(&self, who: &str, chunk: &[u8]) {
        let mut pages = self.0.borrow_mut();
        pages.runs.entry(who.into()).or_default().add(chunk);
    }

    /// The trace, complete.
    pub(crate) fn close(self) -> Trace {
        let mut pages = self.0.borrow_mut();
        let running: Vec<String> = pages.runs.keys().cloned().collect();
        for who in running {
            pages.end_run(&who);
        }
        pages.trace.clone()
    }
}

impl Pages {
    fn hide(&self, what: &str) -> String {
        let what = what.replace(&self.directory, "DIRECTORY/");
        match self.place.as_ref().and_then(Address::port) {
            Some(port) => what.replace(&format!(":{port}"), ":PORT"),
            None => what,
        }
    }

    fn end_run(&mut self, who: &str) {
        if let Some(run) = self.runs.remove(who) {
            self.trace.entry(who.into()).or_default().push(run.words());
        }
    }
}

/// Bytes, or text of a socket with an encoding.
#[derive(Default)]
struct Run {
    bytes: usize,
    stray: bool,
    text: String,
    decoded: bool,
}

impl Run {
    fn add(&mut self, chunk: &[u8]) {
        let due = pattern(self.bytes % PERIOD + chunk.len());
        self.stray |= !due.ends_with(chunk);
        self.bytes += chunk.len();
        if self.bytes <= 32 {
            self.text.extend(chunk.iter().copied().map(char::from));
        }
    }

    fn read(&mut self, text: &str) {
        self.decoded = true;
        self.text.push_str(text);
    }

    fn words(self) -> String {
        if self.decoded {
            let codes = self
                .text
                .chars()
                .map(|char| format!(" {:x}", u32::from(char)));
            return format!("text{}", codes.collect::<String>());
        }
        match (self.bytes, self.stray) {
            (..=32, _) => format!("data '{}'", self.text),
            (bytes, false) => format!("data of {bytes} bytes"),
            (bytes, true) => format!("data of {bytes} bytes, not those of the pattern"),
        }
    }
}

/// Two traces as one text: a line of both after a space, one of Node's after a minus, one of
/// netloop's after a plus. Empty if they are the same.
pub(crate) fn difference(node: &Trace, netloop: &Trace) -> String {
    let mut text = String::new();
    let mut names: Vec<&String> = node.keys().chain(netloop.keys()).collect();
    names.sort();
    names.dedup();
    let none = Vec::new();
    for who in names {
        let of = |trace: &'_ Trace| trace.get(who).unwrap_or(&none).clone();
        let (node, netloop) = (of(node), of(netloop));
        if node != netloop {
            for (mark, what) in merge(&node, &netloop) {
                text.push_str(format!("{mark}{who} {what}").trim_end());
                text.push('\n');
            }
        }
    }
    text
}

/// The shortest way from one list to another: what both have in order is kept.
fn merge<'a>(old: &'a [String], new: &'a [String]) -> Vec<(char, &'a str)> {
    // common[i][j]: how many lines old[i..] and new[j..] have in common, in order.
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = match old[i] == new[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push((' ', &*old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || i < old.len() && common[i + 1][j] >= common[i][j + 1] {
            lines.push(('-', &*old[i]));
            i += 1;
        } else {
            lines.push(('+', &*new[j]));
            j += 1;
        }
    }
    lines
}
