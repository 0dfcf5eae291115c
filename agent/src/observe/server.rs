//! /metrics and /healthz over HTTP/1. Comes in: connections to an address, loopback by default. Goes out: what the
//! [`Watch`] knows. Refuses: everything but GET and HEAD of these pages, more than a few callers at once, slow ones.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::{health::Health, page, samples, watch::Watch};

/// Callers answered at the same time; further ones are turned away.
const CALLERS: usize = 16;

/// How long a caller may take for everything.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pause after a failed `accept`, which fails again at once while descriptors are short.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens. To be called within a runtime with I/O.
///
/// # Errors
/// The address cannot be had: mostly because somebody else listens there.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Answers for ever.
pub async fn serve(listener: TcpListener, watch: Arc<Watch>) {
    let room = Arc::new(Semaphore::new(CALLERS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let Ok(seat) = Arc::clone(&room).try_acquire_owned() else { continue };
        let watch = Arc::clone(&watch);
        tokio::spawn(async move {
            // Too slow, or broken off: the caller knows.
            let _answered = timeout(PATIENCE, converse(stream, &watch)).await;
            drop(seat);
        });
    }
}

/// One request a connection, so that a caller who stays does not take a seat for ever.
async fn converse(stream: TcpStream, watch: &Watch) -> hyper::Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(request.method(), request.uri().path(), watch);
        async move { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service).await
}

fn answer(method: &Method, path: &str, watch: &Watch) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    if method != Method::GET && method != Method::HEAD {
        return response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".into());
    }
    match path {
        "/metrics" => response(StatusCode::OK, page::CONTENT_TYPE, samples::page(watch)),
        "/healthz" => {
            let health = Health::of(watch);
            let status = if health.well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            response(status, "application/json", format!("{}\n", health.json()))
        }
        "/" => response(StatusCode::OK, TEXT, "wirespan: /metrics, /healthz\n".into()),
        _ => response(StatusCode::NOT_FOUND, TEXT, "there are /metrics and /healthz\n".into()),
    }
}

fn response(status: StatusCode, content: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content));
    response
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };

    use super::*;
    use crate::observe::{
        health::{Answer, ask},
        watch::tests::watch,
    };

    /// A server on a thread that runs as long as the test.
    fn server() -> SocketAddr {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = {
            let _inside = runtime.enter();
            listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()
        };
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || runtime.block_on(serve(listener, Arc::new(watch()))));
        address
    }

    fn call(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn pages_and_refusals() {
        let address = server();
        for (request, expected) in [
            ("GET /metrics", "content-type: text/plain; version=0.0.4"),
            ("GET /metrics", "\nwirespan_exchanges_total 0\n"),
            ("GET /healthz", "\"status\":\"ok\""),
            ("GET /", "HTTP/1.1 200"),
            ("GET /secrets", "HTTP/1.1 404"),
            ("POST /metrics", "HTTP/1.1 405"),
            ("HEAD /metrics", "HTTP/1.1 200"),
        ] {
            let answer = call(address, &format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n"));
            assert!(answer.contains(expected), "{request}: {answer}");
        }
    }

    #[test]
    fn a_daemon_is_recognised() {
        let Answer::Daemon(health) = ask(server()) else { panic!("no daemon answered") };
        assert!(health.well && health.pid == u64::from(std::process::id()));
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let address = server();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        assert_eq!(listen(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
