//! Whatever text is asked: an answer, no panic; an error points into the text.

#[path = "../../fuzz/src/pieces.rs"]
mod pieces;

use pieces::PIECES;
use proptest::prelude::*;
use wirespan_query::{duration, time, traceql::parse};

fn check(text: &str) -> Result<(), TestCaseError> {
    if let Err(error) = parse(text) {
        prop_assert!(error.at <= text.chars().count(), "{text}: {error}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_answered(text in ".{0,80}") {
        check(&text)?;
        let _ = (duration(&text), time(&text));
    }

    #[test]
    fn any_mixture_is_answered(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        check(&pieces.concat())?;
    }
}
