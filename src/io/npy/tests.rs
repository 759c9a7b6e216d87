//! Arrays as `numpy.save` writes them, and files that only look like it.

use std::fs;

use proptest::prelude::*;

use super::*;

/// A file as `numpy.save` lays it out.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut text = header.to_owned();
    while !(10 + text.len() + 1).is_multiple_of(64) {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(data);
    bytes
}

fn dictionary(descr: &str, fortran: bool, shape: &str) -> String {
    let fortran = if fortran { "True" } else { "False" };
    format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}")
}

fn read_bytes(bytes: &[u8]) -> Result<Tokens> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    fs::write(&path, bytes).unwrap();
    read(&path)
}

fn refusal(bytes: &[u8]) -> String {
    let error = read_bytes(bytes).unwrap_err();
    assert_eq!(error.exit_status(), 2);
    let line = error.to_string();
    assert!(line.contains("x.npy: ") && !line.contains('\n'), "{line:?}");
    line
}

proptest! {
    /// If any layout were misread, a run would start from other tokens than the user's.
    #[test]
    fn every_layout_is_read(
        (n, d, values) in (1usize..40, 1usize..9).prop_flat_map(|(n, d)| {
            (Just(n), Just(d), proptest::collection::vec(-1e30f64..1e30, n * d))
        }),
        fortran: bool, big: bool, wide: bool,
    ) {
        let descr = format!("'{}f{}'", if big { '>' } else { '<' }, if wide { 8 } else { 4 });
        let order: Vec<usize> = if fortran { (0..n * d).map(|at| (at % n) * d + at / n).collect() } else { (0..n * d).collect() };
        let data: Vec<u8> = order.iter().flat_map(|&at| {
            let x = values[at];
            match (wide, big) {
                (true, true) => x.to_be_bytes().to_vec(),
                (true, false) => x.to_le_bytes().to_vec(),
                (false, true) => (x as f32).to_be_bytes().to_vec(),
                (false, false) => (x as f32).to_le_bytes().to_vec(),
            }
        }).collect();
        let tokens = read_bytes(&file(&dictionary(&descr, fortran, &format!("({n}, {d})")), &data)).unwrap();
        prop_assert_eq!((tokens.n(), tokens.d()), (n, d));
        prop_assert_eq!(tokens.precision(), if wide { Precision::F64 } else { Precision::F32 });
        let wanted: Vec<f64> = values.iter().map(|&x| if wide { x } else { f64::from(x as f32) }).collect();
        prop_assert_eq!(tokens.to_f64(), wanted);
    }

    /// A written array must read back as itself, signed zeros and subnormals too.
    #[test]
    fn written_files_read_back(bits in proptest::collection::vec(any::<u64>(), 1..200), wide: bool) {
        let all: Vec<f64> = bits.iter().map(|&b| f64::from_bits(b)).filter(|x| x.is_finite()).collect();
        prop_assume!(!all.is_empty());
        let coordinates = if wide {
            Coordinates::F64(all)
        } else {
            Coordinates::F32(all.iter().map(|&x| f32::from_bits((x.to_bits() >> 32) as u32)).filter(|x| x.is_finite()).collect())
        };
        let length = match &coordinates { Coordinates::F32(v) => v.len(), Coordinates::F64(v) => v.len() };
        prop_assume!(length > 0);
        let tokens = Tokens::from_flat(length, 1, coordinates).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        write(&path, &tokens).unwrap();
        let again = read(&path).unwrap();
        prop_assert_eq!(format!("{:?}", again), format!("{:?}", tokens));
        prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Any bytes behind any plausible beginning give tokens or one line.
    #[test]
    fn hostile_bytes_never_panic(
        noise in proptest::collection::vec(any::<u8>(), 0..300),
        pieces in proptest::collection::vec(proptest::sample::select(vec![
            "{", "}", "'descr': ", "'<f4'", "'|O'", "[('a', '<f4')]", ", ", "'fortran_order': ", "True", "'shape': ", "(2, 3)", "(", ")",
            "99999999999999999999", "-1", "\\", "'", "\"", "[[[[", "1e9", "\n",
        ]), 0..20),
        at in 0usize..130, bit in 0u8..8, cut in 0usize..170,
    ) {
        let good = file(&dictionary("'<f4'", false, "(2, 5)"), &[0; 40]);
        let mut flipped = good.clone();
        flipped[at] ^= 1 << bit;
        let mut headed = b"\x93NUMPY\x02\x00".to_vec();
        headed.extend(&noise);
        for bytes in [noise, headed, file(&pieces.concat(), &[0; 24]), flipped, good[..cut.min(good.len())].to_vec()] {
            if let Err(error) = read_bytes(&bytes) {
                prop_assert!(!error.to_string().contains('\n'), "{}", error);
            }
        }
    }
}

/// More entries than one chunk holds, in the order that strides.
#[test]
fn long_arrays_are_streamed() {
    let (n, d) = (100_000, 5);
    let data: Vec<u8> = (0..d).flat_map(|k| (0..n).flat_map(move |i| ((i * 10 + k) as f32).to_le_bytes())).collect();
    let tokens = read_bytes(&file(&dictionary("'<f4'", true, &format!("({n}, {d})")), &data)).unwrap();
    assert!((0..n).all(|i| (0..d).all(|k| tokens.get(i, k) == (i * 10 + k) as f64)));
}

/// `numpy.save` of a schedule is of rank 1, and of `[[0, 1], [1, 0]]` it is of integers: a refusal
/// would send the user to convert what is plain.
#[test]
fn tables_and_matrices_are_read_as_numpy_makes_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let place = |descr: &str, fortran: bool, shape: &str, data: &[u8]| {
        fs::write(&path, file(&dictionary(descr, fortran, shape), data)).unwrap();
    };
    let wide: Vec<u8> = [1i64, -2, 300, 4].iter().flat_map(|x| x.to_le_bytes()).collect();
    let swapped: Vec<u8> = [1i16, -2, 300, 4].iter().flat_map(|x| x.to_be_bytes()).collect();
    let floats: Vec<u8> = [1f32, -2.0, 300.0, 4.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    for shape in ["(4,)", "(4, 1)", "(1, 4)"] {
        for (descr, data) in [("'<i8'", &wide), ("'>i2'", &swapped), ("'<f4'", &floats)] {
            place(descr, false, shape, data);
            assert_eq!(read_table(&path, 4).unwrap(), [1.0, -2.0, 300.0, 4.0], "{descr} {shape}");
        }
    }
    assert!(read_table(&path, 3).unwrap_err().to_string().contains("at most 3 values"));
    place("'|u1'", false, "(2,)", &[255, 0]);
    assert_eq!(read_table(&path, 4).unwrap(), [255.0, 0.0]);
    place("'<i8'", false, "(2, 2)", &wide);
    assert_eq!(read_matrix(&path).unwrap(), [[1.0, -2.0], [300.0, 4.0]]);
    place("'<i8'", true, "(2, 2)", &wide);
    assert_eq!(read_matrix(&path).unwrap(), [[1.0, 300.0], [-2.0, 4.0]]);
}

/// Each kind of wrong file is named by what is wrong with it, with its numbers.
#[test]
fn refusals() {
    let plain = |shape: &str, data: &[u8]| file(&dictionary("'<f4'", false, shape), data);
    let of = |descr: &str| file(&dictionary(descr, false, "(2, 3)"), &[0; 24]);
    let mut version = of("'<f4'");
    version[6] = 9;
    let mut long = b"\x93NUMPY\x02\x00".to_vec();
    long.extend(u32::MAX.to_le_bytes());
    let nested = file(&"[".repeat(4000), &[]);
    let mut nan: Vec<u8> = [0f32; 6].iter().flat_map(|x| x.to_le_bytes()).collect();
    nan[16..20].copy_from_slice(&f32::NAN.to_le_bytes());
    for (bytes, wanted) in [
        (b"".to_vec(), "not an .npy file"),
        (b"1,2\n3,4\n5,6\n".to_vec(), "not an .npy file"),
        (b"\x93NUMPY\x01\x00\x76".to_vec(), "truncated inside its header"),
        (of("'<f4'")[..60].to_vec(), "truncated inside its header"),
        (version, "version 9.0 of the .npy format"),
        (long, "a header of 4294967295 bytes; at most 4096"),
        (of(&"[".repeat(20)), "a header with 22 brackets; this is no float array"),
        (nested, "brackets; this is no float array"),
        (of("'<i8'"), "dtype '<i8'; float32 or float64 are read"),
        (of("'<f2'"), "dtype '<f2'; float32"),
        (of("'<c8'"), "dtype '<c8'"),
        (of("'|O'"), "dtype '|O'"),
        (of("[('a', '<f4')]"), "dtype [('a', '<f4')];"),
        (plain("()", &[0; 4]), "rank 0"),
        (plain("(6,)", &[0; 24]), "an array of rank 1, shape [6]; rank 2 is needed"),
        (plain("(1, 2, 3)", &[0; 24]), "rank 3"),
        (plain("(0, 3)", &[]), "shape (0, 3); n and d must be at least 1"),
        (plain("(3, 0)", &[]), "shape (3, 0); n and d must be at least 1"),
        (
            plain("(2, 3)", &[0; 23]),
            "truncated: shape (2, 3) of 4-byte numbers and its header take 152 bytes, the file has 151",
        ),
        (
            plain("(2, 3)", &[0; 25]),
            "oversized: shape (2, 3) of 4-byte numbers and its header take 152 bytes, the file has 153",
        ),
        (plain("(1000000000000, 1000)", &[0; 24]), "truncated: shape (1000000000000, 1000)"),
        (plain("(9999999999999999999, 9999999999999999999)", &[]), "more bytes than can be addressed"),
        (plain("(99999999999999999999999, 1)", &[]), "more bytes than can be addressed"),
        (plain("(4611686018427387904, 1)", &[]), "more bytes than can be addressed"),
        (plain("(0, 9999999999999999999, 99)", &[]), "more bytes than can be addressed"),
        (plain("(-1, 1)", &[]), "its header cannot be read"),
        (plain("(2, 3)", &nan), "token 1 coordinate 1 is NaN"),
        (file("{'descr': '<f4'}", &[]), "its header cannot be read"),
    ] {
        let line = refusal(&bytes);
        assert!(line.contains(wanted), "{wanted}\n{line}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(read(folder.path()).unwrap_err().to_string().contains("not a regular file"));
    assert!(read(&folder.path().join("none.npy")).unwrap_err().to_string().contains("none.npy"));
    assert!(write(&folder.path().join("no/x.npy"), &Tokens::from_flat(1, 1, vec![0.0]).unwrap()).is_err());
}
