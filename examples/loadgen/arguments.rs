//! What the command line asks for.
//!
//! Reads words and nothing else: no file is opened and no host is looked up here.

use crate::report::html::MOST_RUNS;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const USAGE: &str =
    "usage: loadgen [closed | open | churn | idle | bulk] [ADDRESS | PORT] [OPTION ..]";

pub(crate) const HELP: &str = "\
How the load is made (default: closed)
  closed  each connection sends its next request when the answer has come; with -p so many at
          once, and the next when all are answered
  open    requests leave at a fixed rate, whether answers come or not; latency counts from the
          moment at which a request was due (no coordinated omission)
  churn   connect, one request, close, and again; with -r so many visits a second
  idle    open connections and hold them; with -r so many requests a second over all of them
  bulk    bytes to an echo server as fast as it takes them, and back

ADDRESS is HOST:PORT or the path of a local socket (with a slash in it); a bare port means
127.0.0.1; without either it is 127.0.0.1:7000.

Options
  -c, --connections N    connections, each of which takes a descriptor (ulimit -n; default 50)
  -d, --duration TIME    how long is measured (default 10s); a TIME is 500ms, 10s, 2m or seconds
      --warmup TIME      load before that, which is not measured (default 1s)
  -r, --rate N           requests a second, of all connections together
  -s, --size BYTES       bytes of a request (echo, lines) or of a value that redis is to set (default 64;
                         bulk: 65536)
  -p, --pipeline N       requests that a connection may have under way (default 1); closed sends them
                         at once and waits for all answers, with -r each leaves when it is due
      --protocol NAME    echo, lines, http or redis (default echo)
      --path PATH        what http asks for (default /)
      --command NAME     what redis is asked for: get, set or ping (default get); get finds what an
                         earlier set has left, and the report counts answers that are nil
      --ramp N           connections opened a second (default 5000)
      --timeout TIME     an answer, or a connection, that takes longer is lost (default 5s)
      --output FORMAT    text, json or html, with =FILE into a file; may be given several times
                         (default text)
      --compare FILE     a report of --output json=FILE to set beside this one in text and html;
                         may be given five times
      --title TEXT       what this run is called in reports
  -h, --help             this text
";

/// Everything that a run needs to know.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) mode: Mode,
    pub(crate) address: String,
    pub(crate) connections: usize,
    pub(crate) duration: Duration,
    pub(crate) warmup: Duration,
    /// Requests a second; visits in a churn.
    pub(crate) rate: Option<f64>,
    pub(crate) size: usize,
    pub(crate) pipeline: usize,
    pub(crate) protocol: Protocol,
    pub(crate) path: String,
    pub(crate) command: Command,
    pub(crate) ramp: f64,
    pub(crate) timeout: Duration,
    pub(crate) outputs: Vec<Output>,
    pub(crate) compare: Vec<PathBuf>,
    pub(crate) title: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Closed,
    Open,
    Churn,
    Idle,
    Bulk,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Closed => "closed",
            Mode::Open => "open",
            Mode::Churn => "churn",
            Mode::Idle => "idle",
            Mode::Bulk => "bulk",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Echo,
    Lines,
    Http,
    Redis,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Protocol::Echo => "echo",
            Protocol::Lines => "lines",
            Protocol::Http => "http",
            Protocol::Redis => "redis",
        }
    }
}

/// What redis is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Get,
    Set,
    Ping,
}

/// A report to be written: in which form, and where to. Without a file it is standard output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) format: Format,
    pub(crate) file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
    Html,
}

