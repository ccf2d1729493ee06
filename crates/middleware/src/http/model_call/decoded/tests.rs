use super::super::super::kit::{Act, Script};
use super::super::super::testing::block_on;
use super::*;
use std::io::Write;

const CODINGS: [&str; 4] = ["gzip", "deflate", "br", "zstd"];

/// `text` in a coding.
fn code(coding: &str, text: &[u8]) -> Vec<u8> {
    let best = flate2::Compression::best();
    match coding {
        "gzip" => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), best);
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        }
        "deflate" => {
            let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), best);
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        }
        "br" => {
            let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 4, 19);
            writer.write_all(text).unwrap();
            writer.into_inner()
        }
        _ => zstd::encode_all(text, 3).unwrap(),
    }
}

fn coded(coding: &str, pieces: Vec<Vec<u8>>) -> Response {
    let mut res = Response::new(200);
    res.headers.append("Content-Encoding", coding);
    res.headers.append("ETag", "\"a\"");
    let pieces = pieces.into_iter().filter(|p| !p.is_empty());
    res.body = Script::new(pieces.map(|p| Act::Data(p.leak()))).body();
    res
}

fn read(res: Response, limit: u64) -> Result<Vec<u8>, FaultKind> {
    let mut res = decoded(res);
    block_on(res.body.collect(limit))
        .map(|bytes| bytes.to_vec())
        .map_err(|fault| fault.kind)
}

#[test]
fn answers_are_decoded_however_they_are_cut() {
    let text = "data: {\"a\":\"caf\u{e9}\"}\n\n".repeat(20);
    for coding in CODINGS {
        let body = code(coding, text.as_bytes());
        for at in 0..=body.len() {
            let (first, rest) = body.split_at(at);
            let res = coded(coding, vec![first.to_vec(), rest.to_vec()]);
            assert_eq!(
                read(res, 1 << 20).unwrap(),
                text.as_bytes(),
                "{coding} cut at {at}"
            );
        }
        let long = b"0123456789abcdef".repeat(20_000);
        let res = coded(coding, vec![code(coding, &long)]);
        assert!(read(res, 1 << 20).unwrap() == long, "{coding}");
    }
}

#[test]
fn the_head_says_what_the_body_is() {
    let res = decoded(coded("GZIP", vec![code("gzip", b"a")]));
    assert!(res.headers.get("Content-Encoding").is_none() && res.headers.get("ETag").is_none());
    let twice = code("br", &code("gzip", b"twice"));
    assert_eq!(read(coded("gzip, br", vec![twice]), 10).unwrap(), b"twice");
    let foreign = decoded(coded("compress", vec![b"x".to_vec()]));
    assert_eq!(foreign.headers.get_str("Content-Encoding"), Some("compress"));
    let mut part = coded("gzip", vec![b"x".to_vec()]);
    part.status = 206;
    assert!(decoded(part).headers.get("Content-Encoding").is_some());
}

#[test]
fn several_members_are_one_body() {
    let both = [code("gzip", b"one "), code("gzip", b"two")].concat();
    assert_eq!(read(coded("gzip", vec![both]), 10).unwrap(), b"one two");
}

#[test]
fn what_is_not_so_coded_breaks() {
    for coding in CODINGS {
        let body = code(coding, b"some text that is long enough");
        let cut = body[..body.len() - 3].to_vec();
        assert_eq!(
            read(coded(coding, vec![cut]), 100),
            Err(FaultKind::Broken),
            "{coding}"
        );
        let plain = coded(coding, vec![b"{\"plain\":\"text, not coded at all\"}".to_vec()]);
        let fault = read(plain, 100);
        assert!(
            matches!(fault, Err(FaultKind::Malformed | FaultKind::Broken)),
            "{coding}: {fault:?}"
        );
    }
    let more = [code("br", b"a"), b"more".to_vec()].concat();
    assert_eq!(read(coded("br", vec![more]), 10), Err(FaultKind::Malformed));
}

#[test]
fn few_bytes_do_not_become_endlessly_many() {
    let zeros = vec![0; 2 * MAX_MODEL_ANSWER];
    for coding in ["gzip", "br", "zstd"] {
        let bomb = code(coding, &zeros);
        let read = read(coded(coding, vec![bomb]), u64::MAX);
        assert_eq!(read.map(|body| body.len()), Err(FaultKind::Malformed), "{coding}");
    }
}
