//! The tools of a document that may break: while its file does not make sense, those that it had go on being served.

use super::document;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use trilithon_flow::BuildError;
use trilithon_mcp::openapi::Api;
use trilithon_model::dynamic::http::OpenApi as Config;

/// What a document was when it was last looked at, and what it was when it last made sense. Kept over reloads that leave alone which
/// document it is and what becomes of it: tools that a configuration takes away do not stay because a file broke at the same time.
#[derive(Default)]
pub struct Kept {
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The hash of the text that was compiled last, and what came of it.
    last: Option<(u64, Result<Arc<Api>, BuildError>)>,
    good: Option<Arc<Api>>,
}

/// Tools to serve.
pub struct Tools {
    pub api: Arc<Api>,
    /// Why these are older ones than the document's.
    pub stale: Option<BuildError>,
}

impl Kept {
    /// The tools of the document as it is now, or else those that it had; compiled only when its text is another one.
    ///
    /// # Errors
    /// The document makes no sense, and never did.
    pub fn tools(&self, service: &str, config: &Config) -> Result<Tools, BuildError> {
        let text = document::read(config);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = text.and_then(|text| {
            let hash = self.hasher.hash_one(&text);
            if let Some((_, result)) = state.last.as_ref().filter(|(last, _)| *last == hash) {
                return result.clone();
            }
            let result = document::compile(config, &text).map(Arc::new);
            if let Ok(api) = &result {
                let why = |why: &String| tracing::warn!(serviceName = service, "{why}");
                api.left_out().iter().for_each(why);
            }
            state.last = Some((hash, result.clone()));
            result
        });
        match (now, &state.good) {
            (Ok(api), _) => {
                state.good = Some(api.clone());
                Ok(Tools { api, stale: None })
            }
            (Err(error), Some(good)) => {
                let error = stale(error);
                tracing::error!(serviceName = service, "{error}");
                Ok(Tools {
                    api: good.clone(),
                    stale: Some(error),
                })
            }
            (Err(error), None) => Err(error),
        }
    }
}

fn stale(error: BuildError) -> BuildError {
    BuildError {
        message: format!(
            "{}; the tools of the last document that made sense stay",
            error.message
        ),
        ..error
    }
}
