//! The page about dependencies names each of them.

#[test]
fn the_page_about_dependencies_names_each_of_them() {
    let page = include_str!("../../src/book/dependencies.md");
    let (mut section, mut count) = ("", 0);
    for line in include_str!("../../Cargo.toml").lines() {
        if line.starts_with('[') {
            section = line;
        }
        let listed = ["[dependencies]", "[dev-dependencies]"].contains(&section);
        if let Some((name, _)) = line.split_once(" = ")
            && listed
        {
            assert!(page.contains(&format!("`{name}`")), "{name} of {section}");
            count += 1;
        }
    }
    assert!(count > 10, "{count} were found");
}
