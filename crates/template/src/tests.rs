//! Limits, messages and what the recorded table cannot show.

use std::time::Duration;

use crate::{Limits, Origin, Template, Value};

fn render(text: &str, limits: &Limits) -> Result<String, String> {
    Template::parse("f.yml", text)
        .and_then(|template| template.render(&Value::from(false), limits))
        .map_err(|error| error.to_string())
}

fn check(text: &str, want: &str) {
    assert_eq!(render(text, &Limits::default()).as_deref(), Ok(want), "{text}");
}

/// The text ends in this message, within the limits and before the test is killed.
fn refuse(text: &str, want: &str) {
    refuse_within(Duration::from_secs(60), text, want);
}

fn refuse_within(time: Duration, text: &str, want: &str) {
    let limits = Limits {
        time,
        steps: 200_000,
        memory: 8 << 20,
        output: 1 << 20,
    };
    let error = render(text, &limits).expect_err(text);
    assert!(error.contains(want), "{text}\n{error}");
}

#[test]
fn messages_say_where() {
    for (text, want) in [
        (
            "a\n  {{ nope 1 }}",
            "template: f.yml:2:6: function \"nope\" not defined",
        ),
        (
            "é {{ .x }}",
            "template: f.yml:1:6: can't evaluate field x in type bool",
        ),
        ("{{ if true }}", "template: f.yml:1:4: `{{if}}` has no `{{end}}`"),
        (
            "\n{{ index (list) 3 }}",
            "template: f.yml:2:4: error calling index: index out of range: 3",
        ),
        ("{{ \"a\" | upper | fail }}", "f.yml:1:18: error calling fail: A"),
        ("{{ upper 1 }}", "f.yml:1:10: expected string; found a number"),
    ] {
        let error = render(text, &Limits::default()).expect_err(text);
        assert!(error.contains(want), "{text}\n{error}\n{want}");
    }
}

#[test]
fn a_wrong_name_gets_the_right_one() {
    for (wrong, right) in [
        ("uper", "upper"),
        ("defualt", "default"),
        ("htmldate", "htmlDate"),
    ] {
        let error = Template::parse("t", format!("{{{{ {wrong} \"a\" }}}}")).expect_err(wrong);
        assert_eq!(error.help, Some(format!("did you mean `{right}`?")), "{wrong}");
    }
    let error = Template::parse("t", "{{ somethingElseEntirely }}").expect_err("unknown");
    assert_eq!(error.help, None);
}

#[test]
fn every_hostile_template_meets_a_limit() {
    // Time and steps.
    refuse("{{ range 9000000000000000000 }}{{ end }}", "too many steps");
    refuse(
        "{{ range until 999 }}{{ range until 999 }}{{ range until 999 }}{{ end }}{{ end }}{{ end }}",
        "too many steps",
    );
    let twice: String = (0..40)
        .map(|n| {
            let next = n + 1;
            format!(
                "{{{{define \"t{n}\"}}}}{{{{template \"t{next}\"}}}}{{{{template \"t{next}\"}}}}{{{{end}}}}"
            )
        })
        .collect();
    refuse(
        &format!("{twice}{{{{define \"t40\"}}}}{{{{end}}}}{{{{template \"t0\"}}}}"),
        "too many steps",
    );
    refuse_within(
        Duration::from_millis(100),
        "{{ range until 500 }}{{ bcrypt \"x\" }}{{ end }}",
        "takes too long",
    );
    // Depth.
    refuse(
        "{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}",
        "nested too deep",
    );
    refuse(&"(".repeat(5000).replace('(', "{{ if true }}"), "nested deeper");
    refuse(
        &format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000)),
        "nested deeper",
    );
    refuse(
        "{{ $x := list }}{{ range until 5000 }}{{ $x = list $x }}{{ end }}",
        "nested too deep",
    );
    refuse(
        "{{ $d := dict }}{{ range until 5000 }}{{ $d = dict \"d\" $d }}{{ end }}{{ $d }}",
        "nested too deep",
    );
    refuse(
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $d }}",
        "nested too deep",
    );
    refuse(
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toJson $d }}{{ mustToJson $d }}",
        "nested too deep",
    );
    refuse(
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ deepCopy $d }}",
        "nested too deep",
    );
    refuse(
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $e := deepCopy (dict) }}{{ $_ := set $e \"d\" $e }}{{ deepEqual $d $e }}",
        "nested too deep",
    );
    // Memory.
    refuse("{{ repeat 1000000000 \"x\" | len }}", "too much memory");
    refuse(
        "{{ $x := \"xxxxxxxxxx\" }}{{ range until 30 }}{{ $x = print $x $x }}{{ end }}",
        "too much memory",
    );
    refuse("{{ until 100000000 | len }}", "too much memory");
    refuse("{{ seq 1 9000000000000000000 }}", "too much memory");
    refuse(
        "{{ printf \"%999999d%999999d%999999d%999999d%999999d%999999d%999999d%999999d%999999d\" 1 1 1 1 1 1 1 1 1 }}",
        "too much memory",
    );
    refuse("{{ indent 1000000000 \"a\" }}", "too much memory");
    refuse(
        "{{ $x := repeat 100000 \"a\" }}{{ replace \"a\" $x $x }}",
        "too much memory",
    );
    refuse(
        "{{ $x := repeat 100000 \"a\" }}{{ regexReplaceAll \"a\" $x $x }}",
        "too much memory",
    );
    refuse(
        "{{ $x := repeat 100000 \"a\" }}{{ wrapWith 1 $x $x }}",
        "too much memory",
    );
    refuse(
        "{{ $x := list \"aaaaaaaaaaaaaaaaaaaaaaa\" }}{{ range until 30 }}{{ $x = list $x $x }}{{ end }}{{ print $x }}",
        "too m",
    );
    refuse("{{ randAlpha 100000000 }}", "too much memory");
    refuse("{{ splitList \"\" (repeat 1000000 \"a\") }}", "too much memory");
    // Output.
    refuse(
        "{{ range until 20000 }}0123456789012345678901234567890123456789012345678901234567890123456789{{ end }}",
        "writes too much",
    );
}

