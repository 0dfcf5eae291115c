//! Settings with few possible values, and the words that stand for them.

use std::fmt;

use super::value::{Raw, Setting, text};

/// A setting with few possible values: the enum, its words, and how they are read.
macro_rules! choice {
    ($(#[doc = $doc:literal])+ $name:ident $syntax:literal { $($(#[doc = $variant_doc:literal])+ $variant:ident = $word:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $variant_doc])+ $variant,)+ }

        impl $name {
            /// The word that stands for it in the configuration.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl Setting for $name {
            const SYNTAX: &'static str = $syntax;
            const CHOICES: &'static [&'static str] = &[$($word,)+];

            fn read(raw: &Raw) -> Result<Self, String> {
                match text(raw)? {
                    $($word => Ok(Self::$variant),)+
                    other => Err(format!("must be one of {}, not `{other}`", Self::CHOICES.join(", "))),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

choice! {
    /// Which kernel hooks observe the sockets.
    Plan "PLAN" {
        /// The cheapest one that this kernel allows.
        Auto = "auto",
        /// The socket tracepoints of Linux 6.3 and later.
        Sock = "sock",
        /// The system calls, for older kernels; the same events at a higher price.
        Syscall = "syscall",
        /// The same for Linux 5.10 and 5.11, with stand-ins for what they lack.
        Older = "older",
    }
}

choice! {
    /// How spans are shown on the terminal.
    Output "FORMAT" {
        /// `line`, but `none` where spans go to an OTLP endpoint and stdout is not a terminal.
        Auto = "auto",
        /// One line for each span.
        Line = "line",
        /// Each trace as an indented tree.
        Tree = "tree",
        /// One JSON object a line for each span, with OTLP/JSON's field names.
        Json = "json",
        /// Nothing.
        None = "none",
    }
}

choice! {
    /// Whether the terminal output is coloured.
    Color "WHEN" {
        /// Where it goes to a terminal and `NO_COLOR` is not set.
        Auto = "auto",
        /// Always.
        Always = "always",
        /// Never.
        Never = "never",
    }
}

choice! {
    /// The transport of OTLP, by the names of `OTEL_EXPORTER_OTLP_PROTOCOL`.
    Protocol "PROTOCOL" {
        /// OTLP/gRPC.
        Grpc = "grpc",
        /// OTLP/HTTP with protobuf bodies.
        HttpProtobuf = "http/protobuf",
    }
}

choice! {
    /// Compression of OTLP bodies, by the names of `OTEL_EXPORTER_OTLP_COMPRESSION`.
    Compression "COMPRESSION" {
        /// As they are.
        None = "none",
        /// RFC 1952.
        Gzip = "gzip",
    }
}
