//! Pages that plugins add.

use actix_web::Scope;
use actix_web::web::{self, ServiceConfig};

/// First parts of the pages' addresses that are the framework's own.
const RESERVED: [&str; 3] = ["asset", "sign-in", "sign-out"];

/// Pages of a plugin, all under `/ui/<name>`, behind a key like the framework's own, and in the
/// navigation of every page.
///
/// A plugin adds it with [`Contribution::routes`](crate::runtime::Contribution::routes). Its
/// handlers take what those of [`PluginRoutes`](crate::api::PluginRoutes) take, and reply with
/// [`Call::show`](crate::api::Call::show); a [`Problem`](crate::api::Problem) becomes a page too.
pub struct PageRoutes {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    configure: Box<dyn Fn(&mut ServiceConfig) + Send + Sync>,
}

impl PageRoutes {
    /// Adds what `configure` registers under `/ui/<name>`; the title stands in the navigation.
    #[must_use]
    pub fn new(
        name: &'static str,
        title: &'static str,
        configure: impl Fn(&mut ServiceConfig) + Send + Sync + 'static,
    ) -> Self {
        Self { name, title, about: "", configure: Box::new(configure) }
    }

    /// Says in a few words what is there, for the overview.
    #[must_use]
    pub fn about(mut self, words: &'static str) -> Self {
        self.about = words;
        self
    }

    /// Returns where its first page is.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/ui/{}", self.name)
    }

    pub(super) const fn title(&self) -> &'static str {
        self.title
    }

    pub(super) const fn words(&self) -> &'static str {
        self.about
    }

    pub(super) fn scope(&self) -> Scope {
        web::scope(self.name).configure(|services| (self.configure)(services))
    }

    /// Returns a name that two of these, or one and the framework, would share.
    pub(in crate::api) fn taken<'a>(
        routes: impl Iterator<Item = &'a Self>,
    ) -> Option<&'static str> {
        let mut seen: Vec<&str> = RESERVED.to_vec();
        for own in routes {
            if seen.contains(&own.name) {
                return Some(own.name);
            }
            seen.push(own.name);
        }
        None
    }
}
