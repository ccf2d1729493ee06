//! The compiled tree and its evaluation: CEL's semantics, with a bound on its steps.

use super::MAX_STEPS;
use super::function::Function;
use crate::fact::{Facts, Named};
use crate::value::{Failure, List, Value};
use ipnet::IpNet;
use regex::Regex;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

/// One operation, its operands below it.
pub enum Node {
    Constant(Value<'static>),
    Fact(Named),
    HasFact(Named),
    /// A variable of a loop around this, by its place.
    Local(usize),
    Member(Box<Node>, Box<str>),
    HasMember(Box<Node>, Box<str>),
    Index(Box<[Node; 2]>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    If(Box<[Node; 3]>),
    Equal(Box<[Node; 2]>),
    Unequal(Box<[Node; 2]>),
    Compare(Compare, Box<[Node; 2]>),
    In(Box<[Node; 2]>),
    Arithmetic(Arithmetic, Box<[Node; 2]>),
    List(Vec<Node>),
    Call(Function, Vec<Node>),
    Matches(Box<Node>, Regex),
    InNetwork(Box<Node>, IpNet),
    Loop(Box<Loop>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// One of CEL's macros over the items of a list or the names of an object.
pub struct Loop {
    pub range: Node,
    /// The place of its variable.
    pub slot: usize,
    pub body: Body,
}

pub enum Body {
    /// `all`
    All(Node),
    /// `exists`
    Exists(Node),
    /// `exists_one`
    One(Node),
    /// `map` and `filter`: what to keep, and what of it.
    Collect(Option<Node>, Node),
}

/// What an evaluation carries along.
pub struct Env<'a> {
    facts: &'a Facts<'a>,
    locals: Vec<Value<'a>>,
    steps: u32,
}

impl<'a> Env<'a> {
    pub fn new(facts: &'a Facts<'a>) -> Env<'a> {
        Env {
            facts,
            locals: Vec::new(),
            steps: MAX_STEPS,
        }
    }

    fn take(&mut self, steps: usize) -> Result<(), Failure> {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.steps = self.steps.checked_sub(steps).ok_or(Failure::TooLong)?;
        Ok(())
    }
}

impl Node {
    /// The value; which facts are read depends on the way there.
    pub fn value<'a>(&'a self, env: &mut Env<'a>) -> Result<Value<'a>, Failure> {
        env.take(1)?;
        match self {
            Node::Constant(value) => Ok(value.lend()),
            Node::Fact(fact) => fact.read(env.facts),
            Node::HasFact(fact) => fact.is_present(env.facts).map(Value::Bool),
            Node::Local(slot) => Ok(env.locals.get(*slot).cloned().unwrap_or(Value::Null)),
            Node::Member(of, name) => of.value(env)?.member(name),
            Node::HasMember(of, name) => match of.value(env)? {
                Value::Map(map) => Ok(Value::Bool(map.contains_key(&**name))),
                other => Err(Failure::mismatch("has", &[&other])),
            },
            Node::Index(both) => {
                let [of, at] = values(both, env)?;
                index(&of, &at)
            }
            Node::Not(of) => Ok(Value::Bool(!of.truth(env, "!")?)),
            Node::Negate(of) => negate(of.value(env)?),
            Node::And(both) => either(both, env, false, "&&"),
            Node::Or(both) => either(both, env, true, "||"),
            Node::If(three) => {
                let [condition, then, otherwise] = &**three;
                let chosen = if condition.truth(env, "?:")? {
                    then
                } else {
                    otherwise
                };
                chosen.value(env)
            }
            Node::Equal(both) => {
                let [a, b] = values(both, env)?;
                Ok(Value::Bool(a.same(&b)))
            }
            Node::Unequal(both) => {
                let [a, b] = values(both, env)?;
                Ok(Value::Bool(!a.same(&b)))
            }
            Node::Compare(compare, both) => {
                let [a, b] = values(both, env)?;
                let order = a.order(&b, compare.sign())?;
                Ok(Value::Bool(order.is_some_and(|o| compare.holds(o))))
            }
            Node::In(both) => {
                let [item, of] = values(both, env)?;
                contains(&item, &of, env)
            }
            Node::Arithmetic(operation, both) => {
                let [a, b] = values(both, env)?;
                operation.of(a, b, env)
            }
            Node::List(items) => {
                let items: Result<Vec<_>, _> = items.iter().map(|i| i.value(env)).collect();
                items.map(|items| Value::List(List::Own(items)))
            }
            Node::Call(function, arguments) => {
                let arguments: Result<Vec<_>, _> = arguments.iter().map(|a| a.value(env)).collect();
                function.call(&arguments?)
            }
            Node::Matches(of, pattern) => match of.value(env)? {
                Value::Text(text) => Ok(Value::Bool(pattern.is_match(&text))),
                other => Err(Failure::mismatch("matches", &[&other])),
            },
            Node::InNetwork(of, network) => match of.value(env)? {
                Value::Text(text) => {
                    let ip: Option<IpAddr> = text.parse().ok();
                    Ok(Value::Bool(
                        ip.is_some_and(|ip| network.contains(&ip.to_canonical())),
                    ))
                }
                other => Err(Failure::mismatch("containsIP", &[&other])),
            },
            Node::Loop(one) => one.value(env),
        }
    }

    fn truth<'a>(&'a self, env: &mut Env<'a>, operation: &'static str) -> Result<bool, Failure> {
        match self.value(env)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(Failure::mismatch(operation, &[&other])),
        }
    }
}

