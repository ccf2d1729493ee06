//! Words into a tree, by CEL's grammar (language definition, "Syntax"): `?:` binds least, then `||`, `&&`, comparisons, sums,
//! products, signs, and what follows a value. The parser recurses only where brackets and `?:` nest, and no tree is deeper than
//! [`MAX_DEPTH`] of them.

use super::tree::{Expression, Literal, Operator, Shape};
use super::word::{Kind, Word, mistake, words};
use super::{MAX_DEPTH, Mistake};

/// Words that are kept for languages that embed CEL, and name nothing.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Operators by how tightly they bind, the loosest first.
const LEVELS: [&[(&str, Operator)]; 3] = [
    &[
        ("==", Operator::Equal),
        ("!=", Operator::Unequal),
        ("<", Operator::Less),
        ("<=", Operator::LessOrEqual),
        (">", Operator::Greater),
        (">=", Operator::GreaterOrEqual),
        ("in", Operator::In),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[
        ("*", Operator::Multiply),
        ("/", Operator::Divide),
        ("%", Operator::Remainder),
    ],
];

/// The tree of `source`.
///
/// # Errors
/// What is not CEL, and nesting that is too deep.
pub fn parse(source: &str) -> Result<Expression, Mistake> {
    let mut parser = Parser {
        words: words(source)?,
        next: 0,
        depth: 0,
    };
    let root = parser.expression()?;
    match parser.word().kind {
        Kind::End => Ok(root),
        _ => Err(parser.expected("an operator or the end")),
    }
}

struct Parser<'a> {
    /// Ends in [`Kind::End`].
    words: Vec<Word<'a>>,
    next: usize,
    depth: usize,
}

type Parsed = Result<Expression, Mistake>;

