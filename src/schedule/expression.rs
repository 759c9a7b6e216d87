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
//! Each line of the grammar is a method of the reader, and returns a function of t.

use std::fmt;
use std::ops::{Add as _, Div as _, Mul as _, Neg as _, Sub as _};
use std::sync::Arc;

use Function::{Binary, Unary};

use crate::error::{Error, Result};

/// Longest text, in characters.
const LONGEST: usize = 1000;
/// Deepest nesting of parentheses, functions, signs and powers.
const DEEPEST: usize = 50;

/// A compiled formula in t. Two are equal when their texts are.
#[derive(Clone)]
pub struct Expression {
    text: Arc<str>,
    value: Arc<Value>,
    uses_t: bool,
}

/// The value of a formula, or of a part of one, at time t.
type Value = Box<dyn Fn(f64) -> f64 + Send + Sync>;

impl Expression {
    /// Compiles a formula.
    ///
    /// # Errors
    /// A text that is no formula; the error says what is wrong, at which column, and what is
    /// allowed.
    pub fn parse(text: &str) -> Result<Self> {
        let mut reader = Reader { text, characters: text.chars().collect(), at: 0, depth: 0, uses_t: false };
        if reader.characters.len() > LONGEST {
            let length = reader.characters.len();
            return Err(Error::input(format!("an expression of {length} characters; at most {LONGEST} are read")));
        }
        let value = Arc::new(reader.sum()?);
        match reader.peek() {
            None => Ok(Self { text: text.into(), value, uses_t: reader.uses_t }),
            Some(_) => Err(reader.unexpected("an operator")),
        }
    }

    /// The value at time t; NaN if the formula has none.
    pub fn at(&self, t: f64) -> f64 {
        (self.value)(t)
    }

    /// True if t does not occur.
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

/// A function of one or two numbers.
enum Function {
    Unary(fn(f64) -> f64),
    Binary(fn(f64, f64) -> f64),
}

/// Every function under its name. NaN passes through all of them, so that a value outside a domain
/// is always noticed.
const FUNCTIONS: [(&str, Function); 24] = [
    ("abs", Unary(f64::abs)),
    ("acos", Unary(libm::acos)),
    ("asin", Unary(libm::asin)),
    ("atan", Unary(libm::atan)),
    ("cbrt", Unary(libm::cbrt)),
    ("ceil", Unary(libm::ceil)),
    ("cos", Unary(libm::cos)),
    ("cosh", Unary(libm::cosh)),
    ("exp", Unary(libm::exp)),
    ("floor", Unary(libm::floor)),
    ("ln", Unary(libm::log)),
    ("log", Unary(libm::log)),
    ("log10", Unary(libm::log10)),
    ("log2", Unary(libm::log2)),
    ("round", Unary(libm::round)),
    ("sin", Unary(libm::sin)),
    ("sinh", Unary(libm::sinh)),
    ("sqrt", Unary(libm::sqrt)),
    ("tan", Unary(libm::tan)),
    ("tanh", Unary(libm::tanh)),
    ("max", Binary(|a, b| if a > b || a.is_nan() { a } else { b })),
    ("min", Binary(|a, b| if a < b || a.is_nan() { a } else { b })),
    ("mod", Binary(|a, b| a - b * libm::floor(a / b))),
    ("pow", Binary(libm::pow)),
];

/// A sign between two numbers, and its function.
type Operator = (char, fn(f64, f64) -> f64);

fn unary(f: fn(f64) -> f64, a: Value) -> Value {
    Box::new(move |t| f(a(t)))
}

fn binary(f: fn(f64, f64) -> f64, a: Value, b: Value) -> Value {
    Box::new(move |t| f(a(t), b(t)))
}

struct Reader<'a> {
    text: &'a str,
    characters: Vec<char>,
    at: usize,
    depth: usize,
    uses_t: bool,
}