/// More than any machine holds, and few enough that a slip of the finger takes no memory.
const MOST_CONNECTIONS: usize = 1_000_000;
const MOST_PIPELINED: usize = 10_000;
/// A page has a colour for each, and one for its own run.
const MOST_COMPARED: usize = MOST_RUNS - 1;
/// Of a request, and of all that a connection has under way together.
const MOST_BYTES: usize = 64 << 20;
/// More than a core can send; what was never sent is counted one by one.
const MOST_PER_SECOND: f64 = 1e7;
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// # Errors
///
/// The first mistake, in words.
pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Arguments, String> {
    let mut words = words.into_iter();
    let mut arguments = Arguments {
        mode: Mode::Closed,
        address: String::new(),
        connections: 50,
        duration: Duration::from_secs(10),
        warmup: Duration::from_secs(1),
        rate: None,
        size: 0,
        pipeline: 1,
        protocol: Protocol::Echo,
        path: "/".to_string(),
        command: Command::Get,
        ramp: 5000.0,
        timeout: Duration::from_secs(5),
        outputs: Vec::new(),
        compare: Vec::new(),
        title: None,
    };
    let mut mode = None;
    let mut given = Vec::new();
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            match mode_named(&word) {
                Some(named) if mode.is_none() => mode = Some(named),
                _ if arguments.address.is_empty() => arguments.address = address(word),
                _ => return Err(format!("one address is enough, what is {word}?")),
            }
            continue;
        }
        let (name, value) = split(&word);
        let mut value = || value.map(str::to_string).or_else(|| words.next());
        arguments.set(name, &mut value)?;
        given.push(name.to_string());
    }
    arguments.mode = mode.unwrap_or(Mode::Closed);
    arguments.settle(&given)?;
    Ok(arguments)
}

impl Arguments {
    fn set(&mut self, name: &str, value: &mut dyn FnMut() -> Option<String>) -> Result<(), String> {
        match name {
            "-c" | "--connections" => {
                self.connections = count(name, value(), MOST_CONNECTIONS)?;
            }
            "-p" | "--pipeline" => self.pipeline = count(name, value(), MOST_PIPELINED)?,
            "-s" | "--size" => self.size = count(name, value(), MOST_BYTES)?,
            "-d" | "--duration" => self.duration = time(name, value(), false)?,
            "--timeout" => self.timeout = time(name, value(), false)?,
            "--warmup" => self.warmup = time(name, value(), true)?,
            "-r" | "--rate" => self.rate = Some(per_second(name, value())?),
            "--ramp" => self.ramp = per_second(name, value())?,
            "--protocol" => {
                self.protocol = match value().as_deref() {
                    Some("echo") => Protocol::Echo,
                    Some("lines") => Protocol::Lines,
                    Some("http") => Protocol::Http,
                    Some("redis") => Protocol::Redis,
                    _ => return Err("--protocol takes echo, lines, http or redis".to_string()),
                }
            }
            "--command" => {
                self.command = match value().as_deref() {
                    Some("get") => Command::Get,
                    Some("set") => Command::Set,
                    Some("ping") => Command::Ping,
                    _ => return Err("--command takes get, set or ping".to_string()),
                }
            }
            "--path" => {
                let path = value().unwrap_or_default();
                if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err("--path takes a path of visible ASCII, from its / on".to_string());
                }
                self.path = path;
            }
            "--output" => self.outputs.push(output(value())?),
            "--compare" => match value() {
                Some(_) if self.compare.len() == MOST_COMPARED => {
                    return Err(format!("--compare may be given {MOST_COMPARED} times"));
                }
                Some(file) => self.compare.push(file.into()),
                None => return Err("--compare takes a file".to_string()),
            },
            "--title" => match value() {
                Some(title) => self.title = Some(title),
                None => return Err("--title takes a text".to_string()),
            },
            _ => return Err(format!("unknown option {name}")),
        }
        Ok(())
    }

    /// Fills in what was not said, and finds what does not go together.
    fn settle(&mut self, given: &[String]) -> Result<(), String> {
        let said = |names: &[&str]| given.iter().any(|name| names.contains(&name.as_str()));
        let said_size = said(&["-s", "--size"]);
        if self.address.is_empty() {
            self.address = address("7000".to_string());
        }
        match (self.mode, self.rate) {
            (Mode::Open, None) => return Err("open needs a rate: -r N".to_string()),
            (Mode::Closed | Mode::Bulk, Some(_)) => {
                return Err(format!("-r goes with open, not with {}", self.mode.name()));
            }
            _ => {}
        }
        if self.mode == Mode::Bulk && self.protocol != Protocol::Echo {
            return Err("bulk is for --protocol echo".to_string());
        }
        if matches!(self.mode, Mode::Bulk | Mode::Churn) && said(&["-p", "--pipeline"]) {
            return Err(format!("-p has no meaning with {}", self.mode.name()));
        }
        if said_size && self.protocol == Protocol::Http {
            return Err("-s has no meaning with http: the server says how much it sends".into());
        }
        if said_size && self.protocol == Protocol::Redis && self.command != Command::Set {
            return Err("-s goes with --command set: others send no value".to_string());
        }
        if said(&["--path"]) && self.protocol != Protocol::Http {
            return Err("--path goes with --protocol http".to_string());
        }
        if said(&["--command"]) && self.protocol != Protocol::Redis {
            return Err("--command goes with --protocol redis".to_string());
        }
        if !said_size {
            self.size = if self.mode == Mode::Bulk { 65_536 } else { 64 };
        }
        if self.size.saturating_mul(self.pipeline) > MOST_BYTES {
            return Err(format!(
                "-s times -p may be at most {MOST_BYTES}: so much one connection may have under way"
            ));
        }
        if self.outputs.is_empty() {
            self.outputs.push(Output {
                format: Format::Text,
                file: None,
            });
        }
        if self.outputs.iter().filter(|it| it.file.is_none()).count() > 1 {
            return Err("only one --output can go to standard output".to_string());
        }
        let shows = |output: &Output| output.format != Format::Json;
        if !self.compare.is_empty() && !self.outputs.iter().any(shows) {
            return Err("--compare needs an output of text or html".to_string());
        }
        Ok(())
    }
}

