//! Archives that mean harm, or are strange.

use super::model_tests::{Scratch, entry, unpack};
use super::owners::Owners;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use tar::EntryType::{
    self, Block, Char, Directory, Fifo, GNULongName, Link, Regular, Symlink, XHeader,
};

/// A tree to be harmed, with something outside of it.
struct Victim {
    scratch: Scratch,
    owners: Owners,
}

impl Victim {
    fn new() -> Self {
        let scratch = Scratch::new();
        fs::create_dir(scratch.path("root")).unwrap();
        fs::create_dir(scratch.path("outside")).unwrap();
        fs::write(scratch.path("outside/file"), "precious").unwrap();
        Self { scratch, owners: Owners::default() }
    }

    fn unpack(&mut self, archive: &[Vec<u8>]) -> Result<(), String> {
        let result = unpack(&self.scratch.path("root"), &mut self.owners, &archive.concat());
        assert_eq!(fs::read_to_string(self.scratch.path("outside/file")).unwrap(), "precious");
        assert_eq!(fs::read_dir(self.scratch.path("outside")).unwrap().count(), 1);
        assert_eq!(fs::read_dir(self.scratch.path("")).unwrap().count(), 2);
        result.map_err(|e| {
            let line = e.to_string();
            assert!(!line.contains('\n'), "{line}");
            line
        })
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.scratch.path("root").join(path)).unwrap()
    }
}

fn file(name: &str, data: &str) -> Vec<u8> {
    entry(Regular, name, "", 0o644, data.as_bytes())
}

fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut data = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let length = (1..).find(|n| n.to_string().len() + rest == *n).unwrap();
        data.extend(format!("{length} {key}=").into_bytes());
        data.extend(*value);
        data.push(b'\n');
    }
    entry(XHeader, "pax", "", 0, &data)
}

#[test]
fn nothing_leads_up() {
    for name in ["../outside/file", "a/../../outside/file", "/../outside/file", ".."] {
        let error = Victim::new().unpack(&[file(name, "x")]).unwrap_err();
        assert!(error.contains("leads up"), "{error}");
        let long = entry(GNULongName, "././@LongLink", "", 0, name.as_bytes());
        assert!(Victim::new().unpack(&[long, file("x", "x")]).is_err());
        assert!(
            Victim::new().unpack(&[pax(&[("path", name.as_bytes())]), file("x", "x")]).is_err()
        );
        let link = entry(Link, "x", name, 0, b"");
        assert!(Victim::new().unpack(&[link]).is_err());
        let mark = name.replace("file", ".wh.file");
        assert!(Victim::new().unpack(&[file(&mark, "")]).is_err());
    }
}

#[test]
fn absolute_paths_begin_at_the_root() {
    let mut v = Victim::new();
    v.unpack(&[file("/etc/passwd", "x"), entry(Link, "y", "/etc/passwd", 0, b"")]).unwrap();
    assert_eq!((v.read("etc/passwd"), v.read("y")), ("x".into(), "x".into()));
}

#[test]
fn links_lead_where_they_lead_the_guest() {
    let mut v = Victim::new();
    let outside = v.scratch.path("outside");
    let outside = outside.to_str().unwrap();
    v.unpack(&[
        entry(Symlink, "up", "../../../../../outside", 0o777, b""),
        file("up/file", "in"),
        entry(Symlink, "absolute", outside, 0o777, b""),
        file("absolute/other", "in"),
        entry(Directory, "usr/bin", "", 0o755, b""),
        entry(Symlink, "bin", "usr/bin", 0o777, b""),
        file("bin/sh", "shell"),
        file("bin/.wh.sh", ""),
    ])
    .unwrap();
    assert_eq!(v.read("outside/file"), "in");
    assert_eq!(v.read(&format!("{}/other", &outside[1..])), "in");
    // The mark and the entry came by the same link, so it is this layer's.
    assert_eq!(v.read("usr/bin/sh"), "shell");
    v.unpack(&[file("bin/.wh.sh", ""), file("up/.wh..wh..opq", "")]).unwrap();
    assert!(fs::read_dir(v.scratch.path("root/usr/bin")).unwrap().next().is_none());
    let error = v.unpack(&[entry(Symlink, "l", "l", 0o777, b""), file("l/x", "")]).unwrap_err();
    assert!(error.starts_with("l/x: "), "{error}");
}

