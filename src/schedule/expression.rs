//! Formulas in t.
//!
//! ```text
//! sum     = product { ("+" | "-") product }
//! product = unary { ("*" | "/") unary }
//! unary   = ("-" | "+") unary | power
//! power   = atom [ "^" unary ]                                  -t^2 = -(t^2), 2^3^2 = 2^(3^2)
//! atom    = number | "t" | "pi" | "e" | name "(" sum { "," sum } ")" | "(" sum ")"
//! ```
//!
//! `exmex` compiles and evaluates. It reports no positions and binds `-t^2` as `(-t)^2`, so the text is read here by
//! the grammar above and handed over with the parentheses that make both agree.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use exmex::{BinOp, Express, FlatEx, MakeOperators, Operator};

use crate::error::{Error, Result};

/// Longest text, in characters.
const LONGEST: usize = 1000;
/// Deepest nesting of parentheses, functions, signs and powers.
const DEEPEST: usize = 50;

type Compiled = FlatEx<f64, Operators>;

/// A compiled formula in t. Two are equal when their texts are.
#[derive(Clone)]
pub struct Expression {
    text: Arc<str>,
    compiled: Arc<Compiled>,
    uses_t: bool,
}

impl Expression {
    /// Compiles a formula.
    ///
    /// # Errors
    /// What is wrong, at which column of which text, and what is allowed.
    pub fn parse(text: &str) -> Result<Self> {
        let mut reader = Reader { text, characters: text.chars().collect(), at: 0, depth: 0, uses_t: false };
        if reader.characters.len() > LONGEST {
            let length = reader.characters.len();
            return Err(Error::input(format!("an expression of {length} characters; at most {LONGEST} are read")));
        }
        let canonical = reader.sum()?;
        reader.skip_blanks();
        if reader.at < reader.characters.len() {
            return Err(reader.unexpected("an operator"));
        }
        let compiled = Compiled::parse(&canonical)
            .map_err(|e| Error::input(format!("{text:?} is not an expression in t: {}", e.msg())))?;
        Ok(Self { text: text.into(), compiled: Arc::new(compiled), uses_t: reader.uses_t })
    }

    /// The value at time t; NaN where there is none.
    pub fn at(&self, t: f64) -> f64 {
        let variables: &[f64] = if self.uses_t { &[t] } else { &[] };
        self.compiled.eval(variables).unwrap_or(f64::NAN)
    }

    /// Whether t does not occur.
    pub fn is_constant(&self) -> bool {
        !self.uses_t
    }

    /// The formula as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.text)
    }
}

/// A function under its name.
type Named<F> = (&'static str, F);

/// Functions of one number.
const FUNCTIONS: [Named<fn(f64) -> f64>; 20] = [
    ("abs", f64::abs),
    ("acos", libm::acos),
    ("asin", libm::asin),
    ("atan", libm::atan),
    ("cbrt", libm::cbrt),
    ("ceil", libm::ceil),
    ("cos", libm::cos),
    ("cosh", libm::cosh),
    ("exp", libm::exp),
    ("floor", libm::floor),
    ("ln", libm::log),
    ("log", libm::log),
    ("log10", libm::log10),
    ("log2", libm::log2),
    ("round", libm::round),
    ("sin", libm::sin),
    ("sinh", libm::sinh),
    ("sqrt", libm::sqrt),
    ("tan", libm::tan),
    ("tanh", libm::tanh),
];

/// Functions of two numbers. NaN passes through all of them, so that a value outside a domain is always noticed.
const PAIRS: [Named<fn(f64, f64) -> f64>; 4] = [
    ("max", |a, b| if a > b || a.is_nan() { a } else { b }),
    ("min", |a, b| if a < b || a.is_nan() { a } else { b }),
    ("mod", |a, b| a - b * libm::floor(a / b)),
    ("pow", libm::pow),
];

fn allowed() -> String {
    let mut text = String::from("allowed are numbers, t, pi, e, + - * / ^, parentheses, and");
    for name in FUNCTIONS.iter().map(|f| f.0).chain(PAIRS.iter().map(|f| f.0)) {
        let _ = write!(text, " {name}");
    }
    text
}

/// The operators that exmex evaluates with. None is declared commutative: nothing is reordered.
#[derive(Clone, Debug)]
struct Operators;

impl MakeOperators<f64> for Operators {
    fn make<'a>() -> Vec<Operator<'a, f64>> {
        let binary = |apply: fn(f64, f64) -> f64, prio| BinOp { apply, prio, is_commutative: false };
        let mut operators = vec![
            Operator::make_bin_unary("+", binary(|a, b| a + b, 1), |a| a),
            Operator::make_bin_unary("-", binary(|a, b| a - b, 1), |a| -a),
            Operator::make_bin("*", binary(|a, b| a * b, 2)),
            Operator::make_bin("/", binary(|a, b| a / b, 2)),
            Operator::make_bin("^", binary(libm::pow, 3)),
        ];
        operators.extend(FUNCTIONS.iter().map(|&(name, f)| Operator::make_unary(name, f)));
        operators.extend(PAIRS.iter().map(|&(name, f)| Operator::make_bin(name, binary(f, 0))));
        operators
    }
}

/// Reads by the grammar and writes what exmex reads the same way.
struct Reader<'a> {
    text: &'a str,
    characters: Vec<char>,
    at: usize,
    depth: usize,
    uses_t: bool,
}

