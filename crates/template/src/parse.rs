//! Tokens to a tree, as Go's `text/template/parse` takes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ast::{Body, Command, Expr, ExprKind, Node, Number, Pipe};
use crate::funcs;
use crate::go::number;
use crate::go::quote::unquote;
use crate::lex::{Token, TokenKind, lex};
use crate::limits::MAX_NESTING;

/// A fault of the text: where, what, and what to do.
pub(crate) struct Bad {
    pub at: usize,
    pub message: String,
    pub help: Option<String>,
}

type Result<T> = std::result::Result<T, Bad>;

/// A parsed text.
pub(crate) struct Tree {
    pub body: Body,
    /// What `define` and `block` name.
    pub named: BTreeMap<Arc<str>, Body>,
}

/// Parses a text.
///
/// # Errors
/// What Go's parser refuses, and text that is nested beyond the limit.
pub(crate) fn parse(text: &str) -> Result<Tree> {
    let tokens = lex(text).map_err(|(at, message)| bad(at, message))?;
    let mut parser = Parser {
        text,
        tokens,
        next: 0,
        variables: vec!["$".into()],
        ranges: 0,
        nesting: 0,
        named: BTreeMap::new(),
    };
    let (body, end) = parser.list(true)?;
    match end {
        Stop::EndOfText => Ok(Tree {
            body,
            named: parser.named,
        }),
        Stop::End(at) => Err(bad(at, "unexpected {{end}}")),
        Stop::Else(at) => Err(bad(at, "unexpected {{else}}")),
    }
}

fn bad(at: usize, message: impl Into<String>) -> Bad {
    Bad {
        at,
        message: message.into(),
        help: None,
    }
}

/// What ended a list of nodes.
enum Stop {
    End(usize),
    Else(usize),
    EndOfText,
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    next: usize,
    variables: Vec<Arc<str>>,
    /// Loops around this place.
    ranges: usize,
    nesting: usize,
    named: BTreeMap<Arc<str>, Body>,
}

/// The token that never comes, for reading past the end.
const END: Token<'static> = Token {
    at: usize::MAX,
    kind: TokenKind::End,
};

impl<'a> Parser<'a> {
    fn peek(&self) -> &Token<'a> {
        self.tokens.get(self.next).unwrap_or(&END)
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn skip_space(&mut self) {
        while self.peek().kind == TokenKind::Space {
            self.next += 1;
        }
    }

