//! Import and export against a real storage, the one in memory.

use std::io::Write as _;
use std::process::{Command, Stdio};

use futures::TryStreamExt as _;
use mosaic_core::{ErrorKind, Kind, Scope, Storage, Tokens, memory};
use std::sync::Arc;

use super::*;

const ADA: &str =
    r#"{"kind":"user","id":"00000000-0000-4000-8000-0000000000a1","login":"ada","name":"Ada","created_at":"2026-01-01T00:00:00Z"}"#;
const BEN: &str =
    r#"{"kind":"user","id":"00000000-0000-4000-8000-0000000000a2","login":"ben","name":"Ben","created_at":"2026-01-02T00:00:00Z"}"#;
const OPS: &str =
    r#"{"kind":"team","id":"00000000-0000-4000-8000-0000000000b1","slug":"ops","name":"Ops","created_at":"2026-01-01T00:00:00Z"}"#;

fn task(n: u32, owner: &str) -> String {
    format!(
        r#"{{"kind":"task","id":"00000000-0000-4000-9000-{n:012x}","owner_id":"00000000-0000-4000-8000-0000000000{owner}","title":"Task {n}","created_at":"2026-01-03T00:00:00Z"}}"#
    )
}

fn open() -> Arc<dyn Storage> {
    memory::open().storage
}

async fn take(storage: &Arc<dyn Storage>, input: &[u8]) -> Report {
    import(Arc::clone(storage), Powers::Granted, input, |_| {}).await.unwrap()
}

async fn give(storage: &Arc<dyn Storage>, tokens: Tokens) -> String {
    let pieces: Vec<_> = export(Arc::clone(storage), tokens).try_collect().await.unwrap();
    String::from_utf8(pieces.concat()).unwrap()
}

fn gzip(input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip").arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output.stdout
}

fn counts(added: u64, unchanged: u64, refused: u64) -> Counts {
    Counts { added, unchanged, refused }
}

