//! Load function: makes the service calls of a durable execution without an SDK, so that the time
//! measured is that of the service.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use durable::BoxError;
use serde_json::{Value, json};

const STEPS: u32 = 20;

/// Handles invocations until the process is killed. Writes the duration of each call, in
/// microseconds, to a file in the folder `EFFECTS`.
pub(crate) fn run() -> Result<(), BoxError> {
    let mut runtime = Connection::open(&std::env::var("AWS_LAMBDA_RUNTIME_API")?)?;
    let endpoint = std::env::var("AWS_ENDPOINT_URL_LAMBDA")?;
    let mut service = Connection::open(endpoint.trim_start_matches("http://"))?;
    let effects = std::env::var("EFFECTS")?;
    let path = format!("{effects}/{}", std::process::id());
    let mut times = std::fs::File::create(path)?;
    loop {
        let base = "/2018-06-01/runtime/invocation";
        let (head, event) = runtime.call("GET", &format!("{base}/next"), b"")?;
        let head = head.to_ascii_lowercase();
        let id = head
            .lines()
            .find_map(|line| line.strip_prefix("lambda-runtime-aws-request-id: "))
            .ok_or("no request id")?;
        let output = execute(&mut service, &serde_json::from_slice(&event)?, &mut times)?;
        let path = format!("{base}/{id}/response");
        runtime.call("POST", &path, output.to_string().as_bytes())?;
    }
}

fn execute(
    service: &mut Connection,
    event: &Value,
    times: &mut impl Write,
) -> Result<Value, BoxError> {
    let arn = event["DurableExecutionArn"].as_str().ok_or("no ARN")?;
    let arn = arn
        .replace(':', "%3A")
        .replace('/', "%2F")
        .replace('$', "%24");
    let path = format!("/2025-12-01/durable-executions/{arn}/checkpoint");
    let mut token = event["CheckpointToken"].clone();
    for step in 0..STEPS {
        let update = |action: &str| json!({"Id": format!("step-{step}"), "Type": "STEP", "SubType": "Step", "Name": "step", "Action": action});
        let mut end = update("SUCCEED");
        end["Payload"] = json!("\"some result of a step\"");
        let body = json!({"CheckpointToken": token, "ClientToken": format!("c{step}"), "Updates": [update("START"), end]});
        let begun = Instant::now();
        let (head, answer) = service.call("POST", &path, body.to_string().as_bytes())?;
        writeln!(times, "{}", begun.elapsed().as_micros())?;
        let answer: Value = serde_json::from_slice(&answer)?;
        if head.split(' ').nth(1) != Some("200") {
            return Err(format!("{head}{answer}").into());
        }
        token = answer["CheckpointToken"].clone();
    }
    Ok(json!({"Status": "SUCCEEDED", "Result": "20"}))
}

/// HTTP connection that reconnects when the peer closes it.
struct Connection {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Connection {
    fn open(address: &str) -> Result<Self, BoxError> {
        Ok(Self {
            address: address.to_owned(),
            stream: None,
        })
    }

    fn call(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<(String, Vec<u8>), BoxError> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(&self.address)?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        let (host, length) = (&self.address, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream
            .get_mut()
            .write_all(&[head.as_bytes(), body].concat())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Err("no answer".into());
            }
        }
        let lower = head.to_ascii_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(Ok(0), str::parse)?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let closes = head.starts_with("HTTP/1.0") || lower.contains("connection: close");
        self.stream = (!closes).then_some(stream);
        Ok((head, body))
    }
}
