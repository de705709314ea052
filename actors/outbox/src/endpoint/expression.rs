//! CEL expressions over events, each bounded in what it may cost.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cel::{Context, Env, Program, Value};
use headwater::event::RecordedEvent;

use super::cost::{depth_of, values_of};

/// The most bytes of an expression.
const EXPRESSION_LEN_MAX: usize = 2_000;
/// The most steps of an expression on an event, by its loops and the event's values: some seconds.
const STEPS_MAX: u64 = 20_000_000;

/// A parsed expression; cheap to clone.
#[derive(Clone)]
pub struct Expression {
    program: Arc<Program>,
    env: Arc<Env>,
    depth: u32,
}

/// Says why an expression is not one. Caller: mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExpressionError(String);

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
        let depth = depth_of(program.expression());
        Ok(Self { program: Arc::new(program), env, depth })
    }

    /// Returns whether it has loops, so that it may take long on a large event.
    #[must_use]
    pub const fn has_loops(&self) -> bool {
        self.depth > 0
    }

    /// Returns whether it is true of an event; false when it fails on it.
    #[must_use]
    pub fn matches(&self, event: &RecordedEvent) -> bool {
        self.evaluate(event).unwrap_or(false)
    }

    /// Says whether it is true of an event.
    ///
    /// # Errors
    /// [`ExpressionError`] when it fails on the event, is no truth value, or would take more than
    /// 20 million steps: the values of the event's data, to the power of the loops within one
    /// another.
    pub fn evaluate(&self, event: &RecordedEvent) -> Result<bool, ExpressionError> {
        let values = values_of(event.data());
        if values.checked_pow(self.depth).is_none_or(|steps| steps > STEPS_MAX) {
            let depth = self.depth;
            let problem = format!("loops {depth} deep are too many over {values} values");
            return Err(ExpressionError(problem));
        }
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
        let variables: [(&str, Value); 8] = [
            ("type", event.event_type().into()),
            ("category", event.category().into()),
            ("stream", event.stream_id().into()),
            ("tenant", event.tenant().into()),
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
