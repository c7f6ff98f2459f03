//! Images that were imported, and the trees that guests run in.
//!
//! In the store's directory are
//!
//! - `chains/ID`: the tree that a chain of layers makes, `root`, with `owners` of its files. ID is
//!   the specification's ChainID, the digest of the layers' digests. Trees of a chain and of the
//!   chains that it continues share their files, so these are never written to.
//! - `images/ID`: the configuration of an image, by its digest.
//! - `names/NAME`: the ID of the image that is called so. An image without a name is removed.
//! - `containers/NAME`, `running/ID`: copies of a chain's tree, in which guests write. Those of
//!   `running` are removed when the last process in them has ended.
//! - `tmp`: what is being made. It is renamed to its place when it is complete.
//!
//! Who makes something holds a lock of the store that others may hold too; who removes something
//! holds it alone, so that it removes nothing that is in use. A container is locked, in the same
//! way, by its processes.

use super::blob::{Digest, Unpacked};
use super::config::{self, Launch, Overrides};
use super::layer::apply;
use super::owners::Owners;
use super::source::{LayerBlob, Source};
use super::spec::{ImageConfig, parse};
use super::tar::Reader;
use super::tree::{self, Copier, Sharing, Tree, c_name};
use super::{Error, Result};
use crate::linux::FileOwners;
use crate::sys::process;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

/// Who wants to know how far something is.
pub trait Progress: Sync {
    /// Something begins that has so many bytes, if that is known.
    fn begin(&self, what: &str, bytes: Option<u64>);
    /// Some more bytes are done.
    fn advance(&self, bytes: u64);
}

/// Nobody wants to know.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
}

/// The images of a user.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

/// An image or container, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What it is called.
    pub name: String,
    /// The image.
    pub id: Digest,
    /// When the image was made, as it says.
    pub created: String,
    /// Bytes of all its layers.
    pub bytes: u64,
    /// Number of its layers.
    pub layers: usize,
}

/// A tree in which a guest runs.
#[derive(Debug)]
pub struct Container {
    /// Its root directory.
    pub root: PathBuf,
    /// The table of what a fake root knows of its files.
    pub owners: PathBuf,
    /// Is held by all processes in it.
    pub lease: OwnedFd,
    config: ImageConfig,
}

/// A directory that is removed unless it was put in its place.
struct Draft(PathBuf);

impl Draft {
    /// Puts it in its place. False if something is there already.
    fn place(self, at: &Path) -> io::Result<bool> {
        match fs::rename(&self.0, at) {
            Ok(()) => {
                std::mem::forget(self);
                Ok(true)
            }
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty
                ) =>
            {
                Ok(false)
            }
            Err(e) => Err(e),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What is left is found by the next who looks.
        let _ = remove_dir(&self.0);
    }
}

/// Reads a blob and says so.
struct Reported<'a> {
    blob: Box<dyn Read + Send + 'a>,
    progress: &'a dyn Progress,
}

impl Read for Reported<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.blob.read(buffer)?;
        self.progress.advance(n as u64);
        Ok(n)
    }
}

/// The digest that stands for each chain of layers: of the first, of the first two, and so on.
fn chain_ids(layers: impl Iterator<Item = Digest>) -> Vec<Digest> {
    let mut chains: Vec<Digest> = Vec::new();
    for layer in layers {
        chains.push(match chains.last() {
            None => layer,
            Some(before) => Digest::of(format!("{before} {layer}").as_bytes()),
        });
    }
    chains
}

/// Removes a directory and all below it.
fn remove_dir(path: &Path) -> io::Result<()> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    tree::remove(File::open(above)?.as_fd(), &c_name(name.as_bytes())?)
}

/// The name of the file that stands for an image's or container's name.
fn encoded(name: &str) -> Result<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let mut out = String::new();
    for (i, b) in name.bytes().enumerate() {
        if plain(b) || (b == b'.' && i > 0) {
            out.push(char::from(b));
        } else {
            out += &format!("%{b:02x}");
        }
    }
    let usable = !name.is_empty() && !name.chars().any(char::is_control) && out.len() <= 255;
    if usable {
        Ok(out)
    } else {
        Err(Error::bad(format_args!("`{}` is no name", name.escape_debug())))
    }
}

