//! From what is written to what is run: facts resolved, patterns and networks compiled, types looked at.

use super::function::{self, Function};
use super::node::{Arithmetic, Body, Compare, Loop, Node};
use super::tree::{Expression, Literal, Operator, Shape};
use super::word;
use super::{MAX_DEPTH, MAX_PATTERN, Mistake};
use crate::fact::{self, Fact, Named, Read};
use crate::value::{Kind, List, Value};
use trilithon_model::decode::suggest;

/// The tree of an expression that is true or false, and the facts that it names.
pub fn compile(expression: &Expression) -> Result<(Node, Vec<Named>), Mistake> {
    let mut compiler = Compiler {
        locals: Vec::new(),
        facts: Vec::new(),
        depth: 0,
    };
    let root = compiler.node(expression)?;
    match kind(&root) {
        None | Some(Kind::Bool) => Ok((root, compiler.facts)),
        Some(other) => Err(mistake(
            expression,
            format!("the expression is a {}, not true or false", other.as_str()),
        )),
    }
}

struct Compiler {
    /// Variables of the loops around.
    locals: Vec<String>,
    facts: Vec<Named>,
    depth: usize,
}

/// A name with what is selected of it by names: `a.b["c"]`.
struct Path<'e> {
    root: &'e str,
    names: Vec<&'e str>,
}

impl<'e> Path<'e> {
    fn of(expression: &'e Expression) -> Option<Path<'e>> {
        match &expression.shape {
            Shape::Name(root) => Some(Path {
                root,
                names: Vec::new(),
            }),
            Shape::Select(of, name) => Path::of(of).map(|p| p.then(name)),
            Shape::Index(both) => {
                let name = both[1].text()?;
                Path::of(&both[0]).map(|p| p.then(name))
            }
            _ => None,
        }
    }

    fn then(mut self, name: &'e str) -> Path<'e> {
        self.names.push(name);
        self
    }
}

fn mistake(at: &Expression, message: impl Into<String>) -> Mistake {
    word::mistake(at.at, message)
}

impl Compiler {
    fn node(&mut self, expression: &Expression) -> Result<Node, Mistake> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(mistake(expression, format!("nested more than {MAX_DEPTH} deep"))
                .help("make several rules of it"));
        }
        let node = self.by_shape(expression);
        self.depth -= 1;
        node
    }

    fn by_shape(&mut self, expression: &Expression) -> Result<Node, Mistake> {
        if let Some(path) = Path::of(expression)
            && !self.locals.iter().any(|l| l == path.root)
        {
            return Ok(Node::Fact(self.fact(expression, &path)?));
        }
        match &expression.shape {
            Shape::Literal(literal) => constant(expression, literal),
            Shape::Name(name) => {
                let slot = self.locals.iter().rposition(|l| l == name);
                let unknown = || mistake(expression, format!("`{name}` is not known"));
                slot.map(Node::Local).ok_or_else(unknown)
            }
            Shape::Select(of, name) => Ok(Node::Member(Box::new(self.node(of)?), name.as_str().into())),
            Shape::Index(both) => Ok(Node::Index(Box::new([
                self.node(&both[0])?,
                self.node(&both[1])?,
            ]))),
            Shape::List(items) => {
                let items: Result<Vec<Node>, Mistake> = items.iter().map(|e| self.node(e)).collect();
                items.map(folded)
            }
            Shape::Not(of) => Ok(Node::Not(Box::new(self.condition(of, "!")?))),
            Shape::Negate(of) => Ok(Node::Negate(Box::new(self.node(of)?))),
            Shape::If(three) => {
                let test = self.condition(&three[0], "?:")?;
                let then = self.node(&three[1])?;
                Ok(Node::If(Box::new([test, then, self.node(&three[2])?])))
            }
            Shape::Binary(Operator::In, both) => self.membership(expression, &both[0], &both[1]),
            Shape::Binary(operator, both) => self.binary(expression, *operator, &both[0], &both[1]),
            Shape::Call(of, name, arguments) => self.call(expression, of.as_deref(), name, arguments),
        }
    }

