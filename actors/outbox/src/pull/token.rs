//! The name of one delivery, by which a consumer says what became of it.

use std::fmt;
use std::str::FromStr;

/// Names a delivery: never the same again, not after a restart and not on another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Token {
    /// Drawn at random when the group is made.
    pub incarnation: u64,
    pub number: u64,
}

/// Says that a text is not the name of a delivery; the caller must send one that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not the name of a delivery: send back what came as `delivery`, letter for letter")]
pub(crate) struct TokenError;

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:x}", self.incarnation, self.number)
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let (incarnation, number) = text.split_once('-').ok_or(TokenError)?;
        let read = |digits: &str| u64::from_str_radix(digits, 16).map_err(|_| TokenError);
        let token = Self { incarnation: read(incarnation)?, number: read(number)? };
        // There is one way to write it, so that nothing else passes for it.
        if token.to_string() == text { Ok(token) } else { Err(TokenError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_as_it_was_written_and_nothing_else_is_one() {
        let token = Token { incarnation: 0xab, number: 17 };
        assert_eq!(token.to_string(), "00000000000000ab-11");
        assert_eq!(token.to_string().parse(), Ok(token));
        for text in ["", "-", "ab-11", "00000000000000ab-", "00000000000000ab-+11", "1"] {
            assert_eq!(text.parse::<Token>(), Err(TokenError), "{text}");
        }
    }
}
