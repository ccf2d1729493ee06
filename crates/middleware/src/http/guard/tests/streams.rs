//! Streams that are judged as they come.

use super::*;

fn chunk(content: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{content}\"}}}}]}}\n\n"
    )
}

const END: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

fn streamed(config: &Content, pieces: Vec<String>) -> Outcome {
    let pieces: Vec<&'static [u8]> = pieces.into_iter().map(|p| &*p.into_bytes().leak()).collect();
    let mut bench = Bench::raw(move |_| {
        let acts = pieces.iter().flat_map(|piece| [Act::Data(piece), Act::Pause]);
        let mut res = Response {
            body: Script::new(acts).body(),
            ..Response::new(200)
        };
        res.headers.set_known(Known::ContentType, EVENTS);
        res
    });
    let chain = guarded(&mut bench, config);
    bench.send(
        &chain,
        post(r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#),
    )
}

#[test]
fn a_stream_is_masked_at_every_offset_over_every_split() {
    for plain in [true, false] {
        for offset in 0..6 {
            let text = format!("{}SECRET-12 end", "x ".repeat(offset));
            let stream = |text: &str, cut: usize| {
                let (a, b) = text.split_at(cut);
                let write = |t: &str| {
                    let escape = |c: char| {
                        if plain {
                            c.to_string()
                        } else {
                            format!("\\u{:04x}", c as u32)
                        }
                    };
                    chunk(&t.chars().map(escape).collect::<String>())
                };
                format!("{}{}{END}", write(a), write(b))
            };
            for cut in 0..=text.len() {
                let whole = stream(&text, cut);
                let middle = whole.len() / 3;
                let outcome = streamed(
                    &hiding(ClientRequestFormat::Ccr),
                    vec![whole[..middle].into(), whole[middle..].into()],
                );
                let shown: String = outcome
                    .text()
                    .lines()
                    .filter_map(|line| {
                        serde_json::from_str::<serde_json::Value>(line.strip_prefix("data: ")?).ok()
                    })
                    .filter_map(|v| v["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
                    .collect();
                assert_eq!(shown, text.replace("SECRET-12", "*********"), "cut at {cut}");
                assert!(outcome.text().ends_with(END));
            }
        }
    }
}

#[test]
fn what_is_not_touched_is_byte_exact() {
    let stream = format!(
        ": ping\r\n\r\n{}event: x\ndata: {{\"odd\" : 1e5}}\n\n{}{END}",
        chunk("hello "),
        chunk("SECRET")
    );
    let outcome = streamed(&hiding(ClientRequestFormat::Ccr), vec![stream.clone()]);
    assert_eq!(outcome.text(), stream);
    let call = outcome.record.decisions.len();
    assert_eq!(call, 1, "the request was judged");
}

#[test]
fn tool_arguments_are_held_until_they_are_whole() {
    let piece = |arguments: &str| {
        format!(
            "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{{\"index\":0,\"function\":{{\"arguments\":\"{arguments}\"}}}}]}}}}]}}\n\n"
        )
    };
    let stream = format!(
        "{}{}{END}",
        piece("{\\\"k\\\":\\\"SE\\\\u0043RE"),
        piece("T-1\\\"}")
    );
    let outcome = streamed(&hiding(ClientRequestFormat::Ccr), vec![stream.clone()]);
    let text = outcome.text();
    assert!(
        !text.contains("SE") && text.contains("*") && text.ends_with(END),
        "{text}"
    );
    let blocking = Content {
        response: phase(vec![rule(&["SECRET"], None)]),
        ..hiding(ClientRequestFormat::Ccr)
    };
    let outcome = streamed(&blocking, vec![stream]);
    assert_eq!(
        (outcome.status, outcome.text().contains("arguments")),
        (403, false)
    );
}

#[test]
fn a_block_within_a_stream_ends_it_in_the_dialect() {
    let blocking = Content {
        response: phase(vec![rule(&["SECRET"], None)]),
        ..hiding(ClientRequestFormat::Ccr)
    };
    let outcome = streamed(
        &blocking,
        vec![
            chunk("hello there "),
            format!("{}{}{END}", chunk("SEC"), chunk("RET")),
        ],
    );
    let text = outcome.text();
    assert_eq!(outcome.status, 200);
    assert!(
        text.starts_with(&chunk("hello there ")) && text.contains("content_filter"),
        "{text}"
    );
    assert!(
        text.ends_with("data: [DONE]\n\n") && !text.contains("RET"),
        "{text}"
    );
    let outcome = streamed(&blocking, vec![format!("{}{END}", chunk("SECRET"))]);
    assert_eq!(
        outcome.status, 403,
        "refused from its beginning, it is answered like any refusal"
    );
}

/// A server of several formats says it behind any of them; only in one of them it is the end.
#[test]
fn done_is_no_text() {
    use ClientRequestFormat::{MessagesApi, ResponsesApi};
    let check = |format, asked: &str, stream: &'static str| {
        let (outcome, _) = run(&hiding(format), asked, EVENTS, stream);
        assert_eq!((outcome.status, outcome.text().as_str()), (200, stream));
    };
    check(
        ResponsesApi,
        r#"{"stream":true,"input":"a"}"#,
        "data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\ndata: {\"type\":\"response.completed\"}\n\ndata: [DONE]\n\n",
    );
    check(
        MessagesApi,
        r#"{"stream":true,"max_tokens":9,"messages":[{"role":"user","content":"a"}]}"#,
        "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\ndata: {\"type\":\"message_stop\"}\n\ndata: [DONE]\n\n",
    );
}
