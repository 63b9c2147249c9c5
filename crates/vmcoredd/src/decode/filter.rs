// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Those values that a pattern names.

use ::decode::model::Node;
use wildmatch::WildMatch;

/// A pattern of names, with `*` for any text and `?` for a character; capital letters are as
/// good as small ones.
#[derive(Debug, Clone)]
pub struct Pattern(WildMatch);

impl From<&str> for Pattern {
    fn from(pattern: &str) -> Self {
        Self(WildMatch::new_case_insensitive(pattern))
    }
}

impl Pattern {
    /// Whether it names what has this path, as `ctrl.CSTS.CFS`: the whole path, or its end
    /// from the start of a name on, with or without the number of an element.
    fn names(&self, path: &str) -> bool {
        let unnumbered = path.strip_suffix(']').and_then(|path| path.rsplit_once('['));
        let mut paths = std::iter::once(path).chain(unnumbered.map(|(before, _)| before));
        paths.any(|path| {
            let starts = path.match_indices('.').map(|(at, _)| at + 1);
            let mut ends = std::iter::once(0).chain(starts).filter_map(|start| path.get(start..));
            ends.any(|end| self.0.matches(end))
        })
    }

    /// Leaves of `nodes` those that it names, with all below and what they are in; returns
    /// whether there are any.
    pub fn filter(&self, nodes: &mut Vec<Node>) -> bool {
        self.filter_below(nodes, "");
        !nodes.is_empty()
    }

    fn filter_below(&self, nodes: &mut Vec<Node>, above: &str) {
        nodes.retain_mut(|node| {
            let path = match above {
                "" => node.name.clone(),
                above => format!("{above}.{}", node.name),
            };
            if self.names(&path) {
                return true;
            }
            self.filter_below(&mut node.children, &path);
            !node.children.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_values() {
        let names = |pattern: &str, path: &str| Pattern::from(pattern).names(path);
        assert!(names("CSTS", "ctrl.CSTS"));
        assert!(names("csts", "ctrl.CSTS"));
        assert!(names("CSTS.CFS", "ctrl.CSTS.CFS"));
        assert!(names("C*", "ctrl.CSTS"));
        assert!(names("port", "port[3]"));
        assert!(names("port[3]", "port[3]"));
        assert!(names("port[3].SERR", "port[3].SERR"));
        assert!(!names("STS", "ctrl.CSTS"));
        assert!(!names("CFS", "ctrl.CSTS"));
        assert!(!names("ctrl", "ctrl.CSTS"));
        assert!(!names("port", "port[3].SERR"));
    }

    #[test]
    fn what_they_are_in_stays() {
        let field = |name: &str| Node::group(name);
        let register = Node { children: vec![field("RDY"), field("CFS")], ..Node::group("CSTS") };
        let block = Node { children: vec![Node::group("CAP"), register], ..Node::group("ctrl") };
        let shown = |pattern: &str| {
            let mut nodes = vec![block.clone(), Node::group("pmr")];
            Pattern::from(pattern).filter(&mut nodes);
            fn names(nodes: &[Node]) -> String {
                let name = |node: &Node| format!("{}({})", node.name, names(&node.children));
                nodes.iter().map(name).collect()
            }
            names(&nodes)
        };
        assert_eq!(shown("CFS"), "ctrl(CSTS(CFS()))");
        assert_eq!(shown("csts"), "ctrl(CSTS(RDY()CFS()))");
        assert_eq!(shown("ctrl"), "ctrl(CAP()CSTS(RDY()CFS()))");
        assert_eq!(shown("nothing"), "");
    }
}
