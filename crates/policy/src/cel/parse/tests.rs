use super::*;
use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue, operators};
use proptest::prelude::*;

/// What was read, with brackets around every operation. Rows of `&&` and of `||` are one: how they are made a tree does not matter.
fn form(expression: &Expression) -> String {
    match &expression.shape {
        Shape::Literal(literal) => match literal {
            Literal::Null => "null".into(),
            Literal::Bool(b) => b.to_string(),
            Literal::Int(n) => n.to_string(),
            Literal::UInt(n) => format!("{n}u"),
            Literal::Double(n) => format!("{n:?}"),
            Literal::Text(text) => format!("{text:?}"),
            Literal::Bytes => "bytes".into(),
        },
        Shape::Name(name) => name.clone(),
        Shape::Select(of, name) => format!("{}.{name}", form(of)),
        Shape::Index(both) => call("_[_]", None, both.iter().map(form)),
        Shape::Call(of, name, arguments) => call(name, of.as_deref().map(form), arguments.iter().map(form)),
        Shape::Not(of) => call("!_", None, [form(of)]),
        Shape::Negate(of) => call("-_", None, [form(of)]),
        Shape::If(three) => call("_?_:_", None, three.iter().map(form)),
        Shape::List(items) => call("list", None, items.iter().map(form)),
        Shape::Binary(operator, both) => {
            let name = match operator {
                Operator::Or => return row("||", both.iter().map(form)),
                Operator::And => return row("&&", both.iter().map(form)),
                Operator::Equal => "_==_",
                Operator::Unequal => "_!=_",
                Operator::Less => "_<_",
                Operator::LessOrEqual => "_<=_",
                Operator::Greater => "_>_",
                Operator::GreaterOrEqual => "_>=_",
                Operator::In => "@in",
                Operator::Add => "_+_",
                Operator::Subtract => "_-_",
                Operator::Multiply => "_*_",
                Operator::Divide => "_/_",
                Operator::Remainder => "_%_",
            };
            call(name, None, both.iter().map(form))
        }
    }
}

/// The same of crate `cel`'s tree; nothing for what ours does not have.
fn theirs(expression: &IdedExpr) -> Option<String> {
    let all = |items: &[IdedExpr]| items.iter().map(theirs).collect::<Option<Vec<String>>>();
    match &expression.expr {
        Expr::Literal(literal) => Some(match literal {
            LiteralValue::Null => "null".into(),
            LiteralValue::Boolean(b) => b.inner().to_string(),
            LiteralValue::Int(n) => n.inner().to_string(),
            LiteralValue::UInt(n) => format!("{}u", n.inner()),
            LiteralValue::Double(n) => format!("{:?}", n.inner()),
            LiteralValue::String(text) => format!("{:?}", text.inner()),
            LiteralValue::Bytes(_) => "bytes".into(),
        }),
        Expr::Ident(name) => (!name.starts_with('.')).then(|| name.clone()),
        Expr::Select(select) if !select.test => {
            Some(format!("{}.{}", theirs(&select.operand)?, select.field))
        }
        Expr::List(list) if list.optional_indices.is_empty() => {
            Some(self::call("list", None, all(&list.elements)?))
        }
        Expr::Call(call) => {
            let arguments = all(&call.args)?;
            let of = match &call.target {
                Some(of) => Some(theirs(of)?),
                None => None,
            };
            match call.func_name.as_str() {
                operators::LOGICAL_AND => Some(row("&&", arguments)),
                operators::LOGICAL_OR => Some(row("||", arguments)),
                name if name.starts_with('.') => None,
                name => Some(self::call(name, of, arguments)),
            }
        }
        _ => None,
    }
}

fn call(name: &str, of: Option<String>, arguments: impl IntoIterator<Item = String>) -> String {
    let arguments: Vec<String> = arguments.into_iter().collect();
    match of {
        Some(of) => format!("{of}.{name}({})", arguments.join(", ")),
        None => format!("{name}({})", arguments.join(", ")),
    }
}

fn row(sign: &str, parts: impl IntoIterator<Item = String>) -> String {
    let open = format!("({sign} ");
    let parts: Vec<String> = parts
        .into_iter()
        .map(
            |part| match part.strip_prefix(&open).and_then(|p| p.strip_suffix(')')) {
                Some(inner) => inner.to_owned(),
                None => part,
            },
        )
        .collect();
    format!("{open}{})", parts.join(", "))
}

#[test]
fn grammar() {
    let check = |text: &str, want: &str| {
        let tree = parse(text).unwrap_or_else(|m| panic!("{text}: {m} at {}", m.at));
        assert_eq!(form(&tree), want, "{text}");
    };
    check("1 + 2 * 3 - 4", "_-_(_+_(1, _*_(2, 3)), 4)");
    check("a || b && c || d", "(|| a, (&& b, c), d)");
    check("a == b == c", "_==_(_==_(a, b), c)");
    check("a ? b : c ? d : e", "_?_:_(a, b, _?_:_(c, d, e))");
    check("!!!a", "!_(a)");
    check("!!a", "a");
    check("--5", "5");
    check("-9223372036854775808", "-9223372036854775808");
    check("-a.b", "-_(a.b)");
    check("- 2.5e-3", "-0.0025");
    check("!-7", "!_(-7)");
    check("a.b['c'].d(1, [2, 3u,])", "_[_](a.b, \"c\").d(1, list(2, 3u))");
    check("x in [0x1F, .5] // the end", "@in(x, list(31, 0.5))");
    check(
        r#"'a\n\x41\u00e9\101' + r'\n' + """b"c""" "#,
        r#"_+_(_+_("a\nAéA", "\\n"), "b\"c")"#,
    );
    check("a.in_list.for", "a.in_list.for");
}

