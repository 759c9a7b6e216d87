//! The name that a mistyped one was meant to be.

/// What to say of `text`, which is no candidate: the nearest one, or where none is near, all.
pub(super) fn hint(text: &str, candidates: &[&str], of: impl Fn(&str) -> String) -> String {
    let nearest = nearest(text, candidates.iter().copied());
    let edits = strsim::damerau_levenshtein(nearest, text);
    if edits <= (text.chars().count() / 2).max(1) {
        return format!("the nearest known key is {:?}", of(nearest));
    }
    format!("the known ones are {}", candidates.join(", "))
}

/// The candidate with the fewest edits; of equally few, the one that shares the beginning: `stpes`
/// is steps, not seed.
pub(super) fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> &'a str {
    // A long hostile key would cost its length times ours.
    let head: String = text.chars().take(64).collect();
    let similar = |candidate: &str| (strsim::jaro_winkler(&head, candidate) * 1e6) as i64;
    let edits = |candidate: &str| strsim::damerau_levenshtein(&head, candidate);
    candidates.min_by_key(|candidate| (edits(candidate), -similar(candidate))).unwrap_or("")
}
