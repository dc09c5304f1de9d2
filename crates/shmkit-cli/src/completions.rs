//! `shm completions`: made from the same definitions as the command line, and names of objects.

use std::io::Write;

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
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "shm", &mut script);
    let script = String::from_utf8(script)?;
    let mut users = Vec::new();
    find_users(command, "", &mut users);
    let script = match args.shell {
        Shell::Bash => script + &BASH.replace("USERS", &bash_patterns(&users)),
        Shell::Zsh => with_zsh_names(script, &users),
        Shell::Fish => script + &users.iter().map(fish_line).collect::<String>(),
        _ => script,
    };
    let mut stdout = output::stdout();
    stdout.write_all(script.as_bytes())?;
    Ok(stdout.flush()?)
}

/// A subcommand whose first argument is the name of an object that exists.
struct User<'a> {
    /// `get`, `event wait`.
    path: String,
    name: &'a clap::Arg,
}

fn find_users<'a>(command: &'a clap::Command, path: &str, found: &mut Vec<User<'a>>) {
    for command in command.get_subcommands() {
        let path = format!("{path} {}", command.get_name()).trim_start().to_owned();
        match (command.get_name(), command.get_positionals().next()) {
            // Other names.
            ("raw" | "create", _) => {}
            (_, Some(name)) if ["name", "names"].contains(&name.get_id().as_str()) => {
                found.push(User { path, name });
            }
            _ => find_users(command, &path, found),
        }
    }
}

/// Goes on where the function of clap ends. `compgen -W` would run what is in a name.
const BASH: &str = r#"
_shm_with_names() {
    _shm "$@"
    local word name words=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $word == -* ]] || words+=("$word")
    done
    [[ $2 == -* ]] && return
    case "${words[*]}" in
        USERS) COMPREPLY=() ;;
        *) return ;;
    esac
    while IFS= read -r name; do
        [[ $name == "$2"* ]] && COMPREPLY+=("$(printf '%q' "$name")")
    done < <("$1" ls --names 2>/dev/null)
}

complete -F _shm_with_names -o bashdefault -o default shm
"#;

/// Returns what the words before a name are.
fn bash_patterns(users: &[User<'_>]) -> String {
    let pattern = |it: &User<'_>| match it.name.get_num_args().is_some_and(|it| it.max_values() > 1)
    {
        true => format!("'{0}'|'{0} '*", it.path),
        false => format!("'{}'", it.path),
    };
    users.iter().map(pattern).collect::<Vec<_>>().join("|")
}

const ZSH: &str = r#"_shm_names() {
    local -a names
    names=(${(f)"$(shm ls --names 2>/dev/null)"})
    compadd -a names
}

"#;

fn with_zsh_names(script: String, users: &[User<'_>]) -> String {
    let named = users.iter().fold(script, |script, it| {
        let argument =
            format!("{} -- {}", it.name.get_id(), it.name.get_help().unwrap_or_default());
        script.replace(&format!("{argument}:_default'"), &format!("{argument}:_shm_names'"))
    });
    let end = named.rfind("if [ \"$funcstack[1]\"").unwrap_or(named.len());
    format!("{}{ZSH}{}", &named[..end], &named[end..])
}

fn fish_line(user: &User<'_>) -> String {
    let path = user.path.replacen(' ', "; and __fish_seen_subcommand_from ", 1);
    let condition = format!("__fish_shm_using_subcommand {path}");
    format!("complete -c shm -n \"{condition}\" -a \"(shm ls --names 2>/dev/null)\"\n")
}
