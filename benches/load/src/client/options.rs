use std::{collections::HashMap, error::Error, str::FromStr};

/// `key=value` arguments.
pub struct Options(HashMap<String, String>);

impl Options {
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        arguments
            .map(|argument| {
                let (key, value) = argument
                    .split_once('=')
                    .ok_or_else(|| format!("{argument} is no key=value"))?;
                Ok((key.to_owned(), value.to_owned()))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub fn get<T: FromStr>(&self, key: &str, default: T) -> Result<T, Box<dyn Error>> {
        match self.0.get(key) {
            Some(value) => value
                .parse()
                .map_err(|_| format!("{key}={value} is out of place").into()),
            None => Ok(default),
        }
    }
}
