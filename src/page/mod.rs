//! The kit for pages that people look at: one look for every capability, made on the server.
//!
//! A page is a [`Page`] of parts, each a piece of HTML that [`maud`] made, so text is escaped
//! wherever it comes from. Tables, charts, forms and badges are here; what a page is about is
//! its capability's. Parts that change by themselves are named with [`Page::live`]: the server
//! makes them again and sends those that differ, and without JavaScript the page is read again.
//!
//! Nothing here knows a request or a system. [`api`](crate::api) serves pages under `/ui`, and a
//! plugin brings its own with [`PageRoutes`](crate::api::PageRoutes).

mod address;
mod asset;
mod chart;
mod form;
mod layout;
mod live;
mod session;
mod table;
mod text;

pub use address::{path_part, with_query};
pub use asset::{Asset, SCRIPT, STYLE};
pub use chart::Chart;
pub use form::{Button, Confirm, Weight, hidden, select_field, text_field};
pub use layout::{Link, Page, Shell, Visitor};
pub use live::LiveParts;
pub use maud::{Markup, PreEscaped, Render, html};
pub use session::{
    SESSION_S, SIGN_IN, SIGN_OUT, came_from_here, cookie, no_cookie, of_cookies, safe_next, sign_in,
};
pub use table::Table;
pub use text::{Tone, ago, badge, count, duration, facts, moment, notice, span, stat, stats, time};