#[test]
fn the_last_name_is_never_followed() {
    for kind in [Regular, Directory, Fifo, Char] {
        let mut v = Victim::new();
        symlink(v.scratch.path("outside/file"), v.scratch.path("root/f")).unwrap();
        symlink(v.scratch.path("outside"), v.scratch.path("root/d")).unwrap();
        for name in ["f", "d"] {
            v.unpack(&[entry(kind, name, "", 0o600, b"")]).unwrap();
            let made = v.scratch.path("root").join(name).symlink_metadata().unwrap();
            assert!(!made.is_symlink());
        }
    }
    // A mark removes the link, not what it leads to.
    let mut v = Victim::new();
    symlink(v.scratch.path("outside"), v.scratch.path("root/d")).unwrap();
    v.unpack(&[file(".wh.d", "")]).unwrap();
    assert!(v.scratch.path("root/d").symlink_metadata().is_err());
    // A hard link to a link is another link.
    let mut v = Victim::new();
    symlink(v.scratch.path("outside/file"), v.scratch.path("root/f")).unwrap();
    v.unpack(&[entry(Link, "g", "f", 0, b""), file("g", "mine")]).unwrap();
    assert_eq!(v.read("g"), "mine");
}

#[test]
fn hard_links_share_what_they_share_and_change_nothing() {
    let mut v = Victim::new();
    v.unpack(&[entry(Regular, "a", "", 0o4711, b"x"), entry(Link, "d/b", "a", 0o777, b"")])
        .unwrap();
    let m = |name: &str| v.scratch.path("root").join(name).metadata().unwrap();
    assert_eq!(m("a").ino(), m("d/b").ino());
    assert_eq!(m("a").mode() & 0o7777, 0o711);
    assert_eq!(v.owners.get(b"d/b").mode, Some(0o4711));
    for (name, target) in [("x", "gone"), ("x", "d"), ("x", "/"), ("d", "d/b"), ("x", "a/b")] {
        let error = v.unpack(&[entry(Link, name, target, 0, b"")]).unwrap_err();
        assert!(error.contains("a hard link"), "{error}");
    }
    v.unpack(&[entry(Link, "a", "./a", 0, b"")]).unwrap();
    assert_eq!(v.read("a"), "x");
}

#[test]
fn devices_and_owners_are_remembered_and_not_made() {
    let mut v = Victim::new();
    let device = |kind: EntryType, name| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_path(name).unwrap();
        header.set_mode(0o660);
        header.set_uid(7);
        header.set_gid(1 << 20);
        header.set_size(0);
        header.set_mtime(5);
        header.set_device_major(8).unwrap();
        header.set_device_minor(0x123).unwrap();
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    v.unpack(&[device(Char, "c"), device(Block, "b")]).unwrap();
    assert!(v.scratch.path("root/c").metadata().unwrap().is_file());
    assert_eq!(v.scratch.path("root/c").metadata().unwrap().mtime(), 5);
    let c = v.owners.get(b"c");
    assert_eq!((c.owner, c.mode), (Some((7, 1 << 20)), Some(0o660)));
    assert_eq!(c.device, Some((0o020_000, 0x10_0823)));
    assert_eq!(v.owners.get(b"b").device.unwrap().0, 0o060_000);
    // What takes its place is no device.
    v.unpack(&[file("c", "x")]).unwrap();
    assert_eq!(v.owners.get(b"c").device, None);
}

#[test]
fn the_later_of_two_entries_counts() {
    let mut v = Victim::new();
    v.unpack(&[
        file("a", "1"),
        entry(Directory, "a", "", 0o700, b""),
        file("a/b", "2"),
        entry(Symlink, "a", "b", 0o777, b""),
        file("a", "3"),
        file("c/d", "4"),
        file("c", "5"),
    ])
    .unwrap();
    assert_eq!((v.read("a"), v.read("c")), ("3".into(), "5".into()));
    assert_eq!(v.unpack(&[file(".", "x")]).unwrap_err(), ".: the root is no directory");
}

