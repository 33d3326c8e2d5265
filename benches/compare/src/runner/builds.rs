//! From sources to programs that can be started.

use super::Stop;
use super::child::{Child, Interrupt};
use super::contestants::{Contestant, Recipe};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(super) struct Built {
    pub(super) generator: PathBuf,
    pub(super) servers: Vec<Server>,
    /// Who is missing, and why.
    pub(super) absent: Vec<String>,
}

/// A contestant that can be started.
pub(super) struct Server {
    pub(super) contestant: &'static Contestant,
    /// The program and the arguments that are always there.
    words: Vec<String>,
    /// What it is built on.
    pub(super) version: String,
}

impl Server {
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]);
        command
    }
}

/// A build that says nothing for so long has stalled.
const PATIENCE: Duration = Duration::from_secs(600);

pub(super) fn build(
    contestants: &[&'static Contestant],
    interrupt: &Interrupt,
) -> Result<Built, Stop> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let programs = cargo(&here.join("Cargo.toml"), &["--bins"], interrupt)?;
    let program = |name: &str| -> Result<PathBuf, Stop> {
        let found = programs.iter().find(|program| program.name == name);
        Ok(found.ok_or(format!("cargo built no {name}"))?.path.clone())
    };
    let generator = program("load")?;
    let (mut servers, mut absent) = (Vec::new(), Vec::new());
    for &contestant in contestants {
        let ready = match contestant.recipe {
            Recipe::Netloop => {
                let built = cargo(
                    &here.join("../../Cargo.toml"),
                    &["--example", "echo"],
                    interrupt,
                )?;
                let echo = built
                    .into_iter()
                    .find(|program| program.name == "echo")
                    .ok_or("cargo built no echo".to_string())?;
                Ok((vec![text(&echo.path)], echo.version))
            }
            Recipe::Rust {
                program: name,
                on,
                words,
            } => {
                let words = words.iter().map(|word| word.to_string());
                let version = locked(on).unwrap_or_default();
                Ok((
                    [text(&program(name)?)].into_iter().chain(words).collect(),
                    format!("{on} {version}"),
                ))
            }
            Recipe::Libuv => libuv(
                &here.join("peers/echo_libuv.c"),
                &generator.with_file_name("echo_libuv"),
                interrupt,
            )?,
            Recipe::Node => match output(Command::new("node").arg("--version"), interrupt)? {
                Ok(version) => Ok((
                    vec!["node".into(), text(&here.join("peers/echo_node.js"))],
                    format!("Node {}", version.trim()),
                )),
                Err(told) => Err(told),
            },
        };
        match ready {
            Ok((words, version)) => servers.push(Server {
                contestant,
                words,
                version,
            }),
            Err(why) => absent.push(format!("{} is left out: {why}", contestant.name)),
        }
    }
    Ok(Built {
        generator,
        servers,
        absent,
    })
}

/// Words and version, or why there is none.
type Ready = Result<(Vec<String>, String), String>;

fn libuv(source: &Path, program: &Path, interrupt: &Interrupt) -> Result<Ready, Stop> {
    let ask = |options: &[&str]| output(Command::new("pkg-config").args(options), interrupt);
    let version = ask(&["--modversion", "libuv"])?;
    let flags = ask(&["--cflags", "--libs", "libuv"])?;
    let (Ok(version), Ok(flags)) = (version, flags) else {
        let told = "pkg-config finds no libuv (Debian: libuv1-dev, pkg-config)";
        return Ok(Err(told.into()));
    };
    let mut compile = Command::new("cc");
    compile.args(["-O2", "-o"]).arg(program).arg(source);
    compile.args(flags.split_whitespace());
    let compiled = output(&mut compile, interrupt)?;
    Ok(compiled.map(|_| (vec![text(program)], format!("libuv {}", version.trim()))))
}

/// What a program prints that is done soon, or why it has none.
fn output(command: &mut Command, interrupt: &Interrupt) -> Result<Result<String, String>, Stop> {
    let name = text(command.get_program().as_ref());
    let child = match Child::start(command, None, interrupt) {
        Ok(child) => child,
        Err(Stop::Failed(told)) => return Ok(Err(told)),
        Err(stop) => return Err(stop),
    };
    let mut printed = String::new();
    while let Some(line) = child.next_line(PATIENCE)? {
        printed += &line;
        printed.push('\n');
    }
    Ok(match child.status()? {
        status if status.success() => Ok(printed),
        status => Err(format!("{name}: {status}")),
    })
}

struct Program {
    name: String,
    path: PathBuf,
    /// Of its package.
    version: String,
}

fn cargo(manifest: &Path, what: &[&str], interrupt: &Interrupt) -> Result<Vec<Program>, Stop> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.args([
        "build",
        "--release",
        "--message-format",
        "json-render-diagnostics",
    ]);
    command.arg("--manifest-path").arg(manifest).args(what);
    match output(&mut command, interrupt)? {
        Ok(messages) => Ok(messages.lines().filter_map(built_program).collect()),
        Err(told) => Err(Stop::Failed(format!("{}: {told}", manifest.display()))),
    }
}

/// One of cargo's messages, if it is about a program.
fn built_program(message: &str) -> Option<Program> {
    let message: Value = serde_json::from_str(message).ok()?;
    let id = message["package_id"].as_str()?;
    Some(Program {
        path: message["executable"].as_str()?.into(),
        name: message["target"]["name"].as_str()?.to_string(),
        version: id.rsplit(['#', '@']).next()?.to_string(),
    })
}

/// The version of a crate that this workspace is built with.
fn locked(name: &str) -> Option<&'static str> {
    let lock = include_str!("../../Cargo.lock");
    let (_, after) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    after.split('"').next()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_cargos_messages() {
        let message = r#"{"reason":"compiler-artifact","package_id":"path+file:///x#netloop@0.1.0","target":{"kind":["example"],"name":"echo"},"executable":"/x/target/release/examples/echo"}"#;
        let echo = built_program(message).unwrap();
        assert_eq!(
            (echo.name.as_str(), echo.version.as_str()),
            ("echo", "0.1.0")
        );
        assert!(
            built_program(&message.replace(r#""/x/target/release/examples/echo""#, "null"))
                .is_none()
        );
        assert!(built_program("no json").is_none());
    }

    #[test]
    fn versions_stand_in_the_lock_file() {
        for name in ["mio", "tokio", "rustix"] {
            assert!(locked(name).unwrap().split('.').count() == 3, "{name}");
        }
        assert_eq!(locked("no-such-crate"), None);
    }
}