    fn take_word(&mut self) -> Token<'a> {
        self.skip_space();
        self.take()
    }

    fn unexpected(&self, token: &Token<'a>, context: &str) -> Bad {
        bad(
            token.at,
            format!("unexpected {} in {context}", describe(&token.kind)),
        )
    }

    fn expect_right(&mut self, context: &str) -> Result<()> {
        let token = self.take_word();
        match token.kind {
            TokenKind::Right => Ok(()),
            _ => Err(self.unexpected(&token, context)),
        }
    }

    fn deeper(&mut self, at: usize) -> Result<()> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(bad(at, format!("nested deeper than {MAX_NESTING}")));
        }
        Ok(())
    }

    /// Nodes up to `{{end}}`, `{{else}}` or the end of the text.
    fn list(&mut self, top: bool) -> Result<(Body, Stop)> {
        let mut body = Body::new();
        loop {
            let token = self.take();
            match token.kind {
                TokenKind::Text(range) => body.push(Node::Text(range)),
                TokenKind::End => return Ok((body, Stop::EndOfText)),
                _ => {
                    self.skip_space();
                    let at = self.peek().at;
                    let word = match self.peek().kind {
                        TokenKind::Word(word) => word,
                        _ => "",
                    };
                    match word {
                        "end" => {
                            self.next += 1;
                            self.expect_right("end")?;
                            return Ok((body, Stop::End(at)));
                        }
                        "else" => {
                            self.next += 1;
                            return Ok((body, Stop::Else(at)));
                        }
                        "define" if top => {
                            self.next += 1;
                            self.define(at)?;
                        }
                        _ => body.push(self.action(word, at)?),
                    }
                }
            }
        }
    }

    fn action(&mut self, word: &str, at: usize) -> Result<Node> {
        let keyword = matches!(
            word,
            "if" | "with" | "range" | "template" | "block" | "break" | "continue" | "define"
        );
        if !keyword {
            return Ok(Node::Action(self.pipe("command", &TokenKind::Right)?));
        }
        self.next += 1;
        match word {
            "if" | "with" => self.control(at, word),
            "range" => self.range(at),
            "template" => self.call(at),
            "block" => self.block(at),
            "define" => Err(bad(at, "unexpected {{define}}: it stands at the top only")),
            _ if self.ranges == 0 => Err(bad(at, format!("{{{{{word}}}}} outside {{{{range}}}}"))),
            _ => {
                self.expect_right(word)?;
                Ok(if word == "break" {
                    Node::Break
                } else {
                    Node::Continue
                })
            }
        }
    }

    /// `if` or `with`, up to its `{{end}}`.
    fn control(&mut self, at: usize, word: &str) -> Result<Node> {
        self.deeper(at)?;
        let known = self.variables.len();
        let mut arms = Vec::new();
        let otherwise = loop {
            let pipe = self.pipe(word, &TokenKind::Right)?;
            let (body, stop) = self.list(false)?;
            arms.push((pipe, body));
            match stop {
                Stop::End(_) => break Body::new(),
                Stop::EndOfText => return Err(unclosed(at, word)),
                Stop::Else(_) => {}
            }
            self.skip_space();
            if self.peek().kind == TokenKind::Word(word) {
                self.next += 1;
                continue;
            }
            break self.otherwise(at, word)?;
        };
        self.variables.truncate(known);
        self.nesting -= 1;
        Ok(Node::Branch {
            sets_dot: word == "with",
            arms,
            otherwise,
        })
    }

    /// What follows `{{else`.
    fn otherwise(&mut self, at: usize, word: &str) -> Result<Body> {
        self.expect_right("else")?;
        match self.list(false)? {
            (body, Stop::End(_)) => Ok(body),
            (_, Stop::Else(at)) => Err(bad(at, "expected end; found {{else}}")),
            (_, Stop::EndOfText) => Err(unclosed(at, word)),
        }
    }

    fn range(&mut self, at: usize) -> Result<Node> {
        self.deeper(at)?;
        let known = self.variables.len();
        let pipe = self.pipe("range", &TokenKind::Right)?;
        self.ranges += 1;
        let (body, stop) = self.list(false)?;
        self.ranges -= 1;
        let otherwise = match stop {
            Stop::End(_) => Body::new(),
            Stop::Else(_) => self.otherwise(at, "range")?,
            Stop::EndOfText => return Err(unclosed(at, "range")),
        };
        self.variables.truncate(known);
        self.nesting -= 1;
        Ok(Node::Range {
            pipe,
            body,
            otherwise,
        })
    }

    /// `template "name" pipeline`.
    fn call(&mut self, at: usize) -> Result<Node> {
        let name = self.template_name("template")?;
        self.skip_space();
        let pipe = if self.peek().kind == TokenKind::Right {
            self.next += 1;
            None
        } else {
            Some(self.pipe("template clause", &TokenKind::Right)?)
        };
        Ok(Node::Call { at, name, pipe })
    }

    /// `block "name" pipeline`: a definition and its call.
    fn block(&mut self, at: usize) -> Result<Node> {
        let name = self.template_name("block")?;
        let pipe = self.pipe("block clause", &TokenKind::Right)?;
        self.definition(at, name.clone(), "block")?;
        Ok(Node::Call {
            at,
            name,
            pipe: Some(pipe),
        })
    }

    fn define(&mut self, at: usize) -> Result<()> {
        let name = self.template_name("define")?;
        self.expect_right("define clause")?;
        self.definition(at, name, "define")
    }

    fn template_name(&mut self, context: &str) -> Result<Arc<str>> {
        let token = self.take_word();
        match token.kind {
            TokenKind::Str(name) => Ok(name.into()),
            _ => Err(self.unexpected(&token, &format!("{context} clause"))),
        }
    }

    /// A named body, which sees nothing of what is around it.
    fn definition(&mut self, at: usize, name: Arc<str>, word: &str) -> Result<()> {
        self.deeper(at)?;
        let variables = std::mem::replace(&mut self.variables, vec!["$".into()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (body, stop) = self.list(false)?;
        self.variables = variables;
        self.ranges = ranges;
        self.nesting -= 1;
        match stop {
            Stop::End(_) => {}
            Stop::Else(at) => return Err(bad(at, format!("unexpected {{{{else}}}} in {word} clause"))),
            Stop::EndOfText => return Err(unclosed(at, word)),
        }
        let empty = |body: &Body| {
            body.iter()
                .all(|node| matches!(node, Node::Text(range) if self.text[range.clone()].trim().is_empty()))
        };
        match self.named.get(&name) {
            Some(first) if !empty(first) && !empty(&body) => {
                return Err(bad(at, format!("multiple definition of template \"{name}\"")));
            }
            Some(first) if !empty(first) => {}
            _ => {
                self.named.insert(name, body);
            }
        }
        Ok(())
    }

    fn pipe(&mut self, context: &str, end: &TokenKind<'a>) -> Result<Pipe> {
        self.skip_space();
        let at = self.peek().at;
        let (variables, assigns) = self.declaration(context)?;
        let mut commands = Vec::new();
        loop {
            self.skip_space();
            let token = self.peek().clone();
            if token.kind == *end {
                self.next += 1;
                break;
            }
            if !starts_operand(&token.kind) {
                return Err(self.unexpected(&token, context));
            }
            commands.push(self.command()?);
        }
        if commands.is_empty() {
            return Err(bad(at, format!("missing value for {context}")));
        }
        for (index, command) in commands.iter().enumerate().skip(1) {
            if !command.first.kind.is_executable() {
                let stage = index + 1;
                let message = format!("non executable command in pipeline stage {stage}");
                return Err(bad(command.first.at, message));
            }
        }
        Ok(Pipe {
            at,
            variables,
            assigns,
            commands,
        })
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`; nothing where a pipeline starts with a variable's use.
    fn declaration(&mut self, context: &str) -> Result<(Vec<Arc<str>>, bool)> {
        let start = self.next;
        let mut variables: Vec<Arc<str>> = Vec::new();
        loop {
            self.skip_space();
            let TokenKind::Variable(name) = self.peek().kind else {
                break;
            };
            self.next += 1;
            self.skip_space();
            let token = self.peek().clone();
            match token.kind {
                TokenKind::Declare | TokenKind::Assign => {
                    self.next += 1;
                    variables.push(name.into());
                    self.variables.extend(variables.iter().cloned());
                    return Ok((variables, token.kind == TokenKind::Assign));
                }
                TokenKind::Comma if context == "range" && variables.is_empty() => {
                    self.next += 1;
                    variables.push(name.into());
                    self.skip_space();
                    if !matches!(self.peek().kind, TokenKind::Variable(_)) {
                        return Err(bad(token.at, "range can only initialize variables"));
                    }
                }
                TokenKind::Comma => return Err(bad(token.at, format!("too many declarations in {context}"))),
                _ => break,
            }
        }
        self.next = start;
        Ok((Vec::new(), false))
    }

    fn command(&mut self) -> Result<Command> {
        let first = self.operand()?;
        let mut args = Vec::new();
        loop {
            let token = self.peek().clone();
            match token.kind {
                TokenKind::Space => {
                    self.skip_space();
                    if starts_operand(&self.peek().kind) {
                        args.push(self.operand()?);
                    } else if !matches!(
                        self.peek().kind,
                        TokenKind::Right | TokenKind::RightParen | TokenKind::Pipe
                    ) {
                        let token = self.peek().clone();
                        return Err(self.unexpected(&token, "operand"));
                    }
                }
                // Nothing need follow: Go takes a pipe at the end for none.
                TokenKind::Pipe => {
                    self.next += 1;
                    break;
                }
                TokenKind::Right | TokenKind::RightParen => break,
                _ => return Err(self.unexpected(&token, "operand")),
            }
        }
        Ok(Command { first, args })
    }

    /// A term and the fields behind it.
    fn operand(&mut self) -> Result<Expr> {
        let mut term = self.term()?;
        let mut fields: Vec<Arc<str>> = Vec::new();
        while let TokenKind::Field(name) = self.peek().kind {
            fields.push(name.into());
            self.next += 1;
        }
        if fields.is_empty() {
            return Ok(term);
        }
        match &mut term.kind {
            ExprKind::Fields(first) | ExprKind::Variable(_, first) => first.append(&mut fields),
            kind if !kind.is_executable() => return Err(bad(term.at, "unexpected `.` behind a value")),
            _ => {
                return Ok(Expr {
                    at: term.at,
                    kind: ExprKind::Chain(Box::new(term), fields),
                });
            }
        }
        Ok(term)
    }

    fn term(&mut self) -> Result<Expr> {
        let token = self.take();
        let at = token.at;
        let kind = match token.kind {
            TokenKind::Word("nil") => ExprKind::Nil,
            TokenKind::Word("true") => ExprKind::Bool(true),
            TokenKind::Word("false") => ExprKind::Bool(false),
            TokenKind::Word(name) => ExprKind::Function(function(at, name)?),
            TokenKind::Dot => ExprKind::Dot,
            TokenKind::Field(name) => ExprKind::Fields(vec![name.into()]),
            TokenKind::Variable(name) => {
                if !self.variables.iter().any(|v| **v == *name) {
                    return Err(bad(at, format!("undefined variable \"{name}\"")));
                }
                ExprKind::Variable(name.into(), Vec::new())
            }
            TokenKind::Number(text) => ExprKind::Number(number_of(at, text)?),
            TokenKind::Char(text) => ExprKind::Number(char_of(at, text)?),
            TokenKind::Str(text) => ExprKind::Str(text.into()),
            TokenKind::LeftParen => {
                self.deeper(at)?;
                let pipe = self.pipe("parenthesized pipeline", &TokenKind::RightParen)?;
                self.nesting -= 1;
                ExprKind::Pipe(Box::new(pipe))
            }
            _ => return Err(self.unexpected(&token, "operand")),
        };
        Ok(Expr { at, kind })
    }
}

fn unclosed(at: usize, word: &str) -> Bad {
    Bad {
        help: Some("close it with `{{end}}`".into()),
        ..bad(at, format!("`{{{{{word}}}}}` has no `{{{{end}}}}`"))
    }
}

fn starts_operand(kind: &TokenKind<'_>) -> bool {
    matches!(
        kind,
        TokenKind::Word(_)
            | TokenKind::Field(_)
            | TokenKind::Variable(_)
            | TokenKind::Dot
            | TokenKind::Number(_)
            | TokenKind::Char(_)
            | TokenKind::Str(_)
            | TokenKind::LeftParen
    )
}

fn describe(kind: &TokenKind<'_>) -> String {
    match kind {
        TokenKind::Text(_) => "text".into(),
        TokenKind::Left => "`{{`".into(),
        TokenKind::Right => "`}}`".into(),
        TokenKind::Space => "white space".into(),
        TokenKind::Word(word) => format!("`{word}`"),
        TokenKind::Field(name) => format!("`.{name}`"),
        TokenKind::Variable(name) => format!("`{name}`"),
        TokenKind::Dot => "`.`".into(),
        TokenKind::Number(text) => format!("`{text}`"),
        TokenKind::Char(text) => format!("`'{text}'`"),
        TokenKind::Str(_) => "a quoted text".into(),
        TokenKind::Declare => "`:=`".into(),
        TokenKind::Assign => "`=`".into(),
        TokenKind::Pipe => "`|`".into(),
        TokenKind::Comma => "`,`".into(),
        TokenKind::LeftParen => "`(`".into(),
        TokenKind::RightParen => "`)`".into(),
        TokenKind::End => "the end of the text".into(),
    }
}

fn function(at: usize, name: &str) -> Result<&'static crate::function::Function> {
    funcs::find(name).ok_or_else(|| Bad {
        help: funcs::nearest(name).map(|near| format!("did you mean `{near}`?")),
        ..bad(at, format!("function \"{name}\" not defined"))
    })
}

/// A number as Go reads it: an integer where it can be one, a float always.
fn number_of(at: usize, text: &str) -> Result<Number> {
    let syntax = || bad(at, format!("bad number syntax: `{text}`"));
    let hex = text
        .trim_start_matches(['+', '-'])
        .to_ascii_lowercase()
        .starts_with("0x");
    let is_float = text.contains('.') || text.contains(['p', 'P']) || (!hex && text.contains(['e', 'E']));
    if is_float {
        let float = number::float(text).ok_or_else(syntax)?;
        // A float that is whole serves where an integer is wanted.
        let whole = float as i64;
        return Ok(Number {
            int: (whole as f64 == float).then_some(whole),
            float: Some(float),
            is_float,
        });
    }
    let digits = text.strip_prefix('+').unwrap_or(text);
    match number::int_base0(digits) {
        Ok(int) => Ok(Number {
            int: Some(int),
            float: Some(int as f64),
            is_float,
        }),
        Err(number::NotInt::Range) => Err(bad(at, format!("`{text}` overflows int"))),
        Err(number::NotInt::Syntax) => Err(syntax()),
    }
}

fn char_of(at: usize, text: &str) -> Result<Number> {
    let malformed = || bad(at, format!("malformed character constant: '{text}'"));
    let unquoted = if text == "\\'" {
        Some("'".to_owned())
    } else if text == "\"" {
        Some("\"".to_owned())
    } else {
        unquote(text)
    };
    let unquoted = unquoted.ok_or_else(malformed)?;
    let mut chars = unquoted.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => {
            let int = i64::from(u32::from(c));
            Ok(Number {
                int: Some(int),
                float: Some(int as f64),
                is_float: false,
            })
        }
        _ => Err(malformed()),
    }
}
