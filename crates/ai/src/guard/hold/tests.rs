use super::*;
use crate::guard::hidden::hide;
use crate::guard::{Detector, Rule};
use proptest::prelude::*;

const KEY: Key = Key {
    kind: Kind::Assistant,
    choice: 0,
    index: 0,
};

fn frame(hold: &mut Hold, key: Key, escaped: &str) {
    let data = format!(r#"{{"t":"{escaped}"}}"#);
    let piece = Piece {
        key,
        restates: false,
        range: 6..data.len() - 2,
    };
    hold.push(format!("data: {data}\n\n").into(), &data, &[piece]);
}

fn drain(hold: &mut Hold) -> String {
    let mut out = Vec::new();
    while let Some((bytes, _)) = hold.pop() {
        out.extend_from_slice(&bytes);
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn nothing_goes_before_it_is_judged_by_all() {
    let mut hold = Hold::new(2, None);
    frame(&mut hold, KEY, "ab");
    frame(&mut hold, KEY, "cd");
    assert_eq!(drain(&mut hold), "");
    hold.judge(0, 0, 4, &[]);
    assert_eq!(drain(&mut hold), "");
    hold.judge(0, 1, 3, &[]);
    assert_eq!(drain(&mut hold), "data: {\"t\":\"ab\"}\n\n");
    hold.judge(0, 1, 4, &[(2..3, '*')]);
    assert_eq!(drain(&mut hold), "data: {\"t\":\"*d\"}\n\n");
    assert_eq!(hold.held(), 0);
}

#[test]
fn frames_keep_their_order_across_channels() {
    let mut hold = Hold::new(1, None);
    let tool = Key {
        kind: Kind::ToolArguments,
        ..KEY
    };
    frame(&mut hold, tool, "{");
    frame(&mut hold, tool, "}");
    frame(&mut hold, KEY, "x");
    assert!(
        hold.channels()[0].complete,
        "the text behind it ends the tool call"
    );
    hold.judge(1, 0, 1, &[]);
    assert_eq!(drain(&mut hold), "");
    hold.judge(0, 0, 2, &[]);
    assert_eq!(drain(&mut hold).matches("data").count(), 3);
}

#[test]
fn escapes_are_hidden_whole() {
    let mut hold = Hold::new(1, None);
    frame(&mut hold, KEY, r"a\u0062\n\ud83d\ude00z");
    hold.judge(0, 0, 8, &[(1..2, '*'), (3..7, '#')]);
    assert_eq!(drain(&mut hold), "data: {\"t\":\"a*\\n#z\"}\n\n");
}

/// Who puts pieces together sees one character, whichever piece has which half of it.
#[test]
fn halves_of_characters_are_one() {
    let mut hold = Hold::new(1, None);
    frame(&mut hold, KEY, r"a\ud83d");
    assert_eq!(hold.channels()[0].text().0, "a");
    hold.judge(0, 0, 1, &[]);
    assert_eq!(drain(&mut hold), "", "half of it is not judged");
    frame(&mut hold, KEY, r"\ude00b");
    assert_eq!(hold.channels()[0].text().0, "a\u{1f600}b");
    hold.judge(0, 0, 6, &[(1..5, '*')]);
    assert_eq!(
        drain(&mut hold),
        "data: {\"t\":\"a\"}\n\ndata: {\"t\":\"*b\"}\n\n"
    );
}

#[test]
fn half_a_character_stays_as_it_is() {
    let check = |next: &str, want: &str| {
        let mut hold = Hold::new(1, None);
        frame(&mut hold, KEY, r"\ud83d");
        if !next.is_empty() {
            frame(&mut hold, KEY, next);
        }
        hold.close(|_| true);
        assert_eq!(hold.channels()[0].text().0, want);
        hold.judge(0, 0, want.len(), &[]);
        let next = if next.is_empty() {
            String::new()
        } else {
            format!("data: {{\"t\":\"{next}\"}}\n\n")
        };
        assert_eq!(drain(&mut hold), format!("data: {{\"t\":\"\\ud83d\"}}\n\n{next}"));
    };
    check("", "\u{fffd}");
    check("b", "\u{fffd}b");
    check(r"\ud83d", "\u{fffd}\u{fffd}");
    check(r"\ud83d\ude00", "\u{fffd}\u{1f600}");
}

/// What waits behind a frame of another text is hidden in the end, however much came since.
#[test]
fn masks_stay_until_their_frame_goes() {
    let mut hold = Hold::new(1, None);
    let tool = Key {
        kind: Kind::ToolArguments,
        ..KEY
    };
    let other = Key { choice: 1, ..KEY };
    frame(&mut hold, tool, "{");
    frame(&mut hold, other, "secret");
    hold.judge(1, 0, 6, &[(0..6, '*')]);
    for _ in 0..100 {
        frame(&mut hold, other, &"x".repeat(100));
        let received = hold.channels()[1].received();
        hold.judge(1, 0, received, &[]);
    }
    assert!(hold.channels()[1].text().0.len() < 2000, "text is forgotten");
    hold.close(|_| true);
    hold.judge(0, 0, 1, &[]);
    let out = drain(&mut hold);
    assert!(out.contains("******") && !out.contains("secret"), "{out}");
}

#[test]
fn numbers_in_arguments_become_strings() {
    let tool = Key {
        kind: Kind::ToolArguments,
        ..KEY
    };
    // However the number is cut.
    let mut hold = Hold::new(1, None);
    for piece in [r#"{\"n\":"#, "41", r#"1 }"#] {
        frame(&mut hold, tool, piece);
    }
    hold.close(|_| true);
    hold.judge(0, 0, 10, &[(5..7, '*')]);
    let out = drain(&mut hold);
    let want = [r#"{\"n\":"#, r#"\"**"#, r#"1\" }"#];
    let want: String = want.map(|t| format!("data: {{\"t\":\"{t}\"}}\n\n")).concat();
    assert_eq!(out, want);
    // A number in the frame itself.
    let mut hold = Hold::new(1, None);
    let data = r#"{"t":411}"#;
    let piece = Piece {
        key: tool,
        restates: true,
        range: 5..8,
    };
    hold.push(format!("data: {data}\n\n").into(), data, &[piece]);
    hold.judge(0, 0, 3, &[(0..2, '*')]);
    assert_eq!(drain(&mut hold), "data: {\"t\":\"**1\"}\n\n");
}

#[test]
fn tokens_are_not_told_of_what_is_hidden() {
    let mut hold = Hold::new(1, Some(Dialect::Chat));
    let data =
        "{\"choices\":[{\"delta\":{\"content\":\"ab\"},\"logprobs\":{\"content\":[\n{\"token\":\"ab\"}]}}]}";
    let at = data.find("ab").unwrap();
    let piece = || Piece {
        key: KEY,
        restates: false,
        range: at..at + 2,
    };
    let raw = format!("data: {}\n\n", data.replace('\n', "\ndata: "));
    hold.push(raw.clone().into(), data, &[piece()]);
    hold.push(raw.clone().into(), data, &[piece()]);
    hold.judge(0, 0, 4, &[(1..2, '*')]);
    let masked = "data: {\"choices\":[{\"delta\":{\"content\":\"a*\"},\"logprobs\":null}]}\n\n";
    assert_eq!(drain(&mut hold), format!("{masked}{raw}"));
}

/// `text` with each character written plainly or as an escape.
fn escaped(text: &str, plain: bool) -> String {
    let escape = |c: char| {
        let mut units = [0; 2];
        c.encode_utf16(&mut units)
            .iter()
            .map(|u| format!("\\u{u:04x}"))
            .collect::<String>()
    };
    text.chars()
        .map(|c| if plain { c.to_string() } else { escape(c) })
        .collect()
}

proptest! {
    #[test]
    fn masking_in_pieces_is_masking_the_whole(text in "[ab1 é😀]{0,40}", pieces in proptest::collection::vec((0usize..6, any::<bool>()), 1..20)) {
        let detector = Detector::new(vec![Rule::go("a[b1]+").unwrap(), Rule::go(r"\b1 ?é").unwrap()]).unwrap();
        let mut whole = Vec::new();
        detector.find(&text).into_iter().for_each(|f| hide(&mut whole, f.range, '*'));
        let want: String = text.char_indices().map(|(at, c)| {
            if whole.iter().any(|(range, _)| range.contains(&at)) { '*' } else { c }
        }).collect();

        let (mut hold, mut scan, mut out) = (Hold::new(1, None), detector.start(), String::new());
        let mut rest = text.chars();
        let mut ends = pieces.iter().chain(std::iter::repeat(&(3, true)));
        loop {
            let (length, plain) = ends.next().unwrap();
            let piece: String = rest.by_ref().take(*length).collect();
            let last = rest.as_str().is_empty();
            frame(&mut hold, KEY, &escaped(&piece, *plain));
            let mut found = Vec::new();
            let (held, base) = hold.channels()[0].text();
            if last {
                detector.finish(&mut scan, held, base, &mut found);
            } else {
                detector.advance(&mut scan, held, base, &mut found);
            }
            let masks: Vec<_> = found.into_iter().map(|f| (f.range, '*')).collect();
            hold.judge(0, 0, scan.settled, &masks);
            out += &drain(&mut hold);
            if last {
                break;
            }
        }
        let mut shown = String::new();
        for line in out.lines().filter_map(|l| l.strip_prefix("data: ")) {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            shown += value["t"].as_str().unwrap();
        }
        prop_assert_eq!(shown, want);
    }

    /// Whatever comes in, and however far whoever judges it is: of no text more goes on than all guards have judged.
    #[test]
    fn no_byte_goes_before_its_verdict(steps in proptest::collection::vec((0usize..4, 0usize..2, 0usize..2, 0usize..9), 1..60)) {
        let mut hold = Hold::new(2, None);
        let (mut sent, mut gone) = (std::collections::VecDeque::new(), [0, 0]);
        let (mut received, mut judged) = ([0, 0], [[0, 0], [0, 0]]);
        let key = |choice: usize| Key { choice: [0, 1][choice], ..KEY };
        let known = |hold: &Hold, choice| hold.channels().iter().position(|c| c.key == key(choice));
        for (step, choice, guard, length) in steps {
            if step == 0 {
                frame(&mut hold, key(choice), &"x".repeat(length));
                sent.push_back((choice, length));
                received[choice] += length;
            } else if let Some(channel) = known(&hold, choice) {
                let upto: &mut usize = &mut judged[choice][guard];
                *upto = (*upto + length).min(received[choice]);
                hold.judge(channel, guard, *upto, &[]);
            }
            while let Some((bytes, has_text)) = hold.pop() {
                let (choice, length) = sent.pop_front().expect("what was sent");
                let end = format!("{}\"}}\n\n", "x".repeat(length));
                prop_assert_eq!(has_text, length > 0);
                prop_assert!(bytes.ends_with(end.as_bytes()));
                gone[choice] += length;
                prop_assert!(gone[choice] <= judged[choice][0].min(judged[choice][1]));
            }
        }
        for (choice, received) in received.into_iter().enumerate() {
            if let Some(channel) = known(&hold, choice) {
                (0..2).for_each(|guard| hold.judge(channel, guard, received, &[]));
            }
        }
        prop_assert_eq!(std::iter::from_fn(|| hold.pop()).count(), sent.len());
    }
}
