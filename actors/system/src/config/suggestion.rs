//! Did you mean: the known name that is nearest to an unknown one.

/// Returns what to do about an unknown name.
pub fn suggest(found: &str, known: impl IntoIterator<Item = String>) -> String {
    let distance = |name: &str| strsim::damerau_levenshtein(found, name);
    let nearest = known.into_iter().map(|name| (distance(&name), name)).min();
    match nearest {
        Some((distance, name)) if distance <= (found.len() / 4).max(2) => {
            format!("did you mean {name}?")
        }
        _ => "remove it; `headwater serve --help` lists every setting".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let known = || ["listen", "limits.page_max"].map(str::to_owned);
        assert_eq!(suggest("lisen", known()), "did you mean listen?");
        assert_eq!(suggest("limits.page-max", known()), "did you mean limits.page_max?");
        assert!(suggest("colour", known()).starts_with("remove it"));
    }
}
