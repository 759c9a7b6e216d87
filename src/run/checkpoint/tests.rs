//! A checkpoint is what was written, or an error that names the file and the part.

use std::fs;

use proptest::prelude::*;

use crate::exact::Grid;
use crate::io::config::Config;
use crate::io::disk::faults;
use crate::outcome::{Description, StepReport};
use crate::run::checkpoint::format::*;
use crate::run::checkpoint::{read, write};
use crate::run::progress::{FrameFile, Options, Progress, Segment, TableMark};
use crate::tokens::{Coordinates, Tokens};

fn progress(step: u64) -> Progress {
    let config = Config::preset("default", &[]).unwrap();
    let grid = Grid { exponent: 3, precision: config.run.precision };
    let mut progress = Progress::start(&config, Options::default(), grid, 0.1 + 0.2, Description::default());
    progress.step = step;
    progress.started_unix = 1e10 / 7.0;
    progress.step_seconds = 1.0 / 3.0;
    progress.tables = vec![TableMark { file: "metrics.csv".into(), bytes: 7, blake3: "ab".repeat(32) }];
    progress.last = Some(StepReport::new(step, 3, &[1, 2], 0));
    progress.fixed_point = Some(4);
    progress
}

fn frames(count: u64) -> Vec<FrameFile> {
    (0..count).map(|k| FrameFile { step: 3 * k, hash: blake3::hash(&k.to_le_bytes()) }).collect()
}

fn small() -> Tokens {
    Tokens::from_flat(2, 3, Coordinates::F32(vec![1.0, -0.0, f32::MIN_POSITIVE, 1e-45, -3.5, f32::MAX])).unwrap()
}

/// A run that goes on from anything but its own state, to the last bit, is another run.
#[test]
fn what_is_written_is_read() {
    let folder = faults::folder();
    let path = folder.path().join("c.safetensors");
    let large: Vec<f64> = (0..600_000).map(|k| f64::from(k).sin()).collect();
    for (tokens, count) in [(small(), 0), (small(), 5), (Tokens::from_flat(200_000, 3, large).unwrap(), 100_000)] {
        write(&path, &tokens, &frames(count), &progress(12)).unwrap();
        let found = read(&path).unwrap();
        assert_eq!((found.progress, found.frames), (progress(12), frames(count)));
        let bits = |tokens: &Tokens| tokens.to_f64().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found.tokens.read().unwrap()), bits(&tokens));
        // Any reader of the format sees the tensors.
        let bytes = fs::read(&path).unwrap();
        let all = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(all.tensor(TOKENS).unwrap().shape(), [tokens.n(), tokens.d()]);
        assert_eq!(all.tensor(STEPS).unwrap().shape(), [count as usize]);
    }
}

/// Damage that is read as a state costs the run and is never found again.
#[test]
fn every_truncation_and_every_flipped_bit_is_noticed() {
    let folder = faults::folder();
    let path = folder.path().join("c.safetensors");
    write(&path, &small(), &frames(2), &progress(12)).unwrap();
    let whole = fs::read(&path).unwrap();
    let parts = ["header", "frame_steps", "tokens", "frame_hashes", "seal", "end"];
    let mut named = std::collections::BTreeSet::new();
    let mut refused = |bytes: &[u8], what: &dyn std::fmt::Display| {
        fs::write(&path, bytes).unwrap();
        let line = read(&path).expect_err(&format!("{what} passed")).to_string();
        let part = line.split_once("c.safetensors: damaged in its ").and_then(|(_, rest)| rest.split_once(':'));
        let (part, _) = part.unwrap_or_else(|| panic!("{what}: {line}"));
        assert!(parts.contains(&part) && !line.contains('\n'), "{what}: {line}");
        named.insert(part.to_owned());
        part.to_owned()
    };
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let [steps, tokens, hashes] = [header + 16, header + 40, header + 104];
    let ends = [("header", header), (STEPS, steps), (TOKENS, tokens), (HASHES, hashes), (SEAL, hashes + HASH_BYTES)];
    for length in 0..whole.len() {
        let part = refused(&whole[..length], &format!("the first {length} bytes"));
        let (right, _) = ends.iter().find(|(_, end)| length < *end).unwrap();
        assert_eq!(&part, right, "the first {length} bytes");
    }
    let mut bytes = whole.clone();
    for at in 0..whole.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            let part = refused(&bytes, &format!("bit {bit} of byte {at}"));
            bytes[at] ^= 1 << bit;
            if (header..hashes).contains(&at) {
                let right = if at < steps {
                    STEPS
                } else if at < tokens {
                    TOKENS
                } else {
                    HASHES
                };
                assert_eq!(part, right, "bit {bit} of byte {at}");
            } else if at >= hashes {
                assert_eq!(part, "header", "bit {bit} of byte {at}, in the seal");
            }
        }
    }
    assert_eq!(refused(&[&whole[..], b"x"].concat(), &"a byte more"), "end");
    refused(&[&whole[..], &whole[..]].concat(), &"the file twice");
    assert_eq!(named.len(), parts.len(), "{named:?}");
    assert!(read(folder.path()).is_err() && read(&folder.path().join("none")).is_err());
}

