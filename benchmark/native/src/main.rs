//! The native limit: the loops of the package's benchmark on the `io-uring` crate, without JavaScript.
//!
//! ```text
//! uring-bench <nop|read> <batch> <milliseconds> [file]
//! ```
//!
//! Prints one line of JSON: the number of completed operations, and the seconds that they took.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Write as _};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use io_uring::{IoUring, opcode, squeue, types};

const USAGE: &str = "usage: uring-bench <nop|read> <batch> <milliseconds> [file]";

const ENTRIES: u32 = 256;
const PAGE: usize = 4096;
/// Number of pages of the file that is made if none is given, small enough to stay in the page cache.
const PAGES: usize = 1024;
/// Number of operations between two reads of the clock, so that reading it does not affect the measurement.
const OPERATIONS_PER_LOOK: usize = 4096;

enum Case {
    Nop,
    Read(Option<PathBuf>),
}

impl Case {
    fn name(&self) -> &'static str {
        match self {
            Self::Nop => "nop",
            Self::Read(_) => "read",
        }
    }
}

struct Arguments {
    case: Case,
    batch: usize,
    time: Duration,
}

fn arguments(arguments: &[String]) -> Result<Arguments, String> {
    let (case, batch, milliseconds, file) = match arguments {
        [case, batch, milliseconds] => (case, batch, milliseconds, None),
        [case, batch, milliseconds, file] => (case, batch, milliseconds, Some(file)),
        _ => {
            return Err(format!(
                "three or four arguments are needed, not {}",
                arguments.len()
            ));
        }
    };
    let case = match (case.as_str(), file) {
        ("nop", None) => Case::Nop,
        ("nop", Some(_)) => return Err("nop takes no file".to_owned()),
        ("read", file) => Case::Read(file.map(PathBuf::from)),
        (other, _) => return Err(format!("the case is nop or read, not {other:?}")),
    };
    let batch = match batch.parse() {
        Ok(batch) if (1..=ENTRIES as usize).contains(&batch) => batch,
        _ => {
            return Err(format!(
                "the batch is a number from 1 to {ENTRIES}, not {batch:?}"
            ));
        }
    };
    let time = match milliseconds.parse() {
        Ok(milliseconds) if milliseconds > 0 => Duration::from_millis(milliseconds),
        _ => {
            return Err(format!(
                "the milliseconds are a number above 0, not {milliseconds:?}"
            ));
        }
    };
    Ok(Arguments { case, batch, time })
}

/// Makes a file of [`PAGES`] pages in the page cache. It has no name, so nothing is left behind in any case.
fn scratch_file() -> std::io::Result<File> {
    let path = std::env::temp_dir().join(format!("uring-bench-{}", std::process::id()));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    for page in 0..PAGES {
        (&file).write_all(&[page as u8; PAGE])?;
    }
    Ok(file)
}

/// Opens a file, reads it once so that its pages are in the cache, and returns the number of whole pages.
fn given_file(path: &Path) -> Result<(File, usize), Box<dyn std::error::Error>> {
    let mut file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let bytes = std::io::copy(&mut file, &mut std::io::sink())?;
    match usize::try_from(bytes)? / PAGE {
        0 => Err(format!("{}: smaller than {PAGE} bytes", path.display()).into()),
        pages => Ok((file, pages)),
    }
}

/// Runs batches until the time is over, and returns the number of operations and the time that they took. `entry` makes
/// the next operation for an index of the batch.
fn run(
    batch: usize,
    time: Duration,
    expected: i32,
    mut entry: impl FnMut(usize) -> squeue::Entry,
) -> Result<(u64, Duration), Box<dyn std::error::Error>> {
    let mut ring: IoUring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all()
        .setup_no_sqarray()
        .build(ENTRIES)?;
    let batches = OPERATIONS_PER_LOOK.div_ceil(batch);
    let mut operations = 0_u64;
    let start = Instant::now();
    loop {
        for _ in 0..batches {
            let mut queue = ring.submission();
            for index in 0..batch {
                // SAFETY: the buffers outlive this function. Each of them is used by one operation of a batch, which
                // completes before the next batch.
                unsafe { queue.push(&entry(index).user_data(index as u64))? };
            }
            drop(queue);
            let mut completed = 0;
            let mut sum = 0_i64;
            let mut failure = 0;
            while completed < batch {
                match ring.submit_and_wait(batch - completed) {
                    Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
                    _ => {} // signals of a profiler end a wait early
                }
                for completion in ring.completion() {
                    failure = failure.min(completion.result());
                    sum += i64::from(completion.result());
                    completed += 1;
                }
            }
            if failure < 0 {
                return Err(Error::from_raw_os_error(-failure).into());
            }
            if sum != batch as i64 * i64::from(expected) {
                return Err(format!("{batch} operations moved {sum} bytes").into());
            }
            operations += completed as u64;
        }
        let elapsed = start.elapsed();
        if elapsed >= time {
            return Ok((operations, elapsed));
        }
    }
}

fn bench(arguments: &Arguments) -> Result<(u64, Duration), Box<dyn std::error::Error>> {
    let Arguments { case, batch, time } = arguments;
    match case {
        Case::Nop => run(*batch, *time, 0, |_| opcode::Nop::new().build()),
        Case::Read(path) => {
            let (file, pages) = match path {
                Some(path) => given_file(path)?,
                None => (scratch_file()?, PAGES),
            };
            let fd = types::Fd(file.as_raw_fd());
            let mut buffers = vec![[0_u8; PAGE]; *batch];
            let mut page = 0;
            run(*batch, *time, PAGE as i32, |index| {
                let offset = (page * PAGE) as u64;
                page = if page + 1 == pages { 0 } else { page + 1 };
                opcode::Read::new(fd, buffers[index].as_mut_ptr(), PAGE as u32)
                    .offset(offset)
                    .build()
            })
        }
    }
}

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let arguments = match arguments(&given) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("uring-bench: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match bench(&arguments) {
        Ok((operations, elapsed)) => {
            println!(
                r#"{{"case":"{}","batch":{},"operations":{operations},"seconds":{}}}"#,
                arguments.case.name(),
                arguments.batch,
                elapsed.as_secs_f64()
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("uring-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
