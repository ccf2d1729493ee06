//! From crate `cel`'s tree to ours: facts resolved, patterns and networks compiled, types looked at.

use super::function::{self, Function};
use super::node::{Arithmetic, Body, Compare, Loop, Node};
use super::{MAX_DEPTH, MAX_PATTERN, Mistake};
use crate::fact::{self, Fact, Named, Read};
use crate::value::{Kind, List, Value};
use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, SelectExpr, SourceInfo, operators};
use trilithon_model::decode::suggest;

/// The tree of an expression that is true or false, and the facts that it names.
pub fn compile(expression: &IdedExpr, places: &SourceInfo) -> Result<(Node, Vec<Named>), Mistake> {
    let mut compiler = Compiler {
        places,
        locals: Vec::new(),
        facts: Vec::new(),
        depth: 0,
    };
    let root = compiler.node(expression)?;
    match kind(&root) {
        None | Some(Kind::Bool) => Ok((root, compiler.facts)),
        Some(other) => Err(compiler.mistake(
            expression,
            format!("the expression is a {}, not true or false", other.as_str()),
        )),
    }
}

struct Compiler<'s> {
    places: &'s SourceInfo,
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
    fn of(expression: &'e IdedExpr) -> Option<Path<'e>> {
        match &expression.expr {
            Expr::Ident(root) => Some(Path {
                root,
                names: Vec::new(),
            }),
            Expr::Select(select) if !select.test => Path::of(&select.operand).map(|p| p.then(&select.field)),
            Expr::Call(call) if call.func_name == operators::INDEX => {
                let [of, at] = call.args.as_slice() else {
                    return None;
                };
                let name = literal_text(at)?;
                Path::of(of).map(|p| p.then(name))
            }
            _ => None,
        }
    }

    fn then(mut self, name: &'e str) -> Path<'e> {
        self.names.push(name);
        self
    }
}

fn literal_text(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

impl Compiler<'_> {
    fn mistake(&self, at: &IdedExpr, message: impl Into<String>) -> Mistake {
        let place = self.places.offset_for(at.id).map_or(0, |(start, _)| start);
        // Places are counted in characters.
        let source = &self.places.source;
        let byte = source.char_indices().nth(place as usize).map_or(0, |(i, _)| i);
        Mistake {
            at: byte,
            ..Mistake::new(message)
        }
    }

    fn node(&mut self, expression: &IdedExpr) -> Result<Node, Mistake> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self
                .mistake(expression, format!("nested more than {MAX_DEPTH} deep"))
                .help("make several rules of it"));
        }
        let node = self.by_shape(expression);
        self.depth -= 1;
        node
    }

    fn by_shape(&mut self, expression: &IdedExpr) -> Result<Node, Mistake> {
        if let Some(path) = Path::of(expression)
            && !self.locals.iter().any(|l| l == path.root)
        {
            return Ok(Node::Fact(self.fact(expression, &path)?));
        }
        match &expression.expr {
            Expr::Literal(literal) => self.literal(expression, literal),
            Expr::Ident(name) => {
                let slot = self.locals.iter().rposition(|l| l == name);
                let unknown = || self.mistake(expression, format!("`{name}` is not known"));
                slot.map(Node::Local).ok_or_else(unknown)
            }
            Expr::Select(select) => self.select(expression, select),
            Expr::List(list) if list.optional_indices.is_empty() => {
                let items: Result<Vec<Node>, Mistake> = list.elements.iter().map(|e| self.node(e)).collect();
                items.map(folded)
            }
            Expr::Call(call) => self.call(expression, call),
            Expr::Comprehension(comprehension) => self.comprehension(expression, comprehension),
            Expr::List(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => Err(self.mistake(
                expression,
                "objects and optional values cannot be made in an expression",
            )),
        }
    }

    fn literal(&self, at: &IdedExpr, literal: &LiteralValue) -> Result<Node, Mistake> {
        Ok(Node::Constant(match literal {
            LiteralValue::Null => Value::Null,
            LiteralValue::Boolean(b) => Value::Bool(*b.inner()),
            LiteralValue::Int(n) => Value::Int(*n.inner()),
            LiteralValue::UInt(n) => Value::UInt(*n.inner()),
            LiteralValue::Double(n) => Value::Double(*n.inner()),
            LiteralValue::String(text) => Value::Text(text.inner().to_owned().into()),
            LiteralValue::Bytes(_) => return Err(self.mistake(at, "there are no bytes among the facts")),
        }))
    }

    fn select(&mut self, at: &IdedExpr, select: &SelectExpr) -> Result<Node, Mistake> {
        if select.test
            && let Some(path) = Path::of(&select.operand)
            && !self.locals.iter().any(|l| l == path.root)
        {
            return Ok(Node::HasFact(self.fact(at, &path.then(&select.field))?));
        }
        let of = Box::new(self.node(&select.operand)?);
        let name = select.field.as_str().into();
        Ok(if select.test {
            Node::HasMember(of, name)
        } else {
            Node::Member(of, name)
        })
    }

    /// The fact at the beginning of a path; the longest name that is one.
    fn fact(&mut self, at: &IdedExpr, path: &Path<'_>) -> Result<Named, Mistake> {
        let Some((fact, used)) = longest(path) else {
            return Err(self.unknown_fact(at, path));
        };
        let rest = &path.names[used..];
        let named = match (&fact.read, rest) {
            (Read::Plain(_), members) if members.is_empty() || fact.kind == Kind::Map => {
                Named::new(fact, "", members)
            }
            (Read::Named(_), [key]) => Named::new(fact, key, &[]),
            (Read::Named(_), []) => {
                let example = format!("{}[\"name\"]", fact.name);
                return Err(self
                    .mistake(at, format!("`{}` is read by name only", fact.name))
                    .help(format!("write `{example}`, or `\"name\" in {}`", fact.name)));
            }
            _ => {
                let message = format!("`{}` is a {} and has no members", fact.name, fact.kind.as_str());
                return Err(self.mistake(at, message));
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

    fn unknown_fact(&self, at: &IdedExpr, path: &Path<'_>) -> Mistake {
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
        let mistake = self.mistake(at, format!("there is no fact `{written}`"));
        match help {
            Some(help) => mistake.help(help),
            None => mistake,
        }
    }

    fn call(&mut self, at: &IdedExpr, call: &CallExpr) -> Result<Node, Mistake> {
        let name = call.func_name.as_str();
        match (name, &call.target, call.args.as_slice()) {
            (operators::LOGICAL_NOT, None, [of]) => {
                let of = self.condition(of, "!")?;
                Ok(Node::Not(Box::new(of)))
            }
            (operators::NEGATE, None, [of]) => Ok(Node::Negate(Box::new(self.node(of)?))),
            (operators::CONDITIONAL, None, [test, then, otherwise]) => {
                let test = self.condition(test, "?:")?;
                Ok(Node::If(Box::new([
                    test,
                    self.node(then)?,
                    self.node(otherwise)?,
                ])))
            }
            (operators::IN, None, [item, of]) => self.membership(at, item, of),
            ("matches", target, args) => match (target, args) {
                (Some(of), [pattern]) => self.matches(of, pattern),
                (None, [of, pattern]) => self.matches(of, pattern),
                _ => Err(self.mistake(at, "`matches` takes a text and a pattern")),
            },
            ("containsIP", Some(network), [ip]) => self.in_network(network, ip),
            (_, None, [a, b]) if is_operator(name) => self.binary(at, name, a, b),
            (_, target, args) => {
                let all: Vec<&IdedExpr> = target.iter().map(|t| &**t).chain(args).collect();
                let Some(function) = Function::find(name, target.is_some(), all.len()) else {
                    return Err(self.unknown_function(at, name));
                };
                let nodes: Result<Vec<Node>, Mistake> = all.into_iter().map(|e| self.node(e)).collect();
                Ok(Node::Call(function, nodes?))
            }
        }
    }

    fn unknown_function(&self, at: &IdedExpr, name: &str) -> Mistake {
        if function::names().any(|known| known == name) {
            return self.mistake(at, format!("`{name}` cannot be called like this"));
        }
        let known: Vec<&str> = function::names().collect();
        self.mistake(at, format!("there is no function `{name}`"))
            .help(suggest::words(name, &known))
    }

    /// An operand that has to be true or false.
    fn condition(&mut self, expression: &IdedExpr, sign: &str) -> Result<Node, Mistake> {
        let node = self.node(expression)?;
        match kind(&node) {
            None | Some(Kind::Bool) => Ok(node),
            Some(other) => {
                let message = format!("`{sign}` is for true and false, and this is a {}", other.as_str());
                Err(self.mistake(expression, message))
            }
        }
    }

    fn binary(&mut self, at: &IdedExpr, name: &str, a: &IdedExpr, b: &IdedExpr) -> Result<Node, Mistake> {
        if let operators::LOGICAL_AND | operators::LOGICAL_OR = name {
            let and = name == operators::LOGICAL_AND;
            let sign = if and { "&&" } else { "||" };
            let both = Box::new([self.condition(a, sign)?, self.condition(b, sign)?]);
            return Ok(if and { Node::And(both) } else { Node::Or(both) });
        }
        let both = Box::new([self.node(a)?, self.node(b)?]);
        if let (Some(a), Some(b)) = (kind(&both[0]), kind(&both[1]))
            && a != b
            && name != operators::INDEX
            && ![a, b].contains(&Kind::Null)
        {
            let message = format!("a {} and a {} are never the same", a.as_str(), b.as_str());
            return Err(self.mistake(at, message));
        }
        Ok(match name {
            operators::EQUALS => Node::Equal(both),
            operators::NOT_EQUALS => Node::Unequal(both),
            operators::LESS => Node::Compare(Compare::Less, both),
            operators::LESS_EQUALS => Node::Compare(Compare::LessOrEqual, both),
            operators::GREATER => Node::Compare(Compare::Greater, both),
            operators::GREATER_EQUALS => Node::Compare(Compare::GreaterOrEqual, both),
            operators::ADD => Node::Arithmetic(Arithmetic::Add, both),
            operators::SUBSTRACT => Node::Arithmetic(Arithmetic::Subtract, both),
            operators::MULTIPLY => Node::Arithmetic(Arithmetic::Multiply, both),
            operators::DIVIDE => Node::Arithmetic(Arithmetic::Divide, both),
            operators::MODULO => Node::Arithmetic(Arithmetic::Remainder, both),
            _ => Node::Index(both),
        })
    }

    /// `"x-env" in http.header` asks for one header; anything else looks through a list or an object.
    fn membership(&mut self, at: &IdedExpr, item: &IdedExpr, of: &IdedExpr) -> Result<Node, Mistake> {
        if let Some(path) = Path::of(of)
            && let Some((fact, used)) = longest(&path)
            && matches!(fact.read, Read::Named(_))
            && used == path.names.len()
        {
            let Some(key) = literal_text(item) else {
                let message = format!("what is looked for in `{}` must be written in quotes", fact.name);
                return Err(self.mistake(item, message));
            };
            return Ok(Node::HasFact(self.noted(Named::new(fact, key, &[]))));
        }
        let both = Box::new([self.node(item)?, self.node(of)?]);
        match kind(&both[1]) {
            None | Some(Kind::List | Kind::Map) => Ok(Node::In(both)),
            Some(other) => Err(self
                .mistake(
                    at,
                    format!(
                        "`in` looks through lists and objects, and this is a {}",
                        other.as_str()
                    ),
                )
                .help("for a part of a text write `text.contains(part)`")),
        }
    }

    fn matches(&mut self, of: &IdedExpr, pattern: &IdedExpr) -> Result<Node, Mistake> {
        let Some(text) = literal_text(pattern) else {
            return Err(self.mistake(pattern, "the pattern of `matches` must be written in quotes"));
        };
        let compiled = regex::RegexBuilder::new(text).size_limit(MAX_PATTERN).build();
        let regex = compiled.map_err(|error| {
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default();
            let why = last.trim_start_matches("error: ");
            self.mistake(pattern, format!("`{text}` is no pattern: {why}"))
        })?;
        Ok(Node::Matches(Box::new(self.node(of)?), regex))
    }

    /// `cidr("10.0.0.0/8").containsIP(http.client_ip)`
    fn in_network(&mut self, network: &IdedExpr, ip: &IdedExpr) -> Result<Node, Mistake> {
        let text = match &network.expr {
            Expr::Call(call) if call.func_name == "cidr" && call.target.is_none() => {
                call.args.first().and_then(literal_text)
            }
            _ => None,
        };
        let Some(text) = text else {
            return Err(self
                .mistake(network, "`containsIP` needs a network that is written in quotes")
                .help("write `cidr(\"10.0.0.0/8\").containsIP(http.client_ip)`"));
        };
        let network = text.parse().map_err(|_| {
            self.mistake(network, format!("`{text}` is no network"))
                .help("write an address and a length, such as `10.0.0.0/8`")
        })?;
        Ok(Node::InNetwork(Box::new(self.node(ip)?), network))
    }

    /// What the parser made of a macro is told by the shape of its step.
    fn comprehension(&mut self, at: &IdedExpr, of: &ComprehensionExpr) -> Result<Node, Mistake> {
        let range = self.node(&of.iter_range)?;
        let slot = self.locals.len();
        self.locals.push(of.iter_var.clone());
        let body = self.body(at, of);
        self.locals.truncate(slot);
        body.map(|body| Node::Loop(Box::new(Loop { range, slot, body })))
    }

    fn body(&mut self, at: &IdedExpr, of: &ComprehensionExpr) -> Result<Body, Mistake> {
        let strange = || self.mistake(at, "a loop of this kind is not known");
        let Expr::Call(step) = &of.loop_step.expr else {
            return Err(strange());
        };
        match (step.func_name.as_str(), step.args.as_slice()) {
            (operators::LOGICAL_AND, [_, test]) => Ok(Body::All(self.condition(test, "all")?)),
            (operators::LOGICAL_OR, [_, test]) => Ok(Body::Exists(self.condition(test, "exists")?)),
            (operators::ADD, [_, item]) => {
                let Some(item) = only(item) else {
                    return Err(strange());
                };
                Ok(Body::Collect(None, self.node(item)?))
            }
            (operators::CONDITIONAL, [test, then, _]) => {
                let Expr::Call(then) = &then.expr else {
                    return Err(strange());
                };
                let Some(added) = then.args.get(1) else {
                    return Err(strange());
                };
                match only(added) {
                    Some(item) => Ok(Body::Collect(
                        Some(self.condition(test, "filter")?),
                        self.node(item)?,
                    )),
                    None => Ok(Body::One(self.condition(test, "exists_one")?)),
                }
            }
            _ => Err(strange()),
        }
    }
}

/// The one item of a list as the parser writes it.
fn only(expression: &IdedExpr) -> Option<&IdedExpr> {
    match &expression.expr {
        Expr::List(list) => match list.elements.as_slice() {
            [item] => Some(item),
            _ => None,
        },
        _ => None,
    }
}

fn is_operator(name: &str) -> bool {
    name.starts_with('_')
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
