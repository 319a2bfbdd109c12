//! Reads a TOML table key by key and remembers every complaint instead of stopping at the first.

use call_model::Secret;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use toml::{Table, Value};

/// One thing wrong with the configuration: where, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Complaint {
    /// Such as `trunks[0].addresses`.
    pub path: String,
    /// What is wrong and what to write instead.
    pub problem: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.problem)
    }
}

/// Where complaints of all sections gather.
#[derive(Clone, Default)]
pub(crate) struct Complaints {
    list: Rc<RefCell<Vec<Complaint>>>,
    /// Keys that were asked for, so that a test can hold the shipped file to them.
    asked: Rc<RefCell<BTreeSet<&'static str>>>,
}

impl Complaints {
    pub(crate) fn add(&self, path: impl Into<String>, problem: impl Into<String>) {
        self.list.borrow_mut().push(Complaint { path: path.into(), problem: problem.into() });
    }

    pub(crate) fn take(&self) -> Vec<Complaint> {
        self.list.take()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    #[cfg(test)]
    pub(crate) fn asked(&self) -> BTreeSet<&'static str> {
        self.asked.borrow().clone()
    }
}

/// One table of the file. Keys nobody asked for are complaints when it is dropped.
pub(crate) struct Section {
    path: String,
    table: Table,
    known: Vec<&'static str>,
    complaints: Complaints,
}

impl Section {
    pub(crate) fn root(table: Table, complaints: &Complaints) -> Self {
        Self { path: String::new(), table, known: Vec::new(), complaints: complaints.clone() }
    }

    /// The dotted path of a key of this table.
    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(crate) fn complain(&self, key: &str, problem: impl Into<String>) {
        self.complaints.add(self.path_of(key), problem);
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// A sub-table; empty when absent.
    pub(crate) fn section(&mut self, key: &'static str) -> Self {
        let table = match self.take(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => {
                self.complain(key, format!("is {}, should be a section: write [{}]", kind(&other), self.path_of(key)));
                Table::new()
            }
        };
        Self { path: self.path_of(key), table, known: Vec::new(), complaints: self.complaints.clone() }
    }

    /// An array of tables; empty when absent.
    pub(crate) fn sections(&mut self, key: &'static str) -> Vec<Self> {
        let items = match self.take(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.complain(key, format!("is {}, should be a list: write [[{}]]", kind(&other), self.path_of(key)));
                Vec::new()
            }
        };
        let mut out = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let path = format!("{}[{index}]", self.path_of(key));
            match item {
                Value::Table(table) => {
                    out.push(Self { path, table, known: Vec::new(), complaints: self.complaints.clone() });
                }
                other => self.complaints.add(path, format!("is {}, should be a table", kind(&other))),
            }
        }
        out
    }

    /// A text value run through `parse`, whose error says what to write instead.
    pub(crate) fn text<T>(&mut self, key: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match self.take(key)? {
            Value::String(text) => match parse(&text) {
                Ok(value) => Some(value),
                Err(problem) => {
                    self.complain(key, problem);
                    None
                }
            },
            other => {
                self.complain(key, format!("is {}, should be text in quotes", kind(&other)));
                None
            }
        }
    }

    pub(crate) fn string(&mut self, key: &'static str) -> Option<String> {
        self.text(key, |text| Ok(text.to_owned()))
    }

    /// Whether nothing is said.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// What a text value says, before it is looked at.
    pub(crate) fn peek(&self, key: &str) -> Option<&str> {
        self.table.get(key).and_then(Value::as_str)
    }

    /// Whether a key is there, whatever its value.
    pub(crate) fn holds(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A text value that must be there and not be empty.
    pub(crate) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if !self.table.contains_key(key) {
            self.known.push(key);
            self.complain(key, format!("is missing: write {key} = {example}"));
            return None;
        }
        self.text(key, |text| {
            if text.trim().is_empty() { Err(format!("is empty: write for example {example}")) } else { parse(text) }
        })
    }

    /// A list of texts, each run through `parse`; one bad item does not hide the next.
    pub(crate) fn list<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
        let items = match self.take(key)? {
            Value::Array(items) => items,
            one @ Value::String(_) => vec![one],
            other => {
                self.complain(key, format!("is {}, should be a list of texts: [\"..\", \"..\"]", kind(&other)));
                return None;
            }
        };
        let mut out = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{index}]", self.path_of(key));
            match item.as_str().map(&parse) {
                Some(Ok(value)) => out.push(value),
                Some(Err(problem)) => self.complaints.add(path, problem),
                None => self.complaints.add(path, format!("is {}, should be text in quotes", kind(item))),
            }
        }
        Some(out)
    }

    /// A list of SIP statuses within `range`.
    pub(crate) fn codes(&mut self, key: &'static str, range: std::ops::RangeInclusive<u16>) -> Option<Vec<u16>> {
        let value = self.take(key)?;
        let code = |item: &Value| u16::try_from(item.as_integer()?).ok().filter(|code| range.contains(code));
        let codes: Option<Vec<u16>> = value.as_array().and_then(|items| items.iter().map(code).collect());
        if codes.is_none() {
            let (first, last) = (range.start(), range.end());
            self.complain(key, format!("should be a list of statuses from {first} to {last}, such as [403, 433]"));
        }
        codes
    }

    /// A whole number within `range`.
    pub(crate) fn number(&mut self, key: &'static str, range: std::ops::RangeInclusive<u64>, default: u64) -> u64 {
        let Some(value) = self.take(key) else { return default };
        match value.as_integer().map(u64::try_from) {
            Some(Ok(number)) if range.contains(&number) => number,
            Some(_) => {
                self.complain(key, format!("is {value}, should be between {} and {}", range.start(), range.end()));
                default
            }
            None => {
                self.complain(key, format!("is {}, should be a whole number", kind(&value)));
                default
            }
        }
    }

    pub(crate) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        match self.take(key) {
            None => default,
            Some(Value::Boolean(value)) => value,
            Some(other) => {
                self.complain(key, format!("is {}, should be true or false", kind(&other)));
                default
            }
        }
    }

    /// `[low, high]`, both numbers.
    pub(crate) fn pair(&mut self, key: &'static str, default: (u64, u64)) -> (u64, u64) {
        let Some(value) = self.take(key) else { return default };
        let numbers: Option<Vec<u64>> = value
            .as_array()
            .and_then(|items| items.iter().map(|item| item.as_integer().and_then(|n| u64::try_from(n).ok())).collect());
        match numbers.as_deref() {
            Some([low, high]) => (*low, *high),
            _ => {
                self.complain(key, format!("should be two numbers, such as [{}, {}]", default.0, default.1));
                default
            }
        }
    }

    /// A secret: the text itself, `env:NAME` or `file:PATH`.
    pub(crate) fn secret(&mut self, key: &'static str) -> Option<Secret> {
        self.text(key, secret)
    }

    /// Ends a section that is not there, but could hold these.
    pub(crate) fn finish_known(mut self, keys: &[&'static str]) {
        self.known.extend(keys);
        self.finish();
    }

    /// Complains about the keys nobody asked for.
    pub(crate) fn finish(self) {
        self.complaints.asked.borrow_mut().extend(&self.known);
        for key in self.table.keys() {
            let near =
                self.known.iter().min_by_key(|known| distance(known, key)).filter(|known| distance(known, key) <= 3);
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", self.known.join(", ")),
            };
            self.complaints.add(self.path_of(key), format!("is not a setting; {hint}"));
        }
    }
}

