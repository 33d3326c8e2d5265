//! The forms of a report: text, JSON and one page, which say the same and keep to themselves.

use crate::example;
use crate::server::{answering, echo};
use crate::support::Directory;
use serde_json::Value;
use std::fs;

/// Runs `loadgen` and gives back its standard output.
#[track_caller]
fn output(arguments: &[&str]) -> String {
    let outcome = example::run("loadgen", arguments);
    let words = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.status.success(), "{arguments:?}: {words}");
    assert_eq!(words, "", "no terminal, no progress");
    String::from_utf8(outcome.stdout).unwrap()
}

/// The number before a word, without its commas.
#[track_caller]
fn number_before(text: &str, word: &str) -> u64 {
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|it| it.trim_end_matches(',') == word);
    let at = at.unwrap_or_else(|| panic!("no {word} in {text}"));
    words[at - 1].replace(',', "").parse().unwrap()
}

#[test]
fn text_and_json_of_a_run_say_the_same() {
    let (echo, directory) = (echo(), Directory::new());
    let (address, json) = (echo.address.to_string(), directory.path("run.json"));
    let json_output = format!("json={}", json.display());
    let text = output(&[
        &address,
        "-c3",
        "-d200ms",
        "--output",
        "text",
        "--output",
        &json_output,
        "--title",
        "one two",
    ]);
    let it: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(it["title"], "one two");
    assert!(text.starts_with("one two: closed echo at "), "{text}");
    for (word, at) in [
        ("sent", "/requests/sent"),
        ("answered", "/requests/answered"),
    ] {
        assert_eq!(
            number_before(&text, word),
            crate::count(&it, at),
            "{word} in {text}"
        );
    }
    let rate = crate::number(&it, "/rate").round() as u64;
    assert_eq!(number_before(&text, "answers/s"), rate, "{text}");
    for warning in it["generator"]["warnings"].as_array().unwrap() {
        assert!(
            text.contains(&format!("WARNING: {}", warning.as_str().unwrap())),
            "{text}"
        );
    }
}

#[test]
fn percentiles_rise_in_every_report() {
    let echo = echo();
    let it = crate::report(&["open", &echo.address.to_string(), "-r3000", "-d300ms"]);
    for distribution in ["latency", "service", "connect"] {
        let names = ["p50", "p75", "p90", "p99", "p99_9", "p99_99", "max"];
        let values = names.map(|name| crate::number(&it, &format!("/{distribution}/{name}")));
        assert!(
            values.is_sorted() && values[0] > 0.0,
            "{distribution}: {values:?}"
        );
    }
}

#[test]
fn the_page_shows_all_runs_and_needs_nothing_else() {
    let (echo, directory) = (echo(), Directory::new());
    let address = echo.address.to_string();
    let titles = ["first", "<b>second</b> & co", "third"];
    let mut compared = Vec::new();
    for title in &titles[1..] {
        let json = directory.path(&format!("{}.json", compared.len()));
        let to = format!("json={}", json.display());
        output(&[
            &address, "-d150ms", "-c2", "--title", title, "--output", &to,
        ]);
        compared.push(format!("--compare={}", json.display()));
    }
    let page = directory.path("page.html");
    let to = format!("html={}", page.display());
    let mut arguments = vec![
        "open", &address, "-r1000", "-d300ms", "-c2", "--title", titles[0],
    ];
    arguments.extend(["--output", &to, "--output", "text"]);
    arguments.extend(compared.iter().map(String::as_str));
    let text = output(&arguments);
    for title in titles {
        assert!(text.contains(title), "{title} in {text}");
    }

    let page = fs::read_to_string(page).unwrap();
    for title in ["first", "&lt;b&gt;second&lt;/b&gt; &amp; co", "third"] {
        // In the table, and in the plots.
        assert!(page.matches(title).count() >= 3, "{title}");
    }
    for foreign in [
        "http:",
        "https:",
        "//",
        "<script",
        "<link",
        "<img",
        "src=",
        "url(",
        "@import",
        "<b>second",
    ] {
        assert!(!page.contains(foreign), "{foreign} in the page");
    }
    assert!(
        page.matches("<svg").count() >= 3,
        "percentiles, rate and latency over time"
    );
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    assert!(
        !page.contains("NaN") && !page.contains("inf"),
        "every point has a place"
    );
    for colour in ["line c0", "line c1", "line c2", "line minor c0"] {
        assert!(page.contains(colour), "{colour}");
    }
    assert!(page.contains("prefers-color-scheme: dark"));
}