impl Reader<'_> {
    fn skip_blanks(&mut self) {
        while self.characters.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }

    /// The next character that is not blank, without taking it.
    fn peek(&mut self) -> Option<char> {
        self.skip_blanks();
        self.characters.get(self.at).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: char) -> Result<()> {
        if self.take(wanted) { Ok(()) } else { Err(self.unexpected(&format!("\"{wanted}\""))) }
    }

    fn error(&self, what: &str, at: usize) -> Error {
        Error::input(format!("{what} at column {} of {:?}; {}", at + 1, self.text, allowed()))
    }

    fn unexpected(&mut self, expected: &str) -> Error {
        match self.peek() {
            Some(c) => self.error(&format!("expected {expected}, found {c:?}"), self.at),
            None => self.error(&format!("expected {expected}, found the end"), self.at),
        }
    }

    fn sum(&mut self) -> Result<String> {
        let mut sum = self.product()?;
        while let Some(sign @ ('+' | '-')) = self.peek() {
            self.at += 1;
            let _ = write!(sum, " {sign} {}", self.product()?);
        }
        Ok(sum)
    }

    fn product(&mut self) -> Result<String> {
        let mut product = self.unary()?;
        while let Some(sign @ ('*' | '/')) = self.peek() {
            self.at += 1;
            let _ = write!(product, " {sign} {}", self.unary()?);
        }
        Ok(product)
    }

    fn unary(&mut self) -> Result<String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(&format!("nested deeper than {DEEPEST}"), self.at));
        }
        let unary = if self.take('-') {
            format!("(-{})", self.unary()?)
        } else if self.take('+') {
            self.unary()?
        } else {
            self.power()?
        };
        self.depth -= 1;
        Ok(unary)
    }

    fn power(&mut self) -> Result<String> {
        let base = self.atom()?;
        Ok(if self.take('^') { format!("({base} ^ {})", self.unary()?) } else { base })
    }

    fn atom(&mut self) -> Result<String> {
        match self.peek() {
            Some('(') => {
                self.at += 1;
                let inner = self.sum()?;
                self.expect(')')?;
                Ok(format!("({inner})"))
            }
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if c.is_alphabetic() || c == '_' => self.name(),
            _ => Err(self.unexpected("a number, t, a function or \"(\"")),
        }
    }

    /// Takes characters while they fit.
    fn run(&mut self, fits: impl Fn(char) -> bool) -> usize {
        let start = self.at;
        while self.characters.get(self.at).is_some_and(|&c| fits(c)) {
            self.at += 1;
        }
        self.at - start
    }

    fn slice(&self, from: usize) -> String {
        self.characters[from..self.at].iter().collect()
    }

    fn number(&mut self) -> Result<String> {
        let start = self.at;
        self.run(|c| c.is_ascii_digit());
        if self.characters.get(self.at).is_some_and(|&c| c == '.') {
            self.at += 1;
            self.run(|c| c.is_ascii_digit());
        }
        let mantissa = self.at;
        if self.characters.get(self.at).is_some_and(|c| matches!(c, 'e' | 'E')) {
            self.at += 1;
            if self.characters.get(self.at).is_some_and(|c| matches!(c, '+' | '-')) {
                self.at += 1;
            }
            if self.run(|c| c.is_ascii_digit()) == 0 {
                self.at = mantissa; // an e that follows a number is no exponent, and no factor either
            }
        }
        let text = self.slice(start);
        match text.parse::<f64>() {
            // Display never writes an exponent, which exmex would not read.
            Ok(value) if value.is_finite() => Ok(format!("{value}")),
            Ok(_) => Err(self.error(&format!("number {text} exceeds 1.8e308"), start)),
            Err(_) => Err(self.error(&format!("{text:?} is not a number"), start)),
        }
    }

    fn name(&mut self) -> Result<String> {
        let start = self.at;
        self.run(|c| c.is_alphanumeric() || c == '_');
        let name = self.slice(start);
        match name.as_str() {
            "t" => {
                self.uses_t = true;
                return Ok(name);
            }
            "pi" => return Ok(format!("{}", std::f64::consts::PI)),
            "e" => return Ok(format!("{}", std::f64::consts::E)),
            _ => {}
        }
        let arguments = if FUNCTIONS.iter().any(|f| f.0 == name) {
            1
        } else if PAIRS.iter().any(|f| f.0 == name) {
            2
        } else {
            return Err(self.error(&format!("unknown name {name:?}"), start));
        };
        self.expect('(')?;
        let first = self.sum()?;
        let call = if arguments == 1 {
            format!("{name}({first})")
        } else {
            self.expect(',')?;
            format!("(({first}) {name} ({}))", self.sum()?)
        };
        self.expect(')')?;
        Ok(call)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Schedule;
    use super::*;

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
            ("min(1, max(t, 2)) + min(min(t,3),4)", &|t| 1f64.min(t.max(2.0)) + t.min(3.0).min(4.0)),
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
                assert_eq!(schedule.at(t).to_bits(), function(t).to_bits(), "{text} at {t}");
            }
        }
    }

    /// An expression that never changes must let a run stop at its fixed point.
    #[test]
    fn an_expression_without_t_is_constant() {
        assert_eq!(Schedule::parse("2*(3+1)").unwrap(), Schedule::Constant(8.0));
        assert_eq!(Schedule::parse("1e-3").unwrap(), Schedule::Constant(1e-3));
        assert_eq!(Schedule::parse("-pi").unwrap(), Schedule::Constant(-std::f64::consts::PI));
        assert!(Schedule::parse("sqrt(-1)").unwrap().at(0.0).is_nan());
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
        /// If precedence or folding differed anywhere, two engines' parameters would agree with one another and with nobody else.
        #[test]
        fn random_formulas_have_their_value((text, _, value) in formula()) {
            prop_assume!(text.chars().count() <= LONGEST);
            let got = Schedule::parse(&text).unwrap().at(3.0);
            prop_assert!(got.to_bits() == value.to_bits() || (got.is_nan() && value.is_nan()), "{}: {} against {}", text, got, value);
        }

        /// Any text gives a schedule or one line, never a panic.
        #[test]
        fn hostile_text_never_panics(text in "[ -~πé]{0,60}", tokens in proptest::collection::vec(
            proptest::sample::select(vec!["t", "(", ")", "+", "-", "*", "/", "^", ",", "min", "sin", "1", ".5", "e", "1e", "max", "{", "}", " ", "pi"]), 0..40)) {
            for candidate in [text, tokens.concat()] {
                match Schedule::parse(&candidate) {
                    Ok(schedule) => { schedule.at(2.0); }
                    Err(error) => prop_assert!(!error.to_string().contains('\n')),
                }
            }
        }
    }
}