#[test]
fn numbers_that_are_too_large_are_refused() {
    let mut v = Victim::new();
    let with_size = |size: u64, kind: EntryType| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_path("x").unwrap();
        for set in [tar::Header::set_uid, tar::Header::set_gid, tar::Header::set_mtime] {
            set(&mut header, 0);
        }
        header.set_mode(0);
        header.set_size(size);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    for kind in [Regular, GNULongName, XHeader, Directory, EntryType::GNUSparse] {
        for size in [1 << 40, u64::MAX, u64::MAX - 511, i64::MAX as u64] {
            let error = v.unpack(&[with_size(size, kind)]).unwrap_err();
            let words = ["cut short", "extended header", "number", "does not fit"];
            assert!(words.iter().any(|word| error.contains(word)), "{error}");
        }
    }
    for (key, value) in [
        ("uid", "4294967295"),
        ("gid", "-1"),
        ("size", "18446744073709551616"),
        ("mtime", "soon"),
        ("GNU.sparse.realsize", "+1"),
    ] {
        assert!(v.unpack(&[pax(&[(key, value.as_bytes())]), file("x", "x")]).is_err(), "{key}");
    }
    let deep = "d/".repeat(45) + "x";
    let deep_link = |n| entry(Symlink, &format!("l{n}"), &deep[..89], 0o777, b"");
    assert!(v.unpack(&[deep_link(0), file(&deep, "")]).is_ok());
    let long = pax(&[("path", "d/".repeat(250).as_bytes())]);
    assert!(v.unpack(&[long, file("x", "")]).unwrap_err().contains("too many directories"));
    let wide = pax(&[("path", "d".repeat(256).as_bytes())]);
    assert!(v.unpack(&[wide, file("x", "")]).is_err());
    let many: Vec<_> = (0..20).map(|_| pax(&[("comment", b"x")])).collect();
    assert!(v.unpack(&many).unwrap_err().contains("too many extended headers"));
}

#[test]
fn an_archive_may_end_with_its_last_data() {
    let whole = file("x", "data");
    assert_eq!(Victim::new().unpack(&[whole[..516].to_vec()]), Ok(()));
    for end in [1, 511, 512, 515] {
        assert!(Victim::new().unpack(&[whole[..end].to_vec()]).unwrap_err().contains("cut short"));
    }
}

#[test]
fn numbers_have_several_forms() {
    let mut v = Victim::new();
    let mut header = tar::Header::from_byte_slice(&file("x", "")[..512]).clone();
    let old = header.as_old_mut();
    old.mode = *b"  644 \0\0";
    old.uid = [0; 8];
    old.gid = [0x80, 0, 0, 0, 1, 0, 0, 2];
    old.mtime = [0xff; 12];
    header.set_cksum();
    v.unpack(&[header.as_bytes().to_vec()]).unwrap();
    assert_eq!(v.owners.get(b"x").owner, Some((0, (1 << 24) + 2)));
    let m = v.scratch.path("root/x").metadata().unwrap();
    assert_eq!((m.mtime(), m.mode() & 0o7777), (-1, 0o644));
    for mode in [*b"8\0\0\0\0\0\0\0", *b"6 4\0\0\0\0\0", *b"-644\0\0\0\0"] {
        header.as_old_mut().mode = mode;
        header.set_cksum();
        assert!(v.unpack(&[header.as_bytes().to_vec()]).is_err(), "{mode:?}");
    }
}

#[test]
fn extended_headers_say_what_does_not_fit() {
    let mut v = Victim::new();
    let name = "long/".repeat(30) + "name";
    v.unpack(&[
        pax(&[
            ("path", name.as_bytes()),
            ("mtime", b"-1.25"),
            ("SCHILY.xattr.user.odd", b"a=b\nc\0d"),
            ("SCHILY.xattr.security.capability", b"all"),
            ("uid", b"3000000000"),
        ]),
        file("x", "data"),
        file("y", "other"),
    ])
    .unwrap();
    assert_eq!((v.read(&name), v.read("y")), ("data".into(), "other".into()));
    let m = v.scratch.path("root").join(&name).metadata().unwrap();
    assert_eq!((m.mtime(), m.mtime_nsec()), (-2, 750_000_000));
    assert_eq!(v.owners.get(name.as_bytes()).owner, Some((3_000_000_000, 0)));
    let file = fs::File::open(v.scratch.path("root").join(&name)).unwrap();
    let attributes = super::tree::attributes(std::os::fd::AsFd::as_fd(&file)).unwrap();
    if let [(name, value)] = &attributes[..] {
        assert_eq!((&name[..], &value[..]), (&b"user.odd"[..], &b"a=b\nc\0d"[..]));
    }
    for records in ["5 a=b", "7 a=b\n", "0 a=b\n", "6 a=b x", "6 aab\n", "99 a=b\n", " =\n", "x"] {
        let damaged = entry(XHeader, "pax", "", 0, records.as_bytes());
        assert!(v.unpack(&[damaged]).is_err(), "{records:?}");
    }
}

