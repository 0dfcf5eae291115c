//! A real OTLP receiver on the loopback. Comes in: requests over HTTP or gRPC, in the clear or with TLS. Goes out:
//! the answers that a test wrote down, in order, then success; and what was received.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use prost::Message;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::timeout,
};
use tonic::{
    Status,
    codec::CompressionEncoding,
    transport::{Certificate, Identity, Server, ServerTlsConfig, server::TcpIncoming},
};

use super::certificates::Certificates;
use crate::otlp::Protocol;

/// One answer.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// Success that turns down so many spans.
    Rejected(i64, &'static str),
    /// HTTP only: a status, `Retry-After` where not empty, and words.
    Http(u16, &'static str, &'static str),
    /// gRPC only.
    Grpc(Status),
    /// No answer.
    Silence,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) request: ExportTraceServiceRequest,
}

impl Received {
    /// Last bytes of the ids of the spans.
    pub(super) fn ids(&self) -> Vec<u8> {
        let scopes = self.request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| &scope.spans).filter_map(|span| span.span_id.last().copied()).collect()
    }
}

#[derive(Clone)]
struct Script {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    received: watch::Sender<Vec<Received>>,
}

impl Script {
    fn turn(&self, received: Received) -> Option<Reply> {
        self.received.send_modify(|all| all.push(received));
        self.replies.lock().unwrap().pop_front()
    }
}

/// Runs until it is dropped.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    script: Script,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    pub(super) async fn start(protocol: Protocol, replies: &[Reply]) -> Self {
        Self::at(free().await, protocol, replies, None).await
    }

    pub(super) async fn with_tls(protocol: Protocol, certificates: &Certificates) -> Self {
        Self::at(free().await, protocol, &[], Some(certificates)).await
    }

    pub(super) async fn at(
        address: SocketAddr,
        protocol: Protocol,
        replies: &[Reply],
        tls: Option<&Certificates>,
    ) -> Self {
        let script = Script {
            replies: Arc::new(Mutex::new(replies.to_vec().into())),
            received: watch::Sender::default(),
        };
        let listener = TcpListener::bind(address).await.unwrap();
        let task = match protocol {
            Protocol::Grpc => serve_grpc(listener, script.clone(), tls),
            Protocol::HttpProtobuf => serve_http(listener, script.clone(), tls),
        };
        Self { address, script, task }
    }

    /// Waits for so many requests.
    pub(super) async fn requests(&self, count: usize) -> Vec<Received> {
        let mut received = self.script.received.subscribe();
        let all = timeout(Duration::from_secs(20), received.wait_for(|all| all.len() >= count)).await;
        all.expect("the requests arrive").unwrap().clone()
    }

    /// Waits for so many spans, tries included; their ids in the order of arrival.
    pub(super) async fn ids(&self, count: usize) -> Vec<u8> {
        let ids = |all: &Vec<Received>| all.iter().flat_map(Received::ids).collect::<Vec<_>>();
        let mut received = self.script.received.subscribe();
        let all = timeout(Duration::from_secs(20), received.wait_for(|all| ids(all).len() >= count)).await;
        ids(&all.expect("the spans arrive").unwrap())
    }
}

/// An address with nobody at it. Not 127.0.0.1, where every other program takes its ports.
pub(super) async fn free() -> SocketAddr {
    TcpListener::bind("127.77.3.1:0").await.unwrap().local_addr().unwrap()
}

fn serve_http(listener: TcpListener, script: Script, tls: Option<&Certificates>) -> JoinHandle<()> {
    let acceptor = tls.map(|certificates| tokio_rustls::TlsAcceptor::from(Arc::new(certificates.server())));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (script, acceptor) = (script.clone(), acceptor.clone());
            tokio::spawn(async move {
                match acceptor {
                    None => serve_connection(stream, script).await,
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            serve_connection(stream, script).await;
                        }
                    }
                }
            });
        }
    })
}

async fn serve_connection(stream: impl AsyncRead + AsyncWrite + Unpin, script: Script) {
    let service = service_fn(move |request| answer(request, script.clone()));
    // A client that goes away in the middle is what some of the tests are about.
    let _broken = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, script: Script) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let mut bytes = body.collect().await?.to_bytes().to_vec();
    if head.headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut GzDecoder::new(bytes.as_slice()), &mut plain).unwrap();
        bytes = plain;
    }
    let request = ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
    let received = Received { path: head.uri.path().into(), headers: head.headers, request };
    Ok(match script.turn(received) {
        None => success(ExportTraceServiceResponse::default()),
        Some(Reply::Rejected(count, message)) => success(partial(count, message)),
        Some(Reply::Http(status, retry_after, words)) => {
            let response = Response::builder().status(status).header("content-type", "text/plain");
            let retry_after = Some(retry_after).filter(|text| !text.is_empty());
            let response = retry_after.into_iter().fold(response, |r, text| r.header("retry-after", text));
            response.body(words.into()).unwrap()
        }
        Some(Reply::Silence) => std::future::pending().await,
        Some(Reply::Grpc(status)) => unreachable!("{status} over HTTP"),
    })
}

fn success(response: ExportTraceServiceResponse) -> Response<Full<Bytes>> {
    let response_head = Response::builder().header("content-type", "application/x-protobuf");
    response_head.body(response.encode_to_vec().into()).unwrap()
}

fn partial(rejected_spans: i64, message: &str) -> ExportTraceServiceResponse {
    let partial = ExportTracePartialSuccess { rejected_spans, error_message: message.into() };
    ExportTraceServiceResponse { partial_success: Some(partial) }
}

fn serve_grpc(listener: TcpListener, script: Script, tls: Option<&Certificates>) -> JoinHandle<()> {
    let mut server = Server::builder();
    if let Some(certificates) = tls {
        let identity = Identity::from_pem(&certificates.server_chain, &certificates.server_key);
        let ca = Certificate::from_pem(&certificates.ca);
        server = server.tls_config(ServerTlsConfig::new().identity(identity).client_ca_root(ca)).unwrap();
    }
    let service = TraceServiceServer::new(script).accept_compressed(CompressionEncoding::Gzip);
    let serving = server.add_service(service).serve_with_incoming(TcpIncoming::from(listener));
    tokio::spawn(async move { serving.await.unwrap() })
}

#[tonic::async_trait]
impl TraceService for Script {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, Status> {
        let headers = request.metadata().clone().into_headers();
        let received = Received { path: String::new(), headers, request: request.into_inner() };
        match self.turn(received) {
            None => Ok(ExportTraceServiceResponse::default().into()),
            Some(Reply::Rejected(count, message)) => Ok(partial(count, message).into()),
            Some(Reply::Grpc(status)) => Err(status),
            Some(Reply::Silence) => std::future::pending().await,
            Some(Reply::Http(status, ..)) => unreachable!("{status} over gRPC"),
        }
    }
}
