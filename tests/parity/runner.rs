//! Plays a scenario with every cast, and compares.
//!
//! Whoever plays a part has to play it the same, whoever the others are: Node's client with our
//! server as with Node's own. Between Node and netloop a part is the same unless DIFFERENCES.md
//! says how it is not.

use crate::differences;
use crate::node::{self, Player};
use crate::stage::Stage;
use crate::support::{Directory, black_hole, refusing};
use crate::trace::{Trace, difference};
use netloop::Address;
use std::path::Path;

/// In a scenario for one nobody answers at its port there.
pub(crate) const SILENT: [u8; 4] = [127, 0, 0, 9];

/// A file of scenarios: GROUP.rs here, and GROUP.js for Node.
pub(crate) struct Group(pub(crate) &'static str);

impl Group {
    /// A scenario of a server and a client: both by Node, both by netloop, and mixed.
    #[track_caller]
    pub(crate) fn pair(
        &self,
        name: &'static str,
        server: impl Fn(&mut Stage),
        client: impl Fn(&mut Stage),
    ) {
        let Some(node) = node::found() else {
            return;
        };
        let scenario = (self.0, name);
        let directory = Directory::new();
        let all_node = Player::start(node, scenario, "both", &directory.path(""), None).finish();
        let all_ours = ours(|stage| {
            server(stage);
            client(stage);
        });
        compare(name, &all_node, &all_ours);

        let (theirs, ours) = our_server(node, scenario, server);
        played_as_before("our server", [(&ours, &all_ours), (&theirs, &all_node)]);
        let (theirs, ours) = our_client(node, scenario, client);
        played_as_before("our client", [(&ours, &all_ours), (&theirs, &all_node)]);
    }

    /// A scenario in which one side is all there is.
    #[track_caller]
    pub(crate) fn solo(&self, name: &'static str, part: impl Fn(&mut Stage)) {
        let Some(node) = node::found() else {
            return;
        };
        let (_kept, nobody) = refusing();
        let _kept = black_hole(SILENT, nobody.port());
        let nobody = Address::from(nobody);
        let directory = Directory::new();
        let player = Player::start(
            node,
            (self.0, name),
            "solo",
            &directory.path(""),
            Some(&nobody),
        );
        let all_node = player.finish();
        let all_ours = ours(|stage| {
            stage.set_place(nobody.clone());
            part(stage);
        });
        compare(name, &all_node, &all_ours);
    }
}

fn ours(play: impl FnOnce(&mut Stage)) -> Trace {
    let directory = Directory::new();
    let mut stage = Stage::new(directory.path(""));
    play(&mut stage);
    stage.run()
}

fn our_server(node: &Path, scenario: (&str, &str), server: impl Fn(&mut Stage)) -> (Trace, Trace) {
    let directory = Directory::new();
    let mut stage = Stage::new(directory.path(""));
    server(&mut stage);
    let place = stage.place();
    let player = Player::start(node, scenario, "client", &directory.path(""), Some(&place));
    let ours = stage.run();
    (player.finish(), ours)
}

fn our_client(node: &Path, scenario: (&str, &str), client: impl Fn(&mut Stage)) -> (Trace, Trace) {
    let directory = Directory::new();
    let mut player = Player::start(node, scenario, "server", &directory.path(""), None);
    let mut stage = Stage::new(directory.path(""));
    stage.set_place(player.place());
    client(&mut stage);
    let ours = stage.run();
    (player.finish(), ours)
}

#[track_caller]
fn compare(name: &str, node: &Trace, ours: &Trace) {
    println!("{name}, played by Node: {node:#?}"); // shown by --nocapture
    let found = difference(node, ours);
    let meant = differences::of(name);
    assert!(
        found == meant,
        "{name}: Node (-) and netloop (+) differ:\n{found}DIFFERENCES.md says:\n{meant}"
    );
}

/// Compares what either side saw with what it saw when it played with its like.
#[track_caller]
fn played_as_before(cast: &str, sides: [(&Trace, &Trace); 2]) {
    let mut actors = 0;
    for (now, before) in sides {
        let mut before = before.clone();
        before.retain(|actor, _| now.contains_key(actor));
        let found = difference(&before, now);
        assert!(
            found.is_empty(),
            "{cast}: with its like (-) and now (+):\n{found}"
        );
        actors += now.len();
    }
    assert_eq!(actors, sides[0].1.len(), "{cast}: not everybody has come");
}
