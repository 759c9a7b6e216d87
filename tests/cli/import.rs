//! `localmax import`, and the study that reads what it writes.

use std::fs;

use super::Folder;

/// Tokens of a model come as they are; what is not there, or no cloud, is named, and no file is written over.
#[test]
fn tokens_are_imported_from_a_models_file() {
    let folder = Folder::new();
    let numbers: Vec<u8> = (0..24u16).flat_map(|i| (0x3f80 + i).to_le_bytes()).collect();
    let header = r#"{"wte.weight":{"dtype":"BF16","shape":[2,3,4],"data_offsets":[0,48]},"ids":{"dtype":"I64","shape":[1,1],"data_offsets":[48,56]}}"#;
    let length = (header.len() as u64).to_le_bytes();
    folder.write("m.safetensors", [&length[..], header.as_bytes(), &numbers, &[0; 8]].concat());
    let listed = folder.good(&["import", "m.safetensors"]);
    assert!(listed.contains("wte.weight  BF16  (2, 3, 4)\n") && listed.contains("(no tokens)"), "{listed}");
    let name = ["import", "m.safetensors", "--tensor"];
    let said = folder.good(&[&name[..], &["wte.weight", "--index", "1", "--rows", "1..3"]].concat());
    assert!(said.contains("tokens.npy: 2 tokens in R^4, f32"), "{said}");
    let array = fs::read(folder.path().join("tokens.npy")).unwrap();
    let first = f32::from_bits(0x3f80_0000 + (16 << 16));
    assert_eq!(array[array.len() - 32..][..4], first.to_le_bytes());
    for (more, words) in [
        (&["wte.wieght"][..], &["the nearest name is \"wte.weight\""][..]),
        (&["wte.weight"], &["(2, 3, 4)", "--index 0"]),
        (&["wte.weight", "--index", "2"], &["--index 2 is outside an axis of 2"]),
        (&["wte.weight", "--index", "0", "--rows", "2..9"], &["--rows 2..9", "0..3"]),
        (&["wte.weight", "--index", "0", "--rows", "3"], &["--rows", "FROM..TO"]),
        (&["ids"], &["entries of type I64"]),
    ] {
        folder.refused(&[&name[..], more, &["--out", "new.npy"]].concat(), words);
    }
    folder.refused(&[&name[..], &["wte.weight", "--index", "0"]].concat(), &["tokens.npy: it exists", "--out"]);
    folder.refused(&["import", "tokens.npy", "--tensor", "x"], &["leave out --tensor x"]);
    folder.refused(&["import", "none.npy"], &["none.npy"]);
    folder.refused(&["study", "strip", "--file", "tokens.npy", "--tokens", "9"], &["--file", "--tokens"]);
    folder.refused(&["study", "strip", "--file", "tokens.npy", "--omegas", "1"], &["--omegas: 1 is no share"]);
    folder.good(&["study", "strip", "--file", "tokens.npy", "--deltas", "0.5", "--out", "s"]);
    let report = fs::read_to_string(folder.path().join("s/report.md")).unwrap();
    assert!(report.contains("n = 2, d = 4, tokens.npy"), "{report}");
    folder.write("tokens.npy", [&array[..array.len() - 4], &1f32.to_le_bytes()].concat());
    fs::remove_dir_all(folder.path().join("s/cells")).unwrap();
    fs::remove_file(folder.path().join("s/table.csv")).unwrap();
    let output = folder.run(&["study", "resume", "s"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("is another file than"), "{said}");
}
