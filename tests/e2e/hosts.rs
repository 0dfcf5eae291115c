//! Two hosts, an agent on each, and a collector that joins what they saw of one request: curl on the near host, nginx and
//! what it asks on the far one.

use std::{
    collections::BTreeSet,
    fs,
    net::IpAddr,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wirespan_tests::{
    agent::{Agent, wirespan, without_ours},
    network::{FAR, Network, Translation},
    program::{self, Program},
    wait,
};

/// Requests of one curl, over one connection, and curls.
const REQUESTS: usize = 10;
const CURLS: usize = 3;
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// What curl ends with where there was no answer.
const EMPTY_REPLY: i32 = 52;
/// Where nginx listens on the far host.
const PORT: u16 = 8080;

/// Everything that runs.
struct Stage {
    agents: [Agent; 2],
    _collector: Program,
    _nginx: Program,
    folder: tempfile::TempDir,
    network: Network,
    far: IpAddr,
}

impl Stage {
    fn set(far: &str, translation: Translation) -> Result<Self> {
        let (network, folder) = (Network::new(translation)?, tempfile::tempdir()?);
        let far: IpAddr = far.parse()?;
        let server = copy("/usr/sbin/nginx", folder.path())?;
        let nginx = nginx(&network, folder.path(), &server)?;
        let collector = collector(&network, folder.path(), far)?;
        // The agents share a kernel, so each is told whose programs are its host's: copies that nobody else runs.
        let curl = copy("/usr/bin/curl", folder.path())?;
        let near = agent(network.near("env"), far, &curl)?;
        let other = agent(network.far("env"), far, &server)?;
        Ok(Self { network, folder, far, _collector: collector, _nginx: nginx, agents: [near, other] })
    }

    fn ask(&self, number: usize) -> Result<()> {
        let curl = self.folder.path().join("curl");
        let mut command = self.network.near(&curl.to_string_lossy());
        command.args(["--silent", "--show-error", "--fail"]);
        for request in 0..REQUESTS {
            command.arg(format!("http://{}/outer/{}", host(self.far, PORT), number * REQUESTS + request));
        }
        program::run(&mut command).map(drop)
    }

    /// Asks for what is never answered: nginx closes the connection.
    fn ask_in_vain(&self, number: usize) -> Result<()> {
        let curl = self.folder.path().join("curl");
        let mut command = self.network.near(&curl.to_string_lossy());
        command.args(["--silent", &format!("http://{}/silent/{number}", host(self.far, PORT))]);
        let status = command.status().context("run curl")?;
        ensure!(status.code() == Some(EMPTY_REPLY), "curl ended with {status}");
        Ok(())
    }

    /// What the collector has of one trace, or of all.
    fn query(&self, path: &str) -> Result<Value> {
        let url = format!("http://127.0.0.1:16686/api/v1/traces{path}");
        let authorization = format!("Authorization: Bearer {TOKEN}");
        let arguments = ["--silent", "--noproxy", "*", "--header", &authorization, &url];
        let text = program::run(self.network.far("curl").args(arguments))?;
        serde_json::from_str(&text).with_context(|| format!("the collector answered: {text}"))
    }

    /// Every trace, with its spans.
    fn traces(&self) -> Result<Vec<Value>> {
        let list = self.query("?limit=1000")?;
        let ids = list["traces"].as_array().into_iter().flatten();
        ids.filter_map(|trace| trace["trace_id"].as_str()).map(|id| self.query(&format!("/{id}"))).collect()
    }
}

fn host(address: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(address, port).to_string()
}

/// Answers `/outer/N` after asking itself for `/inner/N`, and never `/silent/N`.
fn nginx(network: &Network, folder: &Path, binary: &str) -> Result<Program> {
    let configuration = format!(
        "daemon off; master_process off; pid nginx.pid; error_log error.log; events {{ }}\n\
         http {{ access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
         uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
         server {{ listen {PORT}; listen [::]:{PORT}; location /inner/ {{ return 200 hello; }} location /silent/ {{ return 444; }}\n\
         location /outer/ {{ proxy_pass http://127.0.0.1:{PORT}/inner/; }} }} }}\n"
    );
    fs::write(folder.join("nginx.conf"), configuration)?;
    let mut command = network.far(binary);
    command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "error.log"]);
    let program = Program::start(&mut command)?;
    let url = format!("http://127.0.0.1:{PORT}/inner/0");
    wait::until("nginx to answer", || program::run(network.far("curl").args(["--silent", &url])).ok())?;
    Ok(program)
}

fn collector(network: &Network, folder: &Path, far: IpAddr) -> Result<Program> {
    let mut command = run(network.far("env"));
    command.env("WIRESPAN_COLLECTOR_TOKEN", TOKEN).stderr(Stdio::null());
    command.arg("collector").arg("--data").arg(folder.join("data")).args(["--remote", "true", "--set"]);
    let program = Program::start(command.arg(format!("collector.otlp_grpc={}", host(far, 4317))))?;
    let url = "http://127.0.0.1:16686/";
    wait::until("the collector to listen", || {
        program::run(network.far("curl").args(["--silent", "--noproxy", "*", url])).ok()
    })?;
    Ok(program)
}

/// The binary under test, by way of a command that enters a namespace.
fn run(mut command: Command) -> Command {
    without_ours(&mut command);
    command.arg(wirespan().get_program());
    command
}

/// A copy of a program, by the name of its file.
fn copy(program: &str, folder: &Path) -> Result<String> {
    let name = Path::new(program).file_name().context("a program has a name")?;
    let copy = folder.join(name);
    fs::copy(program, &copy).with_context(|| format!("copy {program}"))?;
    Ok(copy.to_string_lossy().into_owned())
}

fn agent(command: Command, collector: IpAddr, executable: &str) -> Result<Agent> {
    let mut command = run(command);
    let endpoint = format!("http://{}", host(collector, 4317));
    command.args(["agent", "--output", "json", "--metrics", "off", "--otlp", &endpoint]);
    command.args(["--include-exe", executable]);
    Agent::run(&mut command)
}

/// Every request is one trace from curl to the inner answer, whole and without anything of another's.
fn joins(far: &str, translation: Translation) -> Result<()> {
    let stage = Stage::set(far, translation)?;
    for number in 0..CURLS {
        stage.ask(number)?;
    }
    let wanted = REQUESTS * CURLS;
    let [near, other] = &stage.agents;
    near.until(wanted, "curl's spans", |_| true)?;
    other.until(3 * wanted, "nginx's spans", |_| true)?;
    let whole = |traces: &[Value]| {
        let full = |trace: &&Value| trace["spans"].as_array().is_some_and(|spans| spans.len() == 4);
        traces.iter().filter(full).count()
    };
    let traces = wait::until("whole traces at the collector", || {
        stage.traces().ok().filter(|traces| whole(traces) >= wanted)
    })
    .with_context(|| format!("the collector has: {:?}", stage.traces()))?;

    let numbers = traces.iter().map(request).collect::<Result<BTreeSet<_>>>()?;
    ensure!(traces.len() == wanted, "{} traces for {wanted} requests", traces.len());
    ensure!(numbers.len() == wanted, "requests share traces: {numbers:?}");
    Ok(())
}

/// Which request a trace is of. An error unless all of its spans are that request's, in one tree.
fn request(trace: &Value) -> Result<String> {
    let spans = trace["spans"].as_array().context("a trace has no spans")?;
    let number = |span| Some(url(span)?.rsplit('/').next()?.to_owned());
    let numbers: BTreeSet<_> = spans.iter().filter_map(number).collect();
    ensure!(numbers.len() == 1 && spans.len() == 4, "requests are mixed up or torn: {trace:#}");
    let outer = |kind| {
        let found = spans
            .iter()
            .find(|span| span["kind"] == kind && url(span).is_some_and(|url| url.contains("/outer/")));
        found.with_context(|| format!("no {kind} of the outer request: {trace:#}"))
    };
    let (client, server) = (outer("client")?, outer("server")?);
    ensure!(client["parent_id"].is_null(), "curl's span is not the root: {trace:#}");
    ensure!(server["parent_id"] == client["span_id"], "curl's span is not the parent: {trace:#}");
    ensure!(server["attributes"]["wirespan.link.method"] == "wire");
    numbers.into_iter().next().context("no number")
}

fn url(span: &Value) -> Option<&str> {
    let attributes = &span["attributes"];
    attributes["url.full"].as_str().or(attributes["url.path"].as_str())
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn join_over_ipv4() -> Result<()> {
    joins(FAR[0], Translation::None)
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn join_over_ipv6() -> Result<()> {
    joins(FAR[1], Translation::None)
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn join_through_a_nat() -> Result<()> {
    joins(FAR[0], Translation::Source)
}

#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn join_through_a_nat_of_ipv6() -> Result<()> {
    joins(FAR[1], Translation::Source)
}

/// Without an answer there is less to know an exchange by; what the translation leaves as it was must do.
#[test]
#[ignore = "needs root and the BPF tools: cargo xtask test"]
fn join_what_is_never_answered_through_a_nat() -> Result<()> {
    let stage = Stage::set(FAR[0], Translation::Source)?;
    for number in 0..CURLS {
        stage.ask_in_vain(number)?;
    }
    let joined = |trace: &&Value| {
        let spans = trace["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of = |kind| spans.iter().find(|span| span["kind"] == kind);
        let silent = |span: &Value| url(span).is_some_and(|url| url.contains("/silent/"));
        let Some((client, server)) = of("client").zip(of("server")) else { return false };
        silent(client) && silent(server) && server["parent_id"] == client["span_id"]
    };
    let whole = || Some(stage.traces().ok()?.iter().filter(joined).count());
    wait::until("the requests in vain to be whole traces", || whole().filter(|traces| *traces == CURLS))
        .with_context(|| format!("the collector has: {:#?}", stage.traces()))?;
    Ok(())
}
