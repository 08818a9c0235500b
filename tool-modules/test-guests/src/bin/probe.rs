//! One guest for the kernel's tests: `probe VERB ARGS…` does one thing and says how it went.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use hardshell_sys as sys;
use sys::{Command, Disposition, Signal};

fn main() {
    sys::init();
    let args: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    match run(&words) {
        Ok(status) => std::process::exit(status),
        Err(e) => {
            eprintln!("probe: {}: {e}", words.join(" "));
            std::process::exit(1);
        }
    }
}

fn number(text: &str) -> io::Result<u64> {
    text.parse().map_err(io::Error::other)
}

/// A child of this program with the same stdin, stdout and stderr.
fn child(words: &[&str]) -> Command {
    let mut command = Command::new("probe");
    command.args(words).inherit_env().inherit_stdio();
    command
}

fn run(words: &[&str]) -> io::Result<i32> {
    match words {
        ["true"] => {}
        ["exit", status] => return Ok(number(status)? as i32),
        ["echo", rest @ ..] => println!("{}", rest.join(" ")),
        ["env"] => {
            for (key, value) in std::env::vars() {
                println!("{key}={value}");
            }
        }
        ["cat"] => {
            io::copy(&mut io::stdin().lock(), &mut io::stdout().lock())?;
        }
        ["cat", path] => {
            io::copy(&mut File::open(path)?, &mut io::stdout().lock())?;
        }
        ["count"] => println!("{}", io::copy(&mut io::stdin().lock(), &mut io::sink())?),
        ["write", path, text] => std::fs::write(path, text)?,
        ["fill", path, bytes] => fill(&mut File::create(path)?, number(bytes)?)?,
        ["yes", bytes] => fill(&mut io::stdout().lock(), number(bytes)?)?,
        ["yes"] => fill(&mut io::stdout().lock(), u64::MAX)?,
        ["files", dir, count] => {
            std::fs::create_dir_all(dir)?;
            for n in 0..number(count)? {
                File::create(format!("{dir}/{n}"))?;
            }
        }
        ["pwd"] => println!("{}", std::env::current_dir()?.display()),
        ["cd", dir] => {
            sys::chdir(dir)?;
            println!("{}", sys::getcwd()?.display());
        }
        ["cd", dir, rest @ ..] => {
            sys::chdir(dir)?;
            return Ok(i32::from(child(rest).status()?.status));
        }
        ["spawn", count, rest @ ..] => {
            for _ in 0..number(count)? {
                let exit = child(rest).status()?;
                if exit.status != 0 {
                    return Ok(i32::from(exit.status));
                }
            }
        }
        ["run", program, rest @ ..] => {
            let mut command = Command::new(program);
            command.args(rest).inherit_env().inherit_stdio();
            match command.status() {
                Ok(exit) => println!("{} {:?}", exit.status, exit.termination),
                Err(e) => println!("error {}", e.raw_os_error().unwrap_or(-1)),
            }
        }
        ["memory", mib] => memory(number(mib)?),
        ["spin"] => loop {
            std::hint::spin_loop();
        },
        ["work", steps] => work(number(steps)?),
        ["sleep", millis] => {
            std::thread::sleep(std::time::Duration::from_millis(number(millis)?));
        }
        ["bomb"] => loop {
            child(&["bomb"]).spawn()?;
        },
        ["many", count, rest @ ..] => {
            for _ in 0..number(count)? {
                child(rest).spawn()?;
            }
            while sys::wait_any().is_ok() {}
        }
        ["orphan", rest @ ..] => {
            child(rest).spawn()?;
        }
        ["open", path, count] => {
            let mut kept = Vec::new();
            for n in 0..number(count)? {
                match File::open(path) {
                    Ok(file) => kept.push(file),
                    Err(e) => {
                        println!("{n} {}", e.raw_os_error().unwrap_or(-1));
                        return Ok(0);
                    }
                }
            }
            println!("all");
        }
        ["recurse"] => println!("{}", recurse(1)),
        ["panic"] => panic!("as asked"),
        _ => return pipes(words),
    }
    Ok(0)
}

