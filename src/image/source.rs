//! Where images come from: what other tools have written to files. Nothing is fetched.

use super::blob::{Compression, Digest, Unpacked};
use super::spec::{Archived, Descriptor, Document, ImageConfig, choose, parse};
use super::tar::{Kind, Reader};
use super::{Error, Result, limits};
use rustix::fs::{Mode, OFlags};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How an image lies in files, by the names that skopeo and podman have for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A directory in the layout of the OCI.
    Oci,
    /// A tar archive of such a directory.
    OciArchive,
    /// A tar archive of `docker save`.
    DockerArchive,
    /// A directory of skopeo's own.
    Dir,
}

const TRANSPORTS: [(&str, Transport); 4] = [
    ("oci", Transport::Oci),
    ("oci-archive", Transport::OciArchive),
    ("docker-archive", Transport::DockerArchive),
    ("dir", Transport::Dir),
];

/// What a user calls an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// Files, and which image in them.
    Files(Transport, PathBuf, Option<String>),
    /// A name or digest in the store.
    Stored(String),
}

impl Reference {
    /// From `TRANSPORT:PATH[:TAG]`, or a name.
    ///
    /// # Errors
    /// Such words say neither.
    pub fn parse(text: &OsStr) -> Result<Self> {
        let bytes = text.as_bytes();
        let prefix = |name: &str| bytes.strip_prefix(name.as_bytes())?.strip_prefix(b":");
        let found = TRANSPORTS.iter().find_map(|(name, t)| Some((*t, prefix(name)?)));
        if let Some((transport, rest)) = found {
            // A path may hold colons, a tag too: what is there decides.
            let whole = [rest.len()];
            let colons = rest.iter().enumerate().filter(|(_, b)| **b == b':').map(|(i, _)| i);
            let mut ends = whole.into_iter().chain(colons);
            let there = |end: &usize| Path::new(OsStr::from_bytes(&rest[..*end])).exists();
            let end = ends.find(there).unwrap_or(rest.len());
            let tag = rest.get(end + 1..).filter(|tag| !tag.is_empty());
            let tag = tag.map(|tag| String::from_utf8_lossy(tag).into_owned());
            return Ok(Self::Files(transport, OsStr::from_bytes(&rest[..end]).into(), tag));
        }
        match text.to_str().filter(|name| !name.is_empty()) {
            Some(name) if name.contains("://") => Err(Error::bad(format_args!(
                "nothing is fetched: `skopeo copy {name} oci:DIR:TAG` does that"
            ))),
            Some(name) => Ok(Self::Stored(name.to_owned())),
            None => Err(Error::bad(format_args!("`{}` names no image", text.display()))),
        }
    }
}

/// Files of an image: a directory's, or an archive's.
enum Files {
    Dir(PathBuf),
    /// Where each is in the archive, and its length; and what is only another name for one.
    Archive {
        file: File,
        index: HashMap<Vec<u8>, (u64, u64)>,
        links: HashMap<Vec<u8>, Vec<u8>>,
    },
}

/// Path of a name that is said beside another.
fn beside(name: &[u8], target: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = name.split(|&b| b == b'/').collect();
    parts.pop();
    for part in target.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
}

fn without_dot(path: &[u8]) -> &[u8] {
    path.strip_prefix(b"./").unwrap_or(path)
}

impl Files {
    /// An archive, which may be compressed as a whole: it is unpacked to a file without a name in
    /// `scratch` then.
    fn archive(path: &Path, scratch: &Path) -> Result<Self> {
        let failed = || path.display();
        let mut file = open_file(path).map_err(Error::host(failed()))?;
        let mut start = [0; 6];
        let n = file.read_at(&mut start, 0).map_err(Error::host(failed()))?;
        let compression = Compression::of(&start[..n]).map_err(Error::host(failed()))?;
        if compression != Compression::None {
            let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
            let made = rustix::fs::open(scratch, flags, Mode::RUSR | Mode::WUSR);
            let mut plain = File::from(made.map_err(Error::host(scratch.display()))?);
            let copied = Unpacked::of(&file, |mut unpacked| io::copy(&mut unpacked, &mut plain));
            copied.map_err(Error::host(failed()))?;
            file = plain;
        }
        let (mut index, mut links) = (HashMap::new(), HashMap::new());
        let mut read = || -> io::Result<()> {
            use std::io::Seek as _;
            (&file).rewind()?;
            let mut reader = Reader::seeking(BufReader::new(&file));
            while let Some(entry) = reader.next()? {
                let name = without_dot(&entry.path).to_vec();
                match entry.kind {
                    Kind::File if entry.parts.is_some() => {
                        return Err(io::Error::other("a sparse file in an archive of an image"));
                    }
                    Kind::File => {
                        index.insert(name, (reader.position()?, entry.size));
                    }
                    Kind::Symlink(target) => {
                        let target = beside(&name, &target);
                        links.insert(name, target);
                    }
                    Kind::HardLink(target) => {
                        links.insert(name, without_dot(&target).to_vec());
                    }
                    _ => {}
                }
            }
            Ok(())
        };
        read().map_err(Error::host(failed()))?;
        Ok(Self::Archive { file, index, links })
    }

