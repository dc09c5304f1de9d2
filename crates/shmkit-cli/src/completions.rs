//! `shm completions`: made from the same definitions as the command line, and names of objects.

use std::collections::BTreeSet;
use std::io::Write;
use std::mem;

use clap::ValueHint;
use clap_complete::Shell;

use crate::output;

/// Print a completion script for a shell
///
/// For bash: `shm completions bash > ~/.local/share/bash-completion/completions/shm`
///
/// In bash, zsh and fish, names of objects are completed, too: those that `shm ls --names` prints.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell that reads the script
    shell: Shell,
}

pub(crate) fn run(args: &Args, command: &mut clap::Command) -> anyhow::Result<()> {
    command.build();
    let mut users = Users::default();
    users.find(command, "");
    if args.shell == Shell::Zsh {
        Users::mark(command);
    }
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "shm", &mut script);
    let script = String::from_utf8(script)?;
    let script = match args.shell {
        Shell::Bash => script + &users.bash(),
        Shell::Zsh => users.zsh(&script)?,
        Shell::Fish => script + &users.fish(),
        _ => script,
    };
    let mut stdout = output::stdout();
    stdout.write_all(script.as_bytes())?;
    Ok(stdout.flush()?)
}

/// The subcommands whose first argument is the name of an object that exists.
#[derive(Default)]
struct Users {
    all: Vec<User>,
    /// Their options that take a value: `--timeout`, `-w`.
    options: BTreeSet<String>,
    /// Their options that take none.
    flags: BTreeSet<String>,
}

struct User {
    /// `get`, `event wait`.
    path: String,
    takes_many: bool,
}

/// Goes on where the function of clap ends. `compgen -W` would run what is in a name.
const BASH: &str = r#"
_shm_with_names() {
    _shm "$@"
    local word option name words=() dir=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        # In `--dir=DIR` the sign is a word.
        if [[ -n $option && $word != = ]]; then
            [[ $option == --dir ]] && dir=(--dir "${word//[\\\"\']/}")
            option=
        elif [[ -z $option ]]; then
            case "$word" in
                OPTIONS) option=$word ;;
                --dir=*) dir=(--dir "${word#--dir=}") ;;
                -*) ;;
                *) words+=("$word") ;;
            esac
        fi
    done
    [[ -n $option || $2 == -* ]] && return
    case "${words[*]}" in
        USERS) COMPREPLY=() ;;
        *) return ;;
    esac
    while IFS= read -r name; do
        [[ $name == "$2"* ]] && COMPREPLY+=("$(printf '%q' "$name")")
    done < <("$1" ls --names "${dir[@]/#\~\//$HOME/}" 2>/dev/null)
}

complete -F _shm_with_names -o bashdefault -o default shm
"#;

