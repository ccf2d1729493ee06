//! Logs that are written, ended badly, read, proved, and tampered with.

use super::log::Log;
use super::proof::{Proof, ProofError, prove};
use super::read::{Book, Reader};
use super::verify::{Fault, Verdict, begins_with, verify};
use super::*;
use crate::merkle;
use crate::note::{Checkpoint, PublicKey};
use crate::tile::{self, Kind, Tiles};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::PathBuf;
use trilithon_testkit::Folder;

/// A book with one log, written by hand.
struct Bench {
    folder: Folder,
    key: Key,
    log: Option<Log>,
}

impl Bench {
    fn new() -> Bench {
        let folder = Folder::new("audit");
        let book = Book::in_store(folder.path());
        private(book.path()).expect("a folder");
        let key = Key::open(&book.key()).expect("a key");
        let log = Log::create(&book.log(1), "test/audit/1").expect("a log");
        Bench {
            folder,
            key,
            log: Some(log),
        }
    }

    fn book(&self) -> Book {
        Book::in_store(self.folder.path())
    }

    fn log(&mut self) -> &mut Log {
        self.log.as_mut().expect("it is open")
    }

    fn append(&mut self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.log().append(&entry(number)).expect("written");
        }
    }

    fn checkpoint(&mut self) -> Checkpoint {
        let key = Key::open(&self.book().key()).expect("a key");
        self.log().checkpoint(&key).expect("signed")
    }

    /// The process ends here, as by kill -9.
    fn end(&mut self) {
        self.log().flush().expect("written");
        self.log = None;
    }

    fn open(&mut self) -> super::log::Recovered {
        let (log, recovered) = Log::open(&self.book().log(1), "test/audit/1", &self.key).expect("it opens");
        self.log = Some(log);
        recovered
    }

    fn reader(&self) -> Reader {
        self.book().reader(1).expect("readable")
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.book().log(1).join(name)
    }

    fn verdict(&self) -> Verdict {
        verify(&self.book(), &self.key.public())
            .expect("readable")
            .remove(0)
    }

    fn entries(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let next = self.reader().each(0, |_, entry| {
            all.push(entry.to_vec());
            ControlFlow::Continue(())
        });
        assert_eq!(next.expect("readable"), all.len() as u64);
        all
    }
}

fn entry(number: u64) -> Vec<u8> {
    json!({"number": number, "text": "x".repeat((number % 50) as usize)})
        .to_string()
        .into_bytes()
}