#[test]
fn mistakes() {
    let check = |text: &str, at: usize, message: &str| {
        let mistake = parse(text).expect_err(text);
        assert_eq!((mistake.at, &*mistake.message), (at, message), "{text}");
    };
    check("", 0, "not CEL: expected a value, found the end");
    check("a ==", 4, "not CEL: expected a value, found the end");
    check("a b", 2, "not CEL: expected an operator or the end, found `b`");
    check("(a", 2, "not CEL: expected `)`, found the end");
    check("f(a,)", 4, "not CEL: expected a value, found `)`");
    check("a ? b", 5, "not CEL: expected `:`, found the end");
    check("a.'b'", 2, "not CEL: expected a name, found a value");
    check("a = b", 2, "not CEL: `=` means nothing here");
    check("é", 0, "not CEL: `é` means nothing here");
    check("a == 'x", 5, "not CEL: the text is not closed");
    check("'x\n'", 0, "not CEL: the text is not closed on its line");
    check(r"'\q'", 1, "not CEL: the backslash means nothing here");
    check(r"'\ud800'", 1, "not CEL: there is no such character");
    check("if == 1", 0, "not CEL: `if` is a reserved word");
    check(
        "9223372036854775808",
        0,
        "`9223372036854775808` is too large for a number",
    );
    check(
        "5 - 9223372036854775808",
        4,
        "`9223372036854775808` is too large for a number",
    );
    check(
        "18446744073709551616u",
        0,
        "`18446744073709551616` is too large for a number",
    );
    check("1e999", 0, "`1e999` is too large for a number");
    check(
        "{}",
        0,
        "objects and optional values cannot be made in an expression",
    );
}

/// Words in any order, which seldom are an expression, and expressions with any brackets.
fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => prop_oneof![Just("a"), Just("b.c"), Just("f(a)"), Just("a.g(1, b)"), Just("[a, 1]"), Just("a[0]")],
        3 => prop_oneof![Just("1"), Just("2u"), Just("0x1f"), Just("1.5"), Just("2e3"), Just(".5"), Just("null"), Just("true")],
        2 => prop_oneof![Just("'x'"), Just("\"a\\tb\""), Just("r'\\d'"), Just("'''q'''"), Just("'\\u0041'"), Just("b'x'")],
        6 => prop_oneof![
            Just("+"), Just("-"), Just("*"), Just("/"), Just("%"), Just("=="), Just("!="), Just("<"), Just("<="),
            Just(">"), Just(">="), Just("&&"), Just("||"), Just(" in "), Just("!"), Just("?"), Just(":"),
        ],
        3 => prop_oneof![Just("("), Just(")"), Just("["), Just("]"), Just(","), Just("."), Just(" "), Just("//")],
    ];
    prop::collection::vec(word, 1..14).prop_map(|words| words.join(" "))
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("a".to_owned()),
        Just("b.c".to_owned()),
        Just("f(a)".to_owned()),
        Just("[]".to_owned()),
        Just("1".to_owned()),
        Just("-7".to_owned()),
        Just("2.5".to_owned()),
        Just("'x'".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let sign = prop_oneof![
            Just("+"),
            Just("-"),
            Just("*"),
            Just("%"),
            Just("=="),
            Just("<"),
            Just("&&"),
            Just("||"),
            Just(" in "),
        ];
        prop_oneof![
            4 => (inner.clone(), sign, inner.clone()).prop_map(|(a, s, b)| format!("{a}{s}{b}")),
            1 => inner.clone().prop_map(|a| format!("({a})")),
            1 => inner.clone().prop_map(|a| format!("!{a}")),
            1 => inner.clone().prop_map(|a| format!("-{a}")),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("{a}?{b}:{c}")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}).m({b})[{b}]")),
            1 => (inner.clone(), inner).prop_map(|(a, b)| format!("[{a}, {b}]")),
        ]
    })
}

/// Ours reads what crate `cel` reads, and takes it for the same.
fn agrees(text: &str) -> Result<(), TestCaseError> {
    let crate_ = cel::parser::Parser::new().parse(text);
    match (parse(text), crate_) {
        (Ok(ours), Ok(tree)) => {
            if let Some(want) = theirs(&tree) {
                prop_assert_eq!(form(&ours), want, "{}", text);
            }
        }
        (Err(mistake), Ok(tree)) => {
            let ours_has_not = mistake.message.contains("cannot be made") || theirs(&tree).is_none();
            prop_assert!(ours_has_not, "{} is refused: {} at {}", text, mistake, mistake.at);
        }
        (Ok(ours), Err(_)) => prop_assert!(false, "{} is read as {}", text, form(&ours)),
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_words(text in text()) {
        agrees(&text)?;
    }

    #[test]
    fn any_expression(text in expression()) {
        agrees(&text)?;
    }

    #[test]
    fn never_panics(text in "\\PC{0,60}") {
        let _ = parse(&text);
    }
}
