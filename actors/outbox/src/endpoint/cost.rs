//! What an expression may cost: an interpreter that goes on for hours would stand in the way of
//! every other endpoint, and it knows no bound of its own.

use cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, IdedExpr};

/// Returns how many loops of an expression are within one another; one more where a loop's body
/// looks at the whole event, which each turn may search.
pub(super) fn depth_of(expr: &IdedExpr) -> u32 {
    match &expr.expr {
        Expr::Comprehension(own) => loops_of(own),
        other => parts(other).into_iter().map(depth_of).max().unwrap_or(0),
    }
}

fn loops_of(own: &ComprehensionExpr) -> u32 {
    let body = [&own.loop_cond, &own.loop_step];
    let depth = body.iter().map(|part| depth_of(part)).max().unwrap_or(0);
    let searches = body.iter().any(|part| looks_at_event(part));
    let outside = [&own.iter_range, &own.accu_init, &own.result].map(depth_of);
    outside.into_iter().chain([1 + depth.max(u32::from(searches))]).max().unwrap_or(0)
}

/// Returns whether something outside of loops is named: `data` or `tags`.
fn looks_at_event(expr: &IdedExpr) -> bool {
    match &expr.expr {
        Expr::Ident(name) => name == "data" || name == "tags",
        other => parts(other).into_iter().any(looks_at_event),
    }
}

/// Returns what an expression is made of.
fn parts(expr: &Expr) -> Vec<&IdedExpr> {
    match expr {
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(own) => {
            vec![&own.iter_range, &own.accu_init, &own.loop_cond, &own.loop_step, &own.result]
        }
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(|own| entry(&own.expr)).collect(),
        Expr::Struct(own) => own.entries.iter().flat_map(|own| entry(&own.expr)).collect(),
        Expr::Select(select) => vec![&*select.operand],
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
    }
}

fn entry(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(own) => vec![&own.key, &own.value],
    }
}

/// Returns how many values some JSON has, or somewhat more: its texts are not looked into.
pub(super) fn values_of(json: &[u8]) -> u64 {
    1 + json.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() as u64
}

#[cfg(test)]
mod tests {
    use cel::Env;

    use super::*;

    fn depth(text: &str) -> u32 {
        depth_of(Env::stdlib().compile(text).unwrap().expression())
    }

    #[test]
    fn loops_count_by_how_deep_they_are() {
        for (text, expected) in [
            ("data.country == 'EIRE' && type in ['A', 'B']", 0),
            ("data.lines.exists(l, l.sku == 'x') && data.lines.all(l, l.n > 0)", 1),
            ("data.lines.filter(l, l.n > 1).map(l, l.sku).exists(s, s == 'x')", 1),
            ("data.orders.exists(o, o.lines.exists(l, l.sku == 'x'))", 2),
            ("data.a.all(x, x in data.a)", 2),
            ("data.a.all(x, data.a.all(y, true))", 2),
            ("data.a.all(x, data.a.all(y, y in data.a))", 3),
            ("{'a': data.a.map(x, [x].map(y, y))}.a == []", 2),
        ] {
            assert_eq!(depth(text), expected, "{text}");
        }
    }

    #[test]
    fn values_are_counted_with_their_containers() {
        assert_eq!(values_of(b"7"), 1);
        assert_eq!(values_of(br#"{"a":[1,2,3],"b":{}}"#), 7);
    }
}
