//! `warmline rules`: rules files are checked, and tested with example conversations; past calls are in `rule_replay`.

use crate::{cli, rule_replay};
use anyhow::Context;
use call_model::Decision;
use escalation::{Complaint, Conversation, Rules};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Something is not in order, or not as expected.
const NOT_IN_ORDER: u8 = 3;

/// Does what the command says; the exit status.
///
/// # Errors
/// A file cannot be read, or standard output is closed.
pub fn rules(command: &cli::Rules) -> anyhow::Result<u8> {
    let (told, status) = match command {
        cli::Rules::Check { file } => check(file)?,
        cli::Rules::Test { file, rules } => test(file, rules.as_deref())?,
        cli::Rules::Explain { call, record } => (rule_replay::explain(call, record)?, 0),
        cli::Rules::Replay { rules, since, json, record } => (rule_replay::replay(rules, *since, record, *json)?, 0),
    };
    io::stdout().lock().write_all(told.as_bytes())?;
    Ok(status)
}

/// Reads a rules file; everything that is wrong with it.
pub(crate) fn load(file: &Path) -> Result<Rules, Vec<String>> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| vec![format!("cannot read {name}: {error}")])?;
    Rules::parse(&text).map_err(|found| found.iter().map(|complaint| format!("{name}: {complaint}")).collect())
}

fn check(file: &Path) -> anyhow::Result<(String, u8)> {
    Ok(match Rules::parse(&read(file)?) {
        Err(complaints) => (listed(file, &complaints), NOT_IN_ORDER),
        Ok(rules) => {
            let mut told = format!("{}: {} rules, in order\n", file.display(), rules.rules().len());
            for rule in rules.rules() {
                let by_intent = match rule.by_intent.len() {
                    0 => String::new(),
                    intents => format!(", otherwise for {intents} intents"),
                };
                _ = writeln!(told, "  {:8} {:24} {}{by_intent}", rule.layer(), rule.name, rule.trigger());
            }
            (told, 0)
        }
    })
}

fn test(file: &Path, usual: Option<&Path>) -> anyhow::Result<(String, u8)> {
    let conversations = match Conversation::parse(&read(file)?) {
        Ok(conversations) => conversations,
        Err(complaints) => return Ok((listed(file, &complaints), NOT_IN_ORDER)),
    };
    let folder = file.parent().unwrap_or(Path::new("."));
    let (mut told, mut failed) = (String::new(), 0);
    for conversation in &conversations {
        let named = conversation.rules.as_ref().map(|rules| folder.join(rules));
        let rules = match named.as_deref().or(usual) {
            None => Rules::default_pack(),
            Some(path) => match Rules::parse(&read(path)?) {
                Ok(rules) => rules,
                Err(complaints) => return Ok((listed(path, &complaints), NOT_IN_ORDER)),
            },
        };
        let decision = conversation.play(&Arc::new(rules));
        let as_expected = decision.as_ref().map(|decision| &decision.rule) == conversation.expect.as_ref();
        failed += usize::from(!as_expected);
        told.push_str(&outcome(conversation, decision.as_ref(), as_expected));
    }
    _ = writeln!(told, "{} conversations, {failed} not as expected", conversations.len());
    Ok((told, if failed == 0 { 0 } else { NOT_IN_ORDER }))
}

fn outcome(conversation: &Conversation, decision: Option<&Decision>, as_expected: bool) -> String {
    let verdict = if as_expected { "pass" } else { "FAIL" };
    let decided = decision.map_or("nothing decides".to_owned(), |decision| {
        format!("{} decides ({}, {})", decision.rule, decision.trigger, decision.layer)
    });
    let mut told = format!("{verdict}  {}: {decided}", conversation.name);
    if !as_expected {
        _ = write!(told, ", expected {}", conversation.expect.as_deref().unwrap_or("nothing"));
    }
    told.push('\n');
    for because in decision.iter().flat_map(|decision| &decision.because) {
        let seconds = because.at.as_millis() / 1_000;
        _ = writeln!(told, "      {seconds:>5} s  {}", because.text);
    }
    told
}

fn listed(file: &Path, complaints: &[Complaint]) -> String {
    complaints.iter().fold(String::new(), |mut told, complaint| {
        _ = writeln!(told, "{}: {complaint}", file.display());
        told
    })
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONVERSATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/packs/conversations.toml");

    #[test]
    fn the_conversations_of_the_packs_pass_and_are_told_with_their_facts() {
        let (told, status) = test(Path::new(CONVERSATIONS), None).expect("it can be read");
        assert_eq!(status, 0, "{told}");
        assert!(told.contains("pass  A lawyer is mentioned: legal decides (legal, hard)\n"), "{told}");
        assert!(told.contains("the caller said \"my lawyer\""), "{told}");
    }

    #[test]
    fn what_is_not_as_expected_is_told_and_so_is_a_bad_file() {
        let folder = std::env::temp_dir().join(format!("warmline-rules-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("conversations.toml");
        let one = "[[conversation]]\nname='help'\nexpect='nothing'\nsays=['caller: call an ambulance']\n";
        std::fs::write(&file, one).expect("written");
        let (told, status) = test(&file, None).expect("it can be read");
        assert_eq!(status, NOT_IN_ORDER);
        assert!(told.starts_with("FAIL  help: emergency decides (emergency, hard), expected nothing\n"), "{told}");
        assert!(told.ends_with("1 conversations, 1 not as expected\n"), "{told}");
        let (told, status) = check(&file).expect("it can be read");
        assert_eq!(status, NOT_IN_ORDER);
        assert!(told.contains("conversation: not known here; a rules file holds [[rule]] tables only"), "{told}");
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
