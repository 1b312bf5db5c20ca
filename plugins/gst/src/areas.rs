//! Zones, lines and ignore masks as text: the property `areas` of both elements.

use maskwatch_vision::zone::Areas;

/// The areas that a text says, in the form of [`Areas`] as JSON; none for an empty text.
///
/// # Errors
/// For a text that is not of this form: what is wrong, and where.
pub fn parse(text: &str) -> Result<Areas, String> {
    if text.trim().is_empty() {
        return Ok(Areas::default());
    }
    serde_json::from_str(text).map_err(|error| format!("property areas: {error}"))
}

/// The text of areas; empty for none.
pub fn text(areas: &Areas) -> String {
    if *areas == Areas::default() {
        return String::new();
    }
    // Names and finite numbers always have a text.
    serde_json::to_string(areas).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_go_through_text() {
        assert_eq!(parse(" ").unwrap(), Areas::default());
        assert_eq!(text(&Areas::default()), "");
        let areas = Areas { min_face_height_px: 14.0, ..Areas::default() };
        assert_eq!(parse(&text(&areas)).unwrap(), areas);
        assert!(parse("{\"zone\": []}").unwrap_err().contains("areas"));
    }
}
