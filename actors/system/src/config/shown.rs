//! What a message may show of a value: never a secret, and never what may be one.

use super::Setting;

/// Stands for a value that is not shown.
pub const HIDDEN: &str = "…";

/// The most characters of a value that are shown.
const LEN_MAX: usize = 80;

/// Returns a value as a message may show it.
///
/// Hidden is every value of a setting that may hold a secret, every value of a name that is no
/// setting (a mistyped name of a secret still has the secret as its value), and every value that
/// looks like a secret in a wrong place.
pub fn shown(setting: Option<&Setting>, value: &str) -> String {
    let may_show = setting.is_some_and(|setting| !setting.kind.is_secret());
    if !may_show || looks_secret(value) {
        return HIDDEN.to_owned();
    }
    match value.char_indices().nth(LEN_MAX) {
        Some((end, _)) => format!("{}{HIDDEN}", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}

/// Whether a text looks like an address with a login, a list of such, or an API key.
pub fn looks_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let has_login = lower.contains("://") && lower.contains('@');
    has_login || lower.contains("password") || lower.contains("hw_")
}

/// Hides in a text every word of `given` that looks secret; for messages that others wrote about
/// what was given.
pub fn veil<'a>(text: &str, given: impl IntoIterator<Item = &'a str>) -> String {
    let values = given.into_iter().flat_map(|word| {
        let value = word.split_once('=').map(|(_, value)| value);
        [Some(word), value].into_iter().flatten()
    });
    let mut secret: Vec<&str> = values.filter(|value| looks_secret(value)).collect();
    // The longest first: a part of a word must not be replaced before the word.
    secret.sort_unstable_by_key(|value| std::cmp::Reverse(value.len()));
    secret.into_iter().fold(text.to_owned(), |text, value| text.replace(value, HIDDEN))
}

#[cfg(test)]
mod tests {
    use super::super::SETTINGS;
    use super::*;

    fn setting(key: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    #[test]
    fn only_a_plain_value_of_a_plain_setting_is_shown() {
        assert_eq!(shown(setting("listen"), "here"), "here");
        assert_eq!(shown(setting("store"), "anything"), HIDDEN);
        assert_eq!(shown(None, "anything"), HIDDEN);
        for secret in ["postgres://ann:canary@host/db", "host=h password=canary", "hw_abc_def"] {
            assert_eq!(shown(setting("listen"), secret), HIDDEN);
        }
    }

    #[test]
    fn a_long_value_is_cut() {
        assert_eq!(shown(setting("listen"), &"ä".repeat(500)).chars().count(), LEN_MAX + 1);
    }

    #[test]
    fn a_veiled_text_has_no_login_of_the_command_line() {
        let words = ["--stor=postgres://ann:a@b/c@host/db", "nats://u:canary@h"];
        let text = format!("unexpected argument '{}', '{}'", words[0], words[1]);
        let veiled = veil(&text, words);
        assert_eq!(veiled, "unexpected argument '…', '…'");
    }
}
