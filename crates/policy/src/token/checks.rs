//! What must be true of a token's claims beside its signature (RFC 7519 §4.1).

use super::{Refusal, TokenClaims};
use serde_json::Value;

/// Rules for the registered claims.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    /// By how many seconds clocks may differ.
    pub skew: u64,
    /// `aud` must hold one of these; any, or none, when empty.
    pub audience: Vec<String>,
    /// Claims that must be there and not null.
    pub required: Vec<String>,
}

impl Checks {
    /// Looks at the claims at `now`, in Unix seconds. Says until when they hold: nothing if they do not expire.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self, claims: &TokenClaims, now: u64) -> Result<Option<u64>, Refusal> {
        let has = |name: &String| claims.get(name).is_some_and(|v| !v.is_null());
        if !self.required.iter().all(has) {
            return Err(Refusal::MissingClaim);
        }
        let until = date(claims, "exp")?.map(|exp| exp.saturating_add(self.skew));
        if until.is_some_and(|until| now >= until) {
            return Err(Refusal::Expired);
        }
        let reached = |date: Option<u64>| date.is_none_or(|date| date <= now.saturating_add(self.skew));
        if !reached(date(claims, "nbf")?) {
            return Err(Refusal::NotYet);
        }
        if !reached(date(claims, "iat")?) {
            return Err(Refusal::IssuedLater);
        }
        if self.audience.is_empty() || self.is_for_us(claims.get("aud")) {
            Ok(until)
        } else {
            Err(Refusal::Audience)
        }
    }

    fn is_for_us(&self, audience: Option<&Value>) -> bool {
        let ours = |value: &Value| {
            value
                .as_str()
                .is_some_and(|v| self.audience.iter().any(|a| a == v))
        };
        match audience {
            Some(Value::Array(all)) => all.iter().any(ours),
            Some(one) => ours(one),
            None => false,
        }
    }
}

/// A date in Unix seconds, rounded down; what is before 1970 is 1970.
fn date(claims: &TokenClaims, name: &str) -> Result<Option<u64>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => match (number.as_u64(), number.as_f64()) {
            (Some(date), _) => Ok(Some(date)),
            // Saturates at both ends.
            (None, Some(date)) => Ok(Some(date as u64)),
            (None, None) => Err(Refusal::Malformed),
        },
        Some(_) => Err(Refusal::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn check(checks: &Checks, claims: &str, want: Result<Option<u64>, Refusal>) {
        let claims = claims.replace("NOW", &NOW.to_string());
        let parsed: TokenClaims = serde_json::from_str(&claims).expect("an object");
        assert_eq!(checks.check(&parsed, NOW), want, "{claims}");
    }

    #[test]
    fn dates() {
        let strict = Checks::default();
        let lax = Checks {
            skew: 60,
            ..Checks::default()
        };
        check(&strict, "{}", Ok(None));
        check(&strict, r#"{"exp":NOW}"#, Err(Refusal::Expired));
        check(&strict, r#"{"exp":1800000001}"#, Ok(Some(NOW + 1)));
        check(&strict, r#"{"exp":1800000000.9}"#, Err(Refusal::Expired));
        check(&lax, r#"{"exp":1799999941}"#, Ok(Some(NOW + 1)));
        check(&lax, r#"{"exp":1799999940}"#, Err(Refusal::Expired));
        check(&strict, r#"{"nbf":NOW,"iat":NOW}"#, Ok(None));
        check(&strict, r#"{"nbf":1800000001}"#, Err(Refusal::NotYet));
        check(&lax, r#"{"nbf":1800000060,"iat":1800000060}"#, Ok(None));
        check(&lax, r#"{"iat":1800000061}"#, Err(Refusal::IssuedLater));
        check(&strict, r#"{"exp":"1900000000"}"#, Err(Refusal::Malformed));
        check(&strict, r#"{"exp":null}"#, Err(Refusal::Malformed));
        check(&strict, r#"{"exp":-1}"#, Err(Refusal::Expired));
        check(&strict, r#"{"exp":1e300}"#, Ok(Some(u64::MAX)));
        check(&lax, r#"{"exp":1e300,"nbf":-1e300}"#, Ok(Some(u64::MAX)));
    }

    #[test]
    fn audiences_and_required_claims() {
        let checks = Checks {
            audience: vec!["shop".to_owned(), "till".to_owned()],
            ..Checks::default()
        };
        check(&checks, r#"{"aud":"till"}"#, Ok(None));
        check(&checks, r#"{"aud":["x","shop"]}"#, Ok(None));
        check(&checks, r#"{"aud":["x"]}"#, Err(Refusal::Audience));
        check(&checks, r#"{"aud":{"shop":1}}"#, Err(Refusal::Audience));
        check(&checks, "{}", Err(Refusal::Audience));
        let checks = Checks {
            required: vec!["exp".to_owned(), "iss".to_owned()],
            ..Checks::default()
        };
        check(
            &checks,
            r#"{"exp":1900000000,"iss":"x"}"#,
            Ok(Some(1_900_000_000)),
        );
        check(&checks, r#"{"exp":1900000000}"#, Err(Refusal::MissingClaim));
        check(
            &checks,
            r#"{"exp":1900000000,"iss":null}"#,
            Err(Refusal::MissingClaim),
        );
    }
}
