//! Layers at random against a model, and archives of any bytes.

use super::check::{check_json, check_layer, mend};
use super::layer::apply;
use super::owners::Owners;
use super::tar::Reader;
use super::tree::{Copier, Sharing, Tree};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tar::{EntryType, Header};

/// A directory that is removed.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rvnative-image-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An entry of an archive. The name is written as it is, whatever it leads to.
pub(super) fn entry(kind: EntryType, name: &str, link: &str, mode: u32, data: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(data.len() as u64);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_000_000);
    let old = header.as_old_mut();
    old.name[..name.len()].copy_from_slice(name.as_bytes());
    old.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut out = header.as_bytes().to_vec();
    out.extend(data);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

/// Applies an archive to the tree in a directory.
pub(super) fn unpack(root: &Path, owners: &mut Owners, archive: &[u8]) -> super::Result<()> {
    let tree = Tree::open(root).unwrap();
    apply(&mut Reader::new(archive), &tree, owners)
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    fn path(&mut self) -> String {
        let depth = 1 + self.below(3);
        (0..depth).map(|_| self.pick(&["a", "b", "c"])).collect::<Vec<_>>().join("/")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Directory(u32),
    /// Which file of the model it is, mode, content.
    File(usize, u32, u8),
    Link(String),
}

type Model = BTreeMap<String, Node>;

fn remove_from(model: &mut Model, path: &str, itself: bool) {
    let below = format!("{path}/");
    model.retain(|p, _| !(p.starts_with(&below) || (itself && p == path)));
}

fn put(model: &mut Model, path: &str, node: Node) {
    for (end, _) in path.match_indices('/') {
        if !matches!(model.get(&path[..end]), Some(Node::Directory(_))) {
            remove_from(model, &path[..end], true);
            model.insert(path[..end].to_owned(), Node::Directory(0o755));
        }
    }
    let both = (model.get(path), &node);
    if !matches!(both, (Some(Node::Directory(_)), Node::Directory(_))) {
        remove_from(model, path, true);
    }
    model.insert(path.to_owned(), node);
}

/// A random layer: applied to the model, whiteouts first; and as an archive, in which these are
/// anywhere.
fn layer(random: &mut Random, model: &mut Model, files: &mut usize) -> Vec<u8> {
    let mut marks = Vec::new();
    for _ in 0..random.below(4) {
        let path = random.path();
        let (above, name) = path.rsplit_once('/').map_or(("", &*path), |(a, n)| (a, n));
        let slash = if above.is_empty() { "" } else { "/" };
        if random.below(3) == 0 {
            remove_from(model, &path, false);
            marks.push(entry(EntryType::Regular, &format!("{path}/.wh..wh..opq"), "", 0, b""));
        } else {
            remove_from(model, &path, true);
            let mark = format!("{above}{slash}.wh.{name}");
            marks.push(entry(EntryType::Regular, &mark, "", 0o644, b""));
        }
    }
    let mut entries = Vec::new();
    let mut ours: Vec<String> = Vec::new();
    for _ in 0..random.below(7) {
        let path = random.path();
        let mode = random.pick(&[0o755, 0o644, 0o000, 0o4755, 0o1777, 0o2070]);
        match random.below(6) {
            0 | 1 => {
                put(model, &path, Node::Directory(mode));
                entries.push(entry(EntryType::Directory, &format!("./{path}/"), "", mode, b""));
            }
            2 => {
                // Links are never anybody's directory: where they lead is another test's.
                let path = format!("{path}/s");
                put(model, &path, Node::Link("../a".into()));
                entries.push(entry(EntryType::Symlink, &path, "../a", 0o777, b""));
            }
            3 if !ours.is_empty() => {
                let of = random.pick(&ours);
                let Some(node @ Node::File(..)) = model.get(&of).cloned() else { continue };
                if of == path
                    || of.starts_with(&format!("{path}/"))
                    || path.starts_with(&format!("{of}/"))
                {
                    continue;
                }
                put(model, &path, node);
                entries.push(entry(EntryType::Link, &path, &format!("/{of}"), mode, b""));
            }
            _ => {
                let content = random.below(200) as u8;
                *files += 1;
                put(model, &path, Node::File(*files, mode, content));
                entries.push(entry(EntryType::Regular, &path, "", mode, &[content; 700]));
                ours.push(path);
            }
        }
    }
    for mark in marks {
        let at = random.below(entries.len() + 1);
        entries.insert(at, mark);
    }
    entries.concat()
}

/// What is in a tree, as the model says it: files are numbered by the first of their names.
fn listed(root: &Path, owners: &Owners) -> Model {
    fn walk(
        dir: &Path,
        root: &Path,
        owners: &Owners,
        inodes: &mut HashMap<u64, usize>,
        out: &mut Model,
    ) {
        let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let m = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let known = owners.get(name.as_bytes());
            let mode = known.mode.unwrap_or(m.mode() & 0o7777);
            let node = if m.is_dir() {
                walk(&path, root, owners, inodes, out);
                Node::Directory(mode)
            } else if m.is_symlink() {
                Node::Link(fs::read_link(&path).unwrap().to_str().unwrap().into())
            } else {
                let content = fs::read(&path).unwrap();
                assert_eq!(content, [content[0]; 700]);
                let count = inodes.len();
                Node::File(*inodes.entry(m.ino()).or_insert(count), mode, content[0])
            };
            out.insert(name, node);
        }
    }
    let mut model = Model::new();
    walk(root, root, owners, &mut HashMap::new(), &mut model);
    renumbered(model)
}

