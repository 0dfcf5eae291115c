//! TLS by rustls with ring: no OpenSSL, no cmake. Comes in: PEM files. Goes out: a client
//! configuration. Refuses: a file that holds nothing of what it should.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::otlp::settings::{SettingsError, Tls};

/// The configuration that the files ask for.
pub(super) fn config(tls: &Tls) -> Result<ClientConfig, SettingsError> {
    let roots = match &tls.ca {
        Some(path) => named_roots(path)?,
        None => host_roots()?,
    };
    let builder = builder(roots);
    match (&tls.client_certificate, &tls.client_key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(chain), Some(key)) => builder
            .with_client_auth_cert(certificates(chain)?, private_key(key)?)
            .map_err(|error| pem(key, &error, "the private key of the client certificate")),
        _ => Err(SettingsError::Pair),
    }
}

/// For `http`, where the connector wants one but never uses it: trusts nobody.
pub(super) fn unused() -> ClientConfig {
    builder(RootCertStore::empty()).with_no_client_auth()
}

fn builder(roots: RootCertStore) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3")
        .with_root_certificates(roots)
}

fn host_roots() -> Result<RootCertStore, SettingsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = found.errors.first().map_or_else(|| "none found".into(), ToString::to_string);
        return Err(SettingsError::NoRoots(reason));
    }
    Ok(roots)
}

fn named_roots(path: &Path) -> Result<RootCertStore, SettingsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| pem(path, &error, "CA certificates"))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    const EXPECTED: &str = "one or more `BEGIN CERTIFICATE` blocks";
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> = read.map_err(|error| pem(path, &error, EXPECTED))?;
    if found.is_empty() { Err(pem(path, &"it holds no certificate", EXPECTED)) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, SettingsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| pem(path, &error, "one unencrypted private key"))
}

fn pem(path: &Path, reason: &dyn std::fmt::Display, expected: &'static str) -> SettingsError {
    SettingsError::Pem { path: path.into(), reason: reason.to_string(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let error = |tls: &Tls| config(tls).unwrap_err().to_string();
        let tls = Tls { ca: Some(path.clone()), ..Tls::default() };
        assert!(error(&tls).contains("ca.pem"));
        std::fs::write(&path, "no PEM").unwrap();
        assert!(error(&tls).contains("holds no certificate"), "{}", error(&tls));
    }

    #[test]
    fn a_certificate_needs_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, rcgen::generate_simple_self_signed(["h".to_owned()]).unwrap().cert.pem())
            .unwrap();
        let tls = Tls { ca: Some(ca.clone()), client_certificate: Some(ca), client_key: None };
        assert!(config(&tls).unwrap_err().to_string().contains("go together"));
    }
}
