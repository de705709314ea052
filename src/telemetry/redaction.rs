//! Which fields never show their values.

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Words that make a field a secret when its name has one of them as a part.
const SECRET_WORDS: [&str; 8] =
    ["authorization", "cookie", "credential", "key", "password", "passwd", "secret", "token"];

/// Texts after which a secret follows inside a value, in lower case.
const SECRET_LEADS: [&str; 2] = ["bearer ", "basic "];

/// How API keys begin.
const KEY_PREFIX: &str = "hw_";

/// Returns whether a field's name tells of a secret: `api_key`, `X-Auth-Token`, `passwordHash`.
pub fn is_secret(field: &str) -> bool {
    let mut word = String::new();
    for c in field.chars().chain(['_']) {
        if (c.is_uppercase() || !c.is_alphanumeric()) && !word.is_empty() {
            if SECRET_WORDS.contains(&word.trim_end_matches('s')) {
                return true;
            }
            word.clear();
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
    }
    SECRET_WORDS.contains(&field.to_lowercase().as_str())
}

/// Replaces credentials inside a text: API keys, and what follows `Bearer` or `Basic`.
pub fn redact_text(text: String) -> String {
    let lower = text.to_ascii_lowercase();
    let leads = SECRET_LEADS.iter().filter_map(|lead| lower.find(lead).map(|at| at + lead.len()));
    let Some(start) = leads.chain(key_secret(&text)).min() else { return text };
    let (before, secret) = text.split_at(start);
    let end = secret.find(|c: char| c.is_whitespace() || "\",;'".contains(c));
    let (_, after) = secret.split_at(end.unwrap_or(secret.len()));
    format!("{before}{REDACTED}{}", redact_text(after.to_owned()))
}

/// Returns where the secret of the first API key, `hw_<id>_<secret>`, begins.
fn key_secret(text: &str) -> Option<usize> {
    let mut keys = text.match_indices(KEY_PREFIX).map(|(at, prefix)| at + prefix.len());
    keys.find_map(|id| {
        let len = text.get(id..)?.find(|c: char| !c.is_ascii_alphanumeric())?;
        let secret = id + len + 1;
        let begins = text.get(id + len..)?.starts_with('_') && len > 0;
        let goes_on = text.get(secret..)?.starts_with(|c: char| c.is_ascii_alphanumeric());
        (begins && goes_on).then_some(secret)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_tell_of_a_secret_are_found() {
        for name in [
            "authorization",
            "Authorization",
            "key",
            "api_key",
            "apiKey",
            "keys",
            "AUTHORIZATION",
            "http.header.x-auth-token",
            "client_secret",
            "passwordHash",
            "set-cookie",
            "tokens",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["monkey", "category", "keyboard", "tokenizer", "stream", "event_type", ""] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn credentials_inside_a_text_are_replaced() {
        let text = "sent Authorization: Bearer abc.def, then basic Zm9v again".to_owned();
        let redacted = redact_text(text);
        assert!(!redacted.contains("abc") && !redacted.contains("Zm9v"), "{redacted}");
        assert!(redacted.starts_with("sent Authorization: Bearer [redacted],"), "{redacted}");
        assert_eq!(redact_text("nothing here".into()), "nothing here");
        assert_eq!(redact_text("key hw_7_s3cret, x".into()), "key hw_7_[redacted], x");
        assert_eq!(redact_text("key hw_7_… of hw_x".into()), "key hw_7_… of hw_x");
    }
}
