//! Source files that are untidy or invalid.

use std::fs;

use crate::load::Load;

pub(crate) const HEADER: &str = "Airport Name,Aircraft Make Model,Effect Amount of damage,Flight Date,\
    Aircraft Airline Operator,Origin State,Phase of flight,Wildlife Size,Wildlife Species,\
    Time of day,Cost Other,Cost Repair,Cost Total $,Speed IAS in knots";
pub(crate) const ROW: &str =
    "JFK,B-737,None,1999-05-01,UNITED,New York,Climb,Small,Gull,Day,0,10,10,140";

/// A file with one row.
pub(crate) fn small() -> String {
    format!("{HEADER}\n{ROW}\n")
}

#[test]
fn cells_are_cleaned() {
    let quoted = r#"  "O'HARE,
 INTL" ,B-737,,5/1/1999 0:00,"A, ""B""",IL,Climb,Small,"<Gull> & co",Day,,"$1,234",1234.00,"#;
    let load = Load::of(format!(
        "\u{feff}More,{HEADER}\r\n\r\nx,{ROW}\r\ny,{}\r\n\r\n",
        quoted.trim()
    ));
    load.finish(&["--batch", "1"]);
    let rows = load.rows();
    let shown: Vec<String> = rows[1].iter().map(|cell| format!("{cell:?}")).collect();
    let expected = [
        "Integer(4)",
        r#"Text("O'HARE, INTL")"#,
        r#"Text("B-737")"#,
        "Null",
        r#"Text("1999-05-01")"#,
        r#"Text("A, \"B\"")"#,
        r#"Text("IL")"#,
        r#"Text("Climb")"#,
        r#"Text("Small")"#,
        r#"Text("<Gull> & co")"#,
        r#"Text("Day")"#,
        "Null",
        "Integer(1234)",
        "Integer(1234)",
        "Null",
    ];
    assert_eq!(shown, expected);
    assert_eq!(rows.len(), 2);
    assert!(load.read("report.svg").contains("&lt;Gull&gt; &amp; co"));
}

#[test]
fn an_invalid_file_is_an_error_before_anything_is_written() {
    let rows = |row: &str| format!("{HEADER}\n{ROW}\n{row}\n");
    let cases: [(Vec<u8>, &[&str]); 9] = [
        (b"".into(), &["is empty"]),
        (format!("{HEADER}\n").into(), &["no rows"]),
        (
            format!("{}\n{ROW}\n", HEADER.replace("Flight Date", "Date")).into(),
            &["missing column `Flight Date`", "`Date`", "`Airport Name`"],
        ),
        (
            rows(&ROW.replace("1999-05-01", "1999-02-30")).into(),
            &["line 3", "`Flight Date`", "1999-02-30", "calendar"],
        ),
        (
            rows(&ROW.replace("1999-05-01", "")).into(),
            &["line 3", "`Flight Date`", "\"\""],
        ),
        (
            rows(&ROW.replace(",10,10,", ",10,ten,")).into(),
            &["line 3", "`Cost Total $`", "\"ten\""],
        ),
        (
            rows(&ROW.replace("140", "fast")).into(),
            &["line 3", "`Speed IAS in knots`", "\"fast\""],
        ),
        (
            rows(&format!("{ROW},more")).into(),
            &["line 3", "15 fields", "14"],
        ),
        (
            [
                rows("").trim_end().as_bytes(),
                b"\nJFK,\xff",
                &ROW.as_bytes()[3..],
                b"\n",
            ]
            .concat(),
            &["line 3", "UTF-8", "`Aircraft Make Model`"],
        ),
    ];
    for (text, expected) in cases {
        let load = Load::of(text);
        let error = load.fail(&[]);
        for part in expected.iter().chain(&["source.csv"]) {
            assert!(error.contains(part), "{part} is not in {error}");
        }
        assert!(!load.path("store.db").exists());
        assert!(!load.path("target.db").exists());
    }
}

#[test]
fn an_unusable_file_is_named_in_the_error() {
    let load = Load::of(small());
    fs::remove_file(&load.source).unwrap();
    assert!(load.fail(&[]).contains("source.csv"));

    let load = Load::of(small());
    fs::write(
        load.path("target.db"),
        "not a database, but long enough for one\n".repeat(100),
    )
    .unwrap();
    assert!(load.fail(&[]).contains("target.db"));
}
