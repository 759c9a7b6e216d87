//! Formulas against the functions they write.

use proptest::prelude::*;

use super::Schedule;

/// A schedule that reads differently from its formula moves every token by the wrong amount.
#[test]
fn formulas_are_the_functions_they_write() {
    let e = std::f64::consts::E;
    let pi = std::f64::consts::PI;
    let cases: [(&str, &dyn Fn(f64) -> f64); 24] = [
        ("1/(t+1)", &|t| 1.0 / (t + 1.0)),
        ("0.8+0.3*sin(t)", &|t| 0.8 + 0.3 * libm::sin(t)),
        ("-t^2", &|t| -libm::pow(t, 2.0)),
        ("2^-t", &|t| libm::pow(2.0, -t)),
        ("2^3^2 + t", &|t| 512.0 + t),
        ("6/2*3 + t", &|t| 9.0 + t),
        ("2*6/4*t", &|t| 2.0 * 6.0 / 4.0 * t),
        ("0.1+0.2+t", &|t| 0.1 + 0.2 + t),
        ("t+0.1+0.2", &|t| t + 0.1 + 0.2),
        ("t*0.1*0.3", &|t| t * 0.1 * 0.3),
        ("t-1-2", &|t| t - 1.0 - 2.0),
        ("10-(t-1)-2", &|t| 10.0 - (t - 1.0) - 2.0),
        ("t*-2", &|t| t * -2.0),
        ("--t", &|t| t),
        ("+t - +1", &|t| t - 1.0),
        ("exp(-t/10) * 1e-3", &|t| libm::exp(-t / 10.0) * 1e-3),
        ("min(9, max(t, 2)) + min(min(t,3),4)", &|t| t.clamp(2.0, 9.0) + t.min(3.0)),
        ("sqrt(t) + ln(t+1)/log10(t+2)", &|t| libm::sqrt(t) + libm::log(t + 1.0) / libm::log10(t + 2.0)),
        ("pi*e*t", &|t| pi * e * t),
        ("mod(t, 10) / 10", &|t| (t - 10.0 * libm::floor(t / 10.0)) / 10.0),
        (" .5 * t\t", &|t| 0.5 * t),
        ("5.*t + 2E2", &|t| 5.0 * t + 2e2),
        ("sin(cos(tan(t)))^2", &|t| libm::pow(libm::sin(libm::cos(libm::tan(t))), 2.0)),
        ("abs(-t)+floor(t/3)+ceil(t/7)", &|t| t + libm::floor(t / 3.0) + libm::ceil(t / 7.0)),
    ];
    for (text, function) in cases {
        let schedule = Schedule::parse(text).unwrap();
        assert!(!schedule.is_constant());
        for t in 0..200 {
            let t = f64::from(t);
            assert_eq!(schedule.at(0, t).to_bits(), function(t).to_bits(), "{text} at {t}");
        }
    }
}

/// An expression that never changes must let a run stop at its fixed point.
#[test]
fn an_expression_without_t_is_constant() {
    assert_eq!(Schedule::parse("2*(3+1)").unwrap(), Schedule::Constant(8.0));
    assert_eq!(Schedule::parse("1e-3").unwrap(), Schedule::Constant(1e-3));
    assert_eq!(Schedule::parse("-pi").unwrap(), Schedule::Constant(-std::f64::consts::PI));
    assert!(Schedule::parse("sqrt(-1)").unwrap().at(0, 0.0).is_nan());
}

/// A person must be able to mend a formula from the message alone.
#[test]
fn errors_name_the_place() {
    for (text, wanted) in [
        ("1/(t+", "found the end at column 6 of \"1/(t+\""),
        ("1/(s+1)", "unknown name \"s\" at column 4"),
        ("2t", "expected an operator, found 't' at column 2"),
        ("1 2", "found '2' at column 3"),
        ("sin t", "expected \"(\", found 't' at column 5"),
        ("min(1)", "expected \",\", found ')' at column 6"),
        ("max(1,2,3)", "expected \")\", found ',' at column 8"),
        ("", "found the end at column 1"),
        ("t ** 2", "found '*' at column 4"),
        ("t)", "found ')' at column 2"),
        ("1e999", "exceeds"),
        (".", "is not a number at column 1"),
        ("t+π", "unknown name \"π\" at column 3"),
        ("{t}", "found '{' at column 1"),
        ("1e", "found 'e' at column 2"),
    ] {
        let error = Schedule::parse(text).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text}: {error}");
        assert!(error.contains("allowed are"), "{text}: {error}");
        assert!(!error.contains('\n'));
    }
    assert!(Schedule::parse(&"(".repeat(900)).unwrap_err().to_string().contains("nested deeper than 50"));
    assert!(Schedule::parse(&"1".repeat(2000)).unwrap_err().to_string().contains("2000 characters"));
}

