//! `bench`: what is measured and shown, and not how fast.

#[cfg(target_os = "linux")]
mod linux;

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value as Json;

use crate::TestDir;

/// The mechanisms of this system, besides those of shmkit.
const OF_THE_SYSTEM: &[&str] = match (cfg!(target_os = "linux"), cfg!(windows)) {
    (true, _) => &[
        "pipe",
        "fifo",
        "unix-stream",
        "unix-datagram",
        "unix-seqpacket",
        "tcp",
        "posix-queue",
        "system-v-queue",
        "memory-semaphore",
        "memory-signal",
        "memory-eventfd",
    ],
    (_, true) => &["pipe", "named-pipe", "tcp", "mailslot", "memory-event"],
    _ => &["pipe", "fifo", "unix-stream", "unix-datagram", "tcp"],
};
const OURS: [&str; 5] =
    ["shmkit-latest", "shmkit-topic", "shmkit-queue", "shmkit-call", "shmkit-pipe"];

/// As short as can be.
const SHORT: [&str; 4] = ["--seconds", "0.01", "--rounds", "1"];

/// Returns the mechanism and the way to wait of each row.
fn rows(mechanisms: &[&str]) -> BTreeSet<String> {
    let row = |name: &&str| match OURS.contains(name) {
        true => vec![format!("{name} spinning"), format!("{name} asleep")],
        false => vec![format!("{name} asleep")],
    };
    mechanisms.iter().flat_map(row).collect()
}

/// Runs a short comparison. Returns its results as JSON.
#[track_caller]
fn compare(dir: &TestDir, arguments: &[&str]) -> Json {
    let output = dir.run(&[&["bench", "--json"], &SHORT[..], arguments].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(errors.starts_with("shm: round 1 of 1, "), "{errors}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn row_of(result: &Json) -> String {
    let word = |key: &str| result[key].as_str().unwrap();
    format!("{} {}", word("mechanism"), word("waits"))
}

/// Returns why a case was skipped, if it was.
fn why_skipped<'a>(report: &'a Json, result: &Json) -> Option<&'a str> {
    let has = |list: &Json, it: &Json| list.as_array().unwrap().contains(it);
    let skipped = report["skipped"].as_array().unwrap().iter();
    let mut skipped = skipped.filter(|it| {
        it["mechanism"] == result["mechanism"]
            && has(&it["waits"], &result["waits"])
            && has(&it["sizes"], &result["size"])
    });
    let why = skipped.next()?["why"].as_str().unwrap();
    assert!(skipped.next().is_none() && !why.is_empty());
    Some(why)
}

/// Checks that each case was measured, or says why not. (The processes check each message.)
#[track_caller]
fn check_results(report: &Json) {
    for result in report["results"].as_array().unwrap() {
        let number = |value: &Json| value.as_f64();
        let (trips, one_way) = (&result["round_trip_ns"], &result["one_way"]);
        let median = number(&trips["median"]);
        match why_skipped(report, result) {
            Some(_) => assert_eq!((median, number(&one_way["bytes_per_second"])), (None, None)),
            None => {
                assert!(number(&trips["count"]).unwrap() > 0.0, "{result}");
                // With few round trips there are no others than the median.
                let [p99, p999] = ["p99", "p999"].map(|it| number(&trips[it]));
                assert!(median.is_some() && median <= p99.or(median), "{result}");
                assert!(p999.is_none() || p99 <= p999, "{result}");
                let per_second = number(&one_way["messages_per_second"]).unwrap();
                let bytes = number(&one_way["bytes_per_second"]).unwrap();
                let size = number(&result["size"]).unwrap();
                assert!((bytes - per_second * size).abs() <= size, "{result}");
                assert!(number(&result["busy_processors"]).unwrap() >= 0.0);
            }
        }
    }
}

#[test]
fn each_mechanism_passes_its_messages_whole_and_leaves_nothing() {
    let dir = TestDir::new();
    let report = compare(&dir, &["--sizes", "4K"]);
    check_results(&report);
    let results = report["results"].as_array().unwrap();
    let all = [OF_THE_SYSTEM, &OURS].concat();
    assert_eq!(results.iter().map(row_of).collect::<BTreeSet<_>>(), rows(&all));
    assert_eq!(results.len(), rows(&all).len());
    let measured = results.iter().filter(|it| why_skipped(&report, it).is_none());
    let measured: BTreeSet<_> = measured.map(row_of).collect();
    // What each system has that these tests run on.
    let asleep = [&["pipe", "tcp"][..], &OURS].concat();
    for name in asleep {
        assert!(measured.contains(&format!("{name} asleep")), "{name}: {report}");
    }
    assert_eq!(report["rounds"], 1);
    assert!(report["machine"]["system"].is_string() && report["machine"]["clock_ns"].is_u64());
}

