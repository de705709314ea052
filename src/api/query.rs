//! Query strings: every parameter is known, in form, and given once unless it may repeat.

use std::str::FromStr;

use super::{ApiLimits, Problem};
use crate::event::{Category, EventType, NameError, Tag};
use crate::store::{EventQuery, QueryItem};

/// The most parameters of a query string.
const PARAMETERS_MAX: usize = 64;

/// The parameters of a request, percent-decoded.
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query string.
    pub(super) fn parse(query: &str) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        let pairs: Vec<_> = pairs.take(PARAMETERS_MAX + 1).collect();
        match pairs.len() {
            len if len > PARAMETERS_MAX => {
                Err(Problem::field("query", format!("has more than {PARAMETERS_MAX} parameters")))
            }
            _ => Ok(Self(pairs)),
        }
    }

    /// Reads a query string that may hold only these parameters.
    pub(super) fn of(query: &str, known: &[&str]) -> Result<Self, Problem> {
        let parameters = Self::parse(query)?;
        match parameters.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(parameters),
            Some((name, _)) => {
                let known = match known {
                    [] => "none".to_owned(),
                    known => known.join(", "),
                };
                Err(refused(name, format!("is not known here: known are {known}")))
            }
        }
    }

    /// Returns the value of a parameter that may be given once.
    ///
    /// # Errors
    /// A [`Problem`] when it is given twice.
    pub fn one(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.0.iter().filter(|(own, _)| own == name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(refused(name, "is given twice")),
            (value, None) => Ok(value.map(|(_, value)| value.as_str())),
        }
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Returns a whole number.
    ///
    /// # Errors
    /// A [`Problem`] when it is none, or given twice.
    pub fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        // `parse` would take a sign too.
        let is_plain = text.bytes().all(|digit| digit.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_plain);
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(refused(name, "is not a whole number, 0 or more, within its bounds")),
        }
    }

    /// Returns the page size asked for, or the default.
    ///
    /// # Errors
    /// A [`Problem`] when it is not within its bounds.
    pub fn limit(&self, limits: &ApiLimits) -> Result<usize, Problem> {
        match self.number("limit")? {
            None => Ok(limits.page_default),
            Some(limit) if (1..=limits.page_max).contains(&limit) => Ok(limit),
            Some(_) => Err(refused("limit", format!("is not within 1 to {}", limits.page_max))),
        }
    }

    /// Returns the filter made of `category`, `type` and `tag`.
    pub(super) fn event_query(&self) -> Result<EventQuery, Problem> {
        let item = QueryItem {
            categories: self.names("category", |text| Category::new(text))?,
            types: self.names("type", |text| EventType::new(text))?,
            tags: self.names("tag", |text| Tag::new(text))?,
        };
        let is_open = item == QueryItem::default();
        Ok(EventQuery { items: if is_open { Vec::new() } else { vec![item] } })
    }

    /// Returns every parameter but these, each of which may be given once.
    pub(super) fn others(&self, known: &[&str]) -> Result<Vec<(String, String)>, Problem> {
        let is_other = |(name, _): &&(String, String)| !known.contains(&name.as_str());
        let others: Vec<_> = self.0.iter().filter(is_other).cloned().collect();
        others.iter().try_for_each(|(name, _)| self.one(name).map(drop))?;
        Ok(others)
    }

    fn names<T>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Result<T, NameError>,
    ) -> Result<Vec<T>, Problem> {
        let read = |text| read(text).map_err(|error| refused(name, error.to_string()));
        self.all(name).map(read).collect()
    }
}

/// Makes the problem of one parameter.
pub(super) fn refused(name: &str, detail: impl Into<String>) -> Problem {
    Problem::field(format!("query:{name}"), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(query: &str) -> String {
        let parameters = Parameters::of(query, &["limit", "tag"]);
        parameters.and_then(|own| own.limit(&ApiLimits::default())).unwrap_err().to_string()
    }

    #[test]
    fn a_parameter_that_is_unknown_double_or_no_number_is_named() {
        assert!(told("limt=5").contains("query:limt: is not known here: known are limit, tag"));
        assert!(told("limit=5&limit=6").contains("query:limit: is given twice"));
        assert!(told("limit=-1").contains("query:limit: is not a whole number"));
        assert!(told("limit=%2B5").contains("query:limit: is not a whole number"));
        assert!(told("limit=0").contains("is not within 1 to 1000"));
    }

    #[test]
    fn filters_repeat_and_are_decoded() {
        let parameters = Parameters::parse("tag=a%3Ab&tag=c+d&type=Placed").unwrap();
        let query = parameters.event_query().unwrap();
        let tags: Vec<_> = query.items[0].tags.iter().map(Tag::as_str).collect();
        assert_eq!(tags, ["a:b", "c d"]);
    }

    #[test]
    fn no_filter_matches_every_event() {
        assert!(Parameters::parse("").unwrap().event_query().unwrap().is_all());
    }
}
