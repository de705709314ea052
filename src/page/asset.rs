//! The one style sheet and the one script of all pages, embedded in the program.

use std::sync::LazyLock;

/// A file that pages load, under a name that changes with its content.
pub struct Asset {
    text: &'static str,
    kind: &'static str,
    media: &'static str,
    tag: LazyLock<String>,
}

/// How every page looks.
pub static STYLE: Asset = Asset {
    text: include_str!("asset/page.css"),
    kind: "css",
    media: "text/css; charset=utf-8",
    tag: LazyLock::new(|| tag(include_str!("asset/page.css"))),
};

/// What makes parts change by themselves.
pub static SCRIPT: Asset = Asset {
    text: include_str!("asset/page.js"),
    kind: "js",
    media: "text/javascript; charset=utf-8",
    tag: LazyLock::new(|| tag(include_str!("asset/page.js"))),
};

impl Asset {
    /// Finds an asset by its file name, the hash included.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        [&STYLE, &SCRIPT].into_iter().find(|own| own.name() == name)
    }

    /// Returns where pages load it from.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/ui/asset/{}", self.name())
    }

    /// Returns its content.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// Returns its media type.
    #[must_use]
    pub const fn media(&self) -> &'static str {
        self.media
    }

    /// Returns the hash of its content, 16 hexadecimal digits.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    fn name(&self) -> String {
        format!("{}.{}", self.tag(), self.kind)
    }
}

fn tag(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_found_by_the_name_that_its_content_gives_it() {
        for asset in [&STYLE, &SCRIPT] {
            let name = asset.path().rsplit_once('/').unwrap().1.to_owned();
            assert_eq!(Asset::named(&name).unwrap().text(), asset.text());
            assert_eq!(asset.tag().len(), 16);
            assert!(name.starts_with(asset.tag()));
        }
        assert!(Asset::named("page.css").is_none());
        assert_ne!(tag("a"), tag("b"));
    }

    #[test]
    fn assets_load_nothing_from_elsewhere() {
        for asset in [&STYLE, &SCRIPT] {
            assert!(!asset.text().contains("//") && !asset.text().contains("@import"));
        }
    }
}
