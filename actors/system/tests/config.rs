//! The settings of the program from outside: layers, faults, suggestions, the reference page.

#[cfg(test)]
mod settings {
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use headwater::telemetry::LogFormat;
    use headwater_system::config::{
        Config, ConfigArgs, ConfigError, Fault, Kind, Origin, SETTINGS, Setting, reference_table,
    };

    type Variables<'a> = &'a [(&'a str, &'a str)];

    /// Loads with a file of this text, so that none of the working folder is found.
    fn load(
        toml: &str,
        variables: Variables<'_>,
        flags: Variables<'static>,
    ) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("headwater.toml");
        fs::write(&file, toml).unwrap();
        let values = flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        let args = ConfigArgs { file: Some(file), values };
        Config::load(&args, variables.iter().copied())
    }

    fn faults(toml: &str, variables: Variables<'_>, flags: Variables<'static>) -> Vec<Fault> {
        load(toml, variables, flags).unwrap_err().faults
    }

    #[test]
    fn the_defaults_are_valid() {
        let config = load("", &[], &[]).unwrap();
        assert_eq!(config.data_dir, Path::new("./headwater-data"));
        assert_eq!(config.listen.to_string(), "127.0.0.1:4600");
        assert_eq!(config.telemetry.format, LogFormat::Pretty);
        assert_eq!(config.log.segment_bytes, 64 << 20);
        assert_eq!(config.runtime.idle_timeout, Duration::from_secs(120));
    }

    #[test]
    fn flags_win_over_the_environment_over_the_file_over_defaults() {
        let toml = "[limits]\npage_max = 201\npage_default = 11\nconnections_max = 1_000";
        let variables =
            [("HEADWATER_LIMITS_PAGE_MAX", "202"), ("HEADWATER_LIMITS_PAGE_DEFAULT", "12")];
        let config = load(toml, &variables, &[("limits.page_max", "203")]).unwrap();
        let limits = config.limits;
        assert_eq!(
            (limits.page_max, limits.page_default, limits.connections_max),
            (203, 12, 1_000)
        );
        assert_eq!(limits.subscribers_max, 256);
    }

    #[test]
    fn sizes_and_times_are_written_with_units() {
        let toml = "shutdown_timeout = \"1m30s\"\n[log]\nsegment_bytes = \"128MiB\"";
        let config = load(toml, &[], &[]).unwrap();
        assert_eq!(config.shutdown_timeout, Duration::from_secs(90));
        assert_eq!(config.log.segment_bytes, 128 << 20);
    }

    #[test]
    fn every_setting_is_read_and_every_fault_is_listed_at_once() {
        let bad = |setting: &Setting| match setting.kind {
            Kind::Name | Kind::File | Kind::Origin => "\u{7}",
            Kind::SealKey | Kind::Networks | Kind::Nats | Kind::Rabbitmq | Kind::Kafka => "canary",
            _ => "",
        };
        let bad: Vec<(String, &str)> =
            SETTINGS.iter().map(|setting| (setting.variable(), bad(setting))).collect();
        let bad: Vec<(&str, &str)> =
            bad.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let mut found: Vec<String> =
            faults("", &bad, &[]).into_iter().map(|own| own.field).collect();
        let mut known: Vec<String> =
            SETTINGS.iter().map(|setting| setting.key.to_owned()).collect();
        found.sort();
        known.sort();
        assert_eq!(found, known);
    }

    #[test]
    fn what_may_hold_a_password_is_never_shown() {
        for key in ["STORE", "READ", "OUTBOX_KEY", "OUTBOX_NATS", "OUTBOX_RABBITMQ", "OUTBOX_KAFKA"]
        {
            let variable = format!("HEADWATER_{key}");
            let found = faults("", &[(variable.as_str(), "http://ann:canary@host")], &[]);
            assert_eq!(found.len(), 1, "{key}");
            assert!(!format!("{} {:?}", found[0], found[0]).contains("canary"), "{key}");
        }
        let variables = [
            ("HEADWATER_OUTBOX_NATS", "nats://ann:canary@host"),
            ("HEADWATER_OUTBOX_RABBITMQ", "amqp://ann:canary@host/shop"),
            ("HEADWATER_OUTBOX_KAFKA", "kafkas://ann:canary@host"),
        ];
        let config = load("", &variables, &[]).unwrap();
        assert!(config.outbox.nats.is_some() && config.outbox.rabbitmq.is_some());
        assert!(config.outbox.kafka.is_some());
        assert!(!format!("{config:?}").contains("canary"));
    }

    #[test]
    fn a_fault_says_what_where_why_and_how_to_mend_it() {
        let error = load("\n[limits]\npage_max = 0", &[], &[("listen", "here")]).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("2 settings are wrong\n"), "{text}");
        assert!(text.contains("listen = \"here\" (flag --listen) is not an address"), "{text}");
        assert!(
            text.contains("headwater.toml line 3) is less than 1: write a whole number"),
            "{text}"
        );
    }

    #[test]
    fn an_unknown_key_is_a_fault_with_the_nearest_known_one() {
        let found = faults("lisen = \"x\"\n[limits]\npage-max = 7", &[], &[]);
        let fixes: Vec<&str> = found.iter().map(|fault| fault.fix.as_str()).collect();
        assert!(fixes.contains(&"did you mean listen?"), "{fixes:?}");
        assert!(fixes.contains(&"did you mean limits.page_max?"), "{fixes:?}");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn an_unknown_variable_is_a_fault_and_shows_no_value() {
        let found = faults("", &[("HEADWATER_LISTN", "canary"), ("PATH", "x")], &[]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].fix, "did you mean HEADWATER_LISTEN?");
        assert!(!found[0].to_string().contains("canary"));
    }

    #[test]
    fn no_fault_shows_the_value_of_an_unknown_name_or_of_a_line_that_is_not_toml() {
        let secret = "nats://ann:canary@host";
        let texts = [
            format!("[outbox]\nnast = \"{secret}\""),
            format!("[outbx]\nnats = \"{secret}\""),
            format!("[outbox]\nkeys = [\"{secret}\", {{ a = \"canary\" }}]"),
            format!("[outbox]\nnats = {secret}"),
            format!("[outbox]\nnats = \"{secret}"),
            format!("[outbox]\nnats = '{secret}' canary"),
            format!(
                "stor = {{ url = \"{secret}\", canary = 1 }}\nstore = {{ url = \"{secret}\" }}"
            ),
            format!("data_dir = \"{secret}\"\nlisten = \"{secret}\""),
            "listen = \"host=here password=canary\"".to_owned(),
            "[outbox]\nkey = canary".to_owned(),
        ];
        for text in texts {
            let told = load(&text, &[], &[]).unwrap_err();
            let shown = format!("{told} {told:?}").replace(", canary = 1", "");
            assert!(!shown.contains("canary@") && !shown.contains("\"canary"), "{text}\n{told}");
        }
    }

    #[test]
    fn variables_of_the_commands_and_tests_are_no_faults() {
        let variables = [("HEADWATER_KEY", "x"), ("HEADWATER_URL", "y"), ("HEADWATER_SEEDS", "9")];
        load("", &variables, &[]).unwrap();
    }

    #[test]
    fn every_syntax_error_of_the_file_is_listed_beside_other_faults() {
        let found = faults("a = \nb = ]\nlisten = 7", &[], &[]);
        let of = |field: &str| found.iter().filter(|fault| fault.field == field).count();
        assert!(of("config") >= 2, "{found:#?}");
        assert_eq!(of("listen"), 1, "{found:#?}");
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let args = ConfigArgs { file: Some("no/such/file.toml".into()), values: Vec::new() };
        let found = Config::load::<String, String>(&args, []).unwrap_err().faults;
        assert_eq!((found.len(), found[0].field.as_str()), (1, "config"));
        assert_eq!(found[0].origin, Origin::Flag("config".to_owned()));
        let named = [("HEADWATER_CONFIG", "no/such/file.toml")];
        let found = Config::load(&ConfigArgs::default(), named).unwrap_err().faults;
        assert_eq!(found[0].origin, Origin::Variable("HEADWATER_CONFIG".to_owned()));
    }

    #[test]
    fn settings_that_contradict_each_other_are_faults() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_string_lossy().into_owned();
        let variables = [
            ("HEADWATER_DATA_DIR", path.as_str()),
            ("HEADWATER_LIMITS_EVENT_BYTES_MAX", "16MiB"),
            ("HEADWATER_LIMITS_APPEND_BYTES_MAX", "1MiB"),
            ("HEADWATER_LIMITS_PAGE_DEFAULT", "2000"),
            ("HEADWATER_LOG_AHEAD_BYTES", "1GiB"),
        ];
        let fields: Vec<String> =
            faults("", &variables, &[]).into_iter().map(|own| own.field).collect();
        let expected =
            ["data_dir", "limits.event_bytes_max", "limits.page_default", "log.ahead_bytes"];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_default_follows_the_setting_that_bounds_it() {
        let toml = "[limits]\npage_max = 50\n[log]\nsegment_bytes = \"1MiB\"";
        let config = load(toml, &[], &[]).unwrap();
        assert_eq!((config.limits.page_default, config.log.ahead_bytes), (50, 1 << 20));
    }

    #[test]
    fn the_golden_table_of_settings_is_on_the_reference_page() {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/configuration.md");
        let page = fs::read_to_string(&path).unwrap();
        let (before, rest) = page.split_once("| key |").unwrap();
        let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
        let written = format!("{before}{}\n{after}", reference_table());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            return fs::write(&path, &written).unwrap();
        }
        assert!(written == page, "docs/reference/configuration.md is behind: run `make golden`");
    }
}
