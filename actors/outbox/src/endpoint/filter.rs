//! Which events an endpoint gets.

use std::fmt;

use headwater::event::{Category, EventQuery, EventType, QueryItem, Tag, Tenant};
use headwater::runtime::OUTCOME_CATEGORY;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CATEGORY, EndpointRejection, Expression};

/// Stands for all tenants.
const ALL: &str = "*";
/// The most entries of a list.
const LIST_MAX: usize = 64;

/// Which events: those to which everything that is given applies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Of any of these tenants, `*` for all; of the endpoint's own when empty. Only endpoints of
    /// the operator's tenant may name others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    /// Of any of these categories; of all but `endpoint` and `command-outcome` when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Of any of these types; of all when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// With all of these tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// A CEL expression over `data`, `type`, `category`, `stream`, `tenant`, `tags`, `version`,
    /// `revision` and `position` that must be true. One that fails on an event, for example because a field
    /// is missing, does not let it through: ask `has(data.field)` first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "type == 'Placed' && data.country != 'EIRE'")]
    pub expression: Option<String>,
}

impl Filter {
    /// Why an endpoint may not name other tenants.
    pub const NOT_OPERATOR: &str =
        "names other tenants: only endpoints of the operator's tenant may do that";

    /// Checks names, bounds and the expression.
    ///
    /// # Errors
    /// [`EndpointRejection::Invalid`] naming the field.
    pub fn check(&self) -> Result<(), EndpointRejection> {
        self.query().map(drop)?;
        self.tenants().map(drop)?;
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

    /// Returns whose events match; `None` when all tenants' do, nobody's when none is named.
    ///
    /// # Errors
    /// [`EndpointRejection::Invalid`] naming the field.
    pub fn tenants(&self) -> Result<Option<Vec<Tenant>>, EndpointRejection> {
        match self.tenants.iter().any(|name| name == ALL) {
            true => Ok(None),
            false => names("tenants", &self.tenants, |text| Tenant::new(text)).map(Some),
        }
    }

    /// Returns whether it names other tenants than the endpoint's own.
    #[must_use]
    pub fn names_others(&self, own: &Tenant) -> bool {
        self.tenants.iter().any(|name| name != own.as_str())
    }

    /// Returns whether events of a category may match at all.
    #[must_use]
    pub fn takes_category(&self, category: &str) -> bool {
        !matches!(category, CATEGORY | OUTCOME_CATEGORY)
            || self.categories.iter().any(|own| own == category)
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
