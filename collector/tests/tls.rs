//! A collector that speaks TLS: with a certificate, with clients' certificates, and not in clear.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::Arc,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use wirespan_collector::{Running, Settings, Tls};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// An authority, a server on the loopback, a client.
struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca"), issuer.pem()).unwrap();
        for (name, host) in [("server", "127.0.0.1"), ("client", "somebody")] {
            let key = KeyPair::generate().unwrap();
            let certificate =
                CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
            fs::write(folder.path().join(name), certificate.pem()).unwrap();
            fs::write(folder.path().join(format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        Self { folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tls(&self, clients: bool) -> Tls {
        let client_ca = clients.then(|| self.file("ca"));
        Tls { certificate: self.file("server"), key: self.file("server.key"), client_ca }
    }

    fn client(&self, known: bool) -> Arc<ClientConfig> {
        let certificate = |name| CertificateDer::from_pem_file(self.file(name)).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate("ca")).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(if known {
            let key = PrivateKeyDer::from_pem_file(self.file("client.key")).unwrap();
            builder.with_client_auth_cert(vec![certificate("client")], key).unwrap()
        } else {
            builder.with_no_client_auth()
        })
    }
}

fn settings(listen: &str, tls: Option<Tls>) -> Settings {
    Settings { listen: listen.to_owned(), tls, ..Settings::scratch(TOKEN) }
}

fn start(tls: Tls) -> Running {
    wirespan_collector::start(&settings("127.0.0.1:0", Some(tls))).unwrap()
}

const ASK: &str = "GET /api/v1/services HTTP/1.0\r\nHost: localhost\r\n\
                   Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n\r\n";

fn ask(place: SocketAddr, client: Arc<ClientConfig>) -> io::Result<String> {
    let connection = ClientConnection::new(client, "127.0.0.1".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(place)?);
    stream.write_all(ASK.as_bytes())?;
    let mut answer = String::new();
    match stream.read_to_string(&mut answer) {
        // HTTP/1.0's end is the connection's, with or without TLS's own goodbye.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(answer),
    }
}

#[test]
fn a_page_comes_over_tls_and_not_in_clear() {
    let certificates = Certificates::new();
    let running = start(certificates.tls(false));
    let place = running.addresses.page;
    let answer = ask(place, certificates.client(false)).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    assert!(running.page().starts_with("https://"));
    let mut clear = TcpStream::connect(place).unwrap();
    clear.write_all(ASK.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // The server may close before or after it has read all.
    let _closed = clear.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"));
}

#[test]
fn every_port_speaks_tls() {
    let certificates = Certificates::new();
    let running = start(certificates.tls(false));
    let of = &running.addresses;
    for place in [of.otlp_grpc, of.otlp_http, of.zipkin, of.tempo, of.jaeger_grpc] {
        let client = certificates.client(false);
        let connection = ClientConnection::new(client, "127.0.0.1".try_into().unwrap()).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(place.unwrap()).unwrap());
        // Flushing completes the handshake.
        stream.flush().unwrap();
        assert!(!stream.conn.is_handshaking(), "{place:?}");
    }
}

#[test]
fn clients_without_a_certificate_are_refused_where_one_is_wanted() {
    let certificates = Certificates::new();
    let running = start(certificates.tls(true));
    let known = ask(running.addresses.page, certificates.client(true)).unwrap();
    assert!(known.starts_with("HTTP/1.0 200"), "{known}");
    let unknown = ask(running.addresses.page, certificates.client(false));
    assert!(unknown.as_ref().is_ok_and(String::is_empty) || unknown.is_err(), "{unknown:?}");
}

#[test]
fn with_tls_other_hosts_may_reach_it() {
    let certificates = Certificates::new();
    assert!(wirespan_collector::start(&settings("0.0.0.0:0", None)).is_err());
    assert!(wirespan_collector::start(&settings("0.0.0.0:0", Some(certificates.tls(false)))).is_ok());
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let certificates = Certificates::new();
    let broken = Tls { key: certificates.file("none"), ..certificates.tls(false) };
    let Err(error) = wirespan_collector::start(&settings("127.0.0.1:0", Some(broken))) else {
        panic!("there is no such key");
    };
    assert!(format!("{error:#}").contains("none"), "{error:#}");
}
