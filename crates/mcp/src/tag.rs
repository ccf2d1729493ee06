//! What a server numbers (its requests, what it wants progress of), as clients are given it: with the server's name, so that what
//! they say about it finds its way back.

use crate::message::is_id;
use trilithon_wire::json::{self, Value, quote};

/// A number of a server, as JSON: `"files:7"`, `"files:\"a\""`.
pub fn tagged(server: &str, id: &Value<'_>) -> String {
    let text = format!("{server}:{}", id.raw());
    String::from_utf8(quote(&text)).unwrap_or_default()
}

/// The same for a number that the gateway gives in a server's place.
pub fn numbered(server: &str, number: u64) -> String {
    String::from_utf8(quote(&format!("{server}:{number}"))).unwrap_or_default()
}

/// The server and its own number, as JSON; `None` for what no server numbered.
pub fn parted(id: &Value<'_>) -> Option<(String, String)> {
    let text = id.text()?;
    let text = text.to_str();
    let (server, raw) = text.split_once(':')?;
    let value = json::parse(raw.as_bytes()).ok()?;
    (is_id(&value) && value.raw() == raw).then(|| (server.to_owned(), raw.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let check = |id: &str, want: &str| {
            let value = json::parse(id.as_bytes()).unwrap();
            let told = tagged("a-b", &value);
            assert_eq!(told, want);
            let told = json::parse(told.as_bytes()).unwrap();
            assert_eq!(parted(&told), Some(("a-b".to_owned(), id.to_owned())));
        };
        check("7", r#""a-b:7""#);
        check(r#""x\"y""#, r#""a-b:\"x\\\"y\"""#);
    }

    #[test]
    fn numbers_of_the_gateway_come_back() {
        let told = numbered("a", 7);
        let told = json::parse(told.as_bytes()).unwrap();
        assert_eq!(parted(&told), Some(("a".to_owned(), "7".to_owned())));
    }

    #[test]
    fn others_are_nobodys() {
        for id in [
            "7",
            r#""7""#,
            r#""a:""#,
            r#""a:{}""#,
            r#""a: 7""#,
            r#""a:7.5""#,
            r#""a:7 8""#,
            "null",
        ] {
            let value = json::parse(id.as_bytes()).unwrap();
            assert_eq!(parted(&value), None, "{id}");
        }
    }
}
