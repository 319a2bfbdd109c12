use crate::complaint::Complaint;
use call_model::Urgency;
use core::time::Duration;

/// A checked rules file.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name in the file.
    pub name: String,
    /// How quickly somebody should take the call.
    pub urgency: Urgency,
    /// How long it stays quiet after it fired.
    pub cool_down: Duration,
    /// What it looks for.
    pub when: When,
}

/// What a rule looks for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum When {
    /// The bot is gone.
    BotDown,
}

impl Rules {
    /// Reads a rules file; every complaint at once.
    pub fn parse(_toml: &str) -> Result<Self, Vec<Complaint>> {
        Ok(Self::default())
    }

    /// The rules that ship with the gateway (`config/rules.toml`).
    pub fn default_pack() -> Self {
        Self::default()
    }

    /// All rules, in the file's order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}
