// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Two dumps of one device, value by value.

use std::collections::BTreeMap;

use crate::model::{Behaviour, Decoded, Node, Value};

/// A value of one side.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// The value.
    pub value: Value,
    /// What it means.
    pub meaning: Option<String>,
}

/// A value that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// What it is of: the slot of a PCI function, or what the decoder calls it.
    pub of: String,
    /// Its path, as `ctrl.CSTS.CFS`.
    pub path: String,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// What the first dump has; none where it is not there.
    pub a: Option<Side>,
    /// What the second one has.
    pub b: Option<Side>,
}

/// What differs between what two dumps say, in the order of the first one. A register whose
/// fields differ is not in it, but the fields are.
#[must_use]
pub fn differences(a: &[Decoded], b: &[Decoded]) -> Vec<Difference> {
    let mut differences = Vec::new();
    // One device is compared with one, whatever their slots are.
    if let ([a], [b]) = (a, b) {
        let of = a.slot.as_ref().unwrap_or(&a.title);
        nodes(of, "", &a.nodes, &b.nodes, &mut differences);
        return differences;
    }
    let mut others = keyed(b);
    for (key, decoded) in keyed(a) {
        let other = others.remove(&key).map_or(&[][..], |other| &other.nodes);
        nodes(&key.0, "", &decoded.nodes, other, &mut differences);
    }
    for (key, decoded) in others {
        nodes(&key.0, "", &[], &decoded.nodes, &mut differences);
    }
    differences
}

/// How one thing that is in the dump of a healthy system has changed since.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The slot of a PCI function, or what the decoder calls it.
    pub of: String,
    /// How it has changed.
    pub how: How,
}

/// How something has changed.
#[derive(Debug, Clone, PartialEq)]
pub enum How {
    /// It is in the first dump alone.
    Gone,
    /// It is in the second dump alone.
    New,
    /// These values differ.
    Values(Vec<Difference>),
}

/// What changed between the dump of a healthy system and one of a crash, of the same name.
///
/// Only what is known on both sides and [`Stable`](Behaviour::Stable) is compared: which
/// registers were read says how the two dumps were made, and counters differ each time.
#[must_use]
pub fn changes(before: &[Decoded], now: &[Decoded]) -> Vec<Change> {
    let mut others = keyed(now);
    let mut changes = Vec::new();
    for (key, decoded) in keyed(before) {
        let Some(other) = others.remove(&key) else {
            changes.push(Change { of: key.0, how: How::Gone });
            continue;
        };
        let mut differences = Vec::new();
        nodes(&key.0, "", &decoded.nodes, &other.nodes, &mut differences);
        let is_known = |side: &Option<Side>| {
            side.as_ref().is_some_and(|side| !matches!(side.value, Value::Unknown(_)))
        };
        differences.retain(|each| {
            each.behaviour == Behaviour::Stable && is_known(&each.a) && is_known(&each.b)
        });
        if !differences.is_empty() {
            changes.push(Change { of: key.0, how: How::Values(differences) });
        }
    }
    changes.extend(others.into_keys().map(|(of, _)| Change { of, how: How::New }));
    changes
}

/// What each is of, and which of several of that it is.
fn keyed(all: &[Decoded]) -> BTreeMap<(String, usize), &Decoded> {
    let mut keyed = BTreeMap::new();
    for decoded in all {
        let of = decoded.slot.clone().unwrap_or_else(|| decoded.title.clone());
        let number = (0..all.len()).find(|number| !keyed.contains_key(&(of.clone(), *number)));
        keyed.insert((of, number.unwrap_or(0)), decoded);
    }
    keyed
}

fn nodes(of: &str, path: &str, a: &[Node], b: &[Node], to: &mut Vec<Difference>) {
    let mut others: BTreeMap<&str, &Node> =
        b.iter().map(|node| (node.name.as_str(), node)).collect();
    for first in a {
        node(of, path, Some(first), others.remove(first.name.as_str()), to);
    }
    // In their own order.
    for second in b.iter().filter(|node| others.contains_key(node.name.as_str())) {
        node(of, path, None, Some(second), to);
    }
}

