//! What a model is asked, whichever dialect says it.

use super::dialect::{Dialect, Refusal};
use super::messages::SIGNATURE;
use crate::commands::sample::asked::Asked;
use crate::commands::sample::wish::Wish;
use serde_json::Value;

/// One call of a model.
pub struct Call {
    pub dialect: Dialect,
    pub model: String,
    pub is_stream: bool,
    /// A Chat Completions stream ends with what was used only if it was asked to.
    pub tells_usage: bool,
    /// Answers asked for (`n`); one but in Chat Completions.
    pub choices: usize,
    /// What the user said last.
    pub text: String,
    /// What a tool answered, if that is the last thing said.
    pub tool_result: Option<String>,
    pub tools: Vec<Tool>,
    /// Tools may be called side by side.
    pub parallel: bool,
    /// A tool is to be called, whatever the text says.
    pub must_call: bool,
    pub max_tokens: Option<usize>,
    /// Texts that end the answer where it would say them.
    pub stops: Vec<String>,
    pub thinks: bool,
    /// Words of everything that was said: the sample's tokens.
    pub words: u64,
}

/// A tool that the model may call.
pub struct Tool {
    pub name: String,
    pub schema: Value,
}

impl Call {
    /// # Errors
    /// What the dialect requires is missing or has another type.
    pub fn read(dialect: Dialect, asked: &Asked, body: &Value, wish: &Wish) -> Result<Call, Refusal> {
        if !body.is_object() {
            return Err(Refusal::new(400, "the body is no JSON object"));
        }
        if dialect == Dialect::Messages && asked.headers.get_str("Anthropic-Version").is_none() {
            return Err(Refusal::new(400, "anthropic-version: header is required"));
        }
        let model = body["model"].as_str().filter(|m| !m.is_empty());
        let model = model.ok_or_else(|| Refusal::param("model", "model: a text is required"))?;
        if wish.strict {
            known_only(dialect, body)?;
        }
        let turns = turns(dialect, body)?;
        let max_tokens = max_tokens(dialect, body)?;
        if dialect == Dialect::Messages {
            check_signatures(&body["messages"])?;
        }
        let last = turns.last();
        Ok(Call {
            dialect,
            model: model.split('+').next().unwrap_or(model).to_owned(),
            is_stream: body["stream"].as_bool().unwrap_or(false),
            tells_usage: dialect != Dialect::Chat || body["stream_options"]["include_usage"] == true,
            choices: body["n"]
                .as_u64()
                .filter(|_| dialect == Dialect::Chat)
                .unwrap_or(1)
                .clamp(1, 8) as usize,
            text: turns
                .iter()
                .rev()
                .find(|t| t.is_user)
                .map(|t| t.text.clone())
                .unwrap_or_default(),
            tool_result: last.filter(|t| t.is_tool).map(|t| t.text.clone()),
            tools: tools(dialect, body),
            parallel: body["parallel_tool_calls"] != false
                && body["tool_choice"]["disable_parallel_tool_use"] != true,
            must_call: must_call(&body["tool_choice"]),
            max_tokens,
            stops: stops(dialect, body),
            thinks: body["thinking"]["type"] == "enabled"
                || body["reasoning"].is_object()
                || body["reasoning_effort"].is_string(),
            words: words(body),
        })
    }
}

/// What one side said.
struct Turn {
    is_user: bool,
    is_tool: bool,
    text: String,
}

fn turns(dialect: Dialect, body: &Value) -> Result<Vec<Turn>, Refusal> {
    let field = if dialect == Dialect::Responses {
        "input"
    } else {
        "messages"
    };
    if dialect == Dialect::Responses && body[field].is_string() {
        let text = text_of(&body[field]);
        return Ok(vec![Turn {
            is_user: true,
            is_tool: false,
            text,
        }]);
    }
    let items = body[field].as_array().filter(|items| !items.is_empty());
    let items = items.ok_or_else(|| {
        Refusal::param(
            field,
            format!("{field}: a list with at least one entry is required"),
        )
    })?;
    Ok(items.iter().map(turn).collect())
}

fn turn(item: &Value) -> Turn {
    let blocks = item["content"].as_array();
    let result = blocks.and_then(|b| b.iter().rfind(|block| block["type"] == "tool_result"));
    let is_output = item["type"] == "function_call_output";
    let text = match result {
        Some(result) => text_of(&result["content"]),
        None if is_output => text_of(&item["output"]),
        None => text_of(&item["content"]),
    };
    let is_tool = result.is_some() || is_output || item["role"] == "tool";
    Turn {
        is_user: item["role"] == "user" && !is_tool,
        is_tool,
        text,
    }
}

