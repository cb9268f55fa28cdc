//! The exits of bodies with `?`, and their error types.
#![deny(warnings)]

use std::num::ParseIntError;

use durable::prelude::*;

#[derive(Debug)]
struct Own;

impl std::fmt::Display for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("own")
    }
}

impl std::error::Error for Own {}

impl From<ParseIntError> for Own {
    fn from(_: ParseIntError) -> Self {
        Self
    }
}

async fn parse(text: &str) -> Result<u32, ParseIntError> {
    text.parse()
}
async fn other(n: u32) -> Result<u32, Own> {
    if n > 9 { Err(Own) } else { Ok(n) }
}

#[durable]
async fn ends(text: String) -> Result<u32, BoxError> {
    let mut sum = step!("branches", {
        let n = parse(&text).await?;
        if n > 1 {
            other(n).await
        } else {
            parse("1").await
        }
    })
    .await?;
    sum += step!(
        "arms",
        match parse(&text).await? {
            1 => other(1).await,
            2 => Err(Own),
            3 => {
                parse("3").await
            }
            4 => Err("four".into()),
            5 => Err(From::from("five")),
            6 => Err(text.clone().into()),
            n => Ok(n),
        }
    )
    .await?;
    sum += step!("returns", {
        let n = parse(&text).await?;
        if n == 1 {
            return other(n).await;
        }
        if n == 2 {
            return Err(fatal("two"));
        }
        if n == 3 {
            return Err("three");
        }
        if n == 4 {
            return Err(format!("{n}"));
        }
        Ok(n)
    })
    .await?;
    sum += step!("named", {
        let n = parse(&text).await?;
        if n == 1 {
            return Err(Own);
        }
        Ok::<_, Own>(n)
    })
    .await?;
    sum += step!("named by a return", {
        if parse(&text).await? == 1 {
            return Err::<_, Own>(Own);
        }
        Ok(1)
    })
    .await?;
    sum += step!("named whole", {
        parse(&text).await?;
        Result::<u32, Own>::Ok(1)
    })
    .await?;
    let inferred: u32 = step!("inferred", {
        parse(&text).await?;
        Ok(text.parse()?)
    })
    .await?;
    sum += scope!("scope", {
        let n = step!("n", parse(&text).await).await?;
        match n {
            0 => step!("zero", other(0).await).await,
            1 => Err(fatal("one")),
            n => Ok(n),
        }
    })
    .await?;
    Ok(sum + inferred)
}

#[test]
fn compiles() {
    let _ = ends();
}
