//! Rate, latency and memory under load, compared with AWS's emulator if that is installed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::server::{Server, Settings};

const EXECUTIONS: u32 = 200;
const STEPS: u32 = 20;
const PROCESSES: u32 = 8;

/// Measurements of a run.
struct Measured {
    seconds: f64,
    /// Durations of checkpoint calls in microseconds, sorted.
    times: Vec<u64>,
    megabytes: u64,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.times.len() as f64 / self.seconds
    }

    fn line(&self, what: &str) -> String {
        let at = |share: f64| self.times[((self.times.len() - 1) as f64 * share) as usize];
        json!({
            "measured": what,
            "executions": self.times.len() as u32 / STEPS,
            "checkpoints": self.times.len(),
            "calls_per_second": self.rate().round(),
            "p50_us": at(0.5),
            "p99_us": at(0.99),
            "memory_mb": self.megabytes,
        })
        .to_string()
    }
}

/// Peak memory of a process, in MB.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1_024
}

fn times(folder: &Path) -> Vec<u64> {
    let files = std::fs::read_dir(folder).unwrap().flatten();
    let texts = files.map(|file| std::fs::read_to_string(file.path()).unwrap());
    let mut times: Vec<u64> = texts
        .flat_map(|text| {
            text.lines()
                .map(|line| line.parse().unwrap())
                .collect::<Vec<_>>()
        })
        .collect();
    times.sort_unstable();
    times
}

/// Invokes the function `executions` times from a few threads.
fn load(server: &Server, executions: u32) -> f64 {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..PROCESSES {
            scope.spawn(|| {
                for _ in 0..executions / PROCESSES {
                    let answer = server.invoke("load:$LATEST", &json!(1));
                    assert_eq!(
                        (answer.status, answer.json()),
                        (200, json!(20)),
                        "{answer:?}"
                    );
                }
            });
        }
    });
    begun.elapsed().as_secs_f64()
}

#[test]
fn measures_throughput_latency_and_memory() {
    let folder = tempfile::tempdir().unwrap();
    let effects = folder.path().join("ours");
    std::fs::create_dir(&effects).unwrap();
    let program = env!("CARGO_BIN_EXE_function");
    let server = Server::start(Settings {
        functions: format!(
            "[functions.load]\ncommand = [\"{program}\"]\nconcurrency = {PROCESSES}\nenv = {{ EFFECTS = \"{}\" }}\n",
            effects.display()
        ),
        ephemeral: false,
        ..Settings::default()
    });
    let seconds = load(&server, EXECUTIONS);
    let ours = Measured {
        seconds,
        times: times(&effects),
        megabytes: memory(server.id()),
    };
    assert_eq!(ours.times.len() as u32, EXECUTIONS * STEPS);
    println!("{}", ours.line("durable lambda, state in a file"));
    let Some(theirs) = emulator(&server, folder.path()) else {
        println!("skipped: AWS's emulator is not installed");
        return;
    };
    println!(
        "{}",
        theirs.line("emulator of AWS's Python testing package")
    );
    let times = ours.rate() / theirs.rate();
    println!(
        "{}",
        json!({"measured": "durable lambda per emulator", "times": (times * 10.0).round() / 10.0})
    );
    // Rates of unoptimized builds are not comparable.
    assert!(
        times >= 10.0 || cfg!(debug_assertions),
        "only {times:.1} times the rate of the emulator"
    );
}

struct Emulator(Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        // On SIGTERM it ends its functions too.
        let id = i32::try_from(self.0.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

/// Measures the same load on AWS's emulator, with fewer executions.
fn emulator(server: &Server, folder: &Path) -> Option<Measured> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let python = workspace.join("target/conformance-venv/bin/python");
    let suite = workspace.join("../shared/conformance/run.py");
    if !python.is_file() || !suite.is_file() {
        return None;
    }
    let effects = folder.join("theirs");
    std::fs::create_dir(&effects).unwrap();
    let manifest = json!({
        "functions": {"load": {
            "command": [env!("CARGO_BIN_EXE_function")],
            "env": {"EFFECTS": effects.display().to_string()},
            "max_instances": PROCESSES,
        }},
        "requirements": {"1-1": "load"},
    });
    let path = folder.join("manifest.json");
    std::fs::write(&path, manifest.to_string()).unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let process = Command::new(python)
        .args([&suite, &path])
        .args(["--serve", "--port", &port.to_string(), "--out"])
        .arg(folder.join("out"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let emulator = Emulator(process.ok()?);
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "the emulator does not start"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let seconds = load(&server.at(port), EXECUTIONS / 5);
    Some(Measured {
        seconds,
        times: times(&effects),
        megabytes: memory(emulator.0.id()),
    })
}
