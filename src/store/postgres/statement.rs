//! The statements that read. Each gives one row: the head, and a page as arrays.
//!
//! Everything in a row is of one moment. Arrays spare the cost of a row for each event. In their
//! text `~` stands before what lies in the schema; [`in_schema`] puts the schema there, because
//! behind a pooler no session knows where to search.

use super::examine::FIND;
use crate::store::{Direction, EventQuery, LogRead};

/// Puts the name of the schema, where `~` is, before each name.
pub(super) fn in_schema(statement: &str, schema: &str) -> String {
    statement.replace('~', &format!("\"{schema}\"."))
}

/// The statements of the reader, made once: each is some hundred words put together.
pub(super) struct Statements {
    all: BothWays,
    kinds: BothWays,
    mixed: BothWays,
    tags: BothWays,
    stream: BothWays,
    /// Finds an event: `$1` its id, `$2` its tenant.
    pub event: String,
    /// Lists the streams of a family: `$1` tenant/category, `$2` after, `$3` limit.
    pub family: String,
    /// Asks for the last position.
    pub last: String,
    /// Examines a condition; see [`FIND`].
    pub find: String,
    /// Lists the streams of all of a tenant's families: `$1` tenant, `$2` after, `$3` limit.
    pub tenant: String,
}

struct BothWays {
    forward: String,
    backward: String,
}

impl Statements {
    /// Makes them for the tables of a schema.
    pub fn of(schema: &str) -> Self {
        let both = |make: &dyn Fn(Direction) -> String| BothWays {
            forward: in_schema(&make(Direction::Forward), schema),
            backward: in_schema(&make(Direction::Backward), schema),
        };
        let log = |plan: Plan| both(&|direction| plan.statement(direction));
        Self {
            all: log(Plan::All),
            kinds: log(Plan::Kinds),
            mixed: log(Plan::Mixed),
            tags: log(Plan::Tags),
            stream: both(&stream),
            event: in_schema(EVENT, schema),
            family: in_schema(FAMILY, schema),
            last: in_schema(LAST, schema),
            find: in_schema(FIND, schema),
            tenant: in_schema(TENANT, schema),
        }
    }

    /// Returns the one that reads the log so, with the parameters of [`Plan`].
    pub fn log(&self, plan: Plan, direction: Direction) -> &str {
        let both = match plan {
            Plan::All => &self.all,
            Plan::Kinds => &self.kinds,
            Plan::Mixed => &self.mixed,
            Plan::Tags => &self.tags,
        };
        both.way(direction)
    }

    /// Returns the one that reads a stream: `$1` from, `$2` limit, `$3` bytes, `$4` its name.
    /// The head is its revision.
    pub fn stream(&self, direction: Direction) -> &str {
        self.stream.way(direction)
    }
}

impl BothWays {
    fn way(&self, direction: Direction) -> &str {
        match direction {
            Direction::Forward => &self.forward,
            Direction::Backward => &self.backward,
        }
    }
}

/// What a page is made of.
struct Parts<'a> {
    /// What stands before the statement.
    with: &'a str,
    /// Finds events, best first and at most `$2`.
    found: &'a str,
    /// The order of the page.
    order: &'a str,
    /// The head.
    head: &'a str,
    /// How far was looked, when that is not as far as there is.
    reach: &'a str,
}

/// Makes a statement that returns a page of at most `$3` bytes: head, how many were found, the
/// columns of those that fit, and the reach.
fn page(Parts { with, found, order, head, reach }: &Parts<'_>) -> String {
    format!(
        "{with} select coalesce({head}, 0), count(*),
            array_agg(position) filter (where fits), array_agg(revision) filter (where fits),
            array_agg(recorded_at) filter (where fits), string_agg(record, '') filter (where fits),
            {reach}
        from (
            select position, revision, recorded_at, record,
                bytes <= $3 or bytes = octet_length(record) as fits
            from (
                select position, revision, recorded_at, record, sum(octet_length(record))
                    over (order by {order} rows unbounded preceding) as bytes
                from ({found}) as found
            ) as sized
        ) as cut"
    )
}

/// Says how a read of the log finds its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Every event, by position.
    All,
    /// By position within the bound of a scan, comparing kinds.
    Kinds,
    /// Likewise, comparing kinds and tags.
    Mixed,
    /// Through the index of tags, however far.
    Tags,
}

impl Plan {
    /// Chooses for a read.
    pub fn of(read: &LogRead) -> Self {
        let items = &read.query.items;
        let tagged = items.iter().filter(|item| !item.tags.is_empty()).count();
        match tagged {
            _ if is_everything(&read.query) && read.tenant.is_none() => Self::All,
            _ if is_everything(&read.query) => Self::Kinds,
            0 => Self::Kinds,
            count if count == items.len() => Self::Tags,
            _ => Self::Mixed,
        }
    }

    /// Returns the statement: `$1` from, `$2` limit, `$3` bytes; unless it is of all `$4`
    /// tenant, `$5` items, and for scans `$6` how many positions to look at.
    fn statement(self, direction: Direction) -> String {
        let (beyond, way) = match direction {
            Direction::Forward => (">", "asc"),
            Direction::Backward => ("<", "desc"),
        };
        let columns = "e.position, e.revision, e.recorded_at, e.record";
        let Scan { start, window, reach } = scan(direction);
        let order = format!("order by e.position {way} limit $2");
        let (with, found, reach) = match self {
            Self::All => {
                let all = format!("e.position {beyond} $1");
                let found = format!("select {columns} from ~events e where {all} {order}");
                (String::new(), found, "null::bigint")
            }
            Self::Kinds => {
                let found = format!("select {columns} from ~events e where {window} {order}");
                (format!("with {KINDS}, {start}"), found, reach)
            }
            Self::Mixed => {
                let own = format!("{window} and {MIXED}");
                let found = format!("select {columns} from ~events e where {own} {order}");
                (format!("with {ITEMS}, {KINDS_OF_ITEMS}, {start}"), found, reach)
            }
            Self::Tags => {
                let found = tagged(columns, beyond, way);
                (format!("with {ITEMS}"), found, "null::bigint")
            }
        };
        let head = "(select max(position) from ~events)";
        let order = format!("position {way}");
        page(&Parts { with: &with, found: &found, order: &order, head, reach })
    }
}

