//! The steps of the tour, in order. Each says what it asks, what came, and what was written down of it.

use super::agent::{Agent, Wanted};
use super::record::Book;
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Longest wait for the gateway to answer, and for spans to be sent.
const PATIENCE: Duration = Duration::from_secs(20);
/// What must not reach a model. It is the key that its vendor prints in examples.
const SECRET: &str = "AKIAIOSFODNN7EXAMPLE";
/// More calls than any budget of the quickstart lets through.
const MANY: usize = 20;

/// Plays all; gives how many steps there were.
///
/// # Errors
/// What is not as it should be.
pub async fn all(agent: &mut Agent, book: &Book) -> anyhow::Result<usize> {
    ready(agent).await?;
    say!(
        "One agent's work through the gateway: models, tools and an API, all on this machine.\n\
         Every line is made of an answer that just came."
    );
    let mut steps = Steps(0);
    let wanted = model(&mut steps, agent).await?;
    tool(&mut steps, agent, &wanted).await?;
    trace(&mut steps, agent).await?;
    let entry = audit(&mut steps, book, &wanted)?;
    denied(&mut steps, agent, book).await?;
    undone(&mut steps, agent, book).await?;
    masked(&mut steps, agent, book).await?;
    budget(&mut steps, agent).await?;
    failover(&mut steps, agent, book).await?;
    proof(&mut steps, book, &entry)?;
    Ok(steps.0)
}

/// How many steps there were.
struct Steps(usize);

impl Steps {
    fn next(&mut self, title: &str) {
        self.0 += 1;
        say!("\n{}. {title}", self.0);
    }
}

fn asked(text: &str) {
    say!("   > {text}");
}

fn came(text: &str) {
    say!("   < {text}");
}

