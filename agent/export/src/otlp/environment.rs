//! Comes in: the standard `OTEL_EXPORTER_OTLP_*` variables. Goes out: [`Settings`] with them applied. The rules are
//! OpenTelemetry's "OTLP exporter configuration": a `TRACES_` variable comes before the general one, an empty one
//! counts as unset. Refuses: guessing at a value that does not fit.

use std::{path::PathBuf, time::Duration};

use super::settings::{Compression, Endpoint, Headers, Protocol, Settings, SettingsError};

/// Applies the variables to `settings`; says whether they name an endpoint.
///
/// # Errors
/// When a value does not fit; the error names the variable and what it may hold.
pub fn apply(
    settings: &mut Settings,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<bool, SettingsError> {
    let variables = Variables { lookup };
    variables.protocol(settings)?;
    variables.timeout(settings)?;
    variables.compression(settings)?;
    variables.headers(settings)?;
    variables.tls(settings);
    variables.endpoint(settings)
}

struct Variable {
    name: String,
    value: String,
}

impl Variable {
    fn wrong(self, expected: &'static str) -> SettingsError {
        SettingsError::Variable { name: self.name, value: self.value, expected }
    }
}

struct Variables<F> {
    lookup: F,
}

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    fn exact(&self, name: String) -> Option<Variable> {
        let value = (self.lookup)(&name)?.trim().to_owned();
        (!value.is_empty()).then_some(Variable { name, value })
    }

    fn get(&self, suffix: &str) -> Option<Variable> {
        let traces = self.exact(format!("OTEL_EXPORTER_OTLP_TRACES_{suffix}"));
        traces.or_else(|| self.exact(format!("OTEL_EXPORTER_OTLP_{suffix}")))
    }

    fn protocol(&self, settings: &mut Settings) -> Result<(), SettingsError> {
        let Some(variable) = self.get("PROTOCOL") else { return Ok(()) };
        settings.protocol = Some(match variable.value.as_str() {
            "grpc" => Protocol::Grpc,
            "http/protobuf" => Protocol::HttpProtobuf,
            _ => return Err(variable.wrong("`grpc` or `http/protobuf`")),
        });
        Ok(())
    }

    fn timeout(&self, settings: &mut Settings) -> Result<(), SettingsError> {
        let Some(variable) = self.get("TIMEOUT") else { return Ok(()) };
        match variable.value.parse() {
            Ok(milliseconds @ 1..) => settings.timeout = Duration::from_millis(milliseconds),
            _ => return Err(variable.wrong("a number of milliseconds, 1 or more")),
        }
        Ok(())
    }

    fn compression(&self, settings: &mut Settings) -> Result<(), SettingsError> {
        let Some(variable) = self.get("COMPRESSION") else { return Ok(()) };
        settings.compression = match variable.value.as_str() {
            "gzip" => Compression::Gzip,
            "none" => Compression::None,
            _ => return Err(variable.wrong("`gzip` or `none`")),
        };
        Ok(())
    }

    fn headers(&self, settings: &mut Settings) -> Result<(), SettingsError> {
        let Some(Variable { name, value }) = self.get("HEADERS") else { return Ok(()) };
        let entries = value.split(',').map(str::trim).enumerate().filter(|(_, entry)| !entry.is_empty());
        let headers = entries.map(|(index, entry)| {
            header(entry).ok_or_else(|| SettingsError::HeaderList { name: name.clone(), entry: index + 1 })
        });
        settings.headers = Headers(headers.collect::<Result<_, _>>()?);
        Ok(())
    }

    fn tls(&self, settings: &mut Settings) {
        let file = |suffix, slot: &mut Option<PathBuf>| {
            if let Some(variable) = self.get(suffix) {
                *slot = Some(variable.value.into());
            }
        };
        file("CERTIFICATE", &mut settings.tls.ca);
        file("CLIENT_CERTIFICATE", &mut settings.tls.client_certificate);
        file("CLIENT_KEY", &mut settings.tls.client_key);
    }

    fn endpoint(&self, settings: &mut Settings) -> Result<bool, SettingsError> {
        let traces = self.exact("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT".into());
        let endpoint = match traces {
            Some(variable) => Endpoint::Traces(self.with_scheme(variable.value, settings)?),
            None => match self.exact("OTEL_EXPORTER_OTLP_ENDPOINT".into()) {
                Some(variable) => Endpoint::Base(self.with_scheme(variable.value, settings)?),
                None => return Ok(false),
            },
        };
        settings.endpoint = Some(endpoint);
        Ok(true)
    }

    /// Only a gRPC endpoint may come without a scheme: then `INSECURE` decides, and its default is false.
    fn with_scheme(&self, endpoint: String, settings: &Settings) -> Result<String, SettingsError> {
        let grpc = settings.protocol == Some(Protocol::Grpc)
            || settings.protocol.is_none() && endpoint.ends_with(":4317");
        if endpoint.contains("://") || !grpc {
            return Ok(endpoint);
        }
        let scheme = if self.insecure()? { "http" } else { "https" };
        Ok(format!("{scheme}://{endpoint}"))
    }

    fn insecure(&self) -> Result<bool, SettingsError> {
        let Some(variable) = self.get("INSECURE") else { return Ok(false) };
        match variable.value.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(variable.wrong("`true` or `false`")),
        }
    }
}