fn pipes(words: &[&str]) -> io::Result<i32> {
    match words {
        // The output of the first words is the input of the second, split at `|`.
        ["pipe", rest @ ..] => {
            let at = rest.iter().position(|w| *w == "|").unwrap_or(rest.len());
            let (left, right) = (&rest[..at], rest.get(at + 1..).unwrap_or_default());
            let (reader, writer) = sys::pipe()?;
            let mut first = child(left);
            first.descriptor(1, writer.as_raw_fd() as u32);
            let mut second = child(right);
            second.descriptor(0, reader.as_raw_fd() as u32);
            let (a, b) = (first.spawn()?, second.spawn()?);
            drop((reader, writer));
            let (a, b) = (sys::wait(a)?, sys::wait(b)?);
            println!(
                "{} {:?} {} {:?}",
                a.status, a.termination, b.status, b.termination
            );
        }
        ["fill-pipe"] => {
            let (_reader, writer) = sys::pipe()?;
            let mut writer = File::from(writer);
            fill(&mut writer, u64::MAX)?;
        }
        ["hold-pipes", count, bytes, rest @ ..] => {
            let mut kept = Vec::new();
            for _ in 0..number(count)? {
                let (reader, writer) = sys::pipe()?;
                let mut file = File::from(sys::dup(&writer)?);
                fill(&mut file, number(bytes)?)?;
                kept.push((reader, writer));
            }
            println!("held");
            if let [millis] = rest {
                std::thread::sleep(std::time::Duration::from_millis(number(millis)?));
            }
        }
        ["block"] => {
            let (reader, _writer) = sys::pipe()?;
            File::from(reader).read_to_end(&mut Vec::new())?;
        }
        ["sigpipe", disposition] => {
            let disposition = match *disposition {
                "ignore" => Disposition::Ignore,
                _ => Disposition::Catch,
            };
            sys::set_disposition(Signal::PIPE, disposition)?;
            let (reader, writer) = sys::pipe()?;
            drop(reader);
            let e = File::from(writer).write(b"x").expect_err("nobody reads");
            println!(
                "{} {:?}",
                e.raw_os_error().unwrap_or(-1),
                sys::take_signal()
            );
        }
        ["append", path, text] => {
            let mut file = std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)?;
            writeln!(file, "{text}")?;
        }
        // Descriptor 5 of the child is a file that both share, with its offset.
        ["share", path] => {
            let file = File::create(path)?;
            writeln!(&file, "one")?;
            let mut command = child(&["inherited", "5", "two"]);
            command.descriptor(5, file.as_raw_fd() as u32);
            let exit = command.status()?;
            writeln!(&file, "three")?;
            return Ok(i32::from(exit.status));
        }
        ["inherited", n, text] => {
            let fd = sys::inherited_descriptor(number(n)? as u32);
            // SAFETY: the parent gave this descriptor along and nobody else here uses it.
            let mut file = unsafe { File::from_raw_fd(fd as i32) };
            writeln!(file, "{text}")?;
        }
        ["dup2"] => {
            let (reader, writer) = sys::pipe()?;
            let saved = sys::raw_dup(1, 10)?;
            sys::raw_dup2(writer.as_raw_fd() as u32, 1)?;
            drop(writer);
            println!("into the pipe");
            sys::raw_dup2(saved, 1)?;
            let mut text = String::new();
            // SAFETY: nobody else uses the saved descriptor.
            drop(unsafe { OwnedFd::from_raw_fd(saved as i32) });
            File::from(reader).read_to_string(&mut text)?;
            print!("got {text}");
        }
        _ => return signals(words),
    }
    Ok(0)
}

fn signals(words: &[&str]) -> io::Result<i32> {
    match words {
        ["kill", signal, rest @ ..] => {
            let pid = child(rest).spawn()?;
            let signal = Signal::parse(signal).ok_or_else(|| io::Error::other("signal"))?;
            sys::kill(pid, signal)?;
            let exit = sys::wait(pid)?;
            println!("{} {:?}", exit.status, exit.termination);
        }
        ["catch", signal] => {
            let signal = Signal::parse(signal).ok_or_else(|| io::Error::other("signal"))?;
            sys::set_disposition(signal, Disposition::Catch)?;
            println!("ready");
            let (reader, _writer) = sys::pipe()?;
            let e = File::from(reader)
                .read(&mut [0; 1])
                .expect_err("a signal ends the wait");
            println!("{:?} {:?}", e.kind(), sys::take_signal().map(|s| s.0));
        }
        ["wait-nothing"] => {
            let e = sys::wait_any().expect_err("there is no child");
            println!("{}", e.raw_os_error().unwrap_or(-1));
        }
        ["no-hang"] => {
            let pid = child(&["sleep", "30"]).spawn()?;
            println!("{:?}", sys::try_wait(pid)?);
            sys::kill(pid, Signal::KILL)?;
            println!("{:?}", sys::wait(pid)?.status);
        }
        ["blob", text] => {
            let mut command = child(&["show-blob"]);
            command.blob(text.as_bytes().to_vec());
            return Ok(i32::from(command.status()?.status));
        }
        ["show-blob"] => io::stdout().write_all(&sys::blob()?)?,
        ["ps"] => io::stdout().write_all(&sys::ps()?)?,
        ["pid"] => println!("{} {}", sys::getpid(), sys::getppid()),
        ["umask"] => {
            let old = sys::umask(Some(0o077));
            File::create("masked")?;
            println!("{old:o} {:o}", sys::stat("masked")?.mode & 0o777);
        }
        ["stat", path] => {
            let s = sys::stat(path)?;
            println!("{:o} {} {} {}", s.mode, s.size, s.uid, s.gid);
        }
        ["limits"] => println!("{:?}", sys::limits()?),
        ["usage"] => {
            work(20_000_000);
            let used = sys::rusage(false)?;
            println!("{}", used.user_us > 0 && used.max_rss >= 65_536);
        }
        ["lock", path, millis] => {
            let file = File::options().append(true).create(true).open(path)?;
            sys::flock(file.as_raw_fd() as u32, sys::LOCK_EX)?;
            writeln!(&file, "in")?;
            std::thread::sleep(std::time::Duration::from_millis(number(millis)?));
            writeln!(&file, "out")?;
        }
        _ => return Err(io::Error::other("unknown verb")),
    }
    Ok(0)
}

fn fill(to: &mut impl Write, mut bytes: u64) -> io::Result<()> {
    let block = [b'y'; 32 << 10];
    while bytes > 0 {
        let n = bytes.min(block.len() as u64) as usize;
        to.write_all(&block[..n])?;
        bytes -= n as u64;
    }
    Ok(())
}

fn memory(mib: u64) {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for _ in 0..mib {
        kept.push(vec![1u8; 1 << 20]);
        std::hint::black_box(&kept);
    }
    println!("{}", kept.len());
}

fn work(steps: u64) {
    let mut x = 1u64;
    for n in 0..steps {
        x = std::hint::black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n));
    }
    std::hint::black_box(x);
}

#[allow(unconditional_recursion)]
fn recurse(n: u64) -> u64 {
    std::hint::black_box(recurse(std::hint::black_box(n + 1)) + 1)
}
