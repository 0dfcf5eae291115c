//! A collector on ports of its own, that keeps what it gets in memory, and questions to it.

use std::{
    net::{SocketAddr, TcpStream},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{agent::wirespan, program::Program, servers::free_address, visitors::curl, wait};

/// What readers have to know.
pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A running `wirespan collector`.
pub struct Collector {
    _program: Program,
    /// Where the page and the API are.
    pub page: SocketAddr,
    /// Where OTLP over gRPC is received.
    pub grpc: SocketAddr,
    /// Where OTLP over HTTP is received.
    pub http: SocketAddr,
    /// Where Zipkin's spans are received.
    pub zipkin: SocketAddr,
}

impl Collector {
    /// Starts one.
    pub fn start() -> Result<Self> {
        let [page, grpc, http, zipkin] = [free_address()?, free_address()?, free_address()?, free_address()?];
        let mut command = wirespan();
        command.env("WIRESPAN_COLLECTOR_TOKEN", TOKEN).args(["collector", "--data", "none"]);
        for (key, place) in [("listen", page), ("otlp_grpc", grpc), ("otlp_http", http), ("zipkin", zipkin)] {
            command.args(["--set", &format!("collector.{key}={place}")]);
        }
        command.args(["--set", "collector.tempo=off", "--set", "collector.jaeger_grpc=off"]);
        let program = Program::start(command.stderr(Stdio::null()))?;
        wait::until("the collector to listen", || {
            [page, grpc, http, zipkin].iter().all(|place| TcpStream::connect(place).is_ok()).then_some(())
        })?;
        Ok(Self { _program: program, page, grpc, http, zipkin })
    }

    /// The answer to `/api/v1/…`.
    pub fn ask(&self, path: &str) -> Result<Value> {
        ask(self.page, path)
    }

    /// Waits for so many traces of two spans, `ask` below `serve`, and nothing else.
    pub fn until_served(&self, number: usize) -> Result<()> {
        let list = || self.ask(&format!("traces?limit={}", 2 * number)).ok();
        let whole = |trace: &&Value| trace["spans"] == 2 && trace["root"]["name"] == "serve";
        let traces = wait::until("the traces at the collector", || {
            let traces = list()?["traces"].as_array()?.clone();
            (traces.iter().filter(whole).count() >= number).then_some(traces)
        })
        .with_context(|| format!("the collector has {:?}", list()))?;
        ensure!(traces.len() == number, "{} traces instead of {number}", traces.len());
        let services = self.ask("services")?;
        ensure!(services["services"][0]["spans"] == 2 * number, "{services}");
        Ok(())
    }
}

/// What the collector at `page`, whose token is [`TOKEN`], answers to `/api/v1/…`.
pub fn ask(page: SocketAddr, path: &str) -> Result<Value> {
    let authorization = format!("Authorization: Bearer {TOKEN}");
    let text = curl(&["--header", &authorization, &format!("http://{page}/api/v1/{path}")])?;
    serde_json::from_str(&text).with_context(|| format!("the collector answered to {path}: {text}"))
}
