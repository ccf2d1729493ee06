//! Claims expressions: what holds, what decides, and that logic is logic.

use super::*;
use crate::expression::FUNCTIONS;
use proptest::prelude::*;
use serde_json::json;

fn claims() -> Map<String, Json> {
    let claims = json!({
        "sub": "ann", "grp": ["dev", "ops", 7, true], "scope": "read write", "level": 3, "half": 0.5, "admin": false,
        "a.b": "dotted", "back\\slash": "yes", "none": null, "empty": "",
        "realm": {"roles": ["user"], "name": "main", "in.ner": {"x": "y"}},
    });
    claims.as_object().cloned().unwrap_or_default()
}

#[test]
fn what_holds() {
    let check = |text: &str, want: bool| {
        let parsed = Claims::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(parsed.holds(&claims()), want, "{text}");
        assert_eq!(parsed.explain(&claims()).holds, want, "{text}, explained");
    };
    check("Equals(`sub`, `ann`)", true);
    check("Equals(`sub`,`Ann`)", false);
    check("Equals(`level`, `3`)", true);
    check("Equals(`level`, `3.0`)", false);
    check("Equals(`half`, `0.5`)", true);
    check("Equals(`admin`, `false`)", true);
    check("Equals(`none`, `null`)", false);
    check("Equals(`none`, ``)", false);
    check("Equals(`missing`, ``)", false);
    check("Equals(`empty`, ``)", true);
    check("Equals(`grp`, `dev`)", false);
    check("Prefix(`sub`, `an`)", true);
    check("Prefix(`sub`, ``)", true);
    check("Prefix(`sub`, `nn`)", false);
    check("Prefix(`grp`, `d`)", false);
    check("Prefix(`level`, `3`)", false);
    check("Contains(`scope`, `ad w`)", true);
    check("Contains(`grp`, `ops`)", true);
    check("Contains(`grp`, `op`)", false);
    check("Contains(`grp`, `7`)", true);
    check("Contains(`realm`, `name`)", false);
    check("SplitContains(`scope`, ` `, `write`)", true);
    check("SplitContains(`scope`, ` `, `wri`)", false);
    check("SplitContains(`grp`, ` `, `dev`)", false);
    check("OneOf(`grp`, `x`, `ops`)", true);
    check("OneOf(`grp`, `x`, `y`)", false);
    check("OneOf(`sub`, `ann`)", false);
    check("Equals(`realm.name`, `main`)", true);
    check("Contains(`realm.roles`, `user`)", true);
    check("Equals(`a.b`, `dotted`)", false);
    check(r"Equals(`a\.b`, `dotted`)", true);
    check(r"Equals(`back\\slash`, `yes`)", true);
    check(r"Equals(`realm.in\.ner.x`, `y`)", true);
    check("!Equals(`missing`, `x`)", true);
    check("!!Equals(`sub`, `ann`)", true);
    check(
        "Equals(`sub`, `x`) || Equals(`sub`, `ann`) && Equals(`level`, `3`)",
        true,
    );
    check(
        "(Equals(`sub`, `ann`) || Equals(`sub`, `x`)) && Equals(`level`, `4`)",
        false,
    );
    check("!(Equals(`sub`, `ann`) && Equals(`level`, `4`))", true);
}

#[test]
fn what_decides() {
    let check = |text: &str, because: &str| {
        let parsed = Claims::parse(text).expect("valid");
        assert_eq!(parsed.explain(&claims()).because, because, "{text}");
    };
    let (yes, no) = ("Equals(`sub`, `ann`)", "Equals(`sub`, `bob`)");
    check(yes, yes);
    check(&format!("{yes} && {no} && Equals(`x`, `y`)"), no);
    check(&format!("{no} || ( {yes} )"), yes);
    check(&format!("{yes}  &&  !{no}"), &format!("{yes}  &&  !{no}"));
    check(&format!("{yes} && !{yes}"), &format!("!{yes}"));
    check(
        &format!("{no} || ({no} && {yes})"),
        &format!("{no} || ({no} && {yes})"),
    );
}

#[test]
fn what_it_looks_at() {
    let parsed = Claims::parse("Equals(`a`, `x`) || !(Prefix(`iss.b`, `y`))").expect("valid");
    assert!(parsed.mentions("a") && parsed.mentions("iss") && !parsed.mentions("b"));
}

fn expression() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("sub"),
        Just("scope"),
        Just("grp"),
        Just("realm.name"),
        Just("level")
    ];
    let value = "[a-z0-9 .]{0,4}";
    let test = (0..5usize, key, proptest::collection::vec(value, 2)).prop_map(|(f, key, v)| {
        let (name, least, _) = FUNCTIONS[f];
        let values: String = v[..least - 1].iter().map(|v| format!(", `{v}`")).collect();
        format!("{name}(`{key}`{values})")
    });
    test.prop_recursive(5, 32, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && {b}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a} || {b})")),
        ]
    })
}

proptest! {
    #[test]
    fn an_explanation_is_a_part_that_decides_the_same(text in expression()) {
        let parsed = Claims::parse(&text).expect("valid");
        let holds = parsed.holds(&claims());
        let explained = parsed.explain(&claims());
        prop_assert_eq!(explained.holds, holds);
        let alone = Claims::parse(explained.because).expect("a part is an expression");
        prop_assert_eq!(alone.holds(&claims()), holds);
    }

    #[test]
    fn logic_is_logic(a in expression(), b in expression()) {
        let holds = |text: &str| Claims::parse(text).expect("valid").holds(&claims());
        let (x, y) = (holds(&a), holds(&b));
        prop_assert_eq!(holds(&format!("({a}) && ({b})")), x && y);
        prop_assert_eq!(holds(&format!("({a}) || ({b})")), x || y);
        prop_assert_eq!(holds(&format!("!({a})")), !x);
    }

    #[test]
    fn any_text_is_read_or_refused_within_itself(text in ".{0,80}") {
        if let Err(error) = Claims::parse(&text) {
            prop_assert!(error.at <= text.len());
        }
    }
}
