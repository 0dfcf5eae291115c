//! Real message brokers on free loopback ports, with data folders of their own, and clients that wait to be let through.

use std::{
    env, fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{
    program::Program,
    servers::{free_address, node, packaged_python, program_file},
    span::{Kind, Span, told},
    wait,
};

/// A broker.
pub struct Broker {
    _programs: Vec<Program>,
    _folder: TempDir,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Broker {
    /// RabbitMQ, with a register of Erlang nodes of its own: the host's would outlive it.
    pub fn rabbitmq() -> Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for RabbitMQ")?;
        let (address, register, nodes) = (free_address()?, free_address()?.port(), free_address()?.port());
        let register = register.to_string();
        let epmd = Program::start(Command::new("epmd").args(["-address", "127.0.0.1", "-port", &register]))?;
        let inside = |name: &str| folder.path().join(name);
        let mut server = Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
        server
            .env("HOME", folder.path())
            .env("ERL_EPMD_PORT", &register)
            .env("RABBITMQ_NODENAME", "wirespan@localhost")
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", address.port().to_string())
            .env("RABBITMQ_DIST_PORT", nodes.to_string())
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("ERL_CRASH_DUMP", "/dev/null")
            .env("RABBITMQ_CONFIG_FILE", inside("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", inside("plugins"))
            .env("RABBITMQ_MNESIA_BASE", inside("mnesia"))
            .env("RABBITMQ_LOG_BASE", inside("log"))
            // No shell around it that would have to hand signals on.
            .env("RUNNING_UNDER_SYSTEMD", "1");
        let server = Program::start(&mut server)?;
        wait::until("RabbitMQ to listen", || TcpStream::connect(address).ok())?;
        Ok(Self { _programs: vec![server, epmd], _folder: folder, address })
    }

    /// Kafka (KRaft, one node) from the folder of its jars that `WIRESPAN_KAFKA` names.
    pub fn kafka() -> Result<Self> {
        let jars = env::var_os("WIRESPAN_KAFKA").context("WIRESPAN_KAFKA names no folder of Kafka's jars")?;
        let folder = tempfile::tempdir().context("make a folder for Kafka")?;
        let (address, controller) = (free_address()?, free_address()?);
        let settings = folder.path().join("server.properties");
        fs::write(&settings, configuration(address, controller, folder.path()))
            .context("write server.properties")?;
        let java = |class: &str| {
            let mut command = Command::new("java");
            command.args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp"]);
            command.arg(PathBuf::from(&jars).join("*")).arg(class);
            command
        };
        let mut format = java("kafka.tools.StorageTool");
        format.args(["format", "--standalone", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c"]).arg(&settings);
        crate::program::run(&mut format)?;
        let server = Program::start(java("kafka.Kafka").arg(&settings))?;
        wait::until("Kafka to listen", || TcpStream::connect(address).ok())?;
        Ok(Self { _programs: vec![server], _folder: folder, address })
    }
}

fn configuration(address: SocketAddr, controller: SocketAddr, folder: &Path) -> String {
    format!(
        "process.roles=broker,controller\nnode.id=1\nlog.dirs={}/logs\n\
         controller.quorum.bootstrap.servers={controller}\ncontroller.listener.names=CONTROLLER\n\
         listeners=PLAINTEXT://{address},CONTROLLER://{controller}\nadvertised.listeners=PLAINTEXT://{address}\n\
         offsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n\
         transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\nauto.create.topics.enable=false\n",
        folder.display()
    )
}

/// A client from `programs/` that has connected, and waits.
pub struct Client {
    program: Program,
    gate: TcpListener,
}

impl Client {
    /// Starts the program of this name, with Python or Node by its ending; returns when it has connected.
    pub fn start(name: &str, broker: &Broker) -> Result<Self> {
        let gate = TcpListener::bind("127.0.0.1:0").context("bind the gate")?;
        let ports = [broker.address.port(), gate.local_addr()?.port()].map(|port| port.to_string());
        let mut command = if Path::new(name).extension().is_some_and(|ending| ending == "cjs") {
            node(name, &[])
        } else {
            let mut python = Command::new(packaged_python());
            python.arg(program_file(name));
            python
        };
        command.args(ports).env("KAFKAJS_NO_PARTITIONER_WARNING", "1");
        let mut program = Program::start(&mut command)?;
        let line = program.line()?;
        ensure!(line == "connected", "{name} said: {line}");
        Ok(Self { program, gate })
    }

    /// Lets it through, and waits for its end.
    pub fn pass(mut self) -> Result<()> {
        drop(self.gate.accept().context("open the gate")?);
        let status = self.program.wait()?;
        ensure!(status.success(), "the client ended with {status}");
        Ok(())
    }
}

/// What a span of a messaging system says, in a line: its name and what is not as usual.
#[must_use]
pub fn line(span: &Span) -> String {
    let mut line = span.name.clone();
    for (label, value) in [
        ("records", span.integer("messaging.batch.message_count").map(|count| count.to_string())),
        ("group", span.text("messaging.consumer.group.name").map(str::to_owned)),
        ("error", span.text("error.type").map(str::to_owned)),
    ] {
        if let Some(value) = value {
            line = format!("{line}, {label} {value}");
        }
    }
    if span.links.is_empty() { line } else { format!("{line}, links {}", span.links.len()) }
}

/// What is told of the spans of this kind and system.
#[must_use]
pub fn lines(spans: &[Span], system: &str, kind: Kind) -> Vec<String> {
    told(spans, kind, |span| span.text("messaging.system") == Some(system), line)
}
