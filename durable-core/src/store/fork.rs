//! Origin of an execution that was forked from another one.

use crate::ExecutionId;
use crate::model::error::BoxError;
use serde_json::{Value, json};

/// Origin of an execution that was forked from another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkedFrom {
    /// The execution whose history it began with.
    pub execution: ExecutionId,
    /// Last position of that history that belongs to the part taken over.
    pub seq: u64,
    /// Number of records taken over: the first ones of its own history. May be lower than `seq`, as what had not
    /// ended was left out.
    pub records: u64,
}

impl ForkedFrom {
    /// Encodes the origin as a JSON object for stores.
    pub fn encode(&self) -> String {
        let execution = self.execution.as_str();
        json!({ "execution": execution, "seq": self.seq, "records": self.records }).to_string()
    }

    /// Decodes what [`encode`](Self::encode) has written.
    ///
    /// # Errors
    ///
    /// An error that says what is wrong with the text.
    pub fn decode(text: &str) -> Result<Self, BoxError> {
        let value: Value = serde_json::from_str(text)?;
        let number = |name: &str| {
            let number = value[name].as_u64();
            number.ok_or_else(|| format!("`{name}` is not a position in {text}"))
        };
        Ok(Self {
            execution: value["execution"].as_str().unwrap_or_default().parse()?,
            seq: number("seq")?,
            records: number("records")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_restores_the_origin() {
        let origin = ForkedFrom {
            execution: "a\"b".parse().unwrap(),
            seq: 12,
            records: 10,
        };
        assert_eq!(ForkedFrom::decode(&origin.encode()).unwrap(), origin);
        let missing = r#"{"execution":"a","seq":-1}"#;
        for invalid in [
            "",
            "{}",
            missing,
            r#"{"execution":"a b","seq":1,"records":1}"#,
        ] {
            assert!(ForkedFrom::decode(invalid).is_err(), "{invalid}");
        }
    }
}