/// `--size=64` is `--size 64`, and `-s64` is `-s 64`.
fn split(word: &str) -> (&str, Option<&str>) {
    match word.split_once('=') {
        Some((name, value)) if word.starts_with("--") => (name, Some(value)),
        None if word.starts_with("--") => (word, None),
        _ => match word.split_at_checked(2) {
            Some((name, value)) if !value.is_empty() => (name, Some(value)),
            _ => (word, None),
        },
    }
}

fn mode_named(word: &str) -> Option<Mode> {
    use Mode::{Bulk, Churn, Closed, Idle, Open};
    let modes = [Closed, Open, Churn, Idle, Bulk];
    modes.into_iter().find(|mode| mode.name() == word)
}

fn address(word: String) -> String {
    match word.parse::<u16>() {
        Ok(port) => format!("127.0.0.1:{port}"),
        Err(_) => word,
    }
}

fn count(name: &str, value: Option<String>, most: usize) -> Result<usize, String> {
    let number = value.and_then(|value| value.parse().ok());
    let number = number.filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("{name} takes a number from 1 to {most}"))
}

fn per_second(name: &str, value: Option<String>) -> Result<f64, String> {
    let number = value.and_then(|value| value.parse::<f64>().ok());
    let number = number.filter(|number| *number > 0.0 && *number <= MOST_PER_SECOND);
    number.ok_or_else(|| format!("{name} takes how many a second, above 0 and at most 1e7"))
}

fn time(name: &str, value: Option<String>, or_zero: bool) -> Result<Duration, String> {
    let time = value.as_deref().and_then(read_time);
    let time = time.filter(|time| *time <= LONGEST && (or_zero || !time.is_zero()));
    time.ok_or_else(|| format!("{name} takes a time such as 500ms, 10s or 2m, up to a week"))
}

fn read_time(text: &str) -> Option<Duration> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let unit = units
        .iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
    let (number, seconds) = unit.unwrap_or((text, 1.0));
    if !number.starts_with(|first: char| first.is_ascii_digit()) {
        return None; // no sign, no `inf`
    }
    let number: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(number * seconds).ok()
}