#[track_caller]
fn proves(reader: &Reader, index: u64, public: &PublicKey) -> Proof {
    let proof = prove(reader, index, public)
        .expect("readable")
        .expect("it is signed");
    assert!(proof.check().is_ok(), "{proof:?}");
    proof
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// However entries, checkpoints and ends of the process follow each other: everything is there, and proves.
    #[test]
    fn every_entry_proves(steps in proptest::collection::vec((0u64..300, 0u8..3), 1..6)) {
        let mut bench = Bench::new();
        let mut total = 0;
        let mut signed: Vec<Checkpoint> = Vec::new();
        for (more, then) in steps {
            bench.append(total..total + more);
            total += more;
            match then {
                0 => {}
                1 => signed.push(bench.checkpoint()),
                _ => {
                    bench.end();
                    bench.open();
                }
            }
        }
        signed.push(bench.checkpoint());
        prop_assert_eq!(bench.entries(), (0..total).map(entry).collect::<Vec<_>>());
        let (reader, public) = (bench.reader(), bench.key.public());
        for index in (0..total).step_by(7) {
            proves(&reader, index, &public);
        }
        let verdict = bench.verdict();
        prop_assert_eq!(verdict.faults, vec![]);
        let last = signed.last().expect("one at least");
        let folder = bench.book().log(1);
        let tiles = Tiles::new(&folder, last.size);
        for old in signed.iter().filter(|c| c.size > 0) {
            let path = merkle::consistency(&tiles, old.size, last.size).expect("tiles");
            prop_assert!(merkle::extends((old.size, &old.root), (last.size, &last.root), &path));
            prop_assert!(begins_with(&folder, old).expect("tiles"));
        }
    }

    /// One byte of the entries flipped, wherever it is: that entry is named.
    #[test]
    fn a_flipped_byte_is_found(total in 1u64..600, at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bench = Bench::new();
        bench.append(0..total);
        bench.checkpoint();
        let lengths: Vec<u64> = (0..total).map(|n| entry(n).len() as u64 + 2).collect();
        let offset = at.index(lengths.iter().sum::<u64>() as usize) as u64;
        let (mut index, mut start) = (0, 0);
        while start + lengths[index] <= offset {
            start += lengths[index];
            index += 1;
        }
        let bundle = index / 256;
        let begin: u64 = lengths[..bundle * 256].iter().sum();
        flip(&bench, bundle as u64, total, (offset - begin) as usize, 1 << bit);
        let faults = bench.verdict().faults;
        let named = matches!(&faults[..], [Fault::Entry { index: i, .. }] if *i == index as u64);
        prop_assert!(named, "{faults:?}, not entry {index}");
    }

    /// An entry taken out, or two that changed places: the first one touched is named.
    #[test]
    fn a_missing_or_moved_entry_is_found(total in 3u64..300, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let (a, b) = (a.index(total as usize), b.index(total as usize));
        for moved in [false, true] {
            let mut bench = Bench::new();
            bench.append(0..total);
            bench.checkpoint();
            let mut entries: Vec<u64> = (0..total).collect();
            if moved {
                entries.swap(a, b);
            } else {
                entries.remove(a);
            }
            rewrite(&bench, total, entries.into_iter().map(entry));
            let faults = bench.verdict().faults;
            let want = if moved { a.min(b) } else { a } as u64;
            if moved && a == b {
                prop_assert_eq!(faults, vec![]);
            } else {
                let named = matches!(&faults[..], [Fault::Entry { index, .. }] if *index == want);
                prop_assert!(named, "{faults:?}, not entry {want}");
            }
        }
    }

    /// A tail cut anywhere: what is whole stays, the rest is said.
    #[test]
    fn a_torn_tail_is_cut(signed in 0u64..300, more in 1u64..300, cut in any::<prop::sample::Index>()) {
        let mut bench = Bench::new();
        bench.append(0..signed);
        bench.checkpoint();
        bench.append(signed..signed + more);
        bench.end();
        let tail = bench.path(format!("tail.{signed}"));
        let length = std::fs::metadata(&tail).expect("there").len();
        let left = cut.index(length as usize) as u64;
        let file = std::fs::OpenOptions::new().write(true).open(&tail).expect("there");
        file.set_len(left).expect("cut");
        let (mut whole, mut bytes) = (0, 0);
        while bytes + entry(signed + whole).len() as u64 + 2 <= left {
            bytes += entry(signed + whole).len() as u64 + 2;
            whole += 1;
        }
        let recovered = bench.open();
        prop_assert_eq!((recovered.entries, recovered.torn), (whole, left - bytes));
        bench.append(signed + whole..signed + whole + 5);
        bench.checkpoint();
        prop_assert_eq!(bench.entries(), (0..signed + whole + 5).map(entry).collect::<Vec<_>>());
        prop_assert_eq!(bench.verdict().faults, vec![]);
    }
}

fn bundle(bench: &Bench, index: u64, size: u64) -> PathBuf {
    bench.path(tile::path(
        Kind::Entries,
        index,
        tile::width(Kind::Entries, index, size),
    ))
}

fn flip(bench: &Bench, index: u64, size: u64, offset: usize, bits: u8) {
    let path = bundle(bench, index, size);
    let mut bytes = std::fs::read(&path).expect("there");
    bytes[offset] ^= bits;
    std::fs::write(&path, bytes).expect("written");
}

/// Puts other entries into the bundles of a log of `size`.
fn rewrite(bench: &Bench, size: u64, mut entries: impl Iterator<Item = Vec<u8>>) {
    for index in 0..size.div_ceil(256) {
        let mut bytes = Vec::new();
        for entry in entries.by_ref().take(256) {
            tile::push_entry(&mut bytes, &entry);
        }
        std::fs::write(bundle(bench, index, size), bytes).expect("written");
    }
}

/// A checkpoint between opening and reading takes the tail away: what was in it is found where it is now.
#[test]
fn a_checkpoint_under_a_reader_hides_nothing() {
    let mut bench = Bench::new();
    bench.append(0..3);
    bench.checkpoint();
    bench.append(3..8);
    bench.log().flush().expect("written");
    let reader = bench.reader();
    bench.checkpoint();
    let mut seen = Vec::new();
    let next = reader.each(1, |index, bytes| {
        assert_eq!(bytes, entry(index));
        seen.push(index);
        ControlFlow::Continue(())
    });
    assert_eq!((next.expect("readable"), seen), (8, (1..8).collect()));
}

