//! A tree, walked: pipelines are evaluated, text is written.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::ast::{Body, Command, Expr, ExprKind, Node, Number, Pipe};
use crate::budget::Budget;
use crate::error::Fault;
use crate::format;
use crate::function::{Form, Function, Kind};
use crate::limits::MAX_DEPTH;
use crate::template::{Origin, Rendered};
use crate::value::{IntKind, Value};

/// What stops a walk.
enum Stop {
    Fault(Fault),
    /// `{{break}}`, up to the next loop.
    Break,
    /// `{{continue}}`, up to the next loop.
    Continue,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

type Walk<T> = Result<T, Stop>;

fn fail<T>(message: impl Into<String>) -> Walk<T> {
    Err(Stop::Fault(Fault::new(message)))
}

pub(crate) struct Executor<'a> {
    source: &'a str,
    named: &'a BTreeMap<Arc<str>, Body>,
    budget: &'a Budget,
    /// Innermost last.
    variables: Vec<(Arc<str>, Value)>,
    depth: usize,
    /// Where the walk stands, for messages.
    at: usize,
    out: String,
    output_left: usize,
    origins: Vec<Origin>,
}

impl<'a> Executor<'a> {
    pub fn new(
        source: &'a str,
        named: &'a BTreeMap<Arc<str>, Body>,
        budget: &'a Budget,
        output: usize,
    ) -> Self {
        Self {
            source,
            named,
            budget,
            variables: Vec::new(),
            depth: 0,
            at: 0,
            out: String::new(),
            output_left: output,
            origins: Vec::new(),
        }
    }

    /// Walks a whole template.
    ///
    /// # Errors
    /// What went wrong, and at which byte.
    pub fn run(&mut self, body: &Body, data: &Value) -> Result<(), (usize, Fault)> {
        self.variables.push(("$".into(), data.clone()));
        match self.walk(body, data) {
            Ok(()) => Ok(()),
            Err(Stop::Fault(fault)) => Err((self.at, fault)),
            Err(Stop::Break | Stop::Continue) => Err((self.at, Fault::new("break outside of a loop"))),
        }
    }

    pub fn finish(self) -> Rendered {
        Rendered {
            text: self.out,
            origins: self.origins,
        }
    }

    fn walk(&mut self, body: &Body, dot: &Value) -> Walk<()> {
        self.deeper(|this| body.iter().try_for_each(|node| this.node(node, dot)))
    }

    /// Goes one level down; the stack is bounded.
    fn deeper<T>(&mut self, walk: impl FnOnce(&mut Self) -> Walk<T>) -> Walk<T> {
        if self.depth >= MAX_DEPTH {
            return fail("templates and blocks are nested too deep");
        }
        self.depth += 1;
        let result = walk(self);
        self.depth -= 1;
        result
    }

