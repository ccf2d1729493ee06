//! Sets of status codes as `errors` and `retry` write them: `500`, `500-599`.

/// Status codes, as a list of ranges with both ends inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusRanges(Vec<(u16, u16)>);

impl StatusRanges {
    /// Reads one entry for each range.
    ///
    /// # Errors
    /// A phrase that names what is not a status code.
    pub fn parse<S: AsRef<str>>(texts: &[S]) -> Result<StatusRanges, String> {
        texts
            .iter()
            .map(|t| range(t.as_ref()))
            .collect::<Result<_, _>>()
            .map(StatusRanges)
    }

    /// Whether there is no code in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `status` is in the set.
    #[inline]
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|&(low, high)| low <= status && status <= high)
    }

    /// How many codes there are: the narrower of two sets is the more specific one.
    pub fn width(&self) -> u32 {
        self.0
            .iter()
            .map(|&(low, high)| u32::from(high.saturating_sub(low)) + 1)
            .sum()
    }
}

fn range(text: &str) -> Result<(u16, u16), String> {
    let code = |t: &str| {
        t.parse::<u16>()
            .map_err(|_| format!("strconv.Atoi: parsing {t:?}: invalid syntax"))
    };
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    // What follows a second dash is not looked at, as ever.
    let high = high.split('-').next().unwrap_or(high);
    Ok((code(low)?, code(high)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let check = |texts: &[&str], inside: &[u16], outside: &[u16]| {
            let set = StatusRanges::parse(texts).expect("valid");
            assert!(
                inside.iter().all(|s| set.contains(*s)) && !outside.iter().any(|s| set.contains(*s)),
                "{texts:?}"
            );
        };
        check(&[], &[], &[200, 500]);
        check(&["500-502", "504"], &[500, 501, 502, 504], &[499, 503, 505]);
        check(&["599-500"], &[], &[500, 550, 599]);
        for bad in ["5xx", "", "500-", "-", "a-b", "70000"] {
            assert!(StatusRanges::parse(&[bad]).is_err(), "{bad}");
        }
    }
}
