//! Who may watch the streams, tried by other people's players: users over RTSPS and by Digest, cameras by label, and who
//! is cut off when users change.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use maskwatch::access::{Access, DigestForm, Role, Scope, Token, User, UsersError, password, store, token};
use maskwatch::config::plan::{AccessPlan, Credentials, ListenPlan, OutputPlan, TlsPlan};
use maskwatch::config::secret::Secret;
use maskwatch::metrics::{Metrics, TlsMetrics};
use maskwatch::rtsp::{RtspServer, Stream};
use maskwatch::sim;
use maskwatch::tls::server::Certificate;

mod rig;
mod support;

use rig::{Rig, plan, simulate};
use support::clip::Clip;
use support::{Process, grab, peer, process, soon, temp_dir, wait_until};

const PASSWORD: &str = "correct-h0rse";

/// Two cameras of two sites, and their streams.
struct Bench {
    server: RtspServer,
    rigs: [Rig; 2],
    folder: tempfile::TempDir,
    /// A viewer's, and one for metrics.
    tokens: [String; 2],
    tls: TlsPlan,
    _cameras: sim::Server,
}

/// What a server is set up with.
#[derive(Default)]
struct Setup {
    listen: Option<IpAddr>,
    tls: bool,
    no_users: bool,
    own: Option<(&'static str, &'static str)>,
}

impl Bench {
    fn start(setup: &Setup) -> Self {
        gst::init().unwrap();
        gstmaskwatch::plugin_register_static().unwrap();
        let folder = temp_dir();
        let clip = Clip { width: 320, height: 240, ..Clip::default() }.write(folder.path(), "clip");
        let cameras = simulate(&[clip.as_path(), clip.as_path()]);
        let metrics = Metrics::new().unwrap();
        let tokens = users(&folder.path().join("users.json"));
        let users_file = (!setup.no_users).then(|| folder.path().join("users.json"));
        let access = Access::start(&AccessPlan { users_file, hosts: Vec::new() }, None, None, &metrics).unwrap();
        let tls = certificate(folder.path(), "first");
        let open = || Certificate::open("rtsp", &tls, TlsMetrics::new(metrics.registry()).unwrap()).unwrap();
        let own = setup.own.map(|(name, word)| Credentials { username: name.into(), password: Secret::new(word) });
        let address = SocketAddr::new(setup.listen.unwrap_or([127, 0, 0, 1].into()), 0);
        let listen = ListenPlan::plain(address, own);
        let server = RtspServer::start(&listen, access, setup.tls.then(open), &metrics).unwrap();
        let rigs = [("gate", "mall-a"), ("yard", "mall-b")].map(|(name, site)| {
            let rig = Rig::with_metrics(plan(name, &cameras.url(usize::from(name == "yard"))), &metrics);
            server.add(stream(&rig, site));
            rig
        });
        rigs.iter().for_each(Rig::wait_up);
        Self { server, rigs, folder, tokens, tls, _cameras: cameras }
    }

    /// Address of a stream with a login before it.
    fn url(&self, login: &str, name: &str) -> String {
        format!("{}://{login}@{}/{name}", self.server.scheme(), self.server.address())
    }

    /// What ffprobe says of a stream: nothing where it can be read.
    fn refusal(&self, login: &str, name: &str, transport: &str) -> String {
        refusal(&self.url(login, name), transport)
    }

    fn sees(&self, login: &str) -> [bool; 3] {
        ["gate", "yard", "mosaic"].map(|name| match self.refusal(login, name, "tcp") {
            told if told.is_empty() => true,
            // Not that it is forbidden: nobody is to learn what there is.
            told => {
                assert!(told.contains("404 Not Found"), "{name}: {told}");
                false
            }
        })
    }

    fn change_users(&self, change: impl FnOnce(&mut maskwatch::access::Book)) {
        store::change(&self.folder.path().join("users.json"), |book| {
            change(book);
            Ok::<_, UsersError>(())
        })
        .unwrap();
    }
}

fn stream(rig: &Rig, site: &str) -> Stream {
    Stream {
        hub: Arc::clone(&rig.hub),
        status: Arc::clone(rig.camera.status()),
        metrics: Arc::clone(&rig.metrics),
        output: OutputPlan { ..rig.camera.plan().output },
        areas: Arc::default(),
        labels: BTreeMap::from([("site".to_owned(), site.to_owned())]),
    }
}

