//! Compares a text with a secret as others may write it: in another case, or escaped.

/// What a comparison found at the beginning of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Echo {
    /// Something else.
    None,
    /// The whole secret, in so many bytes of the text.
    Whole { len: usize },
    /// So many bytes of the secret, behind which the text ends.
    CutOff { matched: usize },
}

/// Compares the beginning of a text with a secret, first as it is, then with each byte read as
/// percent-encoding, JSON and HTML have it. Each byte compared takes one of the steps; at zero
/// there is nothing to be found.
pub(super) fn echo(text: &[u8], secret: &[u8], steps: &mut usize) -> Echo {
    match compare(text, secret, steps, |_, first| (first, 1)) {
        Echo::None => compare(text, secret, steps, unescaped),
        found => found,
    }
}

fn compare(
    text: &[u8],
    secret: &[u8],
    steps: &mut usize,
    read: impl Fn(&[u8], u8) -> (u8, usize),
) -> Echo {
    let mut at = 0;
    for (matched, own) in secret.iter().enumerate() {
        *steps = steps.saturating_sub(1);
        let rest = text.get(at..).unwrap_or_default();
        let Some(first) = rest.first() else { return Echo::CutOff { matched } };
        let (byte, len) = read(rest, *first);
        let is_same = byte.eq_ignore_ascii_case(own) || (*first == b'+' && *own == b' ');
        if *steps == 0 || !is_same {
            return Echo::None;
        }
        at += len;
    }
    Echo::Whole { len: at }
}

/// Reads one byte that may be escaped, and how many bytes it takes.
fn unescaped(text: &[u8], first: u8) -> (u8, usize) {
    let read = match text {
        [b'%', rest @ ..] => hex(rest, 2).map(|byte| (byte, 3)),
        [b'\\', b'x', rest @ ..] => hex(rest, 2).map(|byte| (byte, 4)),
        [b'\\', b'u', rest @ ..] => hex(rest, 4).map(|byte| (byte, 6)),
        [b'\\', b't', ..] => Some((b'\t', 2)),
        [b'\\', byte, ..] => Some((*byte, 2)),
        [b'&', rest @ ..] => entity(rest),
        _ => None,
    };
    read.unwrap_or((first, 1))
}

fn hex(text: &[u8], len: usize) -> Option<u8> {
    number(text.get(..len)?, 16)
}

/// Reads what stands behind `&` in HTML.
fn entity(text: &[u8]) -> Option<(u8, usize)> {
    let len = text.iter().take(8).position(|byte| *byte == b';')?;
    let byte = match text.get(..len)? {
        b"amp" => b'&',
        b"lt" => b'<',
        b"gt" => b'>',
        b"quot" => b'"',
        b"apos" => b'\'',
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16)?,
        [b'#', digits @ ..] => number(digits, 10)?,
        _ => return None,
    };
    Some((byte, len + 2))
}

fn number(digits: &[u8], radix: u32) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok()?;
    u32::from_str_radix(digits, radix).ok().and_then(|number| u8::try_from(number).ok())
}
