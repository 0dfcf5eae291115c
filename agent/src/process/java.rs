//! Comes in: the arguments of a Java launcher. Goes out: the name of what it runs: a property that says so, the jar,
//! the module or the main class.

use super::{
    path,
    program::{Program, named_after},
};

/// Options of `java` (JDK 24) whose value is the next argument.
const VALUED: [&str; 11] = [
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--upgrade-module-path",
    "--add-modules",
    "--add-opens",
    "--add-exports",
    "--add-reads",
    "--source",
];

/// Properties by which programs are told their own name.
const NAMING: [&str; 3] = ["-Dotel.service.name=", "-Dspring.application.name=", "-Dservice.name="];

/// Main classes that start what others have written.
const LAUNCHERS: [(&str, &str); 2] =
    [("org.apache.catalina.startup.Bootstrap", "tomcat"), ("org.eclipse.jetty.start.Main", "jetty")];

pub(super) fn program(args: &[String], cwd: &str) -> Option<Program> {
    let mut rest = args;
    let mut named = None;
    while let [arg, behind @ ..] = rest {
        rest = behind;
        match arg.as_str() {
            "-jar" => return named.or_else(|| Some(jar(behind.first()?, cwd))),
            "-m" | "--module" => return named.or_else(|| Some(main_class(behind.first()?, cwd))),
            option if VALUED.contains(&option) => rest = behind.get(1..)?,
            option if option.starts_with(['-', '@']) => named = named.or_else(|| property(option)),
            class => return named.or_else(|| Some(main_class(class, cwd))),
        }
    }
    named
}

fn property(option: &str) -> Option<Program> {
    let name = NAMING.iter().find_map(|property| option.strip_prefix(property))?;
    (!name.is_empty()).then(|| Program::named(name))
}

/// `shop-1.2-SNAPSHOT.jar` is `shop`: a version begins at the first dash before a digit.
fn jar(jar: &str, cwd: &str) -> Program {
    let program = named_after(jar, cwd);
    let dashes = program.name.match_indices('-').map(|(index, _)| index);
    let version = |index: &usize| program.name.as_bytes().get(index + 1).is_some_and(u8::is_ascii_digit);
    let name = dashes.filter(|index| *index > 0).find(version).and_then(|index| program.name.get(..index));
    Program::named(name.unwrap_or(&program.name))
}

/// `module/org.shop.Main`, `org.shop.Main`, `Shop.java`: the class, or what stands before it where it says nothing.
fn main_class(class: &str, cwd: &str) -> Program {
    let class = class.rsplit('/').next().unwrap_or(class).trim_end_matches(".java");
    if let Some((_, name)) = LAUNCHERS.iter().find(|(launcher, _)| *launcher == class) {
        return Program::named(*name);
    }
    let telling = class.rsplit(['.', '$']).find(|part| !part.is_empty() && !path::is_generic(part));
    Program::named(telling.or_else(|| path::project(cwd)).unwrap_or(class))
}

#[cfg(test)]
mod tests {
    use crate::process::program::program;

    #[test]
    fn java_is_named_by_property_jar_module_or_class() {
        let cases = [
            ("java -Xmx1g -jar /opt/shop-1.2-SNAPSHOT.jar --port 80", "/", "shop"),
            ("java -jar my-shop-api-2.0.1.jar", "/", "my-shop-api"),
            ("java -jar /srv/shop/app.jar", "/", "shop"),
            ("java -jar /app/app.jar", "/", "app"),
            ("java -cp /a.jar:/b.jar -Dx=y org.apache.kafka.Kafka server.properties", "/", "Kafka"),
            ("java -cp x org.shop.Main", "/", "shop"),
            ("java -cp x Main", "/srv/shop", "shop"),
            ("java -p mods -m org.shop/org.shop.Api", "/", "Api"),
            ("java @args -classpath x org.apache.catalina.startup.Bootstrap start", "/", "tomcat"),
            ("java -Dspring.application.name=orders -jar x.jar", "/", "orders"),
            ("java -cp", "/srv/shop", "java"),
            ("java -jar", "/srv/shop", "java"),
            ("java -version", "/srv/shop", "java"),
        ];
        for (args, cwd, name) in cases {
            let args: Vec<_> = args.split_whitespace().map(str::to_owned).collect();
            assert_eq!(program("/usr/lib/jvm/java-17/bin/java", &args, cwd).name, name, "{args:?}");
        }
    }
}
