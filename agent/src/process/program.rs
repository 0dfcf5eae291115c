//! Comes in: executable, arguments and working directory of a process. Goes out: the name that a person would give
//! the program: for an interpreter what it interprets, else the executable. Refuses: naming anything after options,
//! which may hold secrets.

use std::path::PathBuf;

use super::{java, launcher, path};

/// What a program is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Program {
    /// Its name; empty where nothing is known at all.
    pub name: String,
    /// Where a `package.json` may know a better one.
    pub package: Option<PathBuf>,
}

impl Program {
    pub(super) fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), package: None }
    }
}

/// How an interpreter reads its command line: the letters of its short options and the words of its long ones.
struct Syntax {
    /// Short options whose value is code: there is no script then.
    eval: &'static str,
    /// Short options whose value is the module or script to run.
    script: &'static str,
    /// Short options with a value of another kind.
    valued: &'static str,
    /// Long options with a value in the next argument.
    long_valued: &'static [&'static str],
    /// Words before the script.
    subcommands: &'static [&'static str],
}

/// As of CPython 3.13, Node.js 24, Bun 1.2, Deno 2, Ruby 3.4, PHP 8.4, Perl 5.40 and bash 5.2.
const SYNTAXES: [(&[&str], Syntax); 8] = [
    (&["python", "pypy"], syntax("c", "m", "WXQ", &["--check-hash-based-pycs"], &[])),
    (
        &["node", "nodejs"],
        syntax("ep", "", "rC", &["--require", "--import", "--loader", "--conditions"], &[]),
    ),
    (&["bun"], syntax("ep", "", "rcd", &["--preload", "--cwd", "--config", "--env-file"], &["run"])),
    (&["deno"], syntax("", "", "cL", &["--config", "--import-map", "--lock"], &["run", "serve"])),
    (&["ruby", "jruby"], syntax("e", "", "rICEF", &["--encoding"], &[])),
    (&["php"], syntax("rBREivm", "f", "cdztS", &[], &[])),
    (&["perl"], syntax("eE", "", "IMm", &[], &[])),
    (&["sh", "bash", "dash", "zsh", "ksh", "ash"], syntax("c", "", "oO", &["--rcfile", "--init-file"], &[])),
];

const fn syntax(
    eval: &'static str,
    script: &'static str,
    valued: &'static str,
    long_valued: &'static [&'static str],
    subcommands: &'static [&'static str],
) -> Syntax {
    Syntax { eval, script, valued, long_valued, subcommands }
}

/// Executables that are many programs: the first argument tells which. Debian's `redis-server` is a link to
/// `redis-check-rdb`.
const MULTICALL: [&str; 7] = [
    "busybox",
    "coreutils",
    "redis-check-aof",
    "redis-check-rdb",
    "toybox",
    "valkey-check-aof",
    "valkey-check-rdb",
];

/// Names a program. `executable` and `cwd` may be empty where they are not known.
#[must_use]
pub(super) fn program(executable: &str, args: &[String], cwd: &str) -> Program {
    // A title that a program gave itself goes on behind a space.
    let first = args.first().and_then(|arg| arg.split(' ').next()).unwrap_or_default();
    let called = path::base(first.trim_start_matches('-'));
    let mut executable = path::base(executable);
    if executable.is_empty() || MULTICALL.contains(&executable) {
        executable = called;
    }
    let language = language(executable);
    let rest = args.get(1..).unwrap_or_default();
    let found = match language {
        "java" => java::program(rest, cwd),
        "dotnet" => dotnet(rest, cwd),
        _ => SYNTAXES
            .iter()
            .find(|(names, _)| names.contains(&language))
            .and_then(|(_, s)| interpreted(s, args, cwd)),
    };
    found.unwrap_or_else(|| Program::named(if is_language(language) { language } else { executable }))
}

/// `python3.11` is `python`, `php-fpm8.2` is `php-fpm`.
fn language(executable: &str) -> &str {
    let stem = executable.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if is_language(stem) { stem } else { executable }
}

fn is_language(name: &str) -> bool {
    matches!(name, "java" | "dotnet" | "php-fpm") || SYNTAXES.iter().any(|(names, _)| names.contains(&name))
}

fn interpreted(syntax: &Syntax, args: &[String], cwd: &str) -> Option<Program> {
    if let [title] = args {
        return launcher::from_title(title, cwd);
    }
    let (script, rest) = script(syntax, args.get(1..)?)?;
    launcher::launched(script, rest, cwd).or_else(|| Some(named_after(script, cwd)))
}

/// A script's own name, or its project's where that says nothing.
pub(super) fn named_after(script: &str, cwd: &str) -> Program {
    let full = path::absolute(script, cwd);
    if let Some((project, _)) = full.split_once("/node_modules/") {
        let name = path::project(project).unwrap_or_else(|| path::stem(script));
        return Program { name: name.to_owned(), package: Some(project.into()) };
    }
    let stem = path::stem(script);
    if !path::is_generic(stem) {
        return Program::named(stem);
    }
    let directory = path::parent(&full);
    let package = directory.starts_with('/').then(|| directory.into());
    Program { name: path::project(directory).unwrap_or(stem).to_owned(), package }
}

