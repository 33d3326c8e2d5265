//! A table in a page of the book: read from it, compared with what it should be, written into it.

use std::fs;
use std::path::{Path, PathBuf};

/// The first table of a page.
pub(crate) struct Table {
    page: PathBuf,
    before: String,
    /// The first is the head; the line below it is not kept.
    rows: Vec<Vec<String>>,
    after: String,
}

impl Table {
    /// Reads the table of `src/book/PAGE`.
    pub(crate) fn of(page: &str) -> Table {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = root.join("src/book").join(page);
        let text = fs::read_to_string(&page).unwrap();
        let begin = text.find("\n|").expect("a table") + 1;
        let end = text[begin..]
            .find("\n\n")
            .map_or(text.len(), |at| begin + at + 1);
        let lines = text[begin..end].lines();
        let rows = lines.filter(|line| !line.starts_with("|---"));
        Table {
            rows: rows.map(cells).collect(),
            before: text[..begin].to_owned(),
            after: text[end..].to_owned(),
            page,
        }
    }

    /// Compares the columns of these names with `rows`, or writes them if that is asked for.
    #[track_caller]
    pub(crate) fn check(&mut self, names: &[&str], rows: &[Vec<String>]) {
        let column = |name: &&str| {
            let at = self.rows[0].iter().position(|cell| cell == name);
            at.unwrap_or_else(|| panic!("no column {name:?} in {:?}", self.rows[0]))
        };
        let columns: Vec<usize> = names.iter().map(column).collect();
        if std::env::var_os("NETLOOP_WRITE_BOOK").is_some() {
            return self.write(&columns, rows);
        }
        assert_eq!(self.rows.len(), 1 + rows.len(), "the head and its rows");
        let mut wrong = Vec::new();
        for (row, due) in self.rows[1..].iter().zip(rows) {
            for (&column, due) in columns.iter().zip(due) {
                let said = &row[column];
                if said != due {
                    let place = format!("{} / {}", row[0], self.rows[0][column]);
                    wrong.push(format!("{place}\n  the page: {said}\n  it is:    {due}"));
                }
            }
        }
        assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    }

    fn write(&mut self, columns: &[usize], rows: &[Vec<String>]) {
        let width = self.rows[0].len();
        self.rows.resize(1 + rows.len(), Vec::new());
        for (row, due) in self.rows[1..].iter_mut().zip(rows) {
            row.resize(width, String::new());
            for (&column, due) in columns.iter().zip(due) {
                row[column].clone_from(due);
            }
        }
        let mut text = self.before.clone();
        for (at, row) in self.rows.iter().enumerate() {
            text += &format!("| {} |\n", row.join(" | "));
            if at == 0 {
                text += &format!("|{}\n", "---|".repeat(width));
            }
        }
        fs::write(&self.page, text + &self.after).unwrap();
    }
}

/// `| a | b |` taken apart.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim_matches('|');
    line.split('|').map(|cell| cell.trim().to_owned()).collect()
}
