//! DIFFERENCES.md, as the runner reads it: under the name of a scenario, how the traces differ.

const DIFFERENCES: &str = include_str!("DIFFERENCES.md");

/// What is meant to differ in a scenario, as `trace::difference` writes it; empty: nothing.
pub(crate) fn of(scenario: &str) -> String {
    let heading = format!("## {scenario}\n");
    let Some((_, section)) = DIFFERENCES.split_once(&heading) else {
        return String::new();
    };
    let section = section.split("\n## ").next().unwrap_or(section);
    let block = section.split_once("```diff\n");
    let (_, block) = block.unwrap_or_else(|| panic!("no diff under {scenario}"));
    let (block, _) = block.split_once("```").expect("the end of the block");
    block.to_owned()
}

/// The scenarios that have a section.
pub(crate) fn listed() -> impl Iterator<Item = &'static str> {
    DIFFERENCES
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
}
