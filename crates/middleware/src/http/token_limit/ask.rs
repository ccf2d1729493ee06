//! What is known of a call before it is made.

use super::TokenLimits;
use super::expect::Expected;
use crate::http::model_call::{Opened, open};
use smallvec::SmallVec;
use trilithon_ai::dialect::Dialect;
use trilithon_ai::price::Price;
use trilithon_flow::{Exchange, Format, ModelCall, Request, Response, SharedCall};

/// What is known of a call before it is made.
pub(super) struct Asked {
    pub call: SharedCall,
    pub dialect: Option<Dialect>,
    pub expected: Expected,
    pub price: Option<Price>,
}

impl Asked {
    /// The model that is asked, as it is sent on.
    pub fn model(&self) -> Box<str> {
        model(&self.call.borrow())
    }
}

impl TokenLimits {
    /// Makes out what is asked for; `None` when that is nothing of a model.
    pub(super) async fn ask(&self, req: &mut Request, cx: &mut Exchange) -> Result<Option<Asked>, Response> {
        let format = cx
            .model_call
            .as_ref()
            .map_or(self.format, |call| call.borrow().format);
        let caller: SmallVec<[u8; 64]> = SmallVec::from_slice(cx.caller());
        let Some(dialect) = Dialect::of(format) else {
            return Ok(self.ask_custom(req, cx, &caller));
        };
        let Some(opened) = open(dialect, req, cx, self.body_limit).await? else {
            return Ok(None);
        };
        let Opened { body, request, call } = opened;
        cx.tariff.get_or_insert_with(|| self.tariff.clone());
        let model = model(&call.borrow());
        let learned = (&*self.learned.forecasts, &*self.learned.ratios);
        let expected = Expected::of((&body, &request), &model, &caller, learned, self.reserve);
        call.borrow_mut().prompt = Some((expected.input, expected.basis));
        Ok(Some(Asked {
            call,
            dialect: Some(dialect),
            expected,
            price: self.prices.table().price(&model).cloned(),
        }))
    }

    /// The same of a format that says nothing of itself but where its answers tell their tokens.
    fn ask_custom(&self, req: &Request, cx: &mut Exchange, caller: &[u8]) -> Option<Asked> {
        if req.body.is_empty() {
            return None;
        }
        let call = cx
            .model_call
            .get_or_insert_with(|| ModelCall::new(Format::Custom).shared());
        let length = req
            .body
            .length()
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(0);
        Some(Asked {
            call: call.clone(),
            dialect: None,
            expected: Expected::of_length(length, caller, &self.learned.forecasts),
            price: None,
        })
    }
}

/// The model that is asked, as it is sent on.
fn model(call: &ModelCall) -> Box<str> {
    let named = call.sent.as_ref().or(call.asked.as_ref());
    named.map_or("", |name| name).into()
}
