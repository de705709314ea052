//! The page of the command line and the command line itself say the same.

#[cfg(test)]
mod cli {
    use std::error::Error;
    use std::path::Path;

    use clap::{Command, CommandFactory};
    use headwater_system::cli::Cli;

    /// Returns each command with its full name, `events tail`, in any depth.
    fn commands(parent: &Command, path: &str) -> Vec<(String, Command)> {
        let mut found = Vec::new();
        for command in parent.get_subcommands() {
            let name = format!("{path}{}", command.get_name());
            found.extend(commands(command, &format!("{name} ")));
            found.push((name, command.clone()));
        }
        found
    }

    fn page() -> Result<String, std::io::Error> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(root.join("../../docs/reference/cli.md"))
    }

    #[test]
    fn every_command_has_a_heading_on_its_page() -> Result<(), Box<dyn Error>> {
        let page = page()?;
        let headings: Vec<&str> =
            page.lines().filter_map(|line| line.strip_prefix("##")).map(heading).collect();
        let names: Vec<String> =
            commands(&Cli::command(), "").into_iter().map(|(name, _)| name).collect();
        assert!(names.len() > 10, "{names:?}");
        let missing: Vec<_> =
            names.iter().filter(|name| !headings.contains(&name.as_str())).collect();
        assert!(missing.is_empty(), "docs/reference/cli.md lacks {missing:?}");
        Ok(())
    }

    #[test]
    fn every_flag_that_is_no_setting_is_on_the_page() -> Result<(), Box<dyn Error>> {
        let page = page()?;
        for (name, command) in commands(&Cli::command(), "") {
            let own = command
                .get_arguments()
                .filter(|flag| flag.get_help_heading().is_none_or(|heading| heading != "Settings"));
            for flag in own.filter_map(|flag| flag.get_long()) {
                let is_there =
                    page.contains(&format!("`--{flag}")) || page.contains(&format!("[--{flag}"));
                assert!(is_there, "docs/reference/cli.md lacks --{flag} of {name}");
            }
        }
        Ok(())
    }

    #[test]
    fn every_exit_code_has_a_row_on_the_page() -> Result<(), Box<dyn Error>> {
        let page = page()?;
        for (code, _) in headwater_system::EXIT_CODES {
            assert!(page.contains(&format!("\n| {code} | ")), "docs/reference/cli.md lacks {code}");
        }
        Ok(())
    }

    fn heading(line: &str) -> &str {
        line.trim_start_matches('#').trim()
    }
}
