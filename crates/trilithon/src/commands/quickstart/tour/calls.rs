//! Steps of the tour about what goes through the gates.

use super::agent::{Agent, Wanted};
use super::play::{MANY, PATIENCE, SECRET, Steps, asked, came, text};
use super::record::Book;
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

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

pub async fn model(steps: &mut Steps, agent: &Agent) -> anyhow::Result<Wanted> {
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

pub async fn tool(steps: &mut Steps, agent: &Agent, wanted: &Wanted) -> anyhow::Result<()> {
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

pub async fn trace(steps: &mut Steps, agent: &Agent) -> anyhow::Result<()> {
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

pub async fn masked(steps: &mut Steps, agent: &mut Agent, book: &Book) -> anyhow::Result<()> {
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

pub async fn budget(steps: &mut Steps, agent: &mut Agent) -> anyhow::Result<()> {
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

pub async fn failover(steps: &mut Steps, agent: &mut Agent, book: &Book) -> anyhow::Result<()> {
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
