//! Certificates for one test: an authority, a server on 127.77.3.1, a client. Goes out: PEM, and files of it.

use std::{path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tempfile::TempDir;

use crate::otlp::Tls;

pub(super) struct Certificates {
    pub(super) ca: String,
    pub(super) server_chain: String,
    pub(super) server_key: String,
    folder: TempDir,
}

impl Certificates {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let (server_chain, server_key) = signed("127.77.3.1", &issuer);
        let (client_chain, client_key) = signed("agent", &issuer);
        let folder = tempfile::tempdir().unwrap();
        let ca = issuer.pem();
        for (name, pem) in [("ca", &ca), ("client", &client_chain), ("key", &client_key)] {
            std::fs::write(folder.path().join(name), pem).unwrap();
        }
        Self { ca, server_chain, server_key, folder }
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.path().join(name))
    }

    /// What a client needs that the server shall trust.
    pub(super) fn client(&self) -> Tls {
        Tls { client_certificate: self.file("client"), client_key: self.file("key"), ..self.stranger() }
    }

    /// What a client has that only trusts the server.
    pub(super) fn stranger(&self) -> Tls {
        Tls { ca: self.file("ca"), ..Tls::default() }
    }

    /// A server that wants a certificate of its clients.
    pub(super) fn server(&self) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.ca.as_bytes()).unwrap()).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let chain = vec![CertificateDer::from_pem_slice(self.server_chain.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(self.server_key.as_bytes()).unwrap();
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(chain, key)
            .unwrap()
    }
}

fn signed(name: &str, issuer: &CertifiedIssuer<'_, KeyPair>) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, issuer).unwrap();
    (certificate.pem(), key.serialize_pem())
}
