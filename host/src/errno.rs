//! Preview 1 error numbers, exactly as a guest sees them.

/// A `wasi_snapshot_preview1` errno. Zero ("success") is never carried here.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub u16);

macro_rules! errnos {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        #[allow(missing_docs)]
        impl Errno {
            $(pub const $name: Errno = Errno($value);)*

            /// The text that libc's `strerror` would print.
            pub fn message(self) -> &'static str {
                match self.0 {
                    $($value => $text,)*
                    _ => "Unknown error",
                }
            }

            fn name(self) -> &'static str {
                match self.0 {
                    $($value => stringify!($name),)*
                    _ => "?",
                }
            }
        }
    };
}

errnos! {
    TOOBIG = 1, "Argument list too long";
    ACCES = 2, "Permission denied";
    ADDRINUSE = 3, "Address in use";
    ADDRNOTAVAIL = 4, "Address not available";
    AFNOSUPPORT = 5, "Address family not supported";
    AGAIN = 6, "Resource temporarily unavailable";
    ALREADY = 7, "Operation already in progress";
    BADF = 8, "Bad file descriptor";
    BADMSG = 9, "Bad message";
    BUSY = 10, "Device or resource busy";
    CANCELED = 11, "Operation canceled";
    CHILD = 12, "No child processes";
    CONNABORTED = 13, "Connection aborted";
    CONNREFUSED = 14, "Connection refused";
    CONNRESET = 15, "Connection reset";
    DEADLK = 16, "Resource deadlock would occur";
    DESTADDRREQ = 17, "Destination address required";
    DOM = 18, "Numerical argument out of domain";
    DQUOT = 19, "Quota exceeded";
    EXIST = 20, "File exists";
    FAULT = 21, "Bad address";
    FBIG = 22, "File too large";
    HOSTUNREACH = 23, "Host is unreachable";
    IDRM = 24, "Identifier removed";
    ILSEQ = 25, "Illegal byte sequence";
    INPROGRESS = 26, "Operation in progress";
    INTR = 27, "Interrupted system call";
    INVAL = 28, "Invalid argument";
    IO = 29, "I/O error";
    ISCONN = 30, "Socket is connected";
    ISDIR = 31, "Is a directory";
    LOOP = 32, "Too many levels of symbolic links";
    MFILE = 33, "Too many open files";
    MLINK = 34, "Too many links";
    MSGSIZE = 35, "Message too large";
    MULTIHOP = 36, "Multihop attempted";
    NAMETOOLONG = 37, "Filename too long";
    NETDOWN = 38, "Network is down";
    NETRESET = 39, "Connection reset by network";
    NETUNREACH = 40, "Network unreachable";
    NFILE = 41, "Too many open files in system";
    NOBUFS = 42, "No buffer space available";
    NODEV = 43, "No such device";
    NOENT = 44, "No such file or directory";
    NOEXEC = 45, "Exec format error";
    NOLCK = 46, "No locks available";
    NOLINK = 47, "Link has been severed";
    NOMEM = 48, "Out of memory";
    NOMSG = 49, "No message of the desired type";
    NOPROTOOPT = 50, "Protocol not available";
    NOSPC = 51, "No space left on device";
    NOSYS = 52, "Function not implemented";
    NOTCONN = 53, "Socket not connected";
    NOTDIR = 54, "Not a directory";
    NOTEMPTY = 55, "Directory not empty";
    NOTRECOVERABLE = 56, "State not recoverable";
    NOTSOCK = 57, "Not a socket";
    NOTSUP = 58, "Not supported";
    NOTTY = 59, "Not a tty";
    NXIO = 60, "No such device or address";
    OVERFLOW = 61, "Value too large for data type";
    OWNERDEAD = 62, "Previous owner died";
    PERM = 63, "Operation not permitted";
    PIPE = 64, "Broken pipe";
    PROTO = 65, "Protocol error";
    PROTONOSUPPORT = 66, "Protocol not supported";
    PROTOTYPE = 67, "Protocol wrong type for socket";
    RANGE = 68, "Result not representable";
    ROFS = 69, "Read-only file system";
    SPIPE = 70, "Invalid seek";
    SRCH = 71, "No such process";
    STALE = 72, "Stale file handle";
    TIMEDOUT = 73, "Operation timed out";
    TXTBSY = 74, "Text file busy";
    XDEV = 75, "Cross-device link";
    NOTCAPABLE = 76, "Capabilities insufficient";
}

impl std::fmt::Debug for Errno {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::fmt::Display for Errno {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Errno {}

macro_rules! from_rustix {
    ($($ours:ident = $theirs:ident,)*) => {
        impl From<rustix::io::Errno> for Errno {
            fn from(e: rustix::io::Errno) -> Self {
                use rustix::io::Errno as E;
                match e {
                    $(E::$theirs => Errno::$ours,)*
                    // Something the host's kernel says that preview 1 has no word for.
                    _ => Errno::IO,
                }
            }
        }
    };
}

from_rustix! {
    TOOBIG = TOOBIG, ACCES = ACCESS, AGAIN = AGAIN, BADF = BADF, BUSY = BUSY,
    DEADLK = DEADLK, DQUOT = DQUOT, EXIST = EXIST, FAULT = FAULT, FBIG = FBIG,
    ILSEQ = ILSEQ, INTR = INTR, INVAL = INVAL, IO = IO, ISDIR = ISDIR, LOOP = LOOP,
    MFILE = MFILE, MLINK = MLINK, NAMETOOLONG = NAMETOOLONG, NFILE = NFILE,
    NODEV = NODEV, NOENT = NOENT, NOEXEC = NOEXEC, NOLCK = NOLCK, NOMEM = NOMEM,
    NOSPC = NOSPC, NOSYS = NOSYS, NOTDIR = NOTDIR, NOTEMPTY = NOTEMPTY, NOTSUP = NOTSUP,
    NOTTY = NOTTY, NXIO = NXIO, OVERFLOW = OVERFLOW, PERM = PERM, PIPE = PIPE,
    RANGE = RANGE, ROFS = ROFS, SPIPE = SPIPE, SRCH = SRCH, STALE = STALE,
    TXTBSY = TXTBSY, XDEV = XDEV,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Errno;

    #[test]
    fn host_errors_keep_their_meaning() {
        for (host, guest) in [
            (rustix::io::Errno::NOENT, Errno::NOENT),
            (rustix::io::Errno::XDEV, Errno::XDEV),
            (rustix::io::Errno::NOTEMPTY, Errno::NOTEMPTY),
            (rustix::io::Errno::HWPOISON, Errno::IO),
        ] {
            assert_eq!(Errno::from(host), guest);
        }
        assert_eq!(Errno::ROFS.message(), "Read-only file system");
        assert_eq!(format!("{:?}", Errno::ROFS), "ROFS");
    }
}
