//! `cargo xtask page`: the collector's page. Its built files are committed, so that only who changes it needs Node.

use std::{
    collections::BTreeMap,
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
    place, setup,
    step::{note, step},
};

/// What the browser has to know.
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// How long the collector may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Build it elsewhere and fail where the committed files are others.
    #[arg(long)]
    check: bool,
    /// Look at every view in Chromium, as `cargo xtask test` does; screenshots go to `out/page-views`.
    #[arg(long, conflicts_with = "check")]
    browse: bool,
}

/// `cargo xtask page`
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    install()?;
    if arguments.check {
        return compare();
    }
    if arguments.browse {
        build::wirespan("release")?;
        return browse(&["../../out/page-views"]);
    }
    test()?;
    step("build the page", || child::run(&mut npm(&["run", "build"])))
}

/// Tests it, and that the committed files are what its sources build; where there is no Node, says so.
pub(crate) fn check() -> Result<()> {
    if let Err(error) = install() {
        note(&format!("the page's own tests are left out: {error:#}"));
        return Ok(());
    }
    test()?;
    compare()
}

/// Every view in a browser, of the release build; where there is no Chromium or no Node, says so.
pub(crate) fn views() -> Result<()> {
    let ready = setup::packages(&["chromium"]).and_then(|()| install());
    if let Err(error) = ready {
        note(&format!("the page's views are left out: {error:#}"));
        return Ok(());
    }
    browse(&[])
}

/// Starts a collector, gives it the traces of a small shop, and looks at it as a person would.
fn browse(more: &[&str]) -> Result<()> {
    let (page, otlp) = (free()?, free()?);
    let _collector = collector(page, otlp)?;
    child::run(Command::new("node").current_dir(folder()).args(["e2e/seed.mjs", &format!("http://{otlp}")]))?;
    if !more.is_empty() {
        place::out("page-views")?;
    }
    let url = format!("http://{page}/?token={TOKEN}");
    step("look at every view", || child::run(npm(&["run", "e2e", "--", &url]).args(more)))
}

fn collector(page: SocketAddr, otlp: SocketAddr) -> Result<Running> {
    let mut command = Command::new(place::binary("release"));
    command.env("WIRESPAN_COLLECTOR_TOKEN", TOKEN).args(["collector", "--data", "none"]);
    for (port, place) in [("listen", page.to_string()), ("otlp_http", otlp.to_string())] {
        command.args(["--set", &format!("collector.{port}={place}")]);
    }
    for port in ["otlp_grpc", "zipkin", "tempo", "jaeger_grpc"] {
        command.args(["--set", &format!("collector.{port}=off")]);
    }
    let mut running = Running::start(command.stderr(Stdio::null()))?;
    let began = Instant::now();
    while [page, otlp].iter().any(|place| TcpStream::connect(place).is_err()) {
        if began.elapsed() > PATIENCE || running.ended()?.is_some() {
            bail!("the collector does not listen");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(running)
}

/// A port of the loopback that nobody uses.
fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn folder() -> PathBuf {
    place::root().join("collector/ui")
}

fn npm(arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(folder()).args(arguments);
    command
}

fn install() -> Result<()> {
    if place::program("npm").is_none() {
        bail!("the page is built with Node 20.19 or later (https://nodejs.org): install it, then again");
    }
    let strict = ["ci", "--no-audit", "--no-fund", "--engine-strict"];
    step("install the page's packages", || child::quiet(&mut npm(&strict)))
}

fn test() -> Result<()> {
    step("check the page's types", || child::quiet(&mut npm(&["run", "check"])))?;
    step("test the page", || child::run(&mut npm(&["test"])))
}

fn compare() -> Result<()> {
    let out = place::out("page")?;
    let place = out.to_string_lossy().into_owned();
    let build = ["run", "build", "--", "--emptyOutDir", "--outDir", &place];
    step("build the page once more", || child::quiet(&mut npm(&build)))?;
    if files(&out, &out)? != files(&folder().join("dist"), &folder().join("dist"))? {
        bail!("collector/ui/dist is not what collector/ui builds: run `cargo xtask page` and commit it");
    }
    note("the committed page is what its sources build");
    Ok(())
}

fn files(folder: &Path, base: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, base)?);
        } else {
            found.insert(path.strip_prefix(base)?.to_path_buf(), fs::read(&path)?);
        }
    }
    Ok(found)
}
