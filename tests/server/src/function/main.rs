//! Lambda functions for tests, selected by the function's name. Each body appends a line to the file
//! `EFFECTS`.

mod load;

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use durable::prelude::*;

/// Log of the bodies that ran.
struct World {
    effects: Option<String>,
}

impl World {
    fn effect(&self, line: impl std::fmt::Display) {
        let Some(path) = &self.effects else { return };
        let file = OpenOptions::new().create(true).append(true).open(path);
        let mut file = file.expect("a file for effects");
        file.write_all(format!("{line}\n").as_bytes())
            .expect("an effect");
    }
}

/// Runs `n` sequential steps.
#[durable]
async fn steps(world: &World, n: u64) -> Result<u64, BoxError> {
    let mut sum = 0;
    for i in 0..n {
        sum += step!("step", key = i, {
            world.effect(format_args!("step {i}"));
            Ok::<_, String>(i)
        })
        .await?;
    }
    Ok(sum)
}

/// Runs steps, waits and two invokes of other functions.
#[durable]
async fn journey(world: &World, traveller: u64) -> Result<u64, BoxError> {
    let mut miles = 0;
    for day in 0..3 {
        miles += step!("walk", key = day, {
            world.effect(format_args!("{traveller} walks on day {day}"));
            Ok::<_, String>(10)
        })
        .await?;
        wait!("night", key = day, Duration::from_secs(1)).await;
    }
    let echoed: u64 = invoke!("durable", "echo:$LATEST", miles).await?;
    let plain: u64 = invoke!("plain", "plain", echoed).await?;
    Ok(plain + traveller)
}

/// Returns its input.
#[durable]
async fn echo(world: &World, value: u64) -> Result<u64, BoxError> {
    Ok(step!("echo", {
        world.effect(format_args!("echo {value}"));
        Ok::<_, String>(value)
    })
    .await?)
}

/// Waits for an approval for up to an hour, with a heartbeat timeout of ten minutes.
#[durable]
async fn approval(_world: &World, who: String) -> Result<String, BoxError> {
    let name = step!("ask", Ok::<_, String>(who.clone())).await?;
    let approved: Result<String, CallbackError> = callback!(
        "approved",
        timeout = Duration::from_secs(3_600),
        heartbeat = Duration::from_secs(600)
    )
    .await;
    Ok(match approved {
        Ok(word) => format!("{name}: {word}"),
        Err(error) => format!("{name}: {error}"),
    })
}

/// Waits for a day.
#[durable]
async fn sleepy(_world: &World) -> Result<(), BoxError> {
    wait!("day", Duration::from_secs(86_400)).await;
    Ok(())
}

/// Prints a line and fails.
#[durable]
async fn broken(_world: &World) -> Result<(), BoxError> {
    println!("about to fail");
    Err("nothing works".into())
}

/// Polls the Runtime API by hand, like a function in any language.
fn plain() -> Result<(), BoxError> {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API")?;
    loop {
        let base = "/2018-06-01/runtime/invocation";
        let (head, event) = exchange(&api, "GET", &format!("{base}/next"), b"")?;
        let id = head
            .lines()
            .find_map(|line| line.strip_prefix("lambda-runtime-aws-request-id: "))
            .ok_or("no request id")?;
        println!("plain got {} bytes", event.len());
        match &event[..] {
            b"\"crash\"" => std::process::exit(3),
            b"\"hang\"" => std::thread::sleep(std::time::Duration::from_secs(600)),
            b"\"fail\"" => {
                let error = br#"{"errorType":"Refused","errorMessage":"no"}"#;
                exchange(&api, "POST", &format!("{base}/{id}/error"), error)?;
                continue;
            }
            _ => {}
        }
        exchange(&api, "POST", &format!("{base}/{id}/response"), &event)?;
    }
}

fn exchange(
    api: &str,
    method: &str,
    path: &str,
    body: &[u8],
) -> Result<(String, Vec<u8>), BoxError> {
    let mut stream = TcpStream::connect(api)?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {api}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    )?;
    stream.write_all(body)?;
    let mut answer = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if answer.read_line(&mut head)? == 0 {
            return Err("no answer".into());
        }
    }
    let mut body = Vec::new();
    answer.read_to_end(&mut body)?;
    Ok((head, body))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let world = World {
        effects: std::env::var("EFFECTS").ok(),
    };
    match std::env::var("AWS_LAMBDA_FUNCTION_NAME")?.as_str() {
        "steps" => durable::lambda::run(steps, world).await,
        "journey" => durable::lambda::run(journey, world).await,
        "echo" => durable::lambda::run(echo, world).await,
        "approval" => durable::lambda::run(approval, world).await,
        "sleepy" => durable::lambda::run(sleepy, world).await,
        "broken" => durable::lambda::run(broken, world).await,
        "plain" => plain(),
        "load" => load::run(),
        "wrong" => Err("there is no such function".into()),
        other => Err(format!("unknown function {other}").into()),
    }
}
