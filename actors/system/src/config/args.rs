//! The settings as flags.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::SETTINGS;

const HEADING: &str = "Settings";

/// The flags of the command line that are settings; flatten it into a command with clap.
#[derive(Clone, Debug, Default)]
pub struct ConfigArgs {
    /// The file to read; `None` means `HEADWATER_CONFIG`, or else `headwater.toml` if it is
    /// there.
    pub file: Option<PathBuf>,
    /// The settings given, by key.
    pub values: Vec<(&'static str, String)>,
}

impl Args for ConfigArgs {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Settings file [default: headwater.toml, if it is there]")
            .help_heading(HEADING);
        SETTINGS.iter().fold(command.arg(file), |command, setting| {
            let about = format!("{} [default: {}]", setting.about, setting.default);
            let arg = Arg::new(setting.key).long(setting.flag()).value_name("VALUE");
            // A value may begin with a dash; that it does not fit is said with all else.
            command.arg(arg.allow_hyphen_values(true).help(about).help_heading(HEADING))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ConfigArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = SETTINGS.iter().filter_map(|setting| {
            matches.get_one::<String>(setting.key).map(|value| (setting.key, value.clone()))
        });
        Ok(Self { file: matches.get_one::<PathBuf>("config").cloned(), values: given.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_a_flag() {
        let command = ConfigArgs::augment_args(Command::new("serve"));
        command.clone().debug_assert();
        for setting in &SETTINGS {
            let line = ["serve".to_owned(), format!("--{}", setting.flag()), "7".to_owned()];
            let matches = command.clone().try_get_matches_from(line).unwrap();
            let args = ConfigArgs::from_arg_matches(&matches).unwrap();
            assert_eq!(args.values, [(setting.key, "7".to_owned())]);
        }
    }
}