/// `shm_words` are the words of the whole line: the function of clap cuts `words`.
const ZSH: &str = r#"_shm_names() {
    local -a names
    local at=${shm_words[(i)--dir(|=*)]}
    local dir=${shm_words[at]#--dir}
    [[ -n $dir ]] && dir=${dir#=} || dir=$shm_words[at+1]
    dir=${${(Q)dir}/#\~\//$HOME/}
    names=(${(f)"$(${(Q)shm_words[1]} ls --names ${dir:+--dir} ${dir:+$dir} 2>/dev/null)"})
    compadd -a names
}

"#;

const FISH: &str = r"function __fish_shm_names
    set -l words (commandline -opc)
    argparse --ignore-unknown dir= -- $words[2..] 2>/dev/null
    set -l dir
    set -q _flag_dir; and set dir --dir (string replace -r '^~(?=/)' $HOME -- $_flag_dir)
    $words[1] ls --names $dir 2>/dev/null
end

";

/// What clap completes for an argument with this hint: no argument of the command has it.
const MARK: (ValueHint, &str) = (ValueHint::EmailAddress, ":_email_addresses'");

impl Users {
    fn find(&mut self, command: &clap::Command, path: &str) {
        for command in command.get_subcommands() {
            let path = longer(path, command);
            match name_of_user(command) {
                Some(name) => {
                    let takes_many = name.get_num_args().is_some_and(|it| it.max_values() > 1);
                    self.all.push(User { path, takes_many });
                    self.find_options(command);
                }
                None if is_searched(command) => self.find(command, &path),
                None => {}
            }
        }
    }

    fn find_options(&mut self, command: &clap::Command) {
        for option in command.get_arguments().filter(|it| !it.is_positional()) {
            let long = option.get_long_and_visible_aliases().unwrap_or_default();
            let short = option.get_short_and_visible_aliases().unwrap_or_default();
            let names = long.iter().map(|it| format!("--{it}"));
            let names = names.chain(short.iter().map(|it| format!("-{it}")));
            match option.get_action().takes_values() {
                true => self.options.extend(names),
                false => self.flags.extend(names),
            }
        }
    }

    /// Marks the arguments that are names.
    fn mark(command: &mut clap::Command) {
        for command in command.get_subcommands_mut() {
            match name_of_user(command).map(|it| it.get_id().clone()) {
                Some(name) => {
                    let mark = |it: clap::Arg| match *it.get_id() == name {
                        true => it.value_hint(MARK.0),
                        false => it,
                    };
                    *command = mem::take(command).mut_args(mark);
                }
                None if is_searched(command) => Self::mark(command),
                None => {}
            }
        }
    }

    fn bash(&self) -> String {
        // What the words before a name are.
        let pattern = |it: &User| match it.takes_many {
            true => format!("'{0}'|'{0} '*", it.path),
            false => format!("'{}'", it.path),
        };
        let users = self.all.iter().map(pattern).collect::<Vec<_>>().join("|");
        let options = self.options.iter().map(String::as_str).collect::<Vec<_>>().join("|");
        BASH.replace("OPTIONS", &options).replace("USERS", &users)
    }

    fn zsh(&self, script: &str) -> anyhow::Result<String> {
        const BEGIN: &str = "_shm() {\n";
        const END: &str = "if [ \"$funcstack[1]\"";
        let is_known = script.matches(MARK.1).count() == self.all.len();
        let (Some(begin), Some(end), true) = (script.find(BEGIN), script.rfind(END), is_known)
        else {
            anyhow::bail!("clap_complete makes another script for zsh than shm completes names in");
        };
        let begin = begin + BEGIN.len();
        let (before, function, after) = (&script[..begin], &script[begin..end], &script[end..]);
        let function = function.replace(MARK.1, ":_shm_names'");
        Ok(format!("{before}    local -a shm_words=(\"${{words[@]}}\")\n{function}{ZSH}{after}"))
    }

    fn fish(&self) -> String {
        let line = |user: &User| {
            let path = user.path.replacen(' ', "; and __fish_seen_subcommand_from ", 1);
            let condition = format!("__fish_shm_using_subcommand {path}");
            format!("complete -c shm -n \"{condition}\" -a \"(__fish_shm_names)\"\n")
        };
        FISH.to_owned() + &self.all.iter().map(line).collect::<String>()
    }
}

fn longer(path: &str, command: &clap::Command) -> String {
    format!("{path} {}", command.get_name()).trim_start().to_owned()
}

/// Whether its names, or those of its subcommands, are of objects that exist.
fn is_searched(command: &clap::Command) -> bool {
    !["raw", "create"].contains(&command.get_name())
}

fn name_of_user(command: &clap::Command) -> Option<&clap::Arg> {
    let is_name = |it: &&clap::Arg| ["name", "names"].contains(&it.get_id().as_str());
    command.get_positionals().next().filter(|it| is_searched(command) && is_name(it))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn an_option_that_takes_a_value_takes_one_in_each_subcommand_with_names() {
        let mut command = crate::CommandLine::command();
        command.build();
        let mut users = Users::default();
        users.find(&command, "");
        assert!(users.options.contains("--timeout") && users.flags.contains("--json"));
        assert_eq!(users.options.intersection(&users.flags).next(), None);
    }
}