/// A file with this header and these bytes, and a seal that is right.
fn sealed(header: &str, body: &[u8]) -> Vec<u8> {
    let start = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    let seal = blake3::hash(&start);
    [&start[..], body, seal.as_bytes()].concat()
}

/// The header of a whole file, and what lies between it and the seal.
fn opened(whole: &[u8]) -> (String, Vec<u8>) {
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let body = whole[8 + length..whole.len() - HASH_BYTES].to_vec();
    (String::from_utf8(whole[8..8 + length].to_vec()).unwrap(), body)
}

/// A header too long for the reader must not replace a checkpoint that was good.
#[test]
fn the_longest_header_is_read_and_no_longer_one_is_written() {
    let folder = faults::folder();
    let path = folder.path().join("c.safetensors");
    let written = |name: usize| {
        let progress = Progress { name: "x".repeat(name), ..progress(1) };
        write(&path, &small(), &[], &progress).map(|()| read(&path).unwrap().progress == progress)
    };
    assert!(written(0).unwrap());
    let bytes = fs::read(&path).unwrap();
    let (header, _) = opened(&bytes);
    let room = LONGEST_HEADER as usize - header.trim_end().len();
    assert!(written(room).unwrap());
    assert_eq!(opened(&fs::read(&path).unwrap()).0.len() as u64, LONGEST_HEADER);
    let line = written(room + 1).unwrap_err().to_string();
    assert!(line.contains("c.safetensors: a header of 16777224 bytes, 16777216 at most"), "{line}");
    assert_eq!(read(&path).unwrap().progress.name.len(), room, "what was there stays");
}

