//! The certificates and keys of a control plane.

use std::{fs, net::IpAddr, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use serde_json::json;

/// Signs the certificates of one control plane.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM.
pub struct Identity {
    certificate: String,
    key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = name("test authority", &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().expect("a key can be made");
        let pem = params.self_signed(&key).expect("a certificate can be signed").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for a server at these addresses.
    pub fn server(&self, addresses: &[IpAddr]) -> Identity {
        let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];
        let mut params = CertificateParams::new(names.map(str::to_owned).to_vec()).expect("the names are good");
        params.subject_alt_names.extend(addresses.iter().map(|address| SanType::IpAddress(*address)));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params, "kube-apiserver", &[])
    }

    /// A certificate by which a user is known.
    pub fn client(&self, user: &str, groups: &[&str]) -> Identity {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params, user, groups)
    }

    fn sign(&self, mut params: CertificateParams, user: &str, groups: &[&str]) -> Identity {
        params.distinguished_name = name(user, groups);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate can be signed").pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    /// Writes what the servers read.
    pub fn write(&self, file: &Path) {
        fs::write(file, &self.pem).expect("a file can be written");
    }

    /// Writes a kubeconfig for the holder of a certificate.
    pub fn write_kubeconfig(&self, file: &Path, server: &str, identity: &Identity) {
        let user = json!({
            "client-certificate-data": STANDARD.encode(&identity.certificate),
            "client-key-data": STANDARD.encode(&identity.key),
        });
        let text = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "real", "cluster": {"server": server, "certificate-authority-data": STANDARD.encode(&self.pem)}}],
            "users": [{"name": "real", "user": user}],
            "contexts": [{"name": "real", "context": {"cluster": "real", "user": "real"}}],
            "current-context": "real",
        });
        fs::write(file, text.to_string()).expect("a file can be written");
    }
}

impl Identity {
    /// Writes `NAME.pem` and `NAME.key`.
    pub fn write(&self, folder: &Path, name: &str) {
        fs::write(folder.join(format!("{name}.pem")), &self.certificate).expect("a file can be written");
        fs::write(folder.join(format!("{name}.key")), &self.key).expect("a file can be written");
    }
}

/// The key that signs the tokens of service accounts, and its public half.
pub fn write_token_key(folder: &Path) {
    let key = KeyPair::generate().expect("a key can be made");
    fs::write(folder.join("tokens.key"), key.serialize_pem()).expect("a file can be written");
    fs::write(folder.join("tokens.pub"), key.public_key_pem()).expect("a file can be written");
}

fn name(user: &str, groups: &[&str]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, user);
    if let [group] = groups {
        name.push(DnType::OrganizationName, *group);
    }
    name
}