fn output(value: Option<String>) -> Result<Output, String> {
    let value = value.unwrap_or_default();
    let (format, file) = match value.split_once('=') {
        Some((format, file)) => (format, Some(file)),
        None => (value.as_str(), None),
    };
    let format = match format {
        "text" => Some(Format::Text),
        "json" => Some(Format::Json),
        "html" => Some(Format::Html),
        _ => None,
    };
    match (format, file) {
        (Some(format), None) => Ok(Output { format, file: None }),
        (Some(format), Some(file)) if !file.is_empty() => Ok(Output {
            format,
            file: Some(file.into()),
        }),
        _ => Err("--output takes text, json or html, with =FILE into a file".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, String> {
        parse(line.split_whitespace().map(str::to_string))
    }

    #[test]
    fn without_a_word_it_is_a_closed_loop_against_the_echo_example() {
        let arguments = parsed("").unwrap();
        assert_eq!(arguments.mode, Mode::Closed);
        assert_eq!(arguments.address, "127.0.0.1:7000");
        assert_eq!((arguments.connections, arguments.size), (50, 64));
        assert_eq!(arguments.outputs.len(), 1);
    }

    #[test]
    fn the_mode_and_the_address_stand_in_any_order_among_options() {
        for line in [
            "open 8080 -r 1000",
            "-r 1000 8080 open",
            "--rate=1000 127.0.0.1:8080 open",
            "open -r1000 8080",
        ] {
            let arguments = parsed(line).unwrap();
            assert_eq!(arguments.mode, Mode::Open, "{line}");
            assert_eq!(arguments.address, "127.0.0.1:8080", "{line}");
            assert_eq!(arguments.rate, Some(1000.0), "{line}");
        }
    }

    #[test]
    fn a_second_word_that_names_a_mode_is_an_address() {
        assert_eq!(parsed("idle idle").unwrap().address, "idle");
    }

    #[test]
    fn times_have_units() {
        for (text, millis) in [
            ("500ms", 500),
            ("10", 10_000),
            ("0.25", 250),
            ("2s", 2000),
            ("1.5m", 90_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(
                read_time(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in ["", "s", "-1", "+1", "inf", "nan", "1 s", "1e400", "ten"] {
            assert_eq!(read_time(text), None, "{text}");
        }
    }

    #[test]
    fn outputs_go_to_files_or_one_of_them_to_standard_output() {
        let arguments = parsed("--output text --output json=a=b.json").unwrap();
        let file = arguments.outputs[1].file.as_deref();
        assert_eq!(file, Some(std::path::Path::new("a=b.json")));
        parsed("--output text --output json").unwrap_err();
    }

    #[test]
    fn every_mistake_has_words() {
        for (line, words) in [
            ("--bogus", "unknown option --bogus"),
            ("1 2", "one address is enough, what is 2?"),
            ("-c", "-c takes a number from 1 to 1000000"),
            ("-c 0", "-c takes a number from 1 to 1000000"),
            ("-p -3", "-p takes a number from 1 to 10000"),
            ("-s 1e9", "-s takes a number from 1 to 67108864"),
            (
                "-d 0",
                "-d takes a time such as 500ms, 10s or 2m, up to a week",
            ),
            (
                "--timeout 9999h",
                "--timeout takes a time such as 500ms, 10s or 2m, up to a week",
            ),
            ("open", "open needs a rate: -r N"),
            (
                "open -r 0",
                "-r takes how many a second, above 0 and at most 1e7",
            ),
            (
                "open -r nan",
                "-r takes how many a second, above 0 and at most 1e7",
            ),
            ("closed -r 5", "-r goes with open, not with closed"),
            (
                "-s 65536 -p 1025",
                "-s times -p may be at most 67108864: so much one connection may have under way",
            ),
            ("bulk --protocol http", "bulk is for --protocol echo"),
            ("churn -p 2", "-p has no meaning with churn"),
            (
                "--protocol gopher",
                "--protocol takes echo, lines, http or redis",
            ),
            (
                "--protocol redis -s 4",
                "-s goes with --command set: others send no value",
            ),
            (
                "--size=4 --command ping --protocol redis",
                "-s goes with --command set: others send no value",
            ),
            ("--command get", "--command goes with --protocol redis"),
            ("--path /x", "--path goes with --protocol http"),
            (
                "--protocol http --path x",
                "--path takes a path of visible ASCII, from its / on",
            ),
            (
                "--output pdf",
                "--output takes text, json or html, with =FILE into a file",
            ),
            (
                "--output html=",
                "--output takes text, json or html, with =FILE into a file",
            ),
            (
                "--compare a --output json",
                "--compare needs an output of text or html",
            ),
        ] {
            assert_eq!(parsed(line).unwrap_err(), words, "{line}");
        }
    }
}
