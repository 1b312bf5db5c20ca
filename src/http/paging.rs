//! Long lists in pages: each answer has the cursor of the next one, and who follows them sees every entry once, also
//! where entries come and go meanwhile.

use super::problem::Problem;

/// How many entries a page may have.
pub(super) const MOST: u32 = 500;

/// The number of entries that are asked for. `usual`: where nothing is said.
///
/// # Errors
/// It is 0 or too great.
pub(super) fn limit(asked: Option<u32>, usual: u32) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(usual);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::bad(format!("limit={limit} is out of range (1 to {MOST})")));
    }
    Ok(limit as usize)
}

/// A page of a list whose entries have names, and the cursor of the next page.
///
/// The cursor tells the last entry's place and name: it goes on behind that entry wherever it is now, and at its old
/// place where it is gone.
///
/// # Errors
/// The cursor is none of ours.
pub(super) fn page<T>(
    entries: Vec<T>,
    name: impl Fn(&T) -> String,
    cursor: Option<&str>,
    limit: usize,
) -> Result<(Vec<T>, Option<String>), Problem> {
    let begin = match cursor {
        None => 0,
        Some(cursor) => {
            let parts = cursor.split_once('.').and_then(|(place, name)| Some((place.parse::<u32>().ok()?, name)));
            let (place, last) = parts.ok_or_else(|| unknown(cursor))?;
            entries.iter().position(|entry| name(entry) == last).map_or(place as usize, |found| found + 1)
        }
    };
    let all = entries.len();
    let page: Vec<T> = entries.into_iter().skip(begin).take(limit).collect();
    let end = begin.saturating_add(page.len());
    let next = page.last().filter(|_| end < all).map(|last| format!("{}.{}", end - 1, name(last)));
    Ok((page, next))
}

/// The cursor did not come from here.
pub(super) fn unknown(cursor: &str) -> Problem {
    Problem::bad(format!("cursor={cursor} is no cursor (take it from `next` of an answer)"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bounds_are_kept() {
        assert_eq!(limit(None, 7).unwrap(), 7);
        assert_eq!(limit(Some(500), 7).unwrap(), 500);
        for wrong in [0, 501] {
            assert!(limit(Some(wrong), 7).unwrap_err().detail().contains("1 to 500"));
        }
        for wrong in ["", "x", "1", "-1.a", "99999999999.a"] {
            assert!(page(vec!["a".to_owned()], String::clone, Some(wrong), 1).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn following_the_cursors_gives_every_entry_once(count in 0..30usize, limit in 1..9usize) {
            let all: Vec<String> = (0..count).map(|number| format!("cam-{number}")).collect();
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let (entries, next) = page(all.clone(), String::clone, cursor.as_deref(), limit).unwrap();
                prop_assert!(entries.len() <= limit && (next.is_none() || entries.len() == limit));
                seen.extend(entries);
                cursor = next;
                if cursor.is_none() { break }
            }
            prop_assert_eq!(seen, all);
        }

        #[test]
        fn an_entry_that_goes_or_comes_costs_no_other_one(
            count in 2..20usize,
            limit in 1..6usize,
            at in 0..20usize,
            more: bool,
        ) {
            let mut all: Vec<String> = (0..count).map(|number| format!("cam-{number}")).collect();
            let (first, next) = page(all.clone(), String::clone, None, limit).unwrap();
            // One that was seen goes, or one comes in front.
            if more {
                all.insert(0, "new".into());
            } else {
                all.remove(at % first.len());
            }
            let (second, _) = page(all.clone(), String::clone, next.as_deref().or(Some("0.none")), 500).unwrap();
            if next.is_some() {
                let last = first.last().unwrap();
                let wanted: Vec<String> = (limit..count).map(|number| format!("cam-{number}")).collect();
                prop_assert_eq!(second, wanted, "after {}", last);
            }
        }
    }
}
