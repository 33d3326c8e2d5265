//! The table in README.md: each rule has its tests, and the table says in which files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const RULES: u32 = 107;

/// Rules whose code is still to come. Whoever writes the first test of one takes it out.
const STILL_TO_COME: &[u32] = &[];

/// The files with tests of each rule, from the root of the crate.
fn tests() -> BTreeMap<u32, BTreeSet<String>> {
    let mut tests = BTreeMap::new();
    for folder in ["src", "tests/contract"] {
        read(Path::new(folder), &mut tests);
    }
    tests
}

fn read(folder: &Path, tests: &mut BTreeMap<u32, BTreeSet<String>>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            read(&path, tests);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(entry.path()).unwrap();
            for rule in source.lines().filter_map(rule_tested) {
                let files: &mut BTreeSet<String> = tests.entry(rule).or_default();
                files.insert(path.to_str().unwrap().to_owned());
            }
        }
    }
}

/// The rule in the name of a test: `fn r42_drain_comes_once() {`.
fn rule_tested(line: &str) -> Option<u32> {
    let name = line.trim_start().strip_prefix("fn r")?;
    name.split_once('_')?.0.parse().ok()
}

/// A rule's last column: its files, by links that work from this folder.
fn column(files: Option<&BTreeSet<String>>) -> String {
    let Some(files) = files else {
        return "still to come".into();
    };
    let links = files
        .iter()
        .map(|file| match file.strip_prefix("tests/contract/") {
            Some(here) => format!("[{here}]({here})"),
            None => format!("[{file}](../../{file})"),
        });
    links.collect::<Vec<String>>().join(", ")
}

#[test]
fn every_rule_has_a_test_and_the_table_says_where() {
    let tests = tests();
    let rows: BTreeMap<&str, &str> = include_str!("README.md")
        .lines()
        .filter_map(|line| {
            line.strip_prefix("| R")?
                .strip_suffix(" |")?
                .split_once(" | ")
        })
        .map(|(rule, rest)| (rule, rest.rsplit_once(" | ").expect("three columns").1))
        .collect();
    let mut wrong = Vec::new();
    for rule in 1..=RULES {
        let files = tests.get(&rule);
        match (files, STILL_TO_COME.contains(&rule)) {
            (None, false) => wrong.push(format!("R{rule} has no test: fn r{rule}_...")),
            (Some(_), true) => wrong.push(format!("R{rule} has a test: it came")),
            (Some(_), false) | (None, true) => {}
        }
        let due = column(files);
        if rows.get(&*rule.to_string()) != Some(&&*due) {
            wrong.push(format!("README.md, last column of R{rule}: {due}"));
        }
    }
    assert_eq!(rows.len(), RULES as usize, "a row for each rule");
    assert!(
        tests.keys().all(|rule| (1..=RULES).contains(rule)),
        "{:?}",
        tests.keys()
    );
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