/// Random formulas beside their value, written with only the parentheses that the grammar needs.
fn formula() -> impl Strategy<Value = (String, u8, f64)> {
    // (text, binding strength, value at t = 3)
    let leaf = prop_oneof![
        Just(("t".to_owned(), 9, 3.0)),
        (0u32..1000, -6i32..6).prop_map(|(m, e)| {
            let text = format!("{m}e{e}");
            let value = text.parse().unwrap();
            (text, 9, value)
        }),
    ];
    leaf.prop_recursive(5, 40, 2, |inner| {
        let bind = |(text, strength, value): (String, u8, f64), least: u8| {
            (if strength < least { format!("({text})") } else { text }, value)
        };
        (inner.clone(), inner, 0u8..8).prop_map(move |(a, b, which)| {
            let two = |sign: &str, strength: u8, f: fn(f64, f64) -> f64| {
                let (a, x) = bind(a.clone(), strength);
                let (b, y) = bind(b.clone(), strength + 1);
                (format!("{a}{sign}{b}"), strength, f(x, y))
            };
            match which {
                0 => two("+", 1, |x, y| x + y),
                1 => two("-", 1, |x, y| x - y),
                2 => two("*", 2, |x, y| x * y),
                3 => two(" / ", 2, |x, y| x / y),
                4 => {
                    let ((base, x), (power, y)) = (bind(a.clone(), 5), bind(b.clone(), 3));
                    (format!("{base}^{power}"), 4, libm::pow(x, y))
                }
                5 => {
                    let (text, x) = bind(a.clone(), 3);
                    (format!("-{text}"), 3, -x)
                }
                6 => (format!("sin({})", a.0), 9, libm::sin(a.2)),
                _ => {
                    let least = if a.2 < b.2 || a.2.is_nan() { a.2 } else { b.2 };
                    (format!("min({}, {})", a.0, b.0), 9, least)
                }
            }
        })
    })
}

proptest! {
    /// If precedence or folding differed anywhere, two engines' parameters would agree with one
    /// another and with nobody else.
    #[test]
    fn random_formulas_have_their_value((text, _, value) in formula()) {
        prop_assume!(text.len() <= 1000);
        let got = Schedule::parse(&text).unwrap().at(0, 3.0);
        prop_assert!(got.to_bits() == value.to_bits() || (got.is_nan() && value.is_nan()), "{}: {} against {}", text, got, value);
    }

    /// Any text gives a schedule or one line, never a panic.
    #[test]
    fn hostile_text_never_panics(text in "[ -~πé]{0,60}", tokens in proptest::collection::vec(
        proptest::sample::select(vec!["t", "(", ")", "+", "-", "*", "/", "^", ",", "min", "sin", "1", ".5", "e", "1e", "max", "{", "}", " ", "pi"]), 0..40)) {
        for candidate in [text, tokens.concat()] {
            match Schedule::parse(&candidate) {
                Ok(schedule) => { schedule.at(0, 2.0); }
                Err(error) => prop_assert!(!error.to_string().contains('\n')),
            }
        }
    }
}

/// A table one step off would move every token by its neighbour's amount.
#[test]
fn tables_go_by_the_step() {
    let table = Schedule::table(&[3.0, 2.0, 1.0]).unwrap();
    let values = [0, 1, 2, 3, u64::MAX].map(|step| table.at(step, 0.1));
    assert_eq!(values, [3.0, 2.0, 1.0, 1.0, 1.0]);
    assert!(!table.is_constant() && Schedule::table(&[2.0]).unwrap().is_constant());
    assert!(table.covers("beta", 3).is_ok() && Schedule::Constant(1.0).covers("beta", 9).is_ok());
    let line = table.covers("beta", 4).unwrap_err().to_string();
    assert!(line.starts_with("beta has 3 values for 4 steps"), "{line}");
    assert!(Schedule::table(&[]).unwrap_err().to_string().contains("without values"));
    assert!(Schedule::table(&vec![0.0; super::LONGEST_TABLE + 1]).is_err());
    assert!(Schedule::table(&[1.0, f64::NAN]).unwrap_err().to_string().contains("value 1 of a table is NaN"));
    let (two, other) = (Schedule::Constant(2.0), Schedule::table(&[5.0, 7.0]).unwrap());
    assert_eq!(table.times(&two).unwrap(), Schedule::table(&[6.0, 4.0, 2.0]).unwrap());
    assert_eq!(table.times(&other).unwrap(), Schedule::table(&[15.0, 14.0]).unwrap());
    assert!(table.times(&Schedule::parse("t").unwrap()).is_err());
}

/// A schedule that is taken to vanish and does not would have its limits held to a theorem that does
/// not speak of them; one that vanishes slowly would be left out.
#[test]
fn limits_are_told_or_left_open() {
    let limit = |text: &str| Schedule::parse(text).unwrap().limit();
    for text in
        ["1/(t+1)", "1/ln(t+3)", "0.25/(t+1)^0.1", "0.25*exp(-t/50)", "0.5*0.9^t", "min(1,2/t)", "1/ln(ln(t+9))"]
    {
        assert_eq!(limit(text), Some(0.0), "{text}");
    }
    assert_eq!((limit("0.1+1/ln(t+3)"), limit("0.25"), limit("tanh(t)")), (Some(0.1), Some(0.25), Some(1.0)));
    for text in ["0.25*mod(t,2)", "sin(t)^2", "ceil(1/(t+1))", "(1-1/(t+2))^(t^2)", "t", "t/(t^2+1)", "1+sin(t)/9"] {
        assert_eq!(limit(text), None, "{text}");
    }
}