/// What one argument means.
enum Meaning<'a> {
    Script(&'a str),
    NextIsScript,
    NextIsValue,
    Option,
    Code,
}

/// The script or module among the arguments, and the arguments behind it.
fn script<'a>(syntax: &Syntax, args: &'a [String]) -> Option<(&'a str, &'a [String])> {
    let mut rest = args;
    while let [arg, behind @ ..] = rest {
        rest = behind;
        match meaning(syntax, arg) {
            Meaning::Script(script) => return Some((script, rest)),
            Meaning::NextIsScript => {
                return behind.split_first().map(|(script, rest)| (script.as_str(), rest));
            }
            Meaning::NextIsValue => rest = behind.get(1..)?,
            Meaning::Option => {}
            Meaning::Code => return None,
        }
    }
    None
}

fn meaning<'a>(syntax: &Syntax, arg: &'a str) -> Meaning<'a> {
    match arg {
        "-" => Meaning::Code,
        "--" => Meaning::NextIsScript,
        "--eval" | "--print" => Meaning::Code,
        _ if arg.starts_with("--") && syntax.long_valued.contains(&arg) => Meaning::NextIsValue,
        _ if arg.starts_with("--") || arg.starts_with('+') => Meaning::Option,
        _ if syntax.subcommands.contains(&arg) => Meaning::Option,
        _ => arg.strip_prefix('-').map_or(Meaning::Script(arg), |cluster| short(syntax, cluster)),
    }
}

/// `-uBm` is `-u -B -m`; the value of an option follows its letter or is the next argument.
fn short<'a>(syntax: &Syntax, cluster: &'a str) -> Meaning<'a> {
    for (index, letter) in cluster.char_indices() {
        let value = cluster.get(index + letter.len_utf8()..).unwrap_or_default();
        if syntax.eval.contains(letter) {
            return Meaning::Code;
        }
        if syntax.script.contains(letter) {
            return if value.is_empty() { Meaning::NextIsScript } else { Meaning::Script(value) };
        }
        if syntax.valued.contains(letter) {
            return if value.is_empty() { Meaning::NextIsValue } else { Meaning::Option };
        }
    }
    Meaning::Option
}

