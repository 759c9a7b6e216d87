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

/// A function of one number under its name.
type Function = (&'static str, fn(f64) -> f64);
/// A function of two numbers under its name.
type Pair = (&'static str, fn(f64, f64) -> f64);

/// Functions of one number.
const FUNCTIONS: [Function; 20] = [
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
const PAIRS: [Pair; 4] = [
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
