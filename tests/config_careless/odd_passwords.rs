//! Passwords that YAML takes for something else.

use super::{plan, problems};

const QUOTE: &str = "(quote the value: '…', and write a ' in it twice)";
const ANCHOR: &str = "`&` begins an anchor, a name for later (quote the value where the `&` belongs to it)";
const TAG: &str = "`!` begins a tag, and tags are not supported (quote the value where the `!` belongs to it; a secret is \
                   named as ${VARIABLE} or in a file)";
const EMPTY: &str = "an empty secret (write a value, in quotes where it begins with `#`; or take the key out)";

/// What stands behind `password:`, what is said of it, and the hint where it is not in that.
const CASES: [(&str, &str, &str); 22] = [
    ("@Hunter22", "not YAML: an unquoted value cannot begin so", QUOTE),
    ("%Hunter22", "not YAML: an unquoted value cannot begin so", QUOTE),
    ("`Hunter22", "not YAML: an unquoted value cannot begin so", QUOTE),
    ("[Hunter22", "not YAML: while parsing a flow sequence, expected ',' or ']'", QUOTE),
    ("{Hunter22", "not YAML: while parsing a flow mapping, did not find expected ',' or '}'", QUOTE),
    ("Hun: ter22", "not YAML: mapping values are not allowed in this context", QUOTE),
    ("- Hunter22", "not YAML: block sequence entries are not allowed in this context", QUOTE),
    (
        "*Hunter22",
        "not YAML: while parsing node, found unknown anchor",
        "(`*` stands for what an `&` has named before; quote the value where the `*` belongs to it)",
    ),
    (
        "\"Hunter\\d22\"",
        "not YAML: while parsing a quoted scalar, found unknown escape character",
        "(between double quotes, `\\` begins an escape: use single quotes)",
    ),
    ("&Hunter22", ANCHOR, ""),
    ("&Hun ter22", ANCHOR, ""),
    ("!Hunter22", TAG, ""),
    ("!secret gate", TAG, ""),
    ("[Hunter22]", "a list where text is expected", ""),
    ("{Hunter22}", "a mapping where text is expected", ""),
    ("{Hunter22: [x], Hunter22: 1}", "the key is written twice (first in line 6; keep one)", ""),
    (
        "Hunter22 #x",
        "`#` after a blank ends the value and begins a comment",
        "(quote the value where the `#` belongs to it; begin a comment with `# `)",
    ),
    ("#Hunter22", EMPTY, ""),
    ("Hun${ter22", "`${` without `}`", "(write ${NAME}, or $${ for the characters ${)"),
    ("Hun${ter22}", "the environment variable in it is not set", "(set it; write $${ for the characters ${)"),
    (
        "Hun${ter 22}",
        "`${…}` names no environment variable",
        "(a name has letters, digits and `_`; write $${ for the characters ${)",
    ),
    ("${NOT_SET}", "environment variable NOT_SET is not set", "(set it: export NOT_SET=…)"),
];

#[test]
fn each_gets_its_message_at_its_place() {
    let begin = "6: cameras[0].password: ";
    let before = "http: { listen: 127.0.0.1:0 }\ncameras:\n- name: a\n  url: rtsp://h/1\n  username: u\n";
    for (value, what, hint) in CASES {
        let problems = problems(&format!("{before}  password: {value}\n"));
        let expected = format!("{begin}{what} {hint}");
        assert!(problems.iter().any(|problem| problem == expected.trim_end()), "{value}: {problems:#?}");
        for problem in &problems {
            assert!(problem.starts_with(begin), "{value}: {problem}");
            assert!(!problem.contains("Hun") && !problem.contains("ter22"), "{value}: {problem}");
        }
    }
}

#[test]
fn an_anchor_that_is_used_is_no_password() {
    let shared = "defaults: { username: u, password: &pw pa55 }\ncameras:\n- { name: a, url: 'rtsp://h/1' }\n\
                  - { name: b, url: 'rtsp://h/2', username: v, password: *pw }\n";
    for camera in plan(shared).cameras {
        assert_eq!(camera.credentials.unwrap().password.expose(), "pa55");
    }
}