#[test]
fn small_and_large_messages_are_passed_whole() {
    let dir = TestDir::new();
    let report = compare(&dir, &["--only", "shmkit,memory", "--sizes", "8,1K,64K,1M"]);
    check_results(&report);
    let skipped = report["skipped"].as_array().unwrap();
    let queue = skipped.iter().find(|it| it["mechanism"] == "shmkit-queue");
    assert_eq!(queue.unwrap()["sizes"].as_array().unwrap().last().unwrap(), 1 << 20);
}

#[test]
fn the_tables_have_a_row_for_each_and_say_why_something_is_missing() {
    let dir = TestDir::new();
    let arguments = ["bench", "--only", "tcp,queue", "--sizes", "8,1M"];
    let output = dir.run(&[&arguments, &SHORT[..]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let count = |what: &str| text.lines().filter(|line| line.starts_with(what)).count();
    assert_eq!(count("MECHANISM"), 4, "{text}");
    assert_eq!(count("tcp "), 4, "{text}");
    assert_eq!(count("shmkit-queue "), 8, "{text}");
    assert_eq!(count("- shmkit-queue, 1 MiB: a value of a queue has at most 64 KiB"), 1, "{text}");
    assert!(count("spinning: a side that waits keeps its processor busy") == 1, "{text}");
    assert_eq!(count("pipe"), 0, "{text}");
}

#[test]
fn the_picture_is_well_formed_and_contains_each_line_and_its_label() {
    let dir = TestDir::new();
    let file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = file.path().to_str().unwrap();
    let only = ["--only", "tcp,shmkit", "--sizes", "8,4K", "--plot", path];
    let report = compare(&dir, &only);
    let text = fs::read_to_string(path).unwrap();
    let picture = roxmltree::Document::parse(&text).unwrap();
    for (panel, key, value) in
        [("round-trip", "round_trip_ns", "median"), ("one-way", "one_way", "bytes_per_second")]
    {
        let panel = picture.descendants().find(|it| it.attribute("id") == Some(panel)).unwrap();
        let lines = panel.children().filter(|it| it.has_attribute("data-name"));
        let lines: Vec<_> = lines.collect();
        let results = report["results"].as_array().unwrap().iter();
        let measured = results.filter(|it| it[key][value].as_f64().is_some_and(|it| it > 0.0));
        let measured: BTreeSet<_> = measured.map(row_of).collect();
        let expected = [&["tcp"][..], &OURS].concat();
        assert_eq!(measured, rows(&expected));
        let names = lines.iter().map(|it| it.attribute("data-name").unwrap().to_owned());
        assert_eq!(names.collect::<BTreeSet<_>>(), measured);
        let labels = lines.iter().map(|line| {
            let text =
                line.children().find(|it| it.has_tag_name(("http://www.w3.org/2000/svg", "text")));
            let text = text.unwrap();
            assert!(!text.text().unwrap().is_empty());
            text.attribute("y").unwrap().parse::<f64>().unwrap()
        });
        let mut labels: Vec<_> = labels.collect();
        labels.sort_by(f64::total_cmp);
        assert!(labels.windows(2).all(|it| it[1] - it[0] > 15.0), "{labels:?}");
    }
}

#[test]
fn what_cannot_be_measured_is_refused_in_words() {
    let dir = TestDir::new();
    dir.fails(&["bench", "--only", "pigeon"], 2, "no mechanism has the word \"pigeon\": there are");
    dir.fails(&["bench", "--sizes", "7"], 2, "the sizes are 8 B, 64 B");
    dir.fails(&["bench", "--seconds", "0"], 2, "expected a number of seconds");
    dir.fails(&["bench", "--rounds", "0"], 2, "1..=1000");
    let missing = dir.path().join("missing");
    let arguments = ["bench", "--dir", missing.to_str().unwrap(), "--only", "pipe"];
    dir.fails(&arguments, 3, "cannot create ");
}
