//! What the names of a data set's classes mean.

use maskwatch_vision::eval::faces::STATES;
use maskwatch_vision::face::MaskState;

/// The state meant by `name`: by the user's mapping, else by the state's own name.
pub(super) fn state(name: &str, mapping: &[(String, MaskState)]) -> Option<MaskState> {
    let mapped = mapping.iter().find(|(own, _)| own == name).map(|(_, state)| *state);
    mapped.or_else(|| STATES.into_iter().find(|state| state.as_str() == name))
}

/// What to do about a name that means nothing.
pub(super) fn hint(name: &str) -> String {
    format!("the names known are mask, incorrect and no_mask; say what it means by --map {name}=STATE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_word_goes_first() {
        let mapping = [("with_mask".to_owned(), MaskState::Mask), ("no_mask".to_owned(), MaskState::Incorrect)];
        assert_eq!(state("with_mask", &mapping), Some(MaskState::Mask));
        assert_eq!(state("no_mask", &mapping), Some(MaskState::Incorrect));
        assert_eq!(state("no_mask", &[]), Some(MaskState::NoMask));
        assert_eq!(state("unknown", &[]), None, "nobody labels a face as unknown");
    }
}
