//! `cargo xtask bench store`: what the collector costs beside Jaeger, on the same spans. Each runs as a process of its own; who
//! sends and asks is an example of the collector's crate.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    build,
    child::{self, Running},
    place,
    step::note,
};

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often each is started again.
const RESTARTS: usize = 5;
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many spans.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(6..))]
    spans: u64,
    /// Jaeger's binary, to measure it on the same spans: with its memory storage, and with Badger.
    #[arg(long, env = "WIRESPAN_JAEGER")]
    jaeger: Option<PathBuf>,
    /// How many spans Jaeger gets; its memory storage takes some 4 KiB of memory for each.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(6..))]
    jaeger_spans: u64,
}

/// Something to measure.
struct System {
    name: &'static str,
    spans: u64,
    otlp: SocketAddr,
    query: SocketAddr,
    folder: PathBuf,
    command: Command,
    api: &'static str,
}

/// Figures by name.
type Figures = Vec<(String, String)>;

/// `cargo xtask bench store`
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let binary = build::wirespan("release")?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(place::root()).args(["build", "--release", "--quiet"]);
    child::run(cargo.args(["--package", "wirespan-collector", "--example", "bench_store"]))?;
    let mut systems = vec![ours(&binary, arguments.spans)?];
    match &arguments.jaeger {
        Some(jaeger) => {
            for storage in ["memory", "badger"] {
                systems.push(jaegers(jaeger, storage, arguments.jaeger_spans)?);
            }
        }
        None => note("no Jaeger to compare with: --jaeger names its binary"),
    }
    let mut columns = Vec::new();
    for system in systems {
        columns.push((system.name, measure(system)?));
    }
    print(&columns);
    Ok(())
}

/// The collector.
fn ours(binary: &Path, spans: u64) -> Result<System> {
    let (folder, otlp, query) = (empty("wirespan")?, free()?, free()?);
    let mut command = Command::new(binary);
    command.env("WIRESPAN_COLLECTOR_TOKEN", TOKEN).arg("collector").arg("--data").arg(&folder);
    let settings = [
        format!("collector.listen={query}"),
        format!("collector.otlp_http={otlp}"),
        "collector.otlp_grpc=off".to_owned(),
        "collector.zipkin=off".to_owned(),
        "collector.tempo=off".to_owned(),
        "collector.jaeger_grpc=off".to_owned(),
    ];
    for setting in &settings {
        command.args(["--set", setting]);
    }
    Ok(System { name: "wirespan", spans, otlp, query, folder, command, api: "own" })
}

/// Jaeger with one of its storages.
fn jaegers(binary: &Path, storage: &'static str, spans: u64) -> Result<System> {
    let folder = empty(storage)?;
    let (otlp, query, grpc) = (free()?, free()?, free()?);
    let data = folder.join("data");
    let backend = match storage {
        "memory" => format!("memory: {{max_traces: {spans}}}"),
        _ => format!(
            "badger: {{directories: {{keys: {0}/keys, values: {0}/values}}, ephemeral: false, ttl: {{spans: 168h}}}}",
            data.display()
        ),
    };
    let configuration = format!(
        "service:\n  extensions: [jaeger_storage, jaeger_query]\n  telemetry: {{metrics: {{level: none}}}}\n  \
         pipelines: {{traces: {{receivers: [otlp], exporters: [jaeger_storage_exporter]}}}}\n\
         extensions:\n  jaeger_storage: {{backends: {{kept: {{{backend}}}}}}}\n  \
         jaeger_query: {{storage: {{traces: kept}}, http: {{endpoint: '{query}'}}, grpc: {{endpoint: '{grpc}'}}}}\n\
         receivers: {{otlp: {{protocols: {{http: {{endpoint: '{otlp}'}}}}}}}}\n\
         exporters: {{jaeger_storage_exporter: {{trace_storage: kept}}}}\n"
    );
    fs::write(folder.join("jaeger.yaml"), configuration)?;
    let mut command = Command::new(binary);
    // It would trace itself into its own storage.
    command.env("OTEL_TRACES_SAMPLER", "always_off").arg("--config").arg(folder.join("jaeger.yaml"));
    let name = if storage == "memory" { "Jaeger, memory" } else { "Jaeger, Badger" };
    Ok(System { name, spans, otlp, query, folder: data, command, api: "jaeger" })
}

/// A folder with nothing in it.
fn empty(name: &str) -> Result<PathBuf> {
    let folder = place::out("bench")?.join("store").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

/// A port of the loopback that nobody uses.
fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn measure(mut system: System) -> Result<Figures> {
    note(&format!("{}: {} spans", system.name, system.spans));
    let (running, _) = start(&mut system)?;
    let mut client = Command::new(place::target().join("release/examples/bench_store"));
    client.env("WIRESPAN_COLLECTOR_TOKEN", TOKEN);
    client.args([system.spans.to_string(), system.otlp.to_string(), system.query.to_string()]);
    client.arg(running.id().to_string()).arg(&system.folder).arg(system.api);
    let printed = child::read(&mut client)?;
    let lines = printed.lines().filter_map(|line| line.split_once('\t'));
    let mut figures: Figures = lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    drop(running);
    figures.push(("start again, until it answers".to_owned(), restart(&mut system)?));
    // Gigabytes, perhaps.
    fs::remove_dir_all(&system.folder).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    Ok(figures)
}

/// How long a system takes to listen again on what it has stored.
fn restart(system: &mut System) -> Result<String> {
    let mut all = Vec::with_capacity(RESTARTS);
    for _ in 0..RESTARTS {
        let (running, took) = start(system)?;
        drop(running);
        all.push(took.as_millis());
    }
    all.sort_unstable();
    let most = all.last().copied().unwrap_or_default();
    Ok(format!("{} ms (most {most})", all[RESTARTS / 2]))
}

/// Starts a system; how long that took until both ports listened.
fn start(system: &mut System) -> Result<(Running, Duration)> {
    let began = Instant::now();
    let mut running = Running::start(system.command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    while [system.otlp, system.query].iter().any(|place| TcpStream::connect(place).is_err()) {
        if began.elapsed() > PATIENCE || running.ended()?.is_some() {
            bail!("{} does not listen", system.name);
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok((running, began.elapsed()))
}

/// A table with a column for each system.
fn print(columns: &[(&str, Figures)]) {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    println!("| | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    let Some((_, first)) = columns.first() else { return };
    for (name, _) in first {
        let value = |figures: &Figures| {
            let found = figures.iter().find(|(known, _)| known == name);
            found.map_or("–".to_owned(), |(_, value)| value.clone())
        };
        let values: Vec<String> = columns.iter().map(|(_, figures)| value(figures)).collect();
        println!("| {name} | {} |", values.join(" | "));
    }
}
