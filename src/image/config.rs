//! What an image says about the program to run, and what the user says about it instead.

use super::spec::RunConfig;
use super::tree::Tree;
use super::{Error, Result, limits};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Where programs are if the image does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is to be otherwise than the image says.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The program, instead of the image's entry point and command; an empty one stands for none.
    pub entrypoint: Option<OsString>,
    /// Instead of the image's command.
    pub command: Vec<OsString>,
    /// `USER[:GROUP]`, by names or numbers.
    pub user: Option<String>,
    /// Directory to start in.
    pub workdir: Option<PathBuf>,
}

/// A program of an image, and how it is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The program and its arguments; at least one word.
    pub command: Vec<OsString>,
    /// Its environment.
    pub env: Vec<(OsString, OsString)>,
    /// Directory to start in.
    pub workdir: PathBuf,
    /// User and group.
    pub ids: (u32, u32),
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

pub(super) fn launch(config: &RunConfig, overrides: &Overrides, tree: &Tree) -> Result<Launch> {
    let words = |words: &Option<Vec<String>>| -> Vec<OsString> {
        words.iter().flatten().map(OsString::from).collect()
    };
    let (mut command, rest) = match &overrides.entrypoint {
        Some(none) if none.is_empty() => (Vec::new(), Vec::new()),
        Some(program) => (vec![program.clone()], Vec::new()),
        None => (words(&config.entrypoint), words(&config.cmd)),
    };
    command.extend(if overrides.command.is_empty() { rest } else { overrides.command.clone() });
    if command.iter().all(|word| word.is_empty()) {
        return Err(Error::bad("the image names no program: give one"));
    }
    let said = overrides.user.as_ref().or(config.user.as_ref());
    let user = user(said.map_or("", |user| user.trim()), tree)?;
    let mut env: Vec<(OsString, OsString)> =
        vec![("PATH".into(), PATH.into()), ("HOME".into(), user.home)];
    for entry in config.env.iter().flatten() {
        let Some((name, value)) = entry.split_once('=') else { continue };
        if name.is_empty() || entry.contains('\0') {
            return Err(Error::bad(format_args!("no variable: `{}`", entry.escape_debug())));
        }
        env.retain(|(known, _)| known != name);
        env.push((name.into(), value.into()));
    }
    let workdir = match (&overrides.workdir, config.working_dir.as_deref()) {
        (Some(dir), _) => dir.clone(),
        (None, None | Some("")) => "/".into(),
        (None, Some(dir)) => {
            let dir = PathBuf::from("/").join(dir);
            tree.make_dirs(dir.as_os_str().as_bytes()).map_err(Error::host(dir.display()))?;
            dir
        }
    };
    for volume in config.volumes.iter().flat_map(|volumes| volumes.keys()) {
        tree.make_dirs(volume.as_bytes()).map_err(Error::host(volume.escape_debug()))?;
    }
    Ok(Launch { command, env, workdir, ids: user.ids, groups: user.groups })
}

/// Who runs a program.
#[derive(Debug, PartialEq, Eq)]
struct User {
    ids: (u32, u32),
    groups: Vec<u32>,
    home: OsString,
}

/// Lines of a list such as `/etc/passwd`, in fields; none if the image has no such list.
fn lines(path: &str, tree: &Tree) -> Result<Vec<Vec<Vec<u8>>>> {
    let bytes = match tree.read(path.as_bytes(), limits::USERS) {
        Ok(bytes) => bytes,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(e) => return Err(Error::host(path)(e)),
    };
    let fields = |line: &[u8]| line.split(|&b| b == b':').map(<[u8]>::to_vec).collect();
    Ok(bytes.split(|&b| b == b'\n').map(fields).collect())
}

fn number(field: Option<&Vec<u8>>) -> Option<u32> {
    std::str::from_utf8(field?).ok()?.parse().ok().filter(|&id| id != u32::MAX)
}