/// The inverse of [`encoded`].
fn decoded(file: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = file.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// With the tag that is meant if there is none.
fn with_tag(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains(':') { name.to_owned() } else { format!("{name}:latest") }
}

impl Store {
    /// The store of the calling user: `rvnative` in `$XDG_DATA_HOME`, or in `~/.local/share`.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn of_user() -> Result<Self> {
        let variable = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let data = variable("XDG_DATA_HOME");
        let home = || variable("HOME").map(|home| home.join(".local/share"));
        match data.or_else(home) {
            Some(data) => Self::open(&data.join("rvnative")),
            None => Err(Error::bad("no place for images: neither HOME nor XDG_DATA_HOME is set")),
        }
    }

    /// The store in a directory, which is made if need be.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(dir: &Path) -> Result<Self> {
        for part in ["chains", "images", "names", "containers", "running", "tmp"] {
            let path = dir.join(part);
            // Files that are set-user-ID in an image are not so here, and yet: for us alone.
            let mut builder = fs::DirBuilder::new();
            let made = builder.recursive(true).mode(0o700).create(&path);
            made.map_err(Error::host(path.display()))?;
        }
        let dir = fs::canonicalize(dir).map_err(Error::host(dir.display()))?;
        Ok(Self { dir })
    }

    /// Where files without names may be made.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    /// Locks the store. `None` if it is in use and `operation` does not wait.
    fn lock(&self, operation: FlockOperation) -> Result<Option<File>> {
        let path = self.dir.join("lock");
        let options = File::options().create(true).append(true).open(&path);
        let file = options.map_err(Error::host(path.display()))?;
        loop {
            match flock(&file, operation) {
                Ok(()) => return Ok(Some(file)),
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => {}
                Err(e) => return Err(Error::host(path.display())(e)),
            }
        }
    }

    fn draft(&self) -> Result<Draft> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            // Numbers of processes come again, also while a container of the first is in use.
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let now = now.unwrap_or_default().as_nanos();
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = self.dir.join(format!("tmp/{}-{now:x}-{count}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Draft(path)),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::host(path.display())(e)),
            }
        }
    }

    fn chain(&self, id: &Digest) -> PathBuf {
        self.dir.join("chains").join(id.hex())
    }

    fn image(&self, id: &Digest) -> PathBuf {
        self.dir.join("images").join(id.hex())
    }

    /// Unpacks an image, unless it is there, and calls it `name`, or what the source calls it.
    /// The name that it has.
    ///
    /// # Errors
    /// Something about the image is wrong, or the host fails. Complete layers are kept for the next
    /// attempt.
    pub fn import(
        &self,
        source: &Source,
        name: Option<&str>,
        progress: &dyn Progress,
    ) -> Result<String> {
        let name = with_tag(name.unwrap_or(source.name()));
        let file = encoded(&name)?;
        self.sweep_unfinished()?;
        let lock = self.lock(FlockOperation::LockShared)?;
        let image = self.image(&source.id());
        if !image.exists() {
            let chains = chain_ids(source.layers.iter().map(|layer| layer.diff_id));
            let mut before = None;
            for (i, (layer, chain)) in source.layers.iter().zip(&chains).enumerate() {
                if !self.chain(chain).exists() {
                    let what = format!("layer {} of {}", i + 1, chains.len());
                    let unpacked = self.unpack(source, layer, before, chain, &what, progress);
                    unpacked.map_err(|e| e.in_(what))?;
                }
                before = Some(*chain);
            }
            let draft = self.draft()?;
            let config = draft.0.join("config.json");
            fs::write(&config, &source.config).map_err(Error::host(config.display()))?;
            draft.place(&image).map_err(Error::host(image.display()))?;
        }
        let path = self.dir.join("names").join(file);
        let id = source.id().hex();
        if fs::read(&path).is_ok_and(|known| known == id.as_bytes()) {
            return Ok(name);
        }
        let draft = self.draft()?;
        let new = draft.0.join("name");
        fs::write(&new, id).map_err(Error::host(new.display()))?;
        fs::rename(&new, &path).map_err(Error::host(path.display()))?;
        drop((draft, lock));
        // The image that had the name before may be nobody's now.
        self.sweep(FlockOperation::NonBlockingLockExclusive)?;
        Ok(name)
    }

    /// Makes the tree of a chain, of that before its last layer and this.
    fn unpack(
        &self,
        source: &Source,
        layer: &LayerBlob,
        before: Option<Digest>,
        chain: &Digest,
        what: &str,
        progress: &dyn Progress,
    ) -> Result<()> {
        let (blob, length) = source.layer(layer)?;
        let draft = self.draft()?;
        let root = draft.0.join("root");
        fs::create_dir(&root).map_err(Error::host(root.display()))?;
        let tree = Tree::open(&root).map_err(Error::host(root.display()))?;
        let mut owners = Owners::default();
        if let Some(before) = before {
            let from = self.chain(&before);
            owners = self.copy(&from, &tree, Sharing::Links, &|_| ())?;
        }
        progress.begin(what, Some(length));
        let digests = Unpacked::of(Reported { blob, progress }, |unpacked| {
            let mut reader = Reader::new(unpacked);
            apply(&mut reader, &tree, &mut owners)?;
            reader.into_inner().finish().map_err(Error::host("its blob"))
        })?;
        if layer.said.is_some_and(|(said, _)| said != digests.0) {
            return Err(Error::bad(format_args!("its blob is damaged: it is {}", digests.0)));
        }
        if digests.1 != layer.diff_id {
            let (is, said) = (digests.1, layer.diff_id);
            return Err(Error::bad(format_args!("it unpacks to {is}, and not to {said}")));
        }
        for (name, content) in
            [("owners", owners.to_bytes()), ("bytes", digests.2.to_string().into_bytes())]
        {
            let path = draft.0.join(name);
            fs::write(&path, content).map_err(Error::host(path.display()))?;
        }
        let place = self.chain(chain);
        draft.place(&place).map_err(Error::host(place.display()))?;
        Ok(())
    }

    /// Copies the tree of a chain, and gives what is known of its files.
    fn copy(
        &self,
        chain: &Path,
        to: &Tree,
        sharing: Sharing,
        progress: &dyn Fn(u64),
    ) -> Result<Owners> {
        let (root, owners) = (chain.join("root"), chain.join("owners"));
        let from = Tree::open(&root).map_err(Error::host(root.display()))?;
        let copied = Copier::new(sharing, to, progress).copy(&from);
        copied.map_err(Error::host(format_args!("copying {}", root.display())))?;
        Owners::read(&owners).map_err(Error::host(owners.display()))
    }

    /// Files of a part of the store, by the names that they stand for.
    fn files(&self, part: &str) -> Result<Vec<(String, PathBuf)>> {
        let dir = self.dir.join(part);
        let listed = fs::read_dir(&dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut files: Vec<_> = listed
            .map_err(Error::host(dir.display()))?
            .into_iter()
            .filter_map(|e| Some((decoded(e.file_name().to_str()?)?, e.path())))
            .collect();
        files.sort();
        Ok(files)
    }

    /// The images that have names, with their files.
    fn named(&self) -> Result<Vec<(String, Digest, PathBuf)>> {
        let mut named = Vec::new();
        for (name, path) in self.files("names")? {
            // It may be gone meanwhile.
            let id = fs::read_to_string(&path).ok().and_then(|id| Digest::from_hex(&id));
            named.extend(id.map(|id| (name, id, path)));
        }
        Ok(named)
    }

    /// The image with a name, or with a digest that begins so.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, name: &str) -> Result<Digest> {
        let named = self.named()?;
        let wanted = with_tag(name);
        if let Some((_, id, _)) = named.iter().find(|(known, _, _)| *known == wanted) {
            return Ok(*id);
        }
        let digits = name.strip_prefix("sha256:").unwrap_or(name);
        let mut fit: Vec<_> = named.iter().map(|(_, id, _)| *id).collect();
        fit.retain(|id| digits.len() >= 4 && id.hex().starts_with(digits));
        fit.sort();
        fit.dedup();
        match fit[..] {
            [id] => Ok(id),
            [] => Err(Error::bad(format_args!("no image `{name}`"))),
            _ => Err(Error::bad(format_args!("several images begin with `{digits}`"))),
        }
    }

    /// The configuration of an image, as it was read.
    ///
    /// # Errors
    /// There is no such image.
    pub fn config(&self, id: &Digest) -> Result<Vec<u8>> {
        let path = self.image(id).join("config.json");
        fs::read(&path).map_err(Error::host(path.display()))
    }

    fn parsed(&self, id: &Digest) -> Result<ImageConfig> {
        parse("its configuration", &self.config(id)?)
    }

    fn chains(config: &ImageConfig) -> Vec<Digest> {
        chain_ids(config.rootfs.diff_ids.iter().flatten().copied())
    }

    /// The images that have names.
    ///
    /// # Errors
    /// The host's.
    pub fn images(&self) -> Result<Vec<Listed>> {
        let _lock = self.lock(FlockOperation::LockShared)?;
        let mut list = Vec::new();
        for (name, id, _) in self.named()? {
            let config = self.parsed(&id)?;
            let chains = Self::chains(&config);
            let bytes = chains.iter().filter_map(|c| {
                fs::read_to_string(self.chain(c).join("bytes")).ok()?.parse::<u64>().ok()
            });
            list.push(Listed {
                name,
                id,
                created: config.created.unwrap_or_default(),
                bytes: bytes.sum(),
                layers: chains.len(),
            });
        }
        Ok(list)
    }

    /// The containers that have names, with their images.
    ///
    /// # Errors
    /// The host's.
    pub fn containers(&self) -> Result<Vec<(String, Digest)>> {
        let image = |dir: &Path| {
            let id = fs::read_to_string(dir.join("image")).ok()?;
            Digest::from_hex(&id)
        };
        let files = self.files("containers")?;
        Ok(files.into_iter().filter_map(|(name, dir)| Some((name, image(&dir)?))).collect())
    }

    /// Removes the names of an image, or the one that is given, and what no other image needs.
    ///
    /// # Errors
    /// There is none.
    pub fn remove(&self, name: &str) -> Result<()> {
        let wanted = with_tag(name);
        let mut gone = self.named()?;
        if gone.iter().any(|(known, _, _)| *known == wanted) {
            gone.retain(|(known, _, _)| *known == wanted);
        } else {
            let id = self.find(name)?;
            gone.retain(|(_, known, _)| *known == id);
        }
        for (_, _, path) in gone {
            fs::remove_file(&path).map_err(Error::host(path.display()))?;
        }
        self.sweep(FlockOperation::LockExclusive)
    }

    /// Removes a container.
    ///
    /// # Errors
    /// There is none, or a process is in it.
    pub fn remove_container(&self, name: &str) -> Result<()> {
        let path = self.dir.join("containers").join(encoded(name)?);
        let Ok(dir) = File::open(&path) else {
            return Err(Error::bad(format_args!("no container `{name}`")));
        };
        if flock(&dir, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(Error::bad(format_args!("container `{name}` is in use")));
        }
        self.discard(&path).map_err(Error::host(path.display()))
    }

    /// Removes a directory in such a way that it is there as a whole, or not at all.
    fn discard(&self, path: &Path) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default();
        let away = self.dir.join(format!("tmp/{}-{}", std::process::id(), name.display()));
        fs::rename(path, &away)?;
        remove_dir(&away)
    }

    /// Removes images and chains that nobody needs, unless the store is in use and the lock does
    /// not wait.
    fn sweep(&self, lock: FlockOperation) -> Result<()> {
        let Some(_lock) = self.lock(lock)? else { return Ok(()) };
        let named = self.named()?;
        let mut kept: Vec<String> = Vec::new();
        for (_, id, _) in &named {
            kept.push(id.hex());
            if let Ok(config) = self.parsed(id) {
                kept.extend(Self::chains(&config).iter().map(Digest::hex));
            }
        }
        let mut gone = Vec::new();
        for part in ["images", "chains"] {
            let files = self.files(part)?.into_iter();
            gone.extend(files.filter(|(id, _)| !kept.contains(id)).map(|(_, path)| path));
        }
        for path in gone {
            self.discard(&path).map_err(Error::host(path.display()))?;
        }
        Ok(())
    }

    /// Removes what was not finished and containers that were left, unless the store is in use.
    fn sweep_unfinished(&self) -> Result<()> {
        let lock = self.lock(FlockOperation::NonBlockingLockExclusive)?;
        let Some(_lock) = lock else { return Ok(()) };
        for (_, path) in self.files("running")? {
            let free = File::open(&path)
                .is_ok_and(|dir| flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok());
            if free {
                // It removes itself, too.
                let _ = self.discard(&path);
            }
        }
        for (_, path) in self.files("tmp")? {
            let _ = remove_dir(&path);
        }
        Ok(())
    }

    /// A tree to run the image in: a new one, which is removed when the last process in it has
    /// ended, or the one that is called `name`, which stays.
    ///
    /// # Errors
    /// It cannot be made, or was made of another image.
    pub fn container(
        &self,
        id: &Digest,
        name: Option<&str>,
        progress: &dyn Progress,
    ) -> Result<Container> {
        self.sweep_unfinished()?;
        let _lock = self.lock(FlockOperation::LockShared)?;
        let config = self.parsed(id)?;
        let Some(name) = name else {
            let draft = self.fill(id, &config, progress)?;
            let file = draft.0.file_name().unwrap_or_default();
            let place = self.dir.join("running").join(file);
            if !draft.place(&place).map_err(Error::host(place.display()))? {
                return Err(Error::bad(format_args!("{}: it is there", place.display())));
            }
            let container = Container::enter(&place, config)?;
            self.remove_afterwards(place)?;
            return Ok(container);
        };
        let place = self.dir.join("containers").join(encoded(name)?);
        if !place.exists() {
            let draft = self.fill(id, &config, progress)?;
            draft.place(&place).map_err(Error::host(place.display()))?;
        }
        let container = Container::enter(&place, config)?;
        let image = fs::read_to_string(place.join("image"));
        if image.map_err(Error::host(place.display()))? != id.hex() {
            let what = format!("container `{name}` was made of another image");
            return Err(Error::Bad(what));
        }
        Ok(container)
    }

    /// Copies the tree of an image.
    fn fill(&self, id: &Digest, config: &ImageConfig, progress: &dyn Progress) -> Result<Draft> {
        let draft = self.draft()?;
        let root = draft.0.join("root");
        fs::create_dir(&root).map_err(Error::host(root.display()))?;
        let tree = Tree::open(&root).map_err(Error::host(root.display()))?;
        let mut owners = Owners::default();
        if let Some(chain) = Self::chains(config).last() {
            progress.begin("copying the image", None);
            let advance = |bytes| progress.advance(bytes);
            owners = self.copy(&self.chain(chain), &tree, Sharing::Copies, &advance)?;
        }
        let table = draft.0.join("owners");
        let filled = FileOwners::create(&table)
            .and_then(|table| tree.set_owners(owners.iter(), &table))
            .and_then(|()| fs::write(draft.0.join("image"), id.hex()));
        filled.map_err(Error::host(draft.0.display()))?;
        Ok(draft)
    }

    /// Leaves a process that waits for the end of all that are in a container, and removes it.
    fn remove_afterwards(&self, place: PathBuf) -> Result<()> {
        let store = self.clone();
        let wait = move || {
            let Ok(dir) = File::open(&place) else { return };
            while flock(&dir, FlockOperation::LockExclusive) == Err(Errno::INTR) {}
            // If it fails, the next who looks finds it.
            let _ = store.discard(&place);
        };
        process::leave_behind(wait).map_err(Error::host("a process to clean up"))
    }
}

