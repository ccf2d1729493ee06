//! The expressions of `circuitBreaker` and of buffering's `retryExpression`: function calls compared with literals, joined
//! by `&&`, `||` and parentheses. What the functions are is for the middleware to say.
//!
//! The grammar is the part of Go's expressions that Traefik's evaluator accepts: a call stands on the left, a literal on
//! the right, literals have no sign, and there is no `!`.

/// A constant in an expression. `1` and `1.0` are different types and never compare.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Int(i64),
    Float(f64),
    Text(String),
}

/// A comparison of a function's value with a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Compare {
    /// Whether `left` stands in this relation to `right`.
    pub fn holds<T: PartialOrd + ?Sized>(self, left: &T, right: &T) -> bool {
        match self {
            Compare::Less => left < right,
            Compare::LessOrEqual => left <= right,
            Compare::Greater => left > right,
            Compare::GreaterOrEqual => left >= right,
            Compare::Equal => left == right,
            Compare::NotEqual => left != right,
        }
    }
}

/// One call with what it is compared with, if with anything.
#[derive(Clone, Debug, PartialEq)]
pub struct Call<'a> {
    pub name: &'a str,
    pub arguments: Vec<Literal>,
    pub compared: Option<(Compare, Literal)>,
}

/// A parsed expression over terms of the middleware's own.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression<T> {
    All(Vec<Expression<T>>),
    Any(Vec<Expression<T>>),
    Term(T),
}

impl<T> Expression<T> {
    /// Reads `text`; `term` turns each call into a term or says why it cannot.
    ///
    /// # Errors
    /// A phrase for the configuration's report.
    pub fn parse(text: &str, term: impl Fn(Call<'_>) -> Result<T, String>) -> Result<Self, String> {
        let tokens = tokens(text)?;
        let mut parser = Parser {
            tokens: &tokens,
            term: &term,
            depth: 0,
        };
        let expression = parser.any()?;
        match parser.next() {
            None => Ok(expression),
            Some(token) => Err(format!("unexpected {token}")),
        }
    }

    /// Whether the expression is true when `test` decides on terms.
    pub fn holds(&self, test: &impl Fn(&T) -> bool) -> bool {
        match self {
            Expression::All(parts) => parts.iter().all(|p| p.holds(test)),
            Expression::Any(parts) => parts.iter().any(|p| p.holds(test)),
            Expression::Term(term) => test(term),
        }
    }

    /// Whether any term is one for which `is` says so.
    pub fn mentions(&self, is: &impl Fn(&T) -> bool) -> bool {
        match self {
            Expression::All(parts) | Expression::Any(parts) => parts.iter().any(|p| p.mentions(is)),
            Expression::Term(term) => is(term),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token<'a> {
    Name(&'a str),
    Literal(Literal),
    Compare(Compare),
    And,
    Or,
    Open,
    Close,
    Comma,
}

impl std::fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::Name(name) => write!(f, "`{name}`"),
            Token::Literal(literal) => write!(f, "literal `{literal:?}`"),
            Token::Compare(_) => f.write_str("comparison"),
            Token::And => f.write_str("`&&`"),
            Token::Or => f.write_str("`||`"),
            Token::Open => f.write_str("`(`"),
            Token::Close => f.write_str("`)`"),
            Token::Comma => f.write_str("`,`"),
        }
    }
}

const SIGNS: [(&str, Token<'static>); 11] = [
    ("&&", Token::And),
    ("||", Token::Or),
    ("<=", Token::Compare(Compare::LessOrEqual)),
    (">=", Token::Compare(Compare::GreaterOrEqual)),
    ("==", Token::Compare(Compare::Equal)),
    ("!=", Token::Compare(Compare::NotEqual)),
    ("<", Token::Compare(Compare::Less)),
    (">", Token::Compare(Compare::Greater)),
    ("(", Token::Open),
    (")", Token::Close),
    (",", Token::Comma),
];

fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, len) = match first {
            '"' | '`' => quoted(rest)?,
            '0'..='9' | '.' => number(rest)?,
            c if c.is_ascii_alphabetic() || c == '_' => {
                let len = span(rest, |c| c.is_ascii_alphanumeric() || c == '_');
                (Token::Name(&rest[..len]), len)
            }
            c => match SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
                Some((sign, token)) => (token.clone(), sign.len()),
                None => return Err(format!("unexpected `{c}`")),
            },
        };
        found.push(token);
        rest = rest[len..].trim_start();
    }
    Ok(found)
}

fn span(text: &str, is: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is(c)).unwrap_or(text.len())
}

fn number(text: &str) -> Result<(Token<'_>, usize), String> {
    let len = span(text, |c| c.is_ascii_alphanumeric() || c == '.');
    let digits = &text[..len];
    let literal = if digits.bytes().all(|b| b.is_ascii_digit()) {
        digits.parse().ok().map(Literal::Int)
    } else if digits
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E'))
    {
        digits.parse().ok().map(Literal::Float)
    } else {
        None
    };
    literal
        .map(|l| (Token::Literal(l), len))
        .ok_or_else(|| format!("`{digits}` is not a number"))
}

fn quoted(text: &str) -> Result<(Token<'_>, usize), String> {
    let open = if text.starts_with('`') { '`' } else { '"' };
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == open => return Ok((Token::Literal(Literal::Text(value)), at + 1)),
            '\\' if open == '"' => match chars.next() {
                Some((_, c @ ('"' | '\\'))) => value.push(c),
                _ => return Err("unknown escape in text".to_owned()),
            },
            c => value.push(c),
        }
    }
    Err("text is not closed".to_owned())
}

