//! Runs a riscv64 program: `run [-L DIR] [-i] [-s] PROGRAM [ARGUMENT...]`.

use rvnative::linux::{Command, Reentry, RootFs};
use rvnative::runtime::{EngineKind, Options};

fn main() {
    let (mut command, flags) = match Reentry::from_args(std::env::args_os()) {
        Some(reentry) => {
            let flags = reentry.flags.clone();
            (Some(reentry.into_command()), flags)
        }
        None => (None, std::env::args_os().skip(1).collect()),
    };
    let mut args = flags.iter().cloned();
    let mut used = Vec::new();
    let (mut root, mut machine, mut strace) = (RootFs::host(), Options::default(), false);
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("-L") => {
                let dir = args.next().unwrap_or_default();
                used.extend([arg, dir.clone()]);
                root = RootFs::prefix(&dir).unwrap_or_else(|e| fail(&e, 125));
                continue;
            }
            Some("-i") => machine.engine = EngineKind::Interpreter,
            Some("-s") => strace = true,
            _ => {
                let mut new = Command::new(&arg);
                new.args(args.by_ref());
                command = Some(new);
                continue;
            }
        }
        used.push(arg);
    }
    let Some(mut command) = command else {
        fail(&"usage: run [-L DIR] [-i] [-s] PROGRAM [ARGUMENT...]", 125)
    };
    let error = command.rootfs(root).machine(machine).strace(strace).reentry_flags(used).exec();
    fail(&error, error.exit_code())
}

fn fail(error: &dyn std::fmt::Display, code: u8) -> ! {
    eprintln!("run: error: {error}");
    std::process::exit(i32::from(code))
}