    /// `has(a.b)`
    fn presence(&mut self, at: &Expression, of: &Expression) -> Result<Node, Mistake> {
        let Shape::Select(from, name) = &of.shape else {
            return Err(mistake(at, "`has` takes a name behind a dot")
                .help("write `has(jwt.name)`, or `\"name\" in jwt`"));
        };
        match Path::of(from) {
            Some(path) if !self.locals.iter().any(|l| l == path.root) => {
                Ok(Node::HasFact(self.fact(of, &path.then(name))?))
            }
            _ => Ok(Node::HasMember(Box::new(self.node(from)?), name.as_str().into())),
        }
    }

    /// The fact at the beginning of a path; the longest name that is one.
    fn fact(&mut self, at: &Expression, path: &Path<'_>) -> Result<Named, Mistake> {
        let Some((fact, used)) = longest(path) else {
            return Err(self.unknown_fact(at, path));
        };
        let rest = &path.names[used..];
        let named = match (&fact.read, rest) {
            (Read::Plain(_) | Read::Object { .. }, members)
                if members.is_empty() || fact.kind == Kind::Map =>
            {
                Named::new(fact, "", members)
            }
            (Read::Named(_), [key]) => Named::new(fact, key, &[]),
            (Read::Named(_), []) => {
                let example = format!("{}[\"name\"]", fact.name);
                return Err(mistake(at, format!("`{}` is read by name only", fact.name))
                    .help(format!("write `{example}`, or `\"name\" in {}`", fact.name)));
            }
            _ => {
                let message = format!("`{}` is a {} and has no members", fact.name, fact.kind.as_str());
                return Err(mistake(at, message));
            }
        };
        Ok(self.noted(named))
    }

    fn noted(&mut self, named: Named) -> Named {
        if self.facts.iter().all(|f| f.text != named.text) {
            self.facts.push(named.clone());
        }
        named
    }

    fn unknown_fact(&self, at: &Expression, path: &Path<'_>) -> Mistake {
        let spaces = || fact::NAMESPACES.iter().map(|n| n.name);
        let names: Vec<&str> = path.names.iter().take(2).copied().collect();
        let written = std::iter::once(path.root)
            .chain(names)
            .collect::<Vec<_>>()
            .join(".");
        let help = if spaces().any(|n| n == path.root) {
            let prefix = format!("{}.", path.root);
            let known = fact::all().map(|f| f.name).filter(|n| n.starts_with(&prefix));
            suggest::help(&written, known)
        } else {
            suggest::help(path.root, spaces())
        };
        let mistake = mistake(at, format!("there is no fact `{written}`"));
        match help {
            Some(help) => mistake.help(help),
            None => mistake,
        }
    }

    fn call(
        &mut self,
        at: &Expression,
        of: Option<&Expression>,
        name: &str,
        arguments: &[Expression],
    ) -> Result<Node, Mistake> {
        match (name, of, arguments) {
            ("has", None, [of]) => self.presence(at, of),
            ("matches", Some(of), [pattern]) | ("matches", None, [of, pattern]) => self.matches(of, pattern),
            ("matches", ..) => Err(mistake(at, "`matches` takes a text and a pattern")),
            ("containsIP", Some(network), [ip]) => self.in_network(network, ip),
            ("all" | "exists" | "exists_one" | "map" | "filter", Some(of), [variable, rest @ ..])
                if matches!((name, rest), (_, [_]) | ("map", [_, _])) =>
            {
                self.each(name, of, variable, rest)
            }
            _ => {
                let all: Vec<&Expression> = of.into_iter().chain(arguments).collect();
                let Some(function) = Function::find(name, of.is_some(), all.len()) else {
                    return Err(self.unknown_function(at, name));
                };
                let nodes: Result<Vec<Node>, Mistake> = all.into_iter().map(|e| self.node(e)).collect();
                Ok(Node::Call(function, nodes?))
            }
        }
    }

    fn unknown_function(&self, at: &Expression, name: &str) -> Mistake {
        if function::names().any(|known| known == name) {
            return mistake(at, format!("`{name}` cannot be called like this"));
        }
        let known: Vec<&str> = function::names().collect();
        mistake(at, format!("there is no function `{name}`")).help(suggest::words(name, &known))
    }

    /// An operand that has to be true or false.
    fn condition(&mut self, expression: &Expression, sign: &str) -> Result<Node, Mistake> {
        let node = self.node(expression)?;
        match kind(&node) {
            None | Some(Kind::Bool) => Ok(node),
            Some(other) => {
                let message = format!("`{sign}` is for true and false, and this is a {}", other.as_str());
                Err(mistake(expression, message))
            }
        }
    }

