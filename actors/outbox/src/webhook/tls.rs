//! Whom to believe on an encrypted connection to an endpoint.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Says why no encrypted connection can be made. The operator acts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The machine vouches for nobody.
    #[error(
        "this machine has no certificates to verify endpoints by: install ca-certificates, or set \
         outbox.ca_file"
    )]
    NoRoots,
    /// The file of further authorities cannot be used.
    #[error("outbox.ca_file {}: {problem}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The library refuses its own protocols.
    #[error("TLS cannot be used: {problem}")]
    Unusable {
        /// What it says.
        problem: String,
    },
}

/// Makes the settings of every connection: the authorities of this machine and those of a
/// file, and HTTP/1.1 alone.
///
/// Built once, because it keeps the sessions by which a second handshake is short.
pub(crate) fn config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        add_file(&mut roots, path)
            .map_err(|problem| TlsError::File { path: path.to_owned(), problem })?;
    }
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Unusable { problem: error.to_string() })?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let before = roots.len();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())? {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    match roots.len() == before {
        true => Err("has no certificate in PEM form".to_owned()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_authorities_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        for text in [None, Some(""), Some("hello")] {
            if let Some(text) = text {
                std::fs::write(&path, text).unwrap();
            }
            let said = config(Some(&path)).unwrap_err().to_string();
            assert!(said.contains("outbox.ca_file") && said.contains("ca.pem"), "{said}");
        }
    }
}
