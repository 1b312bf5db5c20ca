//! Users and tokens as people handle them: by the commands, beside a service that runs.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use maskwatch::access::DigestForm;
use support::http::get;
use support::users::{command, done, look, refused};
use support::{App, Process, maskwatch, root, soon, wait_until};

#[test]
fn users_and_tokens_from_the_first_to_the_last() {
    let folder = support::temp_dir();
    let config = folder.path().join("maskwatch.yaml");
    let (http, rtsp) = (support::free_port(), support::free_port());
    let text = format!(
        "users_file: users.json\nstate_dir: state\nhttp: {{ listen: 127.0.0.1:{http} }}\n\
         rtsp: {{ listen: 127.0.0.1:{rtsp} }}\n\
         cameras:\n- {{ name: north, url: 'rtsp://127.0.0.1:9/a', labels: {{ site: mall-a }} }}\n\
         - {{ name: south, url: 'rtsp://127.0.0.1:9/b', labels: {{ site: mall-b }} }}\n"
    );
    std::fs::write(&config, text).unwrap();
    let users = folder.path().join("users.json");

    // Nobody yet: the service does not start, and says what to do.
    let told = refused(&command(&config, &["check"], ""), 2);
    assert!(told.contains("users_file: ") && told.contains("maskwatch user add NAME"), "{told}");
    for (arguments, input, said) in [
        (vec!["user", "add", "anna", "--role", "operator"], "short\n", "shorter than 8"),
        (vec!["user", "add", "anna", "--role", "operator"], "", "shorter than 8"),
        (vec!["user", "add", "an:na", "--role", "operator"], "canary-0ne\n", "a name is"),
        (vec!["user", "add", "anna", "--role", "boss"], "canary-0ne\n", "viewer and operator"),
        (vec!["user", "add", "anna", "--role", "operator", "--label", "a=b"], "canary-0ne\n", "labels limit viewers"),
    ] {
        let told = refused(&command(&config, &arguments, input), 2);
        assert!(told.contains(said) && !told.contains("canary"), "{told}");
    }
    assert!(!users.exists(), "what is refused makes nothing");
    done(&command(&config, &["user", "add", "anna", "--role", "operator"], "canary-0ne\n"));
    assert!(
        refused(&command(&config, &["user", "add", "anna", "--role", "viewer"], "canary-0ne\n"), 2).contains("already")
    );
    assert_eq!(std::fs::metadata(&users).unwrap().permissions().mode() & 0o777, 0o600);
    let metrics = done(&command(&config, &["token", "add", "prometheus", "--role", "metrics"], "")).trim().to_owned();
    assert!(metrics.starts_with("mwt_"), "{metrics}");

    let mut run = Command::new(maskwatch());
    run.args(["run", "-c"]).arg(&config).current_dir(root());
    let mut app = App { process: Process::start("maskwatch", &mut run), http, rtsp, folder };
    app.wait_alive();
    assert_eq!(get(http, "/api/v1/cameras").unwrap().status, 401);
    assert_eq!(look(http, "/api/v1/cameras", "anna:canary-0ne"), 200);
    assert_eq!((look(http, "/metrics", &metrics), look(http, "/api/v1/cameras", &metrics)), (200, 403));

    // While it runs: one who sees a part, another password, a removal.
    done(&command(&config, &["user", "add", "guard", "--role", "viewer", "--label", "site=mall-a"], "canary-tw0\n"));
    // Not by trying: wrong logins slow down further ones.
    app.process.wait_for_line("user.added", soon());
    assert_eq!(look(http, "/api/v1/cameras/north", "guard:canary-tw0"), 200);
    assert_eq!(look(http, "/api/v1/cameras/south", "guard:canary-tw0"), 404);
    done(&command(&config, &["user", "passwd", "anna"], "canary-thr3e\n"));
    app.process.wait_for_line("user.changed", soon());
    assert_eq!(look(http, "/", "anna:canary-thr3e"), 200);
    assert_eq!(look(http, "/", "anna:canary-0ne"), 401);
    done(&command(&config, &["token", "remove", "prometheus"], ""));
    app.process.wait_for_line("token.removed", soon());
    assert_eq!(look(http, "/metrics", &metrics), 401);
    assert!(refused(&command(&config, &["user", "remove", "nobody"], ""), 2).contains("there is no user nobody"));
    done(&command(&config, &["user", "remove", "guard"], ""));
    app.process.wait_for_line("user.removed", soon());
    assert_eq!(look(http, "/", "guard:canary-tw0"), 401);

    let listed: serde_json::Value =
        serde_json::from_str(&done(&command(&config, &["user", "list", "--json"], ""))).unwrap();
    assert_eq!((&listed["users"][0]["name"], &listed["users"][0]["role"]), (&"anna".into(), &"operator".into()));
    assert!(done(&command(&config, &["user", "list"], "")).starts_with("anna  operator  all cameras  password of 20"));
    let backup = done(&command(&config, &["token", "add", "backup", "--role", "viewer", "--expires", "1s"], ""));
    app.process.wait_for_line("token:backup", soon());
    wait_until("the token ends", soon(), || {
        done(&command(&config, &["token", "list", "--json"], "")).contains("\"expired\": true")
    });
    assert_eq!(look(http, "/", backup.trim()), 401);

    // A file that cannot be used changes nothing.
    std::fs::set_permissions(&users, PermissionsExt::from_mode(0o644)).unwrap();
    app.process.wait_for_line("users and tokens stay as they were", soon());
    assert_eq!(look(http, "/", "anna:canary-thr3e"), 200);
    assert!(refused(&command(&config, &["user", "passwd", "anna"], "canary-f0ur\n"), 1).contains("chmod 600"));

    assert_eq!(app.stop().code(), Some(0));
    let log = app.process.log().concat();
    assert!(log.contains("user.added") && log.contains("token.removed") && log.contains("login.failed"), "{log}");
    let kept = std::fs::read_to_string(&users).unwrap();
    for text in [&log, &kept] {
        assert!(!text.contains("canary") && !text.contains(&metrics) && !text.contains(backup.trim()), "{text}");
    }
    assert!(app.folder.path().join("state/tokens-used.json").exists());
}

