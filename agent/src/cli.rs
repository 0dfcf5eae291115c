//! The command line: what can be asked for. The settings' flags come from the configuration's table
//! ([`Flags`]); this file has only what is not a setting.

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use wirespan_capture_file::Ends;

use crate::config::Flags;

const EXAMPLES: &str = "\
Examples:
  wirespan run                                  See every request of this host
  wirespan trace -- curl -s http://localhost/   See what one command does
  wirespan trace -p 1234                        See what a running process does
  wirespan agent --otlp http://localhost:4317   Send spans to a collector or Jaeger
  wirespan top                                  See services and routes live
  wirespan doctor                               See what this kernel allows
  wirespan record -o shop.wirespan              Keep what happens, to look at it later
  wirespan replay shop.wirespan                 See a recording, or a pcap file
  wirespan config print                         See all settings and where they come from

Capturing needs root (or CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE). Nothing is changed in the programs, and nothing \
stays in the kernel when wirespan ends.";

/// Shows every request that the programs of this host serve or make, as distributed traces, without touching them.
///
/// No SDK, no sidecar, no restart: wirespan watches sockets from the kernel, understands what is spoken there, and
/// finds out which request caused which.
#[derive(Debug, Parser)]
#[command(name = "wirespan", version, after_help = EXAMPLES, propagate_version = true)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Capture the whole host and show its traces: where to start
    ///
    /// Shows spans on the terminal as they happen. Stop it with Ctrl-C.
    Run(Run),
    /// Capture the whole host and send its traces on: for servers
    ///
    /// Sends spans to an OTLP endpoint (--otlp), shows them on stdout (--output), or both. Stops on SIGTERM and
    /// SIGINT after sending what it still holds.
    Agent(Agent),
    /// Receive traces from many hosts, keep them, and show them
    ///
    /// Receives OTLP (4317, 4318) and Zipkin (9411), and answers on a page, an API of its own, and those of Jaeger,
    /// Zipkin and Tempo. Prints the page's address. Stops on SIGTERM and SIGINT.
    Collector(Collector),
    /// Ask a collector: search, one trace, services, the service map, rates and durations
    Query(Query),
    /// Show the spans of one command or process, as strace shows its system calls
    ///
    /// Runs CMD and shows the requests that it and its children serve or make, on stderr or in FILE, and ends with
    /// CMD's exit status. With -p, shows those of running processes until they end or Ctrl-C is pressed.
    Trace(Trace),
    /// Show services and routes live: rates, errors, latencies, as top shows processes
    ///
    /// Captures by itself, whether or not a daemon runs, and sends nothing anywhere. Keys: s sort, / filter, space
    /// pause, q quit. With --once or --output json it prints instead.
    Top(Top),
    /// Say what this kernel allows, what is attached, what is missing, and what to do about it
    ///
    /// Attaches each plan for a moment and takes it away again. The exit status tells the result: 0 all is well, 1
    /// works with limits, 2 does not work.
    Doctor(Doctor),
    /// Write what the host's programs do to a file, to be replayed later or elsewhere
    ///
    /// Takes no more from the programs than `agent` does, and stops with Ctrl-C. Shows spans too if --output or --otlp
    /// says so.
    ///
    /// The file holds the bytes that the programs exchanged as they were captured, not redacted: passwords, tokens
    /// and personal data among them, as well as the arguments of every program that was started meanwhile. Of their
    /// environment only what is said to OpenTelemetry is kept, and nothing that was said by programs that the filters
    /// leave out. Only its owner can read it; an existing file is not overwritten.
    Record(Record),
    /// Show the spans of a recording or a packet capture
    ///
    /// Reads files of `wirespan record`, pcap and pcapng, gzipped or not, and needs no privileges. The same file
    /// gives the same spans, with the same ids, each time.
    ///
    /// A packet capture (Ethernet, VLAN, Linux cooked, loopback or raw IP) is one look at a connection: it is told as
    /// its server saw it unless --end says otherwise. With `--end both` there are two spans for an exchange, with the
    /// same times: what the network between them cost is not in a capture. Processes are not in it either: services
    /// are called by their addresses.
    Replay(Replay),
    /// Show or check the configuration
    #[command(subcommand)]
    Config(Config),
    /// Print a completion script for a shell
    ///
    /// For bash: wirespan completions bash > /usr/share/bash-completion/completions/wirespan
    Completions(Completions),
    /// Print the manual page
    ///
    /// To read it at once: wirespan man | man -l -
    Man(Man),
}

