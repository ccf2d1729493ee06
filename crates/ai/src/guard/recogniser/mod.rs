//! The recognisers that are built in: personal data under Presidio's names, and secrets. Each is a row: a name, a pattern, what a
//! match must satisfy beside, and what it is.
//!
//! Checksums keep numbers that are no card and no account out of it. A recogniser says nothing of text that is written around
//! it on purpose (spelled-out digits, invisible characters within a number).

mod check;

use super::Rule;

/// A recogniser.
pub struct Recogniser {
    /// The entity, as rules name it.
    pub name: &'static str,
    /// In the syntax of crate `regex`; what stands at either end is asserted, not part of a match.
    pattern: &'static str,
    accept: Option<fn(&str) -> Option<usize>>,
    /// What it finds, for the manual.
    pub doc: &'static str,
}

const fn row(
    name: &'static str,
    pattern: &'static str,
    accept: Option<fn(&str) -> Option<usize>>,
    doc: &'static str,
) -> Recogniser {
    Recogniser {
        name,
        pattern,
        accept,
        doc,
    }
}

/// All recognisers, personal data first.
pub const ALL: &[Recogniser] = &[
    row(
        "EMAIL_ADDRESS",
        r"(?i)(?-u:\b)[a-z0-9._%+\-]{1,64}@(?:[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?\.){1,8}[a-z]{2,24}(?-u:\b)",
        None,
        "an e-mail address",
    ),
    row(
        "CREDIT_CARD",
        r"(?-u:\b)[2-6](?:[ \-]?[0-9]){11,18}(?-u:\b)",
        Some(check::card),
        "a payment card's number of a known issuer's form, with or without spaces and dashes, whose Luhn sum fits",
    ),
    row(
        "IBAN_CODE",
        r"(?i)(?-u:\b)[a-z]{2}[0-9]{2}(?:[ \-]?[a-z0-9]){11,30}(?-u:\b)",
        Some(check::iban),
        "a bank account's number (ISO 13616) whose check digits fit",
    ),
    row(
        "US_SSN",
        r"(?-u:\b)[0-9]{3}[\- .][0-9]{2}[\- .][0-9]{4}(?-u:\b)",
        Some(check::ssn),
        "a social security number of the United States in its three groups",
    ),
    row(
        "PHONE_NUMBER",
        r"(?:\+[1-9][0-9]{0,2}[ .\-]?(?:\([0-9]{1,4}\)[ .\-]?)?[0-9]{2,4}(?:[ .\-]?[0-9]{2,4}){1,4}|\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[ .\-][0-9]{4}|(?-u:\b)[2-9][0-9]{2}[.\-][2-9][0-9]{2}[.\-][0-9]{4})(?-u:\b)",
        Some(check::phone),
        "a telephone number: international with `+`, or of the North American plan in its three groups",
    ),
    row(
        "IP_ADDRESS",
        r"(?i)(?-u:\b)(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?:[0-9]{0,3}(?:\.[0-9]{1,3}){3})?)(?-u:\b)",
        Some(check::ip),
        "an IPv4 or IPv6 address",
    ),
    row(
        "HIDDEN_TEXT",
        r"(?:\x{1B}\[[0-?]{0,32}[ -/]{0,8}[@-~]|[\p{Cc}\p{Cf}\x{E0000}-\x{E007F}])",
        Some(check::unseen),
        "what readers do not see and models do: characters without width, tags, changes of direction, control characters, and sequences for terminals",
    ),
    row(
        "AWS_ACCESS_KEY",
        r"(?-u:\b)(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?-u:\b)",
        None,
        "an access key's id of Amazon Web Services",
    ),
    row(
        "GITHUB_TOKEN",
        r"(?-u:\b)(?:gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})(?-u:\b)",
        None,
        "a token of GitHub",
    ),
    row(
        "ANTHROPIC_API_KEY",
        r"(?-u:\b)sk-ant-[a-z0-9]{2,12}-[A-Za-z0-9_\-]{20,256}",
        None,
        "an API key of Anthropic",
    ),
    row(
        "OPENAI_API_KEY",
        r"(?-u:\b)sk-(?:(?:proj|svcacct|admin|None)-[A-Za-z0-9_\-]{20,256}|[A-Za-z0-9]{32,64})(?-u:\b)",
        None,
        "an API key of OpenAI",
    ),
    row(
        "GOOGLE_API_KEY",
        r"(?-u:\b)AIza[A-Za-z0-9_\-]{35}",
        None,
        "an API key of Google",
    ),
    row(
        "SLACK_TOKEN",
        r"(?-u:\b)xox[abeoprs]-[A-Za-z0-9\-]{10,255}",
        None,
        "a token of Slack",
    ),
    row(
        "STRIPE_KEY",
        r"(?-u:\b)[rs]k_(?:live|test)_[A-Za-z0-9]{16,247}(?-u:\b)",
        None,
        "a secret or restricted key of Stripe",
    ),
    row(
        "JWT",
        r"(?-u:\b)eyJ[A-Za-z0-9_\-]{8,1024}\.[A-Za-z0-9_\-]{4,4096}\.[A-Za-z0-9_\-]{0,1024}",
        Some(check::jwt),
        "a JSON Web Token whose header names an algorithm",
    ),
    row(
        "PRIVATE_KEY",
        r"-----BEGIN (?:[A-Z0-9]{1,10} ){0,3}PRIVATE KEY-----[A-Za-z0-9+/=\s\\:,\-]*",
        None,
        "a private key in PEM (RFC 7468), whole or cut off",
    ),
];

/// The recogniser of this name.
pub fn named(name: &str) -> Option<&'static Recogniser> {
    ALL.iter().find(|row| row.name == name)
}