/// With the files numbered in the order of their names.
fn renumbered(mut model: Model) -> Model {
    let mut numbers = HashMap::new();
    for node in model.values_mut() {
        if let Node::File(number, ..) = node {
            let count = numbers.len();
            *number = *numbers.entry(*number).or_insert(count);
        }
    }
    model
}

#[test]
fn layers_do_what_the_model_does() {
    let mut random = Random(0x1234_5678_9abc_def1);
    for case in 0..60 {
        let scratch = Scratch::new();
        let (mut model, mut files) = (Model::new(), 0);
        let mut owners = Owners::default();
        let mut before: Option<(PathBuf, Model)> = None;
        for number in 0..4 {
            let root = scratch.path(&number.to_string());
            fs::create_dir(&root).unwrap();
            if let Some((before, _)) = &before {
                let tree = Tree::open(&root).unwrap();
                let from = Tree::open(before).unwrap();
                let sharing = if number == 3 { Sharing::Copies } else { Sharing::Links };
                Copier::new(sharing, &tree, &|_| ()).copy(&from).unwrap();
            }
            let old_owners = owners.clone();
            let archive = layer(&mut random, &mut model, &mut files);
            unpack(&root, &mut owners, &archive).unwrap();
            let wanted = renumbered(model.clone());
            assert_eq!(listed(&root, &owners), wanted, "case {case}, layer {number}");
            // The tree below is what it was.
            if let Some((before, old)) = &before {
                assert_eq!(listed(before, &old_owners), *old, "case {case}, below {number}");
            }
            before = Some((root, wanted));
        }
    }
}

#[test]
fn any_bytes_are_refused_or_unpacked() {
    let mut random = Random(77);
    for case in 0..300 {
        let mut bytes = if case % 4 == 0 {
            (0..random.below(5000)).map(|_| random.below(256) as u8).collect()
        } else {
            layer(&mut random, &mut Model::new(), &mut 0)
        };
        for _ in 0..random.below(20) {
            if bytes.is_empty() {
                break;
            }
            let at = random.below(bytes.len());
            bytes[at] =
                random.pick(&[0, b'0', b'/', b'.', b'x', b'L', b'S', b'1', b'2', 0x80, 255]);
        }
        let scratch = Scratch::new();
        check_layer(&bytes, &scratch.path(""));
        mend(&mut bytes);
    }
}

#[test]
fn any_json_is_refused_or_read() {
    let mut random = Random(78);
    let good: [&[u8]; 3] = [
        br#"{"manifests":[{"mediaType":"x","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":1,"platform":{"os":"linux","architecture":"riscv64"},"annotations":{"org.opencontainers.image.ref.name":"tag"}}]}"#,
        br#"[{"Config":"a.json","RepoTags":null,"Layers":["b"]}]"#,
        br#"{"os":"linux","architecture":"riscv64","config":{"Env":["A=1"],"Volumes":{"/x":{}}},"rootfs":{"diff_ids":null}}"#,
    ];
    check_json("[".repeat(100_000).as_bytes());
    for case in 0..3000 {
        let mut bytes = good[case % 3].to_vec();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len());
            bytes[at] = random.pick(br#"{}[]",:0-e.x\"#);
        }
        check_json(&bytes);
    }
}
