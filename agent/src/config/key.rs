//! What is known of a setting besides its value, and the macro by which one table gives the typed structs, the
//! documentation, the flags, the variables, the defaults and the ranges.

use super::value::{Raw, Setting, Shape};

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Where it stands in the file: `group.name`.
    pub path: &'static str,
    /// What it does, one sentence a line; the first line stands alone in short help.
    pub doc: &'static [&'static str],
    /// How it is written.
    pub shape: Shape,
    /// Placeholder for help texts.
    pub syntax: &'static str,
    /// All values, where they are few.
    pub choices: &'static [&'static str],
    /// As it would be written on one line; empty is "not set".
    pub default: &'static str,
    /// Least and greatest value.
    pub range: Option<(&'static str, &'static str)>,
    /// Long flag without the dashes. Every key can also be set by `--set`.
    pub flag: Option<&'static str>,
    /// OpenTelemetry's variable that counts where this key is not set; the exporter reads it.
    pub otel: Option<&'static str>,
    /// Is it a secret that no output may show?
    pub secret: bool,
}

impl Key {
    /// The environment variable: `capture.head_bytes` is `WIRESPAN_CAPTURE_HEAD_BYTES`.
    #[must_use]
    pub fn env(&self) -> String {
        format!("WIRESPAN_{}", self.path.replace('.', "_").to_ascii_uppercase())
    }

    /// Group and name.
    #[must_use]
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.path.split_once('.').expect("every path in the table is group.name")
    }

    /// The default, as if it had been written.
    #[must_use]
    pub fn default_raw(&self) -> Raw {
        Raw::from_line(self.shape, self.default).expect("the table's defaults are tested")
    }

    /// Reads a value and holds it against the range.
    ///
    /// # Errors
    /// A sentence that continues "`key` …".
    pub fn read<T: Setting>(&self, raw: &Raw) -> Result<T, String> {
        let value = T::read(raw)?;
        match (value.magnitude(), self.range) {
            (Some(have), Some((least, most))) if have < bound::<T>(least) || have > bound::<T>(most) => {
                Err(format!("must be between {least} and {most}, not {}", shown(raw)))
            }
            _ => Ok(value),
        }
    }
}

fn bound<T: Setting>(text: &str) -> u64 {
    T::read(&Raw::Text(text.to_owned()))
        .ok()
        .and_then(|value| value.magnitude())
        .expect("the table's ranges are tested")
}

fn shown(raw: &Raw) -> &str {
    match raw {
        Raw::Text(text) => text,
        Raw::List(_) | Raw::Pairs(_) => "a collection",
    }
}

/// Where the typed structs get their values from.
pub(super) trait Source {
    /// The value of the key with this path, checked.
    fn read<T: Setting>(&mut self, path: &'static str) -> T;
}

/// The table of settings: gives the structs of each group, [`Config`](super::Config) and [`KEYS`](super::KEYS).
macro_rules! settings {
    ($(
        $(#[doc = $group_doc:literal])+
        $group:ident: $struct:ident {
            $(
                $(#[doc = $doc:literal])+
                $name:ident: $type:ty = $default:literal
                $(, range $least:literal to $most:literal)?
                $(, flag $flag:literal $(as $shown:literal)?)?
                $(, otel $otel:literal)?
                $(, secret $secret:literal)?;
            )+
        }
    )+) => {
        $(
            $(#[doc = $group_doc])+
            #[derive(Clone, Debug)]
            pub struct $struct {
                $(
                    $(#[doc = $doc])+
                    #[doc = concat!("\n\nDefault: `", $default, "`", $("; range: `", $least, "` to `", $most, "`",)? ".")]
                    pub $name: $type,
                )+
            }
        )+

        /// Everything that can be configured, typed and within its ranges.
        #[derive(Clone, Debug)]
        pub struct Config {
            $(
                $(#[doc = $group_doc])+
                pub $group: $struct,
            )+
        }

        impl Config {
            pub(super) fn read_from(source: &mut impl Source) -> Self {
                Self {
                    $($group: $struct {
                        $($name: source.read(concat!(stringify!($group), ".", stringify!($name))),)+
                    },)+
                }
            }
        }

        /// The groups of the file, in its order, and what each is about.
        pub const GROUPS: &[(&str, &[&str])] = &[$((stringify!($group), &[$($group_doc),+]),)+];

        /// All settings, in the order of the groups.
        pub const KEYS: &[Key] = &[$($(
            Key {
                path: concat!(stringify!($group), ".", stringify!($name)),
                doc: &[$($doc),+],
                shape: <$type as Setting>::SHAPE,
                syntax: settings!(@first $($($shown)?)? <$type as Setting>::SYNTAX),
                choices: <$type as Setting>::CHOICES,
                default: $default,
                range: settings!(@optional $(($least, $most))?),
                flag: settings!(@optional $($flag)?),
                otel: settings!(@optional $($otel)?),
                secret: settings!(@or_false $($secret)?),
            },
        )+)+];
    };
    (@optional) => { None };
    (@optional $value:expr) => { Some($value) };
    (@first $first:literal $other:expr) => { $first };
    (@first $other:expr) => { $other };
    (@or_false) => { false };
    (@or_false $value:expr) => { $value };
}
pub(super) use settings;
