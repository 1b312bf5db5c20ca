//! XML of devices: small, and not to be trusted.

use roxmltree::{Document, Node, ParsingOptions};

/// Elements of one message at most.
const NODES: u32 = 20_000;

/// Reads a message; `None`: it is no XML, or more of it than anybody has to say. Entities of its own are not taken.
pub(super) fn parse(text: &str) -> Option<Document<'_>> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).ok()
}

/// The first element of that name below, at any depth. Prefixes differ from device to device, names do not.
pub(super) fn find<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.descendants().find(|node| node.is_element() && node.tag_name().name() == name)
}

/// Its text, without space around it.
pub(super) fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    find(node, name).and_then(|node| node.text()).map(str::trim).filter(|text| !text.is_empty())
}

/// Its number.
pub(super) fn number<T: std::str::FromStr>(node: Node<'_, '_>, name: &str) -> Option<T> {
    text(node, name)?.parse().ok()
}