/// The text of a content: a text, or the texts of its parts.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part["text"].as_str());
            texts.collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

fn max_tokens(dialect: Dialect, body: &Value) -> Result<Option<usize>, Refusal> {
    let names: &[&str] = match dialect {
        Dialect::Chat => &["max_completion_tokens", "max_tokens"],
        Dialect::Responses => &["max_output_tokens"],
        Dialect::Messages => &["max_tokens"],
    };
    let given = names.iter().find_map(|name| body[*name].as_u64());
    if dialect == Dialect::Messages && given.is_none() {
        return Err(Refusal::param("max_tokens", "max_tokens: field required"));
    }
    Ok(given.map(|n| n as usize))
}

/// One text or several; the Responses format has none.
fn stops(dialect: Dialect, body: &Value) -> Vec<String> {
    let stop = match dialect {
        Dialect::Chat => &body["stop"],
        Dialect::Messages => &body["stop_sequences"],
        Dialect::Responses => &Value::Null,
    };
    let texts: Vec<&Value> = match stop {
        Value::Array(texts) => texts.iter().collect(),
        one => vec![one],
    };
    let texts = texts.into_iter().filter_map(Value::as_str);
    texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// Thoughts that come back have to be those that were said.
fn check_signatures(messages: &Value) -> Result<(), Refusal> {
    for (m, message) in messages.as_array().into_iter().flatten().enumerate() {
        let blocks = message["content"].as_array().into_iter().flatten();
        let forged = |block: &Value| block["type"] == "thinking" && block["signature"] != SIGNATURE;
        if let Some(b) = blocks.clone().position(forged) {
            let at = format!("messages.{m}.content.{b}");
            let message = format!("{at}: Invalid `signature` in `thinking` block");
            return Err(Refusal::param(&at, message));
        }
    }
    Ok(())
}

/// The functions among the tools, in any dialect's form.
fn tools(dialect: Dialect, body: &Value) -> Vec<Tool> {
    let all = body["tools"].as_array().into_iter().flatten();
    all.filter_map(|tool| {
        let function = if dialect == Dialect::Chat {
            &tool["function"]
        } else {
            tool
        };
        let schema = if dialect == Dialect::Messages {
            "input_schema"
        } else {
            "parameters"
        };
        let name = function["name"].as_str()?.to_owned();
        Some(Tool {
            name,
            schema: function[schema].clone(),
        })
    })
    .collect()
}

fn must_call(choice: &Value) -> bool {
    let kind = choice.as_str().or(choice["type"].as_str());
    matches!(kind, Some("required" | "any" | "tool" | "function"))
}

/// Words of all texts in `body`; what a sample calls tokens.
pub fn words(body: &Value) -> u64 {
    match body {
        Value::String(text) => text.split_whitespace().count() as u64,
        Value::Array(items) => items.iter().map(words).sum(),
        Value::Object(members) => members.values().map(words).sum(),
        _ => 0,
    }
}

fn known_only(dialect: Dialect, body: &Value) -> Result<(), Refusal> {
    let known: &[&str] = match dialect {
        Dialect::Chat => CHAT,
        Dialect::Responses => RESPONSES,
        Dialect::Messages => MESSAGES,
    };
    let unknown = body
        .as_object()
        .and_then(|o| o.keys().find(|key| !known.contains(&&***key)));
    match unknown {
        Some(key) => Err(Refusal::param(
            key,
            format!("{key}: extra inputs are not permitted"),
        )),
        None => Ok(()),
    }
}

const CHAT: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "n",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "seed",
    "stop",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "user",
    "metadata",
    "store",
    "reasoning_effort",
    "service_tier",
    "modalities",
    "audio",
    "prediction",
    "verbosity",
    "safety_identifier",
    "prompt_cache_key",
];
const RESPONSES: &[&str] = &[
    "model",
    "input",
    "instructions",
    "stream",
    "stream_options",
    "max_output_tokens",
    "temperature",
    "top_p",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "metadata",
    "store",
    "previous_response_id",
    "include",
    "truncation",
    "user",
    "service_tier",
    "background",
    "safety_identifier",
    "prompt_cache_key",
    "max_tool_calls",
];
const MESSAGES: &[&str] = &[
    "model",
    "messages",
    "system",
    "stream",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "tools",
    "tool_choice",
    "thinking",
    "metadata",
    "service_tier",
    "container",
    "context_management",
    "mcp_servers",
];