fn node(of: &str, path: &str, a: Option<&Node>, b: Option<&Node>, to: &mut Vec<Difference>) {
    let Some(either) = a.or(b) else { return };
    let name = &either.name;
    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
    let value = |node: Option<&Node>| node.and_then(|node| node.value.clone());
    if value(a).is_some() && value(a) == value(b) {
        return;
    }
    let before = to.len();
    let children = |node: Option<&Node>| node.map_or(Vec::new(), |node| node.children.clone());
    // What is on one side alone is said once, and not of each of its fields.
    if (a.is_some() && b.is_some()) || either.value.is_none() {
        nodes(of, &path, &children(a), &children(b), to);
    }
    if to.len() > before || either.value.is_none() {
        let behaviour = either.behaviour;
        for difference in to.iter_mut().skip(before) {
            // Fields behave as their register does.
            if difference.behaviour == Behaviour::Stable {
                difference.behaviour = behaviour;
            }
        }
        return;
    }
    let side = |node: Option<&Node>| {
        let node = node?;
        Some(Side { value: node.value.clone()?, meaning: node.meaning.clone() })
    };
    to.push(Difference {
        of: of.to_owned(),
        path,
        behaviour: either.behaviour,
        a: side(a),
        b: side(b),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str, value: u64) -> Node {
        Node::value(name, Value::Unsigned(value), 0..4)
    }

    fn register(name: &str, whole: u64, fields: &[(&str, u64)]) -> Node {
        let children = fields.iter().map(|(name, field)| value(name, *field)).collect();
        Node { children, ..value(name, whole) }
    }

    fn decoded(nodes: Vec<Node>) -> Vec<Decoded> {
        vec![Decoded { title: "nvme".to_owned(), nodes, ..Decoded::default() }]
    }

    fn paths(a: Vec<Node>, b: Vec<Node>) -> Vec<(String, Option<u64>, Option<u64>)> {
        let number = |side: Option<Side>| match side?.value {
            Value::Unsigned(value) => Some(value),
            _ => None,
        };
        differences(&decoded(a), &decoded(b))
            .into_iter()
            .map(|difference| (difference.path, number(difference.a), number(difference.b)))
            .collect()
    }

    #[test]
    fn a_field_is_named_and_not_its_register() {
        let block = |cfs, whole| {
            let csts = register("CSTS", whole, &[("RDY", 1), ("CFS", cfs)]);
            Node { children: vec![csts, value("CAP", 7)], ..Node::group("ctrl") }
        };
        let expected = [("ctrl.CSTS.CFS".to_owned(), Some(0), Some(1))];
        assert_eq!(paths(vec![block(0, 1)], vec![block(1, 3)]), expected);
        assert_eq!(paths(vec![block(0, 1)], vec![block(0, 1)]), []);
        // Bits that no field has are the register's.
        let expected = [("ctrl.CSTS".to_owned(), Some(1), Some(5))];
        assert_eq!(paths(vec![block(0, 1)], vec![block(0, 5)]), expected);
    }

    #[test]
    fn what_one_side_has_alone_is_said_once() {
        let csts = register("CSTS", 1, &[("RDY", 1)]);
        let expected = [("CSTS".to_owned(), Some(1), None)];
        assert_eq!(paths(vec![csts.clone()], Vec::new()), expected);
        let expected = [("CSTS".to_owned(), None, Some(1))];
        assert_eq!(paths(Vec::new(), vec![csts]), expected);
    }

    #[test]
    fn fields_behave_as_their_register() {
        let at = |count| Node {
            behaviour: Behaviour::Counter,
            ..register("GPRC", count, &[("LOW", count)])
        };
        let found = differences(&decoded(vec![at(1)]), &decoded(vec![at(2)]));
        assert_eq!(found.len(), 1);
        assert_eq!(changes(&decoded(vec![at(1)]), &decoded(vec![at(2)])), []);
        assert_eq!((found[0].path.as_str(), found[0].behaviour), ("GPRC.LOW", Behaviour::Counter));
    }

    /// What a dump lacks was not read for it; a device that is gone was there.
    #[test]
    fn a_change_is_in_what_both_have() {
        let of = |slot: &str, nodes: Vec<Node>| Decoded {
            slot: Some(slot.to_owned()),
            nodes,
            ..Decoded::default()
        };
        let unknown = Node::value("CC", Value::Unknown("not read".to_owned()), 0..4);
        let before = [of("1", vec![value("CSTS", 1), value("AQA", 7), unknown]), of("2", vec![])];
        let now = [of("3", vec![]), of("1", vec![value("CSTS", 3), value("CC", 1)])];
        let found = changes(&before, &now);
        assert_eq!(found.len(), 3, "{found:#?}");
        let How::Values(values) = &found[0].how else { panic!("{:?}", found[0]) };
        let paths: Vec<_> = values.iter().map(|each| each.path.as_str()).collect();
        assert_eq!((found[0].of.as_str(), paths), ("1", vec!["CSTS"]));
        assert_eq!(found[1], Change { of: "2".to_owned(), how: How::Gone });
        assert_eq!(found[2], Change { of: "3".to_owned(), how: How::New });
    }
}