/// `anna` is an operator, `guard` sees one site; `guard` alone has the digest form.
fn users(path: &Path) -> [String; 2] {
    let tickets = [Role::Viewer, Role::Metrics].map(|role| (role, token::Ticket::token()));
    store::change(path, |book| {
        for (name, role, site, digest) in
            [("anna", Role::Operator, None, false), ("guard", Role::Viewer, Some("mall-a"), true)]
        {
            let labels = Scope::of(site.map(|site: &str| ("site".to_owned(), site.to_owned())));
            book.users.push(User {
                name: name.to_owned(),
                role,
                labels,
                password: password::hash(PASSWORD).unwrap(),
                rtsp_digest: digest.then(|| DigestForm::of(name, PASSWORD)),
                changed: std::time::SystemTime::now(),
            });
        }
        for (role, ticket) in &tickets {
            book.tokens.push(Token {
                name: role.to_string(),
                role: *role,
                labels: Scope::default(),
                sha256: token::hash_of(ticket),
                created: std::time::SystemTime::now(),
                expires: None,
            });
        }
        Ok::<_, UsersError>(())
    })
    .unwrap();
    tickets.map(|(_, ticket)| ticket.expose().to_owned())
}

/// A certificate for `name`, in the files of the server.
fn certificate(folder: &Path, name: &str) -> TlsPlan {
    let plan = TlsPlan { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
    let [cert, key] = [&plan.cert, &plan.key].map(|path| path.with_extension("new"));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2"]);
    command.arg("-subj").arg(format!("/CN={name}")).arg("-keyout").arg(&key).arg("-out").arg(&cert);
    process::run_well(&mut command, soon());
    std::fs::rename(key, &plan.key).unwrap();
    std::fs::rename(cert, &plan.cert).unwrap();
    plan
}

fn refusal(url: &str, transport: &str) -> String {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-rtsp_transport", transport, "-show_entries", "stream=codec_name", url]);
    let output = process::run(&mut command, soon());
    let [said, told] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    if output.status.success() && said.contains("codec_name=h264") { String::new() } else { told }
}

/// What openssl says of the port, after it has agreed on TLS or failed to.
fn openssl(address: SocketAddr, arguments: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address.to_string()]).args(arguments);
    // Its standard input is empty: it goes at once.
    let Output { stdout, stderr, .. } = process::run(&mut command, soon());
    String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned()
}