fn values<'a>(both: &'a [Node; 2], env: &mut Env<'a>) -> Result<[Value<'a>; 2], Failure> {
    Ok([both[0].value(env)?, both[1].value(env)?])
}

/// `&&` and `||`: one side that settles it is enough, even when the other fails.
fn either<'a>(
    both: &'a [Node; 2],
    env: &mut Env<'a>,
    settles: bool,
    sign: &'static str,
) -> Result<Value<'a>, Failure> {
    let first = both[0].truth(env, sign);
    if first == Ok(settles) {
        return Ok(Value::Bool(settles));
    }
    if first == Err(Failure::TooLong) {
        return Err(Failure::TooLong);
    }
    let second = both[1].truth(env, sign);
    if second == Ok(settles) {
        return Ok(Value::Bool(settles));
    }
    first.and(second).map(Value::Bool)
}

fn index<'a>(of: &Value<'a>, at: &Value<'_>) -> Result<Value<'a>, Failure> {
    match (of, at) {
        (Value::Map(_), Value::Text(name)) => of.member(name),
        (Value::List(list), Value::Int(at)) => usize::try_from(*at)
            .ok()
            .and_then(|i| list.get(i))
            .ok_or(Failure::NoItem(*at)),
        _ => Err(Failure::mismatch("[]", &[of, at])),
    }
}

fn contains<'a>(item: &Value<'_>, of: &Value<'_>, env: &mut Env<'a>) -> Result<Value<'a>, Failure> {
    match (item, of) {
        (_, Value::List(list)) => {
            env.take(list.len())?;
            Ok(Value::Bool(list.contains(item)))
        }
        (Value::Text(name), Value::Map(map)) => Ok(Value::Bool(map.contains_key(&**name))),
        // Other names could be those of an object; no object here has any.
        (Value::Bool(_) | Value::Int(_) | Value::UInt(_) | Value::Double(_), Value::Map(_)) => {
            Ok(Value::Bool(false))
        }
        _ => Err(Failure::mismatch("in", &[item, of])),
    }
}