/// Finds events through the index of tags, however far.
fn tagged(columns: &str, beyond: &str, way: &str) -> String {
    format!(
        "select {columns} from (
            select distinct m.position from items as i, unnest(i.kinds) as k(id),
            lateral (
                select t.position from ~event_tags as t
                where t.tag = i.tags[1] and t.kind = k.id and t.position {beyond} $1
                  and not exists (
                      select from unnest(i.tags[2:]) as o(tag) where not exists (
                          select from ~event_tags as x where x.tag = o.tag
                            and x.kind = t.kind and x.position = t.position))
                order by t.position {way} limit $2
            ) as m
            order by m.position {way} limit $2
        ) as d join ~events e on e.position = d.position order by e.position {way}"
    )
}

/// How a scan finds its first event, how far it looks from there, and how far that is.
struct Scan {
    start: &'static str,
    window: &'static str,
    reach: &'static str,
}

/// The first event is found by one look into the index for each kind, so that what matches
/// nothing is passed over at once; a reader of very many kinds looks on from where it is. Then so
/// many positions are compared, whatever the statistics say.
const fn scan(direction: Direction) -> Scan {
    match direction {
        Direction::Forward => Scan {
            start: "start as materialized (
                select case when cardinality(ids) > 256
                    then least($1::bigint, 9000000000000000000) + 1
                    else (
                        select min(e.position) from unnest(ids) as k(id), lateral (
                            select x.position, x.kind from ~events as x
                            where (x.kind, x.position) > (k.id, $1::bigint)
                            order by x.kind, x.position limit 1
                        ) as e where e.kind = k.id
                    ) end as at
                from kinds)",
            window: "e.position >= (select at from start)
                and e.position < (select at from start) + $6::bigint
                and e.kind = any ((select ids from kinds)::integer[])",
            reach: "(select at + $6::bigint - 1 from start)",
        },
        Direction::Backward => Scan {
            start: "start as materialized (
                select case when cardinality(ids) > 256
                    then least($1::bigint - 1, (select max(position) from ~events))
                    else (
                        select max(e.position) from unnest(ids) as k(id), lateral (
                            select x.position, x.kind from ~events as x
                            where (x.kind, x.position) < (k.id, $1::bigint)
                            order by x.kind desc, x.position desc limit 1
                        ) as e where e.kind = k.id
                    ) end as at
                from kinds)",
            window: "e.position <= (select at from start)
                and e.position > (select at from start) - $6::bigint
                and e.kind = any ((select ids from kinds)::integer[])",
            reach: "(select at - $6::bigint + 1 from start)",
        },
    }
}

fn is_everything(query: &EventQuery) -> bool {
    query.is_all()
}

/// The items with their kinds looked up.
const ITEMS: &str = "items as materialized (
    select ~query_kinds($4::text, i) as kinds,
        array(select jsonb_array_elements_text(i->'tags')) as tags
    from jsonb_array_elements($5::text::jsonb) as i)";

/// The kinds that any item asks for.
const KINDS: &str = "kinds as materialized (
    select coalesce(array_agg(distinct k), '{}')::integer[] as ids
    from jsonb_array_elements($5::text::jsonb) as j, unnest(~query_kinds($4::text, j)) as k)";

/// The same where the items are there already.
const KINDS_OF_ITEMS: &str = "kinds as materialized (
    select coalesce(array_agg(distinct k), '{}')::integer[] as ids
    from items as i, unnest(i.kinds) as k)";

/// Whether an event is what an item asks for, tags included.
const MIXED: &str = "exists (select from items as i where e.kind = any (i.kinds)
    and not exists (select from unnest(i.tags) as o(tag) where not exists (
        select from ~event_tags as x
        where x.tag = o.tag and x.kind = e.kind and x.position = e.position)))";

fn stream(direction: Direction) -> String {
    let (beyond, way) = match direction {
        Direction::Forward => (">", "asc"),
        Direction::Backward => ("<", "desc"),
    };
    let id = "(select id from ~streams where name = $4::text)";
    let found = format!(
        "select position, revision, recorded_at, record from ~events
         where stream = {id} and revision {beyond} $1 order by revision {way} limit $2"
    );
    let head = format!(
        "(select revision from ~events where stream = {id} order by revision desc limit 1)"
    );
    let order = format!("revision {way}");
    let reach = "null::bigint";
    page(&Parts { with: "", found: &found, order: &order, head: &head, reach })
}

const EVENT: &str = "select position, array[position], array[revision], array[recorded_at], record \
     from ~events where id = $1 and ~record_tenant(record) = convert_to($2::text, 'UTF8')";

const FAMILY: &str =
    "select name, id from ~streams where family = $1 and id > $2 order by id limit $3";

const TENANT: &str = "select s.name, s.id
    from (select distinct tenant || '/' || category as family from ~event_kinds where tenant = $1) as f,
    lateral (
        select name, id from ~streams where family = f.family and id > $2 order by id limit $3
    ) as s
    order by s.id limit $3";

/// Asks for the last position.
pub(super) const LAST: &str = "select coalesce(max(position), 0) from ~events";
