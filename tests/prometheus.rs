//! The alert rules in `deploy/prometheus`: they name metrics and labels that there are, and do what they say.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use maskwatch::metrics::Metrics;
use serde_yaml::Value;

/// Beginnings of names that stand for metrics in an expression.
const OURS: [&str; 2] = ["maskwatch_", "process_"];
/// Labels that Prometheus itself gives.
const GIVEN: [&str; 2] = ["instance", "job"];

fn folder() -> PathBuf {
    support::root().join("deploy/prometheus")
}

fn read(name: &str) -> Value {
    serde_yaml::from_str(&std::fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

fn rules() -> Vec<Value> {
    let file = read("alerts.yaml");
    let groups = file["groups"].as_sequence().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_sequence().unwrap().clone()).collect()
}

/// Names of metrics as they are queried, with the labels and their values.
fn exported() -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    let metrics = Metrics::new().unwrap();
    metrics.camera("gate");
    metrics.sink("hook").waiting(0);
    let text = metrics.render().unwrap();
    let mut known: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for sample in support::Scrape::parse(&text).samples {
        let labels = known.entry(sample.name).or_default();
        for (label, value) in sample.labels {
            labels.entry(label).or_default().insert(value);
        }
    }
    known
}

/// The words of a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// `label="value"` in an expression.
fn selected(expr: &str) -> Vec<(String, String)> {
    let inside = expr.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let matchers = inside.flat_map(|inside| inside.split(','));
    let parts = matchers.filter_map(|matcher| matcher.split_once(['=', '!']));
    parts.map(|(label, value)| (label.trim().to_owned(), value.trim_matches(['=', '~', '"', ' ']).to_owned())).collect()
}

#[test]
fn rules_name_what_is_exported() {
    let known = exported();
    let rules = rules();
    assert!(rules.iter().any(|rule| rule["alert"] == "CameraDegraded"), "{rules:?}");
    for rule in &rules {
        let (name, expr) = (rule["alert"].as_str().unwrap(), rule["expr"].as_str().unwrap());
        let metrics: Vec<&str> = words(expr).filter(|word| OURS.iter().any(|start| word.starts_with(start))).collect();
        assert!(!metrics.is_empty(), "{name}: {expr}");
        let mut labels = BTreeMap::new();
        for metric in metrics {
            labels.extend(known.get(metric).unwrap_or_else(|| panic!("{name}: there is no {metric}")).clone());
        }
        for (label, value) in selected(expr) {
            assert!(labels.get(&label).is_some_and(|values| values.contains(&value)), "{name}: {label}={value}");
        }
        for text in ["summary", "description"].map(|key| rule["annotations"][key].as_str().unwrap_or_default()) {
            assert!(!text.is_empty(), "{name} says nothing");
            for label in text.split("$labels.").skip(1).filter_map(|rest| words(rest).next()) {
                assert!(labels.contains_key(label) || GIVEN.contains(&label), "{name}: no label {label}");
            }
        }
        assert!(rule["labels"]["severity"].is_string(), "{name}");
    }
}

#[test]
fn every_rule_is_tested() {
    let tests = read("alerts.test.yaml");
    let cases = tests["tests"].as_sequence().unwrap().iter();
    let cases = cases.flat_map(|test| test["alert_rule_test"].as_sequence().unwrap().clone());
    let fires = cases.filter(|case| case["exp_alerts"].as_sequence().is_some_and(|alerts| !alerts.is_empty()));
    let tested: BTreeSet<String> = fires.map(|case| case["alertname"].as_str().unwrap().to_owned()).collect();
    let all: BTreeSet<String> = rules().iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect();
    assert_eq!(tested, all);
}

#[test]
fn prometheus_itself_takes_the_rules_and_they_do_as_they_say() {
    for arguments in [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]] {
        match Command::new("promtool").args(arguments).current_dir(folder()).output() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                println!("skipped: promtool (of Prometheus) is not installed");
                return;
            }
            Err(error) => panic!("{error}"),
            Ok(output) => assert!(output.status.success(), "{arguments:?}: {output:?}"),
        }
    }
}