/// The text itself, `env:NAME` or `file:PATH`.
pub(crate) fn secret(text: &str) -> Result<Secret, String> {
    let value = if let Some(name) = text.strip_prefix("env:") {
        std::env::var(name)
            .map_err(|_| format!("the environment variable {name} is not set: export it, or use file:PATH"))?
    } else if let Some(path) = text.strip_prefix("file:") {
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?
    } else {
        text.to_owned()
    };
    let value = value.trim();
    if value.is_empty() {
        return Err("is empty: a secret needs at least one character".to_owned());
    }
    if value.chars().any(|c| !c.is_ascii_graphic()) {
        return Err("holds blanks or characters outside ASCII, which do not survive HTTP headers".to_owned());
    }
    Ok(Secret::new(value))
}

/// `10.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`.
pub(crate) fn network(text: &str) -> Result<(IpAddr, u8), String> {
    let problem = || format!("`{text}` is no address: write an IP (192.0.2.7) or a network (192.0.2.0/24)");
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| problem())?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| problem())?;
    let widest = if address.is_ipv4() { 32 } else { 128 };
    match prefix.unwrap_or(widest) {
        prefix if prefix <= widest => Ok((address, prefix)),
        prefix => Err(format!("/{prefix} is longer than the {widest} bits of the address")),
    }
}

pub(crate) fn ip(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is no IP address: write digits, such as 192.0.2.7"))
}

pub(crate) fn socket(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is no IP:PORT: write for example 127.0.0.1:8088 or [::1]:8088"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "a number",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(_) => "true/false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}

/// Edits between two words (Levenshtein), for "did you mean".
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(x != *y)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_refused() {
        assert_eq!(network("10.1.2.3"), Ok(("10.1.2.3".parse().unwrap(), 32)));
        assert_eq!(network("10.0.0.0/8"), Ok(("10.0.0.0".parse().unwrap(), 8)));
        assert_eq!(network("2001:db8::/32"), Ok(("2001:db8::".parse().unwrap(), 32)));
        assert!(network("10.0.0.0/33").is_err());
        assert!(network("carrier.example").is_err());
    }

    #[test]
    fn a_missing_environment_variable_is_named() {
        let problem = secret("env:WARMLINE_SURELY_NOT_SET").unwrap_err();
        assert!(problem.contains("WARMLINE_SURELY_NOT_SET"), "{problem}");
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("listen", "listne"), 2);
        assert_eq!(distance("", "abc"), 3);
    }
}
