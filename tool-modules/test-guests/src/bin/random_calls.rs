//! Reads bytes from stdin and makes calls into the kernel of them: any function, with any
//! pointers, lengths, descriptors and numbers. What it asks for makes no sense; what must hold is
//! that the kernel answers each with an errno, or ends the process, and is well.

use std::io::Read as _;

/// A place that paths, requests and vectors are read from and results are written to.
static mut SCRATCH: [u8; 65536] = [0; 65536];

/// The program, taken apart piece by piece; zeroes when it is at its end.
struct Program {
    bytes: Vec<u8>,
    at: usize,
}

impl Program {
    fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    fn word(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    fn done(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// An argument: mostly something that gets past the first check, sometimes anything.
    fn number(&mut self) -> u32 {
        let base = (&raw const SCRATCH) as u32;
        let pages = (core::arch::wasm32::memory_size(0) as u32).wrapping_mul(65536);
        match self.byte() % 10 {
            0 => u32::from(self.byte()) % 24,
            1 => u32::from(self.byte()),
            2 | 3 => base.wrapping_add(self.word() % 65536),
            4 => base.wrapping_add(u32::from(self.byte()) * 8),
            5 => pages.wrapping_sub(u32::from(self.byte() % 64)),
            6 => u32::MAX - u32::from(self.byte() % 16),
            7 => 0,
            8 => u32::from(self.byte()) << (self.byte() % 25),
            _ => self.word(),
        }
    }

    fn wide(&mut self) -> u64 {
        match self.byte() % 4 {
            0 => u64::from(self.byte()),
            1 => u64::MAX - u64::from(self.byte()),
            2 => u64::from(self.word()),
            _ => (u64::from(self.word()) << 32) | u64::from(self.word()),
        }
    }
}

macro_rules! argument {
    ($program:ident, i32) => {
        $program.number() as i32
    };
    ($program:ident, i64) => {
        $program.wide() as i64
    };
}

/// Declares imports and a function that calls the one with a number.
macro_rules! calls {
    ($caller:ident, $module:literal, $( $name:ident ( $($kind:ident)* ) )*) => {
        mod $caller {
            #[allow(unused_parens)]
            #[link(wasm_import_module = $module)]
            unsafe extern "C" {
                $( pub(super) fn $name($( _: calls!(@any $kind) ),*) -> i32; )*
            }
        }

        fn $caller(which: u32, program: &mut Program) -> i32 {
            const COUNT: u32 = [$( stringify!($name) ),*].len() as u32;
            let mut index = which % COUNT;
            $(
                if index == 0 {
                    // SAFETY: pointers are numbers here; whatever the kernel writes over, this
                    // program is made of calls that may go wrong.
                    return unsafe { $caller::$name($( argument!(program, $kind) ),*) };
                }
                index = index.wrapping_sub(1);
            )*
            0
        }
    };
    (@any $kind:ident) => { $kind };
}

calls! { preview1, "wasi_snapshot_preview1",
    args_get(i32 i32) args_sizes_get(i32 i32) environ_get(i32 i32) environ_sizes_get(i32 i32)
    clock_res_get(i32 i32) clock_time_get(i32 i64 i32)
    fd_advise(i32 i64 i64 i32) fd_allocate(i32 i64 i64) fd_close(i32) fd_datasync(i32)
    fd_fdstat_get(i32 i32) fd_fdstat_set_flags(i32 i32) fd_fdstat_set_rights(i32 i64 i64)
    fd_filestat_get(i32 i32) fd_filestat_set_size(i32 i64) fd_filestat_set_times(i32 i64 i64 i32)
    fd_pread(i32 i32 i32 i64 i32) fd_prestat_get(i32 i32) fd_prestat_dir_name(i32 i32 i32)
    fd_pwrite(i32 i32 i32 i64 i32) fd_read(i32 i32 i32 i32) fd_readdir(i32 i32 i32 i64 i32)
    fd_renumber(i32 i32) fd_seek(i32 i64 i32 i32) fd_sync(i32) fd_tell(i32 i32)
    fd_write(i32 i32 i32 i32) path_create_directory(i32 i32 i32)
    path_filestat_get(i32 i32 i32 i32 i32) path_filestat_set_times(i32 i32 i32 i32 i64 i64 i32)
    path_link(i32 i32 i32 i32 i32 i32 i32) path_open(i32 i32 i32 i32 i32 i64 i64 i32 i32)
    path_readlink(i32 i32 i32 i32 i32 i32) path_remove_directory(i32 i32 i32)
    path_rename(i32 i32 i32 i32 i32 i32) path_symlink(i32 i32 i32 i32 i32)
    path_unlink_file(i32 i32 i32) poll_oneoff(i32 i32 i32 i32) proc_raise(i32) sched_yield()
    random_get(i32 i32) sock_accept(i32 i32 i32) sock_recv(i32 i32 i32 i32 i32 i32)
    sock_send(i32 i32 i32 i32 i32) sock_shutdown(i32 i32)
}

calls! { kernel, "hardshell",
    pipe(i32) dup(i32 i32 i32) dup2(i32 i32) spawn(i32 i32 i32) wait(i32 i32 i32) kill(i32 i32)
    sigaction(i32 i32) sigtake() getpid() getppid() chdir(i32 i32) getcwd(i32 i32 i32) umask(i32)
    blob_len() blob_read(i32 i32) stat(i32 i32 i32 i32) fstat(i32 i32) chmod(i32 i32 i32)
    fchmod(i32 i32) statfs(i32 i32 i32) rusage(i32 i32) limits(i32) ps(i32 i32 i32) flock(i32 i32)
    isatty_size(i32 i32)
}

/// Puts something into the scratch memory: bytes of the program, a path, or a spawn request
/// that is right but for what the program changes in it.
fn prepare(program: &mut Program) {
    let at = program.word() as usize % 60_000;
    let text: &[u8] = match program.byte() % 8 {
        0 => b"/workspace/a",
        1 => b"../../../../etc/passwd",
        2 => b"a/b/../c",
        3 => b"/dev/fd/3",
        4 => b"\x01\0\0\0\0\0\0\0\x04\0\0\0true\x01\0\0\0\x04\0\0\0true\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        5 => b"/bin/sh\0\xff\xfe",
        6 => b"\x10\0\0\0\x04\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
        _ => b"",
    };
    let count = usize::from(program.byte() % 32);
    let own: Vec<u8> = (0..count).map(|_| program.byte()).collect();
    for (index, byte) in text.iter().chain(&own).enumerate() {
        // SAFETY: one thread, and the index is checked against the length.
        unsafe {
            if at + index < 65536 {
                (&raw mut SCRATCH).cast::<u8>().add(at + index).write(*byte);
            }
        }
    }
}

fn main() {
    let mut bytes = Vec::new();
    if std::io::stdin().read_to_end(&mut bytes).is_err() {
        return;
    }
    let mut program = Program { bytes, at: 0 };
    let mut sum = 0_i32;
    while !program.done() {
        let which = program.byte();
        sum = sum.wrapping_add(match which {
            0..64 => {
                prepare(&mut program);
                0
            }
            64..176 => preview1(u32::from(which), &mut program),
            _ => kernel(u32::from(which), &mut program),
        });
    }
    std::process::exit(sum & 0x3f);
}
