//! Which events an endpoint gets.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cel::{Context, Env, Program, Value};
use headwater::event::{Category, EventQuery, EventType, QueryItem, RecordedEvent, Tag};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CATEGORY, EndpointRejection};

/// The most entries of a list.
const LIST_MAX: usize = 64;
/// The most bytes of an expression.
const EXPRESSION_LEN_MAX: usize = 2_000;

/// Which events: those to which everything that is given applies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Of any of these categories; of all but `endpoint` when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Of any of these types; of all when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// With all of these tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// A CEL expression over `data`, `type`, `category`, `stream`, `tags`, `version`, `revision`
    /// and `position` that must be true. One that fails on an event, for example because a field
    /// is missing, does not let it through: ask `has(data.field)` first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "type == 'Placed' && data.country != 'EIRE'")]
    pub expression: Option<String>,
}

/// A parsed expression; cheap to clone.
#[derive(Clone)]
pub struct Expression {
    program: Arc<Program>,
    env: Arc<Env>,
}

/// Says why an expression is not one. Caller: mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExpressionError(String);

impl Filter {
    /// Checks names, bounds and the expression.
    ///
    /// # Errors
    /// [`EndpointRejection::Invalid`] naming the field.
    pub fn check(&self) -> Result<(), EndpointRejection> {
        self.query().map(drop)?;
        self.parsed_expression().map(drop)
    }

    /// Returns what to match events with, before the expression.
    ///
    /// # Errors
    /// [`EndpointRejection::Invalid`] naming the field.
    pub fn query(&self) -> Result<EventQuery, EndpointRejection> {
        let item = QueryItem {
            categories: names("categories", &self.categories, |text| Category::new(text))?,
            types: names("types", &self.types, |text| EventType::new(text))?,
            tags: names("tags", &self.tags, |text| Tag::new(text))?,
        };
        Ok(EventQuery { items: vec![item] })
    }

    /// Returns whether events of a category may match at all.
    #[must_use]
    pub fn takes_category(&self, category: &str) -> bool {
        category != CATEGORY || self.categories.iter().any(|own| own == CATEGORY)
    }

    /// Parses the expression, if there is one.
    ///
    /// # Errors
    /// [`EndpointRejection::Invalid`] with what the parser says.
    pub fn parsed_expression(&self) -> Result<Option<Expression>, EndpointRejection> {
        let parse = |text: &String| {
            Expression::parse(text)
                .map_err(|error| EndpointRejection::invalid("filter.expression", error.to_string()))
        };
        self.expression.as_ref().map(parse).transpose()
    }
}

impl Expression {
    /// Parses an expression.
    ///
    /// # Errors
    /// [`ExpressionError`] when it is too long or does not parse.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        if text.len() > EXPRESSION_LEN_MAX {
            return Err(ExpressionError(format!("has more than {EXPRESSION_LEN_MAX} bytes")));
        }
        let env = Arc::new(Env::stdlib());
        // The parser is another's code over a caller's text.
        let program = catch_unwind(AssertUnwindSafe(|| env.compile(text)))
            .map_err(|_| ExpressionError("cannot be parsed".into()))?
            .map_err(|error| ExpressionError(format!("does not parse: {error}")))?;
        Ok(Self { program: Arc::new(program), env })
    }

    /// Returns whether it is true of an event; false when it fails on it.
    #[must_use]
    pub fn matches(&self, event: &RecordedEvent) -> bool {
        self.evaluate(event).unwrap_or(false)
    }

    /// Says whether it is true of an event.
    ///
    /// # Errors
    /// [`ExpressionError`] when it fails on the event or is no truth value.
    pub fn evaluate(&self, event: &RecordedEvent) -> Result<bool, ExpressionError> {
        catch_unwind(AssertUnwindSafe(|| self.run(event)))
            .unwrap_or_else(|_| Err(ExpressionError("failed in the interpreter".into())))
    }

    fn run(&self, event: &RecordedEvent) -> Result<bool, ExpressionError> {
        let context = self.context(event).map_err(ExpressionError)?;
        match self.program.execute(&context) {
            Ok(Value::Bool(truth)) => Ok(truth),
            Ok(_) => Err(ExpressionError("is not a truth value: compare it with something".into())),
            Err(error) => Err(ExpressionError(format!("failed on the event: {error}"))),
        }
    }

    fn context(&self, event: &RecordedEvent) -> Result<Context<'static, 'static>, String> {
        let data: serde_json::Value =
            serde_json::from_slice(event.data()).map_err(|error| error.to_string())?;
        let mut context = Context::with_env(Arc::clone(&self.env));
        context.add_variable("data", data).map_err(|error| error.to_string())?;
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let tags: Vec<Value> = event.tags().map(Value::from).collect();
        let variables: [(&str, Value); 7] = [
            ("type", event.event_type().into()),
            ("category", event.category().into()),
            ("stream", event.stream_id().into()),
            ("tags", tags.into()),
            ("version", i64::from(event.version()).into()),
            ("revision", number(event.revision().get()).into()),
            ("position", number(event.position().get()).into()),
        ];
        for (name, value) in variables {
            context.add_variable_from_value(name, value);
        }
        Ok(context)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Expression")
    }
}

fn names<T, E: fmt::Display>(
    field: &str,
    list: &[String],
    name: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, EndpointRejection> {
    if list.len() > LIST_MAX {
        let problem = format!("has more than {LIST_MAX} entries");
        return Err(EndpointRejection::invalid(format!("filter.{field}"), problem));
    }
    let checked = |(at, text): (usize, &String)| {
        let refused = |error: E| {
            EndpointRejection::invalid(format!("filter.{field}.{at}"), error.to_string())
        };
        name(text).map_err(refused)
    };
    list.iter().enumerate().map(checked).collect()
}
