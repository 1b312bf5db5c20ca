//! Words and encodings of other times and systems.

use maskwatch::config;

use super::{plan, problems};

#[test]
fn words_of_other_yamls() {
    for (word, told) in [
        ("true", Ok(true)),
        ("True", Ok(true)),
        ("TRUE", Ok(true)),
        ("false", Ok(false)),
        ("False", Ok(false)),
        ("yes", Err("true")),
        ("On", Err("true")),
        ("y", Err("true")),
        ("no", Err("false")),
        ("OFF", Err("false")),
    ] {
        let text = format!("cameras:\n- name: a\n  url: rtsp://h/1\n  insecure_tls: {word}\n");
        match told {
            Ok(value) => assert_eq!(plan(&text).cameras[0].insecure_tls, value, "{word}"),
            Err(write) => {
                let expected =
                    format!("4: cameras[0].insecure_tls: `{word}` where true or false is expected (write {write})");
                assert_eq!(problems(&text), [expected]);
            }
        }
    }
    for name in ["no", "007", "1e3", "2024-01-01", "1", "off"] {
        assert_eq!(plan(&format!("cameras: [{{ name: {name}, url: 'rtsp://h/1' }}]")).cameras[0].name, name);
    }
    assert_eq!(
        problems("cameras:\n- name: null\n  url: rtsp://h/1\n"),
        ["2: cameras[0].name: nothing where text is expected (quote it where the word itself is meant)"]
    );
    assert_eq!(plan("cameras: [{ name: 'null', url: 'rtsp://h/1' }]").cameras[0].name, "null");
    assert_eq!(
        problems("cameras:\n  a:\n    url: rtsp://h/1\n"),
        [
            "1: cameras: a mapping where a list is expected (write `- ` before each item, and what it is called as its `name`)"
        ]
    );
    assert_eq!(
        problems("http:\n\tlisten: 127.0.0.1:1\ncameras:\n- name: a\n"),
        [
            "2: http: not YAML: tabs disallowed within this context (block indentation) (indent with blanks; YAML takes no tabs there)"
        ]
    );
}

#[test]
fn files_of_any_text_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.yaml");
    let text = "cameras:\n- name: a\n  url: rtsp://h/1\n  labels: { site: été }\n";
    let utf16 = |bytes: fn(u16) -> [u8; 2], text: &str| text.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
    let marked = format!("\u{feff}{text}");
    for (what, bytes) in [
        ("UTF-8", text.as_bytes().to_vec()),
        ("UTF-8 with a mark", marked.as_bytes().to_vec()),
        ("CR LF", text.replace('\n', "\r\n").into_bytes()),
        ("UTF-16LE", utf16(u16::to_le_bytes, &marked)),
        ("UTF-16BE", utf16(u16::to_be_bytes, &marked)),
        ("UTF-16LE without a mark", utf16(u16::to_le_bytes, text)),
        ("UTF-16BE without a mark", utf16(u16::to_be_bytes, &text.replace('\n', "\r\n"))),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let plan = config::load(&file).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(plan.cameras[0].labels["site"], "été", "{what}");
    }
    // Latin-1: no guess is made.
    std::fs::write(&file, text.as_bytes().iter().map(|b| if *b == 0xc3 { b'x' } else { *b }).collect::<Vec<_>>())
        .unwrap();
    let said = config::load(&file).unwrap_err().to_string();
    assert_eq!(said, format!("{}:4: not text in UTF-8 (save the file as UTF-8)", file.display()));
}