    /// A file, and its length.
    fn open(&self, name: &str) -> io::Result<(Box<dyn Read + Send + '_>, u64)> {
        let missing = || io::Error::from_raw_os_error(rustix::io::Errno::NOENT.raw_os_error());
        match self {
            Self::Dir(dir) => {
                let file = open_file(&dir.join(name))?;
                let length = file.metadata()?.len();
                Ok((Box::new(file), length))
            }
            Self::Archive { file, index, links } => {
                let mut name = without_dot(name.as_bytes());
                for _ in 0..8 {
                    if let Some(&(at, length)) = index.get(name) {
                        return Ok((Box::new(Section { file, at, left: length }), length));
                    }
                    name = links.get(name).ok_or_else(missing)?;
                }
                Err(missing())
            }
        }
    }

    /// A small file as a whole.
    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let (reader, length) = self.open(name).map_err(Error::host(name))?;
        if length > limits::JSON {
            return Err(Error::bad(format_args!("{name}: {length} bytes are too many")));
        }
        let mut bytes = Vec::new();
        reader.take(limits::JSON).read_to_end(&mut bytes).map_err(Error::host(name))?;
        Ok(bytes)
    }
}

/// Opens a file that must be one: no FIFO, at which one would wait.
fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits() as i32;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other("it is no file"))
}

/// A part of a file.
struct Section<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let n = self.file.read_at(&mut buffer[..wanted], self.at)?;
        if n == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}

/// A layer of an image: where its blob is.
#[derive(Clone, Debug)]
pub(super) struct LayerBlob {
    file: String,
    /// Digest and length that the manifest says; an archive of Docker says neither.
    pub said: Option<(Digest, u64)>,
    /// Digest of what it unpacks to.
    pub diff_id: Digest,
}

/// An image in files.
pub struct Source {
    files: Files,
    pub(super) layers: Vec<LayerBlob>,
    /// The configuration, as it was read.
    pub(super) config: Vec<u8>,
    /// Its digest, which is the image's identity.
    id: Digest,
    name: String,
}

impl Source {
    /// Finds the image that is meant; `scratch` is a directory for files without a name.
    ///
    /// # Errors
    /// There is none, it is for another machine, or what describes it is wrong.
    pub fn open(
        transport: Transport,
        path: &Path,
        tag: Option<&str>,
        scratch: &Path,
    ) -> Result<Self> {
        let stem = path.file_stem().or(path.file_name()).unwrap_or(OsStr::new("image"));
        let stem = stem.to_string_lossy().trim_end_matches(".tar").to_lowercase();
        let files = match transport {
            Transport::Oci | Transport::Dir => {
                std::fs::read_dir(path).map_err(Error::host(path.display()))?;
                Files::Dir(path.to_owned())
            }
            Transport::OciArchive | Transport::DockerArchive => Files::archive(path, scratch)?,
        };
        let found = match transport {
            Transport::Oci | Transport::OciArchive => Self::oci(files, tag, &stem),
            Transport::DockerArchive => Self::docker(files, tag, &stem),
            Transport::Dir => Self::dir(files, &stem),
        };
        found.map_err(|e| e.in_(path.display()))
    }

    /// What the image is known by.
    #[must_use]
    pub fn id(&self) -> Digest {
        self.id
    }

    /// Its configuration, as it was read.
    #[must_use]
    pub fn config(&self) -> &[u8] {
        &self.config
    }

