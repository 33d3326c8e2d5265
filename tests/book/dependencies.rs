//! The page about dependencies names each of them.

/// The dependencies of a manifest, as one writes them or as cargo packs them.
fn dependencies(manifest: &str) -> Vec<&str> {
    const SECTIONS: [&str; 2] = ["dependencies", "dev-dependencies"];
    let (mut section, mut names) = ("", Vec::new());
    for line in manifest.lines() {
        if let Some(head) = line.strip_prefix('[') {
            section = head.trim_end_matches(']');
            if let Some((kind, name)) = section.split_once('.')
                && SECTIONS.contains(&kind)
            {
                names.push(name);
            }
        } else if let Some((name, _)) = line.split_once(" = ")
            && SECTIONS.contains(&section)
        {
            names.push(name);
        }
    }
    names
}

#[test]
fn the_page_about_dependencies_names_each_of_them() {
    let page = include_str!("../../src/book/dependencies.md");
    let names = dependencies(include_str!("../../Cargo.toml"));
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}