#[test]
fn a_page_of_nothing_but_connections_has_no_empty_plots() {
    let (echo, directory) = (echo(), Directory::new());
    let page = directory.path("page.html");
    let to = format!("html={}", page.display());
    let address = echo.address.to_string();
    output(&[
        "idle",
        &address,
        "-c3",
        "-d200ms",
        "--warmup=0",
        "--output",
        &to,
    ]);
    let page = fs::read_to_string(page).unwrap();
    assert!(
        !page.contains("Latency by percentile") && page.contains("3 opened"),
        "{page}"
    );
}

#[test]
fn a_report_that_somebody_has_edited_is_refused_or_shown() {
    let (echo, directory) = (echo(), Directory::new());
    let (address, json) = (echo.address.to_string(), directory.path("run.json"));
    let json_output = format!("json={}", json.display());
    output(&[&address, "-c1", "-d200ms", "--output", &json_output]);
    let mut it: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();

    let compare = format!("--compare={}", json.display());
    for seconds in [0.0, -1.0] {
        it["intervals"]["seconds"] = seconds.into();
        fs::write(&json, it.to_string()).unwrap();
        let outcome = example::run("loadgen", &[&address, "-c1", "-d100ms", &compare]);
        let words = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(outcome.status.code(), Some(2), "{words}");
        let mistake = format!(
            "{}: no interval is {seconds} seconds long\n",
            json.display()
        );
        assert!(words.starts_with(&mistake), "{words}");
    }

    it["requests"].as_object_mut().unwrap().remove("nil"); // as reports were before these were counted
    it["intervals"]["seconds"] = 1e-308.into(); // a rate that is infinite
    it["intervals"]["max"][0] = 1e308.into();
    it["latency"]["curve"] = serde_json::json!([[0.0, 1e-320], [1.0, 1e308]]);
    fs::write(&json, it.to_string()).unwrap();
    let page = output(&[&address, "-c1", "-d100ms", &compare, "--output=html"]);
    assert!(!page.contains("NaN"), "every point has a place");
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
}

#[test]
fn answers_that_there_is_no_such_key_are_told_as_such() {
    for (answer, has_nil) in [(&b"$-1\r\n"[..], true), (b"$1\r\nx\r\n", false)] {
        let server = answering(31, answer);
        let address = server.address.to_string();
        let text = output(&[&address, "--protocol=redis", "-c1", "-d200ms", "--warmup=0"]);
        let nil = text
            .split_once(" answered, ")
            .and_then(|(_, it)| it.split_once(" of them nil: no"));
        let nil = nil.map(|(number, _)| number.replace(',', "").parse().unwrap());
        let answered = number_before(&text, "answered");
        assert_eq!(nil, has_nil.then_some(answered), "{text}");
    }
}

#[test]
#[cfg(target_os = "linux")] // which has /dev/full
fn a_report_that_cannot_be_written_keeps_no_other_from_it() {
    use std::process::Stdio;

    let (echo, directory) = (echo(), Directory::new());
    let (address, json) = (echo.address.to_string(), directory.path("run.json"));
    let (full, kept) = (
        "--output=html=/dev/full",
        format!("json={}", json.display()),
    );
    let load = [&*address, "-c1", "-d100ms", "--warmup=0", full];
    let outcome = example::run(
        "loadgen",
        &[&load[..], &["--output=text", "--output", &kept]].concat(),
    );
    assert_eq!(outcome.status.code(), Some(1));
    let words = String::from_utf8_lossy(&outcome.stderr);
    assert_eq!(words, "/dev/full: No space left on device (os error 28)\n");
    let text = String::from_utf8(outcome.stdout).unwrap();
    assert!(number_before(&text, "answered") > 0, "{text}");
    let it: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert!(crate::count(&it, "/requests/answered") > 0, "{it:#}");

    // Nor does standard output, and each that is missing is told.
    let mut command = example::example_command(None, "loadgen", &load);
    let command = command.args(["--output=text", "--output", &kept]);
    fs::write(&json, "").unwrap();
    let command = command.stdout(example::deaf()).stderr(Stdio::piped());
    let outcome = command.spawn().unwrap();
    let outcome = outcome.wait_with_output().unwrap();
    assert_eq!(outcome.status.code(), Some(1));
    let words = String::from_utf8_lossy(&outcome.stderr);
    let reason = "No space left on device (os error 28)\n";
    assert_eq!(
        words,
        format!("/dev/full: {reason}standard output: {reason}")
    );
    let _: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
}