    /// The name that it has where it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn oci(files: Files, tag: Option<&str>, stem: &str) -> Result<Self> {
        let blob = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
        let mut document: Document = parse("index.json", &files.read("index.json")?)?;
        let (mut tag, mut name) = (tag, None);
        for _ in 0..4 {
            let Some(manifests) = &document.manifests else { break };
            let chosen = choose(manifests, tag)?.clone();
            name = name.or_else(|| chosen.tag().map(str::to_owned));
            // An index within an index has the tag as a whole.
            tag = None;
            let bytes = checked(&files, &blob(&chosen.digest), &chosen)?;
            document = parse(&chosen.digest.to_string(), &bytes)?;
        }
        let name = name.unwrap_or_else(|| "latest".into());
        let name = if name.contains([':', '/']) { name } else { format!("{stem}:{name}") };
        Self::manifest(files, document, blob, name)
    }

    fn dir(files: Files, stem: &str) -> Result<Self> {
        let document: Document = parse("manifest.json", &files.read("manifest.json")?)?;
        if document.manifests.is_some() {
            return Err(Error::bad(
                "a list of images, of which skopeo copies one to an oci: layout",
            ));
        }
        Self::manifest(files, document, Digest::hex, format!("{stem}:latest"))
    }

    fn manifest(
        files: Files,
        manifest: Document,
        blob: impl Fn(&Digest) -> String,
        name: String,
    ) -> Result<Self> {
        let (Some(config), Some(layers)) = (manifest.config, manifest.layers) else {
            return Err(Error::bad("the manifest names no configuration or no layers"));
        };
        let bytes = checked(&files, &blob(&config.digest), &config)?;
        let layers = layers.iter().map(|d| (blob(&d.digest), Some((d.digest, d.size))));
        Self::with_config(files, bytes, layers.collect(), name)
    }

    fn docker(files: Files, tag: Option<&str>, stem: &str) -> Result<Self> {
        let bytes = files.read("manifest.json")?;
        let all: Vec<Archived> = parse("manifest.json", &bytes)?;
        let tags = |image: &Archived| image.repo_tags.clone().unwrap_or_default();
        let named = |image: &&Archived| {
            tag.is_none_or(|tag| {
                tags(image).iter().any(|t| t == tag || *t == format!("{tag}:latest"))
            })
        };
        let fit: Vec<_> = all.iter().filter(named).collect();
        let &[image] = &fit[..] else {
            let tags = all.iter().flat_map(tags).collect::<Vec<_>>().join(", ");
            let what = match (tag, fit.len()) {
                (Some(tag), 0) => format!("no image `{tag}` in it; there are: {tags}"),
                (None, 0) => "no image in it".into(),
                _ => format!("several images: say which one, of {tags}"),
            };
            return Err(Error::Bad(what));
        };
        let config = files.read(&image.config)?;
        let stored = Path::new(&image.config).file_stem().and_then(OsStr::to_str);
        let said = stored.and_then(Digest::from_hex);
        if said.is_some_and(|said| said != Digest::of(&config)) {
            return Err(Error::bad(format_args!("{}: it is damaged", image.config)));
        }
        let layers = image.layers.iter().map(|name| (name.clone(), None)).collect();
        let name = tag.map(str::to_owned).or_else(|| tags(image).into_iter().next());
        let name = name.unwrap_or_else(|| format!("{stem}:latest"));
        Self::with_config(files, config, layers, name)
    }

    fn with_config(
        files: Files,
        bytes: Vec<u8>,
        blobs: Vec<(String, Option<(Digest, u64)>)>,
        name: String,
    ) -> Result<Self> {
        let config: ImageConfig = parse("the image's configuration", &bytes)?;
        config.check_platform()?;
        let diff_ids = config.rootfs.diff_ids.unwrap_or_default();
        if diff_ids.len() != blobs.len() || blobs.len() > limits::LAYERS {
            let (blobs, ids) = (blobs.len(), diff_ids.len());
            let what = format!("{blobs} layers, of which its configuration knows {ids}");
            return Err(Error::Bad(what));
        }
        let layers = blobs.into_iter().zip(diff_ids);
        let layers =
            layers.map(|((file, said), diff_id)| LayerBlob { file, said, diff_id }).collect();
        Ok(Self { files, layers, id: Digest::of(&bytes), config: bytes, name })
    }

    /// The blob of a layer, and its length.
    pub(super) fn layer(&self, layer: &LayerBlob) -> Result<(Box<dyn Read + Send + '_>, u64)> {
        let (blob, length) = self.files.open(&layer.file).map_err(Error::host(&layer.file))?;
        if let Some((_, said)) = layer.said
            && said != length
        {
            let what = format!("{}: {length} bytes, and not {said}", layer.file);
            return Err(Error::Bad(what));
        }
        Ok((blob, length))
    }
}

/// A small blob that is what its descriptor says.
fn checked(files: &Files, name: &str, descriptor: &Descriptor) -> Result<Vec<u8>> {
    let bytes = files.read(name)?;
    if bytes.len() as u64 != descriptor.size || Digest::of(&bytes) != descriptor.digest {
        return Err(Error::bad(format_args!("{name}: it is damaged")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_files_or_names() {
        let parse = |text: &str| Reference::parse(OsStr::new(text)).unwrap();
        let files = |t, path: &str, tag: Option<&str>| {
            Reference::Files(t, path.into(), tag.map(str::to_owned))
        };
        assert_eq!(parse("oci:/usr"), files(Transport::Oci, "/usr", None));
        assert_eq!(parse("oci:/usr:v1"), files(Transport::Oci, "/usr", Some("v1")));
        let archive = files(Transport::DockerArchive, "/etc/passwd", Some("a/b:1"));
        assert_eq!(parse("docker-archive:/etc/passwd:a/b:1"), archive);
        assert_eq!(parse("dir:/no:such"), files(Transport::Dir, "/no:such", None));
        assert_eq!(parse("debian:trixie"), Reference::Stored("debian:trixie".into()));
        assert!(Reference::parse(OsStr::new("docker://debian")).is_err());
        assert!(Reference::parse(OsStr::new("")).is_err());
    }

    #[test]
    fn links_in_an_archive_lead_beside_them() {
        assert_eq!(beside(b"a/layer.tar", b"../b/layer.tar"), b"b/layer.tar");
        assert_eq!(beside(b"x", b"../../y"), b"y");
    }
}
