//! Tests of `parse`.

use super::*;

fn env(name: &str) -> Option<String> {
    match name {
        "SET" => Some("${x}".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn good(text: &str) -> Node {
    let mut problems = Vec::new();
    let node = parse(text, &env, &mut problems).unwrap();
    assert_eq!(problems, [], "{text}");
    node
}

fn problems_of(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    parse(text, &env, &mut problems);
    problems.iter().map(ToString::to_string).collect()
}

/// Keys with lines and values, of a mapping of scalars.
fn flat(node: &Node) -> Vec<(&str, usize, &str)> {
    let Kind::Map(entries) = &node.kind else { panic!("{node}") };
    let text = |node: &Node| match &node.kind {
        Kind::Scalar(scalar) => scalar.text.clone().leak(),
        _ => panic!("{node}"),
    };
    entries.iter().map(|entry| (entry.key.as_str(), entry.line, &*text(&entry.value))).collect()
}

#[test]
fn keys_and_comments_are_left_alone() {
    good("# ${UNSET}\n${UNSET}: 1\n");
}

#[test]
fn variables_may_stand_in_brackets() {
    for text in [
        "a: {b: ${SET}}",
        "a: { b: ${SET} }",
        "a: [${SET}]",
        "a: [${SET},${SET}]",
        "a: {b: \"${SET}\"}",
        "a: {b: x${SET}}",
    ] {
        let node = good(text);
        assert!(format!("{node:?}").contains("${x}"), "{text}");
    }
    assert!(format!("{:?}", good("a: {b: $${SET}}")).contains("text: \"${SET}\""));
}

#[test]
fn all_double_keys_are_found() {
    let mut problems = Vec::new();
    parse("a: 1\na: 2\nb: {c: 1, c: 2}\n", &env, &mut problems).unwrap();
    assert_eq!(problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(), ["a", "b.c"]);
}

#[test]
fn merge_keys_give_what_is_not_written() {
    let text = "x-a: &a\n  k: 1\n  l: 1\nx-b: &b\n  l: 2\n  m: 2\n";
    for (map, expected) in [
        ("<<: *a\nk: 9\n", vec![("k", 8, "9"), ("l", 3, "1")]),
        ("k: 9\n<<: *a\n", vec![("k", 7, "9"), ("l", 3, "1")]),
        ("<<: [*a, *b]\n", vec![("k", 2, "1"), ("l", 3, "1"), ("m", 6, "2")]),
        ("<<: [*b, *a]\n", vec![("l", 5, "2"), ("m", 6, "2"), ("k", 2, "1")]),
        ("<<: { n: 3 }\n", vec![("n", 7, "3")]),
        ("<<: []\n", vec![]),
        ("\"<<\": 4\n", vec![("<<", 7, "4")]),
    ] {
        assert_eq!(flat(&good(&format!("{text}{map}"))), expected, "{map}");
    }
    // A mapping that was merged itself, and one in a list.
    let nested = good(&format!("{text}x-c: &c\n  <<: *a\n  k: 5\nd:\n- <<: *c\n  m: 7\n"));
    let Kind::Map(entries) = &nested.kind else { panic!() };
    let Kind::List(items) = &entries[0].value.kind else { panic!() };
    assert_eq!(flat(&items[0]), [("m", 12, "7"), ("k", 9, "5"), ("l", 3, "1")]);
    let hint = "(write an alias of one, such as <<: *base, or a list of such)";
    assert_eq!(problems_of("a:\n  <<: 5\n"), [format!("2: a.<<: `<<` takes mappings alone {hint}")]);
    assert_eq!(problems_of("x: &a [1]\ny: { <<: [*a] }\n"), [format!("2: y.<<: `<<` takes mappings alone {hint}")]);
    let twice = problems_of(&format!("{text}a:\n  <<: *a\n  <<: *b\n"));
    assert_eq!(
        twice,
        ["9: `<<` is written twice in a mapping (name all mappings in one list, such as <<: [*base, *more])"]
    );
}

#[test]
fn a_merged_mapping_may_be_a_bomb() {
    let mut text = String::from("x-0: &a0 { k0: 1, l0: 1 }\n");
    for n in 1..40 {
        text.push_str(&format!("x-{n}: &a{n} {{ k{n}: {{ <<: *a{0} }}, l{n}: {{ <<: *a{0} }} }}\n", n - 1));
    }
    assert!(problems_of(&text)[0].contains("too deep or too big"));
}

#[test]
fn bombs_do_not_go_off() {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for n in 1..9 {
        let many = vec![format!("*a{}", n - 1); 10].join(",");
        text.push_str(&format!("a{n}: &a{n} [{many}]\n"));
    }
    let mut problems = Vec::new();
    assert!(parse(&text, &env, &mut problems).is_none());
    let deep = "[".repeat(100_000);
    assert!(parse(&deep, &env, &mut problems).is_none());
    assert!(parse("a: b: c", &env, &mut problems).is_none());
    assert!(parse("---\na: 1\n---\nb: 2\n", &env, &mut problems).is_none());
}

#[test]
fn an_empty_file_is_an_empty_map() {
    assert_eq!(good("# nothing\n").kind, Kind::Map(Vec::new()));
    assert_eq!(good("\u{feff}").kind, Kind::Map(Vec::new()));
}

#[test]
fn pieces_of_a_secret_in_brackets_are_not_named() {
    for begin in ["", "\u{feff}", "x: 1\r\n# ß€\r\n", "x: 1\n\n# ß€ ${SET}\n"] {
        for rest in
            ["Hun,ter22: 1, ter22: 2", "\"Hun\",ter22\", ter22\": 2", "Hun, x: ${ter22}", "Hun, ${ter 22}: ${ter 22}"]
        {
            let problems = problems_of(&format!("{begin}a: {{ password: {rest} }}\n"));
            assert_eq!(problems.len(), 1, "{rest}: {problems:?}");
            assert!(["ter2", "ter 2", "Hun"].iter().all(|piece| !problems[0].contains(piece)), "{problems:?}");
        }
        let lost = problems_of(&format!("{begin}a:\r\n  password: Hunter22 #x\r\n  b: 1 #x\r\n"));
        assert!(lost.len() == 1 && lost[0].contains("a.password: `#` after a blank ends the value"), "{lost:?}");
        good(&format!("{begin}a:\r\n  password: Hunter22 # x\r\n  secret: a#\r\n"));
    }
}
