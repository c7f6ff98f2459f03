//! What holds for any bytes, for fuzz targets and tests.

use super::layer::apply;
use super::owners::Owners;
use super::spec::{Archived, Document, ImageConfig, choose, parse};
use super::tar::Reader;
use super::tree::Tree;
use super::{Result, limits};
use std::fs;
use std::path::Path;

/// Gives the headers of an archive the sums that they need, so that more than those are looked at.
pub(super) fn mend(archive: &mut [u8]) {
    let mut at = 0;
    while let Some(block) = archive.get_mut(at..at + 512) {
        let mut header = tar::Header::from_byte_slice(block).clone();
        header.set_cksum();
        block.copy_from_slice(header.as_bytes());
        let size = header.entry_size().unwrap_or(0).min(archive.len() as u64);
        at += 512 + size.next_multiple_of(512) as usize;
    }
}

/// Unpacks any bytes as a layer below `dir`, an empty directory of the caller's: whatever comes of
/// it stays in the layer's own tree.
///
/// # Panics
/// Something is elsewhere, or the host fails.
pub fn check_layer(bytes: &[u8], dir: &Path) {
    let root = dir.join("root");
    fs::create_dir(&root).expect("a directory");
    fs::write(dir.join("canary"), "sings").expect("a file");
    let mut archive = bytes.to_vec();
    mend(&mut archive);
    let mut owners = Owners::default();
    let tree = Tree::open(&root).expect("a tree");
    // Most are refused.
    let _: Result<()> = apply(&mut Reader::new(&*archive), &tree, &mut owners);
    let mut names: Vec<_> =
        fs::read_dir(dir).expect("a directory").map(|e| e.expect("an entry").file_name()).collect();
    names.sort();
    assert_eq!(names, ["canary", "root"]);
    assert_eq!(fs::read(dir.join("canary")).expect("a file"), b"sings");
    assert_eq!(Owners::from_bytes(&owners.to_bytes()), Some(owners));
    let above = fs::File::open(dir).expect("a directory");
    super::tree::remove(std::os::fd::AsFd::as_fd(&above), c"root").expect("it can be removed");
}

/// Reads any bytes as what describes an image.
pub fn check_json(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(limits::JSON as usize)];
    if let Ok(document) = parse::<Document>("index", bytes) {
        let manifests = document.manifests.unwrap_or_default();
        let _ = choose(&manifests, None);
        let _ = choose(&manifests, Some("tag"));
    }
    let _ = parse::<Vec<Archived>>("list", bytes);
    if let Ok(config) = parse::<ImageConfig>("configuration", bytes) {
        let _ = config.check_platform();
    }
}
