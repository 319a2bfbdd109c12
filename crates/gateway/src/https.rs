//! HTTPS for the API and the desk page: a certificate from files, or one of our own making for local use.

use crate::config::{HttpsSettings, TlsSettings};
use crate::sip_streams::Tls;
use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use std::fs;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What serves it.
///
/// # Errors
/// What is wrong with which file, and what to do.
pub(crate) fn load(settings: &HttpsSettings) -> Result<Tls, String> {
    let pair = match &settings.certificate {
        Some(pair) => pair.clone(),
        None => own(settings).map_err(|error| {
            format!(
                "cannot make a certificate in {}: {error}; set http.certificate and http.key",
                settings.own.display()
            )
        })?,
    };
    Tls::load(&TlsSettings { certificate: Some(pair), ..TlsSettings::default() })
}

/// Our own certificate, made once: a browser that was told to believe it goes on doing so.
fn own(settings: &HttpsSettings) -> io::Result<(PathBuf, PathBuf)> {
    let (chain, key) = (settings.own.with_extension("pem"), settings.own.with_extension("key"));
    if !chain.is_file() || !key.is_file() {
        let keys = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params(settings).map_err(io::Error::other)?.self_signed(&keys).map_err(io::Error::other)?;
        write(&key, keys.serialize_pem().as_bytes())?;
        write(&chain, certificate.pem().as_bytes())?;
        tracing::info!(chain = %chain.display(), "made a certificate for local use: browsers warn of it once");
    }
    Ok((chain, key))
}

/// For every name by which browsers may address us.
fn params(settings: &HttpsSettings) -> Result<CertificateParams, rcgen::Error> {
    let names = ["localhost".to_owned()].into_iter().chain(settings.names.iter().cloned());
    let mut params = CertificateParams::new(names.collect::<Vec<_>>())?;
    let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST), settings.bind.ip()];
    addresses.dedup();
    let addresses = addresses.into_iter().filter(|address| !address.is_unspecified());
    params.subject_alt_names.extend(addresses.map(SanType::IpAddress));
    params.distinguished_name.push(DnType::CommonName, "Warmline, self-signed");
    Ok(params)
}

/// For our eyes only.
fn write(file: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(file)?.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_certificate_is_made_once_and_kept_from_others() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = std::env::temp_dir().join(format!("warmline-https-{}", std::process::id()));
        let settings = HttpsSettings {
            bind: ([127, 0, 0, 1], 0).into(),
            certificate: None,
            own: folder.join("deep").join("self-signed"),
            names: vec!["desk.example.test".to_owned()],
        };
        assert!(load(&settings).is_ok());
        let made = fs::read(folder.join("deep").join("self-signed.pem")).expect("a certificate");
        assert!(load(&settings).is_ok());
        assert_eq!(fs::read(folder.join("deep").join("self-signed.pem")).expect("a certificate"), made);
        let key = fs::metadata(folder.join("deep").join("self-signed.key")).expect("a key");
        assert_eq!(key.permissions().mode() & 0o777, 0o600);

        fs::write(folder.join("deep").join("self-signed.key"), "half a").expect("a file");
        assert!(load(&settings).is_err());
        fs::remove_dir_all(&folder).expect("the folder");
    }
}
