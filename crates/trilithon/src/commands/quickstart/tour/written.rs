//! Steps of the tour about what is written down: why something was refused, how it is undone, and that nothing was changed.

use super::agent::{Agent, Wanted};
use super::play::{Steps, asked, came, text};
use super::record::Book;
use anyhow::{Context, ensure};
use serde_json::{Value, json};

/// Gives the entry of the tool's call.
pub fn audit(steps: &mut Steps, book: &Book, wanted: &Wanted) -> anyhow::Result<String> {
    steps.next("The audit log has it under the id that the model gave the call.");
    asked(&format!("trilithon audit show --call {}", wanted.id));
    let lines = book.lines(&["--call", &wanted.id], 3)?;
    for part in ["router=agent@", "router=tools@", "router=orders@"] {
        let found = lines.iter().any(|line| line.contains(part));
        ensure!(found, "`{part}` should be among {lines:#?}");
    }
    lines.iter().for_each(|line| came(line));
    let tool = lines.iter().find(|line| line.contains("router=tools@"));
    let id = tool.and_then(|line| line.split(' ').next());
    id.map(str::to_owned).context("an entry has an id")
}

pub async fn denied(steps: &mut Steps, agent: &mut Agent, book: &Book) -> anyhow::Result<()> {
    agent.begin()?;
    steps.next("A tool is refused for what it is to do: refunds are for 50 at most.");
    let wanted = Wanted {
        id: "call_large".to_owned(),
        tool: "refund_order".to_owned(),
        arguments: json!({"order": "o-1001", "amount": 90}),
    };
    asked(&format!("tools/call {} {}", wanted.tool, wanted.arguments));
    let (status, answer) = agent.call(&wanted).await?;
    ensure!(
        status == 403 && answer["error"].is_object(),
        "a large refund should be refused, came {status} {answer}"
    );
    came(&format!("{status} {}", answer["error"]));
    let entry = book.entry(&agent.trace)?;
    let decisions = entry["outcome"]["decisions"].as_array();
    let refusal = decisions.and_then(|all| all.iter().find(|decision| decision["allowed"] == false));
    let refusal = refusal.with_context(|| format!("the log should say who refused: {entry}"))?;
    came(&format!(
        "the log says: by {}, rule {}, because of {}",
        text(&refusal["policy"]),
        text(&refusal["rule"]),
        facts(&refusal["facts"])
    ));
    Ok(())
}

pub async fn undone(steps: &mut Steps, agent: &mut Agent, book: &Book) -> anyhow::Result<()> {
    agent.begin()?;
    steps.next("A small refund passes, and is taken back by its contract: under the same rules, and once.");
    let wanted = Wanted {
        id: "call_small".to_owned(),
        tool: "refund_order".to_owned(),
        arguments: json!({"order": "o-1001", "amount": 20}),
    };
    asked(&format!("tools/call {} {}", wanted.tool, wanted.arguments));
    let (status, answer) = agent.call(&wanted).await?;
    let said = text(&answer["result"]["content"][0]["text"]);
    ensure!(
        status == 200 && said.starts_with("refunded 20"),
        "a small refund should pass, came {status} {answer}"
    );
    came(&format!("{status} {said}"));
    let lines = book.lines(&["--call", &wanted.id], 1)?;
    let id = lines[0].split(' ').next().context("an entry has an id")?;
    // Only what is signed is undone.
    book.eventually(&["audit", "prove", id])?;
    asked(&format!("trilithon undo {id}"));
    let header = agent.authorization_line();
    let undo = ["undo", id, "-H", &header];
    let undone = book.run(&undo)?;
    ensure!(
        undone.contains("undone: 200"),
        "the refund should be taken back, came {undone}"
    );
    undone.lines().for_each(came);
    asked(&format!("trilithon undo {id}"));
    let again = book.run(&undo).err().map(|error| format!("{error:#}"));
    let again = again.filter(|said| said.contains("has undone it"));
    let again = again.context("what is undone should not be undone again")?;
    came(again.lines().last().unwrap_or_default().trim());
    Ok(())
}

pub fn proof(steps: &mut Steps, book: &Book, entry: &str) -> anyhow::Result<()> {
    steps.next("The log is as it was signed, and one entry is proved without the rest.");
    asked("trilithon audit verify");
    let verified = book.eventually(&["audit", "verify"])?;
    verified.lines().for_each(came);
    asked(&format!("trilithon audit prove {entry}"));
    let proof = book.eventually(&["audit", "prove", entry])?;
    let proof: Value = serde_json::from_str(&proof)?;
    let hashes = proof["hashes"].as_array().map_or(0, Vec::len);
    came(&format!(
        "the entry, {hashes} hashes beside its way up the tree, and the signed root"
    ));
    Ok(())
}

/// What a rule looked at.
fn facts(facts: &Value) -> String {
    let pairs = facts.as_array().into_iter().flatten();
    let pair = |pair: &Value| format!("{}={}", text(&pair[0]), text(&pair[1]));
    pairs.map(pair).collect::<Vec<_>>().join(", ")
}
