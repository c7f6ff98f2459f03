//! `rvnative image`, and what `run --image` starts.

use super::fail::{Failure, describe};
use super::flags::{ImageCommand, ImageFlags, RunFlags};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rvnative::image::{Container, Error, Launch, Overrides, Progress, Reference, Source, Store};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        match e {
            Error::Host { what, error } => Self::new(format_args!("{what}: {}", describe(&error))),
            Error::Bad(what) => Self::new(what),
        }
    }
}

pub(super) fn image(flags: ImageFlags) -> Result<ExitCode, Failure> {
    let store = Store::of_user()?;
    match flags.command {
        ImageCommand::Import { source, name } => {
            let source = open(&store, &source)?;
            let name = store.import(&source, name.as_deref(), &Bar::default())?;
            print(&format!("{name}\n"))?;
        }
        ImageCommand::Ls => print(&list(&store)?)?,
        ImageCommand::Rm { container, names } => {
            for name in &names {
                match container {
                    true => store.remove_container(name)?,
                    false => store.remove(name)?,
                }
            }
        }
        ImageCommand::Config { image } => {
            let config = match Reference::parse(&image)? {
                Reference::Stored(name) => store.config(&store.find(&name)?)?,
                Reference::Files(..) => open(&store, &image)?.config().to_vec(),
            };
            let config: serde_json::Value = serde_json::from_slice(&config)
                .map_err(|e| Failure::new(format_args!("its configuration: {e}")))?;
            print(&format!("{config:#}\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        // Who reads has enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// The image in files that a user names.
fn open(store: &Store, reference: &OsStr) -> Result<Source, Failure> {
    match Reference::parse(reference)? {
        Reference::Files(transport, path, tag) => {
            Ok(Source::open(transport, &path, tag.as_deref(), &store.scratch())?)
        }
        Reference::Stored(name) => {
            let f = Failure::new(format_args!("`{name}` does not say where the image is"));
            Err(f.hint(
                "oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME] or dir:DIR; \
                 `skopeo copy docker://NAME oci:DIR:TAG` fetches one",
            ))
        }
    }
}

/// Images and containers in columns.
fn list(store: &Store) -> Result<String, Failure> {
    let mut rows = vec![["NAME", "ID", "CREATED", "LAYERS", "SIZE"].map(str::to_owned)];
    for image in store.images()? {
        let created: String = image.created.chars().take(10).collect();
        rows.push([
            image.name,
            image.id.hex()[..12].to_owned(),
            created.escape_debug().to_string(),
            image.layers.to_string(),
            size(image.bytes),
        ]);
    }
    let mut text = columns(&rows);
    let containers = store.containers()?;
    if !containers.is_empty() {
        let mut rows = vec![["CONTAINER", "IMAGE"].map(str::to_owned)];
        rows.extend(containers.into_iter().map(|(name, id)| [name, id.hex()[..12].to_owned()]));
        text += &format!("\n{}", columns(&rows));
    }
    Ok(text)
}

fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// What `run --image` starts.
pub(super) struct Prepared {
    pub(super) container: Container,
    pub(super) launch: Launch,
}

/// Imports the image that is asked for, if need be, and makes a container of it.
pub(super) fn prepare(reference: &OsStr, flags: &RunFlags) -> Result<Prepared, Failure> {
    let store = Store::of_user()?;
    let progress = Bar::default();
    let id = match Reference::parse(reference)? {
        Reference::Stored(name) => store.find(&name).map_err(|e| {
            let hint = "`rvnative image ls` lists what there is, `rvnative image import` adds one";
            Failure::from(e).hint(hint)
        })?,
        Reference::Files(transport, path, tag) => {
            let source = Source::open(transport, &path, tag.as_deref(), &store.scratch())?;
            store.import(&source, None, &progress)?;
            source.id()
        }
    };
    let container = store.container(&id, flags.container.as_deref(), &progress);
    let container = container.map_err(|e| {
        let text = e.to_string();
        let hint = "`rvnative image rm --container NAME` removes it";
        if text.contains("another image") { Failure::from(e).hint(hint) } else { e.into() }
    })?;
    drop(progress);
    let launch = container.launch(&Overrides {
        entrypoint: flags.entrypoint.clone(),
        command: flags.command.clone(),
        user: flags.user.clone(),
        workdir: flags.workdir.clone(),
    })?;
    Ok(Prepared { container, launch })
}

/// Shows on a terminal how far something is that takes more than a moment.
#[derive(Default)]
struct Bar(Mutex<Option<(ProgressBar, Instant)>>);

/// How long something may take without a word.
const PATIENCE: Duration = Duration::from_millis(700);

impl Progress for Bar {
    fn begin(&self, what: &str, bytes: Option<u64>) {
        self.finish();
        let template = match bytes {
            Some(_) => "{msg}  {wide_bar} {bytes}/{total_bytes}",
            None => "{msg}  {bytes}",
        };
        let Ok(style) = ProgressStyle::with_template(template) else { return };
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::hidden());
        bar.set_style(style);
        bar.set_message(what.to_owned());
        *self.shown() = Some((bar, Instant::now()));
    }

    fn advance(&self, bytes: u64) {
        let shown = self.shown();
        let Some((bar, since)) = &*shown else { return };
        bar.inc(bytes);
        if bar.is_hidden() && since.elapsed() > PATIENCE && io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Bar {
    fn shown(&self) -> MutexGuard<'_, Option<(ProgressBar, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self) {
        if let Some((bar, _)) = self.shown().take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let texts = [999, 1500, 268_435_456, 5_000_000_000].map(size);
        assert_eq!(texts, ["999 B", "1.5 kB", "268.4 MB", "5.0 GB"]);
    }

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [["a", "bb"], ["ccc", "d"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "a    bb\nccc  d\n");
    }
}