impl<'a> Parser<'a> {
    fn word(&self) -> &Word<'a> {
        &self.words[self.next]
    }

    /// Passes over `sign` if it comes next, and says where it was.
    fn take(&mut self, sign: &str) -> Option<usize> {
        let word = self.word();
        let at = word.at;
        matches!(&word.kind, Kind::Sign(found) if *found == sign).then(|| {
            self.next += 1;
            at
        })
    }

    fn expect(&mut self, sign: &str) -> Result<usize, Mistake> {
        self.take(sign).ok_or_else(|| self.expected(&format!("`{sign}`")))
    }

    /// The name that comes next, and where.
    fn name(&mut self) -> Result<(usize, String), Mistake> {
        match &self.word().kind {
            Kind::Name(name) => {
                let named = (self.word().at, (*name).to_owned());
                self.next += 1;
                Ok(named)
            }
            _ => Err(self.expected("a name")),
        }
    }

    fn expected(&self, what: &str) -> Mistake {
        let word = self.word();
        let found = match &word.kind {
            Kind::Sign(sign) => format!("`{sign}`"),
            Kind::Name(name) => format!("`{name}`"),
            Kind::Literal(_) => "a value".to_owned(),
            Kind::End => "the end".to_owned(),
        };
        mistake(word.at, format!("not CEL: expected {what}, found {found}"))
    }

    fn too_deep(&self) -> Mistake {
        mistake(self.word().at, format!("nested more than {MAX_DEPTH} deep")).help("make several rules of it")
    }

    fn expression(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.too_deep());
        }
        let test = self.any()?;
        let whole = match self.take("?") {
            None => test,
            Some(at) => {
                let then = self.any()?;
                self.expect(":")?;
                let otherwise = self.expression()?;
                node(at, Shape::If(Box::new([test, then, otherwise])))
            }
        };
        self.depth -= 1;
        Ok(whole)
    }

    fn any(&mut self) -> Parsed {
        self.row("||", Operator::Or, Self::all)
    }

    fn all(&mut self) -> Parsed {
        self.row("&&", Operator::And, |parser| parser.level(0))
    }

    /// Parts joined by one sign, as a tree of even depth: a long row is not a deep one.
    fn row(&mut self, sign: &str, operator: Operator, part: fn(&mut Self) -> Parsed) -> Parsed {
        let (mut parts, mut places) = (vec![part(self)?], Vec::new());
        while let Some(at) = self.take(sign) {
            places.push(at);
            parts.push(part(self)?);
        }
        Ok(balanced(operator, parts, &places))
    }

    /// Operators of one level, the left ones first.
    fn level(&mut self, level: usize) -> Parsed {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.level(level + 1)?;
        for depth in 0.. {
            let found = operators
                .iter()
                .find_map(|(sign, operator)| Some((self.take(sign)?, *operator)));
            let Some((at, operator)) = found else { break };
            if depth == MAX_DEPTH {
                return Err(self.too_deep());
            }
            let right = self.level(level + 1)?;
            left = node(at, Shape::Binary(operator, Box::new([left, right])));
        }
        Ok(left)
    }

    /// A row of `!` or of `-` is one or none.
    fn unary(&mut self) -> Parsed {
        for (sign, shape) in [
            ("!", Shape::Not as fn(Box<Expression>) -> Shape),
            ("-", Shape::Negate),
        ] {
            let Some(at) = self.take(sign) else { continue };
            let mut count = 1;
            while self.take(sign).is_some() {
                count += 1;
            }
            // One sign before a number belongs to it: the smallest number has no positive.
            if (sign, count) == ("-", 1)
                && let Some(number) = self.negative(at)
            {
                return self.followed(number);
            }
            let of = self.primary().and_then(|of| self.followed(of))?;
            return Ok(if count % 2 == 1 {
                node(at, shape(Box::new(of)))
            } else {
                of
            });
        }
        let first = self.primary()?;
        self.followed(first)
    }

    /// The number that comes next, negated.
    fn negative(&mut self, at: usize) -> Option<Expression> {
        let number = match self.word().kind {
            Kind::Literal(Literal::Int(n)) => Literal::Int(n.wrapping_neg()),
            Kind::Literal(Literal::Double(n)) => Literal::Double(-n),
            _ => return None,
        };
        self.next += 1;
        Some(node(at, Shape::Literal(number)))
    }

    /// `.name`, `.name(…)` and `[…]` behind a value.
    fn followed(&mut self, mut of: Expression) -> Parsed {
        for depth in 0.. {
            if depth == MAX_DEPTH {
                return Err(self.too_deep());
            }
            if let Some(dot) = self.take(".") {
                let (at, name) = self.name()?;
                of = match self.arguments()? {
                    Some(arguments) => node(at, Shape::Call(Some(Box::new(of)), name, arguments)),
                    None => node(dot, Shape::Select(Box::new(of), name)),
                };
            } else if let Some(at) = self.take("[") {
                let index = self.expression()?;
                self.expect("]")?;
                of = node(at, Shape::Index(Box::new([of, index])));
            } else {
                break;
            }
        }
        Ok(of)
    }

    fn primary(&mut self) -> Parsed {
        let word = self.word().clone();
        match word.kind {
            Kind::Literal(Literal::Int(i64::MIN)) => Err(mistake(
                word.at,
                format!("`{}` is too large for a number", i64::MIN.unsigned_abs()),
            )),
            Kind::Literal(literal) => {
                self.next += 1;
                Ok(node(word.at, Shape::Literal(literal)))
            }
            Kind::Name(name) if RESERVED.contains(&name) => {
                Err(mistake(word.at, format!("not CEL: `{name}` is a reserved word")))
            }
            Kind::Name(name) => {
                self.next += 1;
                let shape = match self.arguments()? {
                    Some(arguments) => Shape::Call(None, name.to_owned(), arguments),
                    None => Shape::Name(name.to_owned()),
                };
                Ok(node(word.at, shape))
            }
            Kind::Sign("(") => {
                self.next += 1;
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner)
            }
            Kind::Sign("[") => {
                self.next += 1;
                Ok(node(word.at, Shape::List(self.list("]")?)))
            }
            Kind::Sign("{") => Err(unmakeable(word.at)),
            Kind::Sign("-") => {
                self.next += 1;
                self.negative(word.at).ok_or_else(|| self.expected("a number"))
            }
            _ => Err(self.expected("a value")),
        }
    }

    fn arguments(&mut self) -> Result<Option<Vec<Expression>>, Mistake> {
        match self.take("(") {
            None => Ok(None),
            Some(_) => {
                let arguments = self.list(")")?;
                Ok(Some(arguments))
            }
        }
    }

    /// Values up to a closing bracket; a list may end in a comma.
    fn list(&mut self, end: &str) -> Result<Vec<Expression>, Mistake> {
        let mut items = Vec::new();
        while self.take(end).is_none() {
            if let Word {
                at,
                kind: Kind::Sign("?"),
            } = self.word()
            {
                return Err(unmakeable(*at));
            }
            items.push(self.expression()?);
            if self.take(",").is_none() {
                self.expect(end)?;
                break;
            }
            if end == ")" && matches!(self.word().kind, Kind::Sign(")")) {
                return Err(self.expected("a value"));
            }
        }
        Ok(items)
    }
}

fn node(at: usize, shape: Shape) -> Expression {
    Expression { at, shape }
}

fn unmakeable(at: usize) -> Mistake {
    mistake(at, "objects and optional values cannot be made in an expression")
}

fn balanced(operator: Operator, mut parts: Vec<Expression>, places: &[usize]) -> Expression {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let half = parts.len() / 2;
    let right = balanced(operator, parts.split_off(half), &places[half..]);
    let left = balanced(operator, parts, &places[..half - 1]);
    node(places[half - 1], Shape::Binary(operator, Box::new([left, right])))
}

#[cfg(test)]
mod tests;
