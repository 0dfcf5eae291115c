//! Settings in, a running collector out: its store, its ports, its threads.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use axum::{
    Router,
    http::{HeaderValue, header::X_CONTENT_TYPE_OPTIONS},
    middleware::{self, Next},
    response::Response,
};
use rustls::ServerConfig;
use tokio::{net::TcpListener, runtime::Runtime, sync::watch};
use wirespan_ingest::{Intake, Limits, Port, jaeger, otlp, zipkin};
use wirespan_store::{Durability, Embedded, Memory, Store, StoreError};

use crate::{
    Keep, Settings,
    api::{self, Api, Facts, Figures},
    guard::Guard,
    page, tls,
};

/// Bytes of a token that we make up.
const TOKEN: usize = 16;
/// How long requests that are under way at the end may take.
const GRACE: Duration = Duration::from_secs(2);

/// Where a collector is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The page, our own API and Jaeger's.
    pub page: SocketAddr,
    /// OTLP over gRPC.
    pub otlp_grpc: Option<SocketAddr>,
    /// OTLP over HTTP.
    pub otlp_http: Option<SocketAddr>,
    /// Zipkin, both ways.
    pub zipkin: Option<SocketAddr>,
    /// Tempo's API.
    pub tempo: Option<SocketAddr>,
    /// Jaeger's API over gRPC.
    pub jaeger_grpc: Option<SocketAddr>,
}

/// A collector that runs until it is dropped.
pub struct Running {
    runtime: Option<Runtime>,
    stop: watch::Sender<bool>,
    /// Where it is reached.
    pub addresses: Addresses,
    /// What readers have to know.
    pub token: Arc<str>,
    scheme: &'static str,
    agent: Arc<OnceLock<Figures>>,
}

/// Starts a collector on threads of its own.
///
/// # Errors
/// The store cannot be opened, or an address cannot be used.
pub fn start(settings: &Settings) -> anyhow::Result<Running> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .max_blocking_threads(64)
        .thread_name("collector")
        .build()
        .context("cannot start the collector's threads")?;
    let tls = settings.tls.as_ref().map(tls::config).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let (store, facts) = open(&settings.keep)?;
    let token: Arc<str> = settings.token.clone().map_or_else(|| kept_token(&settings.keep), Ok)?.into();
    let intake = Intake::new(store.clone(), Limits::default());
    intake.resume().context("cannot read what is stored")?;
    let stop = watch::Sender::new(false);
    let api = Api::new(store, intake, facts);
    let agent = api.agent.clone();
    let start = Start { settings, tls, api, token: token.clone(), stop: stop.clone() };
    let addresses = runtime.block_on(start.listen())?;
    Ok(Running { runtime: Some(runtime), stop, addresses, token, scheme, agent })
}

impl Running {
    /// The page's address with the token in it: what a person opens.
    #[must_use]
    pub fn page(&self) -> String {
        format!("{}://{}/?token={}", self.scheme, self.addresses.page, self.token)
    }

    /// An agent runs in the same process: the page shows what it counts, by the names of its metrics. Only the first is
    /// listened to.
    pub fn tell(&self, figures: impl Fn() -> serde_json::Value + Send + Sync + 'static) {
        // A second agent in one process there is none.
        let _first = self.agent.set(Box::new(figures));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(GRACE);
        }
    }
}

fn open(keep: &Keep) -> anyhow::Result<(Arc<dyn Store>, Facts)> {
    Ok(match keep {
        Keep::Memory(spans) => {
            (Arc::new(Memory::new(*spans)), Facts { durability: "memory", ..Facts::default() })
        }
        Keep::Disk { directory, durability, bytes, age } => {
            let mut settings = wirespan_store::Settings::new(directory.clone());
            settings.durability = *durability;
            settings.bytes = Some(*bytes);
            settings.age = Some(*age);
            let store = Embedded::open(settings).map_err(|error| {
                // Its text has the cause: as a link of a chain it would be told twice.
                let advice = match error {
                    StoreError::File { .. } => "; choose another directory with --data",
                    _ => "",
                };
                anyhow!("cannot open the store in {}: {error}{advice}", directory.display())
            })?;
            let durability = match durability {
                Durability::Grouped => "grouped",
                Durability::Strict => "strict",
            };
            (Arc::new(store), Facts { bytes: Some(*bytes), age: Some(*age), durability })
        }
    })
}

/// The token that is kept beside the spans, made at the first start: a bookmark outlives a restart.
fn kept_token(keep: &Keep) -> anyhow::Result<String> {
    let Keep::Disk { directory, .. } = keep else { return make_token() };
    let path = directory.join("token");
    match fs::read_to_string(&path) {
        Ok(token) if token.trim().len() == 2 * TOKEN => Ok(token.trim().to_owned()),
        _ => {
            let token = make_token()?;
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&path)
                .with_context(|| format!("cannot keep the token in {}", path.display()))?;
            file.write_all(token.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(token)
        }
    }
}

fn make_token() -> anyhow::Result<String> {
    let mut bytes = [0; TOKEN];
    getrandom::fill(&mut bytes).context("the system gives no random numbers")?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

struct Start<'a> {
    settings: &'a Settings,
    tls: Option<Arc<ServerConfig>>,
    api: Api,
    token: Arc<str>,
    stop: watch::Sender<bool>,
}

