//! Decimal numbers as PostgreSQL sends them: groups of four digits.

use std::error::Error;

const NEGATIVE: u16 = 0x4000;

/// Writes a decimal number as its text, with as many places as it was stored with.
pub(super) fn read(raw: &[u8]) -> Result<String, Box<dyn Error + Sync + Send>> {
    let words: Vec<u16> = raw
        .chunks_exact(2)
        .filter_map(|pair| pair.try_into().ok().map(u16::from_be_bytes))
        .collect();
    let [_, weight, sign, scale, digits @ ..] = words.as_slice() else {
        return Err("decimal number is cut off".into());
    };
    if !matches!(*sign, 0 | NEGATIVE) {
        return Err("decimal number is not finite".into());
    }
    let weight = i64::from(weight.cast_signed());
    let group = |at: i64| {
        let at = usize::try_from(at).ok();
        at.and_then(|at| digits.get(at)).copied().unwrap_or_default()
    };
    let mut text: String = (0..=weight).map(|at| format!("{:04}", group(at))).collect();
    text = text.trim_start_matches('0').to_owned();
    if text.is_empty() {
        text.push('0');
    }
    if *scale > 0 {
        let places = usize::from(*scale);
        let groups = 0..places.div_ceil(4) as i64;
        let behind: String = groups.map(|at| format!("{:04}", group(weight + 1 + at))).collect();
        text.push('.');
        text.extend(behind.chars().take(places));
    }
    Ok(if *sign == NEGATIVE { format!("-{text}") } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(words: &[u16]) -> String {
        read(&words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn groups_of_digits_become_a_decimal_number() {
        assert_eq!(number(&[2, 0, 0, 2, 12, 5000]), "12.50");
        assert_eq!(number(&[1, 1, NEGATIVE, 0, 3]), "-30000");
        assert_eq!(number(&[1, 0xFFFF, 0, 6, 7]), "0.000700");
        assert_eq!(number(&[0, 0, 0, 0]), "0");
        assert!(read(&[0, 0]).is_err());
    }
}