/// The user that `USER[:GROUP]` means: nobody is root.
fn user(text: &str, tree: &Tree) -> Result<User> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|g| !g.is_empty())),
        None => (text, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let id = |text: &str| text.parse::<u32>().ok().filter(|&id| id != u32::MAX);
    let users = lines("/etc/passwd", tree)?;
    let by_name = users.iter().find(|u| u[0] == user.as_bytes());
    let known = by_name
        .or_else(|| users.iter().find(|u| id(user).is_some() && number(u.get(2)) == id(user)));
    let no_user = || Error::bad(format_args!("the image has no user `{}`", user.escape_debug()));
    let uid = known.and_then(|u| number(u.get(2))).or(id(user)).ok_or_else(no_user)?;
    let groups = lines("/etc/group", tree)?;
    let gid = match group {
        None => known.and_then(|u| number(u.get(3))).unwrap_or(0),
        Some(group) => {
            let named = groups.iter().find(|g| g[0] == group.as_bytes());
            let shown = group.escape_debug();
            let no_group = || Error::bad(format_args!("the image has no group `{shown}`"));
            named.and_then(|g| number(g.get(2))).or(id(group)).ok_or_else(no_group)?
        }
    };
    // A group that is chosen stands alone.
    let name = known.filter(|_| group.is_none()).map(|u| &u[0]);
    let member = |g: &&Vec<Vec<u8>>| {
        let members = g.get(3).map(|list| list.split(|&b| b == b','));
        name.is_some_and(|name| members.is_some_and(|mut m| m.any(|m| m == name)))
    };
    let supplementary = groups.iter().filter(member).filter_map(|g| number(g.get(2)));
    let home = known.and_then(|u| u.get(5)).filter(|home| !home.is_empty() && !home.contains(&0));
    Ok(User {
        ids: (uid, gid),
        groups: supplementary.collect(),
        home: home.map_or("/".into(), |home| OsStr::from_bytes(home).to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::model_tests::Scratch;
    use super::*;

    fn tree(scratch: &Scratch) -> Tree {
        std::fs::create_dir(scratch.path("etc")).unwrap();
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nwww:x:33:34::/var/www:\n7:x:70:71::/seven:\nodd\n";
        std::fs::write(scratch.path("etc/passwd"), passwd).unwrap();
        let group = "root:x:0:\nweb:x:34:\nlog:x:4:other,www\nweb2:x:50:www\n";
        std::fs::write(scratch.path("etc/group"), group).unwrap();
        Tree::open(&scratch.path("")).unwrap()
    }

    #[test]
    fn users_are_names_or_numbers() {
        let scratch = Scratch::new();
        let tree = tree(&scratch);
        let found = |text: &str| {
            user(text, &tree).map(|u| (u.ids, u.groups, u.home.into_string().unwrap()))
        };
        for (text, ids, groups, home) in [
            ("", (0, 0), &[][..], "/root"),
            ("www", (33, 34), &[4, 50], "/var/www"),
            ("33", (33, 34), &[4, 50], "/var/www"),
            ("33:root", (33, 0), &[], "/var/www"),
            ("www:77", (33, 77), &[], "/var/www"),
            ("7", (70, 71), &[], "/seven"),
            ("1234", (1234, 0), &[], "/"),
            ("1234:5", (1234, 5), &[], "/"),
            (":5", (0, 5), &[], "/root"),
        ] {
            assert_eq!(found(text).unwrap(), (ids, groups.to_vec(), home.to_owned()), "{text}");
        }
        assert_eq!(found("who").unwrap_err().to_string(), "the image has no user `who`");
        assert_eq!(found("www:which").unwrap_err().to_string(), "the image has no group `which`");
        assert!(found("4294967295").is_err() && found("-1").is_err() && found("odd").is_err());
    }

    #[test]
    fn the_user_may_say_otherwise() {
        let scratch = Scratch::new();
        let tree = tree(&scratch);
        let strings = |s: &[&str]| Some(s.iter().map(|&s| s.to_owned()).collect::<Vec<_>>());
        let config = RunConfig {
            user: Some("www".into()),
            env: strings(&["A=1", "PATH=/x", "A=2=3", "odd"]),
            entrypoint: strings(&["/init", "-x"]),
            cmd: strings(&["serve"]),
            working_dir: Some("var/made".into()),
            volumes: Some([("/data/here".to_owned(), serde_json::Value::Null)].into()),
        };
        let plain = launch(&config, &Overrides::default(), &tree).unwrap();
        assert_eq!(plain.command, ["/init", "-x", "serve"]);
        assert_eq!((plain.ids, &plain.groups[..]), ((33, 34), &[4, 50][..]));
        assert_eq!(plain.workdir, PathBuf::from("/var/made"));
        let env = plain.env.iter().map(|(n, v)| format!("{}={}", n.display(), v.display()));
        let env: Vec<_> = env.collect();
        assert_eq!(env, ["HOME=/var/www", "PATH=/x", "A=2=3"]);
        assert!(scratch.path("var/made").is_dir() && scratch.path("data/here").is_dir());
        let command = |entrypoint: Option<&str>, command: &[&str]| {
            let overrides = Overrides {
                entrypoint: entrypoint.map(OsString::from),
                command: command.iter().map(OsString::from).collect(),
                ..Overrides::default()
            };
            launch(&config, &overrides, &tree).map(|launch| launch.command)
        };
        assert_eq!(command(None, &["ls"]).unwrap(), ["/init", "-x", "ls"]);
        assert_eq!(command(Some("/bin/sh"), &[]).unwrap(), ["/bin/sh"]);
        assert_eq!(command(Some("/bin/sh"), &["-c", ":"]).unwrap(), ["/bin/sh", "-c", ":"]);
        assert_eq!(command(Some(""), &["ls"]).unwrap(), ["ls"]);
        assert!(command(Some(""), &[]).is_err());
    }
}
