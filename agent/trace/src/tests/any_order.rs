//! Any activities in; every span out, once, in a tree.

use proptest::prelude::*;

use super::*;

/// One activity on a few connections, threads and names, in any order.
fn activity() -> impl Strategy<Value = String> {
    let (n, tid, context) = (0_u8..6, 1_u8..4, proptest::option::of((1_u8..3, 1_u8..4)));
    (0_u8..8, n, tid, 0_u8..3, context).prop_map(|(verb, n, tid, offset, context)| {
        let context = context.map(|(trace, span)| format!("trace={trace}/{span}")).unwrap_or_default();
        match verb {
            0..=1 => format!("ask a{n}.{offset} {n}:{offset} 20.{tid} {context}"),
            2..=3 => format!("serve s{n}.{offset} {n}:{offset} 20.{tid} {context}"),
            4 => format!("end a{n}.{offset}"),
            5 => format!("end s{n}.{offset}"),
            6 => format!("resume a{n}.{offset} 20.{tid}"),
            _ => format!("withdraw s{n}.{offset}"),
        }
    })
}

proptest! {
    #[test]
    fn every_span_comes_out_once_in_a_tree(script in proptest::collection::vec(activity(), 0..80)) {
        let mut world = World::new(Settings { max_spans: 12, max_trace_spans: 5, ..settings() });
        let (mut time, mut ended) = (0, 0);
        for line in script {
            let words: Vec<_> = line.split_whitespace().collect();
            // A key names one exchange: it begins once.
            if matches!(words[0], "ask" | "serve") == world.started.contains_key(words[1]) {
                continue;
            }
            time += 300;
            ended += u64::from(words[0] == "end");
            world.run(&format!("{time} {line}"));
        }
        let World { traces, out, .. } = &mut world;
        traces.flush(out);
        prop_assert_eq!(world.counters().spans, ended);
        prop_assert_eq!(world.traces.held(), 0);
        for trace in &world.out {
            for (index, span) in trace.spans.iter().enumerate() {
                prop_assert!(span.span.boot.0 <= span.span.boot.1);
                let parent = span.parent.map(|parent| parent.span_id);
                let later = trace.spans.iter().skip(index).any(|other| Some(other.span_id) == parent);
                prop_assert!(!later, "a parent comes before its children, and nothing is its own cause");
            }
        }
    }
}