/// Whoever can seal a file can lie in it: shapes that need more memory than there is, types that
/// are none.
#[test]
fn a_seal_makes_no_file_true() {
    let folder = faults::folder();
    let path = folder.path().join("c.safetensors");
    write(&path, &small(), &frames(2), &progress(12)).unwrap();
    let (header, body) = opened(&fs::read(&path).unwrap());
    fs::write(&path, sealed(&header, &body)).unwrap();
    read(&path).unwrap();
    let lies = [
        ("\"F32\"", "\"F16\""),
        ("\"F32\"", "\"F64\""),
        ("\"shape\":[2,3]", "\"shape\":[6]"),
        ("\"shape\":[2,3]", "\"shape\":[0,3]"),
        ("\"shape\":[2,3]", "\"shape\":[18446744073709551615,3]"),
        ("\"shape\":[2,3]", "\"shape\":[4611686018427387904,3]"),
        ("\"tokens\":", "\"other\":"),
        ("\"localmax\":", "\"elsewhere\":"),
        ("\\\"version\\\":1", "\\\"version\\\":2"),
        ("\\\"step\\\":12", "\\\"step\\\":-1"),
        ("\\\"step\\\":12", "\\\"step\\\":1e400"),
        ("\\\"step\\\":12", "\\\"step\\\":18446744073709551615"),
        ("\\\"grid_exponent\\\":3", "\\\"grid_exponent\\\":-2147483648"),
        ("\\\"radius\\\":", "\\\"radius\\\":-"),
        ("\\\"step_seconds\\\":", "\\\"step_seconds\\\":-"),
        ("metrics.csv", "/dev/zero"),
        ("metrics.csv", "../metrics.csv"),
        ("metrics.csv", ".."),
        ("\\\"from_step\\\":0", "\\\"from_step\\\":13"),
        ("{\"__metadata__\"", "[[[[{\"__metadata__\""),
        ("\"data_offsets\":[0,16]", "\"data_offsets\":[16,0]"),
    ];
    for (true_text, lie) in lies {
        assert!(header.contains(true_text), "{true_text} in {header}");
        fs::write(&path, sealed(&header.replacen(true_text, lie, 1), &body)).unwrap();
        let line = read(&path).expect_err(lie).to_string();
        assert!(line.contains("c.safetensors") && line.lines().count() == 1, "{lie}: {line}");
    }
    // Frames that are not in order, or not as many as hashes.
    let swapped = [&body[8..16], &body[..8], &body[16..]].concat();
    let twice = [&body[..8], &body[..8], &body[16..]].concat();
    for steps in [swapped, twice] {
        let hash = |body: &[u8]| blake3::hash(&body[..16]).to_hex();
        let header = header.replace(&hash(&body)[..], &hash(&steps));
        fs::write(&path, sealed(&header, &steps)).unwrap();
        let line = read(&path).unwrap_err().to_string();
        assert!(line.contains("damaged in its frame_hashes: they do not fit"), "{line}");
    }
    fs::write(&path, sealed(&header.replace("\"shape\":[2,32]", "\"shape\":[1,64]"), &body)).unwrap();
    let line = read(&path).unwrap_err().to_string();
    assert!(line.contains("damaged in its frame_hashes: they do not fit"), "{line}");
    // Nothing is allocated for a header that only claims its length.
    for (claim, says) in [(LONGEST_HEADER, "the file ends there"), (LONGEST_HEADER + 1, "it claims")] {
        fs::write(&path, [&claim.to_le_bytes()[..], header.as_bytes()].concat()).unwrap();
        let line = read(&path).unwrap_err().to_string();
        assert!(line.contains("damaged in its header") && line.contains(says), "{line}");
    }
    let deep = "[".repeat(1 << 20);
    fs::write(&path, sealed(&deep, &body)).unwrap();
    assert!(!read(&path).unwrap_err().to_string().contains("seal"));
    fs::write(&path, [&4u64.to_le_bytes()[..], b"[[[[", &[0; HASH_BYTES]].concat()).unwrap();
    let line = read(&path).unwrap_err().to_string();
    assert!(line.contains("damaged in its header: it and its seal do not agree"), "{line}");
    let nan = Tokens::from_flat(1, 1, Coordinates::F32(vec![1.0])).unwrap();
    write(&path, &nan, &[], &progress(1)).unwrap();
    let (header, _) = opened(&fs::read(&path).unwrap());
    let nan = f32::NAN.to_le_bytes();
    let header = header.replace(&blake3::hash(&1f32.to_le_bytes()).to_hex()[..], &blake3::hash(&nan).to_hex());
    fs::write(&path, sealed(&header, &nan)).unwrap();
    let line = read(&path).unwrap_err().to_string();
    assert!(line.contains("token 0 coordinate 0 is NaN"), "{line}");
}

/// Whoever reads meta.json must find every step under the engine that took it, and under no other.
#[test]
fn a_segment_begins_where_another_engine_goes_on() {
    let engine = |name: &str| Description { engine: name.into(), ..Description::default() };
    let mut progress = Progress { segments: vec![Segment::new(0, engine("a"))], ..progress(5) };
    let mut take_up = |step, name| {
        progress.step = step;
        let changed = progress.continue_with(engine(name));
        (changed, progress.segments.iter().map(|s| (s.from_step, s.engine.engine.clone())).collect::<Vec<_>>())
    };
    assert_eq!(take_up(5, "a"), (false, vec![(0, "a".to_owned())]));
    assert_eq!(take_up(5, "b"), (true, vec![(0, "a".to_owned()), (5, "b".to_owned())]));
    // Two that took no step leave nothing behind.
    assert_eq!(take_up(5, "c"), (true, vec![(0, "a".to_owned()), (5, "c".to_owned())]));
    assert_eq!(take_up(5, "a"), (false, vec![(0, "a".to_owned())]));
    assert_eq!(take_up(0, "d"), (false, vec![(0, "d".to_owned())]));
}

proptest! {
    /// No sealed header may bring the reader down.
    #[test]
    fn any_header_is_data_or_one_line(cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..40, "[ -~]{0,12}"), 1..4)) {
        let folder = faults::folder();
        let path = folder.path().join("c.safetensors");
        write(&path, &small(), &frames(2), &progress(12)).unwrap();
        let (mut header, body) = opened(&fs::read(&path).unwrap());
        for (at, length, text) in cuts {
            let at = at.index(header.len());
            header.replace_range(at..(at + length).min(header.len()), &text);
        }
        fs::write(&path, sealed(&header, &body)).unwrap();
        if let Err(error) = read(&path) {
            prop_assert!(error.to_string().lines().count() == 1);
        }
    }
}
