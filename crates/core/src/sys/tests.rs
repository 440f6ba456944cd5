//! Comparison of the constants and structures with this system's C headers, as far as they have them, and with the
//! `io-uring` crate.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::{constants, structs};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const HEADERS: &str = "\
#include <stddef.h>
#include <stdio.h>
#include <linux/io_uring.h>
#if __has_include(<linux/io_uring/query.h>)
#include <linux/io_uring/query.h>
#endif
#if __has_include(<linux/io_uring/bpf_filter.h>)
#include <linux/io_uring/bpf_filter.h>
#endif
";

/// Returns C expressions, and the value that each has here.
fn expectations() -> Vec<(String, i128)> {
    let mut all: Vec<_> = constants::ALL
        .iter()
        .map(|(name, value)| ((*name).to_owned(), *value))
        .collect();
    for (name, size, fields) in structs::ALL {
        all.push((format!("sizeof(struct {name})"), *size as i128));
        // Reserved members become smaller with new versions.
        let reserved = |field: &str| {
            ["__", "resv", "rsvd", "pad"]
                .iter()
                .any(|name| field.starts_with(name))
        };
        for (field, offset) in fields.iter().filter(|(field, _)| !reserved(field)) {
            all.push((format!("offsetof(struct {name}, {field})"), *offset as i128));
        }
    }
    all
}

/// Compiles C source code. Returns true if that succeeded, and the compiler's messages.
fn compile(source: &str, arguments: &[&str]) -> Result<(bool, String)> {
    let mut compiler = Command::new("cc")
        .args(["-x", "c", "-"])
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    compiler
        .stdin
        .take()
        .ok_or("no standard input")?
        .write_all(source.as_bytes())?;
    let output = compiler.wait_with_output()?;
    Ok((output.status.success(), String::from_utf8(output.stderr)?))
}

#[test]
fn constants_and_structures_match_the_c_headers() -> Result {
    // Without a compiler or the headers there is nothing to compare with.
    if !matches!(compile(HEADERS, &["-fsyntax-only"]), Ok((true, _))) {
        return Ok(());
    }
    let all = expectations();
    // Each is on its own line, so that the line number of an error shows which of them the headers do not have.
    let mut source = HEADERS.to_owned();
    let first_line = source.lines().count() + 1;
    for (index, (expression, _)) in all.iter().enumerate() {
        writeln!(
            source,
            "long long f{index}(void) {{ return (long long)({expression}); }}"
        )?;
    }
    let (_, messages) = compile(&source, &["-fsyntax-only", "-fmax-errors=0"])?;
    let unknown: BTreeSet<usize> = messages
        .lines()
        .filter(|line| line.contains(" error: "))
        .filter_map(|line| {
            line.split(':')
                .nth(1)?
                .parse::<usize>()
                .ok()?
                .checked_sub(first_line)
        })
        .collect();
    let known: Vec<_> = (0..all.len()).filter(|index| !unknown.contains(index)).collect();
    // The header of 5.15 has about this many. Fewer would mean that the messages were parsed wrongly.
    assert!(
        known.len() > 200,
        "{} of {} are known\n{messages}",
        known.len(),
        all.len()
    );

    let mut program = HEADERS.to_owned();
    program.push_str("int main(void) {\n");
    for &index in &known {
        let expression = &all[index].0;
        writeln!(program, "printf(\"%lld\\n\", (long long)({expression}));")?;
    }
    program.push_str("return 0; }\n");
    let directory = std::env::temp_dir().join(format!("typed-uring-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let executable = directory.join("constants");
    let (compiled, messages) = compile(&program, &["-o", &executable.to_string_lossy()])?;
    let output = if compiled {
        Command::new(&executable).output()
    } else {
        Err(std::io::Error::other(messages))
    };
    std::fs::remove_dir_all(&directory)?;
    let output = String::from_utf8(output?.stdout)?;
    let values: Vec<i128> = output
        .lines()
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()?;
    assert_eq!(values.len(), known.len());
    for (index, value) in known.into_iter().zip(values) {
        let (expression, expected) = &all[index];
        // A constant of 64 bits is a negative `long long` where its highest bit is set.
        assert_eq!(value as u64, *expected as u64, "{expression}");
    }
    Ok(())
}

#[test]
fn names_are_unique_and_complete() {
    let names: BTreeSet<_> = constants::ALL.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), constants::ALL.len());
    assert_eq!((constants::ALL.len(), structs::ALL.len()), (276, 46));
}

