//! Names of objects in completions, in each shell that is installed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::running::skip;
use crate::{TestDir, shm_path};

const OBJECTS: [&str; 4] = ["robot/pose", "robot/my goal", "$(touch hit)", "tank"];

/// A shell with the completions of `shm`, or nothing if it is not installed.
struct Shell {
    name: &'static str,
    dir: TestDir,
    /// Where it runs, with a directory of other objects. It completes names of files, too.
    home: TestDir,
    script: PathBuf,
}

impl Shell {
    fn new(name: &'static str) -> Option<Self> {
        if !Command::new(name).arg("--version").output().is_ok_and(|it| it.status.success()) {
            skip(&format!("completions of {name}: it is not installed"));
            return None;
        }
        let dir = TestDir::new();
        OBJECTS.iter().for_each(|name| dir.leave(name, &1_u8));
        let home = TestDir::new();
        let other = home.path().join("other one");
        fs::create_dir(&other).unwrap();
        dir.shm(&["--dir", other.to_str().unwrap(), "event", "create", "robin"]);
        let script = home.path().join("script");
        fs::write(&script, dir.shm(&["completions", name])).unwrap();
        let shell = Self { name, dir, home, script };
        assert_eq!(shell.run(&["-n", shell.script.to_str().unwrap()]), "");
        Some(shell)
    }

    /// Runs it with `shm` in its path.
    fn run(&self, arguments: &[&str]) -> String {
        let mut path = vec![PathBuf::from(shm_path()).parent().unwrap().to_owned()];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let mut shell = Command::new(self.name);
        shell.args(arguments).current_dir(self.home.path()).env("SHMKIT_DIR", self.dir.path());
        shell.env("HOME", self.home.path()).env("PATH", std::env::join_paths(path).unwrap());
        let output = shell.output().unwrap();
        assert!(output.stderr.is_empty(), "{}: {output:?}", self.name);
        assert!(!self.home.path().join("hit").exists(), "{}: it ran a name", self.name);
        String::from_utf8(output.stdout).unwrap()
    }

    fn bash(&self, line: &str) -> String {
        let script = format!(
            "source {}; COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
             _shm_with_names shm \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            self.script.display()
        );
        self.run(&["-c", &script])
    }

    fn fish(&self, line: &str) -> String {
        let script = format!("source {}; complete -C '{line}'", self.script.display());
        self.run(&["--no-config", "-c", &script])
    }

    /// Returns what the line becomes: zsh completes only at a terminal.
    fn zsh(&self, line: &str) -> String {
        let script = format!(
            "zmodload zsh/zpty; zpty shell zsh -f -i
             zpty -w shell 'autoload -U compinit; compinit -u -D; source {}'
             zpty -w shell 'show() {{ zle complete-word; print -r \"<\"\"<$BUFFER>>\"; exit }}'
             zpty -w shell 'zle -N show; bindkey \"^T\" show'
             zpty -w -n shell {line:?}$'\\x14'
             zpty -r shell shown '*<<*>>*'
             print -r -- ${{${{shown##*<<}}%%>>*}}",
            self.script.display()
        );
        self.run(&["-f", "-c", &script]).trim_end_matches('\n').to_owned()
    }
}

#[test]
fn bash_completes_names_of_objects_where_a_command_takes_one() {
    let Some(bash) = Shell::new("bash") else { return };
    assert_eq!(bash.dir.shm(&["ls", "--names", "robot/"]), "robot/my goal\nrobot/pose\n");
    for line in [
        "shm get ro",
        "shm event wait ro",
        "shm get --json ro",
        "shm rm tank ro",
        "shm get --timeout 5 ro",
        "shm get --timeout = 5 ro",
        "shm lock -w 5 -E 4 ro",
        "shm --trust own get ro",
    ] {
        assert_eq!(bash.bash(line), "robot/my\\ goal\nrobot/pose\n", "{line}");
    }
    assert_eq!(bash.bash("shm info \"$(printf '$')\""), "\\$\\(touch\\ hit\\)\n");
    for line in [
        "shm create ro",
        "shm event create ro",
        "shm raw read ro",
        "shm get tank ro",
        "shm get -w ro",
    ] {
        assert!(!bash.bash(line).contains("pose"), "{line}");
    }
    assert!(bash.bash("shm get --ti").contains("--timeout"));
    assert!(bash.bash("shm wat").contains("watch"));
}

#[test]
fn bash_completes_names_of_the_directory_in_the_line() {
    let Some(bash) = Shell::new("bash") else { return };
    for line in [
        "shm --dir \"other one\" get ro",
        "shm get --dir = ~/\"other one\" ro",
        "shm get --dir=\"other one\" --json ro",
    ] {
        assert_eq!(bash.bash(line), "robin\n", "{line}");
    }
    // The words of a line that is typed keep their quotes.
    assert_eq!(bash.bash("shm --dir '\"~/other one\"' get ro"), "robin\n");
}

#[test]
fn fish_completes_names_of_objects_where_a_command_takes_one() {
    let Some(fish) = Shell::new("fish") else { return };
    for line in ["shm get ro", "shm event wait ro", "shm get --timeout 5 ro", "shm rm tank ro"] {
        assert_eq!(fish.fish(line), "robot/my goal\nrobot/pose\n", "{line}");
    }
    for line in ["shm create ro", "shm event create ro", "shm raw read ro"] {
        assert!(!fish.fish(line).contains("pose"), "{line}");
    }
    for line in ["shm --dir \"other one\" get ro", "shm get --dir=~/other\\ one ro"] {
        assert_eq!(fish.fish(line), "robin\n", "{line}");
    }
}

#[test]
fn zsh_completes_names_of_objects_where_a_command_takes_one() {
    let Some(zsh) = Shell::new("zsh") else { return };
    for line in ["shm get t", "shm event wait t", "shm get --timeout 5 t", "shm rm robot/pose t"] {
        assert_eq!(zsh.zsh(line), format!("{line}ank "), "{line}");
    }
    assert_eq!(zsh.zsh("shm info robot/m"), "shm info robot/my\\ goal ");
    for line in ["shm create t", "shm event create t", "shm raw read t"] {
        assert_eq!(zsh.zsh(line), line);
    }
    for line in ["shm --dir 'other one' get r", "shm get --dir=~/'other one' r"] {
        assert_eq!(zsh.zsh(line), format!("{line}obin "), "{line}");
    }
}