    fn binary(
        &mut self,
        at: &Expression,
        operator: Operator,
        a: &Expression,
        b: &Expression,
    ) -> Result<Node, Mistake> {
        if let Operator::And | Operator::Or = operator {
            let and = operator == Operator::And;
            let sign = if and { "&&" } else { "||" };
            let both = Box::new([self.condition(a, sign)?, self.condition(b, sign)?]);
            return Ok(if and { Node::And(both) } else { Node::Or(both) });
        }
        let both = Box::new([self.node(a)?, self.node(b)?]);
        if let (Some(a), Some(b)) = (kind(&both[0]), kind(&both[1]))
            && a != b
            && ![a, b].contains(&Kind::Null)
        {
            let message = format!("a {} and a {} are never the same", a.as_str(), b.as_str());
            return Err(mistake(at, message));
        }
        Ok(match operator {
            Operator::Or => Node::Or(both),
            Operator::And => Node::And(both),
            Operator::Equal => Node::Equal(both),
            Operator::Unequal => Node::Unequal(both),
            Operator::In => Node::In(both),
            Operator::Less => Node::Compare(Compare::Less, both),
            Operator::LessOrEqual => Node::Compare(Compare::LessOrEqual, both),
            Operator::Greater => Node::Compare(Compare::Greater, both),
            Operator::GreaterOrEqual => Node::Compare(Compare::GreaterOrEqual, both),
            Operator::Add => Node::Arithmetic(Arithmetic::Add, both),
            Operator::Subtract => Node::Arithmetic(Arithmetic::Subtract, both),
            Operator::Multiply => Node::Arithmetic(Arithmetic::Multiply, both),
            Operator::Divide => Node::Arithmetic(Arithmetic::Divide, both),
            Operator::Remainder => Node::Arithmetic(Arithmetic::Remainder, both),
        })
    }

    /// `"x-env" in http.header` asks for one header; anything else looks through a list or an object.
    fn membership(&mut self, at: &Expression, item: &Expression, of: &Expression) -> Result<Node, Mistake> {
        if let Some(path) = Path::of(of)
            && let Some((fact, used)) = longest(&path)
            && matches!(fact.read, Read::Named(_))
            && used == path.names.len()
        {
            let Some(key) = item.text() else {
                let message = format!("what is looked for in `{}` must be written in quotes", fact.name);
                return Err(mistake(item, message));
            };
            return Ok(Node::HasFact(self.noted(Named::new(fact, key, &[]))));
        }
        let both = Box::new([self.node(item)?, self.node(of)?]);
        match kind(&both[1]) {
            None | Some(Kind::List | Kind::Map) => Ok(Node::In(both)),
            Some(other) => Err(mistake(
                at,
                format!(
                    "`in` looks through lists and objects, and this is a {}",
                    other.as_str()
                ),
            )
            .help("for a part of a text write `text.contains(part)`")),
        }
    }

    fn matches(&mut self, of: &Expression, pattern: &Expression) -> Result<Node, Mistake> {
        let Some(text) = pattern.text() else {
            return Err(mistake(
                pattern,
                "the pattern of `matches` must be written in quotes",
            ));
        };
        let compiled = regex::RegexBuilder::new(text).size_limit(MAX_PATTERN).build();
        let regex = compiled.map_err(|error| {
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default();
            let why = last.trim_start_matches("error: ");
            mistake(pattern, format!("`{text}` is no pattern: {why}"))
        })?;
        Ok(Node::Matches(Box::new(self.node(of)?), regex))
    }

    /// `cidr("10.0.0.0/8").containsIP(http.client_ip)`
    fn in_network(&mut self, network: &Expression, ip: &Expression) -> Result<Node, Mistake> {
        let written = match &network.shape {
            Shape::Call(None, name, arguments) if name == "cidr" => arguments.first(),
            _ => None,
        };
        let text = written.and_then(|w| Some((w, w.text()?)));
        let Some((written, text)) = text else {
            return Err(
                mistake(network, "`containsIP` needs a network that is written in quotes")
                    .help("write `cidr(\"10.0.0.0/8\").containsIP(http.client_ip)`"),
            );
        };
        let network = text.parse().map_err(|_| {
            mistake(written, format!("`{text}` is no network"))
                .help("write an address and a length, such as `10.0.0.0/8`")
        })?;
        Ok(Node::InNetwork(Box::new(self.node(ip)?), network))
    }

