//! `/metrics`: what the collector says of itself, in Prometheus' text format 0.0.4. Nothing in it comes from the spans.

use std::{fmt::Write as _, sync::PoisonError};

use axum::{Router, extract::State, http::header::CONTENT_TYPE, response::IntoResponse, routing::get};
use wirespan_store::{Figure, Sketch};

use super::{Api, Problem};

/// The path.
pub(crate) fn router(api: Api) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(api)
}

async fn metrics(State(api): State<Api>) -> Result<impl IntoResponse, Problem> {
    let figure = api.ask(|store| store.figure()).await?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page(&api, &figure)))
}

fn page(api: &Api, figure: &Figure) -> String {
    let mut page = Page::default();
    let intake = &api.intake;
    page.one(
        "accepted_spans_total",
        "counter",
        "Spans taken, those that came again included.",
        intake.accepted(),
    );
    page.several("refused_spans_total", "Spans refused, by cause.", &intake.refused());
    page.one("repeated_spans_total", "counter", "Spans that came again and were left out.", figure.repeated);
    page.one(
        "joined_spans_total",
        "counter",
        "Spans joined to their other end on another host.",
        intake.joined(),
    );
    page.one("cut_attributes_total", "counter", "Attributes left out for size.", intake.cut());
    page.one("stored_spans", "gauge", "Spans that are kept.", figure.spans);
    page.one("unsealed_spans", "gauge", "Of these: in no block yet.", figure.unsealed);
    page.one("blocks", "gauge", "Sealed blocks.", figure.blocks);
    page.one("stored_bytes", "gauge", "Bytes on disk.", figure.bytes);
    page.one(
        "stored_bytes_limit",
        "gauge",
        "The most that may be; 0 is no limit.",
        api.facts.bytes.unwrap_or(0),
    );
    page.one("forgotten_spans_total", "counter", "Spans forgotten for age or room.", figure.forgotten);
    page.one("tail_readers", "gauge", "Readers of the live tail.", intake.watchers() as u64);
    let asked = api.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    page.delay("transfer_delay_seconds", "From the end of a span to its arrival.", &intake.transfer());
    page.delay("storage_delay_seconds", "From arrival to being safe on the disk.", &figure.durable);
    page.delay("analysis_delay_seconds", "What answering a question took.", &asked);
    page.0
}

/// What is written so far.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(
            self.0,
            "# HELP wirespan_collector_{name} {help}\n# TYPE wirespan_collector_{name} {kind}\n"
        );
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        let _ = writeln!(self.0, "wirespan_collector_{name} {value}");
    }

    fn several(&mut self, name: &str, help: &str, causes: &wirespan_ingest::Refusals) {
        self.head(name, "counter", help);
        for (cause, value) in causes {
            let _ = writeln!(self.0, "wirespan_collector_{name}{{cause=\"{cause}\"}} {value}");
        }
    }

    fn delay(&mut self, name: &str, help: &str, sketch: &Sketch) {
        self.head(name, "summary", help);
        for quantile in [0.5, 0.9, 0.99] {
            let seconds = sketch.quantile(quantile).unwrap_or(0) as f64 / 1e9;
            let _ = writeln!(self.0, "wirespan_collector_{name}{{quantile=\"{quantile}\"}} {seconds}");
        }
    }
}
