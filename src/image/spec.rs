//! What images say of themselves, in JSON: the structures of the OCI image specification, which
//! Docker's are alike, and Docker's own list of an archive.

use super::blob::Digest;
use super::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The architecture of images that can run here, by Go's name, which is the specification's.
pub const ARCHITECTURE: &str = "riscv64";

/// Names a blob, and says what it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub digest: Digest,
    pub size: u64,
    pub platform: Option<Platform>,
    #[serde(default)]
    pub annotations: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Platform {
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub architecture: String,
    pub variant: Option<String>,
}

/// An index of images, or the manifest of one.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Document {
    pub manifests: Option<Vec<Descriptor>>,
    pub config: Option<Descriptor>,
    pub layers: Option<Vec<Descriptor>>,
}

/// An image of Docker's archive (`manifest.json`).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Archived {
    pub config: String,
    #[serde(default)]
    pub repo_tags: Option<Vec<String>>,
    pub layers: Vec<String>,
}

/// The configuration of an image.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ImageConfig {
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub architecture: String,
    pub created: Option<String>,
    #[serde(default)]
    pub config: Option<RunConfig>,
    pub rootfs: RootFs,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct RootFs {
    #[serde(default)]
    pub diff_ids: Option<Vec<Digest>>,
}

/// How the image's program is run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RunConfig {
    pub user: Option<String>,
    pub env: Option<Vec<String>>,
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    pub working_dir: Option<String>,
    pub volumes: Option<BTreeMap<String, serde_json::Value>>,
}

/// Reads JSON.
pub(super) fn parse<'a, T: Deserialize<'a>>(what: &str, bytes: &'a [u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| Error::bad(format_args!("{what}: {e}")))
}

impl Platform {
    fn is_ours(&self) -> bool {
        self.os == "linux" && self.architecture == ARCHITECTURE
    }

    fn name(&self) -> String {
        let variant = self.variant.as_ref().map(|v| format!("/{v}")).unwrap_or_default();
        format!("{}/{}{variant}", self.os, self.architecture)
    }
}

impl Descriptor {
    /// The name that an index gives an image.
    pub(super) fn tag(&self) -> Option<&str> {
        let annotations = self.annotations.as_ref()?;
        annotations.get("org.opencontainers.image.ref.name").map(String::as_str)
    }
}

impl ImageConfig {
    /// # Errors
    /// The image is for another machine.
    pub(super) fn check_platform(&self) -> Result<()> {
        let (os, architecture) = (self.os.clone(), self.architecture.clone());
        let platform = Platform { os, architecture, variant: None };
        if platform.is_ours() {
            return Ok(());
        }
        let name = platform.name();
        Err(Error::bad(format_args!("it is for {name}, not for linux/{ARCHITECTURE}")))
    }
}

/// The manifest of an index that is meant: with the tag, if there is one, and for our architecture.
pub(super) fn choose<'a>(all: &'a [Descriptor], tag: Option<&str>) -> Result<&'a Descriptor> {
    let list = |mut names: Vec<String>| {
        names.sort();
        names.dedup();
        names.join(", ")
    };
    let tags = || list(all.iter().filter_map(|d| d.tag().map(str::to_owned)).collect());
    let named: Vec<_> = all.iter().filter(|d| tag.is_none_or(|t| d.tag() == Some(t))).collect();
    if let (true, Some(tag)) = (named.is_empty(), tag) {
        return Err(Error::bad(format_args!("no image `{tag}` in it; there are: {}", tags())));
    }
    let ours = |d: &&&Descriptor| d.platform.as_ref().is_some_and(Platform::is_ours);
    let mut fit: Vec<_> = named.iter().filter(ours).collect();
    if fit.is_empty() {
        // What says nothing of its platform may be an index, or for us.
        fit = named.iter().filter(|d| d.platform.is_none()).collect();
    }
    fit.dedup_by_key(|d| d.digest);
    match &fit[..] {
        [one] => Ok(one),
        // Variants of the architecture, under one name: the first is the one that is preferred.
        [first, ..] if tag.is_some() || first.tag().is_none() => Ok(first),
        [] if named.is_empty() => Err(Error::bad("no image in it")),
        [] => {
            let platforms = named.iter().filter_map(|d| d.platform.as_ref());
            // What describes other entries calls itself so.
            let real = platforms.filter(|p| p.os != "unknown").map(Platform::name);
            let names = list(real.collect());
            Err(Error::bad(format_args!("no image for linux/{ARCHITECTURE}; there are: {names}")))
        }
        _ => Err(Error::bad(format_args!("several images: say which one, of {}", tags()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(entries: &[(&str, Option<&str>, Option<&str>)]) -> Vec<Descriptor> {
        let entry = |&(content, platform, tag): &(&str, Option<&str>, Option<&str>)| Descriptor {
            digest: Digest::of(content.as_bytes()),
            size: 1,
            platform: platform.and_then(|p| p.split_once('/')).map(|(os, rest)| {
                let (architecture, variant) = match rest.split_once('/') {
                    Some((a, v)) => (a, Some(v.into())),
                    None => (rest, None),
                };
                Platform { os: os.into(), architecture: architecture.into(), variant }
            }),
            annotations: tag
                .map(|t| [("org.opencontainers.image.ref.name".into(), t.into())].into()),
        };
        entries.iter().map(entry).collect()
    }

    fn chosen(entries: &[(&str, Option<&str>, Option<&str>)], tag: Option<&str>) -> String {
        let all = index(entries);
        match choose(&all, tag) {
            Ok(d) => {
                let at = all.iter().position(|e| e.digest == d.digest).unwrap();
                entries[at].0.to_owned()
            }
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn our_platform_is_chosen() {
        let many = [
            ("a", Some("linux/amd64"), None),
            ("r", Some("linux/riscv64"), None),
            ("v", Some("linux/arm64/v8"), None),
            ("u", Some("unknown/unknown"), None),
        ];
        assert_eq!(chosen(&many, None), "r");
        assert_eq!(
            chosen(&[many[0], many[2], many[3]], None),
            "no image for linux/riscv64; there are: linux/amd64, linux/arm64/v8"
        );
        assert_eq!(chosen(&[("x", None, None)], None), "x");
        assert_eq!(chosen(&[], None), "no image in it");
    }

    #[test]
    fn a_tag_is_chosen() {
        let two = [("x", None, Some("one")), ("y", None, Some("two"))];
        assert_eq!(chosen(&two, Some("two")), "y");
        assert_eq!(chosen(&two, None), "several images: say which one, of one, two");
        assert_eq!(chosen(&two, Some("3")), "no image `3` in it; there are: one, two");
        assert_eq!(chosen(&two[..1], None), "x");
    }
}
