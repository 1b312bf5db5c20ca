//! What somebody may do, and on which cameras. Pure.

use std::collections::BTreeMap;
use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read the metrics, and nothing else; for tokens.
    Metrics,
    /// Look.
    Viewer,
    /// Look and change.
    Operator,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Metrics, Self::Viewer, Self::Operator];

    /// As it is written in the file and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }

    /// Who may more may less, too.
    pub fn covers(self, needed: Self) -> bool {
        self >= needed
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The cameras that somebody sees: those that have all of these labels. No label: all cameras.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(BTreeMap<String, String>);

impl Scope {
    /// Cameras with all of these labels.
    pub fn of(labels: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(labels.into_iter().collect())
    }

    /// Whether it is no limit at all.
    pub fn is_whole(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a camera with these labels is seen.
    pub fn admits(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|(key, value)| labels.get(key) == Some(value))
    }

    /// The labels.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, value)) in self.0.iter().enumerate() {
            write!(f, "{}{key}={value}", if index > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

/// A role, and where it holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// What may be done.
    pub role: Role,
    /// On which cameras.
    pub scope: Scope,
}

impl Grant {
    /// Everything.
    pub fn whole(role: Role) -> Self {
        Self { role, scope: Scope::default() }
    }

    /// Why these do not go together.
    ///
    /// # Errors
    /// Only a viewer can be kept to some cameras: the metrics are those of all, and so are most changes.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.role != Role::Viewer && !self.scope.is_whole() {
            return Err("labels limit viewers alone: metrics and changes are of all cameras");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
        proptest::collection::btree_map("[ab]", "[xy]", 0..3)
    }

    #[test]
    fn who_may_more_may_less() {
        for (index, role) in Role::ALL.into_iter().enumerate() {
            for (below, needed) in Role::ALL.into_iter().enumerate() {
                assert_eq!(role.covers(needed), below <= index, "{role} {needed}");
            }
        }
    }

    #[test]
    fn labels_are_for_viewers() {
        let scope = Scope::of([("site".to_owned(), "mall-a".to_owned())]);
        for role in Role::ALL {
            assert!(Grant::whole(role).check().is_ok());
            assert_eq!(Grant { role, scope: scope.clone() }.check().is_ok(), role == Role::Viewer);
        }
    }

    proptest! {
        #[test]
        fn a_scope_admits_what_has_all_its_labels(limit in labels(), camera in labels()) {
            let scope = Scope::of(limit.clone());
            let all = limit.iter().all(|pair| camera.iter().any(|other| pair == other));
            prop_assert_eq!(scope.admits(&camera), all);
            prop_assert!(Scope::default().admits(&camera));
        }
    }
}
