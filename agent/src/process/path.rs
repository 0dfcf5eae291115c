//! Paths as texts, as far as names are found in them. Nothing here touches a file system.

/// Endings that are not part of a script's name.
const EXTENSIONS: [&str; 17] = [
    "py", "pyc", "pyz", "js", "mjs", "cjs", "ts", "mts", "tsx", "rb", "ru", "pl", "php", "phar", "sh", "jar",
    "dll",
];

/// File and module names that say nothing about what they are part of.
const GENERIC: [&str; 22] = [
    "__main__",
    "app",
    "application",
    "artisan",
    "asgi",
    "bin",
    "bootstrap",
    "cli",
    "console",
    "docker-entrypoint",
    "entrypoint",
    "index",
    "main",
    "manage",
    "program",
    "rails",
    "run",
    "runserver",
    "server",
    "serve",
    "start",
    "wsgi",
];

/// Directories that say nothing about what is in them.
const PLACES: [&str; 21] = [
    "app", "bin", "build", "code", "current", "dist", "home", "lib", "opt", "out", "public", "release",
    "root", "src", "srv", "target", "tmp", "usr", "var", "work", "www",
];

/// What stands behind the last slash.
pub(super) fn base(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// What stands before the last slash; empty where there is none.
pub(super) fn parent(path: &str) -> &str {
    path.trim_end_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The file's name without a known extension.
pub(super) fn stem(path: &str) -> &str {
    let base = base(path);
    match base.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && EXTENSIONS.contains(&extension) => stem,
        _ => base,
    }
}

/// Says this name nothing? `Main` and `main` are one.
pub(super) fn is_generic(name: &str) -> bool {
    GENERIC.iter().any(|generic| generic.eq_ignore_ascii_case(name))
}

/// `path` as seen from `cwd`, without `.` and `..`. Stays relative where `cwd` is not known.
pub(super) fn absolute(path: &str, cwd: &str) -> String {
    let joined =
        if path.starts_with('/') || cwd.is_empty() { path.to_owned() } else { format!("{cwd}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("{}{}", if joined.starts_with('/') { "/" } else { "" }, parts.join("/"))
}

/// The innermost directory of `directory` that names a project; a home directory names a person.
pub(super) fn project(directory: &str) -> Option<&str> {
    let mut rest = directory.trim_end_matches('/');
    while !rest.is_empty() && parent(rest) != "/home" {
        let name = base(rest);
        if !PLACES.contains(&name) && !name.starts_with('.') {
            return Some(name);
        }
        rest = parent(rest);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_are_found_above_places() {
        let cases = [
            ("/srv/shop", Some("shop")),
            ("/srv/shop/src/app/", Some("shop")),
            ("/home/alice/shop/dist", Some("shop")),
            ("/home/alice", None),
            ("/home/alice/.local/bin", None),
            ("/usr/src/app", None),
            ("/", None),
            ("", None),
            ("shop/src", Some("shop")),
        ];
        for (directory, name) in cases {
            assert_eq!(project(directory), name, "{directory}");
        }
    }

    #[test]
    fn paths_are_joined_and_cleaned() {
        let cases = [
            ("app.py", "/srv/shop", "/srv/shop/app.py"),
            ("./a/../b", "/srv", "/srv/b"),
            ("/x//y/.", "/srv", "/x/y"),
            ("../../../x", "/srv", "/x"),
            ("a/b", "", "a/b"),
        ];
        for (path, cwd, full) in cases {
            assert_eq!(absolute(path, cwd), full);
        }
    }

    #[test]
    fn stems_lose_known_extensions_only() {
        let cases = [
            ("/a/b.py", "b"),
            ("http.server", "http.server"),
            (".py", ".py"),
            ("x.tar.sh", "x.tar"),
            ("", ""),
        ];
        for (path, name) in cases {
            assert_eq!(stem(path), name);
        }
    }
}
