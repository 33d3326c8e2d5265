//! Who is compared.

use crate::scenario::Mode;

#[derive(Debug)]
pub(super) struct Contestant {
    pub(super) name: &'static str,
    pub(super) recipe: Recipe,
}

/// How the server is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recipe {
    /// The library's own example `echo`.
    Netloop,
    /// A program of `src/bin/`, built on that crate, with arguments of its own.
    Rust {
        program: &'static str,
        on: &'static str,
        words: &'static [&'static str],
    },
    Libuv,
    Node,
}

const fn rust(name: &'static str, program: &'static str, on: &'static str) -> Contestant {
    let recipe = Recipe::Rust {
        program,
        on,
        words: &[],
    };
    Contestant { name, recipe }
}

/// In the order in which they are shown.
pub(super) const ALL: [Contestant; 7] = [
    Contestant {
        name: "netloop",
        recipe: Recipe::Netloop,
    },
    rust("epoll", "echo_epoll", "rustix"),
    Contestant {
        name: "epoll-gather",
        recipe: Recipe::Rust {
            program: "echo_epoll",
            on: "rustix",
            words: &["--gather"],
        },
    },
    rust("mio", "echo_mio", "mio"),
    rust("tokio", "echo_tokio", "tokio"),
    Contestant {
        name: "libuv",
        recipe: Recipe::Libuv,
    },
    Contestant {
        name: "node",
        recipe: Recipe::Node,
    },
];

pub(super) fn by_name(name: &str) -> Option<&'static Contestant> {
    ALL.iter().find(|contestant| contestant.name == name)
}

impl Contestant {
    /// One that gathers differs from its twin with lines only.
    pub(super) fn plays(&self, mode: Mode) -> bool {
        match self.recipe {
            Recipe::Rust { words, .. } => words.is_empty() || mode == Mode::Lines,
            Recipe::Netloop | Recipe::Libuv | Recipe::Node => true,
        }
    }
}
