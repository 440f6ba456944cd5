//! Runs a program for which the kernel refuses to make rings, as in a container: `refuse ERRNO PROGRAM ARGUMENTS…`.
//!
//! Shows how a program behaves if io_uring is forbidden (`EPERM`, 1) or missing (`ENOSYS`, 38).

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Makes `io_uring_setup(2)` fail with `errno` for this process and its children.
fn refuse(errno: u16) -> std::io::Result<()> {
    let statement = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let setup = libc::SYS_io_uring_setup as u32; // 425 on all architectures
    let mut filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0), // the number of the system call
        libc::sock_filter {
            jt: 0,
            jf: 1,
            ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, setup)
        },
        statement(
            libc::BPF_RET | libc::BPF_K,
            libc::SECCOMP_RET_ERRNO | u32::from(errno),
        ),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: PR_SET_NO_NEW_PRIVS takes only numbers.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the program and its filter live until the call returns; the kernel copies both.
    if unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    } != 0
    {
        return Err(std::io::Error::last_os_error());
    }
    Ok(())
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let errno = arguments.next().and_then(|errno| errno.to_str()?.parse().ok());
    let (Some(errno), Some(program)) = (errno, arguments.next()) else {
        eprintln!("usage: refuse ERRNO PROGRAM [ARGUMENTS]");
        return ExitCode::from(2);
    };
    let error = match refuse(errno) {
        Ok(()) => Command::new(&program).args(arguments).exec(), // returns only if it failed
        Err(error) => error,
    };
    eprintln!("refuse: {}: {error}", program.display());
    ExitCode::FAILURE
}
