//! Certificates: a self-signed one that is made once, or the administrator's own files.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};

use crate::menus::{Service, TlsVersion};

/// The self-signed certificate and its key, in the state directory.
const SELF_SIGNED: &str = "self-signed.pem";
/// What `certificate=` says when no file is named.
const NONE: &str = "none";

/// TLS as a service's row wants it.
///
/// # Errors
///
/// What is wrong with the certificate, where, and how to mend it.
pub(super) fn configuration(
    service: &Service,
    directories: &[PathBuf],
) -> Result<Arc<ServerConfig>, String> {
    let (certificates, key) = match service.certificate.as_str() {
        NONE | "" => self_signed(directories.first().map_or(Path::new("."), PathBuf::as_path))?,
        name => named(name, directories)?,
    };
    let versions: &[_] = match service.tls_version {
        TlsVersion::Any => &[&TLS13, &TLS12],
        TlsVersion::Only12 => &[&TLS12],
    };
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(versions).map_err(|error| error.to_string())?;
    let configuration = builder.with_no_client_auth().with_single_cert(certificates, key);
    configuration
        .map(Arc::new)
        .map_err(|error| format!("certificate {}: {error}", service.certificate))
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The files of `certificate=NAME`: `NAME` or `NAME.pem` or `NAME.crt`, and `NAME.key` if the key
/// is not in the same file.
fn named(name: &str, directories: &[PathBuf]) -> Result<Identity, String> {
    let name = Path::new(name);
    if name.components().count() != 1 || name.file_name().is_none() {
        return Err("certificate: it is the name of a file, not a path".into());
    }
    let stem = name.file_stem().unwrap_or_default();
    let with = |suffix: &str| PathBuf::from(format!("{}.{suffix}", stem.to_string_lossy()));
    let candidates = [name.to_owned(), with("pem"), with("crt")];
    let places = directories
        .iter()
        .flat_map(|directory| candidates.iter().map(move |candidate| directory.join(candidate)));
    let Some(path) = places.into_iter().find(|path| path.is_file()) else {
        let places: Vec<_> = directories.iter().map(|path| path.display().to_string()).collect();
        return Err(format!(
            "certificate {}: there is no such file in {}",
            name.display(),
            places.join(" or ")
        ));
    };
    let key = path.with_file_name(with("key"));
    let key = if key.is_file() { key } else { path.clone() };
    read(&path, &key)
}

fn read(certificate: &Path, key: &Path) -> Result<Identity, String> {
    let pem = |path: &Path| {
        fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let certificates = CertificateDer::pem_slice_iter(&pem(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("{}: {error}", certificate.display()))?;
    if certificates.is_empty() {
        return Err(format!("{}: there is no certificate in it", certificate.display()));
    }
    let key_der = PrivateKeyDer::from_pem_slice(&pem(key)?);
    let key_der = key_der.map_err(|error| format!("key in {}: {error}", key.display()))?;
    Ok((certificates, key_der))
}

/// The certificate of the state directory; made if there is none.
fn self_signed(state: &Path) -> Result<Identity, String> {
    let path = state.join(SELF_SIGNED);
    if !path.is_file() {
        let made = make().map_err(|error| format!("cannot make a certificate: {error}"))?;
        write(&path, &made).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        tracing::info!(target: "system", "made a self-signed certificate, {}", path.display());
    }
    read(&path, &path)
}

fn make() -> Result<String, rcgen::Error> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut parameters = rcgen::CertificateParams::new(vec![host, "localhost".into()])?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "leasehold");
    parameters.not_before = rcgen::date_time_ymd(2024, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2044, 1, 1);
    let key = rcgen::KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    Ok(certificate.pem() + &key.serialize_pem())
}

/// Whole, and for the server alone.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_routeros::Row;
    use std::os::unix::fs::MetadataExt;

    fn service(certificate: &str) -> Service {
        let mut tree = crate::menus::tree();
        let command = leasehold_routeros::Command::new(Service::menu().path, "set");
        let command = command.target("api-ssl").with("certificate", certificate);
        tree.run(&command, &leasehold_routeros::Offline).unwrap();
        let mut rows = tree.rows::<Service>().into_iter().map(|row| row.row.unwrap());
        rows.find(|row| &*row.name == "api-ssl").unwrap()
    }

    #[test]
    fn a_certificate_is_made_once_and_for_us_alone() {
        let state = tempfile::tempdir().unwrap();
        let directories = [state.path().to_owned()];
        configuration(&service("none"), &directories).unwrap();
        let path = state.path().join(SELF_SIGNED);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let first = fs::read(&path).unwrap();
        configuration(&service("none"), &directories).unwrap();
        assert_eq!(fs::read(&path).unwrap(), first);
    }

    #[test]
    fn files_are_found_by_name_and_what_is_wrong_is_told() {
        let (state, config) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let directories = [state.path().to_owned(), config.path().to_owned()];
        let pem = make().unwrap();
        let (certificate, key) = pem.split_at(pem.find("-----BEGIN PRIVATE").unwrap());
        fs::write(config.path().join("site.crt"), certificate).unwrap();
        let without = configuration(&service("site"), &directories).unwrap_err();
        assert!(without.contains("key in") && without.contains("site.crt"), "{without}");
        fs::write(config.path().join("site.key"), key).unwrap();
        configuration(&service("site"), &directories).unwrap();
        configuration(&service("site.crt"), &directories).unwrap();
        let absent = configuration(&service("other"), &directories).unwrap_err();
        assert!(absent.contains("there is no such file in"), "{absent}");
        let path = configuration(&service("../site"), &directories).unwrap_err();
        assert!(path.contains("not a path"), "{path}");
    }
}
