//! What guarding costs: ten patterns over a kibibyte of prose, and one event of a stream.
//!
//! ```sh
//! cargo run --release -p trilithon-ai --example guard_cost
//! ```

use std::hint::black_box;
use std::time::Instant;
use trilithon_ai::dialect::Dialect;
use trilithon_ai::guard::hold::{Hold, Key, Piece};
use trilithon_ai::guard::{Detector, recogniser};
use trilithon_wire::sse::Frames;

const ROUNDS: u32 = 20_000;

fn main() {
    let names = [
        "EMAIL_ADDRESS",
        "CREDIT_CARD",
        "IBAN_CODE",
        "US_SSN",
        "PHONE_NUMBER",
        "IP_ADDRESS",
        "AWS_ACCESS_KEY",
        "GITHUB_TOKEN",
        "OPENAI_API_KEY",
        "PRIVATE_KEY",
    ];
    let rules = names
        .iter()
        .filter_map(|name| recogniser::named(name))
        .map(recogniser::Recogniser::rule);
    let detector = Detector::new(rules.collect()).expect("what is built in compiles");
    let prose =
        "The quick brown fox, aged 7, jumps over 13 lazy dogs at 10:30; they do not mind. ".repeat(13);
    let text = &prose[..1024];
    assert!(detector.find(text).is_empty());
    let start = Instant::now();
    for _ in 0..ROUNDS {
        black_box(detector.find(black_box(text)));
    }
    println!("ten patterns: {:.2} µs per KiB", micros(start));

    let event = b"data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" dogs\"},\"finish_reason\":null}]}\n\n";
    let (mut hold, mut scan, mut cut) = (
        Hold::new(1, Some(Dialect::Chat)),
        detector.start(),
        Frames::new(1 << 20),
    );
    let mut passed = 0;
    let start = Instant::now();
    for _ in 0..ROUNDS {
        let frame = cut.next(event).expect("small").expect("whole");
        let data = frame.data(event);
        let told = Dialect::Chat.event(&data).expect("JSON");
        let pieces: Vec<Piece> = told
            .deltas
            .iter()
            .map(|delta| Piece {
                key: Key {
                    kind: delta.channel,
                    choice: delta.choice,
                    index: delta.index,
                },
                restates: delta.restates,
                range: delta.range.clone(),
            })
            .collect();
        hold.push(
            bytes::Bytes::from_static(event),
            std::str::from_utf8(&data).expect("UTF-8"),
            &pieces,
        );
        let mut found = Vec::new();
        let (held, base) = hold.channels()[0].text();
        detector.advance(&mut scan, held, base, &mut found);
        hold.judge(0, 0, scan.settled, &[]);
        while let Some((bytes, _)) = hold.pop() {
            passed += black_box(bytes).len();
        }
    }
    assert!(passed > 0);
    println!("one event:    {:.2} µs", micros(start));
}

fn micros(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
}
