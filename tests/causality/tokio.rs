//! hyper's server on tokio: on one thread (argument `current-thread`) or on several (`multi-thread`). Calls go through
//! hyper-util's pooled client, where each connection is a task of its own, or (second argument `inline`) by pooled
//! connections that the calling task drives, as database drivers do. As every program of the rig it gets its arguments as environment variables and writes the truth to a
//! file.

use std::{
    convert::Infallible,
    env,
    fs::File,
    io::{LineWriter, Write},
    net::SocketAddr,
    path::Path,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{Request, Response, StatusCode, Uri, body::Bytes, client::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, HttpInfo},
    },
    rt::{TokioExecutor, TokioIo},
};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
};
use wirespan_tests::causality::{backend::now, dice::Dice};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

struct Program {
    listen: SocketAddr,
    backend: SocketAddr,
    client: Client<HttpConnector, Empty<Bytes>>,
    /// Idle connections that their users drive; `None`: the client is used.
    inline: Option<Mutex<Vec<Driven>>>,
    truth: Mutex<LineWriter<File>>,
    dice: Mutex<Dice>,
    requests: AtomicU64,
}

/// A connection of which nothing happens but while its user waits for it.
struct Driven {
    sender: http1::SendRequest<Empty<Bytes>>,
    connection: Pin<Box<http1::Connection<TokioIo<TcpStream>, Empty<Bytes>>>>,
    local: SocketAddr,
}

impl Driven {
    async fn open(backend: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(backend).await.context("connect to the backend")?;
        let local = stream.local_addr()?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, connection: Box::pin(connection), local })
    }

    async fn ask(&mut self, request: Request<Empty<Bytes>>) -> Result<StatusCode> {
        let Self { sender, connection, .. } = self;
        let answer = async {
            let response = sender.send_request(request).await.context("call the backend")?;
            let status = response.status();
            response.into_body().collect().await.context("read the answer")?;
            Ok(status)
        };
        tokio::select! {
            status = answer => status,
            ended = connection => bail!("the connection ended: {ended:?}"),
        }
    }
}

/// A request that is being answered.
struct Open {
    number: u64,
    answered: AtomicBool,
}