/// Waits for the gateway. Another one on the same port does not know the token.
async fn ready(agent: &Agent) -> anyhow::Result<()> {
    let began = Instant::now();
    while !agent.get("/staff").await.is_ok_and(|answer| answer.status == 200) {
        ensure!(began.elapsed() < PATIENCE, "the gateway does not answer");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// What the model is told of the tools, as they are listed to the agent.
async fn tools(agent: &Agent) -> anyhow::Result<Value> {
    let (status, answer) = agent.message("tools/list", &json!({}), None).await?;
    let listed = answer["result"]["tools"].as_array();
    let listed = listed.with_context(|| format!("the tools should be listed, came {status} {answer}"))?;
    let names: Vec<&str> = listed.iter().filter_map(|tool| tool["name"].as_str()).collect();
    ensure!(
        names.contains(&"refund_order") && !names.contains(&"cancel_refund"),
        "the agent should see all tools but `cancel_refund`, sees {names:?}"
    );
    came(&format!(
        "{status} tools: {}; `cancel_refund` is hidden from agents",
        names.join(", ")
    ));
    let function = |tool: &Value| json!({"type": "function", "function": {"name": tool["name"], "parameters": tool["inputSchema"]}});
    Ok(listed.iter().map(function).collect())
}

async fn model(steps: &mut Steps, agent: &Agent) -> anyhow::Result<Wanted> {
    steps.next("A model is asked. The agent has a token of ada's; the vendor's key is the gateway's.");
    asked("tools/list");
    let tools = tools(agent).await?;
    let text = "Use list_orders for ada";
    asked(text);
    let (status, answer) = agent.ask("agent", text, &tools).await?;
    let wanted = Wanted::of(&answer);
    let wanted = wanted.with_context(|| format!("the model should call a tool, came {status} {answer}"))?;
    let usage = &answer["usage"];
    came(&format!(
        "{status} {} wants {}({}) as {}; {} + {} tokens",
        answer["model"].as_str().unwrap_or_default(),
        wanted.tool,
        wanted.arguments,
        wanted.id,
        usage["prompt_tokens"],
        usage["completion_tokens"]
    ));
    Ok(wanted)
}

async fn tool(steps: &mut Steps, agent: &Agent, wanted: &Wanted) -> anyhow::Result<()> {
    steps.next("The tool is called. It asks an API through the gateway, with a key of its own.");
    asked(&format!("tools/call {} {}", wanted.tool, wanted.arguments));
    let (status, answer) = agent.call(wanted).await?;
    let orders = answer["result"]["structuredContent"]["orders"].as_array();
    let orders = orders.with_context(|| format!("there should be orders, came {status} {answer}"))?;
    ensure!(
        !orders.is_empty() && orders.iter().all(|order| order["customer"] == "ada"),
        "these should be ada's orders: {answer}"
    );
    for order in orders {
        came(&order.to_string());
    }
    Ok(())
}

async fn trace(steps: &mut Steps, agent: &Agent) -> anyhow::Result<()> {
    steps.next("All of that is one trace, from the model to the tool to the API.");
    let path = format!("/traces?trace={}", agent.trace);
    let began = Instant::now();
    let parts = ["chat gpt-4o", "tools/call list_orders", "url.path=/orders"];
    let tree = loop {
        let tree = agent.get(&path).await?.text();
        if parts.iter().all(|part| tree.contains(part)) {
            break tree;
        }
        ensure!(
            began.elapsed() < PATIENCE,
            "the trace should have {parts:?}, has\n{tree}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    tree.lines().for_each(|line| say!("   {line}"));
    Ok(())
}

/// Gives the entry of the tool's call.
fn audit(steps: &mut Steps, book: &Book, wanted: &Wanted) -> anyhow::Result<String> {
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

async fn denied(steps: &mut Steps, agent: &mut Agent, book: &Book) -> anyhow::Result<()> {
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

async fn undone(steps: &mut Steps, agent: &mut Agent, book: &Book) -> anyhow::Result<()> {
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

async fn masked(steps: &mut Steps, agent: &mut Agent, book: &Book) -> anyhow::Result<()> {
    agent.begin()?;
    steps.next(
        "A secret does not reach the model, which says what it was told; nor does one that a tool tells.",
    );
    let said = format!("The key is {SECRET}, keep it");
    asked(&said);
    let (status, answer) = agent.ask("mask", &said, &json!([])).await?;
    let heard = text(&answer["choices"][0]["message"]["content"]);
    ensure!(
        status == 200 && heard.contains("The key is *") && !heard.contains(SECRET),
        "the secret should be hidden, came {status} {answer}"
    );
    came(&format!("{status} {heard}"));
    let entry = book.entry(&agent.trace)?;
    ensure!(
        !entry.to_string().contains(SECRET),
        "the log should not have the secret"
    );
    let seen = entry["model"]["coverage"][0].clone();
    ensure!(
        seen["verdict"] == "mask",
        "the log should say what was hidden: {entry}"
    );
    came(&format!(
        "the log says: {} by {}",
        text(&seen["verdict"]),
        text(&seen["guard"])
    ));
    let wanted = Wanted {
        id: "call_notes".to_owned(),
        tool: "read_notes".to_owned(),
        arguments: json!({}),
    };
    asked(&format!("tools/call {}", wanted.tool));
    let (status, answer) = agent.call(&wanted).await?;
    let told = text(&answer["result"]["content"][0]["text"]);
    ensure!(
        status == 200 && told.contains("key is *") && !answer.to_string().contains(SECRET),
        "the tool's secret should be hidden, came {status} {answer}"
    );
    came(&format!("{status} {told}"));
    Ok(())
}

async fn budget(steps: &mut Steps, agent: &mut Agent) -> anyhow::Result<()> {
    steps.next("A budget of 0.02 cents a day is spent.");
    for answered in 0..MANY {
        agent.begin()?;
        let (status, answer) = agent.ask("budget", "hello", &json!([])).await?;
        if status == 429 {
            ensure!(answered > 0, "the budget should be good for something");
            asked(&format!("hello, {} times", answered + 1));
            came(&format!("200, {answered} times"));
            came(&format!("{status} {}", text(&answer["error"]["message"])));
            return Ok(());
        }
        ensure!(status == 200, "a model should answer, came {status} {answer}");
    }
    anyhow::bail!("the budget should be spent after {MANY} calls");
}

async fn failover(steps: &mut Steps, agent: &mut Agent, book: &Book) -> anyhow::Result<()> {
    agent.begin()?;
    steps.next("A vendor is down; another one answers.");
    asked("hello");
    let (status, answer) = agent.ask("vendors", "hello", &json!([])).await?;
    ensure!(
        status == 200,
        "the second vendor should answer, came {status} {answer}"
    );
    came(&format!(
        "{status} {}: {}",
        text(&answer["model"]),
        text(&answer["choices"][0]["message"]["content"])
    ));
    let entry = book.entry(&agent.trace)?;
    let legs = entry["model"]["legs"].as_array().filter(|legs| legs.len() == 2);
    let legs = legs.with_context(|| format!("the log should tell of two attempts: {entry}"))?;
    ensure!(
        legs[0]["status"] == 503 && legs[1]["status"] == 200,
        "the first attempt should fail and the second not: {entry}"
    );
    let told = |leg: &Value| {
        format!(
            "{} ({}) {}",
            text(&leg["provider"]),
            text(&leg["model"]),
            leg["status"]
        )
    };
    came(&format!(
        "the log says: {}, then {}",
        told(&legs[0]),
        told(&legs[1])
    ));
    Ok(())
}

fn proof(steps: &mut Steps, book: &Book, entry: &str) -> anyhow::Result<()> {
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

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What a rule looked at.
fn facts(facts: &Value) -> String {
    let pairs = facts.as_array().into_iter().flatten();
    let pair = |pair: &Value| format!("{}={}", text(&pair[0]), text(&pair[1]));
    pairs.map(pair).collect::<Vec<_>>().join(", ")
}
