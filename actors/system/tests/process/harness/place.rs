//! A place in PostgreSQL for a program's data.

use headwater::sql::{Database, PostgresConfig};
use headwater::test::ScratchSchema;

/// A schema and its address as a person writes it, password included.
pub struct Place {
    pub text: String,
    schema: ScratchSchema,
}

impl Place {
    pub fn new() -> Self {
        let schema = ScratchSchema::new().unwrap();
        let parameter = format!("schema={}", schema.address().schema());
        let text = ScratchSchema::server_with(&parameter).unwrap();
        Self { text, schema }
    }

    /// The flags that put both log and read models there.
    pub fn both(&self) -> [&str; 4] {
        ["--store", &self.text, "--read", &self.text]
    }

    /// Runs statements in the schema, in whose place they name `old_schema`.
    pub fn run(&self, sql: &str) {
        self.schema.run(&sql.replace("old_schema", self.schema.address().schema())).unwrap();
    }

    /// Opens the read side beside the program.
    pub fn database(&self) -> Database {
        PostgresConfig::at(self.schema.address().clone()).open().unwrap()
    }
}