#[test]
fn sparse_files_have_holes() {
    let mut v = Victim::new();
    let data = [b"abc".as_slice(), b"def"].concat();
    let map = b"2\n100000\n3\n500000\n3\n";
    let mut in_data = map.to_vec();
    in_data.resize(512, 0);
    in_data.extend(&data);
    let new = [
        pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"new"),
            ("GNU.sparse.realsize", b"1000000"),
        ]),
        entry(Regular, "GNUSparseFile.1/x", "", 0o644, &in_data),
    ];
    let older = [
        pax(&[("GNU.sparse.size", b"1000000"), ("GNU.sparse.map", b"100000,3,500000,3")]),
        entry(Regular, "older", "", 0o644, &data),
    ];
    let oldest = [
        pax(&[
            ("GNU.sparse.size", b"1000000"),
            ("GNU.sparse.offset", b"100000"),
            ("GNU.sparse.numbytes", b"3"),
            ("GNU.sparse.offset", b"500000"),
            ("GNU.sparse.numbytes", b"3"),
        ]),
        entry(Regular, "oldest", "", 0o644, &data),
    ];
    let mut gnu = entry(EntryType::GNUSparse, "gnu", "", 0o644, &data);
    let put = |block: &mut [u8], at: usize, number: u64| {
        block[at..at + 12].copy_from_slice(format!("{number:011o}\0").as_bytes());
    };
    put(&mut gnu, 386, 100_000);
    put(&mut gnu, 398, 3);
    // One part of the header, then a block with the next.
    gnu[482] = 1;
    put(&mut gnu, 483, 1_000_000);
    let mut more = vec![0; 512];
    put(&mut more, 0, 500_000);
    put(&mut more, 12, 3);
    gnu.splice(512..512, more);
    super::check::mend(&mut gnu[..512]);
    v.unpack(&[new.concat(), older.concat(), oldest.concat(), gnu]).unwrap();
    for name in ["new", "older", "oldest", "gnu"] {
        let content = fs::read(v.scratch.path("root").join(name)).unwrap();
        assert_eq!(content.len(), 1_000_000, "{name}");
        assert_eq!(
            (&content[100_000..100_003], &content[500_000..500_003]),
            (&b"abc"[..], &b"def"[..])
        );
        assert!(content.iter().filter(|b| **b != 0).count() == 6, "{name}");
    }
    for map in ["0,3,2,3", "0,3,999999,3", "0,3", "0,3,5", "0,7,9,18446744073709551615", "0,6,1"] {
        let bad = pax(&[("GNU.sparse.size", b"1000000"), ("GNU.sparse.map", map.as_bytes())]);
        assert!(v.unpack(&[bad, entry(Regular, "x", "", 0, &data)]).is_err(), "{map}");
    }
}

#[test]
fn times_of_directories_are_what_the_layer_says() {
    let mut v = Victim::new();
    v.unpack(&[entry(Directory, "d", "", 0o755, b""), file("d/a", "x"), file("d/b", "x")]).unwrap();
    let time = |v: &Victim| v.scratch.path("root/d").metadata().unwrap().mtime();
    assert_eq!(time(&v), 1_000_000);
    // A layer that does not speak of the directory leaves its time.
    v.unpack(&[file("d/.wh.a", ""), file("d/c", "x")]).unwrap();
    assert_eq!(time(&v), 1_000_000);
}

#[test]
fn what_old_file_systems_kept_is_passed_over() {
    let mut v = Victim::new();
    v.unpack(&[file(".wh..wh.plnk/12.34", "x"), file(".wh..wh.aufs", ""), file("a", "")]).unwrap();
    assert_eq!(fs::read_dir(v.scratch.path("root")).unwrap().count(), 1);
    for name in [".wh.", ".wh...", ".wh.."] {
        assert!(v.unpack(&[file(name, "")]).unwrap_err().contains("whiteout"), "{name}");
    }
    // A mark for what is not there.
    v.unpack(&[file("no/such/.wh.x", ""), file("a/.wh.x", "")]).unwrap();
    assert_eq!(fs::read_dir(v.scratch.path("root")).unwrap().count(), 1);
}
