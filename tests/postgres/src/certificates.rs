//! Certificates of servers, made with `openssl`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::program::{as_user, folder, skip};

/// Self-signed certificate authority.
pub struct Authority {
    folder: TempDir,
}

/// Certificate and private key of a server.
pub struct Certificate {
    /// PEM file of the certificate.
    pub certificate: PathBuf,
    /// PEM file of the key, which only the server's user can read.
    pub key: PathBuf,
}

const KEY: [&str; 5] = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
];

impl Authority {
    /// Creates an authority, if `openssl` is installed.
    pub fn create() -> Option<Self> {
        let authority = Self { folder: folder() };
        if !Path::new("/usr/bin/openssl").exists() {
            skip("openssl");
            return None;
        }
        let (key, root) = (authority.file("root.key"), authority.root());
        let made = ["req", "-x509", "-days", "2", "-subj", "/CN=test authority"];
        let made = made.into_iter().chain(KEY).map(OsStr::new);
        let files = [OsStr::new("-keyout"), key.as_ref(), OsStr::new("-out")];
        openssl(made.chain(files).chain([root.as_ref()]));
        Some(authority)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// PEM file of the authority's own certificate.
    pub fn root(&self) -> PathBuf {
        self.file("root.pem")
    }

    /// Issues a certificate for one host name.
    pub fn issue(&self, host: &str) -> Certificate {
        let file = |kind: &str| self.file(&format!("{host}.{kind}"));
        let (key, request, certificate, names) =
            (file("key"), file("csr"), file("pem"), file("ext"));
        std::fs::write(&names, format!("subjectAltName = DNS:{host}")).unwrap();
        let subject = format!("/CN={host}");
        let made = ["req", "-new", "-subj", &subject];
        let made = made.into_iter().chain(KEY).map(OsStr::new);
        let files = [OsStr::new("-keyout"), key.as_ref(), OsStr::new("-out")];
        openssl(made.chain(files).chain([request.as_ref()]));
        let (root, root_key) = (self.root(), self.file("root.key"));
        let signed: [&OsStr; 15] = [
            "x509".as_ref(),
            "-req".as_ref(),
            "-days".as_ref(),
            "2".as_ref(),
            "-in".as_ref(),
            request.as_ref(),
            "-CA".as_ref(),
            root.as_ref(),
            "-CAkey".as_ref(),
            root_key.as_ref(),
            "-CAcreateserial".as_ref(),
            "-extfile".as_ref(),
            names.as_ref(),
            "-out".as_ref(),
            certificate.as_ref(),
        ];
        openssl(signed);
        Certificate { certificate, key }
    }
}

fn openssl<'a>(arguments: impl IntoIterator<Item = &'a OsStr>) {
    let mut command = as_user(Path::new("/usr/bin/openssl"));
    let done = command.args(arguments).output().unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
