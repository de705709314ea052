//! A batch as the parameters of `append_batch`; the migration says what each one means.

use std::collections::HashMap;

use serde_json::json;
use tokio_postgres::types::{ToSql, Type};

use super::batch::Batch;
use super::prepared::Prepared;
use super::session::Session;
use super::wire::{SqlId, sql_position, sql_revision};
use crate::event::{EventQuery, Tenant};
use crate::store::condition::Examined;
use crate::store::{AppendCondition, Expected};

/// Appends the batch and returns one row; no statement is prepared, so any pooler may be between.
/// [`in_schema`](super::statement::in_schema) completes it.
pub(super) const APPEND: &str = "select * from ~append_batch(\
    $1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21)";

/// The parameters, in the order of the function.
#[derive(Default)]
pub(super) struct Request<'a> {
    a_last: Vec<i32>,
    a_condition: Option<Vec<Option<String>>>,
    a_rivals: Vec<i32>,
    rivals: Vec<i32>,
    w_stream: Vec<i32>,
    w_expected: Vec<i64>,
    w_first: Vec<i32>,
    w_last: Vec<i32>,
    s_name: Vec<String>,
    s_family: Vec<String>,
    k_tenant: Vec<&'a str>,
    k_category: Vec<&'a str>,
    k_type: Vec<&'a str>,
    e_write: Vec<i32>,
    e_kind: Vec<i32>,
    e_id: Vec<SqlId>,
    e_record: Vec<&'a [u8]>,
    t_event: Vec<i32>,
    t_tag: Vec<&'a str>,
    session: Option<SqlId>,
    lost: Option<Vec<SqlId>>,
    streams: HashMap<(&'a str, &'a str, &'a str), i32>,
    kinds: HashMap<(&'a str, &'a str, &'a str), i32>,
}

impl<'a> Request<'a> {
    /// Writes a batch down, as it is sent on a session.
    pub fn of(batch: &'a Batch, session: &Session) -> Self {
        let lost = session.lost().iter().map(|id| SqlId(*id)).collect::<Vec<_>>();
        let mut request = Self {
            session: Some(SqlId(session.id())),
            lost: (!lost.is_empty()).then_some(lost),
            ..Self::default()
        };
        for (append, rivals) in batch.appends.iter().zip(&batch.rivals) {
            request.add(append);
            request.rivals.extend_from_slice(rivals);
            request.a_rivals.push(number(request.rivals.len()));
        }
        if batch.appends.iter().any(|append| append.condition.is_some()) {
            let text = |append: &Prepared| {
                append.condition.as_ref().map(|condition| condition_text(&append.tenant, condition))
            };
            request.a_condition = Some(batch.appends.iter().map(text).collect());
        }
        request
    }

    /// Returns each parameter with its type.
    pub fn parameters(&self) -> [(&(dyn ToSql + Sync), Type); 21] {
        [
            (&self.a_last, Type::INT4_ARRAY),
            (&self.a_condition, Type::TEXT_ARRAY),
            (&self.a_rivals, Type::INT4_ARRAY),
            (&self.rivals, Type::INT4_ARRAY),
            (&self.w_stream, Type::INT4_ARRAY),
            (&self.w_expected, Type::INT8_ARRAY),
            (&self.w_first, Type::INT4_ARRAY),
            (&self.w_last, Type::INT4_ARRAY),
            (&self.s_name, Type::TEXT_ARRAY),
            (&self.s_family, Type::TEXT_ARRAY),
            (&self.k_tenant, Type::TEXT_ARRAY),
            (&self.k_category, Type::TEXT_ARRAY),
            (&self.k_type, Type::TEXT_ARRAY),
            (&self.e_write, Type::INT4_ARRAY),
            (&self.e_kind, Type::INT4_ARRAY),
            (&self.e_id, Type::UUID_ARRAY),
            (&self.e_record, Type::BYTEA_ARRAY),
            (&self.t_event, Type::INT4_ARRAY),
            (&self.t_tag, Type::TEXT_ARRAY),
            (&self.session, Type::UUID),
            (&self.lost, Type::UUID_ARRAY),
        ]
    }

    fn add(&mut self, append: &'a Prepared) {
        let tenant = append.tenant.as_str();
        let (mut bytes, mut events) = (append.bytes.as_slice(), append.events.iter());
        for write in &append.writes {
            let (category, id) = (write.stream.category().as_str(), write.stream.id());
            let stream = self.stream(tenant, category, id);
            self.w_stream.push(stream);
            self.w_expected.push(expected_number(write.expected));
            self.w_first.push(number(self.e_write.len() + 1));
            for event in events.by_ref().take(write.count) {
                let (record, rest) = bytes.split_at_checked(event.len).unwrap_or((bytes, &[]));
                bytes = rest;
                let kind = self.kind(tenant, category, event.event_type.as_str());
                self.e_write.push(number(self.w_first.len()));
                self.e_kind.push(kind);
                self.e_id.push(SqlId(event.id));
                self.e_record.push(record);
                for tag in &event.tags {
                    self.t_event.push(number(self.e_write.len()));
                    self.t_tag.push(tag.as_str());
                }
            }
            self.w_last.push(number(self.e_write.len()));
        }
        self.a_last.push(number(self.w_first.len()));
    }

    fn stream(&mut self, tenant: &'a str, category: &'a str, id: &'a str) -> i32 {
        let next = number(self.streams.len() + 1);
        *self.streams.entry((tenant, category, id)).or_insert_with(|| {
            self.s_name.push(format!("{tenant}/{category}/{id}"));
            self.s_family.push(format!("{tenant}/{category}"));
            next
        })
    }

    fn kind(&mut self, tenant: &'a str, category: &'a str, event_type: &'a str) -> i32 {
        let next = number(self.kinds.len() + 1);
        *self.kinds.entry((tenant, category, event_type)).or_insert_with(|| {
            self.k_tenant.push(tenant);
            self.k_category.push(category);
            self.k_type.push(event_type);
            next
        })
    }
}

fn expected_number(expected: Expected) -> i64 {
    match expected {
        Expected::Any => -1,
        Expected::Exists => -2,
        Expected::NoStream => 0,
        Expected::At(revision) => sql_revision(revision),
    }
}

/// Writes a condition for the function that looks at what came since it was examined.
fn condition_text(tenant: &Tenant, condition: &Examined) -> String {
    if condition.refusal.is_some() {
        // Which position it is, or what else, the program knows itself.
        return json!({ "refused": 0 }).to_string();
    }
    let (after, rest_max) = (sql_position(condition.upto), condition.rest_max);
    let (tenant, items) = (tenant.as_str(), items_json(&condition.query));
    json!({ "tenant": tenant, "after": after, "items": items, "rest_max": rest_max }).to_string()
}

/// Writes a condition for the function that examines all of it.
pub(super) fn find_text(tenant: &Tenant, condition: &AppendCondition) -> String {
    let after = sql_position(condition.after);
    let items = items_json(&condition.query);
    json!({ "tenant": tenant.as_str(), "after": after, "items": items }).to_string()
}

/// Writes the items of a query for the functions of the schema; a query of none has one that
/// asks for nothing.
pub(super) fn items_json(query: &EventQuery) -> serde_json::Value {
    let nothing = [crate::event::QueryItem::default()];
    let items = if query.items.is_empty() { &nothing } else { query.items.as_slice() };
    let item = |item: &crate::event::QueryItem| {
        let mut tags: Vec<&str> = item.tags.iter().map(crate::event::Tag::as_str).collect();
        tags.sort_unstable();
        tags.dedup();
        let categories: Vec<&str> =
            item.categories.iter().map(crate::event::Category::as_str).collect();
        let types: Vec<&str> = item.types.iter().map(crate::event::EventType::as_str).collect();
        json!({ "categories": categories, "types": types, "tags": tags })
    };
    items.iter().map(item).collect()
}

// Batches are bounded far below what an integer holds.
fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
