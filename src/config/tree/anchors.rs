//! Named nodes, `&name`, and what stands for them, `*name`.

use super::{Node, complaint};
use crate::config::Problem;

/// The anchors of a document.
#[derive(Default)]
pub(super) struct Anchors(Vec<Anchor>);

struct Anchor {
    number: usize,
    node: Node,
    used: bool,
    /// Path of the secret whose value has it.
    secret: Option<String>,
}

impl Anchors {
    /// Notes a node; `secret`: the path of the secret that it is the value of.
    pub(super) fn add(&mut self, number: usize, node: &Node, secret: Option<String>) {
        self.0.push(Anchor { number, node: node.clone(), used: false, secret });
    }

    /// A copy of the node.
    pub(super) fn get(&mut self, number: usize) -> Option<Node> {
        let anchor = self.0.iter_mut().rev().find(|anchor| anchor.number == number)?;
        anchor.used = true;
        Some(anchor.node.clone())
    }

    /// Secrets with an anchor that nothing stands for: the `&` was meant to be part of them.
    pub(super) fn unused_secrets(&self) -> impl Iterator<Item = Problem> {
        self.0.iter().filter(|anchor| !anchor.used && !anchor.node.dead).filter_map(|anchor| {
            let path = anchor.secret.as_deref()?;
            Some(complaint::of_bare_anchor(anchor.node.line, path))
        })
    }
}
