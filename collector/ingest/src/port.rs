//! A TCP port in, connections ready for HTTP out, after TLS where that is asked for. A slow or silent handshake holds up
//! nobody else and is given up.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::stream::{self, Stream};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tonic::transport::server::Connected;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at once; further connections wait in the kernel's queue.
const HANDSHAKES: usize = 256;
/// Connections that wait to be served.
const READY: usize = 64;
/// How long a port rests after it could not accept, as when there are no more file descriptors.
const REST: Duration = Duration::from_millis(100);

/// A port that listens.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    ready: mpsc::Receiver<(Io, SocketAddr)>,
}

/// A connection: TCP's bytes, or those inside TLS.
pub struct Io(Pin<Box<dyn Both>>);

/// What a connection is.
trait Both: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Both for T {}

impl std::fmt::Debug for Io {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Io")
    }
}

impl Port {
    /// Begins to accept, on a task of the runtime that this is called in; with TLS where there is a configuration.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn new(listener: TcpListener, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (to, ready) = mpsc::channel(READY);
        tokio::spawn(accept(listener, tls.map(TlsAcceptor::from), to));
        Ok(Self { address, ready })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its connections, without end.
    pub(crate) fn connections(self) -> impl Stream<Item = io::Result<Io>> {
        stream::unfold(self.ready, async |mut ready| Some((Ok(ready.recv().await?.0), ready)))
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, to: mpsc::Sender<(Io, SocketAddr)>) {
    let turns = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let Ok(turn) = turns.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = to.closed() => return,
        };
        let Ok((tcp, peer)) = accepted else {
            sleep(REST).await;
            continue;
        };
        let (tls, to) = (tls.clone(), to.clone());
        tokio::spawn(async move {
            // Whoever does not get through the handshake is told so by TLS.
            if let Some(io) = shake_hands(tcp, tls).await {
                // The port may have been closed meanwhile.
                let _gone = to.send((io, peer)).await;
            }
            drop(turn);
        });
    }
}

async fn shake_hands(tcp: TcpStream, tls: Option<TlsAcceptor>) -> Option<Io> {
    // Answers are small: none shall wait for the next.
    tcp.set_nodelay(true).ok()?;
    match tls {
        None => Some(Io(Box::pin(tcp))),
        Some(tls) => Some(Io(Box::pin(timeout(HANDSHAKE, tls.accept(tcp)).await.ok()?.ok()?))),
    }
}

impl axum::serve::Listener for Port {
    type Io = Io;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Io, SocketAddr) {
        match self.ready.recv().await {
            Some(ready) => ready,
            // The accepting task ends with the runtime only.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Connected for Io {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(cx, into)
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
