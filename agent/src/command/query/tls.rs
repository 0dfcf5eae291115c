//! A TCP connection to a collector in, one inside TLS out.

use std::{net::TcpStream, path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

use crate::config::Config;

/// A connection inside TLS.
pub(super) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Trusts `otlp.ca_file`, else the collector's own certificate, and shows the client's certificate where there is one.
pub(super) fn connect(config: &Config, address: &str, tcp: TcpStream) -> Result<Stream> {
    let files = &config.otlp;
    let Some(trusted) = files.ca_file.as_ref().or(config.collector.tls_certificate_file.as_ref()) else {
        bail!(
            "whose certificate to trust is not known: set otlp.ca_file to that of the collector's authority"
        );
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(trusted)? {
        roots.add(certificate).with_context(|| format!("{} cannot be trusted", trusted.display()))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let client = match (&files.client_certificate_file, &files.client_key_file) {
        (Some(certificate), Some(key)) => {
            let key = PrivateKeyDer::from_pem_file(key).with_context(|| format!("read {}", key.display()))?;
            builder.with_client_auth_cert(certificates(certificate)?, key)?
        }
        _ => builder.with_no_client_auth(),
    };
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned()).with_context(|| format!("`{host}` is no host"))?;
    Ok(StreamOwned::new(ClientConnection::new(Arc::new(client), name)?, tcp))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    read.with_context(|| format!("read the certificates in {}", path.display()))
}