#[test]
fn a_log_that_was_cut_is_found() {
    let mut bench = Bench::new();
    bench.append(0..300);
    let old = bench.checkpoint();
    bench.append(300..700);
    bench.checkpoint();
    std::fs::remove_file(bundle(&bench, 2, 700)).expect("there");
    let missing = Fault::Entry {
        index: 512,
        why: "is missing",
    };
    assert_eq!(bench.verdict().faults, [missing]);
    // With an older checkpoint put back, the ones that were kept still tell.
    std::fs::write(bench.path("checkpoint"), old.sign(&bench.key)).expect("written");
    let faults = bench.verdict().faults;
    assert_eq!(faults[0], Fault::Shortened { to: 300, from: 700 }, "{faults:?}");
}

#[test]
fn a_log_that_was_rewritten_as_a_whole_is_found() {
    let mut bench = Bench::new();
    bench.append(0..300);
    bench.checkpoint();
    bench.append(300..400);
    bench.checkpoint();
    let note = std::fs::read(bench.path("checkpoint")).expect("there");
    let kept = std::fs::read(bench.path("checkpoints")).expect("there");
    std::fs::remove_dir_all(bench.book().log(1)).expect("there");
    // Somebody without the key makes a log that fits in itself, and puts the signed notes back.
    bench.log = Some(Log::create(&bench.book().log(1), "test/audit/1").expect("a log"));
    bench.append(0..350);
    bench.append(1000..1050);
    bench.checkpoint();
    std::fs::write(bench.path("checkpoint"), note).expect("written");
    std::fs::write(bench.path("checkpoints"), kept).expect("written");
    assert_eq!(bench.verdict().faults, [Fault::Rewritten { from: 300, to: 400 }]);
}

#[test]
fn a_changed_tile_is_told_apart_from_a_changed_entry() {
    let mut bench = Bench::new();
    bench.append(0..300);
    bench.checkpoint();
    let path = bench.path("tile/0/001.p/44");
    let mut bytes = std::fs::read(&path).expect("there");
    bytes[0] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    assert_eq!(bench.verdict().faults, [Fault::Tile { level: 0, index: 1 }]);
}

#[test]
fn a_foreign_checkpoint_is_not_believed() {
    let mut bench = Bench::new();
    bench.append(0..3);
    let checkpoint = bench.checkpoint();
    let foreign = Key::open(&bench.folder.path().join("foreign.pem")).expect("a key");
    std::fs::write(bench.path("checkpoint"), checkpoint.sign(&foreign)).expect("written");
    assert!(matches!(&bench.verdict().faults[..], [Fault::Checkpoint(_)]));
}

#[test]
fn a_proof_holds_for_its_entry_alone() {
    let mut bench = Bench::new();
    bench.append(0..300);
    bench.checkpoint();
    bench.append(300..301);
    bench.log().flush().expect("written");
    let (reader, public) = (bench.reader(), bench.key.public());
    assert_eq!(
        prove(&reader, 300, &public).expect("readable"),
        None,
        "not signed yet"
    );
    let proof = proves(&reader, 7, &public);
    let check = |change: &dyn Fn(&mut Proof), want: ProofError| {
        let mut other = proof.clone();
        change(&mut other);
        assert_eq!(other.check().err(), Some(want));
    };
    check(&|p| p.entry.push(' '), ProofError::Hashes);
    check(&|p| p.index = 8, ProofError::Hashes);
    check(&|p| drop(p.hashes.pop()), ProofError::Hashes);
    check(&|p| p.hashes[0].push('A'), ProofError::Malformed("hashes"));
    check(
        &|p| p.checkpoint = p.checkpoint.replace("\n300\n", "\n301\n"),
        ProofError::Note(crate::note::NoteError::Forged),
    );
    check(&|p| p.public_key.clear(), ProofError::Malformed("publicKey"));
}

/// The whole of it: thread, queue, rotation.
fn start(folder: &Folder, change: impl Fn(&mut Audit)) -> Arc<AuditLog> {
    let mut config = Audit::default();
    change(&mut config);
    AuditLog::start(folder.path(), "host", &config).expect("it starts")
}

fn request() -> Record {
    Record {
        audit: true,
        method: "GET".into(),
        host: "a.test".into(),
        target: "/".into(),
        ..Record::default()
    }
}

fn all(book: &Book) -> Vec<Value> {
    let mut all = Vec::new();
    for number in book.numbers().expect("readable") {
        let reader = book.reader(number).expect("readable");
        let read = reader.each(0, |_, entry| {
            all.push(serde_json::from_slice(entry).expect("JSON"));
            ControlFlow::Continue(())
        });
        read.expect("readable");
    }
    all
}

fn public(book: &Book) -> PublicKey {
    let text = std::fs::read_to_string(book.public_key()).expect("there");
    crate::note::public_key(&text).expect("a key")
}

