//! Agent loop: a model chooses tools, the tools run, and each turn is checkpointed.
//!
//! ```text
//! cargo run --example agent
//! ```

use durable::prelude::*;
use serde::{Deserialize, Serialize};

/// Next action of the model.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Turn {
    CallTools(Vec<Tool>),
    Answer(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Tool {
    name: String,
    argument: u32,
}

#[durable]
async fn agent(question: String) -> Result<String, BoxError> {
    let mut notes: Vec<String> = Vec::new();
    loop {
        // Model calls are slow and expensive. After a crash, replay takes their results from the checkpoints.
        match step!("think", ordered, think(&question, &notes).await).await? {
            Turn::Answer(answer) => return Ok(answer),
            Turn::CallTools(tools) => {
                // The tools run concurrently. A failed tool does not stop the others.
                let results = map!("tools", tools, ordered, concurrency = 4, |tool| {
                    Ok(step!("use", use_tool(&tool).await).await?)
                })
                .await;
                notes.extend(results.values().cloned());
                notes.extend(results.errors().map(|error| error.to_string()));
            }
        }
    }
}

async fn think(question: &str, notes: &[String]) -> Result<Turn, BoxError> {
    println!("thinking about {question:?} with {} notes", notes.len());
    let tool = |name: &str, argument| Tool {
        name: name.to_owned(),
        argument,
    };
    Ok(match notes.len() {
        0 => Turn::CallTools(vec![tool("square", 6), tool("half", 12)]),
        2 => Turn::CallTools(vec![tool("square", 7)]),
        _ => Turn::Answer(notes.join(", ")),
    })
}

async fn use_tool(tool: &Tool) -> Result<String, BoxError> {
    println!("using {} of {}", tool.name, tool.argument);
    let result = match tool.name.as_str() {
        "square" => tool.argument * tool.argument,
        "half" => tool.argument / 2,
        other => return Err(fatal(format!("unknown tool {other:?}"))),
    };
    Ok(format!("{}({}) = {result}", tool.name, tool.argument))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let store = durable::open("memory:").await?;
    let answer = durable::run(agent, "question-1", "what is 6 squared?".to_owned())
        .store(store)
        .await?;
    println!("{answer}");
    Ok(())
}

#[cfg(test)]
#[path = "tests/agent.rs"]
mod tests;