/// One entry of W3C Baggage form without properties; key and value are percent-decoded.
fn header(entry: &str) -> Option<(String, String)> {
    let (name, value) = entry.split_once('=')?;
    let name = percent_decoded(name.trim())?;
    Some((name, percent_decoded(value.trim())?)).filter(|(name, _)| !name.is_empty())
}

/// RFC 3986, 2.1. A percent sign that begins no escape stands for itself: tokens are often not encoded.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = match tail {
            [high, low, ..] if *first == b'%' => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        bytes.push(escape.map_or(*first, |(high, low)| high << 4 | low));
        rest = if escape.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8(bytes).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(variables: &[(&str, &str)]) -> Result<(bool, Settings), String> {
        let mut settings = Settings::default();
        let find =
            |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        let named = apply(&mut settings, find).map_err(|error| error.to_string())?;
        Ok((named, settings))
    }

    fn destination(variables: &[(&str, &str)]) -> String {
        let (_, settings) = applied(variables).unwrap();
        settings
            .destination()
            .map_or_else(|error| error.to_string(), |to| format!("{:?} {}", to.protocol, to.url))
    }

    #[test]
    fn nothing_set_changes_nothing() {
        assert_eq!(applied(&[]).unwrap(), (false, Settings::default()));
        assert_eq!(applied(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).unwrap(), (false, Settings::default()));
    }

    #[test]
    fn endpoints() {
        const GENERAL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        const TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
        for (variables, expected) in [
            (&[(GENERAL, "http://h:4318")][..], "HttpProtobuf http://h:4318/v1/traces"),
            (&[(GENERAL, "http://h:4318/sub/")], "HttpProtobuf http://h:4318/sub/v1/traces"),
            (&[(TRACES, "http://h:4318/sub/")], "HttpProtobuf http://h:4318/sub/"),
            (&[(TRACES, "http://t:1"), (GENERAL, "http://h:4318")], "HttpProtobuf http://t:1/"),
            (&[(GENERAL, "http://h:9"), (PROTOCOL, "grpc")], "Grpc http://h:9/"),
            (&[(GENERAL, "h:9"), (PROTOCOL, "grpc")], "Grpc https://h:9/"),
            (&[(GENERAL, "h:4317"), ("OTEL_EXPORTER_OTLP_INSECURE", "True")], "Grpc http://h:4317/"),
            (
                &[
                    (GENERAL, "http://h:9"),
                    (PROTOCOL, "http/protobuf"),
                    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
                ],
                "Grpc http://h:9/",
            ),
        ] {
            assert_eq!(destination(variables), expected);
        }
        assert!(destination(&[(GENERAL, "h:4318")]).contains("has no scheme"));
        assert!(applied(&[(GENERAL, "http://h:4318")]).unwrap().0);
    }

    #[test]
    fn headers_are_decoded_and_a_signal_s_own_come_first() {
        let name = "OTEL_EXPORTER_OTLP_HEADERS";
        let headers = |value| applied(&[(name, value)]).unwrap().1.headers.0;
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            headers("Authorization=Basic%20YTpi, x-y = 1=2 ,"),
            [pair("Authorization", "Basic YTpi"), pair("x-y", "1=2")]
        );
        assert_eq!(headers("a=100%,b=%zz"), [pair("a", "100%"), pair("b", "%zz")]);
        let both = applied(&[(name, "a=1"), ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "b=2")]).unwrap().1;
        assert_eq!(both.headers.0, [pair("b", "2")]);
        let wrong = applied(&[(name, "a=1,hunter2")]).unwrap_err();
        assert!(wrong.contains("entry 2") && !wrong.contains("hunter2"), "{wrong}");
    }

    #[test]
    fn the_rest() {
        let (_, settings) = applied(&[
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
            ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "/c.pem"),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/k.pem"),
        ])
        .unwrap();
        assert_eq!(
            (settings.timeout, settings.compression),
            (Duration::from_millis(2500), Compression::Gzip)
        );
        let files = [settings.tls.ca, settings.tls.client_certificate, settings.tls.client_key];
        assert_eq!(files.map(|file| file.unwrap().display().to_string()), ["/ca.pem", "/c.pem", "/k.pem"]);
    }

    #[test]
    fn wrong_values_say_what_fits() {
        for (name, value, expected) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "`grpc` or `http/protobuf`"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "`gzip` or `none`"),
        ] {
            let error = applied(&[(name, value)]).unwrap_err();
            assert!(error.contains(name) && error.contains(value) && error.contains(expected), "{error}");
        }
    }
}
