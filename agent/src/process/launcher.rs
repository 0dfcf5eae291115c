//! Comes in: a script that only starts an application written by somebody else (gunicorn, uvicorn, celery, puma …), or
//! the title that such a program gave its processes. Goes out: the application's name.

use super::{
    path,
    program::{Program, named_after},
};

/// The application that `script` starts with these arguments; `None` where it is no launcher.
pub(super) fn launched(script: &str, args: &[String], cwd: &str) -> Option<Program> {
    match path::stem(script) {
        "gunicorn" | "uvicorn" | "hypercorn" | "daphne" | "granian" | "waitress-serve" => served(args, cwd),
        "celery" => module(valued(args, &["-A", "--app"])?, cwd),
        "flask" => valued(args, &["-A", "--app"]).and_then(|app| module(app, cwd)).or_else(|| directory(cwd)),
        "streamlit" => args.iter().find(|arg| has_extension(arg)).map(|script| named_after(script, cwd)),
        "django-admin" | "puma" | "unicorn" | "rackup" | "rails" => directory(cwd),
        _ => script_is_module(script).then(|| module(script, cwd)).flatten(),
    }
}

/// `gunicorn: worker [shop.wsgi:app]`, `puma 6.0 (tcp://…) [shop]`: what stands in brackets at the end.
pub(super) fn from_title(title: &str, cwd: &str) -> Option<Program> {
    let (_, name) = title.trim_end().strip_suffix(']')?.rsplit_once('[')?;
    module(name, cwd)
}

/// An application server: the first `module:object`, else the last argument where that is a module.
fn served(args: &[String], cwd: &str) -> Option<Program> {
    let named = args.iter().find(|arg| is_object(arg));
    let named = named.or_else(|| args.last().filter(|arg| is_module(arg)));
    named.and_then(|name| module(name, cwd)).or_else(|| directory(cwd))
}

/// `package.module:object` by its first part that says something, else by the directory.
fn module(name: &str, cwd: &str) -> Option<Program> {
    let module = name.split(':').next().unwrap_or_default();
    let telling = |part: &&str| !part.is_empty() && !path::is_generic(part);
    if module.contains('/') {
        return Some(named_after(module, cwd));
    }
    let name = module.split('.').find(telling).or_else(|| path::project(cwd)).unwrap_or(module);
    (!name.is_empty()).then(|| Program::named(name))
}

fn directory(cwd: &str) -> Option<Program> {
    path::project(cwd).map(Program::named)
}

/// The value of an option, attached by `=` or in the next argument.
fn valued<'a>(args: &'a [String], names: &[&str]) -> Option<&'a str> {
    let index = args.iter().position(|arg| names.contains(&arg.split('=').next().unwrap_or_default()))?;
    let option = args.get(index)?;
    option.split_once('=').map(|(_, value)| value).or_else(|| args.get(index + 1).map(String::as_str))
}

/// `python -m shop.main`: a module whose last part says nothing. (`http.server` does say something.)
fn script_is_module(script: &str) -> bool {
    let last = script.rsplit_once('.').map(|(_, last)| last);
    is_module(script) && matches!(last, Some("__main__" | "app" | "cli" | "main" | "run"))
}

fn has_extension(script: &str) -> bool {
    path::stem(script).len() != path::base(script).len()
}

fn is_object(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(module, object)| is_module(module) && is_identifier(object.trim_end_matches("()")))
}

fn is_module(text: &str) -> bool {
    text.split('.').all(is_identifier)
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}