/// Parentheses beyond this are a mistake, and must not use up the stack.
const MAX_DEPTH: usize = 32;

struct Parser<'t, 'a, F> {
    tokens: &'t [Token<'a>],
    term: &'t F,
    depth: usize,
}

impl<'t, 'a, F> Parser<'t, 'a, F> {
    fn next(&mut self) -> Option<&'t Token<'a>> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn take(&mut self, token: &Token<'_>) -> bool {
        let is = self.tokens.first() == Some(token);
        if is {
            self.tokens = &self.tokens[1..];
        }
        is
    }

    fn any<T>(&mut self) -> Result<Expression<T>, String>
    where
        F: Fn(Call<'_>) -> Result<T, String>,
    {
        let mut parts = vec![self.all()?];
        while self.take(&Token::Or) {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 {
            parts.remove(0)
        } else {
            Expression::Any(parts)
        })
    }

    fn all<T>(&mut self) -> Result<Expression<T>, String>
    where
        F: Fn(Call<'_>) -> Result<T, String>,
    {
        let mut parts = vec![self.one()?];
        while self.take(&Token::And) {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 {
            parts.remove(0)
        } else {
            Expression::All(parts)
        })
    }

    fn one<T>(&mut self) -> Result<Expression<T>, String>
    where
        F: Fn(Call<'_>) -> Result<T, String>,
    {
        match self.next() {
            Some(Token::Open) => self.parenthesis(),
            Some(Token::Name(name)) => {
                let arguments = self.arguments(name)?;
                let compared = self.compared()?;
                (self.term)(Call {
                    name,
                    arguments,
                    compared,
                })
                .map(Expression::Term)
            }
            Some(token) => Err(format!("unexpected {token}, a function must stand here")),
            None => Err("a function is missing".to_owned()),
        }
    }

    fn parenthesis<T>(&mut self) -> Result<Expression<T>, String>
    where
        F: Fn(Call<'_>) -> Result<T, String>,
    {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("too many parentheses".to_owned());
        }
        let inner = self.any()?;
        self.depth -= 1;
        if self.take(&Token::Close) {
            Ok(inner)
        } else {
            Err("`)` is missing".to_owned())
        }
    }

    fn arguments(&mut self, name: &str) -> Result<Vec<Literal>, String> {
        if !self.take(&Token::Open) {
            return Err(format!("`(` is missing after `{name}`"));
        }
        let mut arguments = Vec::new();
        if self.take(&Token::Close) {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.literal()?);
            match self.next() {
                Some(Token::Comma) => {}
                Some(Token::Close) => return Ok(arguments),
                _ => return Err(format!("`)` is missing after the arguments of `{name}`")),
            }
        }
    }

    fn compared(&mut self) -> Result<Option<(Compare, Literal)>, String> {
        let Some(&Token::Compare(compare)) = self.tokens.first() else {
            return Ok(None);
        };
        self.next();
        Ok(Some((compare, self.literal()?)))
    }

    fn literal(&mut self) -> Result<Literal, String> {
        match self.next() {
            Some(Token::Literal(literal)) => Ok(literal.clone()),
            Some(token) => Err(format!("unexpected {token}, a literal must stand here")),
            None => Err("a literal is missing".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shape of an expression whose terms are shown as they were called.
    fn shape(text: &str) -> Result<String, String> {
        fn show(e: &Expression<String>) -> String {
            let join =
                |parts: &[Expression<String>], with| parts.iter().map(show).collect::<Vec<_>>().join(with);
            match e {
                Expression::All(parts) => format!("({})", join(parts, " and ")),
                Expression::Any(parts) => format!("({})", join(parts, " or ")),
                Expression::Term(t) => t.clone(),
            }
        }
        Expression::parse(text, |c| {
            Ok(format!("{}{:?}{:?}", c.name, c.arguments, c.compared))
        })
        .map(|e| show(&e))
    }

    #[test]
    fn grammar() {
        let check = |text: &str, want: Option<&str>| assert_eq!(shape(text).ok().as_deref(), want, "{text}");
        check("A()", Some("A[]None"));
        check("A() > 1", Some("A[]Some((Greater, Int(1)))"));
        check(
            "A(1, 2.5,\"x\")==`y`",
            Some("A[Int(1), Float(2.5), Text(\"x\")]Some((Equal, Text(\"y\")))"),
        );
        check("A() || B() && C()", Some("(A[]None or (B[]None and C[]None))"));
        check("(A() || B()) && C()", Some("((A[]None or B[]None) and C[]None)"));
        check("A() <= 1e3", Some("A[]Some((LessOrEqual, Float(1000.0)))"));
        check(
            &format!("{}A(){}", "(".repeat(32), ")".repeat(32)),
            Some("A[]None"),
        );
        for bad in [
            "",
            "A",
            "A(",
            "A()>",
            "A() > -1",
            "!(A())",
            "1 < A()",
            "A() and B()",
            "A() B()",
            "(A()",
            "A())",
            "A() > B()",
            "A(B())",
            "A() > 0x1g",
            "A() == \"x",
            "A() == \"\\n\"",
            "A(1,)",
            "A() && ",
            "A() > 1 > 2",
        ] {
            check(bad, None);
        }
        check(&"(".repeat(100_000), None);
    }

    #[test]
    fn evaluation() {
        let check = |text: &str, want: bool| {
            let e = Expression::parse(text, |c| Ok(c.name == "T")).expect("valid");
            assert_eq!(e.holds(&|t| *t), want, "{text}");
        };
        check("T()", true);
        check("F() || T() && F()", false);
        check("T() || F() && F()", true);
        check("(T() || F()) && F()", false);
        check("T() && T() && F()", false);
    }
}
