//! Takes fields out of a JSON object one by one; what is left at the end is unknown.

use crate::control::{ControlError, refuse};
use serde_json::{Map, Value};

pub(crate) struct Fields {
    /// Of the object, with a dot at its end; empty at the top.
    path: String,
    object: Map<String, Value>,
}

impl Fields {
    pub(crate) fn new(path: &str, object: Map<String, Value>) -> Self {
        Self { path: path.to_owned(), object }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.object.is_empty()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.object.keys().cloned().collect()
    }

    pub(crate) fn ignore(&mut self, fields: &[&str]) {
        fields.iter().for_each(|field| drop(self.object.remove(*field)));
    }

    /// The field; a null is as good as none.
    pub(crate) fn take(&mut self, field: &str) -> Option<Value> {
        self.object.remove(field).filter(|value| !value.is_null())
    }

    pub(crate) fn object(&mut self, field: &str) -> Result<Option<Self>, ControlError> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Self::new(&format!("{}{field}.", self.path), object))),
            Some(other) => Err(self.refuse(field, format!("expected an object, found {}", kind(&other)))),
        }
    }

    pub(crate) fn text(&mut self, field: &str, what: &str, max: usize) -> Result<String, ControlError> {
        match self.text_or_none(field, max)? {
            Some(text) if !text.trim().is_empty() => Ok(text),
            _ => Err(self.refuse(field, format!("missing; {what}"))),
        }
    }

    pub(crate) fn text_or_none(&mut self, field: &str, max: usize) -> Result<Option<String>, ControlError> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) => self.bounded(field, text, max).map(Some),
            Some(other) => Err(self.refuse(field, format!("expected a text, found {}", kind(&other)))),
        }
    }

    /// A text, number or boolean as text.
    pub(crate) fn scalar(&mut self, field: &str, max: usize) -> Result<String, ControlError> {
        match self.take(field) {
            Some(Value::String(text)) => self.bounded(field, text, max),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
            None => Err(self.refuse(field, "missing; a text, number or boolean".to_owned())),
            Some(other) => {
                Err(self.refuse(field, format!("expected a text, number or boolean, found {}", kind(&other))))
            }
        }
    }

    pub(crate) fn flag(&mut self, field: &str) -> Result<Option<bool>, ControlError> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.refuse(field, format!("expected true or false, found {}", kind(&other)))),
        }
    }

    pub(crate) fn confidence(&mut self) -> Result<Option<f32>, ControlError> {
        match self.take("confidence") {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) if (0.0..=1.0).contains(&number) => Ok(Some(number as f32)),
                _ => Err(self.refuse("confidence", format!("send a number from 0 to 1, not {}", shown(&value)))),
            },
        }
    }

    pub(crate) fn finish(self, known: &str) -> Result<(), ControlError> {
        match self.object.keys().next() {
            None => Ok(()),
            Some(field) => {
                let field: String = field.chars().take(100).collect();
                Err(self.refuse(&field, format!("not known here; fields are {known}")))
            }
        }
    }

    pub(crate) fn refuse(&self, field: &str, fix: String) -> ControlError {
        refuse(&format!("{}{field}", self.path), fix)
    }

    fn bounded(&self, field: &str, text: String, max: usize) -> Result<String, ControlError> {
        match text.chars().count() {
            count if count <= max => Ok(text),
            count => Err(self.refuse(field, format!("{count} characters; send at most {max}"))),
        }
    }
}

fn shown(value: &Value) -> String {
    if value.is_number() { value.to_string() } else { kind(value).to_owned() }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
