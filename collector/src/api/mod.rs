//! The APIs, a file each, and what they share.

mod import;
pub(crate) mod jaeger;
mod jaeger_grpc;
pub(crate) mod metrics;
pub(crate) mod own;
mod parameters;
pub(crate) mod tempo;
mod trace;
pub(crate) mod zipkin;

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json,
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::sync::Semaphore;
use wirespan_ingest::Intake;
use wirespan_query::{BadText, traceql::BadQuery};
use wirespan_store::{Sketch, Store, StoreError};

pub(crate) use parameters::Parameters;

/// Questions that are answered at once; further ones are told to come back.
const AT_ONCE: usize = 16;
/// How long a search may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every API works on. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) intake: Intake,
    turns: Arc<Semaphore>,
    /// How long questions took, in nanoseconds.
    pub(crate) asked: Arc<Mutex<Sketch>>,
    pub(crate) facts: Arc<Facts>,
    /// What an agent in the same process counts.
    pub(crate) agent: Arc<OnceLock<Figures>>,
}

/// Gives what an agent counts, by name.
pub(crate) type Figures = Box<dyn Fn() -> serde_json::Value + Send + Sync>;

/// What the status says of the settings.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) bytes: Option<u64>,
    pub(crate) age: Option<Duration>,
    pub(crate) durability: &'static str,
}

/// Why a question is not answered.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) said: String,
    at: Option<usize>,
    parameter: Option<String>,
}

impl Api {
    pub(crate) fn new(store: Arc<dyn Store>, intake: Intake, facts: Facts) -> Self {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        Self { store, intake, turns, asked: Arc::default(), facts: facts.into(), agent: Arc::default() }
    }

    /// Asks the store on a thread that may wait.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Store) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, Problem> {
        let Ok(turn) = self.turns.clone().try_acquire_owned() else {
            let said = "too many questions at once: ask again in a second";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, said));
        };
        let store = self.store.clone();
        let began = Instant::now();
        let answer = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            ask(&*store)
        });
        let answer = answer.await.unwrap_or(Err(StoreError::Closed))?;
        let took = began.elapsed().as_nanos() as u64;
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).add(took);
        Ok(answer)
    }
}

/// When a search that begins now gives up.
pub(crate) fn until() -> Option<Instant> {
    Instant::now().checked_add(PATIENCE)
}

/// Now, in nanoseconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64)
}

impl Problem {
    pub(crate) fn new(status: StatusCode, said: impl Into<String>) -> Self {
        Self { status, said: said.into(), at: None, parameter: None }
    }

    /// The question is wrong in this parameter.
    pub(crate) fn bad(parameter: &str, said: impl Into<String>) -> Self {
        Self { parameter: Some(parameter.to_owned()), ..Self::new(StatusCode::BAD_REQUEST, said) }
    }

    pub(crate) fn bad_query(parameter: &str, error: &BadQuery) -> Self {
        Self { at: Some(error.at), ..Self::bad(parameter, error.to_string()) }
    }

    pub(crate) fn bad_text(parameter: &str, error: &BadText) -> Self {
        Self::bad(parameter, error.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({ "error": self.said });
        if let Some(object) = body.as_object_mut() {
            self.at.map(|at| object.insert("at".to_owned(), json!(at)));
            self.parameter.map(|parameter| object.insert("parameter".to_owned(), json!(parameter)));
        }
        let busy = self.status == StatusCode::TOO_MANY_REQUESTS;
        let again = busy.then_some([(RETRY_AFTER, "1")]);
        match again {
            Some(headers) => (self.status, headers, Json(body)).into_response(),
            None => (self.status, Json(body)).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use wirespan_ingest::Limits;
    use wirespan_store::Memory;

    use super::*;

    #[tokio::test]
    async fn so_many_questions_are_answered_at_once() {
        let store: Arc<dyn Store> = Arc::new(Memory::new(10));
        let api = Api::new(store.clone(), Intake::new(store, Limits::default()), Facts::default());
        let others = api.turns.clone().acquire_many_owned(AT_ONCE as u32).await.unwrap();
        let refused = api.ask(|store| store.figure()).await.unwrap_err().into_response();
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()[RETRY_AFTER], "1");
        drop(others);
        assert!(api.ask(|store| store.figure()).await.is_ok());
    }
}
