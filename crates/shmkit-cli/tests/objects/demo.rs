//! `demo`: how fast is for the demonstration itself to say; here it is what happens.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs;

use serde_json::json;

use crate::Place;

/// What a loaded machine can break without anything being wrong.
const OF_TIME: [&str; 1] = ["a death is told within 100 ms"];

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
        // Windows counts in ticks, of which there may have been none.
        let percent = part["reader_cpu_percent"].as_f64().unwrap();
        assert!(percent > 0.0 || (cfg!(windows) && percent == 0.0), "{percent}");
    }
    assert_eq!(report["paced"]["missed"], json!(0));
    let after_kill = &report["after_kill"];
    assert!((1..=3).contains(&after_kill["tries"].as_u64().unwrap()));
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
fn its_processes_do_not_outlive_it() {
    let place = Place::new();
    let mut demo = place.start(&["demo", "--during", "60s"]);
    wait_for_writer(&place);
    demo.kill();
    // They remove the object on their way out.
    while fs::read_dir(place.path()).unwrap().count() > 0 {
        std::thread::yield_now();
    }
}

/// Until all take part: the reader waits, the writer writes.
fn wait_for_writer(place: &Place) {
    while place.json(&["ls", "--sample", "0ms"])[0]["writers"] != json!(1) {
        std::thread::yield_now();
    }
}

#[test]
fn where_there_is_no_place_it_says_so_at_once() {
    let place = Place::new();
    place.fails(&["--dir", "/nowhere", "demo"], 3, "no directory /nowhere");
    place.fails(&["demo", "--during", "99ms"], 2, "it must be 100ms or more");
}
