//! What this kernel allows, without capturing anything. Comes in: a kernel. Goes out: a [`Report`] on its types and, for
//! each plan, whether it really loads and attaches. Refuses: leaving anything behind.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::{
    btf::{Btf, BtfError},
    fields,
    plan::{self, Choice, Plan},
    programs::{Filter, LoadError, Programs, Settings, VMLINUX, lacking},
};

/// What the kernel says of itself.
#[derive(Debug, Default)]
pub struct Report {
    /// Size of its type information, bytes.
    pub types: usize,
    /// Tracepoints and helpers that each plan needs and that are missing; none: the plan fits. In the order of
    /// preference.
    pub lacking: Vec<(Plan, Vec<&'static str>)>,
    /// Fields that every plan needs and that are missing, as `structure.member`.
    pub fields: Vec<String>,
    /// Tracepoints and fields whose lack keeps requests of `io_uring` unread.
    pub uring: Vec<String>,
    /// Fields whose lack keeps logical tasks unknown.
    pub runtimes: Vec<String>,
}

/// A plan that was attached for a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// How long loading and attaching took.
    pub took: Duration,
    /// Programs and the tracepoints they were attached to.
    pub hooks: Vec<(&'static str, &'static str)>,
    /// The tracepoint that tells of wake-ups, which is attached once a program needs it; `None` where it cannot be.
    pub on_demand: Option<&'static str>,
}

/// Reads the kernel's types. Needs no privileges.
///
/// # Errors
/// [`LoadError::NoBtf`] and [`LoadError::Btf`].
pub fn probe() -> Result<Report, LoadError> {
    let bytes = fs::read(VMLINUX).map_err(LoadError::NoBtf)?;
    report(&bytes)
}

fn report(bytes: &[u8]) -> Result<Report, LoadError> {
    let btf = Btf::parse(bytes)?;
    let resolved = fields::resolve(&btf)?;
    let names = |hooks: Vec<plan::Hook>| hooks.into_iter().map(|hook| hook.tracepoint).collect::<Vec<_>>();
    let mut plans = Vec::new();
    for plan in Plan::ALL {
        plans.push((plan, lacking(plan, &btf)?));
    }
    let tracepoints = missing(&btf, names(plan::URING.to_vec()))?.into_iter().map(str::to_owned);
    let uring = tracepoints.chain(resolved.uring_missing).collect();
    let (fields, runtimes) = (resolved.missing, resolved.runtime_missing);
    Ok(Report { types: bytes.len(), lacking: plans, fields, uring, runtimes })
}

fn missing(btf: &Btf<'_>, mut tracepoints: Vec<&'static str>) -> Result<Vec<&'static str>, BtfError> {
    let mut failed = None;
    tracepoints.retain(|name| match btf.has_tracepoint(name) {
        Ok(there) => !there,
        Err(error) => {
            failed = Some(error);
            false
        }
    });
    failed.map_or(Ok(tracepoints), Err)
}

/// Loads this plan, attaches it and takes it away again. It looks at no process meanwhile.
///
/// # Errors
/// Whatever would stop a daemon with this plan.
pub fn attempt(plan: Plan) -> Result<Trial, LoadError> {
    let settings = Settings { choice: Choice::Only(plan), filter: Filter::Only, ..Settings::default() };
    let begun = Instant::now();
    let programs = Programs::load(&settings)?;
    let (took, on_demand) = (begun.elapsed(), programs.on_demand());
    Ok(Trial { took, hooks: programs.hooks().collect(), on_demand })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_s_report_agrees_with_the_choice_of_a_plan() {
        let Ok(bytes) = fs::read(VMLINUX) else { return };
        let report = report(&bytes).unwrap();
        let btf = Btf::parse(&bytes).unwrap();
        let chosen = plan::take(Choice::Auto, |plan| lacking(plan, &btf), |_| Ok(()));
        let fits = report.lacking.iter().find(|(_, lacking)| lacking.is_empty());
        assert_eq!(fits.map(|(plan, _)| *plan), chosen.ok().map(|taken| taken.plan));
        assert_eq!((report.types, report.fields.len()), (bytes.len(), 0));
    }

    #[test]
    fn what_is_no_type_information_is_an_error() {
        assert!(report(b"nothing of the kind").is_err());
    }
}
