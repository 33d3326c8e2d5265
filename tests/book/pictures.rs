//! The pictures of `events` show the states and the phases that the code has.

/// The texts of a picture's names: those in the group that begins with `group`.
fn names(picture: &str, group: &str) -> Vec<String> {
    let (_, rest) = picture.split_once(group).expect("the group of names");
    let (group, _) = rest.split_once("</g>").expect("its end");
    let texts = group.split("<text").skip(1);
    let text = |it: &str| Some(it.split_once('>')?.1.split_once('<')?.0.to_owned());
    texts.map(|it| text(it).expect("a text")).collect()
}

/// The lines of a block of code, from the line with `first` to one that is `}` at its depth.
fn block<'a>(source: &'a str, first: &str) -> impl Iterator<Item = &'a str> {
    let mut lines = source.lines().skip_while(move |line| !line.contains(first));
    let first = lines.next().expect("the block");
    let depth = first.len() - first.trim_start().len();
    let end = format!("{}}}", " ".repeat(depth));
    lines.take_while(move |line| *line != end)
}

#[test]
fn the_picture_of_a_turn_has_its_phases_in_their_order() {
    let source = include_str!("../../src/reactor/mod.rs");
    let phases = block(source, "pub fn turn(").filter_map(|line| {
        let call = line.trim_start().strip_prefix("self.")?;
        Some(call.split_once('(')?.0.to_owned())
    });
    let phases: Vec<String> = phases.collect();
    assert_eq!(phases.len(), 12, "{phases:?}");
    let picture = include_str!("../../src/book/events/turn.svg");
    assert_eq!(names(picture, "<!-- Phases. -->"), phases);
}

#[test]
fn the_picture_of_a_connections_life_has_its_states() {
    let source = include_str!("../../src/connection/lifecycle.rs");
    let mut states: Vec<String> = block(source, "pub(crate) enum Lifecycle {")
        .map(str::trim_start)
        .filter(|line| !line.starts_with("//"))
        .map(|line| line.split(['(', ',']).next().unwrap_or(line).to_owned())
        .collect();
    // On the way from Opening to Destroyed, for as long as `connect` is told.
    states.retain(|state| state != "Resetting");
    let picture = include_str!("../../src/book/events/lifecycle.svg");
    let mut drawn = names(picture, "<!-- States. -->");
    drawn.sort();
    states.sort();
    assert_eq!(drawn, states);
}