#[test]
fn constants_match_the_io_uring_crate() {
    use io_uring::types::{CloneBuffersFlags, FsyncFlags, TimeoutFlags};
    use io_uring::{EnterFlags, opcode, register, squeue};

    use super::*;

    for (ours, theirs) in [
        (IORING_ENTER_GETEVENTS, EnterFlags::GETEVENTS.bits()),
        (IORING_ENTER_SQ_WAKEUP, EnterFlags::SQ_WAKEUP.bits()),
        (IORING_ENTER_SQ_WAIT, EnterFlags::SQ_WAIT.bits()),
        (IORING_ENTER_EXT_ARG, EnterFlags::EXT_ARG.bits()),
        (IORING_ENTER_REGISTERED_RING, EnterFlags::REGISTERED_RING.bits()),
        (IORING_ENTER_ABS_TIMER, EnterFlags::ABS_TIMER.bits()),
        (IORING_ENTER_EXT_ARG_REG, EnterFlags::EXT_ARG_REG.bits()),
        (IORING_ENTER_NO_IOWAIT, EnterFlags::NO_IOWAIT.bits()),
        (IORING_FSYNC_DATASYNC, FsyncFlags::DATASYNC.bits()),
        (IORING_TIMEOUT_ABS, TimeoutFlags::ABS.bits()),
        (IORING_TIMEOUT_BOOTTIME, TimeoutFlags::BOOTTIME.bits()),
        (IORING_TIMEOUT_REALTIME, TimeoutFlags::REALTIME.bits()),
        (
            IORING_LINK_TIMEOUT_UPDATE,
            TimeoutFlags::LINK_TIMEOUT_UPDATE.bits(),
        ),
        (IORING_TIMEOUT_ETIME_SUCCESS, TimeoutFlags::ETIME_SUCCESS.bits()),
        (IORING_TIMEOUT_MULTISHOT, TimeoutFlags::MULTISHOT.bits()),
        (
            IORING_REGISTER_SRC_REGISTERED,
            CloneBuffersFlags::SRC_REGISTERED.bits(),
        ),
        (IORING_REGISTER_DST_REPLACE, CloneBuffersFlags::DST_REPLACE.bits()),
        (IORING_REGISTER_FILES_SKIP as u32, register::SKIP_FILE as u32),
    ] {
        assert_eq!(ours, theirs);
    }
    for (ours, theirs) in [
        (IOSQE_IO_DRAIN, squeue::Flags::IO_DRAIN),
        (IOSQE_IO_LINK, squeue::Flags::IO_LINK),
        (IOSQE_IO_HARDLINK, squeue::Flags::IO_HARDLINK),
        (IOSQE_ASYNC, squeue::Flags::ASYNC),
        (IOSQE_BUFFER_SELECT, squeue::Flags::BUFFER_SELECT),
        (IOSQE_CQE_SKIP_SUCCESS, squeue::Flags::SKIP_SUCCESS),
    ] {
        assert_eq!(ours, theirs.bits());
    }
    for (ours, theirs) in [
        (IORING_OP_NOP, opcode::Nop::CODE),
        (IORING_OP_READV, opcode::Readv::CODE),
        (IORING_OP_TIMEOUT, opcode::Timeout::CODE),
        (IORING_OP_ASYNC_CANCEL, opcode::AsyncCancel::CODE),
        (IORING_OP_OPENAT2, opcode::OpenAt2::CODE),
        (IORING_OP_MSG_RING, opcode::MsgRingData::CODE),
        (IORING_OP_URING_CMD, opcode::UringCmd16::CODE),
        (IORING_OP_SEND_ZC, opcode::SendZc::CODE),
        (IORING_OP_FUTEX_WAITV, opcode::FutexWaitV::CODE),
        (IORING_OP_RECV_ZC, opcode::RecvZc::CODE),
        (IORING_OP_PIPE, opcode::Pipe::CODE),
    ] {
        assert_eq!(ours, theirs);
    }
    assert_eq!(IOU_PBUF_RING_MMAP, io_uring::types::IOU_PBUF_RING_MMAP as u16);
    assert_eq!(IOU_PBUF_RING_INC, io_uring::types::IOU_PBUF_RING_INC as u16);
    assert_eq!(IORING_ZCRX_AREA_MASK, io_uring::types::IORING_ZCRX_AREA_MASK);
    assert_eq!(
        size_of::<io_uring_region_desc>(),
        size_of::<io_uring::types::io_uring_region_desc>()
    );
    assert_eq!(
        size_of::<io_uring_zcrx_ifq_reg>(),
        size_of::<io_uring::types::io_uring_zcrx_ifq_reg>()
    );
    assert_eq!(
        size_of::<io_uring_zcrx_area_reg>(),
        size_of::<io_uring::types::io_uring_zcrx_area_reg>()
    );
    assert_eq!(size_of::<io_uring_napi>(), size_of::<io_uring::types::Napi>());
}