#[test]
fn what_is_not_wanted_is_not_evaluated_and_what_is_changed_is_seen() {
    check(
        "{{ $d := dict \"a\" 1 }}{{ $l := list $d }}{{ $_ := set $d \"a\" 2 }}{{ $l }}",
        "[map[a:2]]",
    );
    check(
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $_ := unset $d \"d\" }}{{ $d }}",
        "map[]",
    );
    // Cycles end with the rendering; a leak would show here under a leak checker alone.
    check("{{ $d := dict }}{{ $_ := set $d \"d\" (list $d) }}ok", "ok");
}

#[test]
fn data_stays_as_it_is() {
    let data = Value::object([("a", Value::from(1))]);
    let template = Template::parse("t", "{{ set . \"b\" 2 }}").expect("it parses");
    let error = template.render(&data, &Limits::default()).expect_err("frozen");
    assert!(error.message.contains("cannot be changed"), "{error}");
    let template = Template::parse(
        "t",
        "{{ $c := deepCopy . }}{{ $_ := set $c \"b\" 2 }}{{ $c }}{{ . }}",
    );
    let text = template.expect("it parses").render(&data, &Limits::default());
    assert_eq!(text.as_deref(), Ok("map[a:1 b:2]map[a:1]"));
}

#[test]
fn what_cuts_a_character_in_two_is_refused() {
    refuse("{{ trunc 1 \"é\" }}", "in two");
    refuse("{{ b64dec \"/w==\" }}", "not UTF-8");
}

#[test]
fn output_knows_where_it_comes_from() {
    let template =
        Template::parse("t", "a: {{ \"x\" }}\n{{ range until 2 }}b{{ . }}\n{{ end }}c").expect("it parses");
    let rendered = template
        .render_traced(&Value::Nil, &Limits::default())
        .expect("it renders");
    assert_eq!(rendered.text, "a: x\nb0\nb1\nc");
    let at = |output: usize, source: usize, copied: bool| Origin {
        output,
        source,
        copied,
    };
    let want = [
        at(0, 0, true),
        at(3, 6, false),
        at(4, 12, true),
        at(5, 32, true),
        at(6, 36, false),
        at(7, 40, true),
        at(8, 32, true),
        at(9, 36, false),
        at(10, 40, true),
        at(11, 50, true),
    ];
    assert_eq!(rendered.origins, want);
}

#[test]
fn certificates_are_ones() {
    let text = "{{ $ca := genCA \"ca\" 10 }}{{ $c := genSignedCert \"a.test\" (list \"127.0.0.1\") (list \"a.test\") 5 $ca }}\
        {{ $k := genPrivateKey \"ecdsa\" }}{{ $e := genSelfSignedCertWithKey \"e.test\" nil nil 5 $k }}\
        {{ $b := buildCustomCert ($c.Cert | b64enc) ($c.Key | b64enc) }}\
        {{ eq $b.Cert $c.Cert }} {{ eq $e.Key $k }} {{ contains \"RSA PRIVATE KEY\" $c.Key }} {{ ne $ca.Cert $c.Cert }}";
    let limits = Limits {
        time: Duration::from_secs(300),
        ..Limits::default()
    };
    // An ECDSA key comes back in the one form that all keys but RSA's have.
    assert_eq!(render(text, &limits).as_deref(), Ok("true false true true"));
}

#[test]
fn names_are_sorted_and_many() {
    let names: Vec<&str> = crate::names().collect();
    assert!(names.is_sorted());
    assert!(names.len() >= 210, "{}", names.len());
}

/// The deepest stack there can be, on a thread of the smallest size that the gateway has.
#[test]
fn the_deepest_stack_fits() {
    let inner = format!("{}upper \"a\"{}", "(".repeat(50), ")".repeat(50));
    let body = format!(
        "{{{{ if true }}}}{{{{ range 1 }}}}{{{{ with {inner} }}}}{{{{ template \"x\" }}}}{{{{ end }}}}{{{{ end }}}}{{{{ end }}}}"
    );
    let text = format!("{{{{ define \"x\" }}}}{body}{{{{ end }}}}{{{{ template \"x\" }}}}");
    let walk = move || refuse(&text, "nested too deep");
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(walk);
    thread.expect("a thread").join().expect("no overflow");
}
