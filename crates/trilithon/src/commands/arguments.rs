//! A command's own words, taken out of its arguments; what is left are flags of the install configuration.

use std::path::PathBuf;

/// The arguments that are not taken yet.
pub struct Arguments(Vec<String>);

impl Arguments {
    pub fn new(args: Vec<String>) -> Arguments {
        Arguments(args)
    }

    /// The next word, when it is no flag.
    pub fn word(&mut self) -> Option<String> {
        let is_word = self.0.first().is_some_and(|a| !a.starts_with('-'));
        is_word.then(|| self.0.remove(0))
    }

    /// Whether one of these switches is there.
    pub fn switch(&mut self, names: &[&str]) -> bool {
        let before = self.0.len();
        self.0.retain(|a| !names.contains(&a.as_str()));
        self.0.len() < before
    }

    /// The value of an option, written `--name value` or `--name=value`; the last one counts.
    ///
    /// # Errors
    /// The option has no value.
    pub fn option(&mut self, names: &[&str]) -> anyhow::Result<Option<String>> {
        Ok(self.options(names)?.pop())
    }

    /// All values of an option, in order.
    ///
    /// # Errors
    /// One has no value.
    pub fn options(&mut self, names: &[&str]) -> anyhow::Result<Vec<String>> {
        let mut values = Vec::new();
        let mut rest = Vec::new();
        let mut args = std::mem::take(&mut self.0).into_iter();
        while let Some(arg) = args.next() {
            match arg.split_once('=') {
                Some((name, given)) if names.contains(&name) => values.push(given.to_owned()),
                None if names.contains(&arg.as_str()) => match args.next() {
                    Some(given) => values.push(given),
                    None => anyhow::bail!("`{arg}` needs a value"),
                },
                _ => rest.push(arg),
            }
        }
        self.0 = rest;
        Ok(values)
    }

    /// The value of an option that is a number.
    ///
    /// # Errors
    /// It is none.
    pub fn number(&mut self, names: &[&str]) -> anyhow::Result<Option<u64>> {
        let Some(text) = self.option(names)? else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => anyhow::bail!("`{}` expects a number, found `{text}`", names[0]),
        }
    }

    /// Says that every option of `command` was taken.
    ///
    /// # Errors
    /// Something is left.
    pub fn finish(self, command: &str) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.0.is_empty(),
            "`{}` is no option of {command}",
            self.0.join(" ")
        );
        Ok(())
    }

    /// Whether the answer is to be JSON (`-o json`) instead of text.
    ///
    /// # Errors
    /// An output that does not exist.
    pub fn json(&mut self) -> anyhow::Result<bool> {
        match self.option(&["-o", "--output"])?.as_deref() {
            None | Some("text") => Ok(false),
            Some("json") => Ok(true),
            Some(other) => anyhow::bail!("`{other}` is no output; choose text or json"),
        }
    }

    /// The store folder: `--store`, or that of a gateway with the flags that are left.
    ///
    /// # Errors
    /// `--store` has no value, or a flag that does not exist.
    pub fn store(mut self) -> anyhow::Result<PathBuf> {
        if let Some(folder) = self.option(&["--store"])? {
            anyhow::ensure!(self.0.is_empty(), "there is no option `{}`", self.0.join(" "));
            return Ok(folder.into());
        }
        let loaded = crate::install::from_process(&self.0);
        if loaded.problems.has_errors() {
            crate::install::print(&loaded.problems);
            anyhow::bail!(
                "the install configuration has errors; `--store` names the store folder without it"
            );
        }
        Ok(crate::store::path(&loaded.config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(text: &str) -> Arguments {
        Arguments::new(text.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn own_words_are_taken_out() {
        let mut args = arguments("12 -n 5 --since=1h -f --configFile=x.yml --store /s");
        assert_eq!(args.word().as_deref(), Some("12"));
        assert_eq!(args.word(), None);
        assert_eq!(args.number(&["-n"]).expect("a number"), Some(5));
        assert_eq!(args.option(&["--since"]).expect("a value").as_deref(), Some("1h"));
        assert!(args.switch(&["-f", "--follow"]));
        assert!(!args.switch(&["-f", "--follow"]));
        assert_eq!(args.0, ["--configFile=x.yml", "--store", "/s"]);
        assert!(args.store().is_err(), "an option that `--store` leaves over");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, want: &str| {
            let error = arguments(text).number(&["-n"]).expect_err("it is wrong");
            assert!(error.to_string().contains(want), "{error}");
        };
        check("-n", "`-n` needs a value");
        check("-n x", "found `x`");
        assert!(arguments("-o xml").json().is_err());
        assert!(arguments("-o json").json().expect("it is one"));
    }
}