#[tokio::test]
async fn a_second_import_leaves_all_unchanged() {
    let storage = open();
    let input = [ADA, BEN, OPS, &task(1, "a1")].join("\n");
    let first = take(&storage, input.as_bytes()).await;
    assert_eq!((first.lines, first.total), (4, counts(4, 0, 0)));
    assert_eq!(first.kinds[&Kind::User], counts(2, 0, 0));
    let second = take(&storage, input.as_bytes()).await;
    assert_eq!(second.total, counts(0, 4, 0));
    assert_eq!(second.refusals, []);
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_by_its_line_and_the_rest_goes_in() {
    let storage = open();
    let unknown_field = task(2, "a1").replace("\"title\"", "\"colour\":\"red\",\"title\"");
    let token = r#"{"kind":"token","id":"00000000-0000-4000-8000-0000000000c1","user_id":"00000000-0000-4000-8000-0000000000a1","name":"t","scopes":["read"],"created_at":"2026-01-01T00:00:00Z"}"#;
    let lines: &[&[u8]] = &[
        ADA.as_bytes(),
        b"{\"kind\":\"task\",",
        unknown_field.as_bytes(),
        b"",
        b"\"caf\xe9\"",
        b"  \t\r",
        &task(4, "ff").into_bytes(),
        b"{\"kind\":\"chore\"}",
        b"{\"kind\":\"note\",\"id\":7}",
        token.as_bytes(),
        &task(5, "a1").into_bytes(),
    ];
    let report = take(&storage, &lines.join(&b'\n')).await;

    assert_eq!((report.lines, report.total, report.unknown), (11, counts(2, 0, 7), 3));
    assert_eq!(report.kinds[&Kind::Task], counts(1, 0, 2));
    let reasons: Vec<_> = report.refusals.iter().map(|refusal| (refusal.line, refusal.kind, refusal.reason.as_str())).collect();
    let expected = [
        (2, None, "not JSON (column=15)"),
        (3, Some(Kind::Task), "unknown field `colour`"),
        (5, None, "not UTF-8 (byte=5)"),
        (7, Some(Kind::Task), "a user that does not exist"),
        (8, None, "there is no such kind of record (kind=chore); use one of user"),
        (9, Some(Kind::Note), "field=id"),
        (10, Some(Kind::Token), "a token without its hash is of no use (field=hash); export it --with-tokens"),
    ];
    assert_eq!(reasons.len(), expected.len());
    for ((line, kind, reason), (expected_line, expected_kind, part)) in reasons.into_iter().zip(expected) {
        assert_eq!((line, kind), (expected_line, expected_kind));
        assert!(reason.contains(part), "{reason} does not say {part}");
    }
    assert_eq!(report.refusals[1].id, Some("00000000-0000-4000-9000-000000000002".parse().unwrap()));
    assert!(storage.get(Scope::System, Kind::Task, "00000000-0000-4000-9000-000000000005".parse().unwrap()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_line_that_is_too_long_is_refused_by_its_number() {
    let storage = open();
    let long = format!(r#"{{"kind":"note","body":"{}"}}"#, "x".repeat(LINE_BYTES));
    let report = take(&storage, [ADA, &long, BEN].join("\n").as_bytes()).await;
    assert_eq!(report.total, counts(2, 0, 1));
    assert_eq!((report.refusals[0].line, report.refusals[0].reason.as_str()), (2, "the line is longer than 16777216 bytes"));
}

#[tokio::test]
async fn a_line_of_more_values_than_a_record_has_is_refused_by_its_number() {
    let storage = open();
    let many = format!(r#"{{"kind":"note","tags":[{}1]}}"#, "1,".repeat(2_000_000));
    let report = take(&storage, [ADA, &many, BEN].join("\n").as_bytes()).await;
    assert_eq!(report.total, counts(2, 0, 1));
    assert_eq!((report.refusals[0].line, report.refusals[0].reason.as_str()), (2, "the line holds more than 4096 JSON values"));
}

#[tokio::test]
async fn a_line_of_too_many_values_is_not_read_to_say_of_which_record_it_is() {
    let storage = open();
    let id = "00000000-0000-4000-9000-000000000001";
    for line in [
        format!(r#"{{"id":"{id}","kind":[{}1]}}"#, "1,".repeat(2_000_000)),
        format!(r#"{{"kind":"note","id":[{}1]}}"#, "1,".repeat(5_000)),
        format!(r#"{{"kind":"note","id":"{id}","tags":[{}1]}}"#, "1,".repeat(5_000)),
    ] {
        let report = take(&storage, line.as_bytes()).await;
        assert_eq!((report.total, report.unknown), (counts(0, 0, 1), 1));
        let Refusal { kind, id, reason, .. } = &report.refusals[0];
        assert_eq!((kind, id, reason.as_str()), (&None, &None, "the line holds more than 4096 JSON values"));
    }
}

#[tokio::test]
async fn refusals_are_all_counted_and_the_first_hundred_listed_with_short_reasons() {
    let storage = open();
    let odd = format!(r#"{{"kind":"user","{}":1}}"#, "é".repeat(5_000));
    let report = take(&storage, format!("{odd}\n").repeat(2_500).as_bytes()).await;
    assert_eq!(report.total, counts(0, 0, 2_500));
    assert_eq!(report.refusals.len(), REFUSALS);
    assert_eq!(report.refusals[99].line, 100);
    assert!(report.refusals[0].reason.chars().count() <= 401, "{}", report.refusals[0].reason);
}

#[tokio::test]
async fn an_id_that_exists_with_other_content_is_refused_and_stays_as_it_was() {
    let storage = open();
    take(&storage, ADA.as_bytes()).await;
    let report = take(&storage, ADA.replace("Ada", "Eve").as_bytes()).await;
    assert_eq!(report.total, counts(0, 0, 1));
    assert!(give(&storage, Tokens::Omit).await.contains("Ada"));
}

#[tokio::test]
async fn without_powers_neither_tokens_nor_admins_are_taken() {
    let storage = open();
    let admin = BEN.replace("\"name\"", "\"role\":\"admin\",\"name\"");
    let token = r#"{"kind":"token","id":"00000000-0000-4000-8000-0000000000c1","user_id":"00000000-0000-4000-8000-0000000000a1","name":"t","scopes":["read"],"hash":"04544ee19d3b2d68b7afe3df5c56d3a60843fea59320c81e13e9defd28af5d55","created_at":"2026-01-01T00:00:00Z"}"#;
    let input = [ADA, &admin, token, OPS].join("\n");
    let report = import(Arc::clone(&storage), Powers::Withheld, input.as_bytes(), |_| {}).await.unwrap();
    assert_eq!((report.total, report.kinds[&Kind::Token]), (counts(2, 0, 2), counts(0, 0, 1)));
    for (refusal, line, part) in [(&report.refusals[0], 2, "is an admin"), (&report.refusals[1], 3, "lets somebody in")] {
        assert_eq!(refusal.line, line);
        assert!(refusal.reason.contains(part) && refusal.reason.contains("scopes operator and admin"), "{}", refusal.reason);
    }
    assert_eq!(take(&storage, input.as_bytes()).await.total, counts(2, 2, 0), "with them, both are");
}

#[tokio::test]
async fn progress_is_told_after_each_batch() {
    let storage = open();
    let input: String = std::iter::once(ADA.to_owned()).chain((0..2_500).map(|n| task(n, "a1"))).map(|line| line + "\n").collect();
    let mut told = Vec::new();
    let report = import(Arc::clone(&storage), Powers::Granted, input.as_bytes(), |report| told.push(report.total.added)).await.unwrap();
    assert_eq!(report.total, counts(2_501, 0, 0));
    assert_eq!(told, [1_000, 2_000, 2_501]);
}

#[tokio::test]
async fn gzip_is_recognised_also_in_several_members() {
    let storage = open();
    let input = [gzip(format!("{ADA}\n").as_bytes()), gzip(format!("{BEN}\n").as_bytes())].concat();
    assert_eq!(take(&storage, &input).await.total, counts(2, 0, 0));
}

/// Imports a broken gzip stream of a user and 5,000 tasks, then the whole one; answers how many records the broken one gave and
/// up to which line its error says that all was taken.
async fn take_broken(broken: &[u8], whole: &[u8]) -> (u64, u64) {
    let storage = open();
    let error = import(Arc::clone(&storage), Powers::Granted, broken, |_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().starts_with("the gzip stream ends early or is damaged (line="), "{error}");
    let kept = give(&storage, Tokens::Omit).await.lines().count() as u64;
    assert_eq!(take(&storage, whole).await.total, counts(5_001 - kept, kept, 0));
    (kept, error.get("line").unwrap().parse().unwrap())
}

#[tokio::test]
async fn of_a_gzip_stream_that_is_cut_or_damaged_everything_before_is_kept() {
    let whole: String = std::iter::once(ADA.to_owned()).chain((0..5_000).map(|n| task(n, "a1"))).map(|line| line + "\n").collect();
    let whole = gzip(whole.as_bytes());

    let (kept, line) = take_broken(&whole[..whole.len() / 2], &whole).await;
    assert!(kept > 1_000 && kept == line, "{kept} of {line}");

    // Damage may unpack to some lines of nonsense, which are refused, before it is noticed.
    let mut damaged = whole.clone();
    let at = damaged.len() - 2_000;
    damaged[at..at + 500].fill(0xff);
    let (kept, line) = take_broken(&damaged, &whole).await;
    assert!(kept > 1_000 && kept <= line, "{kept} of {line}");
}

#[tokio::test]
async fn an_export_is_imported_and_exported_again_byte_for_byte() {
    let first = open();
    let token = r#"{"kind":"token","id":"00000000-0000-4000-8000-0000000000c1","user_id":"00000000-0000-4000-8000-0000000000a1","name":"t","scopes":["read"],"hash":"04544ee19d3b2d68b7afe3df5c56d3a60843fea59320c81e13e9defd28af5d55","created_at":"2026-01-01T00:00:00Z","last_used_at":"2026-01-02T00:00:00Z"}"#;
    let changed = BEN.replace("}", r#","updated_at":"2026-02-02T02:02:02.000002Z","revision":7}"#);
    // A team before its users, and users the wrong way round: the order of an export is its own.
    let tasks: Vec<_> = (0..2_500).rev().map(|n| task(n, "a1")).collect();
    let input = [OPS, &changed, ADA, token, &tasks.join("\n")].join("\n");
    assert_eq!(take(&first, input.as_bytes()).await.total, counts(2_504, 0, 0));

    let exported = give(&first, Tokens::WithHashes).await;
    let kinds: Vec<_> = exported.lines().map(|line| mosaic_core::Record::from_json_bytes(line.as_bytes()).unwrap()).collect();
    assert!(kinds.windows(2).all(|pair| (pair[0].kind(), pair[0].id()) < (pair[1].kind(), pair[1].id())));
    assert!(exported.contains(r#""updated_at":"2026-02-02T02:02:02.000002Z","revision":7}"#));

    let second = open();
    assert_eq!(take(&second, &gzip(exported.as_bytes())).await.total, counts(2_504, 0, 0));
    assert_eq!(give(&second, Tokens::WithHashes).await, exported);

    assert_eq!(give(&first, Tokens::Omit).await.lines().count(), 2_503);
}

#[tokio::test]
async fn what_is_empty_is_no_error() {
    let storage = open();
    assert_eq!(take(&storage, b"").await, Report::default());
    assert_eq!(take(&storage, b"\n\n").await.lines, 2);
    assert_eq!(give(&storage, Tokens::WithHashes).await, "");
}