impl Reader<'_> {
    /// The next character that is not blank, without taking it.
    fn peek(&mut self) -> Option<char> {
        self.skip(char::is_whitespace);
        self.characters.get(self.at).copied()
    }

    /// Takes the next character that is not blank if it is the wanted one.
    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: char) -> Result<()> {
        if self.take(wanted) { Ok(()) } else { Err(self.unexpected(&format!("\"{wanted}\""))) }
    }

    /// Takes characters while they fit.
    fn skip(&mut self, fits: impl Fn(char) -> bool) {
        while self.characters.get(self.at).is_some_and(|&c| fits(c)) {
            self.at += 1;
        }
    }

    /// The characters from `start` to here.
    fn since(&self, start: usize) -> String {
        self.characters[start..self.at].iter().collect()
    }

    fn error(&self, what: &str, at: usize) -> Error {
        let names = FUNCTIONS.map(|(name, _)| name).join(" ");
        let allowed = format!("allowed are numbers, t, pi, e, + - * / ^, parentheses, and {names}");
        Error::input(format!("{what} at column {} of {:?}; {allowed}", at + 1, self.text))
    }

    fn unexpected(&mut self, expected: &str) -> Error {
        let found = self.peek().map_or_else(|| "the end".to_owned(), |c| format!("{c:?}"));
        self.error(&format!("expected {expected}, found {found}"), self.at)
    }

    fn sum(&mut self) -> Result<Value> {
        self.operands(Self::product, [('+', f64::add), ('-', f64::sub)])
    }

    fn sum_before(&mut self, end: char) -> Result<Value> {
        let value = self.sum()?;
        self.expect(end)?;
        Ok(value)
    }

    fn product(&mut self) -> Result<Value> {
        self.operands(Self::unary, [('*', f64::mul), ('/', f64::div)])
    }

    /// Operands with operators of one precedence between them, which apply from left to right.
    fn operands(&mut self, operand: fn(&mut Self) -> Result<Value>, operators: [Operator; 2]) -> Result<Value> {
        let mut value = operand(self)?;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.take(*sign)) {
            value = binary(*operator, value, operand(self)?);
        }
        Ok(value)
    }

    fn unary(&mut self) -> Result<Value> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(&format!("nested deeper than {DEEPEST}"), self.at));
        }
        let value = if self.take('-') {
            unary(f64::neg, self.unary()?)
        } else if self.take('+') {
            self.unary()?
        } else {
            self.power()?
        };
        self.depth -= 1;
        Ok(value)
    }

    fn power(&mut self) -> Result<Value> {
        let base = self.atom()?;
        Ok(if self.take('^') { binary(libm::pow, base, self.unary()?) } else { base })
    }

    fn atom(&mut self) -> Result<Value> {
        match self.peek() {
            Some('(') => {
                self.at += 1;
                self.sum_before(')')
            }
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if c.is_alphabetic() || c == '_' => self.name(),
            _ => Err(self.unexpected("a number, t, a function or \"(\"")),
        }
    }

    fn number(&mut self) -> Result<Value> {
        let start = self.at;
        let digit = |c: char| c.is_ascii_digit();
        self.skip(digit);
        if self.characters.get(self.at) == Some(&'.') {
            self.at += 1;
            self.skip(digit);
        }
        // An e that no digit follows is no exponent, and no factor either.
        let sign = usize::from(matches!(self.characters.get(self.at + 1), Some('+' | '-')));
        if let Some([e, .., first]) = self.characters.get(self.at..self.at + 2 + sign)
            && matches!(e, 'e' | 'E')
            && first.is_ascii_digit()
        {
            self.at += 1 + sign;
            self.skip(digit);
        }
        let text = self.since(start);
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Box::new(move |_| value)),
            Ok(_) => Err(self.error(&format!("number {text} exceeds 1.8e308"), start)),
            Err(_) => Err(self.error(&format!("{text:?} is not a number"), start)),
        }
    }

    /// A variable, a constant, or a function with its arguments.
    fn name(&mut self) -> Result<Value> {
        let start = self.at;
        self.skip(|c| c.is_alphanumeric() || c == '_');
        let name = self.since(start);
        match name.as_str() {
            "t" => {
                self.uses_t = true;
                return Ok(Box::new(|t| t));
            }
            "pi" => return Ok(Box::new(|_| std::f64::consts::PI)),
            "e" => return Ok(Box::new(|_| std::f64::consts::E)),
            _ => {}
        }
        let Some((_, function)) = FUNCTIONS.into_iter().find(|function| function.0 == name) else {
            return Err(self.error(&format!("unknown name {name:?}"), start));
        };
        self.expect('(')?;
        Ok(match function {
            Unary(f) => unary(f, self.sum_before(')')?),
            Binary(f) => binary(f, self.sum_before(',')?, self.sum_before(')')?),
        })
    }
}
