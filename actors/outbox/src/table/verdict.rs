//! The names under which verdicts are stored, served and searched for.

use crate::webhook::Verdict;

/// Every verdict.
pub(crate) const VERDICTS: [Verdict; 5] =
    [Verdict::Delivered, Verdict::Failed, Verdict::Throttled, Verdict::Gone, Verdict::Refused];

/// Returns the name of a verdict.
pub(crate) const fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Gone => "gone",
        Verdict::Throttled => "throttled",
        Verdict::Failed => "failed",
        Verdict::Refused => "refused",
    }
}

/// Returns the verdict of a name.
pub(crate) fn verdict_of(name: &str) -> Option<Verdict> {
    VERDICTS.into_iter().find(|own| verdict_name(*own) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_has_one_name_everywhere() {
        for verdict in VERDICTS {
            let name = verdict_name(verdict);
            assert_eq!(verdict_of(name), Some(verdict));
            assert_eq!(serde_json::to_string(&verdict).unwrap(), format!("\"{name}\""));
        }
        assert_eq!(verdict_of("done"), None);
    }
}
