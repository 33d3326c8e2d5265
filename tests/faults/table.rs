//! The table in README.md: each of its faults has a test, in each of the files that the table names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The files with tests of each fault, from the root of the crate.
fn read(folder: &Path, tests: &mut BTreeMap<String, BTreeSet<String>>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            if entry.file_name() != "target" {
                read(&path, tests);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(entry.path()).unwrap();
            for fault in source.lines().flat_map(faults_tested) {
                let files: &mut BTreeSet<String> = tests.entry(fault).or_default();
                files.insert(path.to_str().unwrap().to_owned());
            }
        }
    }
}

/// The faults in the name of a test: `fn g2_g7_destroy_closes_at_once() {`.
fn faults_tested(line: &str) -> impl Iterator<Item = String> {
    let name = line.trim_start().strip_prefix("fn ").unwrap_or_default();
    let words = name.split('_').take_while(|word| {
        let (group, number) = word.split_at(usize::from(!word.is_empty()));
        group.bytes().all(|it| it.is_ascii_lowercase()) && number.parse::<u32>().is_ok()
    });
    words.map(str::to_uppercase)
}

/// False for a file in another workspace where only the package is: it has its own files alone.
fn is_packed(link: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    !link.starts_with("[tests/loom/") || root.join("tests/loom").exists()
}

/// A link to a file that works from this folder.
fn link(file: &str) -> String {
    match file.strip_prefix("tests/faults/") {
        Some(here) => format!("[{here}]({here})"),
        None => format!("[{file}](../../{file})"),
    }
}

#[test]
fn every_fault_of_the_table_has_a_test_and_the_table_says_where() {
    let mut tests = BTreeMap::new();
    for folder in ["src", "tests"] {
        read(Path::new(folder), &mut tests);
    }
    let rows = include_str!("README.md").lines().filter_map(|line| {
        let (fault, rest) = line
            .strip_prefix("| ")?
            .strip_suffix(" |")?
            .split_once(" | ")?;
        Some((fault, rest.rsplit_once(" | ")?.1)).filter(|_| fault != "fault")
    });
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (fault, said) in rows {
        count += 1;
        let files = tests.get(fault).into_iter().flatten();
        let due: Vec<String> = files.map(|file| link(file)).collect();
        let mut said_links = said.split(", ").filter(|link| is_packed(link));
        if !said_links.all(|link| due.iter().any(|it| it == link)) {
            wrong.push(format!("{fault} is not tested in {said}, but in {due:?}"));
        }
    }
    assert_eq!(count, 13 + 8 + 9 + 11, "a fault of B, G, H or L has no row");
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