#[test]
fn only_requests_that_opt_in_are_recorded() {
    let folder = Folder::new("audit");
    let log = start(&folder, |_| {});
    log.configure(7);
    log.observe(&request());
    log.observe(&Record {
        audit: false,
        ..request()
    });
    log.record(Other::now("process", json!({}), json!({"event": "started"})));
    log.settle();
    let book = Book::in_store(folder.path());
    let kinds: Vec<Value> = all(&book).into_iter().map(|e| e["kind"].clone()).collect();
    assert_eq!(kinds, ["log", "request", "process"]);
    assert_eq!(all(&book)[1]["configuration"], 7);
    let verdicts = verify(&book, &public(&book)).expect("readable");
    assert_eq!(verdicts[0].checkpoint.as_ref().map(|c| c.size), Some(3));
}

#[test]
fn logs_follow_each_other_and_the_oldest_go() {
    let folder = Folder::new("audit");
    let log = start(&folder, |config| {
        config.rotate_every = trilithon_model::Duration::from_nanos(1);
        config.max_backups = 2;
    });
    for _ in 0..4 {
        log.observe(&request());
        log.settle();
    }
    let book = Book::in_store(folder.path());
    assert_eq!(book.numbers().expect("readable"), [3, 4, 5]);
    let verdicts = verify(&book, &public(&book)).expect("readable");
    assert!(verdicts.iter().all(|v| v.faults.is_empty()), "{verdicts:?}");
    // A log that is cut after it was closed no longer fits to the next one.
    let old = std::fs::read_to_string(book.log(3).join("checkpoint")).expect("there");
    let forged = Checkpoint {
        size: 1,
        root: merkle::root(&Tiles::new(&book.log(3), 1), 1).unwrap_or_default(),
        ..Checkpoint::parse(&old).expect("one")
    };
    let key = Key::open(&book.key()).expect("a key");
    std::fs::write(book.log(3).join("checkpoint"), forged.sign(&key)).expect("written");
    std::fs::remove_file(book.log(3).join("checkpoints")).expect("there");
    let verdicts = verify(&book, &public(&book)).expect("readable");
    assert!(verdicts.iter().any(|v| !v.faults.is_empty()), "{verdicts:?}");
    std::fs::remove_dir_all(book.log(4)).expect("there");
    let verdicts = verify(&book, &public(&book)).expect("readable");
    assert!(verdicts[1].faults.contains(&Fault::Missing), "{verdicts:?}");
}

#[test]
fn a_damaged_log_is_left_alone_and_a_new_one_begun() {
    let folder = Folder::new("audit");
    let book = Book::in_store(folder.path());
    let log = start(&folder, |_| {});
    log.observe(&request());
    log.settle();
    drop(log);
    std::fs::write(book.log(1).join("checkpoint"), "nonsense").expect("written");
    let log = start(&folder, |_| {});
    log.settle();
    assert_eq!(book.numbers().expect("readable"), [1, 2]);
    let first: Value = all(&book).pop().expect("an entry");
    assert!(first["what"]["previous"]["damage"].is_string(), "{first}");
}

#[test]
fn a_log_is_continued_by_the_next_process() {
    let folder = Folder::new("audit");
    let book = Book::in_store(folder.path());
    for _ in 0..3 {
        let log = start(&folder, |_| {});
        log.observe(&request());
        log.settle();
    }
    assert_eq!(book.numbers().expect("readable"), [1]);
    assert_eq!(all(&book).len(), 4);
    let origins = Checkpoint::parse(book.reader(1).expect("readable").note().expect("signed"));
    assert_eq!(origins.expect("one").origin, "host/audit/1");
}

/// A tail that cannot be written: what is lost is counted, and the log says so once it can.
#[test]
fn what_is_lost_is_said() {
    let folder = Folder::new("audit");
    let book = Book::in_store(folder.path());
    let log = start(&folder, |_| {});
    log.settle();
    // A folder in the place of the file that the next entry goes to.
    let tail = book.log(1).join("tail.1");
    std::fs::create_dir(&tail).expect("made");
    for _ in 0..3 {
        log.observe(&request());
    }
    log.settle();
    std::fs::remove_dir(&tail).expect("there");
    trilithon_testkit::eventually("the log says what was lost", || {
        log.observe(&request());
        log.settle();
        all(&book).iter().any(|e| e["what"]["event"] == "dropped")
    });
    let dropped = all(&book).into_iter().find(|e| e["what"]["event"] == "dropped");
    assert!(dropped.expect("found")["what"]["entries"].as_u64() >= Some(3));
}