fn main() -> Result<()> {
    let flavour = env::args().nth(1).unwrap_or_default();
    let mut builder = match flavour.as_str() {
        "multi-thread" => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build().context("start tokio")?.block_on(serve())
}

fn variable(name: &str) -> Result<String> {
    env::var(name).with_context(|| format!("set {name}"))
}

async fn serve() -> Result<()> {
    let program = Arc::new(Program::new()?);
    let mean = Duration::from_secs_f64(variable("CAUSALITY_BACKGROUND_MS")?.parse::<f64>()? / 1000.0);
    tokio::spawn(Arc::clone(&program).background(mean));
    let listener = listen(program.listen)?;
    loop {
        let (stream, peer) = listener.accept().await.context("accept")?;
        tokio::spawn(Arc::clone(&program).connection(stream, peer));
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(address)?;
    socket.listen(BACKLOG).context("listen")
}

impl Program {
    fn new() -> Result<Self> {
        let file = Path::new(&variable("CAUSALITY_TRUTH")?).join(format!("{}.jsonl", std::process::id()));
        let inline = env::args().nth(2).is_some_and(|client| client == "inline");
        Ok(Self {
            inline: inline.then(Mutex::default),
            listen: variable("CAUSALITY_LISTEN")?.parse()?,
            backend: variable("CAUSALITY_BACKEND")?.parse()?,
            client: Client::builder(TokioExecutor::new()).build(HttpConnector::new()),
            truth: Mutex::new(LineWriter::new(File::create(file).context("make the file of truth")?)),
            dice: Mutex::new(Dice::new(now())),
            requests: AtomicU64::new(0),
        })
    }

    fn note(&self, line: &Value) -> Result<()> {
        let mut truth = self.truth.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(truth, "{line}").context("write the truth")
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let answer = service_fn(|request| Arc::clone(&self).answer(request.uri().clone(), peer));
        // A connection that breaks off is the other side's business.
        let _ended = hyper::server::conn::http1::Builder::new()
            .pipeline_flush(true)
            .serve_connection(TokioIo::new(stream), answer)
            .await;
    }

    async fn answer(
        self: Arc<Self>,
        uri: Uri,
        peer: SocketAddr,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (number, start) = (self.requests.fetch_add(1, Ordering::Relaxed), now());
        let open = Arc::new(Open { number, answered: AtomicBool::new(false) });
        let mut words = uri.path().split('/').skip(1);
        let (pattern, word) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let worked = Arc::clone(&self).work(pattern, word, Arc::clone(&open)).await;
        let line = json!({"in": number, "local": self.listen, "peer": peer, "start": start, "end": now()});
        let mut response = Response::new(Full::new(Bytes::from_static(b"ok")));
        if worked.and_then(|()| self.note(&line)).is_err() {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
        Ok(response)
    }

    async fn work(self: Arc<Self>, pattern: &str, word: &str, open: Arc<Open>) -> Result<()> {
        let missed = self.missed(if matches!(pattern, "sequential" | "parallel") { 3 } else { 1 });
        match pattern {
            "parallel" => {
                let mut calls = JoinSet::new();
                for _ in 0..missed {
                    calls.spawn(Arc::clone(&self).call("item", word.to_owned(), Some(Arc::clone(&open))));
                }
                calls.join_all().await.into_iter().try_for_each(|status| status.map(drop))?;
            }
            "retry" => {
                for _ in 0..3 * missed {
                    let call = Arc::clone(&self).call("flaky", word.to_owned(), Some(Arc::clone(&open)));
                    if call.await? == StatusCode::OK {
                        break;
                    }
                }
            }
            "forget" if missed > 0 => {
                tokio::spawn(self.after_the_answer(word.to_owned(), open));
            }
            "forget" => {}
            _ => {
                for _ in 0..missed {
                    Arc::clone(&self).call("item", word.to_owned(), Some(Arc::clone(&open))).await?;
                }
            }
        }
        Ok(())
    }

    /// hyper does not tell when an answer is out; it is written as soon as the service gave it.
    async fn after_the_answer(self: Arc<Self>, word: String, open: Arc<Open>) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        open.answered.store(true, Ordering::Relaxed);
        self.call("item", word, Some(open)).await.map(drop)
    }

    fn missed(&self, calls: usize) -> usize {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        (0..calls).filter(|_| dice.unit() < 0.5).count()
    }

    async fn call(self: Arc<Self>, kind: &str, word: String, open: Option<Arc<Open>>) -> Result<StatusCode> {
        let start = now();
        let after = open.as_ref().is_some_and(|open| open.answered.load(Ordering::Relaxed));
        let request = Request::get(format!("http://{}/{kind}/{word}", self.backend))
            .header("X-Item", word)
            .body(Empty::new())?;
        let (status, local) = match &self.inline {
            Some(idle) => self.ask_inline(idle, request).await?,
            None => self.ask(request).await?,
        };
        let cause = open.map(|open| open.number);
        self.note(&json!({
            "cause": cause, "after": after, "local": local, "peer": self.backend, "start": start, "end": now(),
        }))?;
        Ok(status)
    }

    async fn ask(&self, request: Request<Empty<Bytes>>) -> Result<(StatusCode, SocketAddr)> {
        let response = self.client.request(request).await.context("call the backend")?;
        let local = response.extensions().get::<HttpInfo>().context("no connection told")?.local_addr();
        let status = response.status();
        response.into_body().collect().await.context("read the answer")?;
        Ok((status, local))
    }

    async fn ask_inline(
        &self,
        idle: &Mutex<Vec<Driven>>,
        request: Request<Empty<Bytes>>,
    ) -> Result<(StatusCode, SocketAddr)> {
        let pooled = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut driven = match pooled {
            Some(driven) => driven,
            None => Driven::open(self.backend).await?,
        };
        let status = driven.ask(request).await?;
        let local = driven.local;
        idle.lock().unwrap_or_else(PoisonError::into_inner).push(driven);
        Ok((status, local))
    }

    async fn background(self: Arc<Self>, mean: Duration) -> Result<()> {
        loop {
            let gap = self.dice.lock().unwrap_or_else(PoisonError::into_inner).exponential(mean);
            tokio::time::sleep(gap).await;
            Arc::clone(&self).call("background", "item".into(), None).await?;
        }
    }
}