impl Container {
    fn enter(place: &Path, config: ImageConfig) -> Result<Self> {
        let dir = File::open(place).map_err(Error::host(place.display()))?;
        match flock(&dir, FlockOperation::NonBlockingLockShared) {
            Ok(()) => {}
            Err(Errno::AGAIN) => {
                return Err(Error::bad(format_args!("{}: it is being removed", place.display())));
            }
            Err(e) => return Err(Error::host(place.display())(e)),
        }
        let (root, owners) = (place.join("root"), place.join("owners"));
        Ok(Self { root, owners, lease: dir.into(), config })
    }

    /// What is run in it; makes the directories that this needs.
    ///
    /// # Errors
    /// The image names no program, or a user that it does not have.
    pub fn launch(&self, overrides: &Overrides) -> Result<Launch> {
        let tree = Tree::open(&self.root).map_err(Error::host(self.root.display()))?;
        let config = self.config.config.clone().unwrap_or_default();
        config::launch(&config, overrides, &tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_files() {
        for name in ["debian:latest", "a/b:1", "..", ".", "ä", "%", "x y"] {
            let file = encoded(name).unwrap();
            assert!(!file.contains('/') && !file.starts_with('.'), "{file}");
            assert_eq!(decoded(&file).as_deref(), Some(name));
        }
        assert!(encoded("").is_err() && encoded("a\nb").is_err());
        assert!(encoded(&"x".repeat(256)).is_err());
        assert_eq!(decoded("%zz"), None);
        assert_eq!(with_tag("host:5000/a"), "host:5000/a:latest");
        assert_eq!(with_tag("a:1"), "a:1");
    }

    #[test]
    fn chains_have_the_specifications_ids() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let two = Digest::of(format!("{a} {b}").as_bytes());
        assert_eq!(chain_ids([a, b].into_iter()), [a, two]);
    }
}
