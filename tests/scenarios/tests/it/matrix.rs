//! The failure matrix in the documentation names scenarios that exist, and in which its rows happen.

use std::path::Path;

/// Rows that nothing plays yet, by what they begin with, and no others.
const OPEN: [&str; 1] = ["re-INVITE across PRACK or UPDATE"];

/// The rows of the tables, as cells.
fn rows(page: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| What happens"));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
}

fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_row_of_the_failure_matrix_is_played_or_openly_open() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("../../docs/failure-matrix.md")).expect("the page is there");
    let (mut played, mut open, mut wrong) = (0, Vec::new(), Vec::new());
    for row in rows(&page) {
        let [what, .., scenarios, shown] = row.as_slice() else { panic!("too few cells: {row:?}") };
        let (names, fragments) = (quoted(scenarios), quoted(shown));
        if names.is_empty() {
            assert!(scenarios.starts_with("open until the trunk work: needs "), "neither played nor open: {what}");
            open.push(*what);
            continue;
        }
        played += 1;
        let ladder =
            |name: &&str| std::fs::read_to_string(root.join("golden").join(format!("{name}.txt"))).unwrap_or_default();
        let ladders: Vec<String> = names.iter().map(ladder).collect();
        for (name, ladder) in names.iter().zip(&ladders) {
            if !fragments.iter().any(|fragment| ladder.contains(fragment)) {
                wrong.push(format!("{what}: {name} shows none of {fragments:?}"));
            }
        }
        for fragment in fragments.iter().filter(|fragment| !ladders.iter().any(|ladder| ladder.contains(**fragment))) {
            wrong.push(format!("{what}: no ladder shows {fragment}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(open, OPEN);
    assert!(played > 60, "{played} rows are played");
}
