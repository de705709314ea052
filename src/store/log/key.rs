//! The 64-bit keys under which the index knows streams, tags and event ids.
//!
//! A key is only a hint: two things may share one, so whoever follows a key compares the
//! record it leads to. The functions are part of the index file's format: a change of one needs
//! a new version of the file, which is then made again from the log.

use crate::event::EventId;

const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
const INCREMENT: u64 = 0xD6E8_FEB8_6659_FD93;

/// Returns the key of a stream.
pub fn stream_key(tenant: &[u8], category: &[u8], id: &[u8]) -> u64 {
    finish(text(text(text(1, tenant), category), id))
}

/// Returns the key of a tag.
pub fn tag_key(tenant: &[u8], tag: &[u8]) -> u64 {
    finish(text(text(2, tenant), tag))
}

/// Returns the key of an event id, which each tenant has for itself.
pub fn id_key(tenant: &[u8], id: EventId) -> u64 {
    finish(text(text(4, tenant), &id.to_bytes()))
}

/// Adds every key under which the index knows an event: stream, id, and each tag once.
pub fn add_event_keys<'t>(
    keys: &mut Vec<u64>,
    (stream, id): (u64, EventId),
    tenant: &[u8],
    tags: impl Iterator<Item = &'t [u8]>,
) {
    keys.extend([stream, id_key(tenant, id)]);
    let first = keys.len();
    for tag in tags {
        let key = tag_key(tenant, tag);
        if !keys.iter().skip(first).any(|earlier| *earlier == key) {
            keys.push(key);
        }
    }
}

fn text(state: u64, bytes: &[u8]) -> u64 {
    let state = fold(state ^ bytes.len() as u64);
    bytes.chunks(8).fold(state, |state, chunk| {
        let mut word = [0; 8];
        word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        fold(state ^ u64::from_le_bytes(word))
    })
}

fn fold(state: u64) -> u64 {
    let product = u128::from(state.wrapping_add(INCREMENT)) * u128::from(MULTIPLIER);
    (product as u64) ^ ((product >> 64) as u64).rotate_left(32)
}

fn finish(state: u64) -> u64 {
    let state = (state ^ (state >> 32)).wrapping_mul(INCREMENT);
    let state = (state ^ (state >> 29)).wrapping_mul(MULTIPLIER);
    state ^ (state >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_never_change() {
        let id = EventId::from_bytes([7; 16]);
        let keys = [stream_key(b"t", b"order", b"1"), tag_key(b"t", b"a:b"), id_key(b"t", id)];
        let known = [17412550455908918747, 8082713521981316652, 11102424502496320791];
        assert_eq!(keys, known);
    }

    #[test]
    fn a_hundred_thousand_streams_have_as_many_keys() {
        let keys = (0..100_000).map(|n| stream_key(b"t", b"c", format!("{n}").as_bytes()));
        assert_eq!(keys.collect::<std::collections::HashSet<_>>().len(), 100_000);
    }
}