fn negate(value: Value<'_>) -> Result<Value<'_>, Failure> {
    match value {
        Value::Int(n) => n.checked_neg().map(Value::Int).ok_or(Failure::Overflow("-")),
        Value::Double(n) => Ok(Value::Double(-n)),
        other => Err(Failure::mismatch("-", &[&other])),
    }
}

impl Compare {
    pub fn sign(self) -> &'static str {
        match self {
            Compare::Less => "<",
            Compare::LessOrEqual => "<=",
            Compare::Greater => ">",
            Compare::GreaterOrEqual => ">=",
        }
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Compare::Less => order.is_lt(),
            Compare::LessOrEqual => order.is_le(),
            Compare::Greater => order.is_gt(),
            Compare::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Arithmetic {
    pub fn sign(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Remainder => "%",
        }
    }

    fn of<'a>(self, a: Value<'a>, b: Value<'a>, env: &mut Env<'a>) -> Result<Value<'a>, Failure> {
        let sign = self.sign();
        match (a, b) {
            (Value::Int(a), Value::Int(b)) => self.int(a, b).map(Value::Int),
            (Value::UInt(a), Value::UInt(b)) => self.uint(a, b).map(Value::UInt),
            (Value::Double(a), Value::Double(b)) if self != Arithmetic::Remainder => {
                Ok(Value::Double(self.double(a, b)))
            }
            (Value::Text(a), Value::Text(b)) if self == Arithmetic::Add => {
                env.take((a.len() + b.len()) / 16)?;
                Ok(Value::Text(Cow::Owned(a.into_owned() + &b)))
            }
            (Value::List(a), Value::List(b)) if self == Arithmetic::Add => {
                env.take(a.len() + b.len())?;
                Ok(Value::List(List::Own(a.iter().chain(b.iter()).collect())))
            }
            (a, b) => Err(Failure::mismatch(sign, &[&a, &b])),
        }
    }

    fn int(self, a: i64, b: i64) -> Result<i64, Failure> {
        let result = match self {
            Arithmetic::Add => a.checked_add(b),
            Arithmetic::Subtract => a.checked_sub(b),
            Arithmetic::Multiply => a.checked_mul(b),
            Arithmetic::Divide | Arithmetic::Remainder if b == 0 => return Err(Failure::DivisionByZero),
            Arithmetic::Divide => a.checked_div(b),
            Arithmetic::Remainder => a.checked_rem(b),
        };
        result.ok_or(Failure::Overflow(self.sign()))
    }

    fn uint(self, a: u64, b: u64) -> Result<u64, Failure> {
        let result = match self {
            Arithmetic::Add => a.checked_add(b),
            Arithmetic::Subtract => a.checked_sub(b),
            Arithmetic::Multiply => a.checked_mul(b),
            Arithmetic::Divide | Arithmetic::Remainder if b == 0 => return Err(Failure::DivisionByZero),
            Arithmetic::Divide => a.checked_div(b),
            Arithmetic::Remainder => a.checked_rem(b),
        };
        result.ok_or(Failure::Overflow(self.sign()))
    }

    fn double(self, a: f64, b: f64) -> f64 {
        match self {
            Arithmetic::Add => a + b,
            Arithmetic::Subtract => a - b,
            Arithmetic::Multiply => a * b,
            Arithmetic::Divide => a / b,
            Arithmetic::Remainder => a % b,
        }
    }
}

impl Loop {
    fn value<'a>(&'a self, env: &mut Env<'a>) -> Result<Value<'a>, Failure> {
        let range = match self.range.value(env)? {
            Value::List(list) => list,
            Value::Map(map) => List::Own(map.keys().map(|k| Value::text(k)).collect()),
            other => return Err(Failure::mismatch(self.body.name(), &[&other])),
        };
        env.take(range.len())?;
        env.locals.truncate(self.slot);
        env.locals.push(Value::Null);
        let result = self.run(&range, env);
        env.locals.truncate(self.slot);
        result
    }

    fn run<'a>(&'a self, range: &List<'a>, env: &mut Env<'a>) -> Result<Value<'a>, Failure> {
        match &self.body {
            Body::All(test) => self.quantify(range, test, false, env),
            Body::Exists(test) => self.quantify(range, test, true, env),
            Body::One(test) => {
                let mut found = 0_usize;
                for item in range.iter() {
                    self.bind(item, env);
                    found += usize::from(test.truth(env, "exists_one")?);
                }
                Ok(Value::Bool(found == 1))
            }
            Body::Collect(keep, item) => {
                let mut kept = Vec::new();
                for value in range.iter() {
                    self.bind(value, env);
                    let keeps = keep.as_ref().map_or(Ok(true), |k| k.truth(env, "filter"))?;
                    if keeps {
                        kept.push(item.value(env)?);
                    }
                }
                Ok(Value::List(List::Own(kept)))
            }
        }
    }

    /// `exists` and `all`: like a row of `||` or `&&`.
    fn quantify<'a>(
        &'a self,
        range: &List<'a>,
        test: &'a Node,
        settles: bool,
        env: &mut Env<'a>,
    ) -> Result<Value<'a>, Failure> {
        let mut failed = None;
        for item in range.iter() {
            self.bind(item, env);
            match test.truth(env, self.body.name()) {
                Ok(truth) if truth == settles => return Ok(Value::Bool(settles)),
                Ok(_) => {}
                Err(Failure::TooLong) => return Err(Failure::TooLong),
                Err(failure) => failed = failed.or(Some(failure)),
            }
        }
        failed.map_or(Ok(Value::Bool(!settles)), Err)
    }

    fn bind<'a>(&self, item: Value<'a>, env: &mut Env<'a>) {
        if let Some(local) = env.locals.get_mut(self.slot) {
            *local = item;
        }
    }
}

impl Body {
    fn name(&self) -> &'static str {
        match self {
            Body::All(_) => "all",
            Body::Exists(_) => "exists",
            Body::One(_) => "exists_one",
            Body::Collect(..) => "map",
        }
    }
}