/// `dotnet Shop.Api.dll`, `dotnet exec …/Shop.Api.dll`, `dotnet run --project src/Shop.Api`.
fn dotnet(args: &[String], cwd: &str) -> Option<Program> {
    if let Some(assembly) = args.iter().find(|arg| arg.ends_with(".dll")) {
        return Some(named_after(assembly, cwd));
    }
    if args.first()? != "run" {
        return None;
    }
    let project = args.iter().skip_while(|arg| *arg != "--project").nth(1);
    let project = project.map_or(cwd, |project| project.trim_end_matches(".csproj"));
    path::project(project).map(Program::named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(executable: &str, args: &str, cwd: &str, name: &str) {
        let args: Vec<_> = args.split_whitespace().map(str::to_owned).collect();
        assert_eq!(program(executable, &args, cwd).name, name, "{executable} {args:?} in {cwd}");
    }

    #[test]
    fn programs_are_named_by_their_executable_and_not_by_their_title() {
        check("/usr/sbin/nginx", "nginx: worker process", "/", "nginx");
        check("/usr/bin/curl", "curl -s http://token@host/", "/", "curl");
        check("", "/usr/bin/curl -s", "/", "curl");
        check("", "-bash", "/", "bash");
        check("", "", "", "");
        check("/bin/busybox", "wget -q x", "/", "wget");
        let titled = ["/usr/bin/redis-server 127.0.0.1:6379".to_owned()];
        assert_eq!(program("/usr/bin/redis-check-rdb", &titled, "/").name, "redis-server");
        check("/usr/sbin/php-fpm8.2", "php-fpm: pool www", "/", "php-fpm");
        check("/usr/lib/postgresql/15/bin/postgres", "postgres: checkpointer", "/", "postgres");
        check("/opt/x/redis-server7", "redis-server", "/", "redis-server7");
    }

    #[test]
    fn python_is_named_by_script_module_or_application() {
        let cases = [
            ("python3 -m http.server 8000", "/", "http.server"),
            ("python3 -u -W ignore -X dev worker.py", "/", "worker"),
            ("python3 -uBm http.server", "/", "http.server"),
            ("python3 -mhttp.server", "/", "http.server"),
            ("python3 /srv/shop/app.py", "/", "shop"),
            ("python3 app.py", "/srv/shop", "shop"),
            ("python3 ./src/main.py", "/srv/shop", "shop"),
            ("python3 manage.py runserver", "/srv/shop/", "shop"),
            ("python3 -m shop.main", "/srv/x", "shop"),
            ("python3 -m app", "/srv/shop", "shop"),
            ("python3 app.py", "/", "app"),
            ("python3 /home/alice/app.py", "/", "app"),
            ("python3 app.py", "", "app"),
            ("python3 -c import_secret", "/srv/shop", "python"),
            ("python3 -", "/srv/shop", "python"),
            ("python3", "/srv/shop", "python"),
            ("python3 -X", "/srv/shop", "python"),
            (
                "python3 /usr/bin/gunicorn -k uvicorn.workers.UvicornWorker -b 0.0.0.0:80 shop.wsgi:app",
                "/",
                "shop",
            ),
            ("python3 /usr/bin/gunicorn --bind unix:/tmp/x.sock shop.wsgi", "/", "shop"),
            ("python3 -m gunicorn wsgi:app", "/srv/shop", "shop"),
            ("python3 /venv/bin/uvicorn api:app --port 80", "/srv/x", "api"),
            ("python3 /venv/bin/uvicorn app.main:create_app() --factory", "/srv/shop", "shop"),
            ("python3 /venv/bin/celery -A shop worker", "/", "shop"),
            ("python3 /venv/bin/celery --app=shop.tasks worker", "/", "shop"),
            ("python3 -m flask --app shop run", "/", "shop"),
            ("python3 -m flask run", "/srv/shop", "shop"),
            ("python3 /venv/bin/streamlit run dash.py", "/", "dash"),
        ];
        for (args, cwd, name) in cases {
            check("/usr/bin/python3.11", args, cwd, name);
        }
        let title = |title: &str| program("/usr/bin/python3.11", &[title.to_owned()], "/srv/x").name;
        assert_eq!(title("gunicorn: worker [shop.wsgi:app]"), "shop");
        assert_eq!(title("gunicorn: master [shop]"), "shop");
        assert_eq!(title("python3"), "python");
    }

    #[test]
    fn javascript_is_named_by_script_or_project() {
        check("/usr/bin/node", "node worker.js", "/srv/shop", "worker");
        check(
            "/usr/bin/node",
            "node -r dotenv/config --max-old-space-size=99 dist/server.js",
            "/srv/shop",
            "shop",
        );
        check("/usr/bin/node", "node --require ./x.js index.mjs", "/srv/shop", "shop");
        check("/usr/bin/node", "node /srv/shop/node_modules/.bin/next start", "/", "shop");
        check("/usr/bin/node", "node -e require('secret')", "/srv/shop", "node");
        check("/usr/bin/bun", "bun run api.ts", "/srv/shop", "api");
        check("/usr/bin/deno", "deno run --allow-net main.ts", "/srv/shop", "shop");
        let server = ["node", "server.js"].map(str::to_owned);
        assert_eq!(program("/usr/bin/node", &server, "/srv/shop").package, Some("/srv/shop".into()));
        assert_eq!(program("/usr/bin/node", &server, "").package, None);
    }

    #[test]
    fn other_languages_are_named_by_what_they_run() {
        let cases = [
            ("/usr/bin/ruby3.1", "ruby -rbundler/setup bin/rails server", "/srv/shop", "shop"),
            ("/usr/bin/ruby", "ruby job.rb", "/", "job"),
            ("/usr/bin/ruby", "ruby /usr/bin/puma -p 80", "/srv/shop", "shop"),
            ("/usr/bin/php8.2", "php -d x=y artisan serve", "/srv/shop", "shop"),
            ("/usr/bin/php8.2", "php -f cron.php", "/", "cron"),
            ("/usr/bin/perl", "perl -w -I lib report.pl", "/", "report"),
            ("/usr/bin/perl", "perl -ne print", "/", "perl"),
            ("/bin/bash", "bash -eu /usr/local/bin/backup.sh", "/", "backup"),
            ("/bin/dash", "sh -c curl", "/", "dash"),
            ("/bin/bash", "bash -lc curl", "/", "bash"),
            ("/bin/bash", "bash -o pipefail deploy", "/", "deploy"),
            ("/usr/bin/dotnet", "dotnet /app/Shop.Api.dll --urls x", "/", "Shop.Api"),
            ("/usr/bin/dotnet", "dotnet exec --depsfile x Shop.dll", "/", "Shop"),
            ("/usr/bin/dotnet", "dotnet run --project src/Shop.Api", "/srv/x", "Shop.Api"),
            ("/usr/bin/dotnet", "dotnet run", "/srv/shop", "shop"),
            ("/usr/bin/dotnet", "dotnet --info", "/srv/shop", "dotnet"),
        ];
        for (executable, args, cwd, name) in cases {
            check(executable, args, cwd, name);
        }
        let title = ["puma 6.0 (tcp://0.0.0.0:80) [shop]".to_owned()];
        assert_eq!(program("/usr/bin/ruby", &title, "/").name, "shop");
    }
}
