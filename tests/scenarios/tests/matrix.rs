//! The failure matrix in the documentation names scenarios that exist.

use std::path::Path;

/// The rows of the tables: the last cell of each.
fn last_cells(page: &str) -> impl Iterator<Item = &str> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| What happens"));
    rows.map(|row| row.trim_end_matches('|').rsplit('|').next().unwrap_or_default().trim())
}

#[test]
fn every_row_of_the_failure_matrix_is_played_or_openly_open() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("../../docs/failure-matrix.md")).expect("the page is there");
    let mut rows = 0;
    for cell in last_cells(&page) {
        rows += 1;
        let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        let open = cell == "pending" || cell.starts_with("open until the trunk work: needs ");
        assert!(open == names.is_empty(), "neither played nor open: {cell}");
        for name in names {
            let ladder = root.join("golden").join(format!("{name}.txt"));
            assert!(ladder.is_file(), "{name} is named on the page and is not in tests/scenarios/golden");
        }
    }
    assert!(rows > 40, "{rows} rows were read");
}
