//! Lines of the shaders' text that are written once and stand many times: what a compiler should have
//! unrolled, without arrays that it might put into memory.
//!
//! ```text
//! // EACH k: 1..D
//! s = fma(x[$k%4], q$k, s);
//! // END
//! ```
//!
//! stands once for each k from 1, or from 0 where no start is given, up to the value of a constant of the
//! module, or a number. In these lines `$k` is the number; both it and the bound may be followed by `+`,
//! `-`, `*`, `/` or `%` and a number, taken from left to right. Blocks may be nested.

use std::str::Lines;

/// The text with every block written out.
pub(crate) fn unrolled(text: &str) -> String {
    let constants: Vec<(&str, u32)> = text.lines().filter_map(constant).collect();
    let mut out = String::with_capacity(2 * text.len());
    write_lines(&mut text.lines(), &constants, &[], &mut out);
    out
}

/// A line as a constant and its value.
fn constant(line: &str) -> Option<(&str, u32)> {
    let (name, value) = line.strip_prefix("const ")?.strip_suffix(';')?.split_once(": u32 = ")?;
    Some((name, value.parse().ok()?))
}

/// Writes lines up to the end of the block, with numbers in the places of names.
fn write_lines(lines: &mut Lines, constants: &[(&str, u32)], numbers: &[(&str, u32)], out: &mut String) {
    while let Some(line) = lines.next() {
        let trimmed = line.trim_start();
        if trimmed == "// END" {
            return;
        }
        let Some((name, range)) = trimmed.strip_prefix("// EACH ").and_then(|rest| rest.split_once(": ")) else {
            write_line(line, numbers, out);
            continue;
        };
        let (start, end) = range.split_once("..").unwrap_or(("0", range));
        let inside = lines.clone();
        for number in value_of(start, constants)..value_of(end, constants) {
            write_lines(&mut inside.clone(), constants, &[numbers, &[(name, number)]].concat(), out);
        }
        pass_block(lines);
    }
}

/// Goes past the end of a block.
fn pass_block(lines: &mut Lines) {
    let mut open = 1;
    while open > 0
        && let Some(line) = lines.next()
    {
        let trimmed = line.trim_start();
        open += i32::from(trimmed.starts_with("// EACH ")) - i32::from(trimmed == "// END");
    }
}

/// The value of a bound: a number or a constant, and what follows it.
fn value_of(bound: &str, constants: &[(&str, u32)]) -> u32 {
    let (name, operations) = bound.split_at(bound.find(['+', '-', '*', '/', '%']).unwrap_or(bound.len()));
    let named = || constants.iter().find(|(constant, _)| *constant == name).map(|&(_, value)| value);
    let value = name.parse().ok().or_else(named).unwrap_or_else(|| panic!("no constant of the module is {name}"));
    operated(value, operations).0
}

/// A value after the operations that follow it without a space, and what is left of the text.
fn operated(mut value: u32, mut text: &str) -> (u32, &str) {
    while let Some(operation) = text.chars().next().filter(|c| "+-*/%".contains(*c)) {
        let rest = &text[1..];
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let Ok(number) = rest[..digits].parse::<u32>() else { break };
        value = match operation {
            '+' => value + number,
            '-' => value - number,
            '*' => value * number,
            '/' => value / number,
            _ => value % number,
        };
        text = &rest[digits..];
    }
    (value, text)
}

fn write_line(mut line: &str, numbers: &[(&str, u32)], out: &mut String) {
    while let Some((before, rest)) = line.split_once('$') {
        let (name, value) = numbers
            .iter()
            .find(|(name, _)| rest.starts_with(name))
            .unwrap_or_else(|| panic!("no block counts ${rest}"));
        let (value, rest) = operated(*value, &rest[name.len()..]);
        out.push_str(before);
        out.push_str(&value.to_string());
        line = rest;
    }
    out.push_str(line);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A coordinate left out, or taken twice, is another score.
    #[test]
    fn blocks_are_written_out() {
        let text = "const D: u32 = 3;\n// EACH r: 2\nlet s$r = a$r[0];\n  // EACH k: 1..D\n  s$r += x$k/2[$k%2]; // $k+1*2\n\
                    // END\n// END\n// EACH k: 3..D\nnothing $k\n// EACH j: 2\n// END\n// END\nend\n";
        let expected = "const D: u32 = 3;\nlet s0 = a0[0];\n  s0 += x0[1]; // 4\n  s0 += x1[0]; // 6\nlet s1 = a1[0];\n  \
                        s1 += x0[1]; // 4\n  s1 += x1[0]; // 6\nend\n";
        assert_eq!(unrolled(text), expected);
    }
}
