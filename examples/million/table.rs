//! What is printed.

use std::fmt;

/// A title, and what was measured, a row each.
pub(crate) struct Table {
    title: String,
    rows: Vec<(String, String)>,
}

impl Table {
    pub(crate) fn new(title: String) -> Table {
        Table {
            title,
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, what: impl Into<String>, figures: String) {
        self.rows.push((what.into(), figures));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        for (what, figures) in &self.rows {
            writeln!(f, "  {what:<17} {figures}")?;
        }
        Ok(())
    }
}
