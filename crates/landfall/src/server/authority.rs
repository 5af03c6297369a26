//! The certificate authority of one installation, and the certificate of its server.

use std::{
    fs, io::Write as _,
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use tokio_rustls::TlsAcceptor;

/// Signs the server's certificate; clients trust it through the kubeconfig.
pub struct Authority {
    pub ca_pem: String,
    issuer: Issuer<'static, KeyPair>,
    /// Where the server is reached besides loopback.
    addresses: Vec<IpAddr>,
}

impl Authority {
    /// Reads the authority in `folder`, or makes one.
    pub fn open(folder: &Path, api: Option<Ipv4Addr>) -> anyhow::Result<Self> {
        let (certificate, key) = (folder.join("ca.pem"), folder.join("ca.key"));
        if !certificate.exists() {
            make(&certificate, &key).context("the certificate authority cannot be made")?;
        }
        let ca_pem = fs::read_to_string(&certificate)?;
        let key = KeyPair::from_pem(&fs::read_to_string(&key)?)?;
        // A certificate names its issuer and the issuer's key, and both are always these.
        let issuer = Issuer::new(ca_params(), key);
        Ok(Self { ca_pem, issuer, addresses: api.map(IpAddr::from).into_iter().collect() })
    }

    /// Accepts TLS with a fresh certificate for all names of this server.
    pub fn acceptor(&self) -> anyhow::Result<TlsAcceptor> {
        let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];
        let mut params = CertificateParams::new(names.map(str::to_owned).to_vec())?;
        params.distinguished_name.push(DnType::CommonName, "landfall");
        for address in self.addresses.iter().copied().chain([Ipv4Addr::LOCALHOST.into()]) {
            params.subject_alt_names.push(SanType::IpAddress(address));
        }
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// What the authority's own certificate says.
fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "landfall authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params
}

fn make(certificate: &Path, key: &Path) -> anyhow::Result<()> {
    let pair = KeyPair::generate()?;
    let signed = ca_params().self_signed(&pair)?;
    let mut options = fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(key)?;
    file.write_all(pair.serialize_pem().as_bytes())?;
    file.sync_all()?;
    // The certificate comes last: with it the authority is whole.
    fs::write(certificate, signed.pem())?;
    // What was written can be read; a broken file would show only at the next start.
    rustls::pki_types::CertificateDer::from_pem_slice(signed.pem().as_bytes()).context("the certificate is not readable")?;
    Ok(())
}