    /// Variables that are declared inside end with it.
    fn scope<T>(&mut self, walk: impl FnOnce(&mut Self) -> Walk<T>) -> Walk<T> {
        let known = self.variables.len();
        let result = walk(self);
        self.variables.truncate(known);
        result
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Walk<()> {
        self.budget.step(1)?;
        match node {
            Node::Text(range) => self.copy(range.clone()),
            Node::Action(pipe) => {
                let value = self.pipe(pipe, dot)?;
                if pipe.variables.is_empty() {
                    self.at = pipe.at;
                    self.show(&value)?;
                }
                Ok(())
            }
            Node::Branch {
                sets_dot,
                arms,
                otherwise,
            } => self.scope(|this| this.branch(*sets_dot, arms, otherwise, dot)),
            Node::Range {
                pipe,
                body,
                otherwise,
            } => self.scope(|this| this.range(pipe, body, otherwise, dot)),
            Node::Call { at, name, pipe } => self.call_template(*at, name, pipe.as_ref(), dot),
            Node::Break => Err(Stop::Break),
            Node::Continue => Err(Stop::Continue),
        }
    }

    fn branch(&mut self, sets_dot: bool, arms: &[(Pipe, Body)], otherwise: &Body, dot: &Value) -> Walk<()> {
        for (pipe, body) in arms {
            let value = self.pipe(pipe, dot)?;
            if value.is_true() {
                return self.walk(body, if sets_dot { &value } else { dot });
            }
        }
        self.walk(otherwise, dot)
    }

    fn range(&mut self, pipe: &Pipe, body: &Body, otherwise: &Body, dot: &Value) -> Walk<()> {
        let value = self.evaluate(pipe, dot)?;
        let known = self.variables.len();
        if !pipe.assigns {
            let names = pipe.variables.iter().map(|name| (name.clone(), Value::Nil));
            self.variables.extend(names);
        }
        let mut rounds = 0_usize;
        let mut round = |this: &mut Self, key: Value, item: Value| {
            rounds += 1;
            this.budget.step(1)?;
            this.bind(pipe, known, key, &item)?;
            match this.scope(|this| this.walk(body, &item)) {
                Ok(()) | Err(Stop::Continue) => Ok(true),
                Err(Stop::Break) => Ok(false),
                Err(stop) => Err(stop),
            }
        };
        match &value {
            Value::Nil => {}
            Value::Int(_, _) if pipe.variables.len() > 1 => {
                return fail("can't use a number to iterate over more than one variable");
            }
            Value::Int(end, kind) => {
                for n in 0..*end {
                    let item = Value::Int(n, *kind);
                    if !round(self, item.clone(), item)? {
                        break;
                    }
                }
            }
            Value::List(list) => {
                for (index, item) in list.items().iter().enumerate() {
                    if !round(self, Value::from(index as i64), item.clone())? {
                        break;
                    }
                }
            }
            Value::Dict(dict) => {
                // The body may change what it goes through.
                self.budget
                    .charge(dict.entries().len() * 2 * size_of::<Value>())?;
                let entries: Vec<(Arc<str>, Value)> = dict
                    .entries()
                    .iter()
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                for (key, item) in entries {
                    if !round(self, Value::Str(key), item)? {
                        break;
                    }
                }
            }
            other => {
                self.at = pipe.at;
                return fail(format!(
                    "range can't iterate over a value of type {}",
                    other.type_name()
                ));
            }
        }
        if rounds == 0 {
            return self.walk(otherwise, dot);
        }
        Ok(())
    }

    /// Gives a loop's variables their values of this round.
    fn bind(&mut self, pipe: &Pipe, known: usize, key: Value, item: &Value) -> Walk<()> {
        let values = match pipe.variables.len() {
            0 => return Ok(()),
            1 => vec![item.clone()],
            _ => vec![key, item.clone()],
        };
        for (index, value) in values.into_iter().enumerate() {
            if pipe.assigns {
                self.assign(&pipe.variables[index], value)?;
            } else {
                self.variables[known + index].1 = value;
            }
        }
        Ok(())
    }

    fn call_template(&mut self, at: usize, name: &str, pipe: Option<&Pipe>, dot: &Value) -> Walk<()> {
        self.at = at;
        let Some(body) = self.named.get(name) else {
            return fail(format!("template \"{name}\" not defined"));
        };
        let data = match pipe {
            Some(pipe) => self.pipe(pipe, dot)?,
            None => Value::Nil,
        };
        // A template sees no variables but its own.
        let variables = std::mem::replace(&mut self.variables, vec![("$".into(), data.clone())]);
        let result = self.walk(body, &data);
        self.variables = variables;
        result
    }

    fn copy(&mut self, range: Range<usize>) -> Walk<()> {
        self.at = range.start;
        let text = &self.source[range.clone()];
        self.origin(range.start, true)?;
        self.write(text)
    }

    /// What an action prints.
    fn show(&mut self, value: &Value) -> Walk<()> {
        self.origin(self.at, false)?;
        match value {
            Value::Nil => self.write("<no value>"),
            Value::Str(text) => self.write(text),
            other => {
                let text = format::display(other, self.budget)?;
                self.write(&text)
            }
        }
    }

    fn origin(&mut self, source: usize, copied: bool) -> Walk<()> {
        self.budget.charge(size_of::<Origin>())?;
        let output = self.out.len();
        // What wrote nothing is nobody's origin.
        if self.origins.last().is_some_and(|last| last.output == output) {
            self.origins.pop();
        }
        self.origins.push(Origin {
            output,
            source,
            copied,
        });
        Ok(())
    }

    fn write(&mut self, text: &str) -> Walk<()> {
        match self.output_left.checked_sub(text.len()) {
            Some(left) => self.output_left = left,
            None => return fail("writes too much"),
        }
        self.out.push_str(text);
        Ok(())
    }

    /// Evaluates a pipeline and gives its variable the value.
    fn pipe(&mut self, pipe: &Pipe, dot: &Value) -> Walk<Value> {
        let value = self.evaluate(pipe, dot)?;
        if let Some(name) = pipe.variables.first() {
            if pipe.assigns {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((name.clone(), value.clone()));
            }
        }
        Ok(value)
    }

    fn assign(&mut self, name: &str, value: Value) -> Walk<()> {
        let Some(variable) = self.variables.iter_mut().rev().find(|(n, _)| **n == *name) else {
            return fail(format!("undefined variable: {name}"));
        };
        variable.1 = value;
        Ok(())
    }

    fn evaluate(&mut self, pipe: &Pipe, dot: &Value) -> Walk<Value> {
        self.deeper(|this| {
            let mut value = None;
            for command in &pipe.commands {
                value = Some(this.command(command, dot, value)?);
            }
            Ok(value.unwrap_or_default())
        })
    }

    /// A command; `last` is the value of the one before.
    fn command(&mut self, command: &Command, dot: &Value, last: Option<Value>) -> Walk<Value> {
        self.budget.step(1)?;
        let Command { first, args } = command;
        self.at = first.at;
        match &first.kind {
            ExprKind::Function(function) => self.call(first.at, function, args, dot, last),
            ExprKind::Fields(fields) => self.fields(dot.clone(), fields, args, dot, last),
            ExprKind::Variable(name, fields) if !fields.is_empty() => {
                let value = self.variable(name)?;
                self.fields(value, fields, args, dot, last)
            }
            ExprKind::Chain(inner, fields) => {
                let value = self.argument(inner, Kind::Any, dot)?;
                self.at = first.at;
                self.fields(value, fields, args, dot, last)
            }
            _ if !args.is_empty() || last.is_some() => fail("can't give argument to non-function"),
            ExprKind::Nil => fail("nil is not a command"),
            _ => self.argument(first, Kind::Any, dot),
        }
    }

    /// An argument of a type.
    fn argument(&mut self, expr: &Expr, kind: Kind, dot: &Value) -> Walk<Value> {
        self.budget.step(1)?;
        self.at = expr.at;
        let value = match &expr.kind {
            ExprKind::Dot => dot.clone(),
            ExprKind::Nil if kind.takes_nil() => Value::Nil,
            ExprKind::Nil => return fail(format!("cannot assign nil to {}", kind.name())),
            ExprKind::Bool(b) => Value::Bool(*b),
            ExprKind::Number(number) => return constant(*number, kind),
            ExprKind::Str(text) => Value::Str(text.clone()),
            ExprKind::Fields(fields) => self.fields(dot.clone(), fields, &[], dot, None)?,
            ExprKind::Variable(name, fields) => {
                let value = self.variable(name)?;
                self.fields(value, fields, &[], dot, None)?
            }
            ExprKind::Function(function) => self.call(expr.at, function, &[], dot, None)?,
            ExprKind::Pipe(pipe) => self.pipe(pipe, dot)?,
            ExprKind::Chain(inner, fields) => {
                let value = self.argument(inner, Kind::Any, dot)?;
                self.fields(value, fields, &[], dot, None)?
            }
        };
        self.at = expr.at;
        check(&value, kind)?;
        Ok(value)
    }

    fn variable(&self, name: &str) -> Walk<Value> {
        match self.variables.iter().rev().find(|(n, _)| **n == *name) {
            Some((_, value)) => Ok(value.clone()),
            None => fail(format!("undefined variable: {name}")),
        }
    }

    /// Follows fields; the last one may be a method and takes the arguments.
    fn fields(
        &mut self,
        mut value: Value,
        fields: &[Arc<str>],
        args: &[Expr],
        dot: &Value,
        last: Option<Value>,
    ) -> Walk<Value> {
        let at = self.at;
        let mut given = Vec::with_capacity(args.len() + 1);
        for arg in args {
            given.push(self.argument(arg, Kind::Any, dot)?);
        }
        given.extend(last);
        self.at = at;
        for (index, name) in fields.iter().enumerate() {
            let args = if index + 1 == fields.len() {
                given.as_slice()
            } else {
                &[]
            };
            value = self.field(&value, name, args)?;
        }
        Ok(value)
    }

    fn field(&self, value: &Value, name: &str, args: &[Value]) -> Walk<Value> {
        self.budget.step(1)?;
        match value {
            Value::Nil => Ok(Value::Nil),
            Value::Dict(_) if !args.is_empty() => fail(format!("{name} is not a method but has arguments")),
            Value::Dict(dict) => Ok(dict.get(name).unwrap_or_default()),
            Value::Object(object) => Ok(object.member(name, args, self.budget)?),
            other => fail(format!(
                "can't evaluate field {name} in type {}",
                other.type_name()
            )),
        }
    }

    fn call(
        &mut self,
        at: usize,
        function: &'static Function,
        args: &[Expr],
        dot: &Value,
        last: Option<Value>,
    ) -> Walk<Value> {
        self.at = at;
        function.check_count(args.len() + usize::from(last.is_some()))?;
        match function.form {
            Form::Plain => {}
            Form::And => return self.first_that(false, args, dot, last),
            Form::Or => return self.first_that(true, args, dot, last),
        }
        let mut values = Vec::with_capacity(args.len() + 1);
        for (index, arg) in args.iter().enumerate() {
            values.push(self.argument(arg, function.param(index), dot)?);
        }
        self.at = at;
        if let Some(last) = last {
            check(&last, function.param(values.len()))?;
            values.push(last);
        }
        self.budget.clock()?;
        (function.body)(self.budget, &values).map_err(|fault| {
            let message = format!("error calling {}: {}", function.name, fault.message);
            Stop::Fault(Fault { message, ..fault })
        })
    }

    /// The first value that is as true as wanted, else the last one; nothing is evaluated beyond it.
    fn first_that(&mut self, truth: bool, args: &[Expr], dot: &Value, last: Option<Value>) -> Walk<Value> {
        let mut value = Value::Nil;
        for arg in args {
            value = self.argument(arg, Kind::Any, dot)?;
            if value.is_true() == truth {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }
}

/// Fails when a value is not of a parameter's type.
fn check(value: &Value, kind: Kind) -> Walk<()> {
    if kind.takes(value) {
        return Ok(());
    }
    let want = kind.name();
    match value {
        Value::Nil => fail(format!("invalid value; expected {want}")),
        other => fail(format!(
            "wrong type for value; expected {want}; got {}",
            other.type_name()
        )),
    }
}

/// What a number that is written in the template becomes where a type is wanted.
fn constant(number: Number, kind: Kind) -> Walk<Value> {
    let int = |kind| match number.int {
        Some(n) => Ok(Value::Int(n, kind)),
        None => fail("expected integer"),
    };
    match kind {
        Kind::Int => int(IntKind::Int),
        Kind::Float => match number.float {
            Some(f) => Ok(Value::Float(f)),
            None => fail("expected float"),
        },
        Kind::Any if number.is_float => Ok(Value::Float(number.float.unwrap_or_default())),
        Kind::Any => int(IntKind::Int),
        other => fail(format!("expected {}; found a number", other.name())),
    }
}
