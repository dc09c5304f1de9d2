//! `demo`: how fast is for the demonstration itself to say; here it is what happens.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::Place;

/// What a loaded machine can break without anything being wrong.
const OF_TIME: [&str; 2] = ["a waiting reader sleeps", "a death is told within 100 ms"];

#[test]
fn the_demonstration_holds_and_leaves_nothing_behind() {
    let place = Place::new();
    let output = place.run(&["demo", "--json", "--during", "300ms"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for part in ["paced", "flat_out"] {
        let part = &report[part];
        assert_eq!(part["torn"], json!(0));
        let number = |what: &str| part[what].as_u64().unwrap();
        assert!(number("written") > 0 && number("seen") > 0);
        assert_eq!(number("seen") + number("missed"), number("written"));
        let delay = |what: &str| part["delay_us"][what].as_f64().unwrap();
        assert!(0.0 < delay("p50") && delay("p50") <= delay("p99") && delay("p99") <= delay("max"));
        assert!(part["reader_cpu_percent"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(report["paced"]["missed"], json!(0));
    let after_kill = &report["after_kill"];
    assert!(after_kill["told_ms"].as_f64().unwrap() >= 0.0);
    assert_eq!(after_kill["last_value_whole"], json!(true));
    assert_eq!(after_kill["resumed"], json!(true));
    assert!(after_kill["message"].as_str().unwrap().contains(" died; the last whole value stays"));

    let broken = report["broken"].as_array().unwrap();
    assert!(broken.iter().all(|it| OF_TIME.contains(&it.as_str().unwrap())), "{broken:?}");
    assert_eq!(output.status.code(), Some(i32::from(!broken.is_empty())));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn interrupted_it_leaves_nothing_behind() {
    let place = Place::new();
    let mut demo = place.start(&["demo", "--during", "60s"]);
    demo.line();
    while fs::read_dir(place.path()).unwrap().count() == 0 {
        std::thread::yield_now();
    }
    let mut kill = Command::new("kill");
    assert!(kill.args(["-s", "INT", &demo.child.id().to_string()]).status().unwrap().success());
    assert_eq!(demo.child.wait().unwrap().code(), Some(130));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn its_processes_do_not_outlive_it() {
    let place = Place::new();
    let mut demo = place.start(&["demo", "--during", "60s"]);
    // Somebody takes part: the reader waits, the writer writes.
    let entry = loop {
        let list = place.json(&["ls", "--sample", "0ms"]);
        if list[0]["writers"] == json!(1) {
            break list[0]["name"].as_str().unwrap().to_owned();
        }
    };
    demo.kill();
    // They remove it on their way out: whoever is last, it is gone.
    while place.run(&["info", &entry]).status.success() {
        std::thread::yield_now();
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}
