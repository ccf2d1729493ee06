//! Contracts of tools, for `mcp`: which call undoes a tool's call.

use super::super::model_call::meter::{is_readable, is_stream};
use super::super::model_call::watch::{self, Look};
use super::contract::{Call, Contract};
use super::shared;
use serde_json::{Map, Value};
use std::sync::Arc;
use trilithon_flow::mcp_call::Asked;
use trilithon_flow::{BuildError, Exchange, Response, SharedUndo};
use trilithon_mcp::answer;
use trilithon_model::dynamic::http::McpUndo;
use trilithon_policy::undo::{Names, Root, Values};

/// The contracts of one middleware, by tool.
pub struct Tools(Vec<(String, Arc<Contract>)>);

impl Tools {
    /// Reads them.
    ///
    /// # Errors
    /// A contract without tool or call, or two for one tool; a template that cannot be read.
    pub fn build(config: &[McpUndo], name: &str) -> Result<Tools, BuildError> {
        let mut tools: Vec<(String, Arc<Contract>)> = Vec::new();
        for contract in config {
            let tool = &contract.tool;
            if tool.is_empty() {
                return Err(BuildError::new("`undo`: a contract has no `tool`")
                    .help("name the tool whose calls it undoes"));
            }
            if tools.iter().any(|(known, _)| known == tool) {
                return Err(
                    BuildError::new(format!("`undo`: there are two contracts for `{tool}`")).at(tool, 0),
                );
            }
            let call = contract.call.as_ref().ok_or_else(|| {
                BuildError::new(format!("`undo`: the contract for `{tool}` has no `call`")).at(tool, 0)
            })?;
            let mut names = Names::default();
            let call = Call::tool(call, &mut names)?;
            tools.push((tool.clone(), Arc::new(Contract::new(name, names, call))));
        }
        Ok(Tools(tools))
    }

    /// The contract for what is asked.
    pub fn of(&self, asked: &Asked) -> Option<&Arc<Contract>> {
        let tool = asked.tool().filter(|_| &*asked.method == "tools/call")?;
        self.0
            .iter()
            .find(|(known, _)| known == tool)
            .map(|(_, contract)| contract)
    }
}

/// Makes the compensating call when the tool's result goes by.
pub fn watch(contract: &Arc<Contract>, asked: &Asked, cx: &mut Exchange, mut res: Response) -> Response {
    if !(200..300).contains(&res.status) || res.fault.is_some() {
        // Nothing was done.
        return res;
    }
    let nothing = Value::Object(Map::new());
    let arguments = asked.params().get("arguments").unwrap_or(&nothing);
    let value = |name: &trilithon_policy::undo::Reference| {
        let known = name.root() == Root::Arguments;
        known.then(|| name.find(arguments))?.cloned()
    };
    let slot = shared(contract.unknown("its result was not seen"));
    cx.undo = Some(slot.clone());
    if is_readable(&res) {
        let path = cx.record.target.split('?').next().unwrap_or_default();
        let result = Awaited {
            contract: contract.clone(),
            path: path.to_owned(),
            values: contract.names().iter().map(value).collect(),
            slot,
        };
        let is_stream = is_stream(&res);
        res.body = watch::body(res.body.take(), is_stream, result);
    }
    res
}

/// Waits for the result.
struct Awaited {
    contract: Arc<Contract>,
    path: String,
    values: Values,
    slot: SharedUndo,
}

impl Look for Awaited {
    fn event(&mut self, data: &[u8]) {
        self.whole(data);
    }

    fn whole(&mut self, message: &[u8]) {
        let undo = match answer::outcome(message) {
            // Of a call that is not over yet nothing is known.
            answer::Outcome::Open => return,
            answer::Outcome::Failed => None,
            answer::Outcome::Done(result) => {
                for (name, value) in self.contract.names().iter().zip(&mut self.values) {
                    if name.root() == Root::Result {
                        *value = name.find(&result).cloned();
                    }
                }
                Some(self.contract.made(&self.path, &self.values))
            }
        };
        *self.slot.borrow_mut() = undo;
    }
}