/// Arguments of `wirespan run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Settings.
    #[command(flatten)]
    pub flags: Flags,
}

/// Arguments of `wirespan agent`.
#[derive(Debug, Args)]
pub struct Agent {
    /// Settings.
    #[command(flatten)]
    pub flags: Flags,
}

/// Arguments of `wirespan collector`.
#[derive(Debug, Args)]
pub struct Collector {
    /// Settings.
    #[command(flatten)]
    pub flags: Flags,
}

/// Arguments of `wirespan query`.
#[derive(Debug, Args)]
#[command(subcommand_negates_reqs = true, arg_required_else_help = true)]
pub struct Query {
    /// What to ask.
    #[command(subcommand)]
    pub question: Option<Question>,
    /// One SELECT from the table `spans`, such as 'SELECT service, count(*) FROM spans GROUP BY 1'
    ///
    /// Columns: trace_id, span_id, parent_id, service, name, kind, status, status_message, start and duration (ns), scope; a
    /// name in double quotes is an attribute, such as "http.route". SQLite's dialect.
    #[arg(long, value_name = "SELECT", required = true)]
    pub sql: Option<String>,
    /// How to show the answer
    #[arg(long = "as", value_enum, default_value = "table", global = true)]
    pub shape: Shape,
    /// How far to look back, such as 15m
    #[arg(long, value_name = "DURATION", default_value = "1h", global = true)]
    pub since: String,
    /// Settings; `--listen` and the token say where the collector is.
    #[command(flatten)]
    pub flags: Flags,
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// Columns; one trace as a tree.
    Table,
    /// What the API answered.
    Json,
}

/// What `wirespan query` can ask.
#[derive(Debug, Subcommand)]
pub enum Question {
    /// Traces that match a TraceQL query, such as '{ status = error && duration > 100ms }'
    Search {
        /// The query; without one, the newest traces
        #[arg(value_name = "TRACEQL")]
        query: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// After leaving out so many
        #[arg(long, default_value_t = 0)]
        offset: u32,
        /// Which first
        #[arg(long, value_enum, default_value = "newest")]
        sort: Order,
        /// Also count all matching spans
        #[arg(long)]
        count: bool,
    },
    /// One trace, as a tree
    Trace {
        /// Its id in hex
        id: String,
    },
    /// One trace as a file for other tools, on stdout
    Export {
        /// Its id in hex
        id: String,
        /// For which tool
        #[arg(long, value_enum, default_value = "otlp")]
        format: Format,
    },
    /// Take a file of traces: OTLP as JSON, or Jaeger's
    Import {
        /// The file; - for stdin
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Spans as they arrive, until Ctrl-C
    Tail {
        /// Only those that match, such as '{ status = error }'
        #[arg(value_name = "TRACEQL")]
        query: Option<String>,
    },
    /// Services that sent spans
    Services,
    /// What services do, by the names of their spans
    Operations {
        /// Only of this service
        service: Option<String>,
    },
    /// Which service calls which
    Map,
    /// Rate, errors and durations
    Red {
        /// Only of this service, by operation
        service: Option<String>,
    },
    /// How the collector is: delays, refusals, the store against its budget
    Status,
}

/// Which traces come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// By start, the latest first.
    Newest,
    /// By start.
    Oldest,
    /// By duration, the longest first.
    Longest,
    /// By duration.
    Shortest,
}

/// Forms of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// OTLP as JSON.
    Otlp,
    /// Jaeger's JSON.
    Jaeger,
    /// The Trace Event Format, for Perfetto and Chromium.
    Perfetto,
}

/// Arguments of `wirespan trace`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("target").args(["pid", "command"]).required(true))]
#[command(
    override_usage = "wirespan trace [OPTIONS] -- CMD [ARG]...\n       wirespan trace [OPTIONS] -p PID..."
)]
pub struct Trace {
    /// Write spans to FILE instead of stderr
    #[arg(short = 'o', value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Trace this running process and its children; may be given several times
    #[arg(short = 'p', value_name = "PID")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: Vec<u32>,
    /// The command to run, with its arguments
    #[arg(last = true, value_name = "CMD", value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
    /// Settings.
    #[command(flatten)]
    pub flags: Flags,
}

