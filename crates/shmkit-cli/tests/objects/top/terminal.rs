//! `shm top` on a terminal, which it leaves as it was.

use std::process::Command;

use super::TestDir;
use crate::pseudo_terminal::PseudoTerminal;

const ENTER_OTHER_SCREEN: &str = "\x1b[?1049h";
const LEAVE_OTHER_SCREEN: &str = "\x1b[?1049l";
const SHOW_CURSOR: &str = "\x1b[?25h";

/// Starts the command on a terminal, and waits until it shows the object.
fn start(dir: &TestDir) -> (PseudoTerminal, String) {
    dir.leave("robot/pose", &1_u64);
    let mut terminal = PseudoTerminal::new();
    let mode = terminal.mode();
    terminal.start(&dir.command(&["top", "--interval", "20ms"]));
    terminal.await_text("robot/pose");
    assert!(terminal.seen.contains(ENTER_OTHER_SCREEN));
    assert_ne!(terminal.mode(), mode, "keys come one by one");
    (terminal, mode)
}

/// Waits for the end, and returns the exit code.
#[track_caller]
fn end(terminal: &mut PseudoTerminal, mode: &str) -> Option<i32> {
    let status = terminal.end();
    let left = terminal.seen.rfind(LEAVE_OTHER_SCREEN).expect("it leaves the other screen");
    assert!(terminal.seen[left..].contains(SHOW_CURSOR), "{:?}", &terminal.seen[left..]);
    assert_eq!(terminal.mode(), mode);
    status.code()
}

#[test]
fn the_terminal_is_left_as_it_was_at_q_at_ctrl_c_and_at_signals() {
    for (how, code) in [("q", 0), ("\x03", 130), ("TERM", 143), ("HUP", 129), ("INT", 130)] {
        let dir = TestDir::new();
        let (mut terminal, mode) = start(&dir);
        match how.len() {
            1 => terminal.press(how),
            _ => {
                let id = terminal.id().to_string();
                assert!(Command::new("kill").args(["-s", how, &id]).status().unwrap().success());
            }
        }
        assert_eq!(end(&mut terminal, &mode), Some(code), "{how:?}");
        // Messages would come after the other screen.
        let left = terminal.seen.rfind(LEAVE_OTHER_SCREEN).unwrap();
        assert!(!terminal.seen[left..].contains("shm:"), "{how:?}: {:?}", terminal.seen);
    }
}

#[test]
fn keys_filter_and_look_into_an_object() {
    let dir = TestDir::new();
    dir.leave("another", &1_u64);
    let (mut terminal, mode) = start(&dir);
    assert!(terminal.seen.contains("another"));
    // Only what differs is drawn again, so words that come together are not awaited.
    terminal.press("/pose\r");
    terminal.await_text("only");
    terminal.press("\r");
    terminal.await_text("lifetime");
    terminal.press("\x1b");
    terminal.await_text("only");
    terminal.press("q");
    assert_eq!(end(&mut terminal, &mode), Some(0));
}

#[test]
fn an_error_is_printed_after_the_terminal_was_restored() {
    let dir = TestDir::new();
    let inside = tempfile::tempdir_in(dir.path()).unwrap();
    let mut terminal = PseudoTerminal::new();
    let mode = terminal.mode();
    let path = inside.path().to_str().unwrap();
    terminal.start(&dir.command(&["top", "--interval", "20ms", "--dir", path]));
    terminal.await_text("enter");
    inside.close().unwrap();
    assert_eq!(end(&mut terminal, &mode), Some(3));
    let left = terminal.seen.rfind(LEAVE_OTHER_SCREEN).unwrap();
    assert!(terminal.seen[left..].contains("shm: cannot list"), "{:?}", &terminal.seen[left..]);
}

#[test]
fn a_terminal_without_a_cursor_gets_tables() {
    let dir = TestDir::new();
    dir.leave("robot/pose", &1_u64);
    let mut terminal = PseudoTerminal::new();
    terminal.start(&dir.command(&["top", "--plain", "--interval", "1ms", "--times", "1"]));
    assert_eq!(terminal.end().code(), Some(0));
    assert!(terminal.seen.contains("robot/pose") && !terminal.seen.contains("\x1b[?"));
}
