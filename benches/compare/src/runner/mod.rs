//! The runner: builds the servers, starts them, lets the generator loose on one after the other, and
//! writes down what it told.

mod arguments;
mod builds;
mod child;
mod contestants;
mod machine;
mod measure;
mod plot;
mod results;
mod statistics;
mod table;

use arguments::{Arguments, Wish};
use child::Interrupt;
use machine::Machine;
use results::Results;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// Why the runner ends before it is done.
#[derive(Debug)]
enum Stop {
    /// By a signal of the user's.
    Interrupted,
    Failed(String),
}

impl From<String> for Stop {
    fn from(told: String) -> Stop {
        Stop::Failed(told)
    }
}

pub fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Wish::Help) => {
            print!("{}", arguments::help());
            return ExitCode::SUCCESS;
        }
        Ok(Wish::Run(arguments)) => arguments,
        Err(mistake) => {
            eprint!("{mistake}\n\n{}", arguments::help());
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Stop::Interrupted) => {
            eprintln!("interrupted; every server has been ended");
            ExitCode::from(130)
        }
        Err(Stop::Failed(told)) => {
            eprintln!("{told}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything that was asked for was measured.
fn run(arguments: &Arguments) -> Result<bool, Stop> {
    let results = match &arguments.from {
        Some(file) => read(file)?,
        None => {
            let interrupt = Interrupt::listen()?;
            let machine = Machine::look()?;
            let built = builds::build(&arguments.only, &interrupt)?;
            for notice in machine.notices().iter().chain(&built.absent) {
                eprintln!("{notice}");
            }
            measure::measure(arguments, &machine, &built, &interrupt)?
        }
    };
    print!("{}", table::render(&results));
    if let Some(folder) = &arguments.out {
        write(folder, &results)?;
    }
    Ok(results.failures().is_empty())
}

fn read(file: &Path) -> Result<Results, Stop> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let results =
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(results)
}

fn write(folder: &Path, results: &Results) -> Result<(), Stop> {
    let json = serde_json::to_string_pretty(results).map_err(|error| error.to_string())?;
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for (name, text) in [
        ("results.json", json + "\n"),
        ("compare-light.svg", plot::render(results, &plot::LIGHT)),
        ("compare-dark.svg", plot::render(results, &plot::DARK)),
    ] {
        let file = folder.join(name);
        fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        eprintln!("wrote {}", file.display());
    }
    Ok(())
}
