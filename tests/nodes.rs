//! Several nodes on one PostgreSQL: who runs what, what moves when one goes, who may write.

#[cfg(test)]
mod nodes {
    mod kit;
    #[path = "../runtime/sample.rs"]
    mod sample;

    mod operator;
    mod sharing;
    mod versions;
    mod writers;
}
