//! Cursors of read models: opaque to clients, bound to the query they came from.

use super::Problem;
use super::query::refused;

const CONTEXT: &str = "headwater 2026 page cursor v1";
const TAG_LEN: usize = 8;
/// The most bytes of the key in a cursor; longer than any key of a stream.
const KEY_LEN_MAX: usize = 1024;

/// What a cursor is bound to: the same query, without its page size.
pub(super) struct Binding<'a> {
    pub tenant: &'a str,
    pub projection: &'a str,
    pub filters: &'a [(String, String)],
}

impl Binding<'_> {
    /// Makes the cursor of the page behind a key.
    pub fn cursor(&self, after_key: &str) -> String {
        let tag = self.tag(after_key.as_bytes());
        tag.iter().chain(after_key.as_bytes()).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads the key from a cursor.
    pub fn after_key(&self, cursor: &str) -> Result<String, Problem> {
        let foreign = || refused("cursor", "is not one of this query: begin without a cursor");
        if cursor.len() > 2 * (TAG_LEN + KEY_LEN_MAX) {
            return Err(foreign());
        }
        let bytes = bytes_of(cursor).ok_or_else(foreign)?;
        let (tag, key) = bytes.split_first_chunk::<TAG_LEN>().ok_or_else(foreign)?;
        if *tag != self.tag(key) {
            return Err(foreign());
        }
        String::from_utf8(key.to_vec()).map_err(|_| foreign())
    }

    /// Not a secret: it catches cursors that were cut, mixed up or made up by mistake. The
    /// tenant is checked by the query itself.
    fn tag(&self, key: &[u8]) -> [u8; TAG_LEN] {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        let names = [self.tenant, self.projection].into_iter();
        let filters = self.filters.iter().flat_map(|(field, value)| [field.as_str(), value]);
        for part in names.chain(filters) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.update(key);
        hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default()
    }
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = hex.chars().map(|digit| digit.to_digit(16)).collect();
    let (pairs, rest) = digits.as_ref()?.as_chunks::<2>();
    let byte = |[high, low]: &[u32; 2]| u8::try_from(high * 16 + low).ok();
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: Binding<'static> = Binding { tenant: "t", projection: "p", filters: &[] };

    #[test]
    fn a_cursor_of_another_query_is_refused() {
        let cursor = HERE.cursor("k");
        let filters = [("a".to_owned(), "b".to_owned())];
        for other in [
            Binding { tenant: "u", ..HERE },
            Binding { projection: "q", ..HERE },
            Binding { filters: &filters, ..HERE },
        ] {
            assert!(other.after_key(&cursor).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_cursor_reads_back(key in "\\PC{0,40}") {
            prop_assert_eq!(HERE.after_key(&HERE.cursor(&key)).unwrap(), key);
        }

        #[test]
        fn no_text_makes_the_reader_fail(text in "\\PC*") {
            prop_assert!(HERE.after_key(&text).is_err());
        }
    }
}