/// Arguments of `wirespan top`.
#[derive(Debug, Args)]
pub struct Top {
    /// Print the table of one interval and end
    #[arg(long)]
    pub once: bool,
    /// Seconds between two looks, 0.1 to 3600
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub interval: f64,
    /// Settings.
    #[command(flatten)]
    pub flags: Flags,
}

/// Arguments of `wirespan doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Settings.
    #[command(flatten)]
    pub flags: Flags,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=3600.0).contains(seconds));
    seconds.ok_or_else(|| "must be a number of seconds from 0.1 to 3600".to_owned())
}

/// Arguments of `wirespan record`.
#[derive(Debug, Args)]
pub struct Record {
    /// Write to FILE, which must not exist
    #[arg(short = 'o', value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Settings.
    #[command(flatten)]
    pub flags: Flags,
}

/// Arguments of `wirespan replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// The recording, or a pcap or pcapng file; - for stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Which end of its connections a packet capture is told from
    #[arg(long, value_name = "END", default_value = "server")]
    pub end: End,
    /// Settings.
    #[command(flatten)]
    pub flags: Flags,
}

/// Ends of a connection.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum End {
    /// The one that accepted: a span for each exchange
    Server,
    /// The one that connected: a span for each exchange
    Client,
    /// Both: two spans for each exchange
    Both,
}

impl From<End> for Ends {
    fn from(end: End) -> Self {
        match end {
            End::Server => Self::Server,
            End::Client => Self::Client,
            End::Both => Self::Both,
        }
    }
}

/// Commands below `wirespan config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Print all settings as they are now, with where each comes from
    ///
    /// What it prints is itself a configuration file.
    Print(Print),
    /// Say what is wrong with the configuration, if anything
    Check(Check),
}

/// Arguments of `wirespan config print`.
#[derive(Debug, Args)]
pub struct Print {
    /// Print JSON instead of YAML
    #[arg(long, conflicts_with = "docs")]
    pub json: bool,
    /// Print what each setting means above it
    #[arg(long)]
    pub docs: bool,
    /// Settings.
    #[command(flatten)]
    pub flags: Flags,
}

/// Arguments of `wirespan config check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Settings.
    #[command(flatten)]
    pub flags: Flags,
}

/// Arguments of `wirespan completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

/// Arguments of `wirespan man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Write a page for every command into DIR instead
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, String> {
        Cli::try_parse_from(line.split(' ')).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn trace_takes_a_command_or_pids() {
        let Ok(Cli { command: Command::Trace(trace) }) =
            parse("wirespan trace -o out --output tree -- curl -p x")
        else {
            panic!("not a trace command");
        };
        assert_eq!(
            (trace.file, trace.command),
            (Some("out".into()), ["curl", "-p", "x"].map(Into::into).to_vec())
        );
        let Ok(Cli { command: Command::Trace(trace) }) = parse("wirespan trace -p 12 -p 13") else {
            panic!("not a trace command");
        };
        assert_eq!(trace.pid, [12, 13]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_hint() {
        let cases = [
            ("wirespan trace", "-p <PID>|CMD"),
            ("wirespan trace -p 1 -- ls", "cannot be used with"),
            ("wirespan trace -p 0", "0 is not in 1.."),
            ("wirespan agnet", "'agent'"),
            ("wirespan agent --ouput json", "'--output'"),
            ("wirespan agent --output jsn", "'json'"),
            ("wirespan agent --set x", "KEY=VALUE"),
            ("wirespan top --interval 0", "from 0.1 to 3600"),
            ("wirespan completions klingon", "bash"),
            ("wirespan query", "search"),
            ("wirespan record", "-o <FILE>"),
            ("wirespan replay x.pcap --end middle", "server, client, both"),
        ];
        for (line, hint) in cases {
            let message = parse(line).expect_err(line);
            assert!(message.contains(hint), "{line}: {message}");
        }
    }
}