    /// CEL's macros over the items of a list: `of.name(variable, …)`.
    fn each(
        &mut self,
        name: &str,
        of: &Expression,
        variable: &Expression,
        rest: &[Expression],
    ) -> Result<Node, Mistake> {
        let Some(called) = variable.name() else {
            return Err(mistake(
                variable,
                format!("the first thing `{name}` takes is a name for each item"),
            ));
        };
        let range = self.node(of)?;
        let slot = self.locals.len();
        self.locals.push(called.to_owned());
        let body = self.body(name, slot, rest);
        self.locals.truncate(slot);
        body.map(|body| Node::Loop(Box::new(Loop { range, slot, body })))
    }

    fn body(&mut self, name: &str, slot: usize, rest: &[Expression]) -> Result<Body, Mistake> {
        Ok(match (name, rest) {
            ("all", [test]) => Body::All(self.condition(test, name)?),
            ("exists", [test]) => Body::Exists(self.condition(test, name)?),
            ("exists_one", [test]) => Body::One(self.condition(test, name)?),
            ("filter", [test]) => Body::Collect(Some(self.condition(test, name)?), Node::Local(slot)),
            (_, [test, item]) => Body::Collect(Some(self.condition(test, "filter")?), self.node(item)?),
            (_, rest) => Body::Collect(None, self.node(&rest[0])?),
        })
    }
}

/// A value that is written in the expression.
fn constant(at: &Expression, literal: &Literal) -> Result<Node, Mistake> {
    Ok(Node::Constant(match literal {
        Literal::Null => Value::Null,
        Literal::Bool(b) => Value::Bool(*b),
        Literal::Int(n) => Value::Int(*n),
        Literal::UInt(n) => Value::UInt(*n),
        Literal::Double(n) => Value::Double(*n),
        Literal::Text(text) => Value::Text(text.clone().into()),
        Literal::Bytes => return Err(mistake(at, "there are no bytes among the facts")),
    }))
}

/// The fact with the longest name that a path begins with, and how many of the path's names are its.
fn longest(path: &Path<'_>) -> Option<(&'static Fact, usize)> {
    (0..=path.names.len().min(2)).rev().find_map(|used| {
        let names = std::iter::once(path.root).chain(path.names[..used].iter().copied());
        let name = names.collect::<Vec<_>>().join(".");
        fact::find(&name).map(|fact| (fact, used))
    })
}

/// A list of constants is one.
fn folded(items: Vec<Node>) -> Node {
    if !items.iter().all(|i| matches!(i, Node::Constant(_))) {
        return Node::List(items);
    }
    let constants = items.into_iter().filter_map(|i| match i {
        Node::Constant(value) => Some(value),
        _ => None,
    });
    Node::Constant(Value::List(List::Own(constants.collect())))
}

/// The type of a node's value, where it is always the same.
fn kind(node: &Node) -> Option<Kind> {
    match node {
        Node::Constant(value) => Some(value.kind()),
        Node::Fact(fact) => fact.kind(),
        Node::HasFact(_)
        | Node::HasMember(..)
        | Node::Not(_)
        | Node::And(_)
        | Node::Or(_)
        | Node::Equal(_)
        | Node::Unequal(_)
        | Node::Compare(..)
        | Node::In(_)
        | Node::Matches(..)
        | Node::InNetwork(..) => Some(Kind::Bool),
        Node::List(_) => Some(Kind::List),
        Node::Negate(_) => Some(Kind::Number),
        Node::Call(function, _) => Some(function.kind()),
        Node::Loop(one) => Some(match one.body {
            Body::Collect(..) => Kind::List,
            Body::All(_) | Body::Exists(_) | Body::One(_) => Kind::Bool,
        }),
        Node::If(three) => {
            let (a, b) = (kind(&three[1])?, kind(&three[2])?);
            (a == b).then_some(a)
        }
        Node::Arithmetic(Arithmetic::Add, both) => kind(&both[0]).or(kind(&both[1])),
        Node::Arithmetic(..) => Some(Kind::Number),
        Node::Local(_) | Node::Member(..) | Node::Index(_) => None,
    }
}