#[test]
fn the_digest_form_is_kept_where_it_was_asked_for() {
    let folder = support::temp_dir();
    let config = folder.path().join("maskwatch.yaml");
    std::fs::write(&config, "users_file: users.json\ncameras: []\n").unwrap();
    let form = || {
        let text = std::fs::read_to_string(folder.path().join("users.json")).unwrap();
        let users: serde_json::Value = serde_json::from_str(&text).unwrap();
        users["users"][0]["rtsp_digest"].as_str().map(str::to_owned)
    };
    done(&command(&config, &["user", "add", "guard", "--role", "viewer", "--rtsp-digest"], "canary-0ne\n"));
    // MD5 of guard:maskwatch:canary-0ne.
    let first = form();
    assert_eq!(first, Some(DigestForm::of("guard", "canary-0ne").expose().to_owned()));
    let listed = done(&command(&config, &["user", "list", "--json"], ""));
    assert!(listed.contains("\"rtsp_digest\": true") && !listed.contains(&first.clone().unwrap()), "{listed}");
    // With another password it is another, without being asked for again.
    done(&command(&config, &["user", "passwd", "guard"], "canary-tw0\n"));
    assert!(form().is_some() && form() != first);
    done(&command(&config, &["user", "passwd", "guard", "--no-rtsp-digest"], "canary-tw0\n"));
    assert_eq!(form(), None);
    done(&command(&config, &["user", "passwd", "guard"], "canary-0ne\n"));
    assert_eq!(form(), None);
    done(&command(&config, &["user", "passwd", "guard", "--rtsp-digest"], "canary-0ne\n"));
    assert_eq!(form(), first);
    refused(&command(&config, &["user", "passwd", "guard", "--rtsp-digest", "--no-rtsp-digest"], "canary-0ne\n"), 2);
}