impl Recogniser {
    /// As a rule of a detector.
    pub fn rule(&self) -> Rule {
        Rule {
            pattern: self.pattern.to_owned(),
            accept: self.accept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Detector;
    use super::*;
    use proptest::prelude::*;

    fn check(name: &str, text: &str, want: &[&str]) {
        let detector = Detector::new(vec![named(name).unwrap().rule()]).unwrap();
        let found: Vec<&str> = detector.find(text).into_iter().map(|f| &text[f.range]).collect();
        assert_eq!(found, want, "{name} {text}");
    }

    #[test]
    fn personal_data() {
        check(
            "EMAIL_ADDRESS",
            "to ann.lee+x@mail.example.org.",
            &["ann.lee+x@mail.example.org"],
        );
        check("HIDDEN_TEXT", "a\tb\r\nc \u{1f469}\u{200d}\u{1f4bb}", &[]);
        check("HIDDEN_TEXT", "\u{1b}[8mx\u{1b}[0m", &["\u{1b}[8m", "\u{1b}[0m"]);
        check("HIDDEN_TEXT", "a\u{200b}\u{e0041}", &["\u{200b}", "\u{e0041}"]);
        check("EMAIL_ADDRESS", "a@b c@d. @x.test", &[]);
        check("EMAIL_ADDRESS", "<A@B.CO>,c@d.test", &["A@B.CO", "c@d.test"]);
        check(
            "CREDIT_CARD",
            "card 4111 1111 1111 1111, thanks",
            &["4111 1111 1111 1111"],
        );
        check("CREDIT_CARD", "4111111111111112", &[]);
        check(
            "CREDIT_CARD",
            "order 12 5500-0000-0000-0004",
            &["5500-0000-0000-0004"],
        );
        check("CREDIT_CARD", "378282246310005 12 34", &["378282246310005"]);
        check("CREDIT_CARD", "41111111111111111111111111", &[]);
        check(
            "IBAN_CODE",
            "DE89 3704 0044 0532 0130 00 today",
            &["DE89 3704 0044 0532 0130 00"],
        );
        check("IBAN_CODE", "gb82west12345698765432", &["gb82west12345698765432"]);
        check("IBAN_CODE", "DE88370400440532013000 ZZ00AAAAAAAAAAAAAA", &[]);
        check(
            "US_SSN",
            "078-05-1120 123-45-6789 000-12-3456 912-34-5678",
            &["123-45-6789"],
        );
        check("US_SSN", "123-00-6789 123-45-0000 666-45-6789 123-45-67890", &[]);
        check("US_SSN", "123-45 6789", &[]);
        check(
            "PHONE_NUMBER",
            "+49 30 1234567 or (212) 555-0187",
            &["+49 30 1234567", "(212) 555-0187"],
        );
        check(
            "PHONE_NUMBER",
            "212-555-0187, +1 (212) 555 0187",
            &["212-555-0187", "+1 (212) 555 0187"],
        );
        check("PHONE_NUMBER", "1+1, 2024-01-02, 12345678, +1 234", &[]);
        check(
            "IP_ADDRESS",
            "from 10.0.0.1 and 2001:db8::1, not 256.1.1.1",
            &["10.0.0.1", "2001:db8::1"],
        );
        check("IP_ADDRESS", "12:30:45 g::h 1.2.3", &[]);
    }

    #[test]
    fn secrets() {
        let long = "Ab3".repeat(20);
        check(
            "AWS_ACCESS_KEY",
            "AKIAIOSFODNN7EXAMPLE akiaiosfodnn7example",
            &["AKIAIOSFODNN7EXAMPLE"],
        );
        let token = format!("ghp_{}", &long[..36]);
        check("GITHUB_TOKEN", &format!("x={token};"), &[&token]);
        check("GITHUB_TOKEN", "ghp_short", &[]);
        let token = format!("sk-ant-api03-{long}");
        check("ANTHROPIC_API_KEY", &token, &[&token]);
        check("OPENAI_API_KEY", &token, &[]);
        let token = format!("sk-proj-{long}");
        check("OPENAI_API_KEY", &format!("\"{token}\""), &[&token]);
        check(
            "OPENAI_API_KEY",
            &format!("sk-{}", &long[..48]),
            &[&format!("sk-{}", &long[..48])],
        );
        check("OPENAI_API_KEY", "sk-learn and sk-something-else", &[]);
        check("SLACK_TOKEN", "xoxb-1234567890-abc", &["xoxb-1234567890-abc"]);
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln";
        check("JWT", &format!("Bearer {jwt} x"), &[jwt]);
        check("JWT", "eyJhYmMiOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", &[]);
        let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\nxx==\n-----END RSA PRIVATE KEY-----";
        check("PRIVATE_KEY", &format!("{pem}!"), &[pem]);
        check("PRIVATE_KEY", "-----BEGIN PUBLIC KEY-----\nMIIB", &[]);
    }

    #[test]
    fn names_are_one_each_and_patterns_compile() {
        let mut names: Vec<&str> = ALL.iter().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(Detector::new(ALL.iter().map(Recogniser::rule).collect()).is_ok());
        assert!(named("PERSON").is_none());
    }

    proptest! {
        #[test]
        fn every_card_with_a_right_sum_is_found_and_no_other(digits in proptest::collection::vec(0u8..10, 14)) {
            let body: String = std::iter::once('4').chain(digits.iter().map(|d| (b'0' + d) as char)).collect();
            let right: Vec<String> = (0..10)
                .map(|last| format!("{body}{last}"))
                .filter(|number| check::luhn(number.as_bytes()))
                .collect();
            prop_assert_eq!(right.len(), 1, "one check digit fits");
            check("CREDIT_CARD", &format!("no {} yes", right[0]), &[&right[0]]);
        }
    }
}
