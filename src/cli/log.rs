//! What is logged, and how warnings look if nobody has asked for a log.

use super::fail::Failure;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::path::Path;
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;

/// Sets up logging. Without a filter, warnings are printed as this command prints errors; that
/// costs nothing at start-up.
pub(super) fn set_up(filter: Option<&str>, file: Option<&Path>) -> Result<(), Failure> {
    let Some(filter) = filter else {
        // Only one subscriber is ever set, so this cannot fail.
        let _ = tracing::subscriber::set_global_default(Warnings);
        return Ok(());
    };
    let filter = EnvFilter::try_new(filter)
        .map_err(|e| Failure::new(format_args!("bad log filter: {e}")))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    match file {
        Some(path) => {
            let file = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map_err(|e| Failure::file(path, &e).code(Failure::SETUP))?;
            log.with_writer(file).init();
        }
        None => log.with_writer(std::io::stderr).init(),
    }
    Ok(())
}

/// Prints warnings and errors, nothing else.
struct Warnings;

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let sort = if *event.metadata().level() == Level::ERROR { "error" } else { "warning" };
        let mut line = Line(format!("rvnative: {sort}: "));
        event.record(&mut line);
        line.0.push('\n');
        // One write, so that lines of several threads do not mix.
        let _ = std::io::stderr().write_all(line.0.as_bytes());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The text of an event.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
