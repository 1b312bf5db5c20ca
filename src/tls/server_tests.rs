//! A server with certificates that openssl makes, asked by openssl.

use std::process::{Command, Stdio};

use super::*;
use crate::metrics::Metrics;

fn openssl(folder: &Path, line: &str) -> String {
    let mut command = Command::new("openssl");
    command.args(line.split(' ')).current_dir(folder).stdin(Stdio::null());
    let output = command.output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// A certificate for `name`, its key beside it.
fn make(folder: &Path, name: &str, days: i32) -> TlsPlan {
    let key = format!("-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout {name}.key");
    openssl(folder, &format!("req -x509 {key} -out {name}.pem -subj /CN={name} -days {days}"));
    TlsPlan { cert: folder.join(format!("{name}.pem")), key: folder.join(format!("{name}.key")) }
}

#[test]
fn what_cannot_be_shown_is_named_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (make(folder.path(), "one", 30), make(folder.path(), "other", 30));
    let loaded = Loaded::read(&one).unwrap();
    assert!(!loaded.expired());
    let days = (loaded.not_after as f64 - crate::metrics::unix_seconds()) / 86_400.0;
    assert!((29.0..31.0).contains(&days), "{days}");
    assert!(Loaded { not_after: 1_000_000_000, ..loaded }.expired());
    let missing = folder.path().join("missing.pem");
    std::fs::write(folder.path().join("empty.pem"), "").unwrap();
    let empty = folder.path().join("empty.pem");
    for (cert, key, part, said) in [
        (&missing, &one.key, Part::Cert, "cannot be read"),
        (&one.cert, &missing, Part::Key, "cannot be read"),
        (&empty, &one.key, Part::Cert, "PEM"),
        (&one.cert, &empty, Part::Key, "PEM"),
        (&one.key, &one.key, Part::Cert, "no certificate"),
        (&one.cert, &other.key, Part::Key, "not the key of the certificate"),
    ] {
        let problem = Loaded::read(&TlsPlan { cert: cert.clone(), key: key.clone() }).unwrap_err();
        assert_eq!(problem.part, part, "{problem}");
        assert!(problem.to_string().contains(said), "{problem}");
    }
}

#[test]
fn a_renewed_certificate_is_shown_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (make(folder.path(), "one", 30), make(folder.path(), "other", 60));
    let metrics = Metrics::new().unwrap();
    let certificate = Certificate::open("http", &one, TlsMetrics::new(metrics.registry()).unwrap()).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = certificate.config().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut server = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = stream;
            // Until the client goes.
            while server.complete_io(&mut stream).is_ok_and(|(read, written)| read + written > 0) {}
        }
    });
    let shown = |more: &str| openssl(folder.path(), &format!("s_client -connect 127.0.0.1:{port}{more}"));
    assert!(shown("").contains("CN = one"), "{}", shown(""));
    assert!(shown(" -tls1_2").contains("TLSv1.2") && shown(" -tls1_3").contains("TLSv1.3"));
    assert!(shown(" -tls1_1").contains("no peer certificate"), "{}", shown(" -tls1_1"));
    let text = || metrics.render().unwrap();
    assert!(text().contains("maskwatch_tls_reloads_failed_total{server=\"http\"} 0"), "{}", text());

    // The new certificate is there before its key.
    let before = text();
    std::fs::copy(&other.cert, &one.cert).unwrap();
    certificate.look();
    assert!(shown("").contains("CN = one"));
    assert!(text().contains("maskwatch_tls_reloads_failed_total{server=\"http\"} 0"), "the key may be on its way");
    std::fs::copy(&other.key, &one.key).unwrap();
    certificate.look();
    assert!(shown("").contains("CN = other"));
    let gauge = |text: &str| text.lines().find(|line| line.contains("not_after_seconds{")).map(str::to_owned);
    assert!(gauge(&before).is_some() && gauge(&before) != gauge(&text()));
    std::fs::remove_file(&one.cert).unwrap();
    (0..3).for_each(|_| certificate.look());
    assert!(text().contains("maskwatch_tls_reloads_failed_total{server=\"http\"} 1"), "said once");
    assert!(shown("").contains("CN = other"));
}
