//! Codecs reject values that would not come back.

use durable::{Codec, Json, MessagePack};

fn through<T, C: Codec<T>>(codec: &C, value: &T) -> T {
    codec.decode(&codec.encode(value).unwrap()).unwrap()
}

fn refusal<T, C: Codec<T>>(codec: &C, value: &T) -> String {
    codec.encode(value).unwrap_err().to_string()
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Order {
    prices: Vec<f64>,
    note: Option<Option<String>>,
    #[serde(default)]
    by_pair: std::collections::BTreeMap<String, std::collections::BTreeMap<(u8, u8), u8>>,
}

impl Order {
    fn sound() -> Self {
        Self {
            prices: vec![1.5, 2.5],
            note: Some(Some("x".to_owned())),
            by_pair: Default::default(),
        }
    }
}

#[test]
fn json_rejects_values_that_it_cannot_represent_and_names_the_location() {
    let mut order = Order::sound();
    assert_eq!(through(&Json, &order), order);
    order.prices[1] = f64::NAN;
    let orders = vec![Ok::<_, String>(Order::sound()), Ok(order.clone())];
    let error = refusal(&Json, &orders);
    assert!(
        error.starts_with("NaN at `[1].Ok.prices[1]` cannot be written as JSON"),
        "{error}"
    );
    assert!(error.contains("codec = durable::MessagePack"), "{error}");
    order.prices[1] = f64::NEG_INFINITY;
    let error = refusal(&Json, &order);
    assert!(
        error.starts_with("an infinity at `prices[1]` cannot"),
        "{error}"
    );
    // `null` would be read as `None`.
    let error = refusal(&Json, &Some(f32::NAN));
    assert!(
        error.starts_with("NaN cannot be written as JSON"),
        "{error}"
    );

    let mut order = Order::sound();
    order.by_pair.insert("a".to_owned(), [((1, 2), 3)].into());
    let error = refusal(&Json, &order);
    assert!(
        error.starts_with("a map key at `by_pair[\"a\"]` cannot be written as JSON"),
        "{error}"
    );
    assert!(error.contains("codec = durable::MessagePack"), "{error}");
    assert_eq!(through(&MessagePack, &order), order);
}

#[test]
fn some_of_nothing_is_rejected() {
    let mut order = Order::sound();
    order.note = Some(None);
    let values = vec![order];
    for error in [refusal(&Json, &values), refusal(&MessagePack, &values)] {
        assert!(
            error.starts_with("`Some` around nothing at `[0].note` would be decoded as `None`"),
            "{error}"
        );
        assert!(error.contains("enum"), "{error}");
    }
    assert!(refusal(&Json, &Some(())).contains("`Some` around nothing"));
    assert!(refusal(&Json, &(1, Some(serde_json::Value::Null))).contains("at `[1]`"));
    assert_eq!(through(&Json, &Some(Some(3))), Some(Some(3)));
    assert_eq!(through(&Json, &None::<Option<u8>>), None);
}

/// Distinguishes `null` from a missing field.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Patch {
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    name: Option<Option<String>>,
    #[serde(deserialize_with = "nan_if_null")]
    rate: f64,
}

fn present<'de, D: serde::Deserializer<'de>>(of: D) -> Result<Option<Option<String>>, D::Error> {
    serde::Deserialize::deserialize(of).map(Some)
}

fn nan_if_null<'de, D: serde::Deserializer<'de>>(of: D) -> Result<f64, D::Error> {
    let value: Option<f64> = serde::Deserialize::deserialize(of)?;
    Ok(value.unwrap_or(f64::NAN))
}

#[test]
fn a_type_that_restores_its_value_from_null_is_accepted() {
    for name in [None, Some(None), Some(Some("a".to_owned()))] {
        let patch = Patch {
            name,
            rate: f64::NAN,
        };
        let back = through(&Json, &patch);
        assert_eq!(back.name, patch.name);
        assert!(back.rate.is_nan());
    }
    let patch = Patch {
        name: Some(None),
        rate: f64::INFINITY,
    };
    assert!(refusal(&Json, &patch).contains("an infinity at `rate`"));
}
