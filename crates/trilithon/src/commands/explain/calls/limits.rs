//! What token limits and budgets let through, in words.

use super::seriousness;
use trilithon_model::duration::Duration;
use trilithon_model::dynamic::http::{
    CostLimit, LimitLevel, SourceCriterion, TokenLimit, TokenLimits as Limits,
};

pub fn tell(limits: &Limits) -> String {
    let own = Four {
        tokens: [
            (&limits.input_token_limit, "input tokens"),
            (&limits.output_token_limit, "output tokens"),
            (&limits.total_token_limit, "tokens"),
        ],
        cost: &limits.cost_limit,
    };
    let own = Some(own.tell()).filter(|own| !own.is_empty()).map(|own| {
        format!(
            "{own} {}",
            whose(limits.source_criterion.as_ref(), "for each client address")
        )
    });
    let levels = limits.levels.iter().map(level);
    let all: Vec<String> = own.into_iter().chain(levels).collect();
    format!(
        "lets through {}{}",
        all.join("; "),
        seriousness(limits.mode, limits.percent)
    )
}

fn level(level: &LimitLevel) -> String {
    let four = Four {
        tokens: [
            (&level.input_token_limit, "input tokens"),
            (&level.output_token_limit, "output tokens"),
            (&level.total_token_limit, "tokens"),
        ],
        cost: &level.cost_limit,
    };
    let whose = whose(level.source_criterion.as_ref(), "for everybody together");
    format!("{} {whose} (`{}`)", four.tell(), level.name)
}

pub fn counts_money(limits: &Limits) -> bool {
    limits.cost_limit.is_some() || limits.levels.iter().any(|level| level.cost_limit.is_some())
}

/// The four limits that there can be.
struct Four<'a> {
    tokens: [(&'a Option<TokenLimit>, &'static str); 3],
    cost: &'a Option<CostLimit>,
}

impl Four<'_> {
    fn tell(&self) -> String {
        let tokens = self.tokens.iter().filter_map(|(limit, what)| {
            let limit = limit.as_ref()?;
            Some(format!(
                "{} {what} {}",
                limit.limit,
                each(limit.period, &limit.calendar)
            ))
        });
        let cost = self
            .cost
            .iter()
            .map(|c| format!("{} US dollars {}", c.limit, each(c.period, &c.calendar)));
        tokens.chain(cost).collect::<Vec<_>>().join(", ")
    }
}

fn each(period: Option<Duration>, calendar: &str) -> String {
    match period {
        Some(period) => format!("each {period}"),
        None => format!("each {calendar}"),
    }
}

fn whose(criterion: Option<&SourceCriterion>, default: &str) -> String {
    let Some(criterion) = criterion else {
        return default.to_owned();
    };
    let what = match criterion {
        SourceCriterion { claim, .. } if !claim.is_empty() => format!("value of claim `{claim}`"),
        SourceCriterion { identity, .. } if !identity.is_empty() => identity.clone(),
        SourceCriterion {
            request_header_name: name,
            ..
        } if !name.is_empty() => format!("value of header `{name}`"),
        SourceCriterion {
            request_host: true, ..
        } => "host".to_owned(),
        _ => "client address".to_owned(),
    };
    format!("for each {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(limit: i64) -> Option<TokenLimit> {
        let period = Some(Duration::from_secs(60));
        Some(TokenLimit {
            limit,
            period,
            ..TokenLimit::default()
        })
    }

    fn source(identity: &str) -> Option<SourceCriterion> {
        Some(SourceCriterion {
            identity: identity.into(),
            ..SourceCriterion::default()
        })
    }

    #[test]
    fn sentences() {
        let check = |limits: Limits, want: &str| assert_eq!(tell(&limits), want);
        check(
            Limits {
                total_token_limit: tokens(20),
                ..Limits::default()
            },
            "lets through 20 tokens each 1m0s for each client address",
        );
        let month = CostLimit {
            limit: "25".into(),
            calendar: "month".into(),
            ..CostLimit::default()
        };
        let team = LimitLevel {
            name: "team".into(),
            source_criterion: source("application"),
            cost_limit: Some(month.clone()),
            ..LimitLevel::default()
        };
        let all = LimitLevel {
            name: "all".into(),
            input_token_limit: tokens(9),
            ..LimitLevel::default()
        };
        check(
            Limits {
                output_token_limit: tokens(5),
                cost_limit: Some(month),
                source_criterion: source("credential"),
                levels: vec![team],
                ..Limits::default()
            },
            "lets through 5 output tokens each 1m0s, 25 US dollars each month for each credential; \
             25 US dollars each month for each application (`team`)",
        );
        let only_level = Limits {
            levels: vec![all],
            ..Limits::default()
        };
        check(
            only_level,
            "lets through 9 input tokens each 1m0s for everybody together (`all`)",
        );
    }
}