/// Sends requests over TLS, and reads until an answer has `awaited` in it, or nothing more comes.
fn ask(address: SocketAddr, requests: &str, awaited: &str) -> String {
    let mut command = Command::new("timeout");
    command.args(["30", "openssl", "s_client", "-quiet", "-verify_quiet", "-connect", &address.to_string()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(requests.as_bytes()).unwrap();
    let mut told = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        told += &line;
        told.push('\n');
        if line.contains(awaited) {
            break;
        }
    }
    child.kill().ok();
    child.wait().unwrap();
    told
}

/// An address of this machine by which it is not known as itself.
fn outside() -> Option<IpAddr> {
    let addresses = if_addrs::get_if_addrs().unwrap();
    let mut fitting = addresses.iter().map(if_addrs::Interface::ip).filter(|ip| !ip.is_loopback() && ip.is_ipv4());
    fitting.next()
}

/// A player that goes on until it is sent away.
fn watch(bench: &Bench, login: &str, name: &str, tcp: bool) -> peer::Viewer {
    let viewer = peer::Viewer::ffmpeg(&bench.url(login, name), tcp);
    viewer.wait_for_picture(soon());
    viewer
}

#[track_caller]
fn ends(viewer: &mut peer::Viewer) {
    wait_until("the player is sent away", Duration::from_secs(10), || !viewer.process.running());
}

#[test]
fn users_see_their_cameras_over_rtsps() {
    let bench = Bench::start(&Setup { tls: true, own: Some(("ops", "own-pa55")), ..Setup::default() });
    assert!(bench.server.url("gate").starts_with("rtsps://"));
    assert_eq!(bench.sees(&format!("anna:{PASSWORD}")), [true, true, true]);
    assert_eq!(bench.sees(&format!("guard:{PASSWORD}")), [true, false, false]);
    assert_eq!(bench.sees("ops:own-pa55"), [true, true, true]);
    assert_eq!(bench.sees(&format!("token:{}", bench.tokens[0])), [true, true, true]);
    assert!(bench.refusal(&format!("token:{}", bench.tokens[1]), "gate", "tcp").contains("403 Forbidden"));
    for login in ["anna:wrong", "nobody:wrong", "token:wrong"] {
        assert!(bench.refusal(login, "gate", "tcp").contains("401 Unauthorized"), "{login}");
    }
    assert!(refusal(&bench.server.url("gate"), "tcp").contains("401 Unauthorized"), "without a login");
    // After these; but a person at a known address is slowed down by their own failures alone.
    assert_eq!(bench.sees(&format!("guard:{PASSWORD}")), [true, false, false]);

    // GStreamer's own client.
    let mut command = Command::new("gst-launch-1.0");
    command.args(["rtspsrc", &format!("location={}", bench.server.url("gate")), "user-id=guard"]);
    command.args([&format!("user-pw={PASSWORD}"), "tls-validation-flags=0", "!", "fakesink"]);
    // Those of before are noticed to be gone a moment later.
    wait_until("nobody watches", soon(), || bench.rigs[0].metrics.viewers() == 0);
    let source = Process::start("rtspsrc", &mut command);
    wait_until("rtspsrc plays", soon(), || bench.rigs[0].metrics.viewers() > 0);
    drop(source);
    if peer::vlc_plays_rtsp() {
        peer::Viewer::vlc(&bench.url(&format!("guard:{PASSWORD}"), "gate"), true).wait_for_picture(soon());
    }
}

#[test]
fn only_good_tls_is_spoken_and_pictures_leave_by_no_other_way() {
    let bench = Bench::start(&Setup { tls: true, ..Setup::default() });
    let address = bench.server.address();
    let spoken = |arguments: &[&str]| {
        let told = openssl(address, arguments);
        told.contains("Cipher is TLS_") || told.contains("Cipher is ECDHE")
    };
    // The client itself would speak the old ones.
    assert!(!spoken(&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]) && !spoken(&["-tls1", "-cipher", "ALL:@SECLEVEL=0"]));
    for weak in ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "NULL-SHA256", "AECDH-AES128-SHA"] {
        assert!(!spoken(&["-tls1_2", "-cipher", &format!("{weak}:@SECLEVEL=0")]), "{weak}");
    }
    assert!(spoken(&["-tls1_2"]) && spoken(&["-tls1_3"]));
    assert!(
        !refusal(&format!("rtsp://anna:{PASSWORD}@{address}/gate"), "tcp").is_empty(),
        "without TLS nobody answers"
    );
    let login = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("anna:{PASSWORD}"));
    let url = format!("rtsps://{address}/gate");
    let requests = format!(
        "DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Basic {login}\r\n\r\n\
         SETUP {url}/stream=0 RTSP/1.0\r\nCSeq: 2\r\nAuthorization: Basic {login}\r\n\
         Transport: RTP/AVP;unicast;client_port=50000-50001\r\n\r\n"
    );
    let told = ask(address, &requests, "CSeq: 2");
    assert!(told.contains("200 OK") && told.contains("461 Unsupported"), "{told}");
}

#[test]
fn a_renewed_certificate_is_shown_and_the_viewers_stay() {
    let bench = Bench::start(&Setup { tls: true, ..Setup::default() });
    let shown = || openssl(bench.server.address(), &[]);
    assert!(shown().contains("CN = first"), "{}", shown());
    let mut viewer = watch(&bench, &format!("anna:{PASSWORD}"), "gate", true);
    certificate(bench.folder.path(), "second");
    wait_until("the new certificate", soon(), || shown().contains("CN = second"));
    assert!(viewer.process.running() && bench.tls.cert.exists());
}