impl Start<'_> {
    async fn listen(self) -> anyhow::Result<Addresses> {
        let page = self.port(&self.settings.listen).await?;
        let otlp_grpc = self.bind(self.settings.otlp_grpc.as_deref()).await?;
        let otlp_http = self.bind(self.settings.otlp_http.as_deref()).await?;
        let zipkin = self.bind(self.settings.zipkin.as_deref()).await?;
        let tempo = self.bind(self.settings.tempo.as_deref()).await?;
        let jaeger_grpc = self.bind(self.settings.jaeger_grpc.as_deref()).await?;
        let place = |port: &Option<Port>| port.as_ref().map(Port::address);
        let addresses = Addresses {
            page: page.address(),
            otlp_grpc: place(&otlp_grpc),
            otlp_http: place(&otlp_http),
            zipkin: place(&zipkin),
            tempo: place(&tempo),
            jaeger_grpc: place(&jaeger_grpc),
        };
        let api = &self.api;
        let intake = &api.intake;
        let pages = Router::new()
            .merge(api::own::router(api.clone()))
            .merge(api::jaeger::router(api.clone()))
            .merge(api::metrics::router(api.clone()));
        self.serve(Some(page), self.read(pages.fallback(page::serve)));
        self.serve(otlp_http, self.write(otlp::router(intake.clone())));
        let both =
            self.write(zipkin::router(intake.clone())).merge(self.read(api::zipkin::router(api.clone())));
        self.serve(zipkin, both);
        self.serve(tempo, self.read(api::tempo::router(api.clone())));
        self.serve_grpc(otlp_grpc);
        self.serve_jaeger(jaeger_grpc);
        Ok(addresses)
    }

    /// May other hosts reach the ports?
    fn open(&self) -> bool {
        self.settings.remote || self.tls.is_some()
    }

    async fn port(&self, address: &str) -> anyhow::Result<Port> {
        let listener = bind(address, self.open()).await?;
        Port::new(listener, self.tls.clone()).with_context(|| format!("cannot listen on {address}"))
    }

    async fn bind(&self, address: Option<&str>) -> anyhow::Result<Option<Port>> {
        let Some(address) = address else { return Ok(None) };
        match self.port(address).await {
            Ok(port) => Ok(Some(port)),
            Err(error) if self.settings.lenient => {
                eprintln!("wirespan: {error:#}; going on without it");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn guard(&self, token: Option<Arc<str>>) -> Guard {
        Guard { local: !self.open(), token }
    }

    fn read(&self, router: Router) -> Router {
        let guard = self.guard(Some(self.token.clone()));
        router
            .layer(middleware::from_fn_with_state(guard, Guard::check))
            .layer(middleware::from_fn(no_sniffing))
    }

    fn write(&self, router: Router) -> Router {
        let guard = self.guard(self.settings.ingest_token.clone().map(Into::into));
        router.layer(middleware::from_fn_with_state(guard, Guard::check))
    }

    fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stop = self.stop.subscribe();
        async move {
            // A sender that is gone has stopped, too.
            let _ = stop.wait_for(|stop| *stop).await;
        }
    }

    fn serve(&self, port: Option<Port>, router: Router) {
        let Some(port) = port else { return };
        let stopped = self.stopped();
        tokio::spawn(async move {
            if let Err(error) = axum::serve(port, router).with_graceful_shutdown(stopped).await {
                eprintln!("wirespan: a port of the collector failed: {error}");
            }
        });
    }

    fn serve_grpc(&self, port: Option<Port>) {
        let Some(port) = port else { return };
        let guard = self.guard(self.settings.ingest_token.clone().map(Into::into));
        let intake = self.api.intake.clone();
        let stopped = self.stopped();
        tokio::spawn(async move {
            let authorize: otlp::Authorize = Arc::new(move |given| guard.admits(given));
            if let Err(error) = otlp::serve_grpc(port, intake, authorize, stopped).await {
                eprintln!("wirespan: the OTLP port of the collector failed: {error}");
            }
        });
    }

    fn serve_jaeger(&self, port: Option<Port>) {
        let Some(port) = port else { return };
        let guard = self.guard(Some(self.token.clone()));
        let answers = Arc::new(self.api.clone());
        let stopped = self.stopped();
        tokio::spawn(async move {
            let authorize: otlp::Authorize = Arc::new(move |given| guard.admits(given));
            if let Err(error) = jaeger::serve(port, answers, authorize, stopped).await {
                eprintln!("wirespan: the gRPC port of Jaeger's API failed: {error}");
            }
        });
    }
}

/// Captured text comes back in answers: no browser shall take it for anything but what it is said to be.
async fn no_sniffing(request: axum::extract::Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

async fn bind(address: &str, remote: bool) -> anyhow::Result<TcpListener> {
    let places: Vec<SocketAddr> = tokio::net::lookup_host(address)
        .await
        .with_context(|| format!("`{address}` is no address to listen on: write it like 127.0.0.1:4317"))?
        .collect();
    if let Some(place) = places.iter().find(|place| !place.ip().is_loopback() && !remote) {
        bail!(
            "{place} can be reached from other hosts, without TLS: give the collector a certificate \
             (collector.tls_certificate_file), or say that you want this with --remote true"
        );
    }
    TcpListener::bind(&*places).await.map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => "; stop the program that uses the port, or choose another address",
            io::ErrorKind::AddrNotAvailable => "; choose an address of this host",
            io::ErrorKind::PermissionDenied => "; choose a port above 1023, or run as root",
            _ => "",
        };
        anyhow!("cannot listen on {address}: {error}{advice}")
    })
}