#[test]
fn who_is_taken_out_is_cut_off_and_nobody_else() {
    let bench = Bench::start(&Setup { tls: true, ..Setup::default() });
    let mut guard = watch(&bench, &format!("guard:{PASSWORD}"), "gate", true);
    let mut wall = watch(&bench, &format!("token:{}", bench.tokens[0]), "mosaic", true);
    let mut anna = watch(&bench, &format!("anna:{PASSWORD}"), "gate", true);
    assert_eq!(bench.server.viewers("gate"), 2);
    // Labels of the camera, then of the user, then the user.
    bench.server.change(stream(&bench.rigs[0], "mall-c"));
    ends(&mut guard);
    assert_eq!(bench.sees(&format!("guard:{PASSWORD}")), [false, false, false]);
    bench.server.change(stream(&bench.rigs[0], "mall-a"));
    let mut guard = watch(&bench, &format!("guard:{PASSWORD}"), "gate", true);
    bench.change_users(|book| book.users[1].labels = Scope::of([("site".to_owned(), "mall-b".to_owned())]));
    ends(&mut guard);
    assert_eq!(bench.sees(&format!("guard:{PASSWORD}")), [false, true, false]);
    let mut guard = watch(&bench, &format!("guard:{PASSWORD}"), "yard", true);
    bench.change_users(|book| book.users.truncate(1));
    ends(&mut guard);
    assert!(anna.process.running() && wall.process.running());
    bench.change_users(|book| book.tokens.clear());
    ends(&mut wall);
    bench.change_users(|book| book.users[0].password = password::hash("another-pa55").unwrap());
    ends(&mut anna);
    wait_until("nobody watches", soon(), || bench.server.viewers("gate") + bench.server.viewers("mosaic") == 0);
}

#[test]
fn who_is_taken_out_gets_nothing_more_by_udp_either() {
    let bench = Bench::start(&Setup::default());
    let _guard = watch(&bench, &format!("guard:{PASSWORD}"), "gate", false);
    bench.change_users(|book| book.users.truncate(1));
    // The player itself may go on waiting for packets; none comes.
    wait_until("nothing is encoded", Duration::from_secs(10), || bench.rigs[0].hub.subscribers() == 0);
    assert_eq!(bench.server.viewers("gate"), 0);
}

/// A body is read before its sender is asked who they are.
#[test]
fn strangers_cannot_have_much_read() {
    use std::io::{Read, Write};
    let bench = Bench::start(&Setup::default());
    let mut stream = std::net::TcpStream::connect(bench.server.address()).unwrap();
    stream.set_read_timeout(Some(soon())).unwrap();
    stream.write_all(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 4000000000\r\n\r\n").unwrap();
    let (begin, mut said) = (std::time::Instant::now(), Vec::new());
    // Else the body would be waited for until strangers are sent away.
    let _ = stream.read_to_end(&mut said);
    assert!(begin.elapsed() < std::time::Duration::from_secs(20), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn beyond_this_machine_users_come_in_by_digest_alone() {
    let Some(outside) = outside() else {
        println!("SKIP: this machine has no address besides its own");
        return;
    };
    let bench = Bench::start(&Setup { listen: Some(outside), own: Some(("ops", "own-pa55")), ..Setup::default() });
    let guard = format!("guard:{PASSWORD}");
    assert_eq!(bench.sees(&guard), [true, false, false]);
    assert_eq!(bench.refusal(&guard, "gate", "udp"), "");
    assert_eq!(bench.sees("ops:own-pa55"), [true, true, true]);
    assert!(bench.refusal(&format!("anna:{PASSWORD}"), "gate", "tcp").contains("401"), "anna has no digest form");
    assert!(bench.refusal("guard:wrong", "gate", "tcp").contains("401"));
    let mut viewer = watch(&bench, &guard, "gate", true);
    bench.change_users(|book| book.users[1].rtsp_digest = None);
    ends(&mut viewer);
    assert!(bench.refusal(&guard, "gate", "tcp").contains("401"));
}

#[test]
fn the_streams_own_login_is_as_ever_and_can_be_another() {
    let own = Some(("ops", "own-pa55"));
    let bench = Bench::start(&Setup { no_users: true, own, ..Setup::default() });
    for transport in ["tcp", "udp"] {
        assert_eq!(bench.refusal("ops:own-pa55", "gate", transport), "", "{transport}");
    }
    assert!(bench.refusal(&format!("anna:{PASSWORD}"), "gate", "tcp").contains("401"), "there are no users");
    let mut viewer = watch(&bench, "ops:own-pa55", "mosaic", true);
    bench.server.set_login(Some(&Credentials { username: "ops".into(), password: Secret::new("other-pa55") }));
    ends(&mut viewer);
    assert_eq!(bench.refusal("ops:other-pa55", "gate", "tcp"), "");
    let mut viewer = watch(&bench, "ops:other-pa55", "gate", true);
    bench.server.set_login(None);
    ends(&mut viewer);
    assert!(grab::readable(&bench.server.url("gate"), "tcp", soon()), "nobody is kept out any more");
}
